// From a kernel (the concept below) to the C ABI of oracle.h, and batch calls over threads.
//
//   struct MySpace {                       // view over packed arrays, cheap to copy
//     using real = float;                  // type of w
//     struct Scratch { explicit Scratch(const MySpace&); ... };  // per worker, grown once
//     static constexpr uint32_t kFlags = PSX_EXACT;
//     int64_t n_blocks() const, size_psi() const;  int32_t code_len(int64_t i) const;
//     const int32_t* truth(int64_t i) const;
//     void load(const real* w, int64_t i, Scratch&) const noexcept;  // potentials of block i
//     double argmax(int64_t i, double loss_scale, Scratch&, int32_t* code) const noexcept;
//     double score(int64_t i, const Scratch&, const int32_t* code) const noexcept;
//     double loss(int64_t i, const int32_t* code) const noexcept;
//     template <class Sink> void psi(int64_t i, const int32_t* y, double a, Sink&) const noexcept;
//   };
//
// `argmax` returns the maximum it reached; a NaN or infinity there becomes PSX_NONFINITE.
//
// A kernel may also have, and is used better if it has:
//     void prepare(const real* w, Scratch&) const noexcept;          // what all blocks share
//     template <class Sink> void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
//                                         Sink&) const noexcept;     // else psi(y) - psi(z)
//     double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch&) const noexcept;
//                                                                    // else through Scratch::sparse
//     double bound(int64_t i, double loss_scale, const Scratch&) const noexcept;  // see oracle.h
//     uint32_t exactness() const noexcept;     // instead of kFlags, where it depends on the fields
//     void nonnegative(int64_t* range) const noexcept;                            // see oracle.h
// and, to be asked about parts (see oracle.h):
//     int part_shape(int64_t i, int64_t* shape) const noexcept;
//     template <class F> void each_part(int64_t i, const int32_t* y, F&& f) const noexcept;
//     void clear(int64_t i, Scratch&) const noexcept;                // potentials 0, scratch finite
//     void add_parts(int64_t i, double a, const real* scores, Scratch&) const noexcept;
// and, so that codes from outside the process of training cannot reach beyond its arrays:
//     CodeFault check_code(int64_t i, const int32_t* code) const noexcept;    // see oracle.h
// Questions about all outputs at once (k best, marginals, samples) are answered by a second class,
// see queries.hpp.
//
// Threads. Work is cut into chunks whose number depends on n alone; each thread takes chunks from a
// counter; sums are formed per chunk and added in chunk order. The result is bitwise the same for
// any number of threads. psi is accumulated after the sweep, in block order, by one thread: codes
// differ from the truth in few places, so that this is a small part, and it needs no (D,) buffer
// per thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "pystruct_ext/kernel_members.hpp"
#include "pystruct_ext/oracle.h"
#include "pystruct_ext/sinks.hpp"

namespace pystruct_ext {

// The first wrong entry of a code, and what it may be; at < 0: none. low > high: the value itself is
// possible, but not beside the other entries.
struct CodeFault {
  int64_t at = -1, low = 0, high = -1;
};

// Whether entries begin .. end - 1 are all in [low, high].
inline CodeFault entries_in(const int32_t* code, int64_t begin, int64_t end, int64_t low,
                            int64_t high) noexcept {
  for (int64_t t = begin; t < end; ++t)
    if (code[t] < low || code[t] > high) return {t, low, high};
  return {};
}

constexpr int64_t kMaxChunks = 64;
constexpr int64_t kMinChunk = 16;

struct Chunks {
  int64_t n, size, count;
  explicit Chunks(int64_t n_items) : n(n_items) {
    size = (n + kMaxChunks - 1) / kMaxChunks;
    if (size < kMinChunk) size = kMinChunk;
    count = n ? (n + size - 1) / size : 0;
  }
  int64_t begin(int64_t c) const { return c * size; }
  int64_t end(int64_t c) const { return c + 1 == count ? n : (c + 1) * size; }
};

// body(chunk, worker) for every chunk; stops handing out chunks after a body returned false.
template <class Body>
void for_each_chunk(const Chunks& chunks, int n_threads, Body&& body) {
  if (n_threads > chunks.count) n_threads = static_cast<int>(chunks.count);
  std::atomic<int64_t> next{0};
  std::atomic<bool> go{true};
  auto work = [&](int worker) {
    for (;;) {
      const int64_t c = next.fetch_add(1);
      if (c >= chunks.count || !go.load(std::memory_order_relaxed)) return;
      if (!body(c, worker)) go.store(false);
    }
  };
  if (n_threads <= 1) {
    work(0);
    return;
  }
  std::vector<std::thread> threads;
  int started = 1;
  try {
    threads.reserve(static_cast<std::size_t>(n_threads - 1));
    for (; started < n_threads; ++started) threads.emplace_back(work, started);
  } catch (...) {
    // Fewer threads than asked for is slower, not wrong.
  }
  work(0);
  for (auto& t : threads) t.join();
}

struct BatchOut {
  int32_t* codes;
  const int64_t* code_offsets;
  double *scores, *losses, *margins;
};

// One sweep of argmax over blocks; `Verbs` is either a kernel (inlined) or the ABI (any oracle).
template <class Verbs>
int batch_argmax(Verbs& verbs, const int64_t* ids, int64_t n, double loss_scale, int n_threads,
                 const BatchOut& out, int64_t* failed) {
  const Chunks chunks(n);
  std::vector<int> status(static_cast<std::size_t>(chunks.count), PSX_OK);
  std::vector<int64_t> where(static_cast<std::size_t>(chunks.count), -1);
  for_each_chunk(chunks, n_threads, [&](int64_t c, int worker) {
    verbs.prepare(worker);
    for (int64_t k = chunks.begin(c); k < chunks.end(c); ++k) {
      const int64_t i = ids[k];
      int32_t* code = out.codes + out.code_offsets[k];
      int rc = verbs.load(worker, i);
      if (rc == PSX_OK) rc = verbs.argmax(worker, i, loss_scale, code);
      double s = 0, t = 0, l = 0;
      if (rc == PSX_OK && (out.scores || out.margins)) rc = verbs.score(worker, i, code, &s);
      if (rc == PSX_OK && out.margins) {
        const int32_t* truth = verbs.truth(i);
        rc = truth ? verbs.score(worker, i, truth, &t) : PSX_PYTHON_ERROR;
      }
      if (rc == PSX_OK && out.losses) rc = verbs.loss(i, code, &l);
      if (rc != PSX_OK) {
        status[static_cast<std::size_t>(c)] = rc;
        where[static_cast<std::size_t>(c)] = i;
        return false;
      }
      if (out.scores) out.scores[k] = s;
      if (out.margins) out.margins[k] = t - s;
      if (out.losses) out.losses[k] = l;
    }
    return true;
  });
  for (int64_t c = 0; c < chunks.count; ++c)
    if (status[static_cast<std::size_t>(c)] != PSX_OK) {
      if (failed) *failed = where[static_cast<std::size_t>(c)];
      return status[static_cast<std::size_t>(c)];
    }
  return PSX_OK;
}

// Any oracle through its function pointers.
struct AbiVerbs {
  const psx_oracle* o;
  const void* w;
  void prepare(int) const {}
  int load(int worker, int64_t i) const { return o->load(o->ctx, worker, w, i); }
  int argmax(int worker, int64_t i, double scale, int32_t* code) const {
    return o->argmax(o->ctx, worker, i, scale, code);
  }
  int score(int worker, int64_t i, const int32_t* code, double* s) const {
    return o->score(o->ctx, worker, i, code, s);
  }
  int loss(int64_t i, const int32_t* code, double* l) const { return o->loss(o->ctx, i, code, l); }
  const int32_t* truth(int64_t i) const { return o->truth(o->ctx, i); }
};

// Why `truth` gave nothing: oracles in Python fail, others were bound without.
inline int no_truth(const psx_oracle* o) noexcept {
  return o->flags & PSX_NEEDS_GIL ? PSX_PYTHON_ERROR : PSX_NOTRUTH;
}

// Threads that n blocks can keep busy: no more than there are chunks, whatever was asked for, so that
// no scratch is made for a worker that never runs.
inline int usable_threads(int n_threads, int64_t n) {
  const int64_t most = std::max<int64_t>(1, Chunks(n).count);
  return static_cast<int>(std::min<int64_t>(most, std::max(1, n_threads)));
}
inline int usable_threads(const psx_oracle* o, int n_threads, int64_t n) {
  if ((o->flags & PSX_NEEDS_GIL) || !(o->flags & PSX_THREADSAFE)) return 1;
  return usable_threads(n_threads, n);
}

// sum_j |w_j psi_j(x_i, code)|: the size of the numbers that a score adds up, to which its rounding
// is relative. O(D): for the rare score in doubt. Worker 0.
inline int oracle_score_size(const psx_oracle* o, const void* w, int64_t i, const int32_t* code,
                             double* out) {
  const auto sum = [&](auto real) {
    using R = decltype(real);
    const std::unique_ptr<void, void (*)(void*)> psi(
        std::calloc(static_cast<std::size_t>(std::max<int64_t>(1, o->size_psi)), sizeof(R)), std::free);
    if (!psi) return static_cast<int>(PSX_NOMEM);
    const int rc = o->psi_axpy(o->ctx, 0, i, code, 1.0, psi.get());
    *out = 0;
    for (int64_t j = 0; j < o->size_psi; ++j)
      *out += std::fabs(static_cast<double>(static_cast<const R*>(w)[j]) *
                        static_cast<double>(static_cast<const R*>(psi.get())[j]));
    return rc;
  };
  return o->w_bytes == 4 ? sum(float{}) : sum(double{});
}

// argmax_batch of any oracle, its own if it has one.
inline int oracle_argmax_batch(const psx_oracle* o, const void* w, const int64_t* ids, int64_t n,
                               double loss_scale, int n_threads, const BatchOut& out,
                               int64_t* failed) {
  n_threads = usable_threads(o, n_threads, n);
  if (o->argmax_batch)
    return o->argmax_batch(o->ctx, w, ids, n, loss_scale, n_threads, out.codes, out.code_offsets,
                           out.scores, out.losses, out.margins, failed);
  if (const int rc = o->reserve_workers(o->ctx, n_threads)) return rc;
  AbiVerbs verbs{o, w};
  try {
    return batch_argmax(verbs, ids, n, loss_scale, n_threads, out, failed);
  } catch (...) {
    return PSX_NOMEM;
  }
}

// cut_sum on top of argmax_batch.
inline int generic_cut_sum(const psx_oracle* o, const void* w, const int64_t* ids,
                           const double* weight, int64_t n, int n_threads, double* dpsi,
                           double* loss, double* hinge, int64_t* failed) {
  try {
    std::vector<int64_t> offsets(static_cast<std::size_t>(n) + 1, 0);
    for (int64_t k = 0; k < n; ++k)
      offsets[static_cast<std::size_t>(k) + 1] =
          offsets[static_cast<std::size_t>(k)] + o->code_len(o->ctx, ids[k]);
    std::vector<int32_t> codes(static_cast<std::size_t>(offsets.back()));
    std::vector<double> losses(static_cast<std::size_t>(n)), margins(static_cast<std::size_t>(n));
    const BatchOut out{codes.data(), offsets.data(), nullptr, losses.data(), margins.data()};
    if (const int rc = oracle_argmax_batch(o, w, ids, n, 1.0, n_threads, out, failed)) return rc;
    double l = 0, h = 0;
    for (int64_t k = 0; k < n; ++k) {
      const double c = weight ? weight[k] : 1.0;
      const double hk = losses[static_cast<std::size_t>(k)] - margins[static_cast<std::size_t>(k)];
      // A hinge below zero means that the oracle missed the truth: the truth is the better cut.
      if (hk <= 0 || c == 0) continue;
      l += c * losses[static_cast<std::size_t>(k)];
      h += c * hk;
      if (dpsi) {
        const int64_t i = ids[k];
        const int32_t* truth = o->truth(o->ctx, i);
        if (!truth) return no_truth(o);
        const int32_t* code = codes.data() + offsets[static_cast<std::size_t>(k)];
        if (const int rc = o->psi_diff_accumulate(o->ctx, 0, i, truth, code, c, dpsi)) {
          if (failed) *failed = i;
          return rc;
        }
      }
    }
    *loss += l;
    *hinge += h;
    return PSX_OK;
  } catch (...) {
    return PSX_NOMEM;
  }
}

inline int oracle_cut_sum(const psx_oracle* o, const void* w, const int64_t* ids,
                          const double* weight, int64_t n, int n_threads, double* dpsi,
                          double* loss, double* hinge, int64_t* failed) {
  if (o->cut_sum)
    return o->cut_sum(o->ctx, w, ids, weight, n, usable_threads(o, n_threads, n), dpsi, loss, hinge,
                      failed);
  return generic_cut_sum(o, w, ids, weight, n, n_threads, dpsi, loss, hinge, failed);
}

// sum_k weight[k] H_k over blocks, with upper bounds of the hinges where the oracle has them: the
// hinge of an exact oracle is the bound. What a certified primal value is made of. *found adds up the
// hinges of the outputs that argmax found; it may be NULL.
inline int oracle_hinge_sum(const psx_oracle* o, const void* w, const int64_t* ids,
                            const double* weight, int64_t n, int n_threads, double* hinge,
                            double* found, int64_t* failed) {
  if (!o->bound) {
    double loss = 0, sum = 0;
    const int rc = oracle_cut_sum(o, w, ids, weight, n, n_threads, nullptr, &loss, &sum, failed);
    *hinge += sum;
    if (found) *found += sum;
    return rc;
  }
  n_threads = usable_threads(o, n_threads, n);
  if (const int rc = o->reserve_workers(o->ctx, n_threads)) return rc;
  try {
    int32_t longest = 1;
    for (int64_t k = 0; k < n; ++k) longest = std::max(longest, o->code_len(o->ctx, ids[k]));
    const Chunks chunks(n);
    const auto count = static_cast<std::size_t>(chunks.count);
    std::vector<int> status(count, PSX_OK);
    std::vector<int64_t> where(count, -1);
    std::vector<double> sum(count, 0.0), reached(count, 0.0);
    std::vector<std::vector<int32_t>> codes(static_cast<std::size_t>(n_threads));
    for (auto& c : codes) c.resize(static_cast<std::size_t>(longest));
    for_each_chunk(chunks, n_threads, [&](int64_t c, int worker) {
      int32_t* code = codes[static_cast<std::size_t>(worker)].data();
      for (int64_t k = chunks.begin(c); k < chunks.end(c); ++k) {
        const int64_t i = ids[k];
        const int32_t* truth = o->truth(o->ctx, i);
        double upper = 0, score = 0, own = 0, loss = 0;
        int rc = truth ? o->load(o->ctx, worker, w, i) : no_truth(o);
        if (rc == PSX_OK) rc = o->argmax(o->ctx, worker, i, 1.0, code);
        if (rc == PSX_OK) rc = o->bound(o->ctx, worker, i, 1.0, &upper);
        if (rc == PSX_OK) rc = o->score(o->ctx, worker, i, truth, &score);
        if (rc == PSX_OK && found) rc = o->score(o->ctx, worker, i, code, &own);
        if (rc == PSX_OK && found) rc = o->loss(o->ctx, i, code, &loss);
        if (rc != PSX_OK) {
          status[static_cast<std::size_t>(c)] = rc;
          where[static_cast<std::size_t>(c)] = i;
          return false;
        }
        const double a = weight ? weight[k] : 1.0;
        sum[static_cast<std::size_t>(c)] += a * std::max(0.0, upper - score);
        reached[static_cast<std::size_t>(c)] += a * std::max(0.0, loss - (score - own));
      }
      return true;
    });
    for (int64_t c = 0; c < chunks.count; ++c) {
      if (status[static_cast<std::size_t>(c)] != PSX_OK) {
        if (failed) *failed = where[static_cast<std::size_t>(c)];
        return status[static_cast<std::size_t>(c)];
      }
      *hinge += sum[static_cast<std::size_t>(c)];
      if (found) *found += reached[static_cast<std::size_t>(c)];
    }
    return PSX_OK;
  } catch (...) {
    return PSX_NOMEM;
  }
}

// Emits psi(y) - psi(z) into a sink.
template <class Space, class Sink>
void emit_diff(const Space& space, int64_t i, const int32_t* y, const int32_t* z, double a,
               Sink& sink) noexcept {
  if constexpr (detail::HasPsiDiff<Space>::value) {
    space.psi_diff(i, y, z, a, sink);
  } else {
    space.psi(i, y, a, sink);
    space.psi(i, z, -a, sink);
  }
}

// ||psi(y) - psi(z)||^2 through the sparse vector of the scratch; negative if memory ran out.
template <class Space>
double sparse_sqnorm(const Space& space, int64_t i, const int32_t* y, const int32_t* z,
                     typename Space::Scratch& s) noexcept {
  s.sparse.clear();
  if constexpr (detail::HasPsiDiff<Space>::value) {
    space.psi_diff(i, y, z, 1.0, s.sparse);
  } else {
    space.psi(i, y, 1.0, s.sparse);
    space.psi(i, z, -1.0, s.sparse);
  }
  return s.sparse.overflow ? -1.0 : s.sparse.sqnorm();
}

// A kernel that answers no questions about all of its outputs.
struct NoQueries {
  static constexpr bool kAny = false;
};

// The ABI over a kernel: owns the view and the workers' scratch.
template <class Space, class Queries = NoQueries>
class OracleBox {
 public:
  using real = typename Space::real;

  explicit OracleBox(const Space& space) : space_(space) {
    oracle_ = psx_oracle{};
    oracle_.struct_size = sizeof(psx_oracle);
    oracle_.abi_version = PSX_ABI_VERSION;
    oracle_.flags = exactness(space) | PSX_THREADSAFE;
    oracle_.w_bytes = sizeof(real);
    oracle_.ctx = this;
    oracle_.n_blocks = space.n_blocks();
    oracle_.size_psi = space.size_psi();
    set_required();
    set_parts();
    if constexpr (Queries::kAny) set_queries();
    if constexpr (detail::HasNonnegative<Space>::value) space.nonnegative(oracle_.nonnegative);
    if constexpr (detail::HasBound<Space>::value)
      oracle_.bound = [](void* c, int k, int64_t i, double scale, double* out) {
        *out = self(c).space_.bound(i, scale, self(c).scratch(k));
        return checked(*out);
      };
    if constexpr (detail::HasCheckCode<Space>::value)
      oracle_.check_code = [](void* c, int64_t i, const int32_t* code, int64_t* range) {
        const CodeFault fault = self(c).space_.check_code(i, code);
        range[0] = fault.low;
        range[1] = fault.high;
        return fault.at;
      };
  }
  OracleBox(const OracleBox&) = delete;
  OracleBox& operator=(const OracleBox&) = delete;

  const psx_oracle* oracle() const noexcept { return &oracle_; }
  const Space& space() const noexcept { return space_; }

 private:
  // What argmax promises may depend on the fields: of forests, say, it is the maximum.
  static uint32_t exactness(const Space& space) noexcept {
    if constexpr (detail::HasExactness<Space>::value) {
      return space.exactness();
    } else {
      return Space::kFlags;
    }
  }
  void set_required() noexcept {
    oracle_.reserve_workers = [](void* c, int n) { return self(c).reserve(n); };
    oracle_.code_len = [](void* c, int64_t i) { return self(c).space_.code_len(i); };
    oracle_.truth = [](void* c, int64_t i) { return self(c).space_.truth(i); };
    oracle_.load = [](void* c, int k, const void* w, int64_t i) {
      self(c).prepare(static_cast<const real*>(w), k);
      self(c).space_.load(static_cast<const real*>(w), i, self(c).scratch(k));
      return static_cast<int>(PSX_OK);
    };
    oracle_.argmax = [](void* c, int k, int64_t i, double scale, int32_t* code) {
      return self(c).search(i, scale, k, code);
    };
    oracle_.score = [](void* c, int k, int64_t i, const int32_t* code, double* out) {
      *out = self(c).space_.score(i, self(c).scratch(k), code);
      return static_cast<int>(PSX_OK);
    };
    oracle_.loss = [](void* c, int64_t i, const int32_t* code, double* out) {
      return self(c).loss(i, code, out);
    };
    oracle_.psi_axpy = [](void* c, int, int64_t i, const int32_t* y, double a, void* w) {
      DenseSink<real> sink{static_cast<real*>(w)};
      self(c).space_.psi(i, y, a, sink);
      return static_cast<int>(PSX_OK);
    };
    oracle_.psi_diff_axpy = [](void* c, int, int64_t i, const int32_t* y, const int32_t* z,
                               double a, void* w) {
      DenseSink<real> sink{static_cast<real*>(w)};
      emit_diff(self(c).space_, i, y, z, a, sink);
      return static_cast<int>(PSX_OK);
    };
    oracle_.psi_diff_accumulate = [](void* c, int, int64_t i, const int32_t* y, const int32_t* z,
                                     double a, double* acc) {
      DenseSink<double> sink{acc};
      emit_diff(self(c).space_, i, y, z, a, sink);
      return static_cast<int>(PSX_OK);
    };
    oracle_.psi_diff_sqnorm = [](void* c, int k, int64_t i, const int32_t* y, const int32_t* z,
                                 double* out) {
      const Space& space = self(c).space_;
      auto& s = self(c).scratch(k);
      if constexpr (detail::HasSqnorm<Space>::value) {
        *out = space.psi_diff_sqnorm(i, y, z, s);
      } else {
        *out = sparse_sqnorm(space, i, y, z, s);
      }
      if (*out < 0) return static_cast<int>(PSX_NOMEM);
      return checked(*out);
    };
    oracle_.psi_diff_dot = [](void* c, int, const void* w, int64_t i, const int32_t* y,
                              const int32_t* z, double* out) {
      DotSink<real> sink{static_cast<const real*>(w)};
      emit_diff(self(c).space_, i, y, z, 1.0, sink);
      *out = sink.sum;
      return static_cast<int>(PSX_OK);
    };
    oracle_.argmax_batch = [](void* c, const void* w, const int64_t* ids, int64_t n,
                              double loss_scale, int n_threads, int32_t* codes,
                              const int64_t* offsets, double* scores, double* losses,
                              double* margins, int64_t* failed) {
      OracleBox& box = self(c);
      n_threads = usable_threads(n_threads, n);
      if (const int rc = box.reserve(n_threads)) return rc;
      Inlined verbs{&box, static_cast<const real*>(w)};
      try {
        return batch_argmax(verbs, ids, n, loss_scale, n_threads,
                            BatchOut{codes, offsets, scores, losses, margins}, failed);
      } catch (...) {
        return static_cast<int>(PSX_NOMEM);
      }
    };
  }

  void set_parts() noexcept {
    if constexpr (detail::HasParts<Space>::value) {
      oracle_.part_shape = [](void* c, int64_t i, int64_t* shape) {
        return self(c).space_.part_shape(i, shape);
      };
      oracle_.parts = [](void* c, int64_t i, const int32_t* code, int64_t* parts, int64_t room) {
        int64_t count = 0;
        self(c).space_.each_part(i, code, [&](int64_t part) {
          if (count < room) parts[count] = part;
          ++count;
        });
        return count;
      };
    }
    if constexpr (detail::HasAddParts<Space>::value) {
      oracle_.add_scores = [](void* c, int k, int64_t i, double a, const void* scores) {
        return guarded([&] {
          self(c).space_.add_parts(i, a, static_cast<const real*>(scores), self(c).scratch(k));
          return static_cast<int>(PSX_OK);
        });
      };
      oracle_.load_scores = [](void* c, int k, int64_t i, const void* scores) {
        return guarded([&] {
          self(c).space_.clear(i, self(c).scratch(k));
          self(c).space_.add_parts(i, 1.0, static_cast<const real*>(scores), self(c).scratch(k));
          return static_cast<int>(PSX_OK);
        });
      };
    }
  }

  void set_queries() noexcept {
    oracle_.k_best = [](void* c, int k, int64_t i, int64_t n, int32_t* codes, double* scores,
                        int64_t* found) {
      return guarded([&] {
        *found = Queries::k_best(self(c).space_, self(c).scratch(k), i, n, codes, scores);
        return *found < 0 ? static_cast<int>(PSX_NONFINITE) : static_cast<int>(PSX_OK);
      });
    };
    if constexpr (detail::HasMarginals<Queries>::value) {
      oracle_.marginals = [](void* c, int k, int64_t i, double temperature, double* out,
                             double* log_partition) {
        return guarded([&] {
          *log_partition =
              Queries::marginals(self(c).space_, self(c).scratch(k), i, temperature, out);
          return std::isnan(*log_partition) ? static_cast<int>(PSX_NONFINITE)
                                            : static_cast<int>(PSX_OK);
        });
      };
      oracle_.sample = [](void* c, int k, int64_t i, double temperature, uint64_t seed, int64_t n,
                          int32_t* codes) {
        return guarded([&] {
          return Queries::sample(self(c).space_, self(c).scratch(k), i, temperature, seed, n, codes)
                     ? static_cast<int>(PSX_OK)
                     : static_cast<int>(PSX_NONFINITE);
        });
      };
    }
  }

  template <class Work>
  static int guarded(Work&& work) noexcept {
    try {
      return work();
    } catch (...) {
      return PSX_NOMEM;
    }
  }

  struct Inlined {
    OracleBox* box;
    const real* w;
    void prepare(int worker) const { box->prepare(w, worker); }
    int load(int worker, int64_t i) const {
      box->space_.load(w, i, box->scratch(worker));
      return PSX_OK;
    }
    int argmax(int worker, int64_t i, double scale, int32_t* code) const {
      return box->search(i, scale, worker, code);
    }
    int score(int worker, int64_t i, const int32_t* code, double* s) const {
      *s = box->space_.score(i, box->scratch(worker), code);
      return PSX_OK;
    }
    int loss(int64_t i, const int32_t* code, double* l) const {
      return box->loss(i, code, l);
    }
    const int32_t* truth(int64_t i) const { return box->space_.truth(i); }
  };

  // Kernels read the truth without asking whether there is one; examples to be decoded have none.
  int search(int64_t i, double scale, int worker, int32_t* code) noexcept {
    if (scale != 0 && !space_.truth(i)) return PSX_NOTRUTH;
    return checked(space_.argmax(i, scale, scratch(worker), code));
  }
  int loss(int64_t i, const int32_t* code, double* out) const noexcept {
    if (!space_.truth(i)) return PSX_NOTRUTH;
    *out = space_.loss(i, code);
    return PSX_OK;
  }
  static OracleBox& self(void* c) noexcept { return *static_cast<OracleBox*>(c); }
  static int checked(double value) noexcept {
    // Below: nothing but forbidden parts was left.
    return std::isfinite(value) && value > 0.1 * PSX_FORBIDDEN ? static_cast<int>(PSX_OK)
                                                               : static_cast<int>(PSX_NONFINITE);
  }
  void prepare([[maybe_unused]] const real* w, [[maybe_unused]] int k) noexcept {
    if constexpr (detail::HasPrepare<Space>::value) space_.prepare(w, scratch(k));
  }
  typename Space::Scratch& scratch(int k) noexcept { return *workers_[static_cast<std::size_t>(k)]; }
  int reserve(int n) noexcept {
    try {
      while (static_cast<int>(workers_.size()) < n)
        workers_.push_back(std::make_unique<typename Space::Scratch>(space_));
      return PSX_OK;
    } catch (...) {
      return PSX_NOMEM;
    }
  }

  Space space_;
  psx_oracle oracle_;
  std::vector<std::unique_ptr<typename Space::Scratch>> workers_;
};

}  // namespace pystruct_ext
