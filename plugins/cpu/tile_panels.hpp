// Products on AMX, whose tiles hold 16 rows of 64 bytes. Few rows are left to the vector kernels, whose panels are the same.
// Tiles are set up at the beginning of a call and released at its end.
#pragma once

#include "bf16_panels.hpp"
#include "byte_panels.hpp"

namespace heed::cpu {

// What the instruction ldtilecfg reads.
struct alignas(64) TileShapes {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(TileShapes) == 64);

// The machine must have Isa::amx.
const Bf16PanelKernels& bf16_tile_kernels();
const BytePanelKernels& byte_tile_kernels();

}  // namespace heed::cpu
