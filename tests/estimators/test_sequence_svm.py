"""SequenceSVM as its users meet it: input kinds, attributes, errors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import NotFittedError

from pystruct_ext import HeldOutScore, SequenceSVM, StructuralSVM, c_path
from pystruct_ext.io import DEFAULT_TEMPLATE, ColumnTable
from pystruct_ext.spaces import CodedLabels, SequenceSpace

TAGS = {
    "the": "DET",
    "a": "DET",
    "dog": "NOUN",
    "cat": "NOUN",
    "runs": "VERB",
    "sees": "VERB",
}


def corpus(n=30, seed=0):
    rng = np.random.default_rng(seed)
    nouns, verbs = ["dog", "cat"], ["runs", "sees"]
    words = [
        ["the", rng.choice(nouns), rng.choice(verbs), "a", rng.choice(nouns)][
            : rng.integers(2, 6)
        ]
        for _ in range(n)
    ]
    words = [[str(w) for w in s] for s in words]
    X = [[[f"w={w}", "bias"] for w in s] for s in words]
    return X, [[TAGS[w] for w in s] for s in words]


@pytest.fixture(scope="module")
def model():
    return SequenceSVM(C=1.0).fit(*corpus())


def test_learns_and_names(model):
    X, y = corpus(seed=1)
    assert model.score(X, y) == 1.0
    assert model.classes_.tolist() == ["DET", "NOUN", "VERB"]
    assert set(model.feature_names_in_) == {"bias", *(f"w={w}" for w in TAGS)}
    assert model.n_features_in_ == 7
    assert model.coef_.shape == (3, 7)
    assert model.transitions_.shape == (3, 3)
    assert model.top_features("NOUN", 2)[0][0] in ("w=dog", "w=cat")
    assert model.top_transitions(1)[0][:2] in (("DET", "NOUN"), ("NOUN", "VERB"))
    assert model.certificate_ == "exact"
    assert 0 <= model.duality_gap_ <= 0.01 * model.primal_objective_
    assert model.relative_gap_ == pytest.approx(
        model.duality_gap_ / model.primal_objective_
    )


def test_attributes_are_views(model):
    column = list(model.feature_names_in_).index("w=dog")
    assert np.shares_memory(model.coef_, model._w)
    noun = model.coef_[1, column]
    assert noun == pytest.approx(dict(model.top_features("NOUN", 7))["w=dog"])


def test_k_best_marginals_scores(model):
    X, _ = corpus(3)
    best = model.predict(X)
    for i, ranked in enumerate(model.predict_k_best(X, 4)):
        assert ranked[0][1] == best[i]
        scores = [s for s, _ in ranked]
        assert scores == sorted(scores, reverse=True)
    for m, s, x in zip(
        model.predict_marginals(X), model.decision_function(X), X, strict=True
    ):
        assert m.shape == s.shape == (len(x), 3)
        np.testing.assert_allclose(m.sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="k must be an integer >= 1"):
        model.predict_k_best(X, 0)
    with pytest.raises(ValueError, match="temperature must be > 0"):
        model.predict_marginals(X, temperature=0)


def test_unknown_names_are_ignored(model):
    assert model.predict([[["never seen"], ["w=dog"]]])[0][1] == "NOUN"


def test_sparse_coefficients_of_seen_pairs():
    X, y = corpus()
    model = SequenceSVM(C=1.0, features="seen").fit(X, y)
    assert issparse(model.coef_)
    assert model.coef_.shape == (3, 7)
    assert model.coef_.nnz <= 9
    assert model.score(X, y) == 1.0


def test_min_count_and_hashing():
    X, y = corpus()
    X[0][0] = ["w=the", "rare"]
    names = SequenceSVM(min_count=2).fit(X, y).feature_names_in_
    assert "rare" not in names
    assert "bias" in names
    hashed = SequenceSVM(hash_bits=10).fit(X, y)
    assert hashed.n_features_in_ == 1024
    assert hashed.score(X, y) > 0.95
    with pytest.raises(AttributeError, match="no names"):
        _ = hashed.feature_names_in_


def test_kinds_of_input_agree():
    rng = np.random.default_rng(0)
    dense = [
        rng.normal(size=(n, 3)) * (rng.random((n, 3)) < 0.8) for n in (3, 4, 2, 5) * 4
    ]
    y = [[("a", "b")[int(v > 0)] for v in x[:, 0]] for x in dense]
    as_dicts = [
        [{f"x{j}": float(v) for j, v in enumerate(r)} for r in x] for x in dense
    ]
    kinds = [dense, [csr_array(x) for x in dense], as_dicts]
    fits = [SequenceSVM(C=1.0, dtype="float64", tol=1e-3).fit(X, y) for X in kinds]
    for fit, X in zip(fits, kinds, strict=True):
        assert fit.predict(X) == fits[0].predict(dense)
        assert fit.primal_objective_ == pytest.approx(
            fits[0].primal_objective_, rel=1e-3
        )


def test_templates_and_coded_labels():
    lines = ["the DT B", "dog NN I", "", "a DT B", "cat NN I", "runs VB O", ""]
    table = ColumnTable("\n".join(lines).encode())
    model = SequenceSVM(template=DEFAULT_TEMPLATE, C=1.0)
    model.fit(table, CodedLabels(*table.column_ids(-1)))
    assert model.predict(table) == table.column(-1)
    rows = [[("the", "DT", "?"), ("cat", "NN", "?")]]
    assert model.predict(rows) == [["B", "I"]]
    plain = SequenceSVM(template=DEFAULT_TEMPLATE, C=1.0).fit(table, table.column(-1))
    assert np.array_equal(plain._w, model._w)


def test_integer_labels_and_arrays():
    X = [np.eye(2), np.eye(2)[::-1]]
    model = SequenceSVM(C=10).fit(X, [np.array([3, 5]), np.array([5, 3])])
    assert model.predict(X) == [[3, 5], [5, 3]]


def test_score_with_labels_never_seen(model):
    X, y = corpus(2, seed=5)
    y[0][0] = "NEW"
    assert 0 < model.score(X, y) < 1


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        ([np.ones((2, 3))], [["a"]], ValueError, "example 0 has 1 labels, but X has 2"),
        ([np.ones((2, 3))] * 2, [["a", "b"]], ValueError, "got 2 and 1"),
        (
            [np.ones((2, 3)), np.ones((2, 4))],
            [["a", "b"]] * 2,
            ValueError,
            r"(?s)example 1.*4.*3|X\[1\].*4.*3",
        ),
        ([np.array([[np.nan]])], [["a"]], ValueError, "(?i)nan|finite"),
        ([np.array([[np.inf], [0]])], [["a", "b"]], ValueError, "(?i)inf|finite"),
        ([np.ones((0, 2))], [[]], ValueError, "(?i)empty|rows|at least 1"),
        ([np.ones((2, 2))], [["a", "a"]], ValueError, "single class 'a'"),
        ([np.ones((2, 2))], [["a", 1]], TypeError, "all strings or all numbers"),
        ([], [], ValueError, "no examples"),
        ([[["f"], 7]], [["a", "b"]], TypeError, "7|int"),
        ([[[3], ["f"]]], [["a", "b"]], Exception, "."),
        ([np.ones((2, 2))], ["ab"], TypeError, "list of labels"),
        ("text", [["a"]], TypeError, "list of examples"),
        (
            [np.ones((2, 2))],
            [["a", None]],
            (TypeError, ValueError),
            "missing|all strings",
        ),
    ],
)
def test_bad_examples(X, y, error, message):
    with pytest.raises(error, match=message):
        SequenceSVM().fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"C": 0}, "C must be a finite number > 0, got 0"),
        ({"C": np.nan}, "C must be"),
        ({"C": "1"}, "C must be"),
        ({"solver": "newton"}, "solver must be one of .*bcfw.*, got 'newton'"),
        ({"features": "some"}, "features must be 'all' or 'seen'"),
        ({"dtype": "int8"}, "dtype must be"),
        ({"min_count": 0}, "min_count must be"),
        ({"hash_bits": 60}, "hash_bits must be"),
        ({"loss": "f1"}, "loss must be 'hamming'"),
        ({"loss": np.ones((3, 3))}, "cost of predicting 'DET' for itself"),
        ({"loss": np.zeros((2, 2))}, r"shape \(2, 2\), expected \(3, 3\)"),
        ({"tol": -1.0}, "tol must be a number >= 0"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        SequenceSVM(**params).fit(*corpus())


def test_bad_input_to_predict(model):
    with pytest.raises(NotFittedError):
        SequenceSVM().predict([])
    with pytest.raises(AttributeError, match="not fitted"):
        _ = SequenceSVM().coef_
    with pytest.raises(
        ValueError, match="kind 'dense', but the model was fitted on 'names'"
    ):
        model.predict([np.ones((2, 3))])
    wide = SequenceSVM().fit([np.eye(3)], [["a", "b", "a"]])
    with pytest.raises(
        ValueError, match="X has 4 features, but the model was fitted on 3"
    ):
        wide.predict([np.ones((2, 4))])
    with pytest.raises(ValueError, match="label must be one of"):
        model.top_features("nope")


def test_held_out_score_stops():
    X, y = corpus(60)
    dev = HeldOutScore(X[40:], y[40:], patience=2)
    model = SequenceSVM(C=1.0, tol=0.0, callback=dev).fit(X[:40], y[:40])
    assert model.status_ == "callback"
    assert dev.best_score_ == 1.0
    assert np.isfinite(model.history_.column("score")).any()
    pickle.loads(pickle.dumps(model)).predict(X)


def test_path():
    X, y = corpus(40)
    path = c_path(
        SequenceSVM(tol=1e-2), X[:30], y[:30], [0.1, 1.0], X_dev=X[30:], y_dev=y[30:]
    )
    assert all(p.estimator.relative_gap_ <= 1e-2 for p in path.points)
    assert path.best.estimator.score(X[30:], y[30:]) == path.best.score


def test_threads_do_not_change_the_result():
    X, y = corpus(60)
    a = SequenceSVM(C=1.0, n_jobs=1).fit(X, y)
    b = SequenceSVM(C=1.0, n_jobs=2).fit(X, y)
    assert np.array_equal(a._w, b._w)
    assert a.predict(X) == b.predict(X)


def test_structural_svm_over_a_space():
    X = [np.eye(2), np.eye(2)[::-1]]
    y = [["a", "b"], ["b", "a"]]
    model = StructuralSVM(SequenceSpace(), C=10).fit(X, y)
    assert model.predict(X) == y
    assert model.score(X, y) == 0.0
    assert model.coef_.shape == (model.space_.size_psi_,)
    model.set_params(space__features="seen", C=1.0).fit(X, y)
    assert model.space_.features == "seen"
    with pytest.raises(TypeError, match="space must be an OutputSpace"):
        StructuralSVM("chain").fit(X, y)
