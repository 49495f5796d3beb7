"""Binder of the online solvers (csrc online.hpp) and of the simplex QP (csrc qp.hpp)."""

from libc.stdint cimport int64_t

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport Oracle, psx_oracle

cnp.import_array()


cdef extern from "pystruct_ext/online.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass OnlineSolver:
        enum Mode:
            kSubgradient "pystruct_ext::OnlineSolver::kSubgradient"
            kPerceptron "pystruct_ext::OnlineSolver::kPerceptron"
            kMira "pystruct_ext::OnlineSolver::kMira"
        OnlineSolver(const psx_oracle*, double, const int64_t*, const double*, int64_t,
                     Mode, const void*) except +
        int64_t steps, n_oracle_calls, n_mistakes, failed_block
        double loss_sum
        double scale()
        double below()
        void begin_epoch(void*)
        void keep_average(void*)
        void average(const void*, void*)
        int run(const int64_t*, int64_t, void*, void*)


cdef extern from "pystruct_ext/qp.hpp" namespace "pystruct_ext" nogil:
    cdef struct QpReport:
        int64_t steps
        double increase
        double violation


cdef extern from *:
    """
    #include "pystruct_ext/qp.hpp"
    static pystruct_ext::QpReport psx_dense_qp(int64_t m, double* alpha, double* grad,
                                               const double* gram, int64_t ld, double C, double tol,
                                               int64_t max_steps) {
      return pystruct_ext::simplex_qp(
          m, alpha, grad, [gram, ld](int64_t k, int64_t l) { return gram[k * ld + l]; }, C, tol,
          max_steps);
    }
    """
    QpReport psx_dense_qp(int64_t, double*, double*, const double*, int64_t, double, double,
                          int64_t) nogil


cdef class OnlineState:
    """Vectors and counters of an online solver over the blocks `ids` of an oracle."""

    cdef OnlineSolver* s
    cdef readonly Oracle oracle
    cdef readonly object u, v, w_prior

    def __cinit__(self, Oracle oracle, double lam, ids, weight, mode, w_init=None, w_prior=None,
                  average=False):
        cdef cnp.ndarray[int64_t, ndim=1] b = np.ascontiguousarray(ids, dtype=np.int64)
        cdef cnp.ndarray[double, ndim=1] c = np.ascontiguousarray(weight, dtype=np.float64)
        cdef OnlineSolver.Mode m = OnlineSolver.Mode.kSubgradient
        if mode == "perceptron":
            m = OnlineSolver.Mode.kPerceptron
        elif mode == "mira":
            m = OnlineSolver.Mode.kMira
        self.oracle = oracle
        cdef const void* prior = NULL
        if w_prior is not None:
            self.w_prior = np.ascontiguousarray(w_prior, dtype=oracle.dtype)
            prior = cnp.PyArray_DATA(<cnp.ndarray>self.w_prior)
        self.s = new OnlineSolver(oracle.ptr, lam, <const int64_t*>b.data, <const double*>c.data,
                                  b.shape[0], m, prior)
        self.u = np.zeros(oracle.ptr.size_psi, dtype=oracle.dtype)
        if w_init is not None:
            self.u[:] = w_init
        # The subgradient method needs a second vector for the average over steps only.
        cdef bint one = m == OnlineSolver.Mode.kSubgradient and not average
        self.v = np.zeros(1 if one else oracle.ptr.size_psi, dtype=oracle.dtype)
        if m == OnlineSolver.Mode.kSubgradient and average:
            self.s.keep_average(cnp.PyArray_DATA(<cnp.ndarray>self.v))

    def __dealloc__(self):
        del self.s

    def run(self, order):
        """Visit positions `order`."""
        cdef cnp.ndarray[int64_t, ndim=1] o = np.ascontiguousarray(order, dtype=np.int64)
        cdef const int64_t* p = <const int64_t*>o.data
        cdef int64_t n = o.shape[0]
        cdef void* u = cnp.PyArray_DATA(<cnp.ndarray>self.u)
        cdef void* v = cnp.PyArray_DATA(<cnp.ndarray>self.v)
        cdef int rc
        with nogil:
            rc = self.s.run(p, n, u, v)
        self.oracle._check(rc, self.s.failed_block)

    def begin_epoch(self):
        """Move u towards the prior's share of one more epoch, if there is a prior."""
        self.s.begin_epoch(cnp.PyArray_DATA(<cnp.ndarray>self.u))

    def average(self, cnp.ndarray out):
        """Write the average over the steps of the subgradient method to `out`, an array like u."""
        if self.v.shape[0] != out.shape[0] or out.dtype != self.u.dtype:
            raise ValueError("average: not kept, or out is not an array like u")
        self.s.average(cnp.PyArray_DATA(<cnp.ndarray>self.u), cnp.PyArray_DATA(out))

    @property
    def scale(self):
        return self.s.scale()

    @property
    def steps(self):
        return self.s.steps

    @property
    def n_oracle_calls(self):
        return self.s.n_oracle_calls

    @property
    def n_mistakes(self):
        return self.s.n_mistakes

    @property
    def linear_sum(self):
        return self.s.loss_sum + self.s.below()


def simplex_qp(b, gram, double C, alpha, double tol, int64_t max_steps):
    """Maximise ``b'a - C/2 a'Ga`` over ``a >= 0`` with ``sum(a)`` kept, from `alpha`.

    Parameters
    ----------
    b : (m,) float64
    gram : (m, m) C-contiguous float64
    C : float
    alpha : (m,) float64
        Starting point; changed in place.
    tol : float
        Largest difference of gradients among planes that hold mass, at the end.
    max_steps : int

    Returns
    -------
    steps : int
    violation : float
        What is left of the difference of gradients.
    """
    cdef cnp.ndarray[double, ndim=2] g = np.ascontiguousarray(gram, dtype=np.float64)
    cdef cnp.ndarray[double, ndim=1] a = alpha
    cdef cnp.ndarray[double, ndim=1] grad = np.ascontiguousarray(b - C * (g @ alpha))
    cdef int64_t m = a.shape[0]
    cdef QpReport report
    cdef double* pa = <double*>a.data
    cdef double* pg = <double*>grad.data
    cdef const double* pk = <const double*>g.data
    with nogil:
        report = psx_dense_qp(m, pa, pg, pk, m, C, tol, max_steps)
    return report.steps, report.violation
