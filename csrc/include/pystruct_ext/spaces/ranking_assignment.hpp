// Who stands in the first `top` places of a ranking, for losses that are a discounted gain.
//
// Given in-level order by score, the value of placing a document depends on its position alone: an
// assignment problem. Its solution keeps every level sorted, so it is found by dynamic programming
// over how many documents of each level stand in the first t places; beyond `top` all that is left
// is sorted by score.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace pystruct_ext {

// One problem; the buffers are the caller's.
struct RankingAssignment {
  int64_t k, top;
  int32_t levels;
  double pair, per;        // worth of a unit of P <w, psi> and of gain
  const double* s;         // (k,) scores
  const double* gain;      // (k,)
  const double* discount;  // (top,)
  const int32_t* order;    // (k,) documents by score
  const int32_t* docs;     // (k,) documents of each level, best first
  const int64_t* begin;    // (levels + 1,) into docs
  int32_t* count;          // (levels,) documents of each level placed
  int32_t* cap;            // (levels,) at most
  int32_t* stride;         // (levels,) in the table of states
  int32_t* rank;           // (k,) from 1, in the order by score
  int32_t* place;          // (k,) from 1, in the end
  double* below;           // (k + 1,) below[t] = sum of scores at ranks > t
  double* taken;           // (k + levels,), see sum_taken
  double* value;           // (states,)
  int8_t* choice;          // (states,) level of the last document placed

  // code[d] = documents of other levels above d; whether it is the truth.
  bool solve(int32_t* code, double* dcg) noexcept {
    lay_out_states();
    rank_by_score();
    sum_taken();
    *dcg = place_top(best_state());
    place_tail();
    return write_places(code);
  }

  // The m-th best document of a level.
  int32_t doc(int32_t l, int64_t m) const noexcept { return docs[begin[l] + m]; }

  // A state is the number of documents of each level placed so far.
  void lay_out_states() noexcept {
    int64_t states = 1;
    for (int32_t l = levels - 1; l >= 0; --l) {
      cap[l] = static_cast<int32_t>(std::min(begin[l + 1] - begin[l], top));
      stride[l] = static_cast<int32_t>(states);
      states *= cap[l] + 1;
      count[l] = 0;
    }
  }
  void rank_by_score() noexcept {
    below[k] = 0;
    for (int64_t t = k; t > 0; --t) {
      rank[order[t - 1]] = static_cast<int32_t>(t);
      below[t - 1] = below[t] + s[order[t - 1]];
    }
  }
  // taken[begin[l] + l + n]: over the n best documents e of level l, the sum of
  // rank s + below(rank) + top s: what leaves the tail when they are placed at the top.
  void sum_taken() noexcept {
    for (int32_t l = 0; l < levels; ++l) {
      double* to = taken + begin[l] + l;
      to[0] = 0;
      for (int32_t n = 0; n < cap[l]; ++n) {
        const int32_t d = doc(l, n);
        to[n + 1] = to[n] +
                    (static_cast<double>(rank[d]) + static_cast<double>(top)) * s[d] +
                    below[rank[d]];
      }
    }
  }
  // Fills the table; the best state of `top` documents.
  int64_t best_state() noexcept {
    // A copy: stores of single bytes may change anything that the compiler does not see to be local.
    const RankingAssignment m = *this;
    m.value[0] = 0;
    m.choice[0] = -1;
    double best = -std::numeric_limits<double>::infinity();
    int64_t found = 0, state = 0, placed = 0;
    for (;;) {
      if (placed > 0) {
        double v = -std::numeric_limits<double>::infinity();
        for (int32_t l = m.levels - 1; l >= 0; --l) {
          if (m.count[l] == 0) continue;
          const int32_t d = m.doc(l, m.count[l] - 1);
          const double here = m.value[state - m.stride[l]] -
                              m.pair * static_cast<double>(placed) * m.s[d] -
                              m.per * m.gain[d] * m.discount[placed - 1];
          if (here > v) {
            v = here;
            m.choice[state] = static_cast<int8_t>(l);
          }
        }
        m.value[state] = v;
      }
      if (placed == m.top) {
        const double total = m.value[state] + (m.top == m.k ? 0.0 : m.pair * m.tail_value());
        if (total > best) {
          best = total;
          found = state;
        }
      }
      // The next vector of counts, in lexicographic order, with at most `top` documents.
      int32_t l = m.levels - 1;
      while (l >= 0 && (m.count[l] == m.cap[l] || placed == m.top)) {
        placed -= m.count[l];
        state -= int64_t{m.count[l]} * m.stride[l];
        m.count[l] = 0;
        --l;
      }
      if (l < 0) return found;
      ++m.count[l];
      ++placed;
      state += m.stride[l];
    }
  }
  // Sum over documents in the tail of -(top + rank in the tail) s, up to a constant of the query.
  // rank in the tail = rank - number of taken documents above; summed from the side of the taken ones.
  double tail_value() const noexcept {
    double sum = 0, among = 0;
    for (int32_t l = 0; l < levels; ++l) {
      sum += taken[begin[l] + l + count[l]];
      for (int32_t n = 0; n < count[l]; ++n) {
        // Taken documents below this one do not lose its place.
        const int32_t d = doc(l, n);
        int32_t above = n;
        for (int32_t o = 0; o < levels; ++o)
          if (o != l)
            for (int32_t q = 0; q < count[o] && rank[doc(o, q)] < rank[d]; ++q) ++above;
        among += static_cast<double>(above) * s[d];
      }
    }
    return sum - among;
  }
  // Back along the choices; the discounted gain.
  double place_top(int64_t state) noexcept {
    std::fill(place, place + k, 0);
    for (int32_t l = 0; l < levels; ++l)
      count[l] = static_cast<int32_t>(state / stride[l] % (cap[l] + 1));
    double dcg = 0;
    for (int64_t t = top; t > 0; --t) {
      const int32_t l = choice[state];
      const int32_t d = doc(l, --count[l]);
      place[d] = static_cast<int32_t>(t);
      dcg += gain[d] * discount[t - 1];
      state -= stride[l];
    }
    return dcg;
  }
  void place_tail() noexcept {
    int32_t next = static_cast<int32_t>(top);
    for (int64_t t = 0; t < k; ++t)
      if (place[order[t]] == 0) place[order[t]] = ++next;
  }
  // Others above = all above - those of the same level. Whether it is the truth.
  bool write_places(int32_t* code) const noexcept {
    bool perfect = true;
    for (int32_t l = 0; l < levels; ++l) {
      const int64_t better = k - begin[l + 1];
      for (int64_t n = 0; n < begin[l + 1] - begin[l]; ++n) {
        const int32_t d = doc(l, n);
        code[d] = place[d] - static_cast<int32_t>(n + 1);
        perfect = perfect && code[d] == better;
      }
    }
    return perfect;
  }
};

}  // namespace pystruct_ext
