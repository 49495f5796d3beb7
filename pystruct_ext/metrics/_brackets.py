"""Labelled brackets of constituency trees, by the conventions of evalb."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pystruct_ext.outputs.phrase_trees import Tree, as_phrase_tree

_DELETE_LABELS = ("TOP", "ROOT", "S1", "-NONE-")
_DELETE_TAGS = (",", ":", "``", "''", ".")
_EQUAL = {"PRT": "ADVP"}


@dataclass(frozen=True)
class BracketReport:
    """Labelled brackets, micro-averaged over trees.

    Attributes
    ----------
    precision, recall, f1 : float
    exact_match : float
        Fraction of trees whose brackets are all right.
    average_crossing : float
        Mean number of predicted brackets per tree that cross a true one.
    no_crossing, two_or_less_crossing : float
        Fractions of trees.
    tagging_accuracy : float
    n_trees, n_gold, n_predicted, n_correct : int
    """

    precision: float
    recall: float
    f1: float
    exact_match: float
    average_crossing: float
    no_crossing: float
    two_or_less_crossing: float
    tagging_accuracy: float
    n_trees: int
    n_gold: int
    n_predicted: int
    n_correct: int

    def __str__(self) -> str:
        return (
            f"brackets: precision {100 * self.precision:.2f} %  recall "
            f"{100 * self.recall:.2f} %  F1 {100 * self.f1:.2f} %\n"
            f"exact match {100 * self.exact_match:.2f} %  crossing "
            f"{self.average_crossing:.2f} per tree, none in {100 * self.no_crossing:.2f} % "
            f"({self.n_trees} trees)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def bracket_report(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    delete_labels: Collection[str] = _DELETE_LABELS,
    delete_tags: Collection[str] = _DELETE_TAGS,
    equal_labels: Mapping[str, str] | None = None,
) -> BracketReport:
    """Labelled precision, recall and F1 of brackets.

    The conventions are those of evalb with its COLLINS.prm: words with deleted tags are no
    positions, brackets that become empty vanish, and so do deleted labels; brackets are
    compared as multisets; ADVP and PRT are equal.

    Parameters
    ----------
    y_true, y_pred : lists of n Tree, or nltk.Tree, over the same words
    delete_labels, delete_tags : collections of str
    equal_labels : mapping, optional
        Labels read as another one; ``{"PRT": "ADVP"}`` by default.

    Returns
    -------
    BracketReport

    Raises
    ------
    ValueError
        For different numbers of trees or words.

    References
    ----------
    Sekine and Collins 1997, evalb; Black et al. 1991.

    Examples
    --------
    >>> gold = Tree.parse("(S (NP (D the) (N dog)) (VP (V barks)))")
    >>> flat = Tree.parse("(S (D the) (N dog) (VP (V barks)))")
    >>> report = bracket_report([gold], [flat])
    >>> report.precision, report.recall
    (1.0, 0.6666666666666666)
    """
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} trees and y_pred {len(y_pred)}, expected the same "
            "number"
        )
    equal = _EQUAL if equal_labels is None else equal_labels
    gold_n = pred_n = correct = exact = crossing = none = two = tags = words = 0
    for i, (p, q) in enumerate(zip(y_true, y_pred, strict=True)):
        a = as_phrase_tree(p, f"y_true: example {i}")
        b = as_phrase_tree(q, f"y_pred: example {i}")
        if len(a.words()) != len(b.words()):
            raise ValueError(
                f"y_pred: example {i} has {len(b.words())} words, expected "
                f"{len(a.words())}"
            )
        deleted = [t in delete_tags for t in a.tags()]
        gold = _spans(a, deleted, delete_labels, equal)
        predicted = _spans(b, deleted, delete_labels, equal)
        both = sum((gold & predicted).values())
        gold_n += sum(gold.values())
        pred_n += sum(predicted.values())
        correct += both
        exact += gold == predicted
        cross = sum(
            count
            for (s, e, _), count in predicted.items()
            if any(p < s < q < e or s < p < e < q for p, q, _ in gold)
        )
        crossing += cross
        none += cross == 0
        two += cross <= 2
        for p, q, gone in zip(a.tags(), b.tags(), deleted, strict=True):
            if not gone:
                words += 1
                tags += p == q
    n = len(y_true)
    nan = float("nan")
    return BracketReport(
        correct / pred_n if pred_n else nan,
        correct / gold_n if gold_n else nan,
        2 * correct / (gold_n + pred_n) if gold_n + pred_n else nan,
        exact / n if n else nan,
        crossing / n if n else nan,
        none / n if n else nan,
        two / n if n else nan,
        tags / words if words else nan,
        n,
        gold_n,
        pred_n,
        correct,
    )


def _spans(
    tree: Tree,
    deleted: Sequence[bool],
    delete_labels: Collection[str],
    equal: Mapping[str, str],
) -> Counter[tuple[int, int, str]]:
    position = [0]
    for gone in deleted:
        position.append(position[-1] + (not gone))
    found: Counter[tuple[int, int, str]] = Counter()
    for start, end, label in tree.spans():
        a, b = position[start], position[end]
        if a < b and label not in delete_labels:
            found[a, b, equal.get(label, label)] += 1
    return found


__all__ = ["BracketReport", "bracket_report"]
