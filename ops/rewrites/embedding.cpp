// Rows of a table of numbers by ids: Gather along axis 0 -> heed.Embedding.
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

bool accept(Match& match) {
  const auto table = match.type("table"), ids = match.type("ids");
  if (!table || !ids || !table->has_element() || !is_float(table->element()) || table->rank() != 2 || !ids->has_rank())
    return false;
  const int64_t axis = match.node("y").integer("axis");
  return axis == 0 || axis == -2;
}

}  // namespace

extern const Rewrite embedding{.name = "embedding",
                               .patterns = {"y = Gather(table, ids)"},
                               .replacement = "y = heed.Embedding(table, ids)",
                               .accept = accept};

}  // namespace heed::ops
