"""Scores of parses whose words are not those of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pystruct_ext.outputs.sentences import DependencyTree
from pystruct_ext.utils.messages import shorten


@dataclass(frozen=True)
class AlignedReport:
    """F1 over words that two tokenisations of a text share.

    Attributes
    ----------
    words : float
        F1 of the words themselves: those at the same place of the text.
    uas, las : float
        F1 of words with the right head, and with the right head and label; las is NaN
        without labels. A word of one side only is a mistake.
    n_gold, n_predicted, n_shared : int
        Words of the truth, of the prediction, and of both.
    """

    words: float
    uas: float
    las: float
    n_gold: int
    n_predicted: int
    n_shared: int

    def __str__(self) -> str:
        return (
            f"F1 of words {100 * self.words:.2f} %  UAS {100 * self.uas:.2f} %  LAS "
            f"{100 * self.las:.2f} %  ({self.n_gold} words, {self.n_predicted} predicted, "
            f"{self.n_shared} shared)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def aligned_attachment_report(
    words_true: Sequence[Sequence[str]],
    y_true: Sequence[DependencyTree],
    words_pred: Sequence[Sequence[str]],
    y_pred: Sequence[DependencyTree],
    strip_subtypes: bool = False,
) -> AlignedReport:
    """Attachment of words that a tokeniser made, against those of a treebank.

    Words of both sides are the same if they begin and end at the same characters of the
    sentence, white space left out. A word is right if its head is the same word, too, or the
    root on both sides.

    Parameters
    ----------
    words_true, words_pred : lists of n lists of str
        Words of each sentence; those of one sentence joined are the same text.
    y_true, y_pred : lists of n DependencyTree
    strip_subtypes : bool, default=False
        Compare "nsubj:pass" as "nsubj", the convention of CoNLL 2018.

    Returns
    -------
    AlignedReport

    Raises
    ------
    ValueError
        If the texts differ, or a tree has not as many words as its sentence.

    References
    ----------
    Zeman et al. 2018, "CoNLL 2018 shared task: multilingual parsing from raw text to
    universal dependencies"; sentences are taken as given here.

    Examples
    --------
    >>> gold, seen = ["do", "n't", "go"], ["don't", "go"]
    >>> trees = [DependencyTree((3, 3, 0))], [DependencyTree((2, 0))]
    >>> report = aligned_attachment_report([gold], trees[0], [seen], trees[1])
    >>> report.n_shared, report.words, report.uas  # "go" is shared, and the root
    (1, 0.4, 0.4)
    """
    lists = (words_true, y_true, words_pred, y_pred)
    if len(set(map(len, lists))) > 1:
        raise ValueError(
            "words_true, y_true, words_pred and y_pred must be of one length, got "
            + ", ".join(str(len(v)) for v in lists)
        )
    n_gold = n_pred = n_shared = heads = labelled = 0
    with_labels = True
    for i, (forms, gold, others, tree) in enumerate(zip(*lists, strict=True)):
        text, own = "".join("".join(forms).split()), "".join("".join(others).split())
        if text != own:
            raise ValueError(
                f"words_pred: example {i} is the text {shorten(repr(own))}, expected "
                f"{shorten(repr(text))}"
            )
        for name, words, y in (("true", forms, gold), ("pred", others, tree)):
            if len(words) != len(y.heads):
                raise ValueError(
                    f"y_{name}: example {i} has {len(y.heads)} heads, but the sentence has "
                    f"{len(words)} words"
                )
        at, places = _places(forms), _places(others)
        number = {place: t for t, place in enumerate(at, start=1)}
        # Number of the same word in the truth, 0 of the root, -1 of a word that is not there.
        same = [0, *(number.get(place, -1) for place in places)]
        n_gold, n_pred = n_gold + len(forms), n_pred + len(others)
        with_labels = with_labels and bool(gold.labels or not forms)
        with_labels = with_labels and bool(tree.labels or not others)
        for t in range(1, len(others) + 1):
            g = same[t]
            if g < 0:
                continue
            n_shared += 1
            if same[tree.heads[t - 1]] != gold.heads[g - 1]:
                continue
            heads += 1
            if gold.labels and tree.labels:
                a, b = gold.labels[g - 1], tree.labels[t - 1]
                if strip_subtypes:
                    a, b = a.partition(":")[0], b.partition(":")[0]
                labelled += a == b

    def f1(right: int) -> float:
        return 2 * right / (n_gold + n_pred) if n_gold + n_pred else float("nan")

    return AlignedReport(
        f1(n_shared),
        f1(heads),
        f1(labelled) if with_labels else float("nan"),
        n_gold,
        n_pred,
        n_shared,
    )


def _places(words: Sequence[str]) -> list[tuple[int, int]]:
    """Begin and end of each word in the text without white space."""
    at, found = 0, []
    for word in words:
        end = at + len("".join(word.split()))
        found.append((at, end))
        at = end
    return found


__all__ = ["AlignedReport", "aligned_attachment_report"]
