// Labels of pairs that like to be equal: expansion moves by minimum cuts (Boykov, Veksler, Zabih
// 2001), for scores `potts` >= 0.
#pragma once

#include "pystruct_ext/graphs/binary.hpp"
#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

template <class R>
bool attractive_potts(const PairwiseProblem<R>& p) noexcept {
  if (!p.potts) return false;
  bool ok = true;
  for (int32_t e = 0; e < p.n_edges; ++e) ok &= p.potts[e] >= R(0);
  return ok;
}

// Raises the score of the labels until no expansion of one label does. `cut` knows the graph.
template <class R>
void expand_labels(const PairwiseProblem<R>& p, BinaryCut& cut, int32_t* labels) noexcept {
  int32_t n_labels = 0;
  for (int32_t v = 0; v < p.n_nodes; ++v)
    n_labels = p.n_labels[v] > n_labels ? p.n_labels[v] : n_labels;
  double* gain = cut.gain();
  double* price = cut.price();
  int32_t idle = 0;
  for (int32_t to = 0; idle < n_labels; to = to + 1 == n_labels ? 0 : to + 1) {
    bool hope = false;
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      const R* unary = p.unary_of(v);
      gain[v] = to < p.n_labels[v] ? double(unary[to]) - double(unary[labels[v]]) : 0.0;
    }
    for (int32_t e = 0; e < p.n_edges; ++e) {
      const int32_t a = p.a(e), b = p.b(e), ya = labels[a], yb = labels[b];
      const double w = double(p.potts[e]);
      price[e] = 0;
      const bool still_a = ya == to || to >= p.n_labels[a];
      const bool still_b = yb == to || to >= p.n_labels[b];
      if (!still_a && !still_b) {
        if (ya == yb) {
          price[e] = w;
        } else {
          price[e] = w / 2;
          gain[a] += w / 2;
          gain[b] += w / 2;
        }
      } else if (still_a && !still_b) {
        gain[b] += ya == to ? w : ya == yb ? -w : 0.0;
      } else if (still_b && !still_a) {
        gain[a] += yb == to ? w : ya == yb ? -w : 0.0;
      }
    }
    for (int32_t v = 0; v < p.n_nodes; ++v) hope |= gain[v] > 0;
    double rise = 0, size = 0;
    if (hope) {
      cut.run();
      for (int32_t v = 0; v < p.n_nodes; ++v) {
        if (!cut.one(v)) continue;
        rise += gain[v];
        size += gain[v] < 0 ? -gain[v] : gain[v];
      }
      for (int32_t e = 0; e < p.n_edges; ++e)
        if (price[e] > 0 && cut.one(p.a(e)) != cut.one(p.b(e))) rise -= price[e];
    }
    if (rise > 1e-12 * (1 + size)) {
      for (int32_t v = 0; v < p.n_nodes; ++v)
        if (cut.one(v) && to < p.n_labels[v]) labels[v] = to;
      idle = 1;
    } else {
      ++idle;
    }
  }
}

}  // namespace pystruct_ext
