// Registry: who brings what, and who wins where several bring the same.
#include "registry/registry.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <functional>

#include "base/log.hpp"

namespace heed {
namespace {

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

// "ai.onnx" is written "" in contracts.
std::string_view canonical(std::string_view domain) { return domain == "ai.onnx" ? std::string_view() : domain; }

std::string full_name(std::string_view domain, std::string_view op_type) {
  return (domain.empty() ? "ai.onnx" : std::string(domain)) + "." + std::string(op_type);
}

using Key = std::pair<std::string_view, std::string_view>;  // domain and op_type, as plugins hold them

std::string provider(const std::string& plugin, heed_text kernel) {
  return "plugin '" + plugin + "' (kernel '" + std::string(text_of(kernel)) + "')";
}

bool serves(const auto& kernel, int32_t version) {
  return version >= kernel.since_version && version <= kernel.until_version;
}

template <class Entry>
using Kernels = std::map<Key, std::vector<Entry>>;

template <class Entry>
const std::vector<Entry>* find(const Kernels<Entry>& kernels, std::string_view domain, std::string_view op_type) {
  const auto found = kernels.find(Key{canonical(domain), op_type});
  return found == kernels.end() ? nullptr : &found->second;
}

// Best first. Two plugins with equal claims to the first place leave no choice that would not depend on loading order.
template <class Entry>
Result<std::vector<const Entry*>> best_first(const Kernels<Entry>& kernels, std::string_view domain,
                                             std::string_view op_type, int32_t version, std::string_view target) {
  std::vector<const Entry*> found;
  if (const auto* entries = find(kernels, domain, op_type)) {
    for (const Entry& entry : *entries) {
      if (serves(*entry.c, version)) found.push_back(&entry);
    }
  }
  const auto rank = [](const Entry* entry) { return std::pair(entry->given, entry->c->score); };
  std::stable_sort(found.begin(), found.end(), [&](const Entry* a, const Entry* b) { return rank(a) > rank(b); });
  for (size_t i = 1; i < found.size(); ++i) {
    const Entry &a = *found[i - 1], &b = *found[i];
    if (rank(&a) != rank(&b) || a.plugin == b.plugin) continue;
    return Error{Code::invalid_argument, provider(a.plugin, a.c->name) + " and " + provider(b.plugin, b.c->name) +
                                             " both bring a " + std::string(target) + " kernel of " +
                                             full_name(domain, op_type) + "-" + std::to_string(version) +
                                             " with score " + std::to_string(a.c->score) +
                                             ". Load only one of them, or give one a higher score."};
  }
  return found;
}

}  // namespace

std::optional<int32_t> OperatorEntry::version_at(int32_t opset) const {
  for (size_t i = 0; i < c->version_count; ++i) {
    if (c->versions[i] <= opset) return c->versions[i];  // newest first
  }
  return std::nullopt;
}

struct Registry::Content {
  struct Close {
    void operator()(void* library) const { dlclose(library); }
  };
  std::vector<std::unique_ptr<void, Close>> libraries;

  std::map<Key, OperatorEntry> operators;
  std::map<std::string_view, const OperatorEntry*> roles;
  Kernels<CpuKernelEntry> cpu_kernels;
  Kernels<GpuKernelEntry> gpu_kernels;
  Kernels<ControlKernelEntry> control_kernels;
  std::vector<RewriteEntry> rewrites;
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<size_t, size_t>>> patterns_by_root;
  std::vector<PluginInfo> plugins;

  void take(const heed_plugin* plugin, const std::string& name, const std::string& path,
            std::vector<RewriteEntry> its_rewrites);
  // All that a plugin of this name brought; takes no memory.
  void forget(std::string_view name) {
    std::erase_if(roles, [&](const auto& entry) { return entry.second->plugin == name; });
    std::erase_if(operators, [&](const auto& entry) { return entry.second.plugin == name; });
    const auto forget_kernels = [&](auto& kernels) {
      for (auto& [key, entries] : kernels)
        std::erase_if(entries, [&](const auto& entry) { return entry.plugin == name; });
    };
    forget_kernels(cpu_kernels);
    forget_kernels(gpu_kernels);
    forget_kernels(control_kernels);
    std::erase_if(rewrites, [&](const auto& entry) { return entry.plugin == name; });  // the last ones
    for (auto& [root, places] : patterns_by_root)
      std::erase_if(places, [&](const auto& place) { return place.first >= rewrites.size(); });
    std::erase_if(plugins, [&](const auto& entry) { return entry.name == name; });
  }
};

void Registry::Content::take(const heed_plugin* plugin, const std::string& name, const std::string& path,
                             std::vector<RewriteEntry> its_rewrites) {
  const bool given = !path.empty();
  libraries.reserve(libraries.size() + 1);  // for keep_library, which must not fail
  for (size_t i = 0; i < plugin->operator_count; ++i) {
    const heed_operator* op = plugin->operators[i];
    const auto [place, is_new] =
        operators.emplace(Key{text_of(op->domain), text_of(op->op_type)}, OperatorEntry{op, name, given});
    if (op->role.size > 0) roles.emplace(text_of(op->role), &place->second);
  }
  const auto add_kernels = [&](auto& kernels, const auto* const* list, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const Key key{text_of(list[i]->domain), text_of(list[i]->op_type)};
      kernels[key].push_back({list[i], name, given});
      // Built-in plugins may be added in any order.
      if (given && operators.count(key) == 0) {
        log(Level::warning, "plugin '" + name + "' brings a kernel for " + full_name(key.first, key.second) +
                                ", of which no plugin brings the contract so far: is the name right?");
      }
    }
  };
  add_kernels(cpu_kernels, plugin->cpu_kernels, plugin->cpu_kernel_count);
  add_kernels(gpu_kernels, plugin->gpu_kernels, plugin->gpu_kernel_count);
  add_kernels(control_kernels, plugin->control_kernels, plugin->control_kernel_count);
  for (RewriteEntry& entry : its_rewrites) {
    const size_t index = rewrites.size();
    rewrites.push_back(std::move(entry));
    const auto& patterns = rewrites.back().patterns;
    for (size_t i = 0; i < patterns.size(); ++i)
      patterns_by_root[{patterns[i].root_domain(), patterns[i].root_op_type()}].emplace_back(index, i);
  }
  plugins.push_back({name, std::string(text_of(plugin->version)), path, plugin->operator_count,
                     plugin->cpu_kernel_count + plugin->gpu_kernel_count + plugin->control_kernel_count,
                     plugin->rewrite_count});
}

Registry::Registry() : content_(std::make_unique<Content>()) {}

Registry::~Registry() {
  // What points into libraries goes before them, the last loaded first.
  auto libraries = std::move(content_->libraries);
  content_.reset();
  while (!libraries.empty()) libraries.pop_back();
}

Result<void> Registry::add_built_in(heed_plugin_entry_function entry) {
  take_failure();
  const heed_plugin* plugin = entry(host_functions());
  if (plugin == nullptr) {
    const std::string why = take_failure();
    return Error{Code::unsupported, "a built-in plugin failed" + (why.empty() ? "" : ": " + why)};
  }
  return add(plugin, "");
}

namespace {

Result<std::vector<RewriteEntry>> read_rewrites(const heed_plugin& plugin, const std::string& name) {
  constexpr std::string_view waits_prefix = "at last:";
  std::vector<RewriteEntry> entries;
  for (size_t i = 0; i < plugin.rewrite_count; ++i) {
    RewriteEntry& entry = entries.emplace_back();
    entry.c = plugin.rewrites[i];
    entry.plugin = name;
    for (size_t k = 0; k < entry.c->pattern_count; ++k) {
      std::string_view text = text_of(entry.c->patterns[k]);
      if (text.starts_with(waits_prefix)) {
        text.remove_prefix(waits_prefix.size());
        entry.waits = true;
      }
      auto pattern = Pattern::parse(text);
      if (!pattern)
        return std::move(pattern).error().within("rewrite '" + entry.name() + "' of plugin '" + name + "', pattern " +
                                                 std::to_string(k));
      entry.patterns.push_back(std::move(*pattern));
    }
  }
  return entries;
}

}  // namespace

Result<void> Registry::add(const heed_plugin* plugin, const std::string& path) {
  HEED_TRY(check_plugin(plugin));
  Content& content = *content_;
  const std::string name(text_of(plugin->name));
  for (const PluginInfo& other : content.plugins) {
    if (other.name != name) continue;
    return Error{Code::invalid_argument, "a plugin named '" + name + "' is there already, " +
                                             (other.path.empty() ? "built in" : "from " + other.path)};
  }
  for (size_t i = 0; i < plugin->operator_count; ++i) {
    const heed_operator& op = *plugin->operators[i];
    const Key key{text_of(op.domain), text_of(op.op_type)};
    const auto found = content.operators.find(key);
    if (found != content.operators.end()) {
      return Error{Code::invalid_argument,
                   "operator " + full_name(key.first, key.second) + " is there already, from plugin '" +
                       found->second.plugin +
                       "'. To replace its kernel, bring a kernel without a contract; for another "
                       "meaning, take a domain of your own."};
    }
    const auto role = content.roles.find(text_of(op.role));
    if (op.role.size > 0 && role != content.roles.end()) {
      return Error{Code::invalid_argument, "operator " + full_name(key.first, key.second) + " takes the role '" +
                                               std::string(text_of(op.role)) + "', which " +
                                               full_name(role->second->domain(), role->second->op_type()) +
                                               " of plugin '" + role->second->plugin + "' has already"};
    }
  }

  HEED_ASSIGN(auto rewrites, read_rewrites(*plugin, name));

  try {
    content.take(plugin, name, path, std::move(rewrites));
  } catch (const std::bad_alloc&) {
    content.forget(name);
    throw;
  }
  return {};
}

void Registry::keep_library(void* handle) { content_->libraries.emplace_back(handle); }

const OperatorEntry* Registry::find_operator(std::string_view domain, std::string_view op_type) const {
  const auto found = content_->operators.find(Key{canonical(domain), op_type});
  return found == content_->operators.end() ? nullptr : &found->second;
}

const OperatorEntry* Registry::find_role(std::string_view role) const {
  const auto found = content_->roles.find(role);
  return found == content_->roles.end() ? nullptr : found->second;
}

Result<std::vector<const CpuKernelEntry*>> Registry::cpu_kernels(std::string_view domain, std::string_view op_type,
                                                                 int32_t version) const {
  return best_first(content_->cpu_kernels, domain, op_type, version, "CPU");
}

Result<std::vector<const GpuKernelEntry*>> Registry::gpu_kernels(std::string_view domain, std::string_view op_type,
                                                                 int32_t version) const {
  return best_first(content_->gpu_kernels, domain, op_type, version, "GPU");
}

const ControlKernelEntry* Registry::control_kernel(std::string_view domain, std::string_view op_type,
                                                   int32_t version) const {
  const auto* entries = find(content_->control_kernels, domain, op_type);
  const ControlKernelEntry* best = nullptr;
  if (entries == nullptr) return best;
  for (const ControlKernelEntry& entry : *entries) {
    if (serves(*entry.c, version) && (best == nullptr || (entry.given && !best->given))) best = &entry;
  }
  return best;
}

bool Registry::has_kernel(std::string_view domain, std::string_view op_type, int32_t version) const {
  const auto any = [&](const auto& kernels) {
    const auto* entries = find(kernels, domain, op_type);
    return entries &&
           std::any_of(entries->begin(), entries->end(), [&](const auto& e) { return serves(*e.c, version); });
  };
  return any(content_->cpu_kernels) || any(content_->gpu_kernels) || any(content_->control_kernels);
}

std::span<const RewriteEntry> Registry::rewrites() const { return content_->rewrites; }
const std::vector<std::pair<size_t, size_t>>* Registry::rewrites_ending_in(const std::string& domain,
                                                                           const std::string& op_type) const {
  const auto found = content_->patterns_by_root.find({domain, op_type});
  return found == content_->patterns_by_root.end() ? nullptr : &found->second;
}
std::span<const PluginInfo> Registry::plugins() const { return content_->plugins; }

std::vector<const OperatorEntry*> Registry::operators() const {
  std::vector<const OperatorEntry*> entries;
  for (const auto& [key, entry] : content_->operators) entries.push_back(&entry);
  return entries;
}

}  // namespace heed
