// Decoders for scores that somebody else computed: a batch of sentences of one length.
#pragma once

#include <cstdint>
#include <vector>

#include "pystruct_ext/spaces/dependency.hpp"
#include "pystruct_ext/spaces/spans.hpp"

namespace pystruct_ext {

// scores: (count, n + 1, n) [head][word]; heads: (count, n).
template <class R>
void decode_arcs(const R* scores, int64_t count, int32_t n, bool projective, bool single_root,
                 int32_t* heads, double* values) {
  DependencySpace<R> space;
  const int64_t offsets[2] = {0, n};
  space.n = 1;
  space.offsets = offsets;
  space.projective = projective;
  typename DependencySpace<R>::Scratch s(space);
  const int64_t st = space.row_stride(n);
  for (int64_t k = 0; k < count; ++k) {
    const R* from = scores + k * (n + 1) * n;
    int32_t* code = heads + k * n;
    for (int32_t h = 0; h <= n; ++h)
      for (int32_t m = 1; m <= n; ++m)
        s.best[static_cast<std::size_t>(m * st + h)] = h == m ? R(0) : from[h * n + m - 1];
    double value = 0;
    if (projective) {
      const eisner::Tables<R> t = space.tables(n, s);
      const R best = space.inside(t);
      value = static_cast<double>(best);
      if (std::isfinite(best)) eisner::Backtrace<R>{t, code}.run(best);
    } else {
      s.tree.template solve<R>(n, s.best.data(), st, single_root, code);
      for (int32_t m = 1; m <= n; ++m)
        value += static_cast<double>(s.best[static_cast<std::size_t>(m * st + code[m - 1])]);
    }
    values[k] = value;
  }
}

// scores: (count, n + 1, n + 1, L) [start][end][label]; codes: (count, 2 (2n - 1)).
template <class R>
void decode_spans(const R* scores, int64_t count, int32_t n, int32_t n_labels, int32_t* codes,
                  double* values) {
  SpanSpace<R> space;
  const int64_t offsets[2] = {0, n};
  space.scores.n = 1;
  space.scores.offsets = offsets;
  space.scores.use_features = false;
  space.scores.n_labels = space.scores.stride = n_labels;
  space.use_splits = false;
  space.scores.given = scores;
  typename SpanSpace<R>::Scratch s(space);
  const int64_t size = int64_t{n + 1} * (n + 1) * n_labels;
  for (int64_t k = 0; k < count; ++k) {
    space.scores.given = scores + k * size;
    values[k] = space.argmax(0, 0.0, s, codes + k * space.code_len(0));
  }
}

}  // namespace pystruct_ext
