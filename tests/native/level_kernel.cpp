// Ordered levels: y is one of K levels, <w, psi(x, y)> = y <u, x> + b_y, Delta = |y - y_hat|.
#include <cmath>
#include <limits>
#include <vector>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/rows.hpp"

template <class R>
struct LevelSpace {
  using real = R;  // the type of w
  static constexpr uint32_t kFlags = PSX_EXACT;
  pystruct_ext::Rows<R> rows;         // x, one row per example
  int64_t n = 0;                      // examples
  const int32_t* levels = nullptr;    // (n,) truth, 0 .. K - 1; nullptr where only decoding
  int32_t n_levels = 0;               // K

  struct Scratch {                    // one per thread, made once
    std::vector<double> score;
    pystruct_ext::SparseSink sparse;  // for the norms that the solver asks for
    explicit Scratch(const LevelSpace& s) : score(static_cast<std::size_t>(s.n_levels)) {}
  };

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return rows.n_features + n_levels; }
  int32_t code_len(int64_t) const noexcept { return 1; }
  const int32_t* truth(int64_t i) const noexcept { return levels ? levels + i : nullptr; }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    double dot = 0;
    const auto row = rows.row(i);
    for (int64_t k = 0; k < row.nnz; ++k) dot += double(w[row.feature(k)]) * row.value(k);
    for (int32_t y = 0; y < n_levels; ++y)
      s.score[std::size_t(y)] = y * dot + double(w[rows.n_features + y]);
  }
  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    double best = -std::numeric_limits<double>::infinity();
    for (int32_t y = 0; y < n_levels; ++y) {
      const double v = s.score[std::size_t(y)] + (loss_scale != 0 ? loss_scale * loss(i, &y) : 0);
      if (!(v <= best)) best = v, *code = y;  // a NaN wins, and is reported
    }
    return best;
  }
  double score(int64_t, const Scratch& s, const int32_t* y) const noexcept {
    return s.score[std::size_t(*y)];
  }
  double loss(int64_t i, const int32_t* y) const noexcept { return std::abs(levels[i] - *y); }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const auto row = rows.row(i);
    for (int64_t k = 0; k < row.nnz; ++k) sink(row.feature(k), a * *y * double(row.value(k)));
    sink(rows.n_features + *y, a);
  }

  template <class F>
  void fields(F& f) {  // what the binder fills, checked against the shapes and ranges
    f.number("n", n, "0..");
    rows.fields(f, "n+1", "nnz|n*n_features");
    f.array("levels", levels, "n", "0..n_levels-1", pystruct_ext::kOptional);
    f.number("n_levels", n_levels, "1..1000000");
  }
};
PSX_EXPORT_KERNEL(level_kernel, "levels", pystruct_ext::With<LevelSpace<float>>,
                  pystruct_ext::With<LevelSpace<double>>)
