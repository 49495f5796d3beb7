// Links that are worth more, or less, side by side: a quadratic assignment, bounded from above.
//
//   maximise  sum_e value_e + (gains of rows and columns, see flow.hpp) + sum_t near_t #pairs,
//
// where the pairs of kind t are linked candidates next to each other in a row, in a column, and on the
// two diagonals (Lacoste-Julien, Taskar, Klein and Jordan 2006). The candidates of one kind form chains.
// Dual decomposition: the flow has the values less prices, each kind of chains has the prices; both are
// solved exactly, and the sum of their optima is an upper bound for all prices. Prices go down the
// subgradient (steps of Polyak); the links of each flow, improved one link at a time, are outputs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/assignment/flow.hpp"
#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

struct AdjacentScratch {
  static constexpr int kKinds = 4;
  AlignedBuffer<double> work, off, on, price[kKinds];
  AlignedBuffer<int64_t> next[kKinds], before[kKinds];
  AlignedBuffer<uint8_t> chain[kKinds], link, best;
  AlignedBuffer<int32_t> row, row_degree, column_degree;
  void reserve(int64_t rows, int64_t columns, int64_t candidates) {
    const auto e = static_cast<std::size_t>(candidates + 1);
    for (auto* b : {&work, &off, &on}) b->reserve(e);
    for (int t = 0; t < kKinds; ++t) {
      price[t].reserve(e);
      next[t].reserve(e);
      before[t].reserve(e);
      chain[t].reserve(e);
    }
    link.reserve(e);
    best.reserve(e);
    row.reserve(e);
    row_degree.reserve(static_cast<std::size_t>(rows + 1));
    column_degree.reserve(static_cast<std::size_t>(columns + 1));
  }
};

class AdjacentLinks {
 public:
  static constexpr int kKinds = AdjacentScratch::kKinds, kRounds = 60;

  AdjacentLinks(const LinkGraph& graph, const double* value, const double* near, FlowMatcher& matcher,
                AdjacentScratch& scratch) noexcept
      : g_(graph), value_(value), near_(near), f_(matcher), s_(scratch), size_(graph.size()) {}

  // The value of the best links found; see `linked` and `bound`.
  double solve() noexcept {
    connect();
    start();
    double step = 1;
    int stale = 0;
    for (int round = 0; round < kRounds; ++round) {
      const double now = solve_flow() + solve_chains();
      stale = now < bound_ - 1e-9 * (1 + std::fabs(bound_)) ? 0 : stale + 1;
      bound_ = std::min(bound_, now);
      improve();
      if (bound_ - value_best_ <= 1e-6 * (1 + std::fabs(value_best_))) break;
      if (stale == 3) step *= 0.6, stale = 0;
      if (!move(step * (now - value_best_))) break;
    }
    bound_ = std::max(bound_, value_best_);
    return value_best_;
  }
  bool linked(int64_t e) const noexcept { return s_.best[idx(e)]; }
  double bound() const noexcept { return bound_; }

 private:
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  bool has(int t) const noexcept { return near_[t] != 0; }

  // The candidate on the right, below, below right, below left of each.
  void connect() noexcept {
    constexpr int32_t kDown[kKinds] = {0, 1, 1, 1}, kRight[kKinds] = {1, 0, 1, -1};
    for (int32_t i = 0; i < g_.n_rows; ++i)
      for (int64_t e = g_.begin(i); e < g_.end(i); ++e) s_.row[idx(e)] = i;
    for (int t = 0; t < kKinds; ++t) {
      if (!has(t)) continue;
      std::fill(s_.before[t].data(), s_.before[t].data() + size_, int64_t{-1});
      for (int32_t i = 0; i < g_.n_rows; ++i) {
        const int32_t to = i + kDown[t];
        int64_t f = to < g_.n_rows ? g_.begin(to) : 0;
        const int64_t end = to < g_.n_rows ? g_.end(to) : 0;
        for (int64_t e = g_.begin(i); e < g_.end(i); ++e) {
          const int32_t wanted = g_.column[e] + kRight[t];
          while (f < end && g_.column[f] < wanted) ++f;
          const bool found = f < end && g_.column[f] == wanted;
          s_.next[t][idx(e)] = found ? f : -1;
          if (found) s_.before[t][idx(f)] = e;
        }
      }
    }
  }

  // Each of a pair that is worth something pays half of it: x y <= (x + y) / 2.
  void start() noexcept {
    for (int t = 0; t < kKinds; ++t) {
      if (!has(t)) continue;
      const double half = std::max(0.0, near_[t]) / 2;
      for (int64_t e = 0; e < size_; ++e)
        s_.price[t][idx(e)] =
            -half * ((s_.next[t][idx(e)] >= 0) + (s_.before[t][idx(e)] >= 0));
    }
    bound_ = std::numeric_limits<double>::infinity();
    value_best_ = -std::numeric_limits<double>::infinity();
    std::fill(s_.best.data(), s_.best.data() + size_, uint8_t{0});
  }

  double solve_flow() noexcept {
    for (int64_t e = 0; e < size_; ++e) {
      double v = value_[e];
      for (int t = 0; t < kKinds; ++t)
        if (has(t)) v -= s_.price[t][idx(e)];
      s_.work[idx(e)] = v;
    }
    if (!f_.solve(g_, s_.work.data())) f_.solve_anyhow(g_, s_.work.data());
    for (int64_t e = 0; e < size_; ++e) s_.link[idx(e)] = f_.linked(e);
    return f_.total();
  }

  double solve_chains() noexcept {
    double sum = 0;
    double *off = s_.off.data(), *on = s_.on.data();
    for (int t = 0; t < kKinds; ++t) {
      if (!has(t)) continue;
      const int64_t *next = s_.next[t].data(), *before = s_.before[t].data();
      uint8_t* x = s_.chain[t].data();
      for (int64_t e = 0; e < size_; ++e) {
        const int64_t b = before[e];
        off[e] = b < 0 ? 0 : std::max(off[b], on[b]);
        on[e] = s_.price[t][idx(e)] + (b < 0 ? 0 : std::max(off[b], on[b] + near_[t]));
      }
      for (int64_t e = size_ - 1; e >= 0; --e) {
        if (next[e] < 0) {
          sum += std::max(off[e], on[e]);
          x[e] = on[e] > off[e];
        } else {
          x[e] = on[e] + (x[next[e]] ? near_[t] : 0.0) > off[e];
        }
      }
    }
    return sum;
  }

  // Down the subgradient; false where flow and chains agree.
  bool move(double gap) noexcept {
    int64_t differ = 0;
    for (int t = 0; t < kKinds; ++t)
      if (has(t))
        for (int64_t e = 0; e < size_; ++e) differ += s_.chain[t][idx(e)] != s_.link[idx(e)];
    if (!differ) return false;
    const double step = gap / static_cast<double>(differ);
    for (int t = 0; t < kKinds; ++t)
      if (has(t))
        for (int64_t e = 0; e < size_; ++e)
          s_.price[t][idx(e)] -= step * (int{s_.chain[t][idx(e)]} - int{s_.link[idx(e)]});
    return true;
  }

  // What links next to a candidate add to it.
  double company(int64_t e) const noexcept {
    double sum = 0;
    for (int t = 0; t < kKinds; ++t) {
      if (!has(t)) continue;
      const int64_t a = s_.next[t][idx(e)], b = s_.before[t][idx(e)];
      sum += near_[t] * ((a >= 0 && s_.link[idx(a)]) + (b >= 0 && s_.link[idx(b)]));
    }
    return sum;
  }

  // Adds and takes away single links as long as that pays, and keeps the best.
  void improve() noexcept {
    int32_t *row = s_.row_degree.data(), *column = s_.column_degree.data();
    std::fill(row, row + g_.n_rows, 0);
    std::fill(column, column + g_.n_columns, 0);
    for (int64_t e = 0; e < size_; ++e)
      if (s_.link[idx(e)]) ++row[s_.row[idx(e)]], ++column[g_.column[e]];
    const auto change = [&](int64_t e) {
      const int32_t i = s_.row[idx(e)], j = g_.column[e];
      if (s_.link[idx(e)])
        return row[i] > g_.low(i)
                   ? -(value_[e] + company(e) + g_.row_gain(row[i]) + g_.column_gain(column[j]))
                   : -1.0;
      if (!(value_[e] > kAbsentLink) || row[i] >= g_.row_cap[i] || column[j] >= g_.column_cap[j])
        return -1.0;
      return value_[e] + company(e) + g_.row_gain(row[i] + 1) + g_.column_gain(column[j] + 1);
    };
    for (int pass = 0; pass < 3; ++pass) {
      bool any = false;
      for (int64_t e = 0; e < size_; ++e) {
        if (!(change(e) > 1e-12)) continue;
        const int by = s_.link[idx(e)] ? -1 : 1;
        row[s_.row[idx(e)]] += by;
        column[g_.column[e]] += by;
        s_.link[idx(e)] ^= 1;
        any = true;
      }
      if (!any) break;
    }
    double value = 0, pairs = 0;
    for (int64_t e = 0; e < size_; ++e)
      if (s_.link[idx(e)]) {
        value += value_[e];
        pairs += company(e);
      }
    value += pairs / 2;
    for (int32_t i = 0; i < g_.n_rows; ++i)
      for (int32_t d = 1; d <= row[i]; ++d) value += g_.row_gain(d);
    for (int32_t j = 0; j < g_.n_columns; ++j)
      for (int32_t d = 1; d <= column[j]; ++d) value += g_.column_gain(d);
    if (value > value_best_) {
      value_best_ = value;
      std::copy(s_.link.data(), s_.link.data() + size_, s_.best.data());
    }
    for (int64_t e = 0; e < size_; ++e) s_.link[idx(e)] = f_.linked(e);
  }

  const LinkGraph& g_;
  const double *value_, *near_;
  FlowMatcher& f_;
  AdjacentScratch& s_;
  int64_t size_;
  double bound_ = 0, value_best_ = 0;
};

}  // namespace pystruct_ext
