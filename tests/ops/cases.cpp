// Tables of cases for operators: from a row to a model, its runs, and the comparison.
#include "cases.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "graph/graph_builder.hpp"
#include "graph/parse.hpp"
#include "plugins/built_in.hpp"
#include "rows.hpp"
#include "session/session.hpp"

namespace heed::test {
namespace {

// What the sizes of the inputs are to the planner.
enum class Sizes { fixed, symbols, constants };
constexpr std::string_view name_of(Sizes sizes) {
  return sizes == Sizes::fixed ? "fixed sizes" : sizes == Sizes::symbols ? "symbolic sizes" : "constant inputs";
}

const Registry& registry() {
  static const Registry* made = [] {
    auto* fresh = new Registry;
    for (const auto entry : built_in_plugins) REQUIRE(fresh->add_built_in(entry));
    return fresh;
  }();
  return *made;
}

bool is_absent(const Tensor& tensor) { return tensor.type == DataType::undefined; }

std::string name_of_value(const char* prefix, const Tensor& tensor, size_t index) {
  return is_absent(tensor) ? "" : prefix + std::to_string(index);
}

// "y0, y1 = Split<axis = 1>(x0, x1)" as a graph.
Result<ModelFile> model_of(std::string_view op_type, const Case& row, Sizes sizes) {
  ModelFile file;
  file.opsets = {{"", row.opset}, {"heed", 1}};
  const auto dims_pool = std::make_shared<DimPool>();
  GraphBuilder builder(dims_pool, GraphBuilder::Scope::complete);
  std::string in, out;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const Tensor& tensor = row.inputs[i];
    const auto name = name_of_value("x", tensor, i);
    in += (i ? ", " : "") + (name.empty() ? "\"\"" : name);
    if (name.empty()) continue;
    if (sizes == Sizes::constants && i > 0) {
      HEED_TRY(builder.add_constant(name, tensor));
      continue;
    }
    ValueType type;
    type.element = tensor.type;
    type.dims.emplace();
    for (size_t axis = 0; axis < tensor.dims.size(); ++axis)
      type.dims->push_back(sizes == Sizes::symbols ? dims_pool->symbol(name + "." + std::to_string(axis))
                                                   : Dim(tensor.dims[axis]));
    HEED_TRY(builder.add_input(name, type));
  }
  for (size_t i = 0; i < row.outputs.size(); ++i) {
    const auto name = name_of_value("y", row.outputs[i], i);
    out += (i ? ", " : "") + (name.empty() ? "\"\"" : name);
    if (!name.empty()) builder.add_output(name, {});
  }
  const auto attributes = row.attributes.empty() ? "" : "<" + row.attributes + ">";
  HEED_ASSIGN(auto statements, parse_statements(out + " = " + std::string(op_type) + attributes + "(" + in + ")"));
  for (auto& statement : statements) HEED_TRY(builder.add_statement(std::move(statement)));
  HEED_ASSIGN(file.graph, std::move(builder).build(file.opsets));
  return file;
}

double tolerated(double expected, double tolerance) { return tolerance * (1 + std::abs(expected)); }

// Empty where they agree; else the first difference.
std::string difference(const Tensor& actual, const Tensor& expected, double tolerance) {
  if (actual.type != expected.type || actual.dims != expected.dims)
    return "got " + to_string(actual) + ", expected " + to_string(expected);
  if (actual.type == DataType::string) {
    for (size_t i = 0; i < actual.texts().size(); ++i) {
      const std::string_view a(actual.texts()[i].data, actual.texts()[i].size),
          e(expected.texts()[i].data, expected.texts()[i].size);
      if (a != e)
        return "element " + std::to_string(i) + " is '" + std::string(a) + "', expected '" + std::string(e) + "'";
    }
    return {};
  }
  const auto a = values_of(actual), e = values_of(expected);
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]))) continue;
    if (std::abs(a[i] - e[i]) <= tolerated(e[i], tolerance)) continue;
    char text[128];
    std::snprintf(text, sizeof text, "element %zu of %zu is %.9g, expected %.9g", i, a.size(), a[i], e[i]);
    return text;
  }
  return {};
}

Result<void> run_once(std::string_view op_type, const Case& row, Sizes sizes, const ModelOptions& options) {
  HEED_ASSIGN(auto file, model_of(op_type, row, sizes));
  HEED_ASSIGN(auto model, Model::load(std::move(file), registry(), options));
  // Kept until the next one is there, which finds the pipelines they share.
  static auto* const last_on_gpu = new std::shared_ptr<const Model>;
  if (options.device != "cpu") *last_on_gpu = model;
  HEED_ASSIGN(auto session, Session::create(model));
  Session::NamedValues inputs;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    if (is_absent(row.inputs[i]) || (sizes == Sizes::constants && i > 0)) continue;
    HostValue value;
    value.tensor = row.inputs[i];
    inputs.emplace_back("x" + std::to_string(i), std::move(value));
  }
  // Twice: what a first run leaves behind must not matter.
  for (const char* which : {"first run", "second run"}) {
    HEED_ASSIGN(const auto outputs, session->run(inputs));
    for (size_t i = 0; i < row.outputs.size(); ++i) {
      if (is_absent(row.outputs[i])) continue;
      const auto name = "y" + std::to_string(i);
      const auto found =
          std::find_if(outputs.begin(), outputs.end(), [&](const auto& output) { return output.first == name; });
      if (found == outputs.end()) return Error{Code::invalid_argument, "no output " + name};
      const auto wrong = difference(found->second.tensor, row.outputs[i], row.tolerance);
      if (!wrong.empty()) return Error{Code::invalid_argument, name + ", " + which + ": " + wrong};
    }
  }
  return {};
}

std::pair<std::string_view, std::string_view> split_domain(std::string_view op_type) {
  const auto dot = op_type.rfind('.');
  return dot == op_type.npos ? std::pair(std::string_view(), op_type)
                             : std::pair(op_type.substr(0, dot), op_type.substr(dot + 1));
}

struct Place {
  std::string name;  // "cpu scalar", "vulkan"
  ModelOptions options;
};

// Every kernel of the operator, on every device that is here.
std::vector<Place> places_of(std::string_view op_type, int32_t opset) {
  const auto [domain, name] = split_domain(op_type);
  const auto* contract = registry().find_operator(domain, name);
  REQUIRE(contract != nullptr);
  const auto version = contract->version_at(domain.empty() ? opset : 1);
  INFO(op_type << " at opset " << opset);
  REQUIRE(version.has_value());
  std::vector<Place> places;
  ModelOptions options;
  options.device = "cpu";
  options.thread_count = 2;
  options.rewrite = false;
  options.fold = false;
  const auto kernels = registry().cpu_kernels(domain, name, *version);
  REQUIRE(kernels.has_value());
  for (const auto* kernel : *kernels) {
    const std::string kernel_name(kernel->c->name.data, kernel->c->name.size);
    places.push_back({"cpu " + kernel_name, options});
    places.back().options.kernel_options = {{"kernel", kernel_name}};
  }
  if (kernels->empty()) places.push_back({"cpu", options});  // a control kernel, or a body
  const auto gpu_kernels = registry().gpu_kernels(domain, name, *version);
  REQUIRE(gpu_kernels.has_value());
  const bool is_fused = gpu_kernels->empty() && contract->c->expression.size > 0;
  if (!gpu_kernels->empty() || is_fused) {
    places.push_back({is_fused ? "vulkan, as a fused node" : "vulkan", options});
    places.back().options.device = "vulkan";
    places.back().options.rewrite = is_fused;
  }
  return places;
}

}  // namespace

void run_cases(std::string_view op_type, const std::vector<Case>& cases) {
  for (const auto& row : cases) {
    for (const auto& place : places_of(op_type, row.opset)) {
      for (const auto sizes : {Sizes::fixed, Sizes::symbols, Sizes::constants}) {
        if (sizes == Sizes::constants && row.inputs.size() < 2) continue;
        const auto result = run_once(op_type, row, sizes, place.options);
        count_row(result.has_value());
        if (!result)
          FAIL_CHECK(op_type << ", " << row.what << ", " << place.name << ", " << name_of(sizes) << ": "
                             << result.error().message);
      }
    }
  }
}

void check_refused(std::string_view op_type, const Case& row, std::string_view part) {
  ModelOptions options;
  options.device = "cpu";
  options.fold = options.rewrite = false;
  const auto result = run_once(op_type, row, Sizes::constants, options);
  count_row(!result.has_value());
  INFO(op_type << ", " << row.what);
  REQUIRE_FALSE(result.has_value());
  CHECK_THAT(result.error().message, Catch::Contains(std::string(part)));
}

Result<Tensors> run_text(std::string_view text, const Tensors& inputs, std::string_view device) {
  HEED_ASSIGN(auto file, parse_model(text));
  ModelOptions options;
  options.device = device;
  options.require_gpu = device != "cpu";
  options.thread_count = 2;
  std::vector<std::string> names;
  for (const auto id : file.graph->inputs) names.push_back(file.graph->values[id].name);
  HEED_ASSIGN(auto model, Model::load(std::move(file), registry(), options));
  HEED_ASSIGN(auto session, Session::create(model));
  Session::NamedValues given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    HostValue value;
    value.tensor = inputs[i];
    given.emplace_back(names[i], std::move(value));
  }
  HEED_ASSIGN(const auto outputs, session->run(given));
  Tensors tensors;
  for (const auto& [name, value] : outputs) tensors.push_back(value.tensor);
  return tensors;
}

void check_on_vulkan(std::string_view text, const Tensors& inputs, double tolerance) {
  const auto expected = run_text(text, inputs), actual = run_text(text, inputs, "vulkan");
  INFO(text);
  const bool ran = expected && actual;
  if (!ran) FAIL_CHECK((expected ? actual : expected).error().message);
  std::string wrong = ran ? "" : "no run";
  for (size_t i = 0; ran && wrong.empty() && i < expected->size(); ++i)
    wrong = difference((*actual)[i], (*expected)[i], tolerance);
  count_row(wrong.empty());
  CHECK(wrong == "");
}

void check_equal(const Tensor& actual, const Tensor& expected, double tolerance) {
  CHECK(difference(actual, expected, tolerance) == "");
}

Case by(Reference reference, std::string what, Tensors inputs, double tolerance, std::string attributes,
        int32_t opset) {
  auto outputs = reference(inputs);
  return {std::move(what), std::move(inputs), std::move(outputs), tolerance, std::move(attributes), opset};
}

namespace {

template <class T>
void put(Tensor& tensor, size_t index, T value) {
  std::memcpy(tensor.writable() + index * sizeof(T), &value, sizeof(T));
}
template <class T>
T get(const Tensor& tensor, size_t index) {
  T value;
  std::memcpy(&value, tensor.data + index * sizeof(T), sizeof(T));
  return value;
}

void set(Tensor& tensor, size_t i, double value) {
  auto* packed = reinterpret_cast<uint8_t*>(tensor.writable());
  switch (tensor.type) {
    case DataType::f32:
      return put(tensor, i, static_cast<float>(value));
    case DataType::f64:
      return put(tensor, i, value);
    case DataType::f16:
      return put(tensor, i, Float16(value));
    case DataType::bf16:
      return put(tensor, i, BFloat16(value));
    case DataType::f8e4m3fn:
      return put(tensor, i, Float8E4M3FN(value));
    case DataType::f8e4m3fnuz:
      return put(tensor, i, Float8E4M3FNUZ(value));
    case DataType::f8e5m2:
      return put(tensor, i, Float8E5M2(value));
    case DataType::f8e5m2fnuz:
      return put(tensor, i, Float8E5M2FNUZ(value));
    case DataType::f8e8m0:
      return put(tensor, i, Float8E8M0(value));
    case DataType::i8:
      return put(tensor, i, static_cast<int8_t>(value));
    case DataType::i16:
      return put(tensor, i, static_cast<int16_t>(value));
    case DataType::i32:
      return put(tensor, i, static_cast<int32_t>(value));
    case DataType::i64:
      return put(tensor, i, truncate_to_int64(value));
    case DataType::u8:
    case DataType::boolean:
      return put(tensor, i, static_cast<uint8_t>(value));
    case DataType::u16:
      return put(tensor, i, static_cast<uint16_t>(value));
    case DataType::u32:
      return put(tensor, i, static_cast<uint32_t>(value));
    case DataType::u64:
      return put(tensor, i, truncate_to_uint64(value));
    case DataType::f4e2m1:
      return set_packed_element(packed, static_cast<int64_t>(i), 4, Float4E2M1(value).bits);
    default:
      return set_packed_element(packed, static_cast<int64_t>(i), bits_of(tensor.type),
                                wrap_to_bits(static_cast<int64_t>(value), bits_of(tensor.type)));
  }
}

double value_at(const Tensor& tensor, size_t i) {
  const auto code = [&] {
    return packed_element(reinterpret_cast<const uint8_t*>(tensor.data), static_cast<int64_t>(i), bits_of(tensor.type));
  };
  switch (tensor.type) {
    case DataType::f32:
      return get<float>(tensor, i);
    case DataType::f64:
      return get<double>(tensor, i);
    case DataType::f16:
      return static_cast<double>(get<Float16>(tensor, i));
    case DataType::bf16:
      return static_cast<double>(get<BFloat16>(tensor, i));
    case DataType::f8e4m3fn:
      return static_cast<double>(get<Float8E4M3FN>(tensor, i));
    case DataType::f8e4m3fnuz:
      return static_cast<double>(get<Float8E4M3FNUZ>(tensor, i));
    case DataType::f8e5m2:
      return static_cast<double>(get<Float8E5M2>(tensor, i));
    case DataType::f8e5m2fnuz:
      return static_cast<double>(get<Float8E5M2FNUZ>(tensor, i));
    case DataType::f8e8m0:
      return static_cast<double>(get<Float8E8M0>(tensor, i));
    case DataType::i8:
      return get<int8_t>(tensor, i);
    case DataType::i16:
      return get<int16_t>(tensor, i);
    case DataType::i32:
      return get<int32_t>(tensor, i);
    case DataType::i64:
      return static_cast<double>(get<int64_t>(tensor, i));
    case DataType::u8:
    case DataType::boolean:
      return get<uint8_t>(tensor, i);
    case DataType::u16:
      return get<uint16_t>(tensor, i);
    case DataType::u32:
      return get<uint32_t>(tensor, i);
    case DataType::u64:
      return static_cast<double>(get<uint64_t>(tensor, i));
    case DataType::f4e2m1:
      return static_cast<double>(Float4E2M1::from_bits(code()));
    case DataType::i4:
    case DataType::i2:
      return sign_extended(code(), bits_of(tensor.type));
    default:
      return code();
  }
}

}  // namespace

Tensor numbers(DataType type, std::vector<int64_t> dims, const std::vector<double>& values) {
  auto tensor = Tensor::allocate(type, std::move(dims));
  // Tables are made before main, where Catch has no say.
  if (!tensor || static_cast<size_t>(tensor->element_count()) != values.size())
    throw std::logic_error("a row of a table gives " + std::to_string(values.size()) + " numbers for another shape");
  for (size_t i = 0; i < values.size(); ++i) set(*tensor, i, values[i]);
  return *tensor;
}

Tensor texts(std::vector<int64_t> dims, std::vector<std::string> values) {
  return Tensor::of_texts(std::move(dims), std::move(values));
}

Tensor absent() {
  Tensor tensor;
  tensor.type = DataType::undefined;
  return tensor;
}

Tensor random(std::vector<int64_t> dims, double low, double high, DataType type) {
  int64_t count = 1;
  for (const auto dim : dims) count *= dim;
  std::vector<double> values(static_cast<size_t>(count));
  uint64_t state = 0x9E3779B97F4A7C15u * (values.size() + 1);  // SplitMix64
  for (auto& value : values) {
    state += 0x9E3779B97F4A7C15u;
    uint64_t bits = state;
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
    bits ^= bits >> 31;
    value = low + (high - low) * static_cast<double>(bits >> 11) * 0x1p-53;
  }
  return numbers(type, std::move(dims), values);
}

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.element_count()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = value_at(tensor, i);
  return values;
}

std::vector<int64_t> row_major(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0; stride *= dims[axis]) strides[axis] = stride;
  return strides;
}

}  // namespace heed::test
