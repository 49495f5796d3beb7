// The best set of labels for given scores: independent labels, forests, all sets, listed sets.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/oracle.h"
#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {
namespace detail::labelsets {

enum Loss : int32_t { kHamming, kSubset, kF1 };
enum Kind : int32_t { kIndependent, kForest, kAll, kListed, kGraph };

constexpr int32_t kMostAll = 16;  // labels of which all sets are gone through

// A loss of whole sets: the truth has `ones` labels, the other set `mine`, `both` are common.
inline double whole_loss(int32_t loss, int32_t ones, int32_t both, int32_t mine) noexcept {
  if (loss == kSubset) return both == ones && mine == ones ? 0.0 : 1.0;
  return ones + mine ? 1.0 - 2.0 * both / (ones + mine) : 0.0;
}

struct View {
  int32_t n_labels, n_edges, loss, search, min_labels, max_labels;
  const int32_t *edges, *order, *parent, *parent_edge, *edge_at;
  int64_t n_sets;
  const int64_t* set_offsets;
  const int32_t* set_labels;
  bool limited() const noexcept { return min_labels > 0 || max_labels < n_labels; }
};

struct Scores {
  const double *on, *off;  // (K,) of a label in the set, and out of it
  const double* pair;      // (n_edges,)
  const double* set;       // (n_sets,) of the listed sets, or null
  const int32_t* y;        // the truth, where a loss of whole sets is added; or null
  double scale;            // of that loss
};

// Scores this low forbid.
inline bool forbidden(double v) noexcept { return !(v > 0.1 * PSX_FORBIDDEN); }

class Search {
 public:
  void reserve(const View& v, int32_t most_positives) {
    const auto k = static_cast<std::size_t>(v.n_labels);
    gain_.reserve(k);
    index_.reserve(k + 1);
    index2_.reserve(k + 1);
    plain_.reserve(2 * k + 2);
    if (v.search == kAll) {
      const std::size_t all = std::size_t{1} << v.n_labels;
      value_.reserve(all);
      row_.reserve(all);
      size_.reserve(all);
      size_[0] = 0;
      for (std::size_t m = 1; m < all; ++m) size_[m] = static_cast<uint8_t>(size_[m >> 1] + (m & 1));
    }
    if (v.search == kForest && (v.limited() || v.loss != kHamming)) {
      nodes_.reserve(k + 1);
      before_.reserve(k + 1);
      tables_.reserve(static_cast<std::size_t>(table_room(v, most_positives)));
      message_.reserve(static_cast<std::size_t>(2 * widest(v, most_positives)));
    }
  }
  // Entries of a table of counts, and of all of them together.
  static int64_t widest(const View& v, int64_t positives) noexcept {
    return 2 * (positives + 1) * (int64_t{negatives_cap(v)} + 1);
  }
  static int64_t table_room(const View& v, int64_t positives) noexcept {
    return (2 * int64_t{v.n_labels} + 2) * widest(v, positives);
  }

  // The code of the best set; false where every set is forbidden.
  bool best(const Scores& s, const View& v, int32_t* code) noexcept {
    if (v.search == kAll) return all(s, v, code);
    if (v.search == kListed) return listed(s, v, code);
    if (v.search == kForest) return forest(s, v, code);
    return independent(s, v, code);
  }

 private:
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  static constexpr double kMinus = -std::numeric_limits<double>::infinity();

  // What a label in the set is worth; labels that must be in it are infinitely worth it.
  bool gains(const Scores& s, const View& v) noexcept {
    for (int32_t k = 0; k < v.n_labels; ++k) {
      const bool no = forbidden(s.on[k]), must = forbidden(s.off[k]);
      if (no && must) return false;
      gain_[idx(k)] = no ? kMinus : must ? -kMinus : s.on[k] - s.off[k];
    }
    return true;
  }

  // Independent labels.
  bool independent(const Scores& s, const View& v, int32_t* code) noexcept {
    if (!gains(s, v)) return false;
    if (s.y && v.loss == kF1) return independent_f1(s, v, code);
    const double* g = gain_.data();
    int32_t ones = 0;
    for (int32_t k = 0; k < v.n_labels; ++k) ones += code[k] = g[k] > 0;
    if (ones < v.min_labels) {
      const auto top = static_cast<int32_t>(std::max_element(g, g + v.n_labels) - g);
      if (g[top] == kMinus) return false;
      code[top] = 1;
      ones = 1;
    } else if (ones > v.max_labels) {
      int32_t m = 0;
      for (int32_t k = 0; k < v.n_labels; ++k)
        if (code[k]) index_[idx(m++)] = k;
      std::nth_element(index_.data(), index_.data() + v.max_labels, index_.data() + m, larger());
      for (int32_t r = v.max_labels; r < m; ++r) {
        if (g[index_[idx(r)]] == -kMinus) return false;  // more must be in the set than may be
        code[index_[idx(r)]] = 0;
      }
      ones = v.max_labels;
    }
    if (!s.y) return true;
    // 0/1 loss: the best set or, if that is the truth, the second best, which one change away is.
    bool same = true;
    for (int32_t k = 0; k < v.n_labels && same; ++k) same = code[k] == s.y[k];
    double own = 0;  // how much worse the truth is, without loss
    if (!same) {
      if (s.scale >= 0) return true;
      for (int32_t k = 0; k < v.n_labels; ++k)
        if (code[k] != s.y[k]) own += (code[k] ? 1 : -1) * g[k];
      if (own < -s.scale) std::copy(s.y, s.y + v.n_labels, code);
      return true;
    }
    int32_t in = -1, out = -1;  // the worst in the set, the best out of it
    for (int32_t k = 0; k < v.n_labels; ++k) {
      if (code[k] ? in < 0 || g[k] < g[in] : out < 0 || g[k] > g[out]) (code[k] ? in : out) = k;
    }
    double less = kMinus, more = kMinus, swap = kMinus;
    if (in >= 0 && ones > v.min_labels) less = -g[in];
    if (out >= 0 && ones < v.max_labels) more = g[out];
    if (in >= 0 && out >= 0) swap = g[out] - g[in];
    const double top = std::max(less, std::max(more, swap));
    if (!(top > kMinus) || !(top + s.scale > 0)) return true;
    if (top == more) {
      code[out] = 1;
    } else {
      code[in] = 0;
      if (top != less) code[out] = 1;
    }
    return true;
  }

  struct Larger {
    const double* g;
    bool operator()(int32_t a, int32_t b) const noexcept {
      return g[a] > g[b] || (g[a] == g[b] && a < b);
    }
  };
  Larger larger() const noexcept { return {gain_.data()}; }

  // F1: for each number of hits the best hits, for each number of misses the best misses.
  bool independent_f1(const Scores& s, const View& v, int32_t* code) noexcept {
    const double* g = gain_.data();
    int32_t ones = 0, hits = 0, misses = 0, must_hit = 0, must_miss = 0, top = -1;
    for (int32_t k = 0; k < v.n_labels; ++k) {
      code[k] = 0;
      ones += s.y[k];
      if (!s.y[k] && (top < 0 || g[k] > g[top])) top = k;
    }
    // One more miss never gains more than a third of the loss, but the first on an empty truth.
    const double enough = ones ? -std::fabs(s.scale) / 3 - 1e-12 : 0.0;
    for (int32_t k = 0; k < v.n_labels; ++k) {
      if (g[k] == kMinus) continue;
      if (s.y[k]) {
        index_[idx(hits++)] = k;
        must_hit += g[k] == -kMinus;
      } else if (k == top || g[k] > enough) {
        index2_[idx(misses++)] = k;
        must_miss += g[k] == -kMinus;
      }
    }
    std::sort(index_.data(), index_.data() + hits, larger());
    std::sort(index2_.data(), index2_.data() + misses, larger());
    double best = kMinus, hit_sum = 0;
    int32_t best_t = -1, best_u = -1;
    for (int32_t t = 0; t <= hits; ++t) {
      if (t > must_hit) hit_sum += g[index_[idx(t - 1)]];
      if (t < must_hit) continue;
      double sum = hit_sum;
      for (int32_t u = 0; u <= misses && t + u <= v.max_labels; ++u) {
        if (u > must_miss) sum += g[index2_[idx(u - 1)]];
        if (u < must_miss || t + u < v.min_labels) continue;
        const double value = sum + s.scale * whole_loss(kF1, ones, t, t + u);
        if (value > best) best = value, best_t = t, best_u = u;
      }
    }
    if (best_t < 0) return false;
    for (int32_t t = 0; t < best_t; ++t) code[index_[idx(t)]] = 1;
    for (int32_t u = 0; u < best_u; ++u) code[index2_[idx(u)]] = 1;
    return true;
  }

  // All sets. Label k is bit K - 1 - k: codes rise with the number.
  bool all(const Scores& s, const View& v, int32_t* code) noexcept {
    const int32_t K = v.n_labels;
    const uint32_t n = uint32_t{1} << K;
    double *value = value_.data(), *row = row_.data();
    value[0] = 0;
    for (int32_t b = 0; b < K; ++b) {
      const int32_t k = K - 1 - b;
      const uint32_t bit = uint32_t{1} << b;
      row[0] = s.on[k];
      for (int32_t c = 0; c < b; ++c) {
        const int32_t e = v.edge_at[int64_t{k} * K + (K - 1 - c)];
        const double p = e >= 0 ? s.pair[e] : 0.0;
        const uint32_t half = uint32_t{1} << c;
        for (uint32_t m = 0; m < half; ++m) row[half + m] = row[m] + p;
      }
      for (uint32_t m = 0; m < bit; ++m) {
        value[bit + m] = value[m] + row[m];
        value[m] += s.off[k];
      }
    }
    double best = kMinus;
    uint32_t at = 0;
    if (s.y) {
      uint32_t truth = 0;
      for (int32_t k = 0; k < K; ++k) truth |= static_cast<uint32_t>(s.y[k]) << (K - 1 - k);
      const int32_t ones = size_[truth];
      double loss[kMostAll + 1][kMostAll + 1];
      for (int32_t t = 0; t <= ones; ++t)
        for (int32_t m = t; m <= K; ++m) loss[t][m] = s.scale * whole_loss(v.loss, ones, t, m);
      for (uint32_t m = 0; m < n; ++m) {
        if (size_[m] < v.min_labels || size_[m] > v.max_labels) continue;
        const double x = value[m] + loss[size_[m & truth]][size_[m]];
        if (x > best) best = x, at = m;
      }
    } else if (v.limited()) {
      for (uint32_t m = 0; m < n; ++m)
        if (size_[m] >= v.min_labels && size_[m] <= v.max_labels && value[m] > best)
          best = value[m], at = m;
    } else {
      for (uint32_t m = 0; m < n; ++m)
        if (value[m] > best) best = value[m], at = m;
    }
    for (int32_t k = 0; k < K; ++k) code[k] = (at >> (K - 1 - k)) & 1;
    return !forbidden(best);
  }

  // Listed sets.
  bool listed(const Scores& s, const View& v, int32_t* code) noexcept {
    if (!gains(s, v)) return false;
    double* g = gain_.data();
    int32_t must = 0, ones = 0;
    for (int32_t k = 0; k < v.n_labels; ++k) {
      code[k] = g[k] == -kMinus;  // for now
      must += code[k];
      if (code[k]) g[k] = s.on[k];
      if (s.y) ones += s.y[k];
    }
    double best = kMinus;
    int64_t at = -1;
    for (int64_t c = 0; c < v.n_sets; ++c) {
      const int64_t begin = v.set_offsets[c], end = v.set_offsets[c + 1];
      double sum = s.set ? s.set[c] : 0.0;
      int32_t both = 0, kept = 0;
      for (int64_t p = begin; p < end; ++p) {
        const int32_t k = v.set_labels[p];
        sum += g[k];
        if (v.n_edges) {
          const int32_t* row = v.edge_at + int64_t{k} * v.n_labels;
          for (int64_t q = begin; q < p; ++q) {
            const int32_t e = row[v.set_labels[q]];
            if (e >= 0) sum += s.pair[e];
          }
        }
        if (s.y) both += s.y[k];
        if (must) kept += code[k];
      }
      if (kept < must) continue;
      if (s.y) sum += s.scale * whole_loss(v.loss, ones, both, static_cast<int32_t>(end - begin));
      if (sum > best) best = sum, at = c;
    }
    std::fill(code, code + v.n_labels, 0);
    if (at < 0) return false;
    for (int64_t p = v.set_offsets[at]; p < v.set_offsets[at + 1]; ++p) code[v.set_labels[p]] = 1;
    return true;
  }

  // Forests.
  bool forest(const Scores& s, const View& v, int32_t* code) noexcept {
    const bool f1 = s.y && v.loss == kF1;
    if (!f1) {
      const double value = plain_forest(s, v, code);
      if (forbidden(value)) return false;
      int32_t ones = 0;
      bool same = s.y != nullptr;
      for (int32_t k = 0; k < v.n_labels; ++k) {
        ones += code[k];
        same = same && code[k] == s.y[k];
      }
      const bool fits = ones >= v.min_labels && ones <= v.max_labels;
      if (fits && (!s.y || (!same && s.scale >= 0))) return true;
    }
    return counting_forest(s, v, code);
  }

  // plain_: best score of the subtree of k with k out of the set (2 k), and in it (2 k + 1).
  double plain_forest(const Scores& s, const View& v, int32_t* code) noexcept {
    const int32_t K = v.n_labels;
    double* best = plain_.data();
    for (int32_t k = 0; k < K; ++k) {
      best[2 * k] = s.off[k];
      best[2 * k + 1] = s.on[k];
    }
    double total = 0;
    for (int32_t r = K - 1; r >= 0; --r) {
      const int32_t k = v.order[r], p = v.parent[k];
      const double top = std::max(best[2 * k], best[2 * k + 1]);
      if (p < 0) {
        total += top;
        continue;
      }
      best[2 * p] += top;
      best[2 * p + 1] += std::max(best[2 * k], best[2 * k + 1] + s.pair[v.parent_edge[k]]);
    }
    for (int32_t r = 0; r < K; ++r) {
      const int32_t k = v.order[r], p = v.parent[k];
      const double pair = p >= 0 && code[p] ? s.pair[v.parent_edge[k]] : 0.0;
      code[k] = best[2 * k + 1] + pair > best[2 * k];
    }
    return total;
  }

  // Misses that are told apart: more count as that many, unless there is a limit of labels.
  static int32_t negatives_cap(const View& v) noexcept {
    if (v.max_labels < v.n_labels) return v.max_labels;
    return v.loss == kF1 ? v.n_labels : 1;
  }

  struct Table {
    int64_t at;
    int32_t a, b;  // most hits and misses; entry [label][hits][misses]
    int64_t size() const noexcept { return int64_t{a + 1} * (b + 1); }
  };

  // The same with the numbers of hits (labels of the truth) and of misses in the state. Node K joins
  // the roots. Without truth all labels are misses.
  bool counting_forest(const Scores& s, const View& v, int32_t* code) noexcept {
    const int32_t K = v.n_labels;
    const int32_t cap = s.y && v.loss == kF1 ? negatives_cap(v)
                        : v.max_labels < K   ? v.max_labels
                                             : 1;
    const bool drop = v.max_labels < K;  // beyond the cap: no set; else: counted as the cap
    int64_t used = 0;
    double* room = tables_.data();
    const auto fresh = [&](int32_t a, int32_t b) {
      const Table t{used, a, b};
      used += 2 * t.size();
      std::fill(room + t.at, room + used, kMinus);
      return t;
    };
    int32_t ones = 0;
    for (int32_t k = 0; k < K; ++k) {
      const int32_t hit = s.y && s.y[k], miss = !hit;
      ones += hit;
      const Table t = nodes_[idx(k)] = fresh(hit, miss);
      room[t.at] = s.off[k];
      room[t.at + t.size() + (hit ? int64_t{t.b + 1} : 1)] = s.on[k];
    }
    const Table root = nodes_[idx(K)] = fresh(0, 0);
    room[root.at] = 0;
    for (int32_t r = K - 1; r >= 0; --r) {
      const int32_t k = v.order[r], p = v.parent[k] < 0 ? K : v.parent[k];
      const Table child = nodes_[idx(k)], from = before_[idx(k)] = nodes_[idx(p)];
      const Table to = nodes_[idx(p)] = fresh(from.a + child.a, std::min(cap, from.b + child.b));
      for (int32_t l = 0; l < (p == K ? 1 : 2); ++l) {
        message(s, v, k, l, child);
        const double* in = room + from.at + l * from.size();
        double* out = room + to.at + l * to.size();
        for (int32_t a1 = 0; a1 <= from.a; ++a1)
          for (int32_t b1 = 0; b1 <= from.b; ++b1) {
            const double x = in[a1 * (from.b + 1) + b1];
            if (x == kMinus) continue;
            for (int32_t a2 = 0; a2 <= child.a; ++a2) {
              const double* m = message_.data() + a2 * (child.b + 1);
              double* o = out + (a1 + a2) * (to.b + 1);
              for (int32_t b2 = 0; b2 <= child.b; ++b2) {
                int32_t b = b1 + b2;
                if (b > cap) {
                  if (drop) break;
                  b = cap;
                }
                if (x + m[b2] > o[b]) o[b] = x + m[b2];
              }
            }
          }
      }
    }
    const Table end = nodes_[idx(K)];
    double best = kMinus;
    int32_t a = -1, b = -1;
    for (int32_t t = 0; t <= end.a; ++t)
      for (int32_t u = 0; u <= end.b; ++u) {
        if (t + u < v.min_labels || t + u > v.max_labels) continue;
        double x = room[end.at + t * (end.b + 1) + u];
        if (s.y) x += s.scale * whole_loss(v.loss, ones, t, t + u);
        if (x > best) best = x, a = t, b = u;
      }
    if (forbidden(best)) return false;
    // Back: what each node holds is taken apart, the child that came last first. Hits, misses and
    // label of a node are kept in index_, index2_ and code.
    index_[idx(K)] = a;
    index2_[idx(K)] = b;
    for (int32_t r = 0; r < K; ++r) {
      const int32_t k = v.order[r], p = v.parent[k] < 0 ? K : v.parent[k];
      const int32_t l = p == K ? 0 : code[p];
      split(s, v, k, p, l, cap, drop, code);
    }
    return true;
  }

  // Best score of the subtree of k for its counts, given the label l of its parent.
  void message(const Scores& s, const View& v, int32_t k, int32_t l, const Table& t) noexcept {
    const double pair = l ? s.pair[v.parent_edge[k]] : 0.0;
    const double *out = tables_.data() + t.at, *in = out + t.size();
    for (int64_t c = 0; c < t.size(); ++c) message_[idx(c)] = std::max(out[c], in[c] + pair);
  }
  void split(const Scores& s, const View& v, int32_t k, int32_t p, int32_t l, int32_t cap, bool drop,
             int32_t* code) noexcept {
    const Table from = before_[idx(k)], child = nodes_[idx(k)];
    message(s, v, k, l, child);
    const double* in = tables_.data() + from.at + l * from.size();
    const int32_t a = index_[idx(p)], b = index2_[idx(p)];
    double best = kMinus;
    for (int32_t a1 = 0; a1 <= from.a; ++a1) {
      const int32_t a2 = a - a1;
      if (a2 < 0 || a2 > child.a) continue;
      for (int32_t b1 = 0; b1 <= from.b; ++b1)
        for (int32_t b2 = 0; b2 <= child.b; ++b2) {
          if (drop ? b1 + b2 != b : std::min(cap, b1 + b2) != b) continue;
          const double x = in[a1 * (from.b + 1) + b1] + message_[idx(a2 * (child.b + 1) + b2)];
          if (!(x > best)) continue;
          best = x;
          index_[idx(p)] = a1;
          index2_[idx(p)] = b1;
          index_[idx(k)] = a2;
          index2_[idx(k)] = b2;
        }
    }
    const double pair = l ? s.pair[v.parent_edge[k]] : 0.0;
    const int64_t c = int64_t{index_[idx(k)]} * (child.b + 1) + index2_[idx(k)];
    const double *out = tables_.data() + child.at, *inside = out + child.size();
    code[k] = inside[c] + pair > out[c];
  }

  AlignedBuffer<double> gain_, plain_, value_, row_, tables_, message_;
  AlignedBuffer<int32_t> index_, index2_;
  AlignedBuffer<uint8_t> size_;
  AlignedBuffer<Table> nodes_, before_;
};

// What is wrong with a view beyond the ranges of its fields, or null.
inline const char* wrong(const View& v, int32_t most_positives) noexcept {
  if (v.min_labels > v.max_labels) return "min_labels is above max_labels";
  if (v.search == kIndependent && v.n_edges) return "independent labels have no pairs";
  if (v.search == kAll && v.n_labels > kMostAll) return "too many labels to go through all sets";
  if ((v.search == kAll || v.search == kListed) && !v.edge_at) return "edge_at is needed";
  if (v.search == kForest && (v.limited() || v.loss != kHamming) && Search::table_room(v, most_positives) > (int64_t{1} << 27))
    return "the tables of counts of hits and misses are too large; set max_labels";
  if (v.edge_at)
    for (int32_t j = 0; j < v.n_labels; ++j)
      for (int32_t k = 0; k < v.n_labels; ++k) {
        const int32_t e = v.edge_at[int64_t{j} * v.n_labels + k];
        if (e < 0) continue;
        const int32_t a = v.edges[2 * int64_t{e}], b = v.edges[2 * int64_t{e} + 1];
        if (!((a == j && b == k) || (a == k && b == j)) || j == k) return "edge_at is not that of edges";
        if (v.edge_at[int64_t{k} * v.n_labels + j] != e) return "edge_at is not symmetric";
      }
  std::vector<char> placed(static_cast<std::size_t>(v.n_labels), 0);
  for (int32_t r = 0; r < v.n_labels; ++r) {
    const int32_t k = v.order[r], p = v.parent[k];
    if (placed[static_cast<std::size_t>(k)]) return "order has a label twice";
    placed[static_cast<std::size_t>(k)] = 1;
    if (p < 0) continue;
    if (p == k || !placed[static_cast<std::size_t>(p)]) return "order has a label before its parent";
    const int32_t e = v.parent_edge[k];
    if (e < 0) return "parent_edge is needed where there is a parent";
    const int32_t a = v.edges[2 * int64_t{e}], b = v.edges[2 * int64_t{e} + 1];
    if (!((a == p && b == k) || (a == k && b == p))) return "parent_edge is not the edge to the parent";
  }
  for (int64_t c = 0; c < v.n_sets; ++c) {
    const int64_t size = v.set_offsets[c + 1] - v.set_offsets[c];
    if (size < v.min_labels || size > v.max_labels) return "a listed set has too few or too many labels";
    for (int64_t p = v.set_offsets[c] + 1; p < v.set_offsets[c + 1]; ++p)
      if (v.set_labels[p - 1] >= v.set_labels[p]) return "labels of a listed set must rise";
  }
  return nullptr;
}

}  // namespace detail::labelsets
}  // namespace pystruct_ext
