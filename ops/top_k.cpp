// TopK: along an axis the k greatest (or, without `largest`, least) elements and where they stand; of equal ones the
// first comes first, and a NaN counts as greater than all. They come in order, also where `sorted` does not ask for it.
#include "checks.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { values_output, places_output };

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  Dim k = node.fresh_symbol("k");
  if (node.version() < 10) {
    if (!node.has_attribute("k")) return Error{Code::invalid_model, "attribute 'k' is missing"};
    k = node.integer("k");
  } else {
    HEED_TRY(require_input(node, 1, "K"));
    const auto elements = node.elements(1);
    if (elements && elements->size() != 1)
      return Error{Code::shape_mismatch, "k has " + std::to_string(elements->size()) + " elements; expected one"};
    if (elements) k = (*elements)[0];
  }
  if (!x.has_rank()) {
    HEED_TRY(node.set_output(values_output, x.element()));
    return node.set_output(places_output, DataType::i64);
  }
  HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank(), -1));
  if (k.is_number() && (k.number() < 0 || (x.dim(axis).is_number() && k.number() > x.dim(axis).number())))
    return Error{Code::shape_mismatch, "k is " + to_string(k) + ", axis " + std::to_string(axis) + " of " +
                                           text_of(x.dims()) + " has fewer elements"};
  Dims dims(x.dims().begin(), x.dims().end());
  dims[static_cast<size_t>(axis)] = k;
  if (node.has_output(values_output)) HEED_TRY(node.set_output(values_output, x.element(), dims));
  if (node.has_output(places_output)) HEED_TRY(node.set_output(places_output, DataType::i64, dims));
  return {};
}

// Mirrors shaders/top_k.comp.
struct Parameters {
  Rows rows;
  uint32_t k, has_values, has_places;
};

Result<GpuPlan> plan(Planning& node) {
  if (node.version() >= 10 && !node.elements(1)) return decline("k is known to the run alone");
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::top_k));
  HEED_ASSIGN(const int32_t axis, node.axis("axis", node.input(0).rank(), -1));
  node.take_strided(0);
  const bool has_values = node.has_output(values_output), has_places = node.has_output(places_output);
  node.work(product(node.input(0).dims()) * node.output(has_values ? values_output : places_output).dim(axis));
  const uint32_t greatest = node.integer("largest", 1) != 0;
  // What is absent is bound to what is there, and never written.
  return GpuPlan{.variants = row_variants(node, shader, {{2, greatest}}),
                 .bindings = {read(0), write(has_values ? values_output : places_output),
                              write(has_places ? places_output : values_output)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0);
  const bool has_values = node.has_output(values_output), has_places = node.has_output(places_output);
  const auto values = node.output(has_values ? values_output : places_output),
             places = node.output(has_places ? places_output : values_output);
  if (values.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank(), -1));
  if (values.dim(axis) > x.dim(axis))
    return Error{Code::invalid_argument, "k is " + std::to_string(values.dim(axis)) + ", axis " + std::to_string(axis) +
                                             " has " + std::to_string(x.dim(axis)) + " elements"};
  std::vector<bool> within_row(static_cast<size_t>(x.rank()));
  within_row[static_cast<size_t>(axis)] = true;
  const Parameters p{rows_of(x.dims(), within_row, std::array{x, values, places}),
                     static_cast<uint32_t>(values.dim(axis)), has_values, has_places};
  return Launch{.dispatches = {row_dispatch(p.rows, bytes_of(p))}};
}

}  // namespace

extern const Operator top_k{.op_type = "TopK",
                            .versions = {24, 11, 10, 1},
                            .inputs = {{"X", "T"}, {"K", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
                            .outputs = {{"Values", "T"}, {"Indices", "I"}},
                            .types = {{"T", any_number}, {"I", {DataType::i64}}},
                            .attributes = {attribute("axis", -1), attribute("largest", 1), attribute("sorted", 1),
                                           optional("k", HEED_ATTRIBUTE_INT)},
                            .infer = infer,
                            .plan = plan,
                            .bind = bind};

}  // namespace heed::ops
