"""Label sets (csrc spaces/multilabel.hpp and spaces/multilabel_graph.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/multilabel_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* multilabel_kernel() except +

cdef extern from "pystruct_ext/spaces/multilabel_graph.hpp" namespace "pystruct_ext":
    const psx_kernel* multilabel_graph_kernel() except +

MULTILABEL = wrap_kernel(multilabel_kernel(), None)
MULTILABEL_GRAPH = wrap_kernel(multilabel_graph_kernel(), None)
