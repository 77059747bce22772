// attention_attend.glsl: what the two shaders share that compute y, attention_rows.comp and attention_tile.comp: blocks of
// rows, where their keys and values come from, and the new ones put behind the past.
#ifndef PARAMETERS_BINDING
#define PARAMETERS_BINDING 14
#endif
#include "attention.glsl"

layout(set = 0, binding = 9, std430) readonly buffer Values { STORED values[]; };
layout(set = 0, binding = 10, std430) readonly buffer PastValues { STORED past_values[]; };
layout(set = 0, binding = 11, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 12, std430) writeonly buffer PresentKeys { STORED present_keys[]; };
layout(set = 0, binding = 13, std430) writeonly buffer PresentValues { STORED present_values[]; };

// ---- blocks of rows -------------------------------------------------------------------------------------------------------

// What a workgroup computes at a time: rows that share a head of keys, against one split of the keys that they see. The
// rows of a key head are its queries' heads: query 0 of each head of the group, query 1 of each, and so on.
struct Block {
  uint batch, key_head, split;
  uint first_row, row_count;
  ivec2 key_range;
};

uint rows_of_key_head() { return query_count * heads_per_key_head; }
uint blocks_of_key_head(uint block_rows) { return (rows_of_key_head() + block_rows - 1) / block_rows; }
uint block_count(uint block_rows) {
  return batch_count * key_head_count * split_count * blocks_of_key_head(block_rows);
}

uint query_of(Block block, uint row) { return (block.first_row + row) / heads_per_key_head; }
uint head_of(Block block, uint row) {
  return block.key_head * heads_per_key_head + (block.first_row + row) % heads_per_key_head;
}
uint number_of(Block block, uint row) { return row_number(block.batch, head_of(block, row), query_of(block, row)); }

// Splits are multiples of key_step keys.
Block block_at(uint index, uint block_rows, int key_step) {
  Block block;
  uint blocks = blocks_of_key_head(block_rows);
  block.first_row = index % blocks * block_rows;
  block.row_count = min(block_rows, rows_of_key_head() - block.first_row);
  index /= blocks;
  block.split = index % split_count;
  index /= split_count;
  block.key_head = index % key_head_count;
  block.batch = index / key_head_count;
  past_count = past_count_of(block.batch);

  int begin = seen_keys(block.batch, query_of(block, 0)).x;
  int end = seen_keys(block.batch, query_of(block, block.row_count - 1)).y;
  int steps = (max(end - begin, 0) + key_step - 1) / key_step;
  int split_size = (steps + int(split_count) - 1) / int(split_count) * key_step;
  begin += int(block.split) * split_size;
  block.key_range = ivec2(begin, min(end, begin + split_size));
  return block;
}

// Writes down what a split has found of a row, for attention_merge.comp; or keeps what the weights are made of. By what
// the sums of values are to be multiplied before they are written.
float finish_row(Block block, uint row, float greatest, float total) {
  uint number = number_of(block, row);
  if (split_count > 1) {
    uint found = found_at(number, block.split);
    scratch[found] = greatest;
    scratch[found + 1] = total;
    return 1.0;
  }
  float factor = normalize(greatest, total, head_of(block, row));
  keep_softmax(number, greatest, total);
  return factor;
}

void write_channel(Block block, uint row, uint channel, float sum) {
  if (channel >= value_channel_count) return;
  if (split_count > 1)
    scratch[found_at(number_of(block, row), block.split) + 2 + channel] = sum;
  else
    y[at(y_layout, block.batch, head_of(block, row), query_of(block, row)) + int(channel) * y_layout.channel] =
        STORE(sum);
}

// ---- rotary embedding -----------------------------------------------------------------------------------------------------

#ifdef COS_BINDING
layout(constant_id = 5) const bool turns = false;  // queries and new keys by their place; else they are turned already
ROTARY_FUNCTIONS
// Of queries or new keys: channel `channel` of what stands at `place` of its sequence, as the cache has room for it.
#define IN_PLACE(name, numbers, own_layout)                                                               \
  float name(uint batch, uint head, uint place, uint channel) {                                           \
    int from = at(own_layout, batch, head, place);                                                        \
    if (!turns || channel >= 2u * pair_count) return LOAD(numbers[from + int(channel) * own_layout.channel]); \
    uint pair = pair_step == 2u ? channel / 2u : channel % pair_count;                                    \
    int first = from + int(pair * pair_step) * own_layout.channel;                                        \
    vec2 both = turned(LOAD(numbers[first]), LOAD(numbers[first + int(pair_distance) * own_layout.channel]), \
                       batch, angle_of(batch, place, batch), pair);                                       \
    return LOAD(STORE(channel == pair * pair_step ? both.x : both.y));                                    \
  }
#else
#define IN_PLACE(name, numbers, own_layout)                                                               \
  float name(uint batch, uint head, uint place, uint channel) {                                           \
    return LOAD(numbers[at(own_layout, batch, head, place) + int(channel) * own_layout.channel]);         \
  }
#endif
IN_PLACE(query_number, queries, query_layout)
IN_PLACE(new_key, keys, key_layout)

// ---- keys and values ------------------------------------------------------------------------------------------------------

// Number `channel` of `key` of a `block`, which is of the past or a new one.
#define PAST_KEY                                                                \
  LOAD(past_keys[at(past_key_layout, block.batch, block.key_head, uint(key)) +  \
                 int(channel) * past_key_layout.channel])
#define NEW_KEY new_key(block.batch, block.key_head, uint(key - past_count), channel)
#define PAST_VALUE                                                                  \
  LOAD(past_values[at(past_value_layout, block.batch, block.key_head, uint(key)) +  \
                   int(channel) * past_value_layout.channel])
#define NEW_VALUE                                                                       \
  LOAD(values[at(value_layout, block.batch, block.key_head, uint(key - past_count)) +   \
              int(channel) * value_layout.channel])

// Writes present = past with the new ones behind it, and zeros behind those where there is room: all threads of the
// dispatch share in it. Where present lies where past lies, the new ones alone are written, which nobody reads here.
#define APPEND(count, appended, presents, present_layout, pasts, past_layout, fresh)                          \
  {                                                                                                           \
    uint written = uint(appended), heads = batch_count * key_head_count;                                      \
    for (uint i = gl_GlobalInvocationID.x; i < heads * written * count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) { \
      uint channel = i % count, row = i / count;                                                              \
      uint head = row / written % key_head_count, batch = row / written / key_head_count;                     \
      int past = past_count_of(batch), key = int(row % written) + (appended == key_count ? 0 : past);         \
      if (key >= key_count) continue;                                                                         \
      presents[at(present_layout, batch, head, uint(key)) + int(channel) * present_layout.channel] =          \
          key >= past && key < past + fresh_count                                                             \
              ? fresh                                                                                         \
          : key < past_room ? pasts[at(past_layout, batch, head, uint(key)) + int(channel) * past_layout.channel] \
                            : STORE(0.0);                                                                     \
    }                                                                                                         \
  }
void append() {
  APPEND(channel_count, appended_keys, present_keys, present_key_layout, past_keys, past_key_layout,
         STORE(new_key(batch, head, uint(key - past), channel)))
  APPEND(value_channel_count, appended_values, present_values, present_value_layout, past_values, past_value_layout,
         values[at(value_layout, batch, head, uint(key - past)) + int(channel) * value_layout.channel])
}
