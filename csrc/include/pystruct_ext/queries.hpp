// Questions about all outputs of a block at once, answered from its packed forest.
//
// A kernel gets them by two overloads in this namespace,
//
//   Hypergraph forest(const MySpace&, const MySpace::Scratch&, int64_t i);   // of a loaded block
//   struct CodeWriter<MySpace>;                                              // tags to a code
//
// and by naming ForestQueries<MySpace> beside it where its table is made. Every tag is a part (see
// oracle.h), unless part_of says otherwise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/driver.hpp"
#include "pystruct_ext/hypergraph.hpp"
#include "pystruct_ext/random.hpp"

namespace pystruct_ext {

// Writes the code of one output from its tags, in the order in which a derivation has them.
template <class Space>
class CodeWriter {
 public:
  CodeWriter(const Space& space, int64_t i, int32_t* code) : space_(space), i_(i), code_(code) {
    std::fill(code, code + space.code_len(i), -1);
  }
  void put(int32_t tag) { write_tag(space_, i_, tag, code_); }
  void finish() {}

 private:
  const Space& space_;
  int64_t i_;
  int32_t* code_;
};

// The part that a tag stands for.
template <class Space>
int64_t part_of(const Space&, int64_t, int32_t tag) {
  return tag;
}

template <class Space>
int64_t n_parts(const Space& space, int64_t i) {
  int64_t shape[4] = {0, 0, 0, 0}, n = 1;
  const int dims = space.part_shape(i, shape);
  for (int d = 0; d < dims; ++d) n *= shape[d];
  return n;
}

template <class Space>
struct ForestQueries {
  static constexpr bool kAny = true;
  using Scratch = typename Space::Scratch;

  // Codes of the k best outputs, best first; returns their number, -1 if a score is not finite.
  static int64_t k_best(const Space& space, Scratch& s, int64_t i, int64_t k, int32_t* codes,
                        double* scores) {
    if (!s.finite) return -1;
    const int64_t len = space.code_len(i);
    std::vector<CodeWriter<Space>> writers;
    writers.reserve(static_cast<std::size_t>(k));
    for (int64_t m = 0; m < k; ++m) writers.emplace_back(space, i, codes + m * len);
    const std::vector<double> found =
        forest(space, s, i).k_best(static_cast<std::size_t>(k), [&](std::size_t m, int32_t tag) {
          writers[m].put(tag);
        });
    for (std::size_t m = 0; m < found.size(); ++m) writers[m].finish();
    std::copy(found.begin(), found.end(), scores);
    return static_cast<int64_t>(found.size());
  }

  // Log-partition function, and the probability of every part; NaN if a score is not finite.
  static double marginals(const Space& space, Scratch& s, int64_t i, double temperature,
                          double* out) {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const Hypergraph g = forest(space, s, i);
    if (!out) return g.inside<LogPlus>(temperature).back();
    std::fill(out, out + n_parts(space, i), 0.0);
    std::vector<double> p;
    const double log_z = g.marginals(temperature, p);
    for (int64_t e = 0; e < g.n_edges(); ++e)
      if (g.edge_at(e).tag >= 0)
        out[part_of(space, i, g.edge_at(e).tag)] += p[static_cast<std::size_t>(e)];
    return log_z;
  }

  static bool sample(const Space& space, Scratch& s, int64_t i, double temperature, uint64_t seed,
                     int64_t count, int32_t* codes) {
    if (!s.finite) return false;
    const int64_t len = space.code_len(i);
    const Hypergraph g = forest(space, s, i);
    if (!std::isfinite(g.inside<LogPlus>(temperature).back())) return false;
    std::vector<CodeWriter<Space>> writers;
    writers.reserve(static_cast<std::size_t>(count));
    for (int64_t m = 0; m < count; ++m) writers.emplace_back(space, i, codes + m * len);
    g.sample(temperature, count, Uniform(seed), [&](int64_t m, int32_t tag) {
      writers[static_cast<std::size_t>(m)].put(tag);
    });
    for (auto& writer : writers) writer.finish();
    return true;
  }
};

}  // namespace pystruct_ext
