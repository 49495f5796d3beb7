// Minimum cuts of undirected capacities: search trees from both terminals, kept between paths
// (Boykov and Kolmogorov 2004). Capacities are whole numbers, so that no rounding can make a path
// of nothing, and flow is conserved exactly.
#pragma once

#include <cstdint>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

class MinCut {
 public:
  void reserve(int64_t nodes, int64_t edges) {
    nodes_.reserve(std::size_t(nodes) + 1);
    arcs_.reserve(2 * std::size_t(edges) + 1);
    place_.reserve(std::size_t(edges) + 1);
    active_.reserve(std::size_t(nodes) + 1);
    orphans_.reserve(std::size_t(nodes) + 1);
  }

  // The graph; capacities are set afterwards, for every node and every edge.
  void shape(int32_t n, int32_t m, const int32_t* edges) noexcept {
    n_ = n, m_ = m;
    for (int32_t v = 0; v <= n; ++v) nodes_[std::size_t(v)].begin = 0;
    for (int64_t k = 0; k < 2 * int64_t(m); ++k) ++nodes_[std::size_t(edges[k])].begin;
    int32_t sum = 0;
    for (int32_t v = 0; v <= n; ++v) {
      sum += nodes_[std::size_t(v)].begin;
      nodes_[std::size_t(v)].begin = sum;
    }
    for (int32_t e = m - 1; e >= 0; --e) {
      const int32_t x = edges[2 * int64_t(e)], y = edges[2 * int64_t(e) + 1];
      const int32_t there = --nodes_[std::size_t(x)].begin, back = --nodes_[std::size_t(y)].begin;
      arcs_[std::size_t(there)] = Arc{y, back, 0};
      arcs_[std::size_t(back)] = Arc{x, there, 0};
      place_[std::size_t(e)] = there;
    }
  }
  // Gain of the source side over the sink side at v.
  PSX_INLINE void terminal(int32_t v, int64_t gain) noexcept {
    Node& x = nodes_[std::size_t(v)];
    x.rest = gain;
    x.parent = kNone;
    x.stamp = 0;
    x.tree = kFree;
    x.queued = 0;
  }
  PSX_INLINE void capacity(int32_t e, int64_t both_ways) noexcept {
    Arc& arc = arcs_[std::size_t(place_[std::size_t(e)])];
    arc.rest = both_ways;
    arcs_[std::size_t(arc.sister)].rest = both_ways;
  }
  // The smallest source side of a minimum cut.
  PSX_INLINE bool source_side(int32_t v) const noexcept {
    return nodes_.data()[v].tree == kSource;
  }

  void run() noexcept {
    time_ = 0;
    head_ = count_ = 0;
    short_paths();
    for (int32_t v = 0; v < n_; ++v) {
      Node& x = nodes_[std::size_t(v)];
      if (x.rest == 0) continue;
      x.tree = x.rest > 0 ? kSource : kSink;
      x.parent = kTerminal;
      x.dist = 1;
      activate(v);
    }
    while (count_ > 0) {
      const int32_t v = active_[std::size_t(head_)];
      head_ = head_ + 1 == n_ ? 0 : head_ + 1;
      --count_;
      nodes_[std::size_t(v)].queued = 0;
      if (nodes_[std::size_t(v)].tree == kSource)
        grow<kSource>(v);
      else if (nodes_[std::size_t(v)].tree == kSink)
        grow<kSink>(v);
    }
  }

 private:
  enum : int32_t { kNone = -1, kTerminal = -2, kOrphan = -3 };  // parents that are no arc
  enum : uint8_t { kFree = 0, kSource = 1, kSink = 2 };
  struct Node {
    int64_t rest;    // > 0: from the source, < 0: to the sink
    int32_t begin;   // of its arcs
    int32_t parent;  // arc to its parent
    int32_t stamp, dist;
    uint8_t tree, queued;
  };
  struct Arc {
    int32_t head, sister;
    int64_t rest;
  };

  // Flow over one edge between a node with more and one with less, before any search.
  void short_paths() noexcept {
    for (int32_t v = 0; v < n_; ++v) {
      Node& x = nodes_[std::size_t(v)];
      if (x.rest <= 0) continue;
      const int32_t end = nodes_[std::size_t(v) + 1].begin;
      for (int32_t k = x.begin; k < end; ++k) {
        Arc& arc = arcs_[std::size_t(k)];
        Node& y = nodes_[std::size_t(arc.head)];
        if (y.rest >= 0) continue;
        int64_t flow = x.rest < -y.rest ? x.rest : -y.rest;
        flow = flow < arc.rest ? flow : arc.rest;
        x.rest -= flow;
        y.rest += flow;
        arc.rest -= flow;
        arcs_[std::size_t(arc.sister)].rest += flow;
        if (x.rest == 0) break;
      }
    }
  }

  PSX_INLINE void activate(int32_t v) noexcept {
    Node& x = nodes_[std::size_t(v)];
    if (x.queued) return;
    x.queued = 1;
    int32_t at = head_ + count_;
    at = at >= n_ ? at - n_ : at;
    active_[std::size_t(at)] = v;
    ++count_;
  }
  PSX_INLINE void orphan(int32_t v) noexcept {
    nodes_[std::size_t(v)].parent = kOrphan;
    int32_t at = orphan_head_ + orphan_count_;
    at = at >= n_ ? at - n_ : at;
    orphans_[std::size_t(at)] = v;
    ++orphan_count_;
  }
  // What arc k lets through in the direction away from the root of a tree of this side.
  template <uint8_t kSide>
  PSX_INLINE int64_t outward(const Arc& arc) const noexcept {
    return kSide == kSource ? arc.rest : arcs_.data()[arc.sister].rest;
  }
  template <uint8_t kSide>
  PSX_INLINE int64_t inward(const Arc& arc) const noexcept {
    return kSide == kSource ? arcs_.data()[arc.sister].rest : arc.rest;
  }

  template <uint8_t kSide>
  void grow(int32_t v) noexcept {
    Node& x = nodes_[std::size_t(v)];
    const int32_t end = nodes_[std::size_t(v) + 1].begin;
    for (int32_t k = x.begin; k < end; ++k) {
      Arc& arc = arcs_[std::size_t(k)];
      while (outward<kSide>(arc) > 0) {
        Node& y = nodes_[std::size_t(arc.head)];
        if (y.tree == kFree) {
          y.tree = kSide;
          y.parent = arc.sister;
          y.stamp = x.stamp;
          y.dist = x.dist + 1;
          activate(arc.head);
          break;
        }
        if (y.tree == kSide) {
          if (y.stamp <= x.stamp && y.dist > x.dist + 1) {
            y.parent = arc.sister;
            y.stamp = x.stamp;
            y.dist = x.dist + 1;
          }
          break;
        }
        augment(kSide == kSource ? k : arc.sister);
        if (x.tree != kSide) return;  // adoption has let it go
      }
    }
  }

  // Flow along the path whose middle is the arc k, from the source's tree to the sink's.
  void augment(int32_t k) noexcept {
    Arc& middle = arcs_[std::size_t(k)];
    const int32_t first = arcs_[std::size_t(middle.sister)].head, second = middle.head;
    int64_t flow = middle.rest;
    int32_t v = first;
    for (;;) {
      const Node& x = nodes_[std::size_t(v)];
      if (x.parent == kTerminal) break;
      const Arc& up = arcs_[std::size_t(x.parent)];
      const int64_t rest = arcs_[std::size_t(up.sister)].rest;
      flow = rest < flow ? rest : flow;
      v = up.head;
    }
    flow = nodes_[std::size_t(v)].rest < flow ? nodes_[std::size_t(v)].rest : flow;
    v = second;
    for (;;) {
      const Node& x = nodes_[std::size_t(v)];
      if (x.parent == kTerminal) break;
      const Arc& up = arcs_[std::size_t(x.parent)];
      flow = up.rest < flow ? up.rest : flow;
      v = up.head;
    }
    flow = -nodes_[std::size_t(v)].rest < flow ? -nodes_[std::size_t(v)].rest : flow;

    ++time_;
    orphan_head_ = orphan_count_ = 0;
    middle.rest -= flow;
    arcs_[std::size_t(middle.sister)].rest += flow;
    for (v = first;;) {
      Node& x = nodes_[std::size_t(v)];
      if (x.parent == kTerminal) {
        x.rest -= flow;
        if (x.rest == 0) orphan(v);
        break;
      }
      Arc& up = arcs_[std::size_t(x.parent)];
      Arc& down = arcs_[std::size_t(up.sister)];
      up.rest += flow;
      down.rest -= flow;
      const int32_t next = up.head;
      if (down.rest == 0) orphan(v);
      v = next;
    }
    for (v = second;;) {
      Node& x = nodes_[std::size_t(v)];
      if (x.parent == kTerminal) {
        x.rest += flow;
        if (x.rest == 0) orphan(v);
        break;
      }
      Arc& up = arcs_[std::size_t(x.parent)];
      arcs_[std::size_t(up.sister)].rest += flow;
      up.rest -= flow;
      const int32_t next = up.head;
      if (up.rest == 0) orphan(v);
      v = next;
    }
    while (orphan_count_ > 0) {
      v = orphans_[std::size_t(orphan_head_)];
      orphan_head_ = orphan_head_ + 1 == n_ ? 0 : orphan_head_ + 1;
      --orphan_count_;
      if (nodes_[std::size_t(v)].tree == kSource)
        adopt<kSource>(v);
      else
        adopt<kSink>(v);
    }
  }

  // A new parent for v that hangs on the terminal, the nearest one; else v is let go.
  template <uint8_t kSide>
  void adopt(int32_t v) noexcept {
    constexpr int32_t kFar = 0x7fffffff;
    Node& x = nodes_[std::size_t(v)];
    const int32_t end = nodes_[std::size_t(v) + 1].begin;
    int32_t best = kNone, nearest = kFar;
    for (int32_t k = x.begin; k < end; ++k) {
      const Arc& arc = arcs_[std::size_t(k)];
      const Node& y = nodes_[std::size_t(arc.head)];
      if (y.tree != kSide || inward<kSide>(arc) == 0) continue;
      int32_t u = arc.head, steps = 0;
      for (;;) {
        Node& z = nodes_[std::size_t(u)];
        if (z.stamp == time_) {
          steps += z.dist;
          break;
        }
        ++steps;
        if (z.parent == kTerminal) {
          z.stamp = time_;
          z.dist = 1;
          break;
        }
        if (z.parent < 0) {  // an orphan
          steps = kFar;
          break;
        }
        u = arcs_[std::size_t(z.parent)].head;
      }
      if (steps == kFar) continue;
      if (steps < nearest) nearest = steps, best = k;
      for (u = arc.head; nodes_[std::size_t(u)].stamp != time_;) {
        Node& z = nodes_[std::size_t(u)];
        z.stamp = time_;
        z.dist = steps--;
        u = arcs_[std::size_t(z.parent)].head;
      }
    }
    if (best != kNone) {
      x.parent = best;
      x.stamp = time_;
      x.dist = nearest + 1;
      return;
    }
    x.tree = kFree;
    x.parent = kNone;
    for (int32_t k = x.begin; k < end; ++k) {
      const Arc& arc = arcs_[std::size_t(k)];
      const Node& y = nodes_[std::size_t(arc.head)];
      if (y.tree != kSide) continue;
      if (inward<kSide>(arc) > 0) activate(arc.head);
      if (y.parent >= 0 && arcs_[std::size_t(y.parent)].head == v) orphan(arc.head);
    }
  }

  int32_t n_ = 0, m_ = 0, time_ = 0;
  int32_t head_ = 0, count_ = 0, orphan_head_ = 0, orphan_count_ = 0;
  AlignedBuffer<Node> nodes_;
  AlignedBuffer<Arc> arcs_;
  AlignedBuffer<int32_t> place_;  // the arc a -> b of each edge
  AlignedBuffer<int32_t> active_, orphans_;
};

}  // namespace pystruct_ext
