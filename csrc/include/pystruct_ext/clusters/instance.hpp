// Correlation clustering: maximise the sum of weight[e] over the candidate pairs e whose items are in
// one cluster. What all decoders and bounds work on.
//
// Items that no chain of positive pairs connects are never joined by a best clustering, so that every
// group that such chains connect is a problem of its own: pairs between groups are left out from the
// start. Neighbours are kept by item, in the order of the pairs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {
namespace clusters {

inline std::size_t at(int64_t k) noexcept { return static_cast<std::size_t>(k); }

// Sets of items under union; find halves paths.
struct UnionFind {
  AlignedBuffer<int32_t> parent;
  void reserve(int64_t n) { parent.reserve(at(n)); }
  void clear(int32_t n) noexcept {
    for (int32_t v = 0; v < n; ++v) parent[at(v)] = v;
  }
  int32_t find(int32_t v) noexcept {
    while (parent[at(v)] != v) v = parent[at(v)] = parent[at(parent[at(v)])];
    return v;
  }
  bool join(int32_t a, int32_t b) noexcept {
    a = find(a);
    b = find(b);
    if (a == b) return false;
    parent[at(std::max(a, b))] = std::min(a, b);  // the root is the smallest item
    return true;
  }
};

class Instance {
 public:
  struct Neighbour {
    int32_t to, pair;  // the other item; the number of the pair among those kept
  };
  int32_t n = 0, n_groups = 0;
  int64_t n_pairs = 0;                              // kept: within groups
  AlignedBuffer<int32_t> ends;                      // (n_pairs, 2)
  AlignedBuffer<double> weight;                     // (n_pairs,)
  AlignedBuffer<int64_t> begin;                     // (n + 1,) into neighbours
  AlignedBuffer<Neighbour> neighbour;               // (2 n_pairs,)
  AlignedBuffer<int32_t> group_of, members, group_begin;  // items by group, groups by first item
  UnionFind sets;

  void reserve(int64_t max_items, int64_t max_pairs) {
    ends.reserve(at(2 * max_pairs) + 1);
    weight.reserve(at(max_pairs) + 1);
    begin.reserve(at(max_items) + 2);
    neighbour.reserve(at(2 * max_pairs) + 1);
    group_of.reserve(at(max_items) + 1);
    members.reserve(at(max_items) + 1);
    group_begin.reserve(at(max_items) + 2);
    sets.reserve(max_items + 1);
  }

  // pairs: (count, 2), all different; w: (count,), finite. A cluster with a pair below minus the sum of
  // all positive weights is worse than its items alone: such pairs, which may be forbidden by -1e30,
  // are raised to twice that sum, so that they do not drown the others.
  void build(int32_t items, const int32_t* pairs, const double* w, int64_t count) noexcept {
    n = items;
    sets.clear(n);
    double positive = 0;
    for (int64_t e = 0; e < count; ++e)
      if (w[e] > 0) {
        sets.join(pairs[2 * e], pairs[2 * e + 1]);
        positive += w[e];
      }
    n_groups = 0;
    for (int32_t v = 0; v < n; ++v) {
      const int32_t root = sets.find(v);
      group_of[at(v)] = root == v ? n_groups++ : group_of[at(root)];
    }
    std::fill(group_begin.data(), group_begin.data() + n_groups + 1, 0);
    for (int32_t v = 0; v < n; ++v) ++group_begin[at(group_of[at(v)] + 1)];
    for (int32_t g = 0; g < n_groups; ++g) group_begin[at(g + 1)] += group_begin[at(g)];
    for (int32_t v = 0; v < n; ++v) members[at(group_begin[at(group_of[at(v)])]++)] = v;
    for (int32_t g = n_groups; g > 0; --g) group_begin[at(g)] = group_begin[at(g - 1)];
    group_begin[0] = 0;

    std::fill(begin.data(), begin.data() + n + 2, int64_t{0});
    n_pairs = 0;
    for (int64_t e = 0; e < count; ++e) {
      const int32_t a = pairs[2 * e], b = pairs[2 * e + 1];
      if (group_of[at(a)] != group_of[at(b)]) continue;
      ends[at(2 * n_pairs)] = a;
      ends[at(2 * n_pairs + 1)] = b;
      weight[at(n_pairs++)] = std::max(w[e], -2 * positive);
      ++begin[at(a + 2)];
      ++begin[at(b + 2)];
    }
    for (int32_t v = 0; v < n; ++v) begin[at(v + 2)] += begin[at(v + 1)];
    for (int64_t e = 0; e < n_pairs; ++e) {
      const int32_t a = ends[at(2 * e)], b = ends[at(2 * e + 1)];
      neighbour[at(begin[at(a + 1)]++)] = {b, static_cast<int32_t>(e)};
      neighbour[at(begin[at(b + 1)]++)] = {a, static_cast<int32_t>(e)};
    }
  }
  // f(neighbour, number of the pair)
  template <class F>
  PSX_INLINE void each(int32_t v, F&& f) const noexcept {
    for (int64_t k = begin[at(v)]; k < begin[at(v + 1)]; ++k) f(neighbour[at(k)].to, neighbour[at(k)].pair);
  }
  int32_t group_size(int32_t g) const noexcept { return group_begin[at(g + 1)] - group_begin[at(g)]; }
  const int32_t* group(int32_t g) const noexcept { return members.data() + group_begin[at(g)]; }

  // Labels as cluster ids in the order of first items, where clusters are what joined pairs connect.
  void canonical(const int32_t* label, int32_t* code) noexcept {
    sets.clear(n);
    for (int64_t e = 0; e < n_pairs; ++e) {
      const int32_t a = ends[at(2 * e)], b = ends[at(2 * e + 1)];
      if (label[a] == label[b]) sets.join(a, b);
    }
    int32_t next = 0;
    for (int32_t v = 0; v < n; ++v) {
      const int32_t root = sets.find(v);
      code[v] = root == v ? next++ : code[root];
    }
  }
};

// Weights between all items of a small group, as a matrix.
inline void fill_matrix(const Instance& x, const int32_t* item, int32_t m, int32_t* place,
                        double* matrix) noexcept {
  std::fill(matrix, matrix + int64_t{m} * m, 0.0);
  for (int32_t i = 0; i < m; ++i) place[item[i]] = i;
  for (int32_t i = 0; i < m; ++i)
    x.each(item[i], [&](int32_t u, int32_t e) {
      matrix[int64_t{i} * m + place[u]] = x.weight[at(e)];
    });
}

}  // namespace clusters
}  // namespace pystruct_ext
