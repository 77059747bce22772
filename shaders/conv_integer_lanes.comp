#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_ballot : require
// conv_integer_lanes.comp: convolutions of bytes where threads are lanes of a CPU's vectors: what costs are loads, one by one
// for each lane, and both sides of a condition are gone through. So sums stay in registers; the workgroup is one subgroup,
// whose threads make four positions each of the same rows, that is output channels of a group: of the weights each reads those
// of another row, and all get them from it.
#include "conv_integer_fours.glsl"

layout(constant_id = 3) const uint row_count = 8;
layout(constant_id = 5) const uint lane_count = 8;
layout(local_size_x_id = 5) in;

const uint row_groups = (row_count + lane_count - 1) / lane_count;

void main() {
  uint lane = gl_LocalInvocationIndex, inner = inner_count();
  uint fours = (position_count() + 3u) / 4u, blocks = (fours + lane_count - 1u) / lane_count;
  uint row_blocks = (output_count + row_count - 1u) / row_count;
  uint last_word = (uint(w_offset) + group_count * output_count * inner - 1u) / 4u;
  int x_less = x_zero_of(), y_zero = y_zero_of();
  Inner one = inner_at(1u);
  for (uint index = gl_WorkGroupID.x; index < blocks * row_blocks * group_count; index += gl_NumWorkGroups.x) {
    uint first_row = index / blocks % row_blocks * row_count, group = index / blocks / row_blocks;
    // What is behind the last four or row is made as the last is: four twice, rows to be thrown away.
    Four four = four_at(4u * min(index % blocks * lane_count + lane, fours - 1u), group * channel_count);
    // Weights of the thread's rows: where they begin, and the word that was read ahead.
    uint weights[row_groups], ahead[row_groups];
    [[unroll]] for (uint g = 0u; g < row_groups; ++g) {
      weights[g] = uint(w_offset) + (group * output_count + min(first_row + g * lane_count + lane, output_count - 1u)) * inner;
      ahead[g] = w[weights[g] >> 2];
    }
    ivec4 sums[row_count], x_sums = ivec4(0);
    [[unroll]] for (uint r = 0u; r < row_count; ++r) sums[r] = ivec4(0);
    Inner at = Inner(0u, uvec3(0u));
    for (uint k = 0u; k < inner; k += 4u) {
      uint count = min(4u, inner - k);
      ivec4 bytes[4];
      [[unroll]] for (uint j = 0u; j < 4u; ++j) {
        uint word = 0u;
        if (j < count) word = x_four(four, at);
        [[unroll]] for (int b = 0; b < 4; ++b) bytes[j][b] = j < count ? integer_in(x_type, word, b) - x_less : 0;
        x_sums += bytes[j];
        advance(at, one);
      }
      [[unroll]] for (uint g = 0u; g < row_groups; ++g) {
        uint next = w[min((weights[g] + k) / 4u + 1u, last_word)], bit = weights[g] % 4u * 8u;
        uint of_lane = ahead[g] >> bit | next << 1 << (31u - bit);
        ahead[g] = next;
        [[unroll]] for (uint r = g * lane_count; r < min((g + 1u) * lane_count, row_count); ++r) {
          uint word = subgroupBroadcast(of_lane, r % lane_count);
          [[unroll]] for (int j = 0; j < 4; ++j) sums[r] += bytes[j] * integer_in(w_type, word, j);
        }
      }
    }
    Finish finishes[row_groups];
    int w_less[row_groups];
    [[unroll]] for (uint g = 0u; g < row_groups; ++g) {
      uint output_channel = group * output_count + min(first_row + g * lane_count + lane, output_count - 1u);
      finishes[g] = finish_of(output_channel);
      w_less[g] = w_zero_of(output_channel);
    }
    // One row after the other, since what puts them is long.
    for (uint turn = 0u; turn < min(row_count, output_count - first_row); ++turn) {
      ivec4 of_row;
      Finish finish;
      [[unroll]] for (uint r = 0u; r < row_count; ++r) {
        uint g = r / lane_count, from = r % lane_count;
        int less = subgroupBroadcast(w_less[g], from);
        Finish of_lane = Finish(subgroupBroadcast(finishes[g].bias, from), subgroupBroadcast(finishes[g].ratio, from));
        if (r == turn) of_row = sums[r] - less * x_sums, finish = of_lane;
      }
      put(four.places + (group * output_count + first_row + turn) * out_count(), four.count, of_row, finish, y_zero);
    }
  }
}
