// MatMul's kernels against sums in f64: sizes around every block, operands that lie strided, constants that are packed,
// threads.
#include <catch2/catch.hpp>

#include "cases.hpp"
#include "kernel_run.hpp"

using namespace heed;
using namespace heed::test;

namespace {

// By numpy's rules, for operands of the same rank of at least 2.
std::vector<double> product(const Tensor& a, const Tensor& b) {
  const size_t rank = a.dims.size();
  const int64_t rows = a.dims[rank - 2], k_count = a.dims[rank - 1], columns = b.dims[rank - 1];
  int64_t batches = 1;
  for (size_t axis = 0; axis + 2 < rank; ++axis) batches *= a.dims[axis] == 1 ? b.dims[axis] : a.dims[axis];
  const auto a_values = values_of(a), b_values = values_of(b);
  std::vector<double> y;
  for (int64_t batch = 0; batch < batches; ++batch) {
    int64_t rest = batch, a_at = 0, b_at = 0, a_size = 1, b_size = 1;
    for (size_t axis = rank - 2; axis-- > 0;) {
      const int64_t size = a.dims[axis] == 1 ? b.dims[axis] : a.dims[axis], i = rest % size;
      rest /= size;
      a_at += (a.dims[axis] == 1 ? 0 : i) * a_size;
      b_at += (b.dims[axis] == 1 ? 0 : i) * b_size;
      a_size *= a.dims[axis];
      b_size *= b.dims[axis];
    }
    const double* left = a_values.data() + a_at * rows * k_count;
    const double* right = b_values.data() + b_at * k_count * columns;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < k_count; ++k)
          sum += left[i * k_count + k] * right[k * columns + j];
        y.push_back(sum);
      }
  }
  return y;
}

struct Row {
  std::string what;
  std::vector<int64_t> a, b, y;
  std::vector<size_t> a_order = {}, b_order = {}, y_order = {};
  int64_t gap = 0;
};

}  // namespace

TEST_CASE("every MatMul kernel gives the sums, dense and strided, of a constant and not, on one and more threads") {
  std::vector<Row> rows{
      {"one by one", {1, 1}, {1, 1}, {1, 1}},
      {"a decoded token, whole panels", {1, 64}, {64, 64}, {1, 64}},
      {"a decoded token, a cut panel", {1, 172}, {172, 67}, {1, 67}},
      {"one panel, k not divisible by its stretches", {1, 67}, {67, 31}, {1, 31}},
      {"nine panels, two threads", {1, 129}, {129, 273}, {1, 273}},
      {"many panels", {1, 96}, {96, 1024}, {1, 1024}},
      {"a prompt", {23, 160}, {160, 97}, {23, 97}},
      {"more than one block of k", {19, 601}, {601, 45}, {19, 45}},
      {"more than one block of rows and columns", {250, 70}, {70, 1100}, {250, 1100}},
      {"a column of y", {33, 257}, {257, 1}, {33, 1}},
      {"batches of both", {3, 5, 7}, {3, 7, 9}, {3, 5, 9}},
      {"b is shared by the batches", {3, 5, 7}, {1, 7, 9}, {3, 5, 9}},
      {"a is shared by the batches", {1, 2, 5, 7}, {3, 2, 7, 33}, {3, 2, 5, 33}},
      {"crossed broadcast", {3, 1, 12, 40}, {1, 2, 40, 50}, {3, 2, 12, 50}},
      {"b lies transposed", {1, 100}, {100, 70}, {1, 70}, {0, 1}, {1, 0}, {0, 1}},
      {"b lies transposed, many rows", {20, 100}, {100, 70}, {20, 70}, {0, 1}, {1, 0}, {0, 1}},
      {"a lies transposed", {5, 100}, {100, 70}, {5, 70}, {1, 0}, {0, 1}, {0, 1}},
      {"y lies transposed", {5, 300}, {300, 70}, {5, 70}, {0, 1}, {0, 1}, {1, 0}},
      {"all lie transposed, with gaps", {17, 300}, {300, 70}, {17, 70}, {1, 0}, {1, 0}, {1, 0}, 3},
      {"heads between, as attention's transposes leave them",
       {2, 3, 9, 16},
       {2, 3, 16, 11},
       {2, 3, 9, 11},
       {0, 2, 1, 3},
       {0, 3, 1, 2},
       {0, 2, 1, 3}},
      {"batch rows with gaps between", {4, 3, 33}, {1, 33, 65}, {4, 3, 65}, {}, {}, {}, 5},
      {"no rows", {0, 5}, {5, 3}, {0, 3}},
      {"no columns", {2, 5}, {5, 0}, {2, 0}},
      {"nothing to sum", {2, 0}, {0, 3}, {2, 3}},
      {"no batches", {0, 2, 5}, {1, 5, 3}, {0, 2, 3}},
  };
  for (int64_t m = 1; m <= 17; ++m) rows.push_back({std::to_string(m) + " rows", {m, 37}, {37, 83}, {m, 83}});
  for (const int64_t n : {15, 16, 17, 33, 48, 63, 95, 127, 160, 191, 255, 288})
    rows.push_back({std::to_string(n) + " columns", {1, 29}, {29, n}, {1, n}});

  struct Type {
    DataType type;
    double tolerance;
  };
  ThreadPool pool(3);
  for (const auto [type, tolerance] : {Type{DataType::f32, 1e-5}, {DataType::f16, 1e-3}, {DataType::bf16, 5e-3}}) {
    for (const auto& row : rows) {
      const Tensor a = random(row.a, -1, 1, type), b = random(row.b, -1, 0.5, type);
      const auto expected = product(a, b);
      for (const auto& kernel : kernels_here(type)) {
        for (const bool is_constant : {false, true}) {
          for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
            INFO(kernel << ", " << name_of(type) << ", " << row.what << (is_constant ? ", b constant" : "")
                        << (threads ? ", 3 threads" : ""));
            Laid right = laid(b, row.b_order, row.gap);
            right.constant = is_constant;
            const Laid y = room(type, row.y, row.y_order, row.gap);
            CHECK(text_of(run_kernel(kernel, "MatMul", {laid(a, row.a_order, row.gap), right}, {y}, threads)) == "");
            CHECK(farthest(y, expected) < tolerance);
          }
        }
      }
    }
  }
}

TEST_CASE("a product has the same bits on any number of threads") {
  ThreadPool pool(4);
  for (const DataType type : {DataType::f32, DataType::bf16}) {
    for (const auto& kernel : kernels_here(type)) {
      for (const int64_t rows : {1, 3, 40, 201}) {
        const Laid a = laid(random({rows, 300}, -1, 1, type)), b = constant(laid(random({300, 500}, -1, 1, type)));
        const Laid alone = room(type, {rows, 500}), together = room(type, {rows, 500});
        REQUIRE(run_kernel(kernel, "MatMul", {a, b}, {alone}));
        REQUIRE(run_kernel(kernel, "MatMul", {a, b}, {together}, &pool));
        INFO(kernel << ", " << name_of(type) << ", " << rows << " rows");
        const size_t size_bytes = static_cast<size_t>(rows * 500) * alone.element_bytes();
        CHECK(std::memcmp(alone.data(), together.data(), size_bytes) == 0);
      }
    }
  }
}

TEST_CASE("numbers of bf16 that a product must not lose") {
  const double greatest = 0x1.FEp127;
  const Tensor a = bf16({3, 4}, {greatest, 1, 0, 0, -greatest, 1, 0, 0, 0x1p-60, 0, 0, 0});
  const Tensor b = bf16({4, 2}, {1, 0x1p-120, 1, 1, 1, 1, 0, NAN});
  for (const auto& kernel : kernels_here(DataType::bf16)) {
    for (const bool is_constant : {false, true}) {
      Laid right = laid(b);
      right.constant = is_constant;
      // Among as many rows as tiles want.
      auto many = *Tensor::allocate(DataType::bf16, {60, 4});
      for (size_t copy = 0; copy < 20; ++copy) std::memcpy(many.writable() + copy * 24, a.data, 24);
      const Laid y = room(DataType::bf16, {60, 2});
      REQUIRE(run_kernel(kernel, "MatMul", {laid(many), right}, {y}));
      std::vector<double> expected;
      for (int copy = 0; copy < 20; ++copy)
        expected.insert(expected.end(), {greatest, NAN, -greatest, NAN, 0x1p-60, NAN});
      INFO(kernel << (is_constant ? ", b constant" : ""));
      CHECK(farthest(y, expected) < 1e-30);
    }
  }
}

TEST_CASE("a vector on either side loses its axis, constant or not") {
  for (const auto& kernel : kernels_here()) {
    for (const bool is_constant : {false, true}) {
      const Tensor matrix = noise({45, 70}, 5), left = noise({45}, 6), right = noise({70}, 7);
      const auto given = [&](const Tensor& tensor) { return is_constant ? constant(laid(tensor)) : laid(tensor); };
      auto row = left, column = right;
      row.dims = {1, 45};
      column.dims = {70, 1};
      const Laid y = room(DataType::f32, {70}), x = room(DataType::f32, {45}), dot = room(DataType::f32, {});
      INFO(kernel);
      CHECK(text_of(run_kernel(kernel, "MatMul", {laid(left), given(matrix)}, {y})) == "");
      CHECK(farthest(y, product(row, matrix)) < 1e-5);
      CHECK(text_of(run_kernel(kernel, "MatMul", {laid(matrix), given(right)}, {x})) == "");
      CHECK(farthest(x, product(matrix, column)) < 1e-5);
      auto other = noise({70}, 8), other_row = other;
      other_row.dims = {1, 70};
      CHECK(text_of(run_kernel(kernel, "MatMul", {laid(other), given(right)}, {dot})) == "");
      CHECK(farthest(dot, product(other_row, column)) < 1e-5);
    }
  }
}

TEST_CASE("sizes that do not fit are refused with both shapes") {
  const auto refused =
      run_kernel("scalar", "MatMul", {laid(noise({2, 3}, 1)), laid(noise({4, 5}, 2))}, {room(DataType::f32, {2, 5})});
  CHECK_THAT(text_of(refused), Catch::Contains("[2, 3]") && Catch::Contains("[4, 5]"));
}

TEST_CASE("the option cpu.isa keeps kernels of greater instruction sets away, and must name one") {
  const auto plan = [](const std::string& kernel, const std::string& isa) {
    return text_of(run_kernel(kernel, "MatMul", {laid(noise({2, 3}, 1)), laid(noise({3, 5}, 2))},
                              {room(DataType::f32, {2, 5})}, nullptr, isa));
  };
  for (const auto& kernel : kernels_here()) {
    CHECK(plan(kernel, kernel) == "");
    if (kernel != "scalar") CHECK_THAT(plan(kernel, "scalar"), Catch::Contains("option cpu.isa is scalar"));
    if (kernel == "scalar") continue;
    CHECK_THAT(plan(kernel, "sse9"), Catch::Contains("'sse9'; expected scalar, neon,"));
    for (const cpu::Isa isa : cpu::every_isa) {
      const auto name = std::string(cpu::name_of(isa));
      if (!cpu::machine_has(isa))
        CHECK_THAT(plan(kernel, name), Catch::Contains(name + ", which this machine lacks; it has scalar"));
    }
  }
}
