"""Chunk scores against hand-worked cases and a readable twin of the CoNLL scorer."""

from __future__ import annotations

import json
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext.metrics import ChunkScore, chunk_f1, chunk_report


class Twin:
    """The CoNLL scorer as its documentation tells it: token by token, one flag."""

    def __init__(self) -> None:
        self.gold: Counter[str] = Counter()
        self.guess: Counter[str] = Counter()
        self.correct: Counter[str] = Counter()
        self.tokens = self.right_tokens = 0

    @staticmethod
    def split(label: str) -> tuple[str, str]:
        if "-" in label:
            tag, kind = label.split("-", 1)
            return tag, kind
        return label, ""

    @staticmethod
    def ended(before: tuple[str, str], now: tuple[str, str]) -> bool:
        a, b = before[0], now[0]
        if a == "S":
            return True
        if a == "O":
            return False
        if before[1] != now[1]:
            return True
        if a in ("B", "I"):
            return b in ("B", "O", "S")
        return b in ("E", "I", "O", "B", "S")  # a == "E"

    @staticmethod
    def started(before: tuple[str, str], now: tuple[str, str]) -> bool:
        a, b = before[0], now[0]
        if b == "S":
            return True
        if b == "O":
            return False
        if before[1] != now[1]:
            return True
        if b == "B":
            return a in ("B", "I", "O", "E", "S")
        return a in ("O", "E", "S")  # b is I or E

    def run(self, y_true: list[list[str]], y_pred: list[list[str]]) -> Twin:
        flag = False
        outside = ("O", "")
        last_gold = last_guess = outside
        for gold_row, guess_row in zip(y_true, y_pred, strict=True):
            for token, (a, b) in enumerate(
                zip([*gold_row, "O"], [*guess_row, "O"], strict=True)
            ):
                gold, guess = self.split(a), self.split(b)
                gold_end = self.ended(last_gold, gold)
                guess_end = self.ended(last_guess, guess)
                if flag:
                    if gold_end and guess_end and last_gold[1] == last_guess[1]:
                        self.correct[last_gold[1]] += 1
                        flag = False
                    elif gold_end != guess_end or gold[1] != guess[1]:
                        flag = False
                gold_start = self.started(last_gold, gold)
                guess_start = self.started(last_guess, guess)
                if gold_start and guess_start and gold[1] == guess[1]:
                    flag = True
                self.gold[gold[1]] += gold_start
                self.guess[guess[1]] += guess_start
                if token < len(gold_row):
                    self.tokens += 1
                    self.right_tokens += gold == guess
                last_gold, last_guess = gold, guess
        return self


def spans(labels: list[str]) -> set[tuple[int, int, str]]:
    """Chunks of a legal IOB2 sequence, the textbook way."""
    found, start = set(), None
    for t, label in enumerate([*labels, "O"]):
        if start is not None and not label.startswith("I-"):
            found.add((start, t, labels[start][2:]))
            start = None
        if label.startswith("B-"):
            start = t
    return found


def to_scheme(labels: list[str], scheme: str) -> list[str]:
    """Re-encode a legal IOB2 sequence."""
    out = ["O"] * len(labels)
    chunks = sorted(spans(labels))
    for n, (a, b, kind) in enumerate(chunks):
        before = n > 0 and chunks[n - 1][1:] == (a, kind)
        after = n + 1 < len(chunks) and chunks[n + 1][::2] == (b, kind)
        tags = ["I"] * (b - a)
        if scheme == "IOB1" and before:
            tags[0] = "B"
        elif scheme == "IOE2" or (scheme == "IOE1" and after):
            tags[-1] = "E"
        elif scheme in ("IOBES", "BILOU"):
            tags[0] = "B"
            tags[-1] = "E"
            if b - a == 1:
                tags = ["S"]
        if scheme == "BILOU":
            tags = [{"E": "L", "S": "U"}.get(t, t) for t in tags]
        out[a:b] = [f"{t}-{kind}" for t in tags]
    return out


@st.composite
def pairs(draw, label, copy=0.6):
    """Two ragged label lists; the second agrees with the first on many tokens."""
    y_true = draw(st.lists(st.lists(label, max_size=8), max_size=5))
    y_pred = [
        [a if draw(st.floats(0, 1)) < copy else draw(label) for a in row]
        for row in y_true
    ]
    return y_true, y_pred


ANY_LABEL = st.sampled_from(
    ["O", "O-X"] + [f"{t}{kind}" for t in "BIES" for kind in ("", "-X", "-Y", "-X-Y")]
)


@st.composite
def iob2(draw):
    out: list[str] = []
    for kind, length in draw(
        st.lists(
            st.tuples(st.sampled_from(["", "X", "Y"]), st.integers(1, 3)), max_size=6
        )
    ):
        out += [f"B-{kind}"] + [f"I-{kind}"] * (length - 1) if kind else ["O"] * length
    return out


@given(pairs(ANY_LABEL))
def test_agrees_with_the_twin_on_any_tags(pair):
    y_true, y_pred = pair
    report, twin = chunk_report(y_true, y_pred), Twin().run(y_true, y_pred)
    kinds = set(twin.gold) | set(twin.guess)
    want = {
        k: ChunkScore(twin.gold[k], twin.guess[k], twin.correct[k])
        for k in kinds
        if twin.gold[k] or twin.guess[k]
    }
    assert report.per_type == want
    assert report.overall.n_correct == sum(twin.correct.values())
    assert (report.n_tokens, report.n_correct_tokens) == (
        twin.tokens,
        twin.right_tokens,
    )


@given(st.lists(st.tuples(iob2(), iob2()), max_size=5))
def test_legal_iob2_equals_comparing_spans(rows):
    cut = [(a[: len(b)], b[: len(a)]) for a, b in rows]
    gold, guess = [a for a, _ in cut], [b for _, b in cut]
    hits = sum(len(spans(a) & spans(b)) for a, b in cut)
    report = chunk_report(gold, guess, scheme="IOB2")
    assert report.overall == ChunkScore(
        sum(map(len, map(spans, gold))), sum(map(len, map(spans, guess))), hits
    )


@pytest.mark.parametrize("scheme", ["IOB1", "IOE1", "IOE2", "IOBES", "BILOU"])
@given(rows=st.lists(st.tuples(iob2(), iob2()), max_size=4))
def test_scores_do_not_depend_on_the_scheme(scheme, rows):
    cut = [(a[: len(b)], b[: len(a)]) for a, b in rows]
    gold, guess = [a for a, _ in cut], [b for _, b in cut]
    want = chunk_report(gold, guess)
    got = chunk_report(
        [to_scheme(y, scheme) for y in gold],
        [to_scheme(y, scheme) for y in guess],
        scheme=scheme,
    )
    assert got.per_type == want.per_type


@given(pairs(ANY_LABEL))
def test_bounds_and_symmetry(pair):
    y_true, y_pred = pair
    there, back = chunk_report(y_true, y_pred), chunk_report(y_pred, y_true)
    assert there.precision == back.recall
    assert there.f1 == back.f1
    assert 0 <= there.f1 <= 1
    perfect = chunk_report(y_true, y_true)
    assert perfect.f1 == (1.0 if perfect.overall.n_true else 0.0)
    # Every true positive is also a chunk of both sides.
    for score in there.per_type.values():
        assert score.n_correct <= min(score.n_true, score.n_pred)


HAND = [
    # gold, guess, (gold chunks, guessed chunks, correct), why
    ("B-X I-X O", "B-X I-X O", (1, 1, 1), "same"),
    ("B-X I-X O", "B-X O O", (1, 1, 0), "too short"),
    ("B-X O O", "B-X I-X O", (1, 1, 0), "too long"),
    ("B-X I-X", "B-Y I-Y", (1, 1, 0), "other type"),
    ("B-X I-X", "B-X B-X", (1, 2, 0), "split in two"),
    ("B-X B-X", "B-X I-X", (2, 1, 0), "two glued together"),
    ("B-X I-X", "I-X I-X", (1, 1, 1), "I opens a chunk after O"),
    ("I-X B-X I-Y", "I-X B-X I-Y", (3, 3, 3), "IOB1: type change opens a chunk"),
    ("B-X I-X", "B-X I-Y", (1, 2, 0), "type change in the middle"),
    ("B-X I-Y", "B-X O", (2, 1, 1), "first ends by type change, or by O"),
    ("B I O B", "B I O O", (2, 1, 1), "no types"),
    ("I-X E-X E-X", "I-X E-X O", (2, 1, 1), "IOE2"),
    ("I-X E-X I-X", "I-X E-X I-X", (2, 2, 2), "IOE1"),
    ("S-X S-X B-X E-X", "S-X O B-X E-X", (3, 2, 2), "IOBES"),
    ("B-X E-X B-X E-X", "B-X E-X B-X E-X", (2, 2, 2), "B after E"),
    ("O O", "O O", (0, 0, 0), "nothing"),
    ("O-X O", "O O", (0, 0, 0), "O with a type is outside"),
]


@pytest.mark.parametrize(("gold", "guess", "counts", "why"), HAND)
def test_worked_by_hand(gold, guess, counts, why):
    report = chunk_report([gold.split()], [guess.split()])
    assert report.overall == ChunkScore(*counts), why


def test_chunks_do_not_cross_examples():
    gold = [["B-X"], ["I-X", "O"]]
    assert chunk_report(gold, [["B-X"], ["O", "O"]]).overall == ChunkScore(2, 1, 1)
    assert chunk_report([["B-X", "I-X", "O"]], [["B-X", "O", "O"]]).f1 == 0


def test_scores_and_table():
    gold = [["B-NP", "I-NP", "B-VP", "O", "B-PP"], [], ["B-NP", "B-ADV-P"]]
    guess = [["B-NP", "I-NP", "B-NP", "O", "O"], [], ["B-NP", "B-ADV-P"]]
    report = chunk_report(gold, guess)
    assert report.overall == ChunkScore(5, 4, 3)
    assert report.precision == 0.75
    assert report.recall == 0.6
    assert report.f1 == pytest.approx(2 / 3)
    assert report.f1 == chunk_f1(gold, guess)
    assert report.token_accuracy == 5 / 7
    assert report.n_sentences == 3
    assert list(report.per_type) == ["ADV-P", "NP", "PP", "VP"]
    assert str(report).splitlines() == [
        "processed 7 tokens with 5 phrases; found: 4 phrases; correct: 3.",
        "accuracy:  71.43%; precision:  75.00%; recall:  60.00%; FB1:  66.67",
        "            ADV-P: precision: 100.00%; recall: 100.00%; FB1: 100.00  1",
        "               NP: precision:  66.67%; recall: 100.00%; FB1:  80.00  3",
        "               PP: precision:   0.00%; recall:   0.00%; FB1:   0.00  0",
        "               VP: precision:   0.00%; recall:   0.00%; FB1:   0.00  0",
    ]
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["per_type"]["NP"]["support"] == 2
    assert plain["n_pred"] == 4
    assert plain["f1"] == report.f1


def test_accepts_arrays_and_tuples_and_nothing():
    gold = [np.array(["B-X", "I-X"]), np.array(["O"], dtype=object)]
    assert chunk_f1(gold, [("B-X", "I-X"), ("O",)]) == 1.0
    assert chunk_f1([], []) == 0.0
    assert chunk_report([[]], [[]]).token_accuracy == 0.0


@pytest.mark.parametrize(
    ("y_true", "y_pred", "scheme", "error", "message"),
    [
        ([["O"]], [["O"], ["O"]], "IOB2", ValueError, "1 examples but y_pred holds 2"),
        (
            [["O"], ["O", "O"]],
            [["O"], ["O"]],
            "IOB2",
            ValueError,
            "example 1: y_true has 2 labels but y_pred has 1",
        ),
        (["B-X", "O"], ["B-X", "O"], "IOB2", TypeError, r"y_true\[0\] must be a 1-D"),
        ("B-X", "B-X", "IOB2", TypeError, "y_true must be a list"),
        (
            [["O"], ["O", "NN"]],
            [["O"], ["O", "O"]],
            "conlleval",
            ValueError,
            r"y_true\[1\]\[1\] = 'NN' is not a chunk label",
        ),
        (
            [["O"], ["B-X"]],
            [["O"], ["E-X"]],
            "IOB2",
            ValueError,
            r"y_pred\[1\]\[0\] = 'E-X' is not a chunk label.*'IOB2'",
        ),
        ([["O"]], [[3]], "IOB2", TypeError, r"y_pred\[0\]\[0\] = 3 is int, expected"),
        ([["O"]], [[["O"]]], "IOB2", TypeError, r"y_pred\[0\]\[0\] = \['O'\] is list"),
        ([["O"]], [["O"]], "IOB", ValueError, "scheme must be one of conlleval, IOB1"),
        ([["-X"]], [["O"]], "conlleval", ValueError, r"y_true\[0\]\[0\] = '-X'"),
    ],
)
def test_bad_input(y_true, y_pred, scheme, error, message):
    with pytest.raises(error, match=message):
        chunk_report(y_true, y_pred, scheme=scheme)


def test_a_test_set_of_conll_size_is_fast():
    rng = np.random.default_rng(0)
    labels = ["O"] + [f"{t}-{k}" for t in "BI" for k in ("NP", "VP", "PP", "SBAR")]
    gold = [rng.choice(labels, size=23).tolist() for _ in range(2050)]
    guess = [rng.choice(labels, size=23).tolist() for _ in range(2050)]
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        chunk_report(gold, guess)
        best = min(best, time.perf_counter() - start)
    assert best < 0.15
