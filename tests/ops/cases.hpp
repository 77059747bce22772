// Tables of cases for operators: each row is data, and runs as a one-node graph through Model and Session, on every
// kernel of every device that is here.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "heed/numeric.hpp"
#include "heed/result.hpp"

namespace heed::test {

using Tensors = std::vector<Tensor>;

// Computes the expected outputs of a row from its inputs.
using Reference = std::function<Tensors(const Tensors&)>;

// One row. `what` says what it shows and where the expected numbers come from.
struct Case {
  std::string what;
  Tensors inputs;               // absent(): an optional one left out
  Tensors outputs;              // expected; absent(): one that is not asked for
  double tolerance = 0;         // absolute and relative; 0: the same bits, but for the sign of zero and NaN's payload
  std::string attributes = {};  // in ONNX's textual syntax: "axis = 1, keepdims = 0"
  int32_t opset = newest_opset;
};

// The rows of one operator, made when they are asked for.
struct Table {
  std::string_view op_type;
  std::vector<Case> (*rows)();
};
// Those of this library, in no order.
std::vector<Table>& tables();
struct RegisteredTable {
  explicit RegisteredTable(const Table& table) { tables().push_back(table); }
};

// The same, with the outputs computed.
Case by(Reference reference, std::string what, Tensors inputs, double tolerance = 0, std::string attributes = "",
        int32_t opset = newest_opset);

// Tensors from numbers. Types narrower than float are rounded as Cast does; bits of packed types are taken in order.
Tensor numbers(DataType type, std::vector<int64_t> dims, const std::vector<double>& values);
inline Tensor f32(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::f32, std::move(dims), values);
}
inline Tensor f64(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::f64, std::move(dims), values);
}
inline Tensor f16(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::f16, std::move(dims), values);
}
inline Tensor bf16(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::bf16, std::move(dims), values);
}
inline Tensor i32(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::i32, std::move(dims), values);
}
inline Tensor i64(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::i64, std::move(dims), values);
}
inline Tensor u8(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::u8, std::move(dims), values);
}
inline Tensor boolean(std::vector<int64_t> dims, const std::vector<double>& values) {
  return numbers(DataType::boolean, std::move(dims), values);
}
Tensor texts(std::vector<int64_t> dims, std::vector<std::string> values);
Tensor absent();

// Numbers in [low, high), the same at each call with the same arguments.
Tensor random(std::vector<int64_t> dims, double low = -1, double high = 1, DataType type = DataType::f32);

// The elements as doubles, and back into a tensor of the type and shape of `like`.
std::vector<double> values_of(const Tensor& tensor);
std::vector<int64_t> row_major(std::span<const int64_t> dims);

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Runs each row on each kernel, with sizes fixed, with sizes as symbols, and with all inputs but the first as
// constants; reports every row that fails. "heed.Copy" names a domain.
void run_cases(std::string_view op_type, const std::vector<Case>& cases);

// Whether loading a one-node graph of these inputs fails with a text that contains `part`.
void check_refused(std::string_view op_type, const Case& row, std::string_view part);

// Runs a model given as text (graph/parse.hpp) once: its inputs and outputs in order. Sequences and optionals are given
// and received by the nodes of the text.
// On a device that options make a lesser one ({"vulkan.mask", "int64"}) what it lacks may run on the CPU; else nothing.
Result<Tensors> run_text(std::string_view text, const Tensors& inputs, std::string_view device = "cpu",
                         std::vector<std::pair<std::string, std::string>> lessening = {});

// Whether a model given as text gives on Vulkan what it gives on the CPU, and every computing step of it ran on Vulkan:
// for what tables of single nodes do not show, strided inputs and steps in place; or a lesser device.
void check_on_vulkan(std::string_view text, const Tensors& inputs, double tolerance = 0,
                     std::vector<std::pair<std::string, std::string>> lessening = {});

// Whether two tensors agree within a tolerance, told through Catch.
void check_equal(const Tensor& actual, const Tensor& expected, double tolerance = 0);

}  // namespace heed::test

// A table with its name: a test, or, where tables/ is compiled, one of those that `heed devices --test` runs.
#ifndef HEED_TABLES
#define HEED_TEST_OPERATOR(op_type, cases) \
  TEST_CASE(op_type " gives what its rows say") { heed::test::run_cases(op_type, cases); }
#else
#define HEED_TEST_OPERATOR(op_type, cases) HEED_TABLE_ON_LINE(op_type, cases, __LINE__)
#define HEED_TABLE_ON_LINE(op_type, cases, line) HEED_TABLE(op_type, cases, line)
#define HEED_TABLE(op_type, cases, line) \
  static const heed::test::RegisteredTable table_of_line_##line{{op_type, [] { return std::vector<heed::test::Case>(cases); }}};
#endif
