// A packed forest: all outputs of one example as a directed acyclic hypergraph, and what can be
// asked of it: log-partition, marginals, the k best, samples.
//
// Design. The fast kernels answer one question, argmax. For the others a dynamic programme lists
// its items and rules here, once, in an order in which tails come before heads, and the answers are
// computed by code shared by all structures (Huang and Chiang 2005; Goodman 1999). One derivation
// must stand for one output, or sums would count outputs repeatedly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/oracle.h"
#include "pystruct_ext/semiring.hpp"

namespace pystruct_ext {

class Hypergraph {
 public:
  static constexpr int32_t kNone = -1;
  struct Edge {
    int32_t left, right;  // tails, kNone if absent
    int32_t tag;          // what the edge adds to the output, kNone: nothing
    double weight;
  };

  // Starts a node; the edges added next are its own. Returns its number.
  int32_t node() {
    first_.push_back(static_cast<int64_t>(edges_.size()));
    return static_cast<int32_t>(first_.size()) - 1;
  }
  void edge(double weight, int32_t tag, int32_t left = kNone, int32_t right = kNone) {
    if (std::isfinite(weight) && weight > 0.1 * PSX_FORBIDDEN)
      edges_.push_back({left, right, tag, weight});
  }
  int64_t n_nodes() const { return static_cast<int64_t>(first_.size()); }
  int64_t n_edges() const { return static_cast<int64_t>(edges_.size()); }
  int32_t root() const { return static_cast<int32_t>(first_.size()) - 1; }
  const Edge& edge_at(int64_t e) const { return edges_[static_cast<std::size_t>(e)]; }
  int64_t begin(int64_t v) const { return first_[static_cast<std::size_t>(v)]; }
  int64_t end(int64_t v) const { return v + 1 < n_nodes() ? begin(v + 1) : n_edges(); }

  // Per node the semiring sum over its derivations, scores divided by the temperature.
  template <class S>
  std::vector<double> inside(double temperature = 1.0) const {
    std::vector<double> value(first_.size());
    for (int64_t v = 0; v < n_nodes(); ++v) {
      double sum = S::zero();
      for (int64_t e = begin(v); e < end(v); ++e) {
        const Edge& x = edge_at(e);
        double t = x.weight / temperature;
        if (x.left >= 0) t = S::times(t, value[static_cast<std::size_t>(x.left)]);
        if (x.right >= 0) t = S::times(t, value[static_cast<std::size_t>(x.right)]);
        sum = S::plus(sum, t);
      }
      value[static_cast<std::size_t>(v)] = sum;
    }
    return value;
  }

  // Probability of every edge under exp(score / temperature) / Z; returns log Z.
  double marginals(double temperature, std::vector<double>& edge_probability) const {
    const std::vector<double> in = inside<LogPlus>(temperature);
    std::vector<double> out(first_.size(), LogPlus::zero());
    edge_probability.assign(edges_.size(), 0.0);
    const double log_z = in.back();
    out.back() = 0;
    const auto at = [&](int32_t v) { return v < 0 ? 0.0 : in[static_cast<std::size_t>(v)]; };
    for (int64_t v = n_nodes() - 1; v >= 0; --v) {
      const double above = out[static_cast<std::size_t>(v)];
      if (above == LogPlus::zero()) continue;
      for (int64_t e = begin(v); e < end(v); ++e) {
        const Edge& x = edge_at(e);
        const double weight = x.weight / temperature;
        const double whole = above + weight + at(x.left) + at(x.right);
        edge_probability[static_cast<std::size_t>(e)] = std::exp(whole - log_z);
        if (x.left >= 0) {
          double& o = out[static_cast<std::size_t>(x.left)];
          o = LogPlus::plus(o, above + weight + at(x.right));
        }
        if (x.right >= 0) {
          double& o = out[static_cast<std::size_t>(x.right)];
          o = LogPlus::plus(o, above + weight + at(x.left));
        }
      }
    }
    return log_z;
  }

  // Draws `count` derivations from exp(score / temperature) / Z, top down: an edge is chosen with the
  // share that it has in the inside sum of its node. `emit(m, tag)` as for k_best.
  template <class Draw, class Emit>
  void sample(double temperature, int64_t count, Draw&& uniform, Emit&& emit) const {
    const std::vector<double> in = inside<LogPlus>(temperature);
    const auto at = [&](int32_t v) { return v < 0 ? 0.0 : in[static_cast<std::size_t>(v)]; };
    std::vector<int32_t> stack;
    for (int64_t m = 0; m < count; ++m) {
      stack.assign(1, root());
      while (!stack.empty()) {
        const int32_t v = stack.back();
        stack.pop_back();
        double left = uniform();
        int64_t chosen = begin(v);
        for (int64_t e = begin(v); e < end(v); ++e) {
          const Edge& x = edge_at(e);
          const double p = std::exp(x.weight / temperature + at(x.left) + at(x.right) - at(v));
          if (p > 0) chosen = e;
          left -= p;
          if (left < 0) break;
        }
        const Edge& x = edge_at(chosen);
        if (x.tag >= 0) emit(m, x.tag);
        if (x.right >= 0) stack.push_back(x.right);
        if (x.left >= 0) stack.push_back(x.left);
      }
    }
  }

  // Up to k derivations with the highest scores, best first; of equal ones those with earlier
  // edges. `emit(m, tag)` is called for every tagged edge of derivation m, in preorder, left
  // before right. Returns their scores.
  template <class Emit>
  std::vector<double> k_best(std::size_t k, Emit&& emit) const {
    std::vector<std::vector<Item>> best(first_.size());
    for (int64_t v = 0; v < n_nodes(); ++v) fill(v, k, best);
    std::vector<double> scores;
    const std::vector<Item>& top = best.back();
    std::vector<std::pair<int32_t, int32_t>> stack;
    for (std::size_t m = 0; m < top.size(); ++m) {
      scores.push_back(top[m].score);
      stack.assign(1, {root(), static_cast<int32_t>(m)});
      while (!stack.empty()) {
        const auto [v, rank] = stack.back();
        stack.pop_back();
        const Item& item = best[static_cast<std::size_t>(v)][static_cast<std::size_t>(rank)];
        const Edge& x = edge_at(item.edge);
        if (x.tag >= 0) emit(m, x.tag);
        if (x.right >= 0) stack.push_back({x.right, item.right});
        if (x.left >= 0) stack.push_back({x.left, item.left});
      }
    }
    return scores;
  }

 private:
  struct Item {
    double score;
    int64_t edge;
    int32_t left, right;  // ranks in the tails
  };
  struct Worse {
    bool operator()(const Item& a, const Item& b) const {
      if (a.score != b.score) return a.score < b.score;
      if (a.edge != b.edge) return a.edge > b.edge;
      return a.left != b.left ? a.left > b.left : a.right > b.right;
    }
  };

  void fill(int64_t v, std::size_t k, std::vector<std::vector<Item>>& best) const {
    std::vector<Item> heap, seen;
    const auto size = [&](int32_t tail) {
      return tail < 0 ? 1 : static_cast<int32_t>(best[static_cast<std::size_t>(tail)].size());
    };
    const auto make = [&](int64_t e, int32_t l, int32_t r) {
      const Edge& x = edge_at(e);
      double s = x.weight;
      if (x.left >= 0) s += best[static_cast<std::size_t>(x.left)][static_cast<std::size_t>(l)].score;
      if (x.right >= 0)
        s += best[static_cast<std::size_t>(x.right)][static_cast<std::size_t>(r)].score;
      return Item{s, e, l, r};
    };
    for (int64_t e = begin(v); e < end(v); ++e)
      if (size(edge_at(e).left) && size(edge_at(e).right)) heap.push_back(make(e, 0, 0));
    if (heap.size() > k) {
      std::partial_sort(heap.begin(), heap.begin() + static_cast<std::ptrdiff_t>(k), heap.end(),
                        [](const Item& a, const Item& b) { return Worse()(b, a); });
      heap.resize(k);
    }
    std::make_heap(heap.begin(), heap.end(), Worse());
    std::vector<Item>& out = best[static_cast<std::size_t>(v)];
    const auto push = [&](int64_t e, int32_t l, int32_t r) {
      for (const Item& s : seen)
        if (s.edge == e && s.left == l && s.right == r) return;
      heap.push_back(make(e, l, r));
      seen.push_back(heap.back());
      std::push_heap(heap.begin(), heap.end(), Worse());
    };
    while (!heap.empty() && out.size() < k) {
      std::pop_heap(heap.begin(), heap.end(), Worse());
      const Item item = heap.back();
      heap.pop_back();
      out.push_back(item);
      const Edge& x = edge_at(item.edge);
      if (x.left >= 0 && item.left + 1 < size(x.left)) push(item.edge, item.left + 1, item.right);
      if (x.right >= 0 && item.right + 1 < size(x.right))
        push(item.edge, item.left, item.right + 1);
    }
  }

  std::vector<int64_t> first_;
  std::vector<Edge> edges_;
};

}  // namespace pystruct_ext
