// element.glsl: STORED, the type of the numbers in the buffers of a shader that is compiled once for each (f32, or what is
// defined: F16, BF16, F64, I8 to I64, U8 to U64, BOOLEAN), and ELEMENT, the type that it computes with; LOAD and STORE
// lead from one to the other. f16 and bf16 need no arithmetic of their own, nor do small integers: they are 8 or 16 bits
// to the device, and computed with as f32 or in 32 bits.
#include "rounding.glsl"

#if defined(F16) || defined(BF16) || defined(I16) || defined(U16)
#extension GL_EXT_shader_16bit_storage : require
#elif defined(I8) || defined(U8) || defined(BOOLEAN)
#extension GL_EXT_shader_8bit_storage : require
#elif defined(I64) || defined(U64)
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#endif

#if defined(F16)
#define STORED uint16_t
#define LOAD(stored) unpackHalf2x16(uint(stored)).x
#define STORE(element) uint16_t(heed_f16_bits(element))
#elif defined(BF16)
#define STORED uint16_t
#define LOAD(stored) uintBitsToFloat(uint(stored) << 16)
#define STORE(element) uint16_t(heed_bf16_bits(element))
#elif defined(F64)
#define STORED double
#elif defined(I8)
#define STORED int8_t
#elif defined(I16)
#define STORED int16_t
#elif defined(I32)
#define STORED int
#elif defined(I64)
#define STORED int64_t
#elif defined(U8) || defined(BOOLEAN)
#define STORED uint8_t
#elif defined(U16)
#define STORED uint16_t
#elif defined(U32)
#define STORED uint
#elif defined(U64)
#define STORED uint64_t
#else
#define STORED float
#endif

#if defined(I8)
#define ELEMENT int
const int least_element = -0x80;
const int greatest_element = 0x7F;
#elif defined(I16)
#define ELEMENT int
const int least_element = -0x8000;
const int greatest_element = 0x7FFF;
#elif defined(I32)
#define ELEMENT int
const int least_element = -0x7FFFFFFF - 1;
const int greatest_element = 0x7FFFFFFF;
#elif defined(I64)
#define ELEMENT int64_t
const int64_t least_element = -0x7FFFFFFFFFFFFFFFL - 1L;
const int64_t greatest_element = 0x7FFFFFFFFFFFFFFFL;
#elif defined(BOOLEAN)
#define ELEMENT uint
const uint least_element = 0u;
const uint greatest_element = 1u;
#elif defined(U8)
#define ELEMENT uint
const uint least_element = 0u;
const uint greatest_element = 0xFFu;
#elif defined(U16)
#define ELEMENT uint
const uint least_element = 0u;
const uint greatest_element = 0xFFFFu;
#elif defined(U32)
#define ELEMENT uint
const uint least_element = 0u;
const uint greatest_element = 0xFFFFFFFFu;
#elif defined(U64)
#define ELEMENT uint64_t
const uint64_t least_element = 0UL;
const uint64_t greatest_element = 0xFFFFFFFFFFFFFFFFUL;
#else
#define FLOATING
#if defined(F64)
#define ELEMENT double
#else
#define ELEMENT float
#endif
#define least_element ELEMENT(uintBitsToFloat(0xFF800000u))
#define greatest_element ELEMENT(uintBitsToFloat(0x7F800000u))
#endif

#ifndef LOAD
#define LOAD(stored) ELEMENT(stored)
#define STORE(element) STORED(element)
#endif

#ifdef FLOATING
#define IS_NAN(x) isnan(x)
#else
#define IS_NAN(x) false
#endif
