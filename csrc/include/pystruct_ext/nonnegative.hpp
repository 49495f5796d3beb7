// Weights that are to stay >= 0 while a dual method moves w (psx_oracle::nonnegative).
//
// The dual of min P(w) over w_j >= 0, j in J, is D(alpha) = -1/2 ||w||^2 + ... with w_j = max(0, v_j)
// there, v = sum of alpha times cuts as without the constraint. ||max(0, v)||^2 / 2 has a gradient
// that is 1-Lipschitz, so that ||w||^2 / 2 + <w, d> + ||d||^2 / 2 bounds it from above at v + d: a
// step that improves the dual of that quadratic, which is what solvers without constraints take,
// improves this one too. P - D stays the gap, and the sum of the blocks' gaps, since <w, v> = ||w||^2.
// So all that is left to do after a step is this: w moves as v would, and is put back to >= 0.
// With weights drawn to p instead of 0, v = p + the sum, and w = max(0, v) solves
// min 1/2 ||w - p||^2 - <w, v - p>, whose value -1/2 ||w - p||^2 - <p, v - p> + <p, v - w> has the
// last term beside what it is without the constraint.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pystruct_ext/oracle.h"

namespace pystruct_ext {

class Nonnegative {
 public:
  explicit Nonnegative(const psx_oracle* o)
      : begin_(o->nonnegative[0]), w_bytes_(o->w_bytes),
        below_(static_cast<std::size_t>(std::max<int64_t>(0, o->nonnegative[1] - begin_)), 0.0) {}

  // v is 0, as w is.
  void reset() noexcept { std::fill(below_.begin(), below_.end(), 0.0); }
  // <p, v - w>, p over all weights: what the constraint adds to the dual of weights drawn to p.
  double below(const void* p) const noexcept {
    double total = 0;
    for (std::size_t j = 0; j < below_.size(); ++j) {
      const std::size_t at = static_cast<std::size_t>(begin_) + j;
      total += below_[j] * (w_bytes_ == 4 ? static_cast<double>(static_cast<const float*>(p)[at])
                                          : static_cast<const double*>(p)[at]);
    }
    return total;
  }
  // w = max(0, v), where w moved from max(0, v_before) as v did.
  void project(void* w) noexcept {
    if (below_.empty()) return;
    if (w_bytes_ == 4) {
      project(static_cast<float*>(w) + begin_);
    } else {
      project(static_cast<double*>(w) + begin_);
    }
  }

 private:
  template <class real>
  void project(real* w) noexcept {
    for (std::size_t j = 0; j < below_.size(); ++j) {
      const double v = static_cast<double>(w[j]) + below_[j];
      below_[j] = std::min(0.0, v);
      w[j] = static_cast<real>(v - below_[j]);  // a NaN stays, to be reported
    }
  }
  int64_t begin_;
  uint32_t w_bytes_;
  std::vector<double> below_;  // min(0, v)
};

}  // namespace pystruct_ext
