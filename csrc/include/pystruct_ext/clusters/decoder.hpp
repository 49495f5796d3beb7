// Correlation clustering: a clustering, and an upper bound of the value of all of them.
//
// Greedy contraction, local search, cycle packing; groups that this leaves with a gap are solved exactly
// if they are small (all subsets to 12 items, branch and bound with some nodes to 64, or with all
// nodes that it takes for Search::exact).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/clusters/contraction.hpp"
#include "pystruct_ext/clusters/exact.hpp"
#include "pystruct_ext/clusters/instance.hpp"
#include "pystruct_ext/clusters/moves.hpp"
#include "pystruct_ext/clusters/packing.hpp"

namespace pystruct_ext {
namespace clusters {

enum class Search : int32_t { automatic = 0, greedy = 1, exact = 2 };

class Decoder {
 public:
  static constexpr int32_t kMostExact = BranchAndBound::kMost;
  static constexpr int64_t kNodes = 200;  // of branch and bound, where it may stop

  void reserve(int64_t max_items, int64_t max_pairs) {
    x_.reserve(max_items, max_pairs);
    contraction_.reserve(max_items, max_pairs);
    moves_.reserve(max_items);
    packing_.reserve(max_items, max_pairs);
    subsets_.reserve(max_items);
    branches_.reserve(max_items);
    label_.reserve(at(max_items) + 1);
    place_.reserve(at(max_items) + 1);
    small_.reserve(at(kMostExact) + 1);
  }

  // code: (n,) cluster ids in the order of first items. Returns the value; NaN if a weight is not finite.
  double decode(int32_t n, const int32_t* pairs, const double* weight, int64_t count, Search search,
                int32_t* code) noexcept {
    double check = 0;
    for (int64_t e = 0; e < count; ++e) check += weight[e] * 0.0;
    if (check != 0) return bound_ = std::numeric_limits<double>::quiet_NaN();
    x_.build(n, pairs, weight, count);
    int32_t* label = label_.data();
    contraction_.run(x_, label);
    packing_.start(x_);
    bound_ = 0;
    double total = 0;
    for (int32_t g = 0; g < x_.n_groups; ++g) {
      if (x_.group_size(g) < 2) continue;
      double value = 0, upper = 0;
      group(g, search, label, value, upper);
      total += value;
      bound_ += std::max(value, upper);
    }
    x_.canonical(label, code);
    return total;
  }
  // At least the maximum that the last `decode` looked for.
  double bound() const noexcept { return bound_; }

 private:
  double value_of(int32_t g, const int32_t* label, double* positive, double* size) const noexcept {
    double value = 0, sum = 0, all = 0;
    for (int32_t k = 0; k < x_.group_size(g); ++k) {
      const int32_t v = x_.group(g)[k];
      x_.each(v, [&](int32_t u, int32_t e) {
        if (u < v) return;
        const double w = x_.weight[at(e)];
        if (label[u] == label[v]) value += w;
        if (w > 0) sum += w;
        all += std::abs(w);
      });
    }
    *positive = sum;
    *size = all;
    return value;
  }
  void group(int32_t g, Search search, int32_t* label, double& value, double& upper) noexcept {
    const int32_t m = x_.group_size(g);
    double positive = 0, size = 0;
    value = value_of(g, label, &positive, &size);
    const double eps = 1e-12 * size;
    upper = positive;
    if (upper - value <= eps) return;
    double packed = packing_.triangles(x_, g);
    upper = positive - packed;
    if (upper - value <= eps) return;
    moves_.run(x_, g, label, eps);
    value = value_of(g, label, &positive, &size);
    if (upper - value <= eps) return;
    if (search != Search::greedy && m <= SubsetSearch::kMost) {
      double* w = branches_.matrix();
      fill_matrix(x_, x_.group(g), m, place_.data(), w);
      const double best = subsets_.run(w, m, small_.data());
      if (best > value + eps) take(g, label);
      value = value_of(g, label, &positive, &size);
      upper = std::max(value, best);
      return;
    }
    packed += packing_.paths(x_, g, eps);
    upper = positive - packed;
    if (upper - value <= eps || search == Search::greedy || m > kMostExact) return;
    fill_matrix(x_, x_.group(g), m, place_.data(), branches_.matrix());
    for (int32_t k = 0; k < m; ++k) small_[at(k)] = label[x_.group(g)[k]];
    const double before = value;
    const int64_t nodes = search == Search::exact ? std::numeric_limits<int64_t>::max() : kNodes;
    const double best = branches_.run(m, value, small_.data(), nodes);
    if (best > before) take(g, label);
    value = value_of(g, label, &positive, &size);
    upper = std::min(upper, branches_.bound);
  }
  // Clusters of a small group, numbered 0, 1, ..., as labels: the first item of each.
  void take(int32_t g, int32_t* label) noexcept {
    const int32_t m = x_.group_size(g);
    const int32_t* item = x_.group(g);
    for (int32_t k = 0; k < m; ++k) {
      int32_t first = 0;
      while (small_[at(first)] != small_[at(k)]) ++first;
      label[item[k]] = item[first];
    }
  }

  Instance x_;
  Contraction contraction_;
  Moves moves_;
  Packing packing_;
  SubsetSearch subsets_;
  BranchAndBound branches_;
  AlignedBuffer<int32_t> label_, place_, small_;
  double bound_ = 0;
};

}  // namespace clusters
}  // namespace pystruct_ext
