// Models for the session's tests, from text.
#pragma once

#include <catch2/catch.hpp>

#include "built_in.hpp"
#include "graph/parse.hpp"
#include "rows.hpp"
#include "session/session.hpp"

namespace heed::test {

template <class T>
T take(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

inline std::shared_ptr<const Model> load_text(std::string_view text, ModelOptions options = {}) {
  if (options.device == "auto") options.device = "cpu";
  options.kernel_options.emplace_back("session.fill", "nan");
  return take(Model::load(take(parse_model(text)), registry(), options));
}

// The CPU, and Vulkan where there is a driver; that there is none is said once.
inline const std::vector<std::string>& devices() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found{"cpu"};
    constexpr std::string_view tiny = "<ir_version: 10, opset_import: [\"\" : 23]> g (float[1] x) => (float[1] y) { y = Exp(x) }";
    auto model = Model::load(take(parse_model(tiny)), registry(), {.device = "vulkan"});
    if (model) {
      found.push_back("vulkan");
    } else {
      skip_row("rows on vulkan: " + model.error().message);
    }
    return found;
  }();
  return all;
}

template <class T>
HostValue tensor(DataType type, std::vector<int64_t> dims, const std::vector<T>& values) {
  HostValue value;
  value.tensor = Tensor::of<T>(type, std::move(dims), values);
  return value;
}
inline HostValue f32(std::vector<int64_t> dims, const std::vector<float>& values) {
  return tensor(DataType::f32, std::move(dims), values);
}
inline HostValue i64(std::vector<int64_t> dims, const std::vector<int64_t>& values) {
  return tensor(DataType::i64, std::move(dims), values);
}

inline std::vector<float> floats(const HostValue& value) {
  const auto span = value.tensor.as<float>();
  return {span.begin(), span.end()};
}
inline std::vector<int64_t> integers(const HostValue& value) { return take(value.tensor.integers()); }

}  // namespace heed::test
