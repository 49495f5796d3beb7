"""Sequences of handwritten digits that obey a rule a first-order chain can learn.

Design
------
A chain with first-order transitions sees a pair of neighbouring labels and nothing
else, so a rule helps it only if it can be checked pair by pair. On the keypad the digit
itself says which digits may follow. In a date it does not (the second 1 of 11.11.1911
has four successors), so the labels there also name the field, the state of a small
automaton.

A check digit was tried and left out. Labels (sum so far, digit) make it local in the
same way, but each label then has a weight vector of its own, and having to share the
images of a digit among ten, or even three, sums cost more accuracy than the check
brought back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.utils import Bunch, check_random_state

_FIELDS = ("D1", "D2", "M1", "M2", "Y1", "Y2", "Y3", "Y4")
# What each field of a date from 1920 to 2029 can hold.
_FIELD_DIGITS = (
    "0123",
    "0123456789",
    "01",
    "0123456789",
    "12",
    "09",
    "0123456789",
    "0123456789",
)
_FIRST_DAY, _LAST_DAY = date(1920, 1, 1), date(2029, 12, 31)
# Which keys of a telephone lie next to which, up, down, left or right.
_NEIGHBOURS = {
    "0": "8",
    "1": "24",
    "2": "135",
    "3": "26",
    "4": "157",
    "5": "2468",
    "6": "359",
    "7": "48",
    "8": "0579",
    "9": "68",
}
_KEYPAD_LENGTHS = (4, 10)
_STRIPE = 3

_DESCR = """\
Handwritten digit sequences
---------------------------

{rule}

:Number of sequences: {n_train} for training, {n_test} for testing
:Tokens per sequence: {length}
:Features per token: 64, the grey levels of an 8 x 8 image in [0, 1]
:Labels: {n_labels}, see `target_names`; `digits_of` reduces them to the plain digit

The images are those of `sklearn.datasets.load_digits`, a copy of the test part of
Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, UCI, 1998). It does not
say who wrote which digit, but neighbouring images tend to be of one hand. Therefore the
first {share:.0%} of the images serve the training sequences and the rest the test
sequences: no image, and hardly a handwriting, is in both. Within a part an image may be
used several times, each time with fresh damage: Gaussian noise of standard deviation
{noise:g} on every pixel and, with probability {noise:g}, a stripe of three rows or
columns wiped out.
"""

_RULES = {
    "dates": (
        "Dates between 1920 and 2029 written as DDMMYYYY. The label of a token names\n"
        'its field and its digit, such as "M1:0" for the leading zero of a month, so\n'
        "that the transitions can learn the order of the fields and what may follow\n"
        "within and between them: 3 is followed by 0 or 1 in a day, 1 by 0, 1 or 2 in\n"
        "a month; a year begins with 192 to 199 or 200 to 202."
    ),
    "keypad": (
        "Codes that a finger draws on the keypad of a telephone, moving from a key to\n"
        "one next to it, up, down, left or right, with equal chances. The labels are\n"
        "the plain digits. A digit has one to four successors, 2.6 on average."
    ),
}


def _draw_dates(n: int, rng: np.random.RandomState) -> list[list[str]]:
    days = rng.randint((_LAST_DAY - _FIRST_DAY).days + 1, size=n)
    out = []
    for offset in days.tolist():
        day = _FIRST_DAY + timedelta(days=offset)
        text = f"{day.day:02d}{day.month:02d}{day.year:04d}"
        out.append([f"{f}:{c}" for f, c in zip(_FIELDS, text, strict=True)])
    return out


def _draw_keypad(n: int, rng: np.random.RandomState) -> list[list[str]]:
    shortest, longest = _KEYPAD_LENGTHS
    out = []
    for length in rng.randint(shortest, longest + 1, size=n).tolist():
        row = [str(rng.randint(10))]
        while len(row) < length:
            keys = _NEIGHBOURS[row[-1]]
            row.append(keys[rng.randint(len(keys))])
        out.append(row)
    return out


_DRAW: dict[str, Callable[[int, np.random.RandomState], list[list[str]]]] = {
    "dates": _draw_dates,
    "keypad": _draw_keypad,
}


def _target_names(kind: str) -> list[str]:
    if kind == "dates":
        return [
            f"{field}:{digit}"
            for field, digits in zip(_FIELDS, _FIELD_DIGITS, strict=True)
            for digit in digits
        ]
    return sorted(_NEIGHBOURS)


def digits_of(y: Any) -> Any:
    """Reduce the labels of :func:`load_digit_sequences` to plain digits.

    Parameters
    ----------
    y : str, sequence of str, or list of sequences of str
        Labels such as ``"M1:0"`` or ``"3"``, at any depth of nesting.

    Returns
    -------
    str, list of str, or list of list of str
        The digits, nested as `y` is.

    Raises
    ------
    ValueError
        If a label is neither a digit nor ends in a colon and a digit.

    Examples
    --------
    >>> from pystruct_ext.datasets import digits_of
    >>> digits_of([["D1:3", "D2:1"], ["7", "4"]])
    [['3', '1'], ['7', '4']]
    """
    if isinstance(y, str):
        digit = y.rpartition(":")[2]
        if len(digit) != 1 or digit not in "0123456789":
            raise ValueError(f"expected a label such as '3' or 'M1:0', got {y!r}")
        return digit
    return [digits_of(item) for item in y]


def _damage(
    images: NDArray[np.float64], noise: float, rng: np.random.RandomState
) -> NDArray[np.float32]:
    """Add pixel noise to (N, 8, 8) images, and wipe a stripe out of some of them."""
    side = images.shape[1]
    out = images + noise * rng.standard_normal(images.shape)
    start = rng.randint(side - _STRIPE + 1, size=len(images))
    line = np.arange(side)
    band = (line >= start[:, None]) & (line < start[:, None] + _STRIPE)
    band &= (rng.uniform(size=len(images)) < noise)[:, None]
    upright = rng.uniform(size=len(images)) < 0.5
    wiped = np.where(upright[:, None, None], band[:, None, :], band[:, :, None])
    out[wiped] = 0.0
    return np.clip(out, 0.0, 1.0).astype(np.float32)


def _draw_part(
    kind: str,
    n: int,
    noise: float,
    pool: NDArray[np.intp],
    source: Bunch,
    rng: np.random.RandomState,
) -> tuple[list[list[str]], list[NDArray[np.float32]], list[NDArray[np.intp]]]:
    """Draw n label sequences and an image from `pool` for each of their digits."""
    y = _DRAW[kind](n, rng)
    wanted = np.array([int(digit) for row in digits_of(y) for digit in row])
    ids = np.empty(wanted.size, dtype=np.intp)
    for digit in range(10):
        here = wanted == digit
        ids[here] = rng.choice(pool[source.target[pool] == digit], size=here.sum())
    images = _damage(source.images[ids] / 16.0, noise, rng)
    ends = np.cumsum([len(row) for row in y])[:-1]
    return y, np.split(images, ends), np.split(ids, ends)


def load_digit_sequences(
    kind: Literal["dates", "keypad"] = "dates",
    *,
    n_sequences: int = 1500,
    noise: float = 0.15,
    split: float = 0.6,
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    """Arrange scikit-learn's handwritten digits as noisy sequences that obey a rule.

    Parameters
    ----------
    kind : {"dates", "keypad"}
        ``"dates"``: eight digits DDMMYYYY, labels ``"<field>:<digit>"``, 50 of them.
        ``"keypad"``: four to ten digits, each next to the one before on the keypad of
        a telephone; the ten digits are the labels.
    n_sequences : int
        Number of sequences, training and test together.
    noise : float in [0, 1]
        Standard deviation of the Gaussian noise on each pixel, and probability that a
        stripe of an image is wiped out. 0 leaves the images as they are.
    split : float in (0, 1)
        Share of the sequences, and of the images, that is for training.
    random_state : int, RandomState instance or None
        Seed of labels, choice of images and noise. The default gives the same data
        every time.

    Returns
    -------
    Bunch
        With T tokens in a sequence:

        - ``X_train``, ``X_test``: lists of (T, 64) float32 arrays in [0, 1];
        - ``y_train``, ``y_test``: lists of T labels (str);
        - ``images_train``, ``images_test``: the same pixels as (T, 8, 8) arrays;
        - ``X``, ``y``, ``images``: training sequences followed by test sequences;
        - ``image_ids``: list of (T,) arrays, rows of ``load_digits()`` that were used;
        - ``target_names``: list of all labels;
        - ``DESCR``: description.

    Raises
    ------
    ValueError
        If an argument is out of range, or `split` leaves a part without some digit.

    Notes
    -----
    Nothing is downloaded. Which rows of ``load_digits`` serve which part depends on
    `split` only, not on `random_state`.

    References
    ----------
    Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI Machine
    Learning Repository, 1998.

    Examples
    --------
    >>> from pystruct_ext.datasets import digits_of, load_digit_sequences
    >>> data = load_digit_sequences("dates", n_sequences=10)
    >>> len(data.X_train), len(data.X_test), data.X_train[0].shape
    (6, 4, (8, 64))
    >>> data.y_train[0][:4]
    ['D1:2', 'D2:5', 'M1:0', 'M2:6']
    >>> "".join(digits_of(data.y_train[0]))
    '25061927'
    """
    if kind not in _DRAW:
        raise ValueError(f"kind must be 'dates' or 'keypad', got {kind!r}")
    if not 0.0 <= noise <= 1.0:
        raise ValueError(f"noise must lie between 0 and 1, got {noise!r}")
    if not 0.0 < split < 1.0:
        raise ValueError(f"split must lie strictly between 0 and 1, got {split!r}")
    n_train = round(split * n_sequences)
    if not 0 < n_train < n_sequences:
        raise ValueError(
            f"n_sequences={n_sequences} with split={split} leaves one part without a "
            "sequence"
        )
    source = load_digits()
    cut = round(split * len(source.target))
    pools = np.arange(cut), np.arange(cut, len(source.target))
    if any(np.unique(source.target[pool]).size < 10 for pool in pools):
        raise ValueError(f"split={split} leaves one part without images of some digit")

    rng = check_random_state(random_state)
    train, test = (
        _draw_part(kind, n, noise, pool, source, rng)
        for n, pool in zip((n_train, n_sequences - n_train), pools, strict=True)
    )
    images_train, images_test = train[1], test[1]
    X_train = [im.reshape(-1, 64) for im in images_train]
    X_test = [im.reshape(-1, 64) for im in images_test]
    names = _target_names(kind)
    return Bunch(
        X=X_train + X_test,
        y=train[0] + test[0],
        images=images_train + images_test,
        image_ids=[*train[2], *test[2]],
        X_train=X_train,
        X_test=X_test,
        y_train=train[0],
        y_test=test[0],
        images_train=images_train,
        images_test=images_test,
        target_names=names,
        DESCR=_DESCR.format(
            rule=_RULES[kind],
            n_train=n_train,
            n_test=n_sequences - n_train,
            length="8" if kind == "dates" else "{} to {}".format(*_KEYPAD_LENGTHS),
            n_labels=len(names),
            share=split,
            noise=noise,
        ),
    )
