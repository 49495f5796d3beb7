// Cholesky factors of sparse symmetric matrices, rows stored from their first entry on.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext::skyline {

PSX_INLINE double dot(const double* a, const double* b, std::size_t n) noexcept {
  using V = Vec<double, 8>;
  V sum = V::splat(0);
  std::size_t k = 0;
  for (; k + 8 <= n; k += 8) sum = sum + V::load(a + k) * V::load(b + k);
  double lanes[8];
  sum.store(lanes);
  double rest = 0;
  for (; k < n; ++k) rest += a[k] * b[k];
  return rest + ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// Row i holds columns first[i] .. i from entries + at[i] on. A pivot that has vanished is raised.
PSX_INLINE void factor_body(double* entries, const std::size_t* at, const int32_t* first,
                            int32_t n) noexcept {
  for (int32_t i = 0; i < n; ++i) {
    double* row = entries + at[i] - first[i];
    const double before = row[i];
    for (int32_t j = first[i]; j < i; ++j) {
      const double* other = entries + at[j] - first[j];
      const int32_t from = first[i] > first[j] ? first[i] : first[j];
      row[j] = (row[j] - dot(row + from, other + from, std::size_t(j - from))) / other[j];
    }
    const double pivot = before - dot(row + first[i], row + first[i], std::size_t(i - first[i]));
    row[i] = pivot > 1e-15 * before ? std::sqrt(pivot) : 1e50;
  }
}
using Factor = void (*)(double*, const std::size_t*, const int32_t*, int32_t) noexcept;
inline void factor_baseline(double* x, const std::size_t* at, const int32_t* first,
                            int32_t n) noexcept {
  factor_body(x, at, first, n);
}
#if PSX_X86_DISPATCH
PSX_TARGET_AVX2 inline void factor_avx2(double* x, const std::size_t* at, const int32_t* first,
                                        int32_t n) noexcept {
  factor_body(x, at, first, n);
}
PSX_TARGET_AVX512 inline void factor_avx512(double* x, const std::size_t* at, const int32_t* first,
                                            int32_t n) noexcept {
  factor_body(x, at, first, n);
}
#endif
inline Factor choose(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa == Isa::kAvx512) return factor_avx512;
  if (isa == Isa::kAvx2) return factor_avx2;
#endif
  (void)isa;
  return factor_baseline;
}

}  // namespace pystruct_ext::skyline

namespace pystruct_ext {

class SkylineCholesky {
 public:
  SkylineCholesky() : factor_(skyline::choose(detect_isa())) {}
  // first[i] <= i: the first column of row i. Throws std::bad_alloc beyond 512 MB, too.
  void shape(std::vector<int32_t> first) {
    first_ = std::move(first);
    at_.clear();
    std::size_t size = 0;
    for (std::size_t i = 0; i < first_.size(); ++i) {
      at_.push_back(size);
      size += i + 1 - std::size_t(first_[i]);
    }
    if (size > std::size_t(1) << 26) throw std::bad_alloc();
    entries_.assign(size, 0.0);
  }
  void clear() { entries_.assign(entries_.size(), 0.0); }
  double& at(int32_t i, int32_t j) noexcept {  // of the lower half, inside the shape
    return entries_[at_[std::size_t(i)] + std::size_t(j - first_[std::size_t(i)])];
  }
  void factor() noexcept {
    factor_(entries_.data(), at_.data(), first_.data(), int32_t(first_.size()));
  }
  void solve(double* x) const noexcept {
    const int32_t n = int32_t(first_.size());
    for (int32_t i = 0; i < n; ++i) {
      const double* row = entries_.data() + at_[std::size_t(i)];
      const int32_t from = first_[std::size_t(i)];
      double sum = x[i];
      for (int32_t j = from; j < i; ++j) sum -= row[j - from] * x[j];
      x[i] = sum / row[i - from];
    }
    for (int32_t i = n - 1; i >= 0; --i) {
      const double* row = entries_.data() + at_[std::size_t(i)];
      const int32_t from = first_[std::size_t(i)];
      x[i] /= row[i - from];
      for (int32_t j = from; j < i; ++j) x[j] -= row[j - from] * x[i];
    }
  }

 private:
  skyline::Factor factor_;
  std::vector<int32_t> first_;
  std::vector<std::size_t> at_;
  std::vector<double> entries_;
};

}  // namespace pystruct_ext
