"""Expectations of the word alignment models.

Design. A corpus is a ragged grid: the n x m edges of a sentence pair lie row after row in one
array, as do its words; a direction is a pair of strides into that grid, so that one function
serves both. Probabilities t of the edges are gathered by the caller (``t[pair]``), and the
counts of a maximisation step are its ``bincount``: what is left here is a loop over memory
in order, without a table, so that sentences outside the training corpus need no code of
their own. Loops run over contiguous rows so that compilers vectorise them.
"""

from libc.math cimport exp, fabs, log
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

import numpy as np


cdef inline int64_t bucket(int64_t d, int64_t width) noexcept nogil:
    return (width if d > width else -width if d < -width else d) + width


cdef inline double distance(int64_t i, int64_t n, int64_t j, int64_t m) noexcept nogil:
    return fabs((i + 0.5) / n - (j + 0.5) / m)


cdef double _diagonal(
    const double* t, const double* null, int64_t n, int64_t m, int64_t step_i,
    int64_t step_j, double tension, double p0, double* post, double* null_post,
    double* prior, double* moment,
) noexcept nogil:
    """One sentence: i conditions, j is generated; prior: (n,) scratch."""
    cdef int64_t i, j
    cdef double z, total, value = 0, share
    for j in range(m):
        total = 0
        for i in range(n):
            prior[i] = exp(-tension * distance(i, n, j, m))
            total += prior[i]
        z = p0 * null[j]
        share = (1 - p0) / total
        for i in range(n):
            prior[i] = share * prior[i] * t[i * step_i + j * step_j]
            z += prior[i]
        value += log(z)
        null_post[j] = p0 * null[j] / z
        for i in range(n):
            total = prior[i] / z
            post[i * step_i + j * step_j] = total
            moment[0] += total * distance(i, n, j, m)
    return value


def diagonal_expectations(
    const int64_t[::1] rows, const int64_t[::1] columns, const double[::1] t,
    const double[::1] null, bint reverse, double tension, double p0,
):
    """Posteriors under p(i | j) proportional to exp(-tension |i / n - j / m|); 0 is model 1.

    Parameters
    ----------
    rows, columns : (S,) int64
        Words of each sentence on the two sides.
    t : (E,) float64
        Probability of generating the one word from the other; sentence by sentence, row by
        row.
    null : (words of the generated side,) float64
        Probability of generating each word from NULL.
    reverse : bool
        Rows are generated from columns.
    tension, p0 : float

    Returns
    -------
    log_likelihood : float
    post : (E,) float64
    null_post : (words of the generated side,) float64
    moment : float
        Expected sum of the distances of the links.
    """
    cdef int64_t k, n, m, edge = 0, word = 0, longest = 1, S = rows.shape[0]
    cdef double value = 0, moment = 0
    post = np.empty(t.shape[0])
    null_post = np.empty(null.shape[0])
    cdef double[::1] p = post, q = null_post
    for k in range(S):
        longest = max(longest, rows[k], columns[k])
    cdef double[::1] scratch = np.empty(longest)
    with nogil:
        for k in range(S):
            n = rows[k]
            m = columns[k]
            if reverse:
                value += _diagonal(
                    &t[edge], &null[word], m, n, 1, m, tension, p0, &p[edge], &q[word],
                    &scratch[0], &moment,
                )
                word += n
            else:
                value += _diagonal(
                    &t[edge], &null[word], n, m, m, 1, tension, p0, &p[edge], &q[word],
                    &scratch[0], &moment,
                )
                word += m
            edge += n * m
    return value, post, null_post, moment


def diagonal_moments(
    const int64_t[::1] rows, const int64_t[::1] columns, const double[::1] mass,
    bint reverse, double tension,
):
    """Sums over generated words of mass times log Z, mean and variance of the distance.

    Parameters
    ----------
    rows, columns : (S,) int64
    mass : (words of the generated side,) float64
        Probability that the word is not generated from NULL.
    reverse : bool
    tension : float

    Returns
    -------
    log_z, mean, variance : float
    """
    cdef int64_t k, i, j, n, m, word = 0, S = rows.shape[0]
    cdef double z, first, second, h, e, log_z = 0, mean = 0, variance = 0
    with nogil:
        for k in range(S):
            n = columns[k] if reverse else rows[k]
            m = rows[k] if reverse else columns[k]
            for j in range(m):
                z = 0
                first = 0
                second = 0
                for i in range(n):
                    h = distance(i, n, j, m)
                    e = exp(-tension * h)
                    z += e
                    first += e * h
                    second += e * h * h
                first /= z
                log_z += mass[word] * log(z)
                mean += mass[word] * first
                variance += mass[word] * (second / z - first * first)
                word += 1
    return log_z, mean, variance


cdef double _hmm(
    const double* t, const double* null, int64_t n, int64_t m, int64_t step_i,
    int64_t step_j, const double* jump, int64_t width, double p0, double* post,
    double* null_post, double* jump_count, double* departures, double* work,
) noexcept nogil:
    """One sentence; work: see `_hmm_work`. Position 0 is before the first word."""
    cdef int64_t states = n + 1, i, j, p, q
    # (states, n) probability to go from position p to word q; and its transpose
    cdef double* go = work
    cdef double* og = go + states * n
    cdef double* count = og + states * n       # (states, n)
    cdef double* at = count + states * n       # (m + 1, states) where one is after j words
    cdef double* emit = at + (m + 1) * states  # (m, n)
    cdef double* scale = emit + m * n          # (m,)
    cdef double* later = scale + m             # (states,) backward
    cdef double* other = later + states        # (states,)
    cdef double z, value = 0
    for p in range(states):
        z = 0
        for q in range(n):
            go[p * n + q] = jump[bucket(q + 1 - p, width)]
            z += go[p * n + q]
        for q in range(n):
            go[p * n + q] *= (1 - p0) / z
            og[q * states + p] = go[p * n + q]
            count[p * n + q] = 0
    for p in range(states):
        at[p] = 0
        departures[p] = 0
    at[0] = 1
    for j in range(m):
        for q in range(n):
            other[q] = 0
        for p in range(states):
            z = at[j * states + p]
            if z > 0:
                for q in range(n):
                    other[q] += z * go[p * n + q]
        z = 0
        for q in range(n):
            emit[j * n + q] = t[q * step_i + j * step_j]
            other[q] *= emit[j * n + q]
            z += other[q]
        for p in range(states):
            z += p0 * null[j] * at[j * states + p]
        scale[j] = z
        value += log(z)
        for p in range(states):
            at[(j + 1) * states + p] = p0 * null[j] * at[j * states + p] / z
        for q in range(n):
            # Kept until the backward pass turns it into a posterior.
            post[q * step_i + j * step_j] = other[q] / z
            at[(j + 1) * states + q + 1] += other[q] / z
    for p in range(states):
        later[p] = 1
    for j in range(m - 1, -1, -1):
        z = 1
        for q in range(n):
            post[q * step_i + j * step_j] *= later[q + 1]
            z -= post[q * step_i + j * step_j]
        null_post[j] = max(z, 0.0)
        for q in range(n):
            emit[j * n + q] *= later[q + 1] / scale[j]
        for p in range(states):
            z = at[j * states + p]
            if z > 0:
                for q in range(n):
                    count[p * n + q] += z * emit[j * n + q]
        for p in range(states):
            later[p] *= p0 * null[j] / scale[j]
        for q in range(n):
            z = emit[j * n + q]
            for p in range(states):
                later[p] += og[q * states + p] * z
    for p in range(states):
        for q in range(n):
            z = count[p * n + q] * go[p * n + q]
            jump_count[bucket(q + 1 - p, width)] += z
            departures[p] += z
    return value


cdef int64_t _hmm_work(int64_t n, int64_t m) noexcept nogil:
    return 3 * (n + 1) * n + (m + 1) * (n + 1) + m * n + m + 2 * (n + 1)


def hmm_expectations(
    const int64_t[::1] rows, const int64_t[::1] columns, const double[::1] t,
    const double[::1] null, bint reverse, const double[::1] jump, double p0,
):
    """Posteriors under a first-order model of jumps, by the forward-backward algorithm.

    From a position p one goes to word q with probability (1 - p0) jump[q - p] / Z, and with
    p0 the word is generated from NULL and one stays. The first position lies before the
    first word. Jumps beyond the width share its two ends.

    Parameters
    ----------
    rows, columns, t, null, reverse
        As in `diagonal_expectations`.
    jump : (2 width + 1,) float64
    p0 : float

    Returns
    -------
    log_likelihood : float
    post : (E,) float64
    null_post : (words of the generated side,) float64
    jump_count : (2 width + 1,) float64
    departures : (words of the other side + S,) float64
        Expected number of jumps from each position, sentence by sentence.
    """
    cdef int64_t k, n, m, edge = 0, word = 0, place = 0, size = 1, S = rows.shape[0]
    cdef int64_t width = jump.shape[0] // 2, total = S
    cdef double value = 0
    for k in range(S):
        n = columns[k] if reverse else rows[k]
        m = rows[k] if reverse else columns[k]
        size = max(size, _hmm_work(n, m))
        total += n
    post = np.empty(t.shape[0])
    null_post = np.empty(null.shape[0])
    jump_count = np.zeros(jump.shape[0])
    departures = np.empty(total)
    cdef double[::1] p = post, q = null_post, c = jump_count, d = departures
    cdef double* work = <double*>calloc(size, sizeof(double))
    if work == NULL:
        raise MemoryError(f"the longest sentence pair needs {size * 8} bytes")
    with nogil:
        for k in range(S):
            n = columns[k] if reverse else rows[k]
            m = rows[k] if reverse else columns[k]
            value += _hmm(
                &t[edge], &null[word], n, m, 1 if reverse else m, n if reverse else 1,
                &jump[0], width, p0, &p[edge], &q[word], &c[0], &d[place], work,
            )
            word += m
            place += n + 1
            edge += n * m
    free(work)
    return value, post, null_post, jump_count, departures


def jump_normalisers(
    const int64_t[::1] lengths, const double[::1] departures, const double[::1] jump
):
    """What the normalisers of the jumps add to a maximisation step.

    Parameters
    ----------
    lengths : (S,) int64
        Words of the conditioning side.
    departures : (sum of lengths + S,) float64
    jump : (2 width + 1,) float64

    Returns
    -------
    log_z : float
        Sum over positions of departures times log Z.
    slope : (2 width + 1,) float64
        Its derivative by the jumps.
    """
    cdef int64_t k, p, q, n, place = 0, width = jump.shape[0] // 2
    cdef double z, log_z = 0
    slope = np.zeros(jump.shape[0])
    cdef double[::1] s = slope
    with nogil:
        for k in range(lengths.shape[0]):
            n = lengths[k]
            for p in range(n + 1):
                z = 0
                for q in range(n):
                    z += jump[bucket(q + 1 - p, width)]
                log_z += departures[place] * log(z)
                z = departures[place] / z
                for q in range(n):
                    s[bucket(q + 1 - p, width)] += z
                place += 1
    return log_z, slope


__all__ = [
    "diagonal_expectations",
    "diagonal_moments",
    "hmm_expectations",
    "jump_normalisers",
]
