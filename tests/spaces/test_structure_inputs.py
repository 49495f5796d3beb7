"""Bad input to the spaces of trees, folds, segments and alignments; constraints; lifting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from pystruct_ext import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    FoldingSVM,
    SegmentSVM,
    Tree,
)
from pystruct_ext.outputs.dot_bracket import pairs_of
from pystruct_ext.outputs.sentences import check_heads, is_projective
from pystruct_ext.spaces import ConstituencySpace, DependencySpace, FoldingSpace
from pystruct_ext.spaces.dependency import lifted

S2 = (["a", "b"], ["N", "V"])
S3 = (["a", "b", "c"], ["N", "V", "N"])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([2, 1], "y: example 1: no word has head 0"),
        ([0, 0], "y: example 1: words 1 and 2 both have head 0"),
        ([0, 3], r"y: example 1: word 2 has head 3, expected 0 \.\. 2"),
        ([0], "y: example 1 has 1 heads, but the sentence has 2 words"),
        (["x", 0], "y: example 1 must hold integer heads"),
    ],
)
def test_dependency_gold(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DependencySVM(labelled=False, bits=6).fit([S2, S2], [[0, 1], y])


def test_dependency_cycle_empty_and_long():
    with pytest.raises(ValueError, match="words 2, 3 form a cycle"):
        DependencySVM(labelled=False, bits=6).fit([S3], [[0, 3, 2]])
    with pytest.raises(ValueError, match="X: example 0 is an empty sentence"):
        DependencySVM(labelled=False, bits=6).fit([([], [])], [[]])
    model = DependencySVM(labelled=False, bits=6, max_length=2).fit([S2], [[0, 1]])
    with pytest.raises(ValueError, match=r"3 words, more than max_length=2.*MiB"):
        model.predict([S3])
    with pytest.raises(ValueError, match="has 0 labels, expected 2"):
        DependencySVM().fit([S2], [[0, 1]])


@given(st.integers(0, 10_000))
def test_lifting_makes_projective_trees(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    order = rng.permutation(n) + 1
    heads = [0] * n
    for k in range(1, n):
        heads[order[k] - 1] = int(order[rng.integers(k)])
    new = lifted(heads)
    check_heads(new, "")
    assert is_projective(new)
    if is_projective(heads):
        assert new == tuple(heads)


def test_nonprojective_gold_is_lifted_or_refused():
    x = (list("abcd"), list("NVNV"))
    with pytest.warns(UserWarning, match="1 of 1 trees have crossing arcs") as seen:
        packed = DependencySpace(labelled=False, bits=6).fit_pack([x], [[3, 0, 2, 1]])
    assert seen[0].filename == __file__
    assert packed.n_lifted == 1
    assert is_projective(packed.heads.tolist())
    with pytest.raises(ValueError, match="crossing arcs"):
        DependencySpace(labelled=False, bits=6, nonprojective="error").fit_pack(
            [x], [[3, 0, 2, 1]]
        )


def test_single_root_where_many_would_be_better():
    """All words want the root; with one root, a chain of the best arcs remains."""
    x = np.full((4, 3, 1), -1.0)
    x[0] = 5.0
    x[1, 1] = x[2, 2] = 1.0
    for projective in (True, False):
        space = DependencySpace(labelled=False, projective=projective)
        space.fit_domain([x], [[0, 1, 2]])
        assert space.decode(np.ones(1), x).heads == (0, 1, 2)


def test_constituency_input():
    good = Tree.parse("(S (NP (N a)) (VP (V b)))")
    with pytest.raises(TypeError, match="y: example 0 must be a Tree"):
        ConstituencySVM(bits=6).fit([good.sentence()], ["(S"])
    with pytest.raises(ValueError, match="without a constituent"):
        ConstituencySVM(bits=6).fit([(["a"], ["N"])], [Tree("N", ("a",))])
    with pytest.raises(ValueError, match="has 2 words, but the sentence has 3"):
        ConstituencySVM(bits=6).fit([S3], [good])
    with pytest.raises(ValueError, match=r"line 1: '\(' is never closed"):
        Tree.parse("(S (NP (N a))")
    with pytest.raises(ValueError, match=r"line 2: '\)' closes no bracket"):
        Tree.parse("(S (N a))\n)")
    model = ConstituencySVM(model="grammar", bits=6, max_length=2)
    model.fit([good.sentence()], [good])
    with pytest.raises(ValueError, match="more than max_length=2"):
        model.predict([S3])


def test_grammar_without_a_derivation_gives_a_flat_tree():
    good = Tree.parse("(S (NP (N a)) (VP (V b)))")
    model = ConstituencySVM(model="grammar", bits=6).fit([good.sentence()], [good])
    assert str(model.predict([S3])[0]) == "(S (N a) (V b) (N c))"


def test_unary_chains_are_restored():
    y = Tree.parse("(S (VP (VP (V go) (NP (PRP you)))))")
    space = ConstituencySpace(bits=6, split_bits=6)
    packed = space.fit_pack([y.sentence()], [y])
    assert space.labels_ == ["NP", "S VP VP"]
    assert space.tree_of(packed.codes.tolist(), y.sentence()) == y


def test_pcfg_weights_are_relative_frequencies():
    trees = [
        Tree.parse(t)
        for t in (
            "(S (NP (N a)) (VP (V b)))",
            "(S (NP (D x) (N a)) (VP (V b)))",
            "(S (NP (N a)) (VP (V b) (NP (N a))))",
        )
    ]
    space = ConstituencySpace(model="grammar", span_features=False, dtype="float64")
    packed = space.fit_pack([t.sentence() for t in trees], trees)
    w = space.pcfg_weights(packed)
    oracle = space.bind(packed)
    # P(S -> NP VP) = 1; NP: N 3 of 4, D N 1 of 4; VP: V 2 of 3, V NP 1 of 3.
    expected = [3 / 4 * 2 / 3, 1 / 4 * 2 / 3, 3 / 4 * 1 / 3 * 3 / 4]
    for i, p in enumerate(expected):
        assert np.isclose(np.exp(oracle.score(w, i, oracle.truth(i))), p)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ("ACGX", "....", "X: example 0 has 'X' at position 4"),
        ("", "", "X: example 0 is empty"),
        ("ACGU", "..(.", r"y: example 0: '\(' at position 3 is never closed"),
        ("ACGU", "..)", "y: example 0 has 3 characters, but the sequence has 4"),
        ("GGGAAACCC", "([(...]))", "pseudoknot"),
        ("GAAAAG", "(....)", "pairs GG at 1-6, which is not canonical"),
        ("GAC", "(.)", "hairpin of less than three bases"),
    ],
)
def test_folding_input(x, y, message):
    with pytest.raises(ValueError, match=message):
        FoldingSVM(unfit="error").fit([x], [y])


def test_folds_are_projected_with_a_count():
    space = FoldingSpace()
    x, y = "GGGGAAAACCCCAAAAGGGG", "(([[....))..]]......"
    with pytest.warns(UserWarning, match="1 of 1 folds do not fit.*2 of their pairs"):
        packed = space.fit_pack([x], [y])
    assert packed.n_changed == 1
    kept = {(i, j) for i, j in enumerate(packed.partner.tolist()) if j > i}
    assert kept < set(pairs_of(y, "y"))
    assert len(kept) == 2


def test_folding_constraints():
    model = FoldingSVM(C=1).fit(["GGGAAAACCC"], ["(((....)))"])
    x = "GGGGAAAACCCCAAAGGGGAAAACCCC"
    for text in ("x" * len(x), "(.........)................", "|" + "." * 26):
        (y,) = model.predict([x], constraints=[text])
        for c, p in zip(text, y, strict=True):
            assert not (c == "x" and p != ".")
            assert not (c == "|" and p == ".")
            assert c not in "()" or p == c
    with pytest.raises(ValueError, match="cannot be satisfied"):
        model.predict(["AAAAAA"], constraints=["|....."])
    with pytest.raises(ValueError, match="'z' at position 1"):
        model.predict(["AAAAAA"], constraints=["z....."])


@given(st.text("GCAU", min_size=9, max_size=11), st.integers(0, 10_000))
def test_constrained_fold_is_the_best_that_obeys(x, seed):
    rng = np.random.default_rng(seed)
    space = FoldingSpace(dtype="float64").fit_domain([])
    w = rng.normal(size=space.size_psi_)
    text = "".join(rng.choice(list("......x|"), size=len(x)))
    packed = space.pack([x], constraints=[text])
    allowed = [
        y
        for y in space.enumerate(x)
        if all(
            not (c == "x" and p != ".") and not (c == "|" and p == ".")
            for c, p in zip(text, y, strict=True)
        )
    ]
    oracle = space.bind(packed)
    if not allowed:
        with pytest.raises(ValueError, match="infinite"):
            oracle.argmax(w, 0, 0.0)
        return
    best = max(space.joint_feature(x, y) @ w for y in allowed)
    assert np.isclose(oracle.score(w, 0, oracle.argmax(w, 0, 0.0)), best)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([(0, 2, "a")], "covers 2 tokens, but the sequence has 3"),
        ([(0, 1, "a"), (2, 3, "a")], "expected one that starts at 1"),
        ([(0, 0, "a"), (0, 3, "a")], "ends after it"),
        ([(0, 3)], "expected .start, end, label."),
    ],
)
def test_segment_input(y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SegmentSVM().fit([np.eye(3)], [y])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (("AB", "AB"), (0,), "has 1 entries, but the first sequence has 2"),
        (("AB", "AB"), (1, 0), "do not cross"),
        (("AB", "AB"), (0, 2), r"expected -1 \.\. 1"),
        (("AB", ""), (-1, -1), "sequence 2 is empty"),
        ("AB", (0, 1), "must be a pair of sequences"),
    ],
)
def test_alignment_input(x, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        AlignmentSVM().fit([x], [y])


def test_global_alignment_with_free_gaps_is_at_most_an_assignment():
    """Without gap costs, an alignment is a matching without crossings."""
    rng = np.random.default_rng(0)
    model = AlignmentSVM(dtype="float64").fit([("ABCD", "ABCD")], [(0, 1, 2, 3)])
    space = model.space_
    w = np.zeros(space.size_psi_)
    w[:25] = rng.normal(size=25)
    x = ("ABCDABDC", "DCABDA")
    table = space.substitution_scores(w)
    scores = np.array(
        [[table["ABCD".index(p), "ABCD".index(q)] for q in x[1]] for p in x[0]]
    )
    y = space.decode(w, x)
    value = sum(scores[i, j] for i, j in enumerate(y) if j >= 0)
    padded = np.zeros((14, 14))
    padded[:8, :6] = np.maximum(scores, 0)
    rows, columns = linear_sum_assignment(padded, maximize=True)
    assert 0 < value <= padded[rows, columns].sum() + 1e-12
