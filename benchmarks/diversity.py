"""Diverse rankings against classical diversifiers, and greedy selection against apricot.

Text data: the package's ambiguous queries and AMBIENT, 5-fold cross-validation by query; all
methods see the same features and choose their settings by 3-fold cross-validation within the
training part. p: paired two-sided t-test over queries against the best baseline of that column.
Judgements without text (TREC): learned on relevance to intents alone where features allow.

    python benchmarks/diversity.py
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from _common import data_folder
from scipy.stats import ttest_rel

from pystruct_ext import DiverseQuery, DiverseRankingSVM
from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.diversify import (
    MMR,
    PM2,
    IASelect,
    QueryTextFeatures,
    RelevanceRanker,
    XQuAD,
)
from pystruct_ext.io import read_ambient, read_diversity_qrels, read_run
from pystruct_ext.metrics import alpha_ndcg, err_ia, subtopic_recall

COLUMNS = ("alpha-nDCG@10", "ERR-IA@10", "S-recall@5", "S-recall@10")


class Given:
    """The order in which the engine gave the documents."""

    def fit(self, X):
        return self

    def predict(self, X):
        return [np.arange(min(10, len(q))) for q in X]


class Tuned:
    """DiverseRankingSVM with C chosen by cross-validation on the training queries."""

    def __init__(self, model, Cs, **params):
        self.model, self.Cs, self.params = model, Cs, params

    def make(self, C):
        return DiverseRankingSVM(model=self.model, C=C, **self.params)

    def fit(self, X):
        folds = np.arange(len(X)) % 3
        scores = []
        for C in self.Cs:
            total = 0.0
            for f in range(3):
                train = [q for q, g in zip(X, folds, strict=True) if g != f]
                held = [q for q, g in zip(X, folds, strict=True) if g == f]
                total += self.make(C).fit(train).score(held) * len(held)
            scores.append(total)
        self.best_ = self.make(self.Cs[int(np.argmax(scores))]).fit(X)
        return self

    def predict(self, X):
        return self.best_.predict(X)


BASELINES = {
    "engine's order": Given,
    "relevance (RankingSVM)": lambda: RelevanceRanker(given=False),
    "MMR": MMR,
    "xQuAD": XQuAD,
    "PM-2": PM2,
    "IA-Select": IASelect,
}
LEARNED = {
    "sequential": lambda: Tuned("sequential", (0.03, 0.1, 0.3, 1.0)),
    "sequential, steps": lambda: Tuned(
        "sequential", (0.01, 0.1, 1.0), training="steps"
    ),
    "coverage": lambda: Tuned("coverage", (0.001, 0.003, 0.01)),
    "mixture": lambda: Tuned("mixture", (0.03, 0.1, 0.3, 1.0)),
}


def measure(q, slate):
    r, p = q.relevance, q.probabilities
    return (
        alpha_ndcg(r, slate, 10, 0.5, p),
        err_ia(r, slate, 10, p),
        subtopic_recall(r, slate, 5),
        subtopic_recall(r, slate, 10),
    )


def compare(name, queries, featurise, baselines, learned, folds=5, seed=0):
    order = np.random.default_rng(seed).permutation(len(queries))
    results, seconds = {}, {}
    for f in range(folds):
        test = [int(i) for k, i in enumerate(order) if k % folds == f]
        train = [int(i) for k, i in enumerate(order) if k % folds != f]
        X_train, X_test = featurise(
            [queries[i] for i in train], [queries[i] for i in test]
        )
        for kind in (baselines, learned):
            for method, make in kind.items():
                began = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    slates = make().fit(X_train).predict(X_test)
                seconds[method] = seconds.get(method, 0) + time.perf_counter() - began
                table = results.setdefault(method, np.zeros((len(queries), 4)))
                for i, q, slate in zip(test, X_test, slates, strict=True):
                    table[i] = measure(q, slate)
    print(f"\n{name}: {len(queries)} queries, {folds}-fold")
    print(f"{'':24}" + "".join(f"{c:>24}" for c in COLUMNS) + f"{'seconds':>9}")
    best = [
        max((results[b] for b in baselines), key=lambda t, c=c: t[:, c].mean())
        for c in range(4)
    ]
    for method, table in results.items():
        cells = []
        for c in range(4):
            text = f"{table[:, c].mean():.4f}"
            if method in learned:
                p = ttest_rel(table[:, c], best[c][:, c]).pvalue
                text += f" (p={p:.1e})"
            cells.append(f"{text:>24}")
        print(f"{method:24}" + "".join(cells) + f"{seconds[method]:9.1f}", flush=True)


def text_features(train, test):
    text = QueryTextFeatures().fit(train)
    return text.transform(train), text.transform(test)


def trec_web():
    """2012: the judged part of four runs; scores and ranks are the only features there are."""
    folder = data_folder("trec-web-diversity")
    qrels = read_diversity_qrels(folder / "2012.diversity-qrels.txt.gz")
    runs = [
        read_run(folder / f"2012.run-indri-{m}-cat{c}-filtered.txt.gz")
        for m in ("ql", "rm")
        for c in ("a", "b")
    ]
    queries = []
    for topic, intents in qrels.items():
        names = sorted(
            i for i, docs in intents.items() if any(g > 0 for g in docs.values())
        )
        ranks = [
            {d: r for r, (d, _) in enumerate(run.get(topic, [])[:100])} for run in runs
        ]
        docs = list(dict.fromkeys(d for r in ranks for d in r))
        docs.sort(key=lambda d: min(r.get(d, 100) for r in ranks))
        docs = docs[:100]
        relevance = np.array(
            [[max(0, intents[i].get(d, 0)) for i in names] for d in docs]
        )
        if len(docs) < 10 or not names or not relevance.any():
            continue
        relevance = relevance[:, relevance.any(axis=0)]
        x = np.array(
            [
                [-np.log1p(r.get(d, 100)) for r in ranks] + [sum(d in r for r in ranks)]
                for d in docs
            ]
        )
        near = np.exp(-((x[:, None, :4] - x[None, :, :4]) ** 2).mean(axis=2))
        host = np.array([d.rsplit("-", 1)[0] for d in docs])
        same = (host[:, None] == host[None, :]).astype(float)
        queries.append(
            DiverseQuery(
                x, relevance, relations=np.stack([near, same], axis=2), query_id=topic
            )
        )
    return queries


def interactive_aspects():
    """TREC 6-8 interactive: nothing but judgements, so selection from known aspects."""
    folder = data_folder("trec6-8-interactive-aspects")
    topics: dict[str, list] = {}
    for line in (folder / "aspect-judgments.txt").read_text().splitlines():
        parts = line.split()
        if len(parts) == 3 and set(parts[2]) <= {"0", "1"}:
            topics.setdefault(parts[0], []).append([int(b) for b in parts[2]])
    print(
        "\nTREC 6-8 interactive aspects (judgements only: a test of selection, not of learning)"
    )
    greedy, first = [], []
    for rows in topics.values():
        r = np.array(rows)
        r = r[:, r.any(axis=0)]
        q = DiverseQuery(
            np.zeros((len(r), 1)),
            r,
            coverage=r,
            element_features=np.ones((r.shape[1], 1)),
        )
        model = DiverseRankingSVM(model="coverage", loss="intents", C=1e3, top=10).fit(
            [q]
        )
        slate = model.predict([q])[0]
        greedy.append(subtopic_recall(r, slate, 10))
        model.set_params(decode="exact")
        first.append(subtopic_recall(r, model.predict([q])[0], 10))
    print(
        f"{len(topics)} topics: S-recall@10 of the coverage greedy {np.mean(greedy):.4f}, "
        f"of the exact set {np.mean(first):.4f}"
    )


def selection():
    """Greedy maximum coverage: selections per second at the same objective."""
    from apricot import MaxCoverageSelection
    from scipy import sparse

    print("\ngreedy maximum coverage, 50 of n items")
    for n, m in ((1000, 2000), (5000, 2000)):
        rng = np.random.default_rng(0)
        degree = rng.zipf(1.6, n).clip(3, 60)
        cover = sparse.csr_array(
            (rng.random((n, m)) < (degree / m)[:, None]).astype(float)
        )
        q = DiverseQuery(
            np.zeros((n, 1)), coverage=cover, element_features=np.ones((m, 1))
        )
        judged = DiverseQuery(
            np.zeros((2, 1)),
            np.eye(2),
            coverage=np.eye(2),
            element_features=np.ones((2, 1)),
        )
        model = DiverseRankingSVM(model="coverage", top=50, C=1.0).fit([judged])
        model._w[:] = (0.0, 1.0)
        from pystruct_ext.spaces.slate import PackedSlates

        model.space_.set_params(top=50)
        oracle = model.space_.bind(PackedSlates([q]))
        times, theirs = [], []
        dense = cover.toarray()
        for _ in range(5):
            began = time.perf_counter()
            code = oracle.argmax(model._w, 0, 0.0)
            times.append(time.perf_counter() - began)
        for _ in range(3):
            selector = MaxCoverageSelection(50, optimizer="lazy")
            began = time.perf_counter()
            selector.fit(dense)
            theirs.append(time.perf_counter() - began)
        loop = []
        began = time.perf_counter()
        left, chosen = np.ones(m), []
        for _ in range(50):
            gains = dense @ left
            gains[chosen] = -1
            chosen.append(int(gains.argmax()))
            left *= 1 - dense[chosen[-1]]
        loop.append(time.perf_counter() - began)
        value = [
            float(dense[list(s)].any(axis=0).sum())
            for s in (code, selector.ranking, chosen)
        ]
        a, b, c = np.median(times), np.median(theirs), loop[0]
        print(
            f"n={n}, {m} elements: ours {1e3 * a:.2f} ms ({1 / a:,.0f}/s), "
            f"apricot lazy {1e3 * b:.1f} ms ({b / a:,.0f}x), "
            f"NumPy loop {1e3 * c:.1f} ms ({c / a:,.0f}x); objectives {value}"
        )


if __name__ == "__main__":
    compare(
        "ambiguous queries", load_ambiguous_queries(), text_features, BASELINES, LEARNED
    )
    compare(
        "AMBIENT",
        read_ambient(data_folder("ambient")),
        text_features,
        BASELINES,
        LEARNED,
    )
    compare(
        "TREC web 2012 (ranks of four runs)",
        trec_web(),
        lambda a, b: (a, b),
        {k: BASELINES[k] for k in ("engine's order", "relevance (RankingSVM)", "MMR")},
        {"sequential": LEARNED["sequential"]},
    )
    interactive_aspects()
    selection()
