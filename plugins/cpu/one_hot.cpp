// OneHot: fills with the first of the values, then writes the second to the place of each index. Floats go to integers
// towards zero.
#include "convert.hpp"
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto indices = run.input(0), values = run.input(2);
  if (run.input(1).count() != 1)
    return Error{Code::shape_mismatch, "depth has " + std::to_string(run.input(1).count()) + " elements; expected one"};
  if (values.count() != 2)
    return Error{Code::shape_mismatch, "there are " + std::to_string(values.count()) + " values; expected two"};
  const auto depth = read_element<int64_t>(run.input(1));
  if (depth < 1 || depth > int64_t{1} << 40)
    return Error{Code::invalid_argument, "depth is " + std::to_string(depth) + "; expected at least 1"};
  HEED_ASSIGN(const int32_t axis, run.axis("axis", indices.rank() + 1, -1));
  std::vector<int64_t> dims(indices.dims().begin(), indices.dims().end());
  dims.insert(dims.begin() + axis, depth);
  HEED_ASSIGN(const auto y, run.allocate(0, dims));

  const std::vector<int64_t> still(dims.size(), 0);
  move_elements(run, y.element(), dims, {values.c.data, still}, {y.c.data, y.strides()});
  std::vector<int64_t> places(static_cast<size_t>(indices.count()));
  read_elements(indices.element(), indices.c.data, 0, 1, indices.count(), places.data());
  const int64_t inner = y.count(axis + 1, y.rank()), one = 1;
  const size_t bytes = bytes_of_elements(y.element(), 1);
  for (int64_t i = 0; i < indices.count(); ++i) {
    const int64_t given = places[static_cast<size_t>(i)], place = given < 0 ? given + depth : given;
    if (place < 0 || place >= depth) continue;
    const int64_t at = (i / inner * depth + place) * inner + i % inner;
    if (is_packed(y.element()))
      move_elements(run, y.element(), {&one, 1}, {values.c.data, {&one, 1}, 1}, {y.c.data, {&one, 1}, at});
    else
      std::memcpy(y.data<std::byte>() + static_cast<size_t>(at) * bytes, values.data<const std::byte>() + bytes, bytes);
  }
  own_texts(run, 0, y);
  return {};
}

}  // namespace

extern const CpuKernel one_hot{.op_type = "OneHot", .run = run};

}  // namespace heed::cpu
