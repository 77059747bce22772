// What sizes must be for a graph to be run at all: lengths that no table is longer than (position embeddings, causal
// buffers) leave min(64, n) wherever they are cut, which is n in every run that is possible.
#pragma once

#include <optional>
#include <span>
#include <utility>

#include "base/dim.hpp"

namespace heed {

// A broadcast that fits only where its two sizes are equal, as broadcast(min(64, n), n) does: the two, and the second
// is what the broadcast is then. Null for every other Dim.
std::optional<std::pair<Dim, Dim>> equality_in_broadcast(Dim dim);

// A size that is at most this number.
struct DimBound {
  Dim dim;
  int64_t bound;
};

// What min(64, n) = n says of n. Null for every other equality.
std::optional<DimBound> bound_in_equality(Dim a, Dim b);

// The same size where these bounds hold: min(64, past) is past where past + seq is at most 64.
Dim within(Dim dim, std::span<const DimBound> bounds);

}  // namespace heed
