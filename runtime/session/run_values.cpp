// Between a run's values and what files hold.
#include "session/session.hpp"

namespace heed {

Result<SharedValue> to_run_value(const HostValue& value) {
  if (value.kind == Kind::tensor) return value_of(value.tensor);
  if (value.kind == Kind::map) return Error{Code::unsupported, "maps cannot be given to a model yet"};
  auto made = SharedValue::own(new heed_value);
  made->kind = value.kind;
  for (const auto& element : value.elements) {
    HEED_ASSIGN(auto converted, to_run_value(element));
    made->element = converted->element;
    made->elements.push_back(converted.release());
  }
  return made;
}

Result<HostValue> to_host_value(const heed_value& value) {
  HostValue made;
  made.kind = value.kind;
  if (value.kind == Kind::tensor) {
    HEED_ASSIGN(made.tensor, tensor_of(value));
    return made;
  }
  for (const heed_value* element : value.elements) {
    HEED_ASSIGN(auto converted, to_host_value(*element));
    made.elements.push_back(std::move(converted));
  }
  if (value.kind == Kind::optional) made.present = !made.elements.empty();
  return made;
}

}  // namespace heed
