// A labelling problem over a graph: a label for each node, scores of labels and of pairs of labels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

// Scores of a labelling problem: maximise sum_v unary[v][y_v] + sum_e pair_e(y_a, y_b) over
// labellings y, where (a, b) = edges[e].
template <class R>
struct PairwiseProblem {
  int32_t n_nodes = 0, n_edges = 0;
  int32_t stride = 0;  // length of a row of unary and of a pair table, >= every n_labels
  const int32_t* n_labels = nullptr;  // (n_nodes,) labels of each node, >= 1
  const int32_t* edges = nullptr;     // (n_edges, 2) a != b, no pair twice, in either direction
  const R* unary = nullptr;           // (n_nodes, stride)
  const R* potts = nullptr;           // (n_edges,) score where y_a == y_b; or null, and then:
  const R* tables = nullptr;          // pair tables, [label of a][label of b], rows of `stride`
  const int64_t* table_at = nullptr;  // (n_edges,) offset of the table of e (edges may share one)

  PSX_INLINE int32_t a(int32_t e) const noexcept { return edges[2 * int64_t(e)]; }
  PSX_INLINE int32_t b(int32_t e) const noexcept { return edges[2 * int64_t(e) + 1]; }
  PSX_INLINE const R* unary_of(int32_t v) const noexcept { return unary + int64_t(v) * stride; }
  PSX_INLINE const R* table(int32_t e) const noexcept { return tables + table_at[e]; }
  PSX_INLINE double pair(int32_t e, int32_t la, int32_t lb) const noexcept {
    if (potts) return la == lb ? double(potts[e]) : 0.0;
    return double(table(e)[int64_t(la) * stride + lb]);
  }
  double score(const int32_t* labels) const noexcept {
    double sum = 0;
    for (int32_t v = 0; v < n_nodes; ++v) sum += double(unary_of(v)[labels[v]]);
    for (int32_t e = 0; e < n_edges; ++e) sum += pair(e, labels[a(e)], labels[b(e)]);
    return sum;
  }
};

// Edges around each node, in the order of the edges; `other` is the node at the far end.
class Incidence {
 public:
  struct Arc {
    int32_t edge, other;
    PSX_INLINE bool forward(const int32_t* edges) const noexcept {  // whether the node is its a
      return edges[2 * int64_t(edge) + 1] == other;
    }
  };
  void reserve(int64_t nodes, int64_t edges) {
    begin_.reserve(std::size_t(nodes) + 2);
    arcs_.reserve(2 * std::size_t(edges) + 1);
  }
  void build(int32_t n, int32_t m, const int32_t* edges) noexcept {
    int32_t* at = begin_.data();
    for (int32_t v = 0; v <= n + 1; ++v) at[v] = 0;
    ++at;  // at[v + 1] counts, then walks from the begin of v to its end
    for (int64_t k = 0; k < 2 * int64_t(m); ++k) ++at[edges[k] + 1];
    for (int32_t v = 0; v < n; ++v) at[v + 1] += at[v];
    for (int32_t e = 0; e < m; ++e) {
      const int32_t x = edges[2 * int64_t(e)], y = edges[2 * int64_t(e) + 1];
      arcs_[std::size_t(at[x]++)] = Arc{e, y};
      arcs_[std::size_t(at[y]++)] = Arc{e, x};
    }
  }
  PSX_INLINE const Arc* begin(int32_t v) const noexcept { return arcs_.data() + begin_.data()[v]; }
  PSX_INLINE const Arc* end(int32_t v) const noexcept { return arcs_.data() + begin_.data()[v + 1]; }
  PSX_INLINE int32_t degree(int32_t v) const noexcept {
    return begin_.data()[v + 1] - begin_.data()[v];
  }

 private:
  AlignedBuffer<int32_t> begin_;
  AlignedBuffer<Arc> arcs_;
};

}  // namespace pystruct_ext
