"""Examples as people have them: frames, Series, arrays of strings, empty sequences."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import pystruct_ext
from pystruct_ext import (
    AlignmentSVM,
    DependencySVM,
    FoldingSVM,
    HeldOutScore,
    MulticlassSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
    c_path,
)
from pystruct_ext.metrics import chunk_f1, token_accuracy
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.structures import STRUCTURES

pd = pytest.importorskip("pandas")

WORDS = [["a", "b"], ["b", "a", "b"], ["a"], ["b", "b"], ["a", "a", "b"], ["b", "a"]]
NAMES = [[[w] for w in words] for words in WORDS]
TAGS = [[w.upper() for w in words] for words in WORDS]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([RankingSVM()])
def test_scikit_learn_contract_of_rankings(estimator, check):
    check(estimator)


# Series and frames of pandas.


def test_series_split_at_random():
    X, y = pd.Series(NAMES), pd.Series(TAGS)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = SequenceSVM(callback=HeldOutScore(X_test, y_test)).fit(X_train, y_train)
    assert model.predict(X_test) == y_test.tolist()
    assert model.score(X_test, y_test) == 1.0
    assert token_accuracy(y_test, model.predict(X_test)) == 1.0
    chunks = pd.Series([["B-A", "O"]], index=[5])
    assert chunk_f1(chunks, chunks) == 1.0
    assert len(model.predict_k_best(X_test, 2)) == len(X_test)
    assert len(model.predict_marginals(X_test)) == len(X_test)
    assert len(model.sample(X_test)) == len(X_test)
    assert len(model.decision_function(X_test)) == len(X_test)
    assert cross_val_score(SequenceSVM(), X, y, cv=3).tolist() == [1.0] * 3
    path = c_path(SequenceSVM(), X_train, y_train, [1.0], X_dev=X_test, y_dev=y_test)
    assert path.best.score == 1.0


def test_a_frame_of_strings_for_every_sequence():
    frames = [pd.DataFrame({"w": words, "cap": [True] * len(words)}) for words in WORDS]
    dicts = [[{"w": w, "cap": True} for w in words] for words in WORDS]
    tags = [pd.Series(t, index=np.arange(len(t)) + 7) for t in TAGS]
    model = SequenceSVM().fit(frames, tags)
    plain = SequenceSVM().fit(dicts, TAGS)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.feature_names_in_.tolist() == ["w:a", "cap", "w:b"]
    assert model.predict(frames) == plain.predict(dicts) == TAGS
    assert model.predict([f[["cap", "w"]] for f in frames]) == TAGS
    assert model.score(frames, tags) == 1.0
    with pytest.raises(TypeError, match="example 1, token 0: feature 'w' must have"):
        model.predict([frames[0], pd.DataFrame({"w": [None]}, dtype=object)])


def test_a_frame_of_numbers_for_every_sequence(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(len(t), 2)) for t in TAGS]
    frames = [pd.DataFrame(x, columns=["one", "two"]) for x in arrays]
    model, plain = SequenceSVM().fit(frames, TAGS), SequenceSVM().fit(arrays, TAGS)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.feature_names_in_.tolist() == ["one", "two"]
    model.save(tmp_path / "m.psx")
    model = pystruct_ext.load(tmp_path / "m.psx")
    # By the names of the columns, whatever their order.
    turned = [f[["two", "one"]] for f in frames]
    assert model.predict(turned) == plain.predict(arrays)
    assert model.predict(arrays) == plain.predict(arrays)
    other = [frames[0], frames[1].rename(columns={"two": "three"})]
    with pytest.raises(
        ValueError, match=r"example 1 has the columns \['one', 'three'\]"
    ):
        model.predict(other)
    missing = frames[0].copy()
    missing.iloc[1, 0] = np.nan
    with pytest.raises(ValueError, match="example 0, row 1 has NaN"):
        model.predict([missing])


def test_frames_of_which_some_have_strings():
    frames = [
        pd.DataFrame({"n": [1, 2], "w": ["a", "b"]}),
        pd.DataFrame({"n": [2.0, 1.0]}),
    ]
    model = SequenceSVM().fit(frames[::-1], [["B", "A"], ["A", "B"]])
    assert model.feature_names_in_.tolist() == ["n", "w:a", "w:b"]
    assert model.predict(frames[1:]) == model.predict(frames)[1:]
    numbers = SequenceSVM().fit(frames[1:], [["B", "A"]])
    with pytest.raises(
        ValueError, match="kind 'names', but the model was fitted on 'dense'"
    ):
        numbers.predict(frames[:1])
    missing = pd.DataFrame({"n": [1, None]}, dtype="Int64")
    with pytest.raises(ValueError, match="X: example 0"):
        numbers.predict([missing])


def test_a_frame_of_segments_and_strings_of_bases():
    frames = [pd.DataFrame({"w": words}) for words in WORDS]
    spans = [[(0, 1, "x"), (1, len(w), "y")] for w in WORDS if len(w) > 1]
    frames = [f for f in frames if len(f) > 1]
    model = SegmentSVM(C=10).fit(frames, pd.Series(spans))
    assert len(model.predict(pd.Series(frames))) == len(frames)
    rna = pd.Series(["GGGAAACCC", "GGGGAAAACCCC"], index=[8, 3])
    folds = np.array(["(((...)))", "((((....))))"])
    assert FoldingSVM(C=1).fit(rna, folds).predict(rna.to_numpy()) == folds.tolist()


@pytest.mark.parametrize("model", [SequenceSVM(), FoldingSVM(), DependencySVM()])
def test_a_frame_is_no_list_of_examples(model):
    table = pd.DataFrame({"sentence": [0, 0], "word": ["a", "b"]})
    with pytest.raises(
        TypeError, match=r"DataFrame with the columns 'sentence', 'word'"
    ):
        model.fit(table, table["word"])


def test_matrices_of_frames():
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame(rng.normal(size=(12, 2))), pd.Series(["a", "b"] * 6)
    model = MulticlassSVM().fit(X, y)
    assert model.score(X, y.astype("category")) == model.score(X.to_numpy(), list(y))
    labels = np.array([0, 1] * 6, dtype=object)
    assert MulticlassSVM().fit(X, labels).predict(X).dtype.kind == "i"
    inner = StructuralSVM(MulticlassSpace())
    assert len(inner.fit(X.to_numpy(), y).predict(X.to_numpy())) == 12


def test_rankings_of_frames():
    rng = np.random.default_rng(0)
    index = np.arange(12)[::-1] + 4
    X = pd.DataFrame(rng.normal(size=(12, 2)), index=index, columns=["p", "q"])
    y = pd.Series((X.p > 0).astype(int).to_numpy(), index=index)
    qid = pd.Series(np.repeat(["u", "v", "w"], 4), index=index)
    model = RankingSVM().fit(X, y, qid=qid)
    arrays = X.to_numpy(), y.to_numpy()
    plain = RankingSVM().fit(*arrays, qid=qid.tolist())
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.score(X, y, qid=qid) == plain.score(*arrays, qid=qid.to_numpy())
    for call in (
        lambda: RankingSVM().fit((x for x in arrays[0]), y),
        lambda: plain.predict(x for x in arrays[0]),
        lambda: MulticlassSVM().fit((x for x in arrays[0]), y),
        lambda: MulticlassSVM().fit(*arrays).predict(x for x in arrays[0]),
    ):
        with pytest.raises(TypeError, match=r"X is a generator, .* pass list\(X\)"):
            call()
    with pytest.raises(TypeError, match=r"y is a generator, .* pass list\(y\)"):
        RankingSVM().fit(X, (v for v in y))
    with pytest.raises(TypeError, match=r"qid is a generator, .* pass list\(qid\)"):
        RankingSVM().fit(X, y, qid=(v for v in qid))


def test_slates_of_queries_in_a_series():
    structure = STRUCTURES["diverse-ranking"]
    queries = structure.problem(np.random.default_rng(0)).X
    model = structure.estimator(**structure.small)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = [slate.tolist() for slate in model.fit(queries).predict(queries)]
        series = pd.Series(queries, index=np.arange(len(queries))[::-1])
        model.fit(series)
    assert [slate.tolist() for slate in model.predict(series)] == plain
    assert model.score(series) == model.score(tuple(queries))
    with pytest.raises(TypeError, match=r"X is a generator, .* pass list\(X\)"):
        model.predict(q for q in queries)


def test_sentences_of_arrays():
    words = (np.array(["a", "b"]), pd.Series(["X", "Y"]))
    tree = (np.array([2, 0]), pd.Series(["q", "r"], index=[5, 1]))
    model = DependencySVM(bits=6, label_bits=4).fit([words], [tree])
    plain = DependencySVM(bits=6, label_bits=4)
    plain.fit([(["a", "b"], ["X", "Y"])], [([2, 0], ["q", "r"])])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.predict([words]) == plain.predict([(["a", "b"], ["X", "Y"])])


# NumPy's scalars and strings.


def test_scalars_of_numpy():
    X = [
        [
            {"w": np.str_(w), np.str_("cap"): np.bool_(True), "n": np.int8(2)}
            for w in words
        ]
        for words in WORDS
    ]
    plain = [[{"w": w, "cap": True, "n": 2} for w in words] for words in WORDS]
    tags = [[np.str_(t) for t in labels] for labels in TAGS]
    model = SequenceSVM().fit(X, tags)
    np.testing.assert_array_equal(model.coef_, SequenceSVM().fit(plain, TAGS).coef_)
    assert {type(c) for c in model.space_.classes_} == {str}
    assert {type(t) for t in model.predict(X)[0]} == {str}
    flags = [[np.bool_(t == "A") for t in labels] for labels in TAGS]
    assert SequenceSVM().fit(X, flags).space_.classes_ == [False, True]
    umlaut = [[[np.str_("ä"), np.str_("日本")], ["b"]]]
    assert SequenceSVM().fit(umlaut, [["x", "y"]]).predict(umlaut) == [["x", "y"]]


def test_arrays_of_strings():
    square = np.array([[["a", "x"], ["b", "x"]], [["b", "y"], ["a", "y"]]])
    tags = np.array([["A", "B"], ["B", "A"]])
    plain = SequenceSVM().fit(square.tolist(), tags.tolist())
    model = SequenceSVM().fit(square, tags)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.predict(list(square)) == tags.tolist()
    tokens = [[np.array(["a", "x"]), pd.Series(["b", "x"])]]
    assert model.predict(tokens) == [["A", "B"]]
    pairs = np.array([["ACGT", "AGT"], ["CCT", "CT"]])
    assert (
        len(AlignmentSVM().fit(pairs, [(0, -1, 1, 2), (0, -1, 1)]).predict(pairs)) == 2
    )


# Iterators, masks, labels that are none.


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: (x for x in NAMES), r"X is a generator, .* pass list\(X\)"),
        (lambda: iter(NAMES), r"X is a list_iterator, .* pass list\(X\)"),
        (lambda: map(list, NAMES), r"X is a map, .* pass list\(X\)"),
        (lambda: dict(enumerate(NAMES)), r"X is a dict, .* pass list\(X.values\(\)\)"),
        (lambda: {("a",)}, "X is a set, which has no order"),
        (lambda: "text", r"X must be a list of examples, got the str 'text'.*\[X\]"),
    ],
)
def test_what_is_no_list(bad, message):
    model = SequenceSVM().fit(NAMES, TAGS)
    calls = (
        lambda: SequenceSVM().fit(bad(), TAGS),
        lambda: model.predict(bad()),
        lambda: model.score(bad(), TAGS),
        lambda: model.predict_k_best(bad(), 1),
        lambda: model.predict_marginals(bad()),
        lambda: model.sample(bad()),
        lambda: model.log_partition(bad()),
        lambda: model.calibrate(bad(), TAGS),
        lambda: SequenceSVM(callback=HeldOutScore(bad(), TAGS)).fit(NAMES, TAGS),
        lambda: c_path(SequenceSVM(), bad(), TAGS),
    )
    for call in calls:
        with pytest.raises(TypeError, match=message):
            call()


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT])
def test_missing_labels_are_named(missing):
    bad = [TAGS[0], [*TAGS[1][:2], missing], *TAGS[2:]]
    for model in (SequenceSVM(), StructuralSVM(SequenceSpace())):
        with pytest.raises(
            ValueError, match="y: the label of token 2 of example 1 is miss"
        ):
            model.fit(NAMES, bad)
    spans = [[(0, len(w), "x")] for w in WORDS]
    spans[3] = [(0, 1, "x"), (1, 2, missing)]
    with pytest.raises(ValueError, match="label of segment 1 of example 3 is missing"):
        SegmentSVM().fit(NAMES, spans)
    with pytest.raises(ValueError, match="class of example 1 is missing"):
        StructuralSVM(MulticlassSpace()).fit(np.eye(3), ["a", missing, "b"])
    words = [(["a", "b"], ["X", "Y"])]
    with pytest.raises(
        ValueError, match="y: example 0: the label of word 2 is missing"
    ):
        DependencySVM(bits=4, label_bits=4).fit(words, [([2, 0], ["x", missing])])


def test_labels_that_cannot_be():
    with pytest.raises(TypeError, match=r"token 0 of example 1 has the label \['A'\]"):
        SequenceSVM().fit(NAMES[:2], [TAGS[0], [["A"], "B", "A"]])
    with pytest.raises(TypeError, match="labels cannot be sorted"):
        SequenceSVM().fit(NAMES[:1], [[1j, 2]])
    with pytest.raises(TypeError, match=r"\(0, 1.5, 'x'\), expected whole numbers"):
        SegmentSVM().fit(NAMES[:1], [[(0, 1.5, "x"), (1.5, 2, "y")]])


def test_masked_arrays():
    x = np.ma.array(np.eye(2), mask=[[False, True], [False, False]])
    with pytest.raises(
        ValueError, match=r"X: example 0 has a masked entry at \(0, 1\)"
    ):
        SequenceSVM().fit([x], [["A", "B"]])
    with pytest.raises(ValueError, match=r"X has a masked entry at \(0, 0, 1\)"):
        SequenceSVM().fit(x[None], [["A", "B"]])
    with pytest.raises(ValueError, match="token 1 of example 0 is missing"):
        SequenceSVM().fit([np.eye(2)], [np.ma.array(["A", "B"], mask=[0, 1])])
    with pytest.raises(ValueError, match="token_weight: example 0 has a masked entry"):
        weight = [np.ma.array([1.0, 1.0], mask=[0, 1])]
        SequenceSVM().fit([np.eye(2)], [["A", "B"]], token_weight=weight)
    with pytest.raises(
        ValueError, match="token_weight: example 0 must hold real numbers"
    ):
        SequenceSVM().fit([np.eye(2)], [["A", "B"]], token_weight=[[1j, 1]])


# Empty examples.


def test_empty_sequences_are_predicted_as_empty_lists():
    model = SequenceSVM(dtype="float64").fit(NAMES, TAGS)
    X = [[], NAMES[0], (), NAMES[1], np.empty((0, 1), dtype=object)]
    assert model.predict(X) == [[], TAGS[0], [], TAGS[1], []]
    assert model.predict([[], []]) == [[], []]
    assert model.score(X, [[], TAGS[0], [], TAGS[1], []]) == 1.0
    best = model.predict_k_best(X, 2)
    assert best[0] == best[2] == [(0.0, [])]
    assert best[1] == model.predict_k_best([NAMES[0]], 2)[0]
    marginals = model.predict_marginals(X)
    assert [p.shape for p in marginals] == [(0, 2), (2, 2), (0, 2), (3, 2), (0, 2)]
    assert model.predict_marginals(X, as_dicts=True)[0] == []
    log_z = model.log_partition(X)
    assert log_z[[0, 2, 4]].tolist() == [0.0, 0.0, 0.0]
    assert log_z[1] == model.log_partition([NAMES[0]])[0]
    assert model.sample(X, 2)[0] == [[], []]
    assert [s.shape for s in model.decision_function(X)] == [p.shape for p in marginals]


def test_empty_sequences_of_every_kind():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(len(t), 2)) for t in TAGS]
    for kind in (np.asarray, csr_matrix):
        model = SequenceSVM().fit([kind(x) for x in arrays], TAGS)
        assert model.predict([kind(np.zeros((0, 2))), kind(arrays[0])])[0] == []
    frames = [pd.DataFrame({"w": words}) for words in WORDS]
    assert SequenceSVM().fit(frames, TAGS).predict([frames[0][:0]]) == [[]]
    spans = [[(0, len(w), "x")] for w in WORDS]
    assert SegmentSVM().fit(NAMES, spans).predict([[], NAMES[2]]) == [[], [(0, 1, "x")]]
    folding = FoldingSVM(C=1).fit(["GGGAAACCC", ""], ["(((...)))", ""])
    assert folding.predict(["", "AAA"]) == ["", "..."]
    assert folding.predict(["", "AAA"], constraints=["", "..."]) == ["", "..."]
    assert folding.score(["", "GGGAAACCC"], ["", "(((...)))"]) == 1.0
    pairs = [("ACGT", "AGT"), ("CCT", ""), ("", "AC")]
    aligned = AlignmentSVM().fit(pairs, [(0, -1, 1, 2), (-1, -1, -1), ()])
    assert aligned.predict(pairs)[1:] == [(-1, -1, -1), ()]
    assert [p.shape for p in aligned.predict_marginals(pairs)] == [
        (4, 3),
        (3, 0),
        (0, 2),
    ]
    parser = DependencySVM(bits=6, label_bits=4)
    parser.fit([(["a"], ["X"]), ([], [])], [([0], ["root"]), ([], [])])
    assert parser.predict([([], []), (["a"], ["X"])])[0].heads == ()


def test_empty_sequences_have_no_influence_on_a_fit():
    with_empty, tags = [[], *NAMES[:3], [], *NAMES[3:]], [[], *TAGS[:3], (), *TAGS[3:]]
    weight = np.arange(len(NAMES)) + 1.0
    ones = [np.ones(len(t)) for t in TAGS]
    plain = SequenceSVM().fit(NAMES, TAGS, weight, ones)
    model = SequenceSVM().fit(
        with_empty,
        tags,
        np.insert(weight, [0, 3], 5.0),
        [[], *ones[:3], [], *ones[3:]],
    )
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.primal_objective_ == plain.primal_objective_
    path = c_path(SequenceSVM(), with_empty, tags, [1.0])
    assert path.points[0].estimator.predict([[], NAMES[0]]) == [[], TAGS[0]]


def test_errors_count_the_empty_ones():
    X, y = [[], NAMES[0], [], NAMES[1]], [[], TAGS[0], [], TAGS[1]]
    model = SequenceSVM().fit(X, y)
    with pytest.raises(TypeError, match="X: example 3, token 0"):
        model.predict([*X[:3], [[3]]])
    with pytest.raises(
        ValueError, match="y: example 3 has 1 labels, but X has 3 tokens"
    ):
        SequenceSVM().fit(X, [*y[:3], ["A"]])
    with pytest.raises(ValueError, match=r"y: example 2 is \['A'\], but X has nothing"):
        SequenceSVM().fit(X, [[], TAGS[0], ["A"], TAGS[1]])
    with pytest.raises(ValueError, match="same number of examples, got 4 and 3"):
        SequenceSVM().fit(X, y[:3])
    with pytest.raises(ValueError, match="y: example 2 has 1 labels, but X has 0"):
        model.score(X, [[], TAGS[0], ["A"], TAGS[1]])
    folding = FoldingSVM().fit(["AAAA"], ["...."])
    with pytest.raises(ValueError, match="X: example 2 has 'Z' at position 2"):
        folding.predict(["", "AAA", "AZA"])


# scikit-learn's tools, over every structure.


@pytest.fixture(params=STRUCTURES.values(), ids=lambda s: s.name)
def case(request):
    structure = request.param
    return structure, structure.problem(np.random.default_rng(0))


def test_cross_val_predict_of_every_structure(case):
    structure, problem = case
    model = structure.estimator(**structure.small)
    qid = problem.fit_params.get("qid")
    cv = KFold(2) if qid is None else GroupKFold(2)
    n = len(problem.y if problem.y is not None else problem.X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = cross_val_predict(
            model, problem.X, problem.y, cv=cv, groups=qid, params=problem.fit_params
        )
        assert found.shape == (n,)
        if problem.y is None or isinstance(problem.y, np.ndarray):
            return
        # Two examples in turn: outputs of at most two lengths, often of one.
        longest = max(range(n), key=lambda i: len(str(problem.y[i])))
        same = structure.select(problem, [longest] * 6)
        found = cross_val_predict(model, same.X, same.y, cv=3)
    assert found.shape == (6,)
    assert len({str(y) for y in found}) == 1


def test_pipeline_and_search_over_series():
    X, y = pd.Series(WORDS, index=list("fedcba")), pd.Series(TAGS, index=list("abcdef"))

    def features(words):
        return [[["w=" + w] for w in sentence] for sentence in words]

    pipe = make_pipeline(FunctionTransformer(features), SequenceSVM())
    search = GridSearchCV(
        pipe, {"sequencesvm__C": [0.1, 1.0]}, cv=2, error_score="raise"
    )
    assert search.fit(X, y).score(X, y) == 1.0
    assert cross_val_predict(pipe, X, y, cv=2).tolist() == TAGS
