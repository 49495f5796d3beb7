// k-best, log-partition, marginals and samples of a chain by its own backward recursion: faster than a
// packed forest of the same chain (benchmarks/queries.py).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "pystruct_ext/random.hpp"
#include "pystruct_ext/semiring.hpp"
#include "pystruct_ext/spaces/chain.hpp"

namespace pystruct_ext {

// log sum_k exp(value(k)): the maximum first, so that each term costs one exponential.
template <class Value>
double log_sum(int32_t n, Value&& value) {
  double top = LogPlus::zero();
  for (int32_t k = 0; k < n; ++k) top = std::max(top, value(k));
  if (!(top > LogPlus::zero())) return top;
  double sum = 0;
  for (int32_t k = 0; k < n; ++k) sum += std::exp(value(k) - top);
  return top + std::log(sum);
}

// beta_t(l): log of the sum over all y_t .. y_{T-1} with y_t = l, scores divided by `temperature`.
// (T, K).
template <class R>
std::vector<double> chain_backward(const ChainSpace<R>& space,
                                   const typename ChainSpace<R>::Scratch& s, int64_t length,
                                   double temperature) {
  const int32_t K = space.n_labels, stride = space.stride;
  std::vector<double> beta(static_cast<std::size_t>(length * K));
  for (int64_t t = length - 1; t >= 0; --t)
    for (int32_t l = 0; l < K; ++l) {
      const std::size_t row = static_cast<std::size_t>(l) * static_cast<std::size_t>(stride);
      const double* next = t + 1 < length ? beta.data() + (t + 1) * K : nullptr;
      const double rest =
          next ? log_sum(K,
                         [&](int32_t q) {
                           return static_cast<double>(s.by_prev[row + static_cast<std::size_t>(q)]) /
                                      temperature + next[q];
                         })
               : static_cast<double>(s.end[static_cast<std::size_t>(l)]) / temperature;
      beta[static_cast<std::size_t>(t * K + l)] =
          rest + static_cast<double>(s.pot[static_cast<std::size_t>(t * stride + l)]) / temperature;
    }
  return beta;
}

// Up to k best label sequences, best first; returns how many there are, or -1 if a score is not
// finite. codes: (k, T), scores: (k,).
template <class R>
int64_t chain_k_best(const ChainSpace<R>& space, const typename ChainSpace<R>::Scratch& s,
                     int64_t i, int64_t k, int32_t* codes, double* scores) {
  if (!s.finite) return -1;
  const int32_t K = space.n_labels, stride = space.stride;
  const int64_t length = space.code_len(i);
  const std::size_t kk = static_cast<std::size_t>(k);
  std::vector<KMax::value> beta(static_cast<std::size_t>(length * K));
  for (int64_t t = length - 1; t >= 0; --t)
    for (int32_t l = 0; l < K; ++l) {
      KMax::value& best = beta[static_cast<std::size_t>(t * K + l)];
      const double pot = static_cast<double>(s.pot[static_cast<std::size_t>(t * stride + l)]);
      if (t + 1 == length) {
        const double e = static_cast<double>(s.end[static_cast<std::size_t>(l)]);
        if (pot + e > 0.1 * PSX_FORBIDDEN) best.push_back({pot + e, -1, 0});
        continue;
      }
      for (int32_t q = 0; q < K; ++q) {
        const double step =
            pot + static_cast<double>(s.by_prev[static_cast<std::size_t>(l) * stride + q]);
        if (!(step > 0.1 * PSX_FORBIDDEN)) continue;
        const KMax::value& next = beta[static_cast<std::size_t>((t + 1) * K + q)];
        for (std::size_t r = 0; r < next.size(); ++r)
          KMax::offer(best, kk, {step + next[r].score, q, static_cast<int32_t>(r)});
      }
    }
  KMax::value top;
  for (int32_t l = 0; l < K; ++l) {
    const double start = static_cast<double>(s.start[static_cast<std::size_t>(l)]);
    if (!std::isfinite(start)) continue;
    const KMax::value& first = beta[static_cast<std::size_t>(l)];
    for (std::size_t r = 0; r < first.size(); ++r)
      KMax::offer(top, kk, {start + first[r].score, l, static_cast<int32_t>(r)});
  }
  for (std::size_t m = 0; m < top.size(); ++m) {
    scores[m] = top[m].score;
    int32_t state = top[m].state, rank = top[m].rank;
    for (int64_t t = 0; t < length; ++t) {
      codes[static_cast<int64_t>(m) * length + t] = state;
      const KMax::Item& item = beta[static_cast<std::size_t>(t * K + state)][static_cast<std::size_t>(rank)];
      state = item.state;
      rank = item.rank;
    }
  }
  return static_cast<int64_t>(top.size());
}

// Marginals of p(y) proportional to exp(<w, psi(x, y)> / temperature). unary: (T, K), or nullptr.
// Returns the log-partition function.
template <class R>
double chain_marginals(const ChainSpace<R>& space, const typename ChainSpace<R>::Scratch& s,
                       int64_t i, double temperature, double* unary) {
  if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
  const int32_t K = space.n_labels, stride = space.stride;
  const int64_t length = space.code_len(i);
  const std::vector<double> beta = chain_backward(space, s, length, temperature);
  if (!unary) {
    return log_sum(K, [&](int32_t l) {
      return static_cast<double>(s.start[static_cast<std::size_t>(l)]) / temperature +
             beta[static_cast<std::size_t>(l)];
    });
  }
  // alpha_t(l): everything before t, without the potential of t.
  std::vector<double> alpha(static_cast<std::size_t>(length * K));
  for (int32_t l = 0; l < K; ++l)
    alpha[static_cast<std::size_t>(l)] =
        static_cast<double>(s.start[static_cast<std::size_t>(l)]) / temperature;
  const auto pot = [&](int64_t t, int32_t l) {
    return static_cast<double>(s.pot[static_cast<std::size_t>(t * stride + l)]) / temperature;
  };
  const auto step = [&](int32_t p, int32_t q) {
    return static_cast<double>(s.by_prev[static_cast<std::size_t>(p) * stride + q]) / temperature;
  };
  for (int64_t t = 1; t < length; ++t)
    for (int32_t q = 0; q < K; ++q) {
      alpha[static_cast<std::size_t>(t * K + q)] = log_sum(K, [&](int32_t p) {
        return alpha[static_cast<std::size_t>((t - 1) * K + p)] + pot(t - 1, p) + step(p, q);
      });
    }
  const double log_z = log_sum(K, [&](int32_t l) {
    return alpha[static_cast<std::size_t>(l)] + beta[static_cast<std::size_t>(l)];
  });
  for (int64_t t = 0; t < length; ++t)
    for (int32_t l = 0; l < K; ++l) {
      const std::size_t at = static_cast<std::size_t>(t * K + l);
      unary[at] = std::exp(alpha[at] + beta[at] - log_z);
    }
  return log_z;
}

// Draws label sequences, first to last: each label given the one before by what beta says of the rest.
template <class R>
bool chain_sample(const ChainSpace<R>& space, const typename ChainSpace<R>::Scratch& s, int64_t i,
                  double temperature, uint64_t seed, int64_t count, int32_t* codes) {
  if (!s.finite) return false;
  const int32_t K = space.n_labels, stride = space.stride;
  const int64_t length = space.code_len(i);
  const std::vector<double> beta = chain_backward(space, s, length, temperature);
  const auto first = [&](int32_t l) {
    return static_cast<double>(s.start[static_cast<std::size_t>(l)]) / temperature +
           beta[static_cast<std::size_t>(l)];
  };
  const double log_z = log_sum(K, first);
  if (!std::isfinite(log_z)) return false;
  Uniform uniform(seed);
  for (int64_t m = 0; m < count; ++m) {
    int32_t* code = codes + m * length;
    code[0] = uniform.index(K, log_z, first);
    for (int64_t t = 1; t < length; ++t) {
      const std::size_t p = static_cast<std::size_t>(code[t - 1]);
      const double pot =
          static_cast<double>(s.pot[static_cast<std::size_t>((t - 1) * stride) + p]) / temperature;
      const double rest = beta[static_cast<std::size_t>((t - 1) * K) + p] - pot;
      code[t] = uniform.index(K, rest, [&](int32_t q) {
        return static_cast<double>(s.by_prev[p * static_cast<std::size_t>(stride) +
                                             static_cast<std::size_t>(q)]) / temperature +
               beta[static_cast<std::size_t>(t * K + q)];
      });
    }
  }
  return true;
}

template <class R>
struct ChainQueries {
  static constexpr bool kAny = true;
  using Space = ChainSpace<R>;
  using Scratch = typename Space::Scratch;
  static int64_t k_best(const Space& space, Scratch& s, int64_t i, int64_t k, int32_t* codes,
                        double* scores) {
    return chain_k_best(space, s, i, k, codes, scores);
  }
  static double marginals(const Space& space, Scratch& s, int64_t i, double temperature,
                          double* out) {
    return chain_marginals(space, s, i, temperature, out);
  }
  static bool sample(const Space& space, Scratch& s, int64_t i, double temperature, uint64_t seed,
                     int64_t count, int32_t* codes) {
    return chain_sample(space, s, i, temperature, seed, count, codes);
  }
};

// The table of the kernel, for both types of w.
inline const psx_kernel* chain_kernel() {
  return kernel_table<With<ChainSpace<float>, ChainQueries<float>>,
                      With<ChainSpace<double>, ChainQueries<double>>>("chain");
}

}  // namespace pystruct_ext
