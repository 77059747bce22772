// Capabilities: what a device can do, as one table. Kernels ask for its entries by name, and callers may take from it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "heed/result.hpp"

namespace heed::vulkan {

struct Capabilities {
  // Features: 1 where the device has it.
  uint64_t cooperative_matrix = 0;  // products of f16 matrices with f32 sums, by whole subgroups
  uint64_t cpu_threads = 0;  // the device is a CPU: threads are lanes of its vectors, and workgroups share no faster memory
  uint64_t float16 = 0;
  uint64_t float64 = 0;
  uint64_t int16 = 0;
  uint64_t int64 = 0;
  uint64_t int8 = 0;
  uint64_t integer_dot = 0;          // dot products of packed 8-bit integers
  uint64_t keeps_inf_nan = 0;        // f32 arithmetic can be told to keep signed zero, infinity and NaN
  uint64_t storage_16bit = 0;        // buffers of 16-bit elements
  uint64_t storage_8bit = 0;         // buffers of 8-bit elements
  uint64_t subgroup_arithmetic = 0;  // subgroupAdd and the like
  uint64_t subgroup_shuffle = 0;
  uint64_t timeline_semaphores = 0;
  uint64_t unified_memory = 0;  // host and device share one memory: buffers are mapped where they lie
  // Limits.
  uint64_t max_allocation_bytes = 0;
  uint64_t max_binding_bytes = 0;
  uint64_t max_bindings = 0;  // buffers of one shader, its parameters among them
  uint64_t max_shared_bytes = 0;
  uint64_t max_workgroup_size = 0;  // invocations
  uint64_t max_workgroups_x = 0;
  uint64_t max_workgroups_y = 0;
  uint64_t max_workgroups_z = 0;
  uint64_t memory_limit_bytes = 0;  // that Heed may take of it: its largest local heap
  uint64_t timestamp_bits = 0;      // of the clock that profiles read; 0: none
  // Facts that nobody can change.
  uint64_t cooperative_m = 0;  // sizes of those products: [m, k] by [k, n]
  uint64_t cooperative_n = 0;
  uint64_t cooperative_k = 0;
  uint64_t subgroup_size = 0;

  auto operator<=>(const Capabilities&) const = default;
};

enum class CapabilityKind : uint8_t { feature, limit, fact };

struct CapabilityEntry {
  std::string_view name;
  uint64_t Capabilities::*value;
  CapabilityKind kind;
};

inline constexpr CapabilityEntry capability_entries[] = {
    {"cooperative_matrix", &Capabilities::cooperative_matrix, CapabilityKind::feature},
    {"cpu_threads", &Capabilities::cpu_threads, CapabilityKind::feature},
    {"float16", &Capabilities::float16, CapabilityKind::feature},
    {"float64", &Capabilities::float64, CapabilityKind::feature},
    {"int16", &Capabilities::int16, CapabilityKind::feature},
    {"int64", &Capabilities::int64, CapabilityKind::feature},
    {"int8", &Capabilities::int8, CapabilityKind::feature},
    {"integer_dot", &Capabilities::integer_dot, CapabilityKind::feature},
    {"keeps_inf_nan", &Capabilities::keeps_inf_nan, CapabilityKind::feature},
    {"storage_16bit", &Capabilities::storage_16bit, CapabilityKind::feature},
    {"storage_8bit", &Capabilities::storage_8bit, CapabilityKind::feature},
    {"subgroup_arithmetic", &Capabilities::subgroup_arithmetic, CapabilityKind::feature},
    {"subgroup_shuffle", &Capabilities::subgroup_shuffle, CapabilityKind::feature},
    {"timeline_semaphores", &Capabilities::timeline_semaphores, CapabilityKind::feature},
    {"unified_memory", &Capabilities::unified_memory, CapabilityKind::feature},
    {"max_allocation_bytes", &Capabilities::max_allocation_bytes, CapabilityKind::limit},
    {"max_binding_bytes", &Capabilities::max_binding_bytes, CapabilityKind::limit},
    {"max_bindings", &Capabilities::max_bindings, CapabilityKind::limit},
    {"max_shared_bytes", &Capabilities::max_shared_bytes, CapabilityKind::limit},
    {"max_workgroup_size", &Capabilities::max_workgroup_size, CapabilityKind::limit},
    {"max_workgroups_x", &Capabilities::max_workgroups_x, CapabilityKind::limit},
    {"max_workgroups_y", &Capabilities::max_workgroups_y, CapabilityKind::limit},
    {"max_workgroups_z", &Capabilities::max_workgroups_z, CapabilityKind::limit},
    {"memory_limit_bytes", &Capabilities::memory_limit_bytes, CapabilityKind::limit},
    {"timestamp_bits", &Capabilities::timestamp_bits, CapabilityKind::limit},
    {"cooperative_m", &Capabilities::cooperative_m, CapabilityKind::fact},
    {"cooperative_n", &Capabilities::cooperative_n, CapabilityKind::fact},
    {"cooperative_k", &Capabilities::cooperative_k, CapabilityKind::fact},
    {"subgroup_size", &Capabilities::subgroup_size, CapabilityKind::fact},
};
static_assert(sizeof(Capabilities) == std::size(capability_entries) * sizeof(uint64_t), "an entry has no name");

// The entry of this name; 0 where there is none.
uint64_t capability(const Capabilities& capabilities, std::string_view name);

// Why Heed cannot use a device that has no more than this; empty where it can.
std::string what_is_missing(const Capabilities& capabilities);

// The value of an option, named without "vulkan.", that is a number.
Result<uint64_t> option_number(std::string_view name, std::string_view value);

// Carries out an option of callers, named without "vulkan.": "mask" takes features away ("int64,float16"), and a
// limit's name lowers it to a number; a device's own lower limit stays. Anything else is an Error that lists what there
// is.
Result<void> restrict_by_option(Capabilities& capabilities, std::string_view name, std::string_view value);

}  // namespace heed::vulkan
