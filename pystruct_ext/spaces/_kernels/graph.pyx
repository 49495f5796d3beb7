"""Labels of the nodes of graphs (csrc spaces/graph.hpp)."""

from pystruct_ext._core.binder cimport psx_kernel, wrap_kernel

cdef extern from "pystruct_ext/spaces/graph_tools.hpp" namespace "pystruct_ext":
    const psx_kernel* forest_graph_kernel() except +
    const psx_kernel* graph_kernel() except +
    const psx_kernel* relaxed_graph_kernel() except +

FOREST = wrap_kernel(forest_graph_kernel(), None)
GRAPH = wrap_kernel(graph_kernel(), None)
RELAXED = wrap_kernel(relaxed_graph_kernel(), None)
