// heed.FusedElementwise: y = expression(x0, x1, ...). The expression becomes a program of registers once; it runs over
// blocks that stay in the cache, an instruction at a time.
#include "fused_elementwise.hpp"

#include <array>
#include <cmath>

#include "convert.hpp"
#include "heed/plugin.hpp"
#include "ranks.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

constexpr int32_t most_axes = 16;

// ---- once per Model: from steps to registers
// ---------------------------------------------------------------------------

// pow by a constant, in cheaper steps; they round as pow does to within 1 ulp.
bool is_square(const Expression& expression, const ExpressionStep& step) {
  const auto& exponent = expression.steps()[step.arguments[1]];
  return step.op == ExpressionOp::pow && exponent.op == ExpressionOp::constant && exponent.number == 2;
}

// Whose numbers are all f32's, too.
bool is_narrow_integer(DataType type) {
  return type == DataType::i8 || type == DataType::u8 || type == DataType::i16 || type == DataType::u16;
}

// Whether all of it is computed as f32, which vector loops do; they round nothing on the way. Narrow integers may come
// in, and go out: what is read and written as f32 needs no cast.
bool is_of_f32(const Expression& expression) {
  const auto& steps = expression.steps();
  const auto& result = steps[expression.result()];
  const auto is_integer_input = [&](uint32_t at) {
    return steps[at].op == ExpressionOp::input && is_narrow_integer(steps[at].type);
  };
  const bool gives_integers = result.op == ExpressionOp::cast && is_narrow_integer(result.type);
  if (!gives_integers && !is_computed_as_f32(result.type)) return false;
  return std::all_of(steps.begin(), steps.end(), [&](const ExpressionStep& step) {
    if (step.op == ExpressionOp::input && is_narrow_integer(step.type)) return true;
    if (step.op == ExpressionOp::cast) {
      const uint32_t from = step.arguments[0];
      return (step.type == DataType::f32 && is_integer_input(from)) ||
             (&step == &result && gives_integers && is_computed_as_f32(steps[from].type));
    }
    const auto* arguments = step.arguments;
    if (std::any_of(arguments, arguments + rule_of(step.op).argument_count, is_integer_input)) return false;
    return is_computed_as_f32(step.type) || (step.type == DataType::boolean && rule_of(step.op).argument_count > 0);
  });
}

}  // namespace

Result<void> compile(const Expression& expression, int32_t input_count, FusedProgram& program) {
  const auto& steps = expression.steps();
  const auto too_large = [](const char* what) {
    return Error{Code::unsupported, std::string("the expression has too many ") + what};
  };
  if (input_count > FusedProgram::most_inputs) return too_large("inputs");
  program.input_count = input_count;
  std::vector<size_t> last_use(steps.size(), 0);
  for (size_t i = 0; i < steps.size(); ++i)
    for (int32_t k = 0; k < rule_of(steps[i].op).argument_count; ++k) last_use[steps[i].arguments[k]] = i;
  for (const auto& step : steps) {
    if (step.op != ExpressionOp::constant) continue;
    if (program.constant_count == FusedProgram::most_constants) return too_large("constants");
    int64_t& constant = program.constants[program.constant_count++];
    constant = step.integer;
    const auto single = static_cast<float>(step.number);
    if (is_computed_as_f32(step.type)) std::memcpy(&constant, &single, sizeof single);
    if (step.type == DataType::f64) std::memcpy(&constant, &step.number, sizeof step.number);
  }
  // Registers are numbered behind the constants; the output's number is known when all are counted.
  constexpr int32_t output = -1;
  std::vector<int32_t> slots(steps.size()), free;
  int32_t constant = program.first_constant();
  std::vector<std::pair<FusedInstruction, std::array<int32_t, 4>>> made;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    const int32_t count = rule_of(step.op).argument_count;
    if (step.op == ExpressionOp::input) slots[i] = static_cast<int32_t>(step.arguments[0]);
    if (step.op == ExpressionOp::constant) slots[i] = constant++;
    if (count > 0) {
      // A register that is read here for the last time may be written here: elements do not cross, unless their sizes
      // differ.
      std::array<int32_t, 4> at{};
      std::vector<int32_t> read_last;
      bool crosses = false;
      for (int32_t k = 0; k < count; ++k) {
        const uint32_t from = step.arguments[k];
        at[k] = slots[from];
        crosses = crosses || is_computed_as_f32(steps[from].type) != is_computed_as_f32(step.type);
        bool is_repeated = false;
        for (int32_t j = 0; j < k; ++j) is_repeated = is_repeated || step.arguments[j] == from;
        if (last_use[from] == i && slots[from] >= program.first_register() && !is_repeated)
          read_last.push_back(slots[from]);
      }
      if (!crosses) free.insert(free.end(), read_last.begin(), read_last.end());
      FusedInstruction instruction{
          .op = step.op, .operand = steps[step.arguments[count - 1]].type, .result = step.type};
      if (is_square(expression, step)) instruction.op = ExpressionOp::multiply, at[1] = at[0];
      if (i == expression.result()) {
        slots[i] = output;
      } else if (!free.empty()) {
        slots[i] = free.back();
        free.pop_back();
      } else {
        if (program.register_count == FusedProgram::most_registers) return too_large("intermediate results");
        slots[i] = program.first_register() + program.register_count++;
      }
      if (crosses) free.insert(free.end(), read_last.begin(), read_last.end());
      at[3] = slots[i];
      made.emplace_back(instruction, at);
    }
  }
  if (rule_of(steps[expression.result()].op).argument_count == 0) {
    const int32_t from = slots[expression.result()];
    made.push_back(
        {{.op = ExpressionOp::input, .operand = expression.type(), .result = expression.type()}, {from, 0, 0, output}});
  }
  if (made.size() > FusedProgram::most_instructions) return too_large("operations");
  for (auto& [instruction, at] : made) {
    const int32_t count = std::max(rule_of(instruction.op).argument_count, 1);
    for (int32_t k = 0; k < 3; ++k) instruction.arguments[k] = static_cast<uint8_t>(k < count ? at[k] : at[0]);
    instruction.to = static_cast<uint8_t>(at[3] == output ? program.output() : at[3]);
    program.instructions[program.instruction_count++] = instruction;
  }
  return {};
}

namespace {

Result<void> prepare(Preparing& node) {
  HEED_ASSIGN(const auto expression, fused_expression_of(node));
  auto* program = node.keep<FusedProgram>();
  if (!program) return Error{Code::out_of_memory, "no memory for the program of an expression"};
  return compile(expression, node.input_count(), *program);
}

// ---- one by one: the oracle of the vector loops
// --------------------------------------------------------------------------

template <class T>
struct Operand {
  explicit Operand(const FusedSlot& slot) : data(static_cast<const T*>(slot.data)), step(slot.is_list) {}
  T operator[](int64_t i) const { return data[i * step]; }
  const T* data;
  int64_t step;
};

template <class T>
int64_t integer_of(DataType type, T number) {
  if constexpr (std::is_integral_v<T>) return wrapped(type, static_cast<int64_t>(number));
  if (type == DataType::u64) return static_cast<int64_t>(truncate_to_uint64(number));
  return wrapped(type, truncate_to_int64(number));
}

template <class T>
void run_instruction(const FusedInstruction& step, const FusedSlot* slots, int64_t n) {
  const Operand<T> a(slots[step.arguments[0]]), b(slots[step.arguments[1]]), c(slots[step.arguments[2]]);
  const auto write = [&]<class To>(To* out, auto function) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<To>(function(i));
  };
  const auto give = [&](auto function) {
    void* out = slots[step.to].data;
    if (step.result == DataType::f64) return write(static_cast<double*>(out), function);
    if (!is_computed_as_f32(step.result))
      return write(static_cast<int64_t*>(out), [&](int64_t i) { return integer_of(step.result, function(i)); });
    if (step.op != ExpressionOp::cast || step.result == DataType::f32) return write(static_cast<float*>(out), function);
    write(static_cast<float*>(out), [&](int64_t i) {
      return step.result == DataType::f16 ? static_cast<float>(Float16(function(i)))
                                          : static_cast<float>(BFloat16(function(i)));
    });
  };
  if (step.op == ExpressionOp::select) {
    const Operand<int64_t> condition(slots[step.arguments[0]]);
    return give([&](int64_t i) { return condition[i] ? b[i] : c[i]; });
  }
  give([&](int64_t i) { return apply(step.op, a[i], b[i]); });
}

void run_scalar(const FusedProgram& program, const FusedSlot* slots, int64_t n) {
  for (int32_t i = 0; i < program.instruction_count; ++i) {
    const FusedInstruction& step = program.instructions[i];
    dispatch(step.operand, [&]<class T>(T) { run_instruction<T>(step, slots, n); });
  }
}

// ---- a run
// -----------------------------------------------------------------------------------------------------------------

// The output's axes, merged where every input crosses them with one stride; the last one is the row.
struct Axes {
  int32_t count = 0;
  int64_t total = 1;
  int64_t dims[most_axes];
  int64_t strides[FusedProgram::most_inputs][most_axes];
};

Axes merged_axes(const TensorView* inputs, const TensorView& out, int32_t input_count) {
  Axes axes;
  const auto stride = [&](int32_t k, int32_t axis) {
    const int32_t own = axis - (out.rank() - inputs[k].rank());
    return own < 0 || inputs[k].dim(own) == 1 ? 0 : inputs[k].stride(own);
  };
  for (int32_t axis = 0; axis < out.rank(); ++axis) {
    const int64_t size = out.dim(axis);
    axes.total *= size;
    if (size == 1) continue;
    const int32_t last = axes.count - 1;
    bool merges = last >= 0;
    for (int32_t k = 0; merges && k < input_count; ++k) merges = axes.strides[k][last] == stride(k, axis) * size;
    if (!merges) axes.dims[axes.count++] = 1;
    axes.dims[axes.count - 1] *= size;
    for (int32_t k = 0; k < input_count; ++k) axes.strides[k][axes.count - 1] = stride(k, axis);
  }
  if (axes.count == 0) {
    axes.count = 1;
    axes.dims[0] = 1;
    for (int32_t k = 0; k < input_count; ++k) axes.strides[k][0] = 0;
  }
  return axes;
}

// One thread's part: its registers, and the slots of the block that is being run.
class Blocks {
 public:
  Blocks(const TensorView* inputs, const TensorView& out, const FusedProgram& program, const Axes& axes,
         RunFused function)
      : program_(program), axes_(axes), function_(function), inputs_(inputs), out_(out) {
    // What is not contiguous in its row, or in memory not as in registers, passes through a buffer, as registers are.
    const int32_t row_axis = axes.count - 1;
    int32_t buffer_count = program.register_count + !is_plain(out_.element());
    for (int32_t k = 0; k < program.input_count; ++k) {
      steps_[k] = axes.strides[k][row_axis];
      is_gathered_[k] = (steps_[k] != 0 && steps_[k] != 1) || !is_plain(inputs_[k].element());
      buffer_count += is_gathered_[k];
    }
    const auto number_size = static_cast<int64_t>(function == run_scalar ? sizeof(int64_t) : sizeof(float));
    block_ = std::min<int64_t>(most_block, buffer_bytes / number_size / std::max(buffer_count, 1) / 16 * 16);
    std::byte* next = buffer_;
    const auto take = [&] { return std::exchange(next, next + block_ * number_size); };
    for (int32_t k = 0; k < program.input_count; ++k) slots_[k] = {is_gathered_[k] ? take() : nullptr, steps_[k] != 0};
    for (int32_t k = 0; k < program.constant_count; ++k)
      slots_[program.first_constant() + k] = {const_cast<int64_t*>(&program.constants[k]), false};
    for (int32_t k = 0; k < program.register_count; ++k) slots_[program.first_register() + k] = {take(), true};
    slots_[program.output()] = {is_plain(out_.element()) ? nullptr : take(), true};
  }

  // Elements [begin, end) of the output.
  void run(int64_t begin, int64_t end) {
    const int64_t row = axes_.dims[axes_.count - 1];
    FusedSlot& result = slots_[program_.output()];
    while (begin < end) {
      int64_t rest = begin / row;
      const int64_t column = begin % row, n = std::min({block_, row - column, end - begin});
      int64_t at[FusedProgram::most_inputs];
      for (int32_t k = 0; k < program_.input_count; ++k) at[k] = column * steps_[k];
      for (int32_t axis = axes_.count - 1; axis-- > 0; rest /= axes_.dims[axis]) {
        const int64_t index = rest % axes_.dims[axis];
        for (int32_t k = 0; k < program_.input_count; ++k) at[k] += index * axes_.strides[k][axis];
      }
      for (int32_t k = 0; k < program_.input_count; ++k) read(k, at[k], n);
      if (is_plain(out_.element())) result.data = place(out_, begin);
      function_(program_, slots_, n);
      if (!is_plain(out_.element()))
        with_numbers(out_.element(), [&]<class T>(T) {
          write_elements(out_.element(), static_cast<const T*>(result.data), n, out_.c.data, begin);
        });
      begin += n;
    }
  }

 private:
  static constexpr int64_t most_block = 512, buffer_bytes = 32768;  // a core's first cache
  static_assert((FusedProgram::most_registers + FusedProgram::most_inputs + 1) * 16 * sizeof(int64_t) <= buffer_bytes);

  static bool is_plain(DataType type) {
    return type == DataType::f32 || type == DataType::f64 || type == DataType::i64 || type == DataType::u64;
  }
  static void* place(const TensorView& tensor, int64_t index) {
    return tensor.data<std::byte>() + index * bits_of(tensor.element()) / 8;
  }

  // Calls body with a number as the loops hold those of a type.
  template <class Body>
  void with_numbers(DataType type, Body&& body) const {
    if (function_ == run_scalar)
      dispatch(type, body);
    else
      body(float{});
  }

  void read(int32_t k, int64_t first, int64_t n) {
    const TensorView& x = inputs_[k];
    FusedSlot& slot = slots_[k];
    if (!is_gathered_[k]) {
      slot.data = place(x, first);
      return;
    }
    const int64_t count = slot.is_list ? n : 1;
    with_numbers(x.element(), [&]<class T>(T) {
      read_elements(x.element(), x.c.data, first, steps_[k], count, static_cast<T*>(slot.data));
    });
  }

  const FusedProgram& program_;
  const Axes& axes_;
  const RunFused function_;
  int64_t block_ = 0;
  int64_t steps_[FusedProgram::most_inputs];
  bool is_gathered_[FusedProgram::most_inputs];
  const TensorView* inputs_;
  const TensorView out_;
  FusedSlot slots_[FusedProgram::most_slots];
  alignas(64) std::byte buffer_[buffer_bytes];
};

bool is_byte(const TensorView& tensor) { return tensor.element() == DataType::i8 || tensor.element() == DataType::u8; }

// The only input that has more than one element, where it and the output are bytes: what becomes of each of 256 tells
// all. -1: there is none, or too few are asked for.
int32_t tabled_input(const TensorView* inputs, int32_t input_count, const TensorView& out, int64_t total) {
  int32_t tabled = -1;
  for (int32_t k = 0; k < input_count; ++k) {
    if (inputs[k].count() == 1) continue;
    if (tabled >= 0 || !is_byte(inputs[k])) return -1;
    tabled = k;
  }
  return is_byte(out) && total >= 1024 ? tabled : -1;
}

// Stores of bytes may change anything, but for what is said not to overlap.
void look_up(const uint8_t* __restrict table, const uint8_t* __restrict from, int64_t step, int64_t n,
             uint8_t* __restrict to) {
  if (step == 1)
    for (int64_t i = 0; i < n; ++i) to[i] = table[from[i]];
  else
    for (int64_t i = 0; i < n; ++i) to[i] = table[from[i * step]];
}

void run_by_table(const Running& run, const FusedProgram& program, TensorView* inputs, int32_t tabled,
                  const TensorView& out, const Axes& axes, RunFused function) {
  constexpr int64_t size = 256, stride = 1;
  uint8_t codes[size], table[size];
  for (int64_t i = 0; i < size; ++i) codes[i] = static_cast<uint8_t>(i);
  const auto line = [&](const TensorView& like, uint8_t* data) {
    TensorView view = like;
    view.c.data = data;
    view.c.rank = 1;
    view.c.dims = &size;
    view.c.strides = &stride;
    return view;
  };
  const TensorView x = std::exchange(inputs[tabled], line(inputs[tabled], codes));
  const TensorView all = line(out, table);
  const Axes of_table = merged_axes(inputs, all, program.input_count);
  Blocks(inputs, all, program, of_table, function).run(0, size);
  const int32_t row_axis = axes.count - 1;
  const int64_t row = axes.dims[row_axis], step = axes.strides[tabled][row_axis];
  const auto* from = x.data<uint8_t>();
  auto* to = out.data<uint8_t>();
  run.parallel_for(axes.total, 1 << 15, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t column = begin % row, n = std::min(row - column, end - begin);
      int64_t at = column * step, rest = begin / row;
      for (int32_t axis = row_axis; axis-- > 0; rest /= axes.dims[axis])
        at += rest % axes.dims[axis] * axes.strides[tabled][axis];
      look_up(table, from + at, step, n, to + begin);
      begin += n;
    }
  });
}

// A tensor of the output's rank, with axis 1 as the last one.
struct ChannelsLast {
  int64_t dims[most_axes], strides[most_axes];
  TensorView view(const TensorView& given, int32_t rank) {
    const int32_t absent = rank - given.rank();
    for (int32_t axis = 0; axis < rank; ++axis) {
      const int32_t to = axis < 1 ? axis : axis == 1 ? rank - 1 : axis - 1;
      dims[to] = axis < absent ? 1 : given.dim(axis - absent);
      strides[to] = axis < absent ? 0 : given.stride(axis - absent);
    }
    TensorView view = given;
    view.c.rank = rank;
    view.c.dims = dims;
    view.c.strides = strides;
    return view;
  }
};

void run_program(Running& run, RunFused function) {
  const auto& program = *run.kept<FusedProgram>();
  auto out = run.output(0);
  TensorView inputs[FusedProgram::most_inputs];
  for (int32_t k = 0; k < program.input_count; ++k) inputs[k] = run.input(k);
  ChannelsLast permuted[FusedProgram::most_inputs + 1];
  if (!is_dense(out)) {  // only so much is offered
    for (int32_t k = 0; k < program.input_count; ++k) inputs[k] = permuted[k].view(inputs[k], out.rank());
    out = permuted[program.input_count].view(out, out.rank());
  }
  const Axes axes = merged_axes(inputs, out, program.input_count);
  if (axes.total == 0) return;
  if (const int32_t tabled = tabled_input(inputs, program.input_count, out, axes.total); tabled >= 0)
    return run_by_table(run, program, inputs, tabled, out, axes, function);
  // Below, waking a thread costs more than it saves; tuned on two cores of a Xeon.
  constexpr int64_t operations_per_thread = 1 << 17;
  const int64_t grain = std::max<int64_t>(1024, operations_per_thread / std::max(program.instruction_count, 1));
  const auto run_blocks = [&](int64_t begin, int64_t end) {
    Blocks(inputs, out, program, axes, function).run(begin, end);
  };
  if (axes.total <= grain) return run_blocks(0, axes.total);
  run.parallel_for(axes.total, grain, run_blocks);
}

// ---- kernels
// -----------------------------------------------------------------------------------------------------------------

Result<void> plan(Planning& node) {
  HEED_TRY(require_ranks(node));
  if (node.output(0).has_rank() && node.output(0).rank() > most_axes)
    return decline("more than " + std::to_string(most_axes) + " axes");
  node.keep_channels_last();
  return plan_elementwise(node);
}

template <Isa isa>
Result<void> plan_for(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  if (!fused_with(isa)) return decline("built without " + std::string(name_of(isa)));
  HEED_ASSIGN(const auto expression, fused_expression_of(node));
  if (!is_of_f32(expression)) return decline("vectors compute in f32 alone");
  return plan(node);
}

template <Isa isa, int32_t score>
CpuKernel vector_kernel() {
  return {.domain = "heed",
          .op_type = "FusedElementwise",
          .name = name_of(isa),
          .score = score,
          .plan = plan_for<isa>,
          .prepare = prepare,
          .run = [](Running& run) -> Result<void> {
            run_program(run, fused_with(isa));
            return {};
          }};
}

}  // namespace

extern const CpuKernel fused_elementwise{.domain = "heed",
                                         .op_type = "FusedElementwise",
                                         .plan = plan,
                                         .prepare = prepare,
                                         .run = [](Running& run) -> Result<void> {
                                           run_program(run, run_scalar);
                                           return {};
                                         }};
extern const CpuKernel fused_elementwise_neon = vector_kernel<Isa::neon, 5>();
extern const CpuKernel fused_elementwise_avx2 = vector_kernel<Isa::avx2, 10>();
extern const CpuKernel fused_elementwise_avx512 = vector_kernel<Isa::avx512, 20>();

}  // namespace heed::cpu
