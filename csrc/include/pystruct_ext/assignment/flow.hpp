// Best links between rows and columns of a sparse bipartite graph, with capacities.
//
//   maximise  sum_(e linked) value_e + sum_rows R(d_i) + sum_columns C(d_j),   d: number of links,
//
// each candidate e linked once at most, low_i <= d_i <= cap_i, d_j <= cap_j, where R(d) = r_1 + ... + r_d
// and C likewise have falling steps (concave). It is a flow of least cost with convex costs, hence
// integral: units of rows enter one after the other, each along a shortest path of the residual graph
// (Edmonds and Karp 1972; Dijkstra with potentials), or are turned down where none pays. With capacities
// 1 and no steps this is the assignment problem of Kuhn with rows and columns that may stay free.
//
// Node 0 is source and sink at once, of potential 0. Reduced costs of residual arcs are >= 0:
//   free candidate   row i -> column j   -value + p_i - p_j
//   linked candidate column j -> row i    value + p_j - p_i
//   spare column     column j -> 0       -C_(d+1) + p_j         0 -> column   C_d - p_j  where d > 0
//   used unit        row i -> 0           R_d + p_i             0 -> row     -R_(d+1) - p_i
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

// Candidates sorted by row, then by column; whoever made the arrays keeps them alive.
struct LinkGraph {
  int32_t n_rows = 0, n_columns = 0;
  const int64_t* first = nullptr;    // (n_rows + 1,) candidates of row i: first[i] - first[0], ...
  const int32_t* column = nullptr;   // of each candidate, from first[0]
  const int32_t* row_cap = nullptr;  // (n_rows,)
  const int32_t* row_low = nullptr;  // (n_rows,) links that a row needs; null: none
  const int32_t* column_cap = nullptr;
  int32_t n_steps = 0;                   // K; later links have the last one's step
  const double* row_step = nullptr;      // (K,) gain of the first, second, ... link, falling
  const double* column_step = nullptr;   // (K,)

  int64_t size() const noexcept { return first[n_rows] - first[0]; }
  int64_t begin(int32_t i) const noexcept { return first[i] - first[0]; }
  int64_t end(int32_t i) const noexcept { return first[i + 1] - first[0]; }
  int32_t low(int32_t i) const noexcept { return row_low ? row_low[i] : 0; }
  // Gain of the d-th link, d >= 1.
  double row_gain(int32_t d) const noexcept {
    return n_steps ? row_step[std::min(d, n_steps) - 1] : 0.0;
  }
  double column_gain(int32_t d) const noexcept {
    return n_steps ? column_step[std::min(d, n_steps) - 1] : 0.0;
  }
};

// Values below this are those of forbidden candidates: as good as absent.
constexpr double kAbsentLink = -1e29;

class FlowMatcher {
 public:
  // Room for graphs of up to so many rows, columns and candidates. Throws if there is no memory.
  void reserve(int64_t rows, int64_t columns, int64_t candidates) {
    const auto size = [](int64_t k) { return static_cast<std::size_t>(k + 1); };
    const std::size_t nodes = size(rows + columns + 1);
    price_.reserve(nodes);
    dist_.reserve(nodes);
    via_.reserve(nodes);
    done_.reserve(nodes);
    degree_.reserve(nodes);
    touched_.reserve(nodes);
    slot_at_.reserve(size(columns + 1));
    slot_.reserve(size(candidates));
    row_.reserve(size(candidates));
    on_.reserve(size(candidates));
    heap_.reserve(size(candidates + 2 * (rows + columns) + 4));
  }

  // Solves; false where rows cannot have the links that they need. `value`: (E,).
  bool solve(const LinkGraph& g, const double* value) noexcept {
    start(g, value);
    bool feasible = true;
    for (int32_t i = 0; i < g.n_rows; ++i) feasible = add_row(i) && feasible;
    return feasible;
  }
  // The same, with candidates that are absent used after all where there is no other way.
  void solve_anyhow(const LinkGraph& g, const double* value) noexcept {
    absent_ = -std::numeric_limits<double>::infinity();
    solve(g, value);
    absent_ = kAbsentLink;
  }

  bool linked(int64_t e) const noexcept { return on_[idx(e)] & kOn; }
  int32_t row_degree(int32_t i) const noexcept { return degree_[idx(i)]; }
  int32_t column_degree(int32_t j) const noexcept { return degree_[idx(m_ + j)]; }

  double total() const noexcept {
    double sum = 0;
    for (int64_t e = 0; e < g_->size(); ++e)
      if (linked(e)) sum += value_[e];
    for (int32_t i = 0; i < m_; ++i)
      for (int32_t d = 1; d <= degree_[idx(i)]; ++d) sum += g_->row_gain(d);
    for (int32_t j = 0; j < n_; ++j)
      for (int32_t d = 1; d <= degree_[idx(m_ + j)]; ++d) sum += g_->column_gain(d);
    return sum;
  }

  // What Murty's partition needs; see k_best.hpp.
  enum Mark : uint8_t { kFree = 0, kOn = 1, kForced = 2, kForbidden = 4 };
  void mark(int64_t e, Mark m) noexcept { on_[idx(e)] |= m; }
  void clear_marks() noexcept {
    for (int64_t e = 0; e < g_->size(); ++e) on_[idx(e)] &= kOn;
  }
  bool marked(int64_t e, uint8_t m) const noexcept { return on_[idx(e)] & m; }
  int32_t row_of(int64_t e) const noexcept { return row_[idx(e)]; }
  double* prices() noexcept { return price_.data(); }
  int64_t n_nodes() const noexcept { return int64_t{m_} + n_; }

  // Puts a solution and its potentials back.
  void restore(const LinkGraph& g, const double* value, const int64_t* links, int64_t n_links,
               const double* prices) noexcept {
    start(g, value);
    if (prices) std::copy(prices, prices + n_nodes(), price_.data());
    for (int64_t k = 0; k < n_links; ++k) link(links[k]);
  }
  // The gain of linking a candidate beside all that is linked; -inf where there is no room.
  double gain_of(int64_t e) const noexcept {
    const int32_t i = row_[idx(e)], j = g_->column[e];
    const int32_t d = degree_[idx(i)], f = degree_[idx(m_ + j)];
    if (on_[idx(e)] || absent(e) || d >= g_->row_cap[i] || f >= g_->column_cap[j])
      return -std::numeric_limits<double>::infinity();
    return value_[e] + g_->row_gain(d + 1) + g_->column_gain(f + 1);
  }
  // The loss of the best solution that is without a linked candidate, infinite where there is none
  // (or where it is more than `limit`); with `apply` the solution becomes that one.
  double without(int64_t e, double limit, bool apply) noexcept {
    const double own = value_[e] + price_[idx(m_ + g_->column[e])] - price_[idx(row_[idx(e)])];
    const double d = detour(e, limit - own);
    if (!(d < kInf)) {
      release();
      return kInf;
    }
    if (apply) follow(e, d);
    release();
    return std::max(0.0, own) + d;
  }

 private:
  static constexpr double kInf = std::numeric_limits<double>::infinity();
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  bool absent(int64_t e) const noexcept { return !(value_[e] > absent_); }

  void start(const LinkGraph& g, const double* value) noexcept {
    g_ = &g;
    value_ = value;
    m_ = g.n_rows;
    n_ = g.n_columns;
    const int64_t nodes = n_nodes() + 1, size = g.size();
    std::fill(degree_.data(), degree_.data() + nodes, 0);
    std::fill(dist_.data(), dist_.data() + nodes, kInf);
    std::fill(done_.data(), done_.data() + nodes, uint8_t{0});
    std::fill(on_.data(), on_.data() + size, uint8_t{kFree});
    std::fill(slot_at_.data(), slot_at_.data() + n_ + 1, int64_t{0});
    for (int32_t i = 0; i < m_; ++i)
      for (int64_t e = g.begin(i); e < g.end(i); ++e) {
        row_[idx(e)] = i;
        ++slot_at_[idx(g.column[e] + 1)];
      }
    for (int32_t j = 0; j < n_; ++j) {
      const int64_t count = slot_at_[idx(j + 1)];
      slot_at_[idx(j + 1)] = slot_at_[idx(j)] + std::min<int64_t>(count, g.column_cap[j]);
      price_[idx(m_ + j)] = g.column_gain(1);
    }
    price_[idx(m_ + n_)] = 0;
    n_touched_ = n_heap_ = 0;
  }

  bool add_row(int32_t i) noexcept {
    double best = -kInf;
    for (int64_t e = g_->begin(i); e < g_->end(i); ++e)
      if (!absent(e)) best = std::max(best, value_[e] + price_[idx(m_ + g_->column[e])]);
    const int32_t low = g_->low(i);
    if (!(best > -kInf)) {
      price_[idx(i)] = -g_->row_gain(1);
      return low == 0;
    }
    price_[idx(i)] = best;
    for (int32_t d = 1; d <= g_->row_cap[i]; ++d) {
      const bool must = d <= low;
      const double gain = price_[idx(i)] + g_->row_gain(d);
      if (!must && !(gain > 0)) break;
      if (!push(i, must ? kInf : gain)) return !must;
    }
    return true;
  }

  // One more unit of row i; false where it is turned down.
  bool push(int32_t i, double best) noexcept {
    int32_t end = -1;
    reach(i, 0, -1);
    scan_row(i, 0, best, end);
    done_[idx(i)] = 1;
    while (n_heap_) {
      const auto [d, v] = pop();
      if (d >= best) break;
      if (done_[idx(v)] || d > dist_[idx(v)]) continue;
      done_[idx(v)] = 1;
      if (v < m_) {
        if (degree_[idx(v)] > g_->low(v)) {
          const double t = d + price_[idx(v)] + g_->row_gain(degree_[idx(v)]);
          if (t < best) best = t, end = v;
        }
        scan_row(v, d, best, end);
      } else {
        scan_column(v, d, best);
      }
    }
    n_heap_ = 0;
    const bool found = best < kInf;
    if (end >= 0) augment(i, end);
    for (int64_t k = 0; k < n_touched_; ++k) {
      const int32_t v = touched_[idx(k)];
      if (found && dist_[idx(v)] < best) price_[idx(v)] += dist_[idx(v)] - best;
      forget(v);
    }
    n_touched_ = 0;
    return end >= 0;
  }

  void scan_row(int32_t i, double d, double& best, int32_t& end) noexcept {
    const double base = d + price_[idx(i)];
    for (int64_t e = g_->begin(i); e < g_->end(i); ++e) {
      if (on_[idx(e)] || absent(e)) continue;
      const int32_t j = g_->column[e], v = m_ + j;
      // Rounding may not lead back to nodes that are done, or ways would run in rings.
      if (done_[idx(v)]) continue;
      const double t = std::max(d, base - value_[e] - price_[idx(v)]);
      if (!(t < best) || !(t < dist_[idx(v)])) continue;
      const int32_t f = degree_[idx(v)];
      if (f < g_->column_cap[j]) {
        const double out = t + price_[idx(v)] - g_->column_gain(f + 1);
        if (out < best) {
          best = out;
          end = v;
        }
        if (!(t < best) && out > best) continue;
      }
      reach(v, t, e);
      if (t < best) put(t, v);
    }
  }

  void scan_column(int32_t v, double d, double best) noexcept {
    const int64_t at = slot_at_[idx(v - m_)];
    for (int32_t k = 0; k < degree_[idx(v)]; ++k) {
      const int64_t e = slot_[idx(at + k)];
      if (on_[idx(e)] & kForced) continue;
      const int32_t i = row_[idx(e)];
      if (done_[idx(i)]) continue;
      const double t = d + std::max(0.0, value_[e] + price_[idx(v)] - price_[idx(i)]);
      if (t < best && t < dist_[idx(i)]) {
        reach(i, t, e);
        put(t, i);
      }
    }
  }

  void augment(int32_t start, int32_t end) noexcept {
    int32_t v = end;
    if (v < m_) {
      const int64_t e = via_[idx(v)];
      unlink(e);
      v = m_ + g_->column[e];
    }
    for (;;) {
      const int64_t e = via_[idx(v)];
      const int32_t i = row_[idx(e)];
      if (i == start) {
        link(e);
        return;
      }
      const int64_t old = via_[idx(i)];
      unlink(old);
      link(e);
      v = m_ + g_->column[old];
    }
  }

  void link(int64_t e) noexcept {
    const int32_t i = row_[idx(e)], j = g_->column[e];
    int32_t& f = degree_[idx(m_ + j)];
    slot_[idx(slot_at_[idx(j)] + f)] = e;
    ++f;
    ++degree_[idx(i)];
    on_[idx(e)] |= kOn;
  }
  void unlink(int64_t e) noexcept {
    const int32_t i = row_[idx(e)], j = g_->column[e];
    int32_t& f = degree_[idx(m_ + j)];
    int64_t* s = slot_.data() + slot_at_[idx(j)];
    int32_t k = 0;
    while (s[k] != e) ++k;
    s[k] = s[--f];
    --degree_[idx(i)];
    on_[idx(e)] &= static_cast<uint8_t>(~kOn);
  }

  // Dijkstra from the row of a linked candidate to its column, the candidate itself left out. Passes
  // through node 0, whose arcs are scanned at once. Leaves distances and ways for `follow`.
  double detour(int64_t skip, double limit) noexcept {
    const int32_t from = row_[idx(skip)], to = m_ + g_->column[skip], zero = m_ + n_;
    n_touched_ = n_heap_ = 0;
    reach(from, 0, -1);
    put(0, from);
    double found = kInf;
    const auto relax = [&](int32_t v, double t, int64_t by) {
      if (t < dist_[idx(v)] && t <= limit) {
        reach(v, t, by);
        put(t, v);
      }
    };
    while (n_heap_) {
      const auto [d, v] = pop();
      if (done_[idx(v)] || d > dist_[idx(v)]) continue;
      done_[idx(v)] = 1;
      if (v == to) {
        found = d;
        break;
      }
      if (v == zero) {
        for (int32_t i = 0; i < m_; ++i)
          if (!done_[idx(i)] && degree_[idx(i)] < g_->row_cap[i])
            relax(i, d + std::max(0.0, -g_->row_gain(degree_[idx(i)] + 1) - price_[idx(i)]), kByZero);
        for (int32_t j = m_; j < zero; ++j)
          if (!done_[idx(j)] && degree_[idx(j)] > 0)
            relax(j, d + std::max(0.0, g_->column_gain(degree_[idx(j)]) - price_[idx(j)]), kByZero);
      } else if (v < m_) {
        for (int64_t e = g_->begin(v); e < g_->end(v); ++e) {
          if (on_[idx(e)] || absent(e)) continue;
          const int32_t j = m_ + g_->column[e];
          relax(j, d + std::max(0.0, price_[idx(v)] - value_[e] - price_[idx(j)]), e);
        }
        if (degree_[idx(v)] > g_->low(v))
          relax(zero, d + std::max(0.0, price_[idx(v)] + g_->row_gain(degree_[idx(v)])), v);
      } else {
        const int32_t j = v - m_, f = degree_[idx(v)];
        if (f < g_->column_cap[j])
          relax(zero, d + std::max(0.0, price_[idx(v)] - g_->column_gain(f + 1)), v);
        const int64_t at = slot_at_[idx(j)];
        for (int32_t k = 0; k < f; ++k) {
          const int64_t e = slot_[idx(at + k)];
          if (e == skip || (on_[idx(e)] & kForced)) continue;
          const int32_t i = row_[idx(e)];
          relax(i, d + std::max(0.0, value_[e] + price_[idx(v)] - price_[idx(i)]), e);
        }
      }
    }
    n_heap_ = 0;
    return found;
  }

  // Applies the way that `detour` found, and keeps reduced costs >= 0.
  void follow(int64_t skip, double d) noexcept {
    const int32_t from = row_[idx(skip)], to = m_ + g_->column[skip], zero = m_ + n_;
    // Backwards; what is unlinked makes room first, so that the slots of a column suffice.
    const auto walk = [&](bool take) {
      int32_t u = to;
      while (u != from) {
        const int64_t by = via_[idx(u)];
        if (u == zero) {
          u = static_cast<int32_t>(by);
        } else if (by == kByZero) {
          u = zero;
        } else if (u < m_) {
          if (!take) unlink(by);
          u = m_ + g_->column[by];
        } else {
          if (take) link(by);
          u = row_[idx(by)];
        }
      }
    };
    unlink(skip);
    walk(false);
    walk(true);
    double shift = 0;
    if (dist_[idx(zero)] < d) shift = dist_[idx(zero)] - d;
    for (int64_t k = 0; k < n_touched_; ++k) {
      const int32_t t = touched_[idx(k)];
      if (dist_[idx(t)] < d) price_[idx(t)] += dist_[idx(t)] - d;
    }
    // Node 0 stays at potential 0.
    if (shift != 0)
      for (int32_t t = 0; t < zero; ++t) price_[idx(t)] -= shift;
    price_[idx(zero)] = 0;
  }

  void reach(int32_t v, double d, int64_t by) noexcept {
    if (dist_[idx(v)] == kInf) touched_[idx(n_touched_++)] = v;
    dist_[idx(v)] = d;
    via_[idx(v)] = by;
  }
  void release() noexcept {
    for (int64_t k = 0; k < n_touched_; ++k) forget(touched_[idx(k)]);
    n_touched_ = 0;
  }
  void forget(int32_t v) noexcept {
    dist_[idx(v)] = kInf;
    done_[idx(v)] = 0;
  }

  struct Entry {
    double key;
    int32_t node;
  };
  void put(double key, int32_t node) noexcept {
    std::size_t k = n_heap_++;
    Entry* h = heap_.data();
    while (k > 0) {
      const std::size_t up = (k - 1) / 2;
      if (!(key < h[up].key)) break;
      h[k] = h[up];
      k = up;
    }
    h[k] = {key, node};
  }
  Entry pop() noexcept {
    Entry* h = heap_.data();
    const Entry top = h[0], last = h[--n_heap_];
    std::size_t k = 0;
    for (;;) {
      std::size_t c = 2 * k + 1;
      if (c >= n_heap_) break;
      if (c + 1 < n_heap_ && h[c + 1].key < h[c].key) ++c;
      if (!(h[c].key < last.key)) break;
      h[k] = h[c];
      k = c;
    }
    h[k] = last;
    return top;
  }

  static constexpr int64_t kByZero = -2;
  const LinkGraph* g_ = nullptr;
  const double* value_ = nullptr;
  int32_t m_ = 0, n_ = 0;
  double absent_ = kAbsentLink;
  int64_t n_touched_ = 0;
  std::size_t n_heap_ = 0;
  AlignedBuffer<double> price_, dist_;
  AlignedBuffer<int64_t> via_, slot_at_, slot_;
  AlignedBuffer<int32_t> degree_, touched_, row_;
  AlignedBuffer<uint8_t> on_, done_;
  AlignedBuffer<Entry> heap_;
};

}  // namespace pystruct_ext
