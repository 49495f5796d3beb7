"""Phrase trees (csrc spaces/spans.hpp and spaces/grammar.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from *:
    """
    #include "pystruct_ext/spaces/constituency_tools.hpp"
    static const psx_kernel* spans_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<SpanSpace<float>, ForestQueries<SpanSpace<float>>>, With<SpanSpace<double>, ForestQueries<SpanSpace<double>>>>("spans");
    }
    """
    const psx_kernel* spans_kernel() except +

SPANS = wrap_kernel(spans_kernel(), None)

cdef extern from *:
    """
    #include "pystruct_ext/spaces/constituency_tools.hpp"
    static const psx_kernel* grammar_kernel() {
      using namespace pystruct_ext;
      return kernel_table<With<GrammarSpace<float>, GrammarQueries<float>>, With<GrammarSpace<double>, GrammarQueries<double>>>("grammar");
    }
    """
    const psx_kernel* grammar_kernel() except +

GRAMMAR = wrap_kernel(grammar_kernel(), None)
