// Semirings: one recursion, many quantities (the idea of torch-struct, Rush 2020).
//
// A dynamic programme written against `times` (joins two parts of a structure) and `plus` (chooses
// between structures) gives the log-partition function in LogPlus, and the k best scores with their
// back-pointers in KMax. The best score alone comes from the fast kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace pystruct_ext {

struct LogPlus {
  using value = double;
  static value zero() noexcept { return -std::numeric_limits<double>::infinity(); }
  static value one() noexcept { return 0.0; }
  static value times(value a, value b) noexcept { return a + b; }
  static value plus(value a, value b) noexcept {
    if (a < b) std::swap(a, b);
    if (b == zero()) return a;
    return a + std::log1p(std::exp(b - a));
  }
};

// The k best derivations, best first. An item remembers where it came from: `state` and `rank` of
// the part it extends. Items of equal score keep the order in which they were offered.
struct KMax {
  struct Item {
    double score;
    int32_t state;
    int32_t rank;
  };
  using value = std::vector<Item>;
  static void offer(value& best, std::size_t k, const Item& item) {
    if (best.size() == k && item.score <= best.back().score) return;
    if (best.size() == k) best.pop_back();
    std::size_t at = best.size();
    best.push_back(item);
    while (at > 0 && best[at - 1].score < item.score) {
      best[at] = best[at - 1];
      --at;
    }
    best[at] = item;
  }
};

}  // namespace pystruct_ext
