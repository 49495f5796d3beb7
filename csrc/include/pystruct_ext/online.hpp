// Solvers that look at one block at a time and keep no cuts: subgradient, perceptron, MIRA.
//
// Subgradient (Shalev-Shwartz et al. 2011, Pegasos; no projection). With step 1 / (lambda t),
// w_t = u_t / (lambda t) where u_t is the plain sum of c_i delta_psi over all steps (put back to >= 0
// where w has to be). The oracle is
// asked on u itself: argmax lambda t Delta + <u, psi> has the same maximiser as
// argmax Delta + <w_t, psi>. So nothing is ever rescaled, and a step costs what its cut costs.
// Drawn to a prior p: w_t = u_t / (lambda tau) with u_t = lambda tau p + the plain sum and tau the
// number of steps at the end of the epoch, so that u is moved towards p once an epoch only. At the
// end of an epoch this is the same point as without that delay.
//
// The average of its iterates with weights tau needs no division either: sum_t tau_t w_t is
// 1 / lambda sum_t u_t, and sum_t u_t = (T + 1) u_T - v, where v collects each move times its step t.
//
// Perceptron (Collins 2002) and MIRA (Crammer et al. 2006) with the average of all iterates by the
// two-vector trick: w_avg = w - v / T, where v collects each update times the steps before it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "pystruct_ext/averaging.hpp"
#include "pystruct_ext/driver.hpp"
#include "pystruct_ext/nonnegative.hpp"
#include "pystruct_ext/oracle.h"

namespace pystruct_ext {

class OnlineSolver {
 public:
  enum Mode { kSubgradient = 0, kPerceptron = 1, kMira = 2 };

  // prior: (size_psi,) of the oracle's type, of the caller, for the subgradient method; or NULL.
  OnlineSolver(const psx_oracle* oracle, double lam, const int64_t* ids, const double* weight,
               int64_t n, Mode mode, const void* prior = nullptr)
      : o_(oracle), lam_(lam), mode_(mode), prior_(prior), signs_(oracle), lag_(oracle),
        ids_(ids, ids + n),
        c_(weight, weight + n) {
    int32_t longest = 1;
    for (const int64_t i : ids_) longest = std::max(longest, o_->code_len(o_->ctx, i));
    code_.resize(static_cast<std::size_t>(longest));
  }

  int64_t steps = 0, n_oracle_calls = 0, n_mistakes = 0, failed_block = -1;
  double loss_sum = 0;  // sum over steps of c_i (Delta - <prior, delta_psi>)

  // What u is divided by to give the subgradient method's w.
  double scale() const noexcept {
    return prior_ ? lam_ * tau_ : steps ? lam_ * static_cast<double>(steps) : 1.0;
  }
  // Keeps the average of the subgradient method's iterates; v: (size_psi,) zeros of the caller.
  void keep_average(void* v) noexcept { lag_.attach(v); }
  // out = sum_t tau_t w_t / sum_t tau_t, tau_t = t without a prior (Lacoste-Julien, Schmidt, Bach 2012).
  void average(const void* u, void* out) const noexcept {
    const double a = tau_sum_ > 0 ? 1 / (lam_ * tau_sum_) : 1.0;
    lag_.combine(a * (static_cast<double>(steps) + 1), u, a, out);
  }
  // <prior, v - u>, v being u without its constraint.
  double below() const noexcept { return prior_ ? signs_.below(prior_) : 0.0; }
  // Before every epoch of the subgradient method with a prior.
  void begin_epoch(void* u) noexcept {
    if (!prior_) return;
    const double n = static_cast<double>(ids_.size());
    tau_ += n;
    const double step = static_cast<double>(steps) + 1;
    if (lag_.attached()) {
      lag_.begin(u, step);
      lag_.add(lam_ * n, prior_);
    }
    if (o_->w_bytes == 4) {
      add(lam_ * n, static_cast<const float*>(prior_), static_cast<float*>(u));
    } else {
      add(lam_ * n, static_cast<const double*>(prior_), static_cast<double*>(u));
    }
    signs_.project(u);
    if (lag_.attached()) lag_.end(u);
  }

  // Visits positions order[0 .. n). u: subgradient's sum, or the perceptron's w; v: the second
  // vector of the average (unused by the subgradient method). Both have the oracle's type.
  int run(const int64_t* order, int64_t n, void* u, void* v) noexcept {
    int rc = o_->reserve_workers(o_->ctx, 1);
    for (int64_t k = 0; k < n && rc == PSX_OK; ++k) {
      const std::size_t p = static_cast<std::size_t>(order[k]);
      rc = mode_ == kSubgradient ? subgradient_step(p, u) : perceptron_step(p, u, v);
      if (rc != PSX_OK) failed_block = ids_[p];
    }
    return rc;
  }

 private:
  template <class real>
  void add(double a, const real* p, real* u) const noexcept {
    for (int64_t j = 0; j < o_->size_psi; ++j) u[j] += static_cast<real>(a * static_cast<double>(p[j]));
  }

  int subgradient_step(std::size_t p, void* u) noexcept {
    const int64_t i = ids_[p];
    const int32_t* truth = o_->truth(o_->ctx, i);
    if (!truth) return PSX_PYTHON_ERROR;
    // Before the first step u is 0, and any positive scale of the loss gives the same argmax.
    const double scale = this->scale();
    double score = 0, truth_score = 0, loss = 0;
    int rc = o_->load(o_->ctx, 0, u, i);
    if (rc == PSX_OK) rc = o_->argmax(o_->ctx, 0, i, scale, code_.data());
    ++n_oracle_calls;
    if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, code_.data(), &score);
    if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, truth, &truth_score);
    if (rc == PSX_OK) rc = o_->loss(o_->ctx, i, code_.data(), &loss);
    if (rc != PSX_OK) return rc;
    ++steps;
    tau_sum_ += prior_ ? tau_ : static_cast<double>(steps);
    if (c_[p] <= 0 || scale * loss + score - truth_score <= 0) return PSX_OK;
    if (prior_) {
      double margin = 0;
      rc = o_->psi_diff_dot(o_->ctx, 0, prior_, i, truth, code_.data(), &margin);
      if (rc != PSX_OK) return rc;
      loss -= margin;
    }
    loss_sum += c_[p] * loss;
    if (lag_.attached()) {
      lag_.begin(u, static_cast<double>(steps));
      rc = lag_.move(i, truth, code_.data(), c_[p]);
      if (rc != PSX_OK) return rc;
    }
    rc = o_->psi_diff_axpy(o_->ctx, 0, i, truth, code_.data(), c_[p], u);
    signs_.project(u);
    if (lag_.attached()) lag_.end(u);
    return rc;
  }

  int perceptron_step(std::size_t p, void* w, void* v) noexcept {
    const int64_t i = ids_[p];
    const int32_t* truth = o_->truth(o_->ctx, i);
    if (!truth) return PSX_PYTHON_ERROR;
    double loss = 0, tau = c_[p];
    int rc = o_->load(o_->ctx, 0, w, i);
    if (rc == PSX_OK) rc = o_->argmax(o_->ctx, 0, i, mode_ == kMira ? 1.0 : 0.0, code_.data());
    ++n_oracle_calls;
    if (rc == PSX_OK) rc = o_->loss(o_->ctx, i, code_.data(), &loss);
    if (rc == PSX_OK && mode_ == kMira && loss > 0) {
      double score = 0, truth_score = 0, norm = 0;
      rc = o_->score(o_->ctx, 0, i, code_.data(), &score);
      if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, truth, &truth_score);
      if (rc == PSX_OK) rc = o_->psi_diff_sqnorm(o_->ctx, 0, i, truth, code_.data(), &norm);
      const double hinge = loss + score - truth_score;
      const double most = c_[p] / (lam_ * static_cast<double>(ids_.size()));
      tau = norm > 0 ? std::min(most, std::max(0.0, hinge) / norm) : 0.0;
    }
    if (rc != PSX_OK) return rc;
    if (loss > 0 && tau > 0) {
      ++n_mistakes;
      rc = o_->psi_diff_axpy(o_->ctx, 0, i, truth, code_.data(), tau, w);
      if (rc == PSX_OK)
        rc = o_->psi_diff_axpy(o_->ctx, 0, i, truth, code_.data(),
                               tau * static_cast<double>(steps), v);
    }
    ++steps;
    return rc;
  }

  const psx_oracle* o_;
  double lam_;
  Mode mode_;
  const void* prior_;
  double tau_ = 0, tau_sum_ = 0;
  Nonnegative signs_;
  Lag lag_;
  std::vector<int64_t> ids_;
  std::vector<double> c_;
  std::vector<int32_t> code_;
};

}  // namespace pystruct_ext
