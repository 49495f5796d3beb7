"""Chunk precision, recall and F1 by the definition of the CoNLL scorer.

Design
------
The published scorer walks over the tokens with one flag, "the gold and the guessed
chunk began together and have agreed since". Whether a chunk starts or ends between two
tokens depends on their two tags and on whether their types differ, so both events are
table look-ups for all tokens at once, and the flag at token t is "the last common start
is not older than the last event that clears the flag": a running maximum. That
reproduces the scorer token by token, also on tag sequences that no scheme allows (which
counting spans would not), at NumPy speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.metrics._flatten import flatten_pair, locate

Scheme = Literal["conlleval", "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"]

# Position in this string is the code of a tag.
_TAGS = "OBIES"

_SCHEMES: dict[str, str] = {
    "conlleval": _TAGS,
    "IOB1": "IOB",
    "IOB2": "IOB",
    "IOE1": "IOE",
    "IOE2": "IOE",
    "IOBES": "IOBES",
    "BILOU": "BILOU",
}

# BILOU is IOBES under other letters: L(ast) is E(nd), U(nit) is S(ingle).
_BILOU = {"L": "E", "U": "S"}


def _table(pairs: str) -> NDArray[np.bool_]:
    """Boolean table over (previous tag, tag) with the listed pairs set."""
    table = np.zeros((len(_TAGS), len(_TAGS)), dtype=bool)
    for pair in pairs.split():
        table[_TAGS.index(pair[0]), _TAGS.index(pair[1])] = True
    return table


# A chunk ends, or starts, between these two tags whatever their types. S is unknown to
# the CoNLL scorer, and so is B directly after E; both get their meaning in IOBES.
_ENDS = _table("BB BO IB IO EE EI EO" + " EB BS IS ES SO SB SI SE SS")
_STARTS = _table("BB IB OB OI EE EI OE" + " EB BS IS ES OS SB SI SE SS")
_OUTSIDE = np.array([tag == "O" for tag in _TAGS])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


@dataclass(frozen=True)
class ChunkScore:
    """Counts of one chunk type, or of all, and the scores that follow from them.

    Attributes
    ----------
    n_true, n_pred, n_correct : int
        Gold chunks (the support), predicted chunks, and predicted chunks with exactly
        the boundaries and the type of a gold one.
    precision, recall, f1 : float
        Between 0 and 1; 0 where the denominator is 0.

    Examples
    --------
    >>> from pystruct_ext.metrics import ChunkScore
    >>> ChunkScore(n_true=4, n_pred=2, n_correct=2).f1
    0.6666666666666666
    """

    n_true: int
    n_pred: int
    n_correct: int

    @property
    def precision(self) -> float:
        """``n_correct / n_pred``."""
        return _ratio(self.n_correct, self.n_pred)

    @property
    def recall(self) -> float:
        """``n_correct / n_true``."""
        return _ratio(self.n_correct, self.n_true)

    @property
    def f1(self) -> float:
        """Harmonic mean of both: ``2 n_correct / (n_true + n_pred)``."""
        return _ratio(2 * self.n_correct, self.n_true + self.n_pred)

    @property
    def support(self) -> int:
        """Number of gold chunks."""
        return self.n_true

    def to_dict(self) -> dict[str, float]:
        """Return scores and counts as a flat dict."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.n_true,
            "n_pred": self.n_pred,
            "n_correct": self.n_correct,
        }


@dataclass(frozen=True)
class ChunkReport:
    """Result of :func:`chunk_report`; ``str`` of it is the table conlleval prints.

    Attributes
    ----------
    overall : ChunkScore
        All chunks together (micro average).
    per_type : dict of str to ChunkScore
        One entry per chunk type in gold or prediction, sorted; the type of a tag
        without one is the empty string.
    n_tokens, n_correct_tokens : int
        Tokens, and tokens whose whole label is right.
    n_sentences : int
        Examples scored.

    Examples
    --------
    >>> from pystruct_ext.metrics import chunk_report
    >>> report = chunk_report([["B-NP", "I-NP", "O"]], [["B-NP", "O", "O"]])
    >>> report.f1, report.token_accuracy
    (0.0, 0.6666666666666666)
    """

    overall: ChunkScore
    per_type: dict[str, ChunkScore]
    n_tokens: int
    n_correct_tokens: int
    n_sentences: int

    @property
    def precision(self) -> float:
        """Overall precision."""
        return self.overall.precision

    @property
    def recall(self) -> float:
        """Overall recall."""
        return self.overall.recall

    @property
    def f1(self) -> float:
        """Overall F1."""
        return self.overall.f1

    @property
    def token_accuracy(self) -> float:
        """Share of tokens with the right label; 0 when there is no token."""
        return _ratio(self.n_correct_tokens, self.n_tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as nested dicts of plain numbers (for JSON)."""
        return {
            **self.overall.to_dict(),
            "token_accuracy": self.token_accuracy,
            "n_tokens": self.n_tokens,
            "n_correct_tokens": self.n_correct_tokens,
            "n_sentences": self.n_sentences,
            "per_type": {name: s.to_dict() for name, s in self.per_type.items()},
        }

    def __str__(self) -> str:
        def percent(score: ChunkScore) -> str:
            return (
                f"precision: {100 * score.precision:6.2f}%; "
                f"recall: {100 * score.recall:6.2f}%; FB1: {100 * score.f1:6.2f}"
            )

        total = self.overall
        lines = [
            f"processed {self.n_tokens} tokens with {total.n_true} phrases; "
            f"found: {total.n_pred} phrases; correct: {total.n_correct}.",
            f"accuracy: {100 * self.token_accuracy:6.2f}%; {percent(total)}",
        ]
        # As in conlleval, the last column counts predicted chunks, not gold ones.
        lines += [
            f"{name:>17s}: {percent(score)}  {score.n_pred}"
            for name, score in self.per_type.items()
        ]
        return "\n".join(lines)


class _LabelCodes:
    """Splits every distinct label once into the codes of its tag and of its type."""

    def __init__(self, scheme: str) -> None:
        if scheme not in _SCHEMES:
            raise ValueError(
                f"scheme must be one of {', '.join(_SCHEMES)}, got {scheme!r}"
            )
        self.scheme = scheme
        self.types: dict[str, int] = {"": 0}
        self._codes: dict[str, tuple[int, int]] = {}

    def encode(
        self, flat: list[Any], lengths: list[int], name: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return tag and type codes, with an outside token around every example."""
        try:
            for label in set(flat).difference(self._codes):
                self._codes[label] = self._split(label)
        except (TypeError, ValueError):
            self._raise_for_first_bad(flat, lengths, name)
        codes = self._codes
        both = np.array([codes[label] for label in flat], dtype=np.int64)
        out = np.zeros((len(flat) + len(lengths) + 1, 2), dtype=np.int64)
        where = np.arange(len(flat)) + 1 + np.repeat(np.arange(len(lengths)), lengths)
        out[where] = both.reshape(-1, 2)
        return out[:, 0], out[:, 1]

    def _split(self, label: Any) -> tuple[int, int]:
        if not isinstance(label, str):
            raise TypeError(f"is {type(label).__name__}, expected str")
        tag, _, kind = label.partition("-")
        allowed = _SCHEMES[self.scheme]
        if len(tag) != 1 or tag not in allowed:
            raise ValueError(
                f"is not a chunk label: expected 'O', or one of "
                f"{', '.join(t for t in allowed if t != 'O')} followed by '-' and a "
                f"type (scheme {self.scheme!r})"
            )
        if self.scheme == "BILOU":
            tag = _BILOU.get(tag, tag)
        return _TAGS.index(tag), self.types.setdefault(kind, len(self.types))

    def _raise_for_first_bad(
        self, flat: list[Any], lengths: list[int], name: str
    ) -> None:
        for position, label in enumerate(flat):
            try:
                self._split(label)
            except (TypeError, ValueError) as error:
                i, t = locate(position, lengths)
                raise type(error)(f"{name}[{i}][{t}] = {label!r} {error}") from None


def _boundaries(
    tag: NDArray[np.int64], kind: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a chunk ends / starts between tokens t and t + 1, of shape (N-1,)."""
    before, after = tag[:-1], tag[1:]
    new_type = kind[:-1] != kind[1:]
    ends = _ENDS[before, after] | (new_type & ~_OUTSIDE[before])
    starts = _STARTS[before, after] | (new_type & ~_OUTSIDE[after])
    return ends, starts


def _latest(event: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index of the last event strictly before each position, -1 if there is none."""
    index = np.where(event, np.arange(event.size), -1)
    latest = np.full(event.size, -1, dtype=np.int64)
    latest[1:] = np.maximum.accumulate(index)[:-1]
    return latest


def chunk_report(
    y_true: Any, y_pred: Any, *, scheme: Scheme = "conlleval"
) -> ChunkReport:
    """Score chunks (phrases, entities) exactly as the CoNLL-2000 scorer does.

    A predicted chunk is right when its first token, its last token and its type are
    those of a gold chunk. Chunks never cross the end of an example.

    Parameters
    ----------
    y_true, y_pred : list of sequences of str
        One label per token: ``"O"``, or a tag and a type joined by the first hyphen
        (``"B-NP"``, ``"I-per-son"``). The type may be missing (``"B"``, ``"I"``).
    scheme : {"conlleval", "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"}
        Which tags are legal; any other raises. The rules that find chunks are the same
        for all: ``"conlleval"`` accepts every tag except those peculiar to BILOU.

    Returns
    -------
    ChunkReport
        Overall and per-type precision, recall, F1 and counts, and token accuracy.

    Raises
    ------
    TypeError
        If an example is not a sequence, or a label is not a str.
    ValueError
        If lengths disagree, a label is not legal under `scheme` (the message names
        example and token), or `scheme` is unknown.

    Notes
    -----
    A chunk starts at B and S, at I or E after O, E or S, and wherever the type changes.
    It ends before O, B and S, between E and a following I or E, after S, and wherever
    the type changes. Tag sequences that a scheme forbids (I after O in IOB2) are read
    leniently, as the CoNLL scorer reads them.
    The tag S, and B directly after E, mean nothing to that scorer; here they have their
    IOBES meaning. Everything else agrees with it count by count. Its bracket tags
    (``[``, ``]``, ``.``) are not accepted.

    References
    ----------
    Tjong Kim Sang and Buchholz, "Introduction to the CoNLL-2000 shared task: chunking",
    2000. Tjong Kim Sang and Veenstra, "Representing text chunks", EACL 1999.

    Examples
    --------
    >>> from pystruct_ext.metrics import chunk_report
    >>> gold = [["B-NP", "I-NP", "B-VP", "O"], ["B-NP"]]
    >>> guess = [["B-NP", "I-NP", "O", "O"], ["B-NP"]]
    >>> print(chunk_report(gold, guess))
    processed 5 tokens with 3 phrases; found: 2 phrases; correct: 2.
    accuracy:  80.00%; precision: 100.00%; recall:  66.67%; FB1:  80.00
                   NP: precision: 100.00%; recall: 100.00%; FB1: 100.00  2
                   VP: precision:   0.00%; recall:   0.00%; FB1:   0.00  0
    """
    true, pred, lengths = flatten_pair(y_true, y_pred)
    labels = _LabelCodes(scheme)
    true_tag, true_type = labels.encode(true, lengths, "y_true")
    pred_tag, pred_type = labels.encode(pred, lengths, "y_pred")
    true_end, true_start = _boundaries(true_tag, true_type)
    pred_end, pred_start = _boundaries(pred_tag, pred_type)

    same_type = true_type == pred_type
    complete = true_end & pred_end & same_type[:-1]
    disagree = (true_end != pred_end) | ~same_type[1:]
    together = true_start & pred_start & same_type[1:]
    # At one position the clearing event comes first, hence >=.
    begun = _latest(together)
    running = (begun >= 0) & (begun >= _latest(complete | disagree))
    correct = running & complete

    n_types = len(labels.types)

    def per_type(
        kind: NDArray[np.int64], event: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        return np.bincount(kind[event], minlength=n_types)

    counts = np.stack(
        [
            per_type(true_type[1:], true_start),
            per_type(pred_type[1:], pred_start),
            per_type(true_type[:-1], correct),
        ]
    )
    hits = (true_tag == pred_tag) & same_type
    return ChunkReport(
        overall=ChunkScore(*map(int, counts.sum(axis=1))),
        per_type={
            name: ChunkScore(*map(int, counts[:, k]))
            for name, k in sorted(labels.types.items())
            if counts[:, k].any()
        },
        n_tokens=len(true),
        n_correct_tokens=int(hits.sum()) - len(lengths) - 1,
        n_sentences=len(lengths),
    )


def chunk_f1(y_true: Any, y_pred: Any, *, scheme: Scheme = "conlleval") -> float:
    """F1 of whole chunks, micro-averaged over types: conlleval's FB1 over 100.

    Parameters
    ----------
    y_true, y_pred : list of sequences of str
        One label per token, as for :func:`chunk_report`.
    scheme : {"conlleval", "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"}
        Which tags are legal, as for :func:`chunk_report`.

    Returns
    -------
    float
        ``2 n_correct / (n_true + n_pred)``, between 0 and 1; 0 when there is no chunk.

    Raises
    ------
    TypeError, ValueError
        As for :func:`chunk_report`.

    Examples
    --------
    >>> from pystruct_ext.metrics import chunk_f1
    >>> chunk_f1([["B-NP", "I-NP", "O", "B-NP"]], [["B-NP", "I-NP", "O", "O"]])
    0.6666666666666666
    """
    return chunk_report(y_true, y_pred, scheme=scheme).f1
