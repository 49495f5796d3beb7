// Constituency trees without a grammar: a set of nested labelled spans (Hall, Durrett and Klein
// 2014; Stern, Andreas and Klein 2017).
//
//   <w, psi(x, y)> = sum over constituents label(i, j, l) + sum over joints split(i, k, j)
//
// Layout of w: label rows (2^bits, stride), then split weights (2^split_bits).
// Code: (start * (n + 1) + end, label) of every constituent in preorder, then -1; 2 (2n - 1) numbers.
//
// A node with children c_1 .. c_m is joined from the left: c_1 c_2, then c_3, ..., so that every tree
// has one derivation. Items: joined (two children or more), whole (joined and labelled, or a
// word), open (either). The right part of a joint is whole. O(n^3 + n^2 L).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/trees/raise_row.hpp"
#include "pystruct_ext/trees/span_scores.hpp"

namespace pystruct_ext {
namespace spans {

template <class R>
struct Chart {
  int32_t n;
  int64_t stride;       // of rows
  const R* real;        // [i * stride + j] score of the best label
  const R* split;       // [(i * (n + 1) + k) * stride + j] or nullptr
  R *joined, *whole, *open;
};

template <class R, int kW>
PSX_INLINE void inside(const Chart<R>& c) {
  const R none = -std::numeric_limits<R>::infinity();
  for (int32_t i = c.n - 1; i >= 0; --i) {
    R* joined = c.joined + i * c.stride;
    R* whole = c.whole + i * c.stride;
    R* open = c.open + i * c.stride;
    for (int64_t j = 0; j < c.stride; ++j) joined[j] = whole[j] = open[j] = none;
    const R* real = c.real + i * c.stride;
    whole[i + 1] = open[i + 1] = real[i + 1] > 0 ? real[i + 1] : R(0);
    for (int32_t k = i + 1; k < c.n; ++k) {
      if (k > i + 1) {
        whole[k] = joined[k] + real[k];
        open[k] = whole[k] > joined[k] ? whole[k] : joined[k];
      }
      if (c.split)
        raise_row2<R, kW>(joined, open[k], c.whole + k * c.stride,
                          c.split + (int64_t{i} * (c.n + 1) + k) * c.stride, k + 1, c.n);
      else
        raise_row<R, kW>(joined, open[k], c.whole + k * c.stride, k + 1, c.n);
    }
    if (c.n > i + 1) {
      whole[c.n] = joined[c.n] + real[c.n];
      open[c.n] = whole[c.n] > joined[c.n] ? whole[c.n] : joined[c.n];
    }
  }
}
template <class R>
void inside_baseline(const Chart<R>& c) {
  inside<R, 16 / sizeof(R)>(c);
}
template <class R>
PSX_TARGET_AVX2 void inside_avx2(const Chart<R>& c) {
  inside<R, 32 / sizeof(R)>(c);
}
template <class R>
PSX_TARGET_AVX512 void inside_avx512(const Chart<R>& c) {
  inside<R, 64 / sizeof(R)>(c);
}
template <class R>
using Inside = void (*)(const Chart<R>&);
template <class R>
Inside<R> choose(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa == Isa::kAvx512) return inside_avx512<R>;
  if (isa == Isa::kAvx2) return inside_avx2<R>;
#endif
  (void)isa;
  return inside_baseline<R>;
}

// The score of the best label of every span, into real[i * row + j].
template <class R>
struct Labels {
  int32_t n, n_labels, stride;
  const R* pot;         // [(i * (n + 1) + j) * stride + label]
  const int32_t* gold;  // [i * (n + 1) + j] true label, -1: none; nullptr: without the loss
  const R* cost;        // (n_labels + 1, n_labels + 1), row and column 0 for "none"
  R loss_scale;
  R* real;
  int64_t row;
};

template <class R, int kW>
PSX_INLINE void label_maxima(const Labels<R>& x) {
  using V = Vec<R, kW>;
  const R none = -std::numeric_limits<R>::infinity();
  const V factor = V::splat(x.loss_scale);
  for (int32_t i = 0; i < x.n; ++i)
    for (int32_t j = i + 1; j <= x.n; ++j) {
      const int64_t at = int64_t{i} * (x.n + 1) + j;
      const R* pot = x.pot + at * x.stride;
      const R* cost = x.gold ? x.cost + int64_t{x.gold[at] + 1} * (x.n_labels + 1) : nullptr;
      R top = none;
      int32_t l = 0;
      if (x.n_labels >= kW) {
        V v = V::splat(none);
        if (cost) {
          const V base = V::splat(-cost[0]);
          for (; l + kW <= x.n_labels; l += kW)
            v = V::max(v, V::load(pot + l) + factor * (V::load(cost + l + 1) + base));
        } else {
          for (; l + kW <= x.n_labels; l += kW) v = V::max(v, V::load(pot + l));
        }
        R lane[kW];
        v.store(lane);
        // Halves first: a chain of comparisons would cost more than the loop.
        for (int half = kW / 2; half; half /= 2)
          for (int k = 0; k < half; ++k)
            lane[k] = lane[k] > lane[k + half] ? lane[k] : lane[k + half];
        top = lane[0];
      }
      for (; l < x.n_labels; ++l) {
        const R v = cost ? pot[l] + x.loss_scale * (cost[l + 1] - cost[0]) : pot[l];
        top = v > top ? v : top;
      }
      x.real[i * x.row + j] = top;
    }
}
template <class R>
void label_maxima_baseline(const Labels<R>& x) {
  label_maxima<R, 4>(x);
}
template <class R>
PSX_TARGET_AVX2 void label_maxima_avx2(const Labels<R>& x) {
  label_maxima<R, 32 / sizeof(R)>(x);
}
template <class R>
using LabelMaxima = void (*)(const Labels<R>&);
template <class R>
LabelMaxima<R> choose_maxima(Isa isa) noexcept {
#if PSX_X86_DISPATCH
  if (isa != Isa::kBaseline) return label_maxima_avx2<R>;
#endif
  (void)isa;
  return label_maxima_baseline<R>;
}

// f(i, k, j) for every joint of a tree given as brackets in preorder.
template <class F>
struct Joints {
  const int32_t* code;
  int32_t m, n;  // brackets, words
  F& f;
  int32_t next = 0;

  // Visits bracket `next` and everything inside; returns its end.
  int32_t visit() {
    const int32_t at = code[2 * next++], start = at / (n + 1), end = at % (n + 1);
    int32_t position = start, parts = 0;
    while (position < end) {
      const int32_t before = position;
      if (next < m && code[2 * next] / (n + 1) == position && code[2 * next] % (n + 1) <= end)
        position = visit();
      else
        ++position;
      if (parts++) f(start, before, position);
    }
    return end;
  }
};

inline int32_t count(const int32_t* code, int32_t n) noexcept {
  int32_t m = 0;
  while (m < 2 * n - 1 && code[2 * m] >= 0) ++m;
  return m;
}

template <class F>
void each_joint(const int32_t* code, int32_t n, F&& f) {
  const int32_t m = count(code, n);
  if (m) Joints<F>{code, m, n, f}.visit();
}

}  // namespace spans

template <class R>
struct SpanSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  SpanScores<R> scores;
  const int32_t* codes = nullptr;  // truth
  bool use_splits = true;
  spans::Inside<R> inside = spans::choose<R>(detect_isa());
  spans::LabelMaxima<R> maxima = spans::choose_maxima<R>(detect_isa());

  struct Scratch {
    typename SpanScores<R>::Buffers spans;
    AlignedBuffer<R> split, split_part, real, table;
    AlignedBuffer<int32_t> gold;
    SparseSink sparse;
    bool finite = true;
    explicit Scratch(const SpanSpace& s) {
      spans.reserve(s.scores);
      int64_t longest = 1;
      for (int64_t i = 0; i < s.n_blocks(); ++i)
        longest = std::max(longest, static_cast<int64_t>(s.scores.length(i)));
      const std::size_t m = static_cast<std::size_t>(longest) + 1;
      const std::size_t st = static_cast<std::size_t>(row_stride(longest));
      if (s.use_splits) split.reserve(m * m * st);
      if (s.use_splits && s.scores.features.rich) split_part.reserve(m * m);
      real.reserve(m * st);
      table.reserve(3 * m * st);
      gold.reserve(m * m);
    }
  };

  static int64_t row_stride(int64_t length) noexcept { return (length + 1 + 16 + 15) / 16 * 16; }
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }

  int64_t n_blocks() const noexcept { return scores.n; }
  int64_t n_label_weights() const noexcept { return scores.n_rows() * scores.stride; }
  int64_t size_psi() const noexcept {
    return n_label_weights() + (use_splits ? int64_t{1} << scores.features.split_bits : 0);
  }
  int32_t code_len(int64_t i) const noexcept { return 2 * (2 * scores.length(i) - 1); }
  const int32_t* truth(int64_t i) const noexcept {
    return codes ? codes + 4 * scores.offsets[i] - 2 * i : nullptr;
  }

  // Brackets [start, end) with labels, to the first that is -1.
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const int32_t n1 = scores.length(i) + 1, m = spans::count(y, n1 - 1);
    for (int32_t k = 0; k < m; ++k) {
      const int32_t start = y[2 * k] / n1, end = y[2 * k] % n1;
      if (y[2 * k] >= n1 * n1) return {2 * k, 0, int64_t{n1} * n1 - 1};
      if (start >= end) return {2 * k, 0, -1};
      if (y[2 * k + 1] < 0 || y[2 * k + 1] >= scores.n_labels)
        return {2 * k + 1, 0, scores.n_labels - 1};
    }
    return {};
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    R check = scores.load(w, i, s.spans);
    if (use_splits)
      check += scores.load_splits(w + n_label_weights(), i, row_stride(scores.length(i)),
                                  s.split.data(), s.split_part.data());
    s.finite = check == 0;
  }

  // Score of the best label of every span with the loss, into s.real. Which label that is, is
  // asked for the O(n) spans of the best tree only.
  void best_labels(int64_t i, double loss_scale, Scratch& s) const noexcept {
    const int32_t len = scores.length(i);
    if (loss_scale != 0) {
      std::fill(s.gold.data(), s.gold.data() + int64_t{len + 1} * (len + 1), -1);
      for (int64_t k = scores.gold_offsets[i]; k < scores.gold_offsets[i + 1]; ++k)
        s.gold[idx(scores.gold_at[k])] = scores.gold_label[k];
    }
    maxima({len, scores.n_labels, scores.stride, scores.at(s.spans, len, 0, 0),
            loss_scale != 0 ? s.gold.data() : nullptr, scores.cost, static_cast<R>(loss_scale),
            s.real.data(), row_stride(len)});
  }
  int32_t best_label(int64_t i, double loss_scale, const Scratch& s, int32_t at) const noexcept {
    const int32_t len = scores.length(i);
    const R* pot = scores.at(s.spans, len, at / (len + 1), at % (len + 1));
    // What label l adds to the loss is cost[l + 1] - cost[0].
    const R* cost = loss_scale == 0
                        ? nullptr
                        : scores.cost + int64_t{scores.gold(i, at) + 1} * (scores.n_labels + 1);
    const R scale = static_cast<R>(loss_scale);
    R top = -std::numeric_limits<R>::infinity();
    int32_t arg = 0;
    for (int32_t l = 0; l < scores.n_labels; ++l) {
      const R v = cost ? pot[l] + scale * (cost[l + 1] - cost[0]) : pot[l];
      if (v > top) {
        top = v;
        arg = l;
      }
    }
    return arg;
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t len = scores.length(i);
    const int64_t st = row_stride(len), plane = len * st;
    best_labels(i, loss_scale, s);
    const spans::Chart<R> c{len,
                            st,
                            s.real.data(),
                            use_splits ? s.split.data() : nullptr,
                            s.table.data(),
                            s.table.data() + plane,
                            s.table.data() + 2 * plane};
    inside(c);
    int32_t* out = code;
    Backtrace{*this, s, c, i, loss_scale, out}.whole(0, len, true);
    const double top = len == 1 ? static_cast<double>(s.real[1])
                                : static_cast<double>(c.whole[len]);
    std::fill(out, code + code_len(i), -1);
    return top + (loss_scale != 0 ? loss_scale * scores.missed_all(i) : 0.0);
  }

  struct Backtrace {
    const SpanSpace& space;
    const Scratch& s;
    const spans::Chart<R>& c;
    int64_t block;
    double loss_scale;
    int32_t*& out;

    void whole(int32_t i, int32_t j, bool labelled) {
      if (j == i + 1 && !labelled) {
        if (s.real[idx(i * c.stride + j)] > 0) put(i, j);
        return;
      }
      put(i, j);
      if (j > i + 1) joined(i, j);
    }
    void put(int32_t i, int32_t j) {
      const int32_t at = i * (c.n + 1) + j;
      *out++ = at;
      *out++ = space.best_label(block, loss_scale, s, at);
    }
    void joined(int32_t i, int32_t j) {
      const R value = c.joined[i * c.stride + j];
      for (int32_t k = i + 1; k < j; ++k) {
        R v = c.open[i * c.stride + k] + c.whole[k * c.stride + j];
        if (c.split) v += c.split[(int64_t{i} * (c.n + 1) + k) * c.stride + j];
        if (v != value) continue;
        open(i, k);
        whole(k, j, false);
        return;
      }
    }
    void open(int32_t i, int32_t k) {
      if (k == i + 1) {
        whole(i, k, false);
      } else if (c.whole[i * c.stride + k] > c.joined[i * c.stride + k]) {
        whole(i, k, true);
      } else {
        joined(i, k);
      }
    }
  };

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    const int32_t len = scores.length(i), m = spans::count(y, len);
    const int64_t st = row_stride(len);
    double sum = 0;
    for (int32_t k = 0; k < m; ++k)
      sum += static_cast<double>(
          scores.at(s.spans, len, y[2 * k] / (len + 1), y[2 * k] % (len + 1))[y[2 * k + 1]]);
    if (use_splits)
      spans::each_joint(y, len, [&](int32_t a, int32_t k, int32_t b) {
        sum += static_cast<double>(s.split[idx((int64_t{a} * (len + 1) + k) * st + b)]);
      });
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t m = spans::count(z, scores.length(i));
    double sum = scores.missed_all(i);
    for (int32_t k = 0; k < m; ++k) sum += scores.change(i, z[2 * k], z[2 * k + 1]);
    return sum;
  }

  template <class Sink>
  void emit_joints(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    if (!use_splits) return;
    const int64_t base = n_label_weights();
    const SpanToken* x = scores.words(i);
    spans::each_joint(y, scores.length(i), [&](int32_t b, int32_t k, int32_t e) {
      scores.features.split(x, b, k, e, [&](int64_t j) { sink(base + j, a); });
    });
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int32_t len = scores.length(i), m = spans::count(y, len);
    for (int32_t k = 0; k < m; ++k)
      scores.emit(i, y[2 * k] / (len + 1), y[2 * k] % (len + 1), y[2 * k + 1], a, sink);
    emit_joints(i, y, a, sink);
  }

  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    const int32_t len = scores.length(i);
    const int32_t my = spans::count(y, len), mz = spans::count(z, len);
    only(i, y, my, z, mz, a, sink);
    only(i, z, mz, y, my, -a, sink);
    emit_joints(i, y, a, sink);
    emit_joints(i, z, -a, sink);
  }

  // Brackets of y that z does not have.
  template <class Sink>
  void only(int64_t i, const int32_t* y, int32_t my, const int32_t* z, int32_t mz, double a,
            Sink& sink) const noexcept {
    const int32_t len = scores.length(i);
    for (int32_t k = 0; k < my; ++k) {
      bool shared = false;
      for (int32_t q = 0; q < mz && !shared; ++q)
        shared = z[2 * q] == y[2 * k] && z[2 * q + 1] == y[2 * k + 1];
      if (!shared)
        scores.emit(i, y[2 * k] / (len + 1), y[2 * k] % (len + 1), y[2 * k + 1], a, sink);
    }
  }

  int part_shape(int64_t i, int64_t* shape) const noexcept { return scores.part_shape(i, shape); }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int32_t m = spans::count(y, scores.length(i));
    for (int32_t k = 0; k < m; ++k) f(int64_t{y[2 * k]} * scores.n_labels + y[2 * k + 1]);
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    scores.clear(i, s.spans);
    const int64_t len = scores.length(i);
    if (use_splits)
      std::fill(s.split.data(), s.split.data() + (len + 1) * (len + 1) * row_stride(len), R(0));
    s.finite = true;
  }
  void add_parts(int64_t i, double a, const R* parts, Scratch& s) const noexcept {
    s.finite = scores.add_parts(i, a, parts, s.spans) == 0 && s.finite;
  }

  template <class F>
  void fields(F& f) {
    scores.fields(f);
    f.array("codes", codes, "4*n_words-2*n", "-1..", kOptional);
    f.number("use_splits", use_splits, "0..1");
  }
  const char* wrong() const noexcept {
    if (const char* found = scores.wrong(codes != nullptr)) return found;
    for (int64_t i = 0; codes && i < scores.n; ++i) {
      const int32_t len = scores.length(i), m = spans::count(truth(i), len);
      for (int32_t k = 0; k < m; ++k) {
        const int32_t at = truth(i)[2 * k], label = truth(i)[2 * k + 1];
        if (at / (len + 1) >= at % (len + 1) || at / (len + 1) >= len || label < 0 ||
            label >= scores.n_labels)
          return "codes hold a span or a label that does not exist";
      }
    }
    return nullptr;
  }
};

}  // namespace pystruct_ext
