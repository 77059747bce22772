// heed_fuzz FOLDER_OR_MODEL... [--executions N] [--seconds S] [--seed N] [--first N] [--findings FOLDER]:
// models of the folders, changed (mutator.hpp), are loaded, planned and run on the CPU through heed.h. Each must end in
// a result or an error, within its limits of time and memory, and give the same after a run of other inputs. The first
// that does not is written to FOLDER, and what repeats it is told. Execution N of a seed is the same whichever came
// before it.
#include <heed/heed.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "mutator.hpp"

extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace heed::fuzz {
namespace {

constexpr uint64_t memory_limit = 256u << 20;
constexpr uint32_t time_limit_ms = 1000;
constexpr int64_t step_limit = 20000;
constexpr int most_seconds = 20;                   // of one execution, sanitized and on a busy machine
constexpr int64_t most_memory = int64_t{4} << 30;  // of the process, the sanitizers' own included
constexpr int64_t most_model_bytes = 64 << 10;     // longer ones are seldom of more kinds
constexpr int64_t most_elements = 1 << 14;         // of an input

using Clock = std::chrono::steady_clock;

template <class Struct>
Struct of_size() {
  Struct made{};
  made.struct_size = sizeof made;
  return made;
}

// One to begin with, and the inputs that it is said to run with, where they lie beside it.
struct Start {
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs;
};

struct Counts {
  int64_t executions = 0, loaded = 0, ran = 0;
};

// What is told of an execution that does not end well; in signal handlers, too.
struct Running {
  uint64_t seed = 0;
  int64_t number = 0;
  std::string bytes;
  std::string findings = ".";
  char file[4096] = "";
};
Running running;

void tell_finding() {
  std::snprintf(running.file, sizeof running.file, "%s/heed_fuzz_%llu_%lld.onnx", running.findings.c_str(),
                static_cast<unsigned long long>(running.seed), static_cast<long long>(running.number));
  if (FILE* file = std::fopen(running.file, "wb")) {
    std::fwrite(running.bytes.data(), 1, running.bytes.size(), file);
    std::fclose(file);
  }
  std::fprintf(stderr, "met by --seed %llu --first %lld --executions 1; the model is %s\n",
               static_cast<unsigned long long>(running.seed), static_cast<long long>(running.number), running.file);
}

void on_signal(int number) {
  if (number == SIGALRM) {
    std::fprintf(stderr, "an execution takes over %d s\n", most_seconds);
  } else {
    std::fprintf(stderr, "signal %d\n", number);
  }
  tell_finding();
  _exit(1);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void add_start(const std::filesystem::path& path, std::vector<Start>& starts) {
  if (std::filesystem::file_size(path) > most_model_bytes) return;
  Start start;
  if (!start.model.ParseFromString(read_file(path))) return;
  for (int i = 0;; ++i) {
    const auto input = path.parent_path() / "test_data_set_0" / ("input_" + std::to_string(i) + ".pb");
    onnx::TensorProto tensor;
    if (!std::filesystem::exists(input) || !tensor.ParseFromString(read_file(input))) break;
    start.inputs.push_back(std::move(tensor));
  }
  starts.push_back(std::move(start));
}

std::vector<Start> starts_of(const std::vector<std::string>& arguments) {
  std::vector<Start> starts;
  for (const auto& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      add_start(argument, starts);
      continue;
    }
    std::vector<std::filesystem::path> models;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argument))
      if (entry.path().extension() == ".onnx") models.push_back(entry.path());
    std::sort(models.begin(), models.end());
    for (const auto& model : models) add_start(model, starts);
  }
  return starts;
}

// ---- inputs

struct Input {
  bool is_given = false;
  std::vector<int64_t> dims;
  std::vector<char> data;
  std::vector<heed_string> texts;
};

size_t bytes_of(int32_t data_type, int64_t count) {
  const auto elements = static_cast<size_t>(count);
  switch (data_type) {
    case HEED_STRING:
      return elements * sizeof(heed_string);
    case HEED_C128:
      return elements * 16;
    case HEED_F64:
    case HEED_I64:
    case HEED_U64:
    case HEED_C64:
      return elements * 8;
    case HEED_F32:
    case HEED_I32:
    case HEED_U32:
      return elements * 4;
    case HEED_F16:
    case HEED_BF16:
    case HEED_I16:
    case HEED_U16:
      return elements * 2;
    case HEED_U4:
    case HEED_I4:
    case HEED_F4E2M1:
      return (elements + 1) / 2;
    case HEED_U2:
    case HEED_I2:
      return (elements + 3) / 4;
    default:
      return elements;
  }
}

// Numbers that mean something in whatever place: small ones, for sizes and indices, and now and then any bits.
void fill(int32_t data_type, int64_t count, Input& input, Random& random) {
  input.data.assign(bytes_of(data_type, count), 0);
  if (input.data.empty()) return;
  if (data_type == HEED_STRING) {
    static const char text[] = "a b,c.1\xff";
    input.texts.resize(static_cast<size_t>(count));
    for (auto& each : input.texts) each = {text, random() % sizeof text};
    std::memcpy(input.data.data(), input.texts.data(), input.data.size());
    return;
  }
  const bool any_bits = random() % 8 == 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto small = static_cast<int64_t>(random() % 8) - 2;
    const auto put = [&](auto number) {
      std::memcpy(input.data.data() + static_cast<size_t>(i) * sizeof number, &number, sizeof number);
    };
    if (any_bits && data_type != HEED_BOOL) break;
    switch (data_type) {
      case HEED_F32:
        put(static_cast<float>(small) / 2);
        break;
      case HEED_F64:
        put(static_cast<double>(small) / 2);
        break;
      case HEED_I64:
      case HEED_U64:
        put(small);
        break;
      case HEED_I32:
      case HEED_U32:
        put(static_cast<int32_t>(small));
        break;
      case HEED_I16:
      case HEED_U16:
        put(static_cast<int16_t>(small));
        break;
      case HEED_F16:
      case HEED_BF16:
        put(static_cast<uint16_t>(0x3800 + small * 512));
        break;
      case HEED_I8:
      case HEED_U8:
        put(static_cast<int8_t>(small));
        break;
      case HEED_BOOL:
        put(static_cast<uint8_t>(small & 1));
        break;
      default:
        break;
    }
  }
  if (any_bits && data_type != HEED_BOOL)
    for (char& byte : input.data) byte = static_cast<char>(random());
}

// What lies beside the model it was made of, where it still fits; else numbers of made-up sizes.
Input input_for(const heed_value_info& info, const onnx::TensorProto* given, Random& random) {
  Input input;
  input.is_given = true;
  if (given && given->data_type() == info.data_type && random() % 4) {
    int64_t count = 1;
    const bool fits = std::all_of(given->dims().begin(), given->dims().end(), [&](int64_t dim) {
      return dim >= 0 && !__builtin_mul_overflow(count, dim, &count) && count <= INT32_MAX;
    });
    if (fits && given->data_type() != HEED_STRING && given->raw_data().size() == bytes_of(info.data_type, count)) {
      input.dims.assign(given->dims().begin(), given->dims().end());
      input.data.assign(given->raw_data().begin(), given->raw_data().end());
      return input;
    }
  }
  int64_t count = 1;
  const int32_t rank = info.rank < 0 ? static_cast<int32_t>(random() % 5) : info.rank;
  for (int32_t axis = 0; axis < rank; ++axis) {
    int64_t dim = info.rank < 0 ? -1 : info.dims[axis];
    if (dim < 0) dim = static_cast<int64_t>(random() % 6);
    if (dim > 0 && count > most_elements / dim) dim = 1;
    input.dims.push_back(dim);
    count *= dim;
  }
  fill(info.data_type, count, input, random);
  return input;
}

// ---- an execution

// Whether what is in it is drawn anew at each run.
bool draws(const onnx::GraphProto& graph);
bool draws(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const onnx::NodeProto& node) {
    const std::string& type = node.op_type();
    if (type.starts_with("Random") || type == "Bernoulli" || type == "Multinomial" || type == "Dropout") return true;
    return std::any_of(node.attribute().begin(), node.attribute().end(), [](const onnx::AttributeProto& attribute) {
      return draws(attribute.g()) || std::any_of(attribute.graphs().begin(), attribute.graphs().end(),
                                                 [](const onnx::GraphProto& graph) { return draws(graph); });
    });
  });
}
bool draws(const onnx::GraphProto& graph) { return draws(graph.node()); }
bool draws(const onnx::ModelProto& model) {
  return draws(model.graph()) ||
         std::any_of(model.functions().begin(), model.functions().end(),
                     [](const onnx::FunctionProto& function) { return draws(function.node()); });
}

void bind(heed_session* session, const heed_value_info& info, const Input& input) {
  const heed_array array{const_cast<char*>(input.data.data()), input.data.size(), input.dims.data(),
                         static_cast<int32_t>(input.dims.size()), info.data_type};
  if (info.kind == HEED_VALUE_TENSOR) {
    heed_session_bind_input(session, info.name, &array);
    return;
  }
  heed_value *tensor = nullptr, *value = nullptr;
  if (heed_value_create_tensor(&array, &tensor) != HEED_SUCCESS) return;
  const auto status = info.kind == HEED_VALUE_SEQUENCE ? heed_value_create_sequence(&tensor, 1, &value)
                                                       : heed_value_create_optional(tensor, &value);
  if (status == HEED_SUCCESS) heed_session_bind_input_value(session, info.name, value);
  heed_value_free(value);
  heed_value_free(tensor);
}

// Behind the last element of packed types: they may be anything.
size_t unused_bits(const heed_array& array) {
  int64_t count = 1;
  for (int32_t axis = 0; axis < array.rank; ++axis) count *= array.dims[axis];
  const bool are_two = array.data_type == HEED_U2 || array.data_type == HEED_I2;
  const bool are_four = array.data_type == HEED_U4 || array.data_type == HEED_I4 || array.data_type == HEED_F4E2M1;
  return !are_two && !are_four ? 0 : array.size_bytes * 8 - static_cast<size_t>(count) * (are_two ? 2 : 4);
}

std::string elements_of(const heed_array& array) {
  std::string bytes(static_cast<const char*>(array.data), array.size_bytes);
  if (const size_t bits = unused_bits(array)) bytes.back() = static_cast<char>(bytes.back() & 0xff >> bits);
  return bytes;
}

// All that is in a value, as bytes.
void add_content(const heed_value* value, std::string& content) {
  heed_array array;
  if (heed_value_array(value, &array) != HEED_SUCCESS) {
    const size_t count = heed_value_count(value);
    content += std::to_string(count) + ":";
    for (size_t i = 0; i < count; ++i) {
      heed_value* element = nullptr;
      if (heed_value_element(value, i, &element) == HEED_SUCCESS) add_content(element, content);
      heed_value_free(element);
    }
    return;
  }
  content += std::to_string(array.data_type);
  for (int32_t axis = 0; axis < array.rank; ++axis) content += " " + std::to_string(array.dims[axis]);
  content += ":";
  if (array.data_type != HEED_STRING) {
    content += elements_of(array);
    return;
  }
  const auto* texts = static_cast<const heed_string*>(array.data);
  for (size_t i = 0; i < array.size_bytes / sizeof *texts; ++i) content.append(texts[i].data, texts[i].size);
}

// A tensor of numbers; of other values nothing.
struct Output {
  std::vector<int64_t> dims;
  std::string elements;
  int32_t data_type = 0;
  heed_array array() {
    return {elements.data(), elements.size(), dims.data(), static_cast<int32_t>(dims.size()), data_type};
  }
};

// What a run gives, or its error.
struct Given {
  heed_status status;
  std::string content;
  std::vector<Output> outputs;
};

// Into memory that is shaped like the outputs of another run, where there is some.
Given run(heed_session* session, const heed_model* model, const std::vector<Input>& inputs,
          std::vector<Output>* memory = nullptr) {
  const auto for_inputs = [&](auto&& body) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      auto info = of_size<heed_value_info>();
      if (heed_model_input(model, i, &info) == HEED_SUCCESS) body(info, inputs[i]);
    }
  };
  const auto for_outputs = [&](auto&& body) {
    for (size_t i = 0; i < heed_model_output_count(model); ++i) {
      auto info = of_size<heed_value_info>();
      if (heed_model_output(model, i, &info) == HEED_SUCCESS) body(info, i);
    }
  };
  for_inputs([&](const heed_value_info& info, const Input& input) {
    if (input.is_given) bind(session, info, input);
  });
  for_outputs([&](const heed_value_info& info, size_t i) {
    if (!memory || i >= memory->size() || (*memory)[i].data_type == 0) return;
    const heed_array array = (*memory)[i].array();
    heed_session_bind_output(session, info.name, &array);
  });
  Given given{heed_session_run(session), {}, {}};
  std::set<std::string> names;
  for_outputs([&](const heed_value_info& info, size_t) {
    heed_value* value = nullptr;
    Output output;
    heed_array array;
    if (given.status == HEED_SUCCESS && heed_session_output_value(session, info.name, &value) == HEED_SUCCESS) {
      add_content(value, given.content);
      if (names.insert(info.name).second && info.kind == HEED_VALUE_TENSOR &&
          heed_value_array(value, &array) == HEED_SUCCESS && array.data_type != HEED_STRING)
        output = {{array.dims, array.dims + array.rank}, elements_of(array), array.data_type};
    }
    heed_value_free(value);
    given.outputs.push_back(std::move(output));
  });
  for_outputs([&](const heed_value_info& info, size_t) { heed_session_bind_output(session, info.name, nullptr); });
  for_inputs([&](const heed_value_info& info, const Input&) { heed_session_bind_input(session, info.name, nullptr); });
  return given;
}

// Sizes change from run to run, states are carried, and what a run without any gives does not depend on those before.
bool run(heed_model* model, const Start& start, bool is_drawn, Random& random) {
  auto options = of_size<heed_session_options>();
  options.seed = 1;
  options.time_limit_ms = time_limit_ms;
  options.step_limit = step_limit;
  heed_session* session = nullptr;
  if (heed_session_create(model, &options, &session) != HEED_SUCCESS) return false;
  std::vector<Input> inputs[2];
  bool has_states = false;
  for (auto& each : inputs) {
    each.resize(heed_model_input_count(model));
    for (size_t i = 0; i < each.size(); ++i) {
      auto info = of_size<heed_value_info>();
      if (heed_model_input(model, i, &info) != HEED_SUCCESS) continue;
      has_states |= info.is_state != 0;
      if (info.is_state && random() % 2) continue;
      each[i] = input_for(info, i < start.inputs.size() ? &start.inputs[i] : nullptr, random);
    }
  }
  const Given first = run(session, model, inputs[0]);
  std::vector<Output> memory = first.outputs;
  const Given other = run(session, model, inputs[1], random() % 2 ? &memory : nullptr);
  const Given again = run(session, model, inputs[0]);
  for (Output& output : memory) std::fill(output.elements.begin(), output.elements.end(), '\x55');
  const Given bound = run(session, model, inputs[0], &memory);
  const auto check = [&](bool holds, const char* what, heed_status status) {
    if (holds || is_drawn || has_states) return;
    for (const heed_status each : {first.status, status})
      if (each == HEED_ERROR_CANCELLED || each == HEED_ERROR_OUT_OF_MEMORY) return;
    std::fprintf(stderr, "a run gives something else %s: status %d, then %d; the last error was: %s\n", what,
                 first.status, status, heed_error_message());
    tell_finding();
    _exit(1);
  };
  check(first.status == again.status && first.content == again.content, "after one of other inputs", again.status);
  check(first.status == bound.status && first.content == bound.content, "where memory is given", bound.status);
  for (size_t i = 0; first.status == HEED_SUCCESS && i < memory.size(); ++i)
    check(elements_of(memory[i].array()) == first.outputs[i].elements, "in memory that is given", bound.status);
  heed_session_free(session);
  return first.status == HEED_SUCCESS || other.status == HEED_SUCCESS;
}

void execute(const Mutator& mutator, const std::vector<Start>& starts, uint64_t seed, int64_t number, Counts& counts) {
  Random random(seed * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(number));
  const Start& start = starts[random() % starts.size()];
  onnx::ModelProto changed = start.model;
  if (random() % 64) mutator.change(changed, random);
  running.number = number;
  running.bytes.clear();
  changed.SerializePartialToString(&running.bytes);
  if (random() % 32 == 0) Mutator::change(running.bytes, random);

  auto options = of_size<heed_model_options>();
  options.device = "cpu";
  options.thread_count = 1;
  options.memory_limit_bytes = memory_limit;
  options.time_limit_ms = time_limit_ms;
  heed_model* model = nullptr;
  alarm(most_seconds);
  ++counts.executions;
  if (heed_model_load_memory(nullptr, running.bytes.data(), running.bytes.size(), nullptr, nullptr, &options, &model) ==
      HEED_SUCCESS) {
    ++counts.loaded;
    counts.ran += run(model, start, draws(changed), random);
  }
  heed_model_free(model);
  alarm(0);
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  if (usage.ru_maxrss > most_memory >> 10) {
    std::fprintf(stderr, "the process takes %ld KB\n", usage.ru_maxrss);
    tell_finding();
    _exit(1);
  }
}

int main(const std::vector<std::string>& arguments) {
  std::vector<std::string> paths;
  int64_t first = 0, executions = 1'000'000, seconds = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto number = [&] { return i + 1 < arguments.size() ? std::atoll(arguments[++i].c_str()) : 0; };
    if (arguments[i] == "--executions")
      executions = number();
    else if (arguments[i] == "--seconds")
      seconds = number();
    else if (arguments[i] == "--seed")
      running.seed = static_cast<uint64_t>(number());
    else if (arguments[i] == "--first")
      first = number();
    else if (arguments[i] == "--findings" && i + 1 < arguments.size())
      running.findings = arguments[++i];
    else
      paths.push_back(arguments[i]);
  }
  const bool are_there =
      std::all_of(paths.begin(), paths.end(), [](const auto& path) { return std::filesystem::exists(path); });
  const std::vector<Start> starts = are_there ? starts_of(paths) : std::vector<Start>();
  if (starts.empty()) {
    std::fprintf(stderr, "usage: heed_fuzz FOLDER_OR_MODEL... [--executions N] [--seconds S] [--seed N] [--first N]\n");
    return 2;
  }
  signal(SIGALRM, on_signal);
  signal(SIGABRT, on_signal);
  if (__sanitizer_set_death_callback) {
    __sanitizer_set_death_callback(tell_finding);
  } else {
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(number, on_signal);
  }

  std::vector<onnx::ModelProto> corpus;
  for (const auto& start : starts) corpus.push_back(start.model);
  const Mutator mutator(corpus);
  Counts counts;
  const auto begin = Clock::now();
  const auto spent = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  for (int64_t i = 0; i < executions && (seconds == 0 || spent() < static_cast<double>(seconds)); ++i)
    execute(mutator, starts, running.seed, first + i, counts);
  std::printf("%lld executions of %zu models changed, in %.0f s: %lld loaded, %lld ran\n",
              static_cast<long long>(counts.executions), starts.size(), spent(), static_cast<long long>(counts.loaded),
              static_cast<long long>(counts.ran));
  std::printf("1 passed, 0 failed, 0 skipped\n");
  return 0;
}

}  // namespace
}  // namespace heed::fuzz

// UBSan has a death of its own: by SIGABRT it is told as well.
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

int main(int count, char** arguments) { return heed::fuzz::main({arguments + 1, arguments + count}); }
