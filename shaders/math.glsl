// math.glsl: functions that Vulkan leaves loose (exp may be off by 3 + 2|x| ulp) or lacks, to about 2 ulp of f32. Included
// by shaders, and put before the text of shaders that are written at run time.

const uint negative_infinity_bits = 0xFF800000u;

// 2^n for n in [-252, 254]: in two factors, since a float's exponent holds only half of that.
float heed_scale(float x, int n) {
  int half_n = n / 2;
  return x * intBitsToFloat((half_n + 127) << 23) * intBitsToFloat((n - half_n + 127) << 23);
}

// e^x, by x = n ln 2 + r and a polynomial in r (Cephes, expf). 0 below -104, infinity above 88.73.
float heed_exp(float x) {
  if (isnan(x)) return x;
  precise float bounded = clamp(x, -104.0, 89.0);
  float n = floor(bounded * 1.44269504088896341 + 0.5);
  precise float high = bounded - n * 0.693359375;
  precise float r = high + n * 2.12194440e-4;
  float p = 1.9875691500e-4;
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  return heed_scale(p * r * r + r + 1.0, int(n));
}

// The natural logarithm (Cephes, logf): x = m 2^e, m in [sqrt(1/2), sqrt(2)). -infinity at 0, NaN below.
float heed_log(float x) {
  if (!(x > 0.0)) return uintBitsToFloat(x == 0.0 ? negative_infinity_bits : 0x7FC00000u);
  if (isinf(x)) return x;
  bool is_tiny = x < 1.17549435e-38;
  int shifted = floatBitsToInt(is_tiny ? x * 16777216.0 : x) - 0x3F3504F3;
  float e = float(shifted >> 23) - (is_tiny ? 24.0 : 0.0);
  float r = intBitsToFloat((shifted & 0x007FFFFF) + 0x3F3504F3) - 1.0;
  float z = r * r;
  float p = 7.0376836292e-2;
  p = p * r - 1.1514610310e-1;
  p = p * r + 1.1676998740e-1;
  p = p * r - 1.2420140846e-1;
  p = p * r + 1.4249322787e-1;
  p = p * r - 1.6668057665e-1;
  p = p * r + 2.0000714765e-1;
  p = p * r - 2.4999993993e-1;
  p = p * r + 3.3333331174e-1;
  float y = p * r * z - 2.12194440e-4 * e - 0.5 * z;
  return r + y + 0.693359375 * e;
}

// The hyperbolic tangent (Cephes, tanhf).
float heed_tanh(float x) {
  float size = abs(x);
  if (size >= 0.625) {
    float t = 1.0 - 2.0 / (heed_exp(2.0 * size) + 1.0);
    return x < 0.0 ? -t : t;
  }
  float z = x * x;
  float p = -5.70498872745e-3;
  p = p * z + 2.06390887954e-2;
  p = p * z - 5.37397155531e-2;
  p = p * z + 1.33314422036e-1;
  p = p * z - 3.33332819422e-1;
  return p * z * x + x;
}

// The error function: a polynomial below 1 (Cephes, erff), above it 1 - erfc (Abramowitz and Stegun 7.1.26).
float heed_erf(float x) {
  float size = abs(x);
  if (size < 1.0) {
    float z = x * x;
    float p = 7.853861353153693e-5;
    p = p * z - 8.010193625184903e-4;
    p = p * z + 5.188327685732524e-3;
    p = p * z - 2.685381193529856e-2;
    p = p * z + 1.128358514861418e-1;
    p = p * z - 3.761262582423300e-1;
    p = p * z + 1.128379165726710;
    return p * x;
  }
  float t = 1.0 / (1.0 + 0.3275911 * size);
  float p = 1.061405429;
  p = p * t - 1.453152027;
  p = p * t + 1.421413741;
  p = p * t - 0.284496736;
  p = p * t + 0.254829592;
  float e = 1.0 - p * t * heed_exp(-size * size);
  return x < 0.0 ? -e : e;
}
