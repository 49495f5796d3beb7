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

// Takes the nodes out that no minimum cut gives a one: those that lose even where all their
// neighbours have one. Whether any is left that gains.
class HopelessNodes {
 public:
  void reserve(int64_t nodes) {
    most_.reserve(std::size_t(nodes) + 1);
    queue_.reserve(std::size_t(nodes) + 1);
  }
  bool take_out(int32_t n, int32_t m, const int32_t* edges, const Incidence& graph, double* gain,
                double* price) noexcept {
    double* most = most_.data();  // what a node gains if all its neighbours have a one
    int32_t* queue = queue_.data();
    int32_t count = 0;
    for (int32_t v = 0; v < n; ++v) most[v] = gain[v];
    for (int32_t e = 0; e < m; ++e) {
      most[edges[2 * int64_t(e)]] += price[e];
      most[edges[2 * int64_t(e) + 1]] += price[e];
    }
    for (int32_t v = 0; v < n; ++v)
      if (most[v] <= 0) queue[count++] = v;
    for (int32_t k = 0; k < count; ++k) {
      const int32_t v = queue[k];
      gain[v] = 0;
      for (auto* arc = graph.begin(v); arc != graph.end(v); ++arc) {
        const double w = price[arc->edge];
        if (w == 0) continue;
        price[arc->edge] = 0;
        const int32_t u = arc->other;
        if (most[u] <= 0) continue;  // in the queue
        gain[u] -= w;
        most[u] -= 2 * w;
        if (most[u] <= 0) queue[count++] = u;
      }
    }
    bool hope = false;
    for (int32_t v = 0; v < n; ++v) hope |= gain[v] > 0;
    return hope;
  }

 private:
  AlignedBuffer<double> most_;
  AlignedBuffer<int32_t> queue_;
};

// Raises the score of the labels until no expansion of one label does. `cut` knows the graph.
template <class R>
void expand_labels(const PairwiseProblem<R>& p, const Incidence& graph, BinaryCut& cut,
                   HopelessNodes& hopeless, int32_t* labels) noexcept {
  int32_t n_labels = 0;
  for (int32_t v = 0; v < p.n_nodes; ++v)
    n_labels = p.n_labels[v] > n_labels ? p.n_labels[v] : n_labels;
  double* gain = cut.gain();
  double* price = cut.price();
  int32_t idle = 0;
  for (int32_t to = 0; idle < n_labels; to = to + 1 == n_labels ? 0 : to + 1) {
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
    double rise = 0, size = 0;
    if (hopeless.take_out(p.n_nodes, p.n_edges, p.edges, graph, gain, price)) {
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
