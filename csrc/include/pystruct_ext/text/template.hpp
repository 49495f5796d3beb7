// Feature templates in the language of CRF++ (Kudo, 2005), compiled once and applied to a table of
// cells straight into packed rows.
//
//   U01:%x[-1,0]/%x[0,0]    one feature per token; row relative to the token, absolute column
//   B                       a weight per pair of neighbouring labels
//   # ...                   comment
//
// A row before the sentence reads as _B-1, _B-2, ... and one after it as _B+1, _B+2, ...
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "pystruct_ext/text/columns.hpp"
#include "pystruct_ext/text/vocabulary.hpp"

namespace pystruct_ext::text {

class Template {
 public:
  static constexpr int32_t kMaxRow = 999, kMaxColumn = 9999;

  // text must be valid UTF-8.
  void parse(const std::string& text) {
    pieces_.clear();
    unigrams_.clear();
    has_bigram_ = false;
    max_column_ = -1;
    int32_t reach_before = 0, reach_after = 0;
    size_t at = 0;
    for (int32_t line = 1; at < text.size(); ++line) {
      const size_t newline = std::min(text.find('\n', at), text.size());
      size_t end = newline;
      while (end > at && (text[end - 1] == '\r' || text[end - 1] == ' ' || text[end - 1] == '\t')) {
        --end;
      }
      if (end > at && text[at] != '#') parse_line(text.substr(at, end - at), line);
      at = newline + 1;
    }
    for (const Piece& p : pieces_) {
      reach_before = std::max(reach_before, -p.row);
      reach_after = std::max(reach_after, p.row);
    }
    before_.clear();
    after_.clear();
    for (int32_t k = 1; k <= reach_before; ++k) before_.push_back("_B-" + std::to_string(k));
    for (int32_t k = 1; k <= reach_after; ++k) after_.push_back("_B+" + std::to_string(k));
    if (unigrams_.empty() && !has_bigram_) throw std::invalid_argument("the template is empty");
  }

  int64_t n_unigrams() const noexcept { return static_cast<int64_t>(unigrams_.size()); }
  bool has_bigram() const noexcept { return has_bigram_; }
  int32_t max_column() const noexcept { return max_column_; }

  // Throws unless the table has every column the template reads.
  void check_columns(int32_t n_columns) const {
    for (const Unigram& u : unigrams_) {
      for (size_t k = u.begin; k < u.end; ++k) {
        const Piece& p = pieces_[k];
        if (p.column < n_columns) continue;
        throw std::invalid_argument(
            "template line " + std::to_string(u.line) + ": %x[" + std::to_string(p.row) + "," +
            std::to_string(p.column) + "] needs column " + std::to_string(p.column) +
            " (counting from 0), but there " +
            (n_columns == 1 ? "is 1 column" : "are " + std::to_string(n_columns) + " columns"));
      }
    }
  }

  // indptr (n_tokens + 1,), indices (n_tokens * n_unigrams,). Strings the index does not know are
  // dropped. Returns the number of indices written.
  int64_t extract(const CellView& cells, const Index& index, int64_t* indptr,
                  int32_t* indices) const {
    constexpr int64_t kBatch = 512;
    const int64_t n_unigrams = this->n_unigrams();
    const int64_t batch_tokens = std::max<int64_t>(1, kBatch / std::max<int64_t>(1, n_unigrams));
    std::vector<char> text(1 << 16);
    std::vector<StringRef> strings(static_cast<size_t>(batch_tokens * n_unigrams));
    std::vector<int64_t> places(strings.size());
    std::vector<int32_t> ids(strings.size());
    int64_t written = 0, pending = 0, row = 0;
    size_t used = 0, n_strings = 0;
    indptr[0] = 0;
    auto flush = [&] {
      for (size_t k = 0; k < n_strings; ++k) strings[k].data = text.data() + places[k];
      index.lookup(strings.data(), static_cast<int64_t>(n_strings), ids.data());
      size_t k = 0;
      for (int64_t t = 0; t < pending; ++t) {
        for (int64_t u = 0; u < n_unigrams; ++u, ++k) {
          indices[written] = ids[k];
          written += ids[k] >= 0;
        }
        indptr[++row] = written;
      }
      pending = 0;
      used = n_strings = 0;
    };
    for (int64_t s = 0; s < cells.n_sentences; ++s) {
      const int64_t first = cells.offsets[s], last = cells.offsets[s + 1];
      for (int64_t t = first; t < last; ++t) {
        for (const Unigram& u : unigrams_) {
          const size_t start = used;
          for (size_t k = u.begin; k < u.end; ++k) {
            const Piece& p = pieces_[k];
            used = append(text, used, {p.literal.data(), static_cast<int64_t>(p.literal.size())});
            if (p.column >= 0) used = append(text, used, resolve(cells, first, last, t + p.row, p));
          }
          places[n_strings] = static_cast<int64_t>(start);
          strings[n_strings++].size = static_cast<int64_t>(used - start);
        }
        if (++pending == batch_tokens) flush();
      }
    }
    flush();
    return written;
  }

 private:
  struct Piece {  // literal text, then a macro unless column is -1
    std::string literal;
    int32_t row = 0;
    int32_t column = -1;
  };
  struct Unigram {
    size_t begin, end;  // its pieces
    int32_t line;
  };

  StringRef resolve(const CellView& cells, int64_t first, int64_t last, int64_t at,
                    const Piece& p) const noexcept {
    if (at < first) {
      const std::string& s = before_[static_cast<size_t>(first - at - 1)];
      return {s.data(), static_cast<int64_t>(s.size())};
    }
    if (at >= last) {
      const std::string& s = after_[static_cast<size_t>(at - last)];
      return {s.data(), static_cast<int64_t>(s.size())};
    }
    return cells.cell(at, p.column);
  }

  static size_t append(std::vector<char>& text, size_t used, StringRef s) {
    const size_t needed = used + static_cast<size_t>(s.size);
    if (needed > text.size()) text.resize(2 * needed);
    if (s.size > 0) std::memcpy(text.data() + used, s.data, static_cast<size_t>(s.size));
    return needed;
  }

  [[noreturn]] static void fail(int32_t line, const std::string& what) {
    throw std::invalid_argument("template line " + std::to_string(line) + ": " + what);
  }

  static bool is_letter(char c) noexcept {  // not isalpha: that asks the locale
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  // The integer at text[at], of at most four digits; false if there is none.
  static bool read_int(const std::string& text, size_t& at, int32_t& value) {
    const bool negative = at < text.size() && text[at] == '-';
    if (negative || (at < text.size() && text[at] == '+')) ++at;
    const size_t start = at;
    value = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at - start < 5) {
      value = 10 * value + (text[at++] - '0');
    }
    if (negative) value = -value;
    return at > start && at - start < 5;
  }

  static bool read_macro(const std::string& text, size_t& at, Piece& piece) {
    if (text.compare(at, 3, "%x[") != 0) return false;
    at += 3;
    if (!read_int(text, at, piece.row) || at >= text.size() || text[at++] != ',') return false;
    if (!read_int(text, at, piece.column) || at >= text.size() || text[at++] != ']') return false;
    return piece.column >= 0 && piece.row >= -kMaxRow && piece.row <= kMaxRow;
  }

  void parse_line(const std::string& text, int32_t line) {
    if (text[0] != 'U' && text[0] != 'B') {
      fail(line, "must start with U (feature), B (label bigram) or # (comment), got '" + text +
                     "'");
    }
    const size_t begin = pieces_.size();
    Piece piece;
    for (size_t at = 0; at < text.size();) {
      // A percent sign is text unless it looks like a macro: then a typing error must not pass.
      const bool macro =
          text[at] == '%' && at + 1 < text.size() &&
          (text[at + 1] == 'x' ||
           (is_letter(text[at + 1]) && text.compare(at + 2, 1, "[") == 0));
      if (!macro) {
        piece.literal += text[at++];
        continue;
      }
      const size_t start = at;
      if (!read_macro(text, at, piece)) {
        fail(line, "malformed macro at '" + text.substr(start) +
                       "', expected %x[row,column] with |row| <= " + std::to_string(kMaxRow) +
                       " and 0 <= column <= " + std::to_string(kMaxColumn));
      }
      max_column_ = std::max(max_column_, piece.column);
      pieces_.push_back(piece);
      piece = Piece();
    }
    if (text[0] == 'B') {
      if (pieces_.size() > begin) {
        fail(line, "'" + text +
                       "' is not supported: a bigram template is a plain B, without macros");
      }
      has_bigram_ = true;
      return;
    }
    if (!piece.literal.empty()) pieces_.push_back(piece);
    unigrams_.push_back({begin, pieces_.size(), line});
  }

  std::vector<Piece> pieces_;
  std::vector<Unigram> unigrams_;
  std::vector<std::string> before_, after_;  // _B-1, _B-2, ... and _B+1, _B+2, ...
  bool has_bigram_ = false;
  int32_t max_column_ = -1;
};

}  // namespace pystruct_ext::text
