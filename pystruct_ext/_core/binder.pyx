"""One binder for every kernel: a dict of arrays in, an `Oracle` out.

Design
------
A kernel lists its fields (``csrc/include/pystruct_ext/kernel.h``). `Kernel.bind` checks each value
against the list (type, contiguity, shape, offsets that never fall, and the range of every entry),
so that a kernel can trust its arrays, fills the view, and keeps the arrays alive as long as the
oracle. Shapes and ranges are text, parsed once per kernel and evaluated here with the names bound
so far. A check is one vectorised pass over an array (0.1 ns per byte); a table that cannot change,
because it owns its memory and is not writeable, is passed over once and remembered: predicting one
short example must not read a model of a million entries again.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

import ctypes
import math
import weakref
from collections import namedtuple

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.field_text import Rule, parsed_range, parsed_shape

from pystruct_ext._core.oracle cimport psx_oracle, wrap_oracle

cnp.import_array()

cdef const char* CAPSULE_NAME = "pystruct_ext.kernel.v1"

cdef extern from *:
    """
    #include <cstddef>
    /* What version 1.0 of the header had. */
    static const size_t psx_kernel_v1_0 = offsetof(psx_kernel, ranges);
    """
    const size_t psx_kernel_v1_0

ctypedef fused Entry:
    int32_t
    int64_t
    uint8_t

ctypedef fused Bits:
    uint32_t
    uint64_t

Field = namedtuple("Field", "name type shape role range")

_TYPES = {
    PSX_REAL: "real",
    PSX_DOUBLE: "float64",
    PSX_INT32: "int32",
    PSX_INT64: "int64",
    PSX_UINT8: "uint8",
    PSX_RECORD: "record",
}
_ROLES = {
    PSX_ARRAY: "array",
    PSX_OPTIONAL: "optional array",
    PSX_OFFSETS: "offsets",
    PSX_OPTIONAL_OFFSETS: "optional offsets",
    PSX_NUMBER: "number",
    PSX_OPTIONAL_NUMBER: "optional number",
    PSX_SIZE: "size",
}


cdef class BoundKernel:
    """Owns the box and the arrays it looks at."""

    cdef void* box
    cdef Kernel kernel
    cdef list arrays
    cdef object __weakref__

    def __dealloc__(self):
        if self.box != NULL:
            self.kernel.table.destroy(self.box)


cdef class Kernel:
    """A kernel that can be bound to arrays.

    Attributes
    ----------
    name : str
    fields : tuple of Field
        What `bind` takes: (name, type, shape, role, range).
    """

    def __init__(self):
        raise TypeError("a Kernel comes from Kernel.from_capsule or Kernel.from_library")

    @staticmethod
    def from_capsule(capsule):
        """Wrap a PyCapsule named ``pystruct_ext.kernel.v1``."""
        if not PyCapsule_IsValid(capsule, CAPSULE_NAME):
            raise TypeError(
                f"capsule must be a PyCapsule named 'pystruct_ext.kernel.v1', got {capsule!r}")
        return wrap_kernel(
            <const psx_kernel*>PyCapsule_GetPointer(capsule, CAPSULE_NAME), capsule)

    @staticmethod
    def from_library(path, function):
        """Load a shared library made with ``PSX_EXPORT_KERNEL(function, ...)``.

        Parameters
        ----------
        path : path-like
            The library; its code runs in this process.
        function : str
            Name of the function that returns the table.
        """
        library = ctypes.CDLL(str(path))
        try:
            entry = getattr(library, function)
        except AttributeError:
            raise ValueError(f"{path} has no function {function!r}") from None
        entry.restype = ctypes.c_void_p
        cdef size_t address = entry()
        return wrap_kernel(<const psx_kernel*>address, library)

    @property
    def name(self):
        return self.table.name.decode()

    def __repr__(self):
        return f"<Kernel {self.name!r}: {', '.join([f.name for f in self.fields])}>"

    def bind(self, values, dtype="float64"):
        """An `Oracle` over arrays and numbers.

        Parameters
        ----------
        values : dict
            One entry per field; optional ones may be missing or None.
        dtype : float32 or float64
            Type of w.

        Returns
        -------
        Oracle
            Keeps the arrays alive.

        Raises
        ------
        TypeError, ValueError
            Naming the kernel, the field, what was seen and what was expected.
        """
        real = np.dtype(dtype)
        if real not in (np.float32, np.float64) or not real.itemsize & self.table.w_bytes:
            raise ValueError(f"kernel {self.name!r} cannot be bound for w of type {real}")
        unknown = sorted(set(values) - {f.name for f in self.fields})
        if unknown:
            raise TypeError(
                f"kernel {self.name!r} has no field {unknown[0]!r}; it has "
                f"{[f.name for f in self.fields]}")
        cdef BoundKernel owner = BoundKernel.__new__(BoundKernel)
        owner.kernel = self
        cdef int32_t n = self.table.n_fields, k
        cdef psx_value* out = <psx_value*>calloc(max(n, 1), sizeof(psx_value))
        if out == NULL:
            raise MemoryError
        sizes, given = {}, {}
        cdef const char* wrong = NULL
        try:
            # Numbers first: shapes are said in terms of them. Ranges last, in terms of all.
            for k in range(n):
                self._number(k, values, sizes, &out[k])
            # As far as numbers alone say them: before they are multiplied.
            for k in range(n):
                if self._rules[k].name in sizes:
                    self._number_in_range(self._rules[k].name, self._rules[k].range, sizes)
            for k in range(n):
                self._array(k, values, sizes, real, given, &out[k])
            for k in range(n):
                if self.table.fields[k].role == PSX_SIZE:
                    out[k].integer = self._size(self._rules[k].name, sizes, given)
            for k in range(n):
                self._in_range(k, sizes, given)
            owner.arrays = list(given.values())
            owner.box = self.table.create(real.itemsize, out)
        finally:
            free(out)
        if owner.box == NULL:
            raise MemoryError(f"kernel {self.name!r} ran out of memory")
        if self.table.struct_size > psx_kernel_v1_0 and self.table.wrong != NULL:
            wrong = self.table.wrong(owner.box)
        if wrong != NULL:
            raise ValueError(f"kernel {self.name!r}: {wrong.decode()}")
        return wrap_oracle(self.table.oracle(owner.box), owner)

    cdef int _number(self, int32_t k, dict values, dict sizes, psx_value* out) except -1:
        cdef const psx_field* f = &self.table.fields[k]
        if f.role != PSX_NUMBER and f.role != PSX_OPTIONAL_NUMBER:
            return 0
        name = self._rules[k].name
        value = values.get(name)
        if value is None:
            if f.role == PSX_NUMBER:
                raise TypeError(f"kernel {self.name!r} needs the field {name!r}")
            return 0
        if f.type == PSX_DOUBLE:
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"kernel {self.name!r}: {name} must be finite, got {value!r}")
            out.number = number
            sizes[name] = number
        else:
            try:
                whole = int(value)
            except (TypeError, ValueError, OverflowError):
                whole = None
            if whole is None or whole != value:
                raise TypeError(
                    f"kernel {self.name!r}: {name} must be a whole number, got {value!r}")
            # The kernel may hold it in 32 bits.
            if whole.bit_length() >= 8 * min(f.item_bytes, 8):
                raise ValueError(
                    f"kernel {self.name!r}: {name} must fit into {8 * f.item_bytes} bits, got "
                    f"{value!r}")
            out.integer = whole
            sizes[name] = whole
        out.given = 1
        return 0

    cdef int _array(self, int32_t k, dict values, dict sizes, object real, dict given,
                    psx_value* out) except -1:
        cdef const psx_field* f = &self.table.fields[k]
        if f.role > PSX_OPTIONAL_OFFSETS:
            return 0
        rule = self._rules[k]
        name = rule.name
        value = values.get(name)
        if value is None:
            if f.role == PSX_ARRAY or f.role == PSX_OFFSETS:
                raise TypeError(f"kernel {self.name!r} needs the field {name!r}")
            needed = rule.range.needed
            if needed is not None and (values.get(needed[1]) is not None) == needed[0]:
                raise TypeError(
                    f"kernel {self.name!r} needs the field {name!r} "
                    f"{'with' if needed[0] else 'without'} {needed[1]!r}")
            return 0
        if not isinstance(value, np.ndarray):
            raise TypeError(
                f"kernel {self.name!r}: {name} must be a numpy array, got {type(value).__name__}")
        expected = real if f.type == PSX_REAL else _DTYPES[f.type]
        if not value.flags.c_contiguous or not value.flags.aligned:
            raise ValueError(f"kernel {self.name!r}: {name} must be C-contiguous and aligned")
        if expected is None:
            if value.dtype.hasobject or value.nbytes % f.item_bytes:
                raise ValueError(
                    f"kernel {self.name!r}: {name} has {value.nbytes} bytes of {value.dtype}, "
                    f"expected a multiple of {f.item_bytes} plain ones")
            shape = (value.nbytes // f.item_bytes,)
        elif value.dtype != expected:
            raise TypeError(f"kernel {self.name!r}: {name} must be {expected}, got {value.dtype}")
        else:
            shape = value.shape
        if not _fits(rule.shape, shape, value.size, expected is None, sizes):
            text = self.fields[k].shape
            known = {n: sizes[n] for n in sizes if n in text}
            raise ValueError(
                f"kernel {self.name!r}: {name} must have the shape ({text}), with {known}, got "
                f"{value.shape}")
        if f.role == PSX_OFFSETS or f.role == PSX_OPTIONAL_OFFSETS:
            _check_offsets(<const int64_t*>cnp.PyArray_DATA(<cnp.ndarray>value), value.size,
                           self.name, name)
            total = f.total.decode()
            end = int(value[value.size - 1])
            if sizes.setdefault(total, end) != end:
                raise ValueError(
                    f"kernel {self.name!r}: {name} must end at {total} = {sizes[total]}, got {end}")
        given[name] = value
        out.data = cnp.PyArray_DATA(<cnp.ndarray>value)
        return 0

    cdef object _size(self, str name, dict sizes, dict given):
        """A size; 0 where the arrays that would say it are optional and not given."""
        if name in sizes:
            return sizes[name]
        for rule in self._rules:
            if rule.name in given and any(
                    name in dim.names for dims in rule.shape for dim in dims or ()):
                break
        else:
            return 0
        raise ValueError(f"kernel {self.name!r}: no array says what {name!r} is")

    cdef int _in_range(self, int32_t k, dict sizes, dict given) except -1:
        cdef const psx_field* f = &self.table.fields[k]
        rule = self._rules[k]
        name, wanted = rule.name, rule.range
        if wanted.kind == "any":
            return 0
        array = given.get(name)
        if array is None:
            if name in sizes and (f.role == PSX_NUMBER or f.role == PSX_OPTIONAL_NUMBER):
                self._number_in_range(name, wanted, sizes)
            return 0
        if wanted.per:
            self._in_block_range(k, array, sizes, given)
            return 0
        low = None if wanted.low is None else _value(wanted.low, sizes)
        high = None if wanted.high is None else _value(wanted.high, sizes)
        if (low is None) != (wanted.low is None) or (high is None) != (wanted.high is None):
            raise ValueError(f"kernel {self.name!r}: {name} has the range {wanted.text!r}, in which "
                             "a name is unknown")
        constant = not array.flags.writeable and array.base is None
        key = (<size_t>self.table, k, low, high)
        if constant and _is_known(array, key):
            return 0
        at = _first_outside(array, wanted, low, high)
        if at is not None:
            raise ValueError(self._outside(name, array, at, low, high, wanted))
        if constant:
            _remember(array, key)
        return 0

    cdef object _outside(self, str name, object array, int64_t at, low, high, wanted):
        seen = array.reshape(-1)[at]
        where = tuple(map(int, np.unravel_index(at, array.shape)))
        where = where[0] if len(where) == 1 else where
        expected = f"({wanted.text})"
        if wanted.kind == "..":
            expected = f"{'' if low is None else low}..{'' if high is None else high} {expected}"
        return f"kernel {self.name!r}: {name}[{where}] is {seen}, expected {expected}"

    cdef int _number_in_range(self, str name, object wanted, dict sizes) except -1:
        value = sizes[name]
        low = None if wanted.low is None else _value(wanted.low, sizes)
        high = None if wanted.high is None else _value(wanted.high, sizes)
        bad = (low is not None and value < low) or (high is not None and value > high)
        if bad or (wanted.by and value % wanted.by):
            expected = f"{'' if low is None else low}..{'' if high is None else high}"
            raise ValueError(
                f"kernel {self.name!r}: {name} is {value}, expected {expected} ({wanted.text})")
        return 0

    cdef int _in_block_range(self, int32_t k, object array, dict sizes, dict given) except -1:
        """Bounds that differ from block to block, or from column to column."""
        rule = self._rules[k]
        wanted, dims = rule.range, rule.shape[0]
        columns = {
            n: given[n.removesuffix("[]")] for side in (wanted.low, wanted.high) if side is not None
            for _, names in side.terms for n in names
            if n.endswith("[]") and len(dims) > 1
            and self._dims(n.removesuffix("[]"))[0].text == dims[len(dims) - 1].text}
        if columns:
            names = {n: v.astype(np.int64) for n, v in columns.items()}
            table = array.reshape(-1, len(next(iter(names.values()))))
            low, high = (
                None if s is None else np.broadcast_to(_value(s, {**sizes, **names}), table.shape)
                for s in (wanted.low, wanted.high))
            flat = table.reshape(-1)
        else:
            starts = self._starts(dims[0].text, given)
            names = {}
            for side in (wanted.low, wanted.high):
                for _, parts in (() if side is None else side.terms):
                    for n in parts:
                        if n.startswith("#"):
                            names[n] = np.diff(given[n[1:]])
                        elif n.endswith("[]"):
                            names[n] = given[n.removesuffix("[]")].astype(np.int64)
            n_blocks = len(next(iter(names.values())))
            flat = array.reshape(-1)
            # Entry k of an array along the examples belongs to block k, with its columns.
            counts = np.diff(starts) if starts is not None else np.ones(n_blocks, dtype=np.int64)
            if len(counts) != n_blocks or (flat.size and not counts.sum()):
                raise ValueError(
                    f"kernel {self.name!r}: the blocks of {rule.name} are not those of its range "
                    f"({wanted.text})")
            if flat.size == 0:
                return 0
            counts = counts * (flat.size // int(counts.sum()))
            low, high = (
                None if s is None else
                np.repeat(np.broadcast_to(_value(s, {**sizes, **names}), n_blocks), counts)
                for s in (wanted.low, wanted.high))
        bad = np.zeros(flat.shape, dtype=bool)
        if low is not None:
            low = low.reshape(-1)
            bad |= flat < low
        if high is not None:
            high = high.reshape(-1)
            bad |= flat > high
        if bad.any():
            at = int(np.argmax(bad))
            raise ValueError(self._outside(
                rule.name, array, at, None if low is None else low[at],
                None if high is None else high[at], wanted))
        return 0

    cdef object _dims(self, str name):
        for rule in self._rules:
            if rule.name == name:
                return rule.shape[0]
        raise ValueError(f"kernel {self.name!r} has no field {name!r}")

    cdef object _starts(self, str total, dict given):
        """First entry of every block in arrays whose length has a name; None: one entry a block."""
        cdef int32_t k
        for k in range(self.table.n_fields):
            if self.table.fields[k].total != NULL and self.table.fields[k].total.decode() == total:
                own = given[self._rules[k].name]
                name = self._rules[k].shape[0][0].text.partition("+")[0]
                above = self._starts(name, given)
                return own if above is None else own[above]
        return None


_DTYPES = {
    PSX_DOUBLE: np.dtype(np.float64),
    PSX_INT32: np.dtype(np.int32),
    PSX_INT64: np.dtype(np.int64),
    PSX_UINT8: np.dtype(np.uint8),
    PSX_RECORD: None,
}
# Checks that constant arrays have passed: the array's address, a reference, the checks.
_known = {}


cdef bint _is_known(object array, object key):
    entry = _known.get(id(array))
    return entry is not None and entry[0]() is array and key in entry[1]


cdef int _remember(object array, object key) except -1:
    address = id(array)
    entry = _known.get(address)
    if entry is None or entry[0]() is not array:
        def forget(_, address=address):
            _known.pop(address, None)
        entry = _known[address] = (weakref.ref(array, forget), set())
    entry[1].add(key)
    return 0


# Loops that the compiler vectorises: pieces without a branch, then a search in the first bad one.

cdef int64_t _outside(const Entry* p, int64_t n, Entry low, Entry high) noexcept nogil:
    cdef int64_t start, k, end
    cdef int bad
    for start in range(0, n, 4096):
        end = min(n, start + 4096)
        bad = 0
        for k in range(start, end):
            bad |= (p[k] < low) | (p[k] > high)
        if bad:
            for k in range(start, end):
                if p[k] < low or p[k] > high:
                    return k
    return -1


cdef int64_t _falls(const Entry* p, int64_t n) noexcept nogil:
    """First entry that is smaller than the one before, or -1."""
    cdef int64_t start, k, end
    cdef int bad
    for start in range(1, n, 4096):
        end = min(n, start + 4096)
        bad = 0
        for k in range(start, end):
            bad |= p[k] < p[k - 1]
        if bad:
            for k in range(start, end):
                if p[k] < p[k - 1]:
                    return k
    return -1


cdef int64_t _not_finite(const Bits* p, int64_t n, Bits exponent, Bits minus_inf) noexcept nogil:
    """First NaN or infinity (but for minus_inf, if that is not 0), or -1."""
    cdef int64_t start, k, end
    cdef int bad
    for start in range(0, n, 4096):
        end = min(n, start + 4096)
        bad = 0
        for k in range(start, end):
            bad |= ((p[k] & exponent) == exponent) & (p[k] != minus_inf)
        if bad:
            for k in range(start, end):
                if (p[k] & exponent) == exponent and p[k] != minus_inf:
                    return k
    return -1


cdef int _check_offsets(const int64_t* p, int64_t n, str kernel, str name) except -1:
    cdef int64_t k
    if n == 0 or p[0] != 0 or _falls(p, n) >= 0:
        raise ValueError(f"kernel {kernel!r}: {name} must start at 0 and never fall")
    for k in range(1, n):
        # Lengths of blocks are int32 in codes.
        if p[k] - p[k - 1] > INT32_MAX // 2:
            raise ValueError(
                f"kernel {kernel!r}: {name} has a block of {p[k] - p[k - 1]} entries at {k - 1}, "
                f"at most {INT32_MAX // 2} are possible")
    return 0


cdef object _first_outside(object array, object wanted, object low, object high):
    """Index of the first entry outside of a range, or None."""
    cdef void* p = cnp.PyArray_DATA(<cnp.ndarray>array)
    cdef int64_t n = array.size, at = -1
    kind = array.dtype.kind
    if kind == "f":
        single = array.dtype.itemsize == 4
        if wanted.kind == "finite or -inf":
            at = (_not_finite(<const uint32_t*>p, n, <uint32_t>0x7F800000, <uint32_t>0xFF800000)
                  if single else
                  _not_finite(<const uint64_t*>p, n, <uint64_t>0x7FF0000000000000,
                              <uint64_t>0xFFF0000000000000))
        else:
            at = (_not_finite(<const uint32_t*>p, n, <uint32_t>0x7F800000, <uint32_t>0)
                  if single else
                  _not_finite(<const uint64_t*>p, n, <uint64_t>0x7FF0000000000000, <uint64_t>0))
        if at < 0 and n and (wanted.kind == "positive" or low is not None or high is not None):
            bad = np.zeros(n, dtype=bool)
            flat = array.reshape(-1)
            if wanted.kind == "positive":
                bad |= flat <= 0
            if low is not None:
                bad |= flat < low
            if high is not None:
                bad |= flat > high
            if bad.any():
                at = int(np.argmax(bad))
        return None if at < 0 else at
    if wanted.kind != "..":
        return None
    info = np.iinfo(array.dtype)
    low = info.min if low is None else low
    high = info.max if high is None else high
    if wanted.rising:
        flat = array.reshape(-1)
        if n == 0:
            return None
        if flat[0] != low:
            return 0
        if flat[n - 1] != high:
            return n - 1
        at = _falls(<const int32_t*>p, n) if info.bits == 32 else _falls(<const int64_t*>p, n)
        return None if at < 0 else at
    if n and (low > high or low > info.max or high < info.min):
        return 0
    low, high = max(low, info.min), min(high, info.max)
    if info.bits == 32:
        at = _outside(<const int32_t*>p, n, <int32_t>low, <int32_t>high)
    elif info.bits == 64:
        at = _outside(<const int64_t*>p, n, <int64_t>low, <int64_t>high)
    else:
        at = _outside(<const uint8_t*>p, n, <uint8_t>low, <uint8_t>high)
    return None if at < 0 else at


cdef object _value(object total, dict sizes):
    """Value of a sum; None where a name is unknown."""
    result = 0
    for factor, names in total.terms:
        for name in names:
            size = sizes.get(name)
            if size is None:
                return None
            factor = factor * size
        result = result + factor
    return result


cdef bint _fits(tuple alternatives, tuple shape, object size, bint record, dict sizes) except -1:
    """Whether an array has a shape; binds the one unknown name of a dimension ``name+k``."""
    for dims in alternatives:
        if dims is None:
            return True
        lengths = shape
        if len(dims) != len(shape):
            # Flat and rectangular arrays of the same content are the same thing to a kernel.
            values = [_value(d, sizes) for d in dims]
            if None not in values:
                return math.prod(values) == size and not record
            if len(dims) != 1 or record:
                continue
            lengths = (size,)
        found = True
        bound = {}
        for dim, length in zip(dims, lengths):
            value = _value(dim, {**sizes, **bound} if bound else sizes)
            if value is None:
                name, _, rest = dim.text.partition("+")
                # Where there are alternatives, the names that are known tell them apart.
                if len(alternatives) > 1 or not name.isidentifier() or (rest and not rest.isdigit()):
                    found = False
                    break
                bound[name] = length - (int(rest) if rest else 0)
                if bound[name] < 0:
                    return False
            elif value != length:
                return False
        if found:
            sizes.update(bound)
            return True
    return False


cdef Kernel wrap_kernel(const psx_kernel* table, object owner):
    if table == NULL or table.abi_version != 1 or table.struct_size < psx_kernel_v1_0:
        raise ValueError("this is no table of a kernel of ABI version 1")
    cdef Kernel kernel = Kernel.__new__(Kernel)
    cdef int32_t k
    kernel.table = table
    kernel._owner = owner
    cdef bint has_ranges = table.struct_size > psx_kernel_v1_0 and table.ranges != NULL
    kernel.fields = tuple([
        Field(table.fields[k].name.decode(), _TYPES[table.fields[k].type],
              table.fields[k].shape.decode(), _ROLES[table.fields[k].role],
              table.ranges[k].decode() if has_ranges else "any")
        for k in range(table.n_fields)
    ])
    kernel._rules = tuple([Rule(f.name, parsed_shape(f.shape), parsed_range(f.range)) for f in kernel.fields])
    return kernel
