"""Scales of the features of folds, and decoding by expected accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import FoldingSVM, load
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.spaces import FoldingSpace
from pystruct_ext.spaces.folding import KT_37

X = ["GGGAAAACCC", "GGCGAAAGCCAAGGCUUCGGCC", "GCAUCGAAAGAUGCAAAGC", "ACGUGGAAACCACGU"]
Y = ["(((....)))", "(((....)))..(((....)))", "((((((...)))).....))", "((((((...))))))"]
Y[2] = "(((((....)))))....."


def random_molecules(n, length, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGU"), size=length)) for _ in range(n)]


@pytest.fixture
def scaled():
    space = FoldingSpace(dtype="float64")
    packed = space.fit_pack(X, Y)
    return space, packed


def test_scales_are_those_of_the_formula(scaled):
    space, _ = scaled
    plain = FoldingSpace(dtype="float64", scales=None).fit_domain(X, Y)
    w = plain.energy_weights()
    difference = np.array(
        [
            plain.joint_feature(x, y) - plain.joint_feature(x, plain.decode(w, x))
            for x, y in zip(X, Y, strict=True)
        ]
    )
    assert difference.any()
    for name, first, size in plain.feature_groups():
        mean = (difference[:, first : first + size] ** 2).sum(axis=1).mean()
        expected = 1 / np.sqrt(1 + mean)
        np.testing.assert_allclose(
            space.scales_[first : first + size], expected, rtol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("prior", ["energy", None])
def test_scaled_features_are_features_times_scales(dtype, prior):
    plain = FoldingSpace(prior=prior, dtype=dtype, scales=None).fit_domain(X, Y)
    space = FoldingSpace(prior=prior, dtype=dtype).fit_domain(X, Y)
    rng = np.random.default_rng(1)
    space.scales_ = rng.uniform(0.1, 3, size=space.size_psi_)
    w = rng.normal(size=space.size_psi_)
    for x, y in zip(X, Y, strict=True):
        np.testing.assert_allclose(
            space.joint_feature(x, y),
            space.scales_ * plain.joint_feature(x, y),
            rtol=1e-5,
            atol=1e-5,
        )
        a, b = space.bind(space.pack([x], [y])), plain.bind(plain.pack([x], [y]))
        own, other = (np.asarray(v, dtype=dtype) for v in (w, w * space.scales_))
        assert a.score(own, 0, a.truth(0)) == pytest.approx(
            b.score(other, 0, b.truth(0)), rel=1e-4, abs=1e-4
        )
        best = a.argmax(own, 0, 1.0)
        alike = b.argmax(other, 0, 1.0)
        values = [b.score(other, 0, c) + b.loss(0, c) for c in (best, alike)]
        assert values[0] == pytest.approx(values[1], rel=1e-4, abs=1e-4)
        assert a.log_partition(own, 0) == pytest.approx(
            b.log_partition(other, 0), rel=1e-4, abs=1e-4
        )


def test_energies_fold_alike_with_scales(scaled):
    space, _ = scaled
    plain = FoldingSpace(scales=None).fit_domain([])
    for x in random_molecules(10, 40):
        assert space.decode(space.energy_weights(), x) == plain.decode(
            plain.energy_weights(), x
        )


def test_little_c_stays_at_the_energies():
    model = FoldingSVM(C=1e-9).fit(X, Y)
    energies = model.space_.energy_weights()
    np.testing.assert_allclose(model.coef_, energies, atol=1e-6)
    more = FoldingSVM(C=1.0).fit(X, Y)
    assert np.abs(more.coef_ - more.space_.energy_weights()).max() > 1e-3


@pytest.mark.parametrize("own", [None, [1.0, 2.0, 1.0, 0.0, 1.0, 1.0]])
def test_groups_are_weights(own):
    X6, Y6 = [*X, X[0], X[0]], [*Y, Y[0], Y[0]]
    groups = ["a", "b", "c", "c", "a", "a"]
    given = np.ones(6) if own is None else np.array(own)
    members = [
        sum(g == h and s > 0 for h, s in zip(groups, given, strict=True))
        for g in groups
    ]
    weight = given / (np.array(members) + 3)
    weight *= given.sum() / weight.sum()
    settings = {"C": 0.1, "tol": 1e-6, "max_iter": 500}
    balanced = FoldingSVM(**settings).fit(X6, Y6, own, groups=groups)
    weighted = FoldingSVM(**settings).fit(X6, Y6, weight)
    plain = FoldingSVM(**settings).fit(X6, Y6, own)
    np.testing.assert_allclose(balanced.coef_, weighted.coef_, atol=1e-3)
    assert np.abs(plain.coef_ - weighted.coef_).max() > 1e-2
    with pytest.raises(ValueError, match="groups has 2 entries, but X has 6"):
        FoldingSVM().fit(X6, Y6, groups=["a", "b"])


def accuracy(p, y, gamma):
    free = 1 - p.sum(axis=0) - p.sum(axis=1)
    pairs = pairs_of(y, "y")
    paired = {t for pair in pairs for t in pair}
    return 2 * gamma * sum(p[i, j] for i, j in pairs) + sum(
        free[t] for t in range(len(y)) if t not in paired
    )


@pytest.mark.parametrize("gamma", [0.2, 1.0, 6.0])
def test_expected_accuracy_is_the_largest_of_all_folds(gamma):
    space = FoldingSpace(dtype="float64").fit_domain([])
    rng = np.random.default_rng(3)
    for x in random_molecules(8, 16, seed=5):
        # Weights that are not of energies alone, and so flat that many folds compete.
        w = space.energy_weights() + rng.normal(size=space.size_psi_)
        packed = space.pack([x])
        p = space.bind(packed).marginals(w, 0, 2.0)[0]
        found = space.decode_mea(w, packed, gamma, 2.0)[0]
        best = max(accuracy(p, y, gamma) for y in space.enumerate(x))
        assert accuracy(p, found, gamma) == pytest.approx(best, abs=1e-9)


def test_expected_accuracy_is_that_of_vienna():
    RNA = pytest.importorskip("RNA")
    space = FoldingSpace(dtype="float64").fit_domain([])
    w = space.energy_weights()
    for x in random_molecules(6, 60, seed=2):
        fold = RNA.fold_compound(x)
        fold.pf()
        p = np.array(fold.bpp())[1:, 1:]
        found = space.decode_mea(w, space.pack([x]), 1.0, KT_37)[0]
        theirs, value = fold.MEA(1.0)
        # ViennaRNA leaves out pairs below a threshold.
        assert accuracy(p, found, 1.0) == pytest.approx(value, rel=2e-3)
        assert accuracy(p, theirs, 1.0) == pytest.approx(value, rel=2e-3)


def probabilities_by_listing(space, w, packed, temperature):
    """log Z and pair probabilities from the list of all folds and their scores."""
    oracle = space.bind(packed)
    n = len(packed.bases)
    folds, scores = oracle.k_best(w, 0, 100_000)
    assert 2 < len(folds) < 100_000
    shares = np.asarray(scores) / temperature
    log_z = np.logaddexp.reduce(shares)
    p = np.zeros((n, n))
    for code, share in zip(folds, np.exp(shares - log_z), strict=True):
        for i, j in enumerate(code):
            if j > i:
                p[i, j] += share
    return p, log_z


@pytest.mark.parametrize("demand", [None, ".<x.....|........."])
@pytest.mark.parametrize("canonical", [True, False])
def test_probabilities_are_those_of_all_folds(demand, canonical):
    space = FoldingSpace(dtype="float64", canonical=canonical).fit_domain([])
    rng = np.random.default_rng(8)
    checked = 0
    for x in random_molecules(4, 18 if canonical else 14, seed=6):
        w = space.energy_weights() + rng.normal(size=space.size_psi_)
        packed = space.pack([x], constraints=demand and [demand[: len(x)]])
        if not len(space.bind(packed).k_best(w, 0, 1)[0]):
            continue
        checked += 1
        # At the lowest temperature factors leave the range of doubles.
        for temperature in (2.0, 0.01):
            p, log_z = probabilities_by_listing(space, w, packed, temperature)
            found, total = space.bind(packed).marginals(w, 0, temperature)
            np.testing.assert_allclose(found, p, atol=1e-10)
            assert total == pytest.approx(log_z, rel=1e-12)
    assert checked >= 2


def test_probabilities_of_long_molecules_hold_at_any_temperature():
    space = FoldingSpace(dtype="float64").fit_domain([])
    w = space.energy_weights()
    # A hairpin of 60 pairs far from bases that hardly pair: scores per base differ much.
    x = "A" * 150 + "GC" * 30 + "GAAA" + "GC" * 30 + "A" * 150
    packed = space.pack([x])
    oracle = space.bind(packed)
    best = oracle.argmax(w, 0, 0.0)
    for temperature in (KT_37, 0.05, 1e-3):
        p, log_z = oracle.marginals(w, 0, temperature)
        assert np.isfinite(p).all()
        assert p.min() >= 0
        paired = p.sum(axis=0) + p.sum(axis=1)
        assert paired.max() <= 1 + 1e-9
        assert log_z * temperature >= float(w @ oracle.psi(0, best)) - 1e-9
        # The sums of the forest, by which folds are drawn, agree.
        drawn = np.zeros(p.shape)
        for code in oracle.sample(w, 0, 400, temperature):
            for i, j in enumerate(code):
                if j > i:
                    drawn[i, j] += 1 / 400
        assert np.abs(drawn - p).max() < 0.15


def test_the_default_decoding_follows_the_units_of_scores():
    x = random_molecules(6, 50, seed=9)
    model = FoldingSVM(C=1e-3).fit(X, Y)
    assert model.predict(x) == model.predict(x, decode="mea", gamma=0.5)
    assert model.predict(x) != model.predict(x, decode="best")
    for plain in (FoldingSVM(C=1, prior=None), FoldingSVM(C=1, scales=None)):
        plain.fit(X, Y)
        assert plain.predict(x) == plain.predict(x, decode="best")


def test_gamma_finds_more_pairs():
    space = FoldingSpace().fit_domain([])
    packed = space.pack(random_molecules(10, 50, seed=4))
    w = space.energy_weights()
    counts = [
        sum(y.count("(") for y in space.decode_mea(w, packed, gamma, 1.0))
        for gamma in (0.0, 0.5, 2.0, 10.0)
    ]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[1] < counts[-1]


def test_estimator_decodes_by_expected_accuracy(tmp_path):
    model = FoldingSVM(C=0.1, decode="mea", gamma=2.0).fit(X, Y)
    some = random_molecules(6, 40, seed=9)
    packed = model.space_.pack(some)
    found = model.predict(some)
    assert found == model.space_.decode_mea(model.coef_, packed, 2.0, KT_37)
    assert model.predict(some, decode="best") == model.space_.decode_packed(
        model.coef_, packed
    )
    assert model.predict(some, decode="mea", gamma=0.0) == ["." * 40] * 6
    forced = model.predict(["GGGGAAAACCCC"], constraints=["x..........x"])
    assert forced[0][0] == forced[0][-1] == "."
    model.save(tmp_path / "m.psx")
    again = load(tmp_path / "m.psx")
    assert again.predict(some) == found
    np.testing.assert_array_equal(again.space_.scales_, model.space_.scales_)
    calibrated = model.calibrate(X, Y)
    assert calibrated.predict(some) == model.space_.decode_mea(
        model.coef_, packed, 2.0, calibrated.temperature_
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"decode": "worst"}, "decode must be 'auto', 'best' or 'mea', got 'worst'"),
        ({"gamma": -1.0}, "gamma"),
        ({"scales": "rows"}, "scales must be one of counts, None, got 'rows'"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        FoldingSVM(**params).fit(X, Y)


def test_loaded_scales_are_checked(scaled):
    space, _ = scaled
    space.scales_ = space.scales_[:-1]
    with pytest.raises(ValueError, match="scales_"):
        space.check_loaded()


def test_groups_that_are_no_names():
    with pytest.raises(ValueError, match="groups must hold names or numbers"):
        FoldingSVM().fit(["GGGAAACCC"] * 2, ["(((...)))"] * 2, groups=[[1], [2]])
