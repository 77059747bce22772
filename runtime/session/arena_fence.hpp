// Under AddressSanitizer a step that reads or writes of an arena what is not its own is reported: an arena is one piece
// of memory to it otherwise, and what lies behind a tensor is another one's.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define HEED_FENCES_ARENAS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEED_FENCES_ARENAS 1
#endif
#endif
#ifdef HEED_FENCES_ARENAS
#include <sanitizer/asan_interface.h>
#endif

namespace heed {

#ifdef HEED_FENCES_ARENAS
inline constexpr bool fences_arenas = true;
inline void close_memory(const void* data, size_t size_bytes) { __asan_poison_memory_region(data, size_bytes); }
inline void open_memory(const void* data, size_t size_bytes) { __asan_unpoison_memory_region(data, size_bytes); }
#else
inline constexpr bool fences_arenas = false;
inline void close_memory(const void*, size_t) {}
inline void open_memory(const void*, size_t) {}
#endif

}  // namespace heed
