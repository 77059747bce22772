#version 450
#extension GL_GOOGLE_include_directive : require
// recurrence.comp: heed.Recurrence, all steps of a recurrent layer in one dispatch; ops/heed_recurrence.cpp states it.
// A workgroup takes a direction of a batch, its threads the numbers of the state. All is dense.
#include "element.glsl"
#include "math.glsl"

layout(constant_id = 0) const uint cell = 0;
const uint rnn = 0;
const uint gru = 1;
const uint lstm = 2;
// What a cell applies, as Function says it, where that is the same in both directions.
layout(constant_id = 1) const uint first_activation = 0;
layout(constant_id = 2) const uint second_activation = 0;
layout(constant_id = 3) const uint third_activation = 0;
const uint varies = 255;

const uint thread_count = 128;
layout(local_size_x = thread_count) in;
const uint most_hidden = 1024;

layout(set = 0, binding = 0, std430) readonly buffer Gates { STORED gates[]; };  // [step, batch, direction, gate, unit]
layout(set = 0, binding = 1, std430) readonly buffer Recurrent { STORED recurrent[]; };  // [direction, k, gate, hidden]
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };  // [direction, gate, hidden]
layout(set = 0, binding = 3, std430) readonly buffer Lengths { int lengths[]; };  // [batch]
layout(set = 0, binding = 4, std430) readonly buffer InitialH { STORED initial_h[]; };  // [direction, batch, hidden]
layout(set = 0, binding = 5, std430) readonly buffer InitialC { STORED initial_c[]; };
layout(set = 0, binding = 6, std430) readonly buffer Peepholes { STORED peepholes[]; };  // [direction, i o f, hidden]
layout(set = 0, binding = 7, std430) writeonly buffer Output { STORED y[]; };  // [step, direction, batch, hidden]
layout(set = 0, binding = 8, std430) writeonly buffer LastH { STORED y_h[]; };
layout(set = 0, binding = 9, std430) writeonly buffer LastC { STORED y_c[]; };

struct Function {
  uint activation;
  float alpha, beta;
};
layout(set = 0, binding = 10, std430) readonly buffer Parameters {
  uint step_count, direction_count, batch_count, hidden_count, last_is_reverse;
  uint has_bias, has_lengths, has_h, has_c, has_peepholes;
  uint has_y, has_y_h, has_y_c;
  uint linear_before_reset, input_forget;
  float clip;  // infinity: none
  int gates_offset, recurrent_offset, bias_offset, lengths_offset, h_offset, c_offset, peepholes_offset;
  int y_offset, y_h_offset, y_c_offset;
  Function functions[6];
};

shared float h[most_hidden];      // of the step before
shared float reset[most_hidden];  // of a GRU: r * h

uint direction, batch;

float applied(uint which, float x) {
  Function f = functions[direction * (cell == rnn ? 1 : cell == gru ? 2 : 3) + which];
  x = clamp(x, -clip, clip);
  uint activation = which == 0 ? first_activation : which == 1 ? second_activation : third_activation;
  switch (activation == varies ? f.activation : activation) {
    case 0: return max(x, 0.0);
    case 1: return heed_tanh(x);
    case 2: return 1.0 / (1.0 + heed_exp(-x));
    case 3: return f.alpha * x + f.beta;
    case 4: return x < 0.0 ? f.alpha * x : x;
    case 5: return x > f.alpha ? x : 0.0;
    case 6: return f.alpha * heed_tanh(f.beta * x);
    case 7: return clamp(f.alpha * x + f.beta, 0.0, 1.0);
    case 8: return x < 0.0 ? f.alpha * (heed_exp(x) - 1.0) : x;
    case 9: return x / (1.0 + abs(x));
    default: return max(x, 0.0) + heed_log(1.0 + heed_exp(-abs(x)));
  }
}

uint gate_count() { return cell == rnn ? 1 : cell == gru ? 3 : 4; }

float gate_of(uint step_index, uint gate, uint unit) {
  uint row = (step_index * batch_count + batch) * direction_count + direction;
  return LOAD(gates[gates_offset + int((row * gate_count() + gate) * hidden_count + unit)]);
}
float bias_of(uint gate, uint unit) {
  return has_bias != 0 ? LOAD(bias[bias_offset + int((direction * gate_count() + gate) * hidden_count + unit)]) : 0.0;
}
float peephole_of(uint gate, uint unit) {
  uint row = direction * 3 + gate;
  return has_peepholes != 0 ? LOAD(peepholes[peepholes_offset + int(row * hidden_count + unit)]) : 0.0;
}
float weight_of(uint k, uint gate, uint unit) {
  uint row = (direction * hidden_count + k) * gate_count() + gate;
  return LOAD(recurrent[recurrent_offset + int(row * hidden_count + unit)]);
}
// Of the state, and the bias with it.
float product_of(uint gate, uint unit) {
  float sum = bias_of(gate, unit);
  for (uint k = 0; k < hidden_count; ++k) sum += weight_of(k, gate, unit) * h[k];
  return sum;
}
float product_of_reset(uint gate, uint unit) {
  float sum = bias_of(gate, unit);
  for (uint k = 0; k < hidden_count; ++k) sum += weight_of(k, gate, unit) * reset[k];
  return sum;
}

const uint units_of_thread = most_hidden / thread_count;

void run_direction() {
  uint length = has_lengths != 0 ? min(uint(max(lengths[lengths_offset + int(batch)], 0)), step_count) : step_count;
  bool reverse = direction == 1 || last_is_reverse != 0 && direction_count == 1;
  int state = int((direction * batch_count + batch) * hidden_count);
  float c[units_of_thread], next[units_of_thread], update[units_of_thread];

  barrier();  // the direction before this one is done
  for (uint n = 0; n < units_of_thread; ++n) {
    uint unit = n * thread_count + gl_LocalInvocationIndex;
    c[n] = 0.0;
    if (unit >= hidden_count) continue;
    h[unit] = has_h != 0 ? LOAD(initial_h[h_offset + state + int(unit)]) : 0.0;
    if (has_c != 0) c[n] = LOAD(initial_c[c_offset + state + int(unit)]);
  }
  for (uint t = 0; t < step_count; ++t) {
    uint at = t < length && reverse ? length - 1 - t : t;
    if (t < length) {
      barrier();
      if (cell == gru) {
        for (uint n = 0; n < units_of_thread; ++n) {
          uint unit = n * thread_count + gl_LocalInvocationIndex;
          if (unit >= hidden_count) continue;
          update[n] = applied(0, gate_of(at, 0, unit) + product_of(0, unit));
          float r = applied(0, gate_of(at, 1, unit) + product_of(1, unit));
          if (linear_before_reset != 0)
            next[n] = applied(1, gate_of(at, 2, unit) + r * product_of(2, unit));
          else
            reset[unit] = r * h[unit];
        }
        barrier();
      }
      for (uint n = 0; n < units_of_thread; ++n) {
        uint unit = n * thread_count + gl_LocalInvocationIndex;
        if (unit >= hidden_count) continue;
        if (cell == rnn) {
          next[n] = applied(0, gate_of(at, 0, unit) + product_of(0, unit));
        } else if (cell == gru) {
          if (linear_before_reset == 0) next[n] = applied(1, gate_of(at, 2, unit) + product_of_reset(2, unit));
          next[n] = (1.0 - update[n]) * next[n] + update[n] * h[unit];
        } else {
          float i = applied(0, gate_of(at, 0, unit) + product_of(0, unit) + peephole_of(0, unit) * c[n]);
          float f = input_forget != 0
                        ? 1.0 - i
                        : applied(0, gate_of(at, 2, unit) + product_of(2, unit) + peephole_of(2, unit) * c[n]);
          c[n] = f * c[n] + i * applied(1, gate_of(at, 3, unit) + product_of(3, unit));
          float o = applied(0, gate_of(at, 1, unit) + product_of(1, unit) + peephole_of(1, unit) * c[n]);
          next[n] = o * applied(2, c[n]);
        }
      }
      barrier();
    }
    for (uint n = 0; n < units_of_thread; ++n) {
      uint unit = n * thread_count + gl_LocalInvocationIndex;
      if (unit >= hidden_count) continue;
      if (t < length) h[unit] = next[n];
      if (has_y != 0)
        y[y_offset + int(((at * direction_count + direction) * batch_count + batch) * hidden_count + unit)] =
            STORE(t < length ? next[n] : 0.0);
    }
  }
  for (uint n = 0; n < units_of_thread; ++n) {
    uint unit = n * thread_count + gl_LocalInvocationIndex;
    if (unit >= hidden_count) continue;
    if (has_y_h != 0) y_h[y_h_offset + state + int(unit)] = STORE(h[unit]);
    if (has_y_c != 0) y_c[y_c_offset + state + int(unit)] = STORE(c[n]);
  }
}

void main() {
  for (uint i = gl_WorkGroupID.x; i < direction_count * batch_count; i += gl_NumWorkGroups.x) {
    direction = i / batch_count;
    batch = i % batch_count;
    run_direction();
  }
}
