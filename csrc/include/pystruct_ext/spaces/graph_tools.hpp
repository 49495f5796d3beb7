// Questions about all labellings of a forest, and the tables of the kernels of graphs.
#pragma once

#include <cstdint>
#include <vector>

#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/graph.hpp"
#include "pystruct_ext/spaces/graph_relaxed.hpp"

namespace pystruct_ext {

// Tags: v * n_labels + l of a node with its label. One derivation per labelling: below node v with
// label l hang its children one after the other, each a sum over the child's labels.
template <class R>
Hypergraph forest(const ForestGraphSpace<R>& space,
                  const typename ForestGraphSpace<R>::Scratch& s, int64_t i) {
  const int32_t n = space.code_len(i), m = space.n_edges(i), K = space.n_labels;
  const int32_t* edges = space.edges + 2 * space.edge_offsets[i];
  Incidence around;
  around.reserve(n, m);
  around.build(n, m, edges);
  constexpr int32_t none = Hypergraph::kNone;
  // Nodes from roots to leaves, and the edge to each from its parent.
  std::vector<int32_t> order, up(static_cast<std::size_t>(n), -1), roots;
  std::vector<char> seen(static_cast<std::size_t>(n), 0);
  for (int32_t r = 0; r < n; ++r) {
    if (seen[static_cast<std::size_t>(r)]) continue;
    seen[static_cast<std::size_t>(r)] = 1;
    roots.push_back(r);
    std::size_t at = order.size();
    order.push_back(r);
    for (; at < order.size(); ++at) {
      const int32_t v = order[at];
      for (const auto* arc = around.begin(v); arc != around.end(v); ++arc) {
        if (seen[static_cast<std::size_t>(arc->other)]) continue;
        seen[static_cast<std::size_t>(arc->other)] = 1;
        up[static_cast<std::size_t>(arc->other)] = arc->edge;
        order.push_back(arc->other);
      }
    }
  }
  Hypergraph g;
  const auto pair = [&](int32_t e, int32_t ka, int32_t kb) {
    if (space.is_potts()) return ka == kb ? static_cast<double>(s.potts[static_cast<std::size_t>(e)]) : 0.0;
    return static_cast<double>(
        s.tables[static_cast<std::size_t>(s.table_at[static_cast<std::size_t>(e)] +
                                          int64_t{ka} * space.stride + kb)]);
  };
  // item[v * K + l]: everything at and below v, given its label.
  std::vector<int32_t> item(static_cast<std::size_t>(n) * static_cast<std::size_t>(K), none);
  const auto item_of = [&](int32_t v, int32_t l) -> int32_t& {
    return item[static_cast<std::size_t>(v) * static_cast<std::size_t>(K) + static_cast<std::size_t>(l)];
  };
  for (std::size_t k = order.size(); k-- > 0;) {
    const int32_t v = order[k];
    for (int32_t l = 0; l < space.labels_of(space.offsets[i] + v); ++l) {
      int32_t below = none;
      for (const auto* arc = around.begin(v); arc != around.end(v); ++arc) {
        const int32_t c = arc->other;
        if (up[static_cast<std::size_t>(c)] != arc->edge) continue;
        const bool forward = edges[2 * arc->edge] == v;
        const int32_t labels = space.labels_of(space.offsets[i] + c);
        const int32_t sum = g.node();
        for (int32_t q = 0; q < labels; ++q)
          g.edge(forward ? pair(arc->edge, l, q) : pair(arc->edge, q, l), none, item_of(c, q));
        if (below == none) {
          below = sum;
        } else {
          const int32_t both = g.node();
          g.edge(0, none, below, sum);
          below = both;
        }
      }
      double own = static_cast<double>(s.unary[static_cast<std::size_t>(int64_t{v} * space.stride + l)]);
      if (s.has_extra) own += static_cast<double>(s.extra[static_cast<std::size_t>(int64_t{v} * K + l)]);
      const int32_t self = g.node();
      item_of(v, l) = self;
      g.edge(own, v * K + l, below);
    }
  }
  int32_t all = none;
  for (const int32_t r : roots) {
    const int32_t sum = g.node();
    for (int32_t l = 0; l < space.labels_of(space.offsets[i] + r); ++l) g.edge(0, none, item_of(r, l));
    if (all == none) {
      all = sum;
    } else {
      const int32_t both = g.node();
      g.edge(0, none, all, sum);
      all = both;
    }
  }
  return g;
}

template <class R>
void write_tag(const ForestGraphSpace<R>& space, int64_t, int32_t tag, int32_t* code) {
  code[tag / space.n_labels] = tag % space.n_labels;
}

// The tables of the kernels, for both types of w.
inline const psx_kernel* forest_graph_kernel() {
  return kernel_table<With<ForestGraphSpace<float>, ForestQueries<ForestGraphSpace<float>>>,
                      With<ForestGraphSpace<double>, ForestQueries<ForestGraphSpace<double>>>>(
      "graph_forest");
}
inline const psx_kernel* graph_kernel() {
  return kernel_table<With<GraphSpace<float>>, With<GraphSpace<double>>>("graph");
}
inline const psx_kernel* relaxed_graph_kernel() {
  return kernel_table<With<RelaxedGraphSpace<float>>, With<RelaxedGraphSpace<double>>>("graph_relaxed");
}

}  // namespace pystruct_ext
