#!/usr/bin/python3
"""Every shader that the build embeds is valid SPIR-V for Vulkan 1.2, and shaders of cooperative matrices are translated as
they should be: shaders_test.py BUILD_FOLDER [SPIRV_VAL...], the last being a spirv-val's command line"""
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHADERS = Path(sys.argv[1]) / "shaders"
SPIRV_VAL = sys.argv[2:] or ["spirv-val"]
TARGET = ["--target-env", "vulkan1.2"]
HEADER_WORDS, BOUND = 5, 3
CONSTANT, MULTIPLY, DIVIDE = 43, 133, 136  # OpConstant, OpFMul, OpFDiv
KHR, NV = range(4456, 4461), range(5358, 5363)  # type, load, store, multiply and add, length
NON_PRIVATE = 0x20
totals = {"passed": 0, "failed": 0, "skipped": 0}


def row(what, told):
    totals["failed" if told else "passed"] += 1
    if told:
        print(f"{what}: {told}")


def words_in(binary):
    return list(struct.unpack(f"<{binary.stat().st_size // 4}I", binary.read_bytes()))


def embedded_as(header, binary):
    packed = bytes(int(number) for number in re.findall(r"(\d+),", header.read_text()))
    return "" if zlib.decompress(packed) == binary.read_bytes() else "it differs"


def call(command, given=b""):
    done = subprocess.run([str(part) for part in command], input=given, capture_output=True)
    return done.returncode, (done.stdout + done.stderr).decode()


def validate(words):
    status, told = call([*SPIRV_VAL, *TARGET, "-"], struct.pack(f"<{len(words)}I", *words))
    return told or "no words" if status or not words else ""


# A product of two matrices as NVIDIA's extension says it, with parts that differ.
MODULE = """
OpCapability Shader
OpCapability Float16
OpCapability VulkanMemoryModel
OpCapability CooperativeMatrixNV
OpExtension "SPV_NV_cooperative_matrix"
OpMemoryModel Logical Vulkan
OpEntryPoint GLCompute %main "main" %data
OpExecutionMode %main LocalSize 32 1 1
OpDecorate %m SpecId 0
OpDecorate %n SpecId 1
OpDecorate %k SpecId 2
OpDecorate %b_k SpecId 3
OpDecorate %halves ArrayStride 2
OpDecorate %block Block
OpMemberDecorate %block 0 Offset 0
OpDecorate %data DescriptorSet 0
OpDecorate %data Binding 0
%void = OpTypeVoid
%function = OpTypeFunction %void
%uint = OpTypeInt 32 0
%bool = OpTypeBool
%half = OpTypeFloat 16
%float = OpTypeFloat 32
%halves = OpTypeRuntimeArray %half
%block = OpTypeStruct %halves
%block_pointer = OpTypePointer StorageBuffer %block
%half_pointer = OpTypePointer StorageBuffer %half
%data = OpVariable %block_pointer StorageBuffer
%zero = OpConstant %uint 0
%subgroup = OpConstant %uint 3
%stride = OpConstant %uint 16
%by_rows = OpConstantFalse %bool
%by_columns = OpConstantTrue %bool
%m = OpSpecConstant %uint 16
%n = OpSpecConstant %uint 16
%k = OpSpecConstant %uint 16
%b_k = OpSpecConstant %uint 16
%undecided = OpSpecConstantTrue %bool
%nothing = OpConstant %float 0
%A = OpTypeCooperativeMatrixNV %half %subgroup %m %k
%B = OpTypeCooperativeMatrixNV %half %subgroup %b_k %n
%C = OpTypeCooperativeMatrixNV %float %subgroup %m %n
%D = OpTypeCooperativeMatrixNV %half %subgroup %m %n
%sums = OpConstantComposite %C %nothing
%main = OpFunction %void None %function
%begin = OpLabel
%place = OpAccessChain %half_pointer %data %zero %zero
%a = OpCooperativeMatrixLoadNV %A %place %stride %by_rows NonPrivatePointer
%b = OpCooperativeMatrixLoadNV {b_type} %place %stride {b_order}
%c = OpCooperativeMatrixMulAddNV %C %a %b %sums
%length = OpCooperativeMatrixLengthNV %uint %C
%d = OpFConvert %D %c
OpCooperativeMatrixStoreNV %place %d %stride %by_columns
OpReturn
OpFunctionEnd
"""
PARTS = {"b_type": "%B", "b_order": "%by_columns"}


def translated(folder, **parts):
    """The words that the translator makes of the module with these parts, or what it refuses them with."""
    source, made = folder / "module.spv", folder / "made.spv"
    status, told = call(["spirv-as", *TARGET, "-o", source, "-"], MODULE.format(**{**PARTS, **parts}).encode())
    assert status == 0, told
    status, told = call([SHADERS / "to_khr_cooperative_matrix", source, made])
    return told if status else words_in(made)


def instructions(words):
    at = HEADER_WORDS
    while at < len(words):
        yield words[at] & 0xFFFF, words[at + 1:at + (words[at] >> 16)]
        at += words[at] >> 16


def known(words):
    """With quotients for products of matrices element by element, which NVIDIA's extension does not have."""
    types = [operands[0] for opcode, operands in instructions(words) if opcode == NV[0]]
    known = words[:HEADER_WORDS]
    for opcode, operands in instructions(words):
        is_product = opcode == MULTIPLY and operands[0] in types
        known += [len(operands) + 1 << 16 | (DIVIDE if is_product else opcode), *operands]
    return known


def check_translation(folder):
    words = translated(folder)
    found = list(instructions(words))
    numbers = {operands[1]: operands[2] for opcode, operands in found if opcode == CONSTANT}
    types, loads, stores, products, lengths = ([operands for opcode, operands in found if opcode == wanted] for wanted in KHR)
    for what, met, expected in [
        ("types say whether their matrices are a, b or sums", [numbers[type[-1]] for type in types], [0, 1, 2, 2]),
        ("a load says its order before its stride", [[numbers[id] for id in load[3:5]] for load in loads], [[0, 16], [1, 16]]),
        ("a store says its order before its stride", [[numbers[id] for id in store[2:4]] for store in stores], [[1, 16]]),
        ("memory operands stay last", [load[5:] for load in loads], [[NON_PRIVATE], []]),
        ("products and lengths stay as they are", [len(operands) for operands in products + lengths], [5, 3]),
        ("nothing of NVIDIA's extension is left", [opcode for opcode, _ in found if opcode in NV], []),
        ("every id is below the bound", max(numbers) < words[BOUND], True),
        ("the same again gives the same", translated(folder) == words, True),
        ("one type for both factors is refused", "two places" in translated(folder, b_type="%A"), True),
        ("an order that no constant says is refused", "no constant" in translated(folder, b_order="%undecided"), True),
    ]:
        row(what, "" if met == expected else f"{met}, expected {expected}")
    return words


def main(folder):
    translated_ones = sorted(SHADERS.glob("*.nv.spv"))
    binaries = [file for file in sorted(SHADERS.glob("*.spv")) if file not in translated_ones]
    row("there are shaders", "" if binaries else "none")
    told = validate(check_translation(folder))
    knows_cooperative = "Invalid capability" not in told
    if knows_cooperative:
        row("a translation is valid", told)
    # Those of cooperative matrices as they were before they were translated, too: a spirv-val may know no more.
    modules = {file.name: known(words_in(file)) for file in translated_ones}
    for binary in binaries:
        row(f"{binary.name} is embedded as it is", embedded_as(binary.with_name(binary.name + ".h"), binary))
        if knows_cooperative or binary.name.replace(".spv", ".nv.spv") not in modules:
            modules[binary.name] = words_in(binary)
    with ThreadPoolExecutor() as threads:
        for name, told in zip(modules, threads.map(validate, modules.values())):
            row(name, told)


with tempfile.TemporaryDirectory() as folder:
    main(Path(folder))
print("{passed} passed, {failed} failed, {skipped} skipped".format(**totals))
sys.exit(1 if totals["failed"] else 0)
