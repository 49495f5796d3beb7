"""Segmentations, and their relation to BIO tags and to labels per token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pystruct_ext.utils.messages import shorten

Segment = tuple[int, int, Any]


def segments_from_bio(tags: Sequence[str]) -> list[Segment]:
    """Segments (start, end, label) of BIO tags; every "O" is a segment of its own.

    A tag "I-x" that continues nothing begins a segment, as conlleval reads it.

    Raises
    ------
    ValueError
        For a tag that is neither "O" nor begins with "B-" or "I-".

    Examples
    --------
    >>> segments_from_bio(["B-NP", "I-NP", "O", "B-VP"])
    [(0, 2, 'NP'), (2, 3, 'O'), (3, 4, 'VP')]
    """
    found: list[Segment] = []
    for t, tag in enumerate(tags):
        if tag == "O":
            found.append((t, t + 1, "O"))
            continue
        mark, label = (tag[:1], tag[2:]) if isinstance(tag, str) else ("", "")
        if mark not in ("B", "I") or tag[1:2] != "-" or not label:
            raise ValueError(
                f"token {t} has the tag {shorten(repr(tag))}, expected 'O', 'B-...' or "
                "'I-...' (BIO)"
            )
        if mark == "I" and found and found[-1][2] == label:
            found[-1] = (found[-1][0], t + 1, label)
        else:
            found.append((t, t + 1, label))
    return found


def segments_to_bio(segments: Sequence[Segment]) -> list[str]:
    """BIO tags of segments; "O" is outside.

    Raises
    ------
    TypeError
        For a label that is not a str, or is empty.

    Examples
    --------
    >>> segments_to_bio([(0, 2, "NP"), (2, 3, "O")])
    ['B-NP', 'I-NP', 'O']
    """
    tags: list[str] = []
    for a, b, label in segments:
        if not isinstance(label, str) or not label:
            raise TypeError(
                f"the segment from {a} to {b} has the label {shorten(repr(label))}, expected "
                "text"
            )
        if label == "O":
            tags += ["O"] * (b - a)
        else:
            tags += [f"B-{label}"] + [f"I-{label}"] * (b - a - 1)
    return tags


def segments_from_labels(labels: Sequence[Any]) -> list[Segment]:
    """Runs of equal labels: the helices, strands and coils of "HHHCCEE".

    Examples
    --------
    >>> segments_from_labels("HHC")
    [(0, 2, 'H'), (2, 3, 'C')]
    """
    found: list[Segment] = []
    for t, label in enumerate(labels):
        if found and found[-1][2] == label:
            found[-1] = (found[-1][0], t + 1, label)
        else:
            found.append((t, t + 1, label))
    return found


def segments_to_labels(segments: Sequence[Segment]) -> list[Any]:
    """The label of every token."""
    return [label for a, b, label in segments for _ in range(b - a)]


__all__ = [
    "segments_from_bio",
    "segments_from_labels",
    "segments_to_bio",
    "segments_to_labels",
]
