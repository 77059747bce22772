// Col2Im: the rows of the columns are added to the image, a position of the block after the other, in the wide type.
#include "sliding.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

// Adds row k of the columns, a number for each place of the window, to an image.
template <class T>
void add_row(const T* row, T* image, int64_t k, const Sliding& s, std::vector<int64_t>& window,
             std::vector<int64_t>& place) {
  const size_t last = s.in.size() - 1;
  s.window_at(k, window);
  std::fill(place.begin(), place.end(), 0);
  const int64_t stride = s.strides[last], shift = window[last] * s.dilations[last] - s.pads[last];
  const int64_t begin = shift >= 0 ? 0 : std::min(s.out[last], (-shift + stride - 1) / stride);
  const int64_t end = s.in[last] - 1 < shift ? 0 : std::min(s.out[last], (s.in[last] - 1 - shift) / stride + 1);
  for (int64_t line = s.out_count / s.out[last]; line > 0; --line, row += s.out[last]) {
    int64_t offset = 0;
    bool inside = true;
    for (size_t axis = 0; axis < last; ++axis) {
      const int64_t at = place[axis] * s.strides[axis] + window[axis] * s.dilations[axis] - s.pads[axis];
      inside = inside && at >= 0 && at < s.in[axis];
      offset = offset * s.in[axis] + at;
    }
    if (inside) {
      T* to = image + offset * s.in[last] + shift;
      for (int64_t i = begin; i < end; ++i) to[i * stride] += row[i];
    }
    for (size_t axis = last; axis-- > 0;) {
      if (++place[axis] < s.out[axis]) break;
      place[axis] = 0;
    }
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  HEED_TRY(check_rank(run, 0, 3));
  const auto image = run.input(1).integers(), block = run.input(2).integers();
  if (image.empty() || image.size() != block.size())
    return Error{Code::shape_mismatch, "image_shape has " + std::to_string(image.size()) + " sizes, block_shape " +
                                           std::to_string(block.size()) + "; expected as many"};
  if (std::any_of(image.begin(), image.end(), [](int64_t size) { return size < 0; }))
    return Error{Code::invalid_argument, "image_shape has a negative size"};
  std::vector<int64_t> dims{x.dim(0), 1};
  dims.insert(dims.end(), image.begin(), image.end());
  TensorView slid_over = x;
  slid_over.c.dims = dims.data();
  slid_over.c.rank = static_cast<int32_t>(dims.size());
  HEED_ASSIGN(const auto s, sliding_of(run, slid_over, block));
  if (x.dim(1) % s.kernel_count != 0 || x.dim(2) != s.out_count)
    return Error{Code::shape_mismatch, std::to_string(x.dim(1)) + " columns at " + std::to_string(x.dim(2)) +
                                           " places, of blocks of " + std::to_string(s.kernel_count) +
                                           " elements that have " + std::to_string(s.out_count) + " places"};
  dims[1] = x.dim(1) / s.kernel_count;
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  const int64_t work = s.kernel_count * s.out_count + s.in_count;
  dispatch(x.element(), [&]<class T>(T) {
    run.parallel_for(dims[0] * dims[1], std::max<int64_t>(1, 16384 / work), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      std::vector<int64_t> window(s.in.size()), place(s.in.size());
      for (int64_t at = begin; at < end; ++at) {
        T* to = writer.row(at * s.in_count, s.in_count);
        std::fill_n(to, s.in_count, T{0});
        for (int64_t k = 0; k < s.kernel_count; ++k)
          add_row(reader.row((at * s.kernel_count + k) * s.out_count, s.out_count), to, k, s, window, place);
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel col2im{.op_type = "Col2Im", .run = run};

}  // namespace heed::cpu
