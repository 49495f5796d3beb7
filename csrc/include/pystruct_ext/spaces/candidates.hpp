// One of the rows of an example: psi(x, y) = x_y, Delta given per row. The smallest space whose
// outputs have features of their own; the steps of a sequential ranking are examples of it.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/row_scores.hpp"

namespace pystruct_ext {

template <class R>
struct CandidateSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  Rows<R> rows;
  int64_t n = 0, max_rows = 0;
  const int64_t* offsets = nullptr;   // (n + 1,)
  const int32_t* labels = nullptr;    // (n,) the row of the truth, from 0 in its example
  const double* row_loss = nullptr;   // (n_rows,) 0 at the truth
  row_scores::Fill<R> fill = row_scores::choose<R>(detect_isa());

  struct Scratch {
    AlignedBuffer<double> s;
    bool finite = true;
    explicit Scratch(const CandidateSpace& a) { s.reserve(static_cast<std::size_t>(a.max_rows)); }
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return rows.n_features; }
  int32_t code_len(int64_t) const noexcept { return 1; }
  const int32_t* truth(int64_t i) const noexcept { return labels ? labels + i : nullptr; }
  void load(const R* w, int64_t i, Scratch& a) const noexcept {
    a.finite = fill(rows, offsets[i], offsets[i + 1], w, a.s.data());
  }
  double argmax(int64_t i, double scale, Scratch& a, int32_t* code) const noexcept {
    if (!a.finite) return std::numeric_limits<double>::quiet_NaN();
    double best = -std::numeric_limits<double>::infinity();
    const int64_t b = offsets[i];
    for (int64_t d = 0; d < offsets[i + 1] - b; ++d) {
      const double v = a.s[static_cast<std::size_t>(d)] + (scale != 0 ? scale * row_loss[b + d] : 0);
      if (v > best) {
        best = v;
        *code = static_cast<int32_t>(d);
      }
    }
    return best;
  }
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    return entries_in(y, 0, 1, 0, offsets[i + 1] - offsets[i] - 1);
  }
  double score(int64_t, const Scratch& a, const int32_t* y) const noexcept {
    return a.s[static_cast<std::size_t>(*y)];
  }
  double loss(int64_t i, const int32_t* z) const noexcept { return row_loss[offsets[i] + *z]; }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const auto row = rows.row(offsets[i] + *y);
    for (int64_t k = 0; k < row.nnz; ++k)
      sink(row.feature(k), a * static_cast<double>(row.value(k)));
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    if (*y == *z) return;
    psi(i, y, a, sink);
    psi(i, z, -a, sink);
  }
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch&) const noexcept {
    if (*y == *z) return 0;
    const int64_t r = offsets[i] + *y, s = offsets[i] + *z;
    const double d = rows.sqnorm(r) + rows.sqnorm(s) - 2 * rows.dot(r, s);
    return d > 0 ? d : 0;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_rows");
    rows.fields(f, "n_rows+1", "nnz|n_rows*n_features");
    f.array("labels", labels, "n", "0..#offsets-1", kOptional);
    f.array("row_loss", row_loss, "n_rows", "finite; with labels", kOptional);
    f.number("max_rows", max_rows, "1..n_rows");
  }
  const char* wrong() const noexcept {
    return max_rows < longest_block(offsets, n) ? "max_rows is less than the rows of an example"
                                                : nullptr;
  }
};

}  // namespace pystruct_ext
