// Rankings of the documents of a query, learnt from graded relevance.
//
// Feature map (Joachims 2002; Yue, Finley, Radlinski and Joachims 2007; here for any number of
// relevance levels): over the P pairs (i, j) with document i more relevant than document j,
//   psi(x, y) = 1/(2P) sum_(i,j) y_ij (x_i - x_j),   y_ij = +1 if i is above j, else -1.
// With u_d = (less relevant documents above d) - (more relevant ones below d) this is
//   psi(x, y) = 1/P sum_d (base_d / 2 - u_d) x_d,   base_d = #less relevant - #more relevant,
// so that the order within a level does not matter and the truth is u = 0. A code is u, followed by
// the loss: (k,) int32 and a double in two words; with document weights u is k doubles in 2 k words.
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
//              Given in-level order by score, the value of placing a document depends on its
//              position alone: an assignment problem. Its solution keeps every level sorted, so it is
//              found by dynamic programming over how many documents of each level stand in the
//              first t places; beyond T all that is left is sorted by score.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "pystruct_ext/descending_order.hpp"
#include "pystruct_ext/driver.hpp"
#include "pystruct_ext/row_scores.hpp"

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
  const double* base = nullptr;        // (n_rows,) see above
  const double* n_pairs = nullptr;     // (n,) P; with weights their sum
  const double* weight = nullptr;      // (n_rows,) or nullptr
  const double* gain = nullptr;        // (n_rows,) for kGain
  const double* ideal = nullptr;       // (n,) for kGain
  const double* discount = nullptr;    // (max_top,) for kGain
  const double* harmonic = nullptr;    // (max_rows + 2,) for kAveragePrecision
  const int32_t* zeros = nullptr;      // (2 max_rows + 2,) the truth of every query
  int64_t max_rows = 0, max_levels = 0, max_top = 0, max_states = 0;
  int32_t kind = kPairs;
  row_scores::Fill<R> fill = row_scores::choose<R>(detect_isa());

  struct Scratch {
    AlignedBuffer<double> s, sorted, dense, prefix, suffix, value;
    AlignedBuffer<int32_t> lev, position, slot, by_level, states, counts;
    AlignedBuffer<int64_t> begin, count_a, count_b;
    AlignedBuffer<double> mass_b, more_mass;
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
      mass_b.reserve(l + 1);
      more_mass.reserve(l + 1);
      if (a.kind != kPairs) {
        prefix.reserve(k + l + 2);
        suffix.reserve(k + 2);
        by_level.reserve(k);
        position.reserve(k);
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
  int64_t words(int64_t i) const noexcept { return weight ? 2 * size(i) : size(i); }
  int32_t code_len(int64_t i) const noexcept { return static_cast<int32_t>(words(i) + 2); }
  const int32_t* truth(int64_t) const noexcept { return zeros; }

  void prepare(const R*, Scratch&) const noexcept {}
  void load(const R* w, int64_t i, Scratch& a) const noexcept {
    a.finite = fill(rows, offsets[i], offsets[i + 1], w, a.s.data());
  }

  double argmax(int64_t i, double scale, Scratch& a, int32_t* code) const noexcept {
    if (!a.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t* order = a.order.sort(a.s.data(), size(i));
    double lost = 0;
    switch (kind) {
      case kPairs: lost = swap_pairs(i, scale, order, a, code); break;
      case kAveragePrecision: lost = insert_nonrelevant(i, scale, order, a, code); break;
      case kReciprocalRank: lost = first_relevant(i, scale, order, a, code); break;
      default: lost = assign_positions(i, scale, order, a, code); break;
    }
    std::memcpy(code + words(i), &lost, sizeof lost);
    return score(i, a, code) + scale * lost;
  }

  double score(int64_t i, const Scratch& a, const int32_t* y) const noexcept {
    const int64_t b = offsets[i], k = size(i);
    const double* s = a.s.data();
    double sum = 0;
    for (int64_t d = 0; d < k; ++d) sum += (0.5 * base[b + d] - u_of(y, d)) * s[d];
    return sum / n_pairs[i];
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    double out;
    std::memcpy(&out, z + words(i), sizeof out);
    return out;
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    for (int64_t d = 0; d < size(i); ++d)
      emit(offsets[i] + d, a * (0.5 * base[offsets[i] + d] - u_of(y, d)) / n_pairs[i], sink);
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    const double c = -a / n_pairs[i];
    for (int64_t d = 0; d < size(i); ++d) {
      const double diff = u_of(y, d) - u_of(z, d);
      if (diff != 0) emit(offsets[i] + d, c * diff, sink);
    }
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

 private:
  double u_of(const int32_t* y, int64_t d) const noexcept {
    if (!weight) return y[d];
    double v;
    std::memcpy(&v, y + 2 * d, sizeof v);
    return v;
  }
  template <class Sink>
  void emit(int64_t r, double c, Sink& sink) const noexcept {
    const auto row = rows.row(r);
    for (int64_t k = 0; k < row.nnz; ++k)
      sink(row.feature(k), c * static_cast<double>(row.value(k)));
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
    // above_a[l], above_b[l]: documents of a level below l (above l) seen by either sweep. With few
    // levels an update touches them all and a look-up is one read; a Fenwick tree beyond.
    int64_t* ca = a.count_a.data();
    int64_t* cb = a.count_b.data();
    double* mb = a.mass_b.data();
    std::fill(ca, ca + levels + 1, 0);
    std::fill(cb, cb + levels + 1, 0);
    std::fill(mb, mb + levels + 1, 0.0);
    // Documents of a level above l, and their mass.
    int64_t* more = a.begin.data();
    double* more_mass = a.more_mass.data();
    std::fill(more, more + levels, 0);
    std::fill(more_mass, more_mass + levels, 0.0);
    for (int64_t t = 0; t < k; ++t) {
      ++more[lev[t]];
      if (weight) more_mass[lev[t]] += weight[b + order[t]];
    }
    int64_t n_above = 0;
    double mass_above = 0;
    for (int32_t l = levels - 1; l >= 0; --l) {
      std::swap(more[l], n_above);
      n_above += more[l];
      std::swap(more_mass[l], mass_above);
      mass_above += more_mass[l];
    }
    const bool tree = levels > 24;
    int64_t swapped = 0, pa = 0, pb = 0;
    double swapped_mass = 0;
    for (int64_t t = 0; t < k; ++t) {
      const int32_t l = lev[t];
      for (; pa < k && s[t] - s[pa] < scale; ++pa) {
        if (tree)
          for (int32_t q = lev[pa] + 1; q <= levels; q += q & -q) ++ca[q];
        else
          for (int32_t q = lev[pa] + 1; q < levels; ++q) ++ca[q];
      }
      for (; pb < k && s[pb] - s[t] >= scale; ++pb) {
        const double v = weight ? weight[b + order[pb]] : 0;
        if (tree)
          for (int32_t q = levels - lev[pb]; q <= levels; q += q & -q) ++cb[q], mb[q] += v;
        else
          for (int32_t q = 0; q < lev[pb]; ++q) ++cb[q], mb[q] += v;
      }
      int64_t worse_above = 0, better_above = 0;
      double better_mass = 0;
      if (tree) {
        for (int32_t q = l; q > 0; q -= q & -q) worse_above += ca[q];
        for (int32_t q = levels - l - 1; q > 0; q -= q & -q) better_above += cb[q], better_mass += mb[q];
      } else {
        worse_above = ca[l];
        better_above = cb[l];
        better_mass = mb[l];
      }
      const int32_t d = order[t];
      if (weight) {
        const double v = weight[b + d];
        // Sums of the same masses in different orders: an exact 0 where all pairs are right.
        const double left = better_above == more[l] ? 0.0 : more_mass[l] - better_mass;
        const double u = v * static_cast<double>(worse_above) - left;
        swapped_mass += v * static_cast<double>(worse_above);
        std::memcpy(code + 2 * d, &u, sizeof u);
      } else {
        code[d] = static_cast<int32_t>(worse_above - (more[l] - better_above));
        swapped += worse_above;
      }
    }
    return (weight ? swapped_mass : static_cast<double>(swapped)) / n_pairs[i];
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
    for (int64_t j = 0; j < n0; ++j) code[non[j]] = static_cast<int32_t>(slot[j + 1] - n1);
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
    // u of the others: merge the rest by score, ties the relevant first.
    code[rel[0]] = static_cast<int32_t>(above);
    for (int64_t j = 0; j < above; ++j) code[non[j]] = static_cast<int32_t>(-n1);
    int64_t j = above;
    for (int64_t q = 1; q < n1; ++q) {
      for (; j < n0 && s(non[j]) > s(rel[q]); ++j) code[non[j]] = static_cast<int32_t>(q - n1);
      code[rel[q]] = static_cast<int32_t>(j);
    }
    for (; j < n0; ++j) code[non[j]] = 0;
    return 1.0 - 1.0 / static_cast<double>(above + 1);
  }

  // The assignment, by dynamic programming over counts of levels in the first t places.
  double assign_positions(int64_t i, double scale, const int32_t* order, Scratch& a,
                          int32_t* code) const noexcept {
    split_levels(i, order, a);
    const int64_t k = size(i), b = offsets[i], top = std::min(k, max_top);
    const int32_t levels = n_levels[i];
    const int64_t* begin = a.begin.data();
    const int32_t* docs = a.by_level.data();
    int32_t* count = a.counts.data();      // documents of each level placed
    int32_t* cap = count + levels;         // at most
    int32_t* stride = cap + levels;        // in the table of states
    int64_t states = 1;
    for (int32_t l = levels - 1; l >= 0; --l) {
      cap[l] = static_cast<int32_t>(std::min<int64_t>(begin[l + 1] - begin[l], top));
      stride[l] = static_cast<int32_t>(states);
      states *= cap[l] + 1;
      count[l] = 0;
    }
    const double pair = 1.0 / n_pairs[i], per = scale / ideal[i];
    // Rank of every document in the order by score, and the scores below it.
    int32_t* rank = a.position.data();
    double* below = a.suffix.data();  // below[t] = sum of scores at ranks > t (from 1)
    below[k] = 0;
    for (int64_t t = k; t > 0; --t) {
      rank[order[t - 1]] = static_cast<int32_t>(t);
      below[t - 1] = below[t] + a.s[static_cast<std::size_t>(order[t - 1])];
    }
    // taken[begin[l] + l + m]: over the m best documents e of level l, the sum of
    // rank s + below(rank) + top s: what leaves the tail when they are placed at the top.
    double* taken = a.prefix.data();
    for (int32_t l = 0; l < levels; ++l) {
      double* to = taken + begin[l] + l;
      to[0] = 0;
      for (int32_t m = 0; m < cap[l]; ++m) {
        const int32_t d = docs[begin[l] + m];
        const double s = a.s[static_cast<std::size_t>(d)];
        to[m + 1] = to[m] + (static_cast<double>(rank[d]) + static_cast<double>(top)) * s +
                    below[rank[d]];
      }
    }
    double* value = a.value.data();
    int8_t* choice = a.choice.data();
    value[0] = 0;
    choice[0] = -1;
    double best = -std::numeric_limits<double>::infinity();
    int64_t best_state = 0, state = 0, placed = 0;
    for (;;) {
      if (placed > 0) {
        double v = -std::numeric_limits<double>::infinity();
        for (int32_t l = levels - 1; l >= 0; --l) {
          if (count[l] == 0) continue;
          const int32_t d = docs[begin[l] + count[l] - 1];
          const double here = value[state - stride[l]] -
                              pair * static_cast<double>(placed) * a.s[static_cast<std::size_t>(d)] -
                              per * gain[b + d] * discount[placed - 1];
          if (here > v) {
            v = here;
            choice[state] = static_cast<int8_t>(l);
          }
        }
        value[state] = v;
      }
      if (placed == top) {
        const double total =
            value[state] + (top == k ? 0.0 : pair * tail_value(levels, count, begin, docs, rank, taken, a));
        if (total > best) {
          best = total;
          best_state = state;
        }
      }
      // The next vector of counts, in lexicographic order, with at most `top` documents.
      int32_t l = levels - 1;
      while (l >= 0 && (count[l] == cap[l] || placed == top)) {
        placed -= count[l];
        state -= int64_t{count[l]} * stride[l];
        count[l] = 0;
        --l;
      }
      if (l < 0) break;
      ++count[l];
      ++placed;
      state += stride[l];
    }
    // Back along the choices; then the tail in order of score.
    int32_t* at = rank;  // now: final position
    std::fill(at, at + k, 0);
    double dcg = 0;
    state = best_state;
    for (int32_t l = 0; l < levels; ++l)
      count[l] = static_cast<int32_t>(state / stride[l] % (cap[l] + 1));
    for (int64_t t = top; t > 0; --t) {
      const int32_t l = choice[state];
      const int32_t d = docs[begin[l] + --count[l]];
      at[d] = static_cast<int32_t>(t);
      dcg += gain[b + d] * discount[t - 1];
      state -= stride[l];
    }
    int32_t next = static_cast<int32_t>(top);
    for (int64_t t = 0; t < k; ++t)
      if (at[order[t]] == 0) at[order[t]] = ++next;
    // u = others above - more relevant ones in total.
    bool perfect = true;
    for (int32_t l = 0; l < levels; ++l) {
      const int32_t higher = static_cast<int32_t>(k - begin[l + 1]);
      for (int64_t q = begin[l]; q < begin[l + 1]; ++q) {
        code[docs[q]] = at[docs[q]] - static_cast<int32_t>(q - begin[l] + 1) - higher;
        perfect = perfect && code[docs[q]] == 0;
      }
    }
    return perfect ? 0.0 : std::max(0.0, 1.0 - dcg / ideal[i]);
  }

  // Sum over documents in the tail of -(top + rank in the tail) s, up to a constant of the query.
  // rank in the tail = rank - number of taken documents above; summed from the side of the taken ones.
  double tail_value(int32_t levels, const int32_t* count, const int64_t* begin, const int32_t* docs,
                    const int32_t* rank, const double* taken, const Scratch& a) const noexcept {
    double sum = 0, among = 0;
    for (int32_t l = 0; l < levels; ++l) {
      sum += taken[begin[l] + l + count[l]];
      for (int32_t m = 0; m < count[l]; ++m) {
        // Taken documents below this one do not lose its place.
        const int32_t d = docs[begin[l] + m];
        int32_t above = m;
        for (int32_t o = 0; o < levels; ++o)
          if (o != l)
            for (int32_t q = 0; q < count[o] && rank[docs[begin[o] + q]] < rank[d]; ++q) ++above;
        among += static_cast<double>(above) * a.s[static_cast<std::size_t>(d)];
      }
    }
    return sum - among;
  }
};

}  // namespace pystruct_ext
