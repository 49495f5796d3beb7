// Rankings of the documents of a query, learnt from graded relevance.
//
// Feature map (Joachims 2002; Yue, Finley, Radlinski and Joachims 2007; here for any number of
// relevance levels): over the P pairs (i, j) with document i more relevant than document j,
//   psi(x, y) = 1/(2P) sum_(i,j) y_ij (x_i - x_j),   y_ij = +1 if i is above j, else -1.
// With q_d = documents of other levels above d, and o_d = documents of other levels, this is
//   psi(x, y) = 1/P sum_d (o_d / 2 - q_d) x_d.
//
// Outputs and their codes, integers >= 0 (one byte each in working sets up to 256 documents):
//   map, mrr, ndcg, precision   An output is a ranking up to the order of documents of one level
//              that stand side by side. Code: q, (k,). It gives the ranking back: sort every level
//              by q, and document d stands q_d places below those of its level that precede it.
//   pairs, roc  An output is a set of swapped pairs. Code: q, then the number of swapped pairs as
//              eight digits of base 256, (k + 8,). It tells apart all that psi and loss tell apart;
//              a set that is the smallest maximum of swaps worth scale - (s_i - s_j), as every
//              argmax is, even is the only one with its code: another would be worth the same.
//   the same with document weights   Masses are no integers, so that an output is an order of the
//              documents and, for every place t, a reach: d at place t stands below the better
//              ones among the first reach_t of the order and above the others (reach_t = t: a
//              ranking). Code: order, then reach, (2k,). With
//                u_d = v_d #(worse above d) - sum of v_i over better i below d,
//              psi(x, y) = 1/P sum_d (base_d - u_d) x_d, P base_d the share of d in P psi of the
//              truth, where u = 0; u is formed in O(k L) from the code.
//
// Losses and their exact oracles, s = scores, k documents:
//   pairs      swapped pairs / P; every pair decides for itself (Joachims 2006): O(k log k + k L).
//              A pair may have a weight, that of its more relevant document.
//   average precision   1 - AP (Yue et al. 2007). The best slot of the j-th non-relevant document
//              moves down with j, and the value of a slot is a difference of prefix sums and
//              harmonic numbers, so divide and conquer takes O(k log k) where the paper's search
//              takes O(#relevant #non-relevant).
//   reciprocal rank     1 - 1 / (rank of the first relevant) (after Chakrabarti et al. 2008): O(k log k).
//   discounted gain     1 - DCG@T / ideal, any gains and discounts (precision@T: gain 1, discount 1).
//              An assignment problem, see ranking_assignment.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "pystruct_ext/descending_order.hpp"
#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/row_scores.hpp"
#include "pystruct_ext/spaces/ranking_assignment.hpp"

namespace pystruct_ext {

enum RankingLoss : int32_t { kPairs = 0, kAveragePrecision = 1, kReciprocalRank = 2, kGain = 3 };

template <class R>
struct RankingSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  Rows<R> rows;
  int64_t n = 0;
  const int64_t* offsets = nullptr;    // (n + 1,) rows of a query
  const int32_t* level = nullptr;      // (n_rows,) 0 .. n_levels[i] - 1, larger is more relevant
  const int32_t* n_levels = nullptr;   // (n,)
  const double* base = nullptr;        // (n_rows,) P psi has (base - q) x_d, weighted (base - u) x_d
  const double* n_pairs = nullptr;     // (n,) P; with weights their sum
  const double* weight = nullptr;      // (n_rows,) or nullptr
  const double* gain = nullptr;        // (n_rows,) for kGain
  const double* ideal = nullptr;       // (n,) for kGain
  const double* discount = nullptr;    // (max_top,) for kGain
  const double* harmonic = nullptr;    // (max_rows + 2,) for kAveragePrecision
  const int32_t* truths = nullptr;     // codes one after the other
  int64_t n_truths = 0;
  int64_t max_rows = 0, max_levels = 0, max_top = 0, max_states = 0;
  int32_t kind = kPairs;
  row_scores::Fill<R> fill = row_scores::choose<R>(detect_isa());

  struct Scratch {
    AlignedBuffer<double> s, sorted, dense, prefix, suffix, value;
    AlignedBuffer<int32_t> lev, rank, place, slot, by_level, counts;
    AlignedBuffer<int64_t> begin, count_a, count_b;
    AlignedBuffer<int8_t> choice;
    DescendingOrder order;
    SparseSink sparse;
    bool finite = true;
    explicit Scratch(const RankingSpace& a) {
      const auto k = static_cast<std::size_t>(a.max_rows), l = static_cast<std::size_t>(a.max_levels);
      s.reserve(k);
      sorted.reserve(k);
      lev.reserve(k);
      order.reserve(k);
      begin.reserve(l + 2);
      count_a.reserve(l + 1);
      count_b.reserve(l + 1);
      if (a.kind != kPairs) {
        prefix.reserve(k + l + 2);
        suffix.reserve(k + 2);
        by_level.reserve(k);
        rank.reserve(k);
        place.reserve(k);
        slot.reserve(k + 1);
        counts.reserve(3 * l + 3);
      }
      if (a.kind == kGain) {
        value.reserve(static_cast<std::size_t>(a.max_states));
        choice.reserve(static_cast<std::size_t>(a.max_states));
      }
      if (a.rows.dense()) dense.reserve(static_cast<std::size_t>(a.rows.n_features));
    }
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return rows.n_features; }
  int64_t size(int64_t i) const noexcept { return offsets[i + 1] - offsets[i]; }
  int32_t code_len(int64_t i) const noexcept {
    const int64_t k = size(i);
    return static_cast<int32_t>(weight ? 2 * k : kind == kPairs ? k + kDigits : k);
  }
  const int32_t* truth(int64_t i) const noexcept {
    return truths + (weight ? 2 * offsets[i] : kind == kPairs ? offsets[i] + kDigits * i : offsets[i]);
  }

  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const int64_t k = size(i);
    const CodeFault fault = entries_in(y, 0, k, 0, weight ? k - 1 : k);
    return fault.at >= 0 ? fault : entries_in(y, k, code_len(i), 0, weight ? k : 255);
  }

  void load(const R* w, int64_t i, Scratch& a) const noexcept {
    a.finite = fill(rows, offsets[i], offsets[i + 1], w, a.s.data());
  }

  double argmax(int64_t i, double scale, Scratch& a, int32_t* code) const noexcept {
    if (!a.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t* order = a.order.sort(a.s.data(), size(i));
    double lost = 0;
    switch (kind) {
      case kPairs:
        lost = weight ? reach_up(i, scale, order, a, code) : swap_pairs(i, scale, order, a, code);
        break;
      case kAveragePrecision: lost = insert_nonrelevant(i, scale, order, a, code); break;
      case kReciprocalRank: lost = first_relevant(i, scale, order, a, code); break;
      default: lost = assign_positions(i, scale, order, a, code); break;
    }
    return score(i, a, code) + scale * lost;
  }

  double score(int64_t i, const Scratch& a, const int32_t* y) const noexcept {
    const int64_t b = offsets[i], k = size(i);
    const double* s = a.s.data();
    double sum = 0;
    if (weight) {
      for (int64_t d = 0; d < k; ++d) sum += base[b + d] * s[d];
      swapped_masses(i, y, [&](int64_t d, double u) { sum -= u * s[d]; });
    } else {
      for (int64_t d = 0; d < k; ++d) sum += (base[b + d] - y[d]) * s[d];
    }
    return sum / n_pairs[i];
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    if (kind == kPairs) {
      const double mass = weight ? swapped_masses(i, z, [](int64_t, double) {})
                                 : static_cast<double>(number(z + size(i)));
      return mass / n_pairs[i];
    }
    if (std::equal(z, z + size(i), truth(i))) return 0;
    if (kind == kReciprocalRank) {
      int32_t above = std::numeric_limits<int32_t>::max();
      for (int64_t d = 0; d < size(i); ++d)
        if (level[offsets[i] + d]) above = std::min(above, z[d]);
      return 1 - 1.0 / (above + 1.0);
    }
    constexpr int64_t kFew = 256;
    uint64_t few[kFew];
    if (size(i) <= kFew) return loss_by_level(i, z, few);
    try {
      std::vector<uint64_t> many(static_cast<std::size_t>(size(i)));
      return loss_by_level(i, z, many.data());
    } catch (...) {
      return std::numeric_limits<double>::quiet_NaN();
    }
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int64_t b = offsets[i], k = size(i);
    const double c = a / n_pairs[i];
    if (weight) {
      for (int64_t d = 0; d < k; ++d) emit(b + d, c * base[b + d], sink);
      shift(i, y, -c, sink);
    } else {
      for (int64_t d = 0; d < k; ++d) emit(b + d, a * (base[b + d] - y[d]) / n_pairs[i], sink);
    }
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    const double c = -a / n_pairs[i];
    if (weight) {
      if (std::equal(y, y + code_len(i), z)) return;
      shift(i, y, c, sink);
      shift(i, z, -c, sink);
      return;
    }
    for (int64_t d = 0; d < size(i); ++d)
      if (y[d] != z[d]) emit(offsets[i] + d, c * (y[d] - z[d]), sink);
  }
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch& a) const noexcept {
    if (rows.dense()) {
      const int64_t d = rows.n_features;
      double* out = a.dense.data();
      std::fill(out, out + d, 0.0);
      DenseSink<double> sink{out};
      psi_diff(i, y, z, 1.0, sink);
      double sum = 0;
      for (int64_t j = 0; j < d; ++j) sum += out[j] * out[j];
      return sum;
    }
    a.sparse.clear();
    psi_diff(i, y, z, 1.0, a.sparse);
    return a.sparse.overflow ? -1.0 : a.sparse.sqnorm();
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_rows");
    rows.fields(f, "n_rows+1", "nnz|n_rows*n_features");
    f.array("level", level, "n_rows", "0..n_levels[]-1");
    f.array("n_levels", n_levels, "n", "1..max_levels");
    f.array("base", base, "n_rows", "finite");
    f.array("n_pairs", n_pairs, "n", "positive");
    f.array("weight", weight, "n_rows", "0..", kOptional);
    f.array("gain", gain, "n_rows", "finite", kOptional);
    f.array("ideal", ideal, "n", "finite; with gain", kOptional);
    f.array("discount", discount, "max_top", "finite; with gain", kOptional);
    f.array("harmonic", harmonic, "max_rows+2", "finite", kOptional);
    f.array("truths", truths, "n_truths", "0..");
    f.size("n_truths", n_truths);
    f.number("max_rows", max_rows, "1..268435455");
    f.number("max_levels", max_levels, "1..268435455");
    f.number("max_top", max_top, "1..max_rows");
    f.number("max_states", max_states, "1..281474976710656");
    f.number("kind", kind, "0..3");
  }
  const char* wrong() const noexcept {
    if (max_rows < longest_block(offsets, n)) return "max_rows is less than the rows of a query";
    const int64_t digits = weight ? offsets[n] : kind == kPairs ? kDigits * n : 0;
    if (n_truths != offsets[n] + digits) return "truths have another length than expected";
    if (weight && kind != kPairs) return "weight is for the loss on pairs";
    if (kind == kGain && (!gain || max_levels > 100))
      return "this loss needs gain, and at most 100 levels";
    if (kind == kAveragePrecision && !harmonic) return "this loss needs harmonic";
    for (int64_t i = 0; i < n; ++i) {
      if ((kind == kAveragePrecision || kind == kReciprocalRank) && n_levels[i] != 2)
        return "this loss needs two levels in every query";
      const int32_t* y = truth(i);
      const int64_t k = size(i);
      for (int64_t d = 0; d < k; ++d)
        if (y[d] >= k || (weight && y[k + d] > k)) return "truths hold a document that does not exist";
      for (int64_t t = k; !weight && t < code_len(i); ++t)
        if (y[t] > 255) return "truths hold a digit above 255";
    }
    return levels_wrong();
  }

 private:
  template <class Sink>
  void emit(int64_t r, double c, Sink& sink) const noexcept {
    const auto row = rows.row(r);
    if (!row.idx) {  // apart, so that it is vectorised
      for (int64_t k = 0; k < row.nnz; ++k) sink(k, c * static_cast<double>(row.val[k]));
      return;
    }
    for (int64_t k = 0; k < row.nnz; ++k)
      sink(row.idx[k], c * static_cast<double>(row.value(k)));
  }

  // What the levels of every query must be for the search of each loss.
  const char* levels_wrong() const noexcept {
    if (kind == kPairs) return nullptr;
    for (int64_t i = 0; i < n; ++i) {
      int64_t states = 1, relevant = 0;
      for (int64_t d = offsets[i]; d < offsets[i + 1]; ++d) relevant += level[d] > 0;
      if (kind != kGain && (relevant == 0 || relevant == size(i)))
        return "this loss needs documents of both levels in every query";
      for (int32_t l = 0; kind == kGain && l < n_levels[i]; ++l) {
        int64_t count = 0;
        for (int64_t d = offsets[i]; d < offsets[i + 1]; ++d) count += level[d] == l;
        states *= std::min(count, std::min(size(i), max_top)) + 1;
        if (states > max_states) return "max_states is less than the states of a query";
      }
    }
    return nullptr;
  }

  static constexpr int64_t kDigits = 8;
  static int64_t number(const int32_t* digits) noexcept {
    int64_t value = 0;
    for (int64_t t = kDigits; t-- > 0;) value = (value << 8) | digits[t];
    return value;
  }
  static void write_number(int64_t value, int32_t* digits) noexcept {
    for (int64_t t = 0; t < kDigits; ++t, value >>= 8) digits[t] = static_cast<int32_t>(value & 255);
  }

  // Every pair for itself: swapped if scale - (s_i - s_j) > 0. Both sweeps compare the same rounded
  // differences, so they agree on every pair.
  double swap_pairs(int64_t i, double scale, const int32_t* order, Scratch& a,
                    int32_t* code) const noexcept {
    const int64_t k = size(i), b = offsets[i];
    const int32_t levels = n_levels[i];
    double* s = a.sorted.data();
    int32_t* lev = a.lev.data();
    for (int64_t t = 0; t < k; ++t) {
      s[t] = a.s[static_cast<std::size_t>(order[t])];
      lev[t] = level[b + order[t]];
    }
    // worse[l], better[l]: documents of a level below l (above l) seen by either sweep. With few
    // levels an update touches them all and a look-up is one read; a Fenwick tree beyond.
    int64_t* worse = a.count_a.data();
    int64_t* better = a.count_b.data();
    std::fill(worse, worse + levels + 1, 0);
    std::fill(better, better + levels + 1, 0);
    const bool tree = levels > 24;
    int64_t swapped = 0, pa = 0, pb = 0;
    for (int64_t t = 0; t < k; ++t) {
      const int32_t l = lev[t];
      for (; pa < k && s[t] - s[pa] < scale; ++pa) {
        if (tree)
          for (int32_t q = lev[pa] + 1; q <= levels; q += q & -q) ++worse[q];
        else
          for (int32_t q = lev[pa] + 1; q < levels; ++q) ++worse[q];
      }
      for (; pb < k && s[pb] - s[t] >= scale; ++pb) {
        if (tree)
          for (int32_t q = levels - lev[pb]; q <= levels; q += q & -q) ++better[q];
        else
          for (int32_t q = 0; q < lev[pb]; ++q) ++better[q];
      }
      int64_t worse_above = 0, better_above = 0;
      if (tree) {
        for (int32_t q = l; q > 0; q -= q & -q) worse_above += worse[q];
        for (int32_t q = levels - l - 1; q > 0; q -= q & -q) better_above += better[q];
      } else {
        worse_above = worse[l];
        better_above = better[l];
      }
      code[order[t]] = static_cast<int32_t>(worse_above + better_above);
      swapped += worse_above;
    }
    write_number(swapped, code + k);
    return static_cast<double>(swapped) / n_pairs[i];
  }

  // The same for weighted pairs, whose weight does not change the sign of a swap's worth.
  double reach_up(int64_t i, double scale, const int32_t* order, Scratch& a,
                  int32_t* code) const noexcept {
    const int64_t k = size(i);
    double* s = a.sorted.data();
    for (int64_t t = 0; t < k; ++t) s[t] = a.s[static_cast<std::size_t>(order[t])];
    int64_t reach = 0;
    for (int64_t t = 0; t < k; ++t) {
      while (reach < k && s[reach] - s[t] >= scale) ++reach;
      code[t] = order[t];
      code[k + t] = static_cast<int32_t>(reach);
    }
    const double mass = swapped_masses(i, code, [](int64_t, double) {});
    // Many codes have no swapped pair; the truth is one of them.
    if (mass == 0) std::copy(truth(i), truth(i) + 2 * k, code);
    return mass / n_pairs[i];
  }

  // Calls visit(d, u_d) for every document with u_d != 0; returns the mass of swapped pairs.
  template <class Visit>
  double swapped_masses(int64_t i, const int32_t* code, Visit&& visit) const noexcept {
    const int64_t k = size(i), b = offsets[i];
    const int32_t* reach = code + k;
    double swapped = 0;
    if (std::equal(code, code + 2 * k, truth(i))) return 0;
    for (int32_t l = 0; l < n_levels[i]; ++l) {
      double more_mass = 0, better_mass = 0;
      int64_t more = 0, better_above = 0, worse_above = 0, pa = 0, pb = 0;
      for (int64_t d = 0; d < k; ++d)
        if (level[b + d] > l) ++more, more_mass += weight[b + d];
      for (int64_t t = 0; t < k; ++t) {
        const int64_t d = code[t];
        if (level[b + d] != l) continue;
        for (; pa < k && reach[pa] <= t; ++pa) worse_above += level[b + code[pa]] < l;
        for (; pb < reach[t]; ++pb)
          if (level[b + code[pb]] > l) ++better_above, better_mass += weight[b + code[pb]];
        // Sums of the same masses in different orders: an exact 0 where all pairs are right.
        const double left = better_above == more ? 0.0 : more_mass - better_mass;
        const double mine = weight[b + d] * static_cast<double>(worse_above);
        swapped += mine;
        if (mine != left) visit(d, mine - left);
      }
    }
    return swapped;
  }
  template <class Sink>
  void shift(int64_t i, const int32_t* y, double c, Sink& sink) const noexcept {
    swapped_masses(i, y, [&](int64_t d, double u) { emit(offsets[i] + d, c * u, sink); });
  }

  // Loss of a ranking from the places of each level; `keys` holds k numbers. At most 100 levels
  // and, as codes are int32, less than 2^28 documents.
  double loss_by_level(int64_t i, const int32_t* z, uint64_t* keys) const noexcept {
    constexpr int kBits = 28;
    constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
    const int64_t k = size(i), b = offsets[i];
    const int64_t places = kind == kGain ? std::min(k, max_top) : k;
    // Documents of one level, one after the other, by q.
    uint64_t* end = keys;
    for (int64_t d = 0; d < k; ++d)
      if (z[d] < places && (kind == kGain || level[b + d]))
        *end++ = (static_cast<uint64_t>(level[b + d]) << (2 * kBits)) |
                 (static_cast<uint64_t>(z[d]) << kBits) | static_cast<uint64_t>(d);
    std::sort(keys, end);
    double ap = 0;
    int64_t before = 0;  // documents of the level above
    uint64_t* placed = keys;
    uint64_t last = 0;
    for (const uint64_t* key = keys; key != end; ++key, ++before) {
      const uint64_t now = *key, l = now >> (2 * kBits);
      if (key != keys && l != last) before = 0;
      last = l;
      const uint64_t at = static_cast<uint64_t>(before) + (now >> kBits & kMask);
      if (kind == kAveragePrecision)
        ap += static_cast<double>(before + 1) / static_cast<double>(at + 1);
      else if (static_cast<int64_t>(at) < places)
        *placed++ = at << kBits | (now & kMask);
    }
    if (kind == kAveragePrecision) return std::max(0.0, 1.0 - ap / static_cast<double>(before));
    // Summed from below, as the search does it.
    std::sort(keys, placed);
    double dcg = 0;
    while (placed != keys) {
      --placed;
      dcg += gain[b + static_cast<int64_t>(*placed & kMask)] * discount[*placed >> kBits];
    }
    return std::max(0.0, 1.0 - dcg / ideal[i]);
  }

  // Documents of each level, best first: level l at by_level[begin[l] .. begin[l + 1]).
  void split_levels(int64_t i, const int32_t* order, Scratch& a) const noexcept {
    const int64_t k = size(i), b = offsets[i];
    const int32_t levels = n_levels[i];
    int64_t* begin = a.begin.data();
    std::fill(begin, begin + levels + 1, 0);
    for (int64_t d = 0; d < k; ++d) ++begin[level[b + d] + 1];
    for (int32_t l = 0; l < levels; ++l) begin[l + 1] += begin[l];
    for (int64_t t = 0; t < k; ++t) {
      const int32_t l = level[b + order[t]];
      a.by_level[static_cast<std::size_t>(begin[l]++)] = order[t];
    }
    for (int32_t l = levels; l > 0; --l) begin[l] = begin[l - 1];
    begin[0] = 0;
  }

  // Two levels: 1 relevant, 0 not. slot[j] = relevant documents above the j-th non-relevant one.
  double insert_nonrelevant(int64_t i, double scale, const int32_t* order, Scratch& a,
                            int32_t* code) const noexcept {
    split_levels(i, order, a);
    const int64_t n0 = a.begin[1], n1 = a.begin[2] - n0;
    const int32_t* non = a.by_level.data();
    const int32_t* rel = non + n0;
    double* sum = a.prefix.data();  // sum[q] = scores of the q best relevant documents
    sum[0] = 0;
    for (int64_t q = 0; q < n1; ++q) sum[q + 1] = sum[q] + a.s[static_cast<std::size_t>(rel[q])];
    const double pair = 1.0 / n_pairs[i], per = scale / static_cast<double>(n1);
    // Gain of putting the j-th non-relevant document (from 1) below q relevant ones.
    const auto worth = [&](int64_t j, int64_t q) {
      const double from = static_cast<double>(q + j), to = static_cast<double>(n1 + j);
      const double lost = (harmonic[n1 + j - 1] - harmonic[q + j - 1]) -
                          static_cast<double>(j) * (1.0 / from - 1.0 / to);
      const double s = a.s[static_cast<std::size_t>(non[j - 1])];
      return per * lost - pair * ((sum[n1] - sum[q]) - static_cast<double>(n1 - q) * s);
    };
    int32_t* slot = a.slot.data();
    best_slots(worth, 1, n0, 0, n1, slot);
    for (int64_t j = 0; j < n0; ++j) code[non[j]] = slot[j + 1];
    double ap = 0;
    int64_t j = 0;
    for (int64_t q = 0; q < n1; ++q) {
      while (j < n0 && slot[j + 1] <= q) ++j;
      code[rel[q]] = static_cast<int32_t>(j);
      ap += static_cast<double>(q + 1) / static_cast<double>(q + 1 + j);
    }
    return j == 0 ? 0.0 : 1.0 - ap / static_cast<double>(n1);
  }

  // slot[j] = the largest q in [lo, hi] of greatest worth(j, q), for j in [from, to]: it grows with j.
  template <class Worth>
  static void best_slots(const Worth& worth, int64_t from, int64_t to, int64_t lo, int64_t hi,
                         int32_t* slot) noexcept {
    while (from <= to) {
      const int64_t j = from + (to - from) / 2;
      int64_t at = hi;
      double best = worth(j, hi);
      for (int64_t q = hi - 1; q >= lo; --q) {
        const double v = worth(j, q);
        if (v > best) {
          best = v;
          at = q;
        }
      }
      slot[j] = static_cast<int32_t>(at);
      // The left half by recursion: depth at most log2 of the list.
      best_slots(worth, from, j - 1, lo, at, slot);
      from = j + 1;
      lo = at;
    }
  }

  // Two levels. With p - 1 non-relevant documents above the first relevant one, these are the best
  // p - 1, that one is the best relevant one, and all other pairs follow the scores.
  double first_relevant(int64_t i, double scale, const int32_t* order, Scratch& a,
                        int32_t* code) const noexcept {
    split_levels(i, order, a);
    const int64_t n0 = a.begin[1], n1 = a.begin[2] - n0;
    const int32_t* non = a.by_level.data();
    const int32_t* rel = non + n0;
    const auto s = [&](int32_t d) { return a.s[static_cast<std::size_t>(d)]; };
    double all = 0;
    for (int64_t q = 0; q < n1; ++q) all += s(rel[q]);
    // follow[j]: sum over relevant documents but the first of min(0, s_rel - s_non_j), j from the end.
    double* follow = a.suffix.data();
    double tail_sum = 0;
    int64_t tail = n1;  // relevant documents tail .. n1 - 1 score below the current non-relevant one
    follow[n0] = 0;
    for (int64_t j = n0 - 1; j >= 0; --j) {
      // From the worst non-relevant document up: more and more relevant ones are below it.
      const double mine = s(non[j]);
      while (tail > 1 && s(rel[tail - 1]) < mine) tail_sum += s(rel[--tail]);
      follow[j] = follow[j + 1] + (tail_sum - static_cast<double>(n1 - tail) * mine);
    }
    const double pair = 1.0 / n_pairs[i];
    double forced = 0, best = -std::numeric_limits<double>::infinity();
    int64_t above = 0;
    for (int64_t p = 0; p <= n0; ++p) {
      const double v = scale * (1.0 - 1.0 / static_cast<double>(p + 1)) - pair * (forced + follow[p]);
      if (v > best) {
        best = v;
        above = p;
      }
      if (p < n0) forced += all - static_cast<double>(n1) * s(non[p]);
    }
    // The others: merge the rest by score, ties the relevant first.
    code[rel[0]] = static_cast<int32_t>(above);
    for (int64_t j = 0; j < above; ++j) code[non[j]] = 0;
    int64_t j = above;
    for (int64_t q = 1; q < n1; ++q) {
      for (; j < n0 && s(non[j]) > s(rel[q]); ++j) code[non[j]] = static_cast<int32_t>(q);
      code[rel[q]] = static_cast<int32_t>(j);
    }
    for (; j < n0; ++j) code[non[j]] = static_cast<int32_t>(n1);
    return 1.0 - 1.0 / static_cast<double>(above + 1);
  }

  double assign_positions(int64_t i, double scale, const int32_t* order, Scratch& a,
                          int32_t* code) const noexcept {
    split_levels(i, order, a);
    const int64_t k = size(i);
    const int32_t levels = n_levels[i];
    int32_t* counts = a.counts.data();
    RankingAssignment places{k, std::min(k, max_top), levels, 1.0 / n_pairs[i], scale / ideal[i],
                             a.s.data(), gain + offsets[i], discount, order, a.by_level.data(),
                             a.begin.data(), counts, counts + levels, counts + 2 * levels,
                             a.rank.data(), a.place.data(), a.suffix.data(), a.prefix.data(),
                             a.value.data(), a.choice.data()};
    double dcg = 0;
    return places.solve(code, &dcg) ? 0.0 : std::max(0.0, 1.0 - dcg / ideal[i]);
  }
};

}  // namespace pystruct_ext
