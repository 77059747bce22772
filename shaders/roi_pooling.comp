#version 450
#extension GL_GOOGLE_include_directive : require
// roi_pooling.comp: RoiAlign-22 and MaxRoiPool-22, a bin of a region a thread, in f32. rois, batch_indices and y are dense; a
// region of an image that is not there is told, and read from the nearest that is; one of too many samples is told too.
#include "element.glsl"
#include "indices.glsl"

layout(local_size_x = 64) in;

const uint mean_of_samples = 0;
const uint greatest_part_of_samples = 1;  // the greatest of all weighted neighbours, not of their sums
const uint greatest_whole = 2;
layout(constant_id = 0) const uint way = mean_of_samples;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };     // [batch, channel, height, width]
layout(set = 0, binding = 1, std430) readonly buffer Regions { STORED rois[]; };  // x1, y1, x2, y2, or the image before
layout(set = 0, binding = 2, std430) readonly buffer Images { uvec2 batch_indices[]; };  // i64
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };
#define ERROR_BINDING 4
#include "error_word.glsl"

layout(set = 0, binding = 5, std430) readonly buffer Parameters {
  uint count, channel_count, bin_rows, bin_columns;
  int batch_count, height, width, sampling_ratio;
  float spatial_scale, shift;
  int x_offset, rois_offset, batch_offset, y_offset;
  int x_strides[4];
};

float element_at(int image, int row, int column) {
  return LOAD(x[image + row * x_strides[2] + column * x_strides[3]]);
}

const float most_samples = 16777216.0;  // of a region, as on the CPU: a GPU that does not come back is lost

// How many samples a bin of this size has along each axis; perhaps more than anybody can take.
vec2 grid_of(vec2 size) { return sampling_ratio > 0 ? vec2(sampling_ratio) : max(ceil(size), vec2(0.0)); }
bool may_be_sampled(vec2 grid) {
  return grid.x == 0.0 || grid.y == 0.0 || grid.x * grid.y * float(bin_rows * bin_columns) <= most_samples;
}

// Of the samples of a bin that begins at `first` and is `size` large, both as (row, column).
float sampled(int image, vec2 first, vec2 size) {
  vec2 wanted = grid_of(size);
  ivec2 grid = wanted.x == 0.0 || wanted.y == 0.0 ? ivec2(0) : ivec2(wanted);
  float sum = 0.0, greatest = 0.0;
  bool is_first = true;
  for (int row = 0; row < grid.x; ++row)
    for (int column = 0; column < grid.y; ++column) {
      vec2 at = first + (vec2(row, column) + 0.5) * size / vec2(grid);
      vec4 parts = vec4(0.0);
      if (at.x >= -1.0 && at.x <= float(height) && at.y >= -1.0 && at.y <= float(width)) {
        at = clamp(at, vec2(0.0), vec2(height - 1, width - 1));
        ivec2 low = ivec2(at);
        ivec2 high = min(low + 1, ivec2(height - 1, width - 1));
        vec2 far = at - vec2(low), near = 1.0 - far;
        parts = vec4(near.x * near.y * element_at(image, low.x, low.y), near.x * far.y * element_at(image, low.x, high.y),
                     far.x * near.y * element_at(image, high.x, low.y), far.x * far.y * element_at(image, high.x, high.y));
      }
      sum += parts.x + parts.y + parts.z + parts.w;
      float best = max(max(parts.x, parts.y), max(parts.z, parts.w));
      greatest = is_first ? best : max(greatest, best);
      is_first = false;
    }
  return way == mean_of_samples ? sum / float(max(grid.x * grid.y, 1)) : greatest;
}

float round_away(float v) { return v < 0.0 ? ceil(v - 0.5) : floor(v + 0.5); }

// Of the elements of a bin; 0 where it has none.
float greatest_in(int image, vec4 region, ivec2 bin) {
  ivec2 begin = ivec2(round_away(region.y), round_away(region.x));
  ivec2 end = ivec2(round_away(region.w), round_away(region.z));
  vec2 size = vec2(max(end - begin + 1, ivec2(1))) / vec2(bin_rows, bin_columns);
  ivec2 limit = ivec2(height, width);
  ivec2 first = clamp(begin + ivec2(floor(vec2(bin) * size)), ivec2(0), limit);
  ivec2 last = clamp(begin + ivec2(ceil(vec2(bin + 1) * size)), ivec2(0), limit);
  bool found = false;
  float greatest = 0.0;
  for (int row = first.x; row < last.x; ++row)
    for (int column = first.y; column < last.y; ++column) {
      float element = element_at(image, row, column);
      if (!found || element > greatest) greatest = element;
      found = true;
    }
  return greatest;
}

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    ivec2 bin = ivec2(i / bin_columns % bin_rows, i % bin_columns);
    uint channel = i / bin_columns / bin_rows % channel_count;
    uint roi = i / bin_columns / bin_rows / channel_count;
    int at = rois_offset + int(roi) * (way == greatest_whole ? 5 : 4);
    int batch;
    if (way == greatest_whole) {
      batch = int(LOAD(rois[at++]));
    } else {
      uvec2 index = batch_indices[batch_offset + int(roi)];
      batch = heed_index(index.x, index.y);
    }
    if (batch < 0 || batch >= batch_count) tell_error(roi);
    int image = x_offset + clamp(batch, 0, batch_count - 1) * x_strides[0] + int(channel) * x_strides[1];
    vec4 region = vec4(LOAD(rois[at]), LOAD(rois[at + 1]), LOAD(rois[at + 2]), LOAD(rois[at + 3])) * spatial_scale;
    float result;
    if (way == greatest_whole) {
      result = greatest_in(image, region, bin);
    } else {
      region -= shift;
      vec2 size = region.wz - region.yx;
      if (shift == 0.0) size = max(size, vec2(1.0));  // no half pixels: as Caffe2
      size /= vec2(bin_rows, bin_columns);
      bool is_right = may_be_sampled(grid_of(size));
      if (!is_right) tell_error(roi);
      result = is_right ? sampled(image, region.yx + vec2(bin) * size, size) : 0.0;
    }
    y[y_offset + int(i)] = STORE(result);
  }
}
