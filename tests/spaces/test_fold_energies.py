"""Free energies of folds against a plain twin, enumeration and ViennaRNA."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pystruct_ext
from pystruct_ext import FoldingSVM, load
from pystruct_ext.spaces import FoldingSpace

sys.path.insert(0, str(Path(__file__).parent.parent / "reference"))
from ref_fold_energy import Model

TABLES = Path(pystruct_ext.__file__).parent / "spaces" / "turner2004.par"
TWIN = Model(TABLES)
SPACE = FoldingSpace(dtype="float64").fit_domain([])
HEADER = "## RNAfold parameter file v2.0\n"


def random_sequence(rng, n, letters="ACGU"):
    return "".join(rng.choice(list(letters), size=n))


def random_fold(rng, x, canonical=0.9, unpaired=0.5):
    """Any nested fold with hairpins of three bases or more; most pairs are canonical."""
    y = ["."] * len(x)
    good = {"AU", "UA", "CG", "GC", "GU", "UG"}

    def fill(a, b):
        while b - a > 4:
            if rng.random() < unpaired:
                a += 1
                continue
            j = int(rng.integers(a + 4, b)) if rng.random() < 0.3 else b - 1
            if x[a] + x[j] in good or rng.random() > canonical:
                y[a], y[j] = "(", ")"
                fill(a + 1, j)
                a = j + 1
            elif rng.random() < 0.5:
                b -= 1
            else:
                a += 1

    fill(0, len(x))
    return "".join(y)


def dcal(space, x, y):
    return round(100 * space.energy(x, y))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(5, 160), st.sampled_from(["ACGU", "ACGUN"])
)
def test_energy_equals_the_twin(seed, n, letters):
    rng = np.random.default_rng(seed)
    x = random_sequence(rng, n, letters)
    y = random_fold(rng, x, *rng.choice([0.0, 0.5, 0.97, 1.0], size=2) * 0.99)
    assert dcal(SPACE, x, y) == TWIN.fold(x, y)


@pytest.mark.parametrize(
    ("left", "right"), [(a, b) for a in range(5) for b in range(5)] + [(0, 35), (33, 2)]
)
def test_every_size_of_an_inner_loop(left, right):
    rng = np.random.default_rng(10 * left + right)
    for _ in range(60):
        outer, inner = rng.choice(["AU", "UA", "CG", "GC", "GU", "UG", "AC"], size=2)
        a, b = random_sequence(rng, left, "ACGUN"), random_sequence(rng, right, "ACGUN")
        x = f"{outer[0]}{a}{inner[0]}GAAA{inner[1]}{b}{outer[1]}"
        y = "(" + "." * left + "(....)" + "." * right + ")"
        assert dcal(SPACE, x, y) == TWIN.fold(x, y)


def test_hairpins_that_are_known_as_a_whole():
    assert len(TWIN.whole) == 22
    for loop in TWIN.whole:
        for change in ("", "A", "C", "G", "U", "N"):
            x = loop[:2] + (change or loop[2]) + loop[3:]
            y = "(" + "." * (len(x) - 2) + ")"
            assert dcal(SPACE, x, y) == TWIN.fold(x, y)


def test_report_sums_to_the_energy():
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(60):
        x = random_sequence(rng, 90)
        y = random_fold(rng, x, 1.0, 0.2)
        report = SPACE.energy_report(x, y)
        assert abs(sum(loop.energy for loop in report) - SPACE.energy(x, y)) < 1e-9
        assert len(report) == 1 + y.count("(")
        kinds |= {loop.kind for loop in report}
    assert kinds == {
        *("exterior", "hairpin", "stack", "bulge", "interior", "multibranch")
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_best_fold_has_the_least_energy_of_all(dtype):
    space = FoldingSpace(dtype=dtype).fit_domain([])
    rng = np.random.default_rng(3)
    X = [random_sequence(rng, int(n), "CGCGAUN") for n in rng.integers(5, 15, size=15)]
    for _ in range(15):
        loop, free = (
            random_sequence(rng, int(n), "GACU") for n in rng.integers(0, 5, 2)
        )
        X.append(f"AGGC{loop}AAA{free}GCC{loop[:1]}")
    folded = 0
    for x, y in zip(X, space.decode_batch(space.energy_weights(), X), strict=True):
        least = min(TWIN.fold(x, z) for z in space.enumerate(x))
        assert TWIN.fold(x, y) == least
        folded += least < 0
    assert folded > 3


def test_feature_is_minus_the_energy():
    rng = np.random.default_rng(1)
    w = SPACE.energy_weights()
    for n in (12, 40, 90):
        x = random_sequence(rng, n)
        (y,) = SPACE.decode_batch(rng.normal(size=SPACE.size_psi_), [x])
        psi = SPACE.joint_feature(x, y)
        assert np.isclose(psi @ w, -TWIN.fold(x, y) / 100)


@pytest.mark.parametrize("canonical", [True, False])
def test_kernel_equals_forest_under_weights_and_energies(canonical):
    """The vectorised recursion and the forest of all folds, sequences of all lengths."""
    rng = np.random.default_rng(5)
    for dtype, tolerance in (("float64", 1e-9), ("float32", 2e-4)):
        space = FoldingSpace(canonical=canonical, dtype=dtype).fit_domain([])
        X = [random_sequence(rng, int(n), "ACGUGCN") for n in rng.integers(1, 110, 14)]
        oracle = space.bind(space.pack(X))
        for scale in (0.0, 0.3, 1.0):
            w = space.energy_weights()
            w[:-1] = scale * rng.normal(size=len(w) - 1)
            for i in range(len(X)):
                _, (best,) = oracle.k_best(w, i, 1)
                fast = oracle.score(w, i, oracle.argmax(w, i, 0.0))
                assert abs(fast - best) <= tolerance * (1 + abs(best))


# ViennaRNA.


@pytest.fixture
def rna():
    module = pytest.importorskip("RNA")
    module.params_load_RNA_Turner2004()
    yield module
    module.params_load_RNA_Turner2004()


def sampled(rna, x, n):
    """The fold of least energy and others, more likely ones more often."""
    md = rna.md()
    md.uniq_ML = 1
    compound = rna.fold_compound(x, md)
    best, energy = compound.mfe()
    compound.exp_params_rescale(energy)
    compound.pf()
    return energy, {best, *compound.pbacktrack(n)}


def test_energies_equal_viennarna(rna):
    rng = np.random.default_rng(0)
    count = 0
    w = SPACE.energy_weights()
    while count < 10_000:
        n = int(rng.integers(10, 301))
        x = random_sequence(rng, n, "ACGGCU")
        least, folds = sampled(rna, x, 150)
        folds |= {random_fold(rng, x, 1.0, u) for u in (0.1, 0.3, 0.6)}
        compound = rna.fold_compound(x)
        for y in folds:
            assert dcal(SPACE, x, y) == round(100 * compound.eval_structure(y)), (x, y)
        (ours,) = SPACE.decode_batch(w, [x])
        assert dcal(SPACE, x, ours) == round(100 * least)
        count += len(folds)


def test_probabilities_equal_viennarna(rna):
    rng = np.random.default_rng(2)
    md = rna.md()
    md.pf_smooth = 0  # else small stacking energies of branches are smoothed
    kt = (37 + 273.15) * 1.98717e-3
    w = SPACE.energy_weights()
    for n in (20, 45, 90):
        x = random_sequence(rng, n, "ACGGCU")
        compound = rna.fold_compound(x, md)
        _, ensemble = compound.pf()
        theirs = np.array(compound.bpp())[1:, 1:]
        ours, log_z = SPACE.bind(SPACE.pack([x])).marginals(w, 0, kt)
        assert abs(-kt * log_z - ensemble) < 1e-3
        np.testing.assert_allclose(np.asarray(ours).reshape(n, n), theirs, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["RNA_Turner1999", "RNA_Andronescu2007", "DNA_Mathews2004"]
)
def test_parameter_files_of_viennarna(rna, name, tmp_path):
    getattr(rna, f"params_load_{name}")()
    path = str(tmp_path / "other.par")
    rna.params_save(path)
    rna.params_load(path)
    space = FoldingSpace(prior=path, dtype="float64").fit_domain([])
    rng = np.random.default_rng(4)
    differs = 0
    for _ in range(12):
        x = random_sequence(rng, int(rng.integers(20, 120)), "ACGGCU")
        least, folds = sampled(rna, x, 20)
        compound = rna.fold_compound(x)
        for y in folds:
            assert dcal(space, x, y) == round(100 * compound.eval_structure(y))
            differs += dcal(space, x, y) != dcal(SPACE, x, y)
        (ours,) = space.decode_batch(space.energy_weights(), [x])
        assert dcal(space, x, ours) == round(100 * least)
    assert differs


# Parameter files.


def tables_of(text, tmp_path):
    path = tmp_path / "p.par"
    path.write_text(text)
    return FoldingSpace(prior=str(path)).fit_domain([]).energies_


def test_a_file_replaces_only_what_it_says(tmp_path):
    np.testing.assert_array_equal(tables_of(HEADER, tmp_path), SPACE.energies_)
    np.testing.assert_array_equal(
        tables_of(TABLES.read_text(), tmp_path), SPACE.energies_
    )
    stars = " ".join(["*"] * 48)
    text = f"""{HEADER}
## a remark
# stack /* pairs */
/* one more */ {stars} 77
# bulge
INF 100 200 {"x " * 28}
# NINIO
10 0 20
# ML_params
1 0 2 0 3 0
# Triloops
GAAAC 5 0
GTTTC 6
# Misc
* * -40 0
# hairpin_enthalpies
nothing that is read
# END
# this is not read
"""
    path = tmp_path / "p.par"
    path.write_text(text)
    space = FoldingSpace(prior=str(path)).fit_domain([])

    def energy(x, y):
        return dcal(space, x, y)

    assert energy("GGAAACC", "((...))") == -330 + 5
    assert energy("GGUUUCC", "((...))") == -330 + 6
    assert energy("GCAACGC", "((...))") == -340 + 540  # no longer known as a whole
    assert energy("AGAAACU", "((...))") == -210 + 5 - 40
    assert energy("GAGAAACC", "(.(...))") == 100 - 330 + 5
    assert (
        energy("GAAAGAAACC", "(...(...))") == int(200.5 + 107.856 * np.log(3 / 2)) + 5
    )
    x, y = "GAGAAGAAACCCC", "(....(...)..)"
    assert energy(x, y) - dcal(SPACE, x, y) == 20 - 120 + 5 - 540
    x, y = "GAGAAACAGAAACAC", "(.(...).(...).)"
    change = (2 + 3 * 3 + 3) - (930 - 3 * 90) + 2 * (5 - 540)
    assert energy(x, y) - dcal(SPACE, x, y) == change


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "expected '## RNAfold"),
        ("## RNAfold parameter file v1.8\n", 1, "expected '## RNAfold"),
        (HEADER + "\n# stack\n1 2 3\n", 4, "has 3 values, expected 49"),
        (HEADER + "# stack\n# END", 2, "has 0 values, expected 49"),
        (HEADER + "# stack\n1 2\nthree\n" + "1 " * 46, 4, "got 'three'"),
        (HEADER + "# nonsense\n1\n", 2, "'nonsense' is not known"),
        (HEADER + "12\n# stack", 2, "'12' before any section"),
        (HEADER + "# hairpin\n" + "x " * 31, 3, "'x' before any"),
        (HEADER + "# NINIO\n60 0 99999999999", 3, "is beyond"),
        (HEADER + "# Misc\n1 2 3 4 nan\n", 3, "a factor of 0"),
        (HEADER + "# Triloops\nCAAXG 1 2\n", 3, "5 letters of A, C, G, U"),
        (HEADER + "# Triloops\nCAACG\n", 3, "its energy and enthalpy"),
        (HEADER + "# stack\n/* open\n", 3, "on one line"),
        (HEADER + "# two words\n", 2, "name of a section"),
    ],
)
def test_bad_files_name_the_line(text, line, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        tables_of(text, tmp_path)
    assert f"p.par, line {line}: " in str(caught.value)


def test_bad_priors(tmp_path):
    with pytest.raises(ValueError, match="prior must be 'energy', None or the path"):
        FoldingSpace(prior="enrgy").fit_domain([])
    with pytest.raises(ValueError, match="prior must be 'energy', None or the path"):
        FoldingSpace(prior=3).fit_domain([])
    path = tmp_path / "p.par"
    path.write_bytes(b"\x80\x81\n")
    with pytest.raises(ValueError, match=r"p\.par: not a text file"):
        FoldingSpace(prior=str(path)).fit_domain([])
    with pytest.raises(ValueError, match="prior='energy'"):
        FoldingSpace(prior=None).fit_domain([]).energy("GAAAC", "(...)")


def test_mutated_files_are_read_or_refused(tmp_path):
    rng = random.Random(0)
    lines = TABLES.read_text().splitlines()
    lines = lines[:90] + lines[-60:]
    outcomes = set()
    for _ in range(300):
        new = list(lines)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(new))
            words = new[at].split() or [""]
            k = rng.randrange(len(words))
            words[k] = rng.choice(
                ["", "x", "*", "INF", "#", "# END", "-1", "1e9", "\x00", "9" * 30, "é"]
            )
            new[at] = " ".join(words)
            if rng.random() < 0.2:
                del new[at]
        try:
            tables = tables_of("\n".join(new), tmp_path)
        except ValueError as error:
            outcomes.add("refused" if "p.par" in str(error) else str(error))
        else:
            assert np.abs(tables[: len(tables) - 1537].astype(int)).max() <= 10**7
            outcomes.add("read")
    assert outcomes == {"read", "refused"}


# Model files.


@pytest.mark.filterwarnings("ignore:.*stopped after")
def test_a_model_holds_its_energies(tmp_path):
    path = tmp_path / "p.par"
    path.write_text(HEADER + "# NINIO\n10 0 50\n# ML_params\n0 0 100 0 0 0\n")
    rng = np.random.default_rng(0)
    X = [random_sequence(rng, 60) for _ in range(8)]
    Y = [random_fold(rng, x, 1.0) for x in X]
    model = FoldingSVM(prior=str(path), max_iter=3, tol=None, random_state=0).fit(X, Y)
    model.save(tmp_path / "m.psx")
    path.unlink()
    again = load(tmp_path / "m.psx")
    assert again.predict(X) == model.predict(X)
    assert again.space_.energy(X[0], Y[0]) == model.space_.energy(X[0], Y[0])
    np.testing.assert_array_equal(again.space_.energies_, model.space_.energies_)


def test_tables_of_a_model_are_checked():
    space = FoldingSpace().fit_domain([])
    space.check_loaded()
    for bad in (space.energies_[:-1], space.energies_.astype(float), "none"):
        other = FoldingSpace().fit_domain([])
        other.energies_ = bad
        with pytest.raises(ValueError, match=r"FoldingSpace\.energies_"):
            other.check_loaded()
    lost = FoldingSpace(prior="gone.par")
    lost.size_psi_ = space.size_psi_
    with pytest.raises(ValueError, match=r"FoldingSpace\.energies_"):
        lost.check_loaded()


def test_older_spaces_keep_their_prior():
    """Without tables the prior is the simplified model of weights."""
    old = FoldingSpace(dtype="float64").fit_domain([])
    del old.energies_
    old.check_loaded()
    x, y = "GGGGAAAACCCC", "((((....))))"
    psi = old.joint_feature(x, y)
    expected = 3 * 3.3 - (5.6 - 0.8)  # three stacks, one hairpin
    assert np.isclose(psi @ old.energy_weights(), expected)
    assert SPACE.joint_feature(x, y) @ SPACE.energy_weights() == pytest.approx(5.4)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero here")
def test_a_parameter_file_without_an_end():
    with pytest.raises(ValueError, match="/dev/zero: longer than 16777216 bytes"):
        FoldingSpace(prior="/dev/zero").fit_domain([])
