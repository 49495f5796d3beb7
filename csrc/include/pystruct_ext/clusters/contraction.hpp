// Greedy additive edge contraction (Keuper, Levinkov, Bonneel, Lavoue, Brox and Andres 2015): the two
// clusters with the largest positive sum of weights between them are joined, until none is left.
//
// Half pairs are kept in linked lists by cluster and know their other half, so that joining two
// clusters takes time linear in the shorter list; pairs wait in an indexed heap, each once. O(E log E)
// times the usual log n of joining the smaller with the larger.
#pragma once

#include <cstdint>

#include "pystruct_ext/clusters/instance.hpp"

namespace pystruct_ext {
namespace clusters {

class Contraction {
 public:
  void reserve(int64_t max_items, int64_t max_pairs) {
    weight_.reserve(at(max_pairs) + 1);
    heap_.reserve(at(max_pairs) + 1);
    place_.reserve(at(max_pairs) + 1);
    to_.reserve(at(2 * max_pairs) + 1);
    next_.reserve(at(2 * max_pairs) + 1);
    before_.reserve(at(2 * max_pairs) + 1);
    first_.reserve(at(max_items) + 1);
    degree_.reserve(at(max_items) + 1);
    mark_.reserve(at(max_items) + 1);
    sets_.reserve(max_items + 1);
  }

  // label: (n,) some item of the cluster.
  void run(const Instance& x, int32_t* label) noexcept {
    const int32_t none = -1;
    sets_.clear(x.n);
    for (int32_t v = 0; v < x.n; ++v) {
      first_[at(v)] = mark_[at(v)] = none;
      degree_[at(v)] = 0;
    }
    size_ = 0;
    for (int64_t e = 0; e < x.n_pairs; ++e) {
      weight_[at(e)] = x.weight[at(e)];
      for (int32_t side = 0; side < 2; ++side) {
        const int32_t h = static_cast<int32_t>(2 * e + side);
        to_[at(h)] = x.ends[at(2 * e + 1 - side)];
        push(x.ends[at(2 * e + side)], h);
      }
      place_[at(e)] = none;
      if (weight_[at(e)] > 0) {
        heap_[at(size_)] = static_cast<int32_t>(e);
        place_[at(e)] = size_++;
      }
    }
    for (int32_t k = size_ / 2; k-- > 0;) down(k);
    while (size_ > 0) {
      const int32_t e = heap_[0];
      int32_t a = to_[at(2 * e)], b = to_[at(2 * e + 1)];
      if (degree_[at(a)] < degree_[at(b)]) std::swap(a, b);
      join(a, b);
    }
    for (int32_t v = 0; v < x.n; ++v) label[v] = sets_.find(v);
  }

 private:
  void push(int32_t v, int32_t h) noexcept {
    const int32_t old = first_[at(v)];
    before_[at(h)] = -1;
    next_[at(h)] = old;
    if (old >= 0) before_[at(old)] = h;
    first_[at(v)] = h;
    ++degree_[at(v)];
  }
  void take(int32_t v, int32_t h) noexcept {
    const int32_t p = before_[at(h)], q = next_[at(h)];
    if (p >= 0) next_[at(p)] = q;
    else first_[at(v)] = q;
    if (q >= 0) before_[at(q)] = p;
    --degree_[at(v)];
  }
  // Cluster b, of the shorter list, goes into a.
  void join(int32_t a, int32_t b) noexcept {
    for (int32_t h = first_[at(a)]; h >= 0; h = next_[at(h)]) mark_[at(to_[at(h)])] = h;
    for (int32_t h = first_[at(b)]; h >= 0;) {
      const int32_t after = next_[at(h)], u = to_[at(h)], e = h >> 1;
      if (u == a) {
        remove(e);
        take(a, h ^ 1);
      } else if (mark_[at(u)] >= 0) {
        const int32_t f = mark_[at(u)] >> 1;
        weight_[at(f)] += weight_[at(e)];
        remove(e);
        take(u, h ^ 1);
        update(f);
      } else {
        to_[at(h ^ 1)] = a;
        push(a, h);
        mark_[at(u)] = h;
      }
      h = after;
    }
    first_[at(b)] = -1;
    degree_[at(b)] = 0;
    for (int32_t h = first_[at(a)]; h >= 0; h = next_[at(h)]) mark_[at(to_[at(h)])] = -1;
    mark_[at(a)] = mark_[at(b)] = -1;
    // The name of a set is its smallest item; the lists go by a.
    sets_.parent[at(root(b))] = root(a);
  }
  int32_t root(int32_t v) noexcept { return sets_.find(v); }

  bool above(int32_t e, int32_t f) const noexcept {
    return weight_[at(e)] > weight_[at(f)] || (weight_[at(e)] == weight_[at(f)] && e < f);
  }
  void set(int32_t k, int32_t e) noexcept {
    heap_[at(k)] = e;
    place_[at(e)] = k;
  }
  void up(int32_t k) noexcept {
    const int32_t e = heap_[at(k)];
    for (; k > 0 && above(e, heap_[at((k - 1) / 2)]); k = (k - 1) / 2) set(k, heap_[at((k - 1) / 2)]);
    set(k, e);
  }
  void down(int32_t k) noexcept {
    const int32_t e = heap_[at(k)];
    for (;;) {
      int32_t c = 2 * k + 1;
      if (c >= size_) break;
      if (c + 1 < size_ && above(heap_[at(c + 1)], heap_[at(c)])) ++c;
      if (!above(heap_[at(c)], e)) break;
      set(k, heap_[at(c)]);
      k = c;
    }
    set(k, e);
  }
  void remove(int32_t e) noexcept {
    const int32_t k = place_[at(e)];
    if (k < 0) return;
    place_[at(e)] = -1;
    const int32_t last = heap_[at(--size_)];
    if (k == size_) return;
    set(k, last);
    up(k);
    down(place_[at(last)]);
  }
  void update(int32_t e) noexcept {
    if (!(weight_[at(e)] > 0)) {
      remove(e);
    } else if (place_[at(e)] < 0) {
      set(size_, e);
      up(size_++);
    } else {
      up(place_[at(e)]);
      down(place_[at(e)]);
    }
  }
  AlignedBuffer<double> weight_;
  AlignedBuffer<int32_t> heap_, place_, to_, next_, before_, first_, degree_, mark_;
  UnionFind sets_;
  int32_t size_ = 0;
};

}  // namespace clusters
}  // namespace pystruct_ext
