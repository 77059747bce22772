#!/usr/bin/python3
"""Models that packages on PyPI hold: pypi_models_test.py PATH_TO_HEED [DATA_FOLDER] [--full]. The scripts in models/
make of them what the packages make by onnxruntime. A package is looked for where HEED_SILERO_VAD, HEED_MAGIKA or
HEED_RAPIDOCR says, else where python3 finds it; DATA_FOLDER has the recordings for silero-vad."""
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
sys.path.insert(0, str(MODELS))
from pypi import package_folder

FULL = "--full" in sys.argv
HEED, *GIVEN = (Path(argument).resolve() for argument in sys.argv[1:] if argument != "--full")
DATA = GIVEN[0] if GIVEN else Path(os.environ.get("HEED_TEST_DATA") or ROOT.parent / "shared" / "data")
RECORDINGS = DATA / "real" / "silero-vad"
CHUNKS = 26  # silence, and from the 20th on speech; --full takes all 243
TOLERANCE = 1e-4
EXPORTS = {  # -> rate in kHz, probabilities by onnxruntime; those of the data folder are of silero_vad
    "silero_vad": (16, RECORDINGS / "probabilities-16k.csv"),
    "silero_vad_16k_op15": (16, RECORDINGS / "probabilities-16k.csv"),
    "silero_vad_16k_sequence": (16, RECORDINGS / "probabilities-16k.csv"),
    "silero_vad_op18_ifless": (16, RECORDINGS / "probabilities-16k.csv"),
    "silero_vad_openvino_16k": (16, RECORDINGS / "probabilities-16k.csv"),
    "silero_vad_half": (16, MODELS / "silero_vad" / "half-16k.csv"),  # a training of its own, and as exact
}
KINDS = {  # file -> kind; the probability, by the package, where the file stays as it is
    "models/minilm/make.py": ("python", None),
    "ops/softmax.cpp": ("cpp", None),
    "models/shakespeare/README.md": ("markdown", None),
    "models/shakespeare/model.onnx": ("onnx", 0.9784),
    "models/ocr/sample.png": ("png", 1.0),
}
WRITTEN = {  # told apart without the model
    "few": (b"hi\n", "txt"),
    "empty": (b"", "empty"),
    "padding": (b" " * 5000, "txt"),
    "bytes": (b"\xff\xfe", "unknown"),
}
LINES = ("Invoice No. 20417", "Three lines of text, read", "by Heed: 3.14 + 2 = 5.14")  # of models/ocr/sample.png
counts = {"passed": 0, "failed": 0, "skipped": 0}


def row(name, problem):
    counts["failed" if problem else "passed"] += 1
    if problem:
        print(f"FAILED {name}: {problem}")


def skip(reason):
    counts["skipped"] += 1
    print(f"skipped: {reason}")


def package(name, module, variable):
    folder = Path(os.environ[variable]) if os.environ.get(variable) else package_folder(module)
    if not folder:
        skip(f"no {name} (install it from PyPI, or set {variable} to its folder {module})")
    return folder


def script(path, folder, *arguments):
    """(lines or None, what it said on stderr)."""
    command = [sys.executable, MODELS / path, "--heed", HEED, "--package", folder, *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", cwd=ROOT)
    return done.stdout.splitlines() if done.returncode == 0 else None, done.stderr[-600:]


def check_export(folder, name, rate, expected, device="cpu"):
    expected = np.loadtxt(expected, delimiter=",", skiprows=1)[:, 1]
    whole = FULL or (name.endswith("sequence") and device == "cpu")
    title = f"{name} at {rate} kHz on {device}"
    lines, error = script("silero_vad/listen.py", folder, "--device", device, "--export", name,
                          *([] if whole else ["--chunks", CHUNKS]), RECORDINGS / f"speech-{rate}k.wav")
    if lines is None:
        return row(title, error)
    met = np.loadtxt(lines[1:])[:, 1]
    count = min(len(met), len(expected))  # the data folder's leave out the last chunk, which is not whole
    furthest = np.abs(met[:count] - expected[:count]).max()
    row(title, "" if count >= CHUNKS and furthest <= TOLERANCE else f"{count} chunks differ by up to {furthest:.3g}")


def check_silero():
    folder = package("silero-vad", "silero_vad", "HEED_SILERO_VAD")
    if not folder:
        return
    if not RECORDINGS.exists():
        return skip(f"no {RECORDINGS}")
    for name, (rate, expected) in EXPORTS.items():
        check_export(folder, name, rate, expected)
    check_export(folder, "silero_vad", 8, RECORDINGS / "probabilities-8k.csv")
    check_export(folder, "silero_vad_16k_sequence", *EXPORTS["silero_vad_16k_sequence"], "vulkan")
    half = "silero_vad_half"
    lines, error = script("silero_vad/listen.py", folder, "--export", half, RECORDINGS / "speech-8k.wav")
    row("8 kHz for an export of 16", "" if lines is None and f"{half} reads 16000 Hz" in error else error or lines)


def check_kinds(folder, expected, device):
    lines, error = script("magika/classify.py", folder, "--device", device, *expected)
    if lines is None or len(lines) != len(expected):
        return row(f"kinds on {device}", error or lines)
    for (path, (kind, probability)), line in zip(expected.items(), lines):
        met_kind, met_probability = line[len(f"{path}: "):].split()[:2]
        agrees = met_kind == kind and (probability is None or abs(float(met_probability) - probability) <= TOLERANCE)
        row(f"{path} on {device}", "" if agrees else f"{line}; expected {kind} {probability or ''}")


def check_magika():
    folder = package("magika", "magika", "HEED_MAGIKA")
    if not folder:
        return
    check_kinds(folder, KINDS, "cpu")
    check_kinds(folder, {path: kind for path, kind in KINDS.items() if kind[1]}, "vulkan")
    with tempfile.TemporaryDirectory() as made:
        for name, (content, _) in WRITTEN.items():
            Path(made, name).write_bytes(content)
        check_kinds(folder, {f"{made}/{name}": (kind, 1.0) for name, (_, kind) in WRITTEN.items()}, "cpu")
    lines, error = script("magika/classify.py", folder, "no_such_file")
    row("a file that is not there", "" if lines is None and "no_such_file" in error else error or lines)


def check_ocr():
    folder = package("rapidocr-onnxruntime", "rapidocr_onnxruntime", "HEED_RAPIDOCR")
    if not folder:
        return
    if not importlib.util.find_spec("PIL"):
        return skip("no PIL to read images with (install Debian's python3-pil)")
    lines, error = script("ocr/read.py", folder, MODELS / "ocr" / "sample.png")
    if lines is None:
        row("sample.png", error)
    else:
        row("as many lines as sample.png has", "" if len(lines) == len(LINES) else f"{lines}")
        for expected, met in zip(LINES, lines):  # the model leaves out narrow spaces, in the package too
            row(f"{expected!r}", "" if met.replace(" ", "") == expected.replace(" ", "") else f"{met!r} is read")
    lines, error = script("ocr/read.py", folder, "README.md")
    row("an image that is none", "" if lines is None and error.startswith("error: README.md: ") else error or lines)


check_silero()
check_magika()
check_ocr()
print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
sys.exit(1 if counts["failed"] else 0)
