// heed compare: the same run on two devices, or against given values, node by node: the first node that differs, by how
// much, and why that may be.
#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "compare_values.hpp"
#include "files/npz.hpp"
#include "inputs.hpp"
#include "onnx/read_model.hpp"
#include "open_model.hpp"
#include "table.hpp"
#include "vulkan/device.hpp"

namespace heed::tool {
namespace {

constexpr double largest_f16 = 65504;

struct Options {
  std::string model, with;
  InputRequest inputs;
  std::string tolerance_text;
  Tolerance tolerance;
  bool tolerance_given = false, absolute_given = false, no_rewrite = false, all = false, json = false;
};

// A value as one side computed it. Values are matched by name: bodies' begin with the names of the nodes around, and
// what is computed again, as in a loop, counts on.
struct Seen {
  std::string key, node, op_type, on;
  HostValue value;
  std::vector<std::string> inputs;  // keys of what the node read; "" where nobody computed it
};

// What a run's steps gave, in their order.
class Watcher {
 public:
  Watcher(Session& session, std::function<void(Seen)> take) : take_(std::move(take)) {
    const Plan& plan = session.model().plan();
    describe(plan, "");
    session.observe_values(
        [this](const Plan& of, uint32_t step, std::span<const HostValue> outputs) { see(of, step, outputs); });
  }

 private:
  // The places of a plan and its bodies, and which values look at others.
  void describe(const Plan& plan, const std::string& path) {
    paths_[&plan] = path;
    for (const SlotId input : plan.inputs)
      if (path.empty()) keys_[{&plan, plan.slots[input].value}] = plan.slots[input].name;
    for (const Step& step : plan.steps)
      for (const auto& body : step.bodies) describe(*body, path + plan.graph->nodes[step.node].name + "/");
  }

  // The key of what a value's elements were computed as.
  std::string key_of(const Plan& plan, SlotId slot) const {
    if (slot == no_id) return "";
    const ValueId value = plan.slots[slot].value;
    if (const auto found = keys_.find({&plan, value}); found != keys_.end()) return found->second;
    const NodeId producer = value == no_id ? no_id : plan.graph->values[value].producer;
    for (const Step& step : plan.steps)
      if (step.kind == StepKind::view && step.node == producer && producer != no_id)
        return key_of(plan, step.inputs[0]);
    return "";
  }

  void see(const Plan& plan, uint32_t index, std::span<const HostValue> outputs) {
    const Step& step = plan.steps[index];
    if (step.node == no_id) return;  // a transfer
    const Node& node = plan.graph->nodes[step.node];
    std::vector<std::string> inputs;
    for (const SlotId input : step.inputs) inputs.push_back(key_of(plan, input));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (step.outputs[i] == no_id) continue;
      const ValueId value = plan.slots[step.outputs[i]].value;
      std::string key = paths_[&plan] + plan.graph->values[value].name;
      if (const int64_t times = counts_[key]++) key += "#" + std::to_string(times);
      keys_[{&plan, value}] = key;
      const std::string kernel = step.cpu ? " " + std::string(step.cpu->name.data, step.cpu->name.size) : "";
      take_({key, paths_[&plan] + node.name, (node.domain.empty() ? "" : node.domain + ".") + node.op_type,
             step.kind == StepKind::gpu ? "vulkan" : "cpu" + kernel, outputs[i], inputs});
    }
  }

  std::function<void(Seen)> take_;
  std::map<const Plan*, std::string> paths_;
  std::map<std::pair<const Plan*, ValueId>, std::string> keys_;
  std::map<std::string, int64_t> counts_;
};

// What is held against each value: another device's, or a file's.
struct Expected {
  std::string on;
  HostValue value;
};
using Reference = std::map<std::string, Expected>;

struct Compared {
  std::string key, node, op_type, on, expected_on;
  std::vector<std::string> inputs;
  std::string type = "";  // "f32 [2, 3]"
  DataType element = DataType::undefined;
  std::vector<int64_t> dims = {};
  Distance distance = {};
};

struct Cause {
  std::string kind, text;
};

struct Comparison {
  std::string left, right;  // "vulkan:0", "cpu", "values.npz"
  std::vector<Compared> values;
  std::map<std::string, size_t> by_key;
  std::vector<std::string> fused_away;  // of a file's
  std::optional<size_t> first;
  Cause cause;
};

// verify's tolerance, and what the format's own steps make unavoidable: f32 is left 1e-5 of a value's largest number
// for sums that cancel, narrower types 4 steps of each number and 1 of the largest.
Tolerance tolerance_for(DataType type, const Options& options) {
  Tolerance tolerance = options.tolerance;
  if (options.absolute_given) return tolerance;
  const double step = type == DataType::f16 ? 0x1p-10 : type == DataType::bf16 ? 0x1p-7 : 0;
  tolerance.of_largest = std::max(1e-5, step);
  if (!options.tolerance_given) tolerance.relative = std::max(tolerance.relative, 4 * step);
  return tolerance;
}

std::string number_text(double number, int digits = 6) {
  if (std::isnan(number)) return "NaN";
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, number);
  return text;
}

// "[0, 1, 3]" of an element's place in row-major order.
std::string place_text(const std::vector<int64_t>& dims, size_t at) {
  std::vector<int64_t> place(dims.size());
  auto rest = static_cast<int64_t>(at);
  for (size_t axis = dims.size(); axis-- > 0;) {
    place[axis] = rest % std::max<int64_t>(dims[axis], 1);
    rest /= std::max<int64_t>(dims[axis], 1);
  }
  return to_string(place);
}

const Compared* find(const Comparison& all, const std::string& key) {
  const auto found = all.by_key.find(key);
  return found == all.by_key.end() ? nullptr : &all.values[found->second];
}

// The input that is farthest from what it should be; null where none was compared.
const Compared* worst_input(const Comparison& all, const Compared& of) {
  const Compared* worst = nullptr;
  for (const auto& key : of.inputs)
    if (const auto* input = find(all, key); input && (!worst || input->distance.scaled() > worst->distance.scaled()))
      worst = input;
  return worst;
}

std::string of_largest(const Compared& value) {
  return number_text(value.distance.scaled(), 2) + " of its largest number";
}

Cause cause_of(const Comparison& all, const Compared& value) {
  const Distance& d = value.distance;
  if (!d.mismatch.empty()) return {"shape", "the two sides disagree about kind, type, shape or text"};
  const Compared* worst = worst_input(all, value);
  const auto inputs_are_finite = [&](bool Distance::*side) {
    return std::all_of(value.inputs.begin(), value.inputs.end(), [&](const auto& key) {
      const auto* input = find(all, key);
      return !input || input->distance.*side;
    });
  };
  const bool half = value.element == DataType::f16;
  const double other = std::isfinite(d.met) ? d.met : d.expected;
  if (half && !std::isnan(d.met) && !std::isnan(d.expected) && std::abs(other) > largest_f16)
    return {"overflow_f16", "overflow in fp16: the number is " + number_text(other) +
                                " there, and the largest that f16 holds is 65504"};
  for (const auto& [finite, number, where] : {std::tuple(&Distance::met_is_finite, d.met, all.left),
                                              std::tuple(&Distance::expected_is_finite, d.expected, all.right)}) {
    if (d.*finite || std::isfinite(number) || !inputs_are_finite(finite)) continue;
    const std::string what = std::isnan(number) ? "NaN" : "infinity";
    if (half)
      return {"overflow_f16", what + " appears here on " + where +
                                  ", from finite inputs: f16 ends at 65504, so an "
                                  "overflow in fp16 is likely"};
    return {std::isnan(number) ? "nan" : "infinity", what + " appears here on " + where + ", from finite inputs"};
  }
  const bool decides = value.element != DataType::undefined && d.count && value.element != DataType::f32 && !half &&
                       value.element != DataType::bf16 && value.element != DataType::f64;
  if (decides && worst && worst->distance.scaled() > 0)
    return {"accumulated", "'" + worst->key + "' differs a little (" + of_largest(*worst) +
                               "): a choice between nearly equal numbers fell otherwise"};
  const Compared* origin = &value;
  constexpr double about_as_much = 10;
  std::set<const Compared*> met;
  while (met.insert(origin).second) {
    const Compared* input = worst_input(all, *origin);
    if (!input || !(input->distance.scaled() * about_as_much > origin->distance.scaled())) break;
    origin = input;
  }
  if (origin != &value)
    return {"accumulated", "accumulated error: '" + worst->key + "', which it reads, already differs by " +
                               of_largest(*worst) + ". It began at node '" + origin->node + "' (" + origin->op_type +
                               "), with " + of_largest(*origin)};
  return {"kernel", "this node's kernel: " + (worst && worst->distance.scaled() > 0
                                                  ? "what it reads differs by no more than " + of_largest(*worst)
                                                  : "what it reads is the same on both sides")};
}

Result<std::vector<NpzEntry>> read_values(const std::string& path) {
  if (!path.ends_with(".npz"))
    return Error{Code::invalid_argument, "--with " + path + ": expected cpu, vulkan[:N], or a .npz file"};
  return read_npz(path);
}

// Arrays of the file that are the model's inputs, where they are not given otherwise.
void add_inputs(const Model& model, const std::vector<NpzEntry>& entries, Session::NamedValues& inputs) {
  for (const SlotId input : model.plan().inputs) {
    const std::string& name = model.plan().slots[input].name;
    if (std::any_of(inputs.begin(), inputs.end(), [&](const auto& given) { return given.first == name; })) continue;
    for (const auto& entry : entries)
      if (entry.name == name) inputs.emplace_back(name, HostValue{Kind::tensor, entry.tensor});
  }
}

// Fails on arrays that are no values of the model; finds those that the model has no longer.
Result<std::vector<std::string>> find_fused_away(const std::string& model, const std::vector<NpzEntry>& entries,
                                                 const Comparison& all) {
  HEED_ASSIGN(const auto path, find_model(model));
  HEED_ASSIGN(const ModelFile file, read_model(path));
  std::set<std::string> names;
  for (const Value& value : file.graph->values) names.insert(value.name);
  std::vector<std::string> gone;
  std::string unknown;
  for (const auto& entry : entries) {
    if (!names.count(entry.name)) unknown += (unknown.empty() ? "'" : ", '") + entry.name + "'";
    const auto id = file.graph->find_value(entry.name);
    const bool computed = id && file.graph->values[*id].producer != no_id;
    if (computed && !all.by_key.count(entry.name)) gone.push_back(entry.name);
  }
  if (!unknown.empty())
    return Error{Code::invalid_argument,
                 model + " has no value " + unknown + "; `heed inspect` lists inputs and outputs"};
  return gone;
}

void add(Comparison& all, Compared compared, const HostValue& met, const HostValue& expected, const Options& options) {
  if (met.kind == Kind::tensor) {
    compared.element = met.tensor.type;
    compared.type = to_string(met.tensor);
    compared.dims = met.tensor.dims;
  }
  compared.distance = distance(met, expected, tolerance_for(compared.element, options));
  all.by_key[compared.key] = all.values.size();
  all.values.push_back(std::move(compared));
  if (!all.first && !all.values.back().distance.agrees()) all.first = all.values.size() - 1;
}

std::string side_name(const Model& model) {
  return model.device() ? "vulkan:" + std::to_string(model.device()->info().index) : "cpu";
}

Result<Comparison> compare_runs(Options& options, RunOptions run_options) {
  const bool against_file = options.with.ends_with(".npz");
  const bool against_device = options.with == "cpu" || options.with.starts_with("vulkan");
  std::vector<NpzEntry> entries;
  if (!against_device) {
    HEED_ASSIGN(entries, read_values(options.with));
  } else if (run_options.device == "auto") {
    run_options.device = options.with == "cpu" ? "vulkan" : "cpu";
  }
  if (run_options.device == options.with)
    return Error{Code::invalid_argument, "both sides are '" + options.with + "': give --device and --with two devices"};
  HEED_ASSIGN(options.inputs.dims, run_options.dim_values());
  HEED_ASSIGN(const auto path, find_model(options.model));
  const auto open = [&](const std::string& device) -> Result<std::shared_ptr<const Model>> {
    HEED_ASSIGN(const Registry* registry, open_registry(run_options));
    RunOptions of_side = run_options;
    of_side.device = device;
    of_side.require_gpu &= device != "cpu";
    HEED_ASSIGN(ModelOptions model_options, of_side.model_options());
    model_options.rewrite = !options.no_rewrite;
    return Model::load(path, *registry, model_options);
  };
  HEED_ASSIGN(const auto model, open(run_options.device));
  Comparison all;
  all.left = side_name(*model);
  HEED_ASSIGN(auto inputs, make_inputs(*model, options.inputs, path.parent_path()));
  Reference reference;
  if (against_file) {
    all.right = path.filename() == options.with ? "file" : std::filesystem::path(options.with).filename().string();
    for (const auto& entry : entries) reference[entry.name] = {"", HostValue{Kind::tensor, entry.tensor}};
    add_inputs(*model, entries, inputs);
  } else {
    HEED_ASSIGN(const auto other, open(options.with));
    all.right = side_name(*other);
    HEED_ASSIGN(const auto session, Session::create(other, {.limits = run_options.run_limits()}));
    const Watcher watcher(*session, [&](Seen seen) { reference[seen.key] = {seen.on, std::move(seen.value)}; });
    HEED_ASSIGN(const auto outputs, session->run(inputs));
    for (const auto& [name, value] : outputs) reference.emplace(name, Expected{"", value});
  }
  for (const auto& [name, value] : inputs) {  // the same on both sides
    Compared input{name, "", "input", "", "", {}};
    if (value.kind == Kind::tensor) {
      input.type = to_string(value.tensor);
      input.distance = distance(value, value, options.tolerance);
    }
    all.by_key[name] = all.values.size();
    all.values.push_back(std::move(input));
  }
  HEED_ASSIGN(const auto session, Session::create(model, {.limits = run_options.run_limits()}));
  const Watcher watcher(*session, [&](const Seen& seen) {
    const auto expected = reference.find(seen.key);
    if (expected == reference.end()) return;
    add(all, {seen.key, seen.node, seen.op_type, seen.on, expected->second.on, seen.inputs}, seen.value,
        expected->second.value, options);
  });
  HEED_ASSIGN(const auto outputs, session->run(inputs));
  for (const auto& [name, value] : outputs)  // those that are views
    if (const auto expected = reference.find(name); expected != reference.end() && !all.by_key.count(name))
      add(all, {name, name, "output", "", "", {}}, value, expected->second.value, options);
  if (against_file) {
    HEED_ASSIGN(all.fused_away, find_fused_away(options.model, entries, all));
  }
  if (all.values.size() == inputs.size())
    return Error{Code::invalid_argument,
                 "nothing to compare: " + (all.fused_away.empty()
                                               ? all.right + " holds no value that the model computes"
                                               : "every value of the file was fused or folded away; --no-rewrite and "
                                                 "--no-fold keep the nodes as they stand in the file")};
  if (all.first) all.cause = cause_of(all, all.values[*all.first]);
  return all;
}

nlohmann::json number_json(double number) {  // JSON has neither infinity nor NaN
  return std::isfinite(number) ? nlohmann::json(number) : nlohmann::json(number_text(number));
}

nlohmann::json report_of(const Compared& value) {
  const Distance& d = value.distance;
  nlohmann::json report = {{"value", value.key},
                           {"node", value.node},
                           {"op_type", value.op_type},
                           {"on", value.on},
                           {"with", value.expected_on},
                           {"type", value.type},
                           {"agrees", d.agrees()},
                           {"max_absolute", number_json(d.absolute)},
                           {"max_relative", number_json(d.scaled())}};
  if (!d.mismatch.empty()) report["mismatch"] = d.mismatch;
  if (d.differing) {
    report["differing"] = d.differing;
    report["elements"] = d.count;
    report["at"] = d.at;
    report["met"] = number_json(d.met);
    report["expected"] = number_json(d.expected);
  }
  return report;
}

bool is_input(const Compared& value) { return value.op_type == "input" && value.node.empty(); }

void print_json(const Comparison& all) {
  nlohmann::json report = {{"left", all.left},
                           {"right", all.right},
                           {"agrees", !all.first},
                           {"fused_away", all.fused_away},
                           {"values", nlohmann::json::array()}};
  for (const auto& value : all.values)
    if (!is_input(value)) report["values"].push_back(report_of(value));
  if (all.first) {
    report["first"] = report_of(all.values[*all.first]);
    report["cause"] = {{"kind", all.cause.kind}, {"text", all.cause.text}};
  }
  std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

// Words in lines of at most 120 characters, indented, those after the first by two more.
void print_wrapped(const std::string& text, size_t indent) {
  constexpr size_t width = 120;
  std::istringstream words(text);
  std::string line(indent, ' ');
  size_t begin = indent;
  for (std::string word; words >> word;) {
    if (line.size() > begin && line.size() + 1 + word.size() > width) {
      std::cout << line << "\n";
      begin = indent + 2;
      line.assign(begin, ' ');
    }
    line += (line.size() > begin ? " " : "") + word;
  }
  std::cout << line << "\n";
}

void print_first(const Comparison& all) {
  const Compared& value = all.values[*all.first];
  const Distance& d = value.distance;
  std::cout << "\n";
  print_wrapped("the first node that differs: '" + value.node + "' (" + value.op_type + "), value '" + value.key +
                    "' " + value.type,
                0);
  for (size_t i = 0; i < value.inputs.size(); ++i)
    if (const auto* input = find(all, value.inputs[i])) {
      const double scaled = input->distance.scaled();
      std::cout << "  input " << i << "  '" << input->key << "' " << input->type << "  "
                << (is_input(*input) ? "given"
                    : scaled == 0    ? "the same"
                                     : "differs by " + of_largest(*input))
                << "\n";
    }
  if (!d.mismatch.empty()) {
    std::cout << "  " << d.mismatch << "\n";
  } else {
    std::cout << "  " << d.differing << " of " << d.count << " elements differ; the first is "
              << place_text(value.dims, d.at) << ": " << number_text(d.met, 9) << " on " << all.left << ", "
              << number_text(d.expected, 9) << " on " << all.right << "\n  largest difference "
              << number_text(d.absolute, 3) << (std::isfinite(d.absolute) ? ", " + of_largest(value) : "") << "\n";
  }
  print_wrapped("likely cause: " + all.cause.text, 2);
}

void print(const Comparison& all, const Options& options) {
  std::vector<const Compared*> shown;
  for (const auto& value : all.values)
    if (!is_input(value)) shown.push_back(&value);
  const size_t count = shown.size();
  const size_t differing = static_cast<size_t>(
      std::count_if(shown.begin(), shown.end(), [](const auto* value) { return !value->distance.agrees(); }));
  constexpr size_t most_rows = 10;
  std::string title = "all of them:";
  if (!options.all && count > most_rows) {
    if (differing) {
      std::erase_if(shown, [](const auto* value) { return value->distance.agrees(); });
      title = "those that differ, in the order in which they are computed:";
    } else {
      std::stable_sort(shown.begin(), shown.end(),
                       [](const auto* a, const auto* b) { return a->distance.scaled() > b->distance.scaled(); });
      title = "the largest differences:";
    }
    if (shown.size() > most_rows) shown.resize(most_rows);
  }
  std::cout << options.model << ": " << count << " values on " << all.left << " against " << all.right << "; " << title
            << "\n";
  Table table({Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left, Table::Align::left,
               Table::Align::right, Table::Align::right, Table::Align::left});
  table.add({"node", "operator", "on", "with", "value", "max abs", "max rel", ""});
  for (const auto* value : shown) {
    const Distance& d = value->distance;
    table.add({cut_front(value->node, 24), cut(value->op_type, 22), cut(value->on, 10), cut(value->expected_on, 10),
               cut(value->type, 20), d.mismatch.empty() ? number_text(d.absolute, 2) : "-",
               d.mismatch.empty() ? number_text(d.scaled(), 2) : "-", d.agrees() ? "" : "differs"});
  }
  table.print(std::cout);
  if (!all.fused_away.empty()) {
    std::string text = std::to_string(all.fused_away.size()) + " of the file's values were fused or folded away:";
    for (size_t i = 0; i < std::min<size_t>(all.fused_away.size(), 4); ++i) text += " '" + all.fused_away[i] + "'";
    print_wrapped(text + (all.fused_away.size() > 4 ? " ..." : "") +
                      "; --no-rewrite and --no-fold keep the nodes as they stand in the file",
                  2);
  }
  if (all.first) {
    print_first(all);
  } else {
    std::cout << "all agree\n";
    const auto strange = std::find_if(all.values.begin(), all.values.end(),
                                      [](const auto& value) { return !value.distance.met_is_finite; });
    if (strange != all.values.end())
      print_wrapped("note: both sides have infinity or NaN, first in '" + strange->key + "' (" + strange->op_type + ")",
                    0);
  }
}

Result<Tolerance> read_tolerance(const std::string& text) {
  Tolerance tolerance;
  char* end = nullptr;
  tolerance.relative = std::strtod(text.c_str(), &end);
  bool good = end != text.c_str();
  if (good && *end == ',') {
    const char* begin = end + 1;
    tolerance.absolute = std::strtod(begin, &end);
    good = end != begin;
  }
  if (!good || *end || !(tolerance.relative >= 0) || !(tolerance.absolute >= 0))
    return Error{Code::invalid_argument, "--tolerance " + text + ": expected RELATIVE or RELATIVE,ABSOLUTE: 1e-3,1e-7"};
  return tolerance;
}

}  // namespace

int compare(const Arguments& arguments) {
  Options options;
  RunOptions run_options;
  po::options_description all("options");
  all.add_options()("model", po::value(&options.model)->required()->value_name("MODEL"),
                    "an .onnx file or a model folder")(
      "with", po::value(&options.with)->required()->value_name("cpu|vulkan[:N]|FILE.npz"),
      "what to hold it against: another device (then --device is vulkan, or cpu, by itself), or arrays named as the "
      "model's values; inputs among them are given to the run")(
      "tolerance", po::value(&options.tolerance_text)->value_name("R[,A]"),
      "what counts as equal: R times the number expected, and A; by default verify's 1e-3, and 1e-5 of the value's "
      "largest number; for f16 and bf16 4 steps of the format, and one of the largest number")(
      "no-rewrite", po::bool_switch(&options.no_rewrite),
      "run the nodes as they stand in the file, nothing rewritten or fused")(
      "all", po::bool_switch(&options.all), "show every value")("json", po::bool_switch(&options.json),
                                                                "report as JSON");
  all.add(options.inputs.described()).add(run_options.described());
  if (const auto status = read_command_line(
          arguments, "compare", "MODEL --with cpu|vulkan|FILE.npz [OPTION]...",
          "Runs a model on two devices, or against given values, and tells the first node that differs, by how much,\n"
          "and a likely cause. Exit status 1 where something differs.",
          all, {"model"}))
    return *status;
  options.tolerance_given = !options.tolerance_text.empty();
  if (options.tolerance_given) {
    const auto tolerance = read_tolerance(options.tolerance_text);
    if (!tolerance) return report(tolerance.error());
    options.tolerance = *tolerance;
    options.absolute_given = options.tolerance_text.find(',') != std::string::npos;
  }
  const auto compared = compare_runs(options, run_options);
  if (!compared) return report(compared.error());
  options.json ? print_json(*compared) : print(*compared, options);
  return compared->first ? failure : success;
}

}  // namespace heed::tool
