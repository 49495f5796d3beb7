// Packed forests of segmentations and of alignments.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/alignment.hpp"
#include "pystruct_ext/spaces/segments.hpp"

namespace pystruct_ext {

// Tags: (begin * (n + 1) + end) * K + label.
template <class R>
Hypergraph forest(const SegmentSpace<R>& space, const typename SegmentSpace<R>::Scratch& s,
                  int64_t i) {
  const int32_t n = space.code_len(i), K = space.n_labels, none = Hypergraph::kNone;
  const auto value = [&](const AlignedBuffer<R>& a, int64_t t, int32_t l) {
    return static_cast<double>(a[static_cast<std::size_t>(t * space.stride + l)]);
  };
  const auto idx = [K](int32_t t, int32_t l) { return static_cast<std::size_t>(t * K + l); };
  std::vector<int32_t> join(idx(n + 1, 0)), best(join);
  Hypergraph g;
  for (int32_t l = 0; l < K; ++l) {
    join[idx(0, l)] = g.node();
    g.edge(value(s.start, 0, l), none);
  }
  for (int32_t e = 1; e <= n; ++e) {
    for (int32_t l = 0; l < K; ++l) {
      best[idx(e, l)] = g.node();
      for (int32_t d = 1; d <= std::min(e, space.longest[l]); ++d) {
        const int32_t b = e - d;
        const int32_t part = static_cast<int32_t>(space.part_at(b, e, l, n));
        double v = value(s.inside, e, l) - value(s.inside, b, l) + value(s.first, b, l) +
                   value(s.last, e - 1, l) + value(s.length, d, l);
        if (s.has_extra) v += static_cast<double>(s.extra[static_cast<std::size_t>(part)]);
        g.edge(v, part, join[idx(b, l)]);
      }
    }
    if (e == n) break;
    for (int32_t l = 0; l < K; ++l) {
      join[idx(e, l)] = g.node();
      for (int32_t p = 0; p < K; ++p)
        g.edge(static_cast<double>(
                   s.transition[static_cast<std::size_t>(p * space.stride + l)]),
               none, best[idx(e, p)]);
    }
  }
  g.node();
  for (int32_t l = 0; l < K; ++l) g.edge(value(s.end, 0, l), none, best[idx(n, l)]);
  return g;
}

template <class R>
void write_tag(const SegmentSpace<R>& space, int64_t i, int32_t tag, int32_t* code) {
  const int32_t n = space.code_len(i), l = tag % space.n_labels, span = tag / space.n_labels;
  const int32_t b = span / (n + 1), e = span % (n + 1);
  for (int32_t t = b; t < e; ++t) code[t] = 2 * l + (t == b);
}

// Tags: i * m + j of an aligned pair.
template <class R>
Hypergraph forest(const AlignmentSpace<R>& space, const typename AlignmentSpace<R>::Scratch& s,
                  int64_t k) {
  const int32_t n1 = space.la(k), n2 = space.lb(k), none = Hypergraph::kNone;
  const auto at = [n2](int32_t i, int32_t j) { return static_cast<std::size_t>(i * (n2 + 1) + j); };
  const auto d = [](R v) { return static_cast<double>(v); };
  std::vector<int32_t> m(at(n1, n2) + 1, -1), a(m), b(m);
  std::vector<int32_t> ends;
  Hypergraph g;
  for (int32_t i = 0; i <= n1; ++i)
    for (int32_t j = 0; j <= n2; ++j) {
      const std::size_t c = at(i, j);
      if (i == 0 && j == 0 && !space.local) {
        m[c] = g.node();
        g.edge(0, none);
        continue;
      }
      if (i > 0 && j > 0) {
        const std::size_t p = at(i - 1, j - 1);
        const double v = d(s.match[static_cast<std::size_t>((i - 1) * n2 + j - 1)]);
        const int32_t tag = (i - 1) * n2 + j - 1;
        m[c] = g.node();
        for (const int32_t tail : {m[p], a[p], b[p]})
          if (tail >= 0) g.edge(v, tag, tail);
        if (space.local) {
          g.edge(v, tag);
          ends.push_back(m[c]);
        }
        if (g.begin(m[c]) == g.n_edges()) m[c] = -1;
      }
      if (i > 0) {
        const std::size_t p = at(i - 1, j), t = static_cast<std::size_t>(2 * (i - 1));
        if (m[p] >= 0 || a[p] >= 0) {
          a[c] = g.node();
          if (m[p] >= 0) g.edge(d(s.skip_a[t]), none, m[p]);
          if (a[p] >= 0) g.edge(d(s.skip_a[t + 1]), none, a[p]);
        }
      }
      if (j > 0) {
        const std::size_t p = at(i, j - 1), t = static_cast<std::size_t>(2 * (j - 1));
        if (m[p] >= 0 || a[p] >= 0 || b[p] >= 0) {
          b[c] = g.node();
          if (m[p] >= 0) g.edge(d(s.skip_b[t]), none, m[p]);
          if (a[p] >= 0) g.edge(d(s.skip_b[t]), none, a[p]);
          if (b[p] >= 0) g.edge(d(s.skip_b[t + 1]), none, b[p]);
        }
      }
    }
  g.node();
  if (space.local) {
    g.edge(0, none);
    for (const int32_t v : ends) g.edge(0, none, v);
  } else {
    for (const int32_t v : {m[at(n1, n2)], a[at(n1, n2)], b[at(n1, n2)]})
      if (v >= 0) g.edge(0, none, v);
  }
  return g;
}

template <class R>
void write_tag(const AlignmentSpace<R>& space, int64_t k, int32_t tag, int32_t* code) {
  code[tag / space.lb(k)] = tag % space.lb(k);
}

// The table of the kernel, for both types of w.
inline const psx_kernel* alignment_kernel() {
  return kernel_table<With<AlignmentSpace<float>, ForestQueries<AlignmentSpace<float>>>,
                      With<AlignmentSpace<double>, ForestQueries<AlignmentSpace<double>>>>("alignment");
}

// The table of the kernel, for both types of w.
inline const psx_kernel* segments_kernel() {
  return kernel_table<With<SegmentSpace<float>, ForestQueries<SegmentSpace<float>>>,
                      With<SegmentSpace<double>, ForestQueries<SegmentSpace<double>>>>("segments");
}

}  // namespace pystruct_ext
