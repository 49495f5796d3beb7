// Labels improved one node at a time until no single change gains.
#pragma once

#include <limits>

#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

// The score of each label of v where the others keep theirs.
template <class R>
inline void conditional_scores(const PairwiseProblem<R>& p, const Incidence& graph,
                               const int32_t* labels, int32_t v, double* row) noexcept {
  const int32_t n = p.n_labels[v];
  const R* unary = p.unary_of(v);
  for (int32_t l = 0; l < n; ++l) row[l] = double(unary[l]);
  for (auto* arc = graph.begin(v); arc != graph.end(v); ++arc) {
    const int32_t other = labels[arc->other];
    if (p.potts) {
      if (other < n) row[other] += double(p.potts[arc->edge]);
      continue;
    }
    const R* table = p.table(arc->edge);
    if (arc->forward(p.edges)) {
      for (int32_t l = 0; l < n; ++l) row[l] += double(table[int64_t(l) * p.stride + other]);
    } else {
      const R* entries = table + int64_t(other) * p.stride;
      for (int32_t l = 0; l < n; ++l) row[l] += double(entries[l]);
    }
  }
}

// Sweeps over the nodes in order; a node moves only for a true gain, to its smallest best label.
template <class R>
void improve_labels(const PairwiseProblem<R>& p, const Incidence& graph, int32_t max_sweeps,
                    double* row, int32_t* labels) noexcept {
  for (int32_t sweep = 0; sweep < max_sweeps; ++sweep) {
    bool moved = false;
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      conditional_scores(p, graph, labels, v, row);
      int32_t best = labels[v];
      const double now = row[best];
      const double gain = 1e-12 * (1.0 + (now < 0 ? -now : now));
      for (int32_t l = 0; l < p.n_labels[v]; ++l)
        if (row[l] > row[best] && row[l] > now + gain) best = l;
      moved |= best != labels[v];
      labels[v] = best;
    }
    if (!moved) break;
  }
}

// The largest unaries plus the largest pair scores.
template <class R>
double sum_of_maxima(const PairwiseProblem<R>& p) noexcept {
  double sum = 0;
  for (int32_t v = 0; v < p.n_nodes; ++v) {
    double best = -std::numeric_limits<double>::infinity();
    for (int32_t l = 0; l < p.n_labels[v]; ++l)
      if (!(double(p.unary_of(v)[l]) <= best)) best = double(p.unary_of(v)[l]);
    sum += best;
  }
  for (int32_t e = 0; e < p.n_edges; ++e) {
    double best = p.potts ? 0.0 : -std::numeric_limits<double>::infinity();
    if (p.potts) {
      best = double(p.potts[e]) < 0 ? 0.0 : double(p.potts[e]);
      if (p.n_labels[p.a(e)] == 1 && p.n_labels[p.b(e)] == 1) best = double(p.potts[e]);
    } else {
      for (int32_t k = 0; k < p.n_labels[p.a(e)]; ++k)
        for (int32_t l = 0; l < p.n_labels[p.b(e)]; ++l)
          if (!(p.pair(e, k, l) <= best)) best = p.pair(e, k, l);
    }
    sum += best;
  }
  return sum;
}

}  // namespace pystruct_ext
