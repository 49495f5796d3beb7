// Slates: T of a query's documents, in order, where the worth of a document depends on those above.
//
//   <w, psi(x, y)> = sum_p place_p [ <w_x, x_d> + <w_r, r(d, S)> + w_n new(d, S)
//                                    + sum_e <w_e, phi_e> a_de prod_(s in S) (1 - a_se) ],
// d the document at place p, S those above it; r: per relation channel the maximum, mean and minimum
// of the relations of d to S (0 for the empty set); new: the share of the elements of d that S leaves
// uncovered; a_de in [0, 1] the degree to which d covers element e (a word, a topic, an intent).
// Without r and new, with equal places, and with nonnegative element values, this is a monotone
// submodular function of the set plus a modular one.
//
// Loss: Delta = max(0, 1 - V(y) / ideal), V(y) = sum_p rank_p sum_i g_di prod_(s in S) (1 - b_si)
// over the intents i. g and b make it alpha-nDCG, ERR-IA, intent-aware NDCG or covered mass.
//
// The oracle is greedy: it may miss the maximum (UNDERGEN); `bound` says by how much at most.
// Yue and Joachims 2008; Zhu et al. 2014; lazy evaluation: Minoux 1978.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/spaces/slate_bound.hpp"

namespace pystruct_ext {

struct SlateSpace {
  using real = double;
  static constexpr uint32_t kFlags = PSX_UNDERGEN;

  int64_t n = 0, n_features = 0, n_channels = 0, n_element_features = 0;
  bool novelty = false;
  const int64_t* offsets = nullptr;          // (n + 1,) documents
  const double* x = nullptr;                 // (documents, n_features)
  const int64_t* relation_at = nullptr;      // (n + 1,) into relations
  const double* relations = nullptr;         // per query (k, k, channels)
  const int64_t* cover_ptr = nullptr;        // (documents + 1,) covered elements, sorted per document
  const int32_t* cover = nullptr;            // element within the query
  const double* degree = nullptr;            // a_de
  const int64_t* element_at = nullptr;       // (n + 1,)
  const double* element_x = nullptr;         // (elements, n_element_features)
  const int64_t* intent_at = nullptr;        // (n + 1,) into gain and decay, per query (k, intents)
  const int32_t* n_intents = nullptr;        // (n,)
  const double *gain = nullptr, *decay = nullptr;
  const double* ideal = nullptr;             // (n,)
  const double *place = nullptr, *rank = nullptr;  // (top,)
  const int32_t* truths = nullptr;           // (n, top), -1 behind a short list
  int32_t top = 0;
  int64_t max_rows = 0, max_elements = 0, max_intents = 0;

  struct Scratch {
    AlignedBuffer<double> w, base, value, left, most, least, sum, unmet, bound;
    AlignedBuffer<int32_t> heap;
    AlignedBuffer<char> used;
    SparseSink sparse;
    SlateBoundScratch for_bound;
    bool finite = true;
    explicit Scratch(const SlateSpace& a) {
      const auto k = static_cast<std::size_t>(a.max_rows);
      w.reserve(static_cast<std::size_t>(a.size_psi()) + 1);
      base.reserve(k);
      bound.reserve(k);
      heap.reserve(k);
      used.reserve(k);
      value.reserve(static_cast<std::size_t>(a.max_elements) + 1);
      left.reserve(static_cast<std::size_t>(a.max_elements) + 1);
      const auto c = k * static_cast<std::size_t>(a.n_channels) + 1;
      most.reserve(c);
      least.reserve(c);
      sum.reserve(c);
      unmet.reserve(static_cast<std::size_t>(a.max_intents) + 1);
      for_bound.reserve(k, static_cast<std::size_t>(a.max_elements),
                        static_cast<std::size_t>(a.max_intents),
                        std::min(k, static_cast<std::size_t>(a.top)));
    }
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t relation_begin() const noexcept { return n_features; }
  int64_t novelty_at() const noexcept { return n_features + 3 * n_channels; }
  int64_t element_begin() const noexcept { return novelty_at() + (novelty ? 1 : 0); }
  int64_t size_psi() const noexcept { return element_begin() + n_element_features; }
  int64_t size(int64_t i) const noexcept { return offsets[i + 1] - offsets[i]; }
  int32_t code_len(int64_t) const noexcept { return top; }
  const int32_t* truth(int64_t i) const noexcept { return truths ? truths + i * top : nullptr; }

  // Documents, then -1 to the end; none of them twice.
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const CodeFault fault = entries_in(y, 0, top, -1, size(i) - 1);
    if (fault.at >= 0) return fault;
    for (int32_t p = 1; p < top; ++p)
      if (y[p] >= 0 && (y[p - 1] < 0 || std::find(y, y + p, y[p]) != y + p)) return {p, 0, -1};
    return {};
  }

  void prepare(const double* w, Scratch& a) const noexcept {
    std::copy(w, w + size_psi(), a.w.data());
  }
  void load(const double* w, int64_t i, Scratch& a) const noexcept {
    a.finite = true;
    for (int64_t d = 0; d < size(i); ++d) {
      const double* row = x + (offsets[i] + d) * n_features;
      double s = 0;
      for (int64_t j = 0; j < n_features; ++j) s += w[j] * row[j];
      a.base[static_cast<std::size_t>(d)] = s;
      a.finite = a.finite && std::isfinite(s);
    }
    if (n_element_features)
      for (int64_t e = element_at[i]; e < element_at[i + 1]; ++e) {
        double s = 0;
        for (int64_t j = 0; j < n_element_features; ++j)
          s += w[element_begin() + j] * element_x[e * n_element_features + j];
        a.value[static_cast<std::size_t>(e - element_at[i])] = s;
        a.finite = a.finite && std::isfinite(s);
      }
    for (int64_t j = relation_begin(); j < element_begin(); ++j) a.finite = a.finite && std::isfinite(w[j]);
  }

  double argmax(int64_t i, double scale, Scratch& a, int32_t* code) const noexcept {
    if (!a.finite) return std::numeric_limits<double>::quiet_NaN();
    std::fill(code, code + top, -1);
    if (scale == 0 && submodular(i, a)) return lazy(i, a, code);
    return greedy(i, scale, a, code);
  }

  // At least max_y scale Delta(y_i, y) + <w, psi(x_i, y)>, for any w, after `load`.
  double bound(int64_t i, double scale, Scratch& a) const noexcept {
    if (!a.finite) return std::numeric_limits<double>::quiet_NaN();
    return SlateBound<SlateSpace>(*this, i, scale, a.w.data(), a.base.data(), a.value.data(),
                                  a.for_bound)
        .solve();
  }

  double score(int64_t i, const Scratch& a, const int32_t* y) const noexcept {
    DotSink<double> sink{a.w.data()};
    psi(i, y, 1.0, sink);
    return sink.sum;
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t m = n_intents[i];
    double value = 0;
    for (int32_t p = 0; p < top && z[p] >= 0; ++p) {
      double here = 0;
      for (int32_t t = 0; t < m; ++t) {
        double g = gain[intent_at[i] + int64_t{z[p]} * m + t];
        for (int32_t q = 0; q < p && g > 0; ++q) g *= 1 - decay[intent_at[i] + int64_t{z[q]} * m + t];
        here += g;
      }
      value += rank[p] * here;
    }
    const double lost = 1 - value / ideal[i];
    return lost > 1e-12 ? lost : 0;
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int64_t k = size(i);
    for (int32_t p = 0; p < top && y[p] >= 0; ++p) {
      const double c = a * place[p];
      const int64_t d = offsets[i] + y[p];
      for (int64_t j = 0; j < n_features; ++j) sink(j, c * x[d * n_features + j]);
      for (int64_t h = 0; p > 0 && h < n_channels; ++h) {
        double most = -std::numeric_limits<double>::infinity(), least = -most, sum = 0;
        for (int32_t q = 0; q < p; ++q) {
          const double v = relations[relation_at[i] + (int64_t{y[p]} * k + y[q]) * n_channels + h];
          most = std::max(most, v);
          least = std::min(least, v);
          sum += v;
        }
        sink(relation_begin() + 3 * h, c * most);
        sink(relation_begin() + 3 * h + 1, c * sum / p);
        sink(relation_begin() + 3 * h + 2, c * least);
      }
      if (!novelty && !n_element_features) continue;
      double fresh = 0, all = 0;
      for (int64_t t = cover_ptr[d]; t < cover_ptr[d + 1]; ++t) {
        double left = degree[t];
        for (int32_t q = 0; q < p && left > 0; ++q) left *= 1 - degree_of(offsets[i] + y[q], cover[t]);
        fresh += left;
        all += degree[t];
        if (left > 0)
          for (int64_t j = 0; j < n_element_features; ++j)
            sink(element_begin() + j,
                 c * left * element_x[(element_at[i] + cover[t]) * n_element_features + j]);
      }
      if (novelty && all > 0) sink(novelty_at(), c * fresh / all);
    }
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    if (std::equal(y, y + top, z)) return;
    psi(i, y, a, sink);
    psi(i, z, -a, sink);
  }

  template <class F>
  void fields(F& f) {
    f.number("n_features", n_features, "0..2147483647");
    f.number("n_channels", n_channels, "0..1048576");
    f.number("n_element_features", n_element_features, "0..2147483647");
    f.number("novelty", novelty, "0..1");
    f.number("top", top, "1..1048576");
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_rows");
    f.array("x", x, "n_rows*n_features", "finite");
    f.offsets("relation_at", relation_at, "n+1", "n_relations");
    f.array("relations", relations, "n_relations", "finite");
    f.offsets("cover_ptr", cover_ptr, "n_rows+1", "n_covers");
    f.array("cover", cover, "n_covers", "0..#element_at-1");
    f.array("degree", degree, "n_covers", "0..1");
    f.offsets("element_at", element_at, "n+1", "n_elements");
    f.array("element_x", element_x, "n_elements*n_element_features", "finite");
    f.offsets("intent_at", intent_at, "n+1", "n_gains");
    f.array("n_intents", n_intents, "n", "0..max_intents");
    f.array("gain", gain, "n_gains", "finite");
    f.array("decay", decay, "n_gains", "finite");
    f.array("ideal", ideal, "n", "positive");
    f.array("place", place, "top", "finite");
    f.array("rank", rank, "top", "finite");
    f.array("truths", truths, "n,top", "-1..#offsets-1", kOptional);
    f.number("max_rows", max_rows, "1..268435455");
    f.number("max_elements", max_elements, "1..268435455");
    f.number("max_intents", max_intents, "1..268435455");
  }
  const char* wrong() const noexcept {
    if (max_rows < longest_block(offsets, n)) return "max_rows is less than the documents of a query";
    if (max_elements < longest_block(element_at, n))
      return "max_elements is less than the elements of a query";
    const int64_t places = std::min<int64_t>(top, max_rows) + 1;
    if (!table_fits(max_rows, n_channels + 1) || !table_fits(max_rows, places))
      return "the tables of the longest query are too large";
    for (int64_t i = 0; i < n; ++i) {
      if (n_channels && relation_at[i + 1] - relation_at[i] != size(i) * size(i) * n_channels)
        return "relation_at must count k k n_channels relations for a query of k documents";
      if (intent_at[i + 1] - intent_at[i] != size(i) * n_intents[i])
        return "intent_at must count k n_intents entries for a query of k documents";
    }
    return nullptr;
  }

 private:
  double degree_of(int64_t d, int32_t e) const noexcept {
    const int32_t* b = cover + cover_ptr[d];
    const int32_t* end = cover + cover_ptr[d + 1];
    const int32_t* at = std::lower_bound(b, end, e);
    return at != end && *at == e ? degree[at - cover] : 0.0;
  }
  bool submodular(int64_t i, const Scratch& a) const noexcept {
    if (n_channels || novelty || !n_element_features) return false;
    for (int32_t p = 1; p < top; ++p)
      if (place[p] != place[0]) return false;
    for (int64_t e = 0; e < element_at[i + 1] - element_at[i]; ++e)
      if (a.value[static_cast<std::size_t>(e)] < 0) return false;
    return place[0] >= 0;
  }
  double element_gain(int64_t i, int64_t d, const Scratch& a) const noexcept {
    double s = a.base[static_cast<std::size_t>(d)];
    for (int64_t t = cover_ptr[offsets[i] + d]; t < cover_ptr[offsets[i] + d + 1]; ++t) {
      const auto e = static_cast<std::size_t>(cover[t]);
      s += a.value[e] * degree[t] * a.left[e];
    }
    return s;
  }
  void take_elements(int64_t d, Scratch& a) const noexcept {
    for (int64_t t = cover_ptr[d]; t < cover_ptr[d + 1]; ++t)
      a.left[static_cast<std::size_t>(cover[t])] *= 1 - degree[t];
  }

  // A heap of stale gains; gains only fall, so a fresh one at the top is the largest.
  double lazy(int64_t i, Scratch& a, int32_t* code) const noexcept {
    const int64_t k = size(i);
    const double c = place[0];
    std::fill(a.left.data(), a.left.data() + (element_at[i + 1] - element_at[i]), 1.0);
    double* bound = a.bound.data();
    int32_t* heap = a.heap.data();
    for (int64_t d = 0; d < k; ++d) {
      bound[d] = c * element_gain(i, d, a);
      heap[d] = static_cast<int32_t>(d);
    }
    const auto worse = [bound](int32_t p, int32_t q) {
      return bound[p] < bound[q] || (bound[p] == bound[q] && p > q);
    };
    std::make_heap(heap, heap + k, worse);
    int64_t m = k;
    double total = 0;
    for (int32_t p = 0; p < top && m > 0; ++p) {
      for (;;) {
        std::pop_heap(heap, heap + m, worse);
        const int32_t d = heap[m - 1];
        const double now = c * element_gain(i, d, a);
        bound[d] = now;
        if (m == 1 || now > bound[heap[0]] || (now == bound[heap[0]] && d < heap[0])) {
          code[p] = d;
          total += now;
          --m;
          take_elements(offsets[i] + d, a);
          break;
        }
        std::push_heap(heap, heap + m, worse);
      }
    }
    return total;
  }

  double greedy(int64_t i, double scale, Scratch& a, int32_t* code) const noexcept {
    const int64_t k = size(i), h = n_channels;
    const bool elements = novelty || n_element_features;
    if (elements)
      std::fill(a.left.data(), a.left.data() + (element_at[i + 1] - element_at[i]), 1.0);
    std::fill(a.used.data(), a.used.data() + k, char{0});
    const int32_t m = scale != 0 ? n_intents[i] : 0;
    std::fill(a.unmet.data(), a.unmet.data() + m, 1.0);
    const double* w_r = a.w.data() + relation_begin();
    const double w_n = novelty ? a.w[static_cast<std::size_t>(novelty_at())] : 0;
    double total = 0;
    for (int32_t p = 0; p < top && p < k; ++p) {
      double best = -std::numeric_limits<double>::infinity();
      int32_t at = -1;
      for (int64_t d = 0; d < k; ++d) {
        if (a.used[static_cast<std::size_t>(d)]) continue;
        double v = a.base[static_cast<std::size_t>(d)];
        if (p > 0)
          for (int64_t q = 0; q < h; ++q) {
            const auto at_q = static_cast<std::size_t>(d * h + q);
            v += w_r[3 * q] * a.most[at_q] + w_r[3 * q + 1] * a.sum[at_q] / p +
                 w_r[3 * q + 2] * a.least[at_q];
          }
        if (elements) {
          double fresh = 0, all = 0;
          for (int64_t t = cover_ptr[offsets[i] + d]; t < cover_ptr[offsets[i] + d + 1]; ++t) {
            const auto e = static_cast<std::size_t>(cover[t]);
            const double left = degree[t] * a.left[e];
            fresh += left;
            all += degree[t];
            if (n_element_features) v += a.value[e] * left;
          }
          if (all > 0) v += w_n * fresh / all;
        }
        v *= place[p];
        if (m) {
          const double* g = gain + intent_at[i] + d * m;
          double met = 0;
          for (int32_t t = 0; t < m; ++t) met += g[t] * a.unmet[static_cast<std::size_t>(t)];
          v -= scale * rank[p] * met / ideal[i];
        }
        if (v > best) {
          best = v;
          at = static_cast<int32_t>(d);
        }
      }
      if (at < 0) return std::numeric_limits<double>::quiet_NaN();  // sums have overflowed
      code[p] = at;
      total += best;
      a.used[static_cast<std::size_t>(at)] = 1;
      if (elements) take_elements(offsets[i] + at, a);
      for (int64_t d = 0; d < k && h; ++d) {
        const double* r = relations + relation_at[i] + (d * k + at) * h;
        for (int64_t q = 0; q < h; ++q) {
          const auto at_q = static_cast<std::size_t>(d * h + q);
          a.most[at_q] = p ? std::max(a.most[at_q], r[q]) : r[q];
          a.least[at_q] = p ? std::min(a.least[at_q], r[q]) : r[q];
          a.sum[at_q] = p ? a.sum[at_q] + r[q] : r[q];
        }
      }
      for (int32_t t = 0; t < m; ++t)
        a.unmet[static_cast<std::size_t>(t)] *= 1 - decay[intent_at[i] + int64_t{at} * m + t];
    }
    return total;
  }
};

}  // namespace pystruct_ext
