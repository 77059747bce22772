// Programs of fused element-wise nodes, made once per Model, and the loops that run them over a block.
#pragma once

#include <cstdint>

#include "heed/expression.hpp"
#include "isa.hpp"

namespace heed::cpu {

// A slot is a list of n numbers, or one number for all n: first the inputs, then constants, registers, and the output.
// Scalar loops hold numbers in the wide type of theirs (convert.hpp), truth as i64. Vector loops hold all as f32: they
// take programs of what is computed as f32, and of truth within; integers of 8 and 16 bits are read and written as f32.
struct FusedInstruction {
  ExpressionOp op = ExpressionOp::constant;  // `input`: a copy
  uint8_t to = 0, arguments[3] = {0, 0, 0};
  DataType operand = DataType::f32, result = DataType::f32;  // types; the condition of a select is no operand
};

struct FusedProgram {
  static constexpr int32_t most_inputs = 32, most_constants = 96, most_registers = 96, most_instructions = 512;
  static constexpr int32_t most_slots = most_inputs + most_constants + most_registers + 1;
  int32_t input_count = 0, constant_count = 0, register_count = 0, instruction_count = 0;
  FusedInstruction instructions[most_instructions];
  int64_t constants[most_constants];  // a number each, at its beginning
  int32_t first_constant() const { return input_count; }
  int32_t first_register() const { return input_count + constant_count; }
  int32_t output() const { return first_register() + register_count; }
  int32_t slot_count() const { return output() + 1; }
};

struct FusedSlot {
  void* data;
  bool is_list;  // n numbers; else one
  float* floats() const { return static_cast<float*>(data); }
};

// Fills the slots of a program's constants, and of its registers, which lie `register_floats` apart.
inline void set_own_slots(const FusedProgram& program, float* registers, int64_t register_floats, FusedSlot* slots) {
  for (int32_t k = 0; k < program.constant_count; ++k)
    slots[program.first_constant() + k] = {const_cast<int64_t*>(&program.constants[k]), false};
  for (int32_t k = 0; k < program.register_count; ++k)
    slots[program.first_register() + k] = {registers + k * register_floats, true};
}

// The program of an expression over so many inputs. Fails where it outgrows a program.
Result<void> compile(const Expression& expression, int32_t input_count, FusedProgram& program);

// Runs a program over n numbers. Registers have room for them.
using RunFused = void (*)(const FusedProgram& program, const FusedSlot* slots, int64_t n);

// The loops of an instruction set; null where this build has none for it. Scalar ones are in fused_elementwise.cpp.
RunFused fused_with(Isa isa);

}  // namespace heed::cpu
