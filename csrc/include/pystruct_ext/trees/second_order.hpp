// Scores and features of the parts of a dependency tree that have three words: siblings and
// grandparents, with their hashed features.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "pystruct_ext/simd.hpp"
#include "pystruct_ext/trees/arc_features.hpp"

namespace pystruct_ext {

// Grandparents of h -> m in projective trees lie outside of the span from h to m.
inline bool outside_of(int32_t g, int32_t h, int32_t m) noexcept {
  return g < std::min(h, m) || g > std::max(h, m);
}
inline uint32_t grand_directions(int32_t g, int32_t h, int32_t m) noexcept {
  return ArcFeatures::direction(h, m) + 2 * ArcFeatures::direction(g, h);
}

// Scores of one sentence. Words are 1 .. n, 0 is the root.
template <class R>
class SecondOrder {
 public:
  // Layouts as in eisner.hpp and grandparents.hpp.
  AlignedBuffer<R> sib_right, sib_left, grand;

  // Room for sentences of up to n words with rows of up to `stride` entries.
  void reserve(std::size_t n, std::size_t stride, bool siblings, bool grandparents) {
    const std::size_t m = n + 2;
    index_.reserve(ArcFeatures::kSiblingRich * m);
    if (siblings) {
      sib_right.reserve(m * m * stride);
      sib_left.reserve(m * m * stride);
      sib_ends_.reserve(m * m);
    }
    if (grandparents) {
      grand.reserve(m * m * stride);
      grand_ends_.reserve(4 * m * m);
    }
  }

  void set_shape(int32_t n, int64_t stride) noexcept {
    n_ = n;
    stride_ = stride;
  }
  void clear(bool siblings, bool grandparents) noexcept {
    const int64_t size = int64_t{n_ + 1} * (n_ + 1) * stride_;
    if (siblings)
      for (auto* a : {&sib_right, &sib_left}) std::fill(a->data(), a->data() + size, R(0));
    if (grandparents) std::fill(grand.data(), grand.data() + size, R(0));
  }

  double sibling(int32_t h, int32_t s, int32_t m) const noexcept {
    return static_cast<double>(h < m ? sib_right[at(h, s, m)] : sib_left[at(m, s, h)]);
  }
  double grandparent(int32_t g, int32_t h, int32_t m) const noexcept {
    return static_cast<double>(grand[at(h, m, g)]);
  }

  // Both return zero if all scores are finite.
  R load_siblings(const ArcFeatures& features, const ArcToken* x, const R* w) noexcept {
    // Features without the head are summed once.
    for (int32_t q = 1; q <= n_; ++q)
      for (int32_t m = 1; m <= n_; ++m) {
        R v = 0;
        if (q != m)
          features.sibling_ends(x + q, x + m, ArcFeatures::direction(q, m),
                                [&](int64_t j) { v += w[j]; });
        sib_ends_[idx(int64_t{q} * (n_ + 1) + m)] = v;
      }
    const int first = features.rich ? ArcFeatures::kNoSiblingRich : ArcFeatures::kSibling;
    const int each = features.rich ? ArcFeatures::kSiblingRich : ArcFeatures::kSibling;
    R check = 0;
    // Of h and m for all q between, indices first, so that the reads overlap.
    for (int32_t h = 1; h <= n_; ++h)
      for (int32_t m = 1; m <= n_; ++m) {
        if (h == m) continue;
        const int32_t step = h < m ? 1 : -1;
        const uint32_t dir = ArcFeatures::direction(h, m);
        int64_t* to = index_.data();
        for (int32_t q = h; q != m; q += step)
          features.sibling(x + h, x + q, x + m, dir, [&](int64_t j) {
            PSX_PREFETCH(w + j);
            *to++ = j;
          });
        const int64_t* p = index_.data();
        const int64_t* last = p + first;
        for (int32_t q = h; q != m; q += step) {
          R v = q == h ? R(0) : sib_ends_[idx(int64_t{q} * (n_ + 1) + m)];
          while (p < last) v += w[*p++];
          last += each;
          check += v * R(0);
          (dir ? sib_right[at(h, q, m)] : sib_left[at(m, q, h)]) = v;
        }
      }
    return check;
  }

  R load_grandparents(const ArcFeatures& features, const ArcToken* x, const R* w) noexcept {
    // Features without h are summed once.
    for (int32_t g = 0; g <= n_; ++g)
      for (int32_t m = 1; m <= n_; ++m)
        for (uint32_t dirs = 0; dirs < 4; ++dirs) {
          R v = 0;
          if (g != m) features.grand_ends(x + g, x + m, dirs, [&](int64_t j) { v += w[j]; });
          grand_ends_[idx((int64_t{g} * (n_ + 1) + m) * 4 + dirs)] = v;
        }
    const int each = features.rich ? ArcFeatures::kGrandRich : ArcFeatures::kGrand;
    R check = 0;
    for (int32_t h = 1; h <= n_; ++h)
      for (int32_t m = 1; m <= n_; ++m) {
        if (h == m) continue;
        R* out = grand.data() + at(h, m, 0);
        int64_t* to = index_.data();
        for (int32_t g = 0; g <= n_; ++g)
          if (outside_of(g, h, m))
            features.grand(x + g, x + h, x + m, grand_directions(g, h, m), [&](int64_t j) {
              PSX_PREFETCH(w + j);
              *to++ = j;
            });
        const int64_t* p = index_.data();
        for (int32_t g = 0; g < stride_; ++g) {
          if (g > n_ || !outside_of(g, h, m)) {
            out[g] = 0;
            continue;
          }
          const uint32_t dirs = grand_directions(g, h, m);
          R v = grand_ends_[idx((int64_t{g} * (n_ + 1) + m) * 4 + dirs)];
          for (int k = 0; k < each; ++k) v += w[*p++];
          check += v * R(0);
          out[g] = v;
        }
      }
    return check;
  }

 private:
  std::size_t at(int32_t a, int32_t b, int32_t c) const noexcept {
    return idx((int64_t{a} * (n_ + 1) + b) * stride_ + c);
  }
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }

  int32_t n_ = 0;
  int64_t stride_ = 0;
  AlignedBuffer<R> sib_ends_;    // [q * (n + 1) + m]
  AlignedBuffer<R> grand_ends_;  // [(g * (n + 1) + m) * 4 + directions]
  AlignedBuffer<int64_t> index_;
};

// f(h, sibling, m, direction) for the sibling parts with the head h; the sibling h means none.
template <class F>
void siblings_of(int32_t h, int32_t n, const int32_t* y, F&& f) noexcept {
  int32_t q = h;
  for (int32_t m = h + 1; m <= n; ++m)
    if (y[m - 1] == h) {
      f(h, q, m, 1u);
      q = m;
    }
  q = h;
  for (int32_t m = h - 1; m >= 1; --m)
    if (y[m - 1] == h) {
      f(h, q, m, 0u);
      q = m;
    }
}

// Features of these parts, and of g -> h -> m where m has a grandparent: sink(index, a).
template <class Sink>
void emit_siblings(const ArcFeatures& features, const ArcToken* x, int32_t h, int32_t n,
                   const int32_t* y, double a, Sink& sink) noexcept {
  const auto put = [&](int64_t j) { sink(j, a); };
  siblings_of(h, n, y, [&](int32_t head, int32_t q, int32_t m, uint32_t dir) {
    if (q != head) features.sibling_ends(x + q, x + m, dir, put);
    features.sibling(x + head, x + q, x + m, dir, put);
  });
}
template <class Sink>
void emit_grandparent(const ArcFeatures& features, const ArcToken* x, int32_t m, const int32_t* y,
                      double a, Sink& sink) noexcept {
  const int32_t h = y[m - 1];
  if (!h) return;
  const int32_t g = y[h - 1];
  const uint32_t dirs = grand_directions(g, h, m);
  const auto put = [&](int64_t j) { sink(j, a); };
  features.grand_ends(x + g, x + m, dirs, put);
  features.grand(x + g, x + h, x + m, dirs, put);
}

// Whether a head has the same modifiers in both trees, and so the same sibling parts.
inline bool same_modifiers(int32_t h, int32_t n, const int32_t* y, const int32_t* z) noexcept {
  for (int32_t m = 0; m < n; ++m)
    if ((y[m] == h) != (z[m] == h)) return false;
  return true;
}
// Whether a word has the same head and grandparent in both.
inline bool same_ancestors(int32_t m, const int32_t* y, const int32_t* z) noexcept {
  const int32_t h = y[m - 1];
  return h == z[m - 1] && (!h || y[h - 1] == z[h - 1]);
}

}  // namespace pystruct_ext
