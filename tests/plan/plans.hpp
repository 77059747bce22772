// Plans of graphs from text, with no device in sight.
#pragma once

#include <catch2/catch.hpp>

#include "built_in.hpp"
#include "graph/parse.hpp"
#include "passes/infer_shapes.hpp"
#include "plan/plan.hpp"

namespace heed::test {

inline std::shared_ptr<Graph> typed_graph(const std::string& text) {
  auto graph = parse_graph(text, std::make_shared<DimPool>());
  if (!graph) FAIL(graph.error().message);
  if (auto typed = infer_shapes(**graph, registry()); !typed) FAIL(typed.error().message);
  return *graph;
}

// The operators of a plan's steps, each with the letter of its place: "c Add", "v MatMul", "upload".
inline std::vector<std::string> steps_of(const Plan& plan) {
  std::vector<std::string> steps;
  for (const Step& step : plan.steps) {
    if (step.kind == StepKind::upload) steps.push_back("upload");
    if (step.kind == StepKind::download) steps.push_back("download");
    if (step.kind == StepKind::cpu) steps.push_back("c " + std::string(step.op->op_type()));
    if (step.kind == StepKind::gpu) steps.push_back("v " + std::string(step.op->op_type()));
  }
  return steps;
}

}  // namespace heed::test
