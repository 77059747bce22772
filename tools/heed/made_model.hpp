// Models that are made in memory, of text and of weights that are noise: what the benchmarks of a device run.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graph/graph.hpp"
#include "heed/result.hpp"

namespace heed::tool {

struct MadeModel {
  // Types in the words of the textual syntax's sizes: numbers, or names of symbols.
  struct Input {
    std::string name;
    DataType type;
    std::vector<std::string> dims;
  };
  std::vector<Input> inputs;
  std::vector<std::pair<std::string, Tensor>> constants = {};
  std::string statements;  // "y = Softmax(x)"; opset 23 of ai.onnx
  std::vector<std::string> outputs;
};

Result<ModelFile> build(const MadeModel& made);

// Numbers in [-scale, scale), the same at each call; f32 and f16.
Result<Tensor> noise(DataType type, std::vector<int64_t> dims, double scale);

// GPT-2 small (Radford et al. 2019) as exporters write it: 12 layers of width 768 with 12 heads, 50257 tokens, 124
// million parameters; token ids, positions and pasts in, logits and presents out.
Result<MadeModel> gpt2_small();

}  // namespace heed::tool
