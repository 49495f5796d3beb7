// The only quadratic programme the solvers need, over a simplex:
//
//   max_a  sum_k a_k b_k - C/2 a' G a,    a >= 0,  sum_k a_k fixed
//
// by pairwise (SMO) steps: move mass from the plane a with the smallest gradient among those that
// hold mass to the plane s with the largest. Each step is a closed-form line search.
// Source: Platt 1999; the choice of `a` by second-order gain follows Fan, Chen and Lin 2005.
#pragma once

#include <cstdint>

namespace pystruct_ext {

struct QpReport {
  int64_t steps = 0;
  double increase = 0;   // of the objective
  double violation = 0;  // max gradient - min gradient over planes that hold mass, at the end
};

// grad: (m,) in/out, the gradient b_k - C (G a)_k plus whatever else the objective holds fixed.
// alpha: (m,) in/out. gram(k, l) gives G. Stops at `tol` on the violation or after `max_steps`.
template <class Gram>
QpReport simplex_qp(int64_t m, double* alpha, double* grad, const Gram& gram, double C, double tol,
                    int64_t max_steps) noexcept {
  QpReport report;
  for (;;) {
    int64_t s = 0, low = -1;
    for (int64_t k = 0; k < m; ++k) {
      if (grad[k] > grad[s]) s = k;
      if (alpha[k] > 0 && (low < 0 || grad[k] < grad[low])) low = k;
    }
    if (low < 0) return report;
    report.violation = grad[s] - grad[low];
    if (report.violation <= tol || report.steps >= max_steps) return report;
    int64_t from = low;
    double best_gain = -1, curvature = 0;
    for (int64_t k = 0; k < m; ++k) {
      if (alpha[k] <= 0 || grad[k] >= grad[s]) continue;
      const double d = grad[s] - grad[k];
      const double q = C * (gram(s, s) + gram(k, k) - 2 * gram(s, k));
      // What a step of the best length allowed by alpha_k gains.
      const double step = q > 0 && d < q * alpha[k] ? d / q : alpha[k];
      const double gain = step * (d - 0.5 * step * q);
      if (gain > best_gain) {
        best_gain = gain;
        from = k;
        curvature = q;
      }
    }
    if (best_gain <= 0) return report;
    const double d = grad[s] - grad[from];
    double step = curvature > 0 ? d / curvature : alpha[from];
    if (step >= alpha[from]) {
      step = alpha[from];
      alpha[from] = 0;
    } else {
      alpha[from] -= step;
    }
    alpha[s] += step;
    for (int64_t k = 0; k < m; ++k) grad[k] -= C * step * (gram(k, s) - gram(k, from));
    report.increase += step * (d - 0.5 * step * curvature);
    ++report.steps;
  }
}

}  // namespace pystruct_ext
