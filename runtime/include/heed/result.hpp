// Result<T>: a value, or an Error that a person can act on. It keeps the names of std::expected, which gcc 12 lacks.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace heed {

// What kind of thing went wrong; the text says the rest. The numbers are those of heed_code in plugin.h.
enum class Code : int32_t {
  invalid_argument = 1,  // the caller's fault: a wrong name, type, value or option
  invalid_model = 2,     // the model contradicts itself or ONNX
  shape_mismatch = 3,    // sizes that met do not fit each other
  unsupported = 4,       // well formed, but nothing here can do it: an operator, a type, a feature
  io = 5,                // a file is missing, short, unreadable or outside where it may be
  out_of_memory = 6,     // on the host or a device, or over a limit that was set
  device_failed = 7,     // a driver's call failed or the device was lost
  cancelled = 8,         // the caller asked to stop
};

constexpr std::string_view name_of(Code code) {
  constexpr std::string_view names[] = {"ok",          "invalid-argument", "invalid-model", "shape-mismatch",
                                        "unsupported", "io",               "out-of-memory", "device-failed",
                                        "cancelled"};
  return names[static_cast<int32_t>(code)];
}

struct Error {
  Code code = Code::invalid_argument;
  std::string message;

  // The same error, told from further out: "model.onnx: node 'add' (Add): ...".
  Error within(std::string_view place) && {
    message.insert(0, std::string(place) + ": ");
    return std::move(*this);
  }

  // What it quotes may be as long as a file: people read the first and the last 2000 bytes.
  Error shortened() && {
    constexpr size_t half = 2000;
    if (message.size() > 2 * half + 5) message.replace(half, message.size() - 2 * half, " ... ");
    return std::move(*this);
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error).shortened()) {}

  bool has_value() const { return content_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return assert(has_value()), *std::get_if<0>(&content_); }
  const T& value() const& { return assert(has_value()), *std::get_if<0>(&content_); }
  T&& value() && { return assert(has_value()), std::move(*std::get_if<0>(&content_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return assert(!has_value()), *std::get_if<1>(&content_); }
  Error&& error() && { return assert(!has_value()), std::move(*std::get_if<1>(&content_)); }

 private:
  std::variant<T, Error> content_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error).shortened()), failed_(true) {}

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return !failed_; }
  void value() const { assert(!failed_); }
  const Error& error() const& { return assert(failed_), error_; }
  Error&& error() && { return assert(failed_), std::move(error_); }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace heed

#define HEED_CONCAT_INNER(a, b) a##b
#define HEED_CONCAT(a, b) HEED_CONCAT_INNER(a, b)

// Runs an expression that gives a Result; a failure is returned to the caller.
#define HEED_TRY(expression)                                                  \
  do {                                                                        \
    if (auto heed_result = (expression); !heed_result.has_value())            \
      return std::move(heed_result).error();                                  \
  } while (false)

// HEED_ASSIGN(auto graph, read_model(path)): names the value of a Result, or returns its failure.
#define HEED_ASSIGN(declaration, expression) \
  HEED_ASSIGN_INNER(HEED_CONCAT(heed_result_, __LINE__), declaration, expression)
#define HEED_ASSIGN_INNER(result, declaration, expression)  \
  auto result = (expression);                               \
  if (!result.has_value()) return std::move(result).error(); \
  declaration = std::move(result).value()
