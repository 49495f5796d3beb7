"""Learning to rank on LETOR 4.0 MQ2008, and how the pairs oracle scales.

Five official folds (train 3 parts, validate 1, test 1); every method chooses its settings on
the validation part by NDCG@10; one thread each. Seconds are of the one training with the chosen
settings (the search is the same kind of work for all). Means over folds.

    python benchmarks/ranking.py
"""

from __future__ import annotations

import time
import warnings
from itertools import pairwise

import numpy as np
from _common import data_folder
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import LinearSVC

from pystruct_ext import PackedRows, RankingSVM
from pystruct_ext.io import read_letor
from pystruct_ext.metrics import mean_average_precision, ndcg
from pystruct_ext.spaces.ranking import PackedQueries, RankingSpace


def parts():
    folder = data_folder("letor-mq2008")
    return [read_letor(folder / f"S{k}.txt.gz", 46) for k in range(1, 6)]


def joined(data, ks):
    return [
        np.concatenate([getattr(data[k], name) for k in ks])
        for name in ("X", "y", "qid")
    ]


def differences(X, y, qid):
    """Differences of documents of different relevance, half of them turned round."""
    out, sign = [], []
    for q in np.unique(qid):
        rows = np.flatnonzero(qid == q)
        better = y[rows][:, None] > y[rows][None, :]
        i, j = np.nonzero(better)
        turn = np.where(np.arange(len(i)) % 2, 1, -1)
        out.append((X[rows[i]] - X[rows[j]]) * turn[:, None])
        sign.append(turn)
    return np.concatenate(out), np.concatenate(sign)


class Ours:
    def __init__(self, loss, C, feature_map=None):
        self.loss, self.C, self.map = loss, C, feature_map

    def fit(self, X, y, qid, valid):
        self.pipe = (
            make_pipeline(StandardScaler(with_mean=False))
            if self.map is None
            else self.map()
        )
        Z = self.pipe.fit_transform(X)
        self.model = RankingSVM(C=self.C, loss=self.loss, tol=0.01).fit(Z, y, qid=qid)
        return self

    def predict(self, X):
        return self.model.predict(self.pipe.transform(X))


class Pairwise:
    def __init__(self, C):
        self.C = C

    def fit(self, X, y, qid, valid):
        Z, s = differences(X, y, qid)
        self.model = LinearSVC(
            C=self.C, loss="hinge", fit_intercept=False, max_iter=5000, random_state=0
        )
        self.model.fit(Z, s)
        return self

    def predict(self, X):
        return self.model.decision_function(X)


class LightGBM:
    def __init__(self, leaves):
        self.leaves = leaves

    def fit(self, X, y, qid, valid):
        import lightgbm

        self.model = lightgbm.LGBMRanker(
            n_estimators=500,
            learning_rate=0.05,
            num_leaves=self.leaves,
            min_child_samples=20,
            n_jobs=1,
            verbose=-1,
            random_state=0,
        )
        Xv, yv, qv = valid
        self.model.fit(
            X,
            y.astype(int),
            group=sizes(qid),
            eval_set=[(Xv, yv.astype(int))],
            eval_group=[sizes(qv)],
            eval_at=[10],
            callbacks=[lightgbm.early_stopping(50, verbose=False)],
        )
        return self

    def predict(self, X):
        return self.model.predict(X)


class XGBoost:
    def __init__(self, depth):
        self.depth = depth

    def fit(self, X, y, qid, valid):
        import xgboost

        self.model = xgboost.XGBRanker(
            objective="rank:ndcg",
            n_estimators=500,
            learning_rate=0.05,
            max_depth=self.depth,
            n_jobs=1,
            random_state=0,
            early_stopping_rounds=50,
            eval_metric="ndcg@10",
        )
        Xv, yv, qv = valid
        self.model.fit(
            X,
            y,
            qid=codes(qid),
            eval_set=[(Xv, yv)],
            eval_qid=[codes(qv)],
            verbose=False,
        )
        return self

    def predict(self, X):
        return self.model.predict(X)


def codes(qid):
    _, first, inverse = np.unique(qid, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def sizes(qid):
    return np.bincount(codes(qid))


def splines():
    return make_pipeline(
        SplineTransformer(n_knots=6, degree=2, knots="quantile"), StandardScaler()
    )


def forest():
    return make_pipeline(RandomTreesEmbedding(100, max_depth=4, random_state=0))


CS = (0.1, 0.3, 1.0, 3.0, 10.0)
METHODS = {
    'RankingSVM(loss="ndcg")': [lambda C=C: Ours("ndcg", C) for C in CS],
    'RankingSVM(loss="map")': [lambda C=C: Ours("map", C) for C in CS],
    'RankingSVM(loss="pairs")': [lambda C=C: Ours("pairs", C) for C in CS],
    'splines + RankingSVM(loss="ndcg")': [
        lambda C=C: Ours("ndcg", C, splines) for C in (0.003, 0.01, 0.03, 0.1)
    ],
    'tree embedding + RankingSVM(loss="ndcg")': [
        lambda C=C: Ours("ndcg", C, forest) for C in (0.01, 0.03, 0.1, 0.3)
    ],
    "LinearSVC on pairs": [lambda C=C: Pairwise(C) for C in (0.001, 0.01, 0.1, 1.0)],
    "LightGBM lambdarank": [lambda n=n: LightGBM(n) for n in (7, 15, 31)],
    "XGBoost rank:ndcg": [lambda d=d: XGBoost(d) for d in (3, 6)],
}


def quality():
    data = parts()
    print(f"{'':38}{'train s':>9}{'NDCG@1':>8}{'@3':>8}{'@5':>8}{'@10':>8}{'MAP':>8}")
    for name, settings in METHODS.items():
        rows = []
        for f in range(5):
            train = joined(data, [(f + j) % 5 for j in range(3)])
            valid, test = joined(data, [(f + 3) % 5]), joined(data, [(f + 4) % 5])
            best = None
            for make in settings:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    began = time.perf_counter()
                    model = make().fit(*train, valid)
                    seconds = time.perf_counter() - began
                score = ndcg(valid[1], model.predict(valid[0]), valid[2])
                if best is None or score > best[0]:
                    best = (score, seconds, model)
            s = best[2].predict(test[0])
            rows.append(
                [best[1]]
                + [ndcg(test[1], s, test[2], k) for k in (1, 3, 5, 10)]
                + [mean_average_precision(test[1], s, test[2])]
            )
        m = np.mean(rows, axis=0)
        print(f"{name:38}{m[0]:9.3f}" + "".join(f"{v:8.4f}" for v in m[1:]), flush=True)


def scaling(n=1_000_000, d=50):
    """Seconds per oracle call against NumPy's scoring product and argsort of the scores."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = np.clip(np.round(X[:, 0] + rng.normal(size=n) + 1), 0, 4)
    w = rng.normal(size=d) * 0.1
    for n_queries in (1, 10_000):
        offsets = np.linspace(0, n, n_queries + 1).astype(np.int64)
        rows = PackedRows(offsets, None, None, X.ravel(), d)
        space = RankingSpace("pairs")
        oracle = space.bind(space.fit_pack(PackedQueries(rows, y)))
        ours, peer = [], []
        for _ in range(7):
            began = time.perf_counter()
            oracle.cut_sum(w, dpsi=False)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            s = X @ w
            for b, e in pairwise(offsets):
                np.argsort(s[b:e])
            peer.append(time.perf_counter() - began)
        a, b = np.median(ours), np.median(peer)
        print(
            f"pairs, {n:,} documents in {n_queries:,} queries, {d} features, 5 levels: "
            f"{a:.3f} s per pass, X @ w and argsort {b:.3f} s, ratio {a / b:.2f}"
        )
    began = time.perf_counter()
    model = RankingSVM(loss="pairs", C=10, tol=0.01).fit(X, y)
    print(
        f"fit of the single query: {time.perf_counter() - began:.1f} s, {model.status_}, "
        f"{model.n_oracle_calls_} oracle calls, relative gap {model.relative_gap_:.4f}"
    )


if __name__ == "__main__":
    quality()
    scaling()
