"""The door through which pure-Python spaces enter.

Design
------
`python_oracle` turns any Python object with the methods of an output space into such a struct. An
output of a Python space may be any object, so each distinct output of a block is interned and its
code is one integer: 0 is the truth, k the k-th output seen. Where y is known in part only, 0 stands for
nothing: the truth is one of the outputs seen, and may become another (`move_truth`). An exception in user code is kept, the
C call returns PSX_PYTHON_ERROR, the solver unwinds, and the very exception is raised again at the
surface. A call costs a GIL check, one method call and one dictionary look-up on top of the user's.

psi and the loss of an output are asked for once and answered from a store (csrc psi_store.hpp) that
no Python object is part of: after the decoder a visit costs nothing but inner products. psi is kept as
a copy, 12 bytes per nonzero entry (8 D where more than two thirds are nonzero) and about 250, at most
`cache_bytes` in all: those of the truths and of the cuts that a solver holds (the verb ``hold``), then
those last let go. What does not fit is asked for again at each visit. A loss is a number per output.
"""

from libc.math cimport isfinite, isnan
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport (
    PSX_ABI_VERSION, PSX_EXACT, PSX_NEEDS_GIL, PSX_NONFINITE, PSX_OK, PSX_OVERGEN,
    PSX_PYTHON_ERROR, PSX_UNDERGEN, Oracle, psx_oracle, wrap_oracle
)

cnp.import_array()


# A byte for each kind and width of whole numbers.
cdef list _WIDTH = [bytes([k]) for k in range(48)]


cdef object _key_of(object y):
    """Something hashable that is equal if and only if the outputs are."""
    cdef cnp.ndarray v
    cdef char kind
    if isinstance(y, np.ndarray) and (<cnp.ndarray>y).descr.kind != c"O":
        v = <cnp.ndarray>y
        kind = v.descr.kind
        if v.ndim == 1 and kind in (c"b", c"i", c"u") and v.descr.byteorder != c">":
            # Bytes alone, which the garbage collector does not visit. The same bytes may stand for
            # other numbers in an array of another width: one more byte tells them apart.
            return v.tobytes() + <bytes>_WIDTH[
                (16 if kind == c"i" else 32 if kind == c"u" else 0) + v.descr.itemsize]
        return (y.shape, y.dtype.str, y.tobytes())
    if type(y) is int or type(y) is str:
        return y  # no other key is equal to it
    try:
        hash(y)
    except TypeError:
        if isinstance(y, (list, tuple)):
            return (type(y).__name__, tuple([_key_of(part) for part in y]))
        if isinstance(y, dict):
            return ("dict", frozenset([(k, _key_of(part)) for k, part in y.items()]))
        if isinstance(y, (set, frozenset)):
            return ("set", frozenset([_key_of(part) for part in y]))
        raise TypeError(
            "an output must be a numpy array, a hashable object, or a list, tuple, dict or set of "
            f"such, got {type(y).__name__}") from None
    return (type(y).__name__, y)


cdef extern from "Python.h":
    int PyGILState_Check() nogil


cdef extern from "pystruct_ext/psi_store.hpp" namespace "pystruct_ext" nogil:
    cdef cppclass Psi:
        double dot(const double* w) noexcept
        void add_to(double* w, double a) noexcept
    double psi_difference(const Psi*, const Psi*, double, double*) noexcept
    cdef cppclass PsiStore:
        PsiStore(int64_t, int64_t, int64_t, cbool) except +
        const Psi* find(int64_t, int32_t) noexcept
        double loss(int64_t, int32_t) noexcept
        void put_loss(int64_t, int32_t, double) except +
        const Psi* put(int64_t, int32_t, const double*) except +
        void hold(int64_t, int32_t, cbool) except +
        @staticmethod
        void retain(const Psi*) noexcept
        @staticmethod
        void release(const Psi*) noexcept


cdef class PythonOracle:
    """Adapter state: examples, interned outputs, and the space's methods, looked up once."""

    cdef psx_oracle c
    cdef public object error
    cdef object X, Y, decode, separate, loss_fn, psi_fn, bound_fn
    cdef list keys, outputs          # per block: dict key -> code, list code -> output
    cdef PsiStore* store             # psi and Delta of the outputs seen
    cdef object w                    # the weights of the last load, as the user's methods get them
    cdef const double* weights       # their address
    cdef vector[int32_t] truths      # code of the truth of every block
    cdef bint latent                 # Y is what is known of the truths

    def __init__(self, space, X, Y, int64_t size_psi, uint32_t flags, int64_t cache_bytes,
                 bint latent):
        self.error = None
        self.X, self.Y = X, Y
        self.decode = space.decode
        self.separate = space.loss_augmented_decode
        self.loss_fn = space.loss
        self.psi_fn = space.joint_feature
        self.bound_fn = getattr(space, "bound", None)
        n = len(X)
        self.keys = [None] * n
        self.outputs = [None] * n
        self.store = new PsiStore(n, size_psi, cache_bytes, Y is not None)
        self.weights = NULL
        self.latent = latent
        self.truths.assign(max(n, 1), 0)
        memset(&self.c, 0, sizeof(psx_oracle))
        self.c.struct_size = sizeof(psx_oracle)
        self.c.abi_version = PSX_ABI_VERSION
        self.c.flags = flags | PSX_NEEDS_GIL
        self.c.w_bytes = 8
        self.c.ctx = <void*>self
        self.c.n_blocks = n
        self.c.size_psi = size_psi
        self.c.reserve_workers = _py_reserve
        self.c.code_len = _py_code_len
        self.c.truth = _py_truth
        self.c.load = _py_load
        self.c.argmax = _py_argmax
        self.c.score = _py_score
        self.c.loss = _py_loss
        self.c.psi_axpy = _py_psi_axpy
        self.c.psi_diff_axpy = _py_psi_diff_axpy
        self.c.psi_diff_accumulate = _py_psi_diff_accumulate
        self.c.psi_diff_sqnorm = _py_psi_diff_sqnorm
        self.c.psi_diff_dot = _py_psi_diff_dot
        if self.bound_fn is not None:
            self.c.bound = _py_bound
        wanted = getattr(space, "nonnegative_", None)
        if wanted is not None:
            begin, end = wanted
            if not 0 <= begin <= end <= size_psi:
                raise ValueError(
                    f"{type(space).__name__}: nonnegative_ must be (begin, end) within the "
                    f"{size_psi} weights, got {wanted!r}")
            self.c.nonnegative[0], self.c.nonnegative[1] = begin, end
        self.c.check_code = _py_check_code
        self.c.hold = _py_hold

    def __dealloc__(self):
        del self.store

    cdef int32_t intern(self, int64_t i, object y) except -1:
        cdef dict keys = self.keys[i]
        if keys is None:
            unknown = self.Y is None or self.latent
            keys = {} if unknown else {_key_of(self.Y[i]): 0}
            self.keys[i] = keys
            self.outputs[i] = [None if unknown else self.Y[i]]
        key = _key_of(y)
        code = keys.get(key)
        if code is None:
            code = len(<list>self.outputs[i])
            keys[key] = code
            (<list>self.outputs[i]).append(y)
        return code

    cdef int64_t n_codes(self, int64_t i):
        """Outputs of block i that have a code."""
        return 1 if self.outputs[i] is None else len(<list>self.outputs[i])

    cdef double loss(self, int64_t i, int32_t code) except? -1:
        if self.Y is None:
            return 0.0
        cdef double value = self.store.loss(i, code)
        if isnan(value):
            value = float(self.loss_fn(self.Y[i], self.output(i, code)))
            self.store.put_loss(i, code, value)
        return value

    def output(self, int64_t i, int32_t code):
        """The output that a code of block i stands for."""
        if code == 0 and self.Y is not None and not self.latent:
            return self.Y[i]
        return self.outputs[i][code]

    def move_truth(self, Y):
        """The complete outputs of all blocks from now on."""
        cdef int64_t i = 0
        cdef int32_t code
        if len(Y) != len(self.X):
            raise ValueError(f"expected {len(self.X)} outputs, got {len(Y)}")
        for y in Y:
            code = self.intern(i, y)
            if code != self.truths[i]:
                self.store.hold(i, code, True)
                if self.truths[i]:
                    self.store.hold(i, self.truths[i], False)
                self.truths[i] = code
            i += 1

    cdef const Psi* psi(self, int64_t i, int32_t code) except NULL:
        """Of an output of block i; valid until user code runs again, unless retained."""
        cdef const Psi* found = self.store.find(i, code)
        if found != NULL:
            return found
        given = self.psi_fn(self.X[i], self.output(i, code))
        if not (isinstance(given, np.ndarray) and cnp.PyArray_ISCARRAY_RO(given)
                and (<cnp.ndarray>given).descr.type_num == cnp.NPY_DOUBLE):
            given = np.ascontiguousarray(given, dtype=np.float64)
        cdef cnp.ndarray v = given
        if v.ndim != 1 or v.shape[0] != self.c.size_psi:
            raise ValueError(
                f"joint_feature of example {i} has shape {(<object>v).shape}, expected "
                f"({self.c.size_psi},)")
        return self.store.put(i, code, <const double*>cnp.PyArray_DATA(v))

    cdef object view(self, const void* w):
        cdef cnp.npy_intp d = self.c.size_psi
        if self.w is not None and cnp.PyArray_DATA(<cnp.ndarray>self.w) == w:
            return self.w
        out = cnp.PyArray_SimpleNewFromData(1, &d, cnp.NPY_DOUBLE, <void*>w)
        out.flags.writeable = False
        self.w, self.weights = out, <const double*>w
        return out


cdef int _fail(PythonOracle self, object e) noexcept:
    if self.error is None:
        self.error = e
    return PSX_PYTHON_ERROR


cdef int _py_reserve(void* ctx, int n) noexcept nogil:
    return PSX_OK


cdef int32_t _py_code_len(void* ctx, int64_t i) noexcept nogil:
    return 1


cdef const int32_t* _py_truth(void* ctx, int64_t i) noexcept nogil:
    return &(<PythonOracle>ctx).truths[i]


# The verbs that are asked often come in two: what is known is answered at once, and `_ask_...` goes
# to the user's methods. Both with the GIL, which guards the store; a solver holds it throughout.


cdef inline const Psi* _known(PythonOracle self, int64_t i, int32_t code) noexcept nogil:
    return self.store.find(i, code) if PyGILState_Check() else NULL


cdef int _py_load(void* ctx, int worker, const void* w, int64_t i) noexcept nogil:
    if PyGILState_Check() and (<PythonOracle>ctx).weights == w:
        return PSX_OK
    return _ask_load(ctx, w)


cdef int _ask_load(void* ctx, const void* w) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        self.view(w)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int _py_argmax(void* ctx, int worker, int64_t i, double loss_scale,
                    int32_t* code) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        if loss_scale == 0.0:
            y = self.decode(self.w, self.X[i])
        elif loss_scale == 1.0:
            y = self.separate(self.w, self.X[i], self.Y[i])
        else:
            # argmax s Delta + <w, psi> = argmax Delta + <w / s, psi>
            y = self.separate(self.w / loss_scale, self.X[i], self.Y[i])
        code[0] = self.intern(i, y)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int _py_bound(void* ctx, int worker, int64_t i, double loss_scale,
                   double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        if loss_scale == 0.0:
            out[0] = self.bound_fn(self.w, self.X[i], None)
        elif loss_scale == 1.0:
            out[0] = self.bound_fn(self.w, self.X[i], self.Y[i])
        else:
            out[0] = loss_scale * self.bound_fn(self.w / loss_scale, self.X[i], self.Y[i])
        return PSX_OK if isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_score(void* ctx, int worker, int64_t i, const int32_t* code,
                   double* out) noexcept nogil:
    cdef const Psi* p = _known(<PythonOracle>ctx, i, code[0])
    if p == NULL:
        return _ask_score(ctx, i, code[0], out)
    out[0] = p.dot((<PythonOracle>ctx).weights)
    return PSX_OK if isfinite(out[0]) else PSX_NONFINITE


cdef int _ask_score(void* ctx, int64_t i, int32_t code, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = self.psi(i, code).dot(self.weights)
        return PSX_OK if isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_loss(void* ctx, int64_t i, const int32_t* code, double* out) noexcept nogil:
    if PyGILState_Check():
        out[0] = (<PythonOracle>ctx).store.loss(i, code[0])
        if isfinite(out[0]):
            return PSX_OK
    return _ask_loss(ctx, i, code[0], out)


cdef int _ask_loss(void* ctx, int64_t i, int32_t code, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = self.loss(i, code)
        if isfinite(out[0]):
            return PSX_OK
        raise ValueError(f"loss of example {i} is {out[0]}, expected a finite number >= 0")
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_axpy(void* ctx, int worker, int64_t i, const int32_t* y, double a,
                      void* w) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        self.psi(i, y[0]).add_to(<double*>w, a)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


# The difference of two vectors is added to `to`, if there is one. *out is its inner product with w,
# as `score` would give it, or without w its squared norm.
cdef inline double _differ(const Psi* p, const Psi* q, double a, double* to,
                           const double* w) noexcept nogil:
    return psi_difference(p, q, a, to) if w == NULL else p.dot(w) - q.dot(w)


cdef int _difference(void* ctx, int64_t i, const int32_t* y, const int32_t* z, double a,
                     double* to, const double* w, double* out) noexcept nogil:
    cdef const Psi* p = _known(<PythonOracle>ctx, i, y[0])
    cdef const Psi* q = _known(<PythonOracle>ctx, i, z[0])
    if p == NULL or q == NULL:
        return _ask_difference(ctx, i, y[0], z[0], a, to, w, out)
    out[0] = _differ(p, q, a, to, w)
    return PSX_OK


cdef int _ask_difference(void* ctx, int64_t i, int32_t y, int32_t z, double a, double* to,
                         const double* w, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    cdef const Psi* p
    cdef const Psi* q
    try:
        # Both vectors before the first change: joint_feature may raise, or be interrupted, and the
        # weights must then still belong to the dual variables.
        p = self.psi(i, y)
        PsiStore.retain(p)
        try:
            q = self.psi(i, z)
            out[0] = _differ(p, q, a, to, w)
        finally:
            PsiStore.release(p)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_diff_axpy(void* ctx, int worker, int64_t i, const int32_t* y, const int32_t* z,
                           double a, void* w) noexcept nogil:
    cdef double unused
    return _difference(ctx, i, y, z, a, <double*>w, NULL, &unused)


cdef int _py_psi_diff_accumulate(void* ctx, int worker, int64_t i, const int32_t* y,
                                 const int32_t* z, double a, double* acc) noexcept nogil:
    cdef double unused
    return _difference(ctx, i, y, z, a, acc, NULL, &unused)


cdef int _py_psi_diff_sqnorm(void* ctx, int worker, int64_t i, const int32_t* y,
                             const int32_t* z, double* out) noexcept nogil:
    cdef int rc = _difference(ctx, i, y, z, 0, NULL, NULL, out)
    return PSX_NONFINITE if rc == PSX_OK and not isfinite(out[0]) else rc


cdef int _py_psi_diff_dot(void* ctx, int worker, const void* w, int64_t i, const int32_t* y,
                          const int32_t* z, double* out) noexcept nogil:
    return _difference(ctx, i, y, z, 0, NULL, <const double*>w, out)


cdef int64_t _py_check_code(void* ctx, int64_t i, const int32_t* code,
                            int64_t* allowed) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    allowed[0] = 1 if self.latent else 0
    allowed[1] = self.n_codes(i) - 1
    return -1 if allowed[0] <= code[0] <= allowed[1] else 0


cdef void _py_hold(void* ctx, int64_t i, const int32_t* code, int held) noexcept with gil:
    try:
        (<PythonOracle>ctx).store.hold(i, code[0], <cbool>(held != 0))
    except BaseException:
        pass  # a hint: without it the vector is asked for again


def python_oracle(space, X, Y, int64_t size_psi, exactness="exact", int64_t cache_bytes=1 << 28,
                  truth=None):
    """An `Oracle` over a pure-Python output space.

    Parameters
    ----------
    space : object
        Has ``joint_feature(x, y)``, ``loss(y, y_hat)``, ``decode(w, x)`` and
        ``loss_augmented_decode(w, x, y)``; and maybe ``bound(w, x, y)``, an upper bound of
        ``max_z Delta(y, z) + <w, psi(x, z)>``, without Delta where y is None.
    X, Y : sequences of length n
        Examples; Y may be None for an oracle that only decodes.
    size_psi : int
        Length of the vectors that ``joint_feature`` returns.
    exactness : {"exact", "relaxed", "none"}
        What ``loss_augmented_decode`` promises: the maximum, the maximum of a relaxation, or
        neither. "none" with a ``bound`` makes a bounded oracle.
    cache_bytes : int
        Most memory for vectors of ``joint_feature`` that are kept; see the module's docstring.
    truth : sequence of length n, optional
        Complete outputs, where Y has missing parts: psi is that of these, the loss is against Y.

    Returns
    -------
    oracle : Oracle
    output : callable
        ``output(i, code)`` gives back the object that a code of block i stands for.
    """
    if exactness not in ("exact", "relaxed", "none"):
        raise ValueError(f"exactness must be 'exact', 'relaxed' or 'none', got {exactness!r}")
    cdef uint32_t flags = {"exact": PSX_EXACT, "relaxed": PSX_OVERGEN, "none": PSX_UNDERGEN}[exactness]
    cdef PythonOracle owner = PythonOracle(space, X, Y, size_psi, flags, cache_bytes,
                                           truth is not None)
    if truth is not None:
        owner.move_truth(truth)
    return wrap_oracle(&owner.c, owner), owner.output


def move_truth(Oracle oracle, Y):
    """Other complete outputs for a latent oracle of `python_oracle`; codes keep their meaning.

    Returns
    -------
    bool
        False, and nothing is changed, for any other oracle.
    """
    if not isinstance(oracle._owner, PythonOracle) or not (<PythonOracle>oracle._owner).latent:
        return False
    oracle._owner.move_truth(Y)
    return True
