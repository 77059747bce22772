// The registry of all that is built in.
#pragma once

#include <stdexcept>

#include "plugins/built_in.hpp"
#include "registry/registry.hpp"

namespace heed::test {

inline Registry& registry() {
  static Registry* const all = [] {
    auto* made = new Registry;  // outlives every model
    for (const auto entry : built_in_plugins)
      if (auto added = made->add_built_in(entry); !added) throw std::runtime_error(added.error().message);
    return made;
  }();
  return *all;
}

}  // namespace heed::test
