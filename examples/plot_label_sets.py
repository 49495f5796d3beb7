"""Tags of short texts: pairs of labels, the F1 loss, and two pictures.

The texts are made up: each has one or two topics, and a word for each of them now and then.
"rain" and "sun" exclude each other, "sea" and "sun" like each other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from pystruct_ext import MultilabelSVM
from pystruct_ext.metrics import label_set_report

WORDS = {
    "city": ["street", "house", "traffic", "bridge", "tower"],
    "rain": ["cloud", "wet", "umbrella", "storm", "grey"],
    "sea": ["wave", "beach", "boat", "harbour", "salt"],
    "sun": ["light", "blue", "warm", "bright", "summer"],
}
SETS = [("city",), ("city", "rain"), ("sea", "sun"), ("sun",), ("rain",), ("sea", "rain"),
        ("sea", "sun")]  # fmt: skip
FILL = [
    "a",
    "picture",
    "of",
    "some",
    "day",
    "in",
    "the",
    "year",
    "with",
    "people",
    "and",
    "more",
    "of",
    "it",
]


def make_texts(
    n: int, rng: np.random.Generator
) -> tuple[list[str], list[tuple[str, ...]]]:
    """N texts and their label sets."""
    texts, sets = [], []
    for _ in range(n):
        labels = SETS[rng.integers(len(SETS))]
        words = list(rng.choice(FILL, size=5))
        for label in labels:  # one word of each, sometimes none
            words += list(rng.choice(WORDS[label], size=rng.binomial(2, 0.5)))
        words += list(
            rng.choice(WORDS[rng.choice(list(WORDS))], size=1)
        )  # and a wrong one
        texts.append(" ".join(rng.permutation(words)))
        sets.append(tuple(sorted(labels)))
    return texts, sets


def main() -> None:
    """Train, compare, draw."""
    rng = np.random.default_rng(0)
    X, y = make_texts(600, rng)
    Xt, yt = make_texts(400, rng)
    models = {
        "labels on their own": MultilabelSVM(
            3.0, interactions="none", never_empty=False
        ),
        "all pairs": MultilabelSVM(3.0, interactions="full"),
        "all pairs, 0/1 loss": MultilabelSVM(3.0, interactions="full", loss="subset"),
        "F1 loss": MultilabelSVM(3.0, interactions="none", loss="f1"),
    }
    fitted = {}
    for name, svm in models.items():
        fitted[name] = model = make_pipeline(TfidfVectorizer(), svm).fit(X, y)
        print(
            f"{name:22} {svm.certificate_:6} {label_set_report(yt, model.predict(Xt))}"
        )
    try:
        from pystruct_ext.plotting import LabelInteractionDisplay, LabelSetDisplay

        text, svm = fitted["all pairs"][0], fitted["all pairs"][-1]
        sets = LabelSetDisplay.from_estimator(svm, text.transform(Xt), yt, max_rows=15)
        pairs = LabelInteractionDisplay.from_estimator(svm)
    except ImportError as error:
        print(error)
        return
    for name, display in (("label_sets", sets), ("label_pairs", pairs)):
        path = Path(f"{name}.png").absolute()
        display.figure_.savefig(path, dpi=120)
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
