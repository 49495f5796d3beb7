"""Matchings (csrc spaces/matching.hpp), and assignment for its own sake (assignment/door.hpp)."""

from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cnp.import_array()


cdef extern from "pystruct_ext/spaces/matching.hpp" namespace "pystruct_ext":
    const psx_kernel* matching_kernel() except +
    const psx_kernel* adjacent_matching_kernel() except +

MATCHING = wrap_kernel(matching_kernel(), None)
ADJACENT_MATCHING = wrap_kernel(adjacent_matching_kernel(), None)


cdef extern from "pystruct_ext/assignment/door.hpp" namespace "pystruct_ext" nogil:
    cbool assign_dense(const double*, int32_t, int32_t, cbool, int32_t*) except +

    cdef cppclass LinkGraph:
        int32_t n_rows, n_columns, n_steps
        const int64_t* first
        const int32_t* column
        const int32_t* row_cap
        const int32_t* row_low
        const int32_t* column_cap

    cdef cppclass LinkSearch:
        LinkGraph graph
        vector[int64_t] links, ends
        vector[double] totals
        cbool run(const double*, int64_t) except +


def assign(cost, cbool maximize=False):
    """The column of each row in the assignment of least cost: dense, exact, and little around it.

    Parameters
    ----------
    cost : (m, n) array-like of finite numbers
        Taken as it is where it is a C-contiguous array of float64, else copied.
    maximize : bool, default=False
        Largest instead of least total.

    Returns
    -------
    (m,) int32 array
        min(m, n) rows have a column, each another one; the others have -1.

    Raises
    ------
    ValueError
        If it is not 2-D, or has NaN or infinity.

    Notes
    -----
    Shortest augmenting paths after Jonker and Volgenant (1987). `best_matching` has rows that
    stay without a column, candidates, capacities, and the k best.

    Examples
    --------
    >>> from pystruct_ext.spaces import assign
    >>> assign([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]]).tolist()
    [1, 0]
    """
    cdef cnp.ndarray c
    if (
        not cnp.PyArray_Check(cost)
        or cnp.PyArray_TYPE(<cnp.ndarray>cost) != cnp.NPY_DOUBLE
        or not cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>cost)
        or not cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray>cost)
    ):
        cost = np.ascontiguousarray(cost, dtype=np.float64)
    c = <cnp.ndarray>cost
    if cnp.PyArray_NDIM(c) != 2:
        raise ValueError(f"cost must be 2-D, got shape {np.shape(cost)}")
    cdef cnp.npy_intp m = cnp.PyArray_DIM(c, 0), n = cnp.PyArray_DIM(c, 1)
    if m >= 2**31 - 64 or n >= 2**31 - 64:
        raise ValueError(f"cost has shape ({m}, {n}), more than an int32 can count")
    cdef cnp.ndarray out = cnp.PyArray_SimpleNew(1, &m, cnp.NPY_INT32)
    cdef const double* p = <const double*>cnp.PyArray_DATA(c)
    cdef int32_t* q = <int32_t*>cnp.PyArray_DATA(out)
    cdef cbool ok
    if m * n <= 4096:  # less work than letting the GIL go
        ok = assign_dense(p, <int32_t>m, <int32_t>n, maximize, q)
    else:
        with nogil:
            ok = assign_dense(p, <int32_t>m, <int32_t>n, maximize, q)
    if not ok:
        raise ValueError(
            "cost must hold finite numbers below 1e292; got NaN, infinity or larger numbers"
        )
    return out


def best_links(
    const int64_t[::1] first,
    const int32_t[::1] column,
    const double[::1] value,
    const int32_t[::1] row_cap,
    const int32_t[::1] row_low,
    const int32_t[::1] column_cap,
    int64_t k,
):
    """Candidates linked by the k best sets: (indices, ends, totals), or None if infeasible.

    The caller has checked all arrays.
    """
    cdef LinkSearch search
    cdef cbool ok
    search.graph.n_rows = <int32_t>row_cap.shape[0]
    search.graph.n_columns = <int32_t>column_cap.shape[0]
    search.graph.n_steps = 0
    search.graph.first = &first[0]
    search.graph.column = &column[0] if column.shape[0] else NULL
    search.graph.row_cap = &row_cap[0] if row_cap.shape[0] else NULL
    search.graph.row_low = &row_low[0] if row_low.shape[0] else NULL
    search.graph.column_cap = &column_cap[0] if column_cap.shape[0] else NULL
    cdef const double* v = &value[0] if value.shape[0] else NULL
    with nogil:
        ok = search.run(v, k)
    if not ok:
        return None
    return (
        np.array(search.links, dtype=np.int64),
        np.array(search.ends, dtype=np.int64),
        np.array(search.totals, dtype=np.float64),
    )
