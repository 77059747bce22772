// Which of the devices that are here a selector means.
#include "vulkan/choose_device.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <string>

namespace heed::vulkan {
namespace {

struct TypeName {
  std::string_view name;
  DeviceKind kind;
};
constexpr TypeName type_names[] = {{"discrete", DeviceKind::discrete},
                                   {"integrated", DeviceKind::integrated},
                                   {"virtual", DeviceKind::shared},
                                   {"cpu", DeviceKind::software}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string list_text(std::span<const DeviceInfo> devices) {
  std::string text;
  for (const auto& device : devices) {
    text += "\n  vulkan:" + std::to_string(device.index) + "  " + device.name;
    if (!device.unsuitable.empty()) text += "  (not usable: " + device.unsuitable + ")";
  }
  return text;
}

// The best kind among the usable ones; the first of equals.
Result<const DeviceInfo*> choose_best(std::span<const DeviceInfo> devices, bool software_too) {
  const DeviceInfo* best = nullptr;
  for (const auto& device : devices)
    if (device.unsuitable.empty() && (software_too || device.kind != DeviceKind::software) &&
        (!best || device.kind < best->kind))
      best = &device;
  if (!best)
    return Error{Code::unsupported, std::string("no ") + (software_too ? "Vulkan device" : "GPU") +
                                        " that Heed can use:" + list_text(devices)};
  return best;
}

std::function<bool(const DeviceInfo&)> condition_of(const std::string& selector) {
  int32_t index = -1;
  const char* const end = selector.data() + selector.size();
  if (const auto [rest, failure] = std::from_chars(selector.data(), end, index); failure == std::errc() && rest == end)
    return [index](const DeviceInfo& device) { return device.index == index; };
  for (const auto& [name, kind] : type_names)
    if (selector == name) return [kind = kind](const DeviceInfo& device) { return device.kind == kind; };
  return [&selector](const DeviceInfo& device) { return lower(device.name).find(selector) != std::string::npos; };
}

}  // namespace

Result<const DeviceInfo*> choose_device(std::span<const DeviceInfo> devices, std::string_view selector) {
  if (devices.empty())
    return Error{
        Code::unsupported,
        "no Vulkan here: the drivers list no device (Debian: mesa-vulkan-drivers has one that runs on any CPU)"};
  if (selector == "auto" || selector == "gpu") return choose_best(devices, selector == "auto");

  const std::string wanted = lower(selector);
  const auto fits = condition_of(wanted);
  const DeviceInfo* chosen = nullptr;  // usable before unusable
  for (const auto& device : devices)
    if (fits(device) && (!chosen || (!chosen->unsuitable.empty() && device.unsuitable.empty()))) chosen = &device;
  if (!chosen)
    return Error{Code::invalid_argument,
                 "no Vulkan device '" + std::string(selector) +
                     "': give an index, a type (discrete, integrated, virtual, cpu) or a part of a name of" +
                     list_text(devices)};
  if (!chosen->unsuitable.empty())
    return Error{Code::unsupported, "Heed cannot use " + chosen->name + ": " + chosen->unsuitable};
  return chosen;
}

}  // namespace heed::vulkan
