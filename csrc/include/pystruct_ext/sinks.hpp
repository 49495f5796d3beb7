// Sinks: what a kernel's psi emits into. A kernel writes psi once, as calls sink(j, value), and
// the sink decides whether that updates a weight vector, an inner product or a norm.
#pragma once

#include <cstdint>
#include <cstring>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

// out[j] += v
template <class real>
struct DenseSink {
  real* out;  // (D,)
  PSX_INLINE void operator()(int64_t j, double v) const noexcept { out[j] += static_cast<real>(v); }
};

// sum += w[j] v
template <class real>
struct DotSink {
  const real* w;  // (D,)
  double sum = 0;
  PSX_INLINE void operator()(int64_t j, double v) noexcept { sum += static_cast<double>(w[j]) * v; }
};

// Sparse vector of what was emitted, entries at the same j added up: open addressing over a table
// that grows to the largest vector seen and is cleared by its touched list. `overflow` is set,
// and the content void, if memory ran out.
class SparseSink {
 public:
  PSX_INLINE void operator()(int64_t j, double v) noexcept {
    if (2 * (n_ + 1) > capacity_ && !grow()) return;
    std::size_t h = slot_of(j);
    while (key_[h] != j) {
      if (key_[h] < 0) {
        key_[h] = j;
        val_[h] = 0;
        touched_[n_++] = static_cast<int64_t>(h);
        break;
      }
      h = (h + 1) & (capacity_ - 1);
    }
    val_[h] += v;
  }
  void clear() noexcept {
    for (std::size_t k = 0; k < n_; ++k) key_[touched_[k]] = -1;
    n_ = 0;
    overflow = false;
  }
  double sqnorm() const noexcept {
    double s = 0;
    for (std::size_t k = 0; k < n_; ++k) s += val_[touched_[k]] * val_[touched_[k]];
    return s;
  }
  std::size_t size() const noexcept { return n_; }
  int64_t index(std::size_t k) const noexcept { return key_[touched_[k]]; }
  double value(std::size_t k) const noexcept { return val_[touched_[k]]; }
  bool overflow = false;

 private:
  std::size_t slot_of(int64_t j) const noexcept {
    return static_cast<std::size_t>((static_cast<uint64_t>(j) * 0x9E3779B97F4A7C15ull) >> 20) &
           (capacity_ - 1);
  }
  bool grow() noexcept {
    try {
      const std::size_t bigger = capacity_ ? 4 * capacity_ : 1024;
      AlignedBuffer<int64_t> key, touched;
      AlignedBuffer<double> val;
      key.reserve(bigger);
      val.reserve(bigger);
      touched.reserve(bigger / 2 + 1);
      std::memset(key.data(), 0xff, bigger * sizeof(int64_t));
      const std::size_t mask = bigger - 1;
      for (std::size_t k = 0; k < n_; ++k) {
        const int64_t j = key_[touched_[k]];
        std::size_t h = static_cast<std::size_t>(
                            (static_cast<uint64_t>(j) * 0x9E3779B97F4A7C15ull) >> 20) & mask;
        while (key[h] >= 0) h = (h + 1) & mask;
        key[h] = j;
        val[h] = val_[touched_[k]];
        touched[k] = static_cast<int64_t>(h);
      }
      swap(key_, key);
      swap(touched_, touched);
      swap(val_, val);
      capacity_ = bigger;
      return true;
    } catch (...) {
      overflow = true;
      return false;
    }
  }
  template <class T>
  static void swap(AlignedBuffer<T>& a, AlignedBuffer<T>& b) noexcept {
    a.swap(b);
  }
  AlignedBuffer<int64_t> key_, touched_;
  AlignedBuffer<double> val_;
  std::size_t capacity_ = 0, n_ = 0;
};

}  // namespace pystruct_ext
