// out[j] = max(out[j], a + b[j]): the inner loop of cubic dynamic programmes over spans.
#pragma once

#include <cstdint>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

// Both run over `to` by up to kW - 1 entries: what lies there is -inf in b, and room in out.
template <class R, int kW>
PSX_INLINE void raise_row(R* out, R a, const R* b, int32_t from, int32_t to) {
  using V = Vec<R, kW>;
  const V v = V::splat(a);
  // Runs over `to`: what lies there is -inf in b and stays so.
  for (int32_t j = from; j <= to; j += kW)
    V::max(V::load(out + j), v + V::load(b + j)).store(out + j);
}

template <class R, int kW>
PSX_INLINE void raise_row2(R* out, R a, const R* b, const R* c, int32_t from, int32_t to) {
  using V = Vec<R, kW>;
  const V v = V::splat(a);
  for (int32_t j = from; j <= to; j += kW)
    V::max(V::load(out + j), v + V::load(b + j) + V::load(c + j)).store(out + j);
}

}  // namespace pystruct_ext
