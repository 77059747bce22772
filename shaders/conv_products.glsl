// conv_products.glsl: what stands around the matrix products of a convolution that is made by them: kernels that lay the
// data out, [position, channel, tile], and kernels that finish the sums, [position, output, tile]. Without Winograd there is
// one position, each channel stands once for each element of the window, and a tile is a pixel. Tiles of all images stand one
// after the other; a launch takes them in parts that scratch has room for.
#define CONV_PARAMETERS                                                      \
  uint first_tile, tile_count;  /* of this part */                           \
  uint tile_pitch, sums_offset; /* tiles of a row in scratch; in elements */
#define PARAMETERS_BINDING 6
#include "conv.glsl"

layout(set = 0, binding = 5, std430) buffer Scratch { float laid_out[]; };  // the sums behind the data
