"""Which labels may follow which: hard constraints of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted


@storable(old_tag="allowed")
@dataclass(frozen=True)
class Allowed:
    """Allowed moves of a chain over K labels.

    Attributes
    ----------
    transition : (K, K) bool
        ``transition[p, q]``: q may follow p.
    start, end : (K,) bool
        Labels that may stand first and last.
    """

    transition: NDArray[np.bool_]
    start: NDArray[np.bool_]
    end: NDArray[np.bool_]

    def check_size(self, k: int) -> None:
        """Raise ValueError unless these are moves over k labels."""
        fitted = Fitted(self)
        fitted.array("transition", (k, k), "bool")
        fitted.array("start", (k,), "bool")
        fitted.array("end", (k,), "bool")

    @property
    def unrestricted(self) -> bool:
        """Whether everything is allowed."""
        return bool(self.transition.all() and self.start.all() and self.end.all())


def _split(label: Any, scheme: str, letters: str) -> tuple[str, str]:
    """Prefix and type of a tag such as "B-NP"."""
    text = str(label)
    if text == "O":
        return "O", ""
    prefix, dash, kind = text.partition("-")
    if prefix not in letters or (dash and not kind) or (not dash and len(text) > 1):
        raise ValueError(
            f"constraints={scheme!r}: the label {label!r} is neither 'O' nor one of "
            f"{', '.join(c + '-TYPE' for c in letters)}"
        )
    return prefix, kind


def allowed_transitions(constraints: Any, classes: Sequence[Any]) -> Allowed:
    """Allowed moves from a scheme name, a matrix or a mapping.

    Parameters
    ----------
    constraints : None, "BIO", "BILOU", (K, K) array-like or mapping
        None allows everything. "BIO" (also "IOB2"): I-X only after B-X or I-X. "BILOU"
        (also "IOBES", with E and S for L and U): chunks are U, or B I* L. A boolean
        matrix says whether the column's label may follow the row's, in the order of
        `classes`. A mapping gives, for each label it lists, the labels that may follow;
        labels it does not list may be followed by any. The keys ``"<start>"`` and
        ``"<end>"`` may list the labels allowed first, and last.
    classes : sequence of K labels

    Returns
    -------
    Allowed

    Raises
    ------
    ValueError
        For an unknown scheme, a label outside the scheme, a wrong shape, or constraints
        that leave no label to start or end with.

    Examples
    --------
    >>> allowed_transitions("BIO", ["B-NP", "I-NP", "O"]).transition.astype(int)
    array([[1, 1, 1],
           [1, 1, 1],
           [1, 0, 1]])
    """
    k = len(classes)
    transition = np.ones((k, k), dtype=bool)
    start, end = np.ones(k, dtype=bool), np.ones(k, dtype=bool)
    if constraints is None:
        return Allowed(transition, start, end)
    if isinstance(constraints, str):
        _apply_scheme(constraints, classes, transition, start, end)
    elif isinstance(constraints, Mapping):
        _apply_mapping(constraints, classes, transition, start, end)
    else:
        matrix = np.asarray(constraints)
        if matrix.shape != (k, k):
            raise ValueError(
                f"constraints: the matrix has shape {matrix.shape}, expected ({k}, {k}) for "
                f"the labels {list(classes)}"
            )
        transition = matrix.astype(bool)
    if not start.any() or not end.any():
        raise ValueError(
            "constraints leave no label to start or to end a sequence with"
        )
    return Allowed(transition, start, end)


def _apply_scheme(
    scheme: str,
    classes: Sequence[Any],
    transition: NDArray[np.bool_],
    start: NDArray[np.bool_],
    end: NDArray[np.bool_],
) -> None:
    name = scheme.upper()
    if name in ("BIO", "BIO2", "IOB2"):
        tags = [_split(c, scheme, "BI") for c in classes]
        for q, (prefix, kind) in enumerate(tags):
            if prefix == "I":
                start[q] = False
                for p, (before, other) in enumerate(tags):
                    transition[p, q] = before in "BI" and other == kind
        return
    if name not in ("BILOU", "IOBES", "BIOES"):
        raise ValueError(
            f"constraints must be None, 'BIO', 'BILOU', a matrix or a mapping, got {scheme!r}"
        )
    last, single = ("L", "U") if name == "BILOU" else ("E", "S")
    tags = [_split(c, scheme, "BI" + last + single) for c in classes]
    for p, (before, kind) in enumerate(tags):
        is_open = before in ("B", "I")
        end[p] = not is_open
        start[p] = before not in ("I", last)
        for q, (prefix, other) in enumerate(tags):
            inside = prefix in ("I", last)
            transition[p, q] = inside == is_open and (not inside or other == kind)


def _apply_mapping(
    mapping: Mapping[Any, Any],
    classes: Sequence[Any],
    transition: NDArray[np.bool_],
    start: NDArray[np.bool_],
    end: NDArray[np.bool_],
) -> None:
    index = {label: k for k, label in enumerate(classes)}
    for label, followers in mapping.items():
        # Labels that the data do not have are no error: a scheme may be larger than a fold.
        row = np.zeros(len(classes), dtype=bool)
        for follower in followers:
            if follower in index:
                row[index[follower]] = True
        if label == "<start>":
            start[:] = row
        elif label == "<end>":
            end[:] = row
        elif label in index:
            transition[index[label]] = row
