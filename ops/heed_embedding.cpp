// heed.Embedding: rows of a table [vocab, width], chosen by ids of any shape: y [ids..., width]. Negative ids count from the
// end, as Gather's do. Gather along axis 0 of a table of numbers becomes it.
#include "gather.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(node.require_rank(0, 2));
  const auto table = node.input(0), ids = node.input(1);
  if (!table.has_rank() || !ids.has_rank()) return node.set_output(0, table.element());
  Dims dims(ids.dims().begin(), ids.dims().end());
  dims.push_back(table.dim(1));
  return node.set_output(0, table.element(), dims);
}

Result<Launch> bind(const Binding& node) { return bind_gather(node, 0); }

}  // namespace

extern const Operator heed_embedding{.domain = "heed",
                                     .op_type = "Embedding",
                                     .inputs = {{"table", "T"}, {"ids", "I"}},
                                     .outputs = {{"y", "T"}},
                                     .types = {{"T", any_number}, {"I", {DataType::i32, DataType::i64}}},
                                     .infer = infer,
                                     .plan = plan_gather,
                                     .bind = bind};

}  // namespace heed::ops
