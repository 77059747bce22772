// com.microsoft.MatMulNBits: every width of codes, zero points as codes and as floats, g_idx, bias; against f64 sums.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"
#include "finished.hpp"

namespace heed::test {
namespace {

struct Sizes {
  std::vector<int64_t> a;  // its last axis is K
  int64_t columns, block_size, bits;
  int64_t k_count() const { return a.back(); }
  int64_t blocks() const { return (k_count() + block_size - 1) / block_size; }
  std::string attributes() const {
    return "K = " + std::to_string(k_count()) + ", N = " + std::to_string(columns) +
           ", bits = " + std::to_string(bits) + ", block_size = " + std::to_string(block_size);
  }
};

enum class Zero { none, codes, floats };
struct More {
  Zero zero = Zero::none;
  bool bias = false, g_idx = false;
  DataType type = DataType::f32;
  bool in_bytes = false;  // a may be quantised, and is such that nothing is lost
};

Tensor bytes(std::vector<int64_t> dims) {
  std::vector<double> values = values_of(random(dims, 0, 256, DataType::f64));
  for (double& value : values) value = std::floor(value);
  return numbers(DataType::u8, std::move(dims), values);
}

// Code `index` of packed ones, bit by bit.
double code_at(const std::vector<double>& bytes, int64_t first_byte, int64_t index, int64_t bits) {
  int code = 0;
  for (int64_t bit = 0; bit < bits; ++bit) {
    const int64_t at = index * bits + bit;
    const auto byte = static_cast<int>(bytes[static_cast<size_t>(first_byte + at / 8)]);
    code |= (byte >> at % 8 & 1) << bit;
  }
  return code;
}

Case row(std::string what, const Sizes& s, const More& more = {}, double tolerance = 2e-5) {
  const int64_t blocks = s.blocks();
  const auto reference = [=](const Tensors& in) {
    const auto a = values_of(in[0]), b = values_of(in[1]), scales = values_of(in[2]);
    const auto zeros = in[3].type == DataType::undefined ? std::vector<double>() : values_of(in[3]);
    const auto groups = in[4].type == DataType::undefined ? std::vector<double>() : values_of(in[4]);
    const auto bias = in[5].type == DataType::undefined ? std::vector<double>() : values_of(in[5]);
    const int64_t rows = static_cast<int64_t>(a.size()) / s.k_count();
    std::vector<double> y;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t n = 0; n < s.columns; ++n) {
        double sum = more.bias ? bias[static_cast<size_t>(n)] : 0;
        for (int64_t k = 0; k < s.k_count(); ++k) {
          const int64_t block = more.g_idx ? static_cast<int64_t>(groups[static_cast<size_t>(k)]) : k / s.block_size;
          const double zero =
              more.zero == Zero::none    ? 1 << (s.bits - 1)
              : more.zero == Zero::codes ? code_at(zeros, n * ((blocks * s.bits + 7) / 8), block, s.bits)
                                         : zeros[static_cast<size_t>(n * blocks + block)];
          const double code = code_at(b, n * blocks * (s.block_size * s.bits / 8), k, s.bits);
          sum += a[static_cast<size_t>(row * s.k_count() + k)] * (code - zero) *
                 scales[static_cast<size_t>(n * blocks + block)];
        }
        y.push_back(sum);
      }
    auto dims = s.a;
    dims.back() = s.columns;
    return Tensors{numbers(more.type, dims, y)};
  };
  Tensor a = random(s.a, -1, 1, more.type);
  if (more.in_bytes) {
    auto codes = values_of(random(s.a, -127, 127, DataType::f64));
    for (size_t i = 0; i < codes.size(); ++i)
      codes[i] = (static_cast<int64_t>(i) % s.k_count() % 16 == 5 ? (i % 3 == 0 ? -127 : 127) : std::round(codes[i])) / 127;
    a = numbers(more.type, s.a, codes);
  }
  Tensors in = {std::move(a), bytes({s.columns, blocks, s.block_size * s.bits / 8}),
                random({s.columns, blocks}, 0.01, 0.05, more.type)};
  in.push_back(more.zero == Zero::none    ? absent()
               : more.zero == Zero::codes ? bytes({s.columns, (blocks * s.bits + 7) / 8})
                                          : random({s.columns, blocks}, 0, 1 << s.bits, more.type));
  std::vector<double> groups;
  for (int64_t k = 0; k < s.k_count(); ++k) groups.push_back(static_cast<double>(k * 7 % blocks));
  in.push_back(more.g_idx ? i32({s.k_count()}, groups) : absent());
  in.push_back(more.bias ? random({s.columns}, -1, 1, more.type) : absent());
  return by(reference, std::move(what), std::move(in), tolerance,
            s.attributes() + (more.in_bytes ? ", accuracy_level = 4" : ""));
}

std::vector<Case> made() {
  std::vector<Case> rows;
  for (const int64_t bits : {2, 3, 4, 8}) {
    const std::string name = std::to_string(bits) + " bits";
    rows.push_back(row(name + ", a token", {{1, 96}, 67, 32, bits}));
    rows.push_back(row(name + ", zero points", {{3, 96}, 35, 16, bits}, {Zero::codes}));
    rows.push_back(row(name + ", zero points as floats, a bias", {{2, 9, 160}, 33, 64, bits}, {Zero::floats, true}, 1e-4));
    rows.push_back(row(name + ", a prompt", {{37, 128}, 70, 32, bits}, {Zero::codes, true}, 1e-4));
  }
  for (const int64_t block_size : {16, 32, 64, 128, 256, 512})
    rows.push_back(row("blocks of " + std::to_string(block_size), {{2, 600}, 19, block_size, 4}, {Zero::codes}, 5e-5));
  rows.push_back(row("k ends amid a block", {{5, 41}, 17, 32, 4}, {Zero::codes}));
  rows.push_back(row("k ends amid a block, a prompt", {{19, 301}, 17, 32, 4}, {Zero::codes}, 5e-5));
  rows.push_back(row("long blocks, a prompt", {{13, 700}, 9, 512, 4}, {Zero::codes}, 1e-4));
  rows.push_back(row("g_idx", {{3, 80}, 21, 16, 4}, {Zero::codes, false, true}));
  rows.push_back(row("g_idx, a prompt that ends amid a block", {{11, 77}, 21, 16, 4}, {Zero::codes, false, true}, 5e-5));
  rows.push_back(row("f16", {{1, 128}, 67, 32, 4}, {Zero::codes, true, false, DataType::f16}, 3e-3));
  rows.push_back(row("f16, a prompt", {{17, 128}, 67, 32, 4}, {Zero::floats, true, false, DataType::f16}, 3e-3));
  rows.push_back(row("bf16", {{2, 128}, 67, 32, 8}, {Zero::none, false, false, DataType::bf16}, 2e-2));
  More in_bytes{.in_bytes = true};
  for (const int64_t bits : {2, 3, 4, 5, 8}) {
    const std::string name = std::to_string(bits) + " bits by bytes";
    in_bytes.zero = Zero::none, in_bytes.bias = false;
    rows.push_back(row(name + ", a token", {{1, 96}, 67, 32, bits}, in_bytes, 5e-5));
    in_bytes.zero = Zero::codes;
    rows.push_back(row(name + ", zero points", {{3, 96}, 35, 16, bits}, in_bytes, 5e-5));
    in_bytes.zero = Zero::floats, in_bytes.bias = true;
    rows.push_back(row(name + ", zero points as floats, a bias", {{2, 5, 160}, 33, 64, bits}, in_bytes, 1e-4));
    rows.push_back(row(name + ", a prompt that ends amid a block", {{71, 77}, 70, 32, bits}, in_bytes, 1e-4));
    rows.push_back(row(name + ", long blocks", {{7, 300}, 9, 256, bits}, in_bytes, 1e-4));
  }
  rows.push_back(row("f16 by bytes", {{5, 128}, 67, 32, 4}, {Zero::codes, true, false, DataType::f16, true}, 3e-3));
  rows.push_back(row("a vector", {{64}, 9, 32, 4}));
  rows.push_back(row("no rows", {{0, 64}, 9, 32, 4}));
  return rows;
}
const std::vector<Case> cases = made();

// The same sums, finished.
std::vector<Case> made_finished() {
  const auto finished_row = [](std::string what, const Sizes& s, const More& more, const Finish& finish, double tolerance) {
    return finished(row(std::move(what), s, more, tolerance), 5, finish);
  };
  const More all{Zero::codes, true};
  return {
      finished_row("a token, a residual", {{1, 96}, 67, 32, 4}, {}, {.has_residual = true}, 2e-5),
      finished_row("a bias, an activation, a residual", {{3, 96}, 35, 16, 4}, all, {"gelu_tanh", 0.5, true}, 2e-5),
      finished_row("a gate", {{2, 9, 160}, 33, 64, 8}, {}, {"silu", 1, true, true}, 1e-4),
      finished_row("a prompt, gated", {{37, 128}, 70, 32, 4}, all, {"none", 1, true, true}, 1e-4),
      finished_row("a prompt, more columns than a block", {{9, 32}, 600, 32, 2}, all, {"relu", 1, true}, 1e-4),
      finished_row("g_idx", {{3, 80}, 21, 16, 4}, {Zero::codes, false, true}, {"sigmoid", 0.25, true}, 2e-5),
      finished_row("pieces of a long k", {{1, 1056}, 19, 32, 4}, all, {"tanh", 0.1, true}, 5e-5),
      finished_row("f16", {{1, 128}, 67, 32, 4}, {Zero::codes, true, false, DataType::f16}, {"gelu", 1, true}, 3e-3),
      finished_row("f16, a prompt", {{17, 128}, 67, 32, 4}, {Zero::floats, true, false, DataType::f16}, {"silu", 1, true, true}, 1e-2),
      finished_row("bf16, a scale alone", {{2, 128}, 67, 32, 8}, {Zero::none, false, false, DataType::bf16}, {"none", -0.5}, 2e-2),
      finished_row("by bytes, a token", {{1, 96}, 67, 32, 4}, {.zero = Zero::codes, .in_bytes = true}, {"silu", 1, true, true}, 5e-5),
      finished_row("by bytes, a prompt", {{71, 77}, 70, 32, 8}, {.bias = true, .in_bytes = true}, {"gelu", 1, true}, 1e-4),
      finished_row("no rows", {{0, 64}, 9, 32, 4}, {}, {"relu", 1, true}, 0),
  };
}
const std::vector<Case> finished_cases = made_finished();

}  // namespace

HEED_TEST_OPERATOR("com.microsoft.MatMulNBits", cases)
HEED_TEST_OPERATOR("heed.FusedMatMulNBits", finished_cases)

// Of the 127th part of the largest of a block of a, half is lost at most; the sum of such errors stays far below.
TEST_CASE("MatMulNBits of a in bytes is as near as accuracy_level 4 allows") {
  const Sizes s{{9, 512}, 40, 32, 4};
  const Case exact = row("", s, {Zero::codes});
  const auto attributes = s.attributes() + ", accuracy_level = 4";
  run_cases("com.microsoft.MatMulNBits", {{"random numbers", exact.inputs, exact.outputs, 0.05, attributes}});
}

TEST_CASE("MatMulNBits refuses what does not fit") {
  const auto refused = [](std::string attributes, std::string_view part) {
    check_refused("com.microsoft.MatMulNBits",
                  {"", {random({2, 64}), bytes({9, 2, 16}), random({9, 2})}, {f32({1}, {0})}, 0, std::move(attributes)},
                  part);
  };
  refused("K = 64, N = 9, block_size = 24", "'block_size' is 24");
  refused("K = 64, N = 9, block_size = 32, bits = 9", "'bits' is 9");
  refused("K = 64, N = 10, block_size = 32", "elements of B");
  refused("K = 60, N = 9, block_size = 32", "the last axis of A");
}

}  // namespace heed::test
