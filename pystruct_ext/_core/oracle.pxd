from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "pystruct_ext/oracle.h" nogil:
    enum:
        PSX_OK
        PSX_PYTHON_ERROR
        PSX_NONFINITE
        PSX_NOMEM
        PSX_NOTRUTH
        PSX_NEEDS_GIL
        PSX_THREADSAFE
        PSX_EXACT
        PSX_UNDERGEN
        PSX_OVERGEN
        PSX_ABI_VERSION

    ctypedef struct psx_oracle:
        uint32_t struct_size
        uint32_t abi_version
        uint32_t flags
        uint32_t w_bytes
        void* ctx
        int64_t n_blocks
        int64_t size_psi
        int (*reserve_workers)(void*, int) noexcept
        int32_t (*code_len)(void*, int64_t) noexcept
        const int32_t* (*truth)(void*, int64_t) noexcept
        int (*load)(void*, int, const void*, int64_t) noexcept
        int (*argmax)(void*, int, int64_t, double, int32_t*) noexcept
        int (*score)(void*, int, int64_t, const int32_t*, double*) noexcept
        int (*loss)(void*, int64_t, const int32_t*, double*) noexcept
        int (*psi_axpy)(void*, int, int64_t, const int32_t*, double, void*) noexcept
        int (*psi_diff_axpy)(void*, int, int64_t, const int32_t*, const int32_t*, double,
                             void*) noexcept
        int (*psi_diff_accumulate)(void*, int, int64_t, const int32_t*, const int32_t*, double,
                                   double*) noexcept
        int (*psi_diff_sqnorm)(void*, int, int64_t, const int32_t*, const int32_t*,
                               double*) noexcept
        int (*psi_diff_dot)(void*, int, const void*, int64_t, const int32_t*, const int32_t*,
                            double*) noexcept
        int (*argmax_batch)(void*, const void*, const int64_t*, int64_t, double, int, int32_t*,
                            const int64_t*, double*, double*, double*, int64_t*) noexcept
        int (*cut_sum)(void*, const void*, const int64_t*, const double*, int64_t, int, double*,
                       double*, double*, int64_t*) noexcept
        int (*k_best)(void*, int, int64_t, int64_t, int32_t*, double*, int64_t*) noexcept
        int (*marginals)(void*, int, int64_t, double, double*, double*) noexcept
        int (*sample)(void*, int, int64_t, double, uint64_t, int64_t, int32_t*) noexcept
        int (*part_shape)(void*, int64_t, int64_t*) noexcept
        int64_t (*parts)(void*, int64_t, const int32_t*, int64_t*, int64_t) noexcept
        int (*load_scores)(void*, int, int64_t, const void*) noexcept
        int (*add_scores)(void*, int, int64_t, double, const void*) noexcept
        int (*bound)(void*, int, int64_t, double, double*) noexcept
        int64_t (*check_code)(void*, int64_t, const int32_t*, int64_t*) noexcept
        void (*hold)(void*, int64_t, const int32_t*, int) noexcept
        int64_t nonnegative[2]


cdef class Oracle:
    # A copy of the writer's struct, zeros behind what the writer had; ptr points at it.
    cdef psx_oracle own
    cdef const psx_oracle* ptr
    cdef object _owner
    # Name of the feature behind entry j of psi, or None; whoever knows it may set it.
    cdef public object feature_name
    cdef object __weakref__
    cdef int _check(self, int status, int64_t block) except -1
    cdef const void* _weights(self, object w) except NULL
    cdef object _code(self, object code, int64_t i, bint check)
    cdef int _safe(self, const int32_t* code, int64_t i) except -1
    cdef int64_t _checked_block(self, int64_t i) except -1
    cdef object _ids(self, object ids)
    cdef tuple _sweep(self, object w, object ids, double loss_scale, object n_threads, bint numbers)
    cdef int _require(self, str verb, bint there) except -1
    cdef int _require_room(self, int64_t n, int64_t i, name) except -1
    cdef int _load(self, object w, object scores, int64_t i) except -1
    cdef object _scores(self, object scores, int64_t i)


cdef Oracle wrap_oracle(const psx_oracle* ptr, object owner)
