// RoiAlign: the mean, or the greatest part, of bilinear samples in each bin of a region. MaxRoiPool: the greatest element
// of each bin. Samples of a region are the same for all channels.
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// Calls body(roi, image) for all regions, in parallel. Fails where a region is of an image that is not there.
template <class Body>
Result<void> for_each_region(const Running& run, const std::vector<int64_t>& images, int64_t work, const Body& body) {
  for (size_t roi = 0; roi < images.size(); ++roi)
    if (images[roi] < 0 || images[roi] >= run.input(0).dim(0))
      return Error{Code::invalid_argument, "region " + std::to_string(roi) + " is of image " +
                                               std::to_string(images[roi]) + ", the batch has " +
                                               std::to_string(run.input(0).dim(0))};
  run.parallel_for(static_cast<int64_t>(images.size()), std::max<int64_t>(1, 4096 / (work + 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t roi = begin; roi < end; ++roi) body(roi, images[static_cast<size_t>(roi)]);
                   });
  return {};
}

// Where a sample's four neighbours stand in an image, and their weights.
template <class T>
struct Sample {
  int64_t places[4];
  T weights[4];
};

template <class T>
Sample<T> sample_at(T row, T column, int64_t height, int64_t width) {
  Sample<T> sample{};
  if (!(row >= -1 && row <= static_cast<T>(height) && column >= -1 && column <= static_cast<T>(width))) return sample;
  row = std::clamp(row, T{0}, static_cast<T>(height - 1));
  column = std::clamp(column, T{0}, static_cast<T>(width - 1));
  const auto top = static_cast<int64_t>(row), left = static_cast<int64_t>(column);
  const int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  const T down = row - static_cast<T>(top), across = column - static_cast<T>(left);
  return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across}};
}

// A region of an image: where it begins, and the samples of its bins.
template <class T>
struct Region {
  T top, left, bin_height, bin_width;
  int64_t grid_rows, grid_columns;
};
constexpr int64_t most_samples = int64_t{1} << 24;  // of a region: what memory may hold

template <class T>
Result<std::vector<Region<T>>> regions_of(const Running& run, const TensorView& rois, int64_t bin_rows,
                                          int64_t bin_columns) {
  const T scale = static_cast<T>(run.number("spatial_scale"));
  const bool half_pixel =
      run.version() >= 16 && run.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const int64_t ratio = run.integer("sampling_ratio");
  std::vector<Region<T>> regions;
  for (int64_t roi = 0; roi < rois.dim(0); ++roi) {
    T corners[4];
    read_elements(rois.element(), rois.c.data, roi * 4, 1, 4, corners);
    for (T& corner : corners) corner = corner * scale - (half_pixel ? T{0.5} : T{0});
    T height = corners[3] - corners[1], width = corners[2] - corners[0];
    if (!half_pixel) height = std::max(height, T{1}), width = std::max(width, T{1});
    const T bin_height = height / static_cast<T>(bin_rows), bin_width = width / static_cast<T>(bin_columns);
    const T grid_rows = ratio > 0 ? static_cast<T>(ratio) : std::max(std::ceil(bin_height), T{0}),
            grid_columns = ratio > 0 ? static_cast<T>(ratio) : std::max(std::ceil(bin_width), T{0});
    const bool has_samples = grid_rows != 0 && grid_columns != 0;
    if (has_samples && !(grid_rows * grid_columns * static_cast<T>(bin_rows * bin_columns) <= static_cast<T>(most_samples)))
      return Error{Code::invalid_argument, "region " + std::to_string(roi) + " asks for more than " +
                                               std::to_string(most_samples) + " samples"};
    regions.push_back({corners[1], corners[0], bin_height, bin_width, has_samples ? static_cast<int64_t>(grid_rows) : 0,
                       has_samples ? static_cast<int64_t>(grid_columns) : 0});
  }
  return regions;
}

template <class T>
Result<void> align(const Running& run, const TensorView& x, const TensorView& rois, const TensorView& y) {
  const int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3), bin_columns = y.dim(3),
                bin_count = y.dim(2) * bin_columns;
  if (height == 0 || width == 0) return Error{Code::shape_mismatch, "the images have no pixels"};
  const bool is_mean = run.text("mode", "avg") == "avg";
  HEED_ASSIGN(const auto regions, regions_of<T>(run, rois, y.dim(2), bin_columns));
  return for_each_region(run, run.input(2).integers(), channels * bin_count, [&](int64_t roi, int64_t image) {
    const auto& region = regions[static_cast<size_t>(roi)];
    const int64_t sample_count = region.grid_rows * region.grid_columns;  // of a bin
    std::vector<Sample<T>> samples;
    for (int64_t bin = 0; bin < bin_count; ++bin) {
      const T top = region.top + static_cast<T>(bin / bin_columns) * region.bin_height,
              left = region.left + static_cast<T>(bin % bin_columns) * region.bin_width;
      for (int64_t row = 0; row < region.grid_rows; ++row)
        for (int64_t column = 0; column < region.grid_columns; ++column)
          samples.push_back(sample_at(
              top + (static_cast<T>(row) + T{0.5}) * region.bin_height / static_cast<T>(region.grid_rows),
              left + (static_cast<T>(column) + T{0.5}) * region.bin_width / static_cast<T>(region.grid_columns), height,
              width));
    }
    RowReader<T> reader(x);
    RowWriter<T> writer(y);
    for (int64_t channel = 0; channel < channels; ++channel) {
      const T* from = reader.row((image * channels + channel) * height * width, height * width);
      T* to = writer.row((roi * channels + channel) * bin_count, bin_count);
      for (int64_t bin = 0; bin < bin_count; ++bin) {
        T sum = 0, greatest = sample_count == 0 ? T{0} : -std::numeric_limits<T>::infinity();
        for (int64_t i = bin * sample_count; i < (bin + 1) * sample_count; ++i) {
          const auto& sample = samples[static_cast<size_t>(i)];
          for (int k = 0; k < 4; ++k) {
            const T part = sample.weights[k] * from[sample.places[k]];
            sum += part;
            greatest = std::max(greatest, part);
          }
        }
        to[bin] = is_mean ? sum / static_cast<T>(std::max<int64_t>(sample_count, 1)) : greatest;
      }
      writer.finish();
    }
  });
}

template <class T>
Result<void> pool(const Running& run, const TensorView& x, const TensorView& rois, const TensorView& y) {
  const int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3), bin_rows = y.dim(2), bin_columns = y.dim(3);
  const T scale = static_cast<T>(run.number("spatial_scale"));
  std::vector<int64_t> images(static_cast<size_t>(rois.dim(0)));
  // What no integer holds is of no image.
  for (size_t roi = 0; roi < images.size(); ++roi) {
    const T image = read_element<T>(rois, static_cast<int64_t>(roi) * 5);
    images[roi] = image >= 0 && image < static_cast<T>(x.dim(0)) ? static_cast<int64_t>(image) : -1;
  }
  return for_each_region(run, images, channels * bin_rows * bin_columns, [&](int64_t roi, int64_t image) {
    T corners[4];
    int64_t rounded[4];
    read_elements(rois.element(), rois.c.data, roi * 5 + 1, 1, 4, corners);
    for (int k = 0; k < 4; ++k)
      rounded[k] = static_cast<int64_t>(std::clamp(std::round(corners[k] * scale), T{-0x1p30}, T{0x1p30}));
    const T bin_height = static_cast<T>(std::max<int64_t>(rounded[3] - rounded[1] + 1, 1)) / static_cast<T>(bin_rows),
            bin_width = static_cast<T>(std::max<int64_t>(rounded[2] - rounded[0] + 1, 1)) / static_cast<T>(bin_columns);
    const auto edge = [](int64_t begin, T distance, int64_t limit) {
      return std::clamp<int64_t>(begin + static_cast<int64_t>(distance), 0, limit);
    };
    RowReader<T> reader(x);
    RowWriter<T> writer(y);
    for (int64_t channel = 0; channel < channels; ++channel) {
      const T* from = reader.row((image * channels + channel) * height * width, height * width);
      T* to = writer.row((roi * channels + channel) * bin_rows * bin_columns, bin_rows * bin_columns);
      for (int64_t bin = 0; bin < bin_rows * bin_columns; ++bin) {
        const auto bin_row = static_cast<T>(bin / bin_columns), bin_column = static_cast<T>(bin % bin_columns);
        const int64_t top = edge(rounded[1], std::floor(bin_row * bin_height), height),
                      bottom = edge(rounded[1], std::ceil((bin_row + 1) * bin_height), height),
                      left = edge(rounded[0], std::floor(bin_column * bin_width), width),
                      right = edge(rounded[0], std::ceil((bin_column + 1) * bin_width), width);
        T greatest = top < bottom && left < right ? -std::numeric_limits<T>::infinity() : T{0};
        for (int64_t row = top; row < bottom; ++row)
          for (int64_t column = left; column < right; ++column) greatest = std::max(greatest, from[row * width + column]);
        to[bin] = greatest;
      }
      writer.finish();
    }
  });
}

template <bool aligns>
Result<void> run(Running& run) {
  const auto x = run.input(0), rois = run.input(1);
  HEED_TRY(check_rank(run, 0, 4));
  HEED_TRY(check_rank(run, 1, 2));
  if (rois.dim(1) != (aligns ? 4 : 5) || (aligns && run.input(2).count() != rois.dim(0)))
    return Error{Code::shape_mismatch, "the regions are [" + std::to_string(rois.dim(0)) + ", " +
                                           std::to_string(rois.dim(1)) + "]"};
  const auto shape = run.integers("pooled_shape");
  const int64_t height = aligns ? run.integer("output_height") : (*shape)[0],
                width = aligns ? run.integer("output_width") : (*shape)[1];
  HEED_ASSIGN(const auto y, run.allocate(0, std::array{rois.dim(0), x.dim(1), height, width}));
  if (y.count() == 0) return {};
  return dispatch_float(x.element(),
                        [&]<class T>(T) { return aligns ? align<T>(run, x, rois, y) : pool<T>(run, x, rois, y); });
}

}  // namespace

extern const CpuKernel roi_align{.op_type = "RoiAlign", .run = run<true>};
extern const CpuKernel max_roi_pool{.op_type = "MaxRoiPool", .run = run<false>};

}  // namespace heed::cpu
