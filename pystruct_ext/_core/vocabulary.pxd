from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

cdef extern from "pystruct_ext/text/vocabulary.hpp" namespace "pystruct_ext::text" nogil:
    void prefetch(const void*) noexcept
    uint64_t hash_bytes(const char*, int64_t) noexcept
    struct StringRef:
        const char* data
        int64_t size
    cdef cppclass CVocabulary "pystruct_ext::text::Vocabulary":
        CVocabulary() except +
        int64_t size()
        int64_t nbytes()
        int64_t text_size()
        cbool has_counts()
        void forget_counts()
        StringRef name(int64_t)
        uint32_t count(int64_t)
        void set_count(int64_t, uint32_t)
        int32_t find(const char*, int64_t)
        int32_t add(const char*, int64_t) except +
        void prune(int64_t, int32_t*) except +
        void export_names(char*, int64_t*)
        void import_names(const char*, int64_t, const int64_t*, int64_t) except +
    cdef cppclass CHashed "pystruct_ext::text::HashedVocabulary":
        CHashed()
        CHashed(int)
        int32_t find(const char*, int64_t)
    cdef cppclass Index:
        Index()
        Index(CVocabulary*, CHashed*, cbool)


cdef class Vocabulary:
    cdef CVocabulary _c
    # Calls inside a GIL-free lookup; nothing may be added or removed meanwhile.
    cdef int _readers
    # Calls that add names and may let other Python code run in between: lookups must
    # then keep the GIL, and no id may change its meaning.
    cdef int _writers

    cdef int _require_unread(self) except -1


cdef class HashedVocabulary:
    cdef CHashed _c
    cdef readonly int bits


cdef Index index_of(object vocabulary, bint grow) except *
cdef object text_of(StringRef s)
cdef object copy_of(const void* data, int64_t n, object dtype)
cdef str short_repr(object value)
cdef list as_list(object value, str what)
