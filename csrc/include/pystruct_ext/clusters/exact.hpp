// Best clusterings of small groups, given as a matrix of weights: over all subsets, O(3^m), and by branch
// and bound on whether two clusters are joined, with cycle packing for the bound.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/clusters/instance.hpp"

namespace pystruct_ext {
namespace clusters {

// f(S) = max over subsets T of S with its first item of g(T) + f(S - T), g the sum of weights in T.
class SubsetSearch {
 public:
  static constexpr int32_t kMost = 12;
  void reserve(int64_t max_items) {
    const std::size_t sets = std::size_t{1} << std::min<int64_t>(max_items, kMost);
    within_.reserve(sets);
    best_.reserve(sets);
    take_.reserve(sets);
  }
  // label: (m,) a number for each cluster.
  double run(const double* w, int32_t m, int32_t* label) noexcept {
    const uint32_t all = (1u << m) - 1;
    within_[0] = best_[0] = 0;
    for (uint32_t s = 1; s <= all; ++s) {
      int32_t low = 0;
      while (!(s >> low & 1)) ++low;
      double sum = within_[s & (s - 1)];
      for (int32_t j = low + 1; j < m; ++j)
        if (s >> j & 1) sum += w[low * m + j];
      within_[s] = sum;
    }
    for (uint32_t s = 1; s <= all; ++s) {
      const uint32_t first = s & (~s + 1), rest = s ^ first;
      double best = -std::numeric_limits<double>::infinity();
      uint32_t take = first;
      for (uint32_t t = rest;; t = (t - 1) & rest) {
        const double v = within_[t | first] + best_[rest ^ t];
        if (v > best) best = v, take = t | first;
        if (t == 0) break;
      }
      best_[s] = best;
      take_[s] = take;
    }
    int32_t next = 0;
    for (uint32_t s = all; s; s ^= take_[s], ++next)
      for (int32_t j = 0; j < m; ++j)
        if (take_[s] >> j & 1) label[j] = next;
    return best_[all];
  }

 private:
  AlignedBuffer<double> within_, best_;
  AlignedBuffer<uint32_t> take_;
};

class BranchAndBound {
 public:
  static constexpr int32_t kMost = 64;
  void reserve(int64_t max_items) {
    const int64_t m = std::min<int64_t>(max_items, kMost);
    matrices_.reserve(at((m + 1) * m * m) + 1);
    labels_.reserve(at((m + 1) * m) + 1);
    rest_.reserve(at(m * m) + 1);
    for (auto* b : {&from_, &queue_, &best_label_}) b->reserve(at(m) + 1);
  }
  // The first matrix, to be filled by the caller: (m, m), symmetric, the diagonal 0.
  double* matrix() noexcept { return matrices_.data(); }

  // known: the value of a clustering; label: (m,) that one, and a better one if there is any. Returns
  // its value; `bound` is the maximum, or more if the nodes did not suffice.
  double run(int32_t m, double known, int32_t* label, int64_t most_nodes) noexcept {
    m_ = m;
    best_ = known;
    improved_ = false;
    open_ = -std::numeric_limits<double>::infinity();
    nodes_ = most_nodes;
    double total = 0;
    for (int32_t k = 0; k < m * m; ++k) total += std::abs(matrices_[at(k)]);
    eps_ = 1e-12 * total;
    forbid_ = 1 + total;
    for (int32_t v = 0; v < m; ++v) labels_[at(v)] = v;
    search(0, m, 0);
    if (improved_) std::copy(best_label_.data(), best_label_.data() + m, label);
    bound = std::max(best_, open_);
    return best_;
  }
  double bound = 0;

 private:
  void search(int32_t level, int32_t k, double value) noexcept {
    double* w = matrices_.data() + int64_t{level} * m_ * m_;
    int32_t* label = labels_.data() + int64_t{level} * m_;
    for (;;) {
      while (reduce(w, k, label, value)) --k;
      double positive = 0;
      for (int32_t i = 0; i < k; ++i)
        for (int32_t j = i + 1; j < k; ++j) positive += std::max(0.0, w[i * k + j]);
      const double upper = value + positive - pack(w, k, best_ - value - positive);
      if (positive <= 0 && value > best_) {
        best_ = value;
        improved_ = true;
        std::copy(label, label + m_, best_label_.data());
      }
      if (positive <= 0 || upper <= best_ + eps_) {
        open_ = std::max(open_, std::min(upper, best_ + eps_));
        return;
      }
      if (nodes_-- <= 0) {
        open_ = std::max(open_, upper);
        return;
      }
      // Where most was packed, the question is most open.
      int32_t a = -1, b = -1;
      double most = -1;
      for (int32_t i = 0; i < k; ++i)
        for (int32_t j = i + 1; j < k; ++j) {
          const double v = w[i * k + j];
          if (v > 0 && v - rest_[at(i * k + j)] > most) most = v - rest_[at(i * k + j)], a = i, b = j;
        }
      double* child = w + int64_t{m_} * m_;
      std::copy(w, w + int64_t{k} * k, child);
      std::copy(label, label + m_, label + m_);
      contract(child, k, label + m_, a, b);
      search(level + 1, k - 1, value + w[a * k + b]);
      w[a * k + b] = w[b * k + a] = -forbid_;
    }
  }
  // Joins a pair that a best clustering joins: its weight outdoes all others of one of its ends.
  bool reduce(double* w, int32_t k, int32_t* label, double& value) noexcept {
    for (int32_t i = 0; i < k; ++i) {
      double sum = 0, most = 0;
      int32_t j = -1;
      for (int32_t u = 0; u < k; ++u) {
        const double v = w[i * k + u];
        sum += std::abs(v);
        if (v > most) most = v, j = u;
      }
      if (j < 0 || most < sum - most) continue;
      value += most;
      contract(w, k, label, std::min(i, j), std::max(i, j));
      return true;
    }
    return false;
  }
  // Cluster b goes into a < b; the matrix shrinks in place.
  void contract(double* w, int32_t k, int32_t* label, int32_t a, int32_t b) noexcept {
    for (int32_t u = 0; u < k; ++u) w[a * k + u] += w[b * k + u];
    for (int32_t u = 0; u < k; ++u) w[u * k + a] = w[a * k + u];
    w[a * k + a] = 0;
    int64_t to = 0;
    for (int32_t i = 0; i < k; ++i)
      for (int32_t j = 0; j < k; ++j)
        if (i != b && j != b) w[to++] = w[i * k + j];
    for (int32_t v = 0; v < m_; ++v) {
      if (label[v] == b) label[v] = a;
      else if (label[v] > b) --label[v];
    }
  }
  // Cycle packing on a matrix; stops once what is packed shows that nothing better is here.
  double pack(const double* w, int32_t k, double enough) noexcept {
    double* r = rest_.data();
    for (int32_t i = 0; i < k * k; ++i) r[i] = std::abs(w[i]);
    double packed = 0;
    const auto spend = [&](int32_t i, int32_t j, double v) { r[i * k + j] = r[j * k + i] = r[i * k + j] - v; };
    for (int32_t i = 0; i < k; ++i)
      for (int32_t j = i + 1; j < k; ++j) {
        if (!(w[i * k + j] < 0)) continue;
        for (int32_t u = 0; u < k && r[i * k + j] > 0; ++u) {
          if (!(w[i * k + u] > 0 && w[j * k + u] > 0)) continue;
          const double v = std::min(r[i * k + j], std::min(r[i * k + u], r[j * k + u]));
          if (!(v > 0)) continue;
          packed += v;
          spend(i, j, v);
          spend(i, u, v);
          spend(j, u, v);
        }
      }
    if (-packed <= enough) return packed;
    for (int32_t i = 0; i < k; ++i)
      for (int32_t j = i + 1; j < k; ++j) {
        if (!(w[i * k + j] < 0)) continue;
        while (r[i * k + j] > eps_) {
          std::fill(from_.data(), from_.data() + k, -1);
          int32_t head = 0, tail = 0;
          queue_[at(tail++)] = i;
          from_[at(i)] = i;
          while (head < tail && from_[at(j)] < 0) {
            const int32_t v = queue_[at(head++)];
            for (int32_t u = 0; u < k; ++u)
              if (from_[at(u)] < 0 && w[v * k + u] > 0 && r[v * k + u] > eps_) {
                from_[at(u)] = v;
                queue_[at(tail++)] = u;
              }
          }
          if (from_[at(j)] < 0) break;
          double v = r[i * k + j];
          for (int32_t u = j; u != i; u = from_[at(u)]) v = std::min(v, r[u * k + from_[at(u)]]);
          packed += v;
          spend(i, j, v);
          for (int32_t u = j; u != i; u = from_[at(u)]) spend(u, from_[at(u)], v);
        }
      }
    return packed;
  }

  AlignedBuffer<double> matrices_, rest_;
  AlignedBuffer<int32_t> labels_, from_, queue_, best_label_;
  int32_t m_ = 0;
  int64_t nodes_ = 0;
  double best_ = 0, open_ = 0, eps_ = 0, forbid_ = 0;
  bool improved_ = false;
};

}  // namespace clusters
}  // namespace pystruct_ext
