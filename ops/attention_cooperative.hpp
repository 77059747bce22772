// heed.Attention of f16 in tiles where subgroups multiply small matrices as a whole: shaders/attention_cooperative.comp.
#pragma once

#include "cooperative.hpp"

namespace heed::ops {

struct CooperativeAttention {
  CooperativeProduct product;
  uint32_t key_steps, value_blocks;  // of products, along the channels of a key and of a value

  int64_t rows() const { return int64_t{product.subgroups} * product.m; }  // of a tile
  Variant variant() const;
};

// For keys and values of so many channels; none where the type, the device or the sizes do not serve.
std::optional<CooperativeAttention> cooperative_attention(const Planning& node, int64_t channels, int64_t value_channels);
std::optional<CooperativeAttention> cooperative_attention(const Binding& node, int64_t channels, int64_t value_channels);

}  // namespace heed::ops
