// The chain kernel with its queries answered from a packed forest, to compare with its own recursions.
#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/chain.hpp"

namespace pystruct_ext {

// Tags: t * K + l.
template <class R>
Hypergraph forest(const ChainSpace<R>& space, const typename ChainSpace<R>::Scratch& s, int64_t i) {
  const int32_t n = space.code_len(i), K = space.n_labels, none = Hypergraph::kNone;
  const auto at = [](const AlignedBuffer<R>& a, int64_t k) {
    return static_cast<double>(a[static_cast<std::size_t>(k)]);
  };
  std::vector<int32_t> here(static_cast<std::size_t>(K)), before(here);
  Hypergraph g;
  for (int32_t t = 0; t < n; ++t) {
    before.swap(here);
    for (int32_t l = 0; l < K; ++l) {
      const double pot = at(s.pot, int64_t{t} * space.stride + l);
      here[static_cast<std::size_t>(l)] = g.node();
      if (t == 0) g.edge(pot + at(s.start, l), l);
      for (int32_t p = 0; t > 0 && p < K; ++p)
        g.edge(pot + at(s.by_prev, int64_t{p} * space.stride + l), t * K + l,
               before[static_cast<std::size_t>(p)]);
    }
  }
  g.node();
  for (int32_t l = 0; l < K; ++l) g.edge(at(s.end, l), none, here[static_cast<std::size_t>(l)]);
  return g;
}
template <class R>
void write_tag(const ChainSpace<R>& space, int64_t, int32_t tag, int32_t* code) {
  code[tag / space.n_labels] = tag % space.n_labels;
}
}  // namespace pystruct_ext

PSX_EXPORT_KERNEL(chain_forest, "chain of forests",
                  pystruct_ext::With<pystruct_ext::ChainSpace<float>,
                                     pystruct_ext::ForestQueries<pystruct_ext::ChainSpace<float>>>)
