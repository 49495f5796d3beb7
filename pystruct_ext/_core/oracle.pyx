"""The oracle handle.

Design
------
`Oracle` owns nothing but a pointer to the C struct of ``oracle.h`` and a reference to whatever keeps
that struct alive. Solvers written in Cython use the pointer; tests and solvers written in Python use
the methods, which call the same function pointers.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stddef cimport size_t
from libc.string cimport memcpy, memset

import numpy as np

cimport numpy as cnp

cnp.import_array()


cdef extern from "pystruct_ext/driver.hpp" namespace "pystruct_ext" nogil:
    cdef struct BatchOut:
        int32_t* codes
        const int64_t* code_offsets
        double* scores
        double* losses
        double* margins
    int oracle_argmax_batch(const psx_oracle*, const void*, const int64_t*, int64_t, double, int,
                            const BatchOut&, int64_t*) noexcept
    int oracle_cut_sum(const psx_oracle*, const void*, const int64_t*, const double*, int64_t, int,
                       double*, double*, double*, int64_t*) noexcept
    int oracle_hinge_sum(const psx_oracle*, const void*, const int64_t*, const double*, int64_t,
                         int, double*, double*, int64_t*) noexcept
    int oracle_score_size(const psx_oracle*, const void*, int64_t, const int32_t*, double*) noexcept


cdef extern from *:
    """
    #include <stddef.h>
    /* What version 1.0 of the header had. */
    static const size_t psx_oracle_v1_0 = offsetof(psx_oracle, k_best);
    """
    const size_t psx_oracle_v1_0


cdef const char* CAPSULE_NAME = "pystruct_ext.oracle.v1"


class OracleError(RuntimeError):
    """An oracle failed in a way that is not an exception of user code."""


class _Owned:
    """A capsule with what its pointer belongs to."""

    def __init__(self, capsule, owner):
        self.capsule = capsule
        self.owner = owner


cdef class Oracle:
    """What a solver sees of a training problem; made by ``space.bind(packed)``.

    Attributes
    ----------
    n_blocks : int
        Number of training examples.
    size_psi : int
        Length D of the joint feature vector.
    dtype : numpy.dtype
        Type of the weight vector: float32 or float64.
    exactness : {"exact", "bounded", "relaxed", "none"}
        What the duality gap of a solver certifies with this oracle.
    verbs : frozenset of str
        Optional verbs of ``oracle.h`` that this oracle has: "k_best", "marginals", "sample",
        "part_shape", "parts", "load_scores", "add_scores", "bound".
    feature_name : callable or None
        ``feature_name(j)`` is the name of the feature behind entry j of psi, or None; solvers
        name it in their advice.

    Notes
    -----
    An output is passed around as its *code*, an int32 vector of length ``code_len(i)``. Methods
    that take codes check them: length, range, and what the kernel relies on beyond that, so that a
    wrong code is a ValueError that names the block and the entry. ``check=False`` leaves that out,
    for codes that came from this oracle. An oracle of another library without the verb
    ``check_code`` is checked for the length only.

    Examples
    --------
    >>> import numpy as np
    >>> from pystruct_ext.spaces import MulticlassSpace
    >>> space = MulticlassSpace(fit_intercept=False)
    >>> oracle = space.bind(space.fit_pack(np.eye(3), ["a", "b", "c"]))
    >>> oracle
    Oracle(n_blocks=3, size_psi=24, dtype=float64, exactness='exact')
    >>> code = oracle.argmax(np.zeros(24), 0, loss_scale=1.0)
    >>> code, oracle.loss(0, code), oracle.truth(0)
    (array([1], dtype=int32), 1.0, array([0], dtype=int32))
    """

    def __cinit__(self):
        self.ptr = NULL

    def __init__(self):
        raise TypeError("an Oracle is made by OutputSpace.bind(packed) or Oracle.from_capsule")

    @staticmethod
    def from_capsule(capsule):
        """Wrap a PyCapsule named ``pystruct_ext.oracle.v1`` made by any compiled module."""
        owner = capsule
        if isinstance(capsule, _Owned):
            capsule = capsule.capsule
        if not PyCapsule_IsValid(capsule, CAPSULE_NAME):
            raise TypeError(
                "capsule must be a PyCapsule named 'pystruct_ext.oracle.v1', "
                f"got {capsule!r}")
        cdef const psx_oracle* ptr = <const psx_oracle*>PyCapsule_GetPointer(capsule, CAPSULE_NAME)
        if ptr.abi_version != PSX_ABI_VERSION or ptr.struct_size < psx_oracle_v1_0:
            raise ValueError(
                f"capsule has oracle ABI {ptr.abi_version} of {ptr.struct_size} bytes, expected "
                f"ABI {PSX_ABI_VERSION} of at least {psx_oracle_v1_0} bytes")
        return wrap_oracle(ptr, owner)

    @staticmethod
    def from_address(address, owner=None):
        """Wrap a ``psx_oracle`` at an address, as a C function loaded with ctypes returns it.

        Parameters
        ----------
        address : int
            Of a filled struct, which stays where it is as long as `owner` is alive.
        owner : object, optional
            Kept alive as long as the oracle: the library, or whatever frees the struct.
        """
        if not isinstance(address, int) or address <= 0:
            raise TypeError(f"address must be that of a psx_oracle, got {address!r}")
        cdef size_t at = address
        return Oracle.from_capsule(_Owned(PyCapsule_New(<void*>at, CAPSULE_NAME, NULL), owner))

    def to_capsule(self):
        """A PyCapsule for foreign code; valid while this Oracle is alive."""
        return PyCapsule_New(<void*>self.ptr, CAPSULE_NAME, NULL)

    @property
    def n_blocks(self):
        return self.ptr.n_blocks

    @property
    def size_psi(self):
        return self.ptr.size_psi

    @property
    def dtype(self):
        return np.dtype(np.float32 if self.ptr.w_bytes == 4 else np.float64)

    @property
    def needs_gil(self): return bool(self.ptr.flags & PSX_NEEDS_GIL)

    @property
    def exactness(self):
        if self.ptr.flags & PSX_UNDERGEN:
            return "none" if self.ptr.bound == NULL else "bounded"
        if self.ptr.flags & PSX_OVERGEN:
            return "relaxed"
        return "exact"

    @property
    def nonnegative(self):
        return slice(self.ptr.nonnegative[0], self.ptr.nonnegative[1])

    @property
    def verbs(self):
        have = {
            "k_best": self.ptr.k_best != NULL, "marginals": self.ptr.marginals != NULL,
            "sample": self.ptr.sample != NULL, "part_shape": self.ptr.part_shape != NULL,
            "parts": self.ptr.parts != NULL, "load_scores": self.ptr.load_scores != NULL,
            "add_scores": self.ptr.add_scores != NULL, "bound": self.ptr.bound != NULL,
        }
        return frozenset([name for name, there in have.items() if there])

    def __repr__(self):
        return (f"Oracle(n_blocks={self.n_blocks}, size_psi={self.size_psi}, "
                f"dtype={self.dtype}, exactness={self.exactness!r})")

    cdef int _check(self, int status, int64_t block) except -1:
        if status == PSX_OK:
            return 0
        if status == PSX_PYTHON_ERROR:
            error = getattr(self._owner, "error", None)
            if error is not None:
                self._owner.error = None
                raise error
            raise OracleError(f"the oracle failed at block {block} without naming an exception")
        if status == PSX_NONFINITE:
            raise ValueError(
                f"block {block}: the best score is NaN or infinite; w, loss_scale or the features of this "
                "example hold a NaN or an infinity, or its constraints allow no output")
        if status == PSX_NOTRUTH:
            raise ValueError(
                f"block {block}: this oracle has no true outputs, which losses need; bind what "
                "pack(X, Y) returns, not pack(X)")
        if status == PSX_NOMEM:
            raise MemoryError("the oracle ran out of memory")
        raise OracleError(f"the oracle returned the unknown status {status} at block {block}")

    cdef const void* _weights(self, object w) except NULL:
        if not isinstance(w, np.ndarray) or w.dtype != self.dtype or w.ndim != 1 \
                or w.shape[0] != self.ptr.size_psi or not w.flags.c_contiguous:
            raise ValueError(
                f"w must be a contiguous {self.dtype} vector of length {self.ptr.size_psi}, got "
                f"{getattr(w, 'dtype', type(w).__name__)} of shape {getattr(w, 'shape', None)}")
        return cnp.PyArray_DATA(<cnp.ndarray>w)

    cdef object _code(self, object code, int64_t i, bint check):
        """A code of block i as a contiguous int32 array; of an output, if `check`."""
        seen = np.asarray(code)
        cdef int32_t length = self.ptr.code_len(self.ptr.ctx, i)
        if seen.ndim != 1 or seen.shape[0] != length:
            raise ValueError(
                f"code of block {i} must have length {length}, got shape {seen.shape}")
        if seen.dtype != np.int32 and seen.size and (
                seen.dtype.kind not in "iu" or seen.min() < -2**31 or seen.max() >= 2**31):
            raise ValueError(
                f"code of block {i} must be whole numbers of 32 bits, got {seen.dtype} from "
                f"{seen.min()} to {seen.max()}" if seen.dtype.kind in "iuf" else
                f"code of block {i} must be whole numbers, got {seen.dtype}")
        cdef cnp.ndarray c = np.ascontiguousarray(seen, dtype=np.int32)
        if check:
            self._safe(<const int32_t*>cnp.PyArray_DATA(c), i)
        return c

    cdef int _safe(self, const int32_t* code, int64_t i) except -1:
        """Raise unless the oracle takes the code for that of an output of block i."""
        if self.ptr.check_code == NULL:
            return 0
        cdef int64_t allowed[2]
        cdef int64_t at = self.ptr.check_code(self.ptr.ctx, i, code, allowed)
        if at < 0:
            return 0
        if allowed[0] <= allowed[1]:
            raise ValueError(
                f"code of block {i}: entry {at} is {code[at]}, expected a number from "
                f"{allowed[0]} to {allowed[1]}")
        raise ValueError(
            f"code of block {i}: entry {at} is {code[at]}, which makes no output together with "
            "the other entries")

    cdef int64_t _checked_block(self, int64_t i) except -1:
        if i < 0 or i >= self.ptr.n_blocks:
            raise IndexError(f"block {i} is not in [0, {self.ptr.n_blocks})")
        self._check(self.ptr.reserve_workers(self.ptr.ctx, 1), i)
        return i

    def code_len(self, int64_t i):
        """Length of the code of block i."""
        return self.ptr.code_len(self.ptr.ctx, self._checked_block(i))

    def truth(self, int64_t i):
        """Code of y_i, (code_len,) int32."""
        self._checked_block(i)
        cdef const int32_t* t = self.ptr.truth(self.ptr.ctx, i)
        if t == NULL:
            self._check(PSX_PYTHON_ERROR, i)
        cdef int32_t m = self.ptr.code_len(self.ptr.ctx, i)
        return np.array([t[k] for k in range(m)], dtype=np.int32)

    cdef int _require(self, str verb, bint there) except -1:
        if not there:
            raise NotImplementedError(
                f"this oracle does not answer {verb!r}; it has {sorted(self.verbs)}")
        return 0

    cdef object _scores(self, object scores, int64_t i):
        shape = self.part_shape(i)
        out = np.ascontiguousarray(scores, dtype=self.dtype)
        if out.shape != shape:
            raise ValueError(
                f"scores of block {i} must have the shape {shape}, got {np.shape(scores)}")
        return out

    cdef int _load(self, object w, object scores, int64_t i) except -1:
        """Potentials from w, or those given instead, or both, their sum."""
        self._checked_block(i)
        cdef cnp.ndarray given
        if scores is None:
            return self._check(self.ptr.load(self.ptr.ctx, 0, self._weights(w), i), i)
        self._require("load_scores", self.ptr.load_scores != NULL)
        given = self._scores(scores, i)
        if w is None:
            return self._check(
                self.ptr.load_scores(self.ptr.ctx, 0, i, cnp.PyArray_DATA(given)), i)
        self._check(self.ptr.load(self.ptr.ctx, 0, self._weights(w), i), i)
        return self._check(
            self.ptr.add_scores(self.ptr.ctx, 0, i, 1.0, cnp.PyArray_DATA(given)), i)

    def part_shape(self, int64_t i):
        """Shape of the array of parts of block i: of marginals, scores and costs."""
        self._require("part_shape", self.ptr.part_shape != NULL)
        self._checked_block(i)
        cdef int64_t shape[4]
        cdef int d
        cdef int dims = self.ptr.part_shape(self.ptr.ctx, i, shape)
        return tuple([shape[d] for d in range(dims)])

    def parts(self, int64_t i, code, bint check=True):
        """Parts of an output, as indices into the flat array of parts, (m,) int64."""
        self._require("parts", self.ptr.parts != NULL)
        self._checked_block(i)
        cdef cnp.ndarray c = self._code(code, i, check)
        cdef const int32_t* p = <const int32_t*>cnp.PyArray_DATA(c)
        cdef int64_t n = self.ptr.parts(self.ptr.ctx, i, p, NULL, 0)
        cdef cnp.ndarray[int64_t, ndim=1] out = np.zeros(n, dtype=np.int64)
        self.ptr.parts(self.ptr.ctx, i, p, <int64_t*>out.data, n)
        return out

    cdef int _require_room(self, int64_t n, int64_t i, name) except -1:
        """Refuse less than one code, and more than memory holds (a tebibyte)."""
        if n < 1:
            raise ValueError(f"{name} must be at least 1, got {n}")
        if n > (<int64_t>1 << 38) // max(<int64_t>self.code_len(i), 1):
            raise ValueError(f"{name} must be a number of codes that memory holds, got {n}")
        return 0

    def k_best(self, w, int64_t i, int64_t k, scores=None):
        """The k best outputs of block i, best first.

        Parameters
        ----------
        w : (D,) array, or None with ``scores``
        i, k : int
        scores : array of shape ``part_shape(i)``, optional
            Added to what w says of the parts; instead of it where w is None.

        Returns
        -------
        codes : (m, code_len) int32, m <= k
        scores : (m,) float64
        """
        self._require("k_best", self.ptr.k_best != NULL)
        self._require_room(k, i, "k")
        self._load(w, scores, i)
        cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros(
            (k, self.ptr.code_len(self.ptr.ctx, i)), dtype=np.int32)
        cdef cnp.ndarray[double, ndim=1] values = np.zeros(k)
        cdef int64_t found = 0
        self._check(self.ptr.k_best(
            self.ptr.ctx, 0, i, k, <int32_t*>codes.data, <double*>values.data, &found), i)
        return codes[:found], values[:found]

    def marginals(self, w, int64_t i, double temperature=1.0, scores=None):
        """Probabilities of parts under ``exp(<w, psi> / temperature)``, and log Z.

        Returns
        -------
        probabilities : array of shape ``part_shape(i)``
        log_partition : float
            -inf where there is no output.
        """
        self._require("marginals", self.ptr.marginals != NULL)
        _check_temperature(temperature)
        self._load(w, scores, i)
        out = np.zeros(self.part_shape(i))
        cdef double log_z = 0
        self._check(self.ptr.marginals(
            self.ptr.ctx, 0, i, temperature, <double*>cnp.PyArray_DATA(<cnp.ndarray>out), &log_z), i)
        return out, log_z

    def log_partition(self, w, int64_t i, double temperature=1.0, scores=None):
        """``log sum_y exp(<w, psi(x_i, y)> / temperature)``."""
        self._require("marginals", self.ptr.marginals != NULL)
        _check_temperature(temperature)
        self._load(w, scores, i)
        cdef double log_z = 0
        self._check(self.ptr.marginals(self.ptr.ctx, 0, i, temperature, NULL, &log_z), i)
        return log_z

    def sample(self, w, int64_t i, int64_t n=1, double temperature=1.0, seed=0, scores=None):
        """Outputs drawn independently from ``exp(<w, psi> / temperature) / Z``.

        Parameters
        ----------
        w, i, temperature, scores : see `k_best` and `marginals`
        n : int, default=1
        seed : int in [0, 2^64), default=0
            The same seed gives the same outputs, on every platform.

        Returns
        -------
        codes : (n, code_len) int32
        """
        self._require("sample", self.ptr.sample != NULL)
        _check_temperature(temperature)
        self._require_room(n, i, "n")
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
            raise ValueError(f"seed must be a whole number in [0, 2^64), got {seed!r}")
        self._load(w, scores, i)
        cdef cnp.ndarray[int32_t, ndim=2] codes = np.zeros(
            (n, self.ptr.code_len(self.ptr.ctx, i)), dtype=np.int32)
        self._check(self.ptr.sample(
            self.ptr.ctx, 0, i, temperature, <uint64_t>seed, n, <int32_t*>codes.data), i)
        return codes

    def bound(self, w, int64_t i, double loss_scale=1.0):
        """An upper bound of ``max_y loss_scale Delta(y_i, y) + <w, psi(x_i, y)>``.

        For an exact oracle it is the maximum itself.
        """
        cdef double out = 0, loss = 0
        code = self.argmax(w, i, loss_scale)
        if self.ptr.bound != NULL:
            self._check(self.ptr.bound(self.ptr.ctx, 0, i, loss_scale, &out), i)
            return out
        self._require("bound", bool(self.ptr.flags & PSX_EXACT))
        if loss_scale != 0:
            loss = self.loss(i, code)
        return self.score(w, i, code) + loss_scale * loss

    def argmax(self, w, int64_t i, double loss_scale=1.0, scores=None):
        """Code of argmax_y loss_scale * Delta(y_i, y) + <w, psi(x_i, y)>, (code_len,) int32.

        ``scores``, of shape ``part_shape(i)``, are added to what w says of the parts, or stand
        instead of it where w is None; `PSX_FORBIDDEN` (-1e30) forbids a part.
        """
        self._load(w, scores, i)
        cdef cnp.ndarray[int32_t, ndim=1] code = np.zeros(
            self.ptr.code_len(self.ptr.ctx, i), dtype=np.int32)
        self._check(PSX_NONFINITE if loss_scale - loss_scale != 0 else
                    self.ptr.argmax(self.ptr.ctx, 0, i, loss_scale, <int32_t*>code.data), i)
        return code

    def score(self, w, int64_t i, code, bint check=True):
        """<w, psi(x_i, code)>."""
        self._checked_block(i)
        cdef cnp.ndarray c = self._code(code, i, check)
        cdef double out = 0
        self._check(self.ptr.load(self.ptr.ctx, 0, self._weights(w), i), i)
        self._check(self.ptr.score(self.ptr.ctx, 0, i, <const int32_t*>cnp.PyArray_DATA(c), &out), i)
        return out

    def score_size(self, w, int64_t i, code, bint check=True):
        """``sum_j |w_j psi_j(x_i, code)|``, to which the rounding of `score` is relative."""
        self._checked_block(i)
        cdef cnp.ndarray c = self._code(code, i, check)
        cdef double out = 0
        self._check(oracle_score_size(
            self.ptr, self._weights(w), i, <const int32_t*>cnp.PyArray_DATA(c), &out), i)
        return out

    def loss(self, int64_t i, code, bint check=True):
        """Delta(y_i, code)."""
        self._checked_block(i)
        cdef cnp.ndarray c = self._code(code, i, check)
        cdef double out = 0
        self._check(self.ptr.loss(self.ptr.ctx, i, <const int32_t*>cnp.PyArray_DATA(c), &out), i)
        return out

    def psi(self, int64_t i, code, bint check=True):
        """psi(x_i, code), (D,) of the oracle's dtype."""
        self._checked_block(i)
        cdef cnp.ndarray c = self._code(code, i, check)
        cdef cnp.ndarray w = np.zeros(self.ptr.size_psi, dtype=self.dtype)
        self._check(self.ptr.psi_axpy(
            self.ptr.ctx, 0, i, <const int32_t*>cnp.PyArray_DATA(c), 1.0, cnp.PyArray_DATA(w)), i)
        return w

    def psi_diff(self, int64_t i, y, z, bint check=True):
        """psi(x_i, y) - psi(x_i, z), (D,) float64."""
        self._checked_block(i)
        cdef cnp.ndarray a = self._code(y, i, check)
        cdef cnp.ndarray b = self._code(z, i, check)
        cdef cnp.ndarray[double, ndim=1] out = np.zeros(self.ptr.size_psi)
        self._check(self.ptr.psi_diff_accumulate(
            self.ptr.ctx, 0, i, <const int32_t*>cnp.PyArray_DATA(a),
            <const int32_t*>cnp.PyArray_DATA(b), 1.0, <double*>out.data), i)
        return out

    def psi_diff_sqnorm(self, int64_t i, y, z, bint check=True):
        """||psi(x_i, y) - psi(x_i, z)||^2."""
        self._checked_block(i)
        cdef cnp.ndarray a = self._code(y, i, check)
        cdef cnp.ndarray b = self._code(z, i, check)
        cdef double out = 0
        self._check(self.ptr.psi_diff_sqnorm(
            self.ptr.ctx, 0, i, <const int32_t*>cnp.PyArray_DATA(a),
            <const int32_t*>cnp.PyArray_DATA(b), &out), i)
        return out

    def psi_diff_dot(self, w, int64_t i, y, z, bint check=True):
        """<w, psi(x_i, y) - psi(x_i, z)>."""
        self._checked_block(i)
        cdef cnp.ndarray a = self._code(y, i, check)
        cdef cnp.ndarray b = self._code(z, i, check)
        cdef double out = 0
        self._check(self.ptr.psi_diff_dot(
            self.ptr.ctx, 0, self._weights(w), i, <const int32_t*>cnp.PyArray_DATA(a),
            <const int32_t*>cnp.PyArray_DATA(b), &out), i)
        return out

    def add_psi_diff(self, w, int64_t i, y, z, double a, bint check=True):
        """``w += a (psi(x_i, y) - psi(x_i, z))`` in place."""
        self._checked_block(i)
        cdef cnp.ndarray cy = self._code(y, i, check)
        cdef cnp.ndarray cz = self._code(z, i, check)
        if not w.flags.writeable:
            raise ValueError("w must be writeable")
        self._check(self.ptr.psi_diff_axpy(
            self.ptr.ctx, 0, i, <const int32_t*>cnp.PyArray_DATA(cy),
            <const int32_t*>cnp.PyArray_DATA(cz), a, <void*>self._weights(w)), i)

    cdef object _ids(self, object ids):
        out = np.arange(self.ptr.n_blocks, dtype=np.int64) if ids is None \
            else np.ascontiguousarray(ids, dtype=np.int64)
        if out.ndim != 1 or (out.size and (out.min() < 0 or out.max() >= self.ptr.n_blocks)):
            raise ValueError(f"ids must be blocks in [0, {self.ptr.n_blocks})")
        return out

    cdef tuple _sweep(self, object w, object ids, double loss_scale, object n_threads, bint numbers):
        """Argmax of many blocks without the GIL: (codes, offsets, scores, losses, margins)."""
        cdef cnp.ndarray[int64_t, ndim=1] b = self._ids(ids)
        cdef int64_t n = b.shape[0], k, failed = -1
        cdef cnp.ndarray[int64_t, ndim=1] offsets = np.zeros(n + 1, dtype=np.int64)
        for k in range(n):
            offsets[k + 1] = offsets[k] + self.ptr.code_len(self.ptr.ctx, b[k])
        cdef cnp.ndarray[int32_t, ndim=1] codes = np.zeros(offsets[n], dtype=np.int32)
        cdef cnp.ndarray[double, ndim=2] out = np.zeros((3, n if numbers else 0))
        cdef BatchOut to
        to.codes = <int32_t*>codes.data
        to.code_offsets = <const int64_t*>offsets.data
        to.scores = to.losses = to.margins = NULL
        if numbers:
            to.scores = <double*>out.data
            to.losses = to.scores + n
            to.margins = to.losses + n
        cdef const void* p = self._weights(w)
        cdef const int64_t* pb = <const int64_t*>b.data
        cdef int rc, threads = _threads(n_threads)
        self._check(PSX_NONFINITE if loss_scale - loss_scale != 0 else PSX_OK, 0)
        with nogil:
            rc = oracle_argmax_batch(self.ptr, p, pb, n, loss_scale, threads, to, &failed)
        self._check(rc, failed)
        return codes, offsets, out[0], out[1], out[2]

    def argmax_batch(self, w, ids=None, double loss_scale=0.0, n_threads=1):
        """Argmax of many blocks in one sweep without the GIL.

        Returns
        -------
        codes : list of (code_len,) int32 arrays
        scores, losses, margins : (n,) float64 arrays
            ``<w, psi(x, code)>``, ``Delta``, and ``<w, psi(x, y) - psi(x, code)>``.
        """
        codes, offsets, *numbers = self._sweep(w, ids, loss_scale, n_threads, True)
        each = np.split(codes, offsets[1:len(offsets) - 1]) if len(offsets) > 1 else []
        return (each, *numbers)

    def decode_flat(self, w, ids=None, n_threads=1):
        """Decode blocks into one array: ``(codes, offsets)``; what predict uses."""
        return self._sweep(w, ids, 0.0, n_threads, False)[:2]

    def hinge_sum(self, w, ids=None, weight=None, n_threads=1):
        """``sum_k weight_k H_k`` of many blocks, from above and as found.

        Returns
        -------
        upper : float
            With an upper bound of every hinge: what a certified primal value may count.
        found : float
            With the outputs that ``argmax`` found; the same for an exact oracle.
        """
        cdef cnp.ndarray[int64_t, ndim=1] b = self._ids(ids)
        cdef int64_t n = b.shape[0], failed = -1
        cdef cnp.ndarray c = _block_weights(weight, n)
        cdef const double* pc = <const double*>cnp.PyArray_DATA(c)
        cdef double upper = 0, found = 0
        cdef const void* p = self._weights(w)
        cdef const int64_t* pb = <const int64_t*>b.data
        cdef int rc
        cdef int threads = _threads(n_threads)
        with nogil:
            rc = oracle_hinge_sum(self.ptr, p, pb, pc, n, threads, &upper, &found, &failed)
        self._check(rc, failed)
        return upper, found

    def cut_sum(self, w, ids=None, weight=None, n_threads=1, dpsi=True):
        """Sum of the most violated cuts of many blocks.

        Returns
        -------
        dpsi : (D,) float64 or None
            ``sum_k weight_k delta_psi_k``.
        loss, hinge : float
            ``sum_k weight_k Delta_k`` and ``sum_k weight_k H_k``.
        """
        cdef cnp.ndarray[int64_t, ndim=1] b = self._ids(ids)
        cdef int64_t n = b.shape[0], failed = -1
        cdef cnp.ndarray c = _block_weights(weight, n)
        cdef const double* pc = <const double*>cnp.PyArray_DATA(c)
        cdef cnp.ndarray[double, ndim=1] out
        cdef double* po = NULL
        if dpsi is True:
            out = np.zeros(self.ptr.size_psi)
            po = <double*>out.data
        elif dpsi is not False and dpsi is not None:
            out = dpsi
            if out.shape[0] != self.ptr.size_psi or not dpsi.flags.c_contiguous:
                raise ValueError(f"dpsi must be a contiguous vector of length {self.ptr.size_psi}")
            po = <double*>out.data
        cdef double loss = 0, hinge = 0
        cdef const void* p = self._weights(w)
        cdef const int64_t* pb = <const int64_t*>b.data
        cdef int rc
        cdef int threads = _threads(n_threads)
        with nogil:
            rc = oracle_cut_sum(self.ptr, p, pb, pc, n, threads, po, &loss, &hinge, &failed)
        self._check(rc, failed)
        return (None if po == NULL else out), loss, hinge


cdef Oracle wrap_oracle(const psx_oracle* ptr, object owner):
    cdef Oracle oracle = Oracle.__new__(Oracle)
    cdef size_t size = min(<size_t>ptr.struct_size, sizeof(psx_oracle))
    memset(&oracle.own, 0, sizeof(psx_oracle))
    memcpy(&oracle.own, ptr, size)
    oracle.own.struct_size = sizeof(psx_oracle)
    oracle.ptr = &oracle.own
    oracle._owner = owner
    return oracle


cdef cnp.ndarray _block_weights(object weight, int64_t n):
    """Weights of n blocks as a float64 vector; ones where there are none."""
    if weight is None:
        return np.ones(n)
    out = np.ascontiguousarray(weight, dtype=np.float64)
    if out.shape != (n,):
        raise ValueError(f"weight must have one entry per block: {n}, got shape {out.shape}")
    return out


cdef int _threads(object n_threads) except -1:
    """A number of threads as a C int; the driver takes no more than it can keep busy."""
    return max(1, min(int(n_threads), 1 << 20))


cdef int _check_temperature(double temperature) except -1:
    if not temperature > 0 or temperature == float("inf"):
        raise ValueError(f"temperature must be a finite number > 0, got {temperature!r}")
    return 0
