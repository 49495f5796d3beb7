// A 64-bit hash of byte strings: the same on every run, platform and byte order.
//
// Design: features are short (10-40 bytes), so what counts is the constant cost. Input is read as
// little-endian 64-bit words; the tail re-reads bytes already seen instead of looping over single
// bytes; each 16 bytes cost one 64 x 64 -> 128 bit multiplication whose halves are xored. It is not
// keyed, so it does not resist an adversary; tables that use it compare the bytes.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

namespace pystruct_ext::text {

inline uint64_t load_le64(const char* p) noexcept {
  uint64_t v;
  std::memcpy(&v, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  v = __builtin_bswap64(v);
#endif
  return v;
}

inline uint64_t load_le32(const char* p) noexcept {
  uint32_t v;
  std::memcpy(&v, p, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  v = __builtin_bswap32(v);
#endif
  return v;
}

// High and low half of the 128-bit product, xored.
inline uint64_t fold_multiply(uint64_t a, uint64_t b) noexcept {
#if defined(__SIZEOF_INT128__)
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#elif defined(_MSC_VER) && defined(_M_X64)
  uint64_t high;
  const uint64_t low = _umul128(a, b, &high);
  return low ^ high;
#else
  const uint64_t a0 = a & 0xFFFFFFFFULL, a1 = a >> 32, b0 = b & 0xFFFFFFFFULL, b1 = b >> 32;
  const uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
  const uint64_t middle = (p00 >> 32) + (p01 & 0xFFFFFFFFULL) + (p10 & 0xFFFFFFFFULL);
  const uint64_t high = p11 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
  return (a * b) ^ high;
#endif
}

inline uint64_t hash_bytes(const char* p, int64_t n) noexcept {
  // Fractional bits of the golden ratio and of the square roots of 3, 5 and 7; the two used as
  // multipliers are odd.
  constexpr uint64_t kLength = 0x9E3779B97F4A7C15ULL, kFirst = 0xBB67AE8584CAA73BULL,
                     kSecond = 0x3C6EF372FE94F82BULL, kFinal = 0xA54FF53A5F1D36F1ULL;
  uint64_t state = kSecond ^ (static_cast<uint64_t>(n) * kLength);
  uint64_t a, b;
  if (n >= 16) {
    const char* last = p + n - 16;
    for (; p < last; p += 16) {
      state = fold_multiply(load_le64(p) ^ kFirst, load_le64(p + 8) ^ state) + kLength;
    }
    a = load_le64(last);
    b = load_le64(last + 8);
  } else if (n >= 8) {
    a = load_le64(p);
    b = load_le64(p + n - 8);
  } else if (n >= 4) {
    a = load_le32(p);
    b = load_le32(p + n - 4);
  } else if (n > 0) {  // one to three bytes: first, middle and last name each of them
    const auto* u = reinterpret_cast<const unsigned char*>(p);
    a = static_cast<uint64_t>(u[0]) | static_cast<uint64_t>(u[n >> 1]) << 8 |
        static_cast<uint64_t>(u[n - 1]) << 16;
    b = 0;
  } else {
    a = b = 0;
  }
  const uint64_t h = fold_multiply(a ^ kFirst, b ^ state);
  return fold_multiply(h ^ kLength, kFinal);  // spreads every bit to the low ones, used as address
}

}  // namespace pystruct_ext::text
