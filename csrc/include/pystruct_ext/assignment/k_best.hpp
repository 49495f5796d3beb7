// The k best sets of links, best first, without repeats (Murty 1968).
//
// What is not the best set lacks one of its links, or has all of them and more. So a part of all sets,
// given by links that are forced and candidates that are forbidden, falls apart into: without its first
// free link; with that, without the second; and so on; and those that have all of the best set's links
// and at least one more. A best set without one link is one shortest path away (Miller, Stone and Cox
// 1997), and where gains fall, the best of those with more links has one more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <queue>
#include <set>
#include <vector>

#include "pystruct_ext/assignment/flow.hpp"

namespace pystruct_ext {

class KBestLinks {
 public:
  KBestLinks(const LinkGraph& graph, const double* value, FlowMatcher& matcher)
      : g_(graph), value_(value), f_(matcher) {}

  // emit(links, total) for up to k sets; links rising. Returns their number. May run out of memory.
  template <class Emit>
  int64_t run(int64_t k, Emit&& emit) {
    if (k <= 0 || !f_.solve(g_, value_)) return 0;
    nodes_.clear();
    best_.clear();
    left_ = k;
    Node first;
    take(first);
    first.prices.assign(f_.prices(), f_.prices() + f_.n_nodes());
    offer({first.total, -1, kWhole});
    double last = std::numeric_limits<double>::infinity();
    int64_t found = 0;
    while (found < k && !waiting_.empty()) {
      const Candidate c = waiting_.top();
      waiting_.pop();
      best_.erase(std::prev(best_.end()));
      --left_;
      if (c.parent < 0) {
        nodes_.push_back(std::move(first));
      } else {
        Node node = made(c);
        nodes_.push_back(std::move(node));
      }
      const auto at = static_cast<int32_t>(nodes_.size() - 1);
      last = std::min(last, nodes_.back().total);
      emit(nodes_.back().links, last);
      if (++found < k) split(at);
    }
    return found;
  }

 private:
  static constexpr int64_t kWhole = -1, kMore = -2, kOther = -3;
  struct Node {
    std::vector<int64_t> links, forced, forbidden;
    std::vector<double> prices;  // of those that are best in their part; else of none
    int64_t added = -1;          // the one link more than those that are forced
    double total = 0;
  };
  struct Candidate {
    double total;
    int32_t parent;
    int64_t kind;        // the link of the parent that is missing, or kMore, kOther
    int64_t added = -1;  // of kMore and kOther
    bool operator<(const Candidate& o) const noexcept { return total < o.total; }
  };

  void take(Node& node) {
    node.links.clear();
    for (int64_t e = 0; e < g_.size(); ++e)
      if (f_.linked(e)) node.links.push_back(e);
    node.total = f_.total();
  }
  // A candidate that may still be among the best.
  void offer(const Candidate& c) {
    if (static_cast<int64_t>(best_.size()) >= left_ && !(c.total > *best_.begin())) return;
    waiting_.push(c);
    best_.insert(c.total);
    if (static_cast<int64_t>(best_.size()) > left_) best_.erase(best_.begin());
  }
  double limit(double total) const {
    if (static_cast<int64_t>(best_.size()) < left_) return std::numeric_limits<double>::infinity();
    return total - *best_.begin();
  }

  void stand(const Node& node) {
    f_.restore(g_, value_, node.links.data(), static_cast<int64_t>(node.links.size()),
               node.prices.empty() ? nullptr : node.prices.data());
    for (const int64_t e : node.forbidden) f_.mark(e, FlowMatcher::kForbidden);
    for (const int64_t e : node.forced) f_.mark(e, FlowMatcher::kForced);
  }

  void split(int32_t at) {
    const Node& node = nodes_[static_cast<std::size_t>(at)];
    stand(node);
    if (node.added < 0) {
      for (const int64_t e : node.links) {
        if (f_.marked(e, FlowMatcher::kForced)) continue;
        const double lost = f_.without(e, limit(node.total), false);
        if (lost < std::numeric_limits<double>::infinity()) offer({node.total - lost, at, e});
        f_.mark(e, FlowMatcher::kForced);
      }
      more(at, kMore, node.total);
      return;
    }
    more(at, kMore, node.total);
    Node base = without_added(node);
    stand(base);
    f_.mark(node.added, FlowMatcher::kForbidden);
    more(at, kOther, base.total);
  }
  // The best set that has one link more than what stands.
  void more(int32_t at, int64_t kind, double total) {
    double best = -std::numeric_limits<double>::infinity();
    int64_t arg = -1;
    for (int64_t e = 0; e < g_.size(); ++e) {
      const double gain = f_.gain_of(e);
      if (gain > best) best = gain, arg = e;
    }
    if (arg >= 0) offer({total + best, at, kind, arg});
  }

  Node without_added(const Node& node) {
    Node base;
    base.links = node.links;
    base.links.erase(std::find(base.links.begin(), base.links.end(), node.added));
    base.forbidden = node.forbidden;
    f_.restore(g_, value_, base.links.data(), static_cast<int64_t>(base.links.size()), nullptr);
    base.total = f_.total();
    return base;
  }

  Node made(const Candidate& c) {
    const Node& parent = nodes_[static_cast<std::size_t>(c.parent)];
    if (c.kind == kMore || c.kind == kOther) {
      Node node = c.kind == kOther ? without_added(parent) : Node();
      if (c.kind == kMore) {
        node.links = parent.links;
        node.forbidden = parent.forbidden;
      } else {
        node.forbidden.push_back(parent.added);
      }
      node.links.insert(std::lower_bound(node.links.begin(), node.links.end(), c.added), c.added);
      node.added = c.added;
      f_.restore(g_, value_, node.links.data(), static_cast<int64_t>(node.links.size()), nullptr);
      node.total = f_.total();
      return node;
    }
    stand(parent);
    Node node;
    node.forced = parent.forced;
    for (const int64_t e : parent.links) {
      if (e == c.kind) break;
      if (!f_.marked(e, FlowMatcher::kForced)) {
        node.forced.push_back(e);
        f_.mark(e, FlowMatcher::kForced);
      }
    }
    f_.without(c.kind, std::numeric_limits<double>::infinity(), true);
    node.forbidden = parent.forbidden;
    node.forbidden.push_back(c.kind);
    take(node);
    node.prices.assign(f_.prices(), f_.prices() + f_.n_nodes());
    return node;
  }

  const LinkGraph& g_;
  const double* value_;
  FlowMatcher& f_;
  int64_t left_ = 0;
  std::vector<Node> nodes_;
  std::priority_queue<Candidate> waiting_;
  std::multiset<double> best_;  // totals of the candidates that may still be among the best
};

}  // namespace pystruct_ext
