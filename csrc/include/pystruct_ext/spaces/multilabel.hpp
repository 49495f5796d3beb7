// Label sets: y says of each of K labels whether x has it.
//
//   <w, psi(x, y)> = sum over labels of y of <w_k, x> + sum over pairs (j, k) of the graph, both in y, of
//                        pair_value v_jk + set_value u_y, where y is a listed set
//   Delta(y, z): kHamming  sum of the weights of the labels in which they differ, miss_cost times
//                          those of labels of y that z has not
//                kSubset   1 unless z = y
//                kF1       1 - 2 |y and z| / (|y| + |z|); two empty sets are equal
//
// w is feature-major, feature f, label k at f * stride + k, and the pairs come after: with a constant
// feature one number a pair says as much as a table of four. The listed sets come last, if set_value is
// not 0.
// A code is 0 or 1 for each label; it has min_labels .. max_labels ones. Which codes there are, and how
// the best is found (multilabel_search.hpp):
//   kIndependent  no pairs: sorting, in closed form for all losses
//   kForest       pairs without a cycle: dynamic programming, with counts where loss or limits need them
//   kAll          all pairs of few labels: all 2^K scores
//   kGraph        any pairs among many labels: multilabel_graph.hpp
//   kListed       only the sets that are listed, with any pairs: their scores one by one
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/spaces/chain_kernels.hpp"
#include "pystruct_ext/spaces/multilabel_search.hpp"

namespace pystruct_ext {

template <class R>
struct MultilabelSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  Rows<R> rows;                        // one row per example
  int64_t n = 0;
  const int32_t* labels = nullptr;     // (n, K) truth, 0 or 1
  const double* row_sqnorm = nullptr;  // (n,)
  int32_t n_labels = 0, stride = 0;
  int32_t n_edges = 0;
  const int32_t* edges = nullptr;      // (n_edges, 2)
  double pair_value = 1, set_value = 0;
  int32_t loss_kind = 0, search = 0;
  const double* label_weight = nullptr;  // (K,) of the Hamming loss
  double miss_cost = 1;                  // of the Hamming loss
  int32_t min_labels = 0, max_labels = 0;
  const int32_t *order = nullptr, *parent = nullptr, *parent_edge = nullptr;  // (K,) of a forest
  const int32_t* edge_at = nullptr;      // (K, K) the edge of two labels, -1: none; not of a forest
  int64_t n_sets = 0;
  const int64_t* set_offsets = nullptr;  // (n_sets + 1,)
  const int32_t* set_labels = nullptr;   // labels of the listed sets, rising
  chain::Kernels<R> kernels{detect_isa()};

  struct Scratch {
    AlignedBuffer<R> pot;                      // (stride,)
    AlignedBuffer<double> extra;               // (2 K,) scores from outside: on, then off
    AlignedBuffer<double> pair;                // (n_edges,)
    AlignedBuffer<double> set;                 // (n_own,)
    AlignedBuffer<double> on, off;             // (K,) what search works on
    detail::labelsets::Search work;
    bool finite = true, shifted = false;
    explicit Scratch(const MultilabelSpace& s) {
      const auto k = static_cast<std::size_t>(s.n_labels);
      pot.reserve(static_cast<std::size_t>(s.stride));
      extra.reserve(2 * k);
      pair.reserve(static_cast<std::size_t>(s.n_edges) + 1);
      set.reserve(static_cast<std::size_t>(s.n_own()) + 1);
      on.reserve(k);
      off.reserve(k);
      work.reserve(s.view(), s.most_positives());
    }
  };

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  int64_t n_blocks() const noexcept { return n; }
  int64_t pairs_at() const noexcept { return rows.n_features * stride; }
  int64_t n_own() const noexcept { return set_value != 0 ? n_sets : 0; }  // sets with a weight
  int64_t sets_at() const noexcept { return pairs_at() + n_edges; }
  int64_t size_psi() const noexcept { return sets_at() + n_own(); }
  int32_t code_len(int64_t) const noexcept { return n_labels; }
  const int32_t* truth(int64_t i) const noexcept {
    return labels ? labels + i * n_labels : nullptr;
  }
  // Where weights may be asked to be at least 0: attractive pairs.
  void nonnegative(int64_t range[2]) const noexcept {
    range[0] = attractive ? pairs_at() : 0;
    range[1] = attractive ? sets_at() : 0;
  }
  int32_t attractive = 0;

  detail::labelsets::View view() const noexcept {
    return {n_labels, n_edges,    loss_kind, search,      min_labels, max_labels,  edges,
            order,    parent,     parent_edge, edge_at,   n_sets,     set_offsets, set_labels};
  }
  int32_t most_positives() const noexcept {
    int32_t most = 0;
    for (int64_t i = 0; labels && i < n; ++i) most = std::max(most, count(truth(i)));
    return most;
  }
  int32_t count(const int32_t* y) const noexcept {
    int32_t ones = 0;
    for (int32_t k = 0; k < n_labels; ++k) ones += y[k];
    return ones;
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    const chain::Load<R> a{rows, i, i + 1, w, stride, s.pot.data()};
    R check = kernels.load(a);
    const R* v = w + pairs_at();
    for (int32_t e = 0; e < n_edges; ++e) {
      s.pair[idx(e)] = pair_value * static_cast<double>(v[e]);
      check += v[e] * R(0);
    }
    const R* u = w + sets_at();
    for (int64_t c = 0; c < n_own(); ++c) {
      s.set[idx(c)] = set_value * static_cast<double>(u[c]);
      check += u[c] * R(0);
    }
    s.finite = check == 0;
    s.shifted = false;
  }
  // f(edge, j, k) for every pair of the graph whose labels j and k are both in y.
  template <class F>
  void each_pair(const int32_t* y, F&& f) const noexcept {
    if (!n_edges) return;
    if (!edge_at) {
      for (int32_t k = 0; k < n_labels; ++k)
        if (y[k] && parent[k] >= 0 && y[parent[k]]) f(parent_edge[k], parent[k], k);
      return;
    }
    for (int32_t k = 1; k < n_labels; ++k) {
      if (!y[k]) continue;
      const int32_t* row = edge_at + int64_t{k} * n_labels;
      for (int32_t j = 0; j < k; ++j)
        if (y[j] && row[j] >= 0) f(row[j], j, k);
    }
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t* y = loss_scale != 0 ? truth(i) : nullptr;
    for (int32_t k = 0; k < n_labels; ++k) {
      s.on[idx(k)] = on(s, k);
      s.off[idx(k)] = off(s, k);
    }
    if (y && loss_kind == detail::labelsets::kHamming)
      for (int32_t k = 0; k < n_labels; ++k)
        (y[k] ? s.off : s.on)[idx(k)] += loss_scale * cost(k, y[k]);
    const bool whole = y && loss_kind != detail::labelsets::kHamming;
    if (!s.work.best({s.on.data(), s.off.data(), s.pair.data(), n_own() ? s.set.data() : nullptr,
                      whole ? y : nullptr, loss_scale},
                     view(), code))
      return -std::numeric_limits<double>::infinity();
    return score(i, s, code) + (y ? loss_scale * loss(i, code) : 0.0);
  }
  CodeFault check_code(int64_t, const int32_t* y) const noexcept {
    if (const CodeFault f = entries_in(y, 0, n_labels, 0, 1); f.at >= 0) return f;
    const int32_t ones = count(y);
    if (ones < min_labels || ones > max_labels || !listed(y, ones)) return {0, 0, -1};
    return {};
  }
  // What it costs to be wrong about label k.
  double cost(int32_t k, int32_t is_in) const noexcept {
    return is_in ? miss_cost * label_weight[k] : label_weight[k];
  }
  // The listed set y, or -1. Codes of listed sets with a weight rise, so that those that begin with the
  // labels of y seen so far are neighbours, and their next labels fall.
  int64_t set_of(const int32_t* y) const noexcept {
    if (!n_own()) return -1;
    int64_t low = 0, high = n_sets, found = 0;
    const auto part = [&](auto&& before) {
      int64_t a = low, b = high;
      while (a < b) {
        const int64_t c = a + (b - a) / 2;
        before(next(c, found)) ? a = c + 1 : b = c;
      }
      return a;
    };
    for (int32_t k = 0; k < n_labels; ++k) {
      if (!y[k]) continue;
      low = part([k](int32_t other) { return other > k; });
      high = part([k](int32_t other) { return other >= k; });
      ++found;
    }
    return low < high && next(low, found) == n_labels ? low : -1;
  }
  // Label number `place` of listed set c; n_labels after the last.
  int32_t next(int64_t c, int64_t place) const noexcept {
    const int64_t p = set_offsets[c] + place;
    return p < set_offsets[c + 1] ? set_labels[p] : n_labels;
  }
  bool listed(const int32_t* y, int32_t ones) const noexcept {
    if (search != detail::labelsets::kListed) return true;
    if (n_own()) return set_of(y) >= 0;
    for (int64_t c = 0; c < n_sets; ++c) {
      if (set_offsets[c + 1] - set_offsets[c] != ones) continue;
      int64_t p = set_offsets[c];
      while (p < set_offsets[c + 1] && y[set_labels[p]]) ++p;
      if (p == set_offsets[c + 1]) return true;
    }
    return false;
  }
  double on(const Scratch& s, int32_t k) const noexcept {
    return static_cast<double>(s.pot[idx(k)]) + (s.shifted ? s.extra[idx(k)] : 0.0);
  }
  double off(const Scratch& s, int32_t k) const noexcept {
    return s.shifted ? s.extra[idx(n_labels + k)] : 0.0;
  }
  double score(int64_t, const Scratch& s, const int32_t* y) const noexcept {
    double sum = 0;
    for (int32_t k = 0; k < n_labels; ++k) {
      if (y[k])
        sum += on(s, k);
      else if (s.shifted)
        sum += off(s, k);
    }
    each_pair(y, [&](int32_t e, int32_t, int32_t) { sum += s.pair[idx(e)]; });
    if (const int64_t c = set_of(y); c >= 0) sum += s.set[idx(c)];
    return sum;
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t* y = truth(i);
    if (loss_kind == detail::labelsets::kHamming) {
      double sum = 0;
      for (int32_t k = 0; k < n_labels; ++k) sum += y[k] != z[k] ? cost(k, y[k]) : 0.0;
      return sum;
    }
    int32_t both = 0, ones = 0, mine = 0;
    for (int32_t k = 0; k < n_labels; ++k) {
      both += y[k] & z[k];
      ones += y[k];
      mine += z[k];
    }
    return detail::labelsets::whole_loss(loss_kind, ones, both, mine);
  }

  template <class Sink>
  void label_psi(int64_t i, int32_t k, double a, Sink& sink) const noexcept {
    const auto row = rows.row(i);
    for (int64_t f = 0; f < row.nnz; ++f)
      sink(row.feature(f) * stride + k, a * static_cast<double>(row.value(f)));
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    for (int32_t k = 0; k < n_labels; ++k)
      if (y[k]) label_psi(i, k, a, sink);
    each_pair(y, [&](int32_t e, int32_t, int32_t) { sink(pairs_at() + e, a * pair_value); });
    if (const int64_t c = set_of(y); c >= 0) sink(sets_at() + c, a * set_value);
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    for (int32_t k = 0; k < n_labels; ++k)
      if (y[k] != z[k]) label_psi(i, k, y[k] ? a : -a, sink);
    each_pair(y, [&](int32_t e, int32_t j, int32_t k) {
      if (!(z[j] && z[k])) sink(pairs_at() + e, a * pair_value);
    });
    each_pair(z, [&](int32_t e, int32_t j, int32_t k) {
      if (!(y[j] && y[k])) sink(pairs_at() + e, -a * pair_value);
    });
    if (const int64_t b = set_of(y), c = set_of(z); b != c) {
      if (b >= 0) sink(sets_at() + b, a * set_value);
      if (c >= 0) sink(sets_at() + c, -a * set_value);
    }
  }
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch&) const noexcept {
    int64_t differ = 0, pairs = 0;
    for (int32_t k = 0; k < n_labels; ++k) differ += y[k] != z[k];
    if (!differ) return 0;
    each_pair(y, [&](int32_t, int32_t j, int32_t k) { pairs += !(z[j] && z[k]); });
    each_pair(z, [&](int32_t, int32_t j, int32_t k) { pairs += !(y[j] && y[k]); });
    return static_cast<double>(differ) * row_sqnorm[i] +
           static_cast<double>(pairs) * pair_value * pair_value +
           (n_own() ? 2 * set_value * set_value : 0.0);
  }

  // Parts: label k off (2 k) or on (2 k + 1).
  int part_shape(int64_t, int64_t* shape) const noexcept {
    shape[0] = n_labels;
    shape[1] = 2;
    return 2;
  }
  template <class F>
  void each_part(int64_t, const int32_t* y, F&& f) const noexcept {
    for (int32_t k = 0; k < n_labels; ++k) f(int64_t{2} * k + y[k]);
  }
  void clear(int64_t, Scratch& s) const noexcept {
    std::fill(s.pot.data(), s.pot.data() + stride, R(0));
    std::fill(s.pair.data(), s.pair.data() + n_edges, 0.0);
    std::fill(s.set.data(), s.set.data() + n_own(), 0.0);
    s.shifted = false;
    s.finite = true;
  }
  void add_parts(int64_t, double a, const R* scores, Scratch& s) const noexcept {
    if (!s.shifted) std::fill(s.extra.data(), s.extra.data() + 2 * int64_t{n_labels}, 0.0);
    s.shifted = true;
    double check = 0;
    for (int32_t k = 0; k < n_labels; ++k)
      for (int b = 0; b < 2; ++b) {
        const double v = a * static_cast<double>(scores[2 * k + b]);
        s.extra[idx(b ? k : n_labels + k)] += v;
        check += v * 0.0;
      }
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.number("n", n, "0..");
    rows.fields(f, "n+1", "nnz|n*n_features");
    f.number("n_labels", n_labels, "1..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.array("labels", labels, "n,n_labels", "0..1", kOptional);
    f.number("n_edges", n_edges, "0..268435456");
    f.array("edges", edges, "n_edges,2", "0..n_labels-1");
    f.number("pair_value", pair_value, "..");
    f.number("set_value", set_value, "..", kOptional);
    f.number("attractive", attractive, "0..1", kOptional);
    f.number("loss_kind", loss_kind, "0..2");
    f.array("label_weight", label_weight, "n_labels", "0..");
    f.number("miss_cost", miss_cost, "0..", kOptional);
    f.number("search", search, "0..4");
    f.number("min_labels", min_labels, "0..1");
    f.number("max_labels", max_labels, "1..n_labels");
    f.array("order", order, "n_labels", "0..n_labels-1");
    f.array("parent", parent, "n_labels", "-1..n_labels-1");
    f.array("parent_edge", parent_edge, "n_labels", "-1..n_edges-1");
    f.array("edge_at", edge_at, "n_labels,n_labels", "-1..n_edges-1", kOptional);
    f.size("n_sets", n_sets);
    f.offsets("set_offsets", set_offsets, "n_sets+1", "n_listed");
    f.array("set_labels", set_labels, "n_listed", "0..n_labels-1");
    f.derived(row_sqnorm, labels ? n : 0, [this](int64_t r) { return rows.sqnorm(r); });
  }
  const char* wrong() const noexcept {
    if (const char* text = detail::labelsets::wrong(view(), most_positives())) return text;
    for (int64_t c = 0; c < n_own(); ++c) {
      std::vector<int32_t> y(idx(n_labels), 0);
      for (int64_t p = set_offsets[c]; p < set_offsets[c + 1]; ++p) y[idx(set_labels[p])] = 1;
      if (set_of(y.data()) != c) return "the codes of listed sets with a weight must rise";
    }
    for (int64_t i = 0; labels && i < n; ++i)
      if (check_code(i, truth(i)).at >= 0)
        return "the labels of an example are not among the sets that are allowed";
    return nullptr;
  }
};

}  // namespace pystruct_ext
