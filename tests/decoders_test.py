#!/usr/bin/python3
"""Decoders in every dialect: decoders_test.py PATH_TO_HEED [--quick]. All dialects of one model give the same greedy
tokens and the same plan, on both devices. Rows are called MODEL.DIALECT.WEIGHTS.CHECK.DEVICE. --quick leaves Vulkan to
fp32 alone."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS.parent / "models"))
sys.path.insert(0, str(TESTS.parent / "models" / "decoders"))
import make
from dialects import DIALECTS

HEED = Path(sys.argv[1]).resolve()
PROMPT = "Hello, world"
LIKE_ALL = "standard_23"  # the dialect whose plan, in fp32, all others should have
# One name for steps that differ by the type of weights alone. Left out are what makes activations the type of weights, and
# what writes caches that Attention writes elsewhere.
ELEMENTWISE = {"Add", "Mul"}  # not fused in 16 bits
PRODUCTS = {f"{fused}{product}" for fused in ("", "Fused")
            for product in ("MatMul", "MatMulNBits", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearMatMul")}
LEFT_OUT = {"DynamicQuantizeLinear", "QuantizeLinear", "TensorScatter"}
# Names of nodes of the last layer and behind it. Masks, positions and lengths, which layers share, are made in the first.
LAYERS = ("layers.1.", "final_norm", "head")
LINES = (TESTS / "decoders" / "tokens.txt").read_text().splitlines()
TOKENS = {line.split()[0]: line.split()[1:] for line in LINES if not line.startswith("#")}  # by MODEL.WEIGHTS
counts = {"passed": 0, "failed": 0, "skipped": 0}


def row(name, problem):
    counts["failed" if problem else "passed"] += 1
    if problem:
        print(f"FAILED {name}: {problem}")


def heed(*arguments):
    done = subprocess.run([str(HEED), *map(str, arguments)], capture_output=True, text=True, errors="replace")
    return (done.stdout, None) if done.returncode == 0 else (None, " ".join(done.stderr.split())[:200])


def tokens_written(folder, device):
    stdout, error = heed("generate", folder, "--device", device, "--temperature", 0, "--prompt", PROMPT, "--ids", "--max-tokens", 12)
    return stdout.splitlines()[-1].split()[len(PROMPT):] if stdout else error


def plan_of(folder, device):
    """Sorted operators of the last layer's steps, and where the model's steps run."""
    stdout, error = heed("explain", folder, "--device", device, "--dim", "batch=1", "--dim", "seq=1", "--dim", "past=8", "--json")
    if not stdout:
        return error, set()
    steps = [step for step in json.loads(stdout)["steps"] if step["computes"]]
    operators = [step["op_type"] for step in steps if step["node"].startswith(LAYERS)]
    if {"TensorScatter", "RotaryEmbedding"} <= set(operators):  # keys are turned before they go into the cache, not by attention
        operators = ["RotaryAttention" if name == "Attention" else name for name in operators if name != "RotaryEmbedding"]
    operators = [name for name in operators if name not in LEFT_OUT]
    operators = ["MatMul" if name in PRODUCTS else "FusedElementwise" if name in ELEMENTWISE else name for name in operators]
    return sorted(operators), {step["on"] for step in steps}


def check(folder, name, like, device):
    model, _, weights = name.split(".")
    met, expected = tokens_written(folder, device), TOKENS[f"{model}.{weights}"]
    row(f"{name}.tokens.{device}", "" if met == expected else f"{met}, expected {expected}")
    plan, places = plan_of(folder, device)
    row(f"{name}.plan.{device}", "" if plan == like else plan if isinstance(plan, str) else
        f"has {surplus(plan, like)} more and {surplus(like, plan)} less")
    if device == "vulkan":
        row(f"{name}.whole.{device}", "" if places == {"vulkan"} else f"steps on {places or 'no device'}")


def surplus(some, others):
    return {operator: some.count(operator) - others.count(operator) for operator in sorted(set(some))
            if some.count(operator) > others.count(operator)}


def main():
    devices = {"cpu": None, "vulkan": {"fp32"} if "--quick" in sys.argv else None}
    with tempfile.TemporaryDirectory() as folder:
        for decoder in make.SIZES["tiny"].values():
            make.write(decoder, DIALECTS[LIKE_ALL]("fp32"), Path(folder))
            like = {device: plan_of(folder, device)[0] for device in devices}
            for dialect in DIALECTS.values():
                for weights in dialect.weight_types if dialect.serves(decoder) else ():
                    make.write(decoder, dialect(weights), Path(folder))
                    for device, some in devices.items():
                        if not some or weights in some:
                            check(folder, f"{decoder.name}.{dialect.name}.{weights}", like[device], device)


main()
print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
sys.exit(1 if counts["failed"] else 0)
