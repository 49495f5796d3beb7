// Clusterings of items by scored candidate pairs (correlation clustering: Bansal, Blum and Chawla 2004;
// learnt with a structural SVM: Finley and Joachims 2005).
//
//   <w, psi(x, y)> = sum over candidate pairs e inside one cluster of <u, x_e> + v intercept
//   Delta(y, y_hat) = sum over pairs e of cost_e (false_cost [e joined only in y_hat]
//                                                + miss_cost [e joined only in y])
//
// Layout of w: u, one entry per feature of a pair, then v if there is an intercept.
// Code: the cluster id of every item, clusters numbered in the order of their first items. The items of
// a cluster are connected by candidate pairs within it: clusters that are not fall apart, and have
// the same psi and Delta.
//
// The maximum is hard to find in general: `argmax` is a heuristic with `bound` (see
// clusters/decoder.hpp), exact for small groups; ExactClusteringSpace searches until it is found.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/clusters/decoder.hpp"
#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/row_scores.hpp"
#include "pystruct_ext/rows.hpp"

namespace pystruct_ext {

template <class R>
struct ClusteringSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_UNDERGEN;

  int64_t n = 0;
  const int64_t* offsets = nullptr;       // (n + 1,) items
  const int64_t* pair_offsets = nullptr;  // (n + 1,) candidate pairs
  const int32_t* pairs = nullptr;         // (n_pairs, 2) items of the example
  Rows<R> rows;                           // of pairs
  const int32_t* codes = nullptr;         // (n_items,) truth
  const double* costs = nullptr;          // (n_pairs,) what a wrong pair costs
  bool has_intercept = false;
  double intercept = 1, false_cost = 1, miss_cost = 1;
  int32_t search = 0;                     // clusters::Search

  struct Scratch {
    AlignedBuffer<double> score, joint, dense;
    clusters::Decoder decoder;
    SparseSink sparse;
    bool finite = true;
    explicit Scratch(const ClusteringSpace& s) {
      const int64_t items = longest_block(s.offsets, s.n), most = longest_block(s.pair_offsets, s.n);
      score.reserve(clusters::at(most) + 1);
      joint.reserve(clusters::at(most) + 1);
      if (s.rows.dense()) dense.reserve(clusters::at(s.size_psi()) + 1);
      decoder.reserve(items, most);
    }
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return rows.n_features + (has_intercept ? 1 : 0); }
  int64_t size(int64_t i) const noexcept { return offsets[i + 1] - offsets[i]; }
  int64_t count(int64_t i) const noexcept { return pair_offsets[i + 1] - pair_offsets[i]; }
  const int32_t* pairs_of(int64_t i) const noexcept { return pairs + 2 * pair_offsets[i]; }
  int32_t code_len(int64_t i) const noexcept { return static_cast<int32_t>(size(i)); }
  const int32_t* truth(int64_t i) const noexcept { return codes ? codes + offsets[i] : nullptr; }

  // Clusters are numbered in the order of their first items.
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    int32_t next = 0;
    for (int64_t t = 0; t < size(i); ++t) {
      if (y[t] < 0 || y[t] > next) return {t, 0, next};
      next += y[t] == next;
    }
    return {};
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    static const auto fill = row_scores::choose<R>(detect_isa());
    s.finite = fill(rows, pair_offsets[i], pair_offsets[i + 1], w, s.score.data());
    // Where there is no pair to score, weights that are no numbers are an error all the same.
    for (int64_t j = 0; count(i) == 0 && j < size_psi(); ++j) s.finite = s.finite && std::isfinite(w[j]);
    if (has_intercept) {
      const double v = static_cast<double>(w[rows.n_features]) * intercept;
      for (int64_t e = 0; e < count(i); ++e) s.score[clusters::at(e)] += v;
      s.finite = s.finite && std::isfinite(v);
    }
  }
  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int64_t m = count(i);
    const int32_t* p = pairs_of(i);
    const double* scores = s.score.data();
    double missed = 0;
    if (loss_scale != 0) {
      const int32_t* y = codes + offsets[i];
      const double* c = costs + pair_offsets[i];
      for (int64_t e = 0; e < m; ++e) {
        const bool joined = y[p[2 * e]] == y[p[2 * e + 1]];
        const double lost = loss_scale * c[e] * (joined ? miss_cost : false_cost);
        missed += joined ? lost : 0;
        s.joint[clusters::at(e)] = scores[e] + (joined ? -lost : lost);
      }
      scores = s.joint.data();
    }
    const double value = s.decoder.decode(code_len(i), p, scores, m,
                                          static_cast<clusters::Search>(search), code);
    s.joint[clusters::at(m)] = s.decoder.bound() + missed;
    return value + missed;
  }
  // At least the maximum that the last argmax looked for.
  double bound(int64_t i, double, Scratch& s) const noexcept {
    return s.finite ? s.joint[clusters::at(count(i))] : std::numeric_limits<double>::quiet_NaN();
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    const int32_t* p = pairs_of(i);
    double sum = 0;
    for (int64_t e = 0; e < count(i); ++e)
      if (y[p[2 * e]] == y[p[2 * e + 1]]) sum += s.score[clusters::at(e)];
    return sum;
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t *p = pairs_of(i), *y = codes + offsets[i];
    const double* c = costs + pair_offsets[i];
    double falsely = 0, missed = 0;
    for (int64_t e = 0; e < count(i); ++e) {
      const bool right = y[p[2 * e]] == y[p[2 * e + 1]], here = z[p[2 * e]] == z[p[2 * e + 1]];
      if (right != here) (right ? missed : falsely) += c[e];
    }
    return false_cost * falsely + miss_cost * missed;
  }

  template <class Sink>
  PSX_INLINE void emit(int64_t pair, double a, Sink& sink) const noexcept {
    const auto row = rows.row(pair);
    for (int64_t k = 0; k < row.nnz; ++k) sink(row.feature(k), a * static_cast<double>(row.value(k)));
    if (has_intercept) sink(rows.n_features, a * intercept);
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int32_t* p = pairs_of(i);
    for (int64_t e = 0; e < count(i); ++e)
      if (y[p[2 * e]] == y[p[2 * e + 1]]) emit(pair_offsets[i] + e, a, sink);
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a, Sink& sink) const noexcept {
    const int32_t* p = pairs_of(i);
    for (int64_t e = 0; e < count(i); ++e) {
      const bool in_y = y[p[2 * e]] == y[p[2 * e + 1]], in_z = z[p[2 * e]] == z[p[2 * e + 1]];
      if (in_y != in_z) emit(pair_offsets[i] + e, in_y ? a : -a, sink);
    }
  }
  // Many pairs share few features: their sum is dense where the rows are.
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch& s) const noexcept {
    if (!rows.dense()) {
      s.sparse.clear();
      psi_diff(i, y, z, 1.0, s.sparse);
      return s.sparse.overflow ? -1.0 : s.sparse.sqnorm();
    }
    std::fill(s.dense.data(), s.dense.data() + size_psi(), 0.0);
    DenseSink<double> sink{s.dense.data()};
    psi_diff(i, y, z, 1.0, sink);
    double sum = 0;
    for (int64_t j = 0; j < size_psi(); ++j) sum += s.dense[clusters::at(j)] * s.dense[clusters::at(j)];
    return sum;
  }

  // Parts: candidate pairs that are joined.
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = count(i);
    return 1;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int32_t* p = pairs_of(i);
    for (int64_t e = 0; e < count(i); ++e)
      if (y[p[2 * e]] == y[p[2 * e + 1]]) f(e);
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    std::fill(s.score.data(), s.score.data() + count(i), 0.0);
    s.finite = true;
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const noexcept {
    double check = 0;
    for (int64_t e = 0; e < count(i); ++e) {
      const double v = a * static_cast<double>(scores[e]);
      s.score[clusters::at(e)] += v;
      check += v * 0.0;
    }
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_items");
    f.offsets("pair_offsets", pair_offsets, "n+1", "n_pairs");
    f.array("pairs", pairs, "n_pairs,2", "0..#offsets-1");
    rows.fields(f, "n_pairs+1", "nnz|n_pairs*n_features");
    f.array("codes", codes, "n_items", "0..#offsets-1", kOptional);
    f.array("costs", costs, "n_pairs", "0..; with codes", kOptional);
    f.number("has_intercept", has_intercept, "0..1");
    f.number("intercept", intercept, "finite");
    f.number("false_cost", false_cost, "0..");
    f.number("miss_cost", miss_cost, "0..");
    f.number("search", search, "0..2");
  }
  const char* wrong() const noexcept {
    if (longest_block(offsets, n) > (int64_t{1} << 30) || longest_block(pair_offsets, n) > (int64_t{1} << 29))
      return "an example has too many items or pairs";
    if (!table_fits(longest_block(pair_offsets, n), 2 * sizeof(clusters::Instance::Neighbour)))
      return "the tables of the largest example are too large";
    for (int64_t i = 0; i < n; ++i) {
      const int32_t* p = pairs_of(i);
      for (int64_t e = 0; e < count(i); ++e)
        if (p[2 * e] == p[2 * e + 1]) return "pairs must be of two different items";
      if (codes && check_code(i, truth(i)).at >= 0)
        return "codes must number clusters in the order of their first items";
    }
    return nullptr;
  }
};

// Searches until the maximum is found: for groups of at most clusters::Decoder::kMostExact items that
// candidate pairs connect, which is checked.
template <class R>
struct ExactClusteringSpace : ClusteringSpace<R> {
  static constexpr uint32_t kFlags = PSX_EXACT;
  using Base = ClusteringSpace<R>;
  const char* wrong() const noexcept {
    if (const char* text = Base::wrong()) return text;
    if (this->search != static_cast<int32_t>(clusters::Search::exact)) return "search must be 2";
    if (too_large()) return "an example has more connected items than an exact search can take";
    return nullptr;
  }

 private:
  bool too_large() const noexcept {
    try {
      clusters::UnionFind sets;
      const int64_t most = longest_block(this->offsets, this->n);
      if (most <= clusters::Decoder::kMostExact) return false;
      AlignedBuffer<int32_t> items;
      sets.reserve(most + 1);
      items.reserve(clusters::at(most) + 1);
      for (int64_t i = 0; i < this->n; ++i) {
        sets.clear(static_cast<int32_t>(this->size(i)));
        for (int64_t e = 0; e < this->count(i); ++e)
          sets.join(this->pairs_of(i)[2 * e], this->pairs_of(i)[2 * e + 1]);
        std::fill(items.data(), items.data() + this->size(i), 0);
        for (int32_t v = 0; v < this->size(i); ++v)
          if (++items[clusters::at(sets.find(v))] > clusters::Decoder::kMostExact) return true;
      }
      return false;
    } catch (...) {
      return true;
    }
  }
};

// The tables of the kernels, for both types of w.
inline const psx_kernel* clustering_kernel() {
  return kernel_table<With<ClusteringSpace<float>>, With<ClusteringSpace<double>>>("clustering");
}
inline const psx_kernel* exact_clustering_kernel() {
  return kernel_table<With<ExactClusteringSpace<float>>, With<ExactClusteringSpace<double>>>(
      "exact_clustering");
}

// Clusters of items by weights of pairs that somebody else computed.
inline double best_clusters(int32_t n, const int32_t* pairs, const double* weight, int64_t count,
                            int32_t search, int32_t* code, double* bound) {
  clusters::Decoder decoder;
  decoder.reserve(n, count);
  const double value = decoder.decode(n, pairs, weight, count, static_cast<clusters::Search>(search), code);
  *bound = decoder.bound();
  return value;
}

}  // namespace pystruct_ext
