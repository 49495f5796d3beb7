"""Decoders for given scores of a graph, beside PyMaxflow, gco and SciPy's HiGHS.

    python benchmarks/structures_decoders.py [--quick] [binary] [potts] [mixed] [graphs]

Scores are maximised. Grids join 4 neighbours; unary scores are N(0, 1); "attractive" edges pay
U(0, 1.5) for equal labels, "mixed" ones have a full table N(0, 0.25). Seeds 0 .. 2; building
the graph or the program from NumPy arrays counts. Medians of the process' CPU time per
problem, the peers in the same run, in turns. Peers that are not installed are left out (pip
install PyMaxflow gco-wrapper). "loop" is damped max-product belief propagation in NumPy, 30
rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _common import show_table, write_json
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array

from pystruct_ext.spaces.graph_decoders import decode_graph

try:
    import maxflow
except ImportError:
    maxflow = None
try:
    import gco
except ImportError:
    gco = None

BINARY, POTTS, MIXED, GRAPHS = "binary", "potts", "mixed", "graphs"


def grid(height, width):
    i = np.arange(height * width).reshape(height, width)
    across = np.c_[i[:, :-1].ravel(), i[:, 1:].ravel()]
    return np.vstack([across, np.c_[i[:-1].ravel(), i[1:].ravel()]])


def random_graph(n, degree, seed):
    rng = np.random.RandomState(seed)
    edges = set()
    while len(edges) < n * degree // 2:
        a, b = rng.randint(n, size=2)
        if a != b:
            edges.add((min(a, b), max(a, b)))
    return np.array(sorted(edges))


def problem(n, edges, labels, kind, seed):
    rng = np.random.RandomState(seed)
    unary, m = rng.randn(n, labels), len(edges)
    if kind == "attractive":
        return unary, edges, np.eye(labels)[None] * (rng.rand(m) * 1.5)[:, None, None]
    return unary, edges, rng.randn(m, labels, labels) * 0.5


def score(p, y):
    unary, edges, pairwise = p
    own = unary[np.arange(len(y)), y].sum()
    return own + pairwise[np.arange(len(edges)), y[edges[:, 0]], y[edges[:, 1]]].sum()


def ours(inference, p):
    unary, edges, pairwise = p
    return decode_graph(unary, edges, pairwise, inference)


def ours_potts(inference, p):
    unary, edges, pairwise = p
    return decode_graph(unary, edges, pairwise[:, 0, 0], inference)


def by_maxflow(p):
    unary, edges, pairwise = p
    graph = maxflow.Graph[float](len(unary), len(edges))
    nodes = graph.add_nodes(len(unary))
    gain, w = unary[:, 1] - unary[:, 0], pairwise[:, 0, 0]
    graph.add_grid_tedges(nodes, np.maximum(gain, 0), np.maximum(-gain, 0))
    graph.add_edges(edges[:, 0], edges[:, 1], w, w)
    graph.maxflow()
    return 1 - graph.get_grid_segments(nodes).astype(int)


def by_gco(p):
    unary, edges, pairwise = p
    unlike = 1.0 - np.eye(unary.shape[1])
    weights = pairwise[:, 0, 0] * 1.0
    ends = edges.astype(np.int32)
    return np.asarray(
        gco.cut_general_graph(
            ends, weights, -unary, unlike, n_iter=-1, algorithm="expansion"
        )
    )


def by_loop(p, rounds=30):
    unary, edges, pairwise = p
    a, b = edges.T
    there, back = (np.zeros((len(edges), unary.shape[1])) for _ in range(2))
    for _ in range(rounds):
        belief = unary.copy()
        np.add.at(belief, b, there)
        np.add.at(belief, a, back)
        new = ((belief[a] - back)[:, :, None] + pairwise).max(1)
        old = ((belief[b] - there)[:, None, :] + pairwise).max(2)
        there = 0.5 * there + 0.5 * (new - new.max(1, keepdims=True))
        back = 0.5 * back + 0.5 * (old - old.max(1, keepdims=True))
    belief = unary.copy()
    np.add.at(belief, b, there)
    np.add.at(belief, a, back)
    return belief.argmax(1)


def program(p):
    """The local polytope: costs, matrix, right side; columns of nodes, then of edges."""
    unary, edges, pairwise = p
    (n, k), m = unary.shape, len(edges)
    cells = n * k + np.arange(m * k * k).reshape(m, k, k)
    ends = n + np.arange(2 * m * k).reshape(2, m, k)
    rows = [np.repeat(np.arange(n), k)]
    columns, values = [np.arange(n * k)], [np.ones(n * k)]
    for side, table in ((0, cells), (1, cells.transpose(0, 2, 1))):
        nodes = edges[:, side, None] * k + np.arange(k)
        rows += [np.repeat(ends[side].ravel(), k), ends[side].ravel()]
        columns += [table.ravel(), nodes.ravel()]
        values += [np.ones(m * k * k), -np.ones(m * k)]
    shape = (n + 2 * m * k, n * k + m * k * k)
    matrix = csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape
    )
    right = np.r_[np.ones(n), np.zeros(2 * m * k)]
    return -np.concatenate([unary.ravel(), pairwise.ravel()]), matrix, right


def by_linprog(p):
    cost, matrix, right = program(p)
    got = linprog(cost, A_eq=matrix, b_eq=right, bounds=(0, 1), method="highs")
    return got.x[: p[0].size].reshape(p[0].shape).argmax(1), -got.fun


def by_milp(p, seconds=60):
    cost, matrix, right = program(p)
    whole = np.zeros(len(cost))
    whole[: p[0].size] = 1
    got = milp(
        cost,
        constraints=LinearConstraint(matrix, right, right),
        integrality=whole,
        bounds=Bounds(0, 1),
        options={"time_limit": seconds},
    )
    if got.x is None:
        return np.zeros(len(p[0]), int), -got.mip_dual_bound
    return got.x[: p[0].size].reshape(p[0].shape).argmax(1), -got.mip_dual_bound


def cpu(function, least):
    """CPU seconds per call; short calls are repeated."""
    calls, began = 0, time.process_time()
    while True:
        function()
        calls += 1
        spent = time.process_time() - began
        if spent >= least:
            return spent / calls


def compare(title, problems, peers, repeats):
    """Rows of one table; `peers` are names, functions, and whether they are slow."""
    seconds = {name: [] for name, _, _ in peers}
    for turn in range(repeats):
        for name, function, slow in peers:
            if slow and turn:
                continue
            least = 0 if slow else 0.05
            each = cpu(lambda run=function: [run(p) for p in problems], least)
            seconds[name].append(each / len(problems))
    first = statistics.median(seconds[peers[0][0]])
    rows = []
    for name, function, _ in peers:
        answers = [function(p) for p in problems]
        labels = [got[0] if isinstance(got, tuple) else got for got in answers]
        bounds = [
            got[-2] if len(got) == 4 else got[1] for got in answers if bounded(got)
        ]
        proven = [got.exact for got in answers if hasattr(got, "exact")]
        each = statistics.median(seconds[name])
        scores = [score(p, y) for p, y in zip(problems, labels, strict=True)]
        rows.append(
            {
                "decoder": name,
                "ms": 1e3 * each,
                "times the first's": each / first,
                "mean score": f"{np.mean(scores):.4f}",
                "score of problem 0": f"{scores[0]:.4f}",
                "bound of problem 0": f"{bounds[0]:.6f}" if bounds else "",
                "proven": f"{sum(proven)} of {len(proven)}" if proven else "",
            }
        )
    show_table(title, rows)
    return rows


def bounded(got):
    return isinstance(got, tuple)


def available(**peers):
    """Those of the named peers whose module is there."""
    there = {"PyMaxflow": maxflow, "gco alpha-expansion": gco}
    return [
        (name, function, False)
        for name, function in peers.items()
        if there.get(name, True) is not None
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller ones")
    asked = parser.parse_args(arguments)
    parts = asked.parts or [BINARY, POTTS, MIXED, GRAPHS]
    repeats, tables = (3 if asked.quick else 7), {}
    flow = available(**{"PyMaxflow": by_maxflow})
    moves = available(**{"gco alpha-expansion": by_gco})

    def run(title, problems, peers):
        tables[title] = compare(title, problems, peers, repeats)

    if BINARY in parts:
        for h in (10, 30) if asked.quick else (10, 30, 64):
            ps = [problem(h * h, grid(h, h), 2, "attractive", s) for s in range(3)]
            mine = ("ours, auto (cut)", partial(ours_potts, "auto"), False)
            run(f"grid {h} x {h}, 2 labels, attractive", ps, [mine, *flow])
    if POTTS in parts:
        for h, w, k in ((10, 12, 11), (30, 30, 5)):
            ps = [problem(h * w, grid(h, w), k, "attractive", s) for s in range(3)]
            mine = [
                (f"ours, {how}", partial(ours_potts, how), False)
                for how in ("auto", "expansion", "dual", "exact")
            ]
            run(f"grid {h} x {w}, {k} labels, Potts attractive", ps, [*mine, *moves])
    if MIXED in parts:
        ps = [problem(120, grid(10, 12), 11, "mixed", s) for s in range(3)]
        mine = [
            (f"ours, {how}", partial(ours, how), False)
            for how in ("auto", "dual", "lp", "exact")
        ]
        slow = [("HiGHS, local polytope", by_linprog, True)]
        title = "grid 10 x 12, 11 labels, mixed signs"
        run(title, ps, [*mine, ("loop", by_loop, False), *slow])
        slow += [] if asked.quick else [("HiGHS, milp", by_milp, True)]
        run(f"{title}, problem 0 only", ps[:1], [*mine[2:], *slow])
    if GRAPHS in parts:
        for n, k in (
            ((50, 5),) if asked.quick else ((50, 2), (50, 5), (500, 2), (500, 5))
        ):
            for kind in ("attractive", "mixed"):
                ps = [
                    problem(n, random_graph(n, 4, 9 + s), k, kind, s) for s in range(3)
                ]
                potts = kind == "attractive"
                call = ours_potts if potts else ours
                names = ["auto", "dual", "lp"] + (["exact"] if n < 500 else [])
                mine = [(f"ours, {how}", partial(call, how), False) for how in names]
                peers = [*mine, *(flow if potts and k == 2 else [])]
                peers += [*(moves if potts else []), ("loop", by_loop, False)]
                slow = n < 500 or not asked.quick
                peers += [("HiGHS, local polytope", by_linprog, True)] if slow else []
                run(f"random graph, {n} nodes, degree 4, {k} labels, {kind}", ps, peers)
    write_json("structures_decoders", {"tables": tables})


if __name__ == "__main__":
    main()
