"""One binder for every kernel: a dict of arrays in, an `Oracle` out.

Design
------
A kernel lists its fields (``csrc/include/pystruct_ext/kernel.h``). `Kernel.bind` checks each value
against the list (type, contiguity, shape, offsets that never fall), so that a kernel can trust its
arrays, fills the view, and keeps the arrays alive as long as the oracle. Checks cost a pass over
the offsets and nothing per feature. Shapes are text, evaluated here with the names bound so far.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free

import ctypes
from collections import namedtuple

import numpy as np

cimport numpy as cnp

from pystruct_ext._core.oracle cimport psx_oracle, wrap_oracle

cnp.import_array()

cdef const char* CAPSULE_NAME = "pystruct_ext.kernel.v1"

Field = namedtuple("Field", "name type shape role")

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
        What `bind` takes: (name, type, shape, role).
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
        owner.arrays = []
        cdef int32_t n = self.table.n_fields, k
        cdef psx_value* out = <psx_value*>calloc(max(n, 1), sizeof(psx_value))
        if out == NULL:
            raise MemoryError
        sizes = {}
        try:
            # Numbers first: shapes are said in terms of them.
            for k in range(n):
                self._number(k, values, sizes, &out[k])
            for k in range(n):
                self._array(k, values, sizes, real, owner.arrays, &out[k])
            for k in range(n):
                if self.table.fields[k].role == PSX_SIZE:
                    name = self.fields[k].name
                    if name not in sizes:
                        raise ValueError(
                            f"kernel {self.name!r}: no array says what {name!r} is")
                    out[k].integer = sizes[name]
            owner.box = self.table.create(real.itemsize, out)
        finally:
            free(out)
        if owner.box == NULL:
            raise MemoryError(f"kernel {self.name!r} ran out of memory")
        return wrap_oracle(self.table.oracle(owner.box), owner)

    cdef int _number(self, int32_t k, dict values, dict sizes, psx_value* out) except -1:
        cdef const psx_field* f = &self.table.fields[k]
        if f.role != PSX_NUMBER and f.role != PSX_OPTIONAL_NUMBER:
            return 0
        name = f.name.decode()
        value = values.get(name)
        if value is None:
            if f.role == PSX_NUMBER:
                raise TypeError(f"kernel {self.name!r} needs the field {name!r}")
            return 0
        if f.type == PSX_DOUBLE:
            number = float(value)
            if not np.isfinite(number):
                raise ValueError(f"kernel {self.name!r}: {name} must be finite, got {value!r}")
            out.number = number
        else:
            whole = int(value)
            if whole != value:
                raise TypeError(
                    f"kernel {self.name!r}: {name} must be a whole number, got {value!r}")
            out.integer = whole
            sizes[name] = whole
        out.given = 1
        return 0

    cdef int _array(self, int32_t k, dict values, dict sizes, object real, list keep,
                    psx_value* out) except -1:
        cdef const psx_field* f = &self.table.fields[k]
        if f.role > PSX_OPTIONAL_OFFSETS:
            return 0
        name = f.name.decode()
        where = f"kernel {self.name!r}: {name}"
        value = values.get(name)
        if value is None:
            if f.role == PSX_ARRAY or f.role == PSX_OFFSETS:
                raise TypeError(f"kernel {self.name!r} needs the field {name!r}")
            return 0
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{where} must be a numpy array, got {type(value).__name__}")
        expected = {
            PSX_REAL: real,
            PSX_DOUBLE: np.dtype(np.float64),
            PSX_INT32: np.dtype(np.int32),
            PSX_INT64: np.dtype(np.int64),
            PSX_UINT8: np.dtype(np.uint8),
        }.get(f.type)
        if not value.flags.c_contiguous or not value.flags.aligned:
            raise ValueError(f"{where} must be C-contiguous and aligned")
        if expected is None:
            if value.nbytes % f.item_bytes:
                raise ValueError(
                    f"{where} has {value.nbytes} bytes, expected a multiple of {f.item_bytes}")
            shape = (value.nbytes // f.item_bytes,)
        elif value.dtype != expected:
            raise TypeError(f"{where} must be {expected}, got {value.dtype}")
        else:
            shape = value.shape
        text = f.shape.decode()
        if not _fits(text, shape, value.size, expected is None, sizes):
            known = {n: sizes[n] for n in sizes if n in text}
            raise ValueError(
                f"{where} must have the shape ({text}), with {known}, got {value.shape}")
        if f.role == PSX_OFFSETS or f.role == PSX_OPTIONAL_OFFSETS:
            if value.size == 0 or value[0] != 0 or (np.diff(value) < 0).any():
                raise ValueError(f"{where} must start at 0 and never fall")
            total = f.total.decode()
            end = int(value[value.size - 1])
            if sizes.setdefault(total, end) != end:
                raise ValueError(
                    f"{where} must end at {total} = {sizes[total]}, got {end}")
        keep.append(value)
        out.data = cnp.PyArray_DATA(<cnp.ndarray>value)
        return 0


def _value(term, sizes):
    """Value of a sum of products of names and integers; None where a name is unknown."""
    total = 0
    sign = 1
    for piece in term.replace("-", "+-").split("+"):
        if not piece:
            continue
        sign, body = (-1, piece[1:]) if piece[0] == "-" else (1, piece)
        product = sign
        for factor in body.split("*"):
            if factor.lstrip("-").isdigit():
                product *= int(factor)
            elif factor in sizes:
                product *= sizes[factor]
            else:
                return None
        total += product
    return total


def _fits(text, shape, size, record, sizes):
    """Whether an array has a shape; binds the one unknown name of a dimension ``name+k``."""
    alternatives = text.split("|")
    for alternative in alternatives:
        if alternative == "*":
            return True
        dims = alternative.split(",")
        if len(dims) != len(shape):
            # Flat and rectangular arrays of the same content are the same thing to a kernel.
            values = [_value(d, sizes) for d in dims]
            if None in values:
                if len(dims) != 1 or record:
                    continue
                shape = (size,)
            elif int(np.prod(values)) == size and not record:
                return True
            else:
                return False
        found = True
        bound = {}
        for dim, length in zip(dims, shape):
            value = _value(dim, {**sizes, **bound})
            if value is None:
                name, _, rest = dim.partition("+")
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
    if table == NULL or table.abi_version != 1 or table.struct_size < sizeof(psx_kernel):
        raise ValueError("this is no table of a kernel of ABI version 1")
    cdef Kernel kernel = Kernel.__new__(Kernel)
    cdef int32_t k
    kernel.table = table
    kernel._owner = owner
    kernel.fields = tuple([
        Field(table.fields[k].name.decode(), _TYPES[table.fields[k].type],
              table.fields[k].shape.decode(), _ROLES[table.fields[k].role])
        for k in range(table.n_fields)
    ])
    return kernel
