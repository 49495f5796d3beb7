// The classes of one example as a forest of one node.
#pragma once

#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/multiclass.hpp"

namespace pystruct_ext {

template <class R>
Hypergraph forest(const MulticlassSpace<R>& space, const typename MulticlassSpace<R>::Scratch& s,
                  int64_t) {
  Hypergraph g;
  g.node();
  for (int32_t k = 0; k < space.n_labels; ++k)
    g.edge(static_cast<double>(s.pot[static_cast<std::size_t>(k)]), k);
  return g;
}
template <class R>
void write_tag(const MulticlassSpace<R>&, int64_t, int32_t tag, int32_t* code) {
  *code = tag;
}

// The table of the kernel, for both types of w.
inline const psx_kernel* multiclass_kernel() {
  return kernel_table<With<MulticlassSpace<float>, ForestQueries<MulticlassSpace<float>>>,
                      With<MulticlassSpace<double>, ForestQueries<MulticlassSpace<double>>>>("multiclass");
}

}  // namespace pystruct_ext
