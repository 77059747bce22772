// ModelProto: what stands around the graph.
#include "onnx/read_model.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <climits>

#include "base/mapped_file.hpp"
#include "graph/function_calls.hpp"
#include "onnx/file_kind.hpp"
#include "onnx/read_graph.hpp"
#include "onnx/source.hpp"

namespace heed {
namespace {

using onnx_file::Bytes;
using onnx_file::Fields;
using onnx_file::Source;
using onnx_file::Wire;
using Proto = onnx::ModelProto;

constexpr int64_t newest_ir_version = 14;

Error invalid(std::string message) { return Error{Code::invalid_model, std::move(message)}; }

// A ModelProto whose large fields still lie where they lay: opset_import comes after the graph that needs it.
struct ModelParts {
  ModelFile model;
  std::vector<Bytes> graphs, functions;
  bool has_training = false;
};

Result<ModelParts> read_parts(Bytes file) {
  ModelParts parts;
  ModelFile& model = parts.model;
  Fields field(file);
  while (field.next()) {
    if (field.is(Proto::kIrVersionFieldNumber, Wire::varint)) model.ir_version = field.integer();
    if (field.wire() != Wire::bytes) continue;
    switch (field.number()) {
      case Proto::kProducerNameFieldNumber:
        model.producer = field.string();
        break;
      case Proto::kProducerVersionFieldNumber:
        model.producer_version = field.string();
        break;
      case Proto::kDocStringFieldNumber:
        model.doc = field.string();
        break;
      case Proto::kGraphFieldNumber:
        parts.graphs.push_back(field.bytes());
        break;
      case Proto::kFunctionsFieldNumber:
        parts.functions.push_back(field.bytes());
        break;
      case Proto::kTrainingInfoFieldNumber:
        parts.has_training = true;
        break;
      case Proto::kOpsetImportFieldNumber:
        HEED_TRY(onnx_file::read_opset(field.bytes(), model.opsets));
        break;
      case Proto::kMetadataPropsFieldNumber: {
        HEED_ASSIGN(auto entry, onnx_file::read_string_entry(field.bytes()));
        model.metadata.insert_or_assign(std::move(entry.first), std::move(entry.second));
        break;
      }
      default:
        break;
    }
  }
  HEED_TRY(field.finish());
  if (parts.graphs.empty()) return invalid("it holds no graph");
  if (parts.graphs.size() > 1)
    return invalid("it holds " + std::to_string(parts.graphs.size()) + " graphs, expected one");
  return parts;
}

void warn(ModelParts& parts) {
  ModelFile& model = parts.model;
  const std::string tried = "; it is tried all the same";
  if (model.ir_version > newest_ir_version) {
    model.warnings.push_back("IR version " + std::to_string(model.ir_version) + " is newer than " +
                             std::to_string(newest_ir_version) + ", the newest known" + tried);
  } else if (model.ir_version < 3) {
    model.warnings.push_back("IR version " + std::to_string(model.ir_version) +
                             " is older than 3, the oldest supported" + tried);
  }
  if (model.opsets.empty()) {
    model.opsets.emplace("", 1);
    if (model.ir_version >= 3) model.warnings.push_back("it imports no opset; opset 1 is assumed");
  }
  const auto opset = model.opsets.find("");
  if (opset != model.opsets.end() && opset->second > newest_opset) {
    model.warnings.push_back("opset " + std::to_string(opset->second) + " is newer than " +
                             std::to_string(newest_opset) + ", the newest known" + tried);
  }
  if (parts.has_training) model.warnings.push_back("its training information is ignored");
}

Result<void> check_overridable(const ModelFile& model, const ReadOptions& options) {
  for (const std::string& name : options.overridable) {
    const auto& inputs = model.graph->inputs;
    const bool is_found = std::any_of(inputs.begin(), inputs.end(), [&](ValueId id) {
      return model.graph->values[id].name == name && model.graph->values[id].constant;
    });
    if (!is_found) {
      return Error{Code::invalid_argument, "'" + name + "' cannot be overridable: it is no input with an initializer"};
    }
  }
  return {};
}

Result<ModelFile> read_from(Source& source, const ReadOptions& options) {
  const Bytes file = source.bytes();
  if (file.empty()) return invalid("the file is empty");
  if (file.size() > INT_MAX) {
    return Error{Code::unsupported, "the file has " + std::to_string(file.size()) +
                                        " bytes, and protobuf ends at 2 GiB: save the model with external data "
                                        "(onnx.save_model(..., save_as_external_data=True))"};
  }
  Result<ModelParts> read = read_parts(file);
  if (!read) {
    const std::string kind = onnx_file::likely_kind(file);
    if (kind.empty()) return std::move(read).error();
    return invalid("no ONNX model (" + read.error().message + "); it looks like " + kind);
  }
  ModelParts& parts = *read;
  warn(parts);
  ModelFile& model = parts.model;
  const auto dims = std::make_shared<DimPool>();
  for (const Bytes message : parts.functions) {
    HEED_ASSIGN(std::shared_ptr<const Function> function,
                onnx_file::read_function(message, source, dims, model.opsets));
    FunctionKey key{function->domain, function->name, function->overload};
    const auto [at, is_new] = model.functions.emplace(std::move(key), std::move(function));
    if (!is_new)
      return invalid("function '" + at->first.name + "' of domain '" + at->first.domain + "' is defined twice");
  }
  HEED_ASSIGN(model.graph, onnx_file::read_graph(parts.graphs[0], source, dims, model.opsets, options.overridable,
                                                 model.defaulted_inputs));
  if (model.graph->outputs.empty()) model.warnings.push_back("its graph has no outputs");
  HEED_TRY(check_overridable(model, options));
  HEED_TRY(check_function_calls(model));
  source.drop_parsed_pages();
  return std::move(model);
}

FileAccess access_of(const ReadOptions& options) { return options.map ? FileAccess::map : FileAccess::read; }

}  // namespace

Result<ModelFile> read_model(const std::filesystem::path& path, const ReadOptions& options) {
  HEED_ASSIGN(MappedFile file, MappedFile::open(path.string(), access_of(options)));
  Source source(std::move(file), path.string(), access_of(options), options.strict, options.memory_limit_bytes);
  Result<ModelFile> model = read_from(source, options);
  if (!model) return std::move(model).error().within(path.string());
  model->path = path.string();
  return model;
}

Result<ModelFile> read_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                             const ReadOptions& options) {
  const bool has_folder = !options.external_data_folder.empty();
  Source source(bytes, std::move(owner), has_folder ? (options.external_data_folder / "model.onnx").string() : "",
                access_of(options), options.strict, options.memory_limit_bytes);
  Result<ModelFile> model = read_from(source, options);
  if (!model) return std::move(model).error().within("model from memory");
  return model;
}

}  // namespace heed
