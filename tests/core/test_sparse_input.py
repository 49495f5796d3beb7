"""Sparse matrices that are none: refused before SciPy or a kernel follows their indices."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from pystruct_ext import (
    DependencySVM,
    DiverseQuery,
    MulticlassSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
)
from pystruct_ext._core.ragged import PackedRows, check_sparse
from pystruct_ext.outputs import RankingQuery
from pystruct_ext.spaces import MulticlassSpace, Product
from pystruct_ext.spaces import wide as wide_columns


def make(**arrays):
    """The identity, as a matrix whose arrays are changed behind SciPy's back."""
    X = sp.csr_matrix(np.eye(3))
    for name, value in arrays.items():
        setattr(X, name, value)
    return X


INT = np.int32
BAD = {
    "short indptr": (make(indptr=np.array([0, 1], INT)), "indptr does not fit"),
    "long indptr": (make(indptr=np.array([0, 1, 2, 3, 3], INT)), "indptr does not fit"),
    "falling": (make(indptr=np.array([0, 3, 1, 3], INT)), "never fall"),
    "not from 0": (make(indptr=np.array([1, 1, 2, 3], INT)), "start at 0"),
    "beyond nnz": (make(indptr=np.array([0, 1, 2, 9], INT)), "end at 3"),
    "negative end": (make(indptr=np.array([0, 1, 2, -1], INT)), "never fall"),
    "out of range": (make(indices=np.array([0, 1, 10**8], INT)), "index 100000000"),
    "one beyond": (make(indices=np.array([0, 1, 3], INT)), "feature index 3"),
    "negative": (make(indices=np.array([0, 1, -1], INT)), "feature index -1"),
    "int64": (make(indices=np.array([0, 1, 2**32])), "feature index 4294967296"),
    "uint64": (
        make(indices=np.array([0, 1, 2**64 - 1], np.uint64)),
        "feature index 18446744073709551615",
    ),
    "unsigned fall": (
        make(indptr=np.array([0, 2, 1, 3], np.uint64)),
        "indptr does not fit",
    ),
    "float indices": (make(indices=np.array([0.5, 1.9, 2.2])), "array of integers"),
    "float indptr": (make(indptr=np.array([0.0, 1.0, 2.0, 3.0])), "array of integers"),
    "short data": (make(data=np.ones(1)), "data has 1 entries, indices has 3"),
    "short indices": (make(indices=np.array([0], INT)), "data has 3 entries"),
    "2-D indices": (make(indices=np.array([[0, 1, 2]], INT)), "must be 1-D"),
}

GOOD = np.eye(3)
QUERY = RankingQuery(GOOD, [0, 1, 2])
ENTRIES = {
    "check": check_sparse,
    "PackedRows": lambda X: PackedRows.from_csr([X]),
    "matrix": PackedRows.from_matrix,
    "multiclass fit": lambda X: MulticlassSVM().fit(X, [0, 1, 2]),
    "multiclass predict": lambda X: MulticlassSVM().fit(GOOD, [0, 1, 2]).predict(X),
    "ranking fit": lambda X: RankingSVM().fit(X, [0, 1, 2]),
    "ranking predict": lambda X: RankingSVM().fit(GOOD, [0, 1, 2]).predict(X),
    "query": lambda X: RankingQuery(X, [0, 1, 2]),
    "coverage": lambda X: DiverseQuery(GOOD, GOOD, coverage=X),
    "sequence": lambda X: SequenceSVM().fit([X], [["a", "b", "a"]]),
    "segments": lambda X: SegmentSVM().fit([X], [[(0, 2, "a"), (2, 3, "b")]]),
    "structural": lambda X: StructuralSVM(MulticlassSpace()).fit(X, [0, 1, 2]),
    "product": lambda X: Product(MulticlassSpace(), MulticlassSpace()).fit_domain(
        X, [("a", 0), ("b", 1), ("a", 1)]
    ),
}


@pytest.mark.parametrize("entry", list(ENTRIES))
@pytest.mark.parametrize("bad", list(BAD))
def test_refused_everywhere(bad, entry):
    X, message = BAD[bad]
    with pytest.raises((ValueError, TypeError), match=message):
        ENTRIES[entry](X)


def test_arcs_are_checked_too():
    X = sp.csr_matrix(np.ones((2, 3)))
    DependencySVM(labelled=False).fit([X], [[0]])
    X.indices = np.array([0, 1, 2, 0, 1, 99], INT)
    with pytest.raises(ValueError, match="example 0: row 1 has feature index 99"):
        DependencySVM(labelled=False).fit([X], [[0]])


def test_other_formats():
    for form in ("csc", "coo", "bsr", "lil", "dok"):
        check_sparse(sp.csr_matrix(np.eye(3)).asformat(form))
    X = sp.coo_matrix(np.eye(3))
    X.col = np.array([0, 1, 5], INT)
    with pytest.raises(ValueError, match=r"col\[2\] is 5, expected 0 <= index < 3"):
        MulticlassSVM().fit(X, [0, 1, 2])
    X = sp.csc_matrix(np.eye(3))
    X.indices = np.array([0, 1, 5], INT)
    with pytest.raises(ValueError, match="column 2 has row index 5"):
        MulticlassSVM().fit(X, [0, 1, 2])


def test_unsorted_and_repeated_entries_add_up():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(30, 4))
    y = np.argmax(dense[:, :3], axis=1)
    # Every row backwards, and every entry in two halves.
    columns = np.tile([3, 3, 2, 2, 1, 1, 0, 0], 30).astype(INT)
    data = np.repeat(dense[:, ::-1] / 2, 2, axis=1).ravel()
    X = sp.csr_matrix((data, columns, np.arange(0, 241, 8)), shape=dense.shape)
    before = X.data.copy(), X.indices.copy()
    a, b = MulticlassSVM().fit(dense, y), MulticlassSVM().fit(X, y)
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-6)
    np.testing.assert_allclose(
        a.decision_function(dense), b.decision_function(X), atol=1e-6
    )
    assert (X.data == before[0]).all()
    assert (X.indices == before[1]).all()


# Wide.

WIDTH = 100_000_000


def wide(n=12):
    columns = np.array([5, 77_000_001, WIDTH - 1], INT)
    where = np.arange(n) % 3
    return sp.csr_matrix(
        (np.ones(n), columns[where], np.arange(n + 1)), shape=(n, WIDTH)
    )


def peak(call):
    tracemalloc.start()
    try:
        result = call()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_checks_cost_what_is_there():
    X = wide()
    for entry in (
        check_sparse,
        PackedRows.from_matrix,
        lambda X: MulticlassSpace()._rows(X),
    ):
        _, used = peak(lambda entry=entry: entry(X))
        assert used < 100_000


def test_sequences_of_wide_rows(tmp_path):
    import pystruct_ext

    X, y = [wide(), wide(6)], [list("abc" * 4), list("abc" * 2)]
    for features in ("all", "seen"):
        model, used = peak(lambda f=features: SequenceSVM(features=f).fit(X, y))
        assert used < 10_000_000
        assert model.n_features_in_ == WIDTH
        assert model.space_.encoder_.columns.tolist() == [5, 77_000_001, WIDTH - 1]
        assert model.predict(X) == y
        # A column that training never saw says nothing.
        new = wide(3)
        new.indices[1] = 6
        assert len(model.predict([new])[0]) == 3
        model.save(tmp_path / "m")
        assert pystruct_ext.load(tmp_path / "m").predict(X) == y
        with pytest.raises(ValueError, match=r"X has 3 features, but .* 100000000"):
            model.predict([sp.csr_matrix(GOOD)])


def test_renumbered_rows_are_the_same_model(monkeypatch):
    rng = np.random.default_rng(0)
    dense = np.zeros((24, 40))
    dense[:, [3, 17, 18, 39]] = rng.normal(size=(24, 4))
    X = [sp.csr_matrix(dense[a : a + 6]) for a in range(0, 24, 6)]
    y = [["a" if v[3] > v[17] else "b" for v in x.toarray()] for x in X]
    plain = SequenceSVM(random_state=0).fit(X, y)
    monkeypatch.setattr(wide_columns, "WIDE", 10)
    narrow = SequenceSVM(random_state=0).fit(X, y)
    assert narrow.space_.n_features_ == 4
    np.testing.assert_array_equal(narrow.coef_, plain.coef_[:, [3, 17, 18, 39]])
    assert narrow.predict(X) == plain.predict(X)
    assert narrow.predict([x.toarray() for x in X]) == plain.predict(X)


@pytest.mark.parametrize("estimator", [MulticlassSVM, RankingSVM])
def test_matrices_cost_their_weights_and_no_more(estimator):
    """Weights are dense by design; few vectors are as long, and none when predicting."""
    X = sp.csr_matrix(
        (np.ones(12), (np.arange(12) % 3 * 66_000).astype(INT), np.arange(13)),
        shape=(12, 200_000),
    )
    y = np.arange(12) % 3
    model, used = peak(lambda: estimator().fit(X, y))
    assert used < 2.2 * model._w.nbytes + 500_000
    _, used = peak(lambda: model.predict(X))
    assert used < 500_000


@pytest.mark.parametrize("estimator", [MulticlassSVM, RankingSVM])
def test_wide_matrices_cost_the_columns_that_occur(estimator, tmp_path):
    import pystruct_ext

    X, y = wide(), np.arange(12) % 3
    model, used = peak(lambda: estimator().fit(X, y))
    assert used < 2_000_000
    _, used = peak(lambda: model.predict(X))
    assert used < 500_000
    assert model.n_features_in_ == WIDTH
    if estimator is MulticlassSVM:
        assert model.score(X, y) == 1
        assert model.predict(X).tolist() == y.tolist()
    else:
        best = dict(model.top_features(9))
        assert set(best) <= {"x5", "x77000001", f"x{WIDTH - 1}"}
    # A column that training never saw says nothing.
    new = wide(3)
    new.indices[1] = 6
    assert len(model.predict(new)) == 3
    model.save(tmp_path / "m")
    assert (tmp_path / "m").stat().st_size < 100_000
    again = pystruct_ext.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="3 features"):
        model.predict(sp.csr_matrix(GOOD))


@pytest.mark.parametrize("estimator", [MulticlassSVM, RankingSVM])
def test_renumbered_matrices_are_the_same_model(estimator, monkeypatch):
    rng = np.random.default_rng(0)
    dense = np.zeros((24, 40))
    dense[:, [3, 17, 18, 39]] = rng.normal(size=(24, 4))
    X, y = sp.csr_matrix(dense), np.arange(24) % 3
    plain = estimator(random_state=0).fit(X, y)
    monkeypatch.setattr(wide_columns, "WIDE", 10)
    narrow = estimator(random_state=0).fit(X, y)
    assert len(narrow._w) < len(plain._w)
    np.testing.assert_allclose(narrow.coef_, plain.coef_, atol=1e-7)
    for given in (X, dense):
        np.testing.assert_allclose(
            narrow.predict(given), plain.predict(given), atol=1e-6
        )
    if estimator is MulticlassSVM:
        np.testing.assert_allclose(narrow.intercept_, plain.intercept_, atol=1e-7)
        decision = narrow.decision_function(dense)
        np.testing.assert_allclose(decision, plain.decision_function(X), atol=1e-6)
        both = [m.predict_marginals(X)[0] for m in (narrow, plain)]
        np.testing.assert_allclose(*both, atol=1e-6)
    else:
        assert narrow.top_features(4)[0][0] == plain.top_features(4)[0][0]
