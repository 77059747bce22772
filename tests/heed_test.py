#!/usr/bin/python3
"""heed's command line, as people and attackers use it: heed_test.py PATH_TO_HEED DATA_FOLDER; one row a command line."""
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEED = Path(sys.argv[1]).resolve()
ROOT = Path(__file__).resolve().parent.parent
GPT = ROOT / "models" / "shakespeare"
counts = {"passed": 0, "failed": 0, "skipped": 0}
F, I = TensorProto.FLOAT, TensorProto.INT64


def row(name, arguments, status, out=(), err=(), never=(), check=None, timeout=60):
    """One command line: its exit status, texts in stdout and stderr, texts in neither, and check(stdout), true if good."""
    try:
        done = subprocess.run([str(HEED), *map(os.fsencode, map(str, arguments))] if not isinstance(arguments, bytes) else arguments,
                              capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL)
        met, stdout, stderr = done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        met, stdout, stderr = "a hang", "", ""
    wrong = [] if met == status else [f"exit status {met}, expected {status}"]
    wrong += [f"no {text!r} in stdout" for text in out if text not in stdout]
    wrong += [f"no {text!r} in stderr" for text in err if text not in stderr]
    wrong += [f"{text!r} is there" for text in never if text in stdout + stderr]
    if status == 1 and met == 1 and not err and not out:
        wrong += [] if "error[" in stderr else ["no error[...] in stderr"]
    try:
        wrong += [] if check is None or check(stdout) else ["check failed"]
    except Exception as problem:
        wrong.append(f"check: {problem!r}")
    counts["failed" if wrong else "passed"] += 1
    if wrong:
        print(f"FAILED {name}: {'; '.join(wrong)}\n    {stdout[-300:]!r}\n    {stderr[-400:]!r}")


def tensor(name, dims, kind=F):
    return helper.make_tensor_value_info(name, kind, dims)


def constant(name, values, kind=np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


def save(path, nodes, inputs, outputs, initializers=(), opset=17, metadata=None, **more):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    domains = {"": opset, **{node.domain: 1 for node in nodes if node.domain}}
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, version) for domain, version in domains.items()], **more)
    model.ir_version = 8
    helper.set_model_props(model, metadata or {})
    path.write_bytes(model.SerializeToString())
    return path


def fits(width):
    return lambda text: text and all(len(line) <= width for line in text.splitlines())


def command_lines(tmp, good):
    row("help", ["--help"], 0, ["usage: heed"])
    row("no command", [], 2, err=["usage: heed"])
    row("unknown command", ["foo"], 2, err=["no command 'foo'"])
    for command in ("run", "inspect", "explain", "generate", "verify", "compare", "bench", "devices"):
        row(f"{command} --help", [command, "--help"], 0, [f"heed {command}"])
        row(f"{command} with an unknown option", [command, "x", "--no-such"], 2, err=["no-such", "usage:"])
        if command != "devices":
            row(f"{command} without arguments", [command], 2, err=["usage:"])
        if command not in ("devices", "verify", "compare"):
            row(f"{command}: a missing file", [command, tmp / "none.onnx"], 1, err=["none"] if command != "generate" else [])
    row("devices", ["devices"], 0, ["cpu"])
    row("devices --json", ["devices", "--json"], 0, check=lambda text: json.loads(text)["cpu"]["threads"] >= 1
        and all("max_binding_bytes" in device["capabilities"] for device in json.loads(text)["vulkan"]))

    np.save(tmp / "x.npy", np.array([[1, 2, 3]], np.float32))
    np.savez(tmp / "x.npz", x=np.array([[1, 2, 3]], np.float32))
    (tmp / "x.pb").write_bytes(numpy_helper.from_array(np.array([[1, 2, 3]], np.float32), "x").SerializeToString())
    for given in ("1,2,3", tmp / "x.npy", tmp / "x.npz", tmp / "x.pb"):
        row(f"run --input {Path(str(given)).suffix or 'typed'}", ["run", good, "--input", f"x={given}"], 0, ["y", "2, 4, 6"])
    row("run without inputs", ["run", good], 1, err=["x", "f32"])
    row("run with a wrong input name", ["run", good, "--input", "z=1"], 1, err=["no input 'z'", "x"])
    np.save(tmp / "rank.npy", np.zeros((3,), np.float32))
    np.save(tmp / "shape.npy", np.zeros((1, 4), np.float32))
    np.save(tmp / "type.npy", np.zeros((1, 3), np.int64))
    for what in ("rank", "shape", "type"):
        row(f"run with a wrong {what}", ["run", good, "--input", f"x={tmp / (what + '.npy')}"], 1, err=["x"])
    row("run with a missing input file", ["run", good, "--input", "x=none.npy"], 1, err=["none.npy"])
    row("run --json", ["run", good, "--random", "--json"], 0, check=lambda text: json.loads(text)["outputs"][0]["name"] == "y")
    row("run --output", ["run", good, "--input", "x=1,2,3", "--output", tmp / "out"], 0,
        check=lambda _: np.load(tmp / "out" / "y.npy").tolist() == [[2, 4, 6]])
    broken = save(tmp / "broken.onnx", [helper.make_node("Exp", ["x"], ["a"], name="fine"), helper.make_node("Gather", ["a", "i"], ["b"], name="breaks")],
                  [tensor("x", [1, 3]), tensor("i", [1], I)], [tensor("a", None), tensor("b", None)])
    row("run that fails half way writes nothing", ["run", broken, "--input", "x=1,2,3", "--input", "i=9", "--output", tmp / "half"], 1,
        err=["broken.onnx", "breaks"], check=lambda _: not (tmp / "half").exists() or not list((tmp / "half").iterdir()))
    (tmp / "taken").mkdir()
    (tmp / "taken" / "y.npy").mkdir()
    row("run that cannot write one output", ["run", good, "--input", "x=1,2,3", "--output", tmp / "taken"], 1, err=["y.npy"],
        check=lambda _: [p.name for p in (tmp / "taken").iterdir()] == ["y.npy"])
    row("a trace that cannot be written", ["run", good, "--random", "--profile", tmp / "no" / "trace.json"], 1, err=["trace.json"])
    row("run with a bad --dim", ["run", good, "--random", "--dim", "n"], 1, err=["NAME=SIZE"])
    row("run with a bad --state", ["run", good, "--random", "--state", "x"], 1, err=["INPUT=OUTPUT"])
    row("run with a --state of no input", ["run", good, "--random", "--state", "z=y"], 1, err=["good.onnx", "no input 'z'", "'x'"])
    row("run with a --state", ["run", good, "--state", "x=y"], 0)
    row("run --text of several texts is a batch", ["run", GPT, "--text", "ROMEO:", "--text", "To be"], 0, ["logits  f32 [2, 2,"])
    row("run --text of texts whose lengths differ, without a mask", ["run", GPT, "--text", "ROMEO:", "--text", "JULIE"], 1, err=["differ in length"])
    open_sizes = save(tmp / "open.onnx", [helper.make_node("NonZero", ["x"], ["i"], name="finds"), helper.make_node("Cast", ["i"], ["y"], to=1)],
                      [tensor("x", ["n", 3])], [tensor("y", None)])
    row("explain tells what memory needs", ["explain", open_sizes], 0, ["these sizes are open: n"])
    row("explain bounds what only the run tells", ["explain", open_sizes, "--dim", "n=5"], 0, ["arena at most"])
    row("run on an unknown device", ["run", good, "--random", "--device", "abacus"], 1, err=["abacus"])
    for command in ("inspect", "explain"):
        for model in (good, GPT):
            row(f"{command} {model.name}", [command, model], 0, check=fits(120))
            row(f"{command} --json {model.name}", [command, model, "--json"], 0, check=json.loads)
    row("bench --samples", ["bench", good, "--samples", "--repetitions", "3"], 0,
        check=lambda text: [float(line.removesuffix(" ms")) >= 0 for line in text.splitlines()] == [True] * 3)
    row("bench without repetitions", ["bench", good, "--repetitions", "0"], 2, err=["--repetitions"])
    row("bench of a model and a device at once", ["bench", good, "--device-report"], 2, err=["--device-report takes no MODEL"])
    row("bench --kernels of a model", ["bench", good, "--kernels"], 2, err=["--kernels goes with --device-report"])
    report = ["bench", "--device-report", "--device", "cpu"]
    row("bench --device-report", [*report, "--kernels"], 0, ["peak, f32", "prefill attention", "GPT-2 small", "Softmax"], check=fits(120), timeout=300)
    row("bench --device-report of an unknown device", ["bench", "--device-report", "--device", "abacus"], 1, err=["abacus"])
    (tmp / "empty").mkdir()
    row("verify on an empty folder", ["verify", tmp / "empty"], 1, err=["no case"])
    case = tmp / "case" / "test_data_set_0"
    case.mkdir(parents=True)
    (tmp / "case" / "model.onnx").write_bytes(good.read_bytes())
    (case / "input_0.pb").write_bytes((tmp / "x.pb").read_bytes())
    (case / "output_0.pb").write_bytes((tmp / "x.pb").read_bytes())
    row("verify on a case that fails", ["verify", tmp / "case"], 1, ["0 passed, 1 failed, 0 skipped"])
    row("verify --json", ["verify", "--json", tmp / "case"], 1, ['"status":"failed"'],
        check=lambda text: set(json.loads(text.splitlines()[0])) == {"case", "status", "reason", "steps", "seconds"})
    old = tmp / "old"
    old.mkdir()
    (old / "model.onnx").write_bytes(save(tmp / "sum.onnx", [helper.make_node("Add", ["a", "b"], ["y"])],
                                          [tensor("a", [1, 1, 3]), tensor("b", [1, 1, 3])], [tensor("y", [1, 1, 3])]).read_bytes())
    rows = np.arange(6, dtype=np.float32).reshape(2, 1, 1, 3)
    for name, arrays, status, said in (
            ("floats", {"inputs": rows, "outputs": rows.sum(0, keepdims=True)}, 0, "1 passed"),
            ("other floats", {"inputs": rows, "outputs": rows[:1]}, 1, "output 'y'"),
            ("pixels in a row, and classes", {"inputs": np.array([[0, 9, 1], [1, 0, 2]], np.int32), "outputs": np.array([[0, 1, 0]], np.int32)}, 0, "1 passed"),
            ("another class", {"inputs": np.array([[0, 9, 1], [1, 0, 2]], np.int32), "outputs": np.array([[1, 0, 0]], np.int32)}, 1,
             "class 1 is the likeliest; expected class 0"),
            ("one input of two", {"inputs": rows[:1], "outputs": rows[:1]}, 1, "there is no input_1"),
            ("no outputs", {"inputs": rows}, 1, "outputs")):
        np.savez(old / "test_data_0.npz", **arrays)
        row(f"verify on the zoo's old layout: {name}", ["verify", old], status, [said])
    (old / "model.onnx").rename(old / "model.pb")
    np.savez(old / "test_data_0.npz", inputs=rows, outputs=rows.sum(0, keepdims=True))
    row("verify on the zoo's oldest name of a model", ["verify", old], 0, ["1 passed"])


def generation(tmp, good):
    base = ["generate", GPT, "--prompt", "ROMEO:", "--max-tokens", "8"]
    texts = [subprocess.run([str(HEED), *map(str, base), "--temperature", "1", "--seed", "7"], capture_output=True).stdout for _ in range(2)]
    row("generate: the same seed, the same text", [*base, "--temperature", "1", "--seed", "7"], 0, ["ROMEO:"],
        check=lambda _: texts[0] == texts[1] and len(texts[0]) > 6)
    for option, value in (("--temperature", "-1"), ("--temperature", "nan"), ("--top-k", "-1"), ("--top-p", "2"), ("--top-p", "0"), ("--min-p", "2"),
                          ("--repetition-penalty", "0")):
        row(f"generate {option} {value}", [*base, option, value], 1)
    elsewhere = "avx2" if platform.machine() == "aarch64" else "neon"
    for isa, told in (("sse9", "'sse9'; expected scalar, neon,"), (elsewhere, f"is {elsewhere}, which this machine lacks; it has scalar")):
        row(f"generate --option cpu.isa={isa}", [*base, "--device", "cpu", "--option", f"cpu.isa={isa}"], 1, err=[told])
    row("generate --option cpu.isa=scalar", [*base, "--device", "cpu", "--option", "cpu.isa=scalar"], 0)
    text = subprocess.run([str(HEED), *map(str, base)], capture_output=True, text=True).stdout
    for lose_at in ("1", "4", "7"):
        row(f"generate: the device is lost at submission {lose_at}, the text stays",
            [*base, "--device", "vulkan", "--option", f"vulkan.lose_at_submission={lose_at}"], 0, [text],
            err=["VK_ERROR_DEVICE_LOST", "opened again"])
    row("run: a lost device is opened again", ["run", GPT, "--random", "--dim", "seq=3", "--device", "vulkan", "--option",
                                               "vulkan.lose_at_submission=1"], 0, ["logits"], err=["opened again"])
    row("generate: several prompts, several texts, none depending on those before it",
        [*base, "--prompt", "JULIET:", "--prompt", "ROMEO:"], 0, [text + "----\nJULIET:", "----\n" + text], err=["on cpu"])
    row("generate --warm-start begins on the CPU, and the texts stay",
        [*base, *["--prompt", "ROMEO:"] * 40, "--warm-start", "--device", "vulkan"], 0, err=["on cpu"],
        check=lambda texts: texts == "----\n".join([text] * 41))
    for option in (["--device", "cpu"], ["--require-gpu"]):
        row(f"generate --warm-start {option[0]} is refused", [*base, "--warm-start", *option], 1, err=["contradict"])
    row("generate --warm-start of a device that is not there", [*base, "--warm-start", "--device", "vulkan:no-such"], 0, [text], err=["on cpu"])
    row("generate: no number", [*base, "--max-tokens=x"], 2)
    for stop in ("\nI", "be a b", "I'll be a brief and more", "no such"):
        row(f"generate --stop {stop!r}", [*base, "--stop", "never", "--stop", stop], 0, check=lambda met: met == text.partition(stop)[0].rstrip("\n") + "\n")
    row("generate: no tokens", ["generate", GPT, "--prompt", "a", "--max-tokens", "0"], 1, err=["--max-tokens 0"])
    row("generate: an empty prompt", ["generate", GPT, "--prompt", "", "--max-tokens", "4"], 1, err=["prompt"])
    met = subprocess.run([os.fsencode(HEED), b"generate", os.fsencode(GPT), b"--prompt", b"\xff\xfeA", b"--max-tokens", b"4"], capture_output=True)
    row("generate: a prompt of invalid UTF-8 is no crash", ["--help"], 0, check=lambda _: met.returncode in (0, 1))
    with subprocess.Popen([str(HEED), *map(str, base)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as closed:
        closed.stdout.close()
        status = closed.wait(60)
    row("generate into a closed pipe ends by SIGPIPE or an error", ["--help"], 0, check=lambda _: status in (-13, 0, 1))
    row("generate without a tokenizer", ["generate", good, "--prompt", "a"], 1, err=["tokenizer"])


def bad_files(tmp, good):
    whole = (GPT / "model.onnx").read_bytes()
    for length in (1, 7, 100, 5000, len(whole) // 2, len(whole) - 1):
        path = tmp / f"cut{length}.onnx"
        path.write_bytes(whole[:length])
        row(f"a file cut after {length} bytes", ["run", path, "--random"], 1, err=[path.name])
    for name, content in (("void", b""), ("text", b"hello, I am no model\n"), ("zip", b"PK\x03\x04" + bytes(60)), ("claim", b"\x3a\xff\xff\xff\xff\x7f"),
                          ("noise", bytes(range(256)) * 8)):
        path = tmp / f"{name}.onnx"
        path.write_bytes(content)
        for command in ("run", "inspect"):
            row(f"{command}: a file of {name}", [command, path], 1, err=[path.name])
    os.mkfifo(tmp / "fifo.onnx")
    row("a FIFO", ["run", tmp / "fifo.onnx"], 1, err=["fifo.onnx"], timeout=10)
    row("a folder without a model", ["run", tmp / "empty"], 1, err=["model.onnx"])


def bad_graphs(tmp, good):
    N = helper.make_node
    x, y = tensor("x", [1, 3]), tensor("y", None)
    big = 1 << 62

    def bad(name, nodes, initializers=(), inputs=(x,), err=(), extra=()):
        path = save(tmp / f"{name.replace(' ', '_')}.onnx", nodes, list(inputs), [y], initializers)
        row(name, ["run", path, "--random", *extra], 1, err=["error[", path.name, *err])

    bad("contradictory shapes", [N("Add", ["x", "c"], ["y"], name="adds")], [constant("c", [[1, 2]], np.float32)], err=["adds"])
    bad("a cycle", [N("Add", ["x", "b"], ["a"], name="one"), N("Neg", ["a"], ["b"], name="two"), N("Neg", ["b"], ["y"])], err=["one", "two"])
    bad("duplicate names", [N("Neg", ["x"], ["y"], name="first"), N("Abs", ["x"], ["y"], name="second")], err=["'y'", "second"])
    bad("a dangling name", [N("Neg", ["nowhere"], ["y"], name="takes")], err=["'nowhere'", "takes"])
    bad("Reshape to 2^62", [N("Reshape", ["x", "s"], ["y"], name="big")], [constant("s", [big, 4])], err=["big"])
    bad("Reshape to a negative size", [N("Reshape", ["x", "s"], ["y"], name="big")], [constant("s", [-7])], err=["big"])
    bad("Expand to 2^62", [N("Expand", ["x", "s"], ["y"], name="big")], [constant("s", [big, 4, 3])], err=["big"])
    bad("Range to 2^62", [N("Range", ["a", "b", "c"], ["y"], name="big")], [constant("a", 0), constant("b", big), constant("c", 1)], err=["big"])
    bad("ConstantOfShape of 2^40", [N("ConstantOfShape", ["s"], ["y"], name="big")], [constant("s", [1 << 40])], err=["big"])
    bad("Gather out of range", [N("Gather", ["x", "i"], ["y"], name="takes", axis=1)], [constant("i", [9])], err=["takes"])
    path = save(tmp / "unknown.onnx", [N("Aaa", ["x"], ["a"]), N("Bbb", ["a"], ["b"]), N("Ccc", ["b"], ["y"])], [x], [y])
    row("three unknown operators", ["run", path, "--random"], 1, err=[path.name, "Aaa", "Bbb", "Ccc", "plugin"])
    row("inspect shows unknown operators", ["inspect", path], 0, ["Aaa", "Bbb", "Ccc", "plugin"])

    body = helper.make_graph([N("Neg", ["x"], ["r"])], "b", [], [tensor("r", None)]).SerializeToString()
    def field(number, content):
        size, text = len(content), b""
        while size > 127:
            text, size = text + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + text + bytes([size]) + content
    for _ in range(1000):  # NodeProto{op_type 4, attribute 5{name 1, g 6, type 20}}, nested in GraphProto.node 1
        body = field(1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, body) + b"\xa0\x01\x05")) + field(2, b"b")
    (tmp / "deep.onnx").write_bytes(b"\x08\x08" + field(8, b"\x10\x11") + field(7, body))
    row("subgraphs 1,000 deep", ["run", tmp / "deep.onnx"], 1, err=["deep.onnx"])
    recursive = helper.make_function("f", "Bomb", ["a"], ["b"], [N("Bomb", ["a"], ["b"], domain="f")], [helper.make_opsetid("f", 1)])
    graph = helper.make_graph([N("Bomb", ["x"], ["y"], domain="f")], "g", [x], [y])
    model = helper.make_model(graph, functions=[recursive], opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("f", 1)])
    (tmp / "bomb.onnx").write_bytes(model.SerializeToString())
    row("a function that calls itself", ["run", tmp / "bomb.onnx", "--random"], 1, err=["bomb.onnx", "Bomb"])

    (tmp / "outside").mkdir()
    (tmp / "outside" / "w").write_bytes(bytes(12))
    (tmp / "home").mkdir()
    (tmp / "home" / "short").write_bytes(bytes(4))
    os.symlink(tmp / "outside" / "w", tmp / "home" / "link")
    for place in ("none", "short", "../outside/w", str(tmp / "outside" / "w"), "link"):
        w = TensorProto(name="w", data_type=F, dims=[1, 3], data_location=TensorProto.EXTERNAL)
        w.external_data.add(key="location", value=place)
        path = save(tmp / "home" / "m.onnx", [N("Add", ["x", "w"], ["y"])], [x], [y], [w])
        row(f"external data: {Path(place).name} by {place[:2]}", ["run", path, "--random"], 1, err=[path.name, "'w'"])


def plugins(tmp, good):
    (tmp / "text.so").write_text("no library")
    row("a plugin that is no library", ["run", good, "--plugin", tmp / "text.so", "--random"], 1, err=["text.so"])
    row("a plugin that is not there", ["run", good, "--plugin", tmp / "none.so", "--random"], 1, err=["none.so"])
    for fault, text in (("NO_SYMBOL", "heed_plugin_entry"), ("OTHER_MAJOR", "version"), ("GIVES_NULL", "the licence server sleeps"), ("SHORT_TABLE", "")):
        library = tmp / f"{fault.lower()}.so"
        subprocess.run(["cc", "-shared", "-fPIC", f"-D{fault}", "-I", ROOT / "runtime" / "include", ROOT / "tests" / "registry" / "bad_plugin.c", "-o", library], check=True)
        row(f"a plugin: {fault.lower()}", ["run", good, "--plugin", library, "--random"], 1, err=[library.name, text])


def comparison(tmp, good):
    N = helper.make_node
    half = save(tmp / "half.onnx", [N("Cast", ["x"], ["h"], to=TensorProto.FLOAT16, name="narrows"), N("Mul", ["h", "h"], ["s"], name="squares"),
                                    N("Softmax", ["s"], ["y"], name="ends")], [tensor("x", [1, 3])], [tensor("y", [1, 3], TensorProto.FLOAT16)])
    x = np.array([[1, 2, 300]], np.float32)
    np.savez(tmp / "half.npz", x=x, h=x, s=x * x)
    row("compare finds an overflow in fp16", ["compare", half, "--with", tmp / "half.npz", "--device", "cpu"], 1,
        ["first node that differs: 'squares' (Mul)", "[0, 2]: inf on cpu, 90000 on half.npz", "overflow in fp16"], check=fits(120))
    np.savez(tmp / "near.npz", x=x / 3, h=x / 3, s=x * x / 9)
    row("compare leaves narrow types their steps", ["compare", half, "--with", tmp / "near.npz", "--device", "cpu"], 0, ["all agree"])
    logs = save(tmp / "logs.onnx", [N("Sub", ["x", "c"], ["d"], name="shifts"), N("Log", ["d"], ["l"], name="logs"), N("Softmax", ["l"], ["y"])],
                [tensor("x", [1, 3])], [tensor("y", [1, 3])], [constant("c", [2], np.float32)])
    x = np.array([[3, 2.5, 1]], np.float32)
    np.savez(tmp / "logs.npz", x=x, d=x - 2, l=np.array([[0, -0.6931472, 0]], np.float32))
    row("compare finds where NaN appears", ["compare", logs, "--with", tmp / "logs.npz", "--no-rewrite", "--device", "cpu"], 1,
        ["'logs' (Log)", "NaN appears here on cpu, from finite inputs"])
    row("compare --json", ["compare", logs, "--with", tmp / "logs.npz", "--no-rewrite", "--device", "cpu", "--json"], 1, ['"cause"'],
        check=lambda text: json.loads(text)["first"]["node"] == "logs" and json.loads(text)["cause"]["kind"] == "nan")
    np.savez(tmp / "shifted.npz", x=x, d=x - 1.5)
    row("compare blames a node whose inputs agree", ["compare", logs, "--with", tmp / "shifted.npz", "--no-rewrite", "--device", "cpu"], 1,
        ["'shifts' (Sub)", "this node's kernel: what it reads is the same"])
    np.savez(tmp / "fused.npz", d=x - 2)
    row("compare tells what was fused away", ["compare", logs, "--with", tmp / "fused.npz", "--input", "x=3,2.5,1", "--device", "cpu"], 1,
        err=["nothing to compare", "--no-rewrite"])
    np.savez(tmp / "other.npz", q=x)
    row("compare with values that the model has not", ["compare", good, "--with", tmp / "other.npz", "--random"], 1, err=["no value 'q'"])
    row("compare with a missing file", ["compare", good, "--with", tmp / "none.npz", "--random"], 1, err=["none.npz"])
    row("compare with what is no device", ["compare", good, "--with", "abacus", "--random"], 1, err=["--with abacus", ".npz"])
    row("compare of a device with itself", ["compare", good, "--with", "cpu", "--device", "cpu", "--random"], 1, err=["both sides"])
    row("compare: a missing model", ["compare", tmp / "none.onnx", "--with", "cpu"], 1, err=["none.onnx"])
    row("compare with a bad tolerance", ["compare", good, "--with", "cpu", "--tolerance", "1e-3,x"], 1, err=["--tolerance"])
    if not on_vulkan():
        return
    row("compare of two devices", ["compare", GPT, "--with", "cpu", "--text", "ROMEO:"], 0, ["all agree"], check=fits(120))
    wrong = wrong_trilu(tmp)
    cuts = save(tmp / "cuts.onnx", [N("Exp", ["x"], ["a"], name="grows"), N("Trilu", ["a"], ["b"], name="cuts"), N("Softmax", ["b"], ["y"])],
                [tensor("x", [4, 4])], [tensor("y", [4, 4])])
    row("compare finds a wrong kernel", ["compare", cuts, "--with", "cpu", "--random", "--plugin", wrong], 1,
        ["'cuts' (Trilu)", "this node's kernel"])


def quarantine(tmp, good):
    if not on_vulkan():
        return
    cache = ["--option", f"vulkan.cache={tmp / 'cache'}"]
    kept = lambda: [path for path in (tmp / "cache").iterdir() if path.name.startswith("quarantine")]
    test = ["devices", "--test", *cache]
    row("devices --test", test, 0, ["Softmax", " 0 failed"], never=["quarantined"], check=fits(120))
    wrong = ["--plugin", wrong_trilu(tmp)]
    test += ["--operator", "Trilu", "--operator", "Softmax"]
    row("devices --test with a wrong kernel", [*test, *wrong], 1, ["quarantined: Trilu f32, sevens"], check=fits(120))
    row("devices --test of another operator leaves it there", ["devices", "--test", *cache, "--operator", "Softmax"], 0, [" 0 failed"],
        check=lambda _: "sevens" in kept()[0].read_text())
    row("devices --test of no operator", ["devices", "--test", *cache, "--operator", "Trylu"], 1, err=["Trylu", "Trilu"])
    row("devices --test --json", [*test, *wrong, "--json"], 1, ['"sevens"'],
        check=lambda text: {kernel["op_type"] for kernel in json.loads(text)[0]["quarantined"]} == {"Trilu"})
    cuts = save(tmp / "cuts.onnx", [helper.make_node("Trilu", ["x"], ["y"], name="cuts")], [tensor("x", [3, 3])], [tensor("y", [3, 3])])
    run = [cuts, *wrong, *cache, "--device", "vulkan"]
    def step(text):
        return next(step for step in json.loads(text)["steps"] if step["op_type"] == "Trilu")
    row("a kernel in quarantine is declined, with the reason", ["explain", *run, "--json"], 0, ["quarantined on ", "driver "],
        check=lambda text: step(text)["kernel"] != "sevens")
    np.save(tmp / "nine.npy", np.arange(1, 10, dtype=np.float32).reshape(3, 3))
    row("a model whose kernel is in quarantine is right", ["run", *run, "--input", f"x={tmp / 'nine.npy'}"], 0, ["1, 2, 3, 0, 5, 6, 0, 0"])
    for file in kept():
        file.write_text(file.read_text().replace("sevens", "eights"))
    row("a damaged quarantine is passed over with a notice", ["explain", *run, "--json"], 0, err=["is damaged", "devices --test"],
        check=lambda text: step(text)["kernel"] == "sevens")
    row("devices --test writes it anew", [*test, *wrong], 1, ["quarantined: Trilu f32, sevens"])
    row("devices --test of a kernel that takes the process with it", [*test, "--plugin", wrong_trilu(tmp, "-DCRASHES"), "--json"],
        1, ['"sevens"', "the process crashed (Aborted)"],
        check=lambda text: {kernel["op_type"] for kernel in json.loads(text)[0]["quarantined"]} == {"Trilu"}
        and json.loads(text)[0]["operators"]["Softmax"]["passed"] > 0)
    row("devices --test --forget", [*test, "--forget"], 0, ["released"], check=lambda _: kept() == [])
    row("a kernel that was released is taken", ["explain", *run, "--json"], 0, check=lambda text: step(text)["kernel"] == "sevens")
    row("devices --forget alone", ["devices", "--forget"], 2, err=["--test"])
    row("devices --test of the CPU", ["devices", "--test", "--device", "cpu"], 1, err=["cpu"])
    row("devices --test of an unknown device", ["devices", "--test", "--device", "vulkan:77"], 1, err=["77"])


def decoder(folder, cache="heads first", mask=None, positions=None, kind=I, logits=F, table=64, capacity=None, told=(), ids=("batch", "seq"),
            encoder=False, logits_name="logits", metadata=None, first_row=0, **files):
    """A decoder of one layer in the way that the options say; all ways have the same weights, so that they write the same.

    cache: heads first, places first, packed, fixed, grouped, fresh (given alone), or None; mask: a data type, or causal; positions: the name of an input, or
    None where the graph counts them; told: what else is an input; first_row: that of position 0 in its table; files: what stands beside it as JSON.
    """
    heads, width, vocab = 2, 16, 1024
    random = np.random.default_rng(5)
    nodes, inputs, outputs, weights = [], [tensor("input_ids", ids, kind)], [tensor(logits_name, [*ids, vocab], logits)], []

    def node(op_type, *read, made=None, **attributes):
        made = made or f"{op_type}_{len(nodes)}"
        nodes.append(helper.make_node(op_type, [fixed(x) for x in read], [made], **attributes))
        return made

    def fixed(value):
        if isinstance(value, str):
            return value
        weights.append(numpy_helper.from_array(np.array(value), f"constant_{len(weights)}"))
        return weights[-1].name

    def weight(*dims):
        return fixed(random.standard_normal(dims).astype(np.float32))

    def size(value, axis):
        return node("Gather", node("Shape", value), np.int64(axis))

    def given(name, dims, kind=F):
        inputs.append(tensor(name, dims, kind))
        return name

    tokens, places, *maps, head = (weight(vocab, 32), weight(table, 32), *(weight(32, 32) for _ in range(4)), weight(32, vocab))
    along = {"heads first": ("past_key_values.0.{}", "present.0.{}", 2), "places first": ("past_key_values.0.{}", "present.0.{}", 1),
             "packed": ("past_0", "present_0", 3)}.get(cache)
    seq = size("input_ids", 1)
    if cache == "packed":
        given("past_0", [2, "batch", heads, "past", width])
    elif along:
        for part in ("key", "value"):
            given(along[0].format(part), ["batch", heads, "past", width] if along[2] == 2 else ["batch", "past", heads, width])
    past = size(along[0].format("key"), along[2]) if along else np.int64(0)
    if cache == "fixed":
        past = node("ReduceMin", given("write_indices", ["batch"], I), keepdims=0)
    if "past_sequence_length" in told:
        past = node("Cast", node("Squeeze", given("past_sequence_length", [1], TensorProto.INT32)), to=I)
    if "use_cache_branch" in told:
        past = node("Where", node("Squeeze", given("use_cache_branch", [1], TensorProto.BOOL)), past, np.int64(0))
    if cache == "grouped":  # com.microsoft's, whose lengths are inputs, or come of the mask
        room = ["batch", heads, capacity or "past", width]
        olds = [given(f"past_key_values.0.{part}", room) for part in ("key", "value")]
        past = size(olds[0], 2)
        if mask:
            seen = given("attention_mask", ["batch", "total"], mask)
            lengths = [node("Cast", node("Sub", node("ReduceSum", seen, np.array([1]), keepdims=0), np.int64(1)), to=TensorProto.INT32),
                       node("Cast", size(seen, 1), to=TensorProto.INT32)]
        else:
            lengths = [given("seqlens_k", ["batch"], TensorProto.INT32), given("total_sequence_length", [], TensorProto.INT32)]
            past = node("Sub", node("Cast", lengths[1], to=I), seq)
    total = node("Add", past, seq)
    if "seqlens_k" in told:
        last = node("ReduceMax", given("seqlens_k", ["batch"], TensorProto.INT32), keepdims=0)
        total = node("Add", node("Cast", last, to=I), np.int64(1))
    if "total_sequence_length" in told:
        total = node("Max", total, node("Cast", given("total_sequence_length", [], TensorProto.INT32), to=I))
    range_of = given("cache_position", ["seq"], I) if "cache_position" in told else node("Range", past, total, np.int64(1))
    if positions:
        given(positions, ["batch", "seq"], I)
    rows = node("Add", positions or range_of, np.int64(first_row)) if first_row else positions or range_of
    x = node("Add", node("Gather", tokens, "input_ids"), node("Gather", places, rows))
    if "token_type_ids" in told:
        x = node("Add", x, node("Gather", np.zeros((2, 32), np.float32), given("token_type_ids", ["batch", "seq"], I)))
    query, key, value = (node("MatMul", x, map) for map in maps[:3])
    if cache == "grouped":
        news = [f"present.0.{part}" for part in ("key", "value")]
        nodes.append(helper.make_node("GroupQueryAttention", [query, key, value, *olds, *lengths], ["attended", *news], domain="com.microsoft",
                                      num_heads=heads, kv_num_heads=heads))
        outputs += [tensor(name, [*room[:2], capacity or "total", width]) for name in news]
    else:
        query, key, value = (node("Reshape", part, np.array([0, 0, heads, width])) for part in (query, key, value))
        query = node("Transpose", query, perm=[0, 2, 1, 3])
    if cache not in ("places first", "grouped"):
        key, value = (node("Transpose", part, perm=[0, 2, 1, 3]) for part in (key, value))
    if cache in ("heads first", "places first"):
        key, value = (node("Concat", along[0].format(name), part, made=along[1].format(name), axis=along[2]) for name, part in (("key", key), ("value", value)))
    elif cache == "packed":
        old = [node("Gather", "past_0", np.int64(i), axis=0) for i in (0, 1)]
        key, value = (node("Concat", past, part, axis=2) for past, part in zip(old, (key, value)))
        node("Concat", *(node("Unsqueeze", part, np.array([0])) for part in (key, value)), made="present_0", axis=0)
    if cache == "fresh":
        key, value = (node("Identity", part, made=f"present.0.{name}") for name, part in (("key", key), ("value", value)))
        outputs += [tensor(name, None) for name in (key, value)]
    if along:
        outputs += [tensor("present_0", None)] if cache == "packed" else [tensor(name, None) for name in (key, value)]
    if cache == "places first":
        key, value = (node("Transpose", part, perm=[0, 2, 1, 3]) for part in (key, value))
    if cache == "fixed":
        room = {part: ["batch", heads, capacity or f"{part}s", width] for part in ("key", "value")}
        key, value = (node("TensorScatter", given(f"{part}_cache", room[part]), new, "write_indices", made=f"{part}_present")
                      for part, new in (("key", key), ("value", value)))
        outputs += [tensor(f"{part}_present", room[part]) for part in room]
        seen = given("attention_mask", ["batch", 1, "seq", "all"]) if mask else ""
        attended = node("Attention", query, key, value, seen, "", "", given("nonpad_kv_seqlen", ["batch"], I), is_causal=0 if mask else 1)
    elif cache != "grouped":
        scores = node("Mul", node("MatMul", query, node("Transpose", key, perm=[0, 1, 3, 2])), np.float32(0.25))
        if mask == "causal":
            scores = node("Add", scores, given("attention_mask", ["batch", 1, "seq", "total"]))
        else:
            seen = node("LessOrEqual", node("Range", np.int64(0), total, np.int64(1)), node("Unsqueeze", range_of, np.array([1])))
            if mask:
                wanted = given("attention_mask", ["batch", "total"], mask)
                seen = node("And", seen, node("Unsqueeze", node("Cast", wanted, to=TensorProto.BOOL), np.array([1, 2])))
            scores = node("Where", seen, scores, np.float32(np.finfo(np.float32).min))
        attended = node("MatMul", node("Softmax", scores, axis=-1), value)
    attended = "attended" if cache == "grouped" else node("Reshape", node("Transpose", attended, perm=[0, 2, 1, 3]), np.array([0, 0, heads * width]))
    x = node("Add", x, node("MatMul", attended, maps[3]))
    if "num_logits_to_keep" in told:
        x = node("Slice", x, node("Unsqueeze", node("Neg", given("num_logits_to_keep", [], I)), np.array([0])), np.array([1 << 60]), np.array([1]))
        outputs[0] = tensor(logits_name, None, logits)
    if encoder:
        x = node("Add", x, node("ReduceMean", given("encoder_hidden_states", ["batch", "places", 32]), axes=[1]))
    node("Cast", node("MatMul", x, head), made=logits_name, to=logits)
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((GPT / "tokenizer.json").read_bytes())
    save(folder / "model.onnx", nodes, inputs, outputs, weights, opset=24 if cache == "fixed" else 17, metadata=metadata)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def merged(folder, tmp):
    """A decoder without a past and one with it in the branches of an If, as optimum merges them."""
    with_past = onnx.load(decoder(tmp / "with_past") / "model.onnx").graph
    without = onnx.load(decoder(tmp / "without", cache="fresh") / "model.onnx").graph
    branches = {}
    for name, graph in (("then_branch", with_past), ("else_branch", without)):
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [f"{name}/{x}" if x in {value.name for value in graph.output} else x for x in names]
        outputs = [tensor(f"{name}/{value.name}", None) for value in graph.output]
        branches[name] = helper.make_graph(graph.node, name, [], outputs, graph.initializer)
    node = helper.make_node("If", ["use_cache_branch"], [value.name for value in with_past.output], **branches)
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((GPT / "tokenizer.json").read_bytes())
    (folder / "config.json").write_text('{"n_positions": 64}')
    save(folder / "model.onnx", [node], [*with_past.input, tensor("use_cache_branch", [1], TensorProto.BOOL)],
         [with_past.output[0], *(tensor(value.name, ["batch", 2, "total", 16]) for value in with_past.output[1:])])
    return folder


def written(model, *options, prompts=("ROMEO:",)):
    """The ids of each text."""
    command = [HEED, "generate", model, "--max-tokens", "12", "--ids", *options]
    for prompt in prompts:
        command += ["--prompt", prompt]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [text.split("\n")[-2] for text in done.stdout.split("----\n")]


def decoders(tmp, good):
    """Whatever way a decoder takes its inputs, it writes the same, alone or in a batch."""
    folder = tmp / "decoders"
    folder.mkdir()
    prompts = ("ROMEO:", "JULIET, my love:", "a")
    plain = decoder(folder / "plain", cache=None)
    alone = [text for prompt in prompts for text in written(plain, prompts=[prompt])]
    BOOL, I32, F16 = TensorProto.BOOL, TensorProto.INT32, TensorProto.FLOAT16
    in_step, padded = "as one batch, in step", "as one batch, padded on the left"
    ways = {
        "no cache": (dict(cache=None), in_step, "none: the whole text is read again"),
        "caches with heads first": (dict(), in_step, "grow with the text"),
        "caches with places first": (dict(cache="places first"), in_step, "grow with the text"),
        "a packed cache": (dict(cache="packed"), in_step, "grow with the text"),
        "caches of a fixed size": (dict(cache="fixed", capacity=32), in_step, "room for 32 tokens"),
        "caches of an open size": (dict(cache="fixed"), in_step, "room for as many tokens as are asked for"),
        "caches of an open size and a causal mask": (dict(cache="fixed", mask="causal"), in_step, "causal mask"),
        "a mask of i64 and positions": (dict(mask=I, positions="position_ids"), padded, "mask: 1 for tokens"),
        "a mask of i32": (dict(mask=I32), in_step, "mask: 1 for tokens"),
        "a mask of bool and positions": (dict(mask=BOOL, positions="positions"), padded, "mask: 1 for tokens"),
        "a mask of f32 and positions": (dict(mask=F, positions="position_ids", cache="places first"), padded, "mask: 1 for tokens"),
        "a causal mask": (dict(mask="causal", positions="position_ids", cache="packed"), padded, "causal mask"),
        "no cache, a mask and positions": (dict(cache=None, mask=I, positions="position_ids"), padded, "positions of the new tokens"),
        "positions without a batch": (dict(told=["cache_position"]), in_step, "positions of the new tokens"),
        "lengths": (dict(told=["past_sequence_length", "total_sequence_length", "seqlens_k"]), in_step, "tokens so far, less one"),
        "what turns the cache on": (dict(told=["use_cache_branch"]), in_step, "whether there is a past"),
        "a branch with a cache and one without": (merged, in_step, "whether there is a past"),
        "presents without pasts": (dict(cache="fresh"), in_step, "none: the whole text is read again"),
        "token types": (dict(told=["token_type_ids"], mask=I, positions="position_ids"), padded, "token types: zeros"),
        "how many logits": (dict(told=["num_logits_to_keep"]), in_step, "places that logits are wanted of: 1"),
        "grouped heads, lengths of the mask": (dict(cache="grouped", mask=I), in_step, "mask: 1 for tokens"),
        "grouped heads in caches of a fixed size": (dict(cache="grouped", capacity=32), in_step, "room for 32 tokens"),
        "grouped heads, a fixed size and a mask": (dict(cache="grouped", mask=I, capacity=32, positions="position_ids"), in_step, "of one size, in place"),
        "grouped heads, lengths as inputs": (dict(cache="grouped"), in_step, "tokens so far, less one"),
        "one token a run": (dict(ids=("batch", 1)), in_step, "grow with the text"),
        "one text": (dict(ids=(1, "seq")), "one after the other", "grow with the text"),
        "ids of i32": (dict(kind=I32), in_step, "token ids"),
        "logits of bf16": (dict(logits=TensorProto.BFLOAT16), in_step, "logits"),
        "logits of f16, of another name": (dict(logits=F16, logits_name="scores"), in_step, "scores"),
    }
    for name, (options, batch, role) in ways.items():
        model = folder / name.replace(" ", "_")
        merged(model, folder) if options is merged else decoder(model, **options)
        row(f"inspect: {name}", ["inspect", model], 0, [role, batch, "at most"], check=fits(120))
        several = [word for prompt in prompts for word in ("--prompt", prompt)]
        row(f"generate: {name}", ["generate", model, "--max-tokens", "12", "--ids", *several], 0, err=[batch],
            check=lambda text: [part.split("\n")[-2] for part in text.split("----\n")] == alone)
    model = folder / "a_mask_of_i64_and_positions"
    row("inspect --json of a decoder", ["inspect", model, "--json"], 0, check=lambda text: json.loads(text)["decoder"]["context"]["tokens"] == 64)
    row("generate: samples in a batch are those alone", ["--help"], 0, check=lambda _: written(model, "--temperature", "1", prompts=prompts) ==
        [text for prompt in prompts for text in written(model, "--temperature", "1", prompts=[prompt])])
    row("generate: a repetition penalty", ["--help"], 0, check=lambda _: len(set(written(model, "--repetition-penalty", "1000")[0].split()))
        == len(written(model)[0].split()))
    row("generate on another device", ["--help"], 0, check=lambda _: not on_vulkan() or written(model, "--device", "vulkan", prompts=prompts) == alone)

    long = "ROMEO: " * 8
    ends = {
        "the rows of 'constant_": dict(table=16),
        "behind its first 2": dict(table=18, first_row=2),
        "config.json: n_positions": dict(config={"n_positions": 16}),
        "genai_config.json: model.context_length": dict(genai_config={"model": {"context_length": 16}}),
        "the size of its caches": dict(cache="fixed", capacity=16),
        "heed.context": dict(metadata={"heed.context": "16"}),
    }
    for i, (source, options) in enumerate(ends.items()):
        model = decoder(folder / f"end_{i}", **options)
        row(f"generate: a prompt that is too long: {source}", ["generate", model, "--prompt", long], 1, err=["at most 16 tokens", source],
            check=lambda text: text == "")
        row(f"generate: a text that becomes too long: {source}", ["generate", model, "--prompt", "ROMEO:", "--prompt", "a", "--ids"], 0,
            err=["a text ends here: the model reads at most 16 tokens", source],
            check=lambda text: [len(part.split("\n")[-2].split()) for part in text.split("----\n")] == [17, 17])
    model = decoder(folder / "end_padded", mask=I, positions="position_ids", table=10)
    row("generate: padded texts become too long each for itself", ["--help"], 0, check=lambda _: written(model, prompts=prompts) ==
        [text for prompt in prompts for text in written(model, prompts=[prompt])] and all(len(ids.split()) == 11 for ids in written(model, prompts=prompts)))
    eos = int(alone[0].split()[5])
    for file in ("generation_config", "config"):
        model = decoder(folder / file, **{file: {"eos_token_id": [eos, 3]}})
        row(f"generate: {file}.json says what ends a text", ["generate", model, "--prompt", "ROMEO:", "--ids"], 0,
            check=lambda text: text.split("\n")[-2].split() == alone[0].split()[:alone[0].split().index(str(eos))])
    no_decoder = {
        "what input 'encoder_hidden_states' is for cannot be told": dict(encoder=True),
        "no output can be logits": dict(cache=None, logits_name="last_hidden_state"),
        "its batch is 2 texts": dict(ids=(2, "seq")),
        "each run reads 4 tokens": dict(ids=("batch", 4)),
    }
    for i, (why, options) in enumerate(no_decoder.items()):
        row(f"generate: no decoder: {why}", ["generate", decoder(folder / f"no_decoder_{i}", **options), "--prompt", "a"], 1,
            err=[why, "Expected are token ids", "input input_ids  i64 ["])


def on_vulkan():
    """Whether there is a Vulkan device; that there is none is said, and counted."""
    devices = json.loads(subprocess.run([str(HEED), "devices", "--json"], capture_output=True).stdout)["vulkan"]
    if any(not device["unsuitable"] for device in devices):
        return True
    print("skipped: rows on vulkan: there is no device")
    counts["skipped"] += 1
    return False


def wrong_trilu(tmp, *flags):
    """A plugin whose GPU kernel of Trilu is wrong."""
    library = tmp / f"wrong_trilu{''.join(flags)}.so"
    subprocess.run(["cc", *flags, "-shared", "-fPIC", "-I", ROOT / "runtime" / "include", ROOT / "tests" / "tools" / "wrong_trilu.c", "-o", library], check=True)
    return library


def main():
    with tempfile.TemporaryDirectory() as folder:
        tmp = Path(folder)
        good = save(tmp / "good.onnx", [helper.make_node("Add", ["x", "x"], ["y"], name="add")], [tensor("x", [1, 3])], [tensor("y", [1, 3])])
        for part in (command_lines, generation, decoders, bad_files, bad_graphs, plugins, comparison, quarantine):
            part(tmp, good)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    sys.exit(1 if counts["failed"] else 0)


main()
