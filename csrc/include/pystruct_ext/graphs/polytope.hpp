// The maximiser over the local polytope: marginals of nodes and edges that agree with each other.
//
// The dual ascent finds which labels matter; over those the linear program is solved. Its dual
// goes back to the ascent, whose bound prices all labels: until it meets the primal.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/graphs/dual.hpp"
#include "pystruct_ext/graphs/marginal_program.hpp"
#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

class LocalPolytope : private MarginalProgram {
 public:
  // From a loaded dual and the score of known labels; true where value() and bound() meet within
  // `tolerance`. The marginals agree to 1e-6. Allocates, and throws std::bad_alloc.
  template <class R>
  bool solve(const PairwiseProblem<R>& p, DualAscent& dual, double tolerance, double best) {
    dual_ = &dual;
    dual::View g = dual.view();
    // Ascent until it stalls.
    double then = 0, bound = 0;
    for (int32_t round = 0; round < 400; ++round) {
      bound = dual.round(nullptr);
      if (round % 10 != 0) continue;
      if (round > 0 && then - bound < 0.01 * (bound - best)) break;
      if (bound - best <= tolerance) break;
      then = bound;
    }
    double width = 0.02 * (bound - best) + 1e-6 * (1 + std::fabs(bound));
    bound_ = bound;
    double reach = 4, gap_before = 0;
    for (int32_t attempt = 0; attempt < 40; ++attempt) {
      gather(p, g, width);
      // The same program at any scale of the scores.
      double unit = 0;
      for (const double c : cost_) unit = std::max(unit, c);
      if (!(unit > 0)) unit = 1;
      for (double& c : cost_) c /= unit;
      interior(0.02 * width / unit, 0.2 * tolerance / unit);
      for (double& u : u_) u *= unit;
      value_ = score(p);
      push(g);
      then = std::numeric_limits<double>::infinity();
      for (int32_t k = 0; k < 100; ++k) {
        bound_ = dual.round(nullptr);
        if (std::fabs(bound_ - value_) <= tolerance) return true;
        if (k % 4 != 3) continue;
        if (then - bound_ < 0.02 * (bound_ - value_)) break;
        then = bound_;
      }
      if (whole_ && attempt > 3) break;  // nothing is left out; rounding is all that is between
      const double gap = bound_ - value_;
      reach = attempt > 0 && gap > 0.3 * gap_before ? 2 * reach : reach;
      gap_before = gap;
      width = reach * gap + 1e-9 * (1 + std::fabs(bound_));
    }
    return std::fabs(bound_ - value_) <= tolerance;
  }

  double value() const noexcept { return value_; }
  double bound() const noexcept { return bound_; }
  // The label of the largest marginal of each node.
  template <class R>
  void round(const PairwiseProblem<R>& p, int32_t* labels) const {
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      labels[v] = 0;
      for (int32_t l = 1; l < p.n_labels[v]; ++l)
        if (marginal(v, l) > marginal(v, labels[v]) + 1e-5) labels[v] = l;
    }
  }
  // Marginals of the nodes, (n_nodes, width) with zeros beyond their labels.
  template <class R>
  void nodes(const PairwiseProblem<R>& p, int64_t width, double* out) const {
    for (int32_t v = 0; v < p.n_nodes; ++v)
      for (int64_t l = 0; l < width; ++l)
        out[v * width + l] = l < p.n_labels[v] ? marginal(v, int32_t(l)) : 0.0;
  }
  // Marginals of the edges, (n_edges, width, width), as the tables are.
  template <class R>
  void edges(const PairwiseProblem<R>& p, int64_t width, double* out) const {
    std::fill(out, out + int64_t(p.n_edges) * width * width, 0.0);
    each_pair(p, [&](int32_t e, int32_t la, int32_t lb, double x) {
      out[(int64_t(e) * width + la) * width + lb] = x;
    });
  }

  double marginal(int32_t v, int32_t label) const noexcept {
    const int32_t u = index_[std::size_t(v)];
    if (u < 0) return label == fixed_[std::size_t(v)] ? 1.0 : 0.0;
    const Node& node = nodes_[std::size_t(u)];
    for (int32_t k = 0; k < node.count; ++k)
      if (labels_[std::size_t(node.begin + k)] == label) return x_[std::size_t(node.begin + k)];
    return 0.0;
  }
  // f(edge, label of a, label of b, marginal), for all that may not be 0.
  template <class R, class F>
  void each_pair(const PairwiseProblem<R>& p, F&& f) const {
    for (const Edge& edge : edges_) {
      const Node &a = nodes_[std::size_t(edge.a)], &b = nodes_[std::size_t(edge.b)];
      const bool straight = p.a(edge.edge) == a.v;
      for (int32_t k = 0; k < a.count; ++k)
        for (int32_t l = 0; l < b.count; ++l) {
          const double x = x_[std::size_t(edge.begin + k * b.count + l)];
          const int32_t la = labels_[std::size_t(a.begin + k)];
          const int32_t lb = labels_[std::size_t(b.begin + l)];
          f(edge.edge, straight ? la : lb, straight ? lb : la, x);
        }
    }
    for (int32_t e = 0; e < p.n_edges; ++e) {
      const int32_t a = p.a(e), b = p.b(e);
      const int32_t ia = index_[std::size_t(a)], ib = index_[std::size_t(b)];
      if (ia >= 0 && ib >= 0) continue;
      if (ia < 0 && ib < 0) {
        f(e, fixed_[std::size_t(a)], fixed_[std::size_t(b)], 1.0);
        continue;
      }
      const Node& node = nodes_[std::size_t(ia >= 0 ? ia : ib)];
      for (int32_t k = 0; k < node.count; ++k) {
        const int32_t l = labels_[std::size_t(node.begin + k)];
        const double x = x_[std::size_t(node.begin + k)];
        if (ia >= 0)
          f(e, l, fixed_[std::size_t(b)], x);
        else
          f(e, fixed_[std::size_t(a)], l, x);
      }
    }
  }
 private:
  template <class R>
  double score(const PairwiseProblem<R>& p) const {
    double sum = 0;
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      const int32_t u = index_[std::size_t(v)];
      if (u < 0) {
        sum += double(p.unary_of(v)[fixed_[std::size_t(v)]]);
        continue;
      }
      const Node& node = nodes_[std::size_t(u)];
      for (int32_t k = node.begin; k < node.begin + node.count; ++k)
        sum += double(p.unary_of(v)[labels_[std::size_t(k)]]) * x_[std::size_t(k)];
    }
    each_pair(p, [&](int32_t e, int32_t la, int32_t lb, double x) { sum += x * p.pair(e, la, lb); });
    return sum;
  }

  static double pair(const dual::Arc& arc, int64_t stride, int32_t own, int32_t other) noexcept {
    if (!arc.table) return own == other ? arc.weight : 0.0;
    return arc.table[int64_t(other) * stride + own];
  }

  // Costs >= 0 over the labels whose slack is at most `width`, after the present dual.
  template <class R>
  void gather(const PairwiseProblem<R>& p, const dual::View& g, double width) {
    const auto n = std::size_t(p.n_nodes);
    index_.assign(n, -1);
    fixed_.assign(n, 0);
    nodes_.clear();
    edges_.clear();
    labels_.clear();
    cost_.clear();
    whole_ = true;
    // Nodes in the order of a walk over neighbours, so that the reduced system is narrow.
    std::vector<uint8_t> open(n, 0), seen(n, 0);
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      int32_t kept = 0, best = g.live[v * g.stride];
      for (int32_t k = 0; k < g.n_live[v]; ++k) {
        const int32_t l = g.live[v * g.stride + k];
        kept += dual_->slack(v, l) <= width;
        if (dual_->slack(v, l) < dual_->slack(v, best)) best = l;
      }
      whole_ &= kept == g.n_live[v];
      fixed_[std::size_t(v)] = best;
      open[std::size_t(v)] = kept > 1;
    }
    std::vector<int32_t> queue;
    for (int32_t root = 0; root < p.n_nodes; ++root) {
      if (!open[std::size_t(root)] || seen[std::size_t(root)]) continue;
      std::size_t head = queue.size();
      seen[std::size_t(root)] = 1;
      queue.push_back(root);
      for (; head < queue.size(); ++head)
        for (int32_t k = g.begin[queue[head]]; k < g.begin[queue[head] + 1]; ++k) {
          const int32_t u = g.arcs[k].other;
          if (!open[std::size_t(u)] || seen[std::size_t(u)]) continue;
          seen[std::size_t(u)] = 1;
          queue.push_back(u);
        }
    }
    int32_t unknown = 0;
    for (const int32_t v : queue) {
      Node node{v, int32_t(labels_.size()), 0, unknown, 0};
      for (int32_t k = 0; k < g.n_live[v]; ++k) {
        const int32_t l = g.live[v * g.stride + k];
        if (dual_->slack(v, l) > width) continue;
        double score = g.theta[v * g.stride + l];
        for (int32_t arc = g.begin[v]; arc < g.begin[v + 1]; ++arc) {
          score += g.moved[arc * g.stride + l];
          const int32_t u = g.arcs[arc].other;
          if (open[std::size_t(u)]) continue;
          const int32_t f = fixed_[std::size_t(u)];
          score += pair(g.arcs[arc], g.stride, l, f) - g.moved[arc * g.stride + l];
        }
        labels_.push_back(l);
        cost_.push_back(-score);
        ++node.count;
      }
      index_[std::size_t(v)] = int32_t(nodes_.size());
      unknown += node.count - 1;
      nodes_.push_back(node);
    }
    n_unknown_ = unknown;
    n_dual_ = 0;
    std::size_t inverse = 0;
    for (std::size_t a = 0; a < nodes_.size(); ++a) {
      const int32_t v = nodes_[a].v;
      for (int32_t arc = g.begin[v]; arc < g.begin[v + 1]; ++arc) {
        const int32_t b = index_[std::size_t(g.arcs[arc].other)];
        if (b < int32_t(a)) continue;  // each once, from the node that comes first
        const Node &from = nodes_[a], &to = nodes_[std::size_t(b)];
        Edge edge{int32_t(a), b, arc, int32_t(cost_.size()), n_dual_, n_dual_ + from.count,
                  inverse, g.arcs[arc].edge};
        n_dual_ += from.count + to.count;
        inverse += std::size_t(from.count + to.count) * std::size_t(from.count + to.count);
        const double* mine = g.moved + arc * g.stride;
        const double* theirs = g.moved + g.arcs[arc].sister * g.stride;
        for (int32_t k = 0; k < from.count; ++k)
          for (int32_t l = 0; l < to.count; ++l) {
            const int32_t la = labels_[std::size_t(from.begin + k)];
            const int32_t lb = labels_[std::size_t(to.begin + l)];
            cost_.push_back(mine[la] + theirs[lb] - pair(g.arcs[arc], g.stride, la, lb));
          }
        edges_.push_back(edge);
      }
    }
    inverses_.assign(inverse, 0.0);
    const auto raise = [&](std::size_t from, std::size_t to) {
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t k = from; k < to; ++k) least = std::min(least, cost_[k]);
      for (std::size_t k = from; k < to; ++k) cost_[k] -= least;
    };
    for (const Node& x : nodes_) raise(std::size_t(x.begin), std::size_t(x.begin + x.count));
    for (const Edge& e : edges_) {
      const int32_t size = nodes_[std::size_t(e.a)].count * nodes_[std::size_t(e.b)].count;
      raise(std::size_t(e.begin), std::size_t(e.begin + size));
    }
    std::vector<int32_t> first(std::size_t(n_unknown_), 0);
    std::vector<int32_t> reach(nodes_.size());
    for (std::size_t u = 0; u < nodes_.size(); ++u) reach[u] = nodes_[u].unknown;
    for (const Edge& e : edges_) {
      int32_t& r = reach[std::size_t(e.b)];
      r = std::min(r, nodes_[std::size_t(e.a)].unknown);
    }
    for (std::size_t u = 0; u < nodes_.size(); ++u)
      for (int32_t k = 0; k < nodes_[u].count - 1; ++k)
        first[std::size_t(nodes_[u].unknown + k)] = reach[u];
    system_.shape(std::move(first));
  }

  // The multipliers back to the dual.
  void push(const dual::View& g) noexcept {
    for (const Edge& e : edges_) {
      const Node &a = nodes_[std::size_t(e.a)], &b = nodes_[std::size_t(e.b)];
      double* mine = g.moved + e.arc * g.stride;
      double* theirs = g.moved + g.arcs[e.arc].sister * g.stride;
      for (int32_t k = 0; k < a.count; ++k)
        mine[labels_[std::size_t(a.begin + k)]] -= u_[std::size_t(e.dual_a + k)];
      for (int32_t l = 0; l < b.count; ++l)
        theirs[labels_[std::size_t(b.begin + l)]] -= u_[std::size_t(e.dual_b + l)];
    }
  }

  DualAscent* dual_ = nullptr;
  std::vector<int32_t> index_, fixed_;
  double value_ = 0, bound_ = 0;
  bool whole_ = false;
};

}  // namespace pystruct_ext
