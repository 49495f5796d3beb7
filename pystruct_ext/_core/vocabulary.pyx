"""Feature strings and their ids; the work is in ``text/vocabulary.hpp``."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcpy

import numpy as np

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL
    object PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)


cdef object text_of(StringRef s):
    return PyUnicode_DecodeUTF8(s.data, s.size, NULL)


cdef object copy_of(const void* data, int64_t n, object dtype):
    """Copy n items at `data` into a new array."""
    out = np.empty(n, dtype=dtype)
    cdef char[::1] raw
    if n:
        raw = out.view(np.int8)
        memcpy(&raw[0], data, raw.shape[0])
    return out


cdef class Vocabulary:
    """Feature strings to int32 ids, in the order they were first seen.

    Parameters
    ----------
    names : iterable of str, default ()
        Added in this order; repeated names raise the count only.

    Notes
    -----
    Names are kept as UTF-8 in one arena and compared byte for byte, so two names never
    share an id. Occurrences are counted while names are added. Pickles and copies
    through `to_arrays`. Looking up is safe from several threads; adding while another
    thread looks up without the GIL (`Template.extract`) raises RuntimeError.

    Examples
    --------
    >>> from pystruct_ext._core.features import Vocabulary
    >>> v = Vocabulary(["the", "dog", "the"])
    >>> len(v), v.get("dog"), v.get("cat"), v.names()
    (2, 1, None, ['the', 'dog'])
    >>> v.prune(2), v.names()
    (array([ 0, -1], dtype=int32), ['the'])
    """

    def __init__(self, names=()):
        if isinstance(names, str):
            raise TypeError("names must be an iterable of str, got a str")
        for name in names:
            self.add(name)

    def __len__(self):
        return self._c.size()

    def __contains__(self, name):
        return isinstance(name, str) and self.get(name) is not None

    def __repr__(self):
        return f"<{type(self).__name__} of {len(self)} names>"

    def __reduce__(self):
        return _restore_vocabulary, (*self.to_arrays(), self.counts())

    cdef int _require_unread(self) except -1:
        if self._readers:
            raise RuntimeError("the vocabulary is being read by another thread")
        return 0

    @property
    def nbytes(self):
        """Bytes of memory held."""
        return self._c.nbytes()

    def add(self, str name not None):
        """Id of `name`, which is added if it is new; counts one occurrence."""
        self._require_unread()
        cdef Py_ssize_t size
        cdef const char* data = PyUnicode_AsUTF8AndSize(name, &size)
        return self._c.add(data, size)

    def get(self, str name not None):
        """Id of `name`, None if it is not known."""
        cdef Py_ssize_t size
        cdef const char* data = PyUnicode_AsUTF8AndSize(name, &size)
        cdef int32_t found = self._c.find(data, size)
        return None if found < 0 else found

    def names(self):
        """All names; the index in the list is the id."""
        cdef int64_t k
        return [text_of(self._c.name(k)) for k in range(self._c.size())]

    def counts(self):
        """Occurrences of each name, shape (n,); None if restored without counts."""
        if not self._c.has_counts():
            return None
        cdef int64_t k
        cdef int64_t n = self._c.size()
        out = np.empty(n, dtype=np.int64)
        cdef int64_t[::1] view = out
        for k in range(n):
            view[k] = self._c.count(k)
        return out

    def to_arrays(self):
        """Names as arrays, the form in which models store them.

        Returns
        -------
        blob : ndarray of uint8
            The UTF-8 of all names, one after the other.
        offsets : ndarray of shape (n + 1,), int64
            Name k is ``blob[offsets[k]:offsets[k + 1]]``.
        """
        cdef int64_t n = self._c.size()
        # One spare byte keeps the address valid when every name is empty.
        blob = np.empty(self._c.text_size() + 1, dtype=np.uint8)
        offsets = np.empty(n + 1, dtype=np.int64)
        cdef unsigned char[::1] blob_view = blob
        cdef int64_t[::1] offsets_view = offsets
        self._c.export_names(<char*>&blob_view[0], &offsets_view[0])
        return blob[: len(blob) - 1], offsets

    @staticmethod
    def from_arrays(blob, offsets, counts=None):
        """Inverse of `to_arrays`.

        Parameters
        ----------
        blob, offsets : array-like
            As `to_arrays` returns them.
        counts : array-like of int of shape (n,), optional
            Without them `prune` is refused.

        Raises
        ------
        ValueError
            If the arrays are not what `to_arrays` can return: offsets out of order or
            range, invalid UTF-8, a name that occurs twice.
        """
        cdef Vocabulary self = Vocabulary()
        blob = np.asarray(blob)
        offsets = np.asarray(offsets)
        if blob.ndim != 1 or blob.dtype != np.uint8:
            raise ValueError(
                f"blob must be a 1-D uint8 array, got {blob.ndim}-D {blob.dtype}"
            )
        if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) == 0:
            raise ValueError(
                "offsets must be a 1-D integer array with at least one entry, got "
                f"shape {offsets.shape} of {offsets.dtype}"
            )
        cdef const unsigned char[::1] blob_view = np.append(blob, np.uint8(0))
        cdef const int64_t[::1] offsets_view = np.ascontiguousarray(offsets, np.int64)
        cdef int64_t n = offsets_view.shape[0] - 1
        cdef int64_t k
        self._c.import_names(
            <const char*>&blob_view[0], len(blob), &offsets_view[0], n
        )
        if counts is None:
            self._c.forget_counts()
            return self
        counts = np.asarray(counts)
        if counts.shape != (n,) or counts.dtype.kind not in "iu":
            raise ValueError(
                f"counts must be {n} integers, got shape {counts.shape} of "
                f"{counts.dtype}"
            )
        cdef const int64_t[::1] counts_view = np.ascontiguousarray(counts, np.int64)
        for k in range(n):
            if not 0 <= counts_view[k] <= 0xFFFFFFFFLL:
                raise ValueError(f"counts[{k}] is out of range: {counts_view[k]}")
            self._c.set_count(k, <uint32_t>counts_view[k])
        return self

    def prune(self, int64_t min_count):
        """Drop the names counted fewer than `min_count` times; renumber the others.

        Returns
        -------
        ndarray of shape (n before,), int32
            New id of each old id, -1 if it was dropped.

        Raises
        ------
        ValueError
            If the vocabulary was restored without counts.
        """
        self._require_unread()
        if self._writers:
            raise RuntimeError("the vocabulary is being written by another call")
        if not self._c.has_counts():
            raise ValueError(
                "this vocabulary was restored without counts and cannot be pruned"
            )
        kept = np.empty(self._c.size(), dtype=np.int32)
        cdef int32_t[::1] view = kept
        cdef int32_t nothing
        self._c.prune(min_count, &view[0] if len(kept) else &nothing)
        return kept


def _restore_vocabulary(blob, offsets, counts):
    return Vocabulary.from_arrays(blob, offsets, counts)


cdef class HashedVocabulary:
    """Feature strings to ``hash & (2**bits - 1)``: bounded memory, no names.

    Distinct features may share an id. The hash is the same on every run, platform and
    byte order, so models that use it can be moved.

    Parameters
    ----------
    bits : int, default 20
        1 to 30.

    References
    ----------
    Weinberger, Dasgupta, Langford, Smola, Attenberg, "Feature hashing for large scale
    multitask learning", ICML 2009 (here without the sign).

    Examples
    --------
    >>> from pystruct_ext._core.features import HashedVocabulary
    >>> h = HashedVocabulary(bits=18)
    >>> len(h), 0 <= h.get("w=dog") < len(h)
    (262144, True)
    """

    def __init__(self, bits=20):
        if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)):
            raise TypeError(f"bits must be an int, got {type(bits).__name__}")
        if not 1 <= bits <= 30:
            raise ValueError(f"bits must be between 1 and 30, got {bits}")
        self.bits = bits
        self._c = CHashed(self.bits)

    def __len__(self):
        return 1 << self.bits

    def __repr__(self):
        return f"{type(self).__name__}(bits={self.bits})"

    def __reduce__(self):
        return HashedVocabulary, (self.bits,)

    def get(self, str name not None):
        """Id of `name`."""
        cdef Py_ssize_t size
        cdef const char* data = PyUnicode_AsUTF8AndSize(name, &size)
        return self._c.find(data, size)


def hash_string(str text not None):
    """64-bit hash of the UTF-8 of `text`; not keyed, the same everywhere.

    Examples
    --------
    >>> from pystruct_ext._core.features import hash_string
    >>> hash_string("a") == hash_string("a") != hash_string("b")
    True
    """
    cdef Py_ssize_t size
    cdef const char* data = PyUnicode_AsUTF8AndSize(text, &size)
    return hash_bytes(data, size)


cdef Index index_of(object vocabulary, bint grow) except *:
    cdef Vocabulary named
    if isinstance(vocabulary, Vocabulary):
        named = vocabulary
        if grow:
            named._require_unread()
        return Index(&named._c, NULL, grow)
    if isinstance(vocabulary, HashedVocabulary):
        return Index(NULL, &(<HashedVocabulary>vocabulary)._c, False)
    raise TypeError(
        "vocabulary must be a Vocabulary or a HashedVocabulary, got "
        f"{type(vocabulary).__name__}"
    )


cdef str short_repr(object value):
    try:
        text = repr(value)
    except Exception as error:  # the value is what is wrong, its text only says so
        text = f"a {type(value).__name__} without text ({type(error).__name__})"
    return text if len(text) <= 60 else text[:57] + "..."


cdef list as_list(object value, str what):
    """A list with the members of a sequence that is not a str, dict or set."""
    if isinstance(value, (str, bytes, dict, set, frozenset)) or not (
        hasattr(value, "__len__") and hasattr(value, "__getitem__")
    ):
        raise TypeError(f"{what}, got {type(value).__name__} ({short_repr(value)})")
    try:
        return list(value)
    except (KeyError, IndexError) as error:
        raise TypeError(
            f"{what}, got {type(value).__name__}, which has a length but no entries "
            f"({type(error).__name__})") from error
