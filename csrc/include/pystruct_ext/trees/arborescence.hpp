// Maximum spanning arborescence of a dense graph (Chu and Liu 1965, Edmonds 1967) in O(n^2)
// (Tarjan 1977): grow a path of best incoming arcs, contract the cycles it closes, and expand them
// again. With `single_root` exactly one node hangs on the root.
#pragma once

#include <cmath>
#include <cstdint>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

class Arborescence {
 public:
  // Scores below this are forbidden arcs.
  static constexpr double kForbidden = -1e15;

  void reserve(int32_t n) {
    const std::size_t m = static_cast<std::size_t>(n) + 1;
    weight_.reserve(m * m);
    from_.reserve(m * m);
    to_.reserve(m * m);
    path_.reserve(m);
    slot_id_.reserve(m);
    state_.reserve(m);
    active_.reserve(m);
    parent_.reserve(2 * m);
    in_from_.reserve(2 * m);
    in_to_.reserve(2 * m);
    in_score_.reserve(m);
    child_first_.reserve(2 * m);
    child_next_.reserve(2 * m);
  }

  // arc[m * stride + h]: score of h -> m for nodes 1 .. n and root 0; heads[m - 1] out.
  template <class R>
  void solve(int32_t n, const R* arc, int64_t stride, bool single_root, int32_t* heads) {
    run(n, arc, stride, 0.0, heads);
    if (!single_root) return;
    int32_t roots = 0;
    for (int32_t v = 0; v < n; ++v) roots += heads[v] == 0;
    if (roots <= 1) return;
    // A tree has a root arc at least: a penalty above all differences makes it one.
    double lo = 0, hi = 0;
    for (int32_t v = 1; v <= n; ++v)
      for (int32_t u = 0; u <= n; ++u) {
        const double s = static_cast<double>(arc[v * stride + u]);
        if (u == v || s <= kForbidden) continue;
        lo = s < lo ? s : lo;
        hi = s > hi ? s : hi;
      }
    run(n, arc, stride, 1.0 + 2.0 * n * (hi - lo), heads);
  }

 private:
  template <class R>
  void run(int32_t n, const R* arc, int64_t stride, double root_penalty, int32_t* heads) {
    n_ = n;
    m_ = n + 1;
    for (int32_t v = 1; v <= n; ++v) {
      double* w = weight_.data() + int64_t{v} * m_;
      const R* a = arc + v * stride;
      for (int32_t u = 0; u <= n; ++u) w[u] = static_cast<double>(a[u]);
      w[0] -= root_penalty;
    }
    contracted_ = false;
    n_active_ = 0;
    for (int32_t v = 0; v <= n; ++v) {
      slot_id_[idx(v)] = v;
      state_[idx(v)] = v == 0 ? kDone : kOpen;
      active_[idx(n_active_++)] = v;
      parent_[idx(v)] = -1;
      child_first_[idx(v)] = -1;
    }
    next_id_ = n + 1;
    for (int32_t start = 1; start <= n; ++start) {
      if (state_[idx(start)] != kOpen) continue;
      grow(start);
    }
    for (int32_t k = 0; k < n_active_; ++k) {
      const int32_t slot = active_[idx(k)];
      if (slot == 0) continue;
      const int32_t id = slot_id_[idx(slot)];
      expand(id, in_from_[idx(id)], in_to_[idx(id)], heads);
    }
  }

  enum State : uint8_t { kOpen, kPath, kDone, kGone };
  static std::size_t idx(int64_t k) { return static_cast<std::size_t>(k); }

  int32_t real_from(int32_t v, int32_t u) const {
    return contracted_ ? from_[idx(int64_t{v} * m_ + u)] : u;
  }
  int32_t real_to(int32_t v, int32_t u) const {
    return contracted_ ? to_[idx(int64_t{v} * m_ + u)] : v;
  }

  void grow(int32_t start) {
    int32_t length = 0;
    path_[idx(length++)] = start;
    state_[idx(start)] = kPath;
    for (;;) {
      const int32_t v = path_[idx(length - 1)];
      const double* w = weight_.data() + int64_t{v} * m_;
      int32_t best = -1;
      double top = 0;
      for (int32_t k = 0; k < n_active_; ++k) {
        const int32_t u = active_[idx(k)];
        if (u != v && (best < 0 || w[u] > top)) {
          top = w[u];
          best = u;
        }
      }
      const int32_t id = slot_id_[idx(v)];
      in_from_[idx(id)] = real_from(v, best);
      in_to_[idx(id)] = real_to(v, best);
      in_score_[idx(v)] = top;
      if (state_[idx(best)] == kDone) {
        for (int32_t k = 0; k < length; ++k) state_[idx(path_[idx(k)])] = kDone;
        return;
      }
      if (state_[idx(best)] == kOpen) {
        state_[idx(best)] = kPath;
        path_[idx(length++)] = best;
        continue;
      }
      int32_t first = length - 1;
      while (path_[idx(first)] != best) --first;
      contract(first, length);
      length = first + 1;
    }
  }

  // Nodes path[first .. length) form a cycle; they become one, in the slot of the first.
  void contract(int32_t first, int32_t length) {
    if (!contracted_) {
      contracted_ = true;
      for (int32_t v = 1; v <= n_; ++v)
        for (int32_t u = 0; u <= n_; ++u) {
          from_[idx(int64_t{v} * m_ + u)] = u;
          to_[idx(int64_t{v} * m_ + u)] = v;
        }
    }
    const int32_t c = path_[idx(first)], id = next_id_++;
    parent_[idx(id)] = -1;
    child_first_[idx(id)] = -1;
    for (int32_t k = first; k < length; ++k) {
      const int32_t s = path_[idx(k)], child = slot_id_[idx(s)];
      parent_[idx(child)] = id;
      child_next_[idx(child)] = child_first_[idx(id)];
      child_first_[idx(id)] = child;
      if (s != c) state_[idx(s)] = kGone;
    }
    int32_t kept = 0;
    for (int32_t k = 0; k < n_active_; ++k)
      if (state_[idx(active_[idx(k)])] != kGone) active_[idx(kept++)] = active_[idx(k)];
    n_active_ = kept;
    slot_id_[idx(c)] = id;
    double* wc = weight_.data() + int64_t{c} * m_;
    int32_t* fc = from_.data() + int64_t{c} * m_;
    int32_t* tc = to_.data() + int64_t{c} * m_;
    const double base = in_score_[idx(c)];
    for (int32_t k = 0; k < n_active_; ++k) wc[active_[idx(k)]] -= base;
    for (int32_t p = first + 1; p < length; ++p) {
      const int32_t s = path_[idx(p)];
      const double* ws = weight_.data() + int64_t{s} * m_;
      const double b = in_score_[idx(s)];
      const int32_t* fs = from_.data() + int64_t{s} * m_;
      const int32_t* ts = to_.data() + int64_t{s} * m_;
      for (int32_t k = 0; k < n_active_; ++k) {
        const int32_t u = active_[idx(k)];
        if (u == c) continue;
        if (ws[u] - b > wc[u]) {
          wc[u] = ws[u] - b;
          fc[u] = fs[u];
          tc[u] = ts[u];
        }
        if (u == 0) continue;  // nothing enters the root
        double* wu = weight_.data() + int64_t{u} * m_;
        if (wu[s] > wu[c]) {
          wu[c] = wu[s];
          from_[idx(int64_t{u} * m_ + c)] = from_[idx(int64_t{u} * m_ + s)];
          to_[idx(int64_t{u} * m_ + c)] = to_[idx(int64_t{u} * m_ + s)];
        }
      }
    }
  }

  // Node `id` is entered by from -> to, where `to` is a word inside of it.
  void expand(int32_t id, int32_t from, int32_t to, int32_t* heads) {
    // Down the chain of nodes that hold `to`; their other parts keep their own arcs.
    int32_t node = id;
    while (node > n_) {
      int32_t inner = to;
      while (parent_[idx(inner)] != node) inner = parent_[idx(inner)];
      for (int32_t child = child_first_[idx(node)]; child >= 0; child = child_next_[idx(child)])
        if (child != inner) expand(child, in_from_[idx(child)], in_to_[idx(child)], heads);
      node = inner;
    }
    heads[node - 1] = from;
  }

  int32_t n_ = 0, m_ = 0, n_active_ = 0, next_id_ = 0;
  bool contracted_ = false;
  AlignedBuffer<double> weight_, in_score_;
  AlignedBuffer<int32_t> from_, to_, path_, slot_id_, active_, parent_, in_from_, in_to_,
      child_first_, child_next_;
  AlignedBuffer<uint8_t> state_;
};

}  // namespace pystruct_ext
