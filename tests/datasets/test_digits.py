"""The digit sequences: shapes, determinism, disjoint images, and the rules."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

from pystruct_ext.datasets import digits_of, load_digit_sequences
from pystruct_ext.metrics import token_accuracy

KINDS = ["dates", "keypad"]


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_types(kind):
    data = load_digit_sequences(kind, n_sequences=50, split=0.7)
    assert len(data.X_train) == len(data.y_train) == len(data.images_train) == 35
    assert len(data.X_test) == len(data.y_test) == len(data.images_test) == 15
    assert data.y == data.y_train + data.y_test
    for k, (x, y, images, ids) in enumerate(
        zip(data.X, data.y, data.images, data.image_ids, strict=True)
    ):
        assert x is (data.X_train + data.X_test)[k]
        assert x.dtype == np.float32
        assert x.shape == (len(y), 64)
        assert images.shape == (len(y), 8, 8)
        assert ids.shape == (len(y),)
        np.testing.assert_array_equal(images.reshape(-1, 64), x)
        assert x.min() >= 0
        assert x.max() <= 1
        assert all(type(label) is str for label in y)
        assert set(y) <= set(data.target_names)
    assert len(set(data.target_names)) == len(data.target_names)
    assert "35 for training, 15 for testing" in data.DESCR


@pytest.mark.parametrize("kind", KINDS)
def test_every_label_occurs(kind):
    data = load_digit_sequences(kind, n_sequences=1000)
    assert {label for y in data.y_train for label in y} == set(data.target_names)
    assert len(data.target_names) == {"dates": 50, "keypad": 10}[kind]


def test_dates_are_dates():
    data = load_digit_sequences("dates", n_sequences=1000)
    fields = ["D1", "D2", "M1", "M2", "Y1", "Y2", "Y3", "Y4"]
    years = set()
    for y in data.y:
        assert [label.split(":")[0] for label in y] == fields
        text = "".join(digits_of(y))
        day = date(int(text[4:]), int(text[2:4]), int(text[:2]))
        years.add(day.year)
    assert years == set(range(1920, 2030))


def test_keypad_codes_move_to_a_neighbouring_key():
    place = {str(k + 1): divmod(k, 3) for k in range(9)} | {"0": (3, 1)}
    data = load_digit_sequences("keypad", n_sequences=1000)
    seen = set()
    for y in data.y:
        for a, b in pairwise(y):
            (row_a, col_a), (row_b, col_b) = place[a], place[b]
            assert abs(row_a - row_b) + abs(col_a - col_b) == 1
            seen.add((a, b))
    # Twelve edges of the 3 x 3 grid and the one to 0, in both directions.
    assert len(seen) == 26
    assert {len(y) for y in data.y} == set(range(4, 11))


@pytest.mark.parametrize("kind", KINDS)
def test_images_show_the_digits_and_parts_are_disjoint(kind):
    data = load_digit_sequences(kind, n_sequences=200, noise=0.0)
    source = load_digits()
    for y, images, ids in zip(data.y, data.images, data.image_ids, strict=True):
        assert digits_of(y) == [str(d) for d in source.target[ids]]
        np.testing.assert_array_equal(images * 16, source.images[ids])
    n_train = len(data.X_train)
    train = set(np.concatenate(data.image_ids[:n_train]).tolist())
    test = set(np.concatenate(data.image_ids[n_train:]).tolist())
    # The border is fixed, so that data sets of different seeds can be mixed.
    assert max(train) < round(0.6 * 1797) <= min(test)


@pytest.mark.parametrize("kind", KINDS)
def test_deterministic(kind):
    a, b = (load_digit_sequences(kind, n_sequences=30) for _ in range(2))
    c = load_digit_sequences(kind, n_sequences=30, random_state=1)
    d = load_digit_sequences(
        kind, n_sequences=30, random_state=np.random.RandomState(0)
    )
    assert a.y == b.y == d.y != c.y
    for other in (b, d):
        assert all(map(np.array_equal, a.X, other.X))


def test_noise_grows_and_wipes_stripes():
    clean, light, heavy = (
        np.vstack(load_digit_sequences(n_sequences=100, noise=noise).X)
        for noise in (0.0, 0.1, 0.4)
    )
    # The draws do not depend on the strength, so the three show the same images.
    assert 0 < abs(light - clean).mean() < abs(heavy - clean).mean()
    wiped = [(im == 0).all(axis=1).sum() >= 3 for im in heavy.reshape(-1, 8, 8)]
    share = np.mean(wiped)  # half of the 40 % are horizontal
    assert 0.1 < share < 0.3


def test_a_classifier_of_single_images_is_right_but_not_always():
    data = load_digit_sequences("keypad", n_sequences=400)
    model = LinearSVC(C=0.05, max_iter=5000, random_state=0)
    model.fit(np.vstack(data.X_train), np.concatenate(data.y_train))
    guess = [model.predict(x) for x in data.X_test]
    assert 0.75 < token_accuracy(data.y_test, guess) < 0.92


def test_digits_of():
    assert digits_of("Y3:9") == "9"
    assert digits_of(["D1:0", "7"]) == ["0", "7"]
    assert digits_of([["D1:0"], np.array(["M2:7"])]) == [["0"], ["7"]]
    for bad in ("D1", "D1:", "12", ""):
        with pytest.raises(ValueError, match="expected a label such as"):
            digits_of([bad])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "check_digits"}, "kind must be 'dates' or 'keypad', got 'check"),
        ({"noise": -0.1}, "noise must lie between 0 and 1, got -0.1"),
        ({"noise": float("nan")}, "noise must lie"),
        ({"split": 1.0}, "split must lie strictly between 0 and 1, got 1.0"),
        ({"n_sequences": 1}, "n_sequences=1 with split=0.6 leaves one part"),
        ({"n_sequences": 5000, "split": 0.001}, "without images of some digit"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_digit_sequences(**arguments)
