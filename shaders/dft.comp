#version 450
#extension GL_GOOGLE_include_directive : require
// dft.comp: DFT-20, a pass of mixed radix over all signals, an element that it makes a thread. The arithmetic and its order
// are those of pocketfft, in f32: each pass reads [done, radix, inner] and writes [radix, done, inner].
#include "element.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 2, std430) buffer Scratch { vec2 between[]; };  // two halves of [signal, length]

const uint first_pass = 1;
const uint last_pass = 2;
const uint mirrored = 4;  // bins behind length / 2 are conjugates of those before
const uint real_input = 8;
const uint real_output = 16;
const uint rotates_backwards = 32;

// The tensors walked: x and y, at the first element of each signal.
#define PARAMETERS_BINDING 3
#define MORE_PARAMETERS                                                                        \
  uint length, radix;                                                                          \
  uint done_length, inner_length; /* the product of the radices before, and of those behind */ \
  uint kept_count, given_count;   /* elements of a signal that are written, and that x has */  \
  uint flags;                                                                                  \
  uint split; /* of the roots: see root() */                                                   \
  uint from, to; /* in `between` */                                                            \
  int x_axis_stride, x_part_stride, y_axis_stride, y_part_stride;                              \
  float scale;                                                                                 \
  uint padding;                                                                                \
  vec2 roots[]; /* exp(+- 2 pi i k / length), k below split; behind them each split-th one */
#include "rows.glsl"

bool has(uint flag) { return (flags & flag) != 0; }

vec2 times(vec2 a, vec2 b) {
  precise vec2 product = vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
  return product;
}

vec2 root(uint k) {
  if (k < split) return roots[k];
  vec2 coarse = roots[split - 1 + k / split];
  return k % split == 0 ? coarse : times(coarse, roots[k % split]);
}

vec2 given(int signal, uint i) {
  bool is_mirrored = has(mirrored) && 2 * i > length;
  if (is_mirrored) i = length - i;
  if (i >= given_count) return vec2(0.0);
  int at = signal + int(i) * x_axis_stride;
  float re = LOAD(x[at]);
  float im = has(real_input) || (has(mirrored) && (i == 0 || 2 * i == length)) ? 0.0 : LOAD(x[at + x_part_stride]);
  return vec2(re, is_mirrored ? -im : im);
}

void main() {
  uint count = row_count * kept_count;
  for (uint id = gl_GlobalInvocationID.x; id < count; id += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint signal = id / kept_count, element = id % kept_count;
    ivec4 begin = row_at(signal);
    uint inner = element % inner_length, done = element / inner_length % done_length;
    uint bin = element / inner_length / done_length;

#define TAKEN(m)                                                                    \
  (has(first_pass) ? given(begin.x, inner + inner_length * ((m) + radix * done))    \
                   : between[from + signal * length + inner + inner_length * ((m) + radix * done)])
    precise vec2 sum = TAKEN(0);
    if (radix == 2) {
      precise vec2 other = TAKEN(1);
      sum = bin == 0 ? sum + other : sum - other;
    } else if (radix == 4) {
      precise vec2 a = sum, b = TAKEN(1), c = TAKEN(2), d = TAKEN(3);
      if (bin % 2 == 0) {
        precise vec2 even = a + c, odd = b + d;
        sum = bin == 0 ? even + odd : even - odd;
      } else {
        precise vec2 even = a - c, odd = b - d;
        odd = has(rotates_backwards) ? vec2(odd.y, -odd.x) : vec2(-odd.y, odd.x);
        sum = bin == 1 ? even + odd : even - odd;
      }
    } else {
      // sum of x[m] w^(m bin), the pair of m and radix - m together.
      precise vec2 across = vec2(0.0);
      uint power = 0;  // m * bin, modulo radix
      for (uint m = 1; 2 * m < radix; ++m) {
        precise vec2 a = TAKEN(m), b = TAKEN(radix - m);
        precise vec2 plus = a + b, minus = a - b;
        if (bin == 0) {
          sum += plus;
          continue;
        }
        power += bin;
        if (power >= radix) power -= radix;
        vec2 w = root(power * (length / radix));
        precise vec2 along = plus * w.x;
        precise vec2 turned = vec2(-minus.y, minus.x) * w.y;
        sum += along;
        across += turned;
      }
      if (bin != 0) sum += across;
    }
    if (!has(last_pass)) {
      if (inner != 0 && bin != 0) sum = times(sum, root(bin * done_length * inner));
      between[to + signal * length + element] = sum;
      continue;
    }
    if (scale != 1.0) sum *= scale;
    int at = begin.y + int(element) * y_axis_stride;
    y[at] = STORE(sum.x);
    if (has(real_output)) continue;
    if (has(real_input) && (element == 0 || 2 * element == length)) sum.y = 0.0;  // by symmetry
    y[at + y_part_stride] = STORE(sum.y);
  }
}
