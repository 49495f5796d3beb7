/* The C ABI between output spaces and solvers (C99, no Python.h).
 *
 * A solver sees nothing but this struct. It is handed around in a PyCapsule named
 * PSX_CAPSULE_NAME, so that a space compiled anywhere (C, C++, Rust, numba) plugs into every
 * solver. `struct_size` lets later 1.x versions append fields: a reader takes the bytes that the
 * writer had, and everything behind them as 0, so that an oracle of an older header still loads.
 *
 * Conventions
 * -----------
 * - A block is a training example, i in [0, n_blocks). Its output is an int32 code of length
 *   code_len(i); two outputs are equal if and only if their codes are.
 * - w has `size_psi` entries of `w_bytes` bytes each (4: float, 8: double), is read-only unless a
 *   function says otherwise, and is never retained after a call returns.
 * - Buffers belong to the caller.
 * - `worker` in [0, n reserved workers) names the scratch space a call may use; two threads must
 *   not use one worker at a time. `load` fills a worker's scratch from w and block i; `argmax` and
 *   `score` read it and must be preceded by `load` of the same block on the same worker.
 * - The same w and i give the same code; ties go to one fixed output (for flat codes, such as
 *   classes and label sequences, the smallest).
 * - Functions return a psx_status, never throw, and never print.
 */
#ifndef PYSTRUCT_EXT_ORACLE_H
#define PYSTRUCT_EXT_ORACLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSX_CAPSULE_NAME "pystruct_ext.oracle.v1"
#define PSX_ABI_VERSION 1u

enum psx_status {
  PSX_OK = 0,
  PSX_PYTHON_ERROR = -1, /* a Python exception is held by the oracle */
  PSX_NONFINITE = -2,    /* a score is NaN or infinite: w or the features are */
  PSX_NOMEM = -3,
  PSX_NOTRUTH = -4       /* a loss was asked for where the oracle has no true output */
};

enum psx_flag {
  PSX_NEEDS_GIL = 1u,  /* calls enter Python: one thread at a time */
  PSX_THREADSAFE = 2u, /* distinct workers may run at the same time */
  PSX_EXACT = 4u,      /* argmax is the maximum: the gap certifies the problem */
  PSX_UNDERGEN = 8u,   /* argmax may miss the maximum (greedy, beam): the gap proves nothing,
                          unless the verb `bound` says how much may have been missed */
  PSX_OVERGEN = 16u    /* argmax maximises over a relaxation: the gap certifies the relaxation */
};

typedef struct psx_oracle {
  uint32_t struct_size; /* sizeof(psx_oracle) of the writer */
  uint32_t abi_version; /* PSX_ABI_VERSION of the writer */
  uint32_t flags;       /* psx_flag, or-ed */
  uint32_t w_bytes;     /* 4 or 8 */
  void* ctx;
  int64_t n_blocks;
  int64_t size_psi; /* D */

  /* Make scratch space for workers 0 .. n_workers - 1. Not thread-safe. */
  int (*reserve_workers)(void* ctx, int n_workers);

  int32_t (*code_len)(void* ctx, int64_t i);
  /* The code of y_i, or NULL with a Python error. Lives as long as the oracle. */
  const int32_t* (*truth)(void* ctx, int64_t i);

  /* Potentials of x_i from w: the only feature access before an argmax. */
  int (*load)(void* ctx, int worker, const void* w, int64_t i);
  /* argmax_y loss_scale * Delta(y_i, y) + <w, psi(x_i, y)>; 0 decodes, 1 separates. */
  int (*argmax)(void* ctx, int worker, int64_t i, double loss_scale, int32_t* code);
  /* <w, psi(x_i, code)> under the w of the last load. */
  int (*score)(void* ctx, int worker, int64_t i, const int32_t* code, double* out);
  /* Delta(y_i, code) >= 0. */
  int (*loss)(void* ctx, int64_t i, const int32_t* code, double* out);

  /* w += a psi(x_i, y) */
  int (*psi_axpy)(void* ctx, int worker, int64_t i, const int32_t* y, double a, void* w);
  /* w += a (psi(x_i, y) - psi(x_i, z)) */
  int (*psi_diff_axpy)(void* ctx, int worker, int64_t i, const int32_t* y, const int32_t* z,
                       double a, void* w);
  /* acc += a (psi(x_i, y) - psi(x_i, z)); acc is double whatever w_bytes is. */
  int (*psi_diff_accumulate)(void* ctx, int worker, int64_t i, const int32_t* y, const int32_t* z,
                             double a, double* acc);
  /* ||psi(x_i, y) - psi(x_i, z)||^2 */
  int (*psi_diff_sqnorm)(void* ctx, int worker, int64_t i, const int32_t* y, const int32_t* z,
                         double* out);
  /* <w, psi(x_i, y) - psi(x_i, z)> straight from w, without load. */
  int (*psi_diff_dot)(void* ctx, int worker, const void* w, int64_t i, const int32_t* y,
                      const int32_t* z, double* out);

  /* Batch calls; either may be NULL, and a solver then loops over the calls above.
   *
   * argmax_batch: codes of n blocks, block ids[k] at codes + code_offsets[k]. Each of the three
   * (n,) outputs may be NULL:
   *   scores[k] = <w, psi(x, code)>, losses[k] = Delta, margins[k] = <w, psi(x, y) - psi(x, code)>,
   * so that the hinge is losses[k] - margins[k] at loss_scale 1. On failure *failed is the block.
   * Bitwise the same result for every n_threads. */
  int (*argmax_batch)(void* ctx, const void* w, const int64_t* ids, int64_t n, double loss_scale,
                      int n_threads, int32_t* codes, const int64_t* code_offsets, double* scores,
                      double* losses, double* margins, int64_t* failed);
  /* cut_sum: dpsi += sum_k weight[k] delta_psi of the separating code of ids[k] (dpsi: (D,)
   * double, may be NULL), *loss += sum_k weight[k] Delta, *hinge += sum_k weight[k] H.
   * weight may be NULL (all ones). */
  int (*cut_sum)(void* ctx, const void* w, const int64_t* ids, const double* weight, int64_t n,
                 int n_threads, double* dpsi, double* loss, double* hinge, int64_t* failed);

  /* Optional verbs, each NULL where an oracle does not have it. Version 1.0 ends above.
   *
   * Parts. An output may be seen as a set of parts (token t has label l; word m hangs on h; i pairs
   * with j), numbered from 0 over an array of up to four dimensions per block. Marginals, scores
   * from outside, and costs and constraints per part are indexed by them. */

  /* Up to k best outputs under the potentials of the last load, best first, distinct.
   * codes: (k, code_len), scores: (k,); *found is their number. */
  int (*k_best)(void* ctx, int worker, int64_t i, int64_t k, int32_t* codes, double* scores,
                int64_t* found);
  /* log sum_y exp(<w, psi(x, y)> / temperature) under the potentials of the last load, and, where
   * out is not NULL, the probability of every part, in the shape of part_shape. */
  int (*marginals)(void* ctx, int worker, int64_t i, double temperature, double* out,
                   double* log_partition);
  /* n outputs drawn independently from exp(<w, psi(x, y)> / temperature) / Z under the potentials
   * of the last load; the same seed gives the same outputs. codes: (n, code_len) */
  int (*sample)(void* ctx, int worker, int64_t i, double temperature, uint64_t seed, int64_t n,
                int32_t* codes);
  /* Shape of the array of parts of block i; the number of dimensions (at most 4) is returned. */
  int (*part_shape)(void* ctx, int64_t i, int64_t shape[4]);
  /* The parts of an output; their number is returned. `parts` has room for `room`; beyond that
   * they are counted only. */
  int64_t (*parts)(void* ctx, int64_t i, const int32_t* code, int64_t* parts, int64_t room);
  /* Instead of load: <w, psi(x, y)> is replaced by the sum of the scores of the parts of y.
   * scores: entries of w_bytes, shape part_shape; those of impossible parts are not read. */
  int (*load_scores)(void* ctx, int worker, int64_t i, const void* scores);
  /* After a load: a times the sum of the scores of the parts of y is added to <w, psi(x, y)>.
   * PSX_FORBIDDEN forbids a part, until the next load. */
  int (*add_scores)(void* ctx, int worker, int64_t i, double a, const void* scores);
  /* After an argmax of the same block, loss_scale and worker: an upper bound of
   * max_y loss_scale Delta(y_i, y) + <w, psi(x_i, y)>. */
  int (*bound)(void* ctx, int worker, int64_t i, double loss_scale, double* out);
  /* Whether a code from outside is safe to use as an output of x_i: -1, or the first entry that is
   * wrong, with the smallest and the largest value that it may have in range (range[0] > range[1]:
   * it may have this value, but not together with the other entries). Everything else may take its
   * codes for checked. Reads code_len(i) entries and touches no worker. */
  int64_t (*check_code)(void* ctx, int64_t i, const int32_t* code, int64_t range[2]);
  /* A hint. held = 1: a solver keeps this code and will ask for its psi again; 0: no longer. Each
   * 1 is followed by one 0 at the latest when a solve ends. One thread at a time. */
  void (*hold)(void* ctx, int64_t i, const int32_t* code, int held);
  /* No verb: w[nonnegative[0]] .. w[nonnegative[1] - 1] are to be >= 0, so that the problem is the
   * minimum over such w only (pairwise weights for graph cuts, say). None where the two are equal. */
  int64_t nonnegative[2];
} psx_oracle;

/* A score that no output survives: far below any sum of scores, far above the smallest float. */
#define PSX_FORBIDDEN (-1e30)

#ifdef __cplusplus
}
#endif

#endif /* PYSTRUCT_EXT_ORACLE_H */
