// Dependency trees: every word has a head, and maybe a label.
//
//   <w, psi(x, y)> = sum_m arc(h_m, m) + label(h_m, m, l_m) [+ sibling(h, s, m)] [+ grand(g, h, m)]
//   Delta(y, y_hat) = sum_m weight_m [head wrong, or with labels: head or label wrong]
//
// Layout of w: arc (sibling, grandparent) weights (n_arc,), then label weights (n_label_rows, stride).
// Code: heads (0 is the root), then, if labelled, labels.
//
// Arc scores come either from hashed features of words and tags (arc_features.hpp) or from rows the
// user gives, one per pair (head, modifier).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/rows.hpp"
#include "pystruct_ext/trees/arborescence.hpp"
#include "pystruct_ext/trees/arc_features.hpp"
#include "pystruct_ext/trees/eisner.hpp"
#include "pystruct_ext/trees/grandparents.hpp"
#include "pystruct_ext/trees/second_order.hpp"

namespace pystruct_ext {

template <class R>
struct DependencySpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  int64_t n = 0;
  const int64_t* offsets = nullptr;      // (n + 1,) words of sentence i
  const int32_t* heads = nullptr;        // (n_words,) truth
  const int32_t* labels = nullptr;       // (n_words,) truth, if labelled
  const int32_t* codes = nullptr;        // truth as codes: see code_len
  int64_t n_codes = 0;
  const R* word_weight = nullptr;        // (n_words,) weight in the loss, or nullptr
  int32_t n_labels = 0, stride = 0;      // 0: unlabelled; stride a multiple of 8
  bool label_counts = false;             // whether a wrong label is a loss
  bool projective = true, siblings = false, grandparents = false;
  int64_t n_arc = 0, n_label_rows = 0;
  ArcFeatures features;                  // hashed features, unless rows are given
  int label_bits = 0;
  bool use_rows = false;
  Rows<R> rows;                          // one row per (head, modifier): h * length + m - 1
  const int64_t* row_offsets = nullptr;  // (n + 1,) first row of sentence i
  eisner::Inside<R> inside = eisner::choose<R>(detect_isa());
  grandparents::Inside<R> grand_inside = grandparents::choose<R>(detect_isa());

  struct Scratch {
    AlignedBuffer<R> arc, arc_out, label, label_head, label_mod, head_part, mod_part;
    AlignedBuffer<R> best;            // arc with its best label
    AlignedBuffer<R> table;
    SecondOrder<R> second;
    AlignedBuffer<ArcContext> context;  // [a * (n + 1) + b], a < b
    AlignedBuffer<int32_t> best_label;
    AlignedBuffer<int64_t> index;
    Arborescence tree;
    SparseSink sparse;
    bool finite = true;
    explicit Scratch(const DependencySpace& s) {
      int64_t longest = 1;
      for (int64_t i = 0; i < s.n; ++i)
        longest = std::max(longest, s.offsets[i + 1] - s.offsets[i]);
      const std::size_t m = static_cast<std::size_t>(longest) + 2;
      const std::size_t st = static_cast<std::size_t>(row_stride(longest));
      arc.reserve(m * st);
      arc_out.reserve(m * st);
      best.reserve(m * st);
      if (s.n_labels) {
        label.reserve(m * m * static_cast<std::size_t>(s.stride));
        label_head.reserve(2 * m * static_cast<std::size_t>(s.stride));
        label_mod.reserve(2 * m * static_cast<std::size_t>(s.stride));
        best_label.reserve(m * m);
      }
      const std::size_t parts = m * 2 * ArcFeatures::kDistances;
      head_part.reserve(parts);
      mod_part.reserve(parts);
      index.reserve(256);
      if (s.features.rich) context.reserve(m * m);
      second.reserve(static_cast<std::size_t>(longest), st, s.siblings, s.grandparents);
      if (s.grandparents) table.reserve(3 * m * m * st + 4 * st);
      else if (s.projective) table.reserve((5 * m + 4) * st);
      else tree.reserve(static_cast<int32_t>(longest));
    }
  };

  static int64_t row_stride(int64_t length) noexcept { return (length + 16 + 15) / 16 * 16; }

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return n_arc + n_label_rows * stride; }
  int32_t length(int64_t i) const noexcept {
    return static_cast<int32_t>(offsets[i + 1] - offsets[i]);
  }
  int32_t code_len(int64_t i) const noexcept { return length(i) * (n_labels ? 2 : 1); }
  const int32_t* truth(int64_t i) const noexcept {
    return codes ? codes + offsets[i] * (n_labels ? 2 : 1) : nullptr;
  }
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const int32_t len = length(i);
    for (int32_t m = 1; m <= len; ++m) {
      if (y[m - 1] < 0 || y[m - 1] > len) return {m - 1, 0, len};
      if (y[m - 1] == m) return {m - 1, 0, -1};  // its own head
    }
    return entries_in(y, len, code_len(i), 0, n_labels - 1);
  }
  const ArcToken* words(int64_t i) const noexcept {
    return features.tokens + offsets[i] + 3 * i + 1;  // the root
  }
  const uint8_t* tag_index(int64_t i) const noexcept {
    return features.tag_index + offsets[i] + 3 * i + 1;
  }
  ArcFeatures label_features() const noexcept {
    ArcFeatures f = features;
    f.bits = label_bits;
    return f;
  }
  uint64_t tags_between(const uint8_t* tag, int32_t h, int32_t m) const noexcept {
    uint64_t set = 0;
    for (int32_t b = std::min(h, m) + 1; b < std::max(h, m); ++b) set |= uint64_t{1} << tag[b];
    return set;
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    const int32_t len = length(i);
    const int64_t st = row_stride(len);
    R check = 0;
    s.second.set_shape(len, st);
    if (features.rich) fill_contexts(words(i), tag_index(i), len, s.context.data());
    if (use_rows) load_rows(w, i, s);
    else load_hashed(w, i, s);
    for (int32_t m = 1; m <= len; ++m)
      for (int32_t h = 0; h <= len; ++h)
        if (h != m) check += s.arc[idx(m * st + h)] * R(0);
    if (n_labels) check += load_labels(w, i, s);
    if (siblings) check += s.second.load_siblings(features, words(i), w);
    if (grandparents) check += s.second.load_grandparents(features, words(i), w);
    s.finite = check == 0;
  }

  void load_rows(const R* w, int64_t i, Scratch& s) const noexcept {
    const int32_t len = length(i);
    const int64_t st = row_stride(len);
    for (int32_t h = 0; h <= len; ++h)
      for (int32_t m = 1; m <= len; ++m) {
        if (h == m) continue;
        const auto row = rows.row(row_offsets[i] + int64_t{h} * len + m - 1);
        R sum = 0;
        for (int64_t k = 0; k < row.nnz; ++k) sum += w[row.feature(k)] * row.value(k);
        s.arc[idx(m * st + h)] = sum;
      }
  }

  void load_hashed(const R* w, int64_t i, Scratch& s) const noexcept {
    const int32_t len = length(i);
    const int64_t st = row_stride(len);
    const ArcToken* x = words(i);
    const uint8_t* tag = tag_index(i);
    constexpr int kD = ArcFeatures::kDistances;
    // What depends on one word, its role, direction and distance is summed once.
    for (int32_t t = 0; t <= len; ++t)
      for (uint32_t dir = 0; dir < 2; ++dir)
        for (uint32_t d = 0; d < kD; ++d) {
          R hs = 0, ms = 0;
          // Distances that this word cannot have are skipped.
          const int32_t near = d < 5 ? static_cast<int32_t>(d) + 1 : 10;
          const bool h_can = dir ? t + near <= len : t - near >= 1;
          const bool m_can = t > 0 && (dir ? t - near >= 0 : t + near <= len);
          if (h_can) features.head(x + t, dir, d, [&](int64_t j) { hs += w[j]; });
          if (m_can) features.modifier(x + t, dir, d, [&](int64_t j) { ms += w[j]; });
          s.head_part[idx((t * 2 + static_cast<int32_t>(dir)) * kD + static_cast<int32_t>(d))] = hs;
          s.mod_part[idx((t * 2 + static_cast<int32_t>(dir)) * kD + static_cast<int32_t>(d))] = ms;
        }
    for (int32_t a = 0; a <= len; ++a) {
      uint64_t set = 0;
      for (int32_t b = a + 1; b <= len; ++b) {
        if (b - 1 > a) set |= uint64_t{1} << tag[b - 1];
        const uint32_t d = static_cast<uint32_t>(ArcFeatures::distance(a, b));
        for (uint32_t dir = 0; dir < 2; ++dir) {
          const int32_t h = dir ? a : b, m = dir ? b : a;
          if (m == 0) continue;
          // Indices first, weights later: the reads overlap.
          int64_t* at = s.index.data();
          features.both(x + h, x + m, dir, d, set, [&](int64_t j) {
            PSX_PREFETCH(w + j);
            *at++ = j;
          });
          if (features.rich)
            features.both_rich(x + h, x + m, dir, d, s.context[idx(int64_t{a} * (len + 1) + b)],
                               [&](int64_t j) {
                                 PSX_PREFETCH(w + j);
                                 *at++ = j;
                               });
          R sum = s.head_part[idx((h * 2 + static_cast<int32_t>(dir)) * kD + static_cast<int32_t>(d))] +
                  s.mod_part[idx((m * 2 + static_cast<int32_t>(dir)) * kD + static_cast<int32_t>(d))];
          for (const int64_t* p = s.index.data(); p < at; ++p) sum += w[*p];
          s.arc[idx(m * st + h)] = sum;
        }
      }
    }
  }

  R load_labels(const R* w, int64_t i, Scratch& s) const noexcept {
    const int32_t len = length(i);
    const R* base = w + n_arc;
    const auto add = [&](R* out, int64_t row) {
      const R* from = base + row * stride;
      for (int32_t l = 0; l < stride; l += 8) {
        using V = Vec<R, 8>;
        (V::load(out + l) + V::load(from + l)).store(out + l);
      }
    };
    if (use_rows) {
      for (int32_t m = 1; m <= len; ++m)
        for (int32_t h = 0; h <= len; ++h) {
          if (h == m) continue;
          R* out = label_at(s, len, h, m);
          std::fill(out, out + stride, R(0));
          const auto row = rows.row(row_offsets[i] + int64_t{h} * len + m - 1);
          for (int64_t k = 0; k < row.nnz; ++k) {
            const R* from = base + row.feature(k) * stride;
            const R v = row.value(k);
            for (int32_t l = 0; l < stride; ++l) out[l] += v * from[l];
          }
        }
    } else {
      const ArcToken* x = words(i);
      const ArcFeatures f = label_features();
      for (int32_t t = 0; t <= len; ++t)
        for (uint32_t dir = 0; dir < 2; ++dir) {
          R* lh = s.label_head.data() + (t * 2 + static_cast<int32_t>(dir)) * stride;
          R* lm = s.label_mod.data() + (t * 2 + static_cast<int32_t>(dir)) * stride;
          std::fill(lh, lh + stride, R(0));
          std::fill(lm, lm + stride, R(0));
          f.label_head(x + t, dir, [&](int64_t j) { add(lh, j); });
          if (t) f.label_modifier(x + t, dir, [&](int64_t j) { add(lm, j); });
        }
      for (int32_t m = 1; m <= len; ++m)
        for (int32_t h = 0; h <= len; ++h) {
          if (h == m) continue;
          const uint32_t dir = ArcFeatures::direction(h, m);
          R* out = label_at(s, len, h, m);
          const R* lh = s.label_head.data() + (h * 2 + static_cast<int32_t>(dir)) * stride;
          const R* lm = s.label_mod.data() + (m * 2 + static_cast<int32_t>(dir)) * stride;
          for (int32_t l = 0; l < stride; ++l) out[l] = lh[l] + lm[l];
          int64_t* at = s.index.data();
          const auto note = [&](int64_t j) {
            for (int32_t l = 0; l < stride; l += 16) PSX_PREFETCH(base + j * stride + l);
            *at++ = j;
          };
          f.label_both(x + h, x + m, dir, static_cast<uint32_t>(ArcFeatures::distance(h, m)), note);
          if (f.rich)
            f.label_rich(x + h, x + m, dir,
                         s.context[idx(int64_t{std::min(h, m)} * (len + 1) + std::max(h, m))],
                         note);
          for (const int64_t* p = s.index.data(); p < at; ++p) add(out, *p);
        }
    }
    R check = 0;
    for (int32_t m = 1; m <= len; ++m)
      for (int32_t h = 0; h <= len; ++h) {
        if (h == m) continue;
        const R* out = label_at(s, len, h, m);
        for (int32_t l = 0; l < n_labels; ++l) check += out[l] * R(0);
      }
    return check;
  }

  R* label_at(Scratch& s, int32_t len, int32_t h, int32_t m) const noexcept {
    return s.label.data() + (int64_t{m} * (len + 1) + h) * stride;
  }
  const R* label_at(const Scratch& s, int32_t len, int32_t h, int32_t m) const noexcept {
    return s.label.data() + (int64_t{m} * (len + 1) + h) * stride;
  }

  // Arc scores with the best label and the loss, into s.best [m][h].
  void augmented(int64_t i, double loss_scale, Scratch& s) const noexcept {
    const int32_t len = length(i);
    const int64_t st = row_stride(len), first = offsets[i];
    for (int32_t m = 1; m <= len; ++m) {
      const int32_t gold = loss_scale != 0 ? heads[first + m - 1] : -1;
      const R cost = static_cast<R>(
          loss_scale * (word_weight ? static_cast<double>(word_weight[first + m - 1]) : 1.0));
      const R* a = s.arc.data() + m * st;
      R* out = s.best.data() + m * st;
      for (int32_t h = 0; h <= len; ++h) {
        if (h == m) {
          out[h] = 0;
          continue;
        }
        R v = a[h];
        if (n_labels) {
          const R* lab = label_at(s, len, h, m);
          const int32_t right =
              h == gold && label_counts ? labels[first + m - 1] : -1;
          R top = lab[0] + (right >= 0 && right != 0 ? cost : R(0));
          int32_t arg = 0;
          for (int32_t l = 1; l < n_labels; ++l) {
            const R c = lab[l] + (right >= 0 && right != l ? cost : R(0));
            if (c > top) {
              top = c;
              arg = l;
            }
          }
          v += top;
          s.best_label[idx(int64_t{m} * (len + 1) + h)] = arg;
        }
        out[h] = v + (gold >= 0 && h != gold ? cost : R(0));
      }
    }
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t len = length(i);
    const int64_t st = row_stride(len);
    augmented(i, loss_scale, s);
    double value = 0;
    if (grandparents) {
      const grandparents::Tables<R> t = grand_tables(len, s);
      const R best = grand_inside(t);
      if (!std::isfinite(best)) return std::numeric_limits<double>::quiet_NaN();
      grandparents::Backtrace<R>{t, code}.run();
      value = static_cast<double>(best);
    } else if (projective) {
      const eisner::Tables<R> t = tables(len, s);
      const R best = inside(t);
      if (!std::isfinite(best)) return std::numeric_limits<double>::quiet_NaN();
      eisner::Backtrace<R>{t, code}.run(best);
      value = static_cast<double>(best);
    } else {
      s.tree.template solve<R>(len, s.best.data(), st, true, code);
      for (int32_t m = 1; m <= len; ++m)
        value += static_cast<double>(s.best[idx(m * st + code[m - 1])]);
    }
    if (n_labels)
      for (int32_t m = 1; m <= len; ++m)
        code[len + m - 1] = s.best_label[idx(int64_t{m} * (len + 1) + code[m - 1])];
    return value;
  }

  eisner::Tables<R> tables(int32_t len, Scratch& s) const noexcept {
    const int32_t st = static_cast<int32_t>(row_stride(len));
    for (int32_t h = 0; h <= len; ++h)
      for (int32_t m = 1; m <= len; ++m)
        s.arc_out[idx(int64_t{h} * st + m)] = s.best[idx(int64_t{m} * st + h)];
    R* t = s.table.data();
    const int64_t plane = int64_t{len + 2} * st;
    return {len,
            st,
            s.best.data(),
            s.arc_out.data(),
            siblings ? s.second.sib_right.data() : nullptr,
            siblings ? s.second.sib_left.data() : nullptr,
            t,
            t + plane,
            t + 2 * plane,
            t + 3 * plane,
            t + 4 * plane,
            t + 5 * plane};
  }

  grandparents::Tables<R> grand_tables(int32_t len, Scratch& s) const noexcept {
    const int64_t st = row_stride(len), cube = int64_t{len + 2} * (len + 2) * st;
    R* t = s.table.data();
    return {len,
            static_cast<int32_t>(st),
            s.best.data(),
            s.second.grand.data(),
            siblings ? s.second.sib_right.data() : nullptr,
            siblings ? s.second.sib_left.data() : nullptr,
            t,
            t + cube,
            t + 2 * cube,
            t + 3 * cube};
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    const int32_t len = length(i);
    const int64_t st = row_stride(len);
    double sum = 0;
    for (int32_t m = 1; m <= len; ++m) {
      sum += static_cast<double>(s.arc[idx(m * st + y[m - 1])]);
      if (n_labels) sum += static_cast<double>(label_at(s, len, y[m - 1], m)[y[len + m - 1]]);
    }
    for (int32_t h = 1; siblings && h <= len; ++h)
      siblings_of(h, len, y, [&](int32_t head, int32_t q, int32_t m, uint32_t) {
        sum += s.second.sibling(head, q, m);
      });
    for (int32_t m = 1; grandparents && m <= len; ++m)
      if (const int32_t h = y[m - 1]) sum += s.second.grandparent(y[h - 1], h, m);
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t len = length(i);
    const int64_t first = offsets[i];
    double sum = 0;
    for (int32_t t = 0; t < len; ++t) {
      const bool wrong = z[t] != heads[first + t] ||
                         (n_labels && label_counts && z[len + t] != labels[first + t]);
      if (wrong) sum += word_weight ? static_cast<double>(word_weight[first + t]) : 1.0;
    }
    return sum;
  }

  template <class Sink>
  void emit(int64_t i, int32_t h, int32_t m, int32_t label, double a, Sink& sink) const noexcept {
    if (use_rows) {
      const auto row = rows.row(row_offsets[i] + int64_t{h} * length(i) + m - 1);
      for (int64_t k = 0; k < row.nnz; ++k) {
        const double v = a * static_cast<double>(row.value(k));
        sink(row.feature(k), v);
        if (n_labels) sink(n_arc + row.feature(k) * stride + label, v);
      }
      return;
    }
    const ArcToken* x = words(i);
    const uint32_t dir = ArcFeatures::direction(h, m);
    const uint32_t dist = static_cast<uint32_t>(ArcFeatures::distance(h, m));
    const auto arc = [&](int64_t j) { sink(j, a); };
    features.head(x + h, dir, dist, arc);
    features.modifier(x + m, dir, dist, arc);
    const ArcContext context = features.rich ? context_of(x, tag_index(i), h, m) : ArcContext{};
    features.both(x + h, x + m, dir, dist,
                  features.rich ? context.tags : tags_between(tag_index(i), h, m), arc);
    if (features.rich) features.both_rich(x + h, x + m, dir, dist, context, arc);
    if (n_labels) {
      const ArcFeatures f = label_features();
      const auto lab = [&](int64_t j) { sink(n_arc + j * stride + label, a); };
      f.label_modifier(x + m, dir, lab);
      f.label_head(x + h, dir, lab);
      f.label_both(x + h, x + m, dir, dist, lab);
      if (f.rich) f.label_rich(x + h, x + m, dir, context, lab);
    }
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int32_t len = length(i);
    for (int32_t m = 1; m <= len; ++m)
      emit(i, y[m - 1], m, n_labels ? y[len + m - 1] : 0, a, sink);
    const ArcToken* x = siblings || grandparents ? words(i) : nullptr;
    for (int32_t h = 1; siblings && h <= len; ++h) emit_siblings(features, x, h, len, y, a, sink);
    for (int32_t m = 1; grandparents && m <= len; ++m)
      emit_grandparent(features, x, m, y, a, sink);
  }

  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    const int32_t len = length(i);
    for (int32_t m = 1; m <= len; ++m) {
      const int32_t ly = n_labels ? y[len + m - 1] : 0, lz = n_labels ? z[len + m - 1] : 0;
      if (y[m - 1] == z[m - 1] && ly == lz) continue;
      emit(i, y[m - 1], m, ly, a, sink);
      emit(i, z[m - 1], m, lz, -a, sink);
    }
    const ArcToken* x = siblings || grandparents ? words(i) : nullptr;
    for (int32_t h = 1; siblings && h <= len; ++h) {
      if (same_modifiers(h, len, y, z)) continue;
      emit_siblings(features, x, h, len, y, a, sink);
      emit_siblings(features, x, h, len, z, -a, sink);
    }
    for (int32_t m = 1; grandparents && m <= len; ++m) {
      if (same_ancestors(m, y, z)) continue;
      emit_grandparent(features, x, m, y, a, sink);
      emit_grandparent(features, x, m, z, -a, sink);
    }
  }

  // Parts: head h (0: the root) of word m at h * len + m - 1; labels are not told apart.
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = length(i) + 1;
    shape[1] = length(i);
    return 2;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int32_t len = length(i);
    for (int32_t m = 0; m < len; ++m) f(int64_t{y[m]} * len + m);
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    const int64_t len = length(i), st = row_stride(len), plane = (len + 1) * st;
    std::fill(s.arc.data(), s.arc.data() + plane, R(0));
    if (n_labels) std::fill(s.label.data(), s.label.data() + (len + 1) * (len + 1) * stride, R(0));
    s.second.set_shape(static_cast<int32_t>(len), st);
    s.second.clear(siblings, grandparents);
    s.finite = true;
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const noexcept {
    const int32_t len = length(i);
    const int64_t st = row_stride(len);
    R check = 0;
    for (int32_t h = 0; h <= len; ++h)
      for (int32_t m = 1; m <= len; ++m) {
        if (h == m) continue;
        const R v = static_cast<R>(a) * scores[int64_t{h} * len + m - 1];
        s.arc[idx(m * st + h)] += v;
        check += v * R(0);
      }
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.number("n_arc", n_arc, "0..1099511627776");
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_words");
    f.array("heads", heads, "n_words", "0..#offsets; with codes", kOptional);
    f.array("labels", labels, "n_words", "0..n_labels-1", kOptional);
    f.array("codes", codes, "n_codes", "0..", kOptional);
    f.size("n_codes", n_codes);
    f.array("word_weight", word_weight, "n_words", "0..", kOptional);
    f.number("n_labels", n_labels, "0..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.number("label_counts", label_counts, "0..1");
    f.number("projective", projective, "0..1");
    f.number("siblings", siblings, "0..1");
    f.number("grandparents", grandparents, "0..1", kOptional);
    f.number("n_label_rows", n_label_rows, "0..1099511627776");
    // Hashed features of words, or rows of features, one per pair of head and modifier.
    f.number("bits", features.bits, "1..40", kOptional);
    f.number("label_bits", label_bits, "1..40", kOptional);
    f.array("tokens", features.tokens, "n_words+3*n", "any; without row_offsets", kOptional);
    f.array("tag_index", features.tag_index, "n_words+3*n", "0..63; with tokens", kOptional);
    f.number("lemmas", features.lemmas, "0..1", kOptional);
    f.number("fine", features.fine, "0..1", kOptional);
    f.number("rich", features.rich, "0..1", kOptional);
    f.offsets("row_offsets", row_offsets, "n+1", "n_rows", kOptional);
    rows.fields(f, "n_rows+1", "nnz|n_rows*n_features", false);
    use_rows = row_offsets != nullptr;
  }
  const char* wrong() const noexcept {
    const int64_t longest = longest_block(offsets, n), m = longest + 2, wide = row_stride(longest);
    if (!table_fits(m, m, stride) || !table_fits(m, wide, grandparents ? 3 * m : siblings ? m : 5))
      return "the tables of the longest sentence are too large";
    if (!table_fits(n_label_rows, stride)) return "n_label_rows * stride is too large";
    if (use_rows) {
      if (siblings || grandparents || features.rich)
        return "siblings, grandparents and rich features need tokens, not rows";
      if (rows.dense() && !rows.values) return "values are missing";
      if (rows.n_features > n_arc || (n_labels && rows.n_features > n_label_rows))
        return "n_features must not exceed n_arc, nor n_label_rows where there are labels";
      for (int64_t i = 0; i < n; ++i)
        if (row_offsets[i + 1] - row_offsets[i] != int64_t{length(i)} * (length(i) + 1))
          return "row_offsets must count (n + 1) n rows for a sentence of n words";
    } else {
      if (features.bits < 1 || (int64_t{1} << features.bits) > n_arc)
        return "n_arc must be at least 2^bits, with bits at least 1";
      if (n_labels && (label_bits < 1 || (int64_t{1} << label_bits) > n_label_rows))
        return "n_label_rows must be at least 2^label_bits, with label_bits at least 1";
    }
    if (grandparents && !projective) return "grandparents need projective trees";
    if (!codes) return nullptr;
    if (n_labels && label_counts && !labels) return "labels are missing";
    if (n_codes != offsets[n] * (n_labels ? 2 : 1)) return "codes have another length than expected";
    for (int64_t i = 0; i < n; ++i) {
      const int32_t* y = truth(i);
      for (int32_t t = 0; t < length(i); ++t)
        if (y[t] > length(i) || y[t] == t + 1 || (n_labels && y[length(i) + t] >= n_labels))
          return "codes hold a head or a label that does not exist";
    }
    return nullptr;
  }

 private:
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
};

}  // namespace pystruct_ext
