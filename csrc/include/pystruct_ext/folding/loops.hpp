// The loop decomposition of a nested fold and its features, grouped as in CONTRAfold (Do, Woods and
// Batzoglou 2006) and MXfold (Akiyama, Sato and Sakakibara 2018).
//
// Bases are 0 .. 3 (A C G U), or kUnknown: a base that pairs with none, and of which no feature that
// reads a base says anything; loops count it as any free base. A pair (i, j), i < j, closes a loop: a hairpin, a stack, a bulge, an
// interior loop (all with one inner pair (k, l) but the first), or a multibranch loop. Pairs at the
// outside are branches of the exterior. A pair seen from the loop outside of it is turned round: (l, k).
#pragma once

#include <algorithm>
#include <cstdint>

namespace pystruct_ext {
namespace folding {

constexpr uint8_t kUnknown = 4;
constexpr int kMaxLoop = 30;  // unpaired bases of a bulge or interior loop; lengths are counted up to this

// Positions of the groups in w. Lengths are cumulative: a loop of length n has features 1 .. n.
enum Feature : int32_t {
  kPair = 0,                       // [pair]
  kStack = kPair + 16,             // [pair][pair], equal when turned round
  kHairpinMismatch = kStack + 256,  // [pair][next][previous]
  kInteriorMismatch = kHairpinMismatch + 256,
  kClosing = kInteriorMismatch + 256,  // [pair] at the end of a helix
  kDangle5 = kClosing + 16,        // [pair][base before]
  kDangle3 = kDangle5 + 64,        // [pair][base after]
  kHairpinLength = kDangle3 + 64,
  kBulgeLength = kHairpinLength + kMaxLoop + 1,
  kInteriorLength = kBulgeLength + kMaxLoop + 1,
  kSymmetric = kInteriorLength + kMaxLoop + 1,
  kAsymmetry = kSymmetric + kMaxLoop / 2 + 1,
  kExplicit = kAsymmetry + kMaxLoop + 1,  // [shorter][longer], both up to 4
  kBulgeBase = kExplicit + 25,
  kOneByOne = kBulgeBase + 4,      // [base][base], sorted
  kMultiBase = kOneByOne + 16,
  kMultiUnpaired,
  kMultiPaired,
  kOuterUnpaired,
  kOuterPaired,
  kHairpin3,                       // closing pair and three bases
  kHairpin4 = kHairpin3 + 1024,
  kEnergy = kHairpin4 + 4096,      // the prior's score of the whole fold
  kSize
};

struct Loops {
  const uint8_t* x;  // bases
  int32_t n;

  int32_t pair(int32_t i, int32_t j) const noexcept { return 4 * x[i] + x[j]; }
  template <class... I>
  bool known(I... i) const noexcept {
    return ((x[i] < kUnknown) && ...);
  }
  static int32_t stack_of(int32_t p, int32_t q) noexcept {
    const int32_t turned = 16 * (4 * (q % 4) + q / 4) + 4 * (p % 4) + p / 4;
    return std::min(16 * p + q, turned);
  }

  // f(index) for every feature, with repetition.
  template <class F>
  void closing(int32_t i, int32_t j, F&& f) const noexcept {
    f(kClosing + pair(i, j));
  }
  template <class F>
  void mismatch(int32_t group, int32_t i, int32_t j, int32_t next, int32_t previous,
                F&& f) const noexcept {
    if (known(next, previous)) f(group + 16 * pair(i, j) + 4 * x[next] + x[previous]);
  }
  template <class F>
  static void lengths(int32_t group, int32_t from, int32_t to, F&& f) noexcept {
    for (int32_t t = from; t <= std::min(to, kMaxLoop); ++t) f(group + t);
  }
  template <class F>
  void hairpin(int32_t i, int32_t j, F&& f) const noexcept {
    lengths(kHairpinLength, 1, j - i - 1, f);
    hairpin_bases(i, j, f);
  }
  // What depends on more than the length.
  template <class F>
  void hairpin_bases(int32_t i, int32_t j, F&& f) const noexcept {
    const int32_t length = j - i - 1;
    closing(i, j, f);
    if (length > 0) mismatch(kHairpinMismatch, i, j, i + 1, j - 1, f);
    if (length == 3 && known(i + 1, i + 2, i + 3))
      f(kHairpin3 + 256 * x[i] + 64 * x[i + 1] + 16 * x[i + 2] + 4 * x[i + 3] + x[j]);
    if (length == 4 && known(i + 1, i + 2, i + 3, i + 4))
      f(kHairpin4 + 1024 * x[i] + 256 * x[i + 1] + 64 * x[i + 2] + 16 * x[i + 3] + 4 * x[i + 4] +
        x[j]);
  }
  // One inner pair: stack, bulge or interior loop.
  template <class F>
  void inner(int32_t i, int32_t j, int32_t k, int32_t l, F&& f) const noexcept {
    const int32_t a = k - i - 1, b = j - l - 1;
    if (a == 0 && b == 0) {
      f(kStack + stack_of(pair(i, j), pair(k, l)));
      return;
    }
    if (a == 0 || b == 0) {
      lengths(kBulgeLength, 1, a + b, f);
      if (a + b == 1) {
        f(kStack + stack_of(pair(i, j), pair(k, l)));
        const int32_t bulge = a ? i + 1 : j - 1;
        if (known(bulge)) f(kBulgeBase + x[bulge]);
      } else {
        closing(i, j, f);
        closing(l, k, f);
      }
      return;
    }
    interior_size(a, b, f);
    if (a == 1 && b == 1 && known(i + 1, j - 1)) {
      const int32_t p = x[i + 1], q = x[j - 1];
      f(kOneByOne + 4 * std::min(p, q) + std::max(p, q));
    }
    interior_side(i, j, i + 1, j - 1, f);
    interior_side(l, k, l + 1, k - 1, f);
  }
  template <class F>
  static void interior_size(int32_t a, int32_t b, F&& f) noexcept {
    lengths(kInteriorLength, 2, a + b, f);
    if (a == b) {
      for (int32_t t = 1; t <= std::min(a, kMaxLoop / 2); ++t) f(kSymmetric + t);
    } else {
      lengths(kAsymmetry, 1, a < b ? b - a : a - b, f);
    }
    if (a <= 4 && b <= 4) f(kExplicit + 5 * std::min(a, b) + std::max(a, b));
  }
  template <class F>
  void interior_side(int32_t i, int32_t j, int32_t next, int32_t previous, F&& f) const noexcept {
    closing(i, j, f);
    mismatch(kInteriorMismatch, i, j, next, previous, f);
  }
  // A branch (i, j) of a multibranch loop or the exterior, seen from there.
  template <class F>
  void branch(int32_t i, int32_t j, F&& f) const noexcept {
    closing(j, i, f);
    if (i > 0 && known(i - 1)) f(kDangle5 + 4 * pair(j, i) + x[i - 1]);
    if (j + 1 < n && known(j + 1)) f(kDangle3 + 4 * pair(j, i) + x[j + 1]);
  }
  // The closing pair of a multibranch loop, seen from inside.
  template <class F>
  void multi_closing(int32_t i, int32_t j, F&& f) const noexcept {
    f(kMultiBase);
    f(kMultiPaired);
    closing(i, j, f);
    if (known(j - 1)) f(kDangle5 + 4 * pair(i, j) + x[j - 1]);
    if (known(i + 1)) f(kDangle3 + 4 * pair(i, j) + x[i + 1]);
  }

  // All features of a fold; partner[i] is -1 where i is free.
  template <class F>
  void fold(const int32_t* partner, F&& f) const noexcept {
    for (int32_t i = 0; i < n;) {
      const int32_t j = partner[i];
      if (j < 0) {
        f(kOuterUnpaired);
        ++i;
        continue;
      }
      f(kOuterPaired);
      branch(i, j, f);
      i = j + 1;
    }
    for (int32_t i = 0; i < n; ++i) {
      const int32_t j = partner[i];
      if (j < i) continue;
      f(kPair + pair(i, j));
      int32_t branches = 0, free = 0, k = -1;
      for (int32_t t = i + 1; t < j;) {
        if (partner[t] < 0) {
          ++free;
          ++t;
        } else {
          if (!branches++) k = t;
          t = partner[t] + 1;
        }
      }
      if (branches == 0) {
        hairpin(i, j, f);
      } else if (branches == 1) {
        inner(i, j, k, partner[k], f);
      } else {
        multi_closing(i, j, f);
        for (int32_t t = 0; t < free; ++t) f(kMultiUnpaired);
        for (int32_t t = i + 1; t < j;) {
          if (partner[t] < 0) {
            ++t;
            continue;
          }
          f(kMultiPaired);
          branch(t, partner[t], f);
          t = partner[t] + 1;
        }
      }
    }
  }
};

}  // namespace folding
}  // namespace pystruct_ext
