// Block-coordinate ascent on the dual over working sets: the engine of BCFW and of the n-slack
// cutting plane.
//
// In the scale used here (architecture: lambda = 1 / (n C)):
//   P = 1/2 ||w||^2 + C sum_i c_i H_i(w),  D = -1/2 ||w||^2 + C sum_i sum_k alpha_ik loss_ik,
//   w = C sum_i sum_k alpha_ik s_ik delta_psi_ik,   alpha_i >= 0, sum_k alpha_ik = c_i,
// with s = 1 for margin rescaling and s = loss for slack rescaling. Drawn to a prior p instead of 0:
//   P = 1/2 ||w - p||^2 + ...,  w = p + C sum ...,  D = -1/2 ||w - p||^2 + C sum alpha_ik b_ik,
//   b_ik = loss_ik - s_ik <p, delta_psi_ik>,
// the last product being formed once, when the cut enters. Gradients need no b: they come from w.
//
// A visit of block i loads the potentials once, asks for the most violating output, scores every
// cut of the working set on the same potentials, and maximises the dual over the block's simplex
// by pairwise steps on cached inner products; then w moves once, along the features in which the
// moved codes differ. A cached visit does the same without the oracle, the cut values coming from
// w directly.
// Sources: Lacoste-Julien et al. 2013 (BCFW); Osokin et al. 2016 (pairwise steps, gaps per block);
// Shah, Kolmogorov and Lampert 2015 (cached passes); Joachims, Finley and Yu 2009 (cutting planes).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "pystruct_ext/averaging.hpp"
#include "pystruct_ext/driver.hpp"
#include "pystruct_ext/nonnegative.hpp"
#include "pystruct_ext/oracle.h"
#include "pystruct_ext/qp.hpp"
#include "pystruct_ext/working_set.hpp"

namespace pystruct_ext {

// Eight running sums, so that the compiler may vectorise without reordering any of them.
template <class real>
double sqnorm_of(const real* w, int64_t d) noexcept {
  double s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  int64_t j = 0;
  for (; j + 8 <= d; j += 8)
    for (int k = 0; k < 8; ++k) s[k] += static_cast<double>(w[j + k]) * static_cast<double>(w[j + k]);
  for (; j < d; ++j) s[0] += static_cast<double>(w[j]) * static_cast<double>(w[j]);
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

inline double sqnorm_of(const psx_oracle* o, const void* w) noexcept {
  return o->w_bytes == 4 ? sqnorm_of(static_cast<const float*>(w), o->size_psi)
                         : sqnorm_of(static_cast<const double*>(w), o->size_psi);
}

// ||w - p||^2, formed from differences: no cancellation where w is near to a long p.
template <class real>
double sqdist_of(const real* w, const real* p, int64_t d) noexcept {
  double s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  int64_t j = 0;
  for (; j + 8 <= d; j += 8)
    for (int k = 0; k < 8; ++k) {
      const double v = static_cast<double>(w[j + k]) - static_cast<double>(p[j + k]);
      s[k] += v * v;
    }
  for (; j < d; ++j) {
    const double v = static_cast<double>(w[j]) - static_cast<double>(p[j]);
    s[0] += v * v;
  }
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

// The same as sqnorm_of where there is no p.
inline double sqdist_of(const psx_oracle* o, const void* w, const void* p) noexcept {
  if (!p) return sqnorm_of(o, w);
  return o->w_bytes == 4
             ? sqdist_of(static_cast<const float*>(w), static_cast<const float*>(p), o->size_psi)
             : sqdist_of(static_cast<const double*>(w), static_cast<const double*>(p), o->size_psi);
}

class BlockSolver {
 public:
  enum Mode { kOracle = 0, kCached = 1, kSeparateOnly = 2 };

  // ids: (n,) oracle blocks; weight: (n,) c_i. Both are copied; w belongs to the caller, and so does
  // prior: (size_psi,) of the oracle's type, which outlives this, or NULL. With a prior, `recompute`
  // comes before the first visit.
  BlockSolver(const psx_oracle* oracle, double C, const int64_t* ids, const double* weight,
              int64_t n, bool slack_rescaling, const void* prior = nullptr)
      : o_(oracle), C_(C), slack_(slack_rescaling), prior_(prior), signs_(oracle), lag_(oracle), ids_(ids, ids + n),
        c_(weight, weight + n), cuts_(static_cast<std::size_t>(n)), free_mass_(weight, weight + n),
        block_gap_(static_cast<std::size_t>(n), std::numeric_limits<double>::infinity()) {
    int32_t longest = 1;
    for (int64_t p = 0; p < n; ++p) {
      const int32_t len = o_->code_len(o_->ctx, ids_[static_cast<std::size_t>(p)]);
      cuts_[static_cast<std::size_t>(p)].code_len = len;
      longest = std::max(longest, len);
    }
    code_.resize(static_cast<std::size_t>(longest));
    other_.resize(static_cast<std::size_t>(longest));
    left_.resize(static_cast<std::size_t>(longest));
    right_.resize(static_cast<std::size_t>(longest));
    if (prior_) prior_margin_.resize(static_cast<std::size_t>(n));
  }

  // Settings.
  int64_t inner_steps = 20;
  double steps_per_cut = 0;  // where that is more, the limit, as long as they are worth it
  int32_t prune_after = 10;  // visits without mass after which a cut is dropped
  double cut_tol = 0;        // n-slack: how much a new cut must exceed the known ones

  // State that the Python side reads.
  int64_t n_visits = 0;  // that may have moved w, in all
  int64_t n_oracle_calls = 0, n_weak_cuts = 0, n_cuts = 0, n_added = 0;
  double loss_mass = 0;     // sum_i sum_k alpha_ik loss_ik
  double prior_mass = 0;    // sum_i sum_k alpha_ik s_ik <prior, delta_psi_ik>
  double gap_estimate = 0;  // sum of block gaps at their visits since reset_estimate()
  double increase = 0;      // of D by all visits so far
  double worst_weak = 0;    // largest shortfall of an oracle below a known cut
  int64_t weak_block = -1;  // where it was
  int64_t failed_block = -1;

  void reset_estimate() noexcept { gap_estimate = 0; }
  const std::vector<double>& block_gap() const noexcept { return block_gap_; }
  // D(alpha), w being w(alpha).
  double dual(const void* w) const noexcept {
    const double linear = C_ * (loss_mass - prior_mass) + (prior_ ? signs_.below(prior_) : 0.0);
    return linear - 0.5 * sqdist_of(o_, w, prior_);
  }
  std::size_t working_set_bytes() const noexcept {
    return pool_.bytes() + cuts_.size() * sizeof(CutList);
  }

  // Keeps the weighted average of w after each visit; lag: (size_psi,) zeros of the caller.
  void keep_average(void* lag) noexcept { lag_.attach(lag); }
  // out = 2 / (K (K + 1)) sum_k k w_k over the visits so far, given w = w_K.
  void average(const void* w, void* out) const noexcept {
    const double k = static_cast<double>(n_visits);
    lag_.combine(1.0, w, k > 0 ? 1 / (k * (k + 1)) : 0.0, out);
  }

  // Visits the blocks at positions order[0 .. n).
  int run(const int64_t* order, int64_t n, Mode mode, void* w) noexcept {
    int rc = o_->reserve_workers(o_->ctx, 1);
    for (int64_t k = 0; k < n && rc == PSX_OK; ++k) {
      const int64_t p = order[k];
      if (mode != kSeparateOnly) ++n_visits;
      if (lag_.attached()) {
        const double j = static_cast<double>(n_visits);
        lag_.begin(w, j * (j - 1));
      }
      try {
        rc = visit(static_cast<std::size_t>(p), mode, w);
      } catch (...) {
        rc = PSX_NOMEM;
      }
      signs_.project(w);
      if (lag_.attached()) lag_.end(w);
      if (rc != PSX_OK) failed_block = ids_[static_cast<std::size_t>(p)];
    }
    return rc;
  }

  // sum_i c_i H_i(w) by a pass over positions [begin, end), with an upper bound of every hinge where
  // the maximum is not known: of slack rescaling (see separate_slack) and of oracles with `bound`.
  // *found: the same with the outputs that separation found; NULL if nobody asks.
  int hinge_sum(const void* w, int64_t begin, int64_t end, int n_threads, double* sum,
                double* found = nullptr) noexcept {
    try {
      const int64_t n = end - begin;
      int rc = o_->reserve_workers(o_->ctx, std::max(1, usable_threads(o_, n_threads, n)));
      if (rc) return rc;
      if (slack_) {
        for (int64_t p = begin; p < end && rc == PSX_OK; ++p) {
          double value = 0, upper = 0, loss = 0;
          const std::size_t q = static_cast<std::size_t>(p);
          rc = separate_slack(ids_[q], w, &value, &upper, &loss);
          *sum += c_[q] * std::max(0.0, upper);
          if (found) *found += c_[q] * std::max(0.0, value);
          if (rc) failed_block = ids_[q];
        }
        return rc;
      }
      rc = oracle_hinge_sum(o_, w, ids_.data() + begin, c_.data() + begin, n, n_threads, sum, found,
                            &failed_block);
      if (rc == PSX_OK) n_oracle_calls += n;
      return rc;
    } catch (...) {
      return PSX_NOMEM;
    }
  }

  // w = w(alpha), afresh: removes the rounding that many small updates leave.
  int recompute(void* w) noexcept {
    const std::size_t bytes = static_cast<std::size_t>(o_->size_psi) * o_->w_bytes;
    if (prior_) {
      std::memcpy(w, prior_, bytes);
    } else {
      std::memset(w, 0, bytes);
    }
    signs_.reset();
    int rc = o_->reserve_workers(o_->ctx, 1);
    loss_mass = prior_mass = 0;
    for (std::size_t p = 0; p < cuts_.size(); ++p) {
      const CutList& cuts = cuts_[p];
      const int32_t* truth = cuts.size ? o_->truth(o_->ctx, ids_[p]) : nullptr;
      if (cuts.size && !truth) return PSX_PYTHON_ERROR;
      for (int32_t k = 0; k < cuts.size && rc == PSX_OK; ++k) {
        if (cuts.alpha()[k] <= 0) continue;
        loss_mass += cuts.alpha()[k] * cuts.loss()[k];
        if (prior_) prior_mass += cuts.alpha()[k] * prior_margin_[p][static_cast<std::size_t>(k)];
        rc = o_->psi_diff_axpy(o_->ctx, 0, ids_[p], truth, cuts.code(k, left_.data()),
                               C_ * cuts.alpha()[k] * scale_of(cuts, k), w);
      }
      if (rc) {
        failed_block = ids_[p];
        return rc;
      }
    }
    signs_.project(w);
    return rc;
  }

  // Goes to a larger C with the cuts, their losses and inner products as they are. `grow` in
  // [1, C / old C] says by how much the weights grow: 1 keeps C alpha and so w, at which the dual
  // keeps its value and the truth takes the mass that is new. Call recompute() after it.
  void raise_C(double C, double grow) noexcept {
    const double keep = grow * C_ / C;
    C_ = C;
    loss_mass *= keep;
    for (std::size_t p = 0; p < cuts_.size(); ++p) {
      double used = 0;
      for (int32_t k = 0; k < cuts_[p].size; ++k) used += cuts_[p].alpha()[k] *= keep;
      free_mass_[p] = std::max(0.0, c_[p] - used);
    }
    std::fill(block_gap_.begin(), block_gap_.end(), std::numeric_limits<double>::infinity());
    gap_estimate = 0;
  }

  // Tells the oracle that no cut is held any more: at the end of a solve, while both are alive. A
  // destructor would be too late for an oracle that the garbage collector has begun to take apart.
  void let_go() noexcept {
    if (!o_->hold) return;
    for (std::size_t p = 0; p < cuts_.size(); ++p)
      for (int32_t k = 0; k < cuts_[p].size; ++k) hold(p, cuts_[p].code(k, left_.data()), 0);
  }

  // Working set in and out, as flat arrays.
  int64_t total_code_len() const noexcept {
    int64_t t = 0;
    for (const CutList& c : cuts_) t += static_cast<int64_t>(c.size) * c.code_len;
    return t;
  }
  // counts: (n,), alpha and loss: (n_cuts,), codes: (total_code_len,)
  void export_cuts(int64_t* counts, double* alpha, double* loss, int32_t* codes) const noexcept {
    for (std::size_t p = 0; p < cuts_.size(); ++p) {
      const CutList& c = cuts_[p];
      counts[p] = c.size;
      for (int32_t k = 0; k < c.size; ++k) {
        *alpha++ = c.alpha()[k];
        *loss++ = c.loss()[k];
        const int32_t* code = c.code(k, codes);
        if (code != codes) std::copy(code, code + c.code_len, codes);
        codes += c.code_len;
      }
    }
  }
  // Adds the cuts of one position; losses and inner products are computed afresh. Mass is scaled
  // down where it exceeds c_i.
  int import_cuts(int64_t position, const double* alpha, const int32_t* codes, int64_t m) noexcept {
    try {
      const std::size_t p = static_cast<std::size_t>(position);
      int rc = o_->reserve_workers(o_->ctx, 1);
      if (rc) return rc;
      double mass = 0;
      for (int64_t k = 0; k < m; ++k) mass += std::max(0.0, alpha[k]);
      const double shrink = mass > c_[p] && mass > 0 ? c_[p] / mass : 1.0;
      const int32_t* truth = o_->truth(o_->ctx, ids_[p]);
      if (!truth) return PSX_PYTHON_ERROR;
      for (int64_t k = 0; k < m; ++k) {
        const int32_t* code = codes + k * cuts_[p].code_len;
        double loss = 0;
        rc = o_->loss(o_->ctx, ids_[p], code, &loss);
        if (rc == PSX_OK && cuts_[p].find(code) < 0 && !same(code, truth, cuts_[p].code_len)) {
          rc = insert(p, truth, code, loss);
          if (rc) return rc;
          const double a = std::max(0.0, alpha[k]) * shrink;
          free_mass_[p] = std::max(0.0, free_mass_[p] - a);
          commit(p, cuts_[p].size - 1, a);
        }
        if (rc) return rc;
      }
      return PSX_OK;
    } catch (...) {
      return PSX_NOMEM;
    }
  }

 private:
  static bool same(const int32_t* a, const int32_t* b, int32_t len) noexcept {
    return std::memcmp(a, b, sizeof(int32_t) * static_cast<std::size_t>(len)) == 0;
  }
  double scale_of(const CutList& cuts, int32_t k) const noexcept {
    return slack_ ? cuts.loss()[k] : 1.0;
  }

  // The most violating output of block i into code_, by searching the scalings of the loss
  // (Choi, Meshi and Srebro 2016): argmax lambda Delta + score gives the line
  // h(y) <= c - lambda Delta(y) for h = 1 - margin, which bounds Delta h from above by c^2 / (4 lambda);
  // the next lambda is the slope of the level curve of Delta h at the best output so far.
  // *value: Delta h of code_; *upper: the smallest bound seen.
  int separate_slack(int64_t i, const void* w, double* value, double* upper, double* loss) {
    const int32_t* truth = o_->truth(o_->ctx, i);
    if (!truth) return PSX_PYTHON_ERROR;
    int rc = o_->load(o_->ctx, 0, w, i);
    double truth_score = 0;
    if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, truth, &truth_score);
    *value = 0;
    *upper = std::numeric_limits<double>::infinity();
    *loss = 0;
    const int32_t len = o_->code_len(o_->ctx, i);
    std::copy(truth, truth + len, code_.begin());
    double lambda = 1.0;
    for (int round = 0; round < 12 && rc == PSX_OK; ++round) {
      rc = o_->argmax(o_->ctx, 0, i, lambda, other_.data());
      ++n_oracle_calls;
      double s = 0, d = 0;
      if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, other_.data(), &s);
      if (rc == PSX_OK) rc = o_->loss(o_->ctx, i, other_.data(), &d);
      if (rc) return rc;
      const double h = 1.0 + s - truth_score;
      const double c = h + lambda * d;
      *upper = std::min(*upper, c > 0 ? c * c / (4 * lambda) : 0.0);
      const double before = *value;
      if (d * h > *value) {
        *value = d * h;
        *loss = d;
        std::copy(other_.begin(), other_.begin() + len, code_.begin());
      }
      // Nothing above zero at this slope: look nearer to the largest losses.
      const double next = h > 0 && d > 0 ? h / d : lambda * 4;
      if (*upper <= *value * (1 + 1e-9) + 1e-12) break;
      if (round > 0 && *value <= before && std::fabs(next - lambda) <= 1e-9 * lambda) break;
      // A repeated output: bisect towards the slope at the best one, geometrically.
      lambda = *value <= before && round > 0 ? std::sqrt(lambda * next) : next;
    }
    *upper = std::max(*upper, *value);
    return rc;
  }

  int insert(std::size_t p, const int32_t* truth, const int32_t* code, double loss) {
    CutList& cuts = cuts_[p];
    const int64_t i = ids_[p];
    const int32_t m = cuts.append(pool_, code, loss);
    double to_truth = 0;
    int rc = o_->psi_diff_sqnorm(o_->ctx, 0, i, truth, code, &to_truth);
    float* gram = cuts.gram();
    for (int32_t k = 0; k < m && rc == PSX_OK; ++k) {
      double between = 0;
      rc = o_->psi_diff_sqnorm(o_->ctx, 0, i, cuts.code(k, left_.data()), code, &between);
      gram[CutList::tri(m, k)] = static_cast<float>(0.5 * (to_truth + cuts.inner(k, k) - between));
    }
    gram[CutList::tri(m, m)] = static_cast<float>(to_truth);
    if (prior_ && rc == PSX_OK) {
      double margin = 0;
      rc = o_->psi_diff_dot(o_->ctx, 0, prior_, i, truth, code, &margin);
      prior_margin_[p].resize(static_cast<std::size_t>(m) + 1);
      prior_margin_[p].back() = scale_of(cuts, m) * margin;
    }
    if (rc) {
      cuts.remove(m);
      return rc;
    }
    ++n_cuts;
    ++n_added;
    hold(p, code, 1);
    return PSX_OK;
  }
  void hold(std::size_t p, const int32_t* code, int held) const noexcept {
    if (o_->hold) o_->hold(o_->ctx, ids_[p], code, held);
  }

  // Counts an oracle that says `found`, and for slack rescaling nothing above `upper`, where the cut
  // `best` (-1: the truth) is worth `known`. Only what rounding cannot explain: of the first such
  // visit by the size of the numbers that the scores add up.
  int weigh(std::size_t p, const int32_t* truth, int32_t best, double known, double upper,
            double loss, double truth_score, const void* w) {
    double slop = 1e-5 * (1 + std::fabs(loss) + std::fabs(truth_score));
    if (!(upper < known - slop)) return PSX_OK;
    if (n_weak_cuts == 0) {
      const int32_t* codes[3] = {truth, code_.data(),
                                 best < 0 ? truth : cuts_[p].code(best, left_.data())};
      for (const int32_t* code : codes) {
        double size = 0;
        if (const int rc = oracle_score_size(o_, w, ids_[p], code, &size)) return rc;
        slop += 64 * (o_->w_bytes == 4 ? 1.2e-7 : 2.3e-16) * size;
      }
      if (!(upper < known - slop)) return PSX_OK;
    }
    ++n_weak_cuts;
    if (known - upper > worst_weak) {
      worst_weak = known - upper;
      weak_block = ids_[p];
    }
    return PSX_OK;
  }

  int visit(std::size_t p, Mode mode, void* w) {
    CutList& cuts = cuts_[p];
    const int64_t i = ids_[p];
    if (c_[p] <= 0) {
      block_gap_[p] = 0;
      return PSX_OK;
    }
    if (mode == kCached && cuts.size == 0) return PSX_OK;
    const int32_t* truth = o_->truth(o_->ctx, i);
    if (!truth) return PSX_PYTHON_ERROR;
    int rc = PSX_OK;
    alpha_.resize(static_cast<std::size_t>(cuts.size) + 2);
    grad_.resize(alpha_.size());
    grad_[0] = 0;
    double found = 0, found_loss = 0, upper = 0;
    bool fresh = false;
    if (mode == kCached) {
      for (int32_t k = 0; k < cuts.size && rc == PSX_OK; ++k) {
        double margin = 0;
        rc = o_->psi_diff_dot(o_->ctx, 0, w, i, truth, cuts.code(k, left_.data()), &margin);
        grad_[static_cast<std::size_t>(k) + 1] = value_of(cuts, k, margin);
      }
      if (rc) return rc;
    } else {
      double truth_score = 0;
      if (slack_) {
        rc = separate_slack(i, w, &found, &upper, &found_loss);
        if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, truth, &truth_score);
      } else {
        double score = 0;
        rc = o_->load(o_->ctx, 0, w, i);
        if (rc == PSX_OK) rc = o_->argmax(o_->ctx, 0, i, 1.0, code_.data());
        if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, code_.data(), &score);
        if (rc == PSX_OK) rc = o_->score(o_->ctx, 0, i, truth, &truth_score);
        if (rc == PSX_OK) rc = o_->loss(o_->ctx, i, code_.data(), &found_loss);
        upper = found = found_loss - (truth_score - score);
        ++n_oracle_calls;
      }
      double known = 0;
      int32_t best = -1;
      for (int32_t k = 0; k < cuts.size && rc == PSX_OK; ++k) {
        double score = 0;
        rc = o_->score(o_->ctx, 0, i, cuts.code(k, left_.data()), &score);
        const double v = value_of(cuts, k, truth_score - score);
        grad_[static_cast<std::size_t>(k) + 1] = v;
        if (v > known) {
          known = v;
          best = k;
        }
      }
      if (rc) return rc;
      if (!std::isfinite(found)) return PSX_NONFINITE;
      rc = weigh(p, truth, best, known, upper, found_loss, truth_score, w);
      if (rc) return rc;
      fresh = found > known + cut_tol && !same(code_.data(), truth, cuts.code_len) &&
              cuts.find(code_.data()) < 0;
      double weighted = 0;
      for (int32_t k = 0; k < cuts.size; ++k)
        weighted += cuts.alpha()[k] * grad_[static_cast<std::size_t>(k) + 1];
      const double gap = C_ * (c_[p] * std::max(known, found) - weighted);
      block_gap_[p] = std::max(0.0, gap);
      gap_estimate += block_gap_[p];
      if (fresh) {
        rc = insert(p, truth, code_.data(), found_loss);
        if (rc) return rc;
        grad_[static_cast<std::size_t>(cuts.size)] = found;
      }
      if (mode == kSeparateOnly) return PSX_OK;
    }
    return ascend(p, truth, w);
  }

  double value_of(const CutList& cuts, int32_t k, double margin) const noexcept {
    return slack_ ? cuts.loss()[k] * (1 - margin) : cuts.loss()[k] - margin;
  }

  // The average first: should it fail, w is still that of the dual variables.
  int move(int64_t i, const int32_t* y, const int32_t* z, double a, void* w) noexcept {
    if (lag_.attached())
      if (const int rc = lag_.move(i, y, z, a)) return rc;
    return o_->psi_diff_axpy(o_->ctx, 0, i, y, z, a, w);
  }

  void commit(std::size_t p, int32_t k, double a) noexcept {
    CutList& cuts = cuts_[p];
    const double d = a - cuts.alpha()[k];
    loss_mass += d * cuts.loss()[k];
    if (prior_) prior_mass += d * prior_margin_[p][static_cast<std::size_t>(k)];
    cuts.alpha()[k] = a;
  }

  // Maximises the dual over block p given the gradients in grad_, and moves w.
  int ascend(std::size_t p, const int32_t* truth, void* w) {
    CutList& cuts = cuts_[p];
    const int32_t m = cuts.size;
    if (m == 0) return PSX_OK;
    alpha_.resize(static_cast<std::size_t>(m) + 1);
    alpha_[0] = free_mass_[p];
    for (int32_t k = 0; k < m; ++k) alpha_[static_cast<std::size_t>(k) + 1] = cuts.alpha()[k];
    // A dense copy for the inner steps, row and column 0 the truth's zero plane.
    const std::size_t side = static_cast<std::size_t>(m) + 1;
    gram_.assign(side * side, 0.0);
    for (int32_t k = 0; k < m; ++k)
      for (int32_t l = 0; l <= k; ++l) {
        double g = cuts.inner(k, l);
        if (slack_) g *= cuts.loss()[k] * cuts.loss()[l];
        gram_[(static_cast<std::size_t>(k) + 1) * side + static_cast<std::size_t>(l) + 1] = g;
        gram_[(static_cast<std::size_t>(l) + 1) * side + static_cast<std::size_t>(k) + 1] = g;
      }
    const double* gram_data = gram_.data();
    const auto gram = [gram_data, side](int64_t k, int64_t l) {
      return gram_data[static_cast<std::size_t>(k) * side + static_cast<std::size_t>(l)];
    };
    QpReport report = simplex_qp(m + 1, alpha_.data(), grad_.data(), gram, C_, 1e-12, inner_steps);
    // A long list takes more steps to settle, and mass that stays on many cuts makes every later
    // visit dear: on, as long as it is worth it. The copy above costs m^2 anyway, as m steps do.
    const int64_t most = m > 4 * inner_steps ? static_cast<int64_t>(steps_per_cut * m) : 0;
    for (int64_t left = most - inner_steps; left > 0;) {
      const QpReport more =
          simplex_qp(m + 1, alpha_.data(), grad_.data(), gram, C_, 1e-12, std::min(left, inner_steps));
      report.steps += more.steps;
      report.increase += more.increase;
      left -= inner_steps;
      if (more.steps < inner_steps || more.increase < kWorth * report.increase) break;
    }
    increase += C_ * report.increase;
    if (report.steps > 0) {
      int32_t changed[2] = {-1, -1}, n_changed = 0;
      for (int32_t k = 0; k < m; ++k)
        if (alpha_[static_cast<std::size_t>(k) + 1] != cuts.alpha()[k]) {
          if (n_changed < 2) changed[n_changed] = k;
          ++n_changed;
        }
      const int64_t i = ids_[p];
      int rc = PSX_OK;
      if (n_changed == 2 && !slack_ && alpha_[0] == free_mass_[p]) {
        // Mass went from one code to another: move w along their difference only.
        const int32_t k = changed[0], l = changed[1];
        const double d = alpha_[static_cast<std::size_t>(k) + 1] - cuts.alpha()[k];
        rc = move(i, cuts.code(l, left_.data()), cuts.code(k, right_.data()), C_ * d, w);
        if (rc) return rc;
        commit(p, k, alpha_[static_cast<std::size_t>(k) + 1]);
        commit(p, l, alpha_[static_cast<std::size_t>(l) + 1]);
      } else {
        // alpha moves with w, one cut at a time: a failure in between (an interrupt in user code)
        // leaves the two in step.
        for (int32_t k = 0; k < m; ++k) {
          const double d = alpha_[static_cast<std::size_t>(k) + 1] - cuts.alpha()[k];
          if (d == 0) continue;
          rc = move(i, truth, cuts.code(k, left_.data()), C_ * d * scale_of(cuts, k), w);
          if (rc) {
            double used = 0;
            for (int32_t l = 0; l < m; ++l) used += cuts.alpha()[l];
            free_mass_[p] = std::max(0.0, c_[p] - used);
            return rc;
          }
          commit(p, k, alpha_[static_cast<std::size_t>(k) + 1]);
        }
      }
      free_mass_[p] = alpha_[0];
    }
    for (int32_t k = m - 1; k >= 0; --k) {
      int32_t& idle = cuts.last_active()[k];
      idle = cuts.alpha()[k] > 0 ? 0 : idle + 1;
      if (idle > prune_after) {
        hold(p, cuts.code(k, left_.data()), 0);
        if (prior_) {
          // As CutList::remove has it: the last takes the place.
          std::vector<double>& margin = prior_margin_[p];
          margin[static_cast<std::size_t>(k)] = margin[static_cast<std::size_t>(cuts.size) - 1];
        }
        cuts.remove(k);
        --n_cuts;
      }
    }
    return PSX_OK;
  }

  // Least share of a visit's increase that further inner steps must add.
  static constexpr double kWorth = 0.05;
  const psx_oracle* o_;
  double C_;
  bool slack_;
  const void* prior_;
  Nonnegative signs_;
  Lag lag_;
  std::vector<int64_t> ids_;
  std::vector<double> c_;
  std::vector<CutList> cuts_;
  // s <prior, delta_psi> of the cuts of each block, beyond whose number it may go on; only with a prior.
  std::vector<std::vector<double>> prior_margin_;
  std::vector<double> free_mass_, block_gap_;
  Pool pool_;
  std::vector<int32_t> code_, other_, left_, right_;  // (longest code,)
  std::vector<double> alpha_, grad_, gram_;
};

}  // namespace pystruct_ext
