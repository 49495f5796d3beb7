// The assignment problem on a dense matrix: every row gets a column of its own, at the least total cost.
//
// Shortest augmenting paths after Jonker and Volgenant (1987): column reduction, reduction transfer,
// two rounds of augmenting row reduction, then Dijkstra from each row that is still free. All loops over
// a row are one pass over contiguous numbers, vectors where the CPU has them; columns that are scanned
// get the price -inf and so stay out of the way of later passes without a test. Of columns at the same
// distance a free one ends the search at once, which is what matters where many costs are equal.
//
// Where there are fewer rows than columns, columns that stay free must keep the price 0, so that the
// first two steps, which lower prices of any column, are left out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

class DenseAssignment {
 public:
  void reserve(int64_t n_rows, int64_t n_columns) {
    const auto n = static_cast<std::size_t>(std::max(n_rows, n_columns) + 8);
    for (auto* b : {&price_, &open_, &dist_, &reached_}) b->reserve(n);
    for (auto* b : {&owner_, &column_, &free_, &list_}) b->reserve(n);
    via_.reserve(n);
  }

  // column_of: (n_rows,), n_rows <= n_columns. cost: row by row. sign 1: least cost, -1: largest.
  // False if a cost is not finite, or so large that sums might not be.
  bool solve(const double* cost, int32_t n_rows, int32_t n_columns, double sign,
             int32_t* column_of) noexcept {
    cost_ = cost;
    m_ = n_rows;
    n_ = n_columns;
    sign_ = sign;
#if PSX_X86_DISPATCH
    static const Isa isa = detect_isa();
    const bool ok = isa == Isa::kAvx512 ? solve_avx512() : isa == Isa::kAvx2 ? solve_avx2() : run<2>();
#else
    const bool ok = run<2>();
#endif
    if (ok) std::copy(column_.data(), column_.data() + m_, column_of);
    return ok;
  }

 private:
  static constexpr double kInf = std::numeric_limits<double>::infinity();
  static constexpr double kRoom = 1e16;  // costs this far below the largest number, for their sums
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  const double* row(int32_t i) const noexcept { return cost_ + int64_t{i} * n_; }

#if PSX_X86_DISPATCH
  PSX_TARGET_AVX512 bool solve_avx512() noexcept { return run<8>(); }
  PSX_TARGET_AVX2 bool solve_avx2() noexcept { return run<4>(); }
#endif

#if defined(__GNUC__) || defined(__clang__)
  template <int kW>
  struct Lanes {
    typedef double loose __attribute__((vector_size(kW * 8), aligned(8)));
    typedef double reg __attribute__((vector_size(kW * 8)));
    typedef int64_t whole __attribute__((vector_size(kW * 8)));
    typedef int64_t loose_whole __attribute__((vector_size(kW * 8), aligned(8)));
    static PSX_INLINE reg load(const double* p) { return *reinterpret_cast<const loose*>(p); }
    static PSX_INLINE whole load(const int64_t* p) {
      return *reinterpret_cast<const loose_whole*>(p);
    }
    static PSX_INLINE void store(double* p, reg v) { *reinterpret_cast<loose*>(p) = v; }
    static PSX_INLINE void store(int64_t* p, whole v) { *reinterpret_cast<loose_whole*>(p) = v; }
    static PSX_INLINE reg splat(double x) { return x - reg{}; }
    static PSX_INLINE whole splat(int64_t x) { return x - whole{}; }
  };
#endif

  struct TwoSmallest {
    double first, second;
    int32_t at, second_at;
  };

  // The two smallest of cost - price in a row.
  template <int kW>
  PSX_INLINE TwoSmallest two_smallest(const double* c) const noexcept {
    TwoSmallest r{kInf, kInf, -1, -1};
    int32_t j = 0;
    const double* v = price_.data();
    const double sign = sign_;
#if defined(__GNUC__) || defined(__clang__)
    if (n_ >= 2 * kW) {
      using L = Lanes<kW>;
      typename L::reg a = L::splat(kInf), b = a;
      typename L::whole ai = L::splat(int64_t{-1}), bi = ai, at = ai;
      for (int k = 0; k < kW; ++k) at[k] = k;
      for (; j + kW <= n_; j += kW) {
        const typename L::reg x = L::load(c + j) * sign - L::load(v + j);
        const auto less = x < a;
        const auto next = x < b;
        b = less ? a : next ? x : b;
        bi = less ? ai : next ? at : bi;
        a = less ? x : a;
        ai = less ? at : ai;
        at += kW;
      }
      for (int k = 0; k < kW; ++k) {
        keep(r, a[k], static_cast<int32_t>(ai[k]));
        keep(r, b[k], static_cast<int32_t>(bi[k]));
      }
    }
#endif
    for (; j < n_; ++j) keep(r, c[j] * sign - v[j], j);
    return r;
  }
  static PSX_INLINE void keep(TwoSmallest& r, double x, int32_t j) noexcept {
    if (x < r.first) {
      r.second = r.first;
      r.second_at = r.at;
      r.first = x;
      r.at = j;
    } else if (x < r.second) {
      r.second = x;
      r.second_at = j;
    }
  }

  // dist = min(dist, cost - open price - h), with the row where it is less; returns the least of all.
  template <int kW>
  PSX_INLINE double relax(int32_t i, double h) noexcept {
    const double *c = row(i), *v = open_.data();
    double* d = dist_.data();
    int64_t* via = via_.data();
    const double sign = sign_;
    double least = kInf;
    int32_t j = 0;
#if defined(__GNUC__) || defined(__clang__)
    using L = Lanes<kW>;
    typename L::reg low = L::splat(kInf);
    const typename L::whole own = L::splat(int64_t{i});
    for (; j + kW <= n_; j += kW) {
      const typename L::reg x = (L::load(c + j) * sign - L::load(v + j)) - h, old = L::load(d + j);
      const auto less = x < old;
      const typename L::reg now = less ? x : old;
      L::store(d + j, now);
      L::store(via + j, less ? own : L::load(via + j));
      low = now < low ? now : low;
    }
    for (int k = 0; k < kW; ++k) least = low[k] < least ? low[k] : least;
#endif
    for (; j < n_; ++j) {
      const double x = (c[j] * sign - v[j]) - h;
      if (x < d[j]) {
        d[j] = x;
        via[j] = i;
      }
      least = d[j] < least ? d[j] : least;
    }
    return least;
  }

  // price = least cost of each column, via = its row; false if a cost is not finite, or nearly so.
  template <int kW>
  PSX_INLINE bool column_minima() noexcept {
    double* v = price_.data();
    int64_t* via = via_.data();
    const double sign = sign_;
    double check = 0;
    for (int32_t j = 0; j < n_; ++j) {
      v[j] = kInf;
      via[j] = 0;
    }
#if defined(__GNUC__) || defined(__clang__)
    using L = Lanes<kW>;
    typename L::reg zero = L::splat(0.0);
    for (int32_t i = 0; i < m_; ++i) {
      const double* c = row(i);
      const typename L::whole own = L::splat(int64_t{i});
      int32_t j = 0;
      for (; j + kW <= n_; j += kW) {
        const typename L::reg x = L::load(c + j) * sign, old = L::load(v + j);
        zero += (x * kRoom) * 0.0;
        const auto less = x < old;
        L::store(v + j, less ? x : old);
        L::store(via + j, less ? own : L::load(via + j));
      }
      for (; j < n_; ++j) column_minimum(i, j, c[j] * sign, check);
    }
    for (int k = 0; k < kW; ++k) check += zero[k];
#else
    for (int32_t i = 0; i < m_; ++i)
      for (int32_t j = 0; j < n_; ++j) column_minimum(i, j, row(i)[j] * sign, check);
#endif
    return check == 0;
  }
  PSX_INLINE void column_minimum(int32_t i, int32_t j, double x, double& check) noexcept {
    check += (x * kRoom) * 0.0;
    if (x < price_[idx(j)]) {
      price_[idx(j)] = x;
      via_[idx(j)] = i;
    }
  }

  template <int kW>
  PSX_INLINE bool run() noexcept {
    std::fill(owner_.data(), owner_.data() + n_, -1);
    std::fill(column_.data(), column_.data() + m_, -1);
    if (m_ == 0) return true;
    if (!column_minima<kW>()) return false;
    n_free_ = 0;
    if (m_ == n_) {
      reduce_columns<kW>();
    } else {
      std::fill(price_.data(), price_.data() + n_, 0.0);
      for (int32_t i = 0; i < m_; ++i) free_[idx(n_free_++)] = i;
    }
    for (int round = 0; round < 2 && n_free_; ++round) reduce_rows<kW>();
    for (int32_t k = 0; k < n_free_; ++k)
      if (!augment<kW>(free_[idx(k)])) return false;
    return true;
  }

  template <int kW>
  PSX_INLINE void reduce_columns() noexcept {
    int32_t* single = list_.data();  // whether a row is the smallest of one column only
    std::fill(single, single + m_, 1);
    for (int32_t j = n_ - 1; j >= 0; --j) {
      const auto i = static_cast<int32_t>(via_[idx(j)]);
      if (column_[idx(i)] < 0) {
        column_[idx(i)] = j;
        owner_[idx(j)] = i;
      } else {
        single[i] = 0;
      }
    }
    for (int32_t i = 0; i < m_; ++i) {
      const int32_t j = column_[idx(i)];
      if (j < 0) {
        free_[idx(n_free_++)] = i;
      } else if (single[i]) {
        const TwoSmallest t = two_smallest<kW>(row(i));
        const double other = t.at == j ? t.second : t.first;
        const double own = row(i)[j] * sign_ - price_[idx(j)];
        if (other < kInf && other > own) price_[idx(j)] -= other - own;
      }
    }
  }

  // Each free row takes its best column; whoever had it looks for another at once, as long as prices
  // fall, and in the next round else.
  template <int kW>
  PSX_INLINE void reduce_rows() noexcept {
    const int32_t before = n_free_;
    n_free_ = 0;
    int64_t budget = int64_t{m_} * 4 + 64;
    for (int32_t k = 0; k < before;) {
      const int32_t i = free_[idx(k++)];
      TwoSmallest t = two_smallest<kW>(row(i));
      int32_t j = t.at, old = owner_[idx(j)];
      const double lower = price_[idx(j)] - (t.second - t.first);
      const bool falls = t.second < kInf && lower < price_[idx(j)] && --budget > 0;
      if (falls) {
        price_[idx(j)] = lower;
      } else if (old >= 0 && t.second_at >= 0 && t.second == t.first) {
        j = t.second_at;
        old = owner_[idx(j)];
      } else if (old >= 0) {
        free_[idx(n_free_++)] = i;
        continue;
      }
      column_[idx(i)] = j;
      owner_[idx(j)] = i;
      if (old >= 0) {
        column_[idx(old)] = -1;
        if (falls) {
          free_[idx(--k)] = old;
        } else {
          free_[idx(n_free_++)] = old;
        }
      }
    }
  }

  template <int kW>
  PSX_INLINE bool augment(int32_t start) noexcept {
    std::copy(price_.data(), price_.data() + n_, open_.data());
    std::fill(dist_.data(), dist_.data() + n_, kInf);
    int32_t n_list = 0, done = 0, end = -1;
    double level = relax<kW>(start, 0.0), least = level;
    while (end < 0) {
      if (least <= level || done == n_list) {
        // Columns at this distance: a free one ends the search, the others wait in the list.
        if (done == n_list) {
          if (!(least < kInf)) return false;  // costs so large that their differences overflow
          level = least;
        }
        for (int32_t j = 0; j < n_; ++j)
          if (dist_[idx(j)] <= level) {
            if (owner_[idx(j)] < 0) {
              end = j;
              break;
            }
            reached_[idx(n_list)] = dist_[idx(j)];
            list_[idx(n_list++)] = j;
            dist_[idx(j)] = kInf;
            open_[idx(j)] = -kInf;
          }
        if (end >= 0) break;
      }
      const int32_t j = list_[idx(done++)], i = owner_[idx(j)];
      least = relax<kW>(i, (row(i)[j] * sign_ - price_[idx(j)]) - level);
    }
    for (int32_t k = 0; k < n_list; ++k) {
      const double by = reached_[idx(k)] - level;
      if (by < 0) price_[idx(list_[idx(k)])] += by;
    }
    for (int32_t j = end;;) {
      const auto i = static_cast<int32_t>(via_[idx(j)]);
      const int32_t next = column_[idx(i)];
      owner_[idx(j)] = i;
      column_[idx(i)] = j;
      if (i == start) return true;
      j = next;
    }
  }

  const double* cost_ = nullptr;
  int32_t m_ = 0, n_ = 0, n_free_ = 0;
  double sign_ = 1;
  AlignedBuffer<double> price_, open_, dist_, reached_;
  AlignedBuffer<int64_t> via_;
  AlignedBuffer<int32_t> owner_, column_, free_, list_;
};

}  // namespace pystruct_ext
