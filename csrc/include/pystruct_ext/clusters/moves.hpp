// Local search over clusterings: items change their cluster or leave it, clusters are joined, and pairs
// of clusters exchange items by the sequences of moves of Kernighan and Lin (1970), with the empty
// cluster too, which splits; as in Keuper et al. 2015. The value never falls.
#pragma once

#include <cstdint>

#include "pystruct_ext/clusters/instance.hpp"

namespace pystruct_ext {
namespace clusters {

class Moves {
 public:
  void reserve(int64_t max_items) {
    const std::size_t k = at(max_items) + 1;
    for (auto* b : {&sum_, &gain_}) b->reserve(k);
    for (auto* b : {&head_, &next_, &before_, &count_, &free_, &touched_, &list_, &order_, &side_, &seen_,
                    &rivals_})
      b->reserve(k);
    for (int64_t k2 = 0; k2 <= max_items; ++k2) {
      sum_[at(k2)] = 0;
      side_[at(k2)] = -1;
      seen_[at(k2)] = 0;
    }
  }

  // Improves the clusters of one group; label: (n,) an item of the group for every cluster.
  void run(const Instance& x, int32_t g, int32_t* label, double eps) noexcept {
    const int32_t m = x.group_size(g);
    const int32_t* item = x.group(g);
    int64_t pairs = 0;
    for (int32_t k = 0; k < m; ++k) {
      head_[at(item[k])] = -1;
      count_[at(item[k])] = 0;
      pairs += x.begin[at(item[k]) + 1] - x.begin[at(item[k])];
    }
    for (int32_t k = m; k-- > 0;) insert(item[k], label[item[k]]);
    n_free_ = 0;
    for (int32_t k = m; k-- > 0;)
      if (count_[at(item[k])] == 0) free_[at(n_free_++)] = item[k];
    work_ = 1000000 + 100 * pairs;
    eps_ = eps;
    for (int32_t round = 0; round < 20 && work_ > 0; ++round) {
      bool better = false;
      while (work_ > 0 && items(x, item, m, label)) better = true;
      if (joins(x, item, m, label)) better = true;
      if (exchanges(x, item, m, label)) better = true;
      if (!better) break;
    }
  }

 private:
  void insert(int32_t v, int32_t c) noexcept {
    const int32_t old = head_[at(c)];
    before_[at(v)] = -1;
    next_[at(v)] = old;
    if (old >= 0) before_[at(old)] = v;
    head_[at(c)] = v;
    ++count_[at(c)];
  }
  void erase(int32_t v, int32_t c) noexcept {
    const int32_t p = before_[at(v)], q = next_[at(v)];
    if (p >= 0) next_[at(p)] = q;
    else head_[at(c)] = q;
    if (q >= 0) before_[at(q)] = p;
    if (--count_[at(c)] == 0) free_[at(n_free_++)] = c;
  }
  // To cluster c; a free one is taken from the free ones by the caller.
  void move(int32_t v, int32_t c, int32_t* label) noexcept {
    erase(v, label[v]);
    insert(v, c);
    label[v] = c;
  }
  void collect(const Instance& x, int32_t v, const int32_t* label) noexcept {
    x.each(v, [&](int32_t u, int32_t e) {
      const int32_t c = label[u];
      if (!seen_[at(c)]) {
        seen_[at(c)] = 1;
        touched_[at(n_touched_++)] = c;
      }
      sum_[at(c)] += x.weight[at(e)];
    });
    work_ -= x.begin[at(v) + 1] - x.begin[at(v)];
  }
  void forget() noexcept {
    for (int32_t k = 0; k < n_touched_; ++k) {
      sum_[at(touched_[at(k)])] = 0;
      seen_[at(touched_[at(k)])] = 0;
    }
    n_touched_ = 0;
  }
  bool items(const Instance& x, const int32_t* item, int32_t m, int32_t* label) noexcept {
    bool moved = false;
    for (int32_t k = 0; k < m; ++k) {
      const int32_t v = item[k], own = label[v];
      collect(x, v, label);
      double best = sum_[at(own)] + eps_;
      int32_t to = -1;
      for (int32_t t = 0; t < n_touched_; ++t) {
        const int32_t c = touched_[at(t)];
        if (c != own && sum_[at(c)] > best) best = sum_[at(c)], to = c;
      }
      if (0 > best && count_[at(own)] > 1) to = free_[at(--n_free_)];
      forget();
      if (to < 0) continue;
      move(v, to, label);
      moved = true;
    }
    return moved;
  }
  bool joins(const Instance& x, const int32_t* item, int32_t m, int32_t* label) noexcept {
    bool joined = false;
    for (int32_t k = 0; k < m && work_ > 0; ++k) {
      const int32_t c = item[k];
      if (count_[at(c)] == 0) continue;
      for (int32_t v = head_[at(c)]; v >= 0; v = next_[at(v)]) collect(x, v, label);
      double best = eps_;
      int32_t to = -1;
      for (int32_t t = 0; t < n_touched_; ++t) {
        const int32_t b = touched_[at(t)];
        if (b != c && sum_[at(b)] > best) best = sum_[at(b)], to = b;
      }
      forget();
      if (to < 0) continue;
      while (count_[at(c)] > 0) move(head_[at(c)], to, label);
      joined = true;
    }
    return joined;
  }
  bool exchanges(const Instance& x, const int32_t* item, int32_t m, int32_t* label) noexcept {
    bool better = false;
    for (int32_t k = 0; k < m && work_ > 0; ++k) {
      const int32_t c = item[k];
      if (count_[at(c)] == 0) continue;
      if (count_[at(c)] > 2 && n_free_ > 0 && exchange(x, c, free_[at(n_free_ - 1)], label)) better = true;
      if (count_[at(c)] == 0) continue;
      // Clusters with a positive pair to this one.
      int32_t n_rivals = 0;
      for (int32_t v = head_[at(c)]; v >= 0; v = next_[at(v)])
        x.each(v, [&](int32_t u, int32_t e) {
          const int32_t b = label[u];
          if (b <= c || x.weight[at(e)] <= 0 || seen_[at(b)]) return;
          seen_[at(b)] = 1;
          rivals_[at(n_rivals++)] = b;
        });
      for (int32_t t = 0; t < n_rivals; ++t) seen_[at(rivals_[at(t)])] = 0;
      for (int32_t t = 0; t < n_rivals && work_ > 0; ++t) {
        const int32_t b = rivals_[at(t)];
        if (count_[at(c)] == 0) break;
        if (count_[at(b)] > 0 && exchange(x, c, b, label)) better = true;
      }
    }
    return better;
  }
  // The best prefix of a sequence in which every item of a and b changes sides once, the best first.
  bool exchange(const Instance& x, int32_t a, int32_t b, int32_t* label) noexcept {
    int32_t k = 0;
    for (const int32_t c : {a, b}) {
      if (count_[at(c)] == 0) continue;
      for (int32_t v = head_[at(c)]; v >= 0; v = next_[at(v)]) {
        side_[at(v)] = c == b;
        list_[at(k++)] = v;
      }
    }
    for (int32_t t = 0; t < k; ++t) {
      const int32_t v = list_[at(t)];
      double gain = 0;
      x.each(v, [&](int32_t u, int32_t e) {
        if (side_[at(u)] >= 0) gain += side_[at(u)] == side_[at(v)] ? -x.weight[at(e)] : x.weight[at(e)];
      });
      gain_[at(v)] = gain;
      work_ -= 2 * (x.begin[at(v) + 1] - x.begin[at(v)]) + k;
    }
    double sum = 0, best = eps_;
    int32_t n_best = 0, n_moves = 0, left = k;
    while (left > 0) {
      int32_t pick = 0;
      for (int32_t t = 1; t < left; ++t)
        if (gain_[at(list_[at(t)])] > gain_[at(list_[at(pick)])]) pick = t;
      const int32_t v = list_[at(pick)];
      list_[at(pick)] = list_[at(--left)];
      sum += gain_[at(v)];
      order_[at(n_moves++)] = v;
      const int32_t from = side_[at(v)];
      x.each(v, [&](int32_t u, int32_t e) {
        if (side_[at(u)] < 0) return;
        gain_[at(u)] += side_[at(u)] == from ? 2 * x.weight[at(e)] : -2 * x.weight[at(e)];
      });
      side_[at(v)] = 1 - from;
      if (sum > best) best = sum, n_best = n_moves;
    }
    for (int32_t t = 0; t < n_moves; ++t) side_[at(order_[at(t)])] = -1;
    if (n_best == 0) return false;
    if (count_[at(b)] == 0) --n_free_;  // it was the last of the free ones
    for (int32_t t = 0; t < n_best; ++t) {
      const int32_t v = order_[at(t)];
      move(v, label[v] == a ? b : a, label);
    }
    return true;
  }

  AlignedBuffer<double> sum_, gain_;
  AlignedBuffer<int32_t> head_, next_, before_, count_, free_, touched_, list_, order_, side_, seen_, rivals_;
  int32_t n_free_ = 0, n_touched_ = 0;
  int64_t work_ = 0;
  double eps_ = 0;
};

}  // namespace clusters
}  // namespace pystruct_ext
