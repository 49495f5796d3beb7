"""Features given as Python objects, to packed rows.

Design
------
The work is in ``csrc/include/pystruct_ext/text``; this module only turns Python objects
into (pointer, length) pairs; `Vocabulary`, `ColumnTable` and `Template` are re-exported
from their own modules. Looking features up is bound by cache misses on three kinds of
memory: the string objects (scattered over the heap), the slots of the hash table and
the stored names. So `encode_sequences` prefetches the string objects of tokens ahead,
and hands over hundreds of strings at a time, which the vocabulary probes in sweeps.
Strings of lists are borrowed until the next flush; anything that could run other Python
code in between (``__float__``, sorting, iteration) flushes first, or copies.

Names are UTF-8 throughout. For a string that is not ASCII CPython keeps the UTF-8 form
inside the string object, so encoding the same object again is as fast as ASCII.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

import numpy as np

from pystruct_ext._core.columns import ColumnTable, Template
from pystruct_ext._core.vocabulary import HashedVocabulary, Vocabulary, hash_string

# Cimported names are not seen from Python; the import above is.
from pystruct_ext._core.vocabulary cimport Vocabulary as NamedVocabulary
from pystruct_ext._core.vocabulary cimport (
    Index, StringRef, as_list, copy_of, index_of, prefetch, short_repr
)

cdef extern from "Python.h":
    ctypedef struct PyObject
    int PyUnicode_Check(PyObject*)
    int PyUnicode_IS_COMPACT_ASCII(PyObject*)
    void* PyUnicode_DATA(PyObject*)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject*)
    const char* PyUnicode_AsUTF8AndSize(PyObject*, Py_ssize_t*) except NULL
    int PyList_CheckExact(PyObject*)
    int PyTuple_CheckExact(PyObject*)
    PyObject* PyList_GET_ITEM(PyObject*, Py_ssize_t)
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t)
    Py_ssize_t Py_SIZE(PyObject*)
    int PyFloat_Check(object)
    double PyFloat_AS_DOUBLE(object)
    double PyLong_AsDouble(object) except? -1.0

cdef extern from "pystruct_ext/text/row_writer.hpp" namespace "pystruct_ext::text" nogil:
    cdef cppclass RowWriter:
        RowWriter() except +
        RowWriter(Index) except +
        void add(const char*, int64_t) except +
        void add_copy(StringRef, StringRef, double) except +
        void add_joined(StringRef, StringRef, StringRef) except +
        void end_row() except +
        cbool full()
        void flush() except +
        cbool has_values()
        vector[int64_t]& indptr()
        vector[int32_t]& indices()
        vector[double]& values()

__all__ = [
    "ColumnTable",
    "HashedVocabulary",
    "Template",
    "Vocabulary",
    "encode_sequences",
    "hash_string",
]


cdef inline int _add_str(RowWriter* writer, PyObject* item) except -1:
    """Borrow the text of a str; -1 with TypeError/UnicodeEncodeError otherwise."""
    cdef Py_ssize_t size
    cdef const char* data
    if not PyUnicode_Check(item):
        raise _not_str("a feature", <object>item)
    if PyUnicode_IS_COMPACT_ASCII(item):
        data = <const char*>PyUnicode_DATA(item)
        size = PyUnicode_GET_LENGTH(item)
    else:
        data = PyUnicode_AsUTF8AndSize(item, &size)
    writer.add(data, size)
    return 0


cdef inline void _prefetch_items(PyObject* token) noexcept:
    cdef Py_ssize_t k
    if PyList_CheckExact(token):
        for k in range(Py_SIZE(token)):
            prefetch(PyList_GET_ITEM(token, k))


cdef inline StringRef _utf8(object text) except *:
    cdef Py_ssize_t size
    cdef StringRef s
    if PyUnicode_IS_COMPACT_ASCII(<PyObject*>text):
        s.data = <const char*>PyUnicode_DATA(<PyObject*>text)
        size = PyUnicode_GET_LENGTH(<PyObject*>text)
    else:
        s.data = PyUnicode_AsUTF8AndSize(<PyObject*>text, &size)
    s.size = size
    return s


cdef inline TypeError _not_str(str what, object seen):
    return TypeError(
        f"{what} must be a str, got {type(seen).__name__} ({short_repr(seen)})"
    )


cdef double _number(RowWriter* writer, object name, object value) except? -1.0:
    """Value of a feature as CRFsuite reads it."""
    cdef double number
    if PyFloat_Check(value):
        number = PyFloat_AS_DOUBLE(value)
    elif type(value) is int or type(value) is bool:
        number = PyLong_AsDouble(value)
    elif isinstance(value, (list, tuple, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(
            f"feature {short_repr(name)} must have a number, a str, or a dict, list or "
            f"set as its value, got {type(value).__name__} ({short_repr(value)})"
        )
    else:
        number = float(value)
    if not isfinite(number):
        raise ValueError(f"feature {short_repr(name)} has the value {number}")
    return number


cdef int _add_mapping(RowWriter* writer, bytes prefix, dict features) except -1:
    """Features of a dict, each name after `prefix`."""
    cdef StringRef before
    cdef StringRef name
    before.data = prefix
    before.size = len(prefix)
    for key, value in features.items():
        if not isinstance(key, str):
            raise _not_str("a feature name", key)
        name = _utf8(key)
        if isinstance(value, str):
            writer.add_joined(before, name, _utf8(value))
        elif isinstance(value, dict):
            _add_mapping(writer, prefix + (<str>key).encode() + b":", value)
        elif isinstance(value, (list, tuple, set, frozenset)):
            if isinstance(value, (set, frozenset)):
                value = _sorted(value)
            for item in value:
                if not isinstance(item, str):
                    raise _not_str(f"a member of feature {short_repr(key)}", item)
                writer.add_joined(before, name, _utf8(item))
        else:
            writer.add_copy(before, name, _number(writer, key, value))
    return 0


cdef list _sorted(object members):
    for item in members:
        if not isinstance(item, str):
            raise _not_str("a feature", item)
    return sorted(members)


cdef int _add_token(RowWriter* writer, PyObject* token) except -1:
    cdef Py_ssize_t k
    cdef StringRef nothing
    nothing.data = b""
    nothing.size = 0
    if PyList_CheckExact(token):
        for k in range(Py_SIZE(token)):
            _add_str(writer, PyList_GET_ITEM(token, k))
        return 0
    if PyTuple_CheckExact(token):
        for k in range(Py_SIZE(token)):
            _add_str(writer, PyTuple_GET_ITEM(token, k))
        return 0
    # Below other Python code may run: strings borrowed so far must be done with.
    features = <object>token
    writer.flush()
    if isinstance(features, dict):
        return _add_mapping(writer, b"", features)
    if isinstance(features, (set, frozenset)):
        features = _sorted(features)
    elif hasattr(features, "tolist"):  # an array or a Series of names
        features = features.tolist()
    if not isinstance(features, (list, tuple)):
        raise TypeError(
            "a token must be a list, tuple or set of str or a dict, got "
            f"{type(features).__name__} ({short_repr(features)})"
        )
    for item in features:
        if not isinstance(item, str):
            raise _not_str("a feature", item)
        writer.add_copy(nothing, _utf8(item), 1.0)
    return 0


def encode_sequences(X, vocabulary, *, bint grow, dtype=np.float32):
    """Features of sequences of tokens, given as Python objects, as packed rows.

    Parameters
    ----------
    X : list of sequences
        A sequence is a non-empty list of tokens. A token is either a list, tuple or set
        of str, each a feature of value 1, or a dict from name to value, where

        * a number counts as the value, a bool as 0 or 1;
        * a str v makes the feature ``"name:v"`` of value 1;
        * a list, tuple or set of str makes ``"name:v"`` of each member;
        * a dict makes what it would as a token, each name after ``"name:"``.

        These are the conventions of python-crfsuite's ``ItemSequence``, with tuples and
        frozensets allowed and bytes refused. A feature that occurs twice in a token is
        stored twice: the entries add up. Members of sets are taken in sorted order.
    vocabulary : Vocabulary or HashedVocabulary
        Ids of the features.
    grow : bool
        Whether unknown features are added (and occurrences counted); otherwise they are
        dropped. Of no effect with a HashedVocabulary, which knows every feature.
    dtype : float32 or float64, default float32
        Type of the values.

    Returns
    -------
    offsets : ndarray of shape (n_sequences + 1,), int64
        Tokens of sequence i are ``offsets[i]:offsets[i + 1]``.
    indptr : ndarray of shape (n_tokens + 1,), int64
        Entries of token t are ``indptr[t]:indptr[t + 1]``.
    indices : ndarray of shape (nnz,), int32
    values : ndarray of shape (nnz,) or None
        None if every value is 1.

    Raises
    ------
    TypeError
        For anything that is not as above; names the example and the token.
    ValueError
        For an empty sequence, a value that is NaN, infinite or too large for `dtype`,
        or a str that has no UTF-8 (a lone surrogate).

    Notes
    -----
    After an error with ``grow=True`` the vocabulary keeps what it has seen so far.

    Examples
    --------
    >>> from pystruct_ext._core.features import Vocabulary, encode_sequences
    >>> v = Vocabulary()
    >>> X = [[["w=the", "bias"], {"w": "dog", "bias": 0.5}]]
    >>> offsets, indptr, indices, values = encode_sequences(X, v, grow=True)
    >>> v.names(), indices
    (['w=the', 'bias', 'w:dog'], array([0, 1, 2, 1], dtype=int32))
    >>> values
    array([1. , 1. , 1. , 0.5], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {dtype}")
    cdef list sequences = (
        X if type(X) is list else as_list(X, "X must be a list of sequences")
    )
    cdef RowWriter writer = RowWriter(index_of(vocabulary, grow))
    cdef int64_t n = len(sequences)
    cdef int64_t i = 0
    cdef int64_t t = -1
    cdef Py_ssize_t length
    cdef list sequence
    cdef bint borrowed
    cdef PyObject* items
    offsets = np.zeros(n + 1, dtype=np.int64)
    cdef int64_t[::1] ends = offsets
    cdef NamedVocabulary growing = None
    if grow and isinstance(vocabulary, NamedVocabulary):
        growing = vocabulary
    if growing is not None:
        growing._writers += 1
    try:
        while i < n:
            if i >= len(sequences):
                raise ValueError("X changed its length while it was read")
            t = -1
            value = sequences[i]
            borrowed = type(value) is list
            if not borrowed:
                writer.flush()
                value = as_list(value, "a sequence must be a list of tokens")
            sequence = value
            length = len(sequence)
            if length == 0:
                raise ValueError("the sequence is empty: at least one token is needed")
            items = <PyObject*>sequence
            for t in range(length):
                if t >= len(sequence):
                    raise ValueError(
                        "the sequence changed its length while it was read"
                    )
                if t + 4 < len(sequence):
                    prefetch(PyList_GET_ITEM(items, t + 4))
                if t + 2 < len(sequence):
                    _prefetch_items(PyList_GET_ITEM(items, t + 2))
                _add_token(&writer, PyList_GET_ITEM(items, t))
                writer.end_row()
                if writer.full():
                    writer.flush()
            if not borrowed:
                writer.flush()
            i += 1
            ends[i] = ends[i - 1] + length
        t = -1
        writer.flush()
    except (TypeError, ValueError, OverflowError) as error:
        where = f"X: example {i}" + (f", token {t}" if t >= 0 else "")
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{where}: {error}") from error
    finally:
        if growing is not None:
            growing._writers -= 1
    indptr = copy_of(writer.indptr().data(), writer.indptr().size(), np.int64)
    indices = copy_of(writer.indices().data(), writer.indices().size(), np.int32)
    if not writer.has_values():
        return offsets, indptr, indices, None
    values = copy_of(writer.values().data(), writer.values().size(), np.float64)
    if (values == 1.0).all():
        return offsets, indptr, indices, None
    if dtype == np.float32:
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            row = np.searchsorted(indptr, bad[0], side="right") - 1
            i = np.searchsorted(offsets, row, side="right") - 1
            raise ValueError(
                f"X: example {i}, token {row - offsets[i]}: a value is too large for "
                "float32"
            )
    return offsets, indptr, indices, values
