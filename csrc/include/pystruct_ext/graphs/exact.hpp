// Proven best labels: the dual takes labels out, elimination solves what is left, else branching.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "pystruct_ext/graphs/dual.hpp"
#include "pystruct_ext/graphs/elimination.hpp"
#include "pystruct_ext/graphs/local_search.hpp"
#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

struct SearchLimits {
  double entries = 1 << 21;   // of the tables of one elimination
  double quick = 1 << 13;     // the same, where it only looks for better labels
  int32_t branches = 2000;    // subproblems
  int32_t rounds = 60;        // of the dual at a subproblem; the first one gets four times that
  double stall = 0.02;        // part of the gap that four rounds must close
};

template <class R>
class ExactSearch {
 public:
  SearchLimits limits;

  // From a loaded dual and known labels of score `value`. The labels are raised in place; the
  // bound is the value where the search has ended, and else what the open subproblems leave.
  // May allocate, and throws std::bad_alloc.
  double run(const PairwiseProblem<R>& p, const Incidence& graph, DualAscent& dual,
             double tolerance, double* row, double value, int32_t* labels) {
    p_ = &p, graph_ = &graph, dual_ = &dual, row_ = row, labels_ = labels;
    value_ = value;
    tolerance_ = tolerance;
    trial_.resize(std::size_t(p.n_nodes));
    double unexplored = -std::numeric_limits<double>::infinity();
    std::size_t depth = 0;
    int32_t branches = 0;
    for (;;) {
      const double bound = settle(branches == 0 ? 4 * limits.rounds : limits.rounds);
      ++branches;
      bool closed = bound <= floor();
      if (!closed && branches >= limits.branches) {
        unexplored = bound > unexplored ? bound : unexplored;
        for (std::size_t k = 0; k < depth; ++k)
          unexplored = stack_[k].state.bound > unexplored ? stack_[k].state.bound : unexplored;
        break;
      }
      if (!closed) {  // one label first, the others later
        if (stack_.size() <= depth) stack_.emplace_back();
        Frame& frame = stack_[depth++];
        choose(&frame.node, &frame.label);
        dual.save(frame.state);
        dual.keep_only(frame.node, frame.label);
        continue;
      }
      while (depth > 0 && stack_[depth - 1].state.bound <= floor()) --depth;
      if (depth == 0) break;
      Frame& frame = stack_[--depth];
      dual.restore(frame.state);
      dual.take_out(frame.node, frame.label);
    }
    branches_ = branches;
    return unexplored > value_ ? unexplored : value_;
  }
  // The best labels among those that the dual has near the top, as many as `quick` tables allow.
  double polish(const PairwiseProblem<R>& p, const Incidence& graph, DualAscent& dual,
                double value, int32_t* labels) {
    p_ = &p, graph_ = &graph, dual_ = &dual, labels_ = labels;
    value_ = value;
    trial_.resize(std::size_t(p.n_nodes));
    for (double part = 0.5; part > 1e-3; part /= 4)
      if (eliminate(part, limits.quick)) break;
    return value_;
  }
  double value() const noexcept { return value_; }
  int32_t branches() const noexcept { return branches_; }
  // Entries of the tables that elimination would need with all labels.
  double entries(const PairwiseProblem<R>& p, const Incidence& graph) {
    choices_.begin.assign(1, 0);
    choices_.choices.clear();
    for (int32_t v = 0; v < p.n_nodes; ++v) {
      for (int32_t l = 0; l < p.n_labels[v]; ++l) choices_.choices.push_back(l);
      choices_.begin.push_back(int32_t(choices_.choices.size()));
    }
    return choices_.plan(p, graph, std::numeric_limits<double>::max());
  }

 private:
  struct Frame {
    DualAscent::State state;
    int32_t node = 0, label = 0;
  };

  double floor() const noexcept { return value_ + tolerance_ * (1 + std::fabs(value_)); }

  // Rounds of the dual until it stalls, then elimination of what is left; a bound below the floor
  // where that has solved the subproblem.
  double settle(int32_t rounds) {
    double bound = dual_->bound(), then = bound;
    int32_t tried = 0;  // labels that were left at the last attempt to eliminate
    for (int32_t round = 1; round <= rounds; ++round) {
      const bool rounding = round % 4 == 1;
      bound = dual_->round(rounding ? trial_.data() : nullptr, floor());
      if (bound <= floor()) return bound;
      if (rounding) {
        improve_labels(*p_, *graph_, 3, row_, trial_.data());
        take(trial_.data());
      }
      if (round % 4 != 0) continue;
      const bool stalled = then - bound < limits.stall * (bound - value_);
      then = bound;
      int32_t left = 0;
      for (int32_t v = 0; v < p_->n_nodes; ++v) left += dual_->n_live(v) - 1;
      if (stalled || (tried == 0 && round >= 16) || 4 * left < 3 * tried) {
        tried = left;
        if (eliminate(1.0, limits.quick)) return floor();
        const double before = value_;
        for (double part = 0.5; part > 1e-3; part /= 2)
          if (eliminate(part, limits.quick)) break;
        if (value_ > before) continue;
      }
      if (stalled) break;
    }
    if (eliminate(1.0, limits.entries)) return floor();
    return bound;
  }

  // The best labels among those whose slack is at most a part of the gap, if few enough.
  bool eliminate(double part, double most) {
    const double gap = part * (dual_->bound() - value_);
    choices_.begin.assign(1, 0);
    choices_.choices.clear();
    for (int32_t v = 0; v < p_->n_nodes; ++v) {
      int32_t best = dual_->live(v)[0];
      for (int32_t k = 0; k < dual_->n_live(v); ++k) {
        const int32_t x = dual_->live(v)[k];
        if (part == 1 || dual_->slack(v, x) <= gap) choices_.choices.push_back(x);
        if (dual_->slack(v, x) < dual_->slack(v, best)) best = x;
      }
      if (int32_t(choices_.choices.size()) == choices_.begin.back())
        choices_.choices.push_back(best);
      choices_.begin.push_back(int32_t(choices_.choices.size()));
    }
    if (choices_.plan(*p_, *graph_, most) > most) return false;
    choices_.solve(*p_, *graph_, trial_.data());
    take(trial_.data());
    return true;
  }

  void take(const int32_t* labels) noexcept {
    const double value = p_->score(labels);
    if (!(value > value_)) return;
    value_ = value;
    for (int32_t v = 0; v < p_->n_nodes; ++v) labels_[v] = labels[v];
  }

  // The node with the most labels left within the gap, weighted by its edges; its best label.
  void choose(int32_t* node, int32_t* label) const noexcept {
    double most = -1;
    for (int32_t v = 0; v < p_->n_nodes; ++v) {
      if (dual_->n_live(v) < 2) continue;
      int32_t best = dual_->live(v)[0];
      double second = std::numeric_limits<double>::infinity();
      for (int32_t k = 1; k < dual_->n_live(v); ++k) {
        const int32_t x = dual_->live(v)[k];
        if (dual_->slack(v, x) < dual_->slack(v, best)) {
          second = dual_->slack(v, best);
          best = x;
        } else if (dual_->slack(v, x) < second) {
          second = dual_->slack(v, x);
        }
      }
      int32_t open = 0;
      for (auto* arc = graph_->begin(v); arc != graph_->end(v); ++arc)
        open += dual_->n_live(arc->other) > 1;
      const double gap = dual_->bound() - value_;
      const double worth = (open + 0.1) / (second + 0.05 * gap + 1e-12);
      if (worth > most) most = worth, *node = v, *label = best;
    }
  }

  const PairwiseProblem<R>* p_ = nullptr;
  const Incidence* graph_ = nullptr;
  DualAscent* dual_ = nullptr;
  double* row_ = nullptr;
  int32_t* labels_ = nullptr;
  double value_ = 0, tolerance_ = 0;
  int32_t branches_ = 0;
  std::vector<int32_t> trial_;
  std::vector<Frame> stack_;
  Elimination choices_;
};

}  // namespace pystruct_ext
