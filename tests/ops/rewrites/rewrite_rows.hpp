// Tables of graphs as exporters write them: what becomes of them, what must not, and that a rewritten model gives what
// it gave before, on every device that is here.
#pragma once

#include <string>
#include <vector>

namespace heed::test {

struct RewriteRow {
  const char* what;
  // Typed; sizes are numbers, batch or texts (the same), heads, seq, past or before (the same), or seq + past, total.
  std::string inputs;
  std::string outputs;
  std::string nodes;
  std::vector<const char*> wanted;  // nodes that must be there afterwards, as "heed.Attention<causal = 1" or "Softmax"
  std::vector<const char*> unwanted;  // and those that must not
  bool runs_as_it_is = true;          // false: no kernel carries the plain graph out; ONNX's suite has the numbers
  double tolerance = 3e-6;            // on the CPU
  int opset = 24;
};

// Loads each row with and without rewrites and runs it at several sizes; reports every row that fails.
void check_rewrites(const std::vector<RewriteRow>& rows);

}  // namespace heed::test
