// Exact labels by eliminating the nodes one after another, where each has few labels left.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/graphs/pairwise.hpp"

namespace pystruct_ext {

// For each node a list of labels; nodes with one label are given, the others are eliminated in the
// order of the smallest tables.
class Elimination {
 public:
  std::vector<int32_t> begin, choices;  // (n + 1,) and the labels of each node

  // Entries of all tables along the order that plan() finds, or more than `most`, where it stops.
  template <class R>
  double plan(const PairwiseProblem<R>& p, const Incidence& graph, double most) {
    const int32_t n = p.n_nodes;
    open_.clear();
    local_.assign(std::size_t(n), -1);
    for (int32_t v = 0; v < n; ++v)
      if (count(v) > 1) {
        local_[std::size_t(v)] = int32_t(open_.size());
        open_.push_back(v);
      }
    const std::size_t k = open_.size();
    near_.assign(k, {});
    weight_.assign(k, 0.0);
    done_.assign(k, 0);
    for (std::size_t i = 0; i < k; ++i) {
      for (auto* arc = graph.begin(open_[i]); arc != graph.end(open_[i]); ++arc)
        if (local_[std::size_t(arc->other)] >= 0)
          near_[i].push_back(local_[std::size_t(arc->other)]);
      weigh(i);
    }
    order_.clear();
    scopes_.assign(k, {});
    double entries = 0;
    for (std::size_t step = 0; step < k; ++step) {
      std::size_t best = k;
      for (std::size_t i = 0; i < k; ++i)
        if (!done_[i] && (best == k || weight_[i] < weight_[best])) best = i;
      entries += std::exp(weight_[best]) * count(open_[best]);
      if (!(entries <= most)) return entries;
      done_[best] = 1;
      order_.push_back(int32_t(best));
      scopes_[best] = near_[best];
      for (const int32_t i : scopes_[best]) {
        auto& mine = near_[std::size_t(i)];
        for (std::size_t j = 0; j < mine.size(); ++j)
          if (mine[j] == int32_t(best)) mine[j] = mine.back(), mine.pop_back();
        for (const int32_t j : scopes_[best]) {
          bool there = j == i;
          for (const int32_t u : mine) there |= u == j;
          if (!there) mine.push_back(j);
        }
        weigh(std::size_t(i));
      }
    }
    return entries;
  }

  // The best labels among the choices, along the plan.
  template <class R>
  void solve(const PairwiseProblem<R>& p, const Incidence& graph, int32_t* labels) {
    for (int32_t v = 0; v < p.n_nodes; ++v) labels[v] = choices[std::size_t(begin[std::size_t(v)])];
    const std::size_t k = open_.size();
    pool_.clear();
    factors_.clear();
    held_.assign(k, {});
    std::vector<int32_t> rank(k);
    for (std::size_t s = 0; s < k; ++s) rank[std::size_t(order_[s])] = int32_t(s);
    for (std::size_t i = 0; i < k; ++i) {
      const int32_t v = open_[i];
      const std::size_t own = add_factor({}, int32_t(i));
      for (int32_t x = 0; x < count(v); ++x) {
        const int32_t l = label(v, x);
        double s = double(p.unary_of(v)[l]);
        for (auto* arc = graph.begin(v); arc != graph.end(v); ++arc)
          if (local_[std::size_t(arc->other)] < 0)
            s += arc->forward(p.edges) ? p.pair(arc->edge, l, labels[arc->other])
                                       : p.pair(arc->edge, labels[arc->other], l);
        pool_[factors_[own].at + std::size_t(x)] = s;
      }
      for (auto* arc = graph.begin(v); arc != graph.end(v); ++arc) {
        const int32_t j = local_[std::size_t(arc->other)];
        if (j < 0 || rank[std::size_t(j)] < rank[i]) continue;
        const std::size_t pair = add_factor({j}, int32_t(i));
        double* entries = pool_.data() + factors_[pair].at;
        for (int32_t y = 0; y < count(arc->other); ++y)
          for (int32_t x = 0; x < count(v); ++x)
            *entries++ = arc->forward(p.edges)
                             ? p.pair(arc->edge, label(v, x), label(arc->other, y))
                             : p.pair(arc->edge, label(arc->other, y), label(v, x));
      }
    }
    for (const int32_t i : order_) eliminate(i, rank);
    picked_.assign(k, 0);
    for (std::size_t s = k; s-- > 0;) {
      const auto i = std::size_t(order_[s]);
      const int32_t n = count(open_[i]);
      double best = -std::numeric_limits<double>::infinity();
      for (int32_t x = 0; x < n; ++x) {
        double sum = 0;
        for (const std::size_t f : held_[i]) {
          std::size_t at = factors_[f].at + std::size_t(x), step = std::size_t(n);
          for (const int32_t j : factors_[f].scope) {
            at += step * std::size_t(picked_[std::size_t(j)]);
            step *= std::size_t(count(open_[std::size_t(j)]));
          }
          sum += pool_[at];
        }
        if (sum > best) best = sum, picked_[i] = x;
      }
      labels[open_[i]] = label(open_[i], picked_[i]);
    }
  }

 private:
  struct Factor {  // scores of a node (fastest) and the nodes of its scope
    std::size_t at;
    std::vector<int32_t> scope;
  };

  int32_t count(int32_t v) const noexcept {
    return begin[std::size_t(v) + 1] - begin[std::size_t(v)];
  }
  int32_t label(int32_t v, int32_t x) const noexcept {
    return choices[std::size_t(begin[std::size_t(v)] + x)];
  }
  void weigh(std::size_t i) {
    double w = 0;
    for (const int32_t j : near_[i]) w += std::log(double(count(open_[std::size_t(j)])));
    weight_[i] = w;
  }
  std::size_t add_factor(std::vector<int32_t> scope, int32_t owner) {
    std::size_t size = std::size_t(count(open_[std::size_t(owner)]));
    for (const int32_t j : scope) size *= std::size_t(count(open_[std::size_t(j)]));
    const Factor f{pool_.size(), std::move(scope)};
    pool_.resize(pool_.size() + size);
    factors_.push_back(f);
    held_[std::size_t(owner)].push_back(factors_.size() - 1);
    return factors_.size() - 1;
  }

  // The message of node i: for each choice of its scope the best of its own labels. It goes to the
  // node of the scope that is eliminated first, as that node's factor.
  void eliminate(int32_t i, const std::vector<int32_t>& rank) {
    const auto& nodes = scopes_[std::size_t(i)];
    if (nodes.empty()) return;
    int32_t heir = nodes[0];
    for (const int32_t j : nodes)
      if (rank[std::size_t(j)] < rank[std::size_t(heir)]) heir = j;
    std::vector<int32_t> rest;
    for (const int32_t j : nodes)
      if (j != heir) rest.push_back(j);
    const std::size_t out = add_factor(rest, heir);
    levels_.clear();
    levels_.push_back(heir);  // level 0, the fastest
    levels_.insert(levels_.end(), rest.begin(), rest.end());
    const std::size_t depth = levels_.size();
    own_ = std::size_t(count(open_[std::size_t(i)]));
    at_level_.assign(depth + 1, {});
    for (const std::size_t f : held_[std::size_t(i)]) {
      Walk walk{factors_[f].at, std::vector<std::size_t>(depth, 0)};
      std::size_t step = own_, level = depth;
      for (const int32_t j : factors_[f].scope) {
        for (std::size_t l = 0; l < depth; ++l)
          if (levels_[l] == j) {
            walk.step[l] = step;
            level = l < level ? l : level;
          }
        step *= std::size_t(count(open_[std::size_t(j)]));
      }
      at_level_[level].push_back(walk);
    }
    sums_.assign((depth + 1) * own_, 0.0);
    for (const Walk& walk : at_level_[depth])
      for (std::size_t x = 0; x < own_; ++x) sums_[depth * own_ + x] += pool_[walk.at + x];
    digits_.assign(depth, 0);
    cursor_ = pool_.data() + factors_[out].at;
    descend(depth);
  }
  struct Walk {
    std::size_t at;
    std::vector<std::size_t> step;
  };

  // Sums of all factors whose fastest node is at this level or slower, one level down.
  void descend(std::size_t level) {
    if (level == 0) {
      const double* sum = sums_.data();
      double best = sum[0];
      for (std::size_t x = 1; x < own_; ++x) best = sum[x] > best ? sum[x] : best;
      *cursor_++ = best;
      return;
    }
    const std::size_t l = level - 1;
    const auto n = std::size_t(count(open_[std::size_t(levels_[l])]));
    const double* above = sums_.data() + level * own_;
    double* sum = sums_.data() + l * own_;
    for (digits_[l] = 0; digits_[l] < n; ++digits_[l]) {
      for (std::size_t x = 0; x < own_; ++x) sum[x] = above[x];
      for (const Walk& walk : at_level_[l]) {
        std::size_t at = walk.at;
        for (std::size_t k = l; k < levels_.size(); ++k) at += walk.step[k] * digits_[k];
        const double* entries = pool_.data() + at;
        for (std::size_t x = 0; x < own_; ++x) sum[x] += entries[x];
      }
      descend(l);
    }
  }

  std::vector<int32_t> open_, local_, order_, levels_, picked_;
  std::vector<std::vector<int32_t>> near_, scopes_;
  std::vector<double> weight_, pool_, sums_;
  std::vector<uint8_t> done_;
  std::vector<Factor> factors_;
  std::vector<std::vector<std::size_t>> held_;
  std::vector<std::vector<Walk>> at_level_;
  std::vector<std::size_t> digits_;
  std::size_t own_ = 0;
  double* cursor_ = nullptr;
};

}  // namespace pystruct_ext
