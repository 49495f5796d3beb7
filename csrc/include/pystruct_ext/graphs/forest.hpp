// Exact labelling of a forest: max-product dynamic programming, tree by tree.
#pragma once

#include <limits>

#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

class ForestDecoder {
 public:
  void reserve(int64_t nodes, int64_t stride) {
    order_.reserve(std::size_t(nodes));
    up_.reserve(std::size_t(nodes));
    belief_.reserve(std::size_t(nodes * stride));
  }

  // Whether the edges are a forest; leaves an order in which parents come first.
  bool walk(int32_t n, int32_t m, const Incidence& graph) noexcept {
    if (m >= n && n > 0) return false;
    for (int32_t v = 0; v < n; ++v) up_[std::size_t(v)] = Incidence::Arc{-2, -1};
    int32_t tail = 0, head = 0, used = 0;
    for (int32_t root = 0; root < n; ++root) {
      if (up_[std::size_t(root)].edge != -2) continue;
      up_[std::size_t(root)].edge = -1;
      order_[std::size_t(tail++)] = root;
      while (head < tail) {
        const int32_t v = order_[std::size_t(head++)];
        for (auto* arc = graph.begin(v); arc != graph.end(v); ++arc) {
          if (up_[std::size_t(arc->other)].edge != -2) continue;
          up_[std::size_t(arc->other)] = Incidence::Arc{arc->edge, v};
          order_[std::size_t(tail++)] = arc->other;
          ++used;
        }
      }
    }
    return used == m;
  }

  // Labels of the largest score; of equal ones the smallest label of a root, then of its children.
  template <class R>
  void decode(const PairwiseProblem<R>& p, int32_t* labels) noexcept {
    const int64_t stride = p.stride;
    double* belief = belief_.data();
    for (int32_t v = 0; v < p.n_nodes; ++v)
      for (int32_t l = 0; l < p.n_labels[v]; ++l)
        belief[v * stride + l] = double(p.unary_of(v)[l]);
    for (int32_t k = p.n_nodes - 1; k >= 0; --k) {
      const int32_t v = order_[std::size_t(k)];
      const auto up = up_[std::size_t(v)];
      if (up.edge < 0) continue;
      send(p, up.edge, p.b(up.edge) == up.other, belief + v * stride, p.n_labels[v],
           belief + up.other * stride, p.n_labels[up.other]);
    }
    for (int32_t k = 0; k < p.n_nodes; ++k) {
      const int32_t v = order_[std::size_t(k)];
      const auto up = up_[std::size_t(v)];
      const double* row = belief + v * stride;
      const bool forward = up.edge >= 0 && p.b(up.edge) == up.other;
      const int32_t parent = up.edge >= 0 ? labels[up.other] : 0;
      double best = -std::numeric_limits<double>::infinity();
      labels[v] = 0;
      for (int32_t l = 0; l < p.n_labels[v]; ++l) {
        double value = row[l];
        if (up.edge >= 0)
          value += forward ? p.pair(up.edge, l, parent) : p.pair(up.edge, parent, l);
        if (value > best) best = value, labels[v] = l;
      }
    }
  }

 private:
  // to[k] += max over own labels l of from[l] + pair(l, k).
  template <class R>
  static void send(const PairwiseProblem<R>& p, int32_t e, bool forward, const double* from,
                   int32_t own, double* to, int32_t others) noexcept {
    const double low = -std::numeric_limits<double>::infinity();
    if (p.potts) {
      double first = low, second = low;
      int32_t at = 0;
      for (int32_t l = 0; l < own; ++l) {
        if (from[l] > first) {
          second = first;
          first = from[l];
          at = l;
        } else if (from[l] > second) {
          second = from[l];
        }
      }
      const double w = double(p.potts[e]);
      for (int32_t k = 0; k < others; ++k) {
        const double apart = k == at ? second : first;
        const double equal = k < own ? from[k] + w : low;
        to[k] += equal > apart ? equal : apart;
      }
      return;
    }
    const R* table = p.table(e);
    const int64_t step_own = forward ? p.stride : 1, step_other = forward ? 1 : p.stride;
    for (int32_t k = 0; k < others; ++k) {
      double best = low;
      for (int32_t l = 0; l < own; ++l) {
        const double value = from[l] + double(table[l * step_own + k * step_other]);
        best = value > best ? value : best;
      }
      to[k] += best;
    }
  }

  AlignedBuffer<int32_t> order_;
  AlignedBuffer<Incidence::Arc> up_;  // edge to the parent (-1 for a root) and the parent
  AlignedBuffer<double> belief_;      // (n_nodes, stride)
};

}  // namespace pystruct_ext
