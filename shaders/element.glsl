// element.glsl: ELEMENT, the type of the numbers that a kernel is compiled for (f32, or I32 or I64 where defined), with
// its extremes, as exact bits, and what a NaN is.

#if defined(I32)
#define ELEMENT int
const int least_element = -0x7FFFFFFF - 1;
const int greatest_element = 0x7FFFFFFF;
#elif defined(I64)
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define ELEMENT int64_t
const int64_t least_element = -0x7FFFFFFFFFFFFFFFL - 1L;
const int64_t greatest_element = 0x7FFFFFFFFFFFFFFFL;
#else
#define FLOATING
#define ELEMENT float
#define least_element uintBitsToFloat(0xFF800000u)
#define greatest_element uintBitsToFloat(0x7F800000u)
#endif

#ifdef FLOATING
#define IS_NAN(x) isnan(x)
#else
#define IS_NAN(x) false
#endif
