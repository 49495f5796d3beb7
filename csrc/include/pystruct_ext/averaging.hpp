// The weighted average of all iterates of a sparse method, at the cost of its steps.
//
// With w_k = w_0 + sum_{j <= k} d_j after k steps,
//   2 / (K (K + 1)) sum_{k = 1..K} k w_k  =  w_K - 1 / (K (K + 1)) sum_j j (j - 1) d_j,
// so that a second vector, which collects every move times j (j - 1), is all it takes.
// Source: Lacoste-Julien, Jaggi, Schmidt and Pletscher 2013 (weighted averaging of BCFW, section 3);
// the two-vector trick is that of averaged perceptrons (Daume 2006).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pystruct_ext/oracle.h"

namespace pystruct_ext {

// A second vector that gets every move of a first one, times a factor that changes from step to step.
// Where the first is put back to >= 0 after a step, its moves there are looked at, not followed.
class Lag {
 public:
  explicit Lag(const psx_oracle* o)
      : o_(o), begin_(o->nonnegative[0]),
        w_(static_cast<std::size_t>(std::max<int64_t>(0, o->nonnegative[1] - begin_))), lag_w_(w_.size()) {}

  // v: (size_psi,) of the oracle's type, of the caller, 0 to begin with; NULL: nothing is kept.
  void attach(void* v) noexcept { v_ = v; }
  bool attached() const noexcept { return v_ != nullptr; }

  void begin(const void* w, double factor) noexcept {
    factor_ = factor;
    for (std::size_t j = 0; j < w_.size(); ++j) {
      w_[j] = get(w, j);
      lag_w_[j] = get(v_, j);
    }
  }
  // What follows w += a (psi(x_i, y) - psi(x_i, z)).
  int move(int64_t i, const int32_t* y, const int32_t* z, double a) noexcept {
    return o_->psi_diff_axpy(o_->ctx, 0, i, y, z, a * factor_, v_);
  }
  // What follows w += a p.
  void add(double a, const void* p) noexcept {
    if (o_->w_bytes == 4) {
      combine(1.0, static_cast<const float*>(v_), -a * factor_, static_cast<const float*>(p),
              static_cast<float*>(v_));
    } else {
      combine(1.0, static_cast<const double*>(v_), -a * factor_, static_cast<const double*>(p),
              static_cast<double*>(v_));
    }
  }
  void end(const void* w) noexcept {
    for (std::size_t j = 0; j < w_.size(); ++j) set(j, lag_w_[j] + factor_ * (get(w, j) - w_[j]));
  }
  // out = a w - b v
  void combine(double a, const void* w, double b, void* out) const noexcept {
    if (o_->w_bytes == 4) {
      combine(a, static_cast<const float*>(w), b, static_cast<const float*>(v_), static_cast<float*>(out));
    } else {
      combine(a, static_cast<const double*>(w), b, static_cast<const double*>(v_),
              static_cast<double*>(out));
    }
  }

 private:
  template <class real>
  void combine(double a, const real* w, double b, const real* v, real* out) const noexcept {
    for (int64_t j = 0; j < o_->size_psi; ++j)
      out[j] = static_cast<real>(a * static_cast<double>(w[j]) - b * static_cast<double>(v[j]));
  }
  double get(const void* w, std::size_t j) const noexcept {
    const std::size_t at = static_cast<std::size_t>(begin_) + j;
    return o_->w_bytes == 4 ? static_cast<double>(static_cast<const float*>(w)[at])
                            : static_cast<const double*>(w)[at];
  }
  void set(std::size_t j, double value) noexcept {
    const std::size_t at = static_cast<std::size_t>(begin_) + j;
    if (o_->w_bytes == 4) {
      static_cast<float*>(v_)[at] = static_cast<float>(value);
    } else {
      static_cast<double*>(v_)[at] = value;
    }
  }

  const psx_oracle* o_;
  int64_t begin_;
  void* v_ = nullptr;
  double factor_ = 0;
  std::vector<double> w_, lag_w_;  // of the weights that stay >= 0, before the step
};

}  // namespace pystruct_ext
