// Features of spans and split points (Hall, Durrett and Klein 2014): words and tags at and around
// the boundaries, length, short tag sequences; hashed (Weinberger et al. 2009), never stored.
//
// The rich set adds what costs little where it pays: more at one end of the span (O(n) rows), the tags
// anywhere in the span (a row for each new tag), and split points, most of whose features are of
// one or two of their three places (O(n) or O(n^2) scalars).
#pragma once

#include <cstdint>

#include "pystruct_ext/trees/feature_hash.hpp"

namespace pystruct_ext {

// What is known of a word, as hashes of strings.
struct SpanToken {
  uint32_t form, suffix, tag, shape;
};

class SpanFeatures {
 public:
  int bits = 0;
  int split_bits = 0;
  bool rich = false;  // the larger set
  const SpanToken* tokens = nullptr;  // n + 4 per sentence: two begin, words, two end

  static uint32_t length(int32_t n) noexcept {
    return n <= 5 ? static_cast<uint32_t>(n) : n <= 7 ? 6u : n <= 10 ? 7u : n <= 15 ? 8u
           : n <= 22 ? 9u : 10u;
  }

  // Rows of weights over labels. x is the first word of the sentence; spans are [i, j).
  template <class F>
  void left(const SpanToken* x, int32_t i, F&& f) const noexcept {
    const SpanToken *a = x + i, *b = a - 1;
    f(row(feature_key(1, a->form, 0, 0, 0)));
    f(row(feature_key(2, a->tag, b->tag, 0, 0)));
    f(row(feature_key(3, b->form, 0, 0, 0)));
    f(row(feature_key(4, a->tag, (a + 1)->tag, 0, 0)));
    f(row(feature_key(5, b->tag, (b - 1)->tag, 0, 0)));
    f(row(feature_key(6, a->suffix, 0, 0, 0)));
    if (!rich) return;
    f(row(feature_key(101, a->form, b->tag, 0, 0)));
    f(row(feature_key(102, a->tag, b->form, 0, 0)));
    f(row(feature_key(103, a->tag, (a + 1)->tag, b->tag, 0)));
    f(row(feature_key(104, a->tag, b->tag, (b - 1)->tag, 0)));
    f(row(feature_key(105, a->tag, (a + 1)->tag, (a + 2)->tag, 0)));
    f(row(feature_key(106, a->form, b->form, 0, 0)));
    f(row(feature_key(107, a->form, (a + 1)->form, 0, 0)));
    f(row(feature_key(108, a->form, (a + 1)->tag, 0, 0)));
    f(row(feature_key(109, a->shape, b->tag, 0, 0)));
    f(row(feature_key(110, b->suffix, 0, 0, 0)));
    f(row(feature_key(111, (a + 1)->form, 0, 0, 0)));
    f(row(feature_key(112, (b - 1)->form, b->tag, 0, 0)));
  }
  template <class F>
  void right(const SpanToken* x, int32_t j, F&& f) const noexcept {
    const SpanToken *a = x + j - 1, *b = x + j;
    f(row(feature_key(11, a->form, 0, 0, 0)));
    f(row(feature_key(12, a->tag, b->tag, 0, 0)));
    f(row(feature_key(13, b->form, 0, 0, 0)));
    f(row(feature_key(14, a->tag, (a - 1)->tag, 0, 0)));
    f(row(feature_key(15, b->tag, (b + 1)->tag, 0, 0)));
    f(row(feature_key(16, a->suffix, 0, 0, 0)));
    if (!rich) return;
    f(row(feature_key(121, a->form, b->tag, 0, 0)));
    f(row(feature_key(122, a->tag, b->form, 0, 0)));
    f(row(feature_key(123, a->tag, (a - 1)->tag, b->tag, 0)));
    f(row(feature_key(124, a->tag, b->tag, (b + 1)->tag, 0)));
    f(row(feature_key(125, a->tag, (a - 1)->tag, (a - 2)->tag, 0)));
    f(row(feature_key(126, a->form, b->form, 0, 0)));
    f(row(feature_key(127, a->form, (a - 1)->form, 0, 0)));
    f(row(feature_key(128, a->form, (a - 1)->tag, 0, 0)));
    f(row(feature_key(129, a->shape, b->tag, 0, 0)));
    f(row(feature_key(130, b->suffix, 0, 0, 0)));
    f(row(feature_key(131, (a - 1)->form, 0, 0, 0)));
    f(row(feature_key(132, (b + 1)->form, b->tag, 0, 0)));
  }
  template <class F>
  void both(const SpanToken* x, int32_t i, int32_t j, F&& f) const noexcept {
    const SpanToken *a = x + i, *b = a - 1, *c = x + j - 1, *d = x + j;
    const uint32_t n = length(j - i);
    f(row(feature_key(21, n, 0, 0, 0)));
    f(row(feature_key(22, a->tag, n, 0, 0)));
    f(row(feature_key(23, c->tag, n, 0, 0)));
    f(row(feature_key(24, a->tag, c->tag, 0, 0)));
    f(row(feature_key(25, b->tag, d->tag, 0, 0)));
    f(row(feature_key(26, b->tag, a->tag, c->tag, d->tag)));
    f(row(feature_key(27, a->form, c->tag, 0, 0)));
    f(row(feature_key(28, a->tag, c->form, 0, 0)));
    f(row(feature_key(29, b->form, d->tag, 0, 0)));
    f(row(feature_key(30, a->form, d->tag, 0, 0)));
    f(row(feature_key(31, b->tag, a->tag, d->tag, 0)));
    f(row(feature_key(32, a->tag, d->form, 0, 0)));
    // Short spans by all their tags, long ones by their first two and last two.
    uint64_t k = feature_key(j - i <= 6 ? 33 : 34, 0, 0, 0, 0);
    if (j - i <= 6)
      for (int32_t t = i; t < j; ++t) k = (k ^ x[t].tag) * 0x9E3779B97F4A7C15ull;
    else
      k = feature_key(34, a->tag, (a + 1)->tag, (c - 1)->tag, c->tag);
    f(row(k));
  }
  // The rich set: tags in the span. Rows of the word at t, the first of its tag in a span from i on.
  template <class F>
  void inside(const SpanToken* x, int32_t i, int32_t t, F&& f) const noexcept {
    f(row(feature_key(161, x[t].tag, 0, 0, 0)));
    f(row(feature_key(162, x[t].tag, x[i].tag, 0, 0)));
    f(row(feature_key(163, x[t].tag, x[i - 1].tag, 0, 0)));
  }

  // Scalar weights of the point k where the part [k, j) joins what began at i: all of them.
  template <class F>
  void split(const SpanToken* x, int32_t i, int32_t k, int32_t j, F&& f) const noexcept {
    if (!rich) return basic_split(x, i, k, j, f);
    split_at(x, k, f);
    split_from(x, i, k, f);
    split_to(x, k, j, f);
    split_between(x, i, k, j, f);
  }
  // Those of the rich set by the places that they depend on.
  template <class F>
  void split_at(const SpanToken* x, int32_t k, F&& f) const noexcept {
    const SpanToken *a = x + k - 1, *b = x + k;
    f(scalar(feature_key(43, a->form, b->tag, 0, 0)));
    f(scalar(feature_key(44, a->tag, b->form, 0, 0)));
    f(scalar(feature_key(173, (a - 1)->tag, a->tag, b->tag, (b + 1)->tag)));
    f(scalar(feature_key(175, a->form, b->form, 0, 0)));
  }
  template <class F>
  void split_from(const SpanToken* x, int32_t i, int32_t k, F&& f) const noexcept {
    f(scalar(feature_key(45, x[i].form, x[k].form, 0, 0)));
  }
  template <class F>
  void split_to(const SpanToken* x, int32_t k, int32_t j, F&& f) const noexcept {
    const SpanToken *a = x + k - 1, *b = x + k;
    f(scalar(feature_key(41, a->tag, b->tag, length(j - k), 0)));
    f(scalar(feature_key(172, a->tag, b->tag, x[j].tag, 0)));
    f(scalar(feature_key(176, b->form, x[j].tag, 0, 0)));
  }
  template <class F>
  void split_between(const SpanToken* x, int32_t i, int32_t k, int32_t j, F&& f) const noexcept {
    const SpanToken *a = x + k - 1, *b = x + k;
    const uint32_t m = length(k - i), n = length(j - k);
    f(scalar(feature_key(42, x[i].tag, b->tag, x[j].tag, 0)));
    f(scalar(feature_key(46, m, n, 0, 0)));
    f(scalar(feature_key(171, x[i].tag, a->tag, b->tag, x[j - 1].tag)));
    f(scalar(feature_key(174, x[i - 1].tag, x[i].tag, b->tag, x[j].tag)));
    f(scalar(feature_key(177, x[i].tag, b->form, x[j - 1].tag, 0)));
    f(scalar(feature_key(178, b->tag, m, n, 0)));
  }

  // All of the basic set.
  template <class F>
  void basic_split(const SpanToken* x, int32_t i, int32_t k, int32_t j, F&& f) const noexcept {
    const SpanToken *a = x + k - 1, *b = x + k;
    f(scalar(feature_key(41, a->tag, b->tag, length(j - k), 0)));
    f(scalar(feature_key(42, x[i].tag, b->tag, x[j].tag, 0)));
    f(scalar(feature_key(43, a->form, b->tag, 0, 0)));
    f(scalar(feature_key(44, a->tag, b->form, 0, 0)));
    f(scalar(feature_key(45, x[i].form, b->form, 0, 0)));
    f(scalar(feature_key(46, length(k - i), length(j - k), 0, 0)));
  }

 private:
  static uint64_t finish(uint64_t k) noexcept {
    k ^= k >> 31;
    k *= 0x589965CC75374CC3ull;
    k ^= k >> 29;
    return k * 0x1D8E4E27C47D124Full;
  }
  int64_t row(uint64_t k) const noexcept { return static_cast<int64_t>(finish(k) >> (64 - bits)); }
  int64_t scalar(uint64_t k) const noexcept {
    return static_cast<int64_t>(finish(k) >> (64 - split_bits));
  }
};

}  // namespace pystruct_ext
