// conv_winograd.glsl: what the kernels of Winograd's F(4x4, 3x3) share, for windows of 3 x 3 side by side: an output tile of
// 4 x 4 is A^T ((G g G^T) * (B^T d B)) A of the 6 x 6 elements d under it, with the points 0, +-1/sqrt(2), +-sqrt(2) and
// infinity (Lavin and Gray, arXiv:1509.09308). The 36 positions of the tiles are multiplied one by one.
#include "conv_products.glsl"

const uint tile_size = 4;
const float root = 1.41421356237309505, half_root = 0.70710678118654752;

// Where a tile of this part stands: its image, and the first of its rows and columns.
uvec3 place_of_tile(uint tile) {
  uvec2 tiles = (uvec2(out_sizes[1], out_sizes[2]) + tile_size - 1) / tile_size;
  uint at = first_tile + tile, of_image = tiles.x * tiles.y;
  return uvec3(at / of_image, at % of_image / tiles.y * tile_size, at % tiles.y * tile_size);
}
