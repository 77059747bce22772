// moved.glsl: ELEMENT, a type as large as the elements in the buffers of a shader that moves them whatever they are,
// compiled once for each size (BYTES: 1, 2, 4, 8), and HELD, the type in which an element is held in between.

#if BYTES == 1
#extension GL_EXT_shader_8bit_storage : require
#define ELEMENT uint8_t
#elif BYTES == 2
#extension GL_EXT_shader_16bit_storage : require
#define ELEMENT uint16_t
#elif BYTES == 4
#define ELEMENT uint
#else
#define ELEMENT uvec2
#endif

#if BYTES == 8
#define HELD uvec2
#else
#define HELD uint
#endif
