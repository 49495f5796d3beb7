// Semi-Markov chains: y cuts a sequence into labelled segments (Sarawagi and Cohen 2004).
//
//   <w, psi(x, y)> = sum over segments [s, e) with label l of
//       sum_{s <= t < e} <inside_l, x_t> + <first_l, x_s> + <last_l, x_{e-1}> + length(e - s, l)
//     + transitions between neighbours + start + end
//
// Layout of w: inside (n_features, stride), if `boundary` first and last of the same shape, length
// (n_lengths, stride), transitions (K, stride) [previous][next], start (stride,), end (stride,).
// Code: 2 label + 1 for the first token of a segment, 2 label for the others.
// O(n (K L + K^2)) for longest segments L: prefix sums make a segment's score O(1) per label.
//
// Where only the labels of the segments are known, in order, but not where they begin (`order`), the
// loss is on those: 1 for each place in the two lists where they differ, or where one has ended. The
// search then has a state more, the number of segments so far: O(m) times as long for m labels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/rows.hpp"

namespace pystruct_ext {

template <class R>
struct SegmentSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  Rows<R> rows;
  int64_t n = 0;
  const int64_t* offsets = nullptr;     // (n + 1,) rows of sequence i
  const int32_t* codes = nullptr;       // (n_rows,) truth
  int32_t n_labels = 0, stride = 0;     // K, padded to a multiple of 8
  bool boundary = true;
  int32_t n_lengths = 0;                // lengths with a weight of their own; longer ones share the last
  const int32_t* longest = nullptr;     // (K,) longest segment of a label
  bool token_loss = true;               // else segments
  int32_t outside = -1;                 // label whose segments do not count in the segment loss
  const int64_t* order_offsets = nullptr;  // (n + 1,) or nullptr: all segments are known
  const int32_t* order = nullptr;       // labels in order of sequences without known segments, else empty
  int32_t top = 0;                      // longest segment of any label that a sequence has room for

  struct Scratch {
    AlignedBuffer<R> row, inside, first, last, best, join, length, transition, start, end, loss;
    AlignedBuffer<R> order_best, order_join;  // with a number of segments, as best and join
    AlignedBuffer<R> extra;  // scores of segments from outside, made at first use
    SparseSink sparse;
    bool finite = true, has_extra = false;
    explicit Scratch(const SegmentSpace& s) {
      int64_t most = 1;
      for (int64_t i = 0; i < s.n; ++i) most = std::max(most, s.offsets[i + 1] - s.offsets[i]);
      const std::size_t st = static_cast<std::size_t>(s.stride);
      const std::size_t m = (static_cast<std::size_t>(most) + 1) * st;
      row.reserve(st);
      inside.reserve(m);
      first.reserve(m);
      last.reserve(m);
      best.reserve(m);
      join.reserve(m);
      loss.reserve(m);
      length.reserve((static_cast<std::size_t>(s.most()) + 1) * st);
      transition.reserve(static_cast<std::size_t>(s.n_labels) * st);
      start.reserve(st);
      end.reserve(st);
      std::size_t states = 0;
      for (int64_t i = 0; s.order_offsets && i < s.n; ++i)
        if (s.n_ordered(i)) states = std::max(states, idx(s.n_states(i)));
      order_best.reserve(states * st);
      order_join.reserve(states * st);
    }
  };

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  int32_t most() const noexcept { return top; }
  int64_t block() const noexcept { return rows.n_features * stride; }
  int64_t first_at() const noexcept { return block(); }
  int64_t last_at() const noexcept { return 2 * block(); }
  int64_t length_at() const noexcept { return boundary ? 3 * block() : block(); }
  int64_t transition_at() const noexcept { return length_at() + int64_t{n_lengths} * stride; }
  int64_t start_at() const noexcept { return transition_at() + int64_t{n_labels} * stride; }
  int64_t end_at() const noexcept { return start_at() + stride; }
  int64_t size_psi() const noexcept { return end_at() + stride; }
  int64_t n_blocks() const noexcept { return n; }
  int32_t code_len(int64_t i) const noexcept {
    return static_cast<int32_t>(offsets[i + 1] - offsets[i]);
  }
  const int32_t* truth(int64_t i) const noexcept { return codes ? codes + offsets[i] : nullptr; }
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const int32_t len = code_len(i);
    const CodeFault fault = entries_in(y, 0, len, 0, 2 * n_labels - 1);
    if (fault.at >= 0) return fault;
    // A segment begins at the first token, keeps its label, and is not longer than it may be.
    for (int32_t t = 0, first = 0; t < len; ++t) {
      if (y[t] & 1) first = t;
      if (y[first] != (y[t] | 1) || t - first >= longest[y[t] >> 1]) return {t, 0, -1};
    }
    return {};
  }
  // Labels in order where only those are known, else 0.
  int64_t n_ordered(int64_t i) const noexcept {
    return order_offsets ? order_offsets[i + 1] - order_offsets[i] : 0;
  }
  int64_t n_states(int64_t i) const noexcept {
    return (n_ordered(i) + 1) * (int64_t{code_len(i)} + 1);
  }
  int32_t length_index(int32_t length) const noexcept {
    return std::min(length, n_lengths) - 1;
  }

  // out = sum over the features of row r of the weights from `base` on.
  void score_row(const R* base, int64_t r, R* out) const noexcept {
    using V = Vec<R, 8>;
    std::fill(out, out + stride, R(0));
    const auto row = rows.row(r);
    for (int64_t k = 0; k < row.nnz; ++k) {
      const R* from = base + row.feature(k) * stride;
      const V v = V::splat(row.value(k));
      for (int32_t l = 0; l < stride; l += 8)
        (V::load(out + l) + V::load(from + l) * v).store(out + l);
    }
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    const int32_t len = code_len(i);
    const R none = -std::numeric_limits<R>::infinity();
    R check = 0;
    s.has_extra = false;
    std::fill(s.inside.data(), s.inside.data() + stride, R(0));
    for (int32_t t = 0; t < len; ++t) {
      const int64_t r = offsets[i] + t, at = int64_t{t} * stride;
      score_row(w, r, s.row.data());
      for (int32_t l = 0; l < stride; ++l)
        s.inside[idx(at + stride + l)] = s.inside[idx(at + l)] + s.row[idx(l)];
      if (boundary) {
        score_row(w + first_at(), r, s.first.data() + at);
        score_row(w + last_at(), r, s.last.data() + at);
      } else {
        std::fill(s.first.data() + at, s.first.data() + at + stride, R(0));
        std::fill(s.last.data() + at, s.last.data() + at + stride, R(0));
      }
      for (int32_t l = 0; l < n_labels; ++l)
        check += (s.row[idx(l)] + s.first[idx(at + l)] + s.last[idx(at + l)]) * R(0);
    }
    const int32_t top = most();
    for (int32_t d = 1; d <= top; ++d)
      for (int32_t l = 0; l < stride; ++l) {
        const bool may = l < n_labels && d <= longest[l];
        const R v = w[length_at() + int64_t{length_index(d)} * stride + l];
        if (may) check += v * R(0);
        s.length[idx(int64_t{d} * stride + l)] = may ? v : none;
      }
    for (int32_t p = 0; p < n_labels; ++p)
      for (int32_t l = 0; l < stride; ++l) {
        const R v = l < n_labels ? w[transition_at() + int64_t{p} * stride + l] : R(0);
        check += v * R(0);
        s.transition[idx(int64_t{p} * stride + l)] = v;
      }
    for (int32_t l = 0; l < stride; ++l) {
      s.start[idx(l)] = l < n_labels ? w[start_at() + l] : none;
      s.end[idx(l)] = l < n_labels ? w[end_at() + l] : none;
      if (l < n_labels) check += (s.start[idx(l)] + s.end[idx(l)]) * R(0);
    }
    s.finite = check == 0;
  }

  // End of the segment that starts at t.
  static int32_t segment_end(const int32_t* y, int32_t t, int32_t len) noexcept {
    ++t;
    while (t < len && !(y[t] & 1)) ++t;
    return t;
  }
  bool in_truth(const int32_t* y, int32_t b, int32_t e, int32_t l, int32_t len) const noexcept {
    return y[b] == 2 * l + 1 && segment_end(y, b, len) == e;
  }
  double segment_loss(const int32_t* y, int32_t b, int32_t e, int32_t l,
                      int32_t len) const noexcept {
    if (l == outside) return 0;
    return in_truth(y, b, e, l, len) ? -1.0 : 1.0;
  }
  double missed_all(const int32_t* y, int32_t len) const noexcept {
    double sum = 0;
    for (int32_t t = 0; t < len; ++t) sum += (y[t] & 1) && (y[t] >> 1) != outside;
    return sum;
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    if (loss_scale != 0 && n_ordered(i)) return search_order(i, loss_scale, s, code);
    const bool own = s.has_extra || (loss_scale != 0 && !token_loss);
    return own ? search<true>(i, loss_scale, s, code) : search<false>(i, loss_scale, s, code);
  }

  // kOwn: segments are worth something beyond sums over their tokens (the loss on segments, scores
  // from outside), which takes a scalar loop over labels.
  template <bool kOwn>
  double search(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    using V = Vec<R, 8>;
    const int32_t len = code_len(i), top = most();
    const R none = -std::numeric_limits<R>::infinity(), scale = static_cast<R>(loss_scale);
    const int32_t* y = loss_scale != 0 ? codes + offsets[i] : nullptr;
    const bool tokens = y && token_loss, segments = y && !token_loss;
    [[maybe_unused]] const auto own_value = [&](int32_t b, int32_t e, int32_t l) {
      R v = segments ? scale * static_cast<R>(segment_loss(y, b, e, l, len)) : R(0);
      if (s.has_extra) v += s.extra[idx(part_at(b, e, l, len))];
      return v;
    };
    if (tokens) {
      std::fill(s.loss.data(), s.loss.data() + stride, R(0));
      for (int32_t t = 0; t < len; ++t)
        for (int32_t l = 0; l < stride; ++l)
          s.loss[idx(int64_t{t + 1} * stride + l)] =
              s.loss[idx(int64_t{t} * stride + l)] + ((y[t] >> 1) == l ? R(0) : scale);
    }
    // join[b]: best of everything before b, given the label of the segment that starts there.
    for (int32_t l = 0; l < stride; ++l) s.join[idx(l)] = s.start[idx(l)];
    for (int32_t e = 1; e <= len; ++e) {
      R* best = s.best.data() + int64_t{e} * stride;
      std::fill(best, best + stride, none);
      for (int32_t d = 1; d <= std::min(e, top); ++d) {
        const int64_t b = e - d;
        const R* in = s.inside.data() + b * stride;
        for (int32_t l = 0; l < stride; l += 8) {
          const V minus = V::splat(R(-1));
          V v = V::load(s.join.data() + b * stride + l) + V::load(s.first.data() + b * stride + l) +
                V::load(s.length.data() + int64_t{d} * stride + l) + V::load(in + l) * minus;
          if (tokens) v = v + V::load(s.loss.data() + b * stride + l) * minus;
          V::max(V::load(best + l), v).store(best + l);
        }
        if constexpr (kOwn)
          for (int32_t l = 0; l < n_labels; ++l) {
            // Once more with what is not linear in the tokens.
            R v = s.join[idx(b * stride + l)] + s.first[idx(b * stride + l)] +
                  s.length[idx(int64_t{d} * stride + l)] - in[l] +
                  own_value(static_cast<int32_t>(b), e, l);
            if (tokens) v -= s.loss[idx(b * stride + l)];
            if (d == 1 || v > s.row[idx(l)]) s.row[idx(l)] = v;
          }
      }
      for (int32_t l = 0; l < n_labels; ++l) {
        if constexpr (kOwn) best[l] = s.row[idx(l)];
        best[l] += s.inside[idx(int64_t{e} * stride + l)] +
                   s.last[idx(int64_t{e - 1} * stride + l)];
        if (tokens) best[l] += s.loss[idx(int64_t{e} * stride + l)];
      }
      R* join = s.join.data() + int64_t{e} * stride;
      std::fill(join, join + stride, none);
      if (e == len) break;
      for (int32_t p = 0; p < n_labels; ++p) {
        const V v = V::splat(best[p]);
        const R* t = s.transition.data() + int64_t{p} * stride;
        for (int32_t l = 0; l < stride; l += 8)
          V::max(V::load(join + l), v + V::load(t + l)).store(join + l);
      }
    }
    R value = none;
    int32_t label = 0;
    for (int32_t l = 0; l < n_labels; ++l) {
      const R v = s.best[idx(int64_t{len} * stride + l)] + s.end[idx(l)];
      if (v > value) {
        value = v;
        label = l;
      }
    }
    if (!std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
    for (int32_t e = len; e > 0;) {
      R most_value = none;
      int32_t arg = 1;
      for (int32_t d = 1; d <= std::min(e, top); ++d) {
        const int64_t at = int64_t{e - d} * stride + label;
        R v = s.join[idx(at)] + s.first[idx(at)] + s.length[idx(int64_t{d} * stride + label)] -
              s.inside[idx(at)];
        if (tokens) v -= s.loss[idx(at)];
        if constexpr (kOwn) v += own_value(e - d, e, label);
        if (v > most_value) {
          most_value = v;
          arg = d;
        }
      }
      const int32_t b = e - arg;
      for (int32_t t = b; t < e; ++t) code[t] = 2 * label;
      code[b] += 1;
      e = b;
      if (b == 0) break;
      R top_value = none;
      int32_t from = 0;
      for (int32_t p = 0; p < n_labels; ++p) {
        const R v = s.best[idx(int64_t{b} * stride + p)] +
                    s.transition[idx(int64_t{p} * stride + label)];
        if (v > top_value) {
          top_value = v;
          from = p;
        }
      }
      label = from;
    }
    return static_cast<double>(value) + (segments ? loss_scale * missed_all(y, len) : 0.0);
  }

  // The loss on labels in order; after c segments, or m where there are more.
  double search_order(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    const int32_t len = code_len(i), top = most();
    const int64_t m = n_ordered(i);
    const int32_t* want = order + order_offsets[i];
    const R none = -std::numeric_limits<R>::infinity(), scale = static_cast<R>(loss_scale);
    const auto at = [&](int64_t c, int64_t t) { return (c * (len + 1) + t) * stride; };
    // Segment [b, e) with label l after c others, without the parts that only e and l decide.
    const auto value_of = [&](int64_t c, int32_t b, int32_t e, int32_t l) {
      R v = s.order_join[idx(at(c, b) + l)] + s.first[idx(int64_t{b} * stride + l)] +
            s.length[idx(int64_t{e - b} * stride + l)] - s.inside[idx(int64_t{b} * stride + l)];
      if (c == m || want[c] != l) v += scale;
      if (s.has_extra) v += s.extra[idx(part_at(b, e, l, len))];
      return v;
    };
    std::fill(s.order_join.data(), s.order_join.data() + at(m + 1, 0), none);
    std::fill(s.order_best.data(), s.order_best.data() + at(m + 1, 0), none);
    for (int32_t l = 0; l < n_labels; ++l) s.order_join[idx(l)] = s.start[idx(l)];
    for (int32_t e = 1; e <= len; ++e)
      for (int64_t c = 0; c <= m; ++c) {  // before the segment that ends at e
        R* best = s.order_best.data() + at(std::min(c + 1, m), e);
        for (int32_t d = 1; d <= std::min(e, top); ++d) {
          if (c > e - d) continue;  // more segments than tokens
          for (int32_t l = 0; l < n_labels; ++l)
            best[l] = std::max(best[l], value_of(c, e - d, e, l));
        }
        if (c < m - 1) close(e, best, s.order_join.data() + at(c + 1, e), e < len, s);
        if (c == m) close(e, best, s.order_join.data() + at(m, e), e < len, s);
      }
    R value = none;
    int32_t label = 0;
    int64_t count = 0;
    for (int64_t c = 1; c <= m; ++c)
      for (int32_t l = 0; l < n_labels; ++l) {
        const R v = s.order_best[idx(at(c, len) + l)] + s.end[idx(l)] + scale * static_cast<R>(m - c);
        if (v > value) {
          value = v;
          label = l;
          count = c;
        }
      }
    if (!std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
    for (int32_t e = len; e > 0;) {
      R most_value = none;
      int32_t begin = e - 1;
      int64_t before = count - 1;
      for (int64_t c = count - 1; c <= (count == m ? m : count - 1); ++c)
        for (int32_t d = 1; d <= std::min(e, top); ++d) {
          if (c > e - d) continue;
          const R v = value_of(c, e - d, e, label);
          if (v > most_value) {
            most_value = v;
            begin = e - d;
            before = c;
          }
        }
      for (int32_t t = begin; t < e; ++t) code[t] = 2 * label;
      code[begin] += 1;
      e = begin;
      count = before;
      if (begin == 0) break;
      R top_value = none;
      int32_t from = 0;
      for (int32_t p = 0; p < n_labels; ++p) {
        const R v = s.order_best[idx(at(count, begin) + p)] +
                    s.transition[idx(int64_t{p} * stride + label)];
        if (v > top_value) {
          top_value = v;
          from = p;
        }
      }
      label = from;
    }
    return static_cast<double>(value);
  }
  // Segments that end at e: what they have in common, and the label that follows.
  void close(int32_t e, R* best, R* join, bool more, const Scratch& s) const noexcept {
    using V = Vec<R, 8>;
    for (int32_t l = 0; l < n_labels; ++l)
      best[l] += s.inside[idx(int64_t{e} * stride + l)] + s.last[idx(int64_t{e - 1} * stride + l)];
    for (int32_t p = 0; more && p < n_labels; ++p) {
      const V v = V::splat(best[p]);
      const R* t = s.transition.data() + int64_t{p} * stride;
      for (int32_t l = 0; l < stride; l += 8)
        V::max(V::load(join + l), v + V::load(t + l)).store(join + l);
    }
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    const int32_t len = code_len(i);
    double sum = 0;
    int32_t before = -1;
    for (int32_t b = 0; b < len;) {
      const int32_t e = segment_end(y, b, len), l = y[b] >> 1;
      const auto at = [&](const AlignedBuffer<R>& a, int64_t t) {
        return static_cast<double>(a[idx(t * stride + l)]);
      };
      sum += at(s.inside, e) - at(s.inside, b) + at(s.first, b) + at(s.last, e - 1) +
             at(s.length, e - b);
      if (s.has_extra) sum += static_cast<double>(s.extra[idx(part_at(b, e, l, len))]);
      sum += before < 0 ? static_cast<double>(s.start[idx(l)]) : at(s.transition, before);
      before = l;
      b = e;
    }
    return sum + static_cast<double>(s.end[idx(before)]);
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t len = code_len(i);
    const int32_t* y = codes + offsets[i];
    double sum = 0;
    if (const int64_t m = n_ordered(i)) {
      const int32_t* want = order + order_offsets[i];
      int64_t c = 0;
      for (int32_t t = 0; t < len; ++t)
        if (z[t] & 1) {
          sum += c >= m || want[c] != (z[t] >> 1);
          ++c;
        }
      return sum + static_cast<double>(std::max<int64_t>(0, m - c));
    }
    if (token_loss) {
      for (int32_t t = 0; t < len; ++t) sum += (y[t] >> 1) != (z[t] >> 1);
      return sum;
    }
    sum = missed_all(y, len);
    for (int32_t b = 0; b < len;) {
      const int32_t e = segment_end(z, b, len);
      sum += segment_loss(y, b, e, z[b] >> 1, len);
      b = e;
    }
    return sum;
  }

  template <class Sink>
  void emit_row(int64_t base, int64_t r, int32_t l, double a, Sink& sink) const noexcept {
    const auto row = rows.row(r);
    for (int64_t k = 0; k < row.nnz; ++k)
      sink(base + row.feature(k) * stride + l, a * static_cast<double>(row.value(k)));
  }

  // Everything but the features inside of segments.
  template <class Sink>
  void emit_segments(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int32_t len = code_len(i);
    int32_t before = -1;
    for (int32_t b = 0; b < len;) {
      const int32_t e = segment_end(y, b, len), l = y[b] >> 1;
      if (boundary) {
        emit_row(first_at(), offsets[i] + b, l, a, sink);
        emit_row(last_at(), offsets[i] + e - 1, l, a, sink);
      }
      sink(length_at() + int64_t{length_index(e - b)} * stride + l, a);
      sink(before < 0 ? start_at() + l : transition_at() + int64_t{before} * stride + l, a);
      before = l;
      b = e;
    }
    sink(end_at() + before, a);
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    for (int32_t t = 0; t < code_len(i); ++t) emit_row(0, offsets[i] + t, y[t] >> 1, a, sink);
    emit_segments(i, y, a, sink);
  }

  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    for (int32_t t = 0; t < code_len(i); ++t)
      if ((y[t] >> 1) != (z[t] >> 1)) {
        emit_row(0, offsets[i] + t, y[t] >> 1, a, sink);
        emit_row(0, offsets[i] + t, z[t] >> 1, -a, sink);
      }
    emit_segments(i, y, a, sink);
    emit_segments(i, z, -a, sink);
  }

  // Parts: the segment [b, e) with label l, in an array of (len + 1, len + 1, K).
  int64_t part_at(int32_t b, int32_t e, int32_t l, int32_t len) const noexcept {
    return (int64_t{b} * (len + 1) + e) * n_labels + l;
  }
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = shape[1] = code_len(i) + 1;
    shape[2] = n_labels;
    return 3;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int32_t len = code_len(i);
    for (int32_t b = 0; b < len;) {
      const int32_t e = segment_end(y, b, len);
      f(part_at(b, e, y[b] >> 1, len));
      b = e;
    }
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    const int64_t rows_here = (int64_t{code_len(i)} + 1) * stride;
    for (auto* a : {&s.inside, &s.first, &s.last}) std::fill(a->data(), a->data() + rows_here, R(0));
    const R none = -std::numeric_limits<R>::infinity();
    for (int32_t d = 1; d <= most(); ++d)
      for (int32_t l = 0; l < stride; ++l)
        s.length[idx(int64_t{d} * stride + l)] = l < n_labels && d <= longest[l] ? R(0) : none;
    std::fill(s.transition.data(), s.transition.data() + int64_t{n_labels} * stride, R(0));
    for (int32_t l = 0; l < stride; ++l)
      s.start[idx(l)] = s.end[idx(l)] = l < n_labels ? R(0) : none;
    s.finite = true;
    s.has_extra = false;
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const {
    const int32_t len = code_len(i);
    const int64_t size = part_at(len, len, n_labels, len);
    s.extra.reserve(idx(size));
    if (!s.has_extra) std::fill(s.extra.data(), s.extra.data() + size, R(0));
    R check = 0;
    for (int32_t b = 0; b < len; ++b)
      for (int32_t e = b + 1; e <= len; ++e)
        for (int32_t l = 0; l < n_labels; ++l) {
          const int64_t at = part_at(b, e, l, len);
          const R v = static_cast<R>(a) * scores[at];
          s.extra[idx(at)] += v;
          check += v * R(0);
        }
    s.has_extra = true;
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_rows");
    rows.fields(f, "n_rows+1", "nnz|n_rows*n_features");
    f.array("codes", codes, "n_rows", "0..2*n_labels-1", kOptional);
    f.number("n_labels", n_labels, "1..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.number("boundary", boundary, "0..1");
    f.number("n_lengths", n_lengths, "1..2147483647");
    f.array("longest", longest, "n_labels", "1..");
    f.number("token_loss", token_loss, "0..1");
    f.number("outside", outside, "-1..n_labels-1");
    f.offsets("order_offsets", order_offsets, "n+1", "n_order", kOptional);
    f.array("order", order, "n_order", "0..n_labels-1; with order_offsets", kOptional);
    if (offsets && longest)
      top = static_cast<int32_t>(std::min<int64_t>(
          *std::max_element(longest, longest + n_labels), longest_block(offsets, n)));
  }
  const char* wrong() const noexcept {
    if (!table_fits(longest_block(offsets, n) + 1, stride))
      return "the tables of the longest sequence are too large";
    for (int64_t i = 0; i < n; ++i)
      if (n_ordered(i) && !table_fits(n_states(i), stride))
        return "the tables of labels in order are too large";
    for (int64_t i = 0; codes && i < n; ++i) {
      const int32_t *y = truth(i), len = code_len(i);
      for (int32_t b = 0; b < len;) {
        const int32_t e = segment_end(y, b, len);
        if (!(y[b] & 1) || e - b > longest[y[b] >> 1])
          return "codes hold a segment that is too long, or does not begin";
        for (int32_t t = b + 1; t < e; ++t)
          if (y[t] != y[b] - 1) return "codes hold a segment of several labels";
        b = e;
      }
    }
    return nullptr;
  }
};

}  // namespace pystruct_ext
