"""The door through which pure-Python spaces enter.

Design
------
`python_oracle` turns any Python object with the methods of an output space into such a struct. An
output of a Python space may be any object, so each distinct output of a block is interned and its
code is one integer: 0 is the truth, k the k-th output seen. An exception in user code is kept, the
C call returns PSX_PYTHON_ERROR, the solver unwinds, and the very exception is raised again at the
surface. A call costs a GIL check, one method call and one dictionary look-up on top of the user's.

psi and the loss of an output are asked for once, as long as they can be used again: those of the truths
and of the cuts that a solver holds (the verb ``hold``) are kept as sparse copies, the others for the
time of one visit. Kept are at most `cache_bytes` in all, 12 bytes per nonzero entry (8 D where more than
two thirds are nonzero) and about 250 per vector; what does not fit is asked for again at each visit. A
loss is a number per output, kept with the output itself.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

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


# What a kept vector costs beside its entries: an object, two blocks of memory, a place in a list.
cdef int64_t OVERHEAD = 250


cdef class Vector:
    """A copy of one psi: its nonzero entries, or all of them where that is smaller."""

    cdef int64_t n, bytes
    cdef int holds
    cdef int32_t* index  # NULL: entry k is number k
    cdef double* value

    def __dealloc__(self):
        free(self.index)
        free(self.value)

    cdef inline int64_t at(self, int64_t k) noexcept:
        return k if self.index == NULL else self.index[k]

    cdef double dot(self, const double* w) noexcept:
        cdef double total = 0
        cdef int64_t k
        if self.index == NULL:
            for k in range(self.n):
                total += w[k] * self.value[k]
        else:
            for k in range(self.n):
                total += w[self.index[k]] * self.value[k]
        return total

    cdef void add_to(self, double* w, double a) noexcept:
        cdef int64_t k
        if self.index == NULL:
            for k in range(self.n):
                w[k] += a * self.value[k]
        else:
            for k in range(self.n):
                w[self.index[k]] += a * self.value[k]


cdef Vector copy_of(const double* v, int64_t d):
    cdef Vector out = Vector.__new__(Vector)
    cdef int64_t j, k = 0, nonzero = 0
    for j in range(d):
        nonzero += v[j] != 0
    cdef bint dense = 3 * nonzero > 2 * d or d >= 2147483647
    out.n = d if dense else nonzero
    out.bytes = OVERHEAD + out.n * (8 if dense else 12)
    out.value = <double*>malloc(max(out.n, 1) * sizeof(double))
    if out.value == NULL:
        raise MemoryError
    if dense:
        memcpy(out.value, v, d * sizeof(double))
        return out
    out.index = <int32_t*>malloc(max(out.n, 1) * sizeof(int32_t))
    if out.index == NULL:
        raise MemoryError
    for j in range(d):
        if v[j] != 0:
            out.index[k] = <int32_t>j
            out.value[k] = v[j]
            k += 1
    return out


cdef double difference(Vector p, Vector q, double a, double* to, const double* w) noexcept:
    """``to += a (p - q)`` if there is a `to`; then ``<w, p - q>``, or the squared norm without w.

    Entry by entry: what both have cancels exactly.
    """
    cdef double total = 0, v
    cdef int64_t i = 0, k = 0, at, other, last = 1 << 62
    while i < p.n or k < q.n:
        at = p.at(i) if i < p.n else last
        other = q.at(k) if k < q.n else last
        v = 0
        if at <= other:
            v += p.value[i]
            i += 1
        if other <= at:
            v -= q.value[k]
            k += 1
        at = min(at, other)
        if to != NULL:
            to[at] += a * v
        total += v * (v if w == NULL else w[at])
    return total


cdef class PythonOracle:
    """Adapter state: examples, interned outputs, and the space's methods, looked up once."""

    cdef psx_oracle c
    cdef public object error
    cdef object X, Y, decode, separate, loss_fn, psi_fn, bound_fn
    cdef list keys, outputs          # per block: dict key -> code, list code -> output
    cdef list losses                 # per block: list code -> Delta, or None
    cdef list kept                   # per block: list code -> Vector, or None; as far as needed
    cdef int64_t kept_bytes, cache_bytes
    cdef dict recent                 # the same of one block, for the time of a visit
    cdef int64_t recent_block
    cdef object w                    # the weights of the last load, as the user's methods get them
    cdef int32_t zero

    def __init__(self, space, X, Y, int64_t size_psi, uint32_t flags, int64_t cache_bytes):
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
        self.losses = [None] * n
        self.kept = [None] * n
        self.kept_bytes = 0
        self.cache_bytes = cache_bytes
        self.recent = {}
        self.recent_block = -1
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
        self.c.check_code = _py_check_code
        self.c.hold = _py_hold

    cdef int32_t intern(self, int64_t i, object y) except -1:
        cdef dict keys = self.keys[i]
        if keys is None:
            keys = {} if self.Y is None else {_key_of(self.Y[i]): 0}
            self.keys[i] = keys
            self.outputs[i] = [None if self.Y is None else self.Y[i]]
            self.losses[i] = [None]
        key = _key_of(y)
        code = keys.get(key)
        if code is None:
            code = len(<list>self.outputs[i])
            keys[key] = code
            (<list>self.outputs[i]).append(y)
            (<list>self.losses[i]).append(None)
        return code

    cdef int64_t n_codes(self, int64_t i):
        """Outputs of block i that have a code."""
        return 1 if self.outputs[i] is None else len(<list>self.outputs[i])

    cdef double loss(self, int64_t i, int32_t code) except? -1:
        if self.Y is None:
            return 0.0
        cdef list known = self.losses[i]
        if known is None:
            known = self.losses[i] = [None]
            self.outputs[i] = [self.Y[i]]
            self.keys[i] = {_key_of(self.Y[i]): 0}
        value = known[code]
        if value is None:
            value = float(self.loss_fn(self.Y[i], self.output(i, code)))
            known[code] = value
        return value

    def output(self, int64_t i, int32_t code):
        """The output that a code of block i stands for."""
        if code == 0 and self.Y is not None:
            return self.Y[i]
        return self.outputs[i][code]

    cdef Vector known(self, int64_t i, int32_t code):
        """The vector that is kept of an output, or None."""
        row = self.kept[i]
        if row is None or code >= len(<list>row):
            return None
        return <Vector>(<list>row)[code]

    cdef Vector psi(self, int64_t i, int32_t code):
        cdef Vector found = self.known(i, code)
        if found is not None:
            return found
        if self.recent_block != i:
            self.recent = {}
            self.recent_block = i
        hit = self.recent.get(code)
        if hit is not None:
            return <Vector>hit
        cdef cnp.ndarray v = np.ascontiguousarray(
            self.psi_fn(self.X[i], self.output(i, code)), dtype=np.float64)
        if v.ndim != 1 or v.shape[0] != self.c.size_psi:
            raise ValueError(
                f"joint_feature of example {i} has shape {(<object>v).shape}, expected "
                f"({self.c.size_psi},)")
        found = copy_of(<const double*>cnp.PyArray_DATA(v), self.c.size_psi)
        if code == 0 and self.keep(i, code, found):
            return found
        if len(self.recent) > 64:
            self.recent.clear()
        self.recent[code] = found
        return found

    cdef bint keep(self, int64_t i, int32_t code, Vector v):
        """Keep a vector beyond this visit, if there is room."""
        if self.kept_bytes + v.bytes > self.cache_bytes:
            return False
        cdef list row = self.kept[i]
        if row is None:
            row = self.kept[i] = []
        while len(row) <= code:
            row.append(None)
        row[code] = v
        self.kept_bytes += v.bytes
        return True

    cdef int hold(self, int64_t i, int32_t code, bint held) except -1:
        """A solver holds a cut, or lets it go."""
        cdef Vector v = self.known(i, code)
        if held:
            if v is None and self.recent_block == i:
                v = self.recent.get(code)
                if v is None or not self.keep(i, code, v):
                    return 0
            if v is not None:
                v.holds += 1
        elif v is not None:
            v.holds -= 1
            if v.holds <= 0 and code != 0:
                (<list>self.kept[i])[code] = None
                self.kept_bytes -= v.bytes
        return 0

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
                   double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = self.psi(i, code[0]).dot(<const double*>cnp.PyArray_DATA(<cnp.ndarray>self.w))
        return PSX_OK if isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_loss(void* ctx, int64_t i, const int32_t* code, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = self.loss(i, code[0])
        if isfinite(out[0]):
            return PSX_OK
        raise ValueError(f"loss of example {i} is {out[0]}, expected a finite number >= 0")
    except BaseException as e:
        return _fail(self, e)


cdef int _add_diff(PythonOracle self, double* to, int64_t i, const int32_t* y, const int32_t* z,
                   double a) except -7:
    # Both vectors before the first change: joint_feature may raise, or be interrupted, and the
    # weights must then still belong to the dual variables.
    cdef Vector p = self.psi(i, y[0])
    cdef Vector q = self.psi(i, z[0])
    difference(p, q, a, to, NULL)
    return 0


cdef int _py_psi_axpy(void* ctx, int worker, int64_t i, const int32_t* y, double a,
                      void* w) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        self.psi(i, y[0]).add_to(<double*>w, a)
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
        out[0] = difference(self.psi(i, y[0]), self.psi(i, z[0]), 0, NULL, NULL)
        return PSX_OK if isfinite(out[0]) else PSX_NONFINITE
    except BaseException as e:
        return _fail(self, e)


cdef int _py_psi_diff_dot(void* ctx, int worker, const void* w, int64_t i, const int32_t* y,
                          const int32_t* z, double* out) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    try:
        out[0] = difference(self.psi(i, y[0]), self.psi(i, z[0]), 0, NULL, <const double*>w)
        return PSX_OK
    except BaseException as e:
        return _fail(self, e)


cdef int64_t _py_check_code(void* ctx, int64_t i, const int32_t* code,
                            int64_t* allowed) noexcept with gil:
    cdef PythonOracle self = <PythonOracle>ctx
    allowed[0] = 0
    allowed[1] = self.n_codes(i) - 1
    return -1 if 0 <= code[0] <= allowed[1] else 0


cdef void _py_hold(void* ctx, int64_t i, const int32_t* code, int held) noexcept with gil:
    try:
        (<PythonOracle>ctx).hold(i, code[0], held)
    except BaseException:
        pass  # a hint: without it the vector is asked for again


def python_oracle(space, X, Y, int64_t size_psi, exactness="exact", int64_t cache_bytes=1 << 28):
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

    Returns
    -------
    oracle : Oracle
    output : callable
        ``output(i, code)`` gives back the object that a code of block i stands for.
    """
    if exactness not in ("exact", "relaxed", "none"):
        raise ValueError(f"exactness must be 'exact', 'relaxed' or 'none', got {exactness!r}")
    cdef uint32_t flags = {"exact": PSX_EXACT, "relaxed": PSX_OVERGEN, "none": PSX_UNDERGEN}[exactness]
    cdef PythonOracle owner = PythonOracle(space, X, Y, size_psi, flags, cache_bytes)
    return wrap_oracle(&owner.c, owner), owner.output
