// Projective dependency parsing with grandparent factors, single root, with sibling factors or without:
// model 1 of Koo and Collins (2010), O(n^4).
//
// Design. Every item of Eisner's algorithm is indexed by the head of its head, too, which lies outside
// of its span. That index comes last in memory: the other part of a join has its grandparent within the
// item, so that it is one number for all grandparents, and the loop over them is contiguous,
// vectorised, and keeps its maximum in registers. Entries whose grandparent lies within the span are
// computed along, and never read.
//
//   sides[i][j][h]  = max_r full[i][r][h] + full[j][r + 1][h]               two modifiers i, j of h
//   open[h][m][g]   = arc(h, m) + grand(g, h, m) + max(
//                       sib(h, none, m) + full[m][next to h][h],
//                       max_s open[h][s][g] + sides[s][m][h] + sib(h, s, m))
//   full[h][e][g]   = max_m open[h][m][g] + full[m][e][h]
//
// Without sibling factors the same items are joined; there is then nothing to tell s by.
#pragma once

#include <cstdint>
#include <limits>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {
namespace grandparents {

// Words are 1 .. n, 0 is the root. Rows have `stride` entries, a multiple of 16 not below n + 2.
template <class R>
struct Tables {
  int32_t n, stride;
  const R* arc;        // arc[m * stride + h]: score of h -> m
  const R* grand;      // grand[(h * (n + 1) + m) * stride + g]: score of g -> h -> m
  const R* sib_right;  // as in eisner.hpp, or nullptr
  const R* sib_left;
  R *full, *open, *sides;  // [(a * (n + 2) + b) * stride + g]
  R* line;                 // (stride,) work

  R* at(R* table, int32_t a, int32_t b) const {
    return table + (int64_t{a} * (n + 2) + b) * stride;
  }
  R sibling_right(int32_t h, int32_t s, int32_t m) const {
    return sib_right ? sib_right[(int64_t{h} * (n + 1) + s) * stride + m] : R(0);
  }
  R sibling_left(int32_t h, int32_t s, int32_t m) const {
    return sib_left ? sib_left[(int64_t{m} * (n + 1) + s) * stride + h] : R(0);
  }
  const R* grand_row(int32_t h, int32_t m) const {
    return grand + (int64_t{h} * (n + 1) + m) * stride;
  }
};

// out[g] = max_k row_k[g] + scalar[k], rows `step` apart.
template <class R, int kW>
PSX_INLINE void best_row(R* out, const R* rows, int64_t step, const R* scalar, int32_t count,
                         int32_t stride) {
  using V = Vec<R, kW>;
  for (int32_t g = 0; g < stride; g += kW) {
    const R* row = rows + g;
    V top = V::load(row) + V::splat(scalar[0]);
    for (int32_t k = 1; k < count; ++k) {
      row += step;
      top = V::max(top, V::load(row) + V::splat(scalar[k]));
    }
    top.store(out + g);
  }
}

template <class R, int kW>
PSX_INLINE R inside(const Tables<R>& t) {
  using V = Vec<R, kW>;
  const int32_t n = t.n, stride = t.stride;
  const int64_t next = stride;  // from [a][b] to [a][b + 1]
  const R none = -std::numeric_limits<R>::infinity();
  R* line = t.line;
  for (int32_t i = 1; i <= n; ++i) {
    R* out = t.at(t.full, i, i);
    for (int32_t g = 0; g < stride; ++g) out[g] = 0;
  }
  for (int32_t d = 1; d < n; ++d)
    for (int32_t i = 1; i + d <= n; ++i) {
      const int32_t j = i + d;
      R* sides = t.at(t.sides, i, j);
      for (int32_t g = 0; g < stride; g += kW) {
        const R *a = t.at(t.full, i, i) + g, *b = t.at(t.full, j, i + 1) + g;
        V top = V::load(a) + V::load(b);
        for (int32_t r = i + 1; r < j; ++r) {
          a += next;
          b += next;
          top = V::max(top, V::load(a) + V::load(b));
        }
        top.store(sides + g);
      }
      // i -> j, then j -> i. The first modifier on its side does not depend on the grandparent.
      const R first_right = t.sibling_right(i, i, j) + t.at(t.full, j, i + 1)[i];
      const R first_left = t.sibling_left(j, j, i) + t.at(t.full, i, j - 1)[j];
      const auto finish = [&](R* out, R first, R arc, const R* grand) {
        for (int32_t g = 0; g < stride; g += kW)
          (V::max(V::load(out + g), V::splat(first)) + (V::load(grand + g) + V::splat(arc)))
              .store(out + g);
      };
      R* right = t.at(t.open, i, j);
      R* left = t.at(t.open, j, i);
      if (d == 1) {
        for (int32_t g = 0; g < stride; ++g) right[g] = left[g] = none;
      } else {
        for (int32_t s = i + 1; s < j; ++s)
          line[s - i - 1] = t.at(t.sides, s, j)[i] + t.sibling_right(i, s, j);
        best_row<R, kW>(right, t.at(t.open, i, i + 1), next, line, d - 1, stride);
        for (int32_t s = i + 1; s < j; ++s)
          line[s - i - 1] = t.at(t.sides, i, s)[j] + t.sibling_left(j, s, i);
        best_row<R, kW>(left, t.at(t.open, j, i + 1), next, line, d - 1, stride);
      }
      finish(right, first_right, t.arc[int64_t{j} * stride + i], t.grand_row(i, j));
      finish(left, first_left, t.arc[int64_t{i} * stride + j], t.grand_row(j, i));
      for (int32_t m = i + 1; m <= j; ++m) line[m - i - 1] = t.at(t.full, m, j)[i];
      best_row<R, kW>(t.at(t.full, i, j), t.at(t.open, i, i + 1), next, line, d, stride);
      for (int32_t m = i; m < j; ++m) line[m - i] = t.at(t.full, m, i)[j];
      best_row<R, kW>(t.at(t.full, j, i), t.at(t.open, j, i), next, line, d, stride);
    }
  R best = none;
  for (int32_t r = 1; r <= n; ++r) {
    const R v = t.at(t.full, r, 1)[0] + t.at(t.full, r, n)[0] + t.arc[int64_t{r} * stride];
    if (v > best) best = v;
  }
  return best;
}

template <class R>
R inside_baseline(const Tables<R>& t) {
  return inside<R, 16 / sizeof(R)>(t);
}
template <class R>
PSX_TARGET_AVX2 R inside_avx2(const Tables<R>& t) {
  return inside<R, 32 / sizeof(R)>(t);
}
template <class R>
PSX_TARGET_AVX512 R inside_avx512(const Tables<R>& t) {
  return inside<R, 64 / sizeof(R)>(t);
}

template <class R>
using Inside = R (*)(const Tables<R>&);

template <class R>
Inside<R> choose(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa == Isa::kAvx512) return inside_avx512<R>;
  if (isa == Isa::kAvx2) return inside_avx2<R>;
#endif
  (void)isa;
  return inside_baseline<R>;
}

// Heads of the best tree: of equal splits the leftmost. Back-pointers are not stored: only the O(n)
// items of the best tree look for theirs, by the largest sum, not by equality of sums.
template <class R>
struct Backtrace {
  const Tables<R>& t;
  int32_t* heads;  // heads[m - 1] of word m

  R full_at(int32_t h, int32_t e, int32_t g) const { return t.at(t.full, h, e)[g]; }
  R open_at(int32_t h, int32_t m, int32_t g) const { return t.at(t.open, h, m)[g]; }

  // The k of from .. to with the largest value, the first of equals.
  template <class F>
  static int32_t arg_best(int32_t from, int32_t to, F&& value) {
    int32_t arg = from;
    R top = value(from);
    for (int32_t k = from + 1; k <= to; ++k) {
      const R v = value(k);
      if (v > top) {
        top = v;
        arg = k;
      }
    }
    return arg;
  }

  void run() const {
    const int32_t r = arg_best(1, t.n, [&](int32_t k) {
      return full_at(k, 1, 0) + full_at(k, t.n, 0) + t.arc[int64_t{k} * t.stride];
    });
    heads[r - 1] = 0;
    full(r, 1, 0);
    full(r, t.n, 0);
  }
  void full(int32_t h, int32_t e, int32_t g) const {
    if (h == e) return;
    const int32_t low = h < e ? h + 1 : e, high = h < e ? e : h - 1;
    const int32_t m = arg_best(
        low, high, [&](int32_t k) { return open_at(h, k, g) + full_at(k, e, h); });
    open(h, m, g);
    full(m, e, h);
  }
  // From the outermost modifier inwards.
  void open(int32_t h, int32_t m, int32_t g) const {
    for (;;) {
      heads[m - 1] = h;
      const bool right = h < m;
      const int32_t inner = right ? h + 1 : h - 1;  // where the first modifier's own span ends
      const R first = (right ? t.sibling_right(h, h, m) : t.sibling_left(h, h, m)) +
                      full_at(m, inner, h);
      const auto with = [&](int32_t s) {
        return right ? open_at(h, s, g) + (t.at(t.sides, s, m)[h] + t.sibling_right(h, s, m))
                     : open_at(h, s, g) + (t.at(t.sides, m, s)[h] + t.sibling_left(h, s, m));
      };
      const int32_t low = right ? h + 1 : m + 1, high = right ? m - 1 : h - 1;
      int32_t s = 0;
      if (low <= high) {
        s = arg_best(low, high, with);
        if (!(with(s) > first)) s = 0;
      }
      if (!s) {
        full(m, inner, h);
        return;
      }
      between(right ? s : m, right ? m : s, h);
      m = s;
    }
  }
  // i and j are neighbouring modifiers of h.
  void between(int32_t i, int32_t j, int32_t h) const {
    const int32_t r = arg_best(
        i, j - 1, [&](int32_t k) { return full_at(i, k, h) + full_at(j, k + 1, h); });
    full(i, r, h);
    full(j, r + 1, h);
  }
};

}  // namespace grandparents
}  // namespace pystruct_ext
