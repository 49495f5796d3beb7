// Uniform numbers from a seed: splitmix64 (Steele, Lea and Flood 2014). The same on every platform.
#pragma once

#include <cmath>
#include <cstdint>

namespace pystruct_ext {

class Uniform {
 public:
  explicit Uniform(uint64_t seed) noexcept : state_(seed) {}
  // In [0, 1).
  double operator()() noexcept {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }
  // An index with probability proportional to exp(score - sum), sum the logarithm of the total.
  template <class Score>
  int32_t index(int32_t n, double sum, Score&& score) noexcept {
    double left = (*this)();
    int32_t chosen = 0;
    for (int32_t k = 0; k < n; ++k) {
      const double p = std::exp(score(k) - sum);
      if (p > 0) chosen = k;
      left -= p;
      if (left < 0) break;
    }
    return chosen;
  }

 private:
  uint64_t state_;
};

}  // namespace pystruct_ext
