// LabelEncoder: looks keys up in a table of hashes. Of equal keys the last one counts; all NaN are equal.
#include <cmath>
#include <unordered_map>
#include <variant>

#include "walk.hpp"

namespace heed::cpu {
namespace {

using Labels = std::variant<std::vector<std::string_view>, std::vector<int64_t>, std::vector<double>>;

// Elements as the widest of their kind.
Labels labels_of(const TensorView& tensor) {
  const int64_t count = tensor.count();
  if (tensor.element() == DataType::string) {
    std::vector<std::string_view> texts;
    for (const heed_text text : tensor.as<const heed_text>()) texts.push_back(from_c(text));
    return texts;
  }
  const auto read = [&]<class T>(std::vector<T> numbers) -> Labels {
    numbers.resize(static_cast<size_t>(count));
    read_elements(tensor.element(), tensor.c.data, 0, 1, count, numbers.data());
    return numbers;
  };
  return is_float(tensor.element()) ? read(std::vector<double>()) : read(std::vector<int64_t>());
}

// The list of the attributes that begin with `prefix`.
Labels listed(const NodeView& node, const std::string& prefix) {
  if (const auto given = node.texts(prefix + "strings")) {
    std::vector<std::string_view> texts;
    for (const heed_text text : *given) texts.push_back(from_c(text));
    return texts;
  }
  if (const auto given = node.integers(prefix + "int64s")) return std::vector<int64_t>(given->begin(), given->end());
  if (const auto given = node.numbers(prefix + "floats")) return std::vector<double>(given->begin(), given->end());
  return labels_of(*node.tensor(prefix + "tensor"));
}

// What keys and values are: those of version 1 are the classes and their places.
struct Encoding {
  Labels keys, values, otherwise;
};
Encoding encoding_of(const Running& run) {
  const DataType from = run.input(0).element();
  Labels otherwise;
  if (const auto given = run.tensor("default_tensor"); given && run.version() >= 4) otherwise = labels_of(*given);
  const auto defaults = [&](const Labels& values) -> Labels {
    if (std::visit([](const auto& list) { return !list.empty(); }, otherwise)) return otherwise;
    if (std::holds_alternative<std::vector<int64_t>>(values)) return std::vector{run.integer("default_int64")};
    if (std::holds_alternative<std::vector<double>>(values)) return std::vector{double{run.number("default_float")}};
    return std::vector{run.text("default_string")};
  };
  Encoding encoding;
  if (run.version() >= 2) {
    encoding.keys = listed(run, "keys_");
    encoding.values = listed(run, "values_");
  } else {
    Labels classes = listed(run, "classes_");
    std::vector<int64_t> places(std::get<0>(classes).size());
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int64_t>(i);
    const bool from_texts = from == DataType::string;
    encoding.keys = from_texts ? std::move(classes) : Labels(places);
    encoding.values = from_texts ? Labels(places) : std::move(classes);
  }
  encoding.otherwise = defaults(encoding.values);
  return encoding;
}

template <class Key>
struct Hash : std::hash<Key> {};
template <>
struct Hash<double> {
  size_t operator()(double key) const { return std::isnan(key) ? 0 : std::hash<double>()(key); }
};
template <class Key>
struct Equal : std::equal_to<Key> {};
template <>
struct Equal<double> {
  bool operator()(double a, double b) const { return a == b || (std::isnan(a) && std::isnan(b)); }
};

Result<void> run(Running& run) {
  const auto x = run.input(0);
  HEED_ASSIGN(const auto y, run.allocate(0, x.dims()));
  const Encoding encoding = encoding_of(run);
  const Labels given = labels_of(x);
  // Where each element's value stands; -1: nowhere.
  std::vector<int64_t> places(static_cast<size_t>(x.count()), -1);
  std::visit(
      [&]<class Key>(const std::vector<Key>& elements) {
        const auto& keys = std::get<std::vector<Key>>(encoding.keys);
        std::unordered_map<Key, int64_t, Hash<Key>, Equal<Key>> table;
        for (size_t i = 0; i < keys.size(); ++i) table.insert_or_assign(keys[i], static_cast<int64_t>(i));
        for (size_t i = 0; i < elements.size(); ++i)
          if (const auto found = table.find(elements[i]); found != table.end()) places[i] = found->second;
      },
      given);
  std::visit(
      [&]<class Value>(const std::vector<Value>& values) {
        const Value otherwise = std::get<std::vector<Value>>(encoding.otherwise)[0];
        const auto value_at = [&](size_t i) { return places[i] < 0 ? otherwise : values[static_cast<size_t>(places[i])]; };
        if constexpr (std::is_same_v<Value, std::string_view>) {
          for (size_t i = 0; i < places.size(); ++i) y.data<heed_text>()[i] = run.store_text(0, value_at(i));
        } else {
          std::vector<Value> all(places.size());
          for (size_t i = 0; i < all.size(); ++i) all[i] = value_at(i);
          write_elements(y.element(), all.data(), static_cast<int64_t>(all.size()), y.c.data, 0);
        }
      },
      encoding.values);
  return {};
}

}  // namespace

extern const CpuKernel label_encoder{.domain = "ai.onnx.ml", .op_type = "LabelEncoder", .run = run};

}  // namespace heed::cpu
