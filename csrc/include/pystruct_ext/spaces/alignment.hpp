// Alignments of two sequences with affine gaps and learned scores (SVM-align: Yu, Joachims, Elber
// and Pillardy 2008).
//
//   <w, psi(x, y)> = sum over aligned pairs (i, j), channels c and offsets o of
//                        match_{c,o}(a_c[i + o], b_c[j + o])
//                  + sum over gaps of open + extend (length - 1), each with letters of every channel
//   Delta(y, y_hat) = false_cost #(pairs of y_hat not in y) + miss_cost #(pairs of y not in y_hat)
//
// Layout of w: match tables [channel][offset][letter][letter], gap open and extend constants, then
// per channel open [letter] and extend [letter]. The last letter of a channel stands for "beyond the
// end" and unknown ones.
// Code: for every letter of the first sequence the aligned position of the second, or -1. Between
// two aligned pairs, letters of the first sequence are skipped before those of the second, so that
// every alignment has one path. Global alignments pay for gaps at the ends, local ones do not.
// O(n m) (Gotoh 1982; Smith and Waterman 1981).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"

namespace pystruct_ext {

template <class R>
struct AlignmentSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  int64_t n = 0;
  const int64_t *a_offsets = nullptr, *b_offsets = nullptr;  // (n + 1,)
  const int32_t *a = nullptr, *b = nullptr;  // letters, n_channels per position
  const int32_t* codes = nullptr;            // truth, by letter of the first sequence
  int32_t n_channels = 1, window = 0;
  const int32_t* n_letters = nullptr;        // (n_channels,) the one "beyond" included
  bool symmetric = true, local = false;
  double false_cost = 1, miss_cost = 1;

  struct Scratch {
    AlignedBuffer<R> match, best[3], skip_a, skip_b;  // skip: open, then extend, per letter
    AlignedBuffer<uint8_t> from;
    SparseSink sparse;
    bool finite = true;
    explicit Scratch(const AlignmentSpace& s) {
      int64_t la = 1, lb = 1;
      for (int64_t i = 0; i < s.n; ++i) {
        la = std::max(la, s.a_offsets[i + 1] - s.a_offsets[i]);
        lb = std::max(lb, s.b_offsets[i + 1] - s.b_offsets[i]);
      }
      const std::size_t cells = static_cast<std::size_t>((la + 1) * (lb + 1));
      match.reserve(static_cast<std::size_t>(la * lb));
      for (auto& t : best) t.reserve(cells);
      from.reserve(3 * cells);
      skip_a.reserve(2 * static_cast<std::size_t>(la));
      skip_b.reserve(2 * static_cast<std::size_t>(lb));
    }
  };
  enum State : uint8_t { kMatch, kSkipA, kSkipB, kStart };

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  int32_t la(int64_t i) const noexcept {
    return static_cast<int32_t>(a_offsets[i + 1] - a_offsets[i]);
  }
  int32_t lb(int64_t i) const noexcept {
    return static_cast<int32_t>(b_offsets[i + 1] - b_offsets[i]);
  }
  int64_t gap_at() const noexcept {
    int64_t size = 0;
    for (int32_t c = 0; c < n_channels; ++c)
      size += int64_t{2 * window + 1} * n_letters[c] * n_letters[c];
    return size;
  }
  int64_t size_psi() const noexcept {
    int64_t size = gap_at() + 2;
    for (int32_t c = 0; c < n_channels; ++c) size += 2 * n_letters[c];
    return size;
  }
  int64_t n_blocks() const noexcept { return n; }
  int32_t code_len(int64_t i) const noexcept { return la(i); }
  const int32_t* truth(int64_t i) const noexcept { return codes ? codes + a_offsets[i] : nullptr; }

  CodeFault check_code(int64_t k, const int32_t* y) const noexcept {
    int32_t before = -1;
    for (int32_t t = 0; t < la(k); ++t) {
      if (y[t] < -1 || y[t] >= lb(k)) return {t, -1, lb(k) - 1};
      if (y[t] >= 0 && y[t] <= before) return {t, 0, -1};  // crosses the pair before
      before = std::max(before, y[t]);
    }
    return {};
  }
  int32_t letter(const int32_t* x, int32_t length, int32_t t, int32_t c) const noexcept {
    return t < 0 || t >= length ? n_letters[c] - 1 : x[t * n_channels + c];
  }

  // f(index) for every feature of an aligned pair.
  template <class F>
  void pair(int64_t k, int32_t i, int32_t j, F&& f) const noexcept {
    const int32_t *x = a + a_offsets[k] * n_channels, *y = b + b_offsets[k] * n_channels;
    int64_t at = 0;
    for (int32_t c = 0; c < n_channels; ++c)
      for (int32_t o = -window; o <= window; ++o) {
        int32_t p = letter(x, la(k), i + o, c), q = letter(y, lb(k), j + o, c);
        if (symmetric && p > q) std::swap(p, q);
        f(at + int64_t{p} * n_letters[c] + q);
        at += int64_t{n_letters[c]} * n_letters[c];
      }
  }
  // One skipped letter; x points at its channels.
  template <class F>
  void skip(const int32_t* x, bool extend, F&& f) const noexcept {
    int64_t at = gap_at();
    f(at + extend);
    at += 2;
    for (int32_t c = 0; c < n_channels; ++c) {
      f(at + (extend ? n_letters[c] : 0) + x[c]);
      at += 2 * n_letters[c];
    }
  }

  void load(const R* w, int64_t k, Scratch& s) const noexcept {
    const int32_t n1 = la(k), n2 = lb(k);
    R check = 0;
    for (int32_t i = 0; i < n1; ++i)
      for (int32_t j = 0; j < n2; ++j) {
        R v = 0;
        pair(k, i, j, [&](int64_t f) { v += w[f]; });
        s.match[idx(int64_t{i} * n2 + j)] = v;
        check += v * R(0);
      }
    const auto gaps = [&](const int32_t* x, int32_t length, AlignedBuffer<R>& out) {
      for (int32_t t = 0; t < length; ++t)
        for (int e = 0; e < 2; ++e) {
          R v = 0;
          skip(x + int64_t{t} * n_channels, e == 1, [&](int64_t f) { v += w[f]; });
          out[idx(2 * t + e)] = v;
          check += v * R(0);
        }
    };
    gaps(a + a_offsets[k] * n_channels, n1, s.skip_a);
    gaps(b + b_offsets[k] * n_channels, n2, s.skip_b);
    s.finite = check == 0;
  }

  double argmax(int64_t k, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t n1 = la(k), n2 = lb(k), width = n2 + 1;
    const R none = -std::numeric_limits<R>::infinity();
    const int32_t* y = loss_scale != 0 ? codes + a_offsets[k] : nullptr;
    const R wrong = static_cast<R>(loss_scale * false_cost);
    const R right = static_cast<R>(-loss_scale * miss_cost);
    R *m = s.best[kMatch].data(), *d = s.best[kSkipA].data(), *g = s.best[kSkipB].data();
    const auto at = [&](int32_t i, int32_t j) { return int64_t{i} * width + j; };
    uint8_t* from = s.from.data();
    R top = 0;  // local: nothing aligned
    int32_t ti = -1, tj = -1;
    for (int32_t i = 0; i <= n1; ++i)
      for (int32_t j = 0; j <= n2; ++j) {
        const int64_t c = at(i, j);
        m[c] = d[c] = g[c] = none;
        // The global start counts as an aligned pair before the first letters.
        if (i == 0 && j == 0 && !local) m[c] = 0;
        if (i > 0 && j > 0) {
          const int64_t p = at(i - 1, j - 1);
          R v = m[p];
          uint8_t b = kMatch;
          if (d[p] > v) v = d[p], b = kSkipA;
          if (g[p] > v) v = g[p], b = kSkipB;
          if (local && !(v >= 0)) v = 0, b = kStart;
          v += s.match[idx(int64_t{i - 1} * n2 + j - 1)];
          if (y) v += y[i - 1] == j - 1 ? right : wrong;
          m[c] = v;
          from[3 * c] = b;
          if (local && v > top) {
            top = v;
            ti = i;
            tj = j;
          }
        }
        if (i > 0) {
          const int64_t p = at(i - 1, j);
          const R open = m[p] + s.skip_a[idx(2 * (i - 1))];
          const R more = d[p] + s.skip_a[idx(2 * (i - 1) + 1)];
          d[c] = more > open ? more : open;
          from[3 * c + 1] = more > open ? kSkipA : kMatch;
        }
        if (j > 0) {
          const int64_t p = at(i, j - 1);
          const R more = g[p] + s.skip_b[idx(2 * (j - 1) + 1)];
          const bool after = d[p] > m[p];
          const R open = (after ? d[p] : m[p]) + s.skip_b[idx(2 * (j - 1))];
          g[c] = more > open ? more : open;
          from[3 * c + 2] = more > open ? kSkipB : after ? kSkipA : kMatch;
        }
      }
    std::fill(code, code + n1, -1);
    uint8_t state = kMatch;
    int32_t i = ti, j = tj;
    if (!local) {
      i = n1;
      j = n2;
      const int64_t c = at(n1, n2);
      top = m[c];
      if (d[c] > top) top = d[c], state = kSkipA;
      if (g[c] > top) top = g[c], state = kSkipB;
    }
    while (i > 0 || j > 0) {
      if (i < 0) break;
      const uint8_t before = from[3 * at(i, j) + state];
      if (state == kMatch) {
        code[--i] = --j;
      } else if (state == kSkipA) {
        --i;
      } else {
        --j;
      }
      if (before == kStart) break;
      state = before;
    }
    double missed = 0;
    if (y)
      for (int32_t t = 0; t < n1; ++t) missed += y[t] >= 0;
    return static_cast<double>(top) + (y ? loss_scale * miss_cost * missed : 0.0);
  }

  // pair(i, j) for every aligned pair, skip(first sequence?, letter, extend) for every skipped letter.
  template <class Pair, class Skip>
  void path(int64_t k, const int32_t* y, Pair&& aligned, Skip&& skipped) const noexcept {
    const int32_t n1 = la(k), n2 = lb(k);
    int32_t i = 0, j = 0;
    bool begun = !local;
    const auto gap = [&](int32_t to_i, int32_t to_j) {
      for (int32_t t = i; t < to_i; ++t) skipped(true, t, t > i);
      for (int32_t t = j; t < to_j; ++t) skipped(false, t, t > j);
    };
    for (int32_t t = 0; t < n1; ++t) {
      if (y[t] < 0) continue;
      if (begun) gap(t, y[t]);
      aligned(t, y[t]);
      begun = true;
      i = t + 1;
      j = y[t] + 1;
    }
    if (!local) gap(n1, n2);
  }

  double score(int64_t k, const Scratch& s, const int32_t* y) const noexcept {
    double sum = 0;
    path(
        k, y,
        [&](int32_t i, int32_t j) {
          sum += static_cast<double>(s.match[idx(int64_t{i} * lb(k) + j)]);
        },
        [&](bool first, int32_t t, bool extend) {
          sum += static_cast<double>((first ? s.skip_a : s.skip_b)[idx(2 * t + extend)]);
        });
    return sum;
  }

  double loss(int64_t k, const int32_t* z) const noexcept {
    const int32_t* y = codes + a_offsets[k];
    double sum = 0;
    for (int32_t t = 0; t < la(k); ++t) {
      if (y[t] == z[t]) continue;
      if (z[t] >= 0) sum += false_cost;
      if (y[t] >= 0) sum += miss_cost;
    }
    return sum;
  }

  template <class Sink>
  void psi(int64_t k, const int32_t* y, double v, Sink& sink) const noexcept {
    const auto one = [&](int64_t f) { sink(f, v); };
    path(
        k, y, [&](int32_t i, int32_t j) { pair(k, i, j, one); },
        [&](bool first, int32_t t, bool extend) {
          skip((first ? a + (a_offsets[k] + t) * n_channels : b + (b_offsets[k] + t) * n_channels),
               extend, one);
        });
  }

  // Parts: letter i of the first sequence aligned with letter j of the second.
  int part_shape(int64_t k, int64_t* shape) const noexcept {
    shape[0] = la(k);
    shape[1] = lb(k);
    return 2;
  }
  template <class F>
  void each_part(int64_t k, const int32_t* y, F&& f) const noexcept {
    for (int32_t i = 0; i < la(k); ++i)
      if (y[i] >= 0) f(int64_t{i} * lb(k) + y[i]);
  }
  void clear(int64_t k, Scratch& s) const noexcept {
    std::fill(s.match.data(), s.match.data() + int64_t{la(k)} * lb(k), R(0));
    std::fill(s.skip_a.data(), s.skip_a.data() + 2 * la(k), R(0));
    std::fill(s.skip_b.data(), s.skip_b.data() + 2 * lb(k), R(0));
    s.finite = true;
  }
  void add_parts(int64_t k, double a_, const R* scores, Scratch& s) const noexcept {
    R check = 0;
    for (int64_t p = 0; p < int64_t{la(k)} * lb(k); ++p) {
      const R v = static_cast<R>(a_) * scores[p];
      s.match[idx(p)] += v;
      check += v * R(0);
    }
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.number("n_channels", n_channels, "1..1024");
    f.number("window", window, "0..1000");
    f.size("n", n);
    f.offsets("a_offsets", a_offsets, "n+1", "a_letters");
    f.offsets("b_offsets", b_offsets, "n+1", "b_letters");
    f.array("a", a, "a_letters,n_channels", "0..n_letters[]-1");
    f.array("b", b, "b_letters,n_channels", "0..n_letters[]-1");
    f.array("codes", codes, "a_letters", "-1..#b_offsets-1", kOptional);
    f.array("n_letters", n_letters, "n_channels", "1..1048576");
    f.number("symmetric", symmetric, "0..1");
    f.number("local", local, "0..1");
    f.number("false_cost", false_cost, "0..");
    f.number("miss_cost", miss_cost, "0..");
  }
  const char* wrong() const noexcept {
    if (!table_fits(longest_block(a_offsets, n) + 1, longest_block(b_offsets, n) + 1, 3))
      return "the tables of the longest pair of sequences are too large";
    for (int64_t i = 0; codes && i < n; ++i) {
      int32_t before = -1;
      for (int32_t t = 0; t < la(i); ++t) {
        const int32_t j = truth(i)[t];
        if (j < 0) continue;
        if (j <= before) return "codes must rise: alignments do not cross";
        before = j;
      }
    }
    return nullptr;
  }
};

}  // namespace pystruct_ext
