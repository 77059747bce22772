#version 450
// attention_append.comp: present = past with the new keys (or values) behind it, for both at once; [batch, head,
// sequence, channel] f32, each side strided. Where present lies where past lies, the new ones alone are written.

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Keys { float keys[]; };
layout(set = 0, binding = 1, std430) readonly buffer Values { float values[]; };
layout(set = 0, binding = 2, std430) readonly buffer PastKeys { float past_keys[]; };
layout(set = 0, binding = 3, std430) readonly buffer PastValues { float past_values[]; };
layout(set = 0, binding = 4, std430) writeonly buffer PresentKeys { float present_keys[]; };
layout(set = 0, binding = 5, std430) writeonly buffer PresentValues { float present_values[]; };

struct Layout {
  int offset, batch, head, sequence, channel;
};
layout(set = 0, binding = 6, std430) readonly buffer Parameters {
  uint batch_count, head_count;
  uint past_count, key_count;  // keys of the past, and all of them
  uint first_key;              // the past_count where present lies where past lies, else 0
  uint channel_count, value_channel_count;
  Layout key_layout, value_layout, past_key_layout, past_value_layout, present_key_layout, present_value_layout;
};

int at(Layout l, uint batch, uint head, uint sequence, uint channel) {
  return l.offset + int(batch) * l.batch + int(head) * l.head + int(sequence) * l.sequence + int(channel) * l.channel;
}

void main() {
  uint written_count = key_count - first_key;  // keys of each head
  uint row_count = batch_count * head_count * written_count;
  uint both = channel_count + value_channel_count;
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint index = gl_GlobalInvocationID.x; index < row_count * both; index += step_size) {
    uint channel = index % both;
    uint row = index / both;
    uint key = first_key + row % written_count;
    uint head = row / written_count % head_count;
    uint batch = row / written_count / head_count;
    if (channel < channel_count) {
      present_keys[at(present_key_layout, batch, head, key, channel)] =
          key < past_count ? past_keys[at(past_key_layout, batch, head, key, channel)]
                           : keys[at(key_layout, batch, head, key - past_count, channel)];
    } else {
      channel -= channel_count;
      present_values[at(present_value_layout, batch, head, key, channel)] =
          key < past_count ? past_values[at(past_value_layout, batch, head, key, channel)]
                           : values[at(value_layout, batch, head, key - past_count, channel)];
    }
  }
}
