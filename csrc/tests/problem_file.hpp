// Problem files: what one kernel was bound to, as write_problems.py saw it.
//
// Integers are little-endian, as on the machine that wrote the file:
//   8 bytes   "PSXPROB1"
//   text      name of the kernel: int32 length, bytes
//   text      name of the problem
//   int32     w_bytes: 4 or 8
//   int32     number of fields, in the order of the kernel's list; for each
//     int32     0: not given (None, or a size)   1: a whole number: int64
//               2: a float: double               3: an array: int32 number of dimensions,
//                                                   int64 each, int64 number of bytes, bytes
// Sizes are not in the file; they follow from the shapes and from the ends of offsets.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "pystruct_ext/kernel.h"

namespace battery {

struct FieldValue {
  int32_t kind = 0;
  int64_t whole = 0;
  double real = 0;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
  std::unique_ptr<char[]> data;  // of exactly this many bytes: sanitizers see a read past the end
};

struct Problem {
  std::string kernel, name;
  int32_t w_bytes = 0;
  std::vector<FieldValue> fields;
};

class ProblemFile {
 public:
  explicit ProblemFile(const char* path) : file_(std::fopen(path, "rb")), path_(path) {
    if (!file_) fail("cannot be opened");
  }
  ~ProblemFile() {
    if (file_) std::fclose(file_);
  }
  ProblemFile(const ProblemFile&) = delete;
  ProblemFile& operator=(const ProblemFile&) = delete;

  Problem read() {
    char magic[8];
    bytes(magic, 8);
    if (std::memcmp(magic, "PSXPROB1", 8) != 0) fail("is no problem file");
    Problem p;
    p.kernel = text();
    p.name = text();
    p.w_bytes = number<int32_t>();
    p.fields.resize(static_cast<std::size_t>(number<int32_t>()));
    for (FieldValue& f : p.fields) {
      f.kind = number<int32_t>();
      if (f.kind == 1) f.whole = number<int64_t>();
      if (f.kind == 2) f.real = number<double>();
      if (f.kind != 3) continue;
      f.shape.resize(static_cast<std::size_t>(number<int32_t>()));
      for (int64_t& d : f.shape) d = number<int64_t>();
      f.bytes = number<int64_t>();
      f.data.reset(new char[static_cast<std::size_t>(f.bytes)]);
      bytes(f.data.get(), static_cast<std::size_t>(f.bytes));
    }
    return p;
  }

 private:
  [[noreturn]] void fail(const char* what) const { throw std::runtime_error(path_ + " " + what); }
  void bytes(char* to, std::size_t n) {
    if (n && std::fread(to, 1, n, file_) != n) fail("ends too early");
  }
  template <class T>
  T number() {
    T value;
    char raw[sizeof(T)];
    bytes(raw, sizeof(T));
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }
  std::string text() {
    std::string out(static_cast<std::size_t>(number<int32_t>()), ' ');
    bytes(&out[0], out.size());
    return out;
  }

  std::FILE* file_;
  std::string path_;
};

// A size: the end of the offsets that name it, or a dimension "name" or "name+k" of an array; 0
// where only arrays that are not given would say it.
inline int64_t find_size(const psx_kernel* kernel, const Problem& p, const std::string& name) {
  bool missing = false;
  for (int32_t k = 0; k < kernel->n_fields; ++k) {
    const psx_field& f = kernel->fields[k];
    const FieldValue& v = p.fields[static_cast<std::size_t>(k)];
    if (v.kind != 3) {
      missing = missing || name == f.shape;
      continue;
    }
    if (f.total && name == f.total && v.bytes >= 8) {
      int64_t end;
      std::memcpy(&end, v.data.get() + v.bytes - 8, 8);
      return end;
    }
    std::string shape = f.shape;
    shape += ',';
    std::size_t dim = 0;
    while (!shape.empty() && dim < v.shape.size()) {
      const std::size_t comma = shape.find(',');
      const std::string one = shape.substr(0, comma);
      const std::size_t plus = one.find('+');
      const std::string rest = plus == std::string::npos ? "0" : one.substr(plus + 1);
      if (one.substr(0, plus) == name && rest.find_first_not_of("0123456789") == std::string::npos)
        return v.shape[dim] - std::stoll(rest);
      shape.erase(0, comma + 1);
      ++dim;
    }
  }
  if (missing) return 0;
  throw std::runtime_error(p.name + ": no array says what " + name + " is");
}

// The values as the table takes them; they point into the problem.
inline std::vector<psx_value> values_of(const psx_kernel* kernel, const Problem& p) {
  if (static_cast<int32_t>(p.fields.size()) != kernel->n_fields)
    throw std::runtime_error(p.name + ": another list of fields than the kernel's");
  std::vector<psx_value> out(p.fields.size(), psx_value{});
  for (std::size_t k = 0; k < out.size(); ++k) {
    const psx_field& f = kernel->fields[k];
    const FieldValue& v = p.fields[k];
    if (f.role == PSX_SIZE) {
      out[k].integer = find_size(kernel, p, f.name);
      continue;
    }
    out[k].data = v.data.get();
    out[k].integer = v.whole;
    out[k].number = v.real;
    out[k].given = v.kind != 0;
  }
  return out;
}

}  // namespace battery
