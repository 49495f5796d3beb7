// Scores <w, x_r> of consecutive rows: the only feature access of the ranking kernels.
#pragma once

#include <cmath>
#include <cstdint>

#include "pystruct_ext/rows.hpp"
#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {
namespace row_scores {

template <class R, int kWidth>
PSX_INLINE double dense_dot(const R* w, const R* x, int64_t d) {
  using V = Vec<R, kWidth>;
  V a = V::splat(R(0)), b = a;
  int64_t j = 0;
  for (; j + 2 * kWidth <= d; j += 2 * kWidth) {
    a = a + V::load(w + j) * V::load(x + j);
    b = b + V::load(w + j + kWidth) * V::load(x + j + kWidth);
  }
  if (j + kWidth <= d) {
    a = a + V::load(w + j) * V::load(x + j);
    j += kWidth;
  }
  R lane[kWidth];
  (a + b).store(lane);
  double sum = 0;
  for (int k = 0; k < kWidth; ++k) sum += static_cast<double>(lane[k]);
  for (; j < d; ++j) sum += static_cast<double>(w[j]) * static_cast<double>(x[j]);
  return sum;
}

// out[r - begin] = <w, x_r>; returns false if one is NaN or infinite.
template <class R, int kWidth>
PSX_INLINE bool fill(const Rows<R>& rows, int64_t begin, int64_t end, const R* w, double* out) {
  bool finite = true;
  for (int64_t r = begin; r < end; ++r) {
    const auto row = rows.row(r);
    double s = 0;
    if (!row.idx) {
      s = dense_dot<R, kWidth>(w, row.val, row.nnz);
    } else if (row.val) {
      for (int64_t k = 0; k < row.nnz; ++k)
        s += static_cast<double>(w[row.idx[k]]) * static_cast<double>(row.val[k]);
    } else {
      for (int64_t k = 0; k < row.nnz; ++k) s += static_cast<double>(w[row.idx[k]]);
    }
    finite = finite && std::isfinite(s);
    out[r - begin] = s;
  }
  return finite;
}

template <class R>
bool fill_baseline(const Rows<R>& a, int64_t b, int64_t e, const R* w, double* o) {
  return fill<R, 16 / sizeof(R)>(a, b, e, w, o);
}
template <class R>
PSX_TARGET_AVX2 bool fill_avx2(const Rows<R>& a, int64_t b, int64_t e, const R* w, double* o) {
  return fill<R, 32 / sizeof(R)>(a, b, e, w, o);
}
template <class R>
PSX_TARGET_AVX512 bool fill_avx512(const Rows<R>& a, int64_t b, int64_t e, const R* w, double* o) {
  return fill<R, 64 / sizeof(R)>(a, b, e, w, o);
}

template <class R>
using Fill = bool (*)(const Rows<R>&, int64_t, int64_t, const R*, double*);

template <class R>
Fill<R> choose(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa == Isa::kAvx512) return fill_avx512<R>;
  if (isa == Isa::kAvx2) return fill_avx2<R>;
#endif
  (void)isa;
  return fill_baseline<R>;
}

}  // namespace row_scores
}  // namespace pystruct_ext
