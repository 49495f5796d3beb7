/* A multiclass oracle in plain C, written against version 1.0 of oracle.h (the copy beside this
 * file): it must go on loading and training under later headers.
 *
 *   <w, psi(x, y)> = <w_y, x>, w is (K, d);  Delta = [y != y_hat] */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pystruct_ext/oracle.h"

typedef struct {
  psx_oracle oracle;
  int64_t n, d, k;
  const double* x;      /* (n, d) */
  const int32_t* label; /* (n,) */
  double* score;        /* (k,) of the last load */
} classes;

static int reserve(void* c, int n) {
  (void)c;
  (void)n;
  return PSX_OK;
}
static int32_t code_len(void* c, int64_t i) {
  (void)c;
  (void)i;
  return 1;
}
static const int32_t* truth(void* c, int64_t i) { return ((classes*)c)->label + i; }

static double inner(const classes* s, const double* w, int64_t i, int64_t y) {
  double sum = 0;
  for (int64_t j = 0; j < s->d; ++j) sum += w[y * s->d + j] * s->x[i * s->d + j];
  return sum;
}
static int load(void* c, int worker, const void* w, int64_t i) {
  classes* s = c;
  (void)worker;
  for (int64_t y = 0; y < s->k; ++y) s->score[y] = inner(s, w, i, y);
  return PSX_OK;
}
static int argmax(void* c, int worker, int64_t i, double scale, int32_t* code) {
  const classes* s = c;
  double best = -INFINITY;
  (void)worker;
  for (int64_t y = 0; y < s->k; ++y) {
    const double v = s->score[y] + scale * (y != s->label[i]);
    if (v > best) {
      best = v;
      *code = (int32_t)y;
    }
  }
  return isfinite(best) ? PSX_OK : PSX_NONFINITE;
}
static int score(void* c, int worker, int64_t i, const int32_t* code, double* out) {
  (void)worker;
  (void)i;
  *out = ((classes*)c)->score[*code];
  return PSX_OK;
}
static int loss(void* c, int64_t i, const int32_t* code, double* out) {
  *out = *code != ((classes*)c)->label[i];
  return PSX_OK;
}
static int add(classes* s, int64_t i, int32_t y, double a, double* to) {
  for (int64_t j = 0; j < s->d; ++j) to[y * s->d + j] += a * s->x[i * s->d + j];
  return PSX_OK;
}
static int psi_axpy(void* c, int worker, int64_t i, const int32_t* y, double a, void* w) {
  (void)worker;
  return add(c, i, *y, a, w);
}
static int psi_diff_axpy(void* c, int worker, int64_t i, const int32_t* y, const int32_t* z,
                         double a, void* w) {
  (void)worker;
  return add(c, i, *y, a, w) | add(c, i, *z, -a, w);
}
static int psi_diff_accumulate(void* c, int worker, int64_t i, const int32_t* y,
                               const int32_t* z, double a, double* acc) {
  return psi_diff_axpy(c, worker, i, y, z, a, acc);
}
static int psi_diff_sqnorm(void* c, int worker, int64_t i, const int32_t* y, const int32_t* z,
                           double* out) {
  const classes* s = c;
  (void)worker;
  *out = 0;
  for (int64_t j = 0; *y != *z && j < s->d; ++j)
    *out += 2 * s->x[i * s->d + j] * s->x[i * s->d + j];
  return PSX_OK;
}
static int psi_diff_dot(void* c, int worker, const void* w, int64_t i, const int32_t* y,
                        const int32_t* z, double* out) {
  (void)worker;
  *out = inner(c, w, i, *y) - inner(c, w, i, *z);
  return PSX_OK;
}

const psx_oracle* make_classes(const double* x, const int32_t* label, int64_t n, int64_t d,
                               int64_t k, uint32_t flags) {
  classes* s = calloc(1, sizeof *s);
  s->x = x;
  s->label = label;
  s->n = n;
  s->d = d;
  s->k = k;
  s->score = calloc((size_t)k, sizeof(double));
  s->oracle = (psx_oracle){sizeof(psx_oracle),
                           PSX_ABI_VERSION,
                           flags,
                           8,
                           s,
                           n,
                           k * d,
                           reserve,
                           code_len,
                           truth,
                           load,
                           argmax,
                           score,
                           loss,
                           psi_axpy,
                           psi_diff_axpy,
                           psi_diff_accumulate,
                           psi_diff_sqnorm,
                           psi_diff_dot,
                           NULL,
                           NULL};
  /* What lies behind the struct of this version must never be read. */
  psx_oracle* exact = malloc(sizeof(psx_oracle));
  memcpy(exact, &s->oracle, sizeof(psx_oracle));
  return exact;
}
