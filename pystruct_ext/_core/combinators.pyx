"""Oracles made of other oracles (csrc combinators.hpp)."""

from libc.stdint cimport int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport Oracle, psx_oracle, wrap_oracle

cnp.import_array()


cdef extern from "pystruct_ext/combinators.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass ConstrainedOracle:
        ConstrainedOracle(const psx_oracle*, const void*, const int64_t*) except +
        const psx_oracle* oracle()
    cdef cppclass CostShiftedOracle:
        CostShiftedOracle(const psx_oracle*, const void*, const int64_t*) except +
        const psx_oracle* oracle()
    cdef cppclass ProductOracle:
        ProductOracle(const psx_oracle*, const psx_oracle*) except +
        const psx_oracle* oracle()


cdef class Combined:
    """Owns a combinator, and keeps what it is made of alive."""

    cdef ConstrainedOracle* constrained
    cdef CostShiftedOracle* shifted
    cdef ProductOracle* product
    cdef object arrays
    cdef tuple inner
    cdef object __weakref__

    def __dealloc__(self):
        del self.constrained
        del self.shifted
        del self.product

    @property
    def error(self):
        """The exception that user code below has raised, if any."""
        for oracle in self.inner:
            found = getattr((<Oracle>oracle)._owner, "error", None)
            if found is not None:
                return found
        return None

    @error.setter
    def error(self, value):
        for oracle in self.inner:
            if getattr((<Oracle>oracle)._owner, "error", None) is not None:
                (<Oracle>oracle)._owner.error = value


cdef Combined _hold(tuple inner, object arrays):
    cdef Combined owner = Combined.__new__(Combined)
    owner.inner = inner
    owner.arrays = arrays
    return owner


cdef object _end_to_end(Oracle oracle, list arrays, str what):
    """Arrays of parts, one per block, as one flat array of w's type, and where each begins."""
    if len(arrays) != oracle.n_blocks:
        raise ValueError(f"{what} must have one array per block: {oracle.n_blocks}, got {len(arrays)}")
    for verb in ("add_scores", "parts", "part_shape"):
        if verb not in oracle.verbs:
            raise NotImplementedError(
                f"this oracle has no parts to put a {what} on: it does not answer {verb!r}")
    flat = []
    for i, a in enumerate(arrays):
        shape = oracle.part_shape(i)
        if np.shape(a) != shape:
            raise ValueError(
                f"{what} of example {i} must have the shape {shape}, got {np.shape(a)}")
        flat.append(np.ascontiguousarray(a, dtype=oracle.dtype).ravel())
    offsets = np.zeros(len(flat) + 1, dtype=np.int64)
    np.cumsum([len(a) for a in flat], out=offsets[1:])
    return np.concatenate(flat) if flat else np.zeros(0, oracle.dtype), offsets


def constrained_oracle(Oracle oracle, list masks):
    """Forbids parts: ``masks[i]`` is 0 or PSX_FORBIDDEN for each part of block i."""
    values, offsets = _end_to_end(oracle, masks, "mask")
    cdef Combined owner = _hold((oracle,), (values, offsets))
    owner.constrained = new ConstrainedOracle(
        oracle.ptr, cnp.PyArray_DATA(<cnp.ndarray>values),
        <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>offsets))
    return wrap_oracle(owner.constrained.oracle(), owner)


def cost_shifted_oracle(Oracle oracle, list costs):
    """Adds ``costs[i][p]`` to the loss of an output of block i for each of its parts p."""
    values, offsets = _end_to_end(oracle, costs, "cost")
    cdef Combined owner = _hold((oracle,), (values, offsets))
    owner.shifted = new CostShiftedOracle(
        oracle.ptr, cnp.PyArray_DATA(<cnp.ndarray>values),
        <const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>offsets))
    return wrap_oracle(owner.shifted.oracle(), owner)


def product_oracle(Oracle a, Oracle b):
    """Pairs of outputs of the same blocks."""
    if a.n_blocks != b.n_blocks or a.dtype != b.dtype:
        raise ValueError(
            f"the oracles must have the same blocks and dtype, got {a!r} and {b!r}")
    if all(o.nonnegative.stop > o.nonnegative.start for o in (a, b)):
        raise ValueError(
            "both spaces have weights that are to be >= 0; at most one of a product may")
    cdef Combined owner = _hold((a, b), None)
    owner.product = new ProductOracle(a.ptr, b.ptr)
    return wrap_oracle(owner.product.oracle(), owner)
