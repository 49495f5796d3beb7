// Label scores of spans, the loss on labelled brackets, and what the two constituency kernels
// share.
//
//   Delta(y, y_hat) = sum over spans of cost(label in y, label in y_hat), 0 for "no constituent"
//
// Labels are collapsed unary chains; cost[g][l] is the number of brackets in which two chains
// differ, so that Delta counts missed and false brackets.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/simd.hpp"
#include "pystruct_ext/trees/span_features.hpp"

namespace pystruct_ext {

template <class R>
struct SpanScores {
  int64_t n = 0;
  const int64_t* offsets = nullptr;     // (n + 1,) words of sentence i
  SpanFeatures features;
  bool use_features = true;
  int32_t n_labels = 0, stride = 0;     // labels 0 .. n_labels - 1; stride a multiple of 8
  const R* cost = nullptr;              // (n_labels + 1, n_labels + 1), 0 is "none"
  const int64_t* gold_offsets = nullptr;  // (n + 1,) true brackets of sentence i
  const int32_t* gold_at = nullptr;     // start * (length + 1) + end
  const int32_t* gold_label = nullptr;
  const R* given = nullptr;             // scores from outside, of the only sentence

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  int32_t length(int64_t i) const noexcept {
    return static_cast<int32_t>(offsets[i + 1] - offsets[i]);
  }
  const SpanToken* words(int64_t i) const noexcept {
    return features.tokens + offsets[i] + 4 * i + 2;
  }
  int64_t n_rows() const noexcept { return use_features ? int64_t{1} << features.bits : 0; }

  struct Buffers {
    AlignedBuffer<R> pot, left, right, inside;
    AlignedBuffer<int64_t> index;
    AlignedBuffer<int32_t> before;
    void reserve(const SpanScores& s) {
      int64_t longest = 1;
      for (int64_t i = 0; i < s.n; ++i)
        longest = std::max(longest, s.offsets[i + 1] - s.offsets[i]);
      const std::size_t m = static_cast<std::size_t>(longest) + 1;
      const std::size_t st = static_cast<std::size_t>(s.stride);
      pot.reserve(m * m * st);
      left.reserve(m * st);
      right.reserve(m * st);
      index.reserve(64);
      if (!s.features.rich) return;
      inside.reserve(st);
      before.reserve(m);
    }
  };

  const R* at(const Buffers& b, int32_t n_words, int32_t i, int32_t j) const noexcept {
    return (given ? given : b.pot.data()) + (int64_t{i} * (n_words + 1) + j) * stride;
  }

  // Scores of all spans and labels; returns 0 if all are finite, else NaN.
  R load(const R* w, int64_t i, Buffers& b) const noexcept {
    const int32_t len = length(i);
    const SpanToken* x = words(i);
    R check = 0;
    if (!use_features) {
      std::fill(b.pot.data(), b.pot.data() + int64_t{len + 1} * (len + 1) * stride, R(0));
      return 0;
    }
    const auto add = [&](R* out, int64_t j) {
      using V = Vec<R, 8>;
      const R* from = w + j * stride;
      for (int32_t l = 0; l < stride; l += 8) (V::load(out + l) + V::load(from + l)).store(out + l);
    };
    for (int32_t t = 0; t <= len; ++t) {
      R* l = b.left.data() + int64_t{t} * stride;
      R* r = b.right.data() + int64_t{t} * stride;
      std::fill(l, l + stride, R(0));
      std::fill(r, r + stride, R(0));
      if (t < len) features.left(x, t, [&](int64_t j) { add(l, j); });
      if (t > 0) features.right(x, t, [&](int64_t j) { add(r, j); });
    }
    for (int32_t a = 0; a < len; ++a)
      for (int32_t c = a + 1; c <= len; ++c) {
        R* out = b.pot.data() + (int64_t{a} * (len + 1) + c) * stride;
        const R* l = b.left.data() + int64_t{a} * stride;
        const R* r = b.right.data() + int64_t{c} * stride;
        int64_t* p = b.index.data();
        features.both(x, a, c, [&](int64_t j) {
          for (int32_t k = 0; k < stride; k += 16) PSX_PREFETCH(w + j * stride + k);
          *p++ = j;
        });
        for (int32_t k = 0; k < stride; ++k) out[k] = l[k] + r[k];
        for (const int64_t* q = b.index.data(); q < p; ++q) add(out, *q);
        for (int32_t k = 0; k < n_labels; ++k) check += out[k] * R(0);
      }
    if (features.rich) check += add_inside(x, len, b, add);
    return check;
  }

  // Adds the scores of the tags in every span: a row for each new tag as the span grows by a word.
  template <class Add>
  R add_inside(const SpanToken* x, int32_t len, Buffers& b, const Add& add) const noexcept {
    R check = 0;
    R* inside = b.inside.data();
    for (int32_t t = 0; t < len; ++t) b.before[idx(t)] = same_before(x, t);
    for (int32_t a = 0; a < len; ++a) {
      std::fill(inside, inside + stride, R(0));
      for (int32_t c = a + 1; c <= len; ++c) {
        if (b.before[idx(c - 1)] < a)
          features.inside(x, a, c - 1, [&](int64_t j) { add(inside, j); });
        R* out = b.pot.data() + (int64_t{a} * (len + 1) + c) * stride;
        for (int32_t k = 0; k < stride; ++k) out[k] += inside[k];
        for (int32_t k = 0; k < n_labels; ++k) check += out[k] * R(0);
      }
    }
    return check;
  }
  // The last word before t with its tag, -1: none.
  static int32_t same_before(const SpanToken* x, int32_t t) noexcept {
    int32_t p = t - 1;
    while (p >= 0 && x[p].tag != x[t].tag) --p;
    return p;
  }

  template <class Sink>
  void emit(int64_t i, int32_t a, int32_t c, int32_t label, double v, Sink& sink) const noexcept {
    if (!use_features) return;
    const SpanToken* x = words(i);
    const auto one = [&](int64_t j) { sink(j * stride + label, v); };
    features.left(x, a, one);
    features.right(x, c, one);
    features.both(x, a, c, one);
    if (!features.rich) return;
    for (int32_t t = a; t < c; ++t)
      if (same_before(x, t) < a) features.inside(x, a, t, one);
  }

  // Scores of all joints into split[(a * (len + 1) + k) * row + c]; v: weights of the splits. Returns
  // 0 if all are finite, else NaN.
  R load_splits(const R* v, int64_t i, int64_t row, R* split, R* part) const noexcept {
    const int32_t len = length(i);
    const SpanToken* x = words(i);
    R check = 0;
    if (features.rich) load_split_parts(v, x, len, part);
    for (int32_t a = 0; a < len; ++a)
      for (int32_t k = a + 1; k < len; ++k) {
        R* out = split + (int64_t{a} * (len + 1) + k) * row;
        if (!features.rich) {
          for (int32_t c = k + 1; c <= len; ++c) {
            R sum = 0;
            features.basic_split(x, a, k, c, [&](int64_t j) { sum += v[j]; });
            out[c] = sum;
            check += sum * R(0);
          }
          continue;
        }
        const R* to = part + int64_t{k} * (len + 1);
        R from = 0;
        features.split_from(x, a, k, [&](int64_t j) { from += v[j]; });
        for (int32_t c = k + 1; c <= len; ++c) {
          R sum = from + to[c];
          features.split_between(x, a, k, c, [&](int64_t j) { sum += v[j]; });
          out[c] = sum;
          check += sum * R(0);
        }
      }
    return check;
  }
  // What does not depend on the start, into part[k * (len + 1) + c].
  void load_split_parts(const R* v, const SpanToken* x, int32_t len, R* part) const noexcept {
    for (int32_t k = 1; k < len; ++k) {
      R at_k = 0;
      features.split_at(x, k, [&](int64_t j) { at_k += v[j]; });
      for (int32_t c = k + 1; c <= len; ++c) {
        R sum = at_k;
        features.split_to(x, k, c, [&](int64_t j) { sum += v[j]; });
        part[int64_t{k} * (len + 1) + c] = sum;
      }
    }
  }

  R cost_of(int32_t gold, int32_t label) const noexcept {  // -1: none
    return cost[int64_t{gold + 1} * (n_labels + 1) + label + 1];
  }
  int32_t gold(int64_t i, int32_t at) const noexcept {
    for (int64_t k = gold_offsets[i]; k < gold_offsets[i + 1]; ++k)
      if (gold_at[k] == at) return gold_label[k];
    return -1;
  }
  // The part of the loss that no prediction changes: all true brackets missed.
  double missed_all(int64_t i) const noexcept {
    double sum = 0;
    for (int64_t k = gold_offsets[i]; k < gold_offsets[i + 1]; ++k)
      sum += static_cast<double>(cost_of(gold_label[k], -1));
    return sum;
  }
  // What predicting a label on a span adds to that.
  double change(int64_t i, int32_t at, int32_t label) const noexcept {
    const int32_t g = gold(i, at);
    return static_cast<double>(cost_of(g, label)) - static_cast<double>(cost_of(g, -1));
  }

  // Parts: a constituent [a, b) with label l, in an array of (len + 1, len + 1, n_labels).
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = shape[1] = length(i) + 1;
    shape[2] = n_labels;
    return 3;
  }
  void clear(int64_t i, Buffers& b) const noexcept {
    const int64_t m = length(i) + 1;
    std::fill(b.pot.data(), b.pot.data() + m * m * stride, R(0));
  }
  // Returns 0 if all scores are finite, else NaN.
  R add_parts(int64_t i, double a, const R* scores_of, Buffers& b) const noexcept {
    const int64_t len = length(i);
    R check = 0;
    for (int64_t p = 0; p < len; ++p)
      for (int64_t q = p + 1; q <= len; ++q) {
        const int64_t at_span = p * (len + 1) + q;
        for (int32_t l = 0; l < n_labels; ++l) {
          const R v = static_cast<R>(a) * scores_of[at_span * n_labels + l];
          b.pot[idx(at_span * stride + l)] += v;
          check += v * R(0);
        }
      }
    return check;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_words");
    f.array("tokens", features.tokens, "n_words+4*n", "any");
    f.number("bits", features.bits, "1..40");
    f.number("split_bits", features.split_bits, "1..40");
    f.number("rich", features.rich, "0..1");
    f.number("use_features", use_features, "0..1");
    f.number("n_labels", n_labels, "1..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.array("cost", cost, "n_labels+1,n_labels+1", "0..");
    f.offsets("gold_offsets", gold_offsets, "n+1", "n_gold", true);
    f.array("gold_at", gold_at, "n_gold|*", "0..#offsets*#offsets+2*#offsets; with gold_offsets",
            kOptional);
    f.array("gold_label", gold_label, "n_gold|*", "0..n_labels-1; with gold_offsets", kOptional);
  }
  const char* wrong(bool judged) const noexcept {
    if (judged && !gold_offsets) return "gold_offsets are missing";
    const int64_t m = longest_block(offsets, n) + 1;
    if (m > 40000 || !table_fits(m, m, stride) || !table_fits(m, m, m + 32))
      return "the tables of the longest sentence are too large";
    return nullptr;
  }
};

}  // namespace pystruct_ext
