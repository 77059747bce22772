#!/usr/bin/python3
"""install_test.py BUILD_FOLDER: installs Heed aside, builds the example plugin against it, runs a model that needs it."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, save

BUILD = Path(sys.argv[1]).resolve()
MOST_BYTES = 15_000_000
results = {"passed": 0, "failed": 0, "skipped": 0}


def row(name, is_right, told=""):
    results["passed" if is_right else "failed"] += 1
    if not is_right:
        print(f"FAILED: {name}\n{told}")


def call(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout + done.stderr


def finish():
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**results))
    sys.exit(1 if results["failed"] else 0)


def step(name, *command):
    status, told = call(*command)
    row(name, status == 0, told)
    if status:
        finish()
    return told


def make_model(path, with_neighbours=False):
    """The example's operator, alone or between operators of ONNX: y = Relu(SwiGLU(gate + gate, up))."""
    gate = helper.make_tensor_value_info("gate", TensorProto.FLOAT, ["batch", 7])
    up = helper.make_tensor_value_info("up", TensorProto.FLOAT, [1, 7])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 7])
    swiglu = {"op_type": "SwiGLU", "name": "glu", "domain": "com.acme", "alpha": 1.5}
    nodes = [helper.make_node(inputs=["gate", "up"], outputs=["y"], **swiglu)]
    if with_neighbours:
        nodes = [helper.make_node("Add", ["gate", "gate"], ["twice"]), helper.make_node(inputs=["twice", "up"], outputs=["glu_y"], **swiglu),
                 helper.make_node("Relu", ["glu_y"], ["y"], name="last")]
    graph = helper.make_graph(nodes, "swiglu", [gate, up], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.acme", 1)])
    model.ir_version = 8
    save(model, str(path))


def main(folder):
    prefix, example, plugin_build = folder / "prefix", folder / "example", folder / "example" / "build"
    step("install", "cmake", "--install", BUILD, "--prefix", prefix, "--strip")
    size = sum(f.stat().st_size for f in prefix.rglob("*") if f.is_file())
    row(f"installed files take at most {MOST_BYTES} bytes", size <= MOST_BYTES, f"  they take {size}")
    heed = prefix / "bin" / "heed"
    step("the example is installed and can be copied", "cp", "-r", prefix / "share/heed/examples/swiglu", example)
    step("configure the example", "cmake", "-S", example, "-B", plugin_build, f"-DCMAKE_PREFIX_PATH={prefix}")
    step("build the example", "cmake", "--build", plugin_build)
    library = plugin_build / "libacme_swiglu.so"
    shown = [line.split()[-1].split("@")[0] for line in step("nm", "nm", "-D", "--defined-only", library).splitlines()]
    row("the example shows heed_plugin_entry alone", shown == ["heed_plugin_entry"], f"  it shows {shown}")

    model, chain = folder / "swiglu.onnx", folder / "chain.onnx"
    make_model(model)
    make_model(chain, with_neighbours=True)
    random = np.random.default_rng(1)
    gate, up = (random.standard_normal(shape).astype(np.float32) for shape in ((5, 7), (1, 7)))
    np.save(folder / "gate.npy", gate)
    np.save(folder / "up.npy", up)
    def swiglu(gate):
        return gate / (1 + np.exp(-1.5 * gate.astype(np.float64))) * up
    given = ["--input", f"gate={folder}/gate.npy", "--input", f"up={folder}/up.npy"]

    status, told = call(heed, "run", model, *given)
    row("without the plugin: one error that names the operator",
        status == 1 and "SwiGLU" in told and "plugin" in told and told.count("error") == 1, told)
    for device in ("cpu", "vulkan"):
        out = folder / device
        status, told = call(heed, "run", model, *given, "--plugin", library, "--device", device, "--output", out)
        close = status == 0 and np.allclose(np.load(out / "y.npy"), swiglu(gate), rtol=1e-5, atol=1e-6)
        row(f"with the plugin: numpy's numbers on {device}", close, told)
        status, told = call(heed, "run", chain, *given, "--plugin", library, "--device", device, "--output", out)
        close = status == 0 and np.allclose(np.load(out / "y.npy"), np.maximum(swiglu(2 * gate), 0), rtol=1e-5, atol=1e-6)
        row(f"between operators of ONNX: numpy's numbers on {device}", close, told)
        status, told = call(heed, "explain", model, "--plugin", library, "--device", device)
        step_line = next((line for line in told.splitlines() if " glu " in line), "")
        row(f"explain shows who runs it on {device}", status == 0 and f" {device}" in step_line and "SwiGLU" in step_line, told)
    status, told = call(heed, "explain", chain, "--plugin", library, "--device", "vulkan")
    step_line = next((line for line in told.splitlines() if " last " in line), "")
    row("one step of it and its neighbours on vulkan",
        status == 0 and "FusedElementwise" in step_line and "3 nodes" in step_line and "1 computing steps" in told, told)


os.environ.pop("CMAKE_PREFIX_PATH", None)
with tempfile.TemporaryDirectory(prefix="heed_install_") as name:
    main(Path(name))
finish()
