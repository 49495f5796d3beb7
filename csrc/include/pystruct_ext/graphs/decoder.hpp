// Labels of the largest score over a graph, with a bound: forests, cuts, expansion, duals.
#pragma once

#include <cmath>
#include <limits>

#include "pystruct_ext/graphs/binary.hpp"
#include "pystruct_ext/graphs/dual.hpp"
#include "pystruct_ext/graphs/exact.hpp"
#include "pystruct_ext/graphs/expansion.hpp"
#include "pystruct_ext/graphs/forest.hpp"
#include "pystruct_ext/graphs/local_search.hpp"
#include "pystruct_ext/graphs/pairwise.hpp"
#include "pystruct_ext/graphs/polytope.hpp"

namespace pystruct_ext {

enum class Inference { automatic, forest, cut, expansion, dual, lp, exact };

// When the dual ascent ends. Eight rounds must close the part `stall` of the gap: `automatic` is
// content with less than `dual`.
struct AscentLimits {
  int32_t rounds = 500;        // sweeps there and back
  double tolerance = 1e-9;     // gap that counts as none, relative to 1 + |score|
  double stall = 2e-3;         // of `dual`
  double quick_stall = 0.14;   // of `automatic` and `expansion`
  double lp_tolerance = 4e-9;  // of the value of `lp`, relative to 1 + |score|
};

// Scratch of one thread: reserve() grows it, decode() allocates nothing for forests, cuts and Potts
// scores that attract; where labels are only bounded, the search for better ones may, and `lp`,
// `exact` and the first tables of a size do. The labels of a problem depend on the problem and the
// inference alone, not on what was decoded before.
template <class R>
class GraphDecoder {
 public:
  AscentLimits limits;
  SearchLimits& search_limits() noexcept { return search_.limits; }  // of `exact`
  int32_t branches() const noexcept { return search_.branches(); }

  void reserve(int64_t max_nodes, int64_t max_edges, int64_t stride) {
    graph_.reserve(max_nodes, max_edges);
    forest_.reserve(max_nodes, stride);
    cut_.reserve(max_nodes, max_edges);
    hopeless_.reserve(max_nodes);
    dual_.reserve(max_nodes, max_edges, stride);
    rounded_.reserve(std::size_t(max_nodes) + 1);
    row_.reserve(std::size_t(stride) + 8);
  }

  // The score of the labels; NaN where a score is not finite, or beyond 1e80, and then the labels are zeros.
  double decode(const PairwiseProblem<R>& p, Inference how, int32_t* labels) noexcept {
    exact_ = forest_found_ = too_large_ = false;
    if (!finite(p)) {
      for (int32_t v = 0; v < p.n_nodes; ++v) labels[v] = 0;
      return value_ = bound_ = std::numeric_limits<double>::quiet_NaN();
    }
    if (how == Inference::automatic || how == Inference::cut) {
      if (attractive_binary(p, cut_.gain(), cut_.price())) {
        cut_.shape(p.n_nodes, p.n_edges, p.edges);
        cut_.run();
        for (int32_t v = 0; v < p.n_nodes; ++v) labels[v] = cut_.one(v);
        return proven(p.score(labels));
      }
    }
    graph_.build(p.n_nodes, p.n_edges, p.edges);
    if (how == Inference::automatic || how == Inference::forest) {
      forest_found_ = forest_.walk(p.n_nodes, p.n_edges, graph_);
      if (forest_found_) {
        forest_.decode(p, labels);
        return proven(p.score(labels));
      }
    }
    best_unaries(p, labels);
    value_ = p.score(labels);
    const bool potts = attractive_potts(p);
    if (potts) cut_.shape(p.n_nodes, p.n_edges, p.edges);
    if (potts && how == Inference::expansion) expand(p, labels);
    if (!dual_.load(p)) {
      too_large_ = true;
      improve_labels(p, graph_, 50, row_.data(), labels);
      bound_ = sum_of_maxima(p);
      return value_ = p.score(labels);
    }
    if (how == Inference::exact) {
      prove(p, labels);
      return value_;
    }
    const bool quick = how != Inference::dual && how != Inference::lp;
    ascend(p, quick ? limits.quick_stall : limits.stall, labels);
    if (potts && !exact_) expand(p, labels);
    if (!exact_ && !(potts && quick)) polish(p, labels);
    if (how == Inference::lp && !exact_) relax(p, labels);
    if (!exact_ && bound_ - value_ <= tolerance()) proven(value_);
    return value_;
  }

  double bound() const noexcept { return bound_; }  // of the last decode: >= the maximum
  bool exact() const noexcept { return exact_; }    // whether its labels are proven the best
  // Whether `forest` or `automatic` has found one.
  bool forest() const noexcept { return forest_found_; }
  // Entries of the tables that elimination of all nodes would need; allocates.
  double entries(const PairwiseProblem<R>& p) {
    graph_.build(p.n_nodes, p.n_edges, p.edges);
    return search_.entries(p, graph_);
  }
  // Whether the last `lp` has ended before its optimum, for lack of memory.
  bool too_large() const noexcept { return too_large_; }
  // After `lp`: its marginals, or null where its labels are its maximiser.
  const LocalPolytope* relaxed() const noexcept { return exact_ || too_large_ ? nullptr : &polytope_; }

 private:
  static constexpr double kLargestScore = 1e80;
  double proven(double value) noexcept {
    exact_ = true;
    return value_ = bound_ = value;
  }

  // Numbers that sums can be made of, far above what labels that were taken out score.
  static bool finite(const R* x, int64_t n) noexcept {
    const R most = sizeof(R) < 8 ? std::numeric_limits<R>::max() : R(kLargestScore);
    bool ok = true;
    for (int64_t k = 0; k < n; ++k) ok &= std::fabs(x[k]) <= most;
    return ok;
  }
  static bool finite(const PairwiseProblem<R>& p) noexcept {
    if (p.potts && !finite(p.potts, p.n_edges)) return false;
    bool full = true;  // no row has an end that is not to be read
    for (int32_t v = 0; v < p.n_nodes; ++v) full &= p.n_labels[v] == p.stride;
    if (full && !finite(p.unary, int64_t(p.n_nodes) * p.stride)) return false;
    for (int32_t v = 0; !full && v < p.n_nodes; ++v)
      if (!finite(p.unary_of(v), p.n_labels[v])) return false;
    for (int32_t e = 0; !p.potts && e < p.n_edges; ++e) {
      if (full) {
        if (e > 0 && p.table_at[e] == p.table_at[e - 1]) continue;
        if (!finite(p.table(e), int64_t(p.stride) * p.stride)) return false;
        continue;
      }
      for (int32_t x = 0; x < p.n_labels[p.a(e)]; ++x)
        if (!finite(p.table(e) + int64_t(x) * p.stride, p.n_labels[p.b(e)])) return false;
    }
    return true;
  }

  static void best_unaries(const PairwiseProblem<R>& p, int32_t* labels) noexcept {
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      const R* unary = p.unary_of(v);
      labels[v] = 0;
      for (int32_t l = 1; l < p.n_labels[v]; ++l)
        if (unary[l] > unary[labels[v]]) labels[v] = l;
    }
  }

  double tolerance() const noexcept { return limits.tolerance * (1 + std::fabs(value_)); }

  bool better(const PairwiseProblem<R>& p, const int32_t* candidate, int32_t* labels) noexcept {
    const double value = p.score(candidate);
    if (!(value > value_ + 1e-12 * (1 + std::fabs(value_)))) return false;
    value_ = value;
    for (int32_t v = 0; v < p.n_nodes; ++v) labels[v] = candidate[v];
    return true;
  }

  void expand(const PairwiseProblem<R>& p, int32_t* labels) noexcept {
    expand_labels(p, graph_, cut_, hopeless_, labels);
    value_ = p.score(labels);
  }

  // Dual ascent from the loaded state; labels are replaced by better ones rounded on the way.
  void ascend(const PairwiseProblem<R>& p, double stall, int32_t* labels) noexcept {
    int32_t* rounded = rounded_.data();
    double then = std::numeric_limits<double>::max();
    const int32_t every = stall < limits.quick_stall ? 4 : 8;
    for (int32_t round = 1; round <= limits.rounds; ++round) {
      const bool look = round == 1 || round % every == 0;
      bound_ = dual_.round(look ? rounded : nullptr);
      if (!look) continue;
      improve_labels(p, graph_, 3, row_.data(), rounded);
      better(p, rounded, labels);
      if (bound_ - value_ <= tolerance()) {
        proven(value_);
        return;
      }
      if (round % 8 != 0) continue;
      if (then - bound_ < stall * (bound_ - value_)) return;
      then = bound_;
    }
  }

  // The local polytope from the dual that ascend() has left; labels from its marginals.
  void relax(const PairwiseProblem<R>& p, int32_t* labels) noexcept {
    try {
      polytope_.solve(p, dual_, limits.lp_tolerance * (1 + std::fabs(value_)), value_);
    } catch (const std::bad_alloc&) {
      too_large_ = true;
      return;  // the bound of the ascent stands
    }
    bound_ = polytope_.bound();
    polytope_.round(p, rounded_.data());
    improve_labels(p, graph_, 50, row_.data(), rounded_.data());
    better(p, rounded_.data(), labels);
    for (int32_t k = 0; k < 2; ++k) {
      const double bound = dual_.round(rounded_.data());
      bound_ = bound < bound_ ? bound : bound_;
      improve_labels(p, graph_, 50, row_.data(), rounded_.data());
      better(p, rounded_.data(), labels);
    }
  }

  void polish(const PairwiseProblem<R>& p, int32_t* labels) noexcept {
    try {
      value_ = search_.polish(p, graph_, dual_, value_, labels);
    } catch (const std::bad_alloc&) {
      value_ = p.score(labels);
    }
  }

  void prove(const PairwiseProblem<R>& p, int32_t* labels) noexcept {
    try {
      bound_ = search_.run(p, graph_, dual_, limits.tolerance, row_.data(), value_, labels);
      value_ = search_.value();
      if (bound_ <= value_) proven(value_);
    } catch (const std::bad_alloc&) {  // labels and value may be ahead of each other
      value_ = p.score(labels);
      bound_ = sum_of_maxima(p);
    }
  }

  Incidence graph_;
  ForestDecoder forest_;
  BinaryCut cut_;
  HopelessNodes hopeless_;
  DualAscent dual_;
  ExactSearch<R> search_;
  LocalPolytope polytope_;
  AlignedBuffer<int32_t> rounded_;
  AlignedBuffer<double> row_;
  double value_ = 0, bound_ = 0;
  bool exact_ = false, forest_found_ = false, too_large_ = false;
};

}  // namespace pystruct_ext
