// Order of scores, best first, ties by index: std::sort for short lists, a radix sort beyond.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

// order[0 .. n) = indices by decreasing score, equal scores by increasing index. Buffers grow once.
class DescendingOrder {
 public:
  void reserve(std::size_t n) {
    order_.reserve(n);
    if (n >= kRadixFrom) {
      a_.reserve(n);
      b_.reserve(n);
      count_.reserve(3 * kBuckets);
    }
  }

  const int32_t* sort(const double* score, int64_t n) noexcept {
    int32_t* order = order_.data();
    if (n < kRadixFrom) {
      for (int64_t k = 0; k < n; ++k) order[k] = static_cast<int32_t>(k);
      std::sort(order, order + n, Before{score});
      return order;
    }
    // Three stable passes over the top 32 bits of an order-preserving key; runs that agree in
    // those (sign, exponent and 20 bits of mantissa) are then sorted in full.
    Item* from = a_.data();
    Item* to = b_.data();
    uint32_t* count = count_.data();
    std::memset(count, 0, 3 * kBuckets * sizeof(uint32_t));
    for (int64_t k = 0; k < n; ++k) {
      const uint32_t key = key_of(score[k]);
      from[k] = Item{key, static_cast<int32_t>(k)};
      ++count[key & kMask];
      ++count[kBuckets + ((key >> kBits) & kMask)];
      ++count[2 * kBuckets + (key >> (2 * kBits))];
    }
    for (int pass = 0; pass < 3; ++pass) {
      uint32_t* c = count + pass * kBuckets;
      uint32_t at = 0;
      for (int32_t v = 0; v < kBuckets; ++v) {
        const uint32_t here = c[v];
        c[v] = at;
        at += here;
      }
      const int shift = pass * kBits;
      for (int64_t k = 0; k < n; ++k) to[c[(from[k].key >> shift) & kMask]++] = from[k];
      std::swap(from, to);
    }
    for (int64_t k = 0; k < n; ++k) order[k] = from[k].index;
    for (int64_t begin = 0; begin < n;) {
      int64_t end = begin + 1;
      while (end < n && from[end].key == from[begin].key) ++end;
      if (end - begin > 1) std::sort(order + begin, order + end, Before{score});
      begin = end;
    }
    return order;
  }

 private:
  static constexpr int64_t kRadixFrom = 4096;
  static constexpr int kBits = 11;
  static constexpr int32_t kBuckets = 1 << kBits;
  static constexpr uint32_t kMask = kBuckets - 1;
  struct Item {
    uint32_t key;
    int32_t index;
  };
  struct Before {
    const double* score;
    bool operator()(int32_t a, int32_t b) const noexcept {
      return score[a] > score[b] || (score[a] == score[b] && a < b);
    }
  };
  // Larger scores get smaller keys; -0.0 counts as 0.0.
  static uint32_t key_of(double s) noexcept {
    s += 0.0;
    uint64_t bits;
    std::memcpy(&bits, &s, sizeof bits);
    const uint64_t up = bits ^ ((bits >> 63) ? ~uint64_t{0} : (uint64_t{1} << 63));
    return static_cast<uint32_t>(~up >> 32);
  }
  AlignedBuffer<int32_t> order_;
  AlignedBuffer<Item> a_, b_;
  AlignedBuffer<uint32_t> count_;
};

}  // namespace pystruct_ext
