/* Signs: y is 0 or 1, <w, psi(x, y)> = y <w, x>, Delta = [y != truth]. All of it in C99. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pystruct_ext/oracle.h"

typedef struct { /* what every call is handed as ctx; the caller's arrays are only looked at */
  psx_oracle oracle;
  const double* x; /* (n, d) */
  const int32_t* truth;
  double* score; /* (n_workers,) <w, x_i> of the last load of each worker */
} signs;

static double dot(const signs* s, const double* w, int64_t i) {
  double sum = 0;
  for (int64_t j = 0; j < s->oracle.size_psi; ++j) sum += w[j] * s->x[i * s->oracle.size_psi + j];
  return sum;
}
static int reserve(void* c, int n) { /* never while another call runs: scratch may move */
  signs* s = c;
  double* more = realloc(s->score, (size_t)n * sizeof(double));
  if (more) s->score = more;
  return more ? PSX_OK : PSX_NOMEM;
}
static int32_t code_len(void* c, int64_t i) { return 1; }
static const int32_t* truth(void* c, int64_t i) { return ((signs*)c)->truth + i; }
static int load(void* c, int worker, const void* w, int64_t i) {
  ((signs*)c)->score[worker] = dot(c, w, i);
  return PSX_OK;
}
static int argmax(void* c, int worker, int64_t i, double scale, int32_t* code) {
  const signs* s = c; /* scale * Delta is for the wrong sign; a tie goes to 0 */
  *code = s->score[worker] + scale * (s->truth[i] ? -1 : 1) > 0;
  return isfinite(s->score[worker]) ? PSX_OK : PSX_NONFINITE;
}
static int score(void* c, int worker, int64_t i, const int32_t* y, double* out) {
  *out = *y * ((signs*)c)->score[worker];
  return PSX_OK;
}
static int loss(void* c, int64_t i, const int32_t* y, double* out) {
  *out = *y != ((signs*)c)->truth[i];
  return PSX_OK;
}
static int diff_axpy(void* c, int worker, int64_t i, const int32_t* y, const int32_t* z, double a,
                     void* w) { /* w += a (psi(y) - psi(z)) */
  const int64_t d = ((signs*)c)->oracle.size_psi;
  for (int64_t j = 0; j < d; ++j) ((double*)w)[j] += a * (*y - *z) * ((signs*)c)->x[i * d + j];
  return PSX_OK;
}
static int axpy(void* c, int worker, int64_t i, const int32_t* y, double a, void* w) {
  const int32_t none = 0; /* psi(x, 0) = 0 */
  return diff_axpy(c, worker, i, y, &none, a, w);
}
static int diff_accumulate(void* c, int worker, int64_t i, const int32_t* y, const int32_t* z,
                           double a, double* sum) {
  return diff_axpy(c, worker, i, y, z, a, sum); /* the same where w is double */
}
static int diff_sqnorm(void* c, int worker, int64_t i, const int32_t* y, const int32_t* z,
                       double* out) {
  const signs* s = c;
  *out = (*y != *z) * dot(s, s->x + i * s->oracle.size_psi, i);
  return PSX_OK;
}
static int diff_dot(void* c, int worker, const void* w, int64_t i, const int32_t* y,
                    const int32_t* z, double* out) {
  *out = (*y - *z) * dot(c, w, i);
  return PSX_OK;
}
static int64_t check_code(void* c, int64_t i, const int32_t* y, int64_t range[2]) {
  range[0] = 0, range[1] = 1;
  return *y == 0 || *y == 1 ? -1 : 0;
}
void free_signs(psx_oracle* o) {
  if (o) free(((signs*)o->ctx)->score), free(o->ctx);
}
psx_oracle* make_signs(const double* x, const int32_t* y, int64_t n, int64_t d) {
  signs* s = calloc(1, sizeof *s); /* zeros: verbs that it does not have */
  if (!s) return NULL;
  s->x = x, s->truth = y;
  s->oracle = (psx_oracle){
      .struct_size = sizeof(psx_oracle), .abi_version = PSX_ABI_VERSION, .w_bytes = 8, .ctx = s,
      .flags = PSX_EXACT | PSX_THREADSAFE, .n_blocks = n, .size_psi = d,
      .reserve_workers = reserve, .code_len = code_len, .truth = truth, .load = load,
      .argmax = argmax, .score = score, .loss = loss, .psi_axpy = axpy,
      .psi_diff_axpy = diff_axpy, .psi_diff_accumulate = diff_accumulate,
      .psi_diff_sqnorm = diff_sqnorm, .psi_diff_dot = diff_dot, .check_code = check_code};
  return &s->oracle;
}
