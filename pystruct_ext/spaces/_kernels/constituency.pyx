"""Phrase trees (csrc spaces/spans.hpp and spaces/grammar.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/constituency_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* spans_kernel() except +

SPANS = wrap_kernel(spans_kernel(), None)

cdef extern from "pystruct_ext/spaces/constituency_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* grammar_kernel() except +

GRAMMAR = wrap_kernel(grammar_kernel(), None)
