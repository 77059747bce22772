// epilogue.glsl: what products do with their sums, behind a scale and a bias.
#include "math.glsl"

// Kinds of activation. The two of gelu: x * Phi(x), and its approximation by tanh (Hendrycks and Gimpel).
const uint relu = 1, sigmoid = 2, tanh_of = 3, silu = 4, gelu = 5, gelu_tanh = 6;
float activated(uint activation, float x) {
  switch (activation) {
    case relu:
      return x < 0.0 ? 0.0 : x;
    case sigmoid:
      return 1.0 / (1.0 + heed_exp(-x));
    case tanh_of:
      return heed_tanh(x);
    case silu:
      return x / (1.0 + heed_exp(-x));
    case gelu:
      return 0.5 * x * (1.0 + heed_erf(x * 0.70710678118654752));
    case gelu_tanh:
      return 0.5 * x * (1.0 + heed_tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
  }
  return x;
}

// Kinds of residual: what is added, and a gate's other half.
const uint added = 1, factor = 2;
float with_residual(uint kind, float x, float residual) { return kind == factor ? x * residual : x + residual; }
