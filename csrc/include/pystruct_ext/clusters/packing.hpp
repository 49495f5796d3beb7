// An upper bound by cycle packing (Lange, Karrenbauer and Andres 2018).
//
// A cycle with exactly one negative pair cannot have all that it wants: its items are in one cluster,
// against the negative pair, or a positive pair is cut. It costs at least its smallest weight, and
// cycles that share out the weights of pairs cost the sum. So the sum of the positive weights minus
// what was packed bounds the value of every clustering. Triangles first, then shortest paths of
// positive pairs between the ends of negative ones.
#pragma once

#include <cmath>
#include <cstdint>

#include "pystruct_ext/clusters/instance.hpp"

namespace pystruct_ext {
namespace clusters {

class Packing {
 public:
  void reserve(int64_t max_items, int64_t max_pairs) {
    rest_.reserve(at(max_pairs) + 1);
    for (auto* b : {&mark_, &queue_, &from_, &depth_}) b->reserve(at(max_items) + 1);
    for (int64_t v = 0; v <= max_items; ++v) mark_[at(v)] = -1;
  }
  void start(const Instance& x) noexcept {
    for (int64_t e = 0; e < x.n_pairs; ++e) rest_[at(e)] = std::abs(x.weight[at(e)]);
  }
  // What triangles of a group cost.
  double triangles(const Instance& x, int32_t g) noexcept {
    double packed = 0;
    const int32_t* item = x.group(g);
    for (int32_t k = 0; k < x.group_size(g); ++k) {
      const int32_t a = item[k];
      bool any = false;
      x.each(a, [&](int32_t b, int32_t e) { any = any || (b > a && x.weight[at(e)] < 0); });
      if (!any) continue;
      x.each(a, [&](int32_t b, int32_t e) {
        if (x.weight[at(e)] > 0 && rest_[at(e)] > 0) mark_[at(b)] = e;
      });
      x.each(a, [&](int32_t b, int32_t e) {
        if (b < a || !(x.weight[at(e)] < 0)) return;
        for (int64_t t = x.begin[at(b)]; t < x.begin[at(b) + 1] && rest_[at(e)] > 0; ++t) {
          const Instance::Neighbour& c = x.neighbour[at(t)];
          const int32_t f = mark_[at(c.to)];
          if (f < 0 || !(x.weight[at(c.pair)] > 0)) continue;
          const double least = std::min(rest_[at(e)], std::min(rest_[at(f)], rest_[at(c.pair)]));
          if (!(least > 0)) continue;
          packed += least;
          rest_[at(e)] -= least;
          rest_[at(f)] -= least;
          rest_[at(c.pair)] -= least;
        }
      });
      x.each(a, [&](int32_t b, int32_t) { mark_[at(b)] = -1; });
    }
    return packed;
  }
  // What longer cycles cost, after the triangles; the search stops when its work is done.
  double paths(const Instance& x, int32_t g, double eps) noexcept {
    double packed = 0;
    const int32_t* item = x.group(g);
    const int32_t m = x.group_size(g);
    int64_t pairs = 0;
    for (int32_t k = 0; k < m; ++k) pairs += x.begin[at(item[k]) + 1] - x.begin[at(item[k])];
    int64_t work = 1000000 + 100 * pairs;
    for (int32_t longest = 3; work > 0; longest = longest < 6 ? longest + 1 : m) {
      for (int32_t k = 0; k < m && work > 0; ++k) {
        const int32_t a = item[k];
        for (int64_t t = x.begin[at(a)]; t < x.begin[at(a) + 1]; ++t) {
          const Instance::Neighbour c = x.neighbour[at(t)];
          if (c.to < a || !(x.weight[at(c.pair)] < 0)) continue;
          while (rest_[at(c.pair)] > eps && work > 0) {
            const double least = shortest(x, a, c.to, c.pair, longest, eps, work);
            if (!(least > 0)) break;
            packed += least;
          }
        }
      }
      if (longest >= m) break;
    }
    return packed;
  }

 private:
  // Packs a shortest path from a to b of positive pairs that have something left.
  double shortest(const Instance& x, int32_t a, int32_t b, int32_t e, int32_t longest, double eps,
                  int64_t& work) noexcept {
    int32_t head = 0, tail = 0;
    queue_[at(tail++)] = a;
    mark_[at(a)] = e;  // anything but -1
    depth_[at(a)] = 0;
    bool found = false;
    while (head < tail && !found) {
      const int32_t v = queue_[at(head++)];
      if (depth_[at(v)] >= longest) break;
      work -= x.begin[at(v) + 1] - x.begin[at(v)] + 1;
      for (int64_t t = x.begin[at(v)]; t < x.begin[at(v) + 1]; ++t) {
        const Instance::Neighbour& c = x.neighbour[at(t)];
        if (mark_[at(c.to)] >= 0 || !(x.weight[at(c.pair)] > 0) || !(rest_[at(c.pair)] > eps)) continue;
        mark_[at(c.to)] = c.pair;
        from_[at(c.to)] = v;
        depth_[at(c.to)] = depth_[at(v)] + 1;
        queue_[at(tail++)] = c.to;
        if (c.to == b) {
          found = true;
          break;
        }
      }
    }
    double least = 0;
    if (found) {
      least = rest_[at(e)];
      for (int32_t v = b; v != a; v = from_[at(v)]) least = std::min(least, rest_[at(mark_[at(v)])]);
      rest_[at(e)] -= least;
      for (int32_t v = b; v != a; v = from_[at(v)]) rest_[at(mark_[at(v)])] -= least;
    }
    for (int32_t k = 0; k < tail; ++k) mark_[at(queue_[at(k)])] = -1;
    return least;
  }

  AlignedBuffer<double> rest_;
  AlignedBuffer<int32_t> mark_, queue_, from_, depth_;
};

}  // namespace clusters
}  // namespace pystruct_ext
