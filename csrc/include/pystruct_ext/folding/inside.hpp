// The recursion over nested folds (Zuker and Stiegler 1981), maximising.
//
// Design. Interior loops are a maximum over the inner pair (k, l): for a fixed k the score splits
// into a table of the inner pair, indexed by l, and a table of sizes, stored backwards, so that the
// maximum over l runs over contiguous memory and is vectorised. Multibranch loops are row updates
// as in raise_row.hpp. Back-pointers are not stored: the O(n) pairs of the best fold search again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "pystruct_ext/folding/loops.hpp"
#include "pystruct_ext/trees/raise_row.hpp"

namespace pystruct_ext {
namespace folding {

constexpr int kLoopRow = 48;  // kMaxLoop and room for vectors that run over
constexpr int kMinPair = 4;   // smallest j - i of a pair

template <class R>
struct Chart {
  Loops loops;
  int64_t stride;
  const R* w;           // (kSize,)
  const R* hairpin;     // (kMaxLoop + 1,) by length
  const R* bulge;       // (kMaxLoop + 1,) by length
  const R* bulge_back;  // [kMaxLoop - length], -inf below two
  const R* interior;    // [a * kLoopRow + kMaxLoop - a - b], -inf for one by one
  const uint8_t* may_pair;  // [i * n + j]
  const uint8_t* may_be_free;
  const int32_t *free_right, *free_left;  // bases beside that may stay free
  const R* bonus;       // [i * stride + j] added to a pair, or nullptr
  // pair: (i, j) paired. inner, closed: the same seen from an interior loop, a bulge outside.
  // one: a branch from i on, free bases after it. lead: free bases before it, too. two: two
  // branches or more. many: one or more.
  R *pair, *inner, *closed, *one, *lead, *two, *many;
  R* outer;  // (n + 1,) bases i .. n - 1 of the exterior

  template <class Call>
  PSX_INLINE R of(Call&& call) const {
    R total = 0;
    call([&](int32_t j) { total += w[j]; });
    return total;
  }
  R hairpin_of(int32_t i, int32_t j) const {
    return hairpin[std::min(j - i - 1, kMaxLoop)] +
           of([&](auto f) { loops.hairpin_bases(i, j, f); });
  }
  R inner_of(int32_t i, int32_t j, int32_t k, int32_t l) const {
    return of([&](auto f) { loops.inner(i, j, k, l, f); });
  }
  R side(int32_t i, int32_t j, int32_t next, int32_t previous) const {
    return of([&](auto f) { loops.interior_side(i, j, next, previous, f); });
  }
  R branch(int32_t i, int32_t j) const {
    return of([&](auto f) { loops.branch(i, j, f); });
  }
  R multi_closing(int32_t i, int32_t j) const {
    return of([&](auto f) { loops.multi_closing(i, j, f); });
  }
  R own(int32_t i, int32_t j) const {
    const R b = w[kPair + loops.pair(i, j)];
    return bonus ? b + bonus[i * stride + j] : b;
  }
  R at(const R* table, int32_t i, int32_t j) const { return table[i * stride + j]; }
};

// max over q of g[q] + size[q]; runs over `count`, where size is -inf.
template <class R, int kW>
PSX_INLINE R best_sum(const R* g, const R* size, int32_t count) {
  using V = Vec<R, kW>;
  V top = V::splat(-std::numeric_limits<R>::infinity());
  for (int32_t q = 0; q < count; q += kW) top = V::max(top, V::load(g + q) + V::load(size + q));
  R lane[kW];
  top.store(lane);
  R best = lane[0];
  for (int k = 1; k < kW; ++k) best = lane[k] > best ? lane[k] : best;
  return best;
}

template <class R, int kW>
PSX_INLINE R best_loop(const Chart<R>& c, int32_t i, int32_t j) {
  using V = Vec<R, kW>;
  const R none = -std::numeric_limits<R>::infinity();
  R best = none;
  const auto raise = [&](R s) { best = s > best ? s : best; };
  if (c.free_right[i] >= j - i - 1) raise(c.hairpin_of(i, j));
  // Stack and bulges of one base.
  for (int32_t q = 0; q < 3; ++q) {
    const int32_t a = q == 1, b = q == 2, k = i + 1 + a, l = j - 1 - b;
    if (l - k < kMinPair || a > c.free_right[i] || b > c.free_left[j]) continue;
    const R v = c.at(c.pair, k, l);
    if (v > none) raise(v + c.inner_of(i, j, k, l));
  }
  const int32_t room = j - i - 2 - kMinPair;
  const int32_t most_a = std::min({kMaxLoop, room, c.free_right[i]});
  const int32_t most_b = std::min({kMaxLoop, room, c.free_left[j]});
  const R close = c.w[kClosing + c.loops.pair(i, j)];
  if (most_b >= 2)
    raise(close + best_sum<R, kW>(c.closed + (i + 1) * c.stride + j - 1 - most_b,
                                  c.bulge_back + kMaxLoop - most_b, most_b - 1));
  for (int32_t a = 2; a <= most_a; ++a)
    raise(close + c.at(c.closed, i + 1 + a, j - 1) + c.bulge[a]);
  V top = V::splat(none);
  for (int32_t a = 1; a <= most_a; ++a) {
    const int32_t b = std::min({kMaxLoop - a, room - a, most_b});
    if (b < 1) break;
    const R* g = c.inner + (i + 1 + a) * c.stride + j - 1 - b;
    const R* size = c.interior + a * kLoopRow + kMaxLoop - a - b;
    for (int32_t q = 0; q < b; q += kW) top = V::max(top, V::load(g + q) + V::load(size + q));
  }
  R lane[kW];
  top.store(lane);
  R loop = lane[0];
  for (int k = 1; k < kW; ++k) loop = lane[k] > loop ? lane[k] : loop;
  if (loop > none) raise(loop + c.side(i, j, i + 1, j - 1));
  if (room >= 2 && most_a >= 1 && most_b >= 1) {
    const R v = c.at(c.pair, i + 2, j - 2);
    if (v > none) raise(v + c.inner_of(i, j, i + 2, j - 2));
  }
  const R multi = c.at(c.two, i + 1, j - 1);
  if (multi > none) raise(multi + c.multi_closing(i, j));
  return best;
}

template <class R, int kW>
PSX_INLINE R inside(const Chart<R>& c) {
  const R none = -std::numeric_limits<R>::infinity();
  const int32_t n = c.loops.n;
  const R free = c.w[kMultiUnpaired], paired = c.w[kMultiPaired];
  c.outer[n] = 0;
  for (int32_t i = n - 1; i >= 0; --i) {
    R* pair = c.pair + i * c.stride;
    R* inner = c.inner + i * c.stride;
    R* closed = c.closed + i * c.stride;
    R* one = c.one + i * c.stride;
    R* lead = c.lead + i * c.stride;
    R* two = c.two + i * c.stride;
    R* many = c.many + i * c.stride;
    for (int64_t j = 0; j < c.stride; ++j)
      pair[j] = inner[j] = closed[j] = one[j] = lead[j] = two[j] = many[j] = none;
    R outer = c.may_be_free[i] ? c.w[kOuterUnpaired] + c.outer[i + 1] : none;
    for (int32_t j = i + kMinPair; j < n; ++j) {
      if (!c.may_pair[int64_t{i} * n + j]) continue;
      const R best = best_loop<R, kW>(c, i, j);
      if (best == none) continue;
      const R v = best + c.own(i, j);
      pair[j] = v;
      closed[j] = v + c.w[kClosing + c.loops.pair(j, i)];
      if (i > 0 && j + 1 < n) inner[j] = v + c.side(j, i, j + 1, i - 1);
      const R branch = v + c.branch(i, j);
      one[j] = branch + paired;
      const R o = branch + c.w[kOuterPaired] + c.outer[j + 1];
      outer = o > outer ? o : outer;
    }
    c.outer[i] = outer;
    for (int32_t j = i + kMinPair + 1; j < n; ++j)
      if (c.may_be_free[j] && one[j - 1] + free > one[j]) one[j] = one[j - 1] + free;
    const R* next = c.lead + (i + 1) * c.stride;
    const bool skip = i + 1 < n && c.may_be_free[i];
    for (int32_t j = i + kMinPair; j < n; ++j) {
      lead[j] = one[j];
      if (skip && next[j] + free > lead[j]) lead[j] = next[j] + free;
      many[j] = two[j] > lead[j] ? two[j] : lead[j];
      // Branches from j + 1 on join what ends at j.
      if (j + 1 + kMinPair < n && many[j] > none)
        raise_row<R, kW>(two, many[j], c.one + (j + 1) * c.stride, j + 1 + kMinPair, n - 1);
    }
  }
  return c.outer[0];
}

template <class R>
R inside_baseline(const Chart<R>& c) {
  return inside<R, 16 / sizeof(R)>(c);
}
template <class R>
PSX_TARGET_AVX2 R inside_avx2(const Chart<R>& c) {
  return inside<R, 32 / sizeof(R)>(c);
}
template <class R>
PSX_TARGET_AVX512 R inside_avx512(const Chart<R>& c) {
  return inside<R, 64 / sizeof(R)>(c);
}
template <class R>
using Inside = R (*)(const Chart<R>&);
template <class R>
Inside<R> choose(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa == Isa::kAvx512) return inside_avx512<R>;
  if (isa == Isa::kAvx2) return inside_avx2<R>;
#endif
  (void)isa;
  return inside_baseline<R>;
}

// The best fold. Every part takes the alternative with the largest value, of equal ones the first.
template <class R>
struct Backtrace {
  const Chart<R>& c;
  int32_t* partner;

  static constexpr R kNone = -std::numeric_limits<R>::infinity();

  void run() const {
    const int32_t n = c.loops.n;
    std::fill(partner, partner + n, -1);
    for (int32_t i = 0; i < n;) {
      R best = c.may_be_free[i] ? c.w[kOuterUnpaired] + c.outer[i + 1] : kNone;
      int32_t arg = -1;
      for (int32_t j = i + kMinPair; j < n; ++j) {
        const R v = c.at(c.pair, i, j);
        if (v == kNone) continue;
        const R o = v + c.branch(i, j) + c.w[kOuterPaired] + c.outer[j + 1];
        if (o > best) {
          best = o;
          arg = j;
        }
      }
      if (arg >= 0) paired(i, arg);
      i = arg < 0 ? i + 1 : arg + 1;
    }
  }

  void paired(int32_t i, int32_t j) const {
    for (;;) {
      partner[i] = j;
      partner[j] = i;
      R best = c.free_right[i] >= j - i - 1 ? c.hairpin_of(i, j) : kNone;
      int32_t bk = -1, bl = -1;
      const int32_t room = j - i - 2 - kMinPair;
      for (int32_t a = 0; a <= std::min({kMaxLoop, room, c.free_right[i]}); ++a)
        for (int32_t b = 0; b <= std::min({kMaxLoop - a, room - a, c.free_left[j]}); ++b) {
          const int32_t k = i + 1 + a, l = j - 1 - b;
          const R v = c.at(c.pair, k, l);
          if (v == kNone) continue;
          const R s = v + c.inner_of(i, j, k, l);
          if (s > best) {
            best = s;
            bk = k;
            bl = l;
          }
        }
      const R multi = c.at(c.two, i + 1, j - 1);
      if (multi > kNone && multi + c.multi_closing(i, j) > best) {
        branches(i + 1, j - 1);
        return;
      }
      if (bk < 0) return;
      i = bk;
      j = bl;
    }
  }

  // two[i][j]: the last branch starts at k.
  void branches(int32_t i, int32_t j) const {
    for (;;) {
      R best = kNone;
      int32_t arg = -1;
      for (int32_t k = i + kMinPair + 1; k + kMinPair <= j; ++k) {
        const R a = c.at(c.many, i, k - 1), b = c.at(c.one, k, j);
        if (a > kNone && b > kNone && a + b > best) {
          best = a + b;
          arg = k;
        }
      }
      last(arg, j);
      j = arg - 1;
      if (c.at(c.two, i, j) > c.at(c.lead, i, j)) continue;
      leading(i, j);
      return;
    }
  }
  void leading(int32_t i, int32_t j) const {
    while (c.at(c.lead, i, j) > c.at(c.one, i, j)) ++i;
    last(i, j);
  }
  void last(int32_t i, int32_t j) const {
    // The branch (i, q) whose value and free bases up to j are best.
    R best = kNone;
    int32_t arg = -1;
    const R free = c.w[kMultiUnpaired];
    R tail = 0;
    for (int32_t q = j; q >= i + kMinPair; --q) {
      const R v = c.at(c.pair, i, q);
      if (v > kNone) {
        const R s = v + c.branch(i, q) + c.w[kMultiPaired] + tail;
        if (s > best) {
          best = s;
          arg = q;
        }
      }
      if (!c.may_be_free[q]) break;
      tail += free;
    }
    paired(i, arg);
  }
};

}  // namespace folding
}  // namespace pystruct_ext
