"""Which labels may follow which."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystruct_ext.spaces import SequenceSpace, allowed_transitions

BIO = ["B-x", "B-y", "I-x", "I-y", "O"]
BILOU = [f"{p}-{t}" for p in "BILU" for t in "xy"] + ["O"]


def bio_text(tags):
    """Well formed, by reading from left to right: I-T continues an open chunk T."""
    inside = None
    for tag in tags:
        if tag[0] == "I" and inside != tag[2:]:
            return False
        inside = None if tag == "O" else tag[2:]
    return True


def bilou_text(tags, last="L", single="U"):
    inside = None
    for tag in tags:
        kind = tag[2:]
        if tag[0] in ("I", last):
            if inside != kind:
                return False
            inside = kind if tag[0] == "I" else None
        else:
            if inside is not None:
                return False
            inside = kind if tag[0] == "B" else None
    return inside is None


def accepted(allowed, classes, tags):
    codes = [classes.index(tag) for tag in tags]
    return bool(
        allowed.start[codes[0]]
        and allowed.end[codes[-1]]
        and all(allowed.transition[p, q] for p, q in itertools.pairwise(codes))
    )


@pytest.mark.parametrize("name", ["BIO", "bio", "IOB2", "BIO2"])
def test_bio(name):
    allowed = allowed_transitions(name, BIO)
    for n in (1, 2, 3):
        for tags in itertools.product(BIO, repeat=n):
            assert accepted(allowed, BIO, tags) == bio_text(tags), tags


@pytest.mark.parametrize("name", ["BILOU", "IOBES", "BIOES"])
def test_bilou(name):
    classes, last, single = BILOU, "L", "U"
    if name != "BILOU":
        swap = {"L": "E", "U": "S"}
        classes = [swap.get(c[0], c[0]) + c[1:] for c in BILOU]
        last, single = "E", "S"
    allowed = allowed_transitions(name, classes)
    for n in (1, 2, 3):
        for tags in itertools.product(classes, repeat=n):
            want = bilou_text(tags, last, single)
            assert accepted(allowed, classes, tags) == want, tags


@settings(deadline=None)
@given(st.lists(st.sampled_from(BILOU), min_size=1, max_size=8))
def test_bilou_of_any_length(tags):
    assert accepted(allowed_transitions("BILOU", BILOU), BILOU, tags) == bilou_text(
        tags
    )


def test_tags_without_a_type():
    allowed = allowed_transitions("BIO", ["B", "I", "O"])
    assert allowed.transition.astype(int).tolist() == [[1, 1, 1], [1, 1, 1], [1, 0, 1]]
    assert allowed.start.tolist() == [True, False, True]


def test_none_matrix_and_mapping():
    classes = ["a", "b", "c"]
    assert allowed_transitions(None, classes).unrestricted
    matrix = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]])
    by_matrix = allowed_transitions(matrix, classes)
    assert by_matrix.transition.dtype == bool
    mapping = {"a": "ab", "b": ["b", "c"], "c": {"c"}, "<end>": ["c"], "unknown": ["a"]}
    by_mapping = allowed_transitions(mapping, classes)
    np.testing.assert_array_equal(by_mapping.transition, by_matrix.transition)
    assert by_mapping.end.tolist() == [False, False, True]
    assert by_mapping.start.all()
    open_row = allowed_transitions({"a": ["a"]}, classes).transition
    assert open_row[1:].all()
    assert open_row[0].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("constraints", "classes", "message"),
    [
        ("IOB", BIO, "constraints must be None, 'BIO', 'BILOU'"),
        (
            "BIO",
            ["B-x", "L-x"],
            r"the label 'L-x' is neither 'O' nor one of B-TYPE, I-TYPE",
        ),
        ("BIO", ["B-", "O"], "the label 'B-' is neither"),
        ("BIO", ["Bx", "O"], "the label 'Bx' is neither"),
        ("BIO", ["I-x", "I-y"], "no label to start"),
        (np.ones((2, 3)), ["a", "b"], r"shape \(2, 3\), expected \(2, 2\)"),
        ({"<start>": ["z"]}, ["a", "b"], "no label to start or to end"),
        ({"<end>": []}, ["a", "b"], "no label to start or to end"),
    ],
)
def test_bad_constraints(constraints, classes, message):
    with pytest.raises(ValueError, match=message):
        allowed_transitions(constraints, classes)


def test_dead_ends_are_reported_at_decoding():
    """A mapping may leave no sequence of some length: one clear error, no crash."""
    chain = {0: [1], 1: [], "<start>": [0], "<end>": [0, 1]}
    space = SequenceSpace(constraints=chain, dtype="float64")
    oracle = space.bind(
        space.fit_pack([np.ones((2, 1)), np.ones((1, 1))], [[0, 1], [0]])
    )
    w = np.zeros(oracle.size_psi)
    assert oracle.argmax(w, 0, 0.0).tolist() == [0, 1]
    assert oracle.argmax(w, 1, 0.0).tolist() == [0]
    with pytest.raises(ValueError, match="allow no output"):
        space.decode(w, np.ones((3, 1)))
