// Binary labels with attractive pairs: an exact minimum cut.
#pragma once

#include <cmath>

#include "pystruct_ext/graphs/min_cut.hpp"
#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

// Gains d_v of label 1 and prices c_e >= 0 of unlike labels, for the labels that maximise
// sum_v d_v y_v - sum_e c_e |y_a - y_b|; of equal ones those with the fewest ones.
class BinaryCut {
 public:
  void reserve(int64_t nodes, int64_t edges) {
    cut_.reserve(nodes, edges);
    gain_.reserve(std::size_t(nodes) + 1);
    price_.reserve(std::size_t(edges) + 1);
  }
  void shape(int32_t n, int32_t m, const int32_t* edges) noexcept {
    n_ = n, m_ = m;
    cut_.shape(n, m, edges);
  }
  double* gain() noexcept { return gain_.data(); }    // (n,) to be filled
  double* price() noexcept { return price_.data(); }  // (m,) to be filled
  bool one(int32_t v) const noexcept { return cut_.source_side(v); }

  void run() noexcept {
    double largest = 0;
    for (int32_t v = 0; v < n_; ++v) {
      const double x = std::fabs(gain_.data()[v]);
      largest = x > largest ? x : largest;
    }
    for (int32_t e = 0; e < m_; ++e) {
      const double x = price_.data()[e];
      largest = x > largest ? x : largest;
    }
    // A power of two: sums over all of them stay below 2^62.
    const double sum = largest * (n_ + 2.0 * m_ + 2.0);
    const double scale = sum > 0 ? std::ldexp(1.0, 61 - std::ilogb(sum)) : 1.0;
    for (int32_t v = 0; v < n_; ++v) cut_.terminal(v, whole(gain_.data()[v] * scale));
    for (int32_t e = 0; e < m_; ++e) cut_.capacity(e, whole(price_.data()[e] * scale));
    cut_.run();
  }

 private:
  static PSX_INLINE int64_t whole(double x) noexcept {
    return int64_t(x < 0 ? x - 0.5 : x + 0.5);
  }
  int32_t n_ = 0, m_ = 0;
  MinCut cut_;
  AlignedBuffer<double> gain_, price_;
};

// Whether no edge prefers unlike labels and every node has at most two; fills gains and prices.
template <class R>
bool attractive_binary(const PairwiseProblem<R>& p, double* gain, double* price) noexcept {
  for (int32_t v = 0; v < p.n_nodes; ++v) {
    if (p.n_labels[v] > 2) return false;
    gain[v] = p.n_labels[v] == 2 ? double(p.unary_of(v)[1]) - double(p.unary_of(v)[0]) : 0.0;
  }
  for (int32_t e = 0; e < p.n_edges; ++e) {
    const int32_t a = p.a(e), b = p.b(e);
    if (p.potts) {
      price[e] = double(p.potts[e]);
      if (!(price[e] >= 0)) return false;
      continue;
    }
    const bool two_a = p.n_labels[a] == 2, two_b = p.n_labels[b] == 2;
    const double t00 = p.pair(e, 0, 0);
    const double up_a = two_a ? p.pair(e, 1, 0) - t00 : 0.0;
    const double up_b = two_b ? p.pair(e, 0, 1) - t00 : 0.0;
    const double both = two_a && two_b ? p.pair(e, 1, 1) - t00 - up_a - up_b : 0.0;
    if (!(both >= 0)) return false;
    price[e] = both / 2;
    gain[a] += up_a + both / 2;
    gain[b] += up_b + both / 2;
  }
  // Where all pairs of labels of an edge are known, an end of one label is simply 0.
  for (int32_t e = 0; p.potts && e < p.n_edges; ++e) {
    const int32_t a = p.a(e), b = p.b(e);
    if (p.n_labels[a] == 2 && p.n_labels[b] == 2) continue;
    gain[a] -= p.n_labels[a] == 2 ? price[e] : 0.0;
    gain[b] -= p.n_labels[b] == 2 ? price[e] : 0.0;
    price[e] = 0;
  }
  return true;
}

}  // namespace pystruct_ext
