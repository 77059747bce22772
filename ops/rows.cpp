// Tensors walked in rows: threads are given to rows by their length.
#include "rows.hpp"

#include <bit>

namespace heed::ops {
namespace {

// Variants, and up to which length, untuned, a row is given so many threads.
enum { thread_a_row, some_threads_a_row, workgroup_a_row };
constexpr uint32_t some_threads = 32, most_threads = 512;  // a fold of 16 bytes each takes 8 KiB; all GPUs share 16
constexpr uint32_t short_length = 8, middling_length = 512;

// From here on there are rows enough for one thread each.
constexpr uint32_t many_rows = 8192;

// Whether neighbouring rows lie beside each other in the first tensor, while a row's own elements lie apart.
bool lies_across(const Rows& rows) {
  const auto& axes = rows.axes;
  return rows.row_rank > 0 && axes.rank > rows.row_rank && axes.strides[rows.row_rank - 1][0] == 1 &&
         axes.strides[axes.rank - 1][0] != 1;
}

Result<void> check_walked(TypeView type) {
  if (!type.has_rank()) return decline("the rank is not known");
  if (type.rank() > most_axes) return decline("more than " + std::to_string(most_axes) + " axes");
  return {};
}

}  // namespace

Rows rows_of(std::span<const int64_t> dims, const std::vector<bool>& within_row, std::span<const TensorView> tensors) {
  Rows rows;
  for (size_t t = 0; t < tensors.size(); ++t)
    if (tensors[t].present()) rows.axes.offsets[t] = offset_of(tensors[t]);
  for (const bool within : {false, true}) {
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (within_row[axis] != within) continue;
      (within ? rows.row_length : rows.row_count) *= static_cast<uint32_t>(dims[axis]);
      rows.axes.add(dims, static_cast<int32_t>(axis), tensors, rows.row_rank);
    }
    if (!within) rows.row_rank = rows.axes.rank;
  }
  return rows;
}

std::vector<bool> last_axes(int32_t rank, int32_t count) {
  std::vector<bool> within(static_cast<size_t>(rank));
  std::fill(within.end() - count, within.end(), true);
  return within;
}

std::vector<Variant> row_variants(const Planning& node, const Shader& shader, std::vector<heed_constant> constants) {
  const auto with_threads = [&](const char* name, uint32_t thread_count, uint32_t threads_per_row) {
    Variant variant{.name = name, .shader = shader, .constants = {{0, thread_count}, {1, threads_per_row}}};
    variant.constants.insert(variant.constants.end(), constants.begin(), constants.end());
    return variant;
  };
  const auto most = static_cast<uint32_t>(
      std::clamp<uint64_t>(std::bit_floor(node.capability("max_workgroup_size")), row_threads, most_threads));
  return {with_threads("a thread a row", row_threads, 1), with_threads("32 threads a row", row_threads, some_threads),
          with_threads("a workgroup a row", most, most)};
}

Result<Shader> shader_for(const Planning& node, const shaders::ElementShaders& shaders) {
  struct Row {
    DataType type;
    shaders::PackedShader shader;
    std::string_view needs;  // a capability
  };
  const Row rows[] = {{DataType::f32, shaders.f32, ""},
                      {DataType::f16, shaders.f16, "storage_16bit"},
                      {DataType::bf16, shaders.bf16, "storage_16bit"},
                      {DataType::f64, shaders.f64, "float64"},
                      {DataType::i8, shaders.i8, "storage_8bit"},
                      {DataType::i16, shaders.i16, "storage_16bit"},
                      {DataType::i32, shaders.i32, ""},
                      {DataType::i64, shaders.i64, "int64"},
                      {DataType::u8, shaders.u8, "storage_8bit"},
                      {DataType::u16, shaders.u16, "storage_16bit"},
                      {DataType::u32, shaders.u32, ""},
                      {DataType::u64, shaders.u64, "int64"},
                      {DataType::boolean, shaders.boolean, "storage_8bit"}};
  const auto x = node.input(0);
  HEED_TRY(check_walked(x));
  std::string served;
  for (const Row& row : rows) {
    if (row.shader.word_count == 0) continue;
    if (x.element() == row.type) {
      HEED_TRY(check_capability(node, row.needs, row.type));
      return Shader(row.shader);
    }
    served += (served.empty() ? "" : ", ") + std::string(name_of(row.type));
  }
  return decline("the GPU kernel takes " + served + ", not " + name_in_reason(x));
}

Result<Variant> moving_variant(const Planning& node, TypeView type, const shaders::SizedShaders& shaders) {
  HEED_TRY(check_walked(type));
  struct Row {
    int bits;
    const char* name;
    shaders::PackedShader shader;
    std::string_view needs;  // a capability
  };
  const Row rows[] = {{8, "1 byte", shaders.bytes_1, "storage_8bit"},
                      {16, "2 bytes", shaders.bytes_2, "storage_16bit"},
                      {32, "4 bytes", shaders.bytes_4, ""},
                      {64, "8 bytes", shaders.bytes_8, ""}};
  const int bits = !type.has_element() || type.element() == DataType::string ? 0 : bits_of(type.element());
  for (const Row& row : rows) {
    if (row.bits != bits) continue;
    HEED_TRY(check_capability(node, row.needs, type.element()));
    return Variant{.name = row.name, .shader = row.shader};
  }
  return decline("the GPU kernel moves 1, 2, 4 or 8 bytes an element, not " + name_in_reason(type));
}

Dispatch row_dispatch(const Rows& rows, std::vector<std::byte> parameters) {
  if (rows.row_length <= short_length || (lies_across(rows) && rows.row_count >= many_rows))
    return {thread_a_row, std::move(parameters), {workgroups_for(rows.row_count, row_threads), 1, 1}};
  if (rows.row_length <= middling_length)
    return {
        some_threads_a_row, std::move(parameters), {workgroups_for(rows.row_count, row_threads / some_threads), 1, 1}};
  return {workgroup_a_row, std::move(parameters), {workgroups_for(rows.row_count, 1), 1, 1}};
}

}  // namespace heed::ops
