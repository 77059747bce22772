// heed bench --device-report: what a device can do, and how much of it Heed's kernels use. Ceilings are measured by
// operators of the report's own (measuring_plugin.hpp), sizes follow from them.
//
// Kernels are timed in chains, each link reading what the one before it gave: a longer chain takes longer by so many
// links, and what begins and ends a run falls out.
#include "device_report.hpp"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "made_model.hpp"
#include "measuring_plugin.hpp"
#include "open_model.hpp"
#include "plugins/built_in.hpp"
#include "session/gpu.hpp"
#include "table.hpp"
#include "vulkan/device.hpp"

namespace heed::tool {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// What is wanted of one timing: long enough to be seen, short enough that the whole ends within two minutes on a driver
// that computes on two CPU cores.
constexpr double link_seconds = 0.02, most_seconds = 1.0;

std::string text_of(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string time_text(double seconds) {
  return seconds < 1e-3 ? text_of("%.1f µs", seconds * 1e6)
         : seconds < 1  ? text_of("%.2f ms", seconds * 1e3)
                        : text_of("%.2f s", seconds);
}

std::string rate_text(double per_second, const char* unit) {
  return per_second < 1e12 ? text_of("%.1f G", per_second / 1e9) + unit : text_of("%.2f T", per_second / 1e12) + unit;
}

// The largest power of two within [least, most] whose cost is not above `budget`.
int64_t fitting(int64_t least, int64_t most, double budget, const std::function<double(int64_t)>& cost) {
  int64_t size = least;
  while (size * 2 <= most && cost(size * 2) <= budget) size *= 2;
  return size;
}

// One line of the report.
struct Line {
  std::string name, what;  // "matmul, f16", "512 x 512 x 512"
  double seconds = 0;      // of one link
  double amount = 0;       // of bytes or operations in it
  double ceiling = 0;      // of the same a second
  bool is_bytes = false;
  std::string note;  // why there are no numbers, or where it ran
};

struct Decoding {
  int64_t prompt = 0;
  double token_seconds = 0, cold_seconds = 0, warm_seconds = 0;
  double submissions = 0, dispatches = 0, barriers = 0;  // a token
  uint64_t peak_bytes = 0, weight_bytes = 0;
  std::string note = "";  // what did not run on the device
};

struct KernelLine {
  std::string name, what;
  double seconds = 0, scalar_seconds = 0;
  double device_seconds = 0;  // what its bytes and operations take at the device's own pace
  std::string note = "";
  double ratio() const { return seconds / scalar_seconds; }
  double paces() const { return seconds / device_seconds; }
  bool is_own_pace() const { return paces() <= slow_ratio; }
  bool is_slow() const { return scalar_seconds > 0 && ratio() > slow_ratio; }
  static constexpr double slow_ratio = 10;  // beside the CPU's scalar kernel
};

struct DeviceReport {
  std::string device, driver;
  bool is_software = false;
  int threads = 0;
  double bandwidth = 0, peak_f32 = 0, peak_f16 = 0, dispatch_seconds = 0;
  int64_t read_bytes = 0;
  std::vector<Line> lines;
  std::optional<Decoding> decoding;
  std::string no_decoding;  // the reason
  std::vector<KernelLine> kernels;
};

class Measurement {
 public:
  Measurement(const Registry& registry, const ModelOptions& options) : registry_(registry), options_(options) {}

  Result<std::shared_ptr<const Model>> load(const MadeModel& made) const {
    HEED_ASSIGN(auto file, build(made));
    return Model::load(std::move(file), registry_, options_);
  }

  // The least time of a run, whose inputs are zeros.
  Result<double> run_seconds(const std::shared_ptr<const Model>& model) const {
    HEED_ASSIGN(const auto session, Session::create(model));
    const Plan& plan = model->plan();
    std::vector<SharedValue> inputs(plan.inputs.size()), outputs(plan.outputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const ValueType& type = plan.slots[plan.inputs[i]].type;
      std::vector<int64_t> dims;
      for (const Dim dim : *type.dims) dims.push_back(dim.number());
      HEED_ASSIGN(const Tensor zeros, Tensor::allocate(*type.element, std::move(dims)));
      inputs[i] = value_of(zeros);
    }
    double least = INFINITY, total = 0;
    for (int run = 0; run < 2 || (total < most_seconds / 4 && run < 200); ++run) {
      std::fill(outputs.begin(), outputs.end(), SharedValue());
      const auto begin = Clock::now();
      HEED_TRY(session->run(inputs, outputs));
      const double seconds = seconds_since(begin);
      total += seconds;
      if (run > 0) least = std::min(least, seconds);
      if (run > 0 && total > most_seconds) break;
    }
    return least;
  }

  // The time of one link: "y@ = Read(x, y$)" with y0 as the input, for link @ after link $. `note` tells where its
  // computing steps ran, if not on the device.
  Result<double> link_time(MadeModel made, const std::string& link, int64_t few, int64_t many,
                           std::string& note) const {
    double times[2];
    const int64_t counts[2] = {few, many};
    for (int which = 0; which < 2; ++which) {
      MadeModel chain = made;
      for (int64_t i = 1; i <= counts[which]; ++i) {
        std::string text = link;
        for (size_t at; (at = text.find_first_of("@$")) != std::string::npos;)
          text.replace(at, 1, std::to_string(text[at] == '@' ? i : i - 1));
        chain.statements += text + "\n";
      }
      chain.outputs = {"y" + std::to_string(counts[which])};
      HEED_ASSIGN(const auto model, load(chain));
      note = where_else(*model);
      HEED_ASSIGN(times[which], run_seconds(model));
    }
    const double links = static_cast<double>(many - few);
    const double seconds = (times[1] - times[0]) / links;
    return seconds > 0 ? seconds : times[1] / static_cast<double>(many);  // too short to tell
  }

  // "MatMul on the CPU: the GPU kernel multiplies f32, not f16", of the first computing step that is not on the device.
  static std::string where_else(const Model& model) {
    if (!model.device()) return "";
    for (const Step& step : model.plan().steps) {
      if (!step.computes || step.kind != StepKind::cpu) continue;
      std::string note = model.plan().graph->nodes[step.node].op_type + " on the CPU";
      for (const auto& declined : step.declined)
        if (declined.kernel == "vulkan") note += ": " + declined.reason;
      return note;
    }
    return "";
  }

  const Registry& registry() const { return registry_; }
  const ModelOptions& options() const { return options_; }

 private:
  const Registry& registry_;
  ModelOptions options_;
};

std::string number(int64_t value) { return std::to_string(value); }

// ---- ceilings --------------------------------------------------------------------------------------------

Result<double> read_rate(const Measurement& measurement, int64_t size_bytes) {
  const int64_t count = size_bytes / 4, threads = std::clamp<int64_t>(count / 256, 128, 262144);
  MadeModel made;
  made.inputs = {{"y0", DataType::f32, {number(threads)}}};
  HEED_ASSIGN(auto x, noise(DataType::f32, {count}, 1));
  made.constants.emplace_back("x", std::move(x));
  std::string note = "";
  HEED_ASSIGN(const double seconds, measurement.link_time(made, "y@ = heed.measure.Read(x, y$)", 2, 10, note));
  return static_cast<double>(size_bytes) / seconds;
}

// 0 where the device does not compute with the type.
Result<double> multiply_add_rate(const Measurement& measurement, bool half, int64_t threads) {
  MadeModel made;
  made.inputs = {{"y0", DataType::f32, {number(threads)}}};
  const auto time_of = [&](int64_t rounds) -> Result<double> {
    std::string note;
    auto seconds = measurement.link_time(
        made, "y@ = heed.measure.MultiplyAdd<count = " + number(rounds) + ", half = " + (half ? "1" : "0") + ">(y$)", 1,
        3, note);
    return seconds;
  };
  auto tried = time_of(256);
  if (!tried) return tried.error().code == Code::unsupported ? Result<double>(0) : std::move(tried);
  const auto rounds = static_cast<int64_t>(std::clamp(256 * link_seconds / *tried, 256.0, 1e6));
  HEED_ASSIGN(const double seconds, time_of(rounds));
  return operations_per_round * static_cast<double>(rounds * threads) / seconds;
}

Result<void> measure_ceilings(const Measurement& measurement, const vulkan::Device* device, DeviceReport& report) {
  // Beyond what caches hold: a sixteenth of a second's reading, as far as one binding reaches.
  HEED_ASSIGN(const double tried, read_rate(measurement, int64_t{4} << 20));
  const uint64_t most =
      device ? std::min({device->capability("max_binding_bytes"), device->info().memory_bytes / 16, uint64_t{1} << 30})
             : uint64_t{256} << 20;
  report.read_bytes = fitting(int64_t{4} << 20, static_cast<int64_t>(most), tried * link_seconds,
                              [](int64_t bytes) { return static_cast<double>(bytes); });
  constexpr int attempts = 3;  // a ceiling is the best of them
  for (int i = 0; i < attempts; ++i) {
    HEED_ASSIGN(const double rate, read_rate(measurement, report.read_bytes));
    report.bandwidth = std::max(report.bandwidth, rate);
  }
  const int64_t threads = device && device->info().kind != vulkan::DeviceKind::software ? 1 << 18 : 1 << 10;
  for (int i = 0; i < attempts; ++i) {
    HEED_ASSIGN(const double rate, multiply_add_rate(measurement, false, threads));
    report.peak_f32 = std::max(report.peak_f32, rate);
    HEED_ASSIGN(const double half_rate, multiply_add_rate(measurement, true, threads));
    report.peak_f16 = std::max(report.peak_f16, half_rate);
  }
  MadeModel small;
  small.inputs = {{"y0", DataType::f32, {"128"}}};
  HEED_ASSIGN(auto x, noise(DataType::f32, {128}, 1));
  small.constants.emplace_back("x", std::move(x));
  std::string note = "";
  HEED_ASSIGN(report.dispatch_seconds, measurement.link_time(small, "y@ = heed.measure.Read(x, y$)", 64, 320, note));
  return {};
}

// ---- kernels beside their ceilings -------------------------------------------------------------------

// A kernel at a size that is chosen by how fast it is.
struct Scaled {
  std::string name;
  int64_t least, most;  // sizes, powers of two
  std::function<double(int64_t)> amount;
  std::function<std::string(int64_t)> what;
  std::function<Result<MadeModel>(int64_t)> make;
  std::string link;
  double ceiling;
  bool is_bytes;
};

// Small sizes tell little of large ones: the size is chosen again until it stays.
Result<Line> measure_scaled(const Measurement& measurement, const Scaled& kernel) {
  Line line;
  line.name = kernel.name;
  line.ceiling = kernel.ceiling;
  line.is_bytes = kernel.is_bytes;
  int64_t size = kernel.least;
  for (int attempt = 0; attempt < 4; ++attempt) {
    HEED_ASSIGN(auto made, kernel.make(size));
    line.what = kernel.what(size);
    line.amount = kernel.amount(size);
    auto seconds = measurement.link_time(std::move(made), kernel.link, 1, 4, line.note);
    if (!seconds) {
      line.note = seconds.error().message;
      break;
    }
    line.seconds = *seconds;
    const double per_amount = line.seconds / line.amount;
    const int64_t next =
        fitting(size, kernel.most, link_seconds, [&](int64_t larger) { return per_amount * kernel.amount(larger); });
    if (next == size) break;
    size = next;
  }
  return line;
}

Result<void> measure_kernels(const Measurement& measurement, DeviceReport& report) {
  const auto matrix_model = [](DataType type, int64_t rows, int64_t side) -> Result<MadeModel> {
    MadeModel made;
    made.inputs = {{"y0", type, {number(rows), number(side)}}};
    HEED_ASSIGN(auto w, noise(type, {side, side}, std::sqrt(3.0 / static_cast<double>(side))));
    made.constants.emplace_back("w", std::move(w));
    return made;
  };
  const auto attention_model = [](int64_t heads, int64_t width, int64_t query, int64_t keys) -> Result<MadeModel> {
    MadeModel made;
    made.inputs = {{"y0", DataType::f32, {"1", number(heads), number(query), number(width)}}};
    for (const std::string input : {"k", "v"}) {
      HEED_ASSIGN(auto tensor, noise(DataType::f32, {1, heads, keys, width}, 1));
      made.constants.emplace_back(input, std::move(tensor));
    }
    return made;
  };
  const auto square = [](int64_t n) { return static_cast<double>(n * n); };
  const auto cube = [](int64_t n) { return static_cast<double>(n * n * n); };
  const auto beyond_caches = [&](const std::function<double(int64_t)>& bytes, int64_t least) {  // as what reading read
    return fitting(least, 16384, static_cast<double>(report.read_bytes), bytes);
  };
  const std::string times = " x ", matmul = "y@ = MatMul(y$, w)", attention = "y@ = Attention(y$, k, v)";
  std::vector<Scaled> all;

  const auto row_bytes = [=](int64_t n) { return 4 * square(n); };
  const int64_t row = beyond_caches(row_bytes, 256);
  all.push_back({"decode matmul, f32", row, row, row_bytes,
                 [=](int64_t n) { return "[1, " + number(n) + "]" + times + "[" + number(n) + ", " + number(n) + "]"; },
                 [=](int64_t n) { return matrix_model(DataType::f32, 1, n); }, matmul, report.bandwidth, true});

  constexpr int64_t decode_heads = 32, decode_width = 128;
  const auto cache_bytes = [](int64_t keys) { return 8.0 * static_cast<double>(decode_heads * decode_width * keys); };
  const int64_t keys = beyond_caches(cache_bytes, 32);
  all.push_back({"decode attention, f32", keys, keys, cache_bytes,
                 [](int64_t n) {
                   return number(decode_heads) + " heads of " + number(decode_width) + ", 1 query, " + number(n) +
                          " keys";
                 },
                 [=](int64_t n) { return attention_model(decode_heads, decode_width, 1, n); }, attention,
                 report.bandwidth, true});

  for (const DataType type : {DataType::f32, DataType::f16})
    all.push_back({"matmul, " + std::string(name_of(type)), 64, 4096, [=](int64_t n) { return 2 * cube(n); },
                   [=](int64_t n) { return number(n) + times + number(n) + times + number(n); },
                   [=](int64_t n) { return matrix_model(type, n, n); }, matmul,
                   type == DataType::f16 && report.peak_f16 > 0 ? report.peak_f16 : report.peak_f32, false});

  constexpr int64_t heads = 12, width = 64;
  all.push_back(
      {"prefill attention, f32", 32, 4096,
       [=](int64_t n) { return 4.0 * static_cast<double>(heads * width) * square(n); },
       [](int64_t n) { return number(heads) + " heads of " + number(width) + ", " + number(n) + " queries and keys"; },
       [=](int64_t n) { return attention_model(heads, width, n, n); }, attention, report.peak_f32, false});
  for (const auto& kernel : all) {
    HEED_ASSIGN(auto line, measure_scaled(measurement, kernel));
    report.lines.push_back(std::move(line));
  }
  return {};
}

// ---- a decoder -------------------------------------------------------------------------------------------

struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "heed_report_XXXXXX").string();
    if (mkdtemp(name.data())) path = name;
  }
  ~TemporaryFolder() {
    std::error_code failure;
    if (!path.empty()) std::filesystem::remove_all(path, failure);
  }
  std::filesystem::path path;  // empty where there is none
};

// Loading, and the first token of a prompt: with no pipelines on disk, then with those of the time before.
// `rate`: operations a second of a matmul, by which the prompt is as long as two seconds allow.
Result<Decoding> measure_decoding(const Measurement& measurement, double rate) {
  constexpr double operations_per_token = 2 * 124e6, prompt_seconds = 2, decode_seconds = 4;
  constexpr int64_t most_tokens = 16;
  Decoding result;
  result.prompt = std::clamp<int64_t>(static_cast<int64_t>(rate * prompt_seconds / operations_per_token), 1, 16);
  HEED_ASSIGN(const MadeModel gpt2, gpt2_small());
  const TemporaryFolder folder;
  if (folder.path.empty()) return Error{Code::io, "there is no folder for temporary files"};
  ModelOptions options = measurement.options();
  options.append = "last = Constant<value_ints = [-1]>() token = ArgMax<axis = -1>(Gather<axis = 1>(logits, last))";
  options.outputs = gpt2.outputs;
  options.outputs.front() = "token";  // the logits stay
  std::erase_if(options.kernel_options, [](const auto& option) { return option.first == "vulkan.cache"; });
  options.kernel_options.emplace_back("vulkan.cache", folder.path.string());
  const std::vector<int64_t> ids(static_cast<size_t>(result.prompt), 1000);
  for (const bool is_warm : {false, true}) {
    HEED_ASSIGN(auto file, build(gpt2));
    const auto begin = Clock::now();
    HEED_ASSIGN(const auto model, Model::load(std::move(file), measurement.registry(), options));
    HEED_ASSIGN(const auto session, Session::create(model));
    const auto decode = [&](const std::vector<int64_t>& read) -> Result<void> {
      std::vector<int64_t> positions(read.size());
      std::iota(positions.begin(), positions.end(), session->state_length());
      Session::NamedValues inputs(2);
      for (size_t i = 0; i < inputs.size(); ++i) {
        inputs[i].first = gpt2.inputs[i].name;
        inputs[i].second.tensor =
            Tensor::of<int64_t>(DataType::i64, {1, static_cast<int64_t>(read.size())}, i == 0 ? read : positions);
      }
      HEED_TRY(session->run(inputs));
      return {};
    };
    HEED_TRY(decode(ids));
    (is_warm ? result.warm_seconds : result.cold_seconds) = seconds_since(begin);
    if (!is_warm) continue;
    constexpr int64_t next = 11;
    if (result.warm_seconds < decode_seconds) HEED_TRY(decode({next}));  // recorded, to submit again
    const double submissions = static_cast<double>(session->submission_count()),
                 dispatches = static_cast<double>(session->dispatch_count()),
                 barriers = static_cast<double>(session->barrier_count());
    std::vector<double> times;
    const auto decoding = Clock::now();
    while (times.empty() || (times.size() < most_tokens && seconds_since(decoding) < decode_seconds)) {
      const auto start = Clock::now();
      HEED_TRY(decode({next}));
      times.push_back(seconds_since(start));
    }
    std::sort(times.begin(), times.end());
    const auto tokens = static_cast<double>(times.size());
    result.token_seconds = times[times.size() / 2];
    result.submissions = (static_cast<double>(session->submission_count()) - submissions) / tokens;
    result.dispatches = (static_cast<double>(session->dispatch_count()) - dispatches) / tokens;
    result.barriers = (static_cast<double>(session->barrier_count()) - barriers) / tokens;
    for (const auto& [name, tensor] : gpt2.constants) result.weight_bytes += tensor.size_bytes;
    result.note = Measurement::where_else(*model);
    result.peak_bytes = model->device() ? model->device()->most_held_bytes() : 0;
  }
  return result;
}

// ---- each kernel beside the CPU's scalar one -------------------------------------------------------------

struct KernelCase {
  const char* name;
  const char* text;  // "y = ..." of x (and w): constants, so that a run moves nothing but y
  std::vector<int64_t> x, w = {};
  double operations = 0;  // where they are more than a few an element
};

const KernelCase kernel_cases[] = {
    {"Add", "y = Add(x, w)", {256, 1024}, {1024}},
    {"Erf", "y = Erf(x)", {256, 1024}},
    {"Pow", "y = Pow(Abs(x), w)", {256, 1024}, {1024}},
    {"Where", "y = Where(Less(x, w), x, w)", {256, 1024}, {1024}},
    {"Cast", "y = Cast<to = 6>(x)", {256, 1024}},
    {"Softmax", "y = Softmax<axis = -1>(x)", {256, 1024}},
    {"Softmax, first axis", "y = Softmax<axis = 0>(x)", {256, 1024}},
    {"LayerNormalization", "y = LayerNormalization<axis = -1>(x, w, w)", {256, 1024}, {1024}},
    {"RMSNormalization", "y = RMSNormalization<axis = -1>(x, w)", {256, 1024}, {1024}},
    {"ReduceSum", "y = ReduceSum<keepdims = 0>(x, Constant<value_ints = [1]>())", {256, 1024}},
    {"ReduceMax, first axis", "y = ReduceMax<keepdims = 0>(x, Constant<value_ints = [0]>())", {256, 1024}},
    {"ArgMax", "y = ArgMax<axis = -1>(x)", {256, 1024}},
    {"Gather", "y = Gather(x, Constant<value_ints = [7, 3, 200, 100, 31, 8, 9, 1]>())", {256, 1024}},
    {"Trilu", "y = Trilu(x)", {512, 512}},
    {"Transpose", "y = Relu(Transpose<perm = [1, 0]>(x))", {512, 512}},
    {"Concat", "y = Concat<axis = 1>(x, x)", {256, 512}},
    {"MatMul", "y = MatMul(x, w)", {128, 256}, {256, 256}, 2.0 * 128 * 256 * 256},
    {"MatMul, one row", "y = MatMul(x, w)", {1, 1024}, {1024, 1024}, 2.0 * 1024 * 1024},
    {"Attention", "y = Attention(x, x, x)", {1, 4, 64, 64}, {}, 4.0 * 4 * 64 * 64 * 64},
    {"Attention, causal", "y = Attention<is_causal = 1>(x, x, x)", {1, 4, 64, 64}, {}, 2.0 * 4 * 64 * 64 * 64},
};

Result<void> compare_kernels(const Measurement& measurement, DeviceReport& report) {
  ModelOptions on_device = measurement.options(), scalar = on_device;
  on_device.fold = scalar.fold = false;
  scalar.device = "cpu";
  scalar.require_gpu = false;
  scalar.kernel_options.emplace_back("kernel", "scalar");
  for (const auto& tested : kernel_cases) {
    MadeModel made;
    made.statements = tested.text;
    made.outputs = {"y"};
    HEED_ASSIGN(auto x, noise(DataType::f32, tested.x, 1));
    made.constants.emplace_back("x", std::move(x));
    if (!tested.w.empty()) {
      HEED_ASSIGN(auto w, noise(DataType::f32, tested.w, 1));
      made.constants.emplace_back("w", std::move(w));
    }
    KernelLine line;
    line.name = tested.name;
    line.what = to_string(tested.x) + (tested.w.empty() ? "" : ", " + to_string(tested.w));
    double bytes = 0;
    for (const auto& [name, tensor] : made.constants) bytes += static_cast<double>(tensor.size_bytes);
    line.device_seconds = bytes / report.bandwidth + tested.operations / report.peak_f32;
    const auto time_of = [&](const ModelOptions& options, double& seconds, std::string* note) -> Result<void> {
      const Measurement side(measurement.registry(), options);
      HEED_ASSIGN(const auto model, side.load(made));
      if (note) *note = Measurement::where_else(*model);
      HEED_ASSIGN(seconds, side.run_seconds(model));
      return {};
    };
    auto timed = time_of(on_device, line.seconds, &line.note);
    if (timed) timed = time_of(scalar, line.scalar_seconds, nullptr);
    if (!timed) line.note = timed.error().message;
    report.kernels.push_back(std::move(line));
  }
  return {};
}

// ---- telling ---------------------------------------------------------------------------------------------

// Why kernels that pass values through shared memory are slow on a processor: llvmpipe's memory accesses.
std::string pace_of_software(const DeviceReport& report) {
  return "a software device carries out each lane's access to a buffer or to shared memory by itself, its bounds checked: "
         "4 bytes in " +
         time_text(4 / report.bandwidth) + " here. A kernel takes that for each access of an element, not for its bytes alone";
}

void print_json(const DeviceReport& report) {
  nlohmann::json json = {{"device", report.device},
                         {"driver", report.driver},
                         {"threads", report.threads},
                         {"read_bytes_per_s", report.bandwidth},
                         {"peak_f32_per_s", report.peak_f32},
                         {"peak_f16_per_s", report.peak_f16},
                         {"dispatch_us", report.dispatch_seconds * 1e6},
                         {"kernels", nlohmann::json::array()}};
  for (const auto& line : report.lines) {
    nlohmann::json entry = {{"name", line.name}, {"sizes", line.what}, {"note", line.note}};
    if (line.seconds > 0) {
      entry["ms"] = line.seconds * 1e3;
      entry[line.is_bytes ? "bytes_per_s" : "operations_per_s"] = line.amount / line.seconds;
      if (line.note.empty()) entry["share"] = line.amount / line.seconds / line.ceiling;
    }
    json["kernels"].push_back(std::move(entry));
  }
  if (const auto& d = report.decoding) {
    json["gpt2_small"] = {{"token_ms", d->token_seconds * 1e3},
                          {"submissions_per_token", d->submissions},
                          {"dispatches_per_token", d->dispatches},
                          {"barriers_per_token", d->barriers},
                          {"prompt", d->prompt},
                          {"note", d->note},
                          {"first_token_cold_ms", d->cold_seconds * 1e3},
                          {"first_token_warm_ms", d->warm_seconds * 1e3},
                          {"weight_bytes", d->weight_bytes},
                          {"peak_bytes", d->peak_bytes}};
  } else {
    json["gpt2_small"] = {{"note", report.no_decoding}};
  }
  for (const auto& line : report.kernels)
    json["beside_scalar"].push_back({{"name", line.name},
                                     {"sizes", line.what},
                                     {"ms", line.seconds * 1e3},
                                     {"scalar_ms", line.scalar_seconds * 1e3},
                                     {"ratio", line.scalar_seconds > 0 ? line.ratio() : 0},
                                     {"slow", line.is_slow()},
                                     {"times_own_pace", line.paces()},
                                     {"note", line.note}});
  if (report.is_software) json["note"] = pace_of_software(report);
  std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

void print(const DeviceReport& report) {
  using enum Table::Align;
  const bool on_gpu = !report.driver.empty();
  std::cout << report.device << (on_gpu ? ", " + report.driver : ", " + std::to_string(report.threads) + " threads")
            << "\n";
  Table ceilings({left, right, left});
  ceilings.add({"reading", rate_text(report.bandwidth, "B/s"), size_text(static_cast<double>(report.read_bytes))});
  ceilings.add({"peak, f32", rate_text(report.peak_f32, "FLOP/s"), "multiplications and additions in registers"});
  ceilings.add({"peak, f16", report.peak_f16 > 0 ? rate_text(report.peak_f16, "FLOP/s") : "-",
                report.peak_f16 > 0 ? ""
                : on_gpu            ? "the device does not compute with f16"
                                    : "f16 is computed as f32"});
  ceilings.add({on_gpu ? "a dependent dispatch" : "a dependent step", time_text(report.dispatch_seconds), ""});
  ceilings.print(std::cout);
  std::cout << "\n";
  Table table({left, left, right, right, right, left});
  for (const auto& line : report.lines) {
    const bool timed = line.seconds > 0;
    const double rate = timed ? line.amount / line.seconds : 0;
    table.add({line.name, line.what, timed ? time_text(line.seconds) : "-",
               timed ? rate_text(rate, line.is_bytes ? "B/s" : "FLOP/s") : "",
               timed && line.note.empty()
                   ? text_of("%.0f %% of ", 100 * rate / line.ceiling) + (line.is_bytes ? "reading" : "peak")
                   : "",
               cut(line.note, 40)});
  }
  table.print(std::cout);
  std::cout << "\nGPT-2 small, random weights";
  if (const auto& d = report.decoding) {
    std::cout << " (" << size_text(static_cast<double>(d->weight_bytes)) << ")\n";
    Table decoding({left, right, left});
    char text[120];
    std::snprintf(text, sizeof text, "%.4g submissions, %.4g dispatches, %.4g barriers", d->submissions, d->dispatches,
                  d->barriers);
    decoding.add({"a decoded token", time_text(d->token_seconds), on_gpu ? text : ""});
    const std::string prompt = "loading and a prompt of " + number(d->prompt);
    decoding.add({"first token, cold", time_text(d->cold_seconds), prompt + (on_gpu ? ", no pipelines on disk" : "")});
    decoding.add({"first token, warm", time_text(d->warm_seconds), prompt});
    if (on_gpu)
      decoding.add({"memory of the device at most", size_text(static_cast<double>(d->peak_bytes)),
                    text_of("%.2f times the weights",
                            static_cast<double>(d->peak_bytes) / static_cast<double>(d->weight_bytes))});
    decoding.print(std::cout);
    if (!d->note.empty()) std::cout << "  " << d->note << "\n";
  } else {
    std::cout << ": " << report.no_decoding << "\n";
  }
  if (report.kernels.empty()) return;
  std::cout << "\neach kernel beside the CPU's scalar one: a whole run, y brought to the host\n";
  Table kernels({left, left, right, right, right, left});
  kernels.add({"", "", "here", "scalar", "ratio", ""});
  int64_t slow = 0, own_pace = 0;
  for (const auto& line : report.kernels) {
    const bool timed = line.scalar_seconds > 0;
    slow += line.is_slow();
    own_pace += line.is_slow() && line.is_own_pace();
    const std::string why = text_of(line.is_own_pace() ? "the device's own pace: %.1f times what its bytes take"
                                                       : "slow: %.1f times what its bytes take",
                                    line.paces());
    kernels.add({line.name, line.what, timed ? time_text(line.seconds) : "-",
                 timed ? time_text(line.scalar_seconds) : "", timed ? text_of("%.1f", line.ratio()) : "",
                 line.is_slow() ? why : cut(line.note, 40)});
  }
  kernels.print(std::cout);
  std::cout << slow << " of " << report.kernels.size() << " are slower than ten times the scalar kernel"
            << (own_pace ? ", " + number(own_pace) + " of them at the device's own pace\n" : "\n");
  if (slow > own_pace && report.is_software) std::cout << pace_of_software(report) << "\n";
}

}  // namespace

Result<void> report_device(const RunOptions& run_options, bool kernels, bool json) {
  static Registry* const registry = new Registry;  // outlives every model
  for (const auto& plugin : run_options.plugins) HEED_TRY(registry->load_plugin(plugin));
  for (const auto entry : built_in_plugins) HEED_TRY(registry->add_built_in(entry));
  HEED_TRY(registry->add_built_in(heed_measuring_entry));
  HEED_ASSIGN(const ModelOptions options, run_options.model_options());
  const Measurement measurement(*registry, options);
  DeviceReport report;
  std::shared_ptr<vulkan::Device> device;  // held, so that models share it
  {
    MadeModel small{.inputs = {{"x", DataType::f32, {"1"}}}, .statements = "y = Neg(x)", .outputs = {"y"}};
    HEED_ASSIGN(const auto model, measurement.load(small));
    for (const auto& notice : model->notices()) std::cerr << "note: " << notice << "\n";
    device = model->device();
    report.threads = model->threads().thread_count();
    report.device = device ? "vulkan:" + std::to_string(device->info().index) + "  " + device->info().name : "cpu";
    report.driver = device ? device->info().driver : "";
    report.is_software = device && device->info().kind == vulkan::DeviceKind::software;
  }
  HEED_TRY(measure_ceilings(measurement, device.get(), report));
  HEED_TRY(measure_kernels(measurement, report));
  const Line& matmul = report.lines[2];
  const double rate = matmul.seconds > 0 ? matmul.amount / matmul.seconds : report.peak_f32;
  if (auto decoding = measure_decoding(measurement, rate))
    report.decoding = *decoding;
  else
    report.no_decoding = decoding.error().message;
  if (kernels) HEED_TRY(compare_kernels(measurement, report));
  json ? print_json(report) : print(report);
  return {};
}

}  // namespace heed::tool
