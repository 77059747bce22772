// quotient.glsl: the correctly rounded division of f32.

// What a * b is too large by, where no part of it leaves the range of floats (Dekker 1971).
float product_error(float a, float b, float product) {
  precise float a_scaled = a * 4097.0, b_scaled = b * 4097.0;
  precise float a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
  precise float a_low = a - a_high, b_low = b - b_high;
  precise float error = a_high * b_high - product;
  error = error + a_high * b_low;
  error = error + a_low * b_high;
  error = error + a_low * b_low;
  return error;
}

// a / b to the nearest float, of which Vulkan asks only to 2.5 ulp: the quotient, and what is left over divided again.
float quotient(float a, float b) {
  precise float first = a / b;
  float size = abs(first);
  if (!(size < 1e8) || size < 1e-8 || abs(b) > 1e25 || abs(b) < 1e-25) return first;
  precise float product = first * b;
  precise float left = (a - product) - product_error(first, b, product);
  precise float better = first + left / b;
  return better;
}
