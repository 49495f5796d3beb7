// Column files (CoNLL): one token per line, columns of text, a blank line after each sentence.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "pystruct_ext/text/utf8.hpp"
#include "pystruct_ext/text/vocabulary.hpp"

namespace pystruct_ext::text {

// A read-only view of a table of text cells, sentence after sentence.
struct CellView {
  const char* text;
  const int64_t* begin;    // (n_tokens * n_columns,) first byte of each cell, token-major
  const int32_t* length;   // (n_tokens * n_columns,)
  const int64_t* offsets;  // (n_sentences + 1,) tokens of sentence i: offsets[i] .. offsets[i + 1]
  int64_t n_sentences;
  int32_t n_columns;

  int64_t n_tokens() const noexcept { return offsets[n_sentences]; }
  StringRef cell(int64_t token, int32_t column) const noexcept {
    const int64_t at = token * n_columns + column;
    return {text + begin[at], length[at]};
  }
};

class Cells {
 public:
  Cells() : offsets_(1, 0) {}

  // Splits `text`, which the caller keeps alive as long as the views are used. separator 0 means
  // runs of spaces and tabs; otherwise every occurrence of that byte separates two cells.
  void parse(const char* text, int64_t size, const std::string& comment, char separator) {
    reset();
    const int64_t bad = find_invalid_utf8(text, size);
    if (bad >= 0) {
      const auto line = 1 + std::count(text, text + bad, '\n');
      throw std::invalid_argument("line " + std::to_string(line) + " is not valid UTF-8");
    }
    int64_t at = size >= 3 && std::memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;  // BOM
    const auto comment_size = static_cast<int64_t>(comment.size());
    for (int64_t line = 1; at < size; ++line) {
      const void* newline = std::memchr(text + at, '\n', static_cast<size_t>(size - at));
      const int64_t next = newline ? static_cast<const char*>(newline) - text + 1 : size;
      int64_t end = newline ? next - 1 : size;
      if (end > at && text[end - 1] == '\r') --end;
      const bool is_comment =
          comment_size > 0 && end - at >= comment_size &&
          std::memcmp(text + at, comment.data(), static_cast<size_t>(comment_size)) == 0;
      if (!is_comment) {
        if (is_blank(text, at, end)) {
          end_sentence();
        } else {
          split(text, at, end, separator, line);
        }
      }
      at = next;
    }
    end_sentence();
    if (offsets_.size() == 1) throw std::invalid_argument("the file has no tokens");
  }

  // Building by hand (rows that come from lists): the text is copied.
  void add_cell(const char* data, int64_t size) {
    begin_.push_back(static_cast<int64_t>(own_.size()));
    length_.push_back(static_cast<int32_t>(size));
    own_.insert(own_.end(), data, data + size);
  }
  void end_token(int32_t n_columns) {
    n_columns_ = n_columns;
    ++n_tokens_;
  }
  void end_sentence() {
    if (n_tokens_ > offsets_.back()) offsets_.push_back(n_tokens_);
  }

  CellView view(const char* text) const noexcept {
    return {text,       begin_.data(), length_.data(), offsets_.data(),
            static_cast<int64_t>(offsets_.size()) - 1, n_columns_};
  }
  CellView own_view() const noexcept { return view(own_.data()); }

  int64_t n_tokens() const noexcept { return n_tokens_; }
  int64_t n_sentences() const noexcept { return static_cast<int64_t>(offsets_.size()) - 1; }
  int32_t n_columns() const noexcept { return n_columns_; }
  const int64_t* offsets() const noexcept { return offsets_.data(); }

 private:
  static bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

  static bool is_blank(const char* text, int64_t at, int64_t end) noexcept {
    while (at < end && is_space(text[at])) ++at;
    return at == end;
  }

  void reset() {
    begin_.clear();
    length_.clear();
    offsets_.assign(1, 0);
    own_.clear();
    n_tokens_ = 0;
    n_columns_ = 0;
  }

  void push(int64_t begin, int64_t end, int64_t line) {
    if (end - begin > std::numeric_limits<int32_t>::max()) {
      throw std::invalid_argument("line " + std::to_string(line) + " has a cell above 2 GiB");
    }
    begin_.push_back(begin);
    length_.push_back(static_cast<int32_t>(end - begin));
  }

  void split(const char* text, int64_t at, int64_t end, char separator, int64_t line) {
    const size_t before = begin_.size();
    if (separator == 0) {
      while (at < end) {
        while (at < end && is_space(text[at])) ++at;
        if (at == end) break;
        const int64_t start = at;
        while (at < end && !is_space(text[at])) ++at;
        push(start, at, line);
      }
    } else {
      for (int64_t start = at;; ++at) {
        if (at == end || text[at] == separator) {
          push(start, at, line);
          start = at + 1;
          if (at == end) break;
        }
      }
    }
    const size_t n = begin_.size() - before;
    if (n > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
      throw std::invalid_argument("line " + std::to_string(line) + " has too many columns");
    }
    if (n_tokens_ == 0) {
      n_columns_ = static_cast<int32_t>(n);
    } else if (n != static_cast<size_t>(n_columns_)) {
      throw std::invalid_argument("line " + std::to_string(line) + " has " + std::to_string(n) +
                                  (n == 1 ? " column" : " columns") + ", the lines before have " +
                                  std::to_string(n_columns_));
    }
    ++n_tokens_;
  }

  std::vector<int64_t> begin_;    // (n_tokens * n_columns,)
  std::vector<int32_t> length_;   // (n_tokens * n_columns,)
  std::vector<int64_t> offsets_;  // (n_sentences + 1,)
  std::vector<char> own_;         // text of add_cell
  int64_t n_tokens_ = 0;
  int32_t n_columns_ = 0;
};

// Distinct cells of one column in order of appearance; ids (n_tokens,).
inline void number_column(const CellView& cells, int32_t column, Vocabulary& distinct,
                          int32_t* ids) {
  const int64_t n = cells.n_tokens();
  for (int64_t t = 0; t < n; ++t) {
    const StringRef s = cells.cell(t, column);
    ids[t] = distinct.add(s.data, s.size);
  }
}

}  // namespace pystruct_ext::text
