#!/usr/bin/python3
"""install_test.py BUILD_FOLDER [DATA_FOLDER]: installs Heed aside, builds the example plugin against it and runs a model that
needs it; then the programs that embed Heed, and the snippets of docs/embed.md."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, save

from rows import call, finish, results, row

BUILD = Path(sys.argv[1]).resolve()
ROOT = Path(__file__).resolve().parent.parent
DATA = Path(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("HEED_TEST_DATA") or ROOT.parent / "shared" / "data")
MOST_BYTES = 15_000_000


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


def call_in(folder, *command, stdin=None):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, errors="replace", stdin=stdin)
    return done.returncode, done.stdout + done.stderr


def shown_by(library):
    lines = step("nm", "nm", "-D", "--defined-only", library).splitlines()
    return sorted(line.split()[-1].split("@")[0] for line in lines if line.split()[1] in "TDBRW")


SNIPPETS = {
    "cpp": ("""#include <heed/heed.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>
std::vector<std::byte> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}
heed::Result<void> run() {
""", """
return {};
}
int main() {
  const auto done = run();
  if (!done) std::cerr << done.error().message << "\\n";
  return done ? 0 : 1;
}
"""),
    "c": ("""#include <heed/heed.h>
#include <stdio.h>
static void print_message(void* file, heed_log_level level, const char* text) { fprintf(file, "%d %s\\n", (int)level, text); }
int main(void) {
""", """
return 0;
}
"""),
}


def save_model(path, nodes, inputs, outputs):
    def value(name, type, dims):
        return helper.make_tensor_value_info(name, type, dims)
    graph = helper.make_graph(nodes, "g", [value(*i) for i in inputs], [value(*o) for o in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(path))


def check_snippets(folder, environment):
    """What docs/embed.md shows, a program for each language, compiled and run where the models lie that it names."""
    work = folder / "snippets"
    work.mkdir()
    save_model(work / "model.onnx", [helper.make_node("Relu", ["x"], ["y"])], [("x", TensorProto.FLOAT, ["batch", 3])],
               [("y", TensorProto.FLOAT, ["batch", 3])])
    save_model(work / "counter.onnx", [helper.make_node("Constant", [], ["one"], value_floats=[1.0]),
                                       helper.make_node("Add", ["count", "one"], ["next_count"])],
               [("count", TensorProto.FLOAT, [1])], [("next_count", TensorProto.FLOAT, [1])])
    text = (ROOT / "docs" / "embed.md").read_text()
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "heed"], capture_output=True, text=True, env=environment)
    row("pkg-config knows heed", flags.returncode == 0, flags.stderr)
    for language, compiler in (("cpp", ["c++", "-std=c++20"]), ("c", ["cc", "-std=c11"])):
        before, after = SNIPPETS[language]
        source = work / f"snippets.{language}"
        source.write_text(before + "\n".join(re.findall(rf"```{language}\n(.*?)```", text, re.S)) + after)
        status, told = call_in(work, *compiler, "-Wall", "-Wextra", "-Werror", source, "-o", f"{language}_snippets", *flags.stdout.split(),
                               f"-Wl,-rpath,{folder / 'prefix' / 'lib'}")
        row(f"docs/embed.md's snippets compile: {language}", status == 0, told)
        if status == 0:
            status, told = call_in(work, work / f"{language}_snippets")
            row(f"docs/embed.md's snippets run: {language}", status == 0, told)


def check_embedding(folder, prefix, heed):
    declared = sorted(re.findall(r"HEED_API [^;(]*?(heed_\w+)\(", (prefix / "include/heed/heed.h").read_text()))
    shown = [name for name in shown_by(prefix / "lib/libheed.so") if name != "HEED_0"]
    row("libheed.so shows the functions of heed.h and nothing else", shown == declared, f"  it shows {shown}\n  heed.h has {declared}")
    config = (prefix / "lib/pkgconfig/heed.pc").read_text()
    header = (prefix / "include/heed/heed.h").read_text()
    number = ".".join(re.search(rf"HEED_VERSION_{part} (\d+)", header).group(1) for part in ("MAJOR", "MINOR", "PATCH"))
    row("one version in heed.h and heed.pc", f"Version: {number}\n" in config, config)

    examples = folder / "embedding"
    step("the examples can be copied", "cp", "-r", prefix / "share/heed/examples/embedding", examples)
    step("configure the examples", "cmake", "-S", examples, "-B", examples / "build", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Debug")
    step("build the examples", "cmake", "--build", examples / "build")
    built = examples / "build"
    rng = np.random.default_rng(2)
    model, x = folder / "classes.onnx", rng.standard_normal((2, 7)).astype(np.float32)
    save_model(model, [helper.make_node("Softmax", ["x"], ["y"], axis=-1)], [("x", TensorProto.FLOAT, ["batch", 7])], [("y", TensorProto.FLOAT, ["batch", 7])])
    x.tofile(folder / "x.raw")
    status, told = call(built / "classify", model, f"x={folder / 'x.raw'}", "batch=2")
    y = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    row("classify shows the greatest elements", status == 0 and f"  {y.argmax()}  {y.max():g}"[:12] in told and "y  f32 [2, 7]" in told, told)
    status, told = call(built / "classify", model, f"x={folder / 'x.raw'}", "batch=3")
    row("classify says how long a file must be", status == 1 and "84 bytes" in told, told)
    status, told = call(built / "classify", folder / "nothing.onnx")
    row("classify tells of a missing model", status == 1 and "nothing.onnx" in told, told)

    shakespeare = ROOT / "models" / "shakespeare"
    prompt, count = [35, 18], 24
    status, told = call(built / "decode", shakespeare, count, *prompt)
    expected = decoded_by_runs(folder, heed, shakespeare, prompt, count)
    row("decode writes what runs without states give", status == 0 and told.split() == expected, f"  {told}  expected {expected}")
    check_vad(folder, built / "vad")


def decoded_by_runs(folder, heed, model, prompt, count):
    """The likeliest tokens by whole runs over all that is written so far, without states."""
    tokens = list(prompt)
    for _ in range(count):
        np.save(folder / "ids.npy", np.array([tokens], np.int64))
        out = folder / "decoded"
        status, told = call(heed, "run", model, "--input", f"input_ids={folder / 'ids.npy'}", "--output", out, "--device", "cpu")
        if status:
            return [told]
        tokens.append(int(np.load(out / "logits.npy")[0, -1].argmax()))
    return [str(token) for token in tokens[len(prompt):]]


def check_vad(folder, vad):
    silero = DATA / "real" / "silero-vad"
    if not silero.exists():
        print(f"skipped: no {silero}")
        results["skipped"] += 1
        return
    status, told = call(vad, silero / "model.onnx", silero / "speech-16k.wav", "--probabilities")
    if status and "LSTM" in told:
        print("skipped: vad over silero-vad: LSTM is not there yet")
        results["skipped"] += 1
    else:
        for rate in ("8k", "16k"):
            expected = np.loadtxt(silero / f"probabilities-{rate}.csv", delimiter=",", skiprows=1)[:, 1]
            status, told = call(vad, silero / "model.onnx", silero / f"speech-{rate}.wav", "--probabilities")
            met = np.array([float(line.split(",")[1]) for line in told.splitlines() if re.match(r"\d+,", line)])
            close = status == 0 and len(met) == len(expected) and np.abs(met - expected).max() < 1e-4
            row(f"vad gives the probabilities of silero-vad at {rate}", close, told[-500:])
        with open(silero / "speech-16k.wav", "rb") as file:
            status, told = call_in(folder, vad, silero / "model.onnx", "-", stdin=file)
        spoken = re.findall(r"^([\d.]+) s to ([\d.]+) s$", told, re.M)
        row("vad finds speech in standard input, after the silence it begins with", status == 0 and spoken and 0.4 < float(spoken[0][0]) < 1.2, told)
    stereo = bytearray((silero / "speech-16k.wav").read_bytes())
    stereo[22] = 2
    (folder / "stereo.wav").write_bytes(stereo)
    (folder / "text.wav").write_text("no sound")
    (folder / "short.wav").write_bytes(stereo[:30])
    for name, words in (("stereo.wav", "2 channels"), ("text.wav", "no WAV file"), ("short.wav", "ends in the middle"), ("missing.wav", "No such file")):
        status, told = call(vad, silero / "model.onnx", folder / name)
        row(f"vad says what is wrong with {name}", status == 1 and words in told and "vad: " in told, told)


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

    check_embedding(folder, prefix, heed)
    check_snippets(folder, {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")})


os.environ.pop("CMAKE_PREFIX_PATH", None)
with tempfile.TemporaryDirectory(prefix="heed_install_") as name:
    main(Path(name))
finish()
