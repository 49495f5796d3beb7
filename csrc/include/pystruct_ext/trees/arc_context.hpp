// What lies between two words of a sentence: the tags, and how many words are like one of the two.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pystruct_ext {

// What is known of a word, as hashes of strings.
struct ArcToken {
  uint32_t form, lemma, tag, fine;
};

// Of two words a < b. Counts are 0, 1, 2, or 3 and more.
struct ArcContext {
  uint64_t tags = 0;               // set of tags, as bits
  uint8_t tag_a = 0, tag_b = 0;    // how many words share the tag of a, of b
  uint8_t form_a = 0, form_b = 0;  // the form
};

// Contexts of all pairs of a sentence, out[a * (n + 1) + b], in O(n^2). The root is word 0.
inline void fill_contexts(const ArcToken* x, const uint8_t* tag, int32_t n,
                          ArcContext* out) noexcept {
  const auto more = [](uint8_t k) { return static_cast<uint8_t>(k < 3 ? k + 1 : 3); };
  for (int32_t b = 1; b <= n; ++b) {
    ArcContext c;  // from b - 1 back to the root
    for (int32_t a = b - 1; a >= 0; --a) {
      ArcContext* row = out + int64_t{a} * (n + 1);
      if (a < b - 1) {
        c.tags |= uint64_t{1} << tag[a + 1];
        if (x[a + 1].tag == x[b].tag) c.tag_b = more(c.tag_b);
        if (x[a + 1].form == x[b].form) c.form_b = more(c.form_b);
        // What is like a comes from the pair that ends one earlier.
        const ArcContext& last = row[b - 1];
        c.tag_a = x[b - 1].tag == x[a].tag ? more(last.tag_a) : last.tag_a;
        c.form_a = x[b - 1].form == x[a].form ? more(last.form_a) : last.form_a;
      }
      row[b] = c;
    }
  }
}

// The same for one pair, in either order.
inline ArcContext context_of(const ArcToken* x, const uint8_t* tag, int32_t h, int32_t m) noexcept {
  const int32_t a = std::min(h, m), b = std::max(h, m);
  int32_t tag_a = 0, tag_b = 0, form_a = 0, form_b = 0;
  ArcContext c;
  for (int32_t k = a + 1; k < b; ++k) {
    c.tags |= uint64_t{1} << tag[k];
    tag_a += x[k].tag == x[a].tag;
    tag_b += x[k].tag == x[b].tag;
    form_a += x[k].form == x[a].form;
    form_b += x[k].form == x[b].form;
  }
  const auto most = [](int32_t k) { return static_cast<uint8_t>(std::min(k, 3)); };
  c.tag_a = most(tag_a);
  c.tag_b = most(tag_b);
  c.form_a = most(form_a);
  c.form_b = most(form_b);
  return c;
}

}  // namespace pystruct_ext
