"""A readable twin of the aligner's EM: one sentence, one word, one link at a time.

Sentences are pairs of lists; ``t[e][f]`` is the probability that e generates f.
"""

from __future__ import annotations

import math


def positions(i, n, j, m):
    return abs((i + 0.5) / n - (j + 0.5) / m)


def diagonal_posteriors(pairs, t, null, tension, p0):
    """Per pair a table [i][j], the mass of NULL per j, and the log likelihood of all."""
    tables, nulls, value = [], [], 0.0
    for e, f in pairs:
        n, m = len(e), len(f)
        table = [[0.0] * m for _ in range(n)]
        missing = [0.0] * m
        for j in range(m):
            prior = [math.exp(-tension * positions(i, n, j, m)) for i in range(n)]
            joint = [
                (1 - p0) * prior[i] / sum(prior) * t[e[i]].get(f[j], 0.0)
                for i in range(n)
            ]
            total = sum(joint) + p0 * null[f[j]]
            for i in range(n):
                table[i][j] = joint[i] / total
            missing[j] = p0 * null[f[j]] / total
            value += math.log(total)
        tables.append(table)
        nulls.append(missing)
    return tables, nulls, value


def hmm_posteriors(pairs, t, null, jump, width, p0):
    """The same by summing over every path: n + 1 choices per word, NULL staying put."""
    tables, nulls, value = [], [], 0.0
    for e, f in pairs:
        table = [[0.0] * len(f) for _ in e]
        missing = [0.0] * len(f)
        total = 0.0
        for path, weight in paths(e, f, t, null, jump, width, p0):
            total += weight
            for j, i in enumerate(path):
                if i is None:
                    missing[j] += weight
                else:
                    table[i][j] += weight
        tables.append([[x / total for x in row] for row in table])
        nulls.append([x / total for x in missing])
        value += math.log(total)
    return tables, nulls, value


def paths(e, f, t, null, jump, width, p0, at=-1):
    """Every choice of a word of e, or NULL, for each word of f; with its probability."""
    if not f:
        yield [], 1.0
        return

    def weight(d):
        return jump[max(-width, min(width, d)) + width]

    z = sum(weight(q - at) for q in range(len(e)))
    for q in range(len(e)):
        here = (1 - p0) * weight(q - at) / z * t[e[q]].get(f[0], 0.0)
        for path, rest in paths(e, f[1:], t, null, jump, width, p0, q):
            yield [q, *path], here * rest
    for path, rest in paths(e, f[1:], t, null, jump, width, p0, at):
        yield [None, *path], p0 * null[f[0]] * rest


def model_1(pairs, rounds, p0):
    """EM of model 1 by maximum likelihood; t, the distribution of NULL, and its history."""
    targets = {w for _, f in pairs for w in f}
    t = {w: dict.fromkeys(targets, 1 / len(targets)) for e, _ in pairs for w in e}
    null = dict.fromkeys(targets, 1 / len(targets))
    history = []
    for _ in range(rounds):
        tables, nulls, value = diagonal_posteriors(pairs, t, null, 0.0, p0)
        history.append(value)
        count = {e: dict.fromkeys(targets, 0.0) for e in t}
        of_null = dict.fromkeys(targets, 0.0)
        for (e, f), table, missing in zip(pairs, tables, nulls, strict=True):
            for j, g in enumerate(f):
                of_null[g] += missing[j]
                for i, h in enumerate(e):
                    count[h][g] += table[i][j]
        t = {
            e: {g: c / sum(row.values()) for g, c in row.items()}
            for e, row in count.items()
        }
        null = {g: c / sum(of_null.values()) for g, c in of_null.items()}
    history.append(diagonal_posteriors(pairs, t, null, 0.0, p0)[2])
    return t, null, history


def lcs(a, b):
    if not a or not b:
        return 0
    if a[0] == b[0]:
        return 1 + lcs(a[1:], b[1:])
    return max(lcs(a[1:], b), lcs(a, b[1:]))
