"""Values a hundred thousand levels deep: nothing is recursive, nothing takes for ever."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from pystruct_ext import DependencyTree, Tree
from pystruct_ext.io import (
    read_brackets,
    read_conllu,
    read_folds,
    without_pseudoknots,
    write_brackets,
    write_folds,
)
from pystruct_ext.metrics import attachment_report, base_pair_report
from pystruct_ext.outputs.dot_bracket import crossing_pairs, nested_levels, pairs_of
from pystruct_ext.outputs.phrase_trees import as_phrase_tree, strip_tree
from pystruct_ext.outputs.sentences import as_tree, check_heads, is_projective
from pystruct_ext.spaces._treebank_grammar import (
    TreebankGrammar,
    brackets,
    tree_of_brackets,
)

N = 100_000


def chain(n):
    tree = Tree("NN", ("w",))
    for _ in range(n):
        tree = Tree("S", (tree,))
    return tree


def comb(n):
    """Right-branching: n words, n - 1 levels."""
    tree = Tree("NN", ("w",))
    for _ in range(n - 1):
        tree = Tree("X", (Tree("NN", ("v",)), tree))
    return tree


@pytest.fixture(scope="module")
def deep():
    return chain(N)


def test_phrase_trees_as_values(deep):
    other = chain(N)
    assert deep == other
    assert not deep != other  # noqa: SIM202
    assert hash(deep) == hash(other)
    assert deep != chain(N - 1)
    assert hash(deep.children) == hash(other.children)
    assert pickle.loads(pickle.dumps(deep)) == deep
    assert copy.deepcopy(deep) is copy.copy(deep) is deep
    assert repr(deep).count("Tree(") == N + 1


def test_phrase_trees_as_text(tmp_path):
    deep = chain(N // 4)
    text = str(deep)
    assert len(text) == N + len("(NN w)")
    assert len(deep.pretty().splitlines()) == 201
    path = tmp_path / "deep.mrg"
    write_brackets(path, [deep])
    assert read_brackets(path) == [deep]


def test_phrase_trees_converted():
    pytest.importorskip("networkx")
    deep = chain(N // 10)
    assert deep.words() == ("w",)
    assert len(deep.spans()) == N // 10
    assert strip_tree(deep) == deep
    assert as_phrase_tree(deep, "y") is deep
    graph = deep.to_networkx()
    assert graph.number_of_nodes() == N // 10 + 2
    as_nltk = NltkTree("NN", ["w"])
    for _ in range(N // 10):
        as_nltk = NltkTree("S", [as_nltk])
    assert Tree.from_nltk(as_nltk) == deep


class NltkTree(list):
    """A tree with the interface of nltk's."""

    def __init__(self, label, children):
        super().__init__(children)
        self._label = label

    def label(self):
        return self._label


def test_treebank_grammar(deep):
    tree = comb(5_000)
    items = brackets(tree)
    assert len(items) == 4_999
    assert tree_of_brackets(items, tree.words(), tree.tags()) == tree
    assert len(brackets(deep)) == 1
    grammar = TreebankGrammar(1, 2).fit([tree], ["X"])
    code = grammar.code(tree, "y")
    assert grammar.brackets_of(code, 5_000) == items


def test_nested_folds(tmp_path):
    fold = "(" * N + "..." + ")" * N
    pairs = pairs_of(fold, "y")
    assert len(pairs) == N
    assert crossing_pairs(pairs) == []
    assert without_pseudoknots(fold) == fold
    knot = [(i, N + i) for i in range(N)]
    assert crossing_pairs(knot) == knot
    assert len(nested_levels(knot, 2)[0]) == 1
    n = N // 10
    path, fold = tmp_path / "a.ct", "(" * n + "..." + ")" * n
    sequence = "G" * n + "AAA" + "C" * n
    write_folds(path, ["deep"], [sequence], [fold])
    assert read_folds(path).folds == [fold]
    assert base_pair_report([fold], [fold]).f1 == 1


def test_dependency_chains(tmp_path):
    networkx = pytest.importorskip("networkx")
    heads = tuple(range(N))
    check_heads(heads, "heads")
    assert is_projective(heads)
    assert not is_projective((*heads[:-2], 1, N - 2))
    tree = as_tree(heads, N, False, "y")
    assert tree == DependencyTree(heads)
    assert hash(tree) == hash(DependencyTree(heads))
    assert pickle.loads(pickle.dumps(tree)) == copy.deepcopy(tree) == tree
    assert str(tree).startswith("DependencyTree(heads=(0, 1, 2")
    short = DependencyTree(heads[: N // 10])
    graph = short.to_networkx()
    assert networkx.is_arborescence(graph)
    assert DependencyTree.from_networkx(graph) == short
    assert attachment_report([tree], [tree]).uas == 1
    path = tmp_path / "a.dep"
    path.write_text("".join(f"w\tN\t{h}\n" for h in heads))
    assert read_conllu(path).dependencies == [tree]
    with pytest.raises(ValueError, match="form a cycle") as caught:
        check_heads((0, *range(3, N + 1), 2), "heads")
    assert len(str(caught.value)) < 400


def slow_crossing(pairs):
    return sorted(
        {
            p
            for p in pairs
            for q in pairs
            if p[0] < q[0] < p[1] < q[1] or q[0] < p[0] < q[1] < p[1]
        }
    )


def test_fast_searches_for_crossings_are_right():
    rng = np.random.default_rng(0)
    for _ in range(300):
        n = int(rng.integers(0, 8))
        ends = rng.permutation(20)[: 2 * n].reshape(-1, 2).tolist()
        pairs = sorted((min(p), max(p)) for p in ends)
        assert crossing_pairs(pairs) == slow_crossing(pairs)
        levels = nested_levels(pairs, 9)
        assert sorted(p for level in levels for p in level) == pairs
        assert not any(slow_crossing(level) for level in levels)
        heads = rng.integers(0, 9, size=8).tolist()
        arcs = [(min(t, h), max(t, h)) for t, h in enumerate(heads, start=1)]
        assert is_projective(heads) == (not slow_crossing(arcs))
