// The embedded shaders against the formulas they state, written as plain loops: odd sizes, strides, broadcasts, offsets.
#include "shaders.hpp"

#include <array>

#include "gpu.hpp"

namespace heed::vulkan {
namespace {

// Mirrors copy.comp.
struct CopyParameters {
  uint32_t count, rank;
  uint32_t dims[8];
  int32_t offsets[2];  // of x and y
  int32_t strides[8][2];
};

// Mirrors matmul.glsl.
struct MatmulParameters {
  uint32_t rows = 0, columns = 0, inner = 0, batch_count = 0, batch_rank = 0;
  uint32_t split_count = 0, split_inner = 0, a_order = 0, b_order = 0;
  int32_t a_offset = 0, a_row_stride = 0, a_inner_stride = 0;
  int32_t b_offset = 0, b_inner_stride = 0, b_column_stride = 0;
  float scale = 0;
  uint32_t activation = 0, has_bias = 0, has_residual = 0;
  int32_t bias_offset = 0, residual_offset = 0, c_offset = 0;
  uint32_t batch_dims[6] = {};
  int32_t a_batch_strides[6] = {}, b_batch_strides[6] = {}, c_batch_strides[6] = {}, c_row_stride = 0;
  uint32_t first_split = 0, partial_count = 0;
};

void run(Gpu& gpu, const std::shared_ptr<GpuKernel>& kernel, const Dispatch& dispatch, std::vector<BufferRange> inputs,
         std::vector<BufferRange> outputs) {
  must(kernel->record(*gpu.recording, data_of({dispatch}), inputs, outputs, {}));
}

}  // namespace

TEST_CASE("copy moves words and pairs of words between strides") {
  HEED_NEED_GPU(gpu);
  const auto four = kernel_of(gpu.device, {.variants = {{.name = "4 bytes", .shader = shaders::copy_4}}, .bindings = {read(0), write(0)}});
  const auto eight = kernel_of(gpu.device, {.variants = {{.name = "8 bytes", .shader = shaders::copy_8}}, .bindings = {read(0), write(0)}});
  // y[i, j, k] = x[k, j, i] of [5, 3, 7], begun 4 elements late.
  CopyParameters parameters{105, 3, {7, 3, 5}, {4, 0}, {{1, 15}, {7, 5}, {21, 1}}};
  std::vector<uint32_t> x(109);
  std::vector<uint64_t> wide(109);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint32_t>(i * i), wide[i] = i * 0x100000001ull;
  const auto in = gpu.buffer(x), wide_in = gpu.buffer(wide), out = gpu.room(105 * 4), wide_out = gpu.room(105 * 8);
  run(gpu, four, {0, bytes_of(parameters), {2, 1, 1}}, {whole(in)}, {whole(out)});
  run(gpu, eight, {0, bytes_of(parameters), {1, 1, 1}}, {whole(wide_in)}, {whole(wide_out)});  // in two turns
  const auto y = gpu.values<uint32_t>(out);
  const auto wide_y = gpu.values<uint64_t>(wide_out);
  for (size_t i = 0; i < 7; ++i)
    for (size_t j = 0; j < 3; ++j)
      for (size_t k = 0; k < 5; ++k) {
        CHECK(y[i * 15 + j * 5 + k] == x[4 + k * 21 + j * 7 + i]);
        CHECK(wide_y[i * 15 + j * 5 + k] == wide[4 + k * 21 + j * 7 + i]);
      }
  // A broadcast, and backwards.
  parameters = {6, 2, {2, 3}, {2, 0}, {{0, 3}, {-1, 1}}};
  run(gpu, four, {0, bytes_of(parameters), {1, 1, 1}}, {whole(in)}, {{out.get(), 0, 24}});
  const auto backwards = gpu.values<uint32_t>(out);
  for (size_t i = 0; i < 6; ++i) CHECK(backwards[i] == x[2 - i % 3]);
}

TEST_CASE("matmul at odd sizes, transposed, broadcast, in batches, in fours and in pieces") {
  HEED_NEED_GPU(gpu);
  enum Order : uint32_t { along_inner, along_outer, fours_along_inner, fours_along_outer };
  GpuPlan plan{.variants = {}, .bindings = {read(0), read(1), read(0), read(0), write(0), scratch()}};
  const auto add = [&](std::string name, Shader shader, std::vector<heed_constant> constants) {
    plan.variants.push_back({.name = std::move(name), .shader = shader, .constants = std::move(constants)});
  };
  add("tiles of 128 x 64", shaders::matmul.f32, {{0, 128}, {1, 8}, {2, 2}, {3, 2}});
  add("tiles of 64 x 64", shaders::matmul.f32, {{0, 128}, {1, 16}, {2, 2}, {3, 1}});
  add("tiles of 32 x 32", shaders::matmul.f32, {{0, 64}, {1, 8}, {2, 1}, {3, 1}});
  const auto first_rows = static_cast<int32_t>(plan.variants.size());
  for (const uint32_t lanes : {4u, 16u})
    for (const Order order : {along_inner, along_outer, fours_along_inner, fours_along_outer})
      add("8 rows, order " + std::to_string(order), shaders::matmul_rows.f32,
          {{0, 128}, {1, lanes}, {2, 8}, {3, order}});
  const auto sum = static_cast<int32_t>(plan.variants.size());
  add("sum", shaders::matmul_sum.f32, {});
  const auto kernel = kernel_of(gpu.device, plan);
  const struct {
    std::string name;
    uint32_t batch, rows, columns, inner;
    bool transpose_a = false, transpose_b = false, broadcast_b = false;
    uint32_t splits = 1;
  } cases[] = {{"one number", 1, 1, 1, 1},
               {"a row", 1, 1, 37, 19},
               {"larger than a tile", 1, 133, 65, 47},
               {"both transposed", 1, 17, 13, 31, true, true},
               {"batches", 3, 5, 7, 16},
               {"batches with one b", 3, 9, 34, 17, false, true, true},
               {"no inner size gives zeros", 2, 3, 4, 0},
               {"few rows in fours", 2, 8, 68, 68},
               {"few rows of a transposed b in fours", 2, 7, 20, 132, false, true},
               {"fours in tiles", 2, 68, 132, 36},
               {"fours, both transposed", 1, 36, 20, 68, true, true},
               {"pieces of few rows", 2, 3, 33, 131, false, false, false, 3},
               {"pieces in tiles, fours", 2, 36, 68, 100, false, true, false, 4}};
  for (const auto& c : cases) {
    const bool in_fours = c.rows % 4 == 0 && c.columns % 4 == 0 && c.inner % 4 == 0;
    const int32_t a_offset = in_fours ? 4 : 3, b_offset = in_fours ? 8 : 5;
    const auto a = random_floats(std::max(1u, c.batch * c.rows * c.inner) + 4, 1);
    const auto b = random_floats(std::max(1u, c.batch * c.inner * c.columns) + 8, 2);
    MatmulParameters p{.rows = c.rows, .columns = c.columns, .inner = c.inner, .batch_count = c.batch, .batch_rank = 1};
    p.scale = 1;
    p.split_inner = (c.inner / c.splits + 15) / 16 * 16;
    p.split_count = p.partial_count = c.splits;
    p.a_offset = a_offset;
    p.a_row_stride = c.transpose_a ? 1 : static_cast<int32_t>(c.inner);
    p.a_inner_stride = c.transpose_a ? static_cast<int32_t>(c.rows) : 1;
    p.b_offset = b_offset;
    p.b_inner_stride = c.transpose_b ? 1 : static_cast<int32_t>(c.columns);
    p.b_column_stride = c.transpose_b ? static_cast<int32_t>(c.inner) : 1;
    p.batch_dims[0] = c.batch;
    p.a_batch_strides[0] = static_cast<int32_t>(c.rows * c.inner);
    p.b_batch_strides[0] = c.broadcast_b ? 0 : static_cast<int32_t>(c.inner * c.columns);
    p.c_batch_strides[0] = static_cast<int32_t>(c.rows * c.columns);
    p.c_row_stride = static_cast<int32_t>(c.columns);
    std::vector<float> expected;
    for (int32_t n = 0; n < static_cast<int32_t>(c.batch); ++n)
      for (int32_t i = 0; i < static_cast<int32_t>(c.rows); ++i)
        for (int32_t j = 0; j < static_cast<int32_t>(c.columns); ++j) {
          double total = 0;
          for (int32_t k = 0; k < static_cast<int32_t>(c.inner); ++k) {
            const int32_t left = a_offset + n * p.a_batch_strides[0] + i * p.a_row_stride + k * p.a_inner_stride;
            const int32_t right = b_offset + n * p.b_batch_strides[0] + k * p.b_inner_stride + j * p.b_column_stride;
            total += static_cast<double>(a[static_cast<size_t>(left)]) * b[static_cast<size_t>(right)];
          }
          expected.push_back(static_cast<float>(total));
        }
    const auto a_in = gpu.buffer(a), b_in = gpu.buffer(b), out = gpu.room(expected.size() * 4);
    const auto pieces = gpu.room(expected.size() * 4 * c.splits);
    for (int32_t variant = 0; variant < sum; ++variant)
      for (const bool fours : {false, true}) {
        const bool is_rows = variant >= first_rows;
        const auto b_order = static_cast<Order>(!c.transpose_b + 2 * fours);
        if (fours && !in_fours) continue;
        if (is_rows && (c.rows > 8 || (fours && (variant - first_rows) % 4 != static_cast<int32_t>(b_order)) ||
                        (!fours && (variant - first_rows) % 4 >= int32_t{fours_along_inner})))
          continue;  // what reads one by one may read across
        INFO(c.name << ", " << plan.variants[static_cast<size_t>(variant)].name << (fours ? ", fours" : ""));
        p.a_order = static_cast<uint32_t>(c.transpose_a) + 2 * fours;
        p.b_order = b_order;
        must(gpu.recording->fill(whole(out), 0x7FC00000));
        // Fewer workgroups than tiles: they take turns.
        std::vector<Dispatch> dispatches{{variant, bytes_of(p), {3, 1, 1}}};
        if (c.splits > 1) dispatches.push_back({sum, bytes_of(p), {2, 1, 1}});
        must(kernel->record(*gpu.recording, data_of(dispatches), std::vector{whole(a_in), whole(b_in)},
                            std::vector{whole(out)}, whole(pieces)));
        CHECK(difference(gpu.values<float>(out), expected) < 1e-5f);
      }
  }
}

}  // namespace heed::vulkan
