"""SequenceSVM: predictions, inspection, and an error for every kind of bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse

from pystruct_ext import SequenceSVM, StructuralSVM
from pystruct_ext.spaces import MulticlassSpace, SequenceSpace
from pystruct_ext.testing import brute_force

X = [
    [["w=the", "cap"], ["w=dog"], ["w=runs"]],
    [["w=a"], ["w=cat"]],
    [["w=the"], ["w=cat"], ["w=runs"], ["w=fast", "end"]],
]
Y = [["DET", "NOUN", "VERB"], ["DET", "NOUN"], ["DET", "NOUN", "VERB", "ADV"]]
NAMES = ["w=the", "cap", "w=dog", "w=runs", "w=a", "w=cat", "w=fast", "end"]


@pytest.fixture(scope="module")
def model():
    return SequenceSVM(C=10, tol=1e-3).fit(X, Y)


def arrays(n=20, seed=0, d=3):
    """Labels follow the first feature and the label before."""
    rng = np.random.default_rng(seed)
    inputs, outputs = [], []
    for _ in range(n):
        x = rng.normal(size=(rng.integers(1, 7), d))
        y, last = [], 0
        for token in x:
            last = int(token[0] + 0.5 * last + 0.3 * rng.normal() > 0)
            y.append(last)
        inputs.append(x)
        outputs.append(y)
    return inputs, outputs


def test_learns_the_training_data(model):
    assert model.predict(X) == Y
    assert model.score(X, Y) == 1.0
    assert model.predict([[["w=a"], ["w=dog"], ["never seen"]]])[0][:2] == [
        "DET",
        "NOUN",
    ]


def test_generalises():
    model = SequenceSVM(C=1).fit(*arrays(40))
    test_x, test_y = arrays(40, seed=1)
    assert model.score(test_x, test_y) > 0.8
    token_accuracy = np.mean(
        np.concatenate(test_y) == np.concatenate(model.predict(test_x))
    )
    assert model.score(test_x, test_y) == pytest.approx(token_accuracy)


def test_weighted_score(model):
    wrong = [["DET", "NOUN", "NOUN"], *Y[1:]]
    assert model.score(X, wrong) == pytest.approx(8 / 9)
    assert model.score(X, wrong, sample_weight=[0, 1, 1]) == 1.0
    assert model.score(X, wrong, sample_weight=[1, 0, 0]) == pytest.approx(2 / 3)


def test_score_of_labels_never_seen(model):
    assert model.score(X, [["ODD"] * len(y) for y in Y]) == 0.0


def test_k_best(model):
    found = model.predict_k_best(X, 7)
    for x, best, one in zip(X, found, model.predict(X), strict=True):
        assert best[0][1] == one
        assert [s for s, _ in best] == sorted((s for s, _ in best), reverse=True)
        assert len({tuple(labels) for _, labels in best}) == 7
        want = brute_force(model.space_, model._w, x).value
        assert best[0][0] == pytest.approx(want, rel=1e-4, abs=1e-4)
    assert len(model.predict_k_best([[["w=a"]]], 100)[0]) == 4
    with pytest.raises(ValueError, match="k must be an integer >= 1, got 0"):
        model.predict_k_best(X, 0)
    with pytest.raises(ValueError, match="k must be an integer"):
        model.predict_k_best(X, 1.5)


def test_marginals(model):
    for x, p in zip(X, model.predict_marginals(X), strict=True):
        assert p.shape == (len(x), 4)
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
        assert p.min() >= 0
    cold = model.predict_marginals(X, temperature=0.02)
    for p, labels in zip(cold, model.predict(X), strict=True):
        assert [model.classes_[k] for k in p.argmax(axis=1)] == labels
    flat = model.predict_marginals(X, temperature=1e4)
    np.testing.assert_allclose(np.concatenate(flat), 0.25, atol=1e-2)
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature must be > 0"):
            model.predict_marginals(X, temperature=bad)


def test_decision_function_holds_the_state_scores(model):
    scores = model.decision_function(X)
    for x, s in zip(X, scores, strict=True):
        assert s.shape == (len(x), 4)
        for token, row in zip(x, s, strict=True):
            columns = [NAMES.index(name) for name in token]
            want = model.coef_[:, columns].sum(axis=1)
            np.testing.assert_allclose(row, want, rtol=1e-4, atol=1e-6)


def test_parts_are_views_that_make_up_the_score(model):
    assert model.coef_.shape == (4, 8)
    assert model.transitions_.shape == (4, 4)
    assert model.start_.shape == model.end_.shape == (4,)
    parts = (model.coef_, model.transitions_, model.start_, model.end_)
    assert all(np.shares_memory(part, model._w) for part in parts)
    assert model.classes_.tolist() == ["ADV", "DET", "NOUN", "VERB"]
    y = [model.classes_.tolist().index(label) for label in Y[2]]
    state = model.decision_function(X)[2]
    total = model.start_[y[0]] + model.end_[y[-1]] + state[range(4), y].sum()
    total += sum(model.transitions_[p, q] for p, q in itertools.pairwise(y))
    assert model.predict_k_best(X, 1)[2][0][0] == pytest.approx(total, rel=1e-5)


def test_names(model):
    assert model.feature_names_in_.tolist() == NAMES
    assert model.n_features_in_ == 8
    top = model.top_features("VERB", 3)
    assert top[0][0] == "w=runs"
    assert [w for _, w in top] == sorted((w for _, w in top), reverse=True)
    row = model.coef_[3]
    assert dict(model.top_features("VERB", 100)) == pytest.approx(
        dict(zip(NAMES, row.tolist(), strict=True))
    )
    pairs = [(p, q) for p, q, _ in model.top_transitions(3)]
    assert ("DET", "NOUN") in pairs
    for p, q, weight in model.top_transitions(100):
        classes = model.classes_.tolist()
        assert model.transitions_[classes.index(p), classes.index(q)] == weight
    assert model.top_features("VERB", 0) == []
    with pytest.raises(ValueError, match="label must be one of"):
        model.top_features("NONE")


def test_names_of_arrays():
    model = SequenceSVM().fit(*arrays())
    assert {name for name, _ in model.top_features(1, 3)} == {"x0", "x1", "x2"}
    assert model.top_features(1, 1)[0][0] == "x0"
    with pytest.raises(AttributeError, match="no names"):
        model.feature_names_in_  # noqa: B018


def test_seen_features_are_sparse_and_agree_on_what_they_hold():
    model = SequenceSVM(C=10, features="seen").fit(X, Y)
    assert issparse(model.coef_)
    assert model.coef_.shape == (4, 8)
    pairs = {
        (label, name)
        for x, y in zip(X, Y, strict=True)
        for token, label in zip(x, y, strict=True)
        for name in token
    }
    assert model.coef_.nnz <= len(pairs)
    assert model.space_.n_state_ == len(pairs)
    assert model.predict(X) == Y
    assert model.top_features("VERB", 1)[0][0] == "w=runs"


def test_hashed_names():
    model = SequenceSVM(C=10, hash_bits=8).fit(X, Y)
    assert model.n_features_in_ == 256
    assert model.predict(X) == Y
    with pytest.raises(AttributeError, match="no names"):
        model.feature_names_in_  # noqa: B018


def test_min_count_drops_rare_names():
    model = SequenceSVM(min_count=2).fit(X, Y)
    assert model.feature_names_in_.tolist() == ["w=the", "w=runs", "w=cat"]
    assert len(model.predict(X)[0]) == 3


def test_values_weigh_in():
    named = [[{"v": float(t[0]), "u": float(t[1])} for t in x] for x in arrays(d=2)[0]]
    y = arrays(d=2)[1]
    a = SequenceSVM(tol=1e-3, dtype="float64").fit(arrays(d=2)[0], y)
    b = SequenceSVM(tol=1e-3, dtype="float64").fit(named, y)
    assert a.dual_objective_ <= b.primal_objective_ + 1e-9
    assert b.dual_objective_ <= a.primal_objective_ + 1e-9
    np.testing.assert_allclose(a.coef_, b.coef_, atol=0.1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_optimum_through_every_door(dtype):
    inputs, y = arrays()
    models = [
        SequenceSVM(dtype=dtype).fit(inputs, y),
        SequenceSVM(dtype=dtype).fit([csr_matrix(x) for x in inputs], y),
        SequenceSVM(dtype=dtype).fit([x.tolist() for x in inputs], y),
        StructuralSVM(SequenceSpace(dtype=dtype), C=0.1, tol=1e-2).fit(inputs, y),
    ]
    lows = [m.dual_objective_ for m in models]
    highs = [m.primal_objective_ for m in models]
    assert max(lows) <= min(highs) * (1 + 1e-5)


def test_float32_and_float64_certify_one_optimum():
    inputs, y = arrays(30)
    slim = SequenceSVM(tol=1e-3, dtype="float32").fit(inputs, y)
    wide = SequenceSVM(tol=1e-3, dtype="float64").fit(inputs, y)
    assert slim.coef_.dtype == np.float32
    assert wide.coef_.dtype == np.float64
    room = 1e-5 * wide.primal_objective_
    assert slim.dual_objective_ <= wide.primal_objective_ + room
    assert wide.dual_objective_ <= slim.primal_objective_ + room


def bio_data(seed=0, n=25):
    rng = np.random.default_rng(seed)
    inputs, outputs = [], []
    for _ in range(n):
        y = []
        while len(y) < 6:
            kind = rng.choice(["x", "y"])
            y += ["O"] if rng.random() < 0.5 else [f"B-{kind}"] + [f"I-{kind}"] * 2
        x = rng.normal(size=(len(y), 3))
        x[:, 0] += [2.0 * (label[0] == "I") for label in y]
        inputs.append(x)
        outputs.append(y)
    return inputs, outputs


def violations(sequences):
    count = 0
    for y in sequences:
        for before, label in itertools.pairwise(["O", *y]):
            count += label[0] == "I" and before[1:] != label[1:]
    return count


def test_constraints_are_never_violated():
    inputs, y = bio_data()
    # Little data and little weight: a free model does violate them.
    fresh = [np.random.default_rng(k).normal(size=(8, 3)) * 5 for k in range(60)]
    free = SequenceSVM(C=0.01).fit(inputs, y)
    bound = SequenceSVM(C=0.01, constraints="BIO").fit(inputs, y)
    assert violations(free.predict(fresh)) > 0
    assert violations(bound.predict(fresh)) == 0
    for best in bound.predict_k_best(fresh[:5], 20):
        assert violations([labels for _, labels in best]) == 0
    start = [p[0] for p in bound.predict_marginals(fresh)]
    inside = [k for k, c in enumerate(bound.classes_) if c.startswith("I")]
    assert np.max(np.array(start)[:, inside]) == 0


def test_truth_that_breaks_the_constraints_is_named():
    with pytest.raises(
        ValueError, match=r"example 1 has 'I-x' after 'O' at token 1 of 2"
    ):
        SequenceSVM(constraints="BIO").fit(
            [np.ones((2, 1)), np.ones((2, 1))], [["B-x", "I-x"], ["O", "I-x"]]
        )
    with pytest.raises(ValueError, match="example 0 has 'I-x' after the start"):
        SequenceSVM(constraints="BIO").fit([np.ones((2, 1))], [["I-x", "B-x"]])
    with pytest.raises(ValueError, match="the label 'ADV' is neither"):
        SequenceSVM(constraints="BIO").fit(X, Y)


def test_token_weights():
    inputs, y = arrays()
    ones = [np.ones(len(labels)) for labels in y]
    plain = SequenceSVM().fit(inputs, y)
    weighted = SequenceSVM().fit(inputs, y, token_weight=ones)
    np.testing.assert_array_equal(plain.coef_, weighted.coef_)
    # Where no token counts, there is nothing to learn.
    nothing = SequenceSVM().fit(inputs, y, token_weight=[0 * w for w in ones])
    assert not nothing.coef_.any()


def test_packed_features_are_taken_as_they_are():
    inputs, y = arrays()
    model = SequenceSVM().fit(inputs, y)
    packed = model.space_.pack(inputs).rows
    again = SequenceSVM().fit(packed, y)
    np.testing.assert_array_equal(model.coef_, again.coef_)
    assert again.predict(packed) == model.predict(inputs)


def test_threads_do_not_change_the_model():
    inputs, y = arrays(60)
    one = SequenceSVM(n_jobs=1).fit(inputs, y)
    two = SequenceSVM(n_jobs=2).fit(inputs, y)
    np.testing.assert_array_equal(one.coef_, two.coef_)
    assert one.predict(inputs) == two.predict(inputs)


ONE = np.ones((1, 2))
TWO = [np.ones((2, 2)), np.ones((3, 2))]
LAB = [[0, 1], [1, 0, 0]]


def with_value(value):
    bad = [x.copy() for x in TWO]
    bad[1][2, 0] = value
    return bad


@pytest.mark.parametrize(
    ("inputs", "outputs", "kind", "message"),
    [
        (TWO, LAB[:1], ValueError, "X and y must have the same number of examples"),
        (TWO, [[0, 1], [1, 0]], ValueError, "y: example 1 has 2 labels, but X has 3"),
        (TWO, [[0, 1], [1, 0, 0, 1]], ValueError, "y: example 1 has 4 labels"),
        (TWO, [[0, 0], [0, 0, 0]], ValueError, "y has the single class 0"),
        (
            TWO,
            [["a", 1], ["a", "b", "a"]],
            TypeError,
            "token 1 of example 0 .* label 1",
        ),
        (
            TWO,
            [[0, None], [1, 0, 0]],
            ValueError,
            "label of token 1 of example 0 is missing",
        ),
        (
            TWO,
            [[0, float("nan")], [1, 0, 0]],
            ValueError,
            "token 1 of example 0 is missing",
        ),
        (
            TWO,
            ["ab", "bba"],
            TypeError,
            "y: example 0 must be a list of labels, .* got str",
        ),
        (TWO, [0, 1], TypeError, "y: example 0 must be a list of labels"),
        (TWO, [np.eye(2), LAB[1]], ValueError, r"y: example 0 has shape \(2, 2\)"),
        (TWO, None, ValueError, "y is needed"),
        ([], [], ValueError, "X holds no examples"),
        ("text", LAB, TypeError, "X must be a list of examples, got the str"),
        (5, LAB, TypeError, "X must be a list of sequences, .* got int|got int"),
        ([TWO[0], np.ones((3, 1))], LAB, ValueError, "1"),
        ([TWO[0], np.ones(3)], LAB, ValueError, "1"),
        ([TWO[0], np.ones((0, 2))], [[0, 1], [1]], ValueError, "1"),
        ([[], [["a"], ["b"], [3]]], [[], [0, 1, 0]], TypeError, "1"),
        (with_value(np.nan), LAB, ValueError, "1"),
        (with_value(np.inf), LAB, ValueError, "1"),
        ([csr_matrix(x) for x in with_value(np.nan)], LAB, ValueError, "1"),
        ([[{"a": 1.0}], [{"a": np.inf}]], [[0], [1]], ValueError, "1"),
        ([[{"a": 1.0}], [{"a": None}]], [[0], [1]], (ValueError, TypeError), "1"),
        ([[["a"]], [[3]]], [[0], [1]], (ValueError, TypeError), "1"),
        ([[[], []], [[], [], []]], LAB, ValueError, "no feature names"),
    ],
)
def test_bad_examples_are_named(inputs, outputs, kind, message):
    with pytest.raises(kind, match=message) as caught:
        SequenceSVM().fit(inputs, outputs)
    assert len(str(caught.value)) > 25, "an error is a sentence"
    if message.isdigit():
        words = str(caught.value)
        assert any(
            part in words
            for part in (f"example {message}", f"[{message}]", f"sequence {message}")
        ), words


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        ([np.ones((2, 3))], ValueError, "X has 3 features, but .* fitted on 2"),
        ([csr_matrix(np.ones((2, 3)))], ValueError, "3 features"),
        ([[["a"], ["b"]]], ValueError, "kind 'names', .* fitted on 'dense'"),
        ([np.array([[1.0, np.nan]])], ValueError, "example 0|sequence 0|X\\[0\\]"),
        ([], ValueError, "X holds no examples"),
        (None, TypeError, "X must be a list of sequences"),
    ],
)
def test_bad_examples_at_predict(inputs, kind, message):
    model = SequenceSVM().fit(TWO, LAB)
    for method in (model.predict, model.predict_marginals, model.decision_function):
        with pytest.raises(kind, match=message):
            method(inputs)


def test_names_are_not_given_to_a_model_of_arrays_or_back():
    named = SequenceSVM().fit(X, Y)
    with pytest.raises(ValueError, match=r"kind 'dense', but .* 'names'"):
        named.predict(TWO)


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"C": 0}, ValueError, "C must be a finite number > 0, got 0"),
        ({"C": float("nan")}, ValueError, "C must be"),
        ({"solver": "adam"}, ValueError, "solver must be one of .* got 'adam'"),
        ({"features": "some"}, ValueError, "features must be 'all' or 'seen'"),
        ({"dtype": "float16"}, ValueError, "dtype must be"),
        ({"min_count": 0}, ValueError, "min_count must be an integer >= 1, got 0"),
        ({"min_count": 1.5}, ValueError, "min_count must be"),
        ({"hash_bits": 0}, ValueError, "hash_bits must be"),
        ({"hash_bits": 31}, ValueError, "hash_bits must be"),
        ({"hash_bits": "8"}, (ValueError, TypeError), "hash_bits must be"),
        ({"constraints": "IOB"}, ValueError, "constraints must be"),
        ({"constraints": np.ones((3, 3))}, ValueError, r"\(3, 3\), expected \(2, 2\)"),
        ({"constraints": {"<start>": []}}, ValueError, "no label to start"),
        ({"loss": np.ones((2, 2))}, ValueError, "loss: the cost of predicting"),
        ({"tol": -1}, ValueError, "tol must be"),
        ({"max_iter": 0}, ValueError, "max_iter must be"),
    ],
)
def test_bad_parameters(params, kind, message):
    with pytest.raises(kind, match=message):
        SequenceSVM(**params).fit(TWO, LAB)


def test_score_names_the_example(model):
    with pytest.raises(ValueError, match="example 1 has 1 labels, but X has 2 tokens"):
        model.score(X, [Y[0], ["DET"], Y[2]])
    with pytest.raises(ValueError, match="sample_weight"):
        model.score(X, Y, sample_weight=[1.0])


@pytest.mark.parametrize(
    "attribute", ["coef_", "transitions_", "start_", "end_", "classes_"]
)
def test_attributes_before_fit(attribute):
    with pytest.raises(AttributeError, match="not fitted"):
        getattr(SequenceSVM(), attribute)


def test_bad_fit_arguments():
    with pytest.raises(TypeError, match="token_weight must be a list"):
        SequenceSVM().fit(TWO, LAB, token_weight=5)
    with pytest.raises(ValueError, match="sample_weight must hold real numbers"):
        SequenceSVM().fit(TWO, LAB, sample_weight=["a", "b"])
    for callback in (3, [3], "name"):
        with pytest.raises(TypeError, match="callback must be"):
            SequenceSVM(callback=callback).fit(TWO, LAB)


def test_structural_score_of_other_lengths_and_labels():
    model = StructuralSVM(MulticlassSpace()).fit(np.eye(3), [0, 1, 2])
    assert model.score(np.eye(3), [0, 1, 9]) == pytest.approx(-1 / 3)
    with pytest.raises(ValueError, match="same number of examples, got 3 and 2"):
        model.score(np.eye(3), [0, 1])


def test_space_must_be_a_space():
    with pytest.raises(TypeError, match="space must be an OutputSpace, got str"):
        StructuralSVM("chain").fit(TWO, LAB)
