"""Ranking and diversity metrics against trec_eval and ndeval (through ir_measures)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pystruct_ext import metrics

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ir_measures = pytest.importorskip(
        "ir_measures", reason="ir_measures is in the extra pystruct-ext[test]"
    )


def official(measures, qrels, run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [ir_measures.parse_measure(m) for m in measures]
        out = {}
        for row in ir_measures.iter_calc(names, qrels, run):
            out[(str(row.measure), row.query_id)] = row.value
    return out


def random_run(seed, n_queries=12):
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(n_queries), rng.integers(2, 40, n_queries))
    y = rng.choice([0, 0, 0, 1, 2, 3], len(qid))
    scores = rng.permutation(len(qid)).astype(float)
    return qid, y, scores


@pytest.mark.parametrize("seed", range(5))
def test_ranking_metrics_equal_trec_eval(seed):
    qid, y, scores = random_run(seed)
    docs = [f"d{i}" for i in range(len(y))]
    run = [
        ir_measures.ScoredDoc(str(q), d, s)
        for q, d, s in zip(qid, docs, scores, strict=True)
    ]
    qrels = [
        ir_measures.Qrel(str(q), d, int(g))
        for q, d, g in zip(qid, docs, y, strict=True)
    ]
    exponential = [
        ir_measures.Qrel(str(q), d, int(2**g - 1))
        for q, d, g in zip(qid, docs, y, strict=True)
    ]
    plain = official(["nDCG@10", "nDCG@3", "nDCG", "AP", "RR", "P@5"], qrels, run)
    twice = official(["nDCG@10"], exponential, run)
    ours = {
        "nDCG@10": metrics.ndcg(y, scores, qid, 10, "linear", average=False),
        "nDCG@3": metrics.ndcg(y, scores, qid, 3, "linear", average=False),
        "nDCG": metrics.ndcg(y, scores, qid, None, "linear", average=False),
        "AP": metrics.mean_average_precision(y, scores, qid, average=False),
        "RR": metrics.mean_reciprocal_rank(y, scores, qid, average=False),
        "P@5": metrics.precision_at(y, scores, qid, 5, average=False),
    }
    for name, values in ours.items():
        for q, value in enumerate(values):
            assert value == pytest.approx(plain[(name, str(q))], abs=1e-9), (name, q)
    exp = metrics.ndcg(y, scores, qid, 10, "exponential", average=False)
    for q, value in enumerate(exp):
        assert value == pytest.approx(twice[("nDCG@10", str(q))], abs=1e-9)
    assert metrics.ndcg(y, scores, qid) == pytest.approx(exp.mean())


@pytest.mark.parametrize("seed", range(8))
def test_diversity_metrics_equal_ndeval(seed):
    rng = np.random.default_rng(seed)
    qrels, run, queries = [], [], []
    for q in range(8):
        n, m = int(rng.integers(3, 40)), int(rng.integers(1, 7))
        # Distinct rows of judgements, so that the greedy ideal has few ties to break.
        relevance = (rng.random((n, m)) < 0.25).astype(int)
        relevance[0, 0] = 1
        order = rng.permutation(n)
        queries.append((relevance, order))
        for d in range(n):
            for i in range(m):
                if relevance[d, i]:
                    qrels.append(ir_measures.Qrel(str(q), f"d{d:03d}", 1, str(i + 1)))
        for r, d in enumerate(order):
            run.append(ir_measures.ScoredDoc(str(q), f"d{d:03d}", float(n - r)))
    names = [
        "alpha_nDCG@10",
        "alpha_nDCG@5",
        "ERR_IA@10",
        "nERR_IA@10",
        "NRBP",
        "StRecall@5",
    ]
    theirs = official(names, qrels, run)
    for q, (relevance, order) in enumerate(queries):
        ours = {
            "alpha_nDCG@10": metrics.alpha_ndcg(relevance, order, 10),
            "alpha_nDCG@5": metrics.alpha_ndcg(relevance, order, 5),
            "ERR_IA@10": metrics.err_ia(relevance, order, 10),
            "nERR_IA@10": metrics.err_ia(relevance, order, 10, normalise="ideal"),
            "NRBP": metrics.nrbp(relevance, order),
            "StRecall@5": metrics.subtopic_recall(relevance, order, 5),
        }
        for name, value in ours.items():
            assert value == pytest.approx(theirs[(name, str(q))], abs=1e-9), (name, q)
