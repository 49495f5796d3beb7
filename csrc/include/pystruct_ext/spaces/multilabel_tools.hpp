// All sets of labels at once: packed forests, or the sets one by one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/multilabel.hpp"

namespace pystruct_ext {

// Tags: 2 k + (label k is in the set). States: label in or out, and the number of labels so far.
template <class R>
Hypergraph forest(const MultilabelSpace<R>& space, const typename MultilabelSpace<R>::Scratch& s,
                  int64_t) {
  const int32_t K = space.n_labels, none = Hypergraph::kNone;
  const bool drop = space.max_labels < K;
  const int32_t cap = drop ? space.max_labels : space.min_labels;
  using Table = std::vector<std::vector<int32_t>>;  // [in or out][count]: node or -1
  Hypergraph g;
  const auto leaf = [&](double weight, int32_t tag) {
    const int32_t v = g.node();
    g.edge(weight, tag);
    return v;
  };
  std::vector<Table> at(static_cast<std::size_t>(K) + 1);
  for (int32_t k = 0; k < K; ++k) {
    Table& t = at[static_cast<std::size_t>(k)];
    t.assign(2, std::vector<int32_t>(static_cast<std::size_t>(std::min(cap, 1)) + 1, -1));
    t[0][0] = leaf(space.off(s, k), 2 * k);
    t[1].back() = leaf(space.on(s, k), 2 * k + 1);
  }
  at.back().assign(1, {leaf(0, none)});
  for (int32_t r = K - 1; r >= 0; --r) {
    const int32_t k = space.order[r], p = space.parent[k] < 0 ? K : space.parent[k];
    const Table &child = at[static_cast<std::size_t>(k)], from = at[static_cast<std::size_t>(p)];
    const std::size_t most = std::min(static_cast<std::size_t>(cap) + 1, child[0].size() + from[0].size() - 1);
    Table to(from.size(), std::vector<int32_t>(most, -1));
    for (std::size_t l = 0; l < from.size(); ++l)
      for (std::size_t b = 0; b < most; ++b) {
        const int32_t v = g.node();
        for (std::size_t m = 0; m < 2; ++m)
          for (std::size_t x = 0; x < from[l].size(); ++x)
            for (std::size_t y = 0; y < child[m].size(); ++y) {
              if (drop ? x + y != b : std::min(x + y, static_cast<std::size_t>(cap)) != b) continue;
              if (from[l][x] < 0 || child[m][y] < 0) continue;
              const double pair =
                  p < K && l && m ? s.pair[static_cast<std::size_t>(space.parent_edge[k])] : 0.0;
              g.edge(pair, none, from[l][x], child[m][y]);
            }
        to[l][b] = g.begin(v) == g.n_edges() ? -1 : v;
      }
    at[static_cast<std::size_t>(p)] = to;
  }
  g.node();
  const std::vector<int32_t>& ends = at.back()[0];
  for (std::size_t b = static_cast<std::size_t>(space.min_labels); b < ends.size(); ++b)
    if (ends[b] >= 0) g.edge(0, none, ends[b]);
  return g;
}
template <class R>
void write_tag(const MultilabelSpace<R>&, int64_t, int32_t tag, int32_t* code) {
  code[tag / 2] = tag & 1;
}

template <class Space>
struct LabelQueries {
  static constexpr bool kAny = true;
  using Scratch = typename Space::Scratch;
  using Forests = ForestQueries<Space>;

  static int64_t k_best(const Space& space, Scratch& s, int64_t i, int64_t k, int32_t* codes,
                        double* scores) {
    if (!by_one(space)) return Forests::k_best(space, s, i, k, codes, scores);
    if (!s.finite) return -1;
    const Sets sets(space, s, i);
    std::vector<int64_t> order(sets.score.size());
    std::iota(order.begin(), order.end(), 0);
    const auto found = std::min(k, static_cast<int64_t>(order.size()));
    std::partial_sort(order.begin(), order.begin() + found, order.end(), [&](int64_t a, int64_t b) {
      const double x = sets.score[at(a)], y = sets.score[at(b)];
      return x > y || (x == y && a < b);
    });
    for (int64_t m = 0; m < found; ++m) {
      std::copy_n(sets.code(order[at(m)]), space.n_labels, codes + m * space.n_labels);
      scores[m] = sets.score[at(order[at(m)])];
    }
    return found;
  }
  static double marginals(const Space& space, Scratch& s, int64_t i, double temperature,
                          double* out) {
    if (!by_one(space)) return Forests::marginals(space, s, i, temperature, out);
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const Sets sets(space, s, i);
    const double log_z = sets.log_sum(temperature);
    if (!out) return log_z;
    std::fill(out, out + 2 * space.n_labels, 0.0);
    for (std::size_t c = 0; c < sets.score.size(); ++c) {
      const double p = std::exp(sets.score[c] / temperature - log_z);
      const int32_t* code = sets.code(static_cast<int64_t>(c));
      for (int32_t k = 0; k < space.n_labels; ++k) out[2 * k + code[k]] += p;
    }
    return log_z;
  }
  static bool sample(const Space& space, Scratch& s, int64_t i, double temperature, uint64_t seed,
                     int64_t count, int32_t* codes) {
    if (!by_one(space)) return Forests::sample(space, s, i, temperature, seed, count, codes);
    if (!s.finite) return false;
    const Sets sets(space, s, i);
    const double log_z = sets.log_sum(temperature);
    if (!std::isfinite(log_z)) return false;
    Uniform uniform(seed);
    for (int64_t m = 0; m < count; ++m) {
      double left = uniform();
      std::size_t chosen = 0;
      for (std::size_t c = 0; c < sets.score.size() && left >= 0; ++c) {
        const double p = std::exp(sets.score[c] / temperature - log_z);
        if (p > 0) chosen = c;
        left -= p;
      }
      std::copy_n(sets.code(static_cast<int64_t>(chosen)), space.n_labels,
                  codes + m * space.n_labels);
    }
    return true;
  }

 private:
  static std::size_t at(int64_t k) { return static_cast<std::size_t>(k); }
  static bool by_one(const Space& space) {
    return space.search == detail::labelsets::kAll || space.search == detail::labelsets::kListed;
  }
  // Every set that is neither forbidden nor beyond the limits, with its score.
  struct Sets {
    int32_t K;
    std::vector<int32_t> codes;
    std::vector<double> score;
    const int32_t* code(int64_t c) const { return codes.data() + c * K; }
    Sets(const Space& space, const Scratch& s, int64_t i) : K(space.n_labels) {
      std::vector<int32_t> y(at(K), 0);
      const auto add = [&] {
        const double v = space.score(i, s, y.data());
        if (detail::labelsets::forbidden(v)) return;
        score.push_back(v);
        codes.insert(codes.end(), y.begin(), y.end());
      };
      if (space.search == detail::labelsets::kListed) {
        for (int64_t c = 0; c < space.n_sets; ++c) {
          std::fill(y.begin(), y.end(), 0);
          for (int64_t p = space.set_offsets[c]; p < space.set_offsets[c + 1]; ++p)
            y[at(space.set_labels[p])] = 1;
          add();
        }
        return;
      }
      for (int64_t m = 0; m < int64_t{1} << K; ++m) {
        for (int32_t k = 0; k < K; ++k) y[at(k)] = (m >> (K - 1 - k)) & 1;
        const int32_t ones = space.count(y.data());
        if (ones >= space.min_labels && ones <= space.max_labels) add();
      }
    }
    double log_sum(double temperature) const {
      double sum = LogPlus::zero();
      for (const double v : score) sum = LogPlus::plus(sum, v / temperature);
      return sum;
    }
  };
};

// The table of the kernel, for both types of w.
inline const psx_kernel* multilabel_kernel() {
  return kernel_table<With<MultilabelSpace<float>, LabelQueries<MultilabelSpace<float>>>,
                      With<MultilabelSpace<double>, LabelQueries<MultilabelSpace<double>>>>("multilabel");
}

}  // namespace pystruct_ext
