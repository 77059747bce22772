// Reading the table of capabilities by name, and taking from it.
#include "vulkan/capabilities.hpp"

#include <algorithm>
#include <charconv>

namespace heed::vulkan {
namespace {

const CapabilityEntry* find(std::string_view name) {
  const auto entry = std::find_if(std::begin(capability_entries), std::end(capability_entries),
                                  [&](const auto& candidate) { return candidate.name == name; });
  return entry == std::end(capability_entries) ? nullptr : entry;
}

std::string names_of(CapabilityKind kind, std::string_view prefix) {
  std::string text;
  for (const auto& entry : capability_entries) {
    if (entry.kind != kind) continue;
    if (!text.empty()) text += ", ";
    text.append(prefix).append(entry.name);
  }
  return text;
}

Result<void> mask(Capabilities& capabilities, std::string_view names) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    const auto* entry = find(name);
    if (!entry || entry->kind != CapabilityKind::feature)
      return Error{Code::invalid_argument, "vulkan.mask: no feature '" + std::string(name) + "'; there are " +
                                               names_of(CapabilityKind::feature, "")};
    capabilities.*entry->value = 0;
  }
  return {};
}

}  // namespace

uint64_t capability(const Capabilities& capabilities, std::string_view name) {
  const auto* entry = find(name);
  return entry ? capabilities.*entry->value : 0;
}

std::string what_is_missing(const Capabilities& capabilities) {
  return capabilities.timeline_semaphores ? "" : "it lacks timeline semaphores";
}

Result<uint64_t> option_number(std::string_view name, std::string_view value) {
  uint64_t number = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure == std::errc() && end == value.data() + value.size()) return number;
  const std::string option = "vulkan." + std::string(name);
  return Error{Code::invalid_argument,
               option + "=" + std::string(value) + ": expected a number, such as " + option + "=16384"};
}

Result<void> restrict_by_option(Capabilities& capabilities, std::string_view name, std::string_view value) {
  if (name == "mask") return mask(capabilities, value);
  const auto* entry = find(name);
  if (!entry || entry->kind != CapabilityKind::limit)
    return Error{Code::invalid_argument, "no option 'vulkan." + std::string(name) +
                                             "'; there are vulkan.cache, vulkan.mask, vulkan.timeout_ms, " +
                                             names_of(CapabilityKind::limit, "vulkan.")};
  HEED_ASSIGN(const uint64_t limit, option_number(name, value));
  capabilities.*entry->value = std::min(capabilities.*entry->value, limit);
  return {};
}

}  // namespace heed::vulkan
