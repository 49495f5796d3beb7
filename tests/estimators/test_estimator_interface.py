"""What every estimator has in common: parameters, signatures, attributes, weights."""

from __future__ import annotations

import inspect
import pickle
import warnings
from itertools import product

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import pystruct_ext.estimators
from pystruct_ext import (
    AlignmentSVM,
    ClusteringSVM,
    ConstituencySVM,
    DependencySVM,
    DiverseRankingSVM,
    FoldingSVM,
    GraphSVM,
    HeldOutScore,
    MatchingSVM,
    MulticlassSVM,
    MultilabelSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
    SubclassSVM,
    c_path,
)
from pystruct_ext.datasets import (
    load_ambiguous_queries,
    make_alignments,
    make_folds,
    make_treebank,
)
from pystruct_ext.diversify import QueryTextFeatures
from pystruct_ext.estimators import BaseStructuralSVM
from pystruct_ext.outputs import Graph, MatchingProblem, PairGraph
from pystruct_ext.spaces import MulticlassSpace, OutputSpace, SequenceSpace

N = 8
RNG = np.random.default_rng(0)
BANK = make_treebank(N)
FOLDS = make_folds(N)
PAIRS = make_alignments(N)
SEQUENCES = [RNG.normal(size=(3 + i % 3, 3)) for i in range(N)]
TAGS = [x.argmax(axis=1).tolist() for x in SEQUENCES]
SPANS = [[(0, 2, "a"), (2, len(x), "b")] for x in SEQUENCES]
ROWS = RNG.normal(size=(N, 3))
DOCUMENTS = RNG.normal(size=(5 * N, 3))
GRADES = np.tile([0.0, 2.0, 0.0, 1.0, 0.0], N)
QID = np.repeat(np.arange(N), 5)
QUERIES = load_ambiguous_queries("train")[:N]
QUERIES = QueryTextFeatures().fit(QUERIES).transform(QUERIES)

GRAPHS = [Graph(x, [(v, v + 1) for v in range(len(x) - 1)]) for x in SEQUENCES]
LINKED = [MatchingProblem(RNG.normal(size=(3, 4, 2))) for _ in range(N)]
LINKS = [[(int(x.features[:, 0].argmax()) // 4, k % 4)] for k, x in enumerate(LINKED)]
PAIR_GRAPHS = [
    PairGraph(4, [(0, 1), (1, 2), (2, 3), (0, 3)], RNG.normal(size=(4, 2)))
    for _ in range(N)
]
SUBCLASSES = [(int(x.argmax()), k % 2) for k, x in enumerate(ROWS)]
CLUSTERS = [[0, 0, int(g.features[0, 0] > 0), 2] for g in PAIR_GRAPHS]

SMALL = {"bits": 8, "label_bits": 6}
CASES = {
    "structural": (StructuralSVM(SequenceSpace()), SEQUENCES, TAGS),
    "sequence": (SequenceSVM(), SEQUENCES, TAGS),
    "multiclass": (MulticlassSVM(), ROWS, ROWS.argmax(axis=1)),
    "dependency": (DependencySVM(**SMALL), BANK.sentences, BANK.dependencies),
    "unlabelled": (
        DependencySVM(labelled=False, **SMALL),
        BANK.sentences,
        BANK.dependencies,
    ),
    "constituency": (ConstituencySVM(bits=8), BANK.sentences, BANK.trees),
    "folding": (FoldingSVM(decode="best"), *FOLDS),
    "segments": (SegmentSVM(), SEQUENCES, SPANS),
    "alignment": (AlignmentSVM(), *PAIRS),
    "multilabel": (MultilabelSVM(), ROWS, (ROWS > 0).astype(int)),
    "subclass": (SubclassSVM(), ROWS, SUBCLASSES),
    "graph": (GraphSVM(), GRAPHS, TAGS),
    "matching": (MatchingSVM(), LINKED, LINKS),
    "clustering": (ClusteringSVM(), PAIR_GRAPHS, CLUSTERS),
    "ranking": (RankingSVM(), DOCUMENTS, GRADES),
    "diverse": (DiverseRankingSVM(rounds=1, max_iter=10), QUERIES, None),
}
# Those whose examples are the elements of X.
SPLITTABLE = [name for name in CASES if name not in ("ranking", "subclass")]
STRUCTURES = [
    name
    for name in CASES
    if name
    not in ("structural", "multiclass", "multilabel", "subclass", "ranking", "diverse")
]
SOLVER = [
    "solver",
    "tol",
    "max_iter",
    "max_time",
    "n_jobs",
    "random_state",
    "verbose",
    "callback",
]


def extra(model):
    return {"qid": QID} if isinstance(model, RankingSVM) else {}


def fitted(name, model=None, **kwargs):
    given, X, y = CASES[name]
    model = clone(given) if model is None else model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **extra(model), **kwargs)


@pytest.fixture(scope="module")
def models():
    """Every estimator, with weights that predict badly."""
    out = {name: fitted(name) for name in CASES}
    for model in out.values():
        # Each its own: the order of the cases says nothing. The weight of the energies is
        # large, as their scale is small.
        rng = np.random.default_rng(3)
        much = 0.02 if isinstance(model, FoldingSVM) else 1.0
        noise = much * rng.normal(size=model._w.shape) * np.abs(model._w).max()
        model._w = (model._w + noise).astype(model._w.dtype)
    return out


def test_the_cases_are_all_estimators():
    public = {
        c
        for c in vars(pystruct_ext.estimators).values()
        if inspect.isclass(c) and issubclass(c, BaseStructuralSVM)
    }
    seen = {type(model) for model, _, _ in CASES.values()}
    assert public - {BaseStructuralSVM} == seen


@pytest.mark.parametrize("name", CASES)
def test_order_of_parameters(name):
    cls = type(CASES[name][0])
    parameters = list(inspect.signature(cls).parameters.values())
    names = [p.name for p in parameters]
    if cls is StructuralSVM:
        assert names.pop(0) == "space"
        parameters.pop(0)
    assert names[0] == "C"
    assert parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[1:])
    assert "loss" not in names[2:]
    assert names[-len(SOLVER) :] == SOLVER
    if "dtype" in names:
        assert names[-len(SOLVER) - 1] == "dtype"


@pytest.mark.parametrize("name", CASES)
def test_signatures_of_methods(name):
    cls = type(CASES[name][0])
    for method, first in (
        ("fit", ["X", "y", "sample_weight"]),
        ("score", ["X", "y", "sample_weight"]),
        ("predict", ["X"]),
        ("predict_k_best", ["X", "k"]),
        ("predict_marginals", ["X", "temperature"]),
        ("log_partition", ["X", "temperature"]),
    ):
        parameters = list(inspect.signature(getattr(cls, method)).parameters.values())
        assert [p.name for p in parameters[1 : 1 + len(first)]] == first
        for p in parameters[1 + len(first) :]:
            assert p.default is not inspect.Parameter.empty
    assert isinstance(inspect.getattr_static(cls, "coef_"), property)


@pytest.mark.parametrize("name", CASES)
def test_fit_writes_no_parameter(name):
    model = clone(CASES[name][0])
    before = model.get_params(deep=False)
    written = []

    class Watched(type(model)):
        def __setattr__(self, key, value):
            if key in before:
                written.append(key)
            super().__setattr__(key, value)

    model.__class__ = Watched
    assert fitted(name, model) is model
    assert written == []
    after = model.get_params(deep=False)
    assert list(after) == list(before)
    assert all(after[key] is before[key] for key in before)


@pytest.mark.parametrize("name", CASES)
def test_fitted_attributes(name):
    model = clone(CASES[name][0])
    with pytest.raises(AttributeError, match="not fitted"):
        model.coef_  # noqa: B018
    fitted(name, model)
    assert model.coef_.size == model.space_.size_psi_ or name in (
        *("sequence", "multiclass", "multilabel", "subclass", "ranking"),
    )
    for attribute in (
        "primal_objective_",
        "dual_objective_",
        "duality_gap_",
        "relative_gap_",
    ):
        assert isinstance(getattr(model, attribute), float)
    assert model.certificate_ in ("exact", "bounded", "relaxed", "none")
    assert model.status_ in ("converged", "max_iter")
    assert model.n_iter_ == model.history_[-1]["epoch"] > 0
    assert model.n_oracle_calls_ > 0


@pytest.mark.parametrize("name", [n for n in CASES if n != "structural"])
def test_the_space_gets_every_parameter_of_its_name(name):
    model = clone(CASES[name][0])
    params = model.get_params(deep=False)
    if "loss" in params:
        marker = object()
        space = model.set_params(loss=marker)._make_space()
        assert space.task_loss is marker
    space = model._make_space()
    shared = set(space.get_params(deep=False)) & set(params)
    assert len(shared) >= 2
    for key in shared:
        assert getattr(space, key) is getattr(model, key)
    left = set(space.get_params(deep=False)) - shared - {"task_loss"}
    assert left == ({"parts", "discounted"} if name == "diverse" else set())


TIMES = np.array([2, 1, 0, 3, 1, 0, 1, 1])


@pytest.mark.parametrize("name", SPLITTABLE)
def test_score_with_weights_is_score_of_repetitions(name, models):
    model = models[name]
    _, X, y = CASES[name]
    at = np.repeat(np.arange(N), TIMES).tolist()
    repeated = X[at] if isinstance(X, np.ndarray) else [X[i] for i in at]
    outputs = None if y is None else [y[i] for i in at]
    plain = model.score(X, y)
    weighted = model.score(X, y, TIMES.astype(float))
    assert weighted == pytest.approx(model.score(repeated, outputs), rel=1e-9)
    assert model.score(X, y, sample_weight=np.ones(N)) == pytest.approx(plain)
    assert weighted != pytest.approx(plain), "the weights change nothing here"


def test_score_of_queries_with_weights(models):
    model = models["ranking"]
    rows = [q == QID for q in range(N)]
    X, y = (
        np.concatenate(
            [a[r] for r, t in zip(rows, TIMES, strict=True) for _ in range(t)]
        )
        for a in (DOCUMENTS, GRADES)
    )
    qid = np.repeat(np.arange(TIMES.sum()), 5)
    weighted = model.score(DOCUMENTS, GRADES, TIMES, qid=QID)
    assert weighted == pytest.approx(model.score(X, y, qid=qid))
    assert weighted != pytest.approx(model.score(DOCUMENTS, GRADES, qid=QID))


@pytest.mark.parametrize("name", [n for n in SPLITTABLE if n != "multiclass"])
def test_bad_weights_of_score(name, models):
    _, X, y = CASES[name]
    with pytest.raises(ValueError, match="one weight per example"):
        models[name].score(X, y, np.ones(N + 1))
    with pytest.raises(ValueError, match="example 1 has -1"):
        models[name].score(X, y, [1.0, -1.0, *np.ones(N - 2)])
    if y is not None:
        with pytest.raises(ValueError, match="same number of examples"):
            models[name].score(X, y[:-1])


def test_what_there_are_no_sums_of():
    X = CASES["matching"][1]
    model = fitted("matching")
    assert model.predict_k_best(X[:1], 2)[0][0][1] == model.predict(X[:1])[0]
    with pytest.raises(NotImplementedError, match="offers no log-partition"):
        model.log_partition(X)
    with pytest.raises(NotImplementedError, match="offers no k best"):
        fitted("clustering").predict_k_best(CASES["clustering"][1], 2)


@pytest.mark.parametrize(
    "name", [n for n in STRUCTURES if n not in ("matching", "clustering")]
)
def test_k_best_marginals_log_partition(name):
    model = fitted(name)
    X = CASES[name][1][:3]
    best, log_z = model.predict_k_best(X, 3), model.log_partition(X, 2.0)
    marginals = model.predict_marginals(X, 2.0)
    for one, z, p, y in zip(best, log_z, marginals, model.predict(X), strict=True):
        assert one[0][1] == y
        assert [s for s, _ in one] == sorted((s for s, _ in one), reverse=True)
        scores = np.array([s for s, _ in one])
        assert z >= logsumexp(scores / 2.0) - 1e-4
        assert p.min() >= -1e-9
        assert p.max() <= 1 + 1e-6
    with pytest.raises(ValueError, match="k must be"):
        model.predict_k_best(X, 0)
    with pytest.raises(ValueError, match="temperature must be"):
        model.log_partition(X, 0.0)


def test_log_partition_of_chains_is_the_sum_over_all_outputs():
    model = SequenceSVM(dtype="float64").fit(SEQUENCES, TAGS)
    for x, z in zip(SEQUENCES, model.log_partition(SEQUENCES, 0.7), strict=True):
        scores = [
            model.space_.joint_feature(x, list(y)) @ model._w
            for y in product(model.classes_.tolist(), repeat=len(x))
        ]
        assert z == pytest.approx(logsumexp(np.array(scores) / 0.7), rel=1e-9)


@pytest.mark.parametrize("name", ["ranking", "diverse"])
def test_without_a_forest_there_are_no_k_best(name, models):
    X = CASES[name][1]
    with pytest.raises(NotImplementedError, match="offers no k best outputs"):
        models[name].predict_k_best(X, 2)
    with pytest.raises(NotImplementedError, match="offers no marginals"):
        models[name].predict_marginals(X)
    with pytest.raises(NotImplementedError, match="offers no log-partition"):
        models[name].log_partition(X)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("ranking", "diverse")])
def test_points_of_a_path_have_what_fit_sets(name):
    model, X, y = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        (point,) = c_path(model, X, y, [model.C]).points
    cold = fitted(name)
    assert set(vars(point.estimator)) == set(vars(cold))
    found, expected = (m.predict(X) for m in (point.estimator, cold))
    assert (
        np.array(found, dtype=object).tolist()
        == np.array(expected, dtype=object).tolist()
    )


def test_no_path_over_rounds():
    model, X, y = CASES["diverse"]
    with pytest.raises(TypeError, match="which trains in rounds; use GridSearchCV"):
        c_path(model, X, y)


def test_a_loss_in_the_place_of_c():
    with pytest.raises(ValueError, match=r"C comes first, and the loss .* keywords"):
        RankingSVM("pairs").fit(DOCUMENTS, GRADES, qid=QID)
    with pytest.raises(ValueError, match="C comes first"):
        DiverseRankingSVM("mixture").fit(QUERIES)
    with pytest.raises(ValueError, match="by the keyword qid"):
        RankingSVM().fit(DOCUMENTS, GRADES, QID)


@pytest.mark.parametrize(("lengths", "solver"), [(5, "bcfw"), (2500, "one_slack")])
def test_auto_solver_of_rankings(lengths, solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * lengths, 2))
    y = (X[:, 0] > 0.3).astype(float)
    model = RankingSVM(loss="pairs", tol=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, qid=np.repeat([0, 1], lengths))
    assert model._solver_name() == solver
    assert model.solver == "auto"


def test_held_out_queries_are_ranked_by_the_weights_of_the_epoch():
    dev = HeldOutScore(QUERIES, None, patience=None)
    model = DiverseRankingSVM(rounds=1, max_iter=5, callback=dev).fit(QUERIES[:4])
    seen = model.history_.column("score")
    assert len(set(seen[~np.isnan(seen)])) > 1
    assert model.score(QUERIES) == pytest.approx(dev.best_score_)


class SignSpace(OutputSpace):
    """Output 1 or -1 of a vector, with a cost."""

    def __init__(self, task_loss=1.0, shift=0.0):
        self.task_loss = task_loss
        self.shift = shift

    def fit_domain(self, X, Y=None):
        self.size_psi_ = len(X[0])
        return self

    def joint_feature(self, x, y):
        return y * (np.asarray(x) + self.shift)

    def loss(self, y, y_hat):
        return self.task_loss * float(y != y_hat)

    def decode(self, w, x):
        return 1 if self.joint_feature(x, 1) @ w >= 0 else -1

    def loss_augmented_decode(self, w, x, y):
        def value(z):
            return self.loss(y, z) + self.joint_feature(x, z) @ w

        return max((1, -1), key=value)


class PlainSVM(BaseStructuralSVM):
    _space_class = SignSpace


class SignSVM(BaseStructuralSVM):
    _space_class = SignSpace

    def __init__(self, C=1.0, *, loss=1.0, shift=0.0, solver="bcfw", tol=None):
        super().__init__(C, solver, tol)
        self.loss = loss
        self.shift = shift


def test_an_estimator_for_a_space_of_ones_own():
    X, y = list(ROWS), [1 if x[0] > 0 else -1 for x in ROWS]
    plain = PlainSVM(5.0).fit(X, y)
    assert plain.score(X, y) == 0.0
    assert plain.certificate_ == "exact"
    same = StructuralSVM(SignSpace(), 5.0).fit(X, y)
    np.testing.assert_array_equal(plain.coef_, same.coef_)
    model = SignSVM(5.0, loss=3.0, shift=0.5)
    assert set(model.get_params()) == {"C", "loss", "shift", "solver", "tol"}
    fit = clone(model).fit(X, y)
    assert (fit.space_.task_loss, fit.space_.shift) == (3.0, 0.5)
    assert pickle.loads(pickle.dumps(fit)).predict(X) == fit.predict(X)
    folds = [([0, 1, 2, 3], [4, 5, 6, 7]), ([4, 5, 6, 7], [0, 1, 2, 3])]
    search = GridSearchCV(model, {"loss": [1.0, 2.0]}, cv=folds).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(c_path(model, X, y, [0.1, 1.0]).points) == 2


def test_the_base_class_serves_compiled_spaces():
    class RowSVM(BaseStructuralSVM):
        _space_class = MulticlassSpace

    labels = ROWS.argmax(axis=1)
    model = RowSVM(C=10.0).fit(ROWS, labels)
    other = StructuralSVM(MulticlassSpace(), C=10.0).fit(ROWS, labels)
    np.testing.assert_array_equal(model.coef_, other.coef_)
