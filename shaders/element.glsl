// element.glsl: STORED, the type of the numbers in the buffers of a shader that is compiled once for each (f32, or what is
// defined: F16, BF16, I32, I64), and ELEMENT, the type that it computes with; LOAD and STORE lead from one to the other.
// f16 and bf16 need no arithmetic of their own: they are 16 bits to the device, and computed with as f32.
#include "rounding.glsl"

#if defined(F16)
#extension GL_EXT_shader_16bit_storage : require
#define STORED uint16_t
#define LOAD(stored) unpackHalf2x16(uint(stored)).x
#define STORE(element) uint16_t(heed_f16_bits(element))
#elif defined(BF16)
#extension GL_EXT_shader_16bit_storage : require
#define STORED uint16_t
#define LOAD(stored) uintBitsToFloat(uint(stored) << 16)
#define STORE(element) uint16_t(heed_bf16_bits(element))
#elif defined(I32)
#define STORED int
#elif defined(I64)
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define STORED int64_t
#else
#define STORED float
#endif

#if defined(I32)
#define ELEMENT int
const int least_element = -0x7FFFFFFF - 1;
const int greatest_element = 0x7FFFFFFF;
#elif defined(I64)
#define ELEMENT int64_t
const int64_t least_element = -0x7FFFFFFFFFFFFFFFL - 1L;
const int64_t greatest_element = 0x7FFFFFFFFFFFFFFFL;
#else
#define FLOATING
#define ELEMENT float
#define least_element uintBitsToFloat(0xFF800000u)
#define greatest_element uintBitsToFloat(0x7F800000u)
#endif

#ifndef LOAD
#define LOAD(stored) (stored)
#define STORE(element) (element)
#endif

#ifdef FLOATING
#define IS_NAN(x) isnan(x)
#else
#define IS_NAN(x) false
#endif
