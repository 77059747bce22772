#version 450
#extension GL_GOOGLE_include_directive : require
// conv.comp: Conv-22 as a matrix product, for each group [output, channel and window] x [channel and window, position], of
// which the right side is never made: a workgroup reads tiles of it into shared memory out of x. Positions of all images
// stand one after the other.
#include "conv.glsl"

layout(constant_id = 0) const uint rows_per_thread = 4;
const uint columns_per_thread = 4;
const uint threads_per_side = 8;
const uint tile_rows = threads_per_side * rows_per_thread;
const uint tile_columns = threads_per_side * columns_per_thread;
const uint tile_inner = 16;
const uint thread_count = threads_per_side * threads_per_side;

layout(local_size_x = 8, local_size_y = 8) in;

shared float w_tile[tile_inner * tile_rows];
shared float x_tile[tile_inner * tile_columns];

void main() {
  uint group = gl_WorkGroupID.z;
  uint first_row = gl_WorkGroupID.y * tile_rows;
  uint row = gl_LocalInvocationID.y * rows_per_thread;        // in the tile
  uint column = gl_LocalInvocationID.x * columns_per_thread;  // in the tile
  uint thread = gl_LocalInvocationIndex;
  uint inner = channel_count * kernel_count();
  const uint rows_apart = thread_count / tile_columns;
  Inner step = inner_at(rows_apart);
  uint columns = batch_count * out_count();

  for (uint first_column = gl_WorkGroupID.x * tile_columns; first_column < columns;
       first_column += gl_NumWorkGroups.x * tile_columns) {
    // Each thread reads one column of the tiles of x, of which every rows_apart-th row.
    uint read_column = thread % tile_columns;
    uint position = first_column + read_column;
    bool has_column = position < columns;
    ivec3 window = window_of(position % out_count());
    int image = image_at(position / out_count(), group * channel_count);
    Inner read = inner_at(thread / tile_columns);

    float sums[rows_per_thread * columns_per_thread];
    for (uint i = 0; i < rows_per_thread * columns_per_thread; ++i) sums[i] = 0.0;

    for (uint first_inner = 0; first_inner < inner; first_inner += tile_inner) {
      for (uint i = thread; i < tile_rows * tile_inner; i += thread_count) {
        uint k = first_inner + i % tile_inner;
        uint r = first_row + i / tile_inner;
        float weight = 0.0;
        if (r < output_count && k < inner) weight = LOAD(w[w_offset + int((group * output_count + r) * inner + k)]);
        w_tile[i % tile_inner * tile_rows + i / tile_inner] = weight;
      }
      for (uint k = thread / tile_columns; k < tile_inner; k += rows_apart) {
        ivec3 place = place_in(window, read.element);
        float element = 0.0;
        if (has_column && read.channel < channel_count && is_inside(place))
          element = LOAD(x[element_of(image + int(read.channel) * x_channel_stride, place)]);
        x_tile[k * tile_columns + read_column] = element;
        advance(read, step);
      }
      barrier();
      uint depth = min(tile_inner, inner - first_inner);
      for (uint k = 0; k < depth; ++k)
        for (uint r = 0; r < rows_per_thread; ++r) {
          float weight = w_tile[k * tile_rows + row + r];
          for (uint s = 0; s < columns_per_thread; ++s)
            sums[r * columns_per_thread + s] += weight * x_tile[k * tile_columns + column + s];
        }
      barrier();
    }

    for (uint r = 0; r < rows_per_thread; ++r)
      for (uint s = 0; s < columns_per_thread; ++s) {
        uint m = first_row + row + r;
        uint n = first_column + column + s;
        if (m < output_count && n < columns)
          store(n / out_count(), group * output_count + m, n % out_count(), sums[r * columns_per_thread + s]);
      }
  }
}
