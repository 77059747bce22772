// How models are changed (mutator.hpp), by protobuf's reflection: nothing here knows the names of ONNX's fields.
#include "mutator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heed::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// From 0 on, below count.
int below(int count, Random& random) { return static_cast<int>(random() % static_cast<uint64_t>(count)); }

template <class Type>
const Type& any_of(const std::vector<Type>& list, Random& random) {
  return list[static_cast<size_t>(below(static_cast<int>(list.size()), random))];
}

constexpr size_t most_remembered = 5000;  // of a field's values in all models

bool is_text(const FieldDescriptor* field) { return field->cpp_type() == FieldDescriptor::CPPTYPE_STRING; }
bool is_message(const FieldDescriptor* field) { return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE; }

// A message and all within it, depth first.
template <class Visit>
void for_each_message(Message& message, const Visit& visit) {
  visit(message);
  std::vector<const FieldDescriptor*> fields;
  const auto* reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (!is_message(field)) continue;
    if (!field->is_repeated()) {
      for_each_message(*reflection->MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i)
      for_each_message(*reflection->MutableRepeatedMessage(&message, field, i), visit);
  }
}

double edge_of(const FieldDescriptor* field, Random& random) {
  static const std::vector<double> whole{0,          1,           -1,     2,      3,      -2,     4,   7,
                                         8,          16,          17,     31,     64,     127,    128, 255,
                                         2147483647, -2147483648, 0x1p32, 0x1p40, 0x1p62, -0x1p63};
  static const std::vector<double> broken{0.5, -0.5, 1e-45, 3e38, -3e38, INFINITY, -INFINITY, NAN};
  const bool is_float =
      field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT || field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  return any_of(is_float && below(2, random) ? broken : whole, random);
}

// The nearest that the type holds.
template <class Integer>
Integer whole(double number) {
  if (!(number > static_cast<double>(std::numeric_limits<Integer>::min()))) return std::numeric_limits<Integer>::min();
  if (number >= static_cast<double>(std::numeric_limits<Integer>::max())) return std::numeric_limits<Integer>::max();
  return static_cast<Integer>(number);
}

// What a field of numbers holds: `index` of a list, or a single one for -1.
template <class Get, class GetRepeated>
double read(const Message& message, const FieldDescriptor* field, int index, Get get, GetRepeated get_repeated) {
  const auto* reflection = message.GetReflection();
  return static_cast<double>(index < 0 ? (reflection->*get)(message, field)
                                       : (reflection->*get_repeated)(message, field, index));
}
using Reflection = google::protobuf::Reflection;

double number_at(const Message& message, const FieldDescriptor* field, int index) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return read(message, field, index, &Reflection::GetInt32, &Reflection::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return read(message, field, index, &Reflection::GetInt64, &Reflection::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT64:
      return read(message, field, index, &Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return read(message, field, index, &Reflection::GetFloat, &Reflection::GetRepeatedFloat);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return read(message, field, index, &Reflection::GetDouble, &Reflection::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_ENUM:
      return read(message, field, index, &Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
    default:
      return 0;
  }
}

void put_number(Message& message, const FieldDescriptor* field, int index, double number) {
  const auto* reflection = message.GetReflection();
  const auto put = [&](auto set, auto set_repeated, auto value) {
    if (index < 0) return (reflection->*set)(&message, field, value);
    (reflection->*set_repeated)(&message, field, index, value);
  };
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return put(&Reflection::SetInt32, &Reflection::SetRepeatedInt32, whole<int32_t>(number));
    case FieldDescriptor::CPPTYPE_INT64:
      return put(&Reflection::SetInt64, &Reflection::SetRepeatedInt64, whole<int64_t>(number));
    case FieldDescriptor::CPPTYPE_UINT64:
      return put(&Reflection::SetUInt64, &Reflection::SetRepeatedUInt64, whole<uint64_t>(number));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return put(&Reflection::SetFloat, &Reflection::SetRepeatedFloat, static_cast<float>(number));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return put(&Reflection::SetDouble, &Reflection::SetRepeatedDouble, number);
    case FieldDescriptor::CPPTYPE_ENUM:
      return put(&Reflection::SetEnumValue, &Reflection::SetRepeatedEnumValue, whole<int32_t>(number));
    default:
      return;
  }
}

std::string text_at(const Message& message, const FieldDescriptor* field, int index) {
  const auto* reflection = message.GetReflection();
  return index < 0 ? reflection->GetString(message, field) : reflection->GetRepeatedString(message, field, index);
}

}  // namespace

Mutator::Mutator(const std::vector<onnx::ModelProto>& corpus) {
  for (const auto& model : corpus) collect(model);
}

void Mutator::collect(const Message& root) {
  // Visited as one that may change; nothing here does.
  for_each_message(const_cast<Message&>(root), [&](Message& message) {
    auto& alike = messages_[message.GetDescriptor()];
    if (alike.size() < most_remembered * 4) alike.push_back(&message);
    std::vector<const Field*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const Field* field : fields) {
      if (is_message(field)) continue;
      const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
      for (int i = 0; i < std::min(count, 8); ++i) {
        const int index = field->is_repeated() ? i : -1;
        if (is_text(field)) {
          auto& texts = texts_[field];
          if (texts.size() < most_remembered) texts.push_back(text_at(message, field, index));
        } else {
          auto& numbers = numbers_[field];
          if (numbers.size() < most_remembered) numbers.push_back(number_at(message, field, index));
        }
      }
    }
  });
}

void Mutator::set_number(Message& message, const Field* field, int index, Random& random) const {
  const auto found = numbers_.find(field);
  const double before = number_at(message, field, index);
  double number = edge_of(field, random);
  switch (below(4, random)) {
    case 0:
      number = before + (below(2, random) ? 1 : -1);
      break;
    case 1:
      number = -before;
      break;
    case 2:
      if (found != numbers_.end()) number = any_of(found->second, random);
      break;
    default:
      break;
  }
  put_number(message, field, index, number);
}

void Mutator::set_text(Message& message, const Field* field, int index, Random& random) const {
  const auto found = texts_.find(field);
  std::string text = text_at(message, field, index);
  switch (below(4, random)) {
    case 0:
      change(text, random);
      break;
    case 1:
      text.clear();
      break;
    default:
      if (found != texts_.end()) text = any_of(found->second, random);
  }
  if (index < 0)
    message.GetReflection()->SetString(&message, field, text);
  else
    message.GetReflection()->SetRepeatedString(&message, field, index, text);
}

void Mutator::change_list(Message& message, const Field* field, Random& random) const {
  const auto* reflection = message.GetReflection();
  const int size = reflection->FieldSize(message, field);
  const int at = size ? below(size, random) : 0;
  const auto found = is_message(field) ? messages_.find(field->message_type()) : messages_.end();
  switch (size ? below(5, random) : 0) {
    case 0:  // one more
      if (is_message(field)) {
        if (found != messages_.end()) reflection->AddMessage(&message, field)->CopyFrom(*any_of(found->second, random));
        break;
      }
      if (is_text(field)) {
        reflection->AddString(&message, field, "");
        return set_text(message, field, size, random);
      }
      switch (field->cpp_type()) {
        case Field::CPPTYPE_INT32:
          reflection->AddInt32(&message, field, 0);
          break;
        case Field::CPPTYPE_INT64:
          reflection->AddInt64(&message, field, 0);
          break;
        case Field::CPPTYPE_UINT64:
          reflection->AddUInt64(&message, field, 0);
          break;
        case Field::CPPTYPE_FLOAT:
          reflection->AddFloat(&message, field, 0);
          break;
        case Field::CPPTYPE_DOUBLE:
          reflection->AddDouble(&message, field, 0);
          break;
        default:
          return;
      }
      return set_number(message, field, size, random);
    case 1:
      reflection->SwapElements(&message, field, at, size - 1);
      [[fallthrough]];
    case 2:
      reflection->RemoveLast(&message, field);
      break;
    case 3:
      reflection->SwapElements(&message, field, at, below(size, random));
      break;
    default:
      if (!is_message(field))
        return is_text(field) ? set_text(message, field, at, random) : set_number(message, field, at, random);
      if (found != messages_.end())
        reflection->MutableRepeatedMessage(&message, field, at)->CopyFrom(*any_of(found->second, random));
  }
}

void Mutator::change_field(Message& message, const Field* field, Random& random) const {
  const auto* reflection = message.GetReflection();
  if (field->is_repeated()) return change_list(message, field, random);
  if (reflection->HasField(message, field) && below(6, random) == 0) return reflection->ClearField(&message, field);
  if (!is_message(field))
    return is_text(field) ? set_text(message, field, -1, random) : set_number(message, field, -1, random);
  const auto found = messages_.find(field->message_type());
  if (found != messages_.end()) reflection->MutableMessage(&message, field)->CopyFrom(*any_of(found->second, random));
}

void Mutator::change(onnx::ModelProto& model, Random& random) const {
  // Mostly one: what is changed in many places is seldom a model that loads.
  for (int changes = below(3, random) ? 1 : 1 + below(5, random); changes > 0; --changes) {
    std::vector<Message*> all;
    for_each_message(model, [&](Message& message) { all.push_back(&message); });
    Message& message = *any_of(all, random);
    const auto* descriptor = message.GetDescriptor();
    std::vector<const Field*> fields;
    message.GetReflection()->ListFields(message, &fields);
    // Mostly what is there: a field that is not is rarely looked at.
    const Field* field = fields.empty() || below(8, random) == 0
                             ? descriptor->field(below(descriptor->field_count(), random))
                             : any_of(fields, random);
    change_field(message, field, random);
  }
}

void Mutator::change(std::string& bytes, Random& random) {
  if (bytes.empty() || below(4, random) == 0)
    return bytes.resize(static_cast<size_t>(below(static_cast<int>(bytes.size()) + 9, random)));
  for (int count = 1 + below(4, random); count > 0; --count)
    bytes[static_cast<size_t>(below(static_cast<int>(bytes.size()), random))] = static_cast<char>(random());
}

}  // namespace heed::fuzz
