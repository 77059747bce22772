// conv_winograd.glsl: what the kernels of Winograd's F(4x4, 3x3) share, for windows of 3 x 3 side by side: an output tile of
// 4 x 4 is A^T ((G g G^T) * (B^T d B)) A of the 6 x 6 elements d under it, with the points 0, +-1/sqrt(2), +-sqrt(2) and
// infinity (Lavin and Gray, arXiv:1509.09308). Between the transforms stand 36 matrix products, one a position. Tiles of all
// images stand one after the other; a launch takes them in parts that scratch has room for.
const uint tile_size = 4, patch_size = 6, position_count = 36;
const float root = 1.41421356237309505, half_root = 0.70710678118654752;

// Scratch: [position, channel, tile] of the data, then [position, output, tile] of the products.
#define CONV_PARAMETERS                                                      \
  uint first_tile, tile_count;  /* of this part */                           \
  uint tile_pitch, sums_offset; /* tiles of a row in scratch; in elements */
#define PARAMETERS_BINDING 6
#include "conv.glsl"

layout(set = 0, binding = 5, std430) buffer Transformed { float transformed[]; };

uvec2 tiles_of_image() { return (uvec2(out_sizes[1], out_sizes[2]) + tile_size - 1) / tile_size; }

// Where a tile of this part stands: its image, and the first of its rows and columns.
uvec3 place_of_tile(uint tile) {
  uvec2 tiles = tiles_of_image();
  uint at = first_tile + tile, of_image = tiles.x * tiles.y;
  return uvec3(at / of_image, at % of_image / tiles.y * tile_size, at % tiles.y * tile_size);
}
