// Eisner's projective dependency parsing (Eisner 1996), single root, with optional sibling
// factors (McDonald and Pereira 2006). O(n^3).
//
// Design. For a fixed left end i (from right to left) every maximum over split points becomes an
// update of a whole row: as soon as one part is final, row[j] = max(row[j], part + other[j]) for
// all j at once. The loops run over contiguous memory, are vectorised, and never reduce within a
// vector. Back-pointers are not stored: only the O(n) items of the best tree look for theirs.
#pragma once

#include <cstdint>
#include <limits>

#include "pystruct_ext/simd.hpp"
#include "pystruct_ext/trees/raise_row.hpp"

namespace pystruct_ext {
namespace eisner {

// Words are 1 .. n, 0 is the root. Tables have rows of `stride` entries, a multiple of 16 not
// below n + 2.
template <class R>
struct Tables {
  int32_t n, stride;
  const R* arc;        // arc[m * stride + h]: score of h -> m
  const R* arc_out;    // arc_out[h * stride + m]: the same, by head
  // Sibling factors or nullptr: h -> m whose next inner modifier on that side is s (s == h: none).
  const R* sib_right;  // [(h * (n + 1) + s) * stride + m], h <= s < m
  const R* sib_left;   // [(m * (n + 1) + s) * stride + h], m < s <= h
  R *right, *left;     // complete spans: head at the left end, at the right end
  R *open_right, *open_left;  // incomplete spans: an arc between the ends
  R* pair;             // right[i][k] + left[k + 1][j], best k
  R* line;             // (4 * stride,) work
};

template <class R, int kW>
PSX_INLINE R inside(const Tables<R>& t) {
  const int32_t n = t.n, stride = t.stride;
  const R none = -std::numeric_limits<R>::infinity();
  R *pair = t.line, *acc_right = pair + stride, *acc_left = acc_right + stride;
  R* acc_open = acc_left + stride;
  for (int32_t i = n; i >= 1; --i) {
    R* right = t.right + i * stride;
    R* left = t.left + i * stride;
    R* open_right = t.open_right + i * stride;
    R* open_left = t.open_left + i * stride;
    for (int32_t j = 0; j < stride; ++j) {
      right[j] = left[j] = open_right[j] = open_left[j] = none;
      pair[j] = acc_right[j] = acc_left[j] = none;
    }
    right[i] = left[i] = 0;
    if (t.sib_right) {
      R* joined = t.pair + i * stride;
      R* open = open_left;  // gathers S[i][k] + open_left[k][j] + sibling
      for (int32_t j = 0; j < stride; ++j) joined[j] = acc_open[j] = none;
      if (i < n) raise_row<R, kW>(pair, R(0), t.left + (i + 1) * stride, i + 1, n);
      for (int32_t j = i + 1; j <= n; ++j) {
        joined[j] = pair[j];
        const R* sl = t.sib_left + (int64_t{i} * (n + 1)) * stride;
        const R* sr = t.sib_right + (int64_t{i} * (n + 1)) * stride;
        // First modifier on its side, or one more beyond the last.
        const R first_right = t.left[(i + 1) * stride + j] + sr[int64_t{i} * stride + j];
        R o = acc_open[j] > first_right ? acc_open[j] : first_right;
        open_right[j] = o + t.arc[j * stride + i];
        const R first_left = right[j - 1] + sl[int64_t{j} * stride + j];
        o = open[j] > first_left ? open[j] : first_left;
        open_left[j] = o + t.arc[i * stride + j];
        raise_row<R, kW>(acc_right, open_right[j], t.right + j * stride, j, n);
        right[j] = acc_right[j];
        left[j] = acc_left[j] > open_left[j] ? acc_left[j] : open_left[j];
        if (j < n) {
          raise_row<R, kW>(acc_left, left[j], t.open_left + j * stride, j + 1, n);
          raise_row<R, kW>(pair, right[j], t.left + (j + 1) * stride, j + 1, n);
          raise_row2<R, kW>(acc_open, open_right[j], t.pair + j * stride,
                            sr + int64_t{j} * stride, j + 1, n);
          raise_row2<R, kW>(open, joined[j], t.open_left + j * stride, sl + int64_t{j} * stride,
                            j + 1, n);
        }
      }
      continue;
    }
    if (i < n) raise_row<R, kW>(pair, R(0), t.left + (i + 1) * stride, i + 1, n);
    const R* in = t.arc + i * stride;
    const R* out = t.arc_out + i * stride;
    for (int32_t j = i + 1; j <= n; ++j) {
      open_right[j] = pair[j] + out[j];
      open_left[j] = pair[j] + in[j];
      raise_row<R, kW>(acc_right, open_right[j], t.right + j * stride, j, n);
      right[j] = acc_right[j];
      left[j] = acc_left[j] > open_left[j] ? acc_left[j] : open_left[j];
      if (j < n) {
        raise_row<R, kW>(acc_left, left[j], t.open_left + j * stride, j + 1, n);
        raise_row<R, kW>(pair, right[j], t.left + (j + 1) * stride, j + 1, n);
      }
    }
  }
  R best = none;
  for (int32_t r = 1; r <= n; ++r) {
    const R s = t.left[stride + r] + t.right[r * stride + n] + t.arc[r * stride];
    if (s > best) best = s;
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

// Heads of the best tree: of equal splits the leftmost.
template <class R>
struct Backtrace {
  const Tables<R>& t;
  int32_t* heads;  // heads[m - 1] of word m

  R at(const R* table, int32_t i, int32_t j) const { return table[i * t.stride + j]; }

  void run(R best) const {
    for (int32_t r = 1; r <= t.n; ++r)
      if (at(t.left, 1, r) + at(t.right, r, t.n) + t.arc[r * t.stride] == best) {
        heads[r - 1] = 0;
        complete_left(1, r);
        complete_right(r, t.n);
        return;
      }
  }
  void complete_right(int32_t i, int32_t j) const {
    while (i != j) {
      for (int32_t k = i + 1; k <= j; ++k)
        if (at(t.open_right, i, k) + at(t.right, k, j) == at(t.right, i, j)) {
          open_right(i, k);
          i = k;
          break;
        }
    }
  }
  void complete_left(int32_t i, int32_t j) const {
    while (i != j) {
      for (int32_t k = i; k < j; ++k)
        if (at(t.left, i, k) + at(t.open_left, k, j) == at(t.left, i, j)) {
          open_left(k, j);
          j = k;
          break;
        }
    }
  }
  void joined(int32_t i, int32_t j, R value) const {
    for (int32_t k = i; k < j; ++k)
      if (at(t.right, i, k) + at(t.left, k + 1, j) == value) {
        complete_right(i, k);
        complete_left(k + 1, j);
        return;
      }
  }
  void open_right(int32_t i, int32_t j) const {
    heads[j - 1] = i;
    const R arc = t.arc[j * t.stride + i], value = at(t.open_right, i, j);
    if (!t.sib_right) {
      split(i, j, arc, value);
      return;
    }
    const R* sr = t.sib_right + int64_t{i} * (t.n + 1) * t.stride;
    if (at(t.left, i + 1, j) + sr[int64_t{i} * t.stride + j] + arc == value) {
      complete_left(i + 1, j);
      return;
    }
    for (int32_t k = i + 1; k < j; ++k)
      if (at(t.open_right, i, k) + at(t.pair, k, j) + sr[int64_t{k} * t.stride + j] + arc ==
          value) {
        open_right(i, k);
        joined(k, j, at(t.pair, k, j));
        return;
      }
  }
  void open_left(int32_t i, int32_t j) const {
    heads[i - 1] = j;
    const R arc = t.arc[i * t.stride + j], value = at(t.open_left, i, j);
    if (!t.sib_right) {
      split(i, j, arc, value);
      return;
    }
    const R* sl = t.sib_left + int64_t{i} * (t.n + 1) * t.stride;
    if (at(t.right, i, j - 1) + sl[int64_t{j} * t.stride + j] + arc == value) {
      complete_right(i, j - 1);
      return;
    }
    for (int32_t k = i + 1; k < j; ++k)
      if (at(t.pair, i, k) + at(t.open_left, k, j) + sl[int64_t{k} * t.stride + j] + arc ==
          value) {
        joined(i, k, at(t.pair, i, k));
        open_left(k, j);
        return;
      }
  }
  void split(int32_t i, int32_t j, R arc, R value) const {
    for (int32_t k = i; k < j; ++k)
      if (at(t.right, i, k) + at(t.left, k + 1, j) + arc == value) {
        complete_right(i, k);
        complete_left(k + 1, j);
        return;
      }
  }
};

}  // namespace eisner
}  // namespace pystruct_ext
