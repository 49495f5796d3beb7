"""Outputs with missing parts: losses, separation and imputation against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystruct_ext import OutputSpace
from pystruct_ext.spaces import SegmentSpace, SequenceSpace, SubclassSpace
from pystruct_ext.spaces._partial import KnownLabels, known_classes, runs
from pystruct_ext.spaces.segments import labels_in_order
from pystruct_ext.testing import check_output_space

LABELS = ["a", "b", "c"]


def agrees(space, y, z):
    """Whether a complete output agrees with what is known, said once more, slowly."""
    if isinstance(space, SequenceSpace):
        return all(
            k is None or (v in k if isinstance(k, (set, frozenset)) else v == k)
            for k, v in zip(y, z, strict=True)
        )
    if isinstance(space, SegmentSpace):
        return [s[2] for s in z] == list(y) if not space.is_complete(y) else z == y
    return z == y if isinstance(y, tuple) else z[0] == y


def slow_loss(space, y, z):
    """The loss of what is known, said once more."""
    if isinstance(space, SequenceSpace):
        index = {label: k for k, label in enumerate(space.classes_)}
        total = 0.0
        for k, v in zip(y, z, strict=True):
            allowed = space.classes_ if k is None else k
            allowed = [allowed] if isinstance(allowed, str) else allowed
            total += min(space.cost_[index[a], index[v]] for a in allowed)
        return total
    if isinstance(space, SegmentSpace):
        found = [s[2] for s in z]
        return sum(p != q for p, q in zip(y, found, strict=False)) + abs(
            len(y) - len(found)
        )
    return float((y[0] if isinstance(y, tuple) else y) != z[0])


def sequences(rng, space, n=8):
    X = [rng.normal(size=(rng.integers(1, 6), 2)) for _ in range(n)]
    Y = []
    for x in X:
        kinds = [None, {"a", "c"}, frozenset("bc"), *LABELS]
        Y.append([kinds[k] for k in rng.integers(len(kinds), size=len(x))])
    return X, [*Y[:-1], list("abcabc"[: len(Y[-1])])]


def segments(rng, space, n=8):
    X = [rng.normal(size=(rng.integers(1, 6), 2)) for _ in range(n)]
    Y = [
        [LABELS[k] for k in rng.integers(3, size=rng.integers(1, len(x) + 1))]
        for x in X
    ]
    return X, [*Y[:-1], [(t, t + 1, "a") for t in range(len(X[-1]))]]


def subclasses(rng, space, n=8):
    return list(rng.normal(size=(n, 3))), ["a", "b", "c", ("a", 1), "b", "c", "a", "c"]


COST = np.array([[0, 1, 2.5], [0.5, 0, 1], [3, 0.25, 0]])
CASES = {
    "sequence": (lambda: SequenceSpace(dtype="float64"), sequences),
    "sequence with costs": (lambda: SequenceSpace(COST, dtype="float64"), sequences),
    "sequence, pairs seen": (
        lambda: SequenceSpace(features="seen", dtype="float64"),
        sequences,
    ),
    "segments": (lambda: SegmentSpace(dtype="float64"), segments),
    "segments, tokens": (
        lambda: SegmentSpace("tokens", boundary=False, dtype="float64"),
        segments,
    ),
    "subclasses": (lambda: SubclassSpace(3), subclasses),
}


@pytest.fixture(params=CASES)
def problem(request):
    make, examples = CASES[request.param]
    rng = np.random.default_rng(0)
    space = make()
    X, Y = examples(rng, space)
    return (
        space.fit_domain(np.array(X) if request.param == "subclasses" else X, Y),
        X,
        Y,
    )


def test_everything_equals_enumeration(problem):
    space, X, Y = problem
    rng = np.random.default_rng(1)
    for x, y in zip(X, Y, strict=True):
        outputs = list(space.enumerate(x))
        psi = np.array([space.joint_feature(x, z) for z in outputs])
        costs = np.array([space.loss(y, z) for z in outputs])
        if not space.is_complete(y):
            assert costs == pytest.approx([slow_loss(space, y, z) for z in outputs])
        fits = np.array([agrees(space, y, z) for z in outputs])
        assert fits.any()
        assert not costs[fits].any()
        for w in rng.normal(size=(4, space.size_psi_)):
            scores = psi @ w
            worst = space.loss_augmented_decode(w, x, y)
            value = space.loss(y, worst) + w @ space.joint_feature(x, worst)
            assert value == pytest.approx((scores + costs).max())
            full = space.impute(w, x, y)
            assert space.is_complete(full)
            assert agrees(space, y, full)
            reached = w @ space.joint_feature(x, full)
            assert reached == pytest.approx(scores[fits].max())


def test_the_oracle_counts_what_is_known(problem):
    """Loss, separation and truth of a packed batch, imputed twice."""
    space, X, Y = problem
    X = space.encode(np.array(X) if isinstance(space, SubclassSpace) else X)
    rng = np.random.default_rng(2)
    oracle = None
    for _ in range(2):
        w = rng.normal(size=space.size_psi_)
        full = space.impute_batch(w, X, Y)
        packed = space.pack_observed(X, full, Y)
        oracle = space.bind(packed) if oracle is None else space.rebind(packed, oracle)
        for i, (y, z) in enumerate(zip(Y, full, strict=True)):
            assert oracle.loss(i, oracle.truth(i)) == 0
            assert space.output_of(oracle.truth(i).tolist(), packed, i) == z
            code = oracle.argmax(w, i, 1.0)
            found = space.output_of(code.tolist(), packed, i)
            assert oracle.loss(i, code) == pytest.approx(space.loss(y, found))
        hinge, _ = oracle.hinge_sum(w)
        each = oracle.argmax_batch(w, None, 1.0)
        assert hinge == pytest.approx(
            sum(
                oracle.loss(i, c) - oracle.psi_diff_dot(w, i, oracle.truth(i), c)
                for i, c in enumerate(each[0])
            )
        )


def test_the_truth_must_agree_with_what_is_known(problem):
    space, X, Y = problem
    X = np.array(X) if isinstance(space, SubclassSpace) else X
    full = space.impute_batch(np.zeros(space.size_psi_), X, Y)
    wrong = list(full)
    if isinstance(space, SequenceSpace):
        i = next(i for i, y in enumerate(Y) if "a" in y)
        wrong[i] = ["b" if k == "a" else v for k, v in zip(Y[i], full[i], strict=True)]
    elif isinstance(space, SegmentSpace):
        i = 0
        a, b, label = full[0][0]
        wrong[0] = [(a, b, "b" if label == "a" else "a"), *full[0][1:]]
    else:
        i, wrong[1] = 1, ("a", 0)
    with pytest.raises(ValueError, match=f"example {i} "):
        space.pack(X, wrong, observed=Y)


def test_plain_packing_refuses_missing_parts(problem):
    space, X, Y = problem
    X = np.array(X) if isinstance(space, SubclassSpace) else X
    for pack in (space.pack, type(space)(**space.get_params()).fit_pack):
        with pytest.raises(ValueError, match=r"example 0 .*LatentStructuralSVM"):
            pack(X, Y)


def test_first_guesses_are_complete_and_agree(problem):
    space, X, Y = problem
    X = space.encode(np.array(X) if isinstance(space, SubclassSpace) else X)
    one = space.guess(X, Y, None)
    assert one == space.guess(X, Y, None)
    for full in (one, space.guess(X, Y, np.random.default_rng(3))):
        for y, z in zip(Y, full, strict=True):
            assert space.is_complete(z)
            assert agrees(space, y, z)


def test_complete_parts_of_sequences_are_runs_of_known_labels():
    X = [np.arange(10.0).reshape(5, 2), np.ones((2, 2)), np.zeros((1, 2))]
    Y = [["a", None, "b", "a", {"a", "b"}], [None, None], ["b"]]
    space = SequenceSpace(dtype="float64").fit_domain(X, Y)
    for packed in (X, space.encode(X)):
        part, labels, parents = space.complete_part(packed, Y)
        assert part.rows.lengths.tolist() == [1, 2, 1]
        assert part.rows.values.reshape(-1, 2)[:, 0].tolist() == [0, 4, 6, 0]
        assert [labels.classes[k] for k in labels.codes] == ["a", "b", "a", "b"]
        assert list(parents) == [0, 0, 2]
    nothing = [[None] * 5, [{"a", "b"}, None], [None]]
    assert space.complete_part(X, nothing) is None


def test_complete_parts_obey_constraints():
    X = [np.eye(4), np.eye(4)]
    Y = [["B-x", "I-x", None, "I-x"], ["O", None, "B-x", "O"]]
    space = SequenceSpace(constraints="BIO").fit_domain(X, Y)
    part, labels, parents = space.complete_part(X, Y)
    # The run of I-x alone begins as no sequence may.
    assert part.rows.lengths.tolist() == [2, 1, 2]
    assert list(parents) == [0, 1, 1]
    space.pack(part, labels)
    full = space.impute_batch(np.zeros(space.size_psi_), X, Y)
    assert full[0] in (["B-x", "I-x", "B-x", "I-x"], ["B-x", "I-x", "I-x", "I-x"])
    with pytest.raises(ValueError, match="example 0 has no labels that agree"):
        space.impute(np.zeros(space.size_psi_), X[0], ["O", {"O"}, "I-x", None])


def test_complete_parts_of_segments_are_whole_examples():
    X = [np.eye(3), np.ones((2, 3)), np.eye(3)]
    Y = [["a", "b"], [(0, 2, "b")], ["a"]]
    space = SegmentSpace().fit_domain(X, Y)
    assert space.longest_.tolist() == [3, 2]
    part, labels, parents = space.complete_part(space.encode(X), Y)
    assert part.rows.lengths.tolist() == [2]
    assert labels == [Y[1]]
    assert parents == [1]


@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=6), min_size=1, max_size=5)
)
@settings(max_examples=60, deadline=None)
def test_runs(examples):
    flags = np.concatenate([np.array(e) for e in examples])
    offsets = np.concatenate([[0], np.cumsum([len(e) for e in examples])])
    expected, at = [], 0
    for e in examples:
        begin = None
        for t, flag in enumerate([*e, False]):
            if flag and begin is None:
                begin = t
            if not flag and begin is not None:
                expected.append([at + begin, at + t])
                begin = None
        at += len(e)
    assert runs(flags, offsets).tolist() == expected


def test_kinds_of_labels():
    Y = [["a", None, {"b", "a"}, frozenset(["a", "b"])], [{"c"}, "c"]]
    assert known_classes(Y) == ["a", "b", "c"]
    known = KnownLabels.of(Y, ["a", "b", "c"])
    allowed = known.allowed[known.kinds].astype(int).tolist()
    assert allowed == [[1, 0, 0], [1, 1, 1], [1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert len(known.allowed) == 6  # the two sets of a and b are one kind
    assert known.cost(COST)[4].tolist() == [0, 0, 1]
    assert known.some().tolist() == [0, 0, 0, 0, 2, 2]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([["a", set()]], "token 1 of example 0 is empty"),
        ([["a", {"b", None}]], "token 1 of example 0 has None in it"),
        ([[None, None]], "no label at all"),
        ([["a", None]], "single class 'a'"),
        ([["a", {1}]], "all strings or all numbers"),
        ([["a"]], "example 0 has 1 labels, but X has 2"),
    ],
)
def test_bad_sequences(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SequenceSpace().fit_domain([np.eye(2)], y)


def test_unknown_labels_are_named():
    space = SequenceSpace().fit_domain([np.eye(2)], [["a", "b"]])
    for y in (["a", "q"], [None, {"a", "q"}]):
        with pytest.raises(ValueError, match=r"token 1 of example 0 .*'q'"):
            space.impute(np.zeros(space.size_psi_), np.eye(2), y)


def test_bad_segments():
    X = [np.eye(3)]
    with pytest.raises(ValueError, match="4 labels in order, more than the 3 tokens"):
        SegmentSpace().fit_domain(X, [list("abab")])
    with pytest.raises(TypeError, match=r"expected \(start, end, label\)"):
        SegmentSpace().fit_domain(X, [[(0, 2, "a"), "b"]])
    space = SegmentSpace(max_length=1).fit_domain(X, [["a", "b"]])
    with pytest.raises(ValueError, match="example 0 has no segments with the labels"):
        space.impute(np.zeros(space.size_psi_), X[0], ["a", "b"])


def test_bad_subclasses():
    X = np.eye(3)
    with pytest.raises(ValueError, match="n_subclasses must be an integer >= 1"):
        SubclassSpace(0).fit_domain(X, list("aba"))
    space = SubclassSpace(2).fit_domain(X, list("aba"))
    with pytest.raises(ValueError, match="example 1 has the subclass 2"):
        space.pack(X, [("a", 0), ("b", 2), ("a", 1)])
    with pytest.raises(ValueError, match="example 2 has the class 'q'"):
        space.pack(X, [("a", 0), ("b", 1), ("q", 1)])


def subclass_problem(rng):
    X = np.array(rng.normal(size=(6, 3)))
    return X, [("a", 0), ("b", 1), ("c", 0), ("a", 1), ("b", 0), ("c", 1)]


def test_subclass_space_is_an_output_space():
    check_output_space(SubclassSpace(2, COST), subclass_problem)


class NoImpute(OutputSpace):
    def fit_domain(self, X, Y=None):
        self.size_psi_ = 1
        return self

    def is_complete(self, y):
        return y is not None

    def joint_feature(self, x, y):
        return np.array([x * y])

    def loss(self, y, y_hat):
        return float(y is not None and y != y_hat)

    def decode(self, w, x):
        return max((-1, 1), key=lambda y: x * y * w[0])

    def loss_augmented_decode(self, w, x, y):
        return max((-1, 1), key=lambda z: x * z * w[0] + self.loss(y, z))


def test_what_a_space_does_not_say():
    space = NoImpute()
    with pytest.raises(ValueError, match="example 1 has missing parts; Latent"):
        space.fit_pack([1.0, 2.0], [1, None])
    with pytest.raises(NotImplementedError, match="NoImpute has no impute"):
        space.impute_batch(np.zeros(1), [1.0], [None])
    assert space.impute_batch(np.zeros(1), [1.0], [-1]) == [-1]
    assert space.fit_domain([1.0]).complete_part([1.0, 2.0], [None, 1]) == (
        [2.0],
        [1],
        [1],
    )


def test_moving_the_truth_keeps_codes():
    """A Python space: the code of an output stays, whatever the truth is."""
    space = NoImpute().fit_domain([2.0])
    packed = space.pack_observed([2.0, 3.0], [1, -1], [None, -1])
    oracle = space.bind(packed)
    first, fixed = oracle.truth(0), oracle.truth(1)
    assert oracle.loss(0, first) == 0
    size = oracle.psi(0, first)[0]
    moved = space.rebind(space.pack_observed([2.0, 3.0], [-1, -1], [None, -1]), oracle)
    assert moved is oracle
    assert oracle.truth(0) != first
    assert np.array_equal(oracle.truth(1), fixed)
    assert oracle.psi(0, oracle.truth(0))[0] == -size == -oracle.psi(0, first)[0]
    # Nothing known costs nothing, a known output costs what differs.
    w = np.array([1.0])
    assert oracle.loss(0, oracle.argmax(w, 0, 1.0)) == 0
    assert oracle.loss(1, oracle.argmax(w, 1, 1.0)) == 1


def test_labels_in_order():
    assert labels_in_order([(0, 2, "a"), (2, 3, "b")]) == ["a", "b"]
    assert labels_in_order(["a", "b"]) == ["a", "b"]
