// Which of the devices that are here a selector means.
#pragma once

#include <span>
#include <string_view>

#include "heed/result.hpp"
#include "vulkan/device.hpp"

namespace heed::vulkan {

// selector: as Device::open takes it. The result is one of `devices`, and usable.
Result<const DeviceInfo*> choose_device(std::span<const DeviceInfo> devices, std::string_view selector);

}  // namespace heed::vulkan
