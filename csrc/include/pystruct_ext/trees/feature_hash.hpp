// Keys of hashed features (Weinberger et al. 2009): a template and up to four hashes of strings.
#pragma once

#include <cstdint>

namespace pystruct_ext {

inline uint64_t feature_key(uint32_t code, uint32_t a, uint32_t b, uint32_t c,
                            uint32_t d) noexcept {
  return (code + 1) * 0x9E3779B97F4A7C15ull + a * 0xBB67AE8584CAA73Bull +
         b * 0xD6E8FEB86659FD93ull + c * 0xA0761D6478BD642Full + d * 0xE7037ED1A0B428DBull;
}

}  // namespace pystruct_ext
