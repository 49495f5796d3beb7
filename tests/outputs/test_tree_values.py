"""Trees of other packages, and what no tree can be."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pystruct_ext import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    DependencyTree,
    Sentence,
    Tree,
)
from pystruct_ext.metrics import bracket_report
from pystruct_ext.outputs.phrase_trees import as_phrase_tree
from pystruct_ext.outputs.segments import segments_from_bio, segments_to_bio
from pystruct_ext.outputs.sentences import as_tree


class NltkTree(list):
    """A tree with the interface of nltk's."""

    def __init__(self, label, children):
        super().__init__(children)
        self._label = label

    def label(self):
        return self._label


def as_nltk(tree):
    if tree.is_preterminal:
        return NltkTree(tree.label, list(tree.children))
    return NltkTree(tree.label, [as_nltk(c) for c in tree.children])


TREES = [
    Tree.parse(text)
    for text in (
        "(S (NP (D the) (N dog)) (VP (V barks)))",
        "(S (NP (N Ada)) (VP (V saw) (NP (D a) (N cat))))",
    )
]


@pytest.mark.parametrize("model", ["spans", "grammar"])
def test_nltk_trees_are_taken_by_value(model):
    made = partial(ConstituencySVM, model=model, bits=8, split_bits=8, C=1.0)
    X, foreign = [t.sentence() for t in TREES], [as_nltk(t) for t in TREES]
    ours, theirs = made().fit(X, TREES), made().fit(X, foreign)
    assert np.array_equal(ours.coef_, theirs.coef_)
    assert ours.score(X, foreign) == ours.score(X, TREES)
    assert bracket_report(foreign, TREES).f1 == 1
    assert ours.space_.loss(foreign[0], TREES[1]) == ours.space_.loss(*TREES)


def test_nltk_chunks_and_refusals():
    chunked = NltkTree("S", [("Ada", "NNP"), NltkTree("NP", [("cats", "NNS")])])
    assert str(as_phrase_tree(chunked, "y")) == "(S (NNP Ada) (NP (NNS cats)))"
    for bad, message in (
        (NltkTree("S", ["a", NltkTree("N", ["b"])]), "y: node 'S' mixes 'a'"),
        (NltkTree("S", []), "y: node 'S' has no children"),
        (NltkTree("S", [NltkTree("N", [3])]), "y has the leaf 3"),
        (Tree("S", ()), "y: node 'S' has no children"),
        (Tree("S", (Tree("N", ("",)),)), "y: node 'N' has an empty word"),
        (Tree(None, (Tree("N", ("a",)),)), "y has a node with the label None"),
        ("(S (N a))", "y must be a Tree, got str"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            as_phrase_tree(bad, "y")
    with pytest.raises(TypeError, match="y: example 1 must be a Tree, got str"):
        ConstituencySVM().fit([t.sentence() for t in TREES], [TREES[0], "(S (N a))"])


def test_dependency_graphs():
    networkx = pytest.importorskip("networkx")
    sentence = Sentence(("dogs", "bark"), ("N", "V"), ("NNS", "VBP"), ("dog", "bark"))
    tree = DependencyTree((2, 0), ("nsubj", "root"))
    graph = tree.to_networkx(sentence)
    assert graph.nodes[1] == {
        "form": "dogs",
        "tag": "N",
        "fine_tag": "NNS",
        "lemma": "dog",
    }
    assert graph.edges[2, 1]["label"] == "nsubj"
    assert DependencyTree.from_networkx(graph) == tree
    assert Sentence.from_networkx(graph) == sentence
    bare = DependencyTree((2, 0)).to_networkx()
    assert DependencyTree.from_networkx(bare) == DependencyTree((2, 0))
    with pytest.raises(ValueError, match="node 1 has no attribute 'form'"):
        Sentence.from_networkx(bare)
    bare.add_edge(0, 1)
    with pytest.raises(ValueError, match="node 1 has 2 heads"):
        DependencyTree.from_networkx(bare)
    with pytest.raises(ValueError, match=r"nodes 0 \(the root\), 1 .. n"):
        DependencyTree.from_networkx(networkx.DiGraph([("a", "b")]))
    with pytest.raises(ValueError, match="sentence has 1 words, but the tree has 2"):
        tree.to_networkx((["a"], ["N"]))


@pytest.mark.parametrize(
    "heads", [(2.9, 0), ("2", 0), (np.nan, 0), (None, 0), (True, 0)]
)
def test_heads_that_are_no_integers(heads):
    with pytest.raises(
        TypeError, match=r"y: example 0 must hold integer heads, got .* word 1"
    ):
        as_tree(heads, 2, False, "y: example 0")


def test_whole_heads_of_any_type():
    for heads in ((2.0, 0), np.array([2.0, 0.0]), np.array([2, 0], dtype=np.int8)):
        assert as_tree(heads, 2, False, "y") == DependencyTree((2, 0))


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        (None, ValueError, "the label of word 2 is missing"),
        (float("nan"), ValueError, "the label of word 2 is missing"),
        (3, TypeError, "word 2 has the label 3 of type int, expected a str"),
    ],
)
def test_relations_that_are_no_text(label, error, message):
    X = [(["dogs", "bark"], ["N", "V"])]
    with pytest.raises(error, match=f"y: example 0.*{message}"):
        DependencySVM(bits=4, label_bits=4).fit(X, [((2, 0), ("nsubj", label))])


def test_bio_tags_that_are_none():
    assert segments_from_bio(["B-NP", "I-NP", "I-VP", "O", "B-"[:1] + "-x-y"]) == [
        (0, 2, "NP"),
        (2, 3, "VP"),
        (3, 4, "O"),
        (4, 5, "x-y"),
    ]
    for tag in ("NP", "S-NP", "B-", "B", "", None, "BNP"):
        with pytest.raises(ValueError, match=r"token 1 has the tag .* expected 'O'"):
            segments_from_bio(["O", tag])
    for label in (None, "", 3):
        with pytest.raises(TypeError, match="segment from 0 to 1 has the label"):
            segments_to_bio([(0, 1, label)])


def test_lemmas_are_optional_at_predict():
    lemmas = Sentence(("dogs", "bark"), ("N", "V"), ("NNS", "VBP"), ("dog", "bark"))
    bare = (["dogs", "bark"], ["N", "V"])
    tree = DependencyTree((2, 0), ("nsubj", "root"))
    model = DependencySVM(bits=8, label_bits=6, C=1.0).fit([lemmas], [tree])
    with pytest.warns(UserWarning, match="sentences") as caught:
        assert model.predict([lemmas, bare]) == [tree, tree]
    messages = [str(w.message) for w in caught]
    assert len(messages) == 2
    for name, message in zip(("lemmas", "fine tags"), messages, strict=True):
        assert f"1 of 2 sentences (first: example 1) have no {name}" in message
    without = DependencySVM(bits=8, label_bits=6, C=1.0, lemmas=False, fine_tags=False)
    assert without.fit([lemmas], [tree]).predict([bare]) == [tree]
    plain = without.coef_.copy()
    assert np.array_equal(plain, without.fit([bare], [tree]).coef_)


class NoEntries:
    def __len__(self):
        return 2

    def __getitem__(self, i):
        raise KeyError(i)


def test_what_is_no_tree_and_no_word():
    with pytest.raises(TypeError, match=r"y: example 0 must be a .* got NoEntries"):
        as_tree(NoEntries(), 2, False, "y: example 0")
    bank = [Sentence(("a", "b"), ("X", "X"))] * 3
    odd = Sentence(("a", b"b"), ("X", "X"))
    trees = [DependencyTree((0, 1))] * 4
    with pytest.raises(TypeError, match=r"X: example 3: forms hold b'b' of type bytes"):
        DependencySVM(labelled=False, bits=6).fit([*bank, odd], trees)
    odd = Sentence(("a", "b"), ("X", np.datetime64("2020-01-01")))
    phrase = Tree("S", (Tree("X", ("a",)), Tree("X", ("b",))))
    with pytest.raises(TypeError, match=r"X: example 3: tags hold .* for word 2"):
        ConstituencySVM(bits=6).fit([*bank, odd], [phrase] * 4)


@pytest.mark.parametrize("odd", [2.5, float("inf"), float("nan"), "1", None, 3])
def test_alignments_are_whole_numbers(odd):
    X, y = [("ABC", "ABC")] * 3, [[0, 1, 2], [0.0, 1.0, -1.0], [0, odd, 2]]
    with pytest.raises(
        ValueError, match=r"y: example 2 aligns position 1 with .*, expec"
    ):
        AlignmentSVM().fit(X, y)
