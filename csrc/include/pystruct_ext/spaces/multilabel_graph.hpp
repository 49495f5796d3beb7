// Label sets with pairs in cycles among many labels: labels that their neighbours cannot change are
// settled first, few others are gone through, and of many the graph decoder finds a set and a bound.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/graphs/decoder.hpp"
#include "pystruct_ext/spaces/multilabel.hpp"

namespace pystruct_ext {

template <class R>
struct MultilabelGraphSpace : MultilabelSpace<R> {
  using Base = MultilabelSpace<R>;
  static constexpr uint32_t kFlags = PSX_UNDERGEN;
  // Pairs that all attract are a minimum cut.
  uint32_t exactness() const noexcept { return this->attractive ? PSX_EXACT : PSX_UNDERGEN; }
  static constexpr int32_t kFew = 12;  // free labels of which all sets are gone through

  struct Scratch : Base::Scratch {
    AlignedBuffer<int8_t> state;                 // (K,) 0 out, 1 in, 2 free
    AlignedBuffer<int32_t> free, place, found;   // (K,) free labels, their places; labels of a search
    AlignedBuffer<int32_t> best;                 // (K,)
    AlignedBuffer<double> gain, value, row, unary, tables;
    AlignedBuffer<int32_t> two, ends;
    AlignedBuffer<int64_t> table_at;
    GraphDecoder<double> decoder;
    double slack = 0;  // bound - value of the last search
    double bound = 0;
    explicit Scratch(const MultilabelGraphSpace& s) : Base::Scratch(s) {
      const auto k = static_cast<std::size_t>(s.n_labels), m = static_cast<std::size_t>(s.n_edges);
      state.reserve(k);
      for (auto* b : {&free, &place, &found, &best, &two}) b->reserve(k);
      for (auto* b : {&value, &row}) b->reserve(std::size_t{1} << kFew);
      gain.reserve(k);
      unary.reserve(2 * k);
      tables.reserve(4 * m + 1);
      ends.reserve(2 * m + 1);
      table_at.reserve(m + 1);
      decoder.reserve(s.n_labels, s.n_edges, 2);
    }
  };
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t K = this->n_labels;
    const int32_t* y = loss_scale != 0 ? this->truth(i) : nullptr;
    for (int32_t k = 0; k < K; ++k) {
      s.on[idx(k)] = this->on(s, k);
      s.off[idx(k)] = this->off(s, k);
      if (y && this->loss_kind == detail::labelsets::kHamming)
        (y[k] ? s.off : s.on)[idx(k)] += loss_scale * this->cost(k, y[k]);
    }
    if (!limited(s, code)) return -std::numeric_limits<double>::infinity();
    double upper = worth(s, code) + s.slack;
    if (y && this->loss_kind == detail::labelsets::kSubset && loss_scale > 0) {
      if (std::equal(code, code + K, y)) {
        // The truth is best: the best of the sets that differ from it in label k, for each k.
        const double own = worth(s, code);
        double top = own;
        upper = own;
        std::copy(code, code + K, s.best.data());
        for (int32_t k = 0; k < K; ++k) {
          double& out = (y[k] ? s.on : s.off)[idx(k)];
          const double kept = out;
          out = PSX_FORBIDDEN;
          const bool any = limited(s, code);
          out = kept;
          if (!any) continue;
          const double v = worth(s, code) + loss_scale;
          upper = std::max(upper, v + s.slack);
          if (v > top) top = v, std::copy(code, code + K, s.best.data());
        }
        std::copy(s.best.data(), s.best.data() + K, code);
      } else {
        upper += loss_scale;
      }
    }
    const double value = this->score(i, s, code) + (y ? loss_scale * this->loss(i, code) : 0.0);
    s.bound = std::max(upper, value);
    return value;
  }
  double bound(int64_t, double, const Scratch& s) const noexcept { return s.bound; }

  // Score of a set, with what argmax has added.
  double worth(const Scratch& s, const int32_t* code) const noexcept {
    double sum = 0;
    for (int32_t k = 0; k < this->n_labels; ++k) sum += (code[k] ? s.on : s.off)[idx(k)];
    this->each_pair(code, [&](int32_t e, int32_t, int32_t) { sum += s.pair[idx(e)]; });
    return sum;
  }

  // The best set that is not empty where none may be; s.slack is how far it may be from the maximum.
  bool limited(Scratch& s, int32_t* code) const noexcept {
    const int32_t K = this->n_labels;
    if (!solve(s, code)) return false;
    if (!this->min_labels || this->count(code)) return true;
    double top = -std::numeric_limits<double>::infinity(), upper = top;
    int32_t* best = s.found.data();
    for (int32_t k = 0; k < K; ++k) {
      if (detail::labelsets::forbidden(s.on[idx(k)])) continue;
      const double kept = s.off[idx(k)];
      s.off[idx(k)] = PSX_FORBIDDEN;
      const bool any = solve(s, code);
      s.off[idx(k)] = kept;
      if (!any) continue;
      const double v = worth(s, code);
      upper = std::max(upper, v + s.slack);
      if (v > top) top = v, std::copy(code, code + K, best);
    }
    if (upper < top || !(top > -std::numeric_limits<double>::infinity())) return false;
    std::copy(best, best + K, code);
    s.slack = upper - top;
    return true;
  }

  bool solve(Scratch& s, int32_t* code) const noexcept {
    const int32_t K = this->n_labels;
    s.slack = 0;
    int8_t* state = s.state.data();
    for (int32_t k = 0; k < K; ++k) {
      const bool no = detail::labelsets::forbidden(s.on[idx(k)]);
      const bool must = detail::labelsets::forbidden(s.off[idx(k)]);
      if (no && must) return false;
      state[k] = no ? 0 : must ? 1 : 2;
      s.gain[idx(k)] = no || must ? 0 : s.on[idx(k)] - s.off[idx(k)];
    }
    settle(s);
    int32_t n = 0;
    for (int32_t k = 0; k < K; ++k) {
      code[k] = state[k] == 1;
      if (state[k] == 2) s.place[idx(k)] = n, s.free[idx(n++)] = k;
    }
    if (n == 0) return true;
    for (int32_t f = 0; f < n; ++f) {  // what those that are settled add
      const int32_t k = s.free[idx(f)];
      const int32_t* row = this->edge_at + int64_t{k} * K;
      for (int32_t j = 0; j < K; ++j)
        if (code[j] && row[j] >= 0) s.gain[idx(k)] += s.pair[idx(row[j])];
    }
    if (n <= kFew) {
      few(s, n, code);
      return true;
    }
    return decode(s, n, code);
  }

  // Fixes labels that are in, or out, whatever the free ones are.
  void settle(Scratch& s) const noexcept {
    const int32_t K = this->n_labels;
    int8_t* state = s.state.data();
    for (bool again = true; again;) {
      again = false;
      for (int32_t k = 0; k < K; ++k) {
        if (state[k] != 2) continue;
        double low = s.gain[idx(k)], high = low;
        const int32_t* row = this->edge_at + int64_t{k} * K;
        for (int32_t j = 0; j < K; ++j) {
          if (state[j] == 0 || row[j] < 0) continue;
          const double p = s.pair[idx(row[j])];
          if (state[j] == 1 || p < 0) low += p;
          if (state[j] == 1 || p > 0) high += p;
        }
        if (low > 0 || high <= 0) {
          state[k] = low > 0;
          again = true;
        }
      }
    }
  }

  void few(Scratch& s, int32_t n, int32_t* code) const noexcept {
    double *value = s.value.data(), *row = s.row.data();
    value[0] = 0;
    for (int32_t b = 0; b < n; ++b) {
      const int32_t k = s.free[idx(n - 1 - b)];
      row[0] = s.gain[idx(k)];
      for (int32_t c = 0; c < b; ++c) {
        const int32_t e = this->edge_at[int64_t{k} * this->n_labels + s.free[idx(n - 1 - c)]];
        const double p = e >= 0 ? s.pair[idx(e)] : 0.0;
        const uint32_t half = uint32_t{1} << c;
        for (uint32_t m = 0; m < half; ++m) row[half + m] = row[m] + p;
      }
      const uint32_t bit = uint32_t{1} << b;
      for (uint32_t m = 0; m < bit; ++m) value[bit + m] = value[m] + row[m];
    }
    const auto at = static_cast<uint32_t>(std::max_element(value, value + (std::size_t{1} << n)) - value);
    for (int32_t f = 0; f < n; ++f) code[s.free[idx(f)]] = (at >> (n - 1 - f)) & 1;
  }

  bool decode(Scratch& s, int32_t n, int32_t* code) const noexcept {
    int32_t m = 0;
    for (int32_t e = 0; e < this->n_edges; ++e) {
      const int32_t a = this->edges[2 * int64_t{e}], b = this->edges[2 * int64_t{e} + 1];
      if (s.state[idx(a)] != 2 || s.state[idx(b)] != 2) continue;
      s.ends[idx(2 * m)] = s.place[idx(a)];
      s.ends[idx(2 * m + 1)] = s.place[idx(b)];
      double* t = s.tables.data() + 4 * int64_t{m};
      t[0] = t[1] = t[2] = 0;
      t[3] = s.pair[idx(e)];
      s.table_at[idx(m)] = 4 * int64_t{m};
      ++m;
    }
    for (int32_t f = 0; f < n; ++f) {
      s.two[idx(f)] = 2;
      s.unary[idx(2 * f)] = 0;
      s.unary[idx(2 * f + 1)] = s.gain[idx(s.free[idx(f)])];
    }
    PairwiseProblem<double> p;
    p.n_nodes = n;
    p.n_edges = m;
    p.stride = 2;
    p.n_labels = s.two.data();
    p.edges = s.ends.data();
    p.unary = s.unary.data();
    p.tables = s.tables.data();
    p.table_at = s.table_at.data();
    // `place` has done its work: the labels go there.
    const double value = s.decoder.decode(p, Inference::automatic, s.place.data());
    if (!std::isfinite(value)) return false;
    for (int32_t f = 0; f < n; ++f) code[s.free[idx(f)]] = s.place[idx(f)];
    if (!s.decoder.exact()) s.slack = std::max(0.0, s.decoder.bound() - value);
    return true;
  }

  const char* wrong() const noexcept {
    if (!this->edge_at) return "edge_at is needed";
    if (this->loss_kind == detail::labelsets::kF1) return "F1 has no oracle for pairs in cycles";
    if (this->max_labels < this->n_labels) return "max_labels has no oracle for pairs in cycles";
    if (this->attractive && this->pair_value < 0) return "pairs that attract need pair_value >= 0";
    return Base::wrong();
  }
};

// The table of the kernel, for both types of w.
inline const psx_kernel* multilabel_graph_kernel() {
  return kernel_table<With<MultilabelGraphSpace<float>>, With<MultilabelGraphSpace<double>>>(
      "multilabel_graph");
}

}  // namespace pystruct_ext
