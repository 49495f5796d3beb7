"""Spaces made of spaces: forbid and force labels, make labels dear, predict two things at once.

Words are tagged as persons (PER), places (LOC) or others (O). "Paris" and "Victoria" are both.
"""

import numpy as np

from pystruct_ext import StructuralSVM
from pystruct_ext.spaces import (
    Constrained,
    CostShifted,
    Product,
    SegmentSpace,
    SequenceSpace,
)

# Words, names, and phrases by their lengths: N(oun), V(erb), P(reposition).
CORPUS = [
    ("anna met bob in paris", "PER O PER O LOC", "1N 1V 1N 1P 1N"),
    ("paris met anna", "PER O PER", "1N 1V 1N"),
    ("bob flew to rome", "PER O O LOC", "1N 1V 1P 1N"),
    ("she lives in paris", "O O O LOC", "1N 1V 1P 1N"),
    ("victoria wrote to bob", "PER O O PER", "1N 1V 1P 1N"),
    ("the man saw victoria", "O O O PER", "2N 1V 1N"),
    ("the train to victoria left", "O O O LOC O", "2N 1P 1N 1V"),
    ("anna left the train in rome", "PER O O O O LOC", "1N 1V 2N 1P 1N"),
]


def features(text):
    """Each word, and the word before it."""
    words = text.split()
    return [[w, f"after {v}"] for v, w in zip(["^", *words], words, strict=False)]


def segments(text):
    found, at = [], 0
    for length, label in text.split():
        found.append((at, at + int(length), label))
        at += int(length)
    return found


def show(text, labels):
    print(
        "   ", " ".join(f"{w}/{y}" for w, y in zip(text.split(), labels, strict=True))
    )


def main():
    X = [features(text) for text, _, _ in CORPUS]
    names = [labels.split() for _, labels, _ in CORPUS]
    phrases = [segments(text) for _, _, text in CORPUS]
    text = "paris flew to victoria"
    x = features(text)

    model = StructuralSVM(SequenceSpace(), C=10).fit(X, names)
    print(f"labels {model.space_.classes_}; as learned:")
    show(text, model.predict([x])[0])

    # The parts of a sequence are (word, label); one row of a mask holds for all words.
    print("no persons, with the same weights:")
    space = Constrained(SequenceSpace(), [0, 0, -1]).fit_domain(X, names)
    show(text, space.decode(model.coef_, x))

    print("the first word is a place, somebody says:")
    mask = np.zeros((4, 3))
    mask[0, 0] = 1
    space = Constrained(SequenceSpace(), mask).fit_domain(X, names)
    show(text, space.decode(model.coef_, x))

    print("trained where a word that is wrongly called a person costs 20 more:")
    for cost in (None, [0, 0, 20]):
        shifted = StructuralSVM(CostShifted(SequenceSpace(), cost), C=0.02)
        predicted = shifted.fit(X, names).predict(X)
        called = [label == "PER" for y in predicted for label in y]
        print(f"    cost {cost}: {sum(called)} of {len(called)} words are persons")

    print("names and phrases of the same sentence, in one model:")
    both = StructuralSVM(Product(SequenceSpace(), SegmentSpace()), C=10)
    both.fit(X, list(zip(names, phrases, strict=True)))
    tags, found = both.predict([x])[0]
    show(text, tags)
    words = text.split()
    print("   ", " ".join(f"[{' '.join(words[a:b])}]{label}" for a, b, label in found))
    print(
        f"    certified relative gap {both.relative_gap_:.1e}; the three best pairs:",
        [round(score, 2) for score, _ in both.predict_k_best([x], 3)[0]],
    )


if __name__ == "__main__":
    main()
