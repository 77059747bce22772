// Resize and Upsample: one axis after the other, each element of the result a weighted sum of some along it
// (heed/resize.hpp). What takes the nearest element moves it, whatever its type.
#include "heed/resize.hpp"

#include <cmath>

#include "convert.hpp"
#include "pick.hpp"

namespace heed::cpu {
namespace {

enum { x_input, roi_input, scales_input, sizes_input };

struct Resizing {
  ResizeSettings settings;
  std::vector<ResizedAxis> axes;  // all of x
};

Result<Resizing> resizing_of(const Running& run) {
  const auto x = run.input(x_input);
  const bool is_old = run.version() < 11;
  HEED_ASSIGN(const auto settings, resize_settings_of(run));
  std::vector<int32_t> axes;
  if (const auto given = run.integers("axes")) {
    for (const int64_t axis : *given) {
      HEED_ASSIGN(axes.emplace_back(), NodeView::checked_axis(axis, x.rank(), "axes"));
    }
  } else {
    for (int32_t axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  }
  std::vector<float> scales = scales_in_attributes(run);
  std::vector<int64_t> sizes;
  const auto scale_input = run.input(is_old ? 1 : scales_input);
  if (scales.empty() && scale_input.present())
    scales.assign(scale_input.data<float>(), scale_input.data<float>() + scale_input.count());
  if (!is_old && run.input(sizes_input).present() && scales.empty()) sizes = run.input(sizes_input).integers();
  HEED_ASSIGN(auto resized,
              resized_axes(x.dims(), axes, scales, sizes, run.text("keep_aspect_ratio_policy", "stretch")));
  if (settings.coordinates == Coordinates::tf_crop_and_resize) {
    const auto roi = run.input(roi_input);
    if (!roi.present()) return Error{Code::invalid_model, "tf_crop_and_resize needs the input 'roi'"};
    std::vector<double> region(static_cast<size_t>(roi.count()));
    read_elements(roi.element(), roi.c.data, 0, 1, roi.count(), region.data());
    HEED_TRY(set_regions(region, axes, resized));
  }
  return Resizing{settings, std::move(resized)};
}

// Along one axis: from [outer, in, inner] to [outer, out, inner].
template <class T>
std::vector<T> resize_axis(const Running& run, const std::vector<T>& x, int64_t outer, int64_t in, int64_t out,
                           int64_t inner, const ResizeTaps& taps, T extrapolation) {
  std::vector<T> y(static_cast<size_t>(outer * out * inner));
  run.parallel_for(outer * out, std::max<int64_t>(1, 16384 / (inner * taps.tap_count + 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                       const T* from = x.data() + row / out * in * inner;
                       T* to = y.data() + row * inner;
                       const auto first = static_cast<size_t>(row % out * taps.tap_count);
                       if (taps.indices[first] < 0) {
                         std::fill_n(to, inner, extrapolation);
                         continue;
                       }
                       for (size_t tap = first; tap < first + static_cast<size_t>(taps.tap_count); ++tap) {
                         const T weight = static_cast<T>(taps.weights[tap]);
                         const T* line = from + taps.indices[tap] * inner;
                         for (int64_t i = 0; i < inner; ++i) to[i] += weight * line[i];
                       }
                     }
                   });
  return y;
}

// Sums of a cubic kernel reach beyond the elements, and perhaps beyond the type.
template <class T>
void round_within(DataType type, std::vector<T>& numbers) {
  const int32_t bits = bits_of(type) - (is_signed_integer(type) ? 1 : 0);
  const T least = is_signed_integer(type) ? -std::ldexp(T{1}, bits) : 0;
  const T greatest = std::ldexp(1 - std::numeric_limits<T>::epsilon() / 2, bits);  // whole once it is stored
  for (T& number : numbers) number = std::clamp(std::nearbyint(number), least, greatest);
}

Result<void> run_nearest(const Running& run, const Resizing& resizing) {
  const auto x = run.input(x_input);
  Places places;
  for (const auto& axis : resizing.axes) places.push_back(resize_taps(resizing.settings, axis).indices);
  const auto extrapolation = run.number("extrapolation_value");
  alignas(16) std::byte fill[16] = {};
  write_elements(x.element(), &extrapolation, 1, fill, 0);
  return pick_elements(run, x, places, TensorView{{fill, nullptr, nullptr, 0, 0, x.c.element}});
}

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto resizing, resizing_of(run));
  std::vector<int64_t> dims;
  for (const auto& axis : resizing.axes) dims.push_back(axis.out);
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  if (resizing.settings.mode == ResizeMode::nearest) return run_nearest(run, resizing);
  const auto x = run.input(x_input);
  const bool is_wide = is_integer(x.element()) && bits_of(x.element()) >= 32;
  dispatch_float(is_wide ? DataType::f64 : x.element(), [&]<class T>(T) {
    std::vector<T> lines(static_cast<size_t>(x.count()));
    read_elements(x.element(), x.c.data, 0, 1, x.count(), lines.data());
    dims.assign(x.dims().begin(), x.dims().end());
    // The last axes first: where an image shrinks, less is left for the others.
    for (size_t axis = dims.size(); axis-- > 0;) {
      const auto& sizes = resizing.axes[axis];
      if (sizes.in == sizes.out && sizes.scale == 1 && resizing.settings.coordinates != Coordinates::tf_crop_and_resize)
        continue;
      int64_t outer = 1, inner = 1;
      for (size_t i = 0; i < axis; ++i) outer *= dims[i];
      for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
      lines = resize_axis(run, lines, outer, sizes.in, sizes.out, inner, resize_taps(resizing.settings, sizes),
                          static_cast<T>(run.number("extrapolation_value")));
      dims[axis] = sizes.out;
    }
    if (is_integer(y.element()) || y.element() == DataType::boolean) round_within(y.element(), lines);
    write_elements(y.element(), lines.data(), y.count(), y.c.data, 0);
  });
  return {};
}

}  // namespace

extern const CpuKernel resize{.op_type = "Resize", .run = run};
extern const CpuKernel upsample{.op_type = "Upsample", .run = run};

}  // namespace heed::cpu
