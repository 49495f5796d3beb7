"""Binary grammars read off a treebank, and derivations of trees under them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.outputs.phrase_trees import Tree, constituents
from pystruct_ext.persistence.registry import storable
from pystruct_ext.utils.fitted import Fitted

# A binary tree: (symbol, start, end, left, right); left and right are None for leaves.
Binary = tuple[str, int, int, Any, Any]


def collapse(tree: Tree) -> tuple[str, Tree]:
    """Labels of a unary chain joined by spaces, and its lowest node."""
    labels = [tree.label]
    while len(tree.children) == 1 and not tree.children[0].is_preterminal:
        tree = tree.children[0]
        labels.append(tree.label)
    return " ".join(labels), tree


def brackets(tree: Tree) -> list[tuple[int, int, str]]:
    """Constituents (start, end, collapsed label) in preorder."""
    return constituents(tree, collapse)


def tree_of_brackets(
    items: Sequence[tuple[int, int, str]],
    words: Sequence[str],
    tags: Sequence[str],
) -> Tree:
    """The tree of constituents in preorder, collapsed labels restored to chains."""
    # Open constituents: start, end, label, and children so far.
    stack: list[tuple[int, int, str, list[Tree]]] = []
    at, position = items[0][0], 0
    while True:
        if position < len(items):
            a, b, label = items[position]
            if not stack or (a == at and b <= stack[-1][1]):
                stack.append((a, b, label, []))
                position += 1
                continue
        if at < stack[-1][1]:
            stack[-1][3].append(Tree(tags[at], (words[at],)))
            at += 1
            continue
        _, _, label, children = stack.pop()
        names = label.split(" ")
        node = Tree(names[-1], tuple(children))
        for name in reversed(names[:-1]):
            node = Tree(name, (node,))
        if not stack:
            return node
        stack[-1][3].append(node)


@storable(old_tag="grammar")
@dataclass
class TreebankGrammar:
    """Binary rules with the labels that their symbols stand for.

    A node with children c_1 .. c_m is binarised from the left; the symbol of a partial
    node "@A|c_t" remembers its parent and the last `horizontal` children; symbols carry
    the label of their parent if `vertical` is 2 (Johnson 1998; Klein and Manning 2003).

    Attributes
    ----------
    symbols : list of str
    rules : (n_rules, 3) int32
        Parent, left, right; sorted by left.
    lexical : (n_lexical, 2) int32
        Tag, symbol; sorted by tag.
    tags : list of str
    """

    horizontal: int
    vertical: int
    symbols: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    symbol_label: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros(0, dtype=np.int32)
    )
    tags: list[str] = field(default_factory=list)
    rules: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros((0, 3), dtype=np.int32)
    )
    lexical: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros((0, 2), dtype=np.int32)
    )
    is_root: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros(0, dtype=np.uint8)
    )

    def check_loaded(self) -> None:
        """Raise unless the tables are what `fit` makes; see `Fitted`."""
        fitted = Fitted(self)
        fitted.integer("horizontal", 0, 10)
        fitted.integer("vertical", 1, 2)
        n = fitted.labels("symbols", at_least=1, kind=str)
        k = fitted.labels("labels", at_least=1, kind=str)
        tags = fitted.labels("tags", at_least=1, kind=str)
        fitted.array("symbol_label", (n,), "int32", low=-1, high=k - 1)
        fitted.array("rules", (None, 3), "int32", low=0, high=n - 1)
        fitted.array("lexical", (None, 2), "int32", low=0)
        fitted.array("is_root", (n,), "uint8", low=0, high=1)
        for name, column, end in (("lexical", 0, tags), ("lexical", 1, n)):
            high = self.lexical[:, column].max(initial=-1)
            if high >= end:
                raise ValueError(
                    f"TreebankGrammar.{name} holds {high} in column {column}, expected "
                    f"0 .. {end - 1}"
                )
        for name, column in (("rules", 1), ("lexical", 0)):
            if (np.diff(getattr(self, name)[:, column]) < 0).any():
                raise ValueError(
                    f"TreebankGrammar.{name} is not sorted by column {column}"
                )

    def fit(self, trees: Sequence[Tree], labels: list[str]) -> TreebankGrammar:
        """Read the rules off trees whose collapsed labels are `labels`."""
        self.labels = labels
        symbols: dict[str, int] = {}
        tags: dict[str, int] = {}
        rules: set[tuple[int, int, int]] = set()
        lexical: set[tuple[int, int]] = set()
        roots: set[int] = set()

        def number(name: str, table: dict[str, int]) -> int:
            return table.setdefault(name, len(table))

        for tree in trees:
            tag_of = tree.tags()
            top = self.binarised(tree)
            roots.add(number(top[0], symbols))
            for node in _nodes(top):
                symbol = number(node[0], symbols)
                if node[3] is None:
                    lexical.add((number(tag_of[node[1]], tags), symbol))
                else:
                    left = number(node[3][0], symbols)
                    rules.add((left, number(node[4][0], symbols), symbol))
        for tag in list(tags):
            lexical.add((tags[tag], number(_tag_symbol(tag), symbols)))
        self.symbols, self.tags = list(symbols), list(tags)
        ordered = np.array(sorted(rules), dtype=np.int32).reshape(-1, 3)
        self.rules = np.ascontiguousarray(ordered[:, [2, 0, 1]])
        self.lexical = np.array(sorted(lexical), dtype=np.int32).reshape(-1, 2)
        self.is_root = np.zeros(len(symbols), dtype=np.uint8)
        self.is_root[sorted(roots)] = 1
        index = {label: k for k, label in enumerate(labels)}
        self.symbol_label = np.array(
            [
                index[s[1:].split("^")[0]] if s.startswith("=") else -1
                for s in self.symbols
            ],
            dtype=np.int32,
        )
        return self

    def __repr__(self) -> str:
        return (
            f"<TreebankGrammar: {len(self.symbols)} symbols, {len(self.rules)} rules, "
            f"{len(self.lexical)} lexical rules>"
        )

    def binarised(self, tree: Tree) -> Binary:
        """The derivation of a tree: symbols are "=label^parent", "@...", or ":tag"."""
        # Nodes to come, with the label above; then those whose parts are done.
        stack: list[tuple[Tree, str, bool]] = [(tree, "", False)]
        done: list[Binary] = []
        end = 0
        while stack:
            node, parent, is_done = stack.pop()
            if node.is_preterminal:
                done.append((_tag_symbol(node.label), end, end + 1, None, None))
                end += 1
                continue
            label, low = collapse(node)
            above = f"^{parent}" if self.vertical > 1 else ""
            symbol = f"={label}{above}"
            if low.children[0].is_preterminal and len(low.children) == 1:
                done.append((symbol, end, end + 1, None, None))
                end += 1
                continue
            if not is_done:
                own = label.split(" ")[-1]
                stack.append((node, parent, True))
                stack += [(c, own, False) for c in reversed(low.children)]
                continue
            m = len(low.children)
            parts = done[-m:]
            del done[-m:]
            names = [p[0].split("^")[0][1:] for p in parts]
            joined = parts[0]
            for t in range(1, m):
                seen = names[max(0, t + 1 - self.horizontal) : t + 1]
                name = f"@{label}{above}|{'_'.join(seen)}" if t + 1 < m else symbol
                joined = (name, parts[0][1], parts[t][2], joined, parts[t])
            done.append(joined)
        return done[0]

    def code(self, tree: Tree, where: str) -> list[int]:
        """The derivation as pairs (rule, split) in preorder.

        Raises
        ------
        ValueError
            If the tree needs a rule that the grammar does not have.
        """
        rules, lexical = self._index()
        n_rules = len(self.rules)
        number = {s: k for k, s in enumerate(self.symbols)}
        tag_number = {t: k for k, t in enumerate(self.tags)}
        tag_of = tree.tags()
        out: list[int] = []
        for node in _nodes(self.binarised(tree)):
            symbol = number.get(node[0], -1)
            if node[3] is None:
                key = (tag_number.get(tag_of[node[1]], -1), symbol)
                rule = lexical.get(key)
                out += [n_rules + (rule if rule is not None else -1), -1]
            else:
                names = (node[3][0], node[4][0])
                rule = rules.get(
                    (symbol, number.get(names[0], -1), number.get(names[1], -1))
                )
                out += [rule if rule is not None else -1, node[4][1]]
            if rule is None:
                raise ValueError(
                    f"{where} needs the rule {node[0]!r} over words {node[1]} .. "
                    f"{node[2]}, which the grammar does not have"
                )
        return out

    def brackets_of(
        self, code: Sequence[int], n: int
    ) -> list[tuple[int, int, str]] | None:
        """Constituents of a derivation in preorder; None if there is no derivation."""
        if code[0] < 0:
            return None
        n_rules = len(self.rules)
        found: list[tuple[int, int, str]] = []
        stack = [(0, n)]
        for rule, split in zip(code[::2], code[1::2], strict=True):
            if not stack:
                break
            start, end = stack.pop()
            symbol = (
                self.rules[rule, 0] if split >= 0 else self.lexical[rule - n_rules, 1]
            )
            label = self.symbol_label[symbol]
            if label >= 0:
                found.append((start, end, self.labels[label]))
            if split >= 0:
                stack += [(split, end), (start, split)]
        return found

    def _index(self) -> tuple[dict[Any, int], dict[Any, int]]:
        if not hasattr(self, "_maps"):
            self._maps = (
                {tuple(r): k for k, r in enumerate(self.rules.tolist())},
                {tuple(r): k for k, r in enumerate(self.lexical.tolist())},
            )
        return self._maps

    def arrays(self) -> dict[str, Any]:
        """What the kernel reads."""
        left = self.rules[:, 1]
        first = np.zeros(len(self.symbols) + 1, dtype=np.int32)
        first[1:] = np.cumsum(np.bincount(left, minlength=len(self.symbols)))
        lexical_first = np.zeros(len(self.tags) + 1, dtype=np.int32)
        lexical_first[1:] = np.cumsum(
            np.bincount(self.lexical[:, 0], minlength=len(self.tags))
        )
        return {
            "n_symbols": len(self.symbols),
            "n_rules": len(self.rules),
            "n_lexical": len(self.lexical),
            "symbol_label": self.symbol_label,
            "is_root": self.is_root,
            "rule_first": first,
            "rule_left": np.ascontiguousarray(left),
            "rule_right": np.ascontiguousarray(self.rules[:, 2]),
            "rule_parent": np.ascontiguousarray(self.rules[:, 0]),
            "lexical_first": lexical_first,
            "lexical_symbol": np.ascontiguousarray(self.lexical[:, 1]),
        }

    def derivations(self, tags: Sequence[str]) -> Iterator[list[int]]:
        """All codes of a sentence with these tags, for checks on small problems."""
        n_rules = len(self.rules)
        number = {t: k for k, t in enumerate(self.tags)}

        def of(a: int, b: int, symbol: int) -> Iterator[list[int]]:
            if b == a + 1:
                for e, (tag, s) in enumerate(self.lexical.tolist()):
                    if s == symbol and tag == number.get(tags[a], -1):
                        yield [n_rules + e, -1]
                return
            for k in range(a + 1, b):
                for r, (parent, left, right) in enumerate(self.rules.tolist()):
                    if parent != symbol:
                        continue
                    for x in of(a, k, left):
                        for y in of(k, b, right):
                            yield [r, k, *x, *y]

        for symbol in np.flatnonzero(self.is_root):
            yield from of(0, len(tags), int(symbol))


def _tag_symbol(tag: str) -> str:
    return f":{tag}"


def _nodes(top: Binary) -> Iterator[Binary]:
    stack = [top]
    while stack:
        node = stack.pop()
        yield node
        if node[3] is not None:
            stack += [node[4], node[3]]
