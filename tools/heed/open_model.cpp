// From what people type to a Model.
#include "open_model.hpp"

#include <iostream>

#include "plugins/built_in.hpp"

namespace heed::tool {

Result<const Registry*> open_registry(const RunOptions& options) {
  static Registry* registry = nullptr;  // plugins stay loaded: models of any lifetime may use them
  if (registry) return static_cast<const Registry*>(registry);
  auto made = std::make_unique<Registry>();
  for (const auto& plugin : options.plugins) HEED_TRY(made->load_plugin(plugin));
  for (const auto entry : built_in_plugins) HEED_TRY(made->add_built_in(entry));
  registry = made.release();
  return static_cast<const Registry*>(registry);
}

Result<std::filesystem::path> find_model(const std::string& model) {
  std::error_code error;
  if (std::filesystem::is_directory(model, error)) {
    auto file = std::filesystem::path(model) / "model.onnx";
    if (std::filesystem::exists(file, error)) return file;
    return Error{Code::io, model + ": this folder has no model.onnx"};
  }
  return std::filesystem::path(model);
}

Result<std::shared_ptr<const Model>> open_model(const std::string& model, const RunOptions& options) {
  HEED_ASSIGN(const Registry* registry, open_registry(options));
  HEED_ASSIGN(const auto path, find_model(model));
  HEED_ASSIGN(const ModelOptions model_options, options.model_options());
  HEED_ASSIGN(auto loaded, Model::load(path, *registry, model_options));
  for (const auto& notice : loaded->notices()) std::cerr << "note: " << notice << "\n";
  return loaded;
}

}  // namespace heed::tool
