"""A small generated treebank, folds and alignments: for demonstrations and tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pystruct_ext.outputs.phrase_trees import Tree
from pystruct_ext.outputs.sentences import DependencyTree, Sentence

# What is eaten or seen with which tool, and what belongs to which thing: the words decide
# whether "with ..." depends on the verb or on the noun.
_TOOLS = {
    "ate": ("fork", "spoon"),
    "saw": ("telescope", "camera"),
    "opened": ("key", "knife"),
    "wrote": ("pencil", "keyboard"),
}
_THINGS = {
    "ate": ("pizza", "soup", "salad"),
    "saw": ("house", "ship", "garden"),
    "opened": ("box", "door", "bottle"),
    "wrote": ("letter", "book", "program"),
}
_PARTS = {
    "pizza": ("mushrooms", "cheese"),
    "soup": ("noodles", "carrots"),
    "salad": ("nuts", "olives"),
    "house": ("balcony", "chimney"),
    "ship": ("sails", "mast"),
    "garden": ("fountain", "roses"),
    "box": ("ribbon", "lid"),
    "door": ("handle", "window"),
    "bottle": ("label", "cork"),
    "letter": ("stamp", "signature"),
    "book": ("pictures", "index"),
    "program": ("bugs", "tests"),
}
_PEOPLE = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald")
_ADJECTIVES = ("old", "red", "small", "strange", "heavy")
_ADVERBS = ("slowly", "often", "yesterday", "quietly")
_VERBS_S = ("said", "thought", "knew")


@dataclass(frozen=True)
class ToyTreebank:
    """Sentences with both kinds of trees.

    Attributes
    ----------
    sentences : list of n Sentence
    dependencies : list of n DependencyTree
        As in `pystruct_ext.io.Treebank`.
    trees : list of n Tree
        Of constituents.
    """

    sentences: list[Sentence]
    dependencies: list[DependencyTree]
    trees: list[Tree]


class _Writer:
    """Builds one sentence: constituents return their tree and their head's position."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.forms: list[str] = []
        self.tags: list[str] = []
        self.heads: list[int] = []
        self.labels: list[str] = []

    def pick(self, options: tuple[str, ...]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def word(self, form: str, tag: str) -> tuple[Tree, int]:
        self.forms.append(form)
        self.tags.append(tag)
        self.heads.append(0)
        self.labels.append("root")
        return Tree(tag, (form,)), len(self.forms)

    def attach(self, modifier: int, head: int, label: str) -> None:
        self.heads[modifier - 1] = head
        self.labels[modifier - 1] = label

    def noun_phrase(self, noun: str) -> tuple[Tree, int]:
        words = [(*self.word(self.pick(("the", "a")), "DT"), "det")]
        if self.rng.random() < 0.4:
            words.append((*self.word(self.pick(_ADJECTIVES), "JJ"), "amod"))
        tree, head = self.word(noun, "NN")
        children = []
        for modifier, at, label in words:
            children.append(modifier)
            self.attach(at, head, label)
        return Tree("NP", (*children, tree)), head

    def person(self) -> tuple[Tree, int]:
        tree, head = self.word(self.pick(_PEOPLE), "NNP")
        return Tree("NP", (tree,)), head

    def with_phrase(self, noun: str) -> tuple[Tree, int]:
        preposition, mark = self.word("with", "IN")
        phrase, head = self.noun_phrase(noun)
        self.attach(mark, head, "case")
        return Tree("PP", (preposition, phrase)), head

    def clause(self, depth: int) -> tuple[Tree, int]:
        subject, who = self.person()
        if depth and self.rng.random() < 0.35:
            verb, head = self.word(self.pick(_VERBS_S), "VBD")
            that, mark = self.word("that", "IN")
            inner, inner_head = self.clause(depth - 1)
            self.attach(mark, inner_head, "mark")
            self.attach(inner_head, head, "ccomp")
            self.attach(who, head, "nsubj")
            return Tree(
                "S", (subject, Tree("VP", (verb, Tree("SBAR", (that, inner)))))
            ), head
        action = self.pick(tuple(_TOOLS))
        parts = []
        adverb = None
        if self.rng.random() < 0.3:
            adverb = self.word(self.pick(_ADVERBS), "RB")
            parts.append(Tree("ADVP", (adverb[0],)))
        verb, head = self.word(action, "VBD")
        parts.append(verb)
        if adverb:
            self.attach(adverb[1], head, "advmod")
        thing = self.pick(_THINGS[action])
        item, item_head = self.noun_phrase(thing)
        self.attach(item_head, head, "obj")
        kind = self.rng.random()
        if kind < 0.35:
            phrase, part = self.with_phrase(self.pick(_PARTS[thing]))
            self.attach(part, item_head, "nmod")
            item = Tree("NP", (item, phrase))
            parts.append(item)
        elif kind < 0.7:
            parts.append(item)
            phrase, part = self.with_phrase(self.pick(_TOOLS[action]))
            self.attach(part, head, "obl")
            parts.append(phrase)
        else:
            parts.append(item)
        self.attach(who, head, "nsubj")
        return Tree("S", (subject, Tree("VP", tuple(parts)))), head


def make_treebank(n: int = 200, random_state: int = 0) -> ToyTreebank:
    """Sentences in which the words decide where "with ..." belongs.

    "Ada ate the pizza with a fork" has the fork depend on the verb, "... with cheese" on
    the pizza: tags alone cannot tell.

    Parameters
    ----------
    n : int, default=200
    random_state : int, default=0

    Returns
    -------
    ToyTreebank

    Examples
    --------
    >>> bank = make_treebank(3)
    >>> " ".join(bank.sentences[0].forms)
    'Donald thought that Grace said that Grace wrote a book with a keyboard .'
    """
    rng = np.random.default_rng(random_state)
    bank = ToyTreebank([], [], [])
    for _ in range(n):
        w = _Writer(rng)
        clause, head = w.clause(2)
        stop, at = w.word(".", ".")
        w.attach(at, head, "punct")
        w.labels[head - 1], w.heads[head - 1] = "root", 0
        tree = Tree("S", (*clause.children, stop))
        bank.trees.append(tree)
        bank.sentences.append(tree.sentence())
        bank.dependencies.append(DependencyTree(tuple(w.heads), tuple(w.labels)))
    return bank


def make_folds(
    n: int = 100, random_state: int = 0, length: int = 60
) -> tuple[list[str], list[str]]:
    """Random nested folds with sequences that pair: helices, hairpins, branched loops.

    Parameters
    ----------
    n : int, default=100
    random_state : int, default=0
    length : int, default=60
        About how long; sequences vary by a third.

    Returns
    -------
    sequences, folds : lists of n str

    Examples
    --------
    >>> X, y = make_folds(2)
    >>> len(X[0]) == len(y[0])
    True
    """
    rng = np.random.default_rng(random_state)
    pairs = ("GC", "CG", "GC", "CG", "AU", "UA", "GU", "UG")
    X, Y = [], []

    def loose(k: int) -> tuple[str, str]:
        # Loops are rich in A: chance pairs are rare, as they are in real hairpins.
        return "".join(rng.choice(list("AAAAAGCU"), size=k)), "." * k

    def helix(budget: int) -> tuple[str, str]:
        k = int(rng.integers(3, 7))
        inside = budget - 2 * k
        if inside > 26 and rng.random() < 0.5:
            s, y = "", ""
            for _ in range(2):
                for a, b in (loose(int(rng.integers(0, 3))), helix(inside // 2 - 2)):
                    s, y = s + a, y + b
        elif inside > 14 and rng.random() < 0.5:
            left, right = loose(int(rng.integers(0, 3))), loose(int(rng.integers(1, 3)))
            core = helix(inside - 4)
            s = left[0] + core[0] + right[0]
            y = left[1] + core[1] + right[1]
        else:
            s, y = loose(int(rng.integers(4, 8)))
        for _ in range(k):
            p = pairs[int(rng.integers(len(pairs)))]
            s, y = p[0] + s + p[1], f"({y})"
        return s, y

    for _ in range(n):
        target = int(length * rng.uniform(0.67, 1.33))
        s, y = loose(int(rng.integers(0, 4)))
        while len(s) < target - 14:
            a, b = helix(target - len(s))
            c, d = loose(int(rng.integers(0, 4)))
            s, y = s + a + c, y + b + d
        X.append(s)
        Y.append(y)
    return X, Y


def make_alignments(
    n: int = 60, random_state: int = 0, length: int = 30
) -> tuple[list[tuple[str, str]], list[tuple[int, ...]]]:
    """Pairs of sequences related by substitutions within groups of letters, and gaps.

    Letters of one group ("AGST", "DENQ", "HKR", "FWY", "ILMV") replace each other often,
    so that a learned substitution score shows the groups.

    Parameters
    ----------
    n : int, default=60
    random_state : int, default=0
    length : int, default=30

    Returns
    -------
    pairs : list of n (str, str)
    alignments : list of n tuples of int
    """
    rng = np.random.default_rng(random_state)
    groups = ("AGST", "DENQ", "HKR", "FWY", "ILMV")
    letters = "".join(groups)
    of = {c: g for g in groups for c in g}
    X: list[tuple[str, str]] = []
    Y: list[tuple[int, ...]] = []
    for _ in range(n):
        a = "".join(rng.choice(list(letters), size=length))
        b = ""
        y: list[int] = []
        skip = 0
        for c in a:
            if skip == 0 and rng.random() < 0.04:
                skip = int(rng.integers(1, 5))
            if skip:
                skip -= 1
                y.append(-1)
                continue
            if y and y[-1] >= 0 and rng.random() < 0.04:
                b += "".join(rng.choice(list(letters), size=int(rng.integers(1, 5))))
            u = rng.random()
            y.append(len(b))
            b += (
                c
                if u < 0.35
                else str(rng.choice(list(of[c])))
                if u < 0.9
                else str(rng.choice(list(letters)))
            )
        if not b:
            b, y[0] = a[0], 0
        X.append((a, b))
        Y.append(tuple(y))
    return X, Y


__all__ = ["ToyTreebank", "make_alignments", "make_folds", "make_treebank"]
