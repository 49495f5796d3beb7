// Links that are worth more, or less, side by side: a quadratic assignment, bounded from above.
//
//   maximise  sum_e value_e + (gains of rows and columns, see flow.hpp) + sum_t near_t #pairs,
//
// where the pairs of kind t are linked candidates next to each other in a row, in a column, and on the
// two diagonals (Lacoste-Julien, Taskar, Klein and Jordan 2006).
//
// Dual decomposition into chains that are solved exactly: each row with its capacity, its gains and its
// pairs (states: links so far, and whether the last candidate is one), each column likewise, and the
// diagonals. A candidate's value is shared by the chains through it, and the sum of their optima is an
// upper bound however it is shared. Shares start from the prices of the flow that has half of what each
// pair is worth in the values, and are then evened out, candidate by candidate, forwards and backwards
// (TRW-S, Kolmogorov 2006, on these chains): the bound never rises. Outputs are read off the
// chains in order, and improved one link at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/assignment/flow.hpp"
#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

struct AdjacentScratch {
  // Chains through a candidate: its row, its column, and two diagonals; pairs: of the same kinds.
  static constexpr int kKinds = 4;
  static constexpr int32_t kMostCounted = 16;  // a capacity above is left out of the bound
  AlignedBuffer<double> work, share[kKinds], front[kKinds], back[kKinds];
  AlignedBuffer<int64_t> next[kKinds], before[kKinds];
  AlignedBuffer<uint8_t> link, best;
  AlignedBuffer<int32_t> row, degree[2], count[2], width[2];
  int64_t states[2] = {2, 2};

  // How many links a chain tells apart; beyond, the gain of another one does not change.
  static int32_t counted(int64_t cap, int64_t candidates, int32_t n_steps) noexcept {
    if (cap < candidates && cap <= kMostCounted) return static_cast<int32_t>(cap);
    return static_cast<int32_t>(std::min<int64_t>(candidates, std::max(n_steps, 1)));
  }
  // `row_states`, `column_states`: 2 (counted + 1) of the chain that tells most apart.
  void reserve(int64_t rows, int64_t columns, int64_t candidates, int64_t row_states,
               int64_t column_states) {
    const auto e = static_cast<std::size_t>(candidates + 1);
    states[0] = row_states;
    states[1] = column_states;
    work.reserve(e);
    for (int t = 0; t < kKinds; ++t) {
      const std::size_t size = e * static_cast<std::size_t>(t < 2 ? states[t] : 2);
      share[t].reserve(e);
      front[t].reserve(size);
      back[t].reserve(size);
      next[t].reserve(e);
      before[t].reserve(e);
    }
    link.reserve(e);
    best.reserve(e);
    row.reserve(e);
    for (int t = 0; t < 2; ++t) {
      const auto n = static_cast<std::size_t>((t ? columns : rows) + 1);
      degree[t].reserve(n);
      count[t].reserve(n);
      width[t].reserve(n);
    }
  }
};

class AdjacentLinks {
 public:
  static constexpr int kKinds = AdjacentScratch::kKinds, kSweeps = 40;

  AdjacentLinks(const LinkGraph& graph, const double* value, const double* near, FlowMatcher& matcher,
                AdjacentScratch& scratch) noexcept
      : g_(graph), value_(value), near_(near), f_(matcher), s_(scratch), size_(graph.size()) {}

  // The value of the best links found; see `linked` and `bound`.
  double solve() noexcept {
    value_best_ = -std::numeric_limits<double>::infinity();
    std::fill(s_.best.data(), s_.best.data() + size_, uint8_t{0});
    connect();
    start();
    bound_ = f_.total();  // of a problem that is nowhere worth less
    improve();
    backward(false);
    for (int sweep = 0; sweep < kSweeps && !closed(); ++sweep) {
      const double now = forward();
      const bool slow = bound_ - now <= 2e-5 * (1 + std::fabs(now)) && sweep > 2;
      bound_ = std::min(bound_, now);
      backward(true);
      if (slow || sweep % 4 == 3 || sweep == 0) {
        read_off();
        improve();
      }
      if (slow) break;
    }
    bound_ = std::max(bound_, value_best_);
    return value_best_;
  }
  bool linked(int64_t e) const noexcept { return s_.best[idx(e)]; }
  double bound() const noexcept { return bound_; }

 private:
  static constexpr double kNever = -1e30;  // the value of what no chain may do
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  bool closed() const noexcept {
    return bound_ - value_best_ <= 1e-6 * (1 + std::fabs(value_best_));
  }
  int32_t side(int t, int64_t e) const noexcept { return t ? g_.column[e] : s_.row[idx(e)]; }
  double gain(int t, int32_t d) const noexcept { return t ? g_.column_gain(d) : g_.row_gain(d); }
  int32_t cap(int t, int32_t k) const noexcept { return t ? g_.column_cap[k] : g_.row_cap[k]; }

  // The next candidate of each chain: in the row, in the column, below right, below left. Pairs are
  // worth something only where the two are neighbours.
  void connect() noexcept {
    for (int32_t i = 0; i < g_.n_rows; ++i)
      for (int64_t e = g_.begin(i); e < g_.end(i); ++e) s_.row[idx(e)] = i;
    for (int t = 0; t < kKinds; ++t) std::fill(s_.before[t].data(), s_.before[t].data() + size_, int64_t{-1});
    for (int t = 0; t < kKinds; ++t) std::fill(s_.next[t].data(), s_.next[t].data() + size_, int64_t{-1});
    int32_t* last = s_.degree[1].data();
    std::fill(last, last + g_.n_columns, -1);
    for (int t = 0; t < 2; ++t)
      std::fill(s_.count[t].data(), s_.count[t].data() + (t ? g_.n_columns : g_.n_rows), 0);
    for (int64_t e = 0; e < size_; ++e) {
      const int32_t i = s_.row[idx(e)], j = g_.column[e];
      if (e > g_.begin(i)) join(0, e - 1, e);
      if (last[j] >= 0) join(1, last[j], e);
      last[j] = static_cast<int32_t>(e);
      ++s_.count[0][idx(i)];
      ++s_.count[1][idx(j)];
    }
    for (int t = 2; t < kKinds; ++t) {
      if (near_[t] == 0) continue;
      for (int32_t i = 0; i + 1 < g_.n_rows; ++i) {
        int64_t f = g_.begin(i + 1);
        for (int64_t e = g_.begin(i); e < g_.end(i); ++e) {
          const int32_t wanted = g_.column[e] + (t == 2 ? 1 : -1);
          while (f < g_.end(i + 1) && g_.column[f] < wanted) ++f;
          if (f < g_.end(i + 1) && g_.column[f] == wanted) join(t, e, f);
        }
      }
    }
    for (int t = 0; t < 2; ++t)
      for (int32_t k = 0; k < (t ? g_.n_columns : g_.n_rows); ++k)
        s_.width[t][idx(k)] =
            AdjacentScratch::counted(cap(t, k), s_.count[t][idx(k)], g_.n_steps);
  }
  void join(int t, int64_t e, int64_t f) noexcept {
    s_.next[t][idx(e)] = f;
    s_.before[t][idx(f)] = e;
  }
  bool hard(int t, int32_t k) const noexcept {
    return cap(t, k) < s_.count[t][idx(k)] && cap(t, k) <= AdjacentScratch::kMostCounted;
  }
  // What a candidate and the next one of its chain are worth together.
  double pair(int t, int64_t e) const noexcept {
    const int64_t f = s_.next[t][idx(e)];
    if (f < 0) return 0;
    if (t == 0 && g_.column[f] != g_.column[e] + 1) return 0;
    if (t == 1 && s_.row[idx(f)] != s_.row[idx(e)] + 1) return 0;
    return near_[t];
  }
  bool on_chain(int t, int64_t e) const noexcept {
    return t < 2 || s_.next[t][idx(e)] >= 0 || s_.before[t][idx(e)] >= 0;
  }

  // Each of a pair that is worth something gets half of it, x y <= (x + y) / 2; the prices of columns
  // in the flow tell rows and columns what is theirs.
  void start() noexcept {
    for (int64_t e = 0; e < size_; ++e) {
      double sum = 0;
      for (int t = 0; t < kKinds; ++t) {
        const int64_t b = s_.before[t][idx(e)];
        const double half =
            0.5 * (std::max(0.0, pair(t, e)) + (b >= 0 ? std::max(0.0, pair(t, b)) : 0.0));
        s_.share[t][idx(e)] = -half;
        sum += half;
      }
      s_.work[idx(e)] = value_[e] + sum;
    }
    if (!f_.solve(g_, s_.work.data())) f_.solve_anyhow(g_, s_.work.data());
    const double* price = f_.prices() + g_.n_rows;
    for (int64_t e = 0; e < size_; ++e) {
      const double theirs = -price[g_.column[e]];
      s_.share[0][idx(e)] += s_.work[idx(e)] - theirs;
      s_.share[1][idx(e)] += theirs;
      s_.link[idx(e)] = f_.linked(e);
    }
  }

  double* front(int t, int64_t e) noexcept {
    return s_.front[t].data() + e * (t < 2 ? s_.states[t] : 2);
  }
  double* back(int t, int64_t e) noexcept {
    return s_.back[t].data() + e * (t < 2 ? s_.states[t] : 2);
  }

  // Best of the chain up to e, by state: 2 (links so far) + (whether e is one). Diagonals do not count.
  void step_forward(int t, int64_t e) noexcept {
    double* f = front(t, e);
    const int64_t b = s_.before[t][idx(e)];
    const double own = s_.share[t][idx(e)], both = b < 0 ? 0.0 : pair(t, b);
    if (t >= 2) {
      const double* p = b < 0 ? nullptr : front(t, b);
      f[0] = p ? std::max(p[0], p[1]) : 0.0;
      f[1] = own + (p ? std::max(p[0], p[1] + both) : 0.0);
      return;
    }
    const int32_t k = side(t, e), top = s_.width[t][idx(k)];
    const bool open = !hard(t, k), may = value_[e] > kAbsentLink;
    const double* p = b < 0 ? nullptr : front(t, b);
    for (int32_t c = 0; c <= top; ++c) {
      f[2 * c] = p ? std::max(p[2 * c], p[2 * c + 1]) : (c ? kNever : 0.0);
      double from = kNever;
      if (c > 0) from = p ? std::max(p[2 * c - 2], p[2 * c - 1] + both) : (c == 1 ? 0.0 : kNever);
      if (c == top && open && p && c > 0)
        from = std::max(from, std::max(p[2 * c], p[2 * c + 1] + both));
      f[2 * c + 1] = c > 0 && may ? std::max(kNever, from + own + gain(t, c)) : kNever;
    }
  }
  // Best of the chain after e, by the state at e.
  void step_backward(int t, int64_t e) noexcept {
    double* b = back(t, e);
    const int64_t n = s_.next[t][idx(e)];
    const double both = pair(t, e), own = n < 0 ? 0.0 : s_.share[t][idx(n)];
    if (t >= 2) {
      const double* p = n < 0 ? nullptr : back(t, n);
      b[0] = p ? std::max(p[0], own + p[1]) : 0.0;
      b[1] = p ? std::max(p[0], own + both + p[1]) : 0.0;
      return;
    }
    const int32_t k = side(t, e), top = s_.width[t][idx(k)];
    if (n < 0) {
      const int32_t low = t == 0 ? std::min(g_.low(k), top) : 0;
      for (int32_t c = 0; c <= top; ++c) b[2 * c] = b[2 * c + 1] = c < low ? kNever : 0.0;
      return;
    }
    const bool open = !hard(t, k), may = value_[n] > kAbsentLink;
    const double* p = back(t, n);
    for (int32_t c = 0; c <= top; ++c) {
      const int32_t to = c < top ? c + 1 : open && top > 0 ? top : -1;
      const double on = to > 0 && may ? own + gain(t, to) + p[2 * to + 1] : kNever;
      b[2 * c] = std::max(p[2 * c], on);
      b[2 * c + 1] = std::max(p[2 * c], on + both);
    }
  }

  // How much more the best of a chain is worth with e than without.
  double marginal(int t, int64_t e) noexcept {
    const double *f = front(t, e), *b = back(t, e);
    if (t >= 2) return (f[1] + b[1]) - (f[0] + b[0]);
    double off = 2 * kNever, on = 2 * kNever;
    const int32_t top = s_.width[t][idx(side(t, e))];
    for (int32_t c = 0; c <= top; ++c) {
      off = std::max(off, f[2 * c] + b[2 * c]);
      on = std::max(on, f[2 * c + 1] + b[2 * c + 1]);
    }
    return on - off;
  }
  // All chains through e are to want it as much.
  void share_out(int64_t e) noexcept {
    double wants[kKinds], sum = 0;
    int count = 0;
    for (int t = 0; t < kKinds; ++t) {
      if (!on_chain(t, e)) continue;
      wants[t] = marginal(t, e);
      if (!(std::fabs(wants[t]) < 1e20)) return;  // decided by what a chain must do
      sum += wants[t];
      ++count;
    }
    for (int t = 0; t < kKinds; ++t) {
      if (!on_chain(t, e)) continue;
      const double more = sum / count - wants[t];
      s_.share[t][idx(e)] += more;
      double* f = front(t, e);
      const int32_t top = t < 2 ? s_.width[t][idx(side(t, e))] : 0;
      for (int32_t c = 0; c <= top; ++c)
        if (f[2 * c + 1] > 0.5 * kNever) f[2 * c + 1] += more;
    }
  }

  // One sweep; returns the bound after it.
  double forward() noexcept {
    double sum = 0;
    for (int64_t e = 0; e < size_; ++e) {
      for (int t = 0; t < kKinds; ++t)
        if (on_chain(t, e)) step_forward(t, e);
      share_out(e);
      for (int t = 0; t < kKinds; ++t)
        if (on_chain(t, e) && s_.next[t][idx(e)] < 0) {
          const double *f = front(t, e), *b = back(t, e);
          double most = 2 * kNever;
          const int32_t top = t < 2 ? s_.width[t][idx(side(t, e))] : 0;
          for (int32_t k = 0; k < 2 * (top + 1); ++k) most = std::max(most, f[k] + b[k]);
          sum += most;
        }
    }
    return sum;
  }
  void backward(bool share) noexcept {
    for (int64_t e = size_ - 1; e >= 0; --e) {
      for (int t = 0; t < kKinds; ++t)
        if (on_chain(t, e)) step_backward(t, e);
      if (share) share_out(e);
    }
  }

  // Candidates in order, each as its chains want it after what is decided before.
  void read_off() noexcept {
    for (int t = 0; t < 2; ++t)
      std::fill(s_.degree[t].data(), s_.degree[t].data() + (t ? g_.n_columns : g_.n_rows), 0);
    for (int64_t e = 0; e < size_; ++e) {
      double want = 0;
      bool may = value_[e] > kAbsentLink;
      for (int t = 0; t < kKinds; ++t) {
        if (!on_chain(t, e)) continue;
        const int64_t b = s_.before[t][idx(e)];
        const bool last = b >= 0 && s_.link[idx(b)];
        const double on = s_.share[t][idx(e)] + (last ? pair(t, b) : 0.0);
        const double* p = back(t, e);
        if (t >= 2) {
          want += on + p[1] - p[0];
          continue;
        }
        const int32_t k = side(t, e), d = s_.degree[t][idx(k)], top = s_.width[t][idx(k)];
        may = may && d < cap(t, k);
        const int32_t from = std::min(d, top), to = std::min(d + 1, top);
        want += on + gain(t, d + 1) + p[2 * to + 1] - p[2 * from];
      }
      const bool take = may && want > 0;
      s_.link[idx(e)] = take;
      s_.degree[0][idx(s_.row[idx(e)])] += take;
      s_.degree[1][idx(g_.column[e])] += take;
    }
    // Rows that need more links than they got: the flow's links are an output, these are none.
    for (int32_t i = 0; i < g_.n_rows; ++i)
      if (s_.degree[0][idx(i)] < g_.low(i)) {
        for (int64_t e = 0; e < size_; ++e) s_.link[idx(e)] = f_.linked(e);
        return;
      }
  }

  // What links next to a candidate add to it.
  double company(int64_t e) const noexcept {
    double sum = 0;
    for (int t = 0; t < kKinds; ++t) {
      const int64_t a = s_.next[t][idx(e)], b = s_.before[t][idx(e)];
      if (a >= 0 && s_.link[idx(a)]) sum += pair(t, e);
      if (b >= 0 && s_.link[idx(b)]) sum += pair(t, b);
    }
    return sum;
  }

  // Adds and takes away single links as long as that pays, and keeps the best.
  void improve() noexcept {
    int32_t *row = s_.degree[0].data(), *column = s_.degree[1].data();
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
    for (int pass = 0; pass < 4; ++pass) {
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
  }

  const LinkGraph& g_;
  const double *value_, *near_;
  FlowMatcher& f_;
  AdjacentScratch& s_;
  int64_t size_;
  double bound_ = 0, value_best_ = 0;
};

}  // namespace pystruct_ext
