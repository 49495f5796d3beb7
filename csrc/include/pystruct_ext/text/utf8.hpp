// Strict UTF-8 validation (RFC 3629), the same language as Python's "utf-8" decoder accepts.
#pragma once

#include <cstdint>
#include <cstring>

namespace pystruct_ext::text {

// Position of the first byte of the first malformed sequence in data[0, size), or -1.
// Rejects overlong forms, surrogates and code points above U+10FFFF.
inline int64_t find_invalid_utf8(const char* data, int64_t size) noexcept {
  const auto* s = reinterpret_cast<const unsigned char*>(data);
  int64_t i = 0;
  while (i < size) {
    if (i + 8 <= size) {  // eight ASCII bytes at a time: almost all of almost every file
      uint64_t word;
      std::memcpy(&word, s + i, 8);
      if ((word & 0x8080808080808080ULL) == 0) {
        i += 8;
        continue;
      }
    }
    const unsigned char c = s[i];
    if (c < 0x80) {
      ++i;
      continue;
    }
    int extra;
    unsigned char low = 0x80, high = 0xBF;  // bounds of the second byte
    if (c >= 0xC2 && c <= 0xDF) {
      extra = 1;
    } else if (c >= 0xE0 && c <= 0xEF) {
      extra = 2;
      if (c == 0xE0) low = 0xA0;
      if (c == 0xED) high = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
      extra = 3;
      if (c == 0xF0) low = 0x90;
      if (c == 0xF4) high = 0x8F;
    } else {
      return i;
    }
    if (i + extra >= size || s[i + 1] < low || s[i + 1] > high) return i;
    for (int k = 2; k <= extra; ++k) {
      if (s[i + k] < 0x80 || s[i + k] > 0xBF) return i;
    }
    i += extra + 1;
  }
  return -1;
}

}  // namespace pystruct_ext::text
