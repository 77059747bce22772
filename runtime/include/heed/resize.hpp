// Resize-19 along one axis: of which elements each element of the output is the weighted sum. For its contract and its
// kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/result.hpp"

namespace heed {

enum class ResizeMode { nearest, linear, cubic };
enum class Coordinates {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  tf_crop_and_resize
};
enum class NearestMode { round_prefer_floor, round_prefer_ceil, floor, ceil };

struct ResizeSettings {
  ResizeMode mode = ResizeMode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  NearestMode nearest = NearestMode::round_prefer_floor;
  bool antialias = false, exclude_outside = false;
  double cubic_a = -0.75;
};

namespace detail {

template <class Enum, size_t count>
Result<void> parse_choice(std::string_view what, std::string_view text, const std::string_view (&names)[count],
                          Enum& choice) {
  const auto found = std::find(std::begin(names), std::end(names), text);
  if (found == std::end(names)) {
    std::string known;
    for (const auto name : names) known += (known.empty() ? "" : ", ") + std::string(name);
    return Error{Code::invalid_model,
                 "attribute '" + std::string(what) + "' is '" + std::string(text) + "'; expected one of " + known};
  }
  choice = static_cast<Enum>(found - std::begin(names));
  return {};
}

}  // namespace detail

// Of a node of Resize, in any phase (a NodeView). Version 10 knows none of what came later.
template <class Node>
Result<ResizeSettings> resize_settings_of(const Node& node) {
  ResizeSettings settings;
  auto mode = node.text("mode", "nearest");
  if (node.version() < 7 && mode == "bilinear") mode = "linear";
  HEED_TRY(detail::parse_choice("mode", mode, {"nearest", "linear", "cubic"}, settings.mode));
  if (node.version() < 11) {
    settings.coordinates = Coordinates::asymmetric;
    settings.nearest = NearestMode::floor;
    return settings;
  }
  HEED_TRY(detail::parse_choice(
      "coordinate_transformation_mode", node.text("coordinate_transformation_mode", "half_pixel"),
      {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"},
      settings.coordinates));
  HEED_TRY(detail::parse_choice("nearest_mode", node.text("nearest_mode", "round_prefer_floor"),
                                {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, settings.nearest));
  settings.antialias = node.integer("antialias") != 0;
  settings.exclude_outside = node.integer("exclude_outside") != 0;
  settings.cubic_a = node.number("cubic_coeff_a", -0.75f);
  return settings;
}

// Sizes along an axis. `scale` is the output's size by the input's, before it was made whole, and what it may be off
// by, relative to itself; the region is in parts of the input.
struct ResizedAxis {
  int64_t in = 0, out = 0;
  double scale = 1, scale_error = 0x1p-52;
  double region_begin = 0, region_end = 1;
};

// The scales that attributes hold, before version 9: one for each axis, in version 1 those of images [batch, channel,
// height, width]. Empty where there are none.
template <class Node>
std::vector<float> scales_in_attributes(const Node& node) {
  if (node.version() < 7) return {1, 1, node.number("height_scale", 1), node.number("width_scale", 1)};
  const auto given = node.numbers("scales");
  return given ? std::vector<float>(given->begin(), given->end()) : std::vector<float>();
}

// For each element of the output `tap_count` elements of the input and their weights; an index of -1: outside of the
// input, where the extrapolation value stands (tf_crop_and_resize).
struct ResizeTaps {
  int64_t tap_count = 1;
  std::vector<int64_t> indices;
  std::vector<double> weights;
};

namespace detail {

// x / divisor, or the whole or half element where it stands if the divisor is off by so much: 3 / 0.6f is 5.
inline double divide(double x, double divisor, double error) {
  const double quotient = x / divisor, near = std::round(2 * quotient) / 2;
  return std::abs(quotient - near) <= std::abs(quotient) * error ? near : quotient;
}

inline double source_of(const ResizeSettings& settings, const ResizedAxis& axis, int64_t i) {
  const double x = static_cast<double>(i), in = static_cast<double>(axis.in), out = axis.scale * in;  // not whole
  const auto scaled_back = [&](double place) { return divide(place, axis.scale, axis.scale_error); };
  switch (settings.coordinates) {
    case Coordinates::half_pixel:
      return scaled_back(x + 0.5) - 0.5;
    case Coordinates::half_pixel_symmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / out) + scaled_back(x + 0.5) - 0.5;
    case Coordinates::pytorch_half_pixel:
      return out == 1 ? -0.5 : scaled_back(x + 0.5) - 0.5;
    case Coordinates::align_corners:
      return out == 1 ? 0 : divide(x * (in - 1), out - 1, axis.scale_error);
    case Coordinates::asymmetric:
      return scaled_back(x);
    case Coordinates::tf_crop_and_resize:
      return axis.region_begin * (in - 1) + (out == 1
                                                 ? (axis.region_end - axis.region_begin) * (in - 1) / 2
                                                 : x * (axis.region_end - axis.region_begin) * (in - 1) / (out - 1));
  }
  return x;
}

// Keys' cubic kernel at a distance; a is -0.5 or -0.75 in most models.
inline double cubic_weight(double distance, double a) {
  const double x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

}  // namespace detail

inline ResizeTaps resize_taps(const ResizeSettings& settings, const ResizedAxis& axis) {
  // When it shrinks, antialiasing widens the kernel by so much.
  const double shrunk = settings.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double reach = settings.mode == ResizeMode::cubic ? 2 : 1;
  const auto half = settings.mode == ResizeMode::nearest ? 1 : static_cast<int64_t>(std::ceil(reach / shrunk));
  ResizeTaps taps;
  taps.tap_count = settings.mode == ResizeMode::nearest ? 1 : 2 * half;
  for (int64_t i = 0; i < axis.out; ++i) {
    const double source = detail::source_of(settings, axis, i);
    const bool is_outside = settings.coordinates == Coordinates::tf_crop_and_resize &&
                            !(source >= 0 && source <= static_cast<double>(axis.in - 1));
    // The element to the left, never the very one: 0 < ratio <= 1.
    const auto left = static_cast<int64_t>(std::clamp(std::ceil(source) - 1, -1e15, 1e15));
    const double ratio = source - static_cast<double>(left);
    const auto inside = [&](int64_t index) { return is_outside ? -1 : std::clamp<int64_t>(index, 0, axis.in - 1); };
    if (settings.mode == ResizeMode::nearest) {
      const bool takes_right = ratio == 1 || settings.nearest == NearestMode::ceil ||
                               (settings.nearest == NearestMode::round_prefer_floor && ratio > 0.5) ||
                               (settings.nearest == NearestMode::round_prefer_ceil && ratio >= 0.5);
      taps.indices.push_back(inside(left + (takes_right ? 1 : 0)));
      taps.weights.push_back(1);
      continue;
    }
    double sum = 0;
    const size_t first = taps.weights.size();
    for (int64_t tap = 1 - half; tap <= half; ++tap) {
      const double distance = shrunk * (static_cast<double>(tap) - ratio);
      double weight = settings.mode == ResizeMode::cubic ? detail::cubic_weight(distance, settings.cubic_a)
                                                         : std::max(0.0, 1 - std::abs(distance));
      if (settings.exclude_outside && (left + tap < 0 || left + tap >= axis.in)) weight = 0;
      sum += weight;
      taps.indices.push_back(inside(left + tap));
      taps.weights.push_back(weight);
    }
    if ((settings.antialias || settings.exclude_outside) && sum != 0)
      for (size_t at = first; at < taps.weights.size(); ++at) taps.weights[at] /= sum;
  }
  return taps;
}

inline bool is_scale(float scale) { return scale > 0 && scale < 1e9f; }

// Of eight bits or less, as 2, 0.5 or 1.75 are: products with sizes are exact.
inline bool is_short(float scale) {
  int exponent = 0;
  const float mantissa = std::ldexp(std::frexp(scale, &exponent), 8);
  return mantissa == std::floor(mantissa);
}

// floor(size * scale), as ONNX's own inference computes it: 10 * 0.7f is 7, though 0.7f is a little less than 0.7.
inline int64_t scaled_size(int64_t size, float scale) {
  const double product = std::min(static_cast<double>(size) * static_cast<double>(scale), 1e15);
  return static_cast<int64_t>(std::floor(is_short(scale) ? product : static_cast<double>(static_cast<float>(product))));
}

// The sizes of the output and the scale along each axis of x. `axes` are those that scales or sizes tell of, one of
// which is empty. `policy` is keep_aspect_ratio_policy.
inline Result<std::vector<ResizedAxis>> resized_axes(std::span<const int64_t> dims, std::span<const int32_t> axes,
                                                     std::span<const float> scales, std::span<const int64_t> sizes,
                                                     std::string_view policy) {
  std::vector<ResizedAxis> resized;
  for (const int64_t dim : dims) resized.push_back({.in = dim, .out = dim});
  if (scales.size() + sizes.size() != axes.size())
    return Error{Code::shape_mismatch, std::to_string(scales.size() + sizes.size()) + " scales or sizes for " +
                                           std::to_string(axes.size()) + " axes"};
  double kept_scale = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = resized[static_cast<size_t>(axes[i])];
    if (!scales.empty()) {
      if (!is_scale(scales[i])) return Error{Code::invalid_model, "a scale is " + std::to_string(scales[i])};
      axis.scale = scales[i];
      if (!is_short(scales[i])) axis.scale_error = 0x1p-24;
      axis.out = scaled_size(axis.in, scales[i]);
      continue;
    }
    axis.out = sizes[i];
    if (axis.out < 0 || (axis.in == 0 && axis.out > 0))
      return Error{Code::shape_mismatch,
                   "a size of " + std::to_string(axis.in) + " cannot become " + std::to_string(axis.out)};
    axis.scale = axis.in == 0 ? 1 : static_cast<double>(axis.out) / static_cast<double>(axis.in);
    kept_scale = i == 0                   ? axis.scale
                 : policy == "not_larger" ? std::min(kept_scale, axis.scale)
                                          : std::max(kept_scale, axis.scale);
  }
  if (policy != "not_larger" && policy != "not_smaller") return resized;
  for (size_t i = 0; i < axes.size() && scales.empty(); ++i) {
    ResizedAxis& axis = resized[static_cast<size_t>(axes[i])];
    axis.scale = kept_scale;
    axis.out = static_cast<int64_t>(std::floor(kept_scale * static_cast<double>(axis.in) + 0.5));
  }
  return resized;
}

// The places in a list of regions [begins..., ends...] go to the axes they tell of.
inline Result<void> set_regions(std::span<const double> region, std::span<const int32_t> axes,
                                std::vector<ResizedAxis>& resized) {
  if (region.size() != 2 * axes.size())
    return Error{Code::shape_mismatch,
                 "roi has " + std::to_string(region.size()) + " numbers; expected " + std::to_string(2 * axes.size())};
  for (size_t i = 0; i < axes.size(); ++i) {
    resized[static_cast<size_t>(axes[i])].region_begin = region[i];
    resized[static_cast<size_t>(axes[i])].region_end = region[axes.size() + i];
  }
  return {};
}

}  // namespace heed
