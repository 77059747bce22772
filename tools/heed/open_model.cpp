// From what people type to a Model.
#include "open_model.hpp"

#include <iostream>

#include "onnx/read_model.hpp"
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
  return ModelSource(model, options).open();
}

Result<std::shared_ptr<const Model>> ModelSource::open_once() {
  HEED_ASSIGN(const Registry* registry, open_registry(options_));
  HEED_ASSIGN(const auto path, find_model(model_));
  HEED_ASSIGN(ModelOptions model_options, options_.model_options());
  HEED_ASSIGN(ModelFile file, read_model(path, model_options.read));
  if (adapt_) HEED_TRY(adapt_(*file.graph, model_options));
  auto loaded = Model::load(std::move(file), *registry, model_options);
  if (!loaded) return std::move(loaded).error().within(path.string());
  for (const auto& notice : (*loaded)->notices()) std::cerr << "note: " << notice << "\n";
  is_on_device_ = (*loaded)->device() != nullptr;
  return loaded;
}

// Whether the CPU may take over from a device that failed or is too small.
bool ModelSource::go_on_with_cpu(const Error& error) {
  const bool of_device = error.code == Code::device_failed || error.code == Code::out_of_memory;
  if (!of_device || options_.device != "auto" || options_.require_gpu) return false;
  std::cerr << "note: " << error.message << "\nnote: the CPU goes on\n";
  options_.device = "cpu";
  return true;
}

Result<std::shared_ptr<const Model>> ModelSource::open() {
  auto model = open_once();
  return model || !go_on_with_cpu(model.error()) ? std::move(model) : open_once();
}

Result<std::shared_ptr<const Model>> ModelSource::reopen(Error error) {
  if (!is_on_device_) return error;
  if (error.code == Code::device_failed && !is_reopened_) {
    is_reopened_ = true;
    std::cerr << "note: " << error.message << "\nnote: the device is opened again\n";
    return open();
  }
  if (go_on_with_cpu(error)) return open();
  return error;
}

}  // namespace heed::tool
