// Collects the feature strings of token after token and turns them into packed rows, a batch at a
// time, so that the vocabulary sees enough strings at once to overlap its cache misses.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "pystruct_ext/text/vocabulary.hpp"

namespace pystruct_ext::text {

class RowWriter {
 public:
  static constexpr size_t kBatch = 512;

  explicit RowWriter(Index index = Index()) : index_(index), indptr_(1, 0) { reserve(); }

  // A string that stays where it is until the next flush().
  void add(const char* data, int64_t size) {
    strings_.push_back({data, size});
    if (has_values_) pending_values_.push_back(1.0);
  }

  // A string that is copied: prefix + name.
  void add_copy(StringRef prefix, StringRef name, double value) {
    const size_t at = copies_.size();
    copy(prefix);
    copy(name);
    end_copy(at, value);
  }

  // A string that is copied: prefix + name + ":" + member.
  void add_joined(StringRef prefix, StringRef name, StringRef member) {
    const size_t at = copies_.size();
    copy(prefix);
    copy(name);
    copies_.push_back(':');
    copy(member);
    end_copy(at, 1.0);
  }

  void end_row() { row_ends_.push_back(strings_.size()); }
  bool full() const noexcept { return strings_.size() >= kBatch; }

  // Looks the pending strings up and appends their rows; unknown ones are dropped.
  void flush() {
    for (const auto& [k, at] : copied_) strings_[k].data = copies_.data() + at;
    const size_t n = strings_.size();
    ids_.resize(n);
    index_.lookup(strings_.data(), static_cast<int64_t>(n), ids_.data());
    size_t k = 0;
    for (const size_t end : row_ends_) {
      for (; k < end; ++k) {
        if (ids_[k] < 0) continue;
        indices_.push_back(ids_[k]);
        if (has_values_) values_.push_back(pending_values_[k]);
      }
      indptr_.push_back(static_cast<int64_t>(indices_.size()));
    }
    strings_.clear();
    copied_.clear();
    copies_.clear();
    pending_values_.clear();
    row_ends_.clear();
  }

  bool has_values() const noexcept { return has_values_; }
  std::vector<int64_t>& indptr() noexcept { return indptr_; }   // (rows + 1,)
  std::vector<int32_t>& indices() noexcept { return indices_; }  // (nnz,)
  std::vector<double>& values() noexcept { return values_; }     // (nnz,) if has_values()

 private:
  void copy(StringRef s) { copies_.insert(copies_.end(), s.data, s.data + s.size); }

  // Ends the copied string that starts at `at`.
  void end_copy(size_t at, double value) {
    copied_.emplace_back(strings_.size(), static_cast<int64_t>(at));
    strings_.push_back({nullptr, static_cast<int64_t>(copies_.size() - at)});
    if (!has_values_ && value != 1.0) {  // the first weighted feature: all before it weigh one
      values_.assign(indices_.size(), 1.0);
      pending_values_.assign(strings_.size() - 1, 1.0);
      has_values_ = true;
    }
    if (has_values_) pending_values_.push_back(value);
  }

  void reserve() {
    strings_.reserve(2 * kBatch);
    ids_.reserve(2 * kBatch);
    row_ends_.reserve(kBatch);
  }

  Index index_;
  std::vector<StringRef> strings_;                  // pending
  std::vector<double> pending_values_;              // beside strings_ if has_values_
  std::vector<size_t> row_ends_;                    // pending rows end before these strings
  std::vector<std::pair<size_t, int64_t>> copied_;  // (string, place in copies_)
  std::vector<char> copies_;
  std::vector<int32_t> ids_;
  std::vector<int64_t> indptr_;
  std::vector<int32_t> indices_;
  std::vector<double> values_;
  bool has_values_ = false;
};

}  // namespace pystruct_ext::text
