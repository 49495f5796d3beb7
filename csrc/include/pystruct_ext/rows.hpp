// Feature rows: the only place that knows whether features are dense, sparse or all ones.
#pragma once

#include <cstdint>

namespace pystruct_ext {

// A view over packed rows; whoever made the arrays keeps them alive.
template <class real>
struct Rows {
  const int64_t* indptr = nullptr;  // (n_rows + 1,), nullptr: dense
  const int32_t* indices = nullptr; // (nnz,), nullptr: dense
  const real* values = nullptr;     // (nnz,) or (n_rows, n_features); nullptr: all ones
  int64_t n_features = 0;

  struct Row {
    const int32_t* idx;  // nullptr: features 0 .. nnz - 1
    const real* val;     // nullptr: all ones
    int64_t nnz;
    int64_t feature(int64_t k) const noexcept { return idx ? idx[k] : k; }
    real value(int64_t k) const noexcept { return val ? val[k] : real(1); }
  };

  bool dense() const noexcept { return indptr == nullptr; }

  Row row(int64_t r) const noexcept {
    if (dense()) return {nullptr, values + r * n_features, n_features};
    const int64_t b = indptr[r];
    return {indices + b, values ? values + b : nullptr, indptr[r + 1] - b};
  }

  double sqnorm(int64_t r) const noexcept {
    const Row a = row(r);
    if (!a.idx || !has_duplicates(a)) {
      if (!a.val) return static_cast<double>(a.nnz);
      double s = 0;
      for (int64_t k = 0; k < a.nnz; ++k) s += static_cast<double>(a.val[k]) * a.val[k];
      return s;
    }
    return dot(r, r);
  }

  // <x_r, x_s>; sparse rows need not be sorted, so this is nnz_r * nnz_s compares: rows are short.
  double dot(int64_t r, int64_t s) const noexcept {
    const Row a = row(r), b = row(s);
    double sum = 0;
    if (!a.idx) {
      double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      int64_t k = 0;
      for (; k + 4 <= a.nnz; k += 4) {
        s0 += static_cast<double>(a.val[k]) * b.val[k];
        s1 += static_cast<double>(a.val[k + 1]) * b.val[k + 1];
        s2 += static_cast<double>(a.val[k + 2]) * b.val[k + 2];
        s3 += static_cast<double>(a.val[k + 3]) * b.val[k + 3];
      }
      for (; k < a.nnz; ++k) sum += static_cast<double>(a.val[k]) * b.val[k];
      return sum + ((s0 + s1) + (s2 + s3));
    }
    if (!a.val && !b.val) {
      int64_t hits = 0;
      for (int64_t k = 0; k < a.nnz; ++k) {
        const int32_t f = a.idx[k];
        int32_t h = 0;
        for (int64_t l = 0; l < b.nnz; ++l) h += b.idx[l] == f;
        hits += h;
      }
      return static_cast<double>(hits);
    }
    for (int64_t k = 0; k < a.nnz; ++k)
      for (int64_t l = 0; l < b.nnz; ++l)
        if (a.idx[k] == b.idx[l]) sum += static_cast<double>(a.value(k)) * b.value(l);
    return sum;
  }

  // Its fields in a kernel's list; `n_rows` names the number of rows. A kernel that can do without
  // rows checks itself that dense ones have values.
  template <class F>
  void fields(F& f, const char* offsets_shape, const char* values_shape, bool needed = true) {
    f.offsets("indptr", indptr, offsets_shape, "nnz", true);
    f.array("indices", indices, "nnz|*", "0..n_features-1; with indptr", true);
    f.array("values", values, values_shape, needed ? "finite; without indptr" : "finite", true);
    f.number("n_features", n_features, "0..2147483647");
  }

 private:
  static bool has_duplicates(const Row& a) noexcept {
    for (int64_t k = 0; k < a.nnz; ++k)
      for (int64_t l = 0; l < k; ++l)
        if (a.idx[k] == a.idx[l]) return true;
    return false;
  }
};

}  // namespace pystruct_ext
