"""Similarities of words, for many pairs of words at once.

Design. Words are rows of code points behind one another. The longest common subsequence is
the quadratic programme with one row kept; Jaro-Winkler is that of Winkler (1990) with the
prefix weight 0.1, at most 4 letters and no threshold. Both cost less than a look-up per
pair for words of ordinary length, and words are compared once per pair of words, not per
pair of tokens.
"""

from libc.stdint cimport int8_t, int32_t, int64_t
from libcpp.vector cimport vector

import numpy as np


cdef int64_t _lcs(
    const int32_t* a, int64_t n, const int32_t* b, int64_t m, int32_t* row
) noexcept nogil:
    """Row: (m + 1,) scratch."""
    cdef int64_t i, j
    cdef int32_t corner, keep
    for j in range(m + 1):
        row[j] = 0
    for i in range(n):
        corner = 0
        for j in range(m):
            keep = row[j + 1]
            if a[i] == b[j]:
                row[j + 1] = corner + 1
            elif row[j] > keep:
                row[j + 1] = row[j]
            corner = keep
    return row[m]


cdef double _jaro_winkler(
    const int32_t* a, int64_t n, const int32_t* b, int64_t m, int8_t* in_a, int8_t* in_b
) noexcept nogil:
    """in_a (n,), in_b (m,): scratch."""
    cdef int64_t i, j, window, matches = 0, moved = 0, prefix = 0
    cdef double jaro
    if n == 0 or m == 0:
        return 1.0 if n == m else 0.0
    window = max(n, m) // 2 - 1
    if window < 0:
        window = 0
    for i in range(n):
        in_a[i] = 0
    for j in range(m):
        in_b[j] = 0
    for i in range(n):
        for j in range(max(0, i - window), min(m, i + window + 1)):
            if not in_b[j] and a[i] == b[j]:
                in_a[i] = 1
                in_b[j] = 1
                matches += 1
                break
    if matches == 0:
        return 0.0
    j = 0
    for i in range(n):
        if in_a[i]:
            while not in_b[j]:
                j += 1
            if a[i] != b[j]:
                moved += 1
            j += 1
    jaro = (
        <double>matches / n + <double>matches / m
        + (matches - moved // 2) / <double>matches
    ) / 3
    while prefix < min(4, min(n, m)) and a[prefix] == b[prefix]:
        prefix += 1
    return jaro + 0.1 * prefix * (1 - jaro)


def code_points(words):
    """Code points of words behind one another.

    Parameters
    ----------
    words : list of str

    Returns
    -------
    points : int32 ndarray
    offsets : (len(words) + 1,) int64 ndarray
    """
    text = "".join(words).encode("utf-32-le", "surrogatepass")
    offsets = np.zeros(len(words) + 1, dtype=np.int64)
    np.cumsum([len(w) for w in words], out=offsets[1:])
    return np.frombuffer(text, dtype="<i4").astype(np.int32), offsets


def similarities(first, second, const int64_t[::1] left, const int64_t[::1] right):
    """Of pairs of words: common subsequence, Jaro-Winkler, and letters of the common prefix.

    Parameters
    ----------
    first, second : lists of str
    left, right : (P,) int64
        Word of either list in each pair.

    Returns
    -------
    (P, 3) float64 ndarray
        Length of the longest common subsequence over that of the longer word (1 of two
        empty ones), Jaro-Winkler similarity, and length of the common prefix.
    """
    a_points, a_offsets = code_points(first)
    b_points, b_offsets = code_points(second)
    # One more, for lists of empty words.
    cdef const int32_t[::1] a = np.append(a_points, np.int32(0))
    cdef const int32_t[::1] b = np.append(b_points, np.int32(0))
    cdef const int64_t[::1] ao = a_offsets, bo = b_offsets
    cdef int64_t k, n, m, longest = 1, prefix, P = left.shape[0]
    for k in range(P):
        longest = max(longest, ao[left[k] + 1] - ao[left[k]])
        longest = max(longest, bo[right[k] + 1] - bo[right[k]])
    cdef vector[int32_t] row = vector[int32_t](<size_t>(longest + 1))
    cdef vector[int8_t] in_a = vector[int8_t](<size_t>longest)
    cdef vector[int8_t] in_b = vector[int8_t](<size_t>longest)
    out = np.empty((P, 3))
    cdef double[:, ::1] o = out
    cdef const int32_t* x
    cdef const int32_t* y
    with nogil:
        for k in range(P):
            x = &a[ao[left[k]]]
            y = &b[bo[right[k]]]
            n = ao[left[k] + 1] - ao[left[k]]
            m = bo[right[k] + 1] - bo[right[k]]
            o[k, 0] = (
                <double>_lcs(x, n, y, m, row.data()) / max(n, m) if max(n, m) else 1.0
            )
            o[k, 1] = _jaro_winkler(x, n, y, m, in_a.data(), in_b.data())
            prefix = 0
            while prefix < min(n, m) and x[prefix] == y[prefix]:
                prefix += 1
            o[k, 2] = prefix
    return out


__all__ = ["code_points", "similarities"]
