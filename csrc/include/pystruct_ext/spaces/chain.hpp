// First-order chain: y is a label per token.
//
//   <w, psi(x, y)> = sum_t <w_{y_t}, x_t> + sum_t transition(y_{t-1}, y_t) + start(y_0) + end(y_{T-1})
//   Delta(y, y_hat) = sum_t weight_t cost(row_t, y_hat_t)
//
// row_t is y_t, or where labels are known in part only, any row of the table of costs: Delta is then
// measured against what is known, and y_t is what stands for the truth in psi.
//
// Layout of w (D entries): state weights, then transitions [prev][next] (K, stride), start
// (stride,), end (stride,). State weights are either
//   dense    feature f, label l at f * stride + l (padding labels stay 0), or
//   compact  only listed (feature, label) pairs: entry p of state_ptr[f] .. state_ptr[f + 1] is the
//            weight of label state_label[p]; all others are absent, that is, 0.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/spaces/chain_kernels.hpp"

namespace pystruct_ext {

template <class R>
struct ChainSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  Rows<R> rows;
  int64_t n = 0;
  const int64_t* offsets = nullptr;      // (n + 1,) rows of sequence i
  const int32_t* labels = nullptr;       // (n_rows,) truth
  const int32_t* cost_row = nullptr;     // (n_rows,) rows of cost, or nullptr: the labels
  const R* token_weight = nullptr;       // (n_rows,) or nullptr
  const double* row_sqnorm = nullptr;    // (n_rows,)
  int32_t n_labels = 0, stride = 0;      // K, padded K
  int32_t n_costs = 0;                   // rows of cost, K or more
  const R* cost = nullptr;               // (n_costs, stride)
  const R* transition_mask = nullptr;    // (K, stride) [prev][next]: 0, or -inf if forbidden
  const R* start_mask = nullptr;         // (stride,) 0 or -inf; padding -inf
  const R* end_mask = nullptr;           // (stride,)
  const int64_t* state_ptr = nullptr;    // (n_features + 1,) or nullptr: dense layout
  const int32_t* state_label = nullptr;  // (n_state,)
  int64_t n_state = 0;                   // state weights; n_features * stride if dense
  chain::Kernels<R> kernels{detect_isa()};

  struct Scratch {
    AlignedBuffer<R> pot, beta, by_next, by_prev, start, end, tmp;
    SparseSink sparse;
    std::vector<int32_t> differing;
    bool finite = true, shared_finite = true;
    // Inner products of pairs of rows, direct-mapped. The codes of a working set differ in the
    // same few tokens, so the same pairs are asked for again and again (measured: a fifth of the
    // time of a BCFW epoch on text without it).
    static constexpr std::size_t kPairs = 4096;
    struct Pair {
      int64_t r, s;
      double dot;
    };
    AlignedBuffer<Pair> pairs;
    explicit Scratch(const ChainSpace& s) {
      int64_t longest = 1;
      for (int64_t i = 0; i < s.n; ++i)
        longest = std::max(longest, s.offsets[i + 1] - s.offsets[i]);
      const std::size_t kk = static_cast<std::size_t>(s.n_labels) * s.stride;
      pot.reserve(static_cast<std::size_t>(longest) * s.stride);
      beta.reserve(static_cast<std::size_t>(longest) * s.stride);
      by_next.reserve(kk);
      by_prev.reserve(kk);
      start.reserve(s.stride);
      end.reserve(s.stride);
      tmp.reserve(s.stride);
      differing.reserve(static_cast<std::size_t>(longest));
      pairs.reserve(kPairs);
      for (std::size_t k = 0; k < kPairs; ++k) pairs[k].r = -1;
      for (std::size_t k = 0; k < kk; ++k)
        by_next[k] = by_prev[k] = -std::numeric_limits<R>::infinity();
    }
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return n_state + (int64_t{n_labels} + 2) * stride; }
  int32_t code_len(int64_t i) const noexcept {
    return static_cast<int32_t>(offsets[i + 1] - offsets[i]);
  }
  const int32_t* truth(int64_t i) const noexcept {
    return labels ? labels + offsets[i] : nullptr;
  }

  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    return entries_in(y, 0, code_len(i), 0, n_labels - 1);
  }
  int64_t transition_at(int32_t prev, int32_t next) const noexcept {
    return n_state + int64_t{prev} * stride + next;
  }
  int64_t start_at(int32_t l) const noexcept { return n_state + int64_t{n_labels} * stride + l; }
  int64_t end_at(int32_t l) const noexcept { return start_at(l) + stride; }

  void prepare(const R* w, Scratch& s) const noexcept {
    const R* t = w + n_state;
    R check = 0;
    for (int32_t p = 0; p < n_labels; ++p)
      for (int32_t q = 0; q < n_labels; ++q) {
        const R v = t[p * stride + q];
        check += v * R(0);
        const R masked = v + transition_mask[p * stride + q];
        s.by_prev[static_cast<std::size_t>(p) * stride + q] = masked;
        s.by_next[static_cast<std::size_t>(q) * stride + p] = masked;
      }
    const R *sw = w + start_at(0), *ew = w + end_at(0);
    for (int32_t l = 0; l < stride; ++l) {
      check += sw[l] * R(0) + ew[l] * R(0);
      s.start[static_cast<std::size_t>(l)] = sw[l] + start_mask[l];
      s.end[static_cast<std::size_t>(l)] = ew[l] + end_mask[l];
    }
    s.shared_finite = check == 0;
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    if (!state_ptr) {
      const chain::Load<R> a{rows, offsets[i], offsets[i + 1], w, stride, s.pot.data()};
      s.finite = kernels.load(a) == 0 && s.shared_finite;
      return;
    }
    R check = 0;
    for (int64_t r = offsets[i]; r < offsets[i + 1]; ++r) {
      R* pot = s.pot.data() + (r - offsets[i]) * stride;
      for (int32_t l = 0; l < stride; ++l) pot[l] = 0;
      const auto row = rows.row(r);
      for (int64_t k = 0; k < row.nnz; ++k) {
        const int64_t f = row.feature(k);
        const R v = row.value(k);
        for (int64_t p = state_ptr[f]; p < state_ptr[f + 1]; ++p) pot[state_label[p]] += v * w[p];
      }
      for (int32_t l = 0; l < n_labels; ++l) check += pot[l] * R(0);
    }
    s.finite = check == 0 && s.shared_finite;
  }

  // What Delta is measured against.
  const int32_t* known() const noexcept { return cost_row ? cost_row : labels; }

  chain::Sweep<R> sweep(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    const int64_t first = offsets[i];
    return {offsets[i + 1] - first,
            n_labels,
            stride,
            s.pot.data(),
            s.by_next.data(),
            s.by_prev.data(),
            s.start.data(),
            s.end.data(),
            labels ? known() + first : nullptr,
            loss_scale != 0 ? cost : nullptr,
            token_weight ? token_weight + first : nullptr,
            static_cast<R>(loss_scale),
            s.beta.data(),
            s.tmp.data(),
            code};
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(kernels.viterbi(sweep(i, loss_scale, s, code)));
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    const int64_t length = offsets[i + 1] - offsets[i];
    const R* pot = s.pot.data();
    double sum = static_cast<double>(s.start[static_cast<std::size_t>(y[0])]) +
                 static_cast<double>(s.end[static_cast<std::size_t>(y[length - 1])]) +
                 static_cast<double>(pot[y[0]]);
    for (int64_t t = 1; t < length; ++t)
      sum += static_cast<double>(pot[t * stride + y[t]]) +
             static_cast<double>(s.by_prev[static_cast<std::size_t>(y[t - 1]) * stride + y[t]]);
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    const int64_t first = offsets[i], length = offsets[i + 1] - first;
    const int32_t* row = known() + first;
    double sum = 0;
    for (int64_t t = 0; t < length; ++t) {
      const double c = static_cast<double>(cost[int64_t{row[t]} * stride + z[t]]);
      sum += token_weight ? c * static_cast<double>(token_weight[first + t]) : c;
    }
    return sum;
  }

  // Index of the state weight of (f, l), or -1 where a compact layout has none.
  int64_t state_at(int64_t f, int32_t l) const noexcept {
    if (!state_ptr) return f * stride + l;
    for (int64_t p = state_ptr[f]; p < state_ptr[f + 1]; ++p)
      if (state_label[p] == l) return p;
    return -1;
  }

  template <class Sink>
  void emit_state(int64_t r, int32_t l, double a, Sink& sink) const noexcept {
    const auto row = rows.row(r);
    if (!state_ptr) {
      if (row.val)
        for (int64_t k = 0; k < row.nnz; ++k)
          sink(row.feature(k) * stride + l, a * static_cast<double>(row.val[k]));
      else
        for (int64_t k = 0; k < row.nnz; ++k) sink(int64_t{row.idx[k]} * stride + l, a);
      return;
    }
    for (int64_t k = 0; k < row.nnz; ++k) {
      const int64_t j = state_at(row.feature(k), l);
      if (j >= 0) sink(j, a * static_cast<double>(row.value(k)));
    }
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int64_t first = offsets[i], length = offsets[i + 1] - first;
    for (int64_t t = 0; t < length; ++t) {
      emit_state(first + t, y[t], a, sink);
      if (t) sink(transition_at(y[t - 1], y[t]), a);
    }
    sink(start_at(y[0]), a);
    sink(end_at(y[length - 1]), a);
  }

  template <class Sink>
  void emit_chain_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                       Sink& sink) const noexcept {
    const int64_t length = offsets[i + 1] - offsets[i];
    for (int64_t t = 1; t < length; ++t)
      if (y[t - 1] != z[t - 1] || y[t] != z[t]) {
        sink(transition_at(y[t - 1], y[t]), a);
        sink(transition_at(z[t - 1], z[t]), -a);
      }
    if (y[0] != z[0]) {
      sink(start_at(y[0]), a);
      sink(start_at(z[0]), -a);
    }
    if (y[length - 1] != z[length - 1]) {
      sink(end_at(y[length - 1]), a);
      sink(end_at(z[length - 1]), -a);
    }
  }

  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    const int64_t first = offsets[i], length = offsets[i + 1] - first;
    for (int64_t t = 0; t < length; ++t)
      if (y[t] != z[t]) {
        emit_state(first + t, y[t], a, sink);
        emit_state(first + t, z[t], -a, sink);
      }
    emit_chain_diff(i, y, z, a, sink);
  }

  // Parts: label l of token t.
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = code_len(i);
    shape[1] = n_labels;
    return 2;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    for (int64_t t = 0; t < code_len(i); ++t) f(t * n_labels + y[t]);
  }
  // Constraints stay: they are no potentials.
  void clear(int64_t i, Scratch& s) const noexcept {
    for (int32_t p = 0; p < n_labels; ++p)
      for (int32_t q = 0; q < n_labels; ++q)
        s.by_prev[static_cast<std::size_t>(p) * stride + q] =
            s.by_next[static_cast<std::size_t>(q) * stride + p] =
                transition_mask[p * stride + q];
    std::copy(start_mask, start_mask + stride, s.start.data());
    std::copy(end_mask, end_mask + stride, s.end.data());
    std::fill(s.pot.data(), s.pot.data() + code_len(i) * int64_t{stride}, R(0));
    s.finite = s.shared_finite = true;
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const noexcept {
    R check = 0;
    for (int64_t t = 0; t < code_len(i); ++t)
      for (int32_t l = 0; l < n_labels; ++l) {
        const R v = static_cast<R>(a) * scores[t * n_labels + l];
        s.pot[static_cast<std::size_t>(t * stride + l)] += v;
        check += v * R(0);
      }
    s.finite = s.finite && check == 0;
  }

  double pair_dot(int64_t r, int64_t q, Scratch& s) const noexcept {
    auto& pair = s.pairs[static_cast<std::size_t>(r * 61 + q) % Scratch::kPairs];
    if (pair.r != r || pair.s != q) pair = {r, q, rows.dot(r, q)};
    return pair.dot;
  }

  // Negative if memory ran out.
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z,
                         Scratch& s) const noexcept {
    const int64_t first = offsets[i], length = offsets[i + 1] - first;
    s.sparse.clear();
    auto& diff = s.differing;
    diff.clear();
    for (int64_t t = 0; t < length; ++t)
      if (y[t] != z[t]) diff.push_back(static_cast<int32_t>(t));
    double sum = 0;
    if (state_ptr || (diff.size() > 12 && !rows.dense())) {
      for (const int32_t t : diff) {
        emit_state(first + t, y[t], 1.0, s.sparse);
        emit_state(first + t, z[t], -1.0, s.sparse);
      }
    } else {
      // ||sum_t x_t (e_{y_t} - e_{z_t})||^2: tokens interact only where they share a label.
      for (std::size_t p = 0; p < diff.size(); ++p) {
        const int32_t t = diff[p];
        sum += 2 * row_sqnorm[first + t];
        for (std::size_t q = 0; q < p; ++q) {
          const int32_t u = diff[q];
          const int shared = (y[t] == y[u]) - (y[t] == z[u]) - (z[t] == y[u]) + (z[t] == z[u]);
          if (shared) sum += 2 * shared * pair_dot(first + t, first + u, s);
        }
      }
    }
    emit_chain_diff(i, y, z, 1.0, s.sparse);
    if (s.sparse.overflow) return -1;
    return sum + s.sparse.sqnorm();
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_rows");
    rows.fields(f, "n_rows+1", "nnz|n_rows*n_features");
    f.array("labels", labels, "n_rows", "0..n_labels-1", kOptional);
    f.array("cost_row", cost_row, "n_rows", "0..n_costs-1", kOptional);
    f.array("token_weight", token_weight, "n_rows", "0..", kOptional);
    f.number("n_labels", n_labels, "1..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.number("n_costs", n_costs, "n_labels..1073741824");
    f.array("cost", cost, "n_costs,stride", "0..");
    f.array("transition_mask", transition_mask, "n_labels,stride", "finite or -inf");
    f.array("start_mask", start_mask, "stride", "finite or -inf");
    f.array("end_mask", end_mask, "stride", "finite or -inf");
    f.array("state_ptr", state_ptr, "n_features+1", "0..n_state rising", kOptional);
    f.array("state_label", state_label, "n_state", "0..n_labels-1; with state_ptr", kOptional);
    f.number("n_state", n_state, "0..");
    f.derived(row_sqnorm, labels ? offsets[n] : 0, [this](int64_t r) { return rows.sqnorm(r); });
  }
  const char* wrong() const noexcept {
    if (!state_ptr && n_state != rows.n_features * stride)
      return "n_state must be n_features * stride where there is no state_ptr";
    for (int32_t l = n_labels; l < stride; ++l)
      if (start_mask[l] >= 0 || end_mask[l] >= 0)
        return "start_mask and end_mask must be -inf in the padding";
    if (!table_fits(longest_block(offsets, n), stride))
      return "the tables of the longest sequence are too large";
    return nullptr;
  }
};

}  // namespace pystruct_ext
