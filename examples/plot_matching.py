"""Learn to align the words of two made-up languages, and look at one alignment.

Words of the second language are those of the first, spelt a little differently and moved a
little; some become two words. Candidates are all pairs; features are spelling and position.
"""

import sys
from pathlib import Path

import numpy as np

from pystruct_ext import MatchingSVM
from pystruct_ext.metrics import link_report
from pystruct_ext.outputs import MatchingProblem

SOUNDS = ["ba", "de", "gi", "ko", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve"]
SHIFT = {"b": "p", "d": "t", "g": "k", "v": "f"}


def make_sentences(n, rng):
    """Pairs of sentences, and the links of their words."""
    pairs = []
    for _ in range(n):
        source = [
            "".join(rng.choice(SOUNDS, size=rng.integers(1, 4))) for _ in range(8)
        ]
        order = np.argsort(np.arange(8) + rng.normal(0, 0.8, size=8))
        target, links = [], []
        for i in order.tolist():
            word = "".join(SHIFT.get(c, c) for c in source[i])
            for part in ["a" + word[:2], word[2:]] if len(word) > 4 else [word]:
                links.append((i, len(target)))
                target.append(part)
        pairs.append((source, target, sorted(links)))
    return pairs


def shared(a, b):
    """Share of the letters of b that are in a, in order."""
    at = 0
    for c in b:
        found = a.find(c, at)
        at = found + 1 if found >= 0 else at
        if found < 0:
            return b.index(c) / len(b)
    return 1.0


def problem(source, target):
    """All pairs of words, with names for the picture."""
    vectors = [
        [
            [
                shared(a, b),
                shared(b, a),
                float(a[0] == b[0]),
                -abs(i / len(source) - j / len(target)),
            ]
            for j, b in enumerate(target)
        ]
        for i, a in enumerate(source)
    ]
    return MatchingProblem(np.array(vectors), row_names=source, column_names=target)


def main():
    rng = np.random.default_rng(0)
    sentences = make_sentences(220, rng)
    X = [problem(a, b) for a, b, _ in sentences]
    Y = [links for _, _, links in sentences]
    wide = {"row_capacity": 3, "fertility": 1}
    for name, settings in (
        ("one to one", {}),
        ("up to three", wide),
        ("up to three, neighbours help", {**wide, "adjacency": True}),
    ):
        model = MatchingSVM(C=1.0, excess="drop", random_state=0, **settings)
        model.fit(X[:120], Y[:120])
        report = link_report(Y[120:], model.predict(X[120:]))
        print(
            f"{name:<30} {model.certificate_:<8} gap {model.relative_gap_:.1e}  {report}"
        )
    for part, values in model.split_weights().items():
        print(f"{part}: {values}")
    try:
        from pystruct_ext.plotting import MatchingDisplay

        display = MatchingDisplay.from_estimator(model, X[120:], Y[120:], index=1)
    except ImportError as error:
        print(error)
        return
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "matching.png").resolve()
    display.figure_.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
