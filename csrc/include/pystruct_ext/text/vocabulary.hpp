// Feature strings <-> int32 ids, in the order they were first seen.
//
// Design: looking up 12 million short strings per second is bound by cache misses, not by
// instructions. A lookup touches at most two lines: a slot (hash, id, place of the text: 16 bytes,
// four to a line, linear probing) and the entry in the arena (length, count and text side by side).
// `find_batch` walks a block of strings in three sweeps -- hash and prefetch the slot; probe and
// prefetch the entry; compare -- so the misses of a block overlap. The stored 64-bit hash rejects
// nearly every wrong candidate, and the bytes are always compared, so that a collision can cost
// time but never merge two features.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "pystruct_ext/text/hash.hpp"
#include "pystruct_ext/text/utf8.hpp"

namespace pystruct_ext::text {

inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(address);
#else
  (void)address;
#endif
}

struct StringRef {
  const char* data;  // not owned
  int64_t size;      // bytes
};

class Vocabulary {
 public:
  static constexpr int64_t kBlock = 64;  // strings in flight in the batch calls

  Vocabulary() { clear(); }

  int64_t size() const noexcept { return static_cast<int64_t>(entries_.size()); }
  bool has_counts() const noexcept { return has_counts_; }
  void forget_counts() noexcept { has_counts_ = false; }
  int64_t nbytes() const noexcept {
    return static_cast<int64_t>(slots_.capacity() * sizeof(Slot) + entries_.capacity() * 4 +
                                arena_.capacity() * 8);
  }

  void clear() {
    slots_.assign(64, Slot{});
    mask_ = 63;
    entries_.clear();
    arena_.clear();
    has_counts_ = true;
  }

  StringRef name(int64_t id) const noexcept { return text(entries_[static_cast<size_t>(id)]); }
  uint32_t count(int64_t id) const noexcept { return header(entries_[static_cast<size_t>(id)])[1]; }
  void set_count(int64_t id, uint32_t count) noexcept {
    Header h = header(entries_[static_cast<size_t>(id)]);
    h.word[1] = count;
    store(entries_[static_cast<size_t>(id)], h);
  }

  int32_t find(const char* data, int64_t size) const noexcept {
    return find_hashed(data, size, hash_bytes(data, size));
  }

  // Id of the string, which is added if it is new; its count goes up by one.
  int32_t add(const char* data, int64_t size) {
    return add_hashed(data, size, hash_bytes(data, size));
  }

  // ids (n,): the id of each string or -1.
  void find_batch(const StringRef* strings, int64_t n, int32_t* ids) const noexcept {
    uint64_t hashes[kBlock];
    for (int64_t start = 0; start < n; start += kBlock) {
      const int64_t m = std::min(kBlock, n - start);
      const StringRef* block = strings + start;
      hash_block(block, m, hashes);
      prefetch_entries(hashes, m);
      for (int64_t k = 0; k < m; ++k) {
        ids[start + k] = find_hashed(block[k].data, block[k].size, hashes[k]);
      }
    }
  }

  // ids (n,): the id of each string; new ones are added, every count goes up.
  void add_batch(const StringRef* strings, int64_t n, int32_t* ids) {
    uint64_t hashes[kBlock];
    for (int64_t start = 0; start < n; start += kBlock) {
      const int64_t m = std::min(kBlock, n - start);
      const StringRef* block = strings + start;
      hash_block(block, m, hashes);
      prefetch_entries(hashes, m);
      for (int64_t k = 0; k < m; ++k) {
        ids[start + k] = add_hashed(block[k].data, block[k].size, hashes[k]);
      }
    }
  }

  // Drops the strings counted fewer than min_count times; the others keep their order.
  // map (size(),): new id of each old id, -1 if dropped.
  void prune(int64_t min_count, int32_t* map) {
    Vocabulary kept;
    const int64_t n = size();
    for (int64_t id = 0; id < n; ++id) {
      const uint32_t c = count(id);
      if (static_cast<int64_t>(c) < min_count) {
        map[id] = -1;
        continue;
      }
      const StringRef s = name(id);
      map[id] = kept.add(s.data, s.size);
      kept.set_count(map[id], c);
    }
    kept.has_counts_ = has_counts_;
    *this = std::move(kept);
  }

  // Sum of the lengths of all strings, in bytes.
  int64_t text_size() const noexcept {
    int64_t total = 0;
    for (const uint32_t entry : entries_) total += header(entry)[0];
    return total;
  }

  // blob (text_size(),), offsets (size() + 1,): string k is blob[offsets[k]:offsets[k + 1]].
  void export_names(char* blob, int64_t* offsets) const noexcept {
    int64_t at = 0;
    for (size_t k = 0; k < entries_.size(); ++k) {
      const StringRef s = text(entries_[k]);
      offsets[k] = at;
      if (s.size > 0) std::memcpy(blob + at, s.data, static_cast<size_t>(s.size));
      at += s.size;
    }
    offsets[entries_.size()] = at;
  }

  // The inverse of export_names; every property the exporter guarantees is checked.
  void import_names(const char* blob, int64_t blob_size, const int64_t* offsets, int64_t n) {
    clear();
    if (offsets[0] != 0 || offsets[n] != blob_size) {
      throw std::invalid_argument("offsets must start at 0 and end at the size of blob (" +
                                  std::to_string(blob_size) + "), got " +
                                  std::to_string(offsets[0]) + " and " +
                                  std::to_string(offsets[n]));
    }
    for (int64_t k = 0; k < n; ++k) {
      // The upper bound matters before the last offset is reached: an offset may overshoot.
      if (offsets[k + 1] < offsets[k] || offsets[k + 1] > blob_size) {
        throw std::invalid_argument("offsets must not decrease; entry " + std::to_string(k + 1) +
                                    " is out of order");
      }
    }
    for (int64_t k = 0; k < n; ++k) {
      const char* data = blob + offsets[k];
      const int64_t length = offsets[k + 1] - offsets[k];
      if (find_invalid_utf8(data, length) >= 0) {
        throw std::invalid_argument("name " + std::to_string(k) + " in blob is not valid UTF-8");
      }
      if (add(data, length) != k) {
        throw std::invalid_argument("name " + std::to_string(k) + " in blob occurs twice");
      }
      set_count(k, 0);
    }
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    int32_t id = -1;     // -1: free
    uint32_t entry = 0;  // place in the arena, in units of 8 bytes
  };
  struct Header {
    uint32_t word[2];  // length in bytes, count
    uint32_t operator[](int k) const noexcept { return word[k]; }
  };

  Header header(uint32_t entry) const noexcept {
    Header h;
    std::memcpy(&h, arena_.data() + entry, 8);
    return h;
  }
  void store(uint32_t entry, const Header& h) noexcept {
    std::memcpy(arena_.data() + entry, &h, 8);
  }
  StringRef text(uint32_t entry) const noexcept {
    return {reinterpret_cast<const char*>(arena_.data() + entry + 1), header(entry)[0]};
  }
  bool same(uint32_t entry, const char* data, int64_t size) const noexcept {
    if (header(entry)[0] != size) return false;
    const char* kept = reinterpret_cast<const char*>(arena_.data() + entry + 1);
    int64_t k = 0;
    for (; k + 8 <= size; k += 8) {
      if (load_le64(kept + k) != load_le64(data + k)) return false;
    }
    if (k == size) return true;
    if (size >= 8) return load_le64(kept + size - 8) == load_le64(data + size - 8);
    return std::memcmp(kept, data, static_cast<size_t>(size)) == 0;
  }

  void hash_block(const StringRef* block, int64_t m, uint64_t* hashes) const noexcept {
    for (int64_t k = 0; k < m; ++k) {
      hashes[k] = hash_bytes(block[k].data, block[k].size);
      prefetch(&slots_[hashes[k] & mask_]);
    }
  }

  void prefetch_entries(const uint64_t* hashes, int64_t m) const noexcept {
    for (int64_t k = 0; k < m; ++k) {
      uint64_t at = hashes[k] & mask_;
      while (slots_[at].id >= 0 && slots_[at].hash != hashes[k]) at = (at + 1) & mask_;
      if (slots_[at].id >= 0) prefetch(arena_.data() + slots_[at].entry);
    }
  }

  int32_t find_hashed(const char* data, int64_t size, uint64_t hash) const noexcept {
    for (uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.id < 0) return -1;
      if (slot.hash == hash && same(slot.entry, data, size)) return slot.id;
    }
  }

  int32_t add_hashed(const char* data, int64_t size, uint64_t hash) {
    for (uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
      Slot& slot = slots_[at];
      if (slot.id < 0) {
        insert(at, data, size, hash);
        return static_cast<int32_t>(entries_.size() - 1);
      }
      if (slot.hash == hash && same(slot.entry, data, size)) {
        Header h = header(slot.entry);
        if (h.word[1] != std::numeric_limits<uint32_t>::max()) ++h.word[1];
        store(slot.entry, h);
        return slot.id;
      }
    }
  }

  void insert(uint64_t at, const char* data, int64_t size, uint64_t hash) {
    constexpr auto kMax = std::numeric_limits<uint32_t>::max();
    const size_t words = 1 + (static_cast<size_t>(size) + 7) / 8;
    if (entries_.size() >= static_cast<size_t>(std::numeric_limits<int32_t>::max()) ||
        static_cast<uint64_t>(size) > kMax || arena_.size() + words > kMax) {
      throw std::length_error("the vocabulary is full (2^31 - 1 names, 32 GiB of text)");
    }
    const auto entry = static_cast<uint32_t>(arena_.size());
    arena_.resize(arena_.size() + words);  // zero-filled: the padding is never garbage
    try {
      entries_.push_back(entry);
    } catch (...) {
      arena_.resize(entry);
      throw;
    }
    store(entry, Header{{static_cast<uint32_t>(size), 1}});
    if (size > 0) std::memcpy(arena_.data() + entry + 1, data, static_cast<size_t>(size));
    slots_[at].hash = hash;
    slots_[at].id = static_cast<int32_t>(entries_.size() - 1);
    slots_[at].entry = entry;
    if (entries_.size() * 10 > slots_.size() * 7) grow();
  }

  void grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    const uint64_t mask = larger.size() - 1;
    for (const Slot& slot : slots_) {
      if (slot.id < 0) continue;
      uint64_t at = slot.hash & mask;
      while (larger[at].id >= 0) at = (at + 1) & mask;
      larger[at] = slot;
    }
    slots_.swap(larger);
    mask_ = mask;
  }

  std::vector<Slot> slots_;        // power of two, at most 70 % used
  uint64_t mask_ = 0;              // slots_.size() - 1
  std::vector<uint32_t> entries_;  // (size(),) place of each string in the arena
  std::vector<uint64_t> arena_;    // entries: header, text padded with zeros to 8 bytes
  bool has_counts_ = true;
};

// The hashing trick: nothing is stored, distinct strings may share an id.
class HashedVocabulary {
 public:
  explicit HashedVocabulary(int bits = 20) : mask_((uint64_t{1} << bits) - 1) {}
  int32_t find(const char* data, int64_t size) const noexcept {
    return static_cast<int32_t>(hash_bytes(data, size) & mask_);
  }
  void find_batch(const StringRef* strings, int64_t n, int32_t* ids) const noexcept {
    for (int64_t k = 0; k < n; ++k) ids[k] = find(strings[k].data, strings[k].size);
  }

 private:
  uint64_t mask_;
};

// Either kind behind one branch per batch; not owned.
class Index {
 public:
  Index() = default;
  Index(Vocabulary* names, HashedVocabulary* hashed, bool grow)
      : names_(names), hashed_(hashed), grow_(grow) {}
  void lookup(const StringRef* strings, int64_t n, int32_t* ids) const {
    if (hashed_ != nullptr) {
      hashed_->find_batch(strings, n, ids);
    } else if (grow_) {
      names_->add_batch(strings, n, ids);
    } else {
      names_->find_batch(strings, n, ids);
    }
  }

 private:
  Vocabulary* names_ = nullptr;
  HashedVocabulary* hashed_ = nullptr;
  bool grow_ = false;
};

}  // namespace pystruct_ext::text
