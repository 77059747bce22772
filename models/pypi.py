"""What the scripts for models from PyPI share: where a package lies, and runs of heed. They need numpy alone.

A package is found without being imported: its modules would ask for onnxruntime, which nothing here needs.
"""
import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy


def fail(problem):
    sys.exit(f"error: {problem}")


def parser(description, package, module):
    """What all of these scripts have as options."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--heed", default="heed", help="the program (default: heed on the PATH)")
    arguments.add_argument("--package", type=Path, metavar="FOLDER",
                           help=f"{module} of PyPI's package {package} (default: where python3 finds it)")
    arguments.add_argument("--device", default="cpu",
                           help="auto, cpu or vulkan[:N] (default: cpu; to start a GPU takes longer than these runs)")
    return arguments


def package_folder(module):
    """The folder of an installed package, or None."""
    found = importlib.util.find_spec(module)
    return Path(found.origin).parent if found and found.origin else None


def model_files(options, package, module, *names):
    """Files of the package; the first that is missing ends the script."""
    folder = options.package or package_folder(module)
    if not folder:
        fail(f"python3 finds no {module}: install PyPI's package {package}, or unpack it and give --package {module}")
    for name in names:
        if not (folder / name).exists():
            fail(f"{folder} has no {name}, which the folder {module} of PyPI's package {package} has")
    return [folder / name for name in names]


class Heed:
    """Runs of one program on one device."""

    def __init__(self, options):
        self.program = shutil.which(options.heed)
        self.device = options.device
        if not self.program:
            fail(f"there is no program {options.heed}: put heed on the PATH, or give --heed")

    def inspect(self, model):
        return json.loads(self._call("inspect", model, "--json"))

    def run(self, model, **inputs):
        """Arrays by the names of outputs, from arrays by the names of inputs."""
        with tempfile.TemporaryDirectory() as folder:
            given = []
            for index, (name, array) in enumerate(inputs.items()):
                path = os.path.join(folder, f"input_{index}.npy")
                numpy.save(path, array)
                given += ["--input", f"{name}={path}"]
            target = os.path.join(folder, "outputs")
            self._call("run", model, "--device", self.device, "--output", target, *given)
            return {path.stem: numpy.load(path) for path in Path(target).glob("*.npy")}

    def _call(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            sys.exit(said or f"error: {self.program} ended with {done.returncode}")
        return done.stdout.decode()
