// One row of a table of cases as a model of one node, run on one kernel. For tests, and for `heed devices --test`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cases.hpp"
#include "session/session.hpp"

namespace heed::test {

// What the sizes of the inputs are to the planner.
enum class Sizes { fixed, symbols, constants, no_ranks };
constexpr std::string_view name_of(Sizes sizes) {
  constexpr std::string_view names[] = {"fixed sizes", "symbolic sizes", "constant inputs", "not even ranks"};
  return names[static_cast<int>(sizes)];
}

// "heed", "Copy" of "heed.Copy"; no domain is ai.onnx's.
std::pair<std::string_view, std::string_view> split_domain(std::string_view op_type);

// "y0, y1 = Split<axis = 1>(x0, x1)" as a model.
Result<ModelFile> model_of(std::string_view op_type, const Case& row, Sizes sizes);

// Runs a model of a row twice: what a first run leaves behind must not matter. Fails where an output is not what the
// row expects, with the first difference.
Result<void> check_row(const std::shared_ptr<const Model>& model, const Case& row, Sizes sizes);

// Empty where they agree; else the first difference.
std::string difference(const Tensor& actual, const Tensor& expected, double tolerance);

}  // namespace heed::test
