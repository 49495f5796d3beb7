// The recursion over nested folds (Zuker and Stiegler 1981), maximising.
//
// Design. Interior loops are a maximum over the inner pair (k, l): for a fixed k the score splits
// into a table of the inner pair, indexed by l, and a table of sizes, stored backwards, so that the
// maximum over l runs over contiguous memory and is vectorised. Where l is fixed by j (bulges before
// k, loops n x 1), it is over j that the maximum over k is vectorised, a row at a time. Small loops,
// whose energies are tables of all their bases, are looked up one by one. The tables of inner pairs
// are needed for 31 rows only, and are rings. Multibranch loops are row updates
// as in raise_row.hpp. Back-pointers are not stored: the O(n) pairs of the best fold search again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "pystruct_ext/folding/energies.hpp"
#include "pystruct_ext/folding/loops.hpp"
#include "pystruct_ext/trees/raise_row.hpp"

namespace pystruct_ext {
namespace folding {

constexpr int kLoopRow = 48;  // kMaxLoop and room for vectors that run over
constexpr int kMinPair = 4;   // smallest j - i of a pair

constexpr int kLanes = 16;    // of the widest vector
constexpr int kRing = 32;     // rows, a power of two > kMaxLoop + 1
constexpr int kKnownRows = 8;  // rows of pairs as sets, a power of two > kSmall + 1
constexpr int kSmall = 4;     // free bases on a side of loops with tables of their own, and one more

// Scores that depend on sizes alone, energies included; -inf where a loop is of another kind.
template <class R>
struct Sizes {
  const R* hairpin;        // by length; energies of lengths, weights up to kMaxLoop
  const int32_t* hairpin_energy;
  const R* bulge;          // [length * kLanes + any]: vectors of one number
  const R* bulge_back;     // [kMaxLoop - length], from two on
  const R* thin;           // [n * kLanes + any] loops 1 x n, from three on
  const R* thin_back;      // [kMaxLoop - n]
  const R* interior;       // [a * kLoopRow + kMaxLoop - a - b], a and b above one, not small
  const R* small;          // [a * kSmall + b] loops with tables of their own
};

// Scores of a pair and the bases beside it, seen from a loop: [pair][base][base]; and of stacks,
// [pair][inner pair].
enum End : int32_t {
  kHairpinEnd = 0,
  kInteriorEnd = kHairpinEnd + 400,
  kThinEnd = kInteriorEnd + 400,
  k23End = kThinEnd + 400,
  kSmallEnd = k23End + 400,   // weights only
  kOuterEnd = kSmallEnd + 400,
  kMultiEnd = kOuterEnd + 400,
  kStackScore = kMultiEnd + 400,
  kOneByOneScore = kStackScore + 256,  // [base][base], weights only
  kEndSize = kOneByOneScore + 25
};

// Fills `to`, (kEndSize,).
template <class R>
void score_ends(const R* w, const int32_t* t, R unit, R* to) {
  const auto cost = [&](int32_t energy) { return unit * static_cast<R>(energy); };
  for (int32_t p = 0; p < 16; ++p) {
    const uint8_t bases[2] = {static_cast<uint8_t>(p / 4), static_cast<uint8_t>(p % 4)};
    const Energies e{t, bases, 2};
    const int32_t kind = e.kind(0, 1), turned = 4 * (p % 4) + p / 4;
    const R closing = w[kClosing + p], closing_turned = w[kClosing + turned];
    const R terminal = cost(e.terminal(kind));
    for (int32_t a = 0; a < 5; ++a)
      for (int32_t b = 0; b < 5; ++b) {
        const bool known = a < 4 && b < 4;
        const int32_t at = 25 * p + 5 * a + b, mm = 16 * p + 4 * a + b;
        const int32_t et = 25 * kind + 5 * a + b;
        const R interior = closing + (known ? w[kInteriorMismatch + mm] : R(0));
        to[kHairpinEnd + at] =
            closing + (known ? w[kHairpinMismatch + mm] : R(0)) + cost(t[kHairpinMismatchE + et]);
        to[kInteriorEnd + at] = interior + cost(t[kInteriorMismatchE + et]);
        to[kThinEnd + at] = interior + cost(t[kThinMismatchE + et]);
        to[k23End + at] = interior + cost(t[k23MismatchE + et]);
        to[kSmallEnd + at] = interior;
        // Of a branch: the bases before and after it.
        const R branch = closing_turned + (a < 4 ? w[kDangle5 + 4 * turned + a] : R(0)) +
                         (b < 4 ? w[kDangle3 + 4 * turned + b] : R(0)) + terminal;
        to[kOuterEnd + at] = branch + w[kOuterPaired] + cost(t[kOuterMismatchE + et]);
        to[kMultiEnd + at] =
            branch + w[kMultiPaired] + cost(t[kMultiMismatchE + et] + t[kMultiBranchE]);
      }
    for (int32_t q = 0; q < 16; ++q) {
      const uint8_t inner[2] = {static_cast<uint8_t>(q % 4), static_cast<uint8_t>(q / 4)};
      to[kStackScore + 16 * p + q] = w[kStack + Loops::stack_of(p, q)] +
          cost(t[kStackE + kPairKinds * kind + Energies{t, inner, 2}.kind(0, 1)]);
    }
  }
  for (int32_t a = 0; a < 5; ++a)
    for (int32_t b = 0; b < 5; ++b)
      to[kOneByOneScore + 5 * a + b] =
          a < 4 && b < 4 ? w[kOneByOne + 4 * std::min(a, b) + std::max(a, b)] : R(0);
}

template <class R>
struct Chart {
  Loops loops;
  Energies energies;
  R unit;               // score of one unit of energy
  int64_t stride;
  const R* w;           // (kSize,)
  R multi_free;  // a free base of a multibranch loop
  Sizes<R> sizes;
  const R* ends;        // (kEndSize,)
  const uint8_t* may_pair;  // [i * n + j]
  const uint8_t* may_be_free;
  const int32_t *free_right, *free_left;  // bases beside that may stay free
  const R* bonus;       // [i * stride + j] added to a pair, or nullptr
  // pair: (i, j) paired. one: a branch from i on, free bases after it. lead: free bases before it,
  // too. two: two branches or more. many: one or more.
  R *pair, *one, *lead, *two, *many;
  // Rings of rows. The pair seen from an interior loop, from a loop 1 x n, from a bulge.
  R *inner, *thin, *closed;
  // (stride,) for row i, by j: the best inner pair of bulges and loops n x 1; stacks and small loops.
  R *left_bulge, *left_thin, *special;
  int64_t words;     // of a set of bases
  uint64_t* known;   // ring of kKnownRows sets: the j with which i pairs; and one, the j for row i
  R* outer;  // (n + 1,) bases i .. n - 1 of the exterior

  template <class Call>
  PSX_INLINE R of(Call&& call) const {
    R total = 0;
    call([&](int32_t j) { total += w[j]; });
    return total;
  }
  R cost(int32_t energy) const { return unit * static_cast<R>(energy); }
  R end(int32_t table, int32_t i, int32_t j, int32_t a, int32_t b) const {
    return ends[table + 25 * loops.pair(i, j) + 5 * loops.x[a] + loops.x[b]];
  }
  R hairpin_of(int32_t i, int32_t j) const {
    const int32_t length = j - i - 1;
    const R by_size = sizes.hairpin[std::min(length, kMaxLoop)];
    const int32_t energy = sizes.hairpin_energy[length];
    if (length <= 6 && length != 5)  // some are known as a whole
      return by_size + of([&](auto f) { loops.hairpin_bases(i, j, f); }) +
             cost(energies.hairpin(i, j, energy));
    return by_size + cost(energy) + end(kHairpinEnd, i, j, i + 1, j - 1);
  }
  R stack(int32_t i, int32_t j, int32_t k, int32_t l) const {
    return ends[kStackScore + 16 * loops.pair(i, j) + loops.pair(k, l)];
  }
  // A bulge of the base at b.
  R bulge_of_one(int32_t i, int32_t j, int32_t k, int32_t l, int32_t b) const {
    return sizes.bulge[kLanes] + stack(i, j, k, l) +
           (loops.known(b) ? w[kBulgeBase + loops.x[b]] : R(0));
  }
  R both_ends(int32_t table, int32_t i, int32_t j, int32_t k, int32_t l) const {
    return end(table, i, j, i + 1, j - 1) + end(table, l, k, l + 1, k - 1);
  }
  R one_by_one(int32_t i, int32_t j, int32_t k, int32_t l) const {
    return both_ends(kSmallEnd, i, j, k, l) + sizes.small[kSmall + 1] +
           ends[kOneByOneScore + 5 * loops.x[i + 1] + loops.x[j - 1]] +
           cost(energies.one_by_one(i, j, k, l));
  }
  R one_by_two(int32_t i, int32_t j, int32_t k, int32_t l) const {
    return both_ends(kSmallEnd, i, j, k, l) + sizes.small[kSmall + 2] +
           cost(energies.one_by_two(i, j, k, l));
  }
  R two_by_one(int32_t i, int32_t j, int32_t k, int32_t l) const {
    return both_ends(kSmallEnd, i, j, k, l) + sizes.small[2 * kSmall + 1] +
           cost(energies.two_by_one(i, j, k, l));
  }
  R two_by_two(int32_t i, int32_t j, int32_t k, int32_t l) const {
    return both_ends(kSmallEnd, i, j, k, l) + sizes.small[2 * kSmall + 2] +
           cost(energies.two_by_two(i, j, k, l));
  }
  R inner_of(int32_t i, int32_t j, int32_t k, int32_t l) const {
    const int32_t a = k - i - 1, b = j - l - 1, low = std::min(a, b), high = std::max(a, b);
    if (low == 0) {
      if (high == 0) return stack(i, j, k, l);
      if (high == 1) return bulge_of_one(i, j, k, l, a ? i + 1 : j - 1);
      return sizes.bulge[high * kLanes] + helix_end(i, j) + helix_end(l, k);
    }
    if (low == 1) {
      if (high > 2) return sizes.thin[high * kLanes] + both_ends(kThinEnd, i, j, k, l);
      if (high == 1) return one_by_one(i, j, k, l);
      return a == 1 ? one_by_two(i, j, k, l) : two_by_one(i, j, k, l);
    }
    if (high == 2) return two_by_two(i, j, k, l);
    if (a + b == 5) return sizes.small[a * kSmall + b] + both_ends(k23End, i, j, k, l);
    return sizes.interior[a * kLoopRow + kMaxLoop - a - b] + both_ends(kInteriorEnd, i, j, k, l);
  }
  R helix_end(int32_t i, int32_t j) const {
    return w[kClosing + loops.pair(i, j)] + cost(energies.terminal(energies.kind(i, j)));
  }
  R outer_branch(int32_t i, int32_t j) const {
    if (i > 0 && j + 1 < loops.n) return end(kOuterEnd, i, j, i - 1, j + 1);
    return of([&](auto f) { loops.branch(i, j, f); }) + w[kOuterPaired] +
           cost(energies.outer_branch(i, j));
  }
  // Of no use at the ends of the sequence.
  R multi_branch(int32_t i, int32_t j) const {
    return i > 0 && j + 1 < loops.n ? end(kMultiEnd, i, j, i - 1, j + 1)
                                    : -std::numeric_limits<R>::infinity();
  }
  R multi_closing(int32_t i, int32_t j) const {
    return end(kMultiEnd, j, i, j - 1, i + 1) + w[kMultiBase] +
           cost(energies.t[kMultiClosingE]);
  }
  R own(int32_t i, int32_t j) const {
    const R b = w[kPair + loops.pair(i, j)];
    return bonus ? b + bonus[i * stride + j] : b;
  }
  R at(const R* table, int32_t i, int32_t j) const { return table[i * stride + j]; }
  R* ring(R* table, int32_t i) const { return table + (i & (kRing - 1)) * stride; }
};

template <class R, int kW>
PSX_INLINE R highest(Vec<R, kW> v) {
  R lane[kW];
  v.store(lane);
  for (int half = kW / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) lane[k] = lane[k] > lane[k + half] ? lane[k] : lane[k + half];
  return lane[0];
}

// top = max(top, g[q] + size[q] + more) over q; runs over `count`, where size is -inf.
template <class R, int kW>
PSX_INLINE Vec<R, kW> raise_sums(Vec<R, kW> top, const R* g, const R* size, int32_t count, R more) {
  using V = Vec<R, kW>;
  V best = V::splat(-std::numeric_limits<R>::infinity());
  for (int32_t q = 0; q < count; q += kW) best = V::max(best, V::load(g + q) + V::load(size + q));
  return V::max(top, best + V::splat(more));
}

// Stacks, bulges of one base and loops with tables of their own, of row i. Whether both pairs can
// be is anybody's guess, so that branches cost more than the work: sets of bases are intersected.
template <class R>
PSX_INLINE void special_loops(const Chart<R>& c, int32_t i) {
  const int32_t n = c.loops.n;
  std::fill(c.special + i, c.special + n, -std::numeric_limits<R>::infinity());
  uint64_t* here = c.known + kKnownRows * c.words;
  const uint8_t* may = c.may_pair + int64_t{i} * n;
  std::fill(here, here + c.words, uint64_t{0});
  for (int32_t j = i + kMinPair; j < n; ++j) here[j >> 6] |= uint64_t{may[j] != 0} << (j & 63);
  const auto each = [&](int32_t a, int32_t b, auto score) {
    const int32_t k = i + 1 + a, shift = 1 + b;
    if (a > c.free_right[i] || k >= n) return;
    const uint64_t* there = c.known + (k & (kKnownRows - 1)) * c.words;
    const R* pair = c.pair + k * c.stride;
    for (int64_t q = k >> 6; q < c.words; ++q) {
      uint64_t both = there[q] << shift;
      if (q > 0) both |= there[q - 1] >> (64 - shift);
      for (both &= here[q]; both; both &= both - 1) {
        const int32_t j = static_cast<int32_t>(64 * q) + __builtin_ctzll(both), l = j - shift;
        if (b > c.free_left[j]) continue;
        const R s = pair[l] + score(j, k, l);
        c.special[j] = s > c.special[j] ? s : c.special[j];
      }
    }
  };
  each(0, 0, [&](int32_t j, int32_t k, int32_t l) { return c.stack(i, j, k, l); });
  each(1, 0, [&](int32_t j, int32_t k, int32_t l) { return c.bulge_of_one(i, j, k, l, i + 1); });
  each(0, 1, [&](int32_t j, int32_t k, int32_t l) { return c.bulge_of_one(i, j, k, l, j - 1); });
  each(1, 1, [&](int32_t j, int32_t k, int32_t l) { return c.one_by_one(i, j, k, l); });
  each(1, 2, [&](int32_t j, int32_t k, int32_t l) { return c.one_by_two(i, j, k, l); });
  each(2, 1, [&](int32_t j, int32_t k, int32_t l) { return c.two_by_one(i, j, k, l); });
  each(2, 2, [&](int32_t j, int32_t k, int32_t l) { return c.two_by_two(i, j, k, l); });
  each(2, 3, [&](int32_t j, int32_t k, int32_t l) {
    return c.both_ends(k23End, i, j, k, l) + c.sizes.small[2 * kSmall + 3];
  });
  each(3, 2, [&](int32_t j, int32_t k, int32_t l) {
    return c.both_ends(k23End, i, j, k, l) + c.sizes.small[3 * kSmall + 2];
  });
}

// The best inner pairs (i + 1 + a, j - 1 - b) for all j, of bulges (b = 0) and loops n x 1 (b = 1).
template <class R, int kW>
PSX_INLINE void left_loops(const Chart<R>& c, int32_t i) {
  using V = Vec<R, kW>;
  const int32_t n = c.loops.n, most = std::min(kMaxLoop, c.free_right[i]);
  const R *closed[kMaxLoop + 1], *thin[kMaxLoop + 1];
  for (int32_t a = 2; a <= most; ++a) {
    closed[a] = c.ring(c.closed, i + 1 + a) - 1;
    thin[a] = c.ring(c.thin, i + 1 + a) - 2;
  }
  for (int32_t j = i + kMinPair; j < n; j += kW) {
    V bulge = V::splat(-std::numeric_limits<R>::infinity()), loop = bulge;
    for (int32_t a = 2; a <= most; ++a)
      bulge = V::max(bulge, V::load(closed[a] + j) + V::load(c.sizes.bulge + a * kLanes));
    for (int32_t a = 3; a <= std::min(most, kMaxLoop - 1); ++a)
      loop = V::max(loop, V::load(thin[a] + j) + V::load(c.sizes.thin + a * kLanes));
    bulge.store(c.left_bulge + j);
    loop.store(c.left_thin + j);
  }
}

template <class R, int kW>
PSX_INLINE R best_loop(const Chart<R>& c, int32_t i, int32_t j) {
  using V = Vec<R, kW>;
  const R none = -std::numeric_limits<R>::infinity();
  R best = c.special[j];
  const auto raise = [&](R s) { best = s > best ? s : best; };
  if (c.free_right[i] >= j - i - 1) raise(c.hairpin_of(i, j));
  raise(c.at(c.two, i + 1, j - 1) + c.multi_closing(i, j));
  const int32_t room = j - i - 2 - kMinPair;
  const int32_t most_a = std::min({kMaxLoop, room, c.free_right[i]});
  const int32_t most_b = std::min({kMaxLoop, room, c.free_left[j]});
  const R helix_end = c.helix_end(i, j);
  raise(c.left_bulge[j] + helix_end);
  V top = V::splat(best);
  if (most_b >= 2)
    top = raise_sums<R, kW>(top, c.ring(c.closed, i + 1) + j - 1 - most_b,
                            c.sizes.bulge_back + kMaxLoop - most_b, most_b - 1, helix_end);
  if (most_a >= 1 && most_b >= 1) {
    const R thin = c.end(kThinEnd, i, j, i + 1, j - 1);
    top = V::max(top, V::splat(c.left_thin[j] + thin));
    if (most_b >= 3) {
      const int32_t b = std::min({kMaxLoop - 1, room - 1, most_b});
      top = raise_sums<R, kW>(top, c.ring(c.thin, i + 2) + j - 1 - b,
                              c.sizes.thin_back + kMaxLoop - b, b - 2, thin);
    }
    V loop = V::splat(none);
    for (int32_t a = 2; a <= most_a; ++a) {
      const int32_t b = std::min({kMaxLoop - a, room - a, most_b});
      if (b < 2) break;
      const R* g = c.ring(c.inner, i + 1 + a) + j - 1 - b;
      const R* size = c.sizes.interior + a * kLoopRow + kMaxLoop - a - b;
      for (int32_t q = 0; q < b - 1; q += kW) loop = V::max(loop, V::load(g + q) + V::load(size + q));
    }
    top = V::max(top, loop + V::splat(c.end(kInteriorEnd, i, j, i + 1, j - 1)));
  }
  return highest<R, kW>(top);
}

template <class R, int kW>
PSX_INLINE R inside(const Chart<R>& c) {
  const R none = -std::numeric_limits<R>::infinity();
  const int32_t n = c.loops.n;
  const R free = c.multi_free;
  c.outer[n] = 0;
  for (int32_t i = n - 1; i >= 0; --i) {
    R* pair = c.pair + i * c.stride;
    R* one = c.one + i * c.stride;
    R* lead = c.lead + i * c.stride;
    R* two = c.two + i * c.stride;
    R* many = c.many + i * c.stride;
    R* inner = c.ring(c.inner, i);
    R* thin = c.ring(c.thin, i);
    R* closed = c.ring(c.closed, i);
    for (R* row : {pair, inner, thin, closed, one, lead, two, many})
      for (int64_t j = 0; j < c.stride; j += kW) Vec<R, kW>::splat(none).store(row + j);
    left_loops<R, kW>(c, i);
    special_loops(c, i);
    uint64_t* known = c.known + (i & (kKnownRows - 1)) * c.words;
    std::fill(known, known + c.words, uint64_t{0});
    R outer = c.may_be_free[i] ? c.w[kOuterUnpaired] + c.outer[i + 1] : none;
    for (int32_t j = i + kMinPair; j < n; ++j) {
      if (!c.may_pair[int64_t{i} * n + j]) continue;
      const R best = best_loop<R, kW>(c, i, j);
      if (best == none) continue;
      const R v = best + c.own(i, j);
      pair[j] = v;
      known[j >> 6] |= uint64_t{1} << (j & 63);
      closed[j] = v + c.helix_end(j, i);
      if (i > 0 && j + 1 < n) {
        inner[j] = v + c.end(kInteriorEnd, j, i, j + 1, i - 1);
        thin[j] = v + c.end(kThinEnd, j, i, j + 1, i - 1);
      }
      one[j] = v + c.multi_branch(i, j);
      const R o = v + c.outer_branch(i, j) + c.outer[j + 1];
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
        const R o = v + c.outer_branch(i, j) + c.outer[j + 1];
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
    const R free = c.multi_free;
    R tail = 0;
    for (int32_t q = j; q >= i + kMinPair; --q) {
      const R v = c.at(c.pair, i, q);
      if (v > kNone) {
        const R s = v + c.multi_branch(i, q) + tail;
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
