"""Makes the model files of format version 1 in this folder, and what they predict.

Run once, with version 0.1.0 at commit da976e6, the last that wrote format version 1 (later
versions write a newer one): ``python make.py FOLDER``. `expected.json` holds, for each file,
inputs and the predictions of that version; `test_version1.py` compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from pystruct_ext.ranking import QueryTextFeatures

from pystruct_ext import (
    ConstituencySVM,
    DiverseQuery,
    DiverseRankingSVM,
    FoldingSVM,
    MulticlassSVM,
    OutputSpace,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
)
from pystruct_ext.datasets import load_ambiguous_queries, make_folds, make_treebank
from pystruct_ext.solvers import BCFW

PARTS = ("features", "relevance", "topics", "topic_features")


def sequence():
    tags = ["B-NP", "I-NP", "O"]
    X = [
        [["the", "D"], ["big", "J"], ["dog", "N"], ["barks", "V"]],
        [["dogs", "N"], ["bark", "V"], ["loudly", "R"]],
        [["a", "D"], ["cat", "N"], ["sees", "V"], ["the", "D"], ["dog", "N"]],
    ]
    y = [[tags[k] for k in row] for row in ([0, 1, 1, 2], [0, 2, 2], [0, 1, 2, 0, 1])]
    model = SequenceSVM(
        template="U0:%x[0,0]\nU1:%x[-1,1]/%x[0,1]\nB\n",
        constraints="BIO",
        C=2.0,
        solver=BCFW(tol=1e-3, random_state=0),
        callback=lambda progress: False,
    )
    model.fit(X, y)
    new = [[["the", "D"], ["loud", "J"], ["cat", "N"], ["barks", "V"]], X[1][1:]]
    return model, [*X, *new], model.predict([*X, *new])


def grammar():
    bank = make_treebank(12, random_state=0)
    model = ConstituencySVM(model="grammar", bits=8, random_state=0)
    model.fit(bank.sentences[:9], bank.trees[:9])
    inputs = [[list(s.forms), list(s.tags)] for s in bank.sentences]
    trees = model.predict([tuple(words) for words in inputs])
    return model, inputs, [str(t) for t in trees]


def _query(rng, name):
    intent = rng.integers(0, 3, 8)
    intent[:3] = 0, 1, 2
    return DiverseQuery(
        rng.normal(size=(8, 3)).round(3),
        np.eye(3)[intent],
        topics=np.eye(3)[intent] * 0.75 + 0.125,
        topic_features=rng.normal(size=(3, 2)).round(3),
        query_id=name,
    )


def mixture():
    rng = np.random.default_rng(0)
    queries = [_query(rng, str(i)) for i in range(10)]
    model = DiverseRankingSVM(model="mixture", top=4, C=10.0, random_state=0)
    model.fit(queries[:7])
    model.text_features_ = QueryTextFeatures(n_topics=3).fit(
        load_ambiguous_queries()[:3]
    )
    inputs = [{p: getattr(q, p).tolist() for p in PARTS} for q in queries]
    return model, inputs, [s.tolist() for s in model.predict(queries)]


def folding():
    X, y = make_folds(14, random_state=0)
    model = FoldingSVM(C=0.01, random_state=0).fit(X[:10], y[:10])
    return model, list(X), model.predict(X)


def multiclass():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4)).round(3)
    y = np.array(["a", "b", "c"])[X[:, :3].argmax(axis=1)]
    cost = [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    model = MulticlassSVM(C=0.5, loss=np.array(cost, dtype=float)).fit(X[:20], y[:20])
    return model, X.tolist(), model.predict(X).tolist()


def ranking():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).round(3)
    y, qid = np.clip(np.round(X @ [1, -1, 0]), 0, 2), np.repeat(np.arange(4), 10)
    model = RankingSVM(C=10.0, loss="ndcg", top=5).fit(X, y, qid=qid)
    return model, X.tolist(), model.predict(X).tolist()


def segments():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(12, 2)).round(3) for _ in range(6)]
    for x in X:
        x[5:8, 0] += 3
    y = [[(0, 5, "a"), (5, 8, "b"), (8, 12, "a")] for _ in X]
    model = SegmentSVM(loss="segments").fit(X[:4], y[:4])
    predicted = [[list(s) for s in row] for row in model.predict(X)]
    return model, [x.tolist() for x in X], predicted


class Sign(OutputSpace):
    """A space that is not the package's."""

    def __init__(self, cost=1.0):
        self.cost = cost

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 2
        return self

    def joint_feature(self, x, y):
        return np.array([x, 0.0]) if y else np.array([0.0, x])

    def loss(self, y, y_hat):
        return self.cost * (y != y_hat)

    def decode(self, w, x):
        return bool(w[0] * x > w[1] * x)

    def loss_augmented_decode(self, w, x, y):
        c = self.cost
        return bool(w[0] * x + c * (not y) > w[1] * x + c * y)


def own_space():
    X = [1.0, -1.0, 2.0, -0.5]
    model = StructuralSVM(Sign(2.0), C=10.0).fit(X, [x > 0 for x in X])
    return model, X, model.predict(X)


def main(folder):
    expected = {}
    for make in (
        sequence,
        grammar,
        mixture,
        folding,
        multiclass,
        ranking,
        segments,
        own_space,
    ):
        model, inputs, predictions = make()
        model.save(folder / f"{make.__name__}.psx")
        expected[make.__name__] = {
            "params": {
                k: v for k, v in model.get_params().items() if k in ("C", "top")
            },
            "gap": model.duality_gap_,
            "epochs": len(model.history_),
            "X": inputs,
            "y": predictions,
        }
        if hasattr(model, "text_features_"):
            text = model.text_features_
            expected[make.__name__]["text"] = [
                text.mean_.tolist(),
                text.scale_.tolist(),
            ]
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items()]
    (folder / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
