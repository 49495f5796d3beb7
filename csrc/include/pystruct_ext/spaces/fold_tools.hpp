// All folds of one sequence: as a packed forest, and their probabilities without it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/folding/probabilities.hpp"
#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/fold.hpp"

namespace pystruct_ext {

// Tags: i * n + j of a pair.
template <class R>
Hypergraph forest(const folding::Chart<R>& c) {
  using namespace folding;
  const int32_t n = c.loops.n, none = Hypergraph::kNone;
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  const auto d = [](R v) { return static_cast<double>(v); };
  std::vector<int32_t> pair(idx(int64_t{n + 1} * n), -1), one(pair), lead(pair), two(pair), many(pair);
  const auto at = [&](std::vector<int32_t>& t, int32_t i, int32_t j) -> int32_t& {
    return t[idx(int64_t{i} * n + j)];
  };
  std::vector<int32_t> outer(idx(n + 1));
  Hypergraph g;
  outer[idx(n)] = g.node();
  g.edge(0, none);
  for (int32_t i = n - 1; i >= 0; --i) {
    for (int32_t j = i + kMinPair; j < n; ++j) {
      if (!c.may_pair[int64_t{i} * n + j]) continue;
      const int32_t loop = g.node();
      const int64_t before = g.n_edges();
      if (c.free_right[i] >= j - i - 1) g.edge(d(c.hairpin_of(i, j)), none);
      const int32_t room = j - i - 2 - kMinPair;
      for (int32_t a = 0; a <= std::min({kMaxLoop, room, c.free_right[i]}); ++a)
        for (int32_t b = 0; b <= std::min({kMaxLoop - a, room - a, c.free_left[j]}); ++b) {
          const int32_t inner = at(pair, i + 1 + a, j - 1 - b);
          if (inner >= 0) g.edge(d(c.inner_of(i, j, i + 1 + a, j - 1 - b)), none, inner);
        }
      if (at(two, i + 1, j - 1) >= 0) g.edge(d(c.multi_closing(i, j)), none, at(two, i + 1, j - 1));
      if (g.n_edges() == before) continue;
      at(pair, i, j) = g.node();
      g.edge(d(c.own(i, j)), i * n + j, loop);
    }
    for (int32_t j = i + kMinPair; j < n; ++j) {
      const bool here = at(pair, i, j) >= 0;
      const int32_t shorter = j > i + kMinPair && c.may_be_free[j] ? at(one, i, j - 1) : -1;
      if (!here && shorter < 0) continue;
      at(one, i, j) = g.node();
      if (here) g.edge(d(c.multi_branch(i, j)), none, at(pair, i, j));
      if (shorter >= 0) g.edge(d(c.multi_free), none, shorter);
    }
    for (int32_t j = i + kMinPair; j < n; ++j) {
      const int32_t later = i + 1 < n && c.may_be_free[i] ? at(lead, i + 1, j) : -1;
      if (at(one, i, j) >= 0 || later >= 0) {
        at(lead, i, j) = g.node();
        if (at(one, i, j) >= 0) g.edge(0, none, at(one, i, j));
        if (later >= 0) g.edge(d(c.multi_free), none, later);
      }
      std::vector<std::pair<int32_t, int32_t>> joints;
      for (int32_t k = i + kMinPair + 1; k + kMinPair <= j; ++k)
        if (at(many, i, k - 1) >= 0 && at(one, k, j) >= 0)
          joints.push_back({at(many, i, k - 1), at(one, k, j)});
      if (!joints.empty()) {
        at(two, i, j) = g.node();
        for (const auto& [a, b] : joints) g.edge(0, none, a, b);
      }
      if (at(lead, i, j) >= 0 || at(two, i, j) >= 0) {
        at(many, i, j) = g.node();
        if (at(lead, i, j) >= 0) g.edge(0, none, at(lead, i, j));
        if (at(two, i, j) >= 0) g.edge(0, none, at(two, i, j));
      }
    }
    outer[idx(i)] = g.node();
    if (c.may_be_free[i]) g.edge(d(c.w[kOuterUnpaired]), none, outer[idx(i + 1)]);
    for (int32_t j = i + kMinPair; j < n; ++j)
      if (at(pair, i, j) >= 0)
        g.edge(d(c.outer_branch(i, j)), none, at(pair, i, j), outer[idx(j + 1)]);
  }
  return g;
}

// The chart writes into the scratch, hence not const.
template <class R>
Hypergraph forest(const FoldSpace<R>& space, typename FoldSpace<R>::Scratch& s, int64_t i) {
  return forest(space.chart(i, 0.0, s));
}
template <class R>
void write_tag(const FoldSpace<R>& space, int64_t i, int32_t tag, int32_t* code) {
  const int32_t len = space.code_len(i), a = tag / len, b = tag % len;
  code[a] = b;
  code[b] = a;
}

// Marginals by sums in plain doubles, from the forest where they leave the range.
template <class R>
struct FoldQueries : ForestQueries<FoldSpace<R>> {
  using Space = FoldSpace<R>;
  using Forests = ForestQueries<Space>;
  static double marginals(const Space& space, typename Space::Scratch& s, int64_t i,
                          double temperature, double* out) {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const folding::Chart<R> c = space.chart(i, 0.0, s);
    const double best = static_cast<double>(space.inside(c));
    if (std::isfinite(best)) {
      folding::Ensemble<R> sums(c, best, temperature);
      if (out && sums.ok()) {
        std::fill(out, out + n_parts(space, i), 0.0);
        sums.probabilities(out);
      }
      if (sums.ok()) return sums.log_z();
    }
    return Forests::marginals(space, s, i, temperature, out);
  }
};

// i, j, k, l, energy of every loop of a nested fold, see Energies::each_loop.
inline std::vector<int64_t> energies_of_loops(const int32_t* tables, const uint8_t* bases,
                                              const int32_t* partner, int32_t n) {
  std::vector<int64_t> out;
  const folding::Energies energies{tables, bases, n};
  energies.each_loop(partner, [&](int32_t i, int32_t j, int32_t k, int32_t l, int64_t e) {
    out.insert(out.end(), {i, j, k, l, e});
  });
  return out;
}

// The table of the kernel, for both types of w.
inline const psx_kernel* fold_kernel() {
  return kernel_table<With<FoldSpace<float>, FoldQueries<float>>,
                      With<FoldSpace<double>, FoldQueries<double>>>("fold");
}

}  // namespace pystruct_ext
