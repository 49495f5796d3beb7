// Upper bounds of a labelling problem by reweighted messages along monotone chains (Kolmogorov
// 2006), in the form of a reparametrisation: each end of each edge holds the scores that were
// moved between the edge and its node, so the bound of any state is a sum of maxima.
//
// A sweep visits the nodes in order. At a node all edges behind it give it what is theirs (their
// maximum over the other end becomes 0 for each label), then it shares what it has with the edges
// ahead. The bound never rises. Labels can be taken out for good: where they cannot be part of
// labels better than known ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext::dual {

constexpr double kDead = -1e100;  // score of a label that is not there

struct Arc {             // an edge, seen from a node
  int32_t other;         // node at the far end
  int32_t sister;        // the same edge from there
  int32_t edge;
  double weight;         // Potts score, where there is no table
  const double* table;   // rows: labels of the other; columns: own labels
};

struct View {
  int32_t n = 0;
  int64_t stride = 0;           // of rows, a multiple of 4 or 8
  const int32_t* begin = nullptr;   // (n + 1,) arcs of a node: to smaller nodes, then to larger
  const int32_t* middle = nullptr;  // (n,) where the larger ones begin
  const Arc* arcs = nullptr;
  double* theta = nullptr;      // (n, stride) own scores, kDead beyond the labels
  double* moved = nullptr;      // (arcs, stride) scores moved from the edge to the node
  int32_t* live = nullptr;      // (n, stride) labels still there, ascending
  int32_t* n_live = nullptr;    // (n,)
  double* row = nullptr;        // 2 rows of scratch
  double* slack = nullptr;      // (n, stride) what the bound loses by each label, or null
  double floor = kDead;         // labels that cannot lead above this are taken out
  double bound = 0;             // of the state before the sweep
  int32_t* labels = nullptr;    // labels rounded on the way, or null
  bool forward = true;
};

// out[x] = max over rows r of table[r][x] - from[r], for kBlocks blocks of columns.
template <int kLanes, int kBlocks>
PSX_INLINE void collect_block(const double* table, int64_t stride, const double* from,
                              const int32_t* rows, int32_t n, double* out) noexcept {
  using V = Vec<double, kLanes>;
  V best[kBlocks];
  for (int k = 0; k < kBlocks; ++k) best[k] = V::splat(2 * kDead);
  for (int32_t i = 0; i < n; ++i) {
    const int64_t r = rows[i];
    const V less = V::splat(-from[r]);
    const double* entries = table + r * stride;
    for (int k = 0; k < kBlocks; ++k)
      best[k] = V::max(V::load(entries + k * kLanes) + less, best[k]);
  }
  for (int k = 0; k < kBlocks; ++k) best[k].store(out + k * kLanes);
}

template <int kLanes>
PSX_INLINE void collect(const View& g, const Arc& arc, double* out) noexcept {
  using V = Vec<double, kLanes>;
  const double* from = g.moved + arc.sister * g.stride;
  const int32_t* rows = g.live + arc.other * g.stride;
  const int32_t n = g.n_live[arc.other];
  if (arc.table) {
    int64_t c = 0;
    for (; c + 2 * kLanes <= g.stride; c += 2 * kLanes)
      collect_block<kLanes, 2>(arc.table + c, g.stride, from, rows, n, out + c);
    if (c < g.stride) collect_block<kLanes, 1>(arc.table + c, g.stride, from, rows, n, out + c);
    return;
  }
  double first = 2 * kDead, second = 2 * kDead;
  int32_t at = -1;
  if (arc.weight >= 0) {
    for (int32_t i = 0; i < n; ++i) first = -from[rows[i]] > first ? -from[rows[i]] : first;
  } else {
    for (int32_t i = 0; i < n; ++i) {
      const double x = -from[rows[i]];
      if (x > first) {
        second = first;
        first = x;
        at = rows[i];
      } else if (x > second) {
        second = x;
      }
    }
  }
  const V top = V::splat(first), weight = V::splat(arc.weight), minus = V::splat(-1.0);
  for (int64_t c = 0; c < g.stride; c += kLanes)
    V::max(V::load(from + c) * minus + weight, top).store(out + c);
  if (at >= 0) {
    const double equal = first + arc.weight;
    out[at] = equal > second ? equal : second;
  }
}

// One sweep; the new bound. Bounds of kDead and less: no label is left at some node.
template <int kLanes>
PSX_INLINE double sweep(const View& g) noexcept {
  using V = Vec<double, kLanes>;
  double bound = 0;
  double* sum = g.row;
  double* own = g.row + g.stride;
  for (int32_t i = 0; i < g.n; ++i) {
    const int32_t v = g.forward ? i : g.n - 1 - i;
    const int32_t begin = g.begin[v], middle = g.middle[v], end = g.begin[v + 1];
    const int32_t from = g.forward ? begin : middle, to = g.forward ? middle : end;
    const int32_t next = g.forward ? middle : begin, last = g.forward ? end : middle;
    double* theta = g.theta + v * g.stride;
    int32_t* live = g.live + v * g.stride;
    int32_t n_live = g.n_live[v];
    for (int32_t k = from; k < to; ++k) collect<kLanes>(g, g.arcs[k], g.moved + k * g.stride);
    for (int64_t c = 0; c < g.stride; c += kLanes) {
      V x = V::load(theta + c);
      for (int32_t k = next; k < last; ++k) x = x + V::load(g.moved + k * g.stride + c);
      x.store(own + c);
      for (int32_t k = from; k < to; ++k) x = x + V::load(g.moved + k * g.stride + c);
      x.store(sum + c);
    }
    double top = 2 * kDead;
    for (int32_t k = 0; k < n_live; ++k) top = sum[live[k]] > top ? sum[live[k]] : top;
    if (g.floor > kDead) {
      const double least = top - (g.bound - g.floor);
      int32_t kept = 0;
      for (int32_t k = 0; k < n_live; ++k) {
        const int32_t x = live[k];
        if (sum[x] > least) {
          live[kept++] = x;
        } else {
          theta[x] = kDead;
          sum[x] = own[x] = kDead;
        }
      }
      g.n_live[v] = n_live = kept;
      if (n_live == 0) return 2 * kDead;
    }
    if (g.slack)
      for (int32_t k = 0; k < n_live; ++k) g.slack[v * g.stride + live[k]] = top - sum[live[k]];
    if (g.labels) {
      for (int32_t k = from; k < to; ++k) {
        const Arc& arc = g.arcs[k];
        const int32_t y = g.labels[arc.other];
        if (!arc.table) {
          if (y < g.stride) own[y] += arc.weight;
          continue;
        }
        const double* entries = arc.table + y * g.stride;
        for (int64_t c = 0; c < g.stride; c += kLanes)
          (V::load(own + c) + V::load(entries + c)).store(own + c);
      }
      int32_t best = live[0];
      for (int32_t k = 1; k < n_live; ++k)
        if (own[live[k]] > own[best]) best = live[k];
      g.labels[v] = best;
    }
    const int32_t ahead = last - next, behind = to - from;
    const double share = 1.0 / (ahead > behind ? ahead : behind > 0 ? behind : 1);
    if (ahead < behind || ahead == 0) bound += (1.0 - ahead * share) * top;
    const V less = V::splat(-share);
    for (int64_t c = 0; c < g.stride; c += kLanes) {
      const V part = V::load(sum + c) * less;
      for (int32_t k = next; k < last; ++k) {
        double* moved = g.moved + k * g.stride + c;
        (V::load(moved) + part).store(moved);
      }
    }
  }
  return bound;
}

using Sweep = double (*)(const View&) noexcept;
template <int kLanes>
double sweep_baseline(const View& g) noexcept {
  return sweep<kLanes>(g);
}
#if PSX_X86_DISPATCH
template <int kLanes>
PSX_TARGET_AVX2 double sweep_avx2(const View& g) noexcept {
  return sweep<kLanes>(g);
}
template <int kLanes>
PSX_TARGET_AVX512 double sweep_avx512(const View& g) noexcept {
  return sweep<kLanes>(g);
}
#endif
template <int kLanes>
Sweep choose(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa == Isa::kAvx512) return sweep_avx512<kLanes>;
  if (isa == Isa::kAvx2) return sweep_avx2<kLanes>;
#endif
  (void)isa;
  return sweep_baseline<kLanes>;
}

}  // namespace pystruct_ext::dual

namespace pystruct_ext {

class DualAscent {
 public:
  DualAscent() : narrow_(dual::choose<4>(detect_isa())), wide_(dual::choose<8>(detect_isa())) {}

  void reserve(int64_t nodes, int64_t edges, int64_t stride) {
    const auto n = std::size_t(nodes), arcs = 2 * std::size_t(edges);
    const auto row = std::size_t(padded(stride));
    begin_.reserve(n + 2);
    middle_.reserve(n + 1);
    n_live_.reserve(n + 1);
    arcs_.reserve(arcs + 1);
    place_.reserve(std::size_t(edges) + 1);
    slots_.reserve(slot_count(edges));
    theta_.reserve((n + 1) * row);
    slack_.reserve((n + 1) * row);
    live_.reserve((n + 1) * row);
    moved_.reserve((arcs + 1) * row);
    row_.reserve(2 * row);
  }

  // The state before any sweep; tables are copied, each once, and memory for them grows here.
  // False where there is not enough.
  template <class R>
  bool load(const PairwiseProblem<R>& p) noexcept {
    int32_t most = 1;
    for (int32_t v = 0; v < p.n_nodes; ++v) most = p.n_labels[v] > most ? p.n_labels[v] : most;
    stride_ = padded(most);
    rows_ = most;
    n_ = p.n_nodes;
    m_ = p.n_edges;
    connect(p);
    if (!p.potts && !copy_tables(p)) return false;
    for (int32_t v = 0; v < n_; ++v) {
      double* theta = theta_.data() + v * stride_;
      int32_t* live = live_.data() + v * stride_;
      const R* unary = p.unary_of(v);
      int32_t l = 0;
      for (; l < p.n_labels[v]; ++l) theta[l] = double(unary[l]), live[l] = l;
      for (; l < stride_; ++l) theta[l] = dual::kDead;
      n_live_[std::size_t(v)] = p.n_labels[v];
    }
    double* moved = moved_.data();
    for (int64_t k = 0; k < 2 * int64_t(m_) * stride_; ++k) moved[k] = 0;
    bound_ = std::numeric_limits<double>::max();
    return true;
  }

  // A sweep there and one back; labels rounded on the way there, if wanted. The bound.
  // With a floor, labels that cannot lead above it are taken out, and a bound below it says that
  // nothing does.
  double round(int32_t* labels, double floor = dual::kDead) noexcept {
    dual::View g = view();
    const dual::Sweep run = stride_ < 8 ? narrow_ : wide_;
    g.labels = labels;
    g.bound = bound_;
    g.floor = floor;
    bound_ = run(g);
    if (bound_ <= dual::kDead) return bound_;
    g.forward = false;
    g.labels = nullptr;
    g.slack = slack_.data();
    g.bound = bound_;
    return bound_ = run(g);
  }

  double bound() const noexcept { return bound_; }
  // What the bound would lose at least if v had to take the label, as of the last round.
  double slack(int32_t v, int32_t label) const noexcept {
    return slack_.data()[v * stride_ + label];
  }
  int32_t n_live(int32_t v) const noexcept { return n_live_.data()[v]; }
  const int32_t* live(int32_t v) const noexcept { return live_.data() + v * stride_; }
  // Takes out all labels of v but one, or that one.
  void keep_only(int32_t v, int32_t label) noexcept { restrict_to(v, label, true); }
  void take_out(int32_t v, int32_t label) noexcept { restrict_to(v, label, false); }

  // What rounds change, to come back to.
  struct State {
    std::vector<double> theta, moved;
    std::vector<int32_t> live, n_live;
    double bound = 0;
  };
  void save(State& s) const {
    const std::size_t cells = std::size_t(n_ * stride_);
    s.theta.assign(theta_.data(), theta_.data() + cells);
    s.moved.assign(moved_.data(), moved_.data() + 2 * m_ * stride_);
    s.live.assign(live_.data(), live_.data() + cells);
    s.n_live.assign(n_live_.data(), n_live_.data() + n_);
    s.bound = bound_;
  }
  void restore(const State& s) noexcept {
    std::copy(s.theta.begin(), s.theta.end(), theta_.data());
    std::copy(s.moved.begin(), s.moved.end(), moved_.data());
    std::copy(s.live.begin(), s.live.end(), live_.data());
    std::copy(s.n_live.begin(), s.n_live.end(), n_live_.data());
    bound_ = s.bound;
  }

  dual::View view() noexcept {
    dual::View g;
    g.n = n_;
    g.stride = stride_;
    g.begin = begin_.data();
    g.middle = middle_.data();
    g.arcs = arcs_.data();
    g.theta = theta_.data();
    g.moved = moved_.data();
    g.live = live_.data();
    g.n_live = n_live_.data();
    g.row = row_.data();
    return g;
  }

 private:
  void restrict_to(int32_t v, int32_t label, bool only) noexcept {
    int32_t* live = live_.data() + v * stride_;
    int32_t kept = 0;
    for (int32_t k = 0; k < n_live_.data()[v]; ++k) {
      const int32_t x = live[k];
      if ((x == label) == only)
        live[kept++] = x;
      else
        theta_.data()[v * stride_ + x] = dual::kDead;
    }
    n_live_[std::size_t(v)] = kept;
  }

  struct Slot {  // of the hash of tables by offset
    int64_t offset;
    int32_t index, rows, columns;  // rows and columns of the last copy
  };
  static int64_t padded(int64_t stride) noexcept {
    return stride <= 4 ? 4 : (stride + 7) / 8 * 8;
  }
  static std::size_t slot_count(int64_t edges) noexcept {
    std::size_t n = 16;
    while (int64_t(n) < 2 * edges) n *= 2;
    return n;
  }

  template <class R>
  void connect(const PairwiseProblem<R>& p) noexcept {
    int32_t* begin = begin_.data();
    int32_t* middle = middle_.data();
    for (int32_t v = 0; v <= n_; ++v) begin[v] = 0;
    for (int32_t v = 0; v < n_; ++v) middle[v] = 0;
    for (int32_t e = 0; e < m_; ++e) {
      const int32_t a = p.a(e), b = p.b(e);
      ++begin[a + 1];
      ++begin[b + 1];
      ++middle[a > b ? a : b];
    }
    for (int32_t v = 0; v < n_; ++v) {
      begin[v + 1] += begin[v];
      middle[v] += begin[v];
    }
    // Both counters walk to where the next begins, and are then set back.
    for (int32_t e = 0; e < m_; ++e) {
      const int32_t a = p.a(e), b = p.b(e);
      const int32_t low = a < b ? a : b, high = a < b ? b : a;
      const int32_t there = middle[low]++, back = begin[high]++;
      const double weight = p.potts ? double(p.potts[e]) : 0.0;
      arcs_[std::size_t(there)] = dual::Arc{high, back, e, weight, nullptr};
      arcs_[std::size_t(back)] = dual::Arc{low, there, e, weight, nullptr};
      place_[std::size_t(e)] = there;
    }
    for (int32_t v = n_ - 1; v >= 0; --v) {
      const int32_t walked = begin[v];
      begin[v] = v > 0 ? middle[v - 1] : 0;
      middle[v] = walked;
    }
  }

  template <class R>
  bool copy_tables(const PairwiseProblem<R>& p) noexcept {
    const std::size_t n_slots = slot_count(m_);
    Slot* slots = slots_.data();
    for (std::size_t k = 0; k < n_slots; ++k) slots[k].index = -1;
    const auto find = [&](int64_t offset) noexcept {
      std::size_t k = (std::size_t(offset) * 0x9E3779B97F4A7C15ull >> 20) & (n_slots - 1);
      while (slots[k].index >= 0 && slots[k].offset != offset) k = (k + 1) & (n_slots - 1);
      return k;
    };
    int32_t distinct = 0;
    for (int32_t e = 0; e < m_; ++e) {
      const std::size_t k = find(p.table_at[e]);
      if (slots[k].index < 0) slots[k] = Slot{p.table_at[e], distinct++, 0, 0};
    }
    const int64_t size = rows_ * stride_;
    try {
      tables_.reserve(std::size_t(2 * size * distinct + 1));
    } catch (const std::bad_alloc&) {
      return false;
    }
    for (int32_t e = 0; e < m_; ++e) {
      Slot& slot = slots[find(p.table_at[e])];
      double* straight = tables_.data() + 2 * size * slot.index;
      double* turned = straight + size;
      const int32_t n_a = p.n_labels[p.a(e)], n_b = p.n_labels[p.b(e)];
      if (slot.rows == 0)
        for (int64_t k = 0; k < 2 * size; ++k) straight[k] = 0;
      if (n_a > slot.rows || n_b > slot.columns) {
        const R* from = p.table(e);
        for (int32_t x = 0; x < n_a; ++x)
          for (int32_t y = 0; y < n_b; ++y)
            straight[x * stride_ + y] = double(from[int64_t(x) * p.stride + y]);
        for (int32_t y = 0; y < n_b; ++y)
          for (int32_t x = 0; x < n_a; ++x) turned[y * stride_ + x] = straight[x * stride_ + y];
        slot.rows = n_a;  // of the last copy: a block of another shape may lack a corner
        slot.columns = n_b;
      }
      dual::Arc& arc = arcs_[std::size_t(place_[std::size_t(e)])];
      const bool from_a = p.a(e) < p.b(e);  // rows are the labels of the far end
      arc.table = from_a ? turned : straight;
      arcs_[std::size_t(arc.sister)].table = from_a ? straight : turned;
    }
    return true;
  }

  int32_t n_ = 0, m_ = 0;
  int64_t stride_ = 0, rows_ = 0;
  double bound_ = 0;
  dual::Sweep narrow_, wide_;
  AlignedBuffer<int32_t> begin_, middle_, place_, live_, n_live_;
  AlignedBuffer<dual::Arc> arcs_;
  AlignedBuffer<Slot> slots_;
  AlignedBuffer<double> theta_, moved_, tables_, row_, slack_;
};

}  // namespace pystruct_ext
