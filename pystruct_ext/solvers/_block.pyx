"""Binder of the block solver (csrc block_solver.hpp) for BCFW and the n-slack cutting plane."""

from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport PSX_NEEDS_GIL, Oracle, psx_oracle

cnp.import_array()


cdef extern from "pystruct_ext/block_solver.hpp" namespace "pystruct_ext" nogil:
    double sqdist_of(const psx_oracle*, const void*, const void*) noexcept
    cdef cppclass BlockSolver:
        enum Mode:
            kOracle "pystruct_ext::BlockSolver::kOracle"
            kCached "pystruct_ext::BlockSolver::kCached"
            kSeparateOnly "pystruct_ext::BlockSolver::kSeparateOnly"
        BlockSolver(const psx_oracle*, double, const int64_t*, const double*, int64_t,
                    cbool, const void*) except +
        int64_t inner_steps
        double steps_per_cut
        int32_t prune_after
        double cut_tol
        int64_t n_visits, n_oracle_calls, n_weak_cuts, n_cuts, n_added, failed_block
        double gap_estimate, worst_weak, increase
        int64_t weak_block
        void reset_estimate()
        double dual(const void*)
        void keep_average(void*)
        void average(const void*, void*)
        const vector[double]& block_gap()
        size_t working_set_bytes()
        int run(const int64_t*, int64_t, Mode, void*)
        int hinge_sum(const void*, int64_t, int64_t, int, double*, double*)
        int recompute(void*)
        void raise_C(double, double)
        void let_go()
        int64_t total_code_len()
        void export_cuts(int64_t*, double*, double*, int32_t*)
        int import_cuts(int64_t, const double*, const int32_t*, int64_t)


cdef class BlockState:
    """Dual variables, working sets and counters over the blocks `ids` of an oracle; owns w."""

    cdef BlockSolver* s
    cdef readonly Oracle oracle
    cdef readonly object w, w_prior, lag
    cdef readonly object ids
    cdef readonly double C
    cdef void* pw
    cdef void* prior
    cdef int64_t n

    def __cinit__(self, Oracle oracle, double C, ids, weight, slack=False, inner_steps=20,
                  prune_after=10, w_prior=None, average=False):
        cdef cnp.ndarray[int64_t, ndim=1] b = np.ascontiguousarray(ids, dtype=np.int64)
        cdef cnp.ndarray[double, ndim=1] c = np.ascontiguousarray(weight, dtype=np.float64)
        self.oracle = oracle
        self.ids = b
        self.n = b.shape[0]
        self.C = C
        self.prior = NULL
        if w_prior is not None:
            self.w_prior = np.ascontiguousarray(w_prior, dtype=oracle.dtype)
            self.prior = cnp.PyArray_DATA(<cnp.ndarray>self.w_prior)
        self.s = new BlockSolver(oracle.ptr, C, <const int64_t*>b.data, <const double*>c.data,
                                 self.n, <cbool>bool(slack), self.prior)
        self.s.inner_steps = inner_steps
        self.s.prune_after = prune_after
        self.w = np.zeros(oracle.ptr.size_psi, dtype=oracle.dtype)
        self.pw = cnp.PyArray_DATA(<cnp.ndarray>self.w)
        if w_prior is not None:
            self.recompute()
        if average:
            self.lag = np.zeros_like(self.w)
            self.s.keep_average(cnp.PyArray_DATA(<cnp.ndarray>self.lag))

    def __dealloc__(self):
        del self.s

    def run(self, order, mode="oracle"):
        """Visit positions `order`; mode is "oracle", "cached" or "separate"."""
        cdef cnp.ndarray[int64_t, ndim=1] o = np.ascontiguousarray(order, dtype=np.int64)
        cdef BlockSolver.Mode m = BlockSolver.Mode.kOracle
        if mode == "cached":
            m = BlockSolver.Mode.kCached
        elif mode == "separate":
            m = BlockSolver.Mode.kSeparateOnly
        cdef int rc
        cdef const int64_t* p = <const int64_t*>o.data
        cdef int64_t n = o.shape[0]
        # Every call of an oracle that runs Python takes the GIL: cheap for a thread that has it, and
        # Python code lets other threads in as it always does.
        if self.oracle.ptr.flags & PSX_NEEDS_GIL:
            rc = self.s.run(p, n, m, self.pw)
        else:
            with nogil:
                rc = self.s.run(p, n, m, self.pw)
        self.oracle._check(rc, self.s.failed_block)

    def hinge_sum(self, int64_t begin, int64_t end, n_threads=1, w=None):
        """``sum_i c_i H_i(w)`` over positions begin .. end - 1: from above, and as found."""
        cdef double total = 0, found = 0
        cdef int rc
        cdef const void* p = self.pw
        if w is not None:
            p = self.oracle._weights(w)
        cdef int threads = max(1, min(int(n_threads), 1 << 20))
        if self.oracle.ptr.flags & PSX_NEEDS_GIL:
            rc = self.s.hinge_sum(p, begin, end, threads, &total, &found)
        else:
            with nogil:
                rc = self.s.hinge_sum(p, begin, end, threads, &total, &found)
        self.oracle._check(rc, self.s.failed_block)
        return total, found

    def dual(self):
        """``D(alpha)``, of the scale ``1/2 ||w||^2 + C sum_i H_i``."""
        cdef double out
        with nogil:
            out = self.s.dual(self.pw)
        return out

    def average(self, cnp.ndarray out):
        """Write the average of w over the visits, visit k weighing k, to `out`, an array like w."""
        if self.lag is None or out.shape[0] != self.w.shape[0] or out.dtype != self.w.dtype:
            raise ValueError("average: not kept, or out is not an array like w")
        cdef void* p = cnp.PyArray_DATA(out)
        with nogil:
            self.s.average(self.pw, p)

    def sqnorm(self, w=None):
        """``||w - w_prior||^2`` in double precision."""
        cdef const void* p = self.pw
        if w is not None:
            p = self.oracle._weights(w)
        cdef double out
        with nogil:
            out = sqdist_of(self.oracle.ptr, p, self.prior)
        return out

    def recompute(self):
        """Form w from the dual variables afresh."""
        cdef int rc
        with nogil:
            rc = self.s.recompute(self.pw)
        self.oracle._check(rc, self.s.failed_block)

    def raise_C(self, double C, double grow=1.0):
        """Go to a larger C with the cuts as they are, ``w - w_prior`` growing by `grow`.

        An average begins anew.
        """
        if not (C >= self.C and 1 <= grow <= C / self.C):
            raise ValueError(f"raise_C: got C={C} after {self.C}, grow={grow}")
        self.s.raise_C(C, grow)
        self.C = C
        if self.lag is not None:
            self.lag[:] = 0
            self.s.n_visits = 0
        self.recompute()

    def let_go(self):
        """Tell the oracle that the cuts are not held any more; once, after the last call."""
        self.s.let_go()

    def reset_estimate(self):
        self.s.reset_estimate()

    @property
    def block_gap(self):
        return np.array(self.s.block_gap())

    @property
    def n_visits(self):
        return self.s.n_visits

    @property
    def n_oracle_calls(self):
        return self.s.n_oracle_calls

    @property
    def n_weak_cuts(self):
        return self.s.n_weak_cuts

    @property
    def worst_weak(self):
        return self.s.worst_weak

    @property
    def weak_block(self):
        return self.s.weak_block

    @property
    def n_cuts(self):
        return self.s.n_cuts

    @property
    def n_added(self):
        return self.s.n_added

    @property
    def gap_estimate(self):
        return self.s.gap_estimate

    @property
    def increase(self):
        return self.s.increase

    @property
    def nbytes(self):
        return self.s.working_set_bytes()

    @property
    def cut_tol(self):
        return self.s.cut_tol

    @cut_tol.setter
    def cut_tol(self, double value):
        self.s.cut_tol = value

    @property
    def steps_per_cut(self):
        return self.s.steps_per_cut

    @steps_per_cut.setter
    def steps_per_cut(self, double value):
        self.s.steps_per_cut = value

    @property
    def inner_steps(self):
        return self.s.inner_steps

    @inner_steps.setter
    def inner_steps(self, int64_t value):
        self.s.inner_steps = value

    def export_cuts(self):
        """``(counts, alpha, loss, codes)``: cuts of every position, in order, as flat arrays."""
        counts = np.zeros(self.n, dtype=np.int64)
        alpha = np.zeros(self.s.n_cuts)
        loss = np.zeros(self.s.n_cuts)
        codes = np.zeros(self.s.total_code_len(), dtype=np.int32)
        self.s.export_cuts(
            <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>counts),
            <double*>cnp.PyArray_DATA(<cnp.ndarray>alpha),
            <double*>cnp.PyArray_DATA(<cnp.ndarray>loss),
            <int32_t*>cnp.PyArray_DATA(<cnp.ndarray>codes))
        return counts, alpha, loss, codes

    def import_cuts(self, int64_t position, alpha, codes):
        """Add cuts with their mass to one position; call `recompute` after the last."""
        cdef cnp.ndarray[double, ndim=1] a = np.ascontiguousarray(alpha, dtype=np.float64)
        cdef cnp.ndarray[int32_t, ndim=1] c = np.ascontiguousarray(codes, dtype=np.int32).ravel()
        cdef int64_t m = a.shape[0], k
        cdef int64_t length = self.oracle.ptr.code_len(self.oracle.ptr.ctx, self.ids[position])
        if c.shape[0] != m * length:
            raise ValueError(f"position {position}: codes do not have the length of the block")
        for k in range(m):
            self.oracle._safe(<const int32_t*>c.data + k * length, self.ids[position])
        self.oracle._check(
            self.s.import_cuts(position, <const double*>a.data, <const int32_t*>c.data, m),
            self.ids[position])
