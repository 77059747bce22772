// Operators, kernels and rewrites by name, and the plugins that brought them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/plugin.h"
#include "heed/result.hpp"
#include "registry/pattern.hpp"

namespace heed {

struct Node;

// A contract with where it came from. `c` points into the plugin and stays until the registry goes.
struct OperatorEntry {
  const heed_operator* c = nullptr;
  std::string plugin;  // the name of the plugin that brought it
  bool given = false;  // by the user with --plugin

  std::string_view domain() const { return {c->domain.data, c->domain.size}; }
  std::string_view op_type() const { return {c->op_type.data, c->op_type.size}; }
  bool is(heed_operator_flags flag) const { return (c->flags & flag) != 0; }
  bool is_view() const { return (c->flags & (HEED_VIEW_DENSE | HEED_VIEW_STRIDED)) != 0; }
  // A node that no kernel carries out can be written in terms of other operators.
  bool has_body() const { return c->body.size > 0; }
  // The version that a node of this opset of the domain has: the newest of the contract's that is <= opset; null where
  // the contract begins later.
  std::optional<int32_t> version_at(int32_t opset) const;
};

struct CpuKernelEntry {
  const heed_cpu_kernel* c = nullptr;
  std::string plugin;
  bool given = false;  // by the user with --plugin: wins over what is built in
};

struct GpuKernelEntry {
  const heed_gpu_kernel* c = nullptr;
  std::string plugin;
  bool given = false;
};

struct ControlKernelEntry {
  const heed_control_kernel* c = nullptr;
  std::string plugin;
  bool given = false;
};

struct RewriteEntry {
  const heed_rewrite* c = nullptr;
  std::string plugin;
  std::vector<Pattern> patterns;
  bool waits = false;  // until no other one fires: its pattern begins with "at last:"

  std::string name() const { return {c->name.data, c->name.size}; }
};

struct PluginInfo {
  std::string name, version, path;  // path empty: built in
  size_t operators = 0, kernels = 0, rewrites = 0;
};

// Filled before models are loaded, then only read: any number of threads may ask. Plugins stay loaded until it goes,
// which must be after every Model that uses it.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;

  // An entry function that is linked in.
  Result<void> add_built_in(heed_plugin_entry_function entry);
  // A shared library. Fails clearly on a file that is no library, has no heed_plugin_entry, is of another major
  // version, gives null, or brings an operator, kernel or rewrite that is malformed or there already.
  Result<void> load_plugin(const std::filesystem::path& path);

  const OperatorEntry* find_operator(std::string_view domain, std::string_view op_type) const;
  const OperatorEntry* find_role(std::string_view role) const;
  // Those that serve this version, best first: given ones, then by score. A tie of two plugins is an error that names
  // both.
  Result<std::vector<const CpuKernelEntry*>> cpu_kernels(std::string_view domain, std::string_view op_type,
                                                         int32_t version) const;
  Result<std::vector<const GpuKernelEntry*>> gpu_kernels(std::string_view domain, std::string_view op_type,
                                                         int32_t version) const;
  const ControlKernelEntry* control_kernel(std::string_view domain, std::string_view op_type, int32_t version) const;
  std::span<const RewriteEntry> rewrites() const;
  // The patterns whose last node is such a one, (rewrite, pattern), in the order of registration; null: there are none.
  const std::vector<std::pair<size_t, size_t>>* rewrites_ending_in(const std::string& domain,
                                                                   const std::string& op_type) const;
  std::span<const PluginInfo> plugins() const;
  std::vector<const OperatorEntry*> operators() const;  // by domain and name

  // Whether any kernel (cpu, vulkan or control) serves this version: otherwise an operator's body takes its place.
  bool has_kernel(std::string_view domain, std::string_view op_type, int32_t version) const;

 private:
  struct Content;
  // Takes a whole plugin or, where anything in it is wrong, nothing. `path` empty: built in.
  Result<void> add(const heed_plugin* plugin, const std::string& path);
  void keep_library(void* handle);  // closed when the registry goes

  std::unique_ptr<Content> content_;
};

// Whether a plugin's tables are well formed, each by itself: of this ABI, complete, consistent. The error names the
// operator or kernel and what is wrong with it.
Result<void> check_plugin(const heed_plugin* plugin);

// The table that every plugin gets.
const heed_host* host_functions();

// Calls a plugin's function with a fresh error slot: 0 is success; else the Error of its code and text.
// Used as: HEED_TRY(call_plugin([&] { return op.c->infer(&node, op.c->user); })).
template <class Function>
Result<void> call_plugin(Function&& function);

// The calling thread's last text given to host->fail; taken by call_plugin.
std::string take_failure();

// The Error of a code that a plugin's function gave, with the text it gave before.
inline Error failure_of(int32_t code) {
  return {code >= 1 && code <= 8 ? static_cast<Code>(code) : Code::invalid_argument, take_failure()};
}

template <class Function>
Result<void> call_plugin(Function&& function) {
  take_failure();
  if (const int32_t code = function(); code != HEED_OK) return failure_of(code);
  return {};
}

}  // namespace heed
