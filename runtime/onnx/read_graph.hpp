// GraphProto, NodeProto, AttributeProto and FunctionProto.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "graph/graph_builder.hpp"
#include "onnx/fields.hpp"
#include "onnx/source.hpp"

namespace heed::onnx_file {

// The model's graph. Inputs with an initializer become constants, whose names are appended to `defaulted`, unless they
// are among `overridable`.
Result<std::shared_ptr<Graph>> read_graph(Bytes message, Source& source, std::shared_ptr<DimPool> dims,
                                          const Opsets& opsets, std::span<const std::string> overridable,
                                          std::vector<std::string>& defaulted);

// A model-local function. Domains that it does not import have the model's opset.
Result<std::shared_ptr<const Function>> read_function(Bytes message, Source& source, std::shared_ptr<DimPool> dims,
                                                      const Opsets& model_opsets);

Result<std::pair<std::string, std::string>> read_string_entry(Bytes message);
// Adds an OperatorSetIdProto.
Result<void> read_opset(Bytes message, Opsets& opsets);

}  // namespace heed::onnx_file
