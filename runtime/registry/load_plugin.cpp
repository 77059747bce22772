// Registry::load_plugin: from the file of a shared library to what it brings.
#include <dlfcn.h>

#include <system_error>

#include "registry/registry.hpp"

namespace heed {
namespace {

constexpr const char* entry_symbol = "heed_plugin_entry";

// Closes a library that is not taken.
struct Handle {
  void* library;
  ~Handle() {
    if (library) dlclose(library);
  }
};

}  // namespace

Result<void> Registry::load_plugin(const std::filesystem::path& path) {
  const auto place = "plugin " + path.string();
  const auto failed = [&](Code code, std::string why) { return Error{code, std::move(why)}.within(place); };
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return failed(Code::io, "there is no such file");
  if (!std::filesystem::is_regular_file(path, error)) return failed(Code::io, "this is no file but a folder or device");
  // An absolute path, or dlopen looks for a bare name elsewhere.
  const auto absolute = std::filesystem::absolute(path, error);
  Handle handle{dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL)};
  if (handle.library == nullptr) {
    const char* why = dlerror();
    return failed(Code::io, "this is no shared library that this machine can load: " +
                                std::string(why ? why : "no reason given"));
  }
  const auto entry = reinterpret_cast<heed_plugin_entry_function>(dlsym(handle.library, entry_symbol));
  if (entry == nullptr) {
    return failed(Code::invalid_argument, "a library, but no Heed plugin: it does not export " +
                                              std::string(entry_symbol) +
                                              " (HEED_PLUGIN(...) in one of its sources makes it)");
  }
  take_failure();
  const heed_plugin* plugin = nullptr;
  try {
    plugin = entry(host_functions());
  } catch (...) {
    return failed(Code::invalid_argument,
                  std::string(entry_symbol) + " threw an exception, which must not leave a plugin");
  }
  if (plugin == nullptr) {
    const std::string why = take_failure();
    return failed(Code::unsupported, why.empty() ? "it failed and does not say why" : "it failed: " + why);
  }
  if (auto added = add(plugin, absolute.string()); !added) return std::move(added).error().within(place);
  keep_library(std::exchange(handle.library, nullptr));
  return {};
}

}  // namespace heed
