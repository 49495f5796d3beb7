// Labels of the largest score over a graph, with a bound: forests, cuts, expansion, duals.
#pragma once

#include <cmath>
#include <limits>

#include "pystruct_ext/graphs/forest.hpp"
#include "pystruct_ext/graphs/local_search.hpp"
#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

enum class Inference { automatic, forest, cut, expansion, dual, lp, exact };

// Scratch of one thread: reserve() grows it, decode() allocates nothing. The labels of a problem
// depend on the problem and the inference alone, not on what was decoded before.
template <class R>
class GraphDecoder {
 public:
  void reserve(int64_t max_nodes, int64_t max_edges, int64_t stride) {
    graph_.reserve(max_nodes, max_edges);
    forest_.reserve(max_nodes, stride);
    row_.reserve(std::size_t(stride) + 8);
  }

  // The score of the labels; NaN where scores are not finite, and then the labels are zeros.
  double decode(const PairwiseProblem<R>& p, Inference how, int32_t* labels) noexcept {
    (void)how;
    exact_ = false;
    graph_.build(p.n_nodes, p.n_edges, p.edges);
    double value;
    if (forest_.walk(p.n_nodes, p.n_edges, graph_)) {
      forest_.decode(p, labels);
      value = bound_ = p.score(labels);
      exact_ = true;
    } else {
      for (int32_t v = 0; v < p.n_nodes; ++v) {
        labels[v] = 0;
        for (int32_t l = 1; l < p.n_labels[v]; ++l)
          if (p.unary_of(v)[l] > p.unary_of(v)[labels[v]]) labels[v] = l;
      }
      improve_labels(p, graph_, 50, row_.data(), labels);
      value = p.score(labels);
      bound_ = sum_of_maxima(p);
    }
    if (!std::isfinite(bound_) || !std::isfinite(value)) {
      for (int32_t v = 0; v < p.n_nodes; ++v) labels[v] = 0;
      exact_ = false;
      value = bound_ = std::numeric_limits<double>::quiet_NaN();
    }
    return value;
  }

  double bound() const noexcept { return bound_; }  // of the last decode: >= the maximum
  bool exact() const noexcept { return exact_; }    // whether its labels are proven the best

 private:
  Incidence graph_;
  ForestDecoder forest_;
  AlignedBuffer<double> row_;
  double bound_ = 0;
  bool exact_ = false;
};

}  // namespace pystruct_ext
