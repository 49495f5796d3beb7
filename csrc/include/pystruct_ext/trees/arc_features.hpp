// First-order features of dependency arcs in the manner of McDonald, Crammer and Pereira (2005):
// words and tags of head and modifier, alone and together, tags around them and between them,
// each with the direction and with the direction and distance. Sibling features as in McDonald
// and Pereira (2006), grandparent features in those of Carreras (2007) and Koo and Collins (2010).
//
// The rich set adds words next to head and modifier, the whole set of tags between, and how many words
// between share the tag of the head, or the tag or the form of the modifier: whether this is the
// nearest verb, the second noun, a closing quote.
//
// Design. Features are never stored: an arc has about fifty, a treebank of 200,000 words has
// millions of arcs. Their indices are computed when they are needed, by hashing (Weinberger et al.
// 2009), which costs less than reading them from memory would.
#pragma once

#include <cstdint>

#include "pystruct_ext/trees/arc_context.hpp"
#include "pystruct_ext/trees/feature_hash.hpp"

namespace pystruct_ext {

class ArcFeatures {
 public:
  // Distances 1, 2, 3, 4, 5 to 9, 10 and more.
  static constexpr int kDistances = 6;
  static int distance(int32_t h, int32_t m) noexcept {
    const int32_t d = h < m ? m - h : h - m;
    return d < 5 ? d - 1 : d < 10 ? 4 : 5;
  }
  static uint32_t direction(int32_t h, int32_t m) noexcept { return h < m ? 1u : 0u; }

  // How many features `sibling` has, where there is none, and `grand`.
  static constexpr int kSibling = 3, kSiblingRich = 8, kNoSiblingRich = 6;
  static constexpr int kGrand = 5, kGrandRich = 7;

  int bits = 0;
  const ArcToken* tokens = nullptr;    // n + 3 per sentence: begin, root, words, end
  const uint8_t* tag_index = nullptr;  // the same layout; tags as numbers below 64
  bool lemmas = false, fine = false;   // whether these columns are there
  bool rich = false;                   // whether the features below called rich are used

  // f(index) for features of the head alone.
  template <class F>
  void head(const ArcToken* t, uint32_t dir, uint32_t dist, F&& f) const noexcept {
    single(t, 1, dir, dist, f);
  }
  template <class F>
  void modifier(const ArcToken* t, uint32_t dir, uint32_t dist, F&& f) const noexcept {
    single(t, 11, dir, dist, f);
  }

  // Features of head and modifier together. `between` holds the set of tags in between.
  template <class F>
  void both(const ArcToken* h, const ArcToken* m, uint32_t dir, uint32_t dist, uint64_t between,
            F&& f) const noexcept {
    const auto two = [&](uint64_t key) {
      f(finish(key, dir));
      f(finish(key, 2 + dir + 2 * dist));
    };
    two(feature_key(21, h->form, h->tag, m->form, m->tag));
    two(feature_key(22, h->tag, m->form, m->tag, 0));
    two(feature_key(23, h->form, m->form, m->tag, 0));
    two(feature_key(24, h->form, h->tag, m->tag, 0));
    two(feature_key(25, h->form, h->tag, m->form, 0));
    two(feature_key(26, h->form, m->form, 0, 0));
    two(feature_key(27, h->tag, m->tag, 0, 0));
    if (lemmas) {
      two(feature_key(28, h->lemma, m->lemma, 0, 0));
      two(feature_key(29, h->lemma, m->tag, 0, 0));
      two(feature_key(30, h->tag, m->lemma, 0, 0));
    }
    if (fine) {
      two(feature_key(31, h->fine, m->fine, 0, 0));
      two(feature_key(32, h->fine, (h + 1)->fine, (m - 1)->fine, m->fine));
      two(feature_key(33, (h - 1)->fine, h->fine, m->fine, (m + 1)->fine));
    }
    two(feature_key(34, h->tag, (h + 1)->tag, (m - 1)->tag, m->tag));
    two(feature_key(35, (h - 1)->tag, h->tag, (m - 1)->tag, m->tag));
    two(feature_key(36, h->tag, (h + 1)->tag, m->tag, (m + 1)->tag));
    two(feature_key(37, (h - 1)->tag, h->tag, m->tag, (m + 1)->tag));
    while (between) {
      const int b = __builtin_ctzll(between);
      between &= between - 1;
      f(finish(feature_key(38, h->tag, m->tag, static_cast<uint32_t>(b) + 1, 0), dir));
    }
  }

  // h -> m with s the next modifier inwards, s == h: none, in two parts: features without h, which are
  // none where s == h, and the others.
  template <class F>
  void sibling_ends(const ArcToken* s, const ArcToken* m, uint32_t dir, F&& f) const noexcept {
    f(finish(feature_key(42, s->tag, m->tag, 0, 0), dir));
    f(finish(feature_key(43, s->form, m->form, 0, 0), dir));
    f(finish(feature_key(44, s->form, m->tag, 0, 0), dir));
    f(finish(feature_key(45, s->tag, m->form, 0, 0), dir));
    if (rich) f(finish(feature_key(138, s->tag, m->tag, gap(s, m), 0), dir));
  }
  template <class F>
  void sibling(const ArcToken* h, const ArcToken* s, const ArcToken* m, uint32_t dir,
               F&& f) const noexcept {
    if (s == h) {
      f(finish(feature_key(51, h->tag, m->tag, 0, 0), dir));
      f(finish(feature_key(52, h->fine, m->fine, 0, 0), dir));
      f(finish(feature_key(53, h->form, m->tag, 0, 0), dir));
      if (!rich) return;
      f(finish(feature_key(131, word(h), word(m), 0, 0), dir));
      f(finish(feature_key(132, h->tag, word(m), 0, 0), dir));
      f(finish(feature_key(133, h->tag, m->tag, gap(h, m), 0), dir));
      return;
    }
    f(finish(feature_key(41, h->tag, s->tag, m->tag, 0), dir));
    f(finish(feature_key(46, h->fine, s->fine, m->fine, 0), dir));
    f(finish(feature_key(47, h->form, s->tag, m->tag, 0), dir));
    if (!rich) return;
    f(finish(feature_key(134, word(h), word(s), m->tag, 0), dir));
    f(finish(feature_key(135, h->tag, word(s), word(m), 0), dir));
    f(finish(feature_key(136, h->tag, word(s), m->tag, 0), dir));
    f(finish(feature_key(137, h->tag, s->tag, word(m), 0), dir));
    f(finish(feature_key(139, h->tag, s->tag, m->tag, gap(s, m) + 1), dir));
  }

  // g -> h -> m, in two parts: features without h, and with it. `dirs` is the direction of h -> m plus
  // twice that of g -> h.
  template <class F>
  void grand_ends(const ArcToken* g, const ArcToken* m, uint32_t dirs, F&& f) const noexcept {
    f(finish(feature_key(151, g->tag, m->tag, 0, 0), dirs));
    f(finish(feature_key(152, word(g), m->tag, 0, 0), dirs));
    f(finish(feature_key(153, g->tag, word(m), 0, 0), dirs));
    f(finish(feature_key(154, word(g), word(m), 0, 0), dirs));
  }
  template <class F>
  void grand(const ArcToken* g, const ArcToken* h, const ArcToken* m, uint32_t dirs,
             F&& f) const noexcept {
    f(finish(feature_key(155, g->tag, h->tag, m->tag, 0), dirs));
    f(finish(feature_key(156, g->fine, h->fine, m->fine, 0), dirs));
    f(finish(feature_key(157, word(g), h->tag, m->tag, 0), dirs));
    f(finish(feature_key(158, g->tag, word(h), m->tag, 0), dirs));
    f(finish(feature_key(159, g->tag, h->tag, word(m), 0), dirs));
    if (!rich) return;
    f(finish(feature_key(160, word(g), h->tag, word(m), 0), dirs));
    f(finish(feature_key(161, g->tag, word(h), word(m), 0), dirs));
  }

  // Rich features of head and modifier.
  template <class F>
  void both_rich(const ArcToken* h, const ArcToken* m, uint32_t dir, uint32_t dist,
                 const ArcContext& c, F&& f) const noexcept {
    const auto one = [&](uint64_t key) { f(finish(key, dir)); };
    const auto two = [&](uint64_t key) {
      f(finish(key, dir));
      f(finish(key, 2 + dir + 2 * dist));
    };
    const uint32_t like_h = dir ? c.tag_a : c.tag_b, like_m = dir ? c.tag_b : c.tag_a;
    const uint32_t same_m = dir ? c.form_b : c.form_a, like = like_h + 4 * like_m;
    one(feature_key(101, h->tag, m->tag, static_cast<uint32_t>(c.tags),
                    static_cast<uint32_t>(c.tags >> 32)));
    two(feature_key(102, h->tag, m->tag, like, 0));
    two(feature_key(103, h->tag, m->form, like_h + 4 * same_m, 0));
    one(feature_key(104, word(h), m->tag, like, 0));
    one(feature_key(105, h->fine, (h + 1)->fine, m->fine, 0));
    one(feature_key(106, (h - 1)->fine, h->fine, m->fine, 0));
    one(feature_key(107, h->fine, (m - 1)->fine, m->fine, 0));
    one(feature_key(108, h->fine, m->fine, (m + 1)->fine, 0));
    one(feature_key(109, word(h), m->tag, (m - 1)->tag, 0));
    one(feature_key(110, word(h), m->tag, (m + 1)->tag, 0));
    one(feature_key(111, h->tag, (h - 1)->tag, word(m), 0));
    one(feature_key(112, h->tag, (h + 1)->tag, word(m), 0));
    one(feature_key(113, h->tag, m->tag, word(m - 1), 0));
    one(feature_key(114, word(h), m->tag, word(m - 1), 0));
    one(feature_key(115, h->tag, m->tag, word(m + 1), 0));
    one(feature_key(116, h->tag, m->tag, word(h - 1), 0));
    one(feature_key(117, h->tag, m->tag, word(h + 1), 0));
  }

  // Rows of weights over labels: features of the modifier alone, the head alone, and both.
  template <class F>
  void label_modifier(const ArcToken* m, uint32_t dir, F&& f) const noexcept {
    f(finish(feature_key(61, m->form, m->tag, 0, 0), dir));
    f(finish(feature_key(62, m->tag, (m - 1)->tag, 0, 0), dir));
    f(finish(feature_key(63, m->tag, (m + 1)->tag, 0, 0), dir));
    f(finish(feature_key(64, m->form, (m - 1)->form, 0, 0), dir));
    f(finish(feature_key(69, m->tag, (m - 1)->form, 0, 0), dir));
    if (fine) f(finish(feature_key(65, m->fine, (m - 1)->fine, (m + 1)->fine, 0), dir));
    if (fine) f(finish(feature_key(66, m->fine, 0, 0, 0), dir));
    if (lemmas) f(finish(feature_key(67, m->lemma, 0, 0, 0), dir));
    f(finish(feature_key(68, m->form, (m + 1)->form, 0, 0), dir));
    if (!rich) return;
    f(finish(feature_key(171, m->tag, (m - 1)->tag, (m - 2)->tag, 0), dir));
    f(finish(feature_key(172, m->tag, word(m + 1), 0, 0), dir));
    f(finish(feature_key(173, word(m), (m + 1)->tag, 0, 0), dir));
    f(finish(feature_key(174, word(m), (m - 1)->tag, 0, 0), dir));
  }
  template <class F>
  void label_head(const ArcToken* h, uint32_t dir, F&& f) const noexcept {
    f(finish(feature_key(71, h->form, h->tag, 0, 0), dir));
    f(finish(feature_key(72, h->tag, 0, 0, 0), dir));
    if (fine) f(finish(feature_key(73, h->fine, 0, 0, 0), dir));
    if (lemmas) f(finish(feature_key(74, h->lemma, 0, 0, 0), dir));
    if (!rich) return;
    f(finish(feature_key(175, h->fine, word(h - 1), 0, 0), dir));
    f(finish(feature_key(176, h->fine, word(h + 1), 0, 0), dir));
    f(finish(feature_key(177, h->tag, (h - 1)->tag, (h + 1)->tag, 0), dir));
  }
  template <class F>
  void label_both(const ArcToken* h, const ArcToken* m, uint32_t dir, uint32_t dist,
                  F&& f) const noexcept {
    f(finish(feature_key(81, h->tag, m->tag, 0, 0), dir));
    f(finish(feature_key(82, h->tag, m->tag, 0, 0), 2 + dir + 2 * dist));
    f(finish(feature_key(83, h->tag, m->form, 0, 0), dir));
    f(finish(feature_key(84, h->form, m->tag, 0, 0), dir));
    f(finish(feature_key(85, h->form, m->form, 0, 0), dir));
    f(finish(feature_key(86, h->tag, m->tag, (m - 1)->tag, 0), dir));
    f(finish(feature_key(87, h->tag, m->tag, (m - 1)->form, 0), dir));
    if (fine) f(finish(feature_key(88, h->fine, m->fine, 0, 0), dir));
  }
  template <class F>
  void label_rich(const ArcToken* h, const ArcToken* m, uint32_t dir, const ArcContext& c,
                  F&& f) const noexcept {
    const uint32_t like = dir ? c.tag_a + 4u * c.tag_b : c.tag_b + 4u * c.tag_a;
    f(finish(feature_key(181, h->tag, m->tag, static_cast<uint32_t>(c.tags),
                         static_cast<uint32_t>(c.tags >> 32)),
             dir));
    f(finish(feature_key(182, h->tag, m->tag, like, 0), dir));
    f(finish(feature_key(183, word(h), word(m), 0, 0), dir));
    f(finish(feature_key(184, word(h), m->tag, word(m - 1), 0), dir));
    f(finish(feature_key(185, h->fine, m->fine, word(h - 1), 0), dir));
    f(finish(feature_key(186, h->tag, word(m), 0, 0), dir));
    f(finish(feature_key(187, h->tag, m->tag, (m + 1)->tag, 0), dir));
    f(finish(feature_key(188, word(h), m->fine, 0, 0), dir));
    for (uint64_t left = c.tags; left; left &= left - 1)
      f(finish(feature_key(189, h->tag, m->tag, static_cast<uint32_t>(__builtin_ctzll(left)), 0),
               dir));
  }

 private:
  uint32_t word(const ArcToken* t) const noexcept { return lemmas ? t->lemma : t->form; }
  static uint32_t gap(const ArcToken* a, const ArcToken* b) noexcept {
    return static_cast<uint32_t>(
        distance(0, static_cast<int32_t>(a < b ? b - a : a - b)));
  }
  int64_t finish(uint64_t k, uint32_t context) const noexcept {
    k += context * 0x8EBC6AF09C88C6E3ull;
    k ^= k >> 31;
    k *= 0x589965CC75374CC3ull;
    return static_cast<int64_t>(k >> (64 - bits));
  }
  template <class F>
  void single(const ArcToken* t, uint32_t code, uint32_t dir, uint32_t dist,
              F&& f) const noexcept {
    const auto two = [&](uint64_t k) {
      f(finish(k, dir));
      f(finish(k, 2 + dir + 2 * dist));
    };
    two(feature_key(code, t->form, t->tag, 0, 0));
    two(feature_key(code + 1, t->form, 0, 0, 0));
    two(feature_key(code + 2, t->tag, 0, 0, 0));
    if (lemmas) two(feature_key(code + 3, t->lemma, 0, 0, 0));
    if (fine) {
      two(feature_key(code + 4, t->fine, 0, 0, 0));
      two(feature_key(code + 5, (t - 1)->fine, t->fine, (t + 1)->fine, 0));
    }
  }
};

}  // namespace pystruct_ext
