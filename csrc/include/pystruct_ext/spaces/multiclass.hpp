// Multiclass (Crammer and Singer 2001): y is one of K classes, <w, psi(x, y)> = <w_y, x>,
// Delta(y, y_hat) = cost(y, y_hat). w is feature-major: feature f, class k at f * stride + k.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/spaces/chain_kernels.hpp"

namespace pystruct_ext {

template <class R>
struct MulticlassSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  Rows<R> rows;                        // one row per example
  int64_t n = 0;
  const int32_t* labels = nullptr;     // (n,) truth
  const double* row_sqnorm = nullptr;  // (n,)
  int32_t n_labels = 0, stride = 0;
  const R* cost = nullptr;             // (K, stride)
  chain::Kernels<R> kernels{detect_isa()};

  struct Scratch {
    AlignedBuffer<R> pot;
    bool finite = true;
    explicit Scratch(const MulticlassSpace& s) { pot.reserve(static_cast<std::size_t>(s.stride)); }
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return rows.n_features * stride; }
  int32_t code_len(int64_t) const noexcept { return 1; }
  const int32_t* truth(int64_t i) const noexcept { return labels ? labels + i : nullptr; }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    const chain::Load<R> a{rows, i, i + 1, w, stride, s.pot.data()};
    s.finite = kernels.load(a) == 0;
  }
  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const R scale = static_cast<R>(loss_scale);
    const R* c = loss_scale != 0 ? cost + int64_t{labels[i]} * stride : nullptr;
    R best = -std::numeric_limits<R>::infinity();
    for (int32_t k = 0; k < n_labels; ++k) {
      const R v = s.pot[static_cast<std::size_t>(k)] + (c ? scale * c[k] : R(0));
      if (v > best) {
        best = v;
        *code = k;
      }
    }
    return static_cast<double>(best);
  }
  CodeFault check_code(int64_t, const int32_t* y) const noexcept {
    return entries_in(y, 0, 1, 0, n_labels - 1);
  }
  double score(int64_t, const Scratch& s, const int32_t* y) const noexcept {
    return static_cast<double>(s.pot[static_cast<std::size_t>(*y)]);
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    return static_cast<double>(cost[int64_t{labels[i]} * stride + *z]);
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const auto row = rows.row(i);
    for (int64_t k = 0; k < row.nnz; ++k)
      sink(row.feature(k) * stride + *y, a * static_cast<double>(row.value(k)));
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    if (*y == *z) return;
    const auto row = rows.row(i);
    for (int64_t k = 0; k < row.nnz; ++k) {
      const int64_t j = row.feature(k) * stride;
      const double v = a * static_cast<double>(row.value(k));
      sink(j + *y, v);
      sink(j + *z, -v);
    }
  }
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch&) const noexcept {
    return *y == *z ? 0.0 : 2 * row_sqnorm[i];
  }

  // Parts: the classes.
  int part_shape(int64_t, int64_t* shape) const noexcept {
    shape[0] = n_labels;
    return 1;
  }
  template <class F>
  void each_part(int64_t, const int32_t* y, F&& f) const noexcept {
    f(int64_t{*y});
  }
  void clear(int64_t, Scratch& s) const noexcept {
    std::fill(s.pot.data(), s.pot.data() + stride, R(0));
    s.finite = true;
  }
  void add_parts(int64_t, double a, const R* scores, Scratch& s) const noexcept {
    R check = 0;
    for (int32_t k = 0; k < n_labels; ++k) {
      s.pot[static_cast<std::size_t>(k)] += static_cast<R>(a) * scores[k];
      check += scores[k] * R(0);
    }
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.number("n", n, "0..");
    rows.fields(f, "n+1", "nnz|n*n_features");
    f.array("labels", labels, "n", "0..n_labels-1", kOptional);
    f.number("n_labels", n_labels, "1..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.array("cost", cost, "n_labels,stride", "0..");
    f.derived(row_sqnorm, labels ? n : 0, [this](int64_t r) { return rows.sqnorm(r); });
  }
};

}  // namespace pystruct_ext
