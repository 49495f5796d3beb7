// The hot loops of the first-order chain, compiled for several instruction sets.
//
// All arrays are padded: K labels occupy `stride` entries, a multiple of 8, and padding labels are
// kept at -inf by the masks, so that no loop has a tail.
#pragma once

#include <cstdint>
#include <limits>

#include "pystruct_ext/rows.hpp"
#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {
namespace chain {

// Arguments of one block, so that the three instruction sets share one signature.
template <class real>
struct Sweep {
  int64_t length;             // T
  int32_t n_labels, stride;   // K, padded K
  const real* pot;            // (T, stride) potentials
  const real* by_next;        // (K, stride) transition scores [next][prev], -inf where forbidden
  const real* by_prev;        // (K, stride) the same, [prev][next]
  const real *start, *end;    // (stride,)
  const int32_t* cost_row;    // (T,)
  const real* cost;           // (., stride) cost[row][y_hat], or nullptr: no loss augmentation
  const real* token_weight;   // (T,) or nullptr
  real loss_scale;
  real* beta;                 // (T, stride) out: best score of y_t .. y_{T-1} given y_t
  real* tmp;                  // (stride,)
  int32_t* code;              // (T,) out
};

template <class real>
struct Load {
  Rows<real> rows;
  int64_t first, last;  // rows of the block
  const real* w;        // (n_features, stride)
  int32_t stride;
  real* pot;            // (last - first, stride) out
};

// Potentials of a block for kN vectors of labels from column `c`. Returns a value that is zero if
// every potential is finite and NaN otherwise.
template <class real, int kW, int kN>
PSX_INLINE real load_columns(const Load<real>& a, int32_t c) {
  using V = Vec<real, kW>;
  const int64_t stride = a.stride;
  V check = V::splat(0);
  const V zero = V::splat(0);
  const real* w = a.w + c;
  if (a.rows.dense()) {
    const int64_t d = a.rows.n_features;
    int64_t r = a.first;
    // Two rows at a time: each weight row loaded from the cache serves both.
    for (; r + 2 <= a.last; r += 2) {
      V acc0[kN], acc1[kN];
      for (int k = 0; k < kN; ++k) acc0[k] = acc1[k] = V::splat(0);
      const real* x0 = a.rows.values + r * d;
      const real* x1 = x0 + d;
      for (int64_t f = 0; f < d; ++f) {
        const V v0 = V::splat(x0[f]), v1 = V::splat(x1[f]);
        const real* wf = w + f * stride;
        for (int k = 0; k < kN; ++k) {
          const V wk = V::load(wf + k * kW);
          acc0[k] = acc0[k] + wk * v0;
          acc1[k] = acc1[k] + wk * v1;
        }
      }
      real* out = a.pot + (r - a.first) * stride + c;
      for (int k = 0; k < kN; ++k) {
        acc0[k].store(out + k * kW);
        acc1[k].store(out + stride + k * kW);
        check = check + acc0[k] * zero + acc1[k] * zero;
      }
    }
    for (; r < a.last; ++r) {
      V acc[kN];
      for (int k = 0; k < kN; ++k) acc[k] = V::splat(0);
      const real* x = a.rows.values + r * d;
      for (int64_t f = 0; f < d; ++f) {
        const V v = V::splat(x[f]);
        const real* wf = w + f * stride;
        for (int k = 0; k < kN; ++k) acc[k] = acc[k] + V::load(wf + k * kW) * v;
      }
      real* out = a.pot + (r - a.first) * stride + c;
      for (int k = 0; k < kN; ++k) {
        acc[k].store(out + k * kW);
        check = check + acc[k] * zero;
      }
    }
  } else {
    const int32_t* idx = a.rows.indices;
    const real* val = a.rows.values;
    const int64_t stop = a.rows.indptr[a.last];
    constexpr int64_t kAhead = 24;  // rows in flight: about the latency of memory
    for (int64_t r = a.first; r < a.last; ++r) {
      V acc[kN];
      for (int k = 0; k < kN; ++k) acc[k] = V::splat(0);
      const int64_t end = a.rows.indptr[r + 1];
      for (int64_t p = a.rows.indptr[r]; p < end; ++p) {
        if (p + kAhead < stop) {
          const real* ahead = w + static_cast<int64_t>(idx[p + kAhead]) * stride;
          PSX_PREFETCH(ahead);
          PSX_PREFETCH(ahead + (kN * kW - 1));
        }
        const real* wf = w + static_cast<int64_t>(idx[p]) * stride;
        if (val) {
          const V v = V::splat(val[p]);
          for (int k = 0; k < kN; ++k) acc[k] = acc[k] + V::load(wf + k * kW) * v;
        } else {
          for (int k = 0; k < kN; ++k) acc[k] = acc[k] + V::load(wf + k * kW);
        }
      }
      real* out = a.pot + (r - a.first) * stride + c;
      for (int k = 0; k < kN; ++k) {
        acc[k].store(out + k * kW);
        check = check + acc[k] * zero;
      }
    }
  }
  real lanes[kW], sum = 0;
  check.store(lanes);
  for (int k = 0; k < kW; ++k) sum += lanes[k];
  return sum;
}

// beta_t(l) = e_t(l) + max_n transition(l, n) + beta_{t+1}(n), for kN vectors of l from column c.
template <class real, int kW, int kN>
PSX_INLINE void step_columns(const Sweep<real>& s, int64_t t, int32_t c) {
  using V = Vec<real, kW>;
  const int64_t stride = s.stride;
  V best[kN];
  if (t + 1 == s.length) {
    for (int k = 0; k < kN; ++k) best[k] = V::load(s.end + c + k * kW);
  } else {
    const real* next = s.beta + (t + 1) * stride;
    const real* trans = s.by_next + c;
    V other[kN];
    for (int k = 0; k < kN; ++k)
      best[k] = other[k] = V::splat(-std::numeric_limits<real>::infinity());
    int32_t n = 0;
    // Two running maxima: the chain of dependent max instructions is the bottleneck.
    for (; n + 2 <= s.n_labels; n += 2) {
      const V b0 = V::splat(next[n]), b1 = V::splat(next[n + 1]);
      const real* t0 = trans + n * stride;
      const real* t1 = t0 + stride;
      for (int k = 0; k < kN; ++k) {
        best[k] = V::max(best[k], V::load(t0 + k * kW) + b0);
        other[k] = V::max(other[k], V::load(t1 + k * kW) + b1);
      }
    }
    if (n < s.n_labels) {
      const V b = V::splat(next[n]);
      for (int k = 0; k < kN; ++k)
        best[k] = V::max(best[k], V::load(trans + n * stride + k * kW) + b);
    }
    for (int k = 0; k < kN; ++k) best[k] = V::max(best[k], other[k]);
  }
  const real* pot = s.pot + t * stride + c;
  real* out = s.beta + t * stride + c;
  if (s.cost) {
    const V scale = V::splat(s.loss_scale * (s.token_weight ? s.token_weight[t] : real(1)));
    const real* cost = s.cost + int64_t{s.cost_row[t]} * stride + c;
    for (int k = 0; k < kN; ++k)
      (best[k] + (V::load(pot + k * kW) + V::load(cost + k * kW) * scale)).store(out + k * kW);
  } else {
    for (int k = 0; k < kN; ++k) (best[k] + V::load(pot + k * kW)).store(out + k * kW);
  }
}

// max_l a(l) + b(l), the smallest maximiser in *arg.
template <class real, int kW>
PSX_INLINE real first_max(const real* a, const real* b, real* tmp, int32_t stride, int32_t* arg) {
  using V = Vec<real, kW>;
  V m = V::splat(-std::numeric_limits<real>::infinity());
  for (int32_t k = 0; k < stride; k += kW) {
    const V v = V::load(a + k) + V::load(b + k);
    v.store(tmp + k);
    m = V::max(m, v);
  }
  real lanes[kW];
  m.store(lanes);
  real best = lanes[0];
  for (int k = 1; k < kW; ++k) best = lanes[k] > best ? lanes[k] : best;
  int32_t l = 0;
  while (l + 1 < stride && tmp[l] != best) ++l;
  *arg = l;
  return best;
}

#define PSX_CHAIN_TILES(F, TOTAL)                              \
  for (int32_t c = 0; c < (TOTAL);) {                          \
    const int32_t left = ((TOTAL)-c) / kW;                     \
    if (left >= 4) {                                           \
      F(4);                                                    \
      c += 4 * kW;                                             \
    } else if (left == 3) {                                    \
      F(3);                                                    \
      c += 3 * kW;                                             \
    } else if (left == 2) {                                    \
      F(2);                                                    \
      c += 2 * kW;                                             \
    } else {                                                   \
      F(1);                                                    \
      c += kW;                                                 \
    }                                                          \
  }

template <class real, int kW>
PSX_INLINE real load_body(const Load<real>& a) {
  real check = 0;
#define PSX_F(N) check += load_columns<real, kW, N>(a, c)
  PSX_CHAIN_TILES(PSX_F, a.stride)
#undef PSX_F
  return check;
}

// Backward Viterbi, then the path forward: the lexicographically smallest maximiser.
template <class real, int kW>
PSX_INLINE real viterbi_body(const Sweep<real>& s) {
  for (int64_t t = s.length - 1; t >= 0; --t) {
#define PSX_F(N) step_columns<real, kW, N>(s, t, c)
    PSX_CHAIN_TILES(PSX_F, s.stride)
#undef PSX_F
  }
  const real best = first_max<real, kW>(s.start, s.beta, s.tmp, s.stride, &s.code[0]);
  for (int64_t t = 1; t < s.length; ++t)
    first_max<real, kW>(s.by_prev + static_cast<int64_t>(s.code[t - 1]) * s.stride,
                        s.beta + t * s.stride, s.tmp, s.stride, &s.code[t]);
  return best;
}
#undef PSX_CHAIN_TILES

template <class real>
real load_baseline(const Load<real>& a) {
  return load_body<real, 16 / static_cast<int>(sizeof(real))>(a);
}
template <class real>
real viterbi_baseline(const Sweep<real>& s) {
  return viterbi_body<real, 16 / static_cast<int>(sizeof(real))>(s);
}
template <class real>
PSX_TARGET_AVX2 real load_avx2(const Load<real>& a) {
  return load_body<real, 32 / static_cast<int>(sizeof(real))>(a);
}
template <class real>
PSX_TARGET_AVX2 real viterbi_avx2(const Sweep<real>& s) {
  return viterbi_body<real, 32 / static_cast<int>(sizeof(real))>(s);
}
// 64-byte vectors need a stride of whole vectors; shorter ones still gain from the encoding.
template <class real>
PSX_TARGET_AVX512 real load_avx512(const Load<real>& a) {
  constexpr int kFull = 64 / static_cast<int>(sizeof(real));
  if (a.stride % kFull == 0) return load_body<real, kFull>(a);
  return load_body<real, kFull / 2>(a);
}
template <class real>
PSX_TARGET_AVX512 real viterbi_avx512(const Sweep<real>& s) {
  constexpr int kFull = 64 / static_cast<int>(sizeof(real));
  if (s.stride % kFull == 0) return viterbi_body<real, kFull>(s);
  return viterbi_body<real, kFull / 2>(s);
}

template <class real>
struct Kernels {
  real (*load)(const Load<real>&);
  real (*viterbi)(const Sweep<real>&);
  explicit Kernels(Isa isa) : load(load_baseline<real>), viterbi(viterbi_baseline<real>) {
    if (isa == Isa::kAvx2) {
      load = load_avx2<real>;
      viterbi = viterbi_avx2<real>;
    } else if (isa == Isa::kAvx512) {
      load = load_avx512<real>;
      viterbi = viterbi_avx512<real>;
    }
  }
};

}  // namespace chain
}  // namespace pystruct_ext
