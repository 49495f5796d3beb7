// Probabilities of pairs: the recursion of inside.hpp with sums, inside and outside (McCaskill 1990).
//
// Design. Sums of exponentials themselves, not of logarithms: every base is given the factor
// exp(-best / n), so that the whole is near 1, and what lies between stays in the range of doubles
// for hundreds of units of score. Where it does not (`Ensemble::ok`), the caller takes the packed
// forest, which sums logarithms and is some thirty times slower. Interior loops are sums over
// contiguous rows, as in inside.hpp; outside, the pair (i, j) hands on to its inner pairs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "pystruct_ext/folding/inside.hpp"

namespace pystruct_ext {
namespace folding {

template <class R>
class Ensemble {
 public:
  // `best`: the highest score of a fold.
  Ensemble(const Chart<R>& c, double best, double temperature)
      : c_(c), n_(c.loops.n), stride_(n_ + 1), t_(temperature), shift_(best / temperature / n_) {
    fill_tables();
    sum_inside();
  }

  // Whether nothing came near the ends of the range; below 1 / kMost of the whole, all is as good as 0.
  bool ok() const { return most_ < kMost && outer_[0] > 1 / kMost; }
  double log_z() const { return std::log(outer_[0]) + shift_ * n_; }

  // p[i * n + j] of all pairs; `ok` is known afterwards.
  void probabilities(double* p) {
    sum_outside();
    for (int32_t i = 0; i < n_; ++i)
      for (int32_t j = i + kMinPair; j < n_; ++j) {
        const double v = pair_[at(i, j)] * out_pair_[at(i, j)] / outer_[0];
        p[int64_t{i} * n_ + j] = v;
      }
  }

 private:
  static constexpr double kMost = 1e90;
  static constexpr int kSide = kMaxLoop + 1;
  using Row = std::vector<double>;

  std::size_t at(int64_t i, int64_t j) const { return static_cast<std::size_t>(i * stride_ + j); }
  std::size_t ring(int64_t i, int64_t j) const { return at(i & (kRing - 1), j); }
  // Of a part with that many bases of its own.
  double factor(double score, int32_t bases) const { return std::exp(score / t_ - shift_ * bases); }
  double end(int32_t table, int32_t i, int32_t j, int32_t a, int32_t b) const {
    return ends_[idx(table + 25 * c_.loops.pair(i, j) + 5 * c_.loops.x[a] + c_.loops.x[b])];
  }
  static std::size_t idx(int64_t k) { return static_cast<std::size_t>(k); }
  bool inward(int32_t i, int32_t j) const { return i > 0 && j + 1 < n_; }
  bool allowed(int32_t i, int32_t j) const { return c_.may_pair[int64_t{i} * n_ + j]; }
  double inner_end(int32_t table, int32_t k, int32_t l) const {
    return inward(k, l) ? end(table, l, k, l + 1, k - 1) : 0.0;
  }
  double helix_end(int32_t i, int32_t j) const { return helix_[idx(16 * (i < j) + c_.loops.pair(i, j))]; }
  double multi_branch(int32_t i, int32_t j) const {
    return inward(i, j) ? end(kMultiEnd, i, j, i - 1, j + 1) : 0.0;
  }
  double outer_branch(int32_t i, int32_t j) const {
    return inward(i, j) ? end(kOuterEnd, i, j, i - 1, j + 1) : factor(c_.outer_branch(i, j), 0);
  }
  double multi_closing(int32_t i, int32_t j) const {
    return closing_ * end(kMultiEnd, j, i, j - 1, i + 1);
  }
  double own(int32_t i, int32_t j) const { return factor(c_.own(i, j), 0); }

  void fill_tables() {
    const std::size_t plane = idx(int64_t{n_ + 1} * stride_);
    for (Row* t : {&pair_, &one_, &many_}) t->assign(plane, 0.0);
    for (Row* t : {&inner_, &thin_, &closed_}) t->assign(idx(kRing * stride_), 0.0);
    ends_.resize(kEndSize);
    for (int32_t k = 0; k < kEndSize; ++k) ends_[idx(k)] = factor(c_.ends[k], 0);
    // The score of a helix's end depends on the pair alone: read off wherever it occurs.
    helix_.assign(32, 0.0);
    for (int32_t i = 0; i < n_; ++i)
      for (int32_t j = i + 1; j < n_; ++j)
        if (allowed(i, j))
          for (const auto& [a, b] : {std::pair{i, j}, std::pair{j, i}}) {
            double& h = helix_[idx(16 * (a < b) + c_.loops.pair(a, b))];
            if (h == 0) h = factor(c_.helix_end(a, b), 0);
          }
    closing_ = factor(c_.w[kMultiBase] + c_.cost(c_.energies.t[kMultiClosingE]), 2);
    free_ = factor(c_.multi_free, 1);
    outer_free_ = factor(c_.w[kOuterUnpaired], 1);
    bulge_.assign(kSide, 0.0);
    thin_size_.assign(kSide, 0.0);
    bulge_back_.assign(kSide, 0.0);
    thin_back_.assign(kSide, 0.0);
    size_.assign(kSide * kSide, 0.0);
    for (int32_t a = 2; a <= kMaxLoop; ++a) {
      bulge_[idx(a)] = bulge_back_[idx(kMaxLoop - a)] = factor(c_.sizes.bulge[a * kLanes], 2 + a);
      if (a > 2 && a < kMaxLoop)
        thin_size_[idx(a)] = thin_back_[idx(kMaxLoop - a)] =
            factor(c_.sizes.thin[a * kLanes], 3 + a);
      for (int32_t b = 2; a + b <= kMaxLoop; ++b)
        size_[idx(a * kSide + kMaxLoop - b)] =
            factor(c_.sizes.interior[a * kLoopRow + kMaxLoop - a - b], 2 + a + b);
    }
  }

  // The loops that are looked up one by one: free bases before and after the inner pair.
  static constexpr int8_t kSpecial[9][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1, 2},
                                            {2, 1}, {2, 2}, {2, 3}, {3, 2}};
  template <class F>
  void special(int32_t i, int32_t j, int32_t room, F&& f) const {
    for (const auto& ab : kSpecial) {
      const int32_t a = ab[0], b = ab[1], k = i + 1 + a, l = j - 1 - b;
      if (a + b > room || a > c_.free_right[i] || b > c_.free_left[j]) continue;
      if (pair_[at(k, l)] != 0) f(k, l, factor(c_.inner_of(i, j, k, l), 2 + a + b));
    }
  }

  // Calls f(kind, first of the row, sizes, count, factor of (i, j)) for sums over runs of inner
  // pairs: in row k, entries from l on. Kinds: 0 bulges, 1 loops 1 x n, 2 others.
  template <class F>
  void runs(int32_t i, int32_t j, int32_t room, F&& f) const {
    const int32_t most_a = std::min({kMaxLoop, room, c_.free_right[i]});
    const int32_t most_b = std::min({kMaxLoop, room, c_.free_left[j]});
    const double helix = helix_end(i, j);
    if (most_b >= 2)
      f(0, i + 1, j - 1 - most_b, &bulge_back_[idx(kMaxLoop - most_b)], most_b - 1, helix);
    for (int32_t a = 2; a <= most_a; ++a) f(0, i + 1 + a, j - 1, &bulge_[idx(a)], 1, helix);
    if (most_a < 1 || most_b < 1) return;
    const double thin = end(kThinEnd, i, j, i + 1, j - 1);
    const int32_t far = std::min({kMaxLoop - 1, room - 1, most_b});
    if (far >= 3) f(1, i + 2, j - 1 - far, &thin_back_[idx(kMaxLoop - far)], far - 2, thin);
    for (int32_t a = 3; a <= std::min({kMaxLoop - 1, room - 1, most_a}); ++a)
      f(1, i + 1 + a, j - 2, &thin_size_[idx(a)], 1, thin);
    const double any = end(kInteriorEnd, i, j, i + 1, j - 1);
    for (int32_t a = 2; a <= most_a; ++a) {
      const int32_t b = std::min({kMaxLoop - a, room - a, most_b});
      if (b < 2) break;
      f(2, i + 1 + a, j - 1 - b, &size_[idx(a * kSide + kMaxLoop - b)], b - 1, any);
    }
  }

  static double product(const double* x, const double* y, int64_t count) {
    double sum[4] = {0, 0, 0, 0};
    int64_t q = 0;
    for (; q + 4 <= count; q += 4)
      for (int m = 0; m < 4; ++m) sum[m] += x[q + m] * y[q + m];
    for (; q < count; ++q) sum[0] += x[q] * y[q];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
  static void add(double* to, double a, const double* x, int64_t count) {
    for (int64_t q = 0; q < count; ++q) to[q] += a * x[q];
  }

  void sum_inside() {
    outer_.assign(idx(n_ + 1), 0.0);
    outer_[idx(n_)] = 1;
    Row two(idx(stride_)), below(two), lead(two), lead_below(two);
    const Row* of[] = {&closed_, &thin_, &inner_};
    for (int32_t i = n_ - 1; i >= 0; --i) {
      two.swap(below);
      lead.swap(lead_below);
      std::fill(two.begin(), two.end(), 0.0);
      std::fill(lead.begin(), lead.end(), 0.0);
      for (Row* t : {&inner_, &thin_, &closed_})
        std::fill_n(t->begin() + static_cast<std::ptrdiff_t>(ring(i, 0)), stride_, 0.0);
      double outer = c_.may_be_free[i] ? outer_free_ * outer_[idx(i + 1)] : 0.0;
      double *pair = &pair_[at(i, 0)], *one = &one_[at(i, 0)], *many = &many_[at(i, 0)];
      for (int32_t j = i + kMinPair; j < n_; ++j) {
        if (!allowed(i, j)) continue;
        double sum = c_.free_right[i] >= j - i - 1 ? factor(c_.hairpin_of(i, j), j - i + 1) : 0.0;
        sum += below[idx(j - 1)] * multi_closing(i, j);
        const int32_t room = j - i - 2 - kMinPair;
        special(i, j, room, [&](int32_t k, int32_t l, double f) { sum += pair_[at(k, l)] * f; });
        runs(i, j, room, [&](int kind, int32_t k, int32_t l, const double* sizes, int32_t count, double f) {
          sum += f * product(&(*of[kind])[ring(k, l)], sizes, count);
        });
        const double v = sum * own(i, j);
        pair[j] = v;
        note(v);
        closed_[ring(i, j)] = v * helix_end(j, i);
        thin_[ring(i, j)] = v * inner_end(kThinEnd, i, j);
        inner_[ring(i, j)] = v * inner_end(kInteriorEnd, i, j);
        one[j] = v * multi_branch(i, j);
        outer += v * outer_branch(i, j) * outer_[idx(j + 1)];
      }
      outer_[idx(i)] = outer;
      note(outer);
      for (int32_t j = i + kMinPair + 1; j < n_; ++j)
        if (c_.may_be_free[j]) one[j] += free_ * one[j - 1];
      for (int32_t j = i + kMinPair; j < n_; ++j) {
        lead[idx(j)] = one[j] + (c_.may_be_free[i] ? free_ * lead_below[idx(j)] : 0.0);
        many[j] = lead[idx(j)] + two[idx(j)];
        note(many[j]);
        const int32_t from = j + 1 + kMinPair;
        if (from < n_ && many[j] != 0) add(&two[idx(from)], many[j], &one_[at(j + 1, from)], n_ - from);
      }
    }
  }

  void sum_outside() {
    out_pair_.assign(pair_.size(), 0.0);
    Row out_one(pair_.size(), 0.0), out_outer(idx(n_ + 1), 0.0);
    Row two(idx(stride_), 0.0), next(two), lead(two), more(two);
    for (Row* t : {&inner_, &thin_, &closed_}) std::fill(t->begin(), t->end(), 0.0);
    Row* of[] = {&closed_, &thin_, &inner_};
    out_outer[0] = 1;
    for (int32_t i = 0; i < n_; ++i) {
      const double before = out_outer[idx(i)];
      if (c_.may_be_free[i]) out_outer[idx(i + 1)] += before * outer_free_;
      double *one = &out_one[at(i, 0)], *out = &out_pair_[at(i, 0)];
      two.swap(next);
      std::fill(next.begin(), next.end(), 0.0);
      // Bases i .. j as the first branches, joined by a last one from j + 1 on.
      for (int32_t j = n_ - 1; j >= i + kMinPair; --j) {
        const int32_t from = j + 1 + kMinPair;
        const double many =
            from < n_ ? product(&two[idx(from)], &one_[at(j + 1, from)], n_ - from) : 0.0;
        two[idx(j)] += many;
        more[idx(j)] = many;
      }
      for (int32_t k = i + kMinPair + 1; k + kMinPair < n_; ++k) {
        const double first = many_[at(i, k - 1)];
        const int32_t from = k + kMinPair;
        if (first != 0) add(&out_one[at(k, from)], first, &two[idx(from)], n_ - from);
      }
      const bool led = i > 0 && c_.may_be_free[i - 1];
      for (int32_t j = n_ - 1; j >= i + kMinPair; --j) {
        lead[idx(j)] = more[idx(j)] + (led ? free_ * lead[idx(j)] : 0.0);
        one[j] += lead[idx(j)];
        if (j + 1 < n_ && c_.may_be_free[j + 1]) one[j] += free_ * one[j + 1];
      }
      for (int32_t j = i + kMinPair; j < n_; ++j) {
        const double v = pair_[at(i, j)];
        if (v == 0) continue;
        const double branch = outer_branch(i, j);
        out_outer[idx(j + 1)] += before * branch * v;
        const double o = out[j] + one[j] * multi_branch(i, j) +
                         before * branch * outer_[idx(j + 1)] +
                         closed_[ring(i, j)] * helix_end(j, i) +
                         thin_[ring(i, j)] * inner_end(kThinEnd, i, j) +
                         inner_[ring(i, j)] * inner_end(kInteriorEnd, i, j);
        out[j] = o;
        note(o);
        if (o == 0) continue;
        const double loop = o * own(i, j);
        next[idx(j - 1)] += loop * multi_closing(i, j);
        const int32_t room = j - i - 2 - kMinPair;
        special(i, j, room, [&](int32_t k, int32_t l, double f) { out_pair_[at(k, l)] += loop * f; });
        runs(i, j, room, [&](int kind, int32_t k, int32_t l, const double* sizes, int32_t count, double f) {
          add(&(*of[kind])[ring(k, l)], loop * f, sizes, count);
        });
      }
      for (Row* t : of)
        std::fill_n(t->begin() + static_cast<std::ptrdiff_t>(ring(i, 0)), stride_, 0.0);
    }
  }

  // NaN counts as beyond the range, too.
  void note(double v) {
    if (!(v <= most_)) most_ = v < kMost ? v : kMost;
  }

  const Chart<R>& c_;
  int32_t n_;
  int64_t stride_;
  double t_, shift_, closing_ = 0, free_ = 0, outer_free_ = 0, most_ = 0;
  Row ends_, helix_, bulge_, bulge_back_, thin_size_, thin_back_, size_;
  // As in Chart; rings hold the sums of inner pairs inside, of what reaches them outside.
  Row pair_, one_, many_, inner_, thin_, closed_, outer_, out_pair_;
};

}  // namespace folding
}  // namespace pystruct_ext
