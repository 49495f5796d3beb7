// Free energies of loops in the nearest-neighbour model of Turner 2004 (Mathews et al. 2004; Turner
// and Mathews 2010), in units of 0.01 kcal/mol, as ViennaRNA counts them with dangles on both sides
// ("d2", Lorenz et al. 2011): the bases next to a branch of a multibranch loop or of the exterior
// always stack on it, paired or not.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "pystruct_ext/folding/loops.hpp"

namespace pystruct_ext {
namespace folding {

constexpr int kPairKinds = 7;     // CG GC GU UG AU UA, and any other
constexpr int kSpecialLoops = 256;  // most hairpins of one length with an energy of their own
constexpr int32_t kHighestEnergy = 10000000;  // a loop that must not be

// Positions of the tables in one array. Bases: A C G U, unknown. Pairs as above, seen from the loop:
// the base before the loop first.
enum EnergyTable : int32_t {
  kStackE = 0,                                   // [pair][inner pair turned round]
  kHairpinMismatchE = kStackE + 49,              // [pair][base after i][base before j]
  kInteriorMismatchE = kHairpinMismatchE + 175,  // the same
  kThinMismatchE = kInteriorMismatchE + 175,     // of loops 1 x n
  k23MismatchE = kThinMismatchE + 175,           // of loops 2 x 3
  kMultiMismatchE = k23MismatchE + 175,          // [pair][base before i][base after j]
  kOuterMismatchE = kMultiMismatchE + 175,       // the same
  kDangle5E = kOuterMismatchE + 175,             // [pair][base before i]
  kDangle3E = kDangle5E + 35,                    // [pair][base after j]
  k11E = kDangle3E + 35,                         // [pair][inner, turned][base after i][before j]
  k21E = k11E + 1225,      // [pair][inner, turned][after i][after l][before j], one base after i
  k22E = k21E + 6125,      // [6][6][after i][before k][after l][before j], known pairs and bases
  kHairpinE = k22E + 9216,  // [length], as the two below; the last goes on by a logarithm
  kBulgeE = kHairpinE + kMaxLoop + 1,
  kInteriorE = kBulgeE + kMaxLoop + 1,
  kMultiBaseE = kInteriorE + kMaxLoop + 1,  // a free base of a multibranch loop
  kMultiClosingE,
  kMultiBranchE,
  kNinioE,      // each base by which an interior loop is asymmetric
  kNinioMostE,
  kTerminalE,   // a helix ends in AU or GU
  kLogarithmE,  // in 1e-8 kcal/mol
  kSpecialE,    // [3, 4, 6 bases][kSpecialLoops][code with closing pair, energy], by code; -1 last
  kEnergySize = kSpecialE + 3 * 2 * kSpecialLoops
};

// Stands for "no energies": every loop is free.
inline constexpr int32_t kNoEnergies[kEnergySize] = {};

struct Energies {
  const int32_t* t;  // (kEnergySize,)
  const uint8_t* x;  // bases
  int32_t n;

  int32_t kind(int32_t i, int32_t j) const noexcept {
    constexpr uint8_t kKind[25] = {6, 6, 6, 4, 6, 6, 6, 0, 6, 6, 6, 1, 6,
                                   2, 6, 5, 6, 3, 6, 6, 6, 6, 6, 6, 6};
    return kKind[5 * x[i] + x[j]];
  }
  // AU and GU, by whichever end of the helix.
  int32_t terminal(int32_t kind) const noexcept { return kind > 1 ? t[kTerminalE] : 0; }
  int32_t mismatch(int32_t table, int32_t i, int32_t j, int32_t a, int32_t b) const noexcept {
    return t[table + 25 * kind(i, j) + 5 * x[a] + x[b]];
  }
  static int32_t beyond(const int32_t* t, int32_t length) noexcept {
    return static_cast<int32_t>(t[kLogarithmE] / 1e6 * std::log(length / double{kMaxLoop}));
  }
  // Of a hairpin, bulge or interior loop by its size.
  int32_t size(int32_t table, int32_t length) const noexcept {
    if (length <= kMaxLoop) return t[table + length];
    return t[table + kMaxLoop] + beyond(t, length);
  }
  int32_t asymmetry(int32_t a, int32_t b) const noexcept {
    const int64_t linear = int64_t{a < b ? b - a : a - b} * t[kNinioE];
    return static_cast<int32_t>(std::min<int64_t>(t[kNinioMostE], linear));
  }

  // The energy of a whole hairpin, or nullptr.
  const int32_t* special(int32_t which, int32_t i, int32_t j) const noexcept {
    int32_t code = 0;
    for (int32_t k = i; k <= j; ++k) {
      if (x[k] == kUnknown) return nullptr;
      code = 4 * code + x[k];
    }
    const int32_t* row = t + kSpecialE + 2 * kSpecialLoops * which;
    for (int32_t k = 0; k < kSpecialLoops && row[2 * k] >= 0; ++k)
      if (row[2 * k] == code) return row + 2 * k + 1;
    return nullptr;
  }
  // A hairpin of which `by_size` is the part that depends on its length alone.
  int32_t hairpin(int32_t i, int32_t j, int32_t by_size) const noexcept {
    const int32_t length = j - i - 1;
    if (length < 3) return by_size;
    if (length == 3 || length == 4 || length == 6) {
      const int32_t* whole = special(length == 3 ? 0 : length == 4 ? 1 : 2, i, j);
      if (whole) return *whole;
      if (length == 3) return by_size + terminal(kind(i, j));
    }
    return by_size + mismatch(kHairpinMismatchE, i, j, i + 1, j - 1);
  }
  int32_t hairpin(int32_t i, int32_t j) const noexcept {
    return hairpin(i, j, size(kHairpinE, j - i - 1));
  }
  int32_t stack(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    return t[kStackE + kPairKinds * kind(i, j) + kind(l, k)];
  }
  int32_t one_by_one(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    return t[k11E + 25 * (kPairKinds * kind(i, j) + kind(l, k)) + 5 * x[i + 1] + x[j - 1]];
  }
  int32_t one_by_two(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    return t[k21E + 125 * (kPairKinds * kind(i, j) + kind(l, k)) + 25 * x[i + 1] + 5 * x[l + 1] +
             x[j - 1]];
  }
  int32_t two_by_one(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    return t[k21E + 125 * (kPairKinds * kind(l, k) + kind(i, j)) + 25 * x[l + 1] + 5 * x[i + 1] +
             x[k - 1]];
  }
  // A base or pair that is not known counts as the worst.
  int32_t two_by_two(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    const int32_t p = kind(i, j), q = kind(l, k);
    const int32_t b[4] = {x[i + 1], x[k - 1], x[l + 1], x[j - 1]};
    if (p < 6 && q < 6 && ((b[0] | b[1] | b[2] | b[3]) & kUnknown) == 0)
      return t[k22E + 256 * (6 * p + q) + 64 * b[0] + 16 * b[1] + 4 * b[2] + b[3]];
    int32_t low[6], high[6], at[6], worst = -kHighestEnergy;
    for (int m = 0; m < 6; ++m) {
      const int32_t v = m == 0 ? p : m == 1 ? q : b[m - 2], last = m < 2 ? 5 : 3;
      low[m] = v > last ? 0 : v;
      high[m] = v > last ? last : v;
      at[m] = low[m];
    }
    for (int m = 0; m < 6;) {
      worst = std::max(worst, t[k22E + 256 * (6 * at[0] + at[1]) + 64 * at[2] + 16 * at[3] +
                                4 * at[4] + at[5]]);
      for (m = 0; m < 6 && at[m] == high[m]; ++m) at[m] = low[m];
      if (m < 6) ++at[m];
    }
    return worst;
  }
  int32_t two_by_three(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    return t[kInteriorE + 5] + t[kNinioE] + mismatch(k23MismatchE, i, j, i + 1, j - 1) +
           mismatch(k23MismatchE, l, k, l + 1, k - 1);
  }
  // One inner pair: stack, bulge or interior loop.
  int32_t inner(int32_t i, int32_t j, int32_t k, int32_t l) const noexcept {
    const int32_t a = k - i - 1, b = j - l - 1;
    if (a == 0 && b == 0) return stack(i, j, k, l);
    if (a == 0 || b == 0)
      return size(kBulgeE, a + b) + (a + b == 1 ? stack(i, j, k, l)
                                                : terminal(kind(i, j)) + terminal(kind(l, k)));
    if (a + b == 2) return one_by_one(i, j, k, l);
    if (a + b == 3) return a == 1 ? one_by_two(i, j, k, l) : two_by_one(i, j, k, l);
    if (a == 2 && b == 2) return two_by_two(i, j, k, l);
    if (a + b == 5 && a != 1 && b != 1) return two_by_three(i, j, k, l);
    const int32_t sides = a == 1 || b == 1 ? kThinMismatchE : kInteriorMismatchE;
    return size(kInteriorE, a + b) + asymmetry(a, b) + mismatch(sides, i, j, i + 1, j - 1) +
           mismatch(sides, l, k, l + 1, k - 1);
  }
  // A branch of a loop with the bases before and after it, or with the one of them there is.
  int32_t branch(int32_t table, int32_t i, int32_t j, int32_t before, int32_t after) const noexcept {
    const int32_t p = kind(i, j);
    int32_t e = terminal(p);
    if (before >= 0 && after < n) {
      e += t[table + 25 * p + 5 * x[before] + x[after]];
    } else if (before >= 0) {
      e += t[kDangle5E + 5 * p + x[before]];
    } else if (after < n) {
      e += t[kDangle3E + 5 * p + x[after]];
    }
    return e;
  }
  int32_t outer_branch(int32_t i, int32_t j) const noexcept {
    return branch(kOuterMismatchE, i, j, i - 1, j + 1);
  }
  int32_t multi_branch(int32_t i, int32_t j) const noexcept {
    return branch(kMultiMismatchE, i, j, i - 1, j + 1) + t[kMultiBranchE];
  }
  // The closing pair, seen from inside.
  int32_t multi_closing(int32_t i, int32_t j) const noexcept {
    return branch(kMultiMismatchE, j, i, j - 1, i + 1) + t[kMultiBranchE] + t[kMultiClosingE];
  }

  // f(i, j, k, l, energy) for every loop, closed by (i, j), -1 for the exterior; (k, l) is the only
  // inner pair, -1 if there is none, -2 if there are more. The energy is an int64_t.
  template <class F>
  void each_loop(const int32_t* partner, F&& f) const {
    int64_t exterior = 0;
    for (int32_t i = 0; i < n; ++i)
      if (partner[i] > i) {
        exterior += outer_branch(i, partner[i]);
        i = partner[i];
      }
    f(-1, -1, -2, -2, exterior);
    for (int32_t i = 0; i < n; ++i) {
      const int32_t j = partner[i];
      if (j < i) continue;
      int32_t branches = 0, k = -1;
      int64_t inside = 0;
      for (int32_t q = i + 1; q < j; ++q) {
        if (partner[q] < 0) {
          inside += t[kMultiBaseE];
          continue;
        }
        if (!branches++) k = q;
        inside += multi_branch(q, partner[q]);
        q = partner[q];
      }
      if (branches == 0) {
        f(i, j, -1, -1, int64_t{hairpin(i, j)});
      } else if (branches == 1) {
        f(i, j, k, partner[k], int64_t{inner(i, j, k, partner[k])});
      } else {
        f(i, j, -2, -2, inside + multi_closing(i, j));
      }
    }
  }
  int64_t fold(const int32_t* partner) const {
    int64_t sum = 0;
    each_loop(partner, [&](int32_t, int32_t, int32_t, int32_t, int64_t e) { sum += e; });
    return sum;
  }
};

}  // namespace folding
}  // namespace pystruct_ext
