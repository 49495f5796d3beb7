from libc.stdint cimport int32_t, int64_t, uint32_t

from pystruct_ext._core.oracle cimport psx_oracle


cdef extern from "pystruct_ext/kernel.h" nogil:
    enum:
        PSX_REAL
        PSX_DOUBLE
        PSX_INT32
        PSX_INT64
        PSX_UINT8
        PSX_RECORD
        PSX_ARRAY
        PSX_OPTIONAL
        PSX_OFFSETS
        PSX_OPTIONAL_OFFSETS
        PSX_NUMBER
        PSX_OPTIONAL_NUMBER
        PSX_SIZE
    ctypedef struct psx_field:
        const char* name
        const char* shape
        const char* total
        int32_t type
        int32_t role
        int64_t item_bytes
    ctypedef struct psx_value:
        const void* data
        double number
        int64_t integer
        int32_t given
    ctypedef struct psx_kernel:
        uint32_t struct_size
        uint32_t abi_version
        const char* name
        uint32_t w_bytes
        int32_t n_fields
        const psx_field* fields
        void* (*create)(uint32_t, const psx_value*) noexcept
        const psx_oracle* (*oracle)(void*) noexcept
        void (*destroy)(void*) noexcept
        const char* const* ranges
        const char* (*wrong)(void*) noexcept


cdef class Kernel:
    cdef const psx_kernel* table
    cdef object _owner
    cdef readonly tuple fields
    cdef tuple _rules
    cdef int _number(self, int32_t k, dict values, dict sizes, psx_value* out) except -1
    cdef int _array(self, int32_t k, dict values, dict sizes, object real, dict given,
                    psx_value* out) except -1
    cdef object _size(self, str name, dict sizes, dict given)
    cdef int _in_range(self, int32_t k, dict sizes, dict given) except -1
    cdef object _outside(self, str name, object array, int64_t at, low, high, wanted)
    cdef int _number_in_range(self, str name, object wanted, dict sizes) except -1
    cdef int _in_block_range(self, int32_t k, object array, dict sizes, dict given) except -1
    cdef object _dims(self, str name)
    cdef object _starts(self, str total, dict given)


cdef Kernel wrap_kernel(const psx_kernel* table, object owner)
