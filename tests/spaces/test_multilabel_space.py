"""Sets of labels: every oracle against all sets, one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pystruct_ext.spaces import MultilabelSpace, UnseenLabelError
from pystruct_ext.spaces._label_graph import (
    information_tree,
    mutual_information,
    rooted,
)

LOSSES = ("hamming", "subset", "f1")


def problem(rng, k, n=3, most=None, empty=True):
    X = rng.normal(size=(n, 2))
    Y = (rng.random((n, k)) < rng.choice([0.2, 0.6])).astype(int)
    if not empty:
        Y[Y.sum(axis=1) == 0, 0] = 1
    if most is not None:
        for y in Y:
            y[np.flatnonzero(y)[most:]] = 0
    return X, Y


def delta(loss, weight, y, Z, miss_cost=1.0):
    """Delta of one truth and all sets, from its definition."""
    if loss == "hamming":
        return miss_cost * ((y > Z) @ weight) + (y < Z) @ weight
    if loss == "subset":
        return (y != Z).any(axis=1).astype(float)
    size = y.sum() + Z.sum(axis=1)
    return np.where(size > 0, 1 - 2 * (Z @ y) / np.maximum(size, 1), 0.0)


def scores(space, w, x, Z):
    """<w, psi(x, z)> of all sets, from its definition."""
    k, m = len(space.classes_), len(space.edges_)
    at = (len(x) + 1) * space.stride_
    table = w[:at].reshape(-1, space.stride_)[:, :k]
    pairs = w[at : at + m] * space.pair_scaling_
    both = Z[:, space.edges_[:, 0]] * Z[:, space.edges_[:, 1]]
    value = Z @ (np.append(x, 1.0) @ table) + both @ pairs
    if space.set_scaling:
        own = {tuple(y): v for y, v in zip(space.seen_, w[at + m :], strict=True)}
        value += space.set_scaling * np.array([own.get(tuple(z), 0.0) for z in Z])
    return value


def outputs(space, k):
    if space.search_ == "listed":
        return space.seen_.astype(int)
    Z = np.array(list(product((0, 1), repeat=k)))
    size = Z.sum(axis=1)
    return Z[(size >= space.never_empty_) & (size <= space.max_labels_)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("interactions", ["none", "tree", "pairs", "full"])
@pytest.mark.parametrize("label_sets", ["any", "seen", "weighted"])
def test_argmax_is_that_of_all_sets(loss, interactions, label_sets):
    rng = np.random.default_rng(len(loss) + 10 * len(interactions))
    for k, limited, never_empty in product(
        (1, 2, 5, 8, 10), (False, True), (False, True)
    ):
        most = int(rng.integers(1, k + 1)) if limited else None
        X, Y = problem(rng, k, most=most, empty=not never_empty)
        pairs = interactions
        if pairs == "pairs":
            pairs = [(a, b) for a in range(k) for b in range(a) if rng.random() < 0.4]
        weight, miss_cost = np.ones(k), 1.0
        own = {"label_sets": "seen", "set_scaling": rng.choice([-0.5, 2.0])}
        if loss == "hamming":
            weight, miss_cost = rng.random(k) + 0.1, rng.choice([0.0, 0.3, 4.0])
        space = MultilabelSpace(
            loss, interactions=pairs, never_empty=never_empty, max_labels=most,
            label_weight=weight if loss == "hamming" else None, miss_cost=miss_cost,
            **own if label_sets == "weighted" else {"label_sets": label_sets},
        )  # fmt: skip
        oracle = space.bind(space.fit_pack(X, Y))
        assert oracle.exactness == "exact"
        Z = outputs(space, k)
        for scale in (0.0, 1.0, 0.3):
            w = rng.normal(size=space.size_psi_) * rng.choice([0.1, 1.0])
            for i in range(len(X)):
                value = scores(space, w, X[i], Z) + scale * delta(
                    loss, weight, Y[i], Z, miss_cost
                )
                code = oracle.argmax(w, i, scale)
                assert (code == Z).all(axis=1).any()
                got = scores(space, w, X[i], code[None])[0]
                assert got == pytest.approx(oracle.score(w, i, code))
                lost = delta(loss, weight, Y[i], code[None], miss_cost)[0]
                assert space.loss(Y[i], code) == pytest.approx(lost)
                assert oracle.loss(i, code) == pytest.approx(lost)
                assert got + scale * lost == pytest.approx(value.max(), abs=1e-9)


@pytest.mark.parametrize("interactions", ["none", "tree", "full"])
@pytest.mark.parametrize("loss", LOSSES)
def test_labels_can_be_forced_and_forbidden(interactions, loss):
    rng = np.random.default_rng(5)
    for trial in range(12):
        X, Y = problem(rng, 6, empty=False)
        most = None if trial % 2 else int(Y.sum(axis=1).max())
        space = MultilabelSpace(loss, interactions=interactions, max_labels=most)
        oracle = space.bind(space.fit_pack(X, Y))
        w, mask = rng.normal(size=space.size_psi_), rng.normal(size=(6, 2))
        mask[trial % 6, trial % 2] = -1e30
        Z = outputs(space, 6)
        Z = Z[Z[:, trial % 6] != trial % 2]
        extra = mask[np.arange(6), Z].sum(axis=1)
        value = scores(space, w, X[0], Z) + extra + delta(loss, np.ones(6), Y[0], Z)
        code = oracle.argmax(w, 0, 1.0, scores=mask)
        (at,) = np.flatnonzero((code == Z).all(axis=1))
        assert value[at] == pytest.approx(value.max(), abs=1e-9)


@pytest.mark.parametrize("loss", ["hamming", "subset"])
def test_graph_decoder_reaches_or_bounds_the_maximum(loss):
    rng = np.random.default_rng(8)
    proven = 0
    for trial in range(30):
        k = int(rng.integers(3, 15))
        X, Y = problem(rng, k, n=2, empty=False)
        params = {"interactions": "full", "never_empty": bool(trial % 2)}
        exact = MultilabelSpace(loss, **params)
        bounded = MultilabelSpace(loss, inference="graph", **params)
        one, other = (s.bind(s.fit_pack(X, Y)) for s in (exact, bounded))
        assert (exact.search_, bounded.search_) == ("all", "graph")
        assert bounded.__space_tags__().exactness == "none"
        w = rng.normal(size=exact.size_psi_)
        w[-len(exact.edges_) :] *= rng.choice([0.1, 1.0, 3.0])
        if trial % 3 == 0:  # attractive: a cut, proven
            w[-len(exact.edges_) :] = np.abs(w[-len(exact.edges_) :])
        for i, scale in product(range(2), (0.0, 1.0)):
            values = []
            for oracle in (one, other):
                code = oracle.argmax(w, i, scale)
                values.append(oracle.score(w, i, code) + scale * oracle.loss(i, code))
            bound = other.bound(w, i, scale)
            assert values[1] <= values[0] + 1e-9 <= bound + 2e-9
            if trial % 3 == 0:
                assert values[1] == pytest.approx(values[0])
            proven += bound <= values[0] + 1e-9
    assert proven > 60  # of 120


@pytest.mark.parametrize("label_sets", ["any", "seen", "weighted"])
@pytest.mark.parametrize("interactions", ["none", "tree", "full"])
def test_all_sets_at_once(interactions, label_sets):
    rng = np.random.default_rng(2)
    for most, never_empty in ((None, False), (None, True), (2, True)):
        X, Y = problem(rng, 5, n=6, most=most, empty=not never_empty)
        space = MultilabelSpace(
            interactions=interactions, never_empty=never_empty, max_labels=most,
            label_sets="any" if label_sets == "any" else "seen",
            set_scaling=1.3 if label_sets == "weighted" else 0.0,
        )  # fmt: skip
        oracle = space.bind(space.fit_pack(X, Y))
        w, Z = rng.normal(size=space.size_psi_), outputs(space, 5)
        value = scores(space, w, X[0], Z)
        p = np.exp(value / 0.7 - np.max(value / 0.7))
        total = np.log(p.sum()) + np.max(value / 0.7)
        p /= p.sum()
        found, log_z = oracle.marginals(w, 0, 0.7)
        assert log_z == pytest.approx(total)
        assert found.reshape(-1, 2)[:, 1] == pytest.approx(p @ Z)
        codes, best = oracle.k_best(w, 0, 7)
        assert best == pytest.approx(np.sort(value)[::-1][:7])
        assert len({tuple(c) for c in codes}) == len(codes)
        drawn = oracle.sample(w, 0, 4000, 0.7, seed=1)
        assert np.abs(drawn.mean(axis=0) - p @ Z).max() < 0.05


def test_psi_is_what_scores_are_linear_in():
    rng = np.random.default_rng(4)
    for set_scaling, interactions in product((0.0, 1.5), ("none", "full")):
        X, Y = problem(rng, 6, n=20)
        space = MultilabelSpace(
            interactions=interactions, label_sets="seen", set_scaling=set_scaling,
            squared_slack=0.0,
        )  # fmt: skip
        oracle = space.bind(space.fit_pack(X, Y))
        Z = outputs(space, 6)
        n_sets = len(Z) if set_scaling else 0
        assert space.size_psi_ == 3 * 8 + len(space.edges_) + n_sets
        w = rng.normal(size=space.size_psi_)
        value = scores(space, w, X[0], Z)
        truth = scores(space, w, X[0], Y[:1])[0]
        for z, v in zip(Z, value, strict=True):
            z = np.ascontiguousarray(z, dtype=np.int32)
            assert space.joint_feature(X[0], z) @ w == pytest.approx(v)
            difference = np.zeros_like(w)
            oracle.add_psi_diff(difference, 0, oracle.truth(0), z, 1.0)
            assert difference @ w == pytest.approx(truth - v)
            size = oracle.psi_diff_sqnorm(0, oracle.truth(0), z)
            assert difference @ difference == pytest.approx(size)


def test_attractive_pairs_are_decoded_exactly():
    rng = np.random.default_rng(9)
    for trial, loss in product(range(6), ("hamming", "subset")):
        k = 13
        X, Y = problem(rng, k, n=2, empty=False)
        space = MultilabelSpace(
            loss, interactions="full", inference="graph", attractive=True,
            never_empty=bool(trial % 2), miss_cost=1 if loss == "subset" else 2.5,
        )  # fmt: skip
        oracle = space.bind(space.fit_pack(X, Y))
        assert (space.search_, oracle.exactness) == ("graph", "exact")
        assert space.__space_tags__().exactness == "exact"
        assert oracle.nonnegative == slice(*space.nonnegative_)
        w = rng.normal(size=space.size_psi_)
        begin, end = space.nonnegative_
        assert (begin, end) == (3 * 16, 3 * 16 + k * (k - 1) // 2)
        w[begin:] = np.abs(w[begin:]) * (trial + 1) / 20
        w[: 2 * 16] *= 3
        w[2 * 16 : begin] -= w[begin:].sum() / k
        Z = outputs(space, k)
        for i, scale in product(range(2), (0.0, 1.0)):
            value = scores(space, w, X[i], Z)
            value += scale * delta(loss, np.ones(k), Y[i], Z, space.miss_cost)
            code = oracle.argmax(w, i, scale)
            got = oracle.score(w, i, code) + scale * oracle.loss(i, code)
            assert got == pytest.approx(value.max(), abs=1e-9)


def test_tree_has_the_largest_mutual_information():
    networkx = pytest.importorskip("networkx")
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(200, 3)) @ rng.normal(size=(3, 7)) > 0).astype(np.int32)
    information = mutual_information(codes)
    p = np.mean(codes[:, 0] * codes[:, 1])
    a, b = codes[:, 0].mean(), codes[:, 1].mean()
    cells = [(p, a * b), (a - p, a * (1 - b)), (b - p, b * (1 - a)),
             (1 - a - b + p, (1 - a) * (1 - b))]  # fmt: skip
    expected = sum(q * np.log(q / e) for q, e in cells if q > 0)
    assert information[0, 1] == pytest.approx(expected)
    graph = networkx.from_numpy_array(information)
    tree = networkx.maximum_spanning_tree(graph)
    weight = sum(information[a, b] for a, b in information_tree(codes))
    assert weight == pytest.approx(tree.size(weight="weight"))
    constant = np.hstack([codes, np.ones((200, 1), dtype=np.int32)])
    assert len(information_tree(constant)) == 6  # nothing to learn of the last
    assert rooted(3, np.array([[0, 1], [1, 2], [0, 2]])) is None


def test_attractive_pairs_are_named_for_the_solver():
    X, Y = problem(np.random.default_rng(0), 4)
    more = {"label_sets": "seen", "set_scaling": 1.0, "squared_slack": 1.0}
    for params, n_rows in (({}, 3), (more, 6)):
        space = MultilabelSpace(interactions="full", attractive=True, **params)
        assert space.nonnegative_ is None
        oracle = space.bind(space.fit_pack(X, Y))
        assert space.nonnegative_ == (3 * 8, 3 * 8 + 6)
        assert oracle.nonnegative == slice(n_rows * 8, n_rows * 8 + 6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"task_loss": "f2"}, "loss must be one of"),
        ({"interactions": "ring"}, "interactions must be one of"),
        ({"interactions": [(0, 9)]}, "pair 0 has the label 9"),
        ({"interactions": [(1, 1)]}, "joins the label 1 with itself"),
        ({"interactions": [(0, 1), (1, 0)]}, "is there twice, first as pair 0"),
        ({"interactions": [(0, 1, 2)]}, "expected two labels"),
        ({"never_empty": True}, "example 1 has no labels"),
        ({"never_empty": "maybe"}, "never_empty must be"),
        ({"max_labels": 1}, "example 0 has 2 labels, expected at most 1"),
        ({"max_labels": 0}, "max_labels must be"),
        ({"label_weight": [1.0]}, r"shape \(1,\), expected \(3,\)"),
        ({"label_weight": [1.0, -1.0, 1.0]}, "label_weight of 1 is -1.0"),
        ({"label_weight": {7: 1.0}}, "has the label 7"),
        ({"label_weight": [1, 1, 1], "task_loss": "f1"}, "is for the loss 'hamming'"),
        ({"pair_scaling": np.nan}, "pair_scaling must be"),
        ({"label_sets": "some"}, "label_sets must be"),
        ({"inference": "lp"}, "inference must be"),
        (
            {"inference": "graph", "interactions": "full", "task_loss": "f1"},
            "'f1' with",
        ),
        ({"dtype": "int"}, "dtype must be"),
        ({"miss_cost": -1.0}, "miss_cost must be a finite number >= 0"),
        ({"miss_cost": 2.0, "task_loss": "f1"}, "miss_cost is for the loss 'hamming'"),
        ({"set_scaling": np.inf, "label_sets": "seen"}, "set_scaling must be"),
        ({"set_scaling": 1.0}, "set_scaling needs label_sets='seen'"),
        ({"attractive": True, "pair_scaling": -1.0}, "needs pair_scaling >= 0"),
    ],
)
def test_bad_parameters(params, message):
    X, Y = np.zeros((2, 2)), np.array([[1, 1, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match=message):
        MultilabelSpace(**params).fit_domain(X, Y)


@pytest.mark.parametrize(
    ("Y", "error", "message"),
    [
        ([[0, 2], [1, 0]], TypeError, None),
        (np.array([[0, 2], [1, 0]]), ValueError, "example 0 has 2 in column 1"),
        (np.array([[0, np.nan], [1, 0]]), ValueError, "NaN"),
        ([("a", None), ("a",)], ValueError, "example 0 has a missing label"),
        ([("a", 1), ("a",)], TypeError, "all strings or all numbers"),
        ([("a", ["b"]), ("a",)], TypeError, "of type list"),
        ([("a",), "ab"], TypeError, "example 1 is 'ab'"),
        ([("a",), 3], TypeError, "example 1 is 3"),
        ([(), ()], ValueError, "no label in any example"),
        (np.zeros((2, 0)), ValueError, "no columns"),
        (np.zeros((3, 2)), ValueError, "2 and 3"),
        (iter([]), TypeError, "read only once"),
    ],
)
def test_bad_outputs(Y, error, message):
    if message is None:  # lists that are no rows of 0 and 1 are collections of labels
        assert MultilabelSpace().fit_domain(np.zeros((2, 1)), Y).classes_ == [0, 1, 2]
        return
    with pytest.raises(error, match=message):
        MultilabelSpace().fit_domain(np.zeros((2, 1)), Y)


def test_outputs_that_no_set_is():
    X, Y = np.eye(2), [("a",), ("a", "b")]
    space = MultilabelSpace(label_sets="seen").fit_domain(X, Y)
    with pytest.raises(UnseenLabelError, match="a set not seen at fit"):
        space.pack(X, [("b",), ("a",)])
    with pytest.raises(UnseenLabelError, match="has the label 'c'"):
        space.pack(X, [("c",), ("a",)])
    with pytest.raises(UnseenLabelError, match="expected 1 to 2"):
        space.pack(X, [(), ("a",)])
    with pytest.raises(ValueError, match="3 features"):
        space.pack(np.eye(3))
