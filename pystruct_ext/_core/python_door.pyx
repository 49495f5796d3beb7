"""The door through which pure-Python spaces enter.

Design
------
`python_oracle` turns any Python object with the methods of an output space into such a struct. An
output of a Python space may be any object, so each distinct output of a block is interned and its
code is one integer: 0 is the truth, k the k-th output seen. An exception in user code is kept, the
C call returns PSX_PYTHON_ERROR, the solver unwinds, and the very exception is raised again at the
surface. A call costs a GIL check, one method call and one dictionary look-up on top of the user's.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport (
    PSX_ABI_VERSION, PSX_EXACT, PSX_NEEDS_GIL, PSX_NONFINITE, PSX_OK, PSX_OVERGEN,
    PSX_PYTHON_ERROR, PSX_UNDERGEN, psx_oracle, wrap_oracle
)

cnp.import_array()


cdef object _key_of(object y):
    """Something hashable that is equal if and only if the outputs are."""
    if isinstance(y, np.ndarray) and y.dtype.kind != "O":
        return (y.shape, y.dtype.str, y.tobytes())
    try:
        hash(y)
    except TypeError:
        if isinstance(y, (list, tuple)):
            return (type(y).__name__, tuple([_key_of(v) for v in y]))
        if isinstance(y, dict):
            return ("dict", frozenset([(k, _key_of(v)) for k, v in y.items()]))
        if isinstance(y, (set, frozenset)):
            return ("set", frozenset([_key_of(v) for v in y]))
        raise TypeError(
            "an output must be a numpy array, a hashable object, or a list, tuple, dict or set of "
            f"such, got {type(y).__name__}") from None
    return (type(y).__name__, y)


cdef class PythonOracle:
    """Adapter state: examples, interned outputs, and the space's methods, looked up once."""

    cdef psx_oracle c
    cdef public object error
    cdef object X, Y, decode, separate, loss_fn, psi_fn, bound_fn
    cdef list keys, outputs          # per block: dict key -> code, list code -> output
    cdef object w                    # the weights of the last load, as the user's methods get them
    cdef int64_t loaded
    cdef cnp.ndarray psi_cache_a
    cdef dict psi_cache
    cdef int64_t psi_cache_block
    cdef int32_t zero

    def __init__(self, space, X, Y, int64_t size_psi, uint32_t flags):
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
        self.psi_cache = {}
        self.psi_cache_block = -1
        self.loaded = -1
        self.zero = 0
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

    cdef int32_t intern(self, int64_t i, object y) except -1:
        cdef dict keys = self.keys[i]
        cdef list outputs
        if keys is None:
            keys = {} if self.Y is None else {_key_of(self.Y[i]): 0}
            self.keys[i] = keys
            self.outputs[i] = [None if self.Y is None else self.Y[i]]
        key = _key_of(y)
        code = keys.get(key)
        if code is None:
            outputs = self.outputs[i]
            code = len(outputs)
            keys[key] = code
            outputs.append(y)
        return code

    def output(self, int64_t i, int32_t code):
        """The output that a code of block i stands for."""
        if code == 0 and self.Y is not None:
            return self.Y[i]
        return self.outputs[i][code]

    cdef cnp.ndarray psi(self, int64_t i, int32_t code):
        # The solver asks for the same few vectors of one block again and again within a visit.
        if self.psi_cache_block != i:
            self.psi_cache = {}
            self.psi_cache_block = i
        found = self.psi_cache.get(code)
        if found is None:
            found = np.ascontiguousarray(
                self.psi_fn(self.X[i], self.output(i, code)), dtype=np.float64)
            if found.ndim != 1 or found.shape[0] != self.c.size_psi:
                raise ValueError(
                    f"joint_feature of example {i} has shape {found.shape}, expected "
                    f"({self.c.size_psi},)")
            if len(self.psi_cache) > 64:
                self.psi_cache.clear()
            self.psi_cache[code] = found
        return found

    cdef object view(self, const void* w):
        cdef cnp.npy_intp d = self.c.size_psi
        if self.w is not None and cnp.PyArray_DATA(<cnp.ndarray>self.w) == w:
            return self.w
        out = cnp.PyArray_SimpleNewFromData(1, &d, cnp.NPY_DOUBLE, <void*>w)
        out.flags.writeable = False
        self.w = out
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
    return &(<PythonOracle>ctx).zero


cdef int _py_load(void* ctx, int worker, const void* w, int64_t i) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        self.view(w)
        self.loaded = i
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
        return PSX_OK if np.isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_score(void* ctx, int worker, int64_t i, const int32_t* code,
                   double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = np.dot(self.w, self.psi(i, code[0]))
        return PSX_OK if np.isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_loss(void* ctx, int64_t i, const int32_t* code, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = 0.0 if code[0] == 0 else self.loss_fn(self.Y[i], self.output(i, code[0]))
        return PSX_OK if np.isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _add(PythonOracle self, double* to, int64_t i, const int32_t* y, double a) except -7:
    cdef cnp.ndarray p = self.psi(i, y[0])
    cdef const double* v = <const double*>cnp.PyArray_DATA(p)
    cdef int64_t j
    for j in range(self.c.size_psi):
        to[j] += a * v[j]
    return 0


cdef int _add_diff(PythonOracle self, double* to, int64_t i, const int32_t* y, const int32_t* z,
                   double a) except -7:
    # Both vectors before the first change: joint_feature may raise, or be interrupted, and the
    # weights must then still belong to the dual variables.
    cdef cnp.ndarray p = self.psi(i, y[0])
    cdef cnp.ndarray q = self.psi(i, z[0])
    cdef const double* u = <const double*>cnp.PyArray_DATA(p)
    cdef const double* v = <const double*>cnp.PyArray_DATA(q)
    cdef int64_t j
    for j in range(self.c.size_psi):
        to[j] += a * (u[j] - v[j])
    return 0


cdef int _py_psi_axpy(void* ctx, int worker, int64_t i, const int32_t* y, double a,
                      void* w) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        _add(self, <double*>w, i, y, a)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_diff_axpy(void* ctx, int worker, int64_t i, const int32_t* y, const int32_t* z,
                           double a, void* w) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        _add_diff(self, <double*>w, i, y, z, a)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_diff_accumulate(void* ctx, int worker, int64_t i, const int32_t* y,
                                 const int32_t* z, double a, double* acc) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        _add_diff(self, acc, i, y, z, a)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_diff_sqnorm(void* ctx, int worker, int64_t i, const int32_t* y,
                             const int32_t* z, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        d = self.psi(i, y[0]) - self.psi(i, z[0])
        out[0] = np.dot(d, d)
        return PSX_OK if np.isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_diff_dot(void* ctx, int worker, const void* w, int64_t i, const int32_t* y,
                          const int32_t* z, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = np.dot(self.view(w), self.psi(i, y[0]) - self.psi(i, z[0]))
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


def python_oracle(space, X, Y, int64_t size_psi, exactness="exact"):
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

    Returns
    -------
    oracle : Oracle
    output : callable
        ``output(i, code)`` gives back the object that a code of block i stands for.
    """
    if exactness not in ("exact", "relaxed", "none"):
        raise ValueError(f"exactness must be 'exact', 'relaxed' or 'none', got {exactness!r}")
    cdef uint32_t flags = {"exact": PSX_EXACT, "relaxed": PSX_OVERGEN, "none": PSX_UNDERGEN}[exactness]
    cdef PythonOracle owner = PythonOracle(space, X, Y, size_psi, flags)
    return wrap_oracle(&owner.c, owner), owner.output
