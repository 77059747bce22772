#!/usr/bin/python3
"""The vector kernels compile for NEON, and those of products (panels.cpp) compute there what plain loops do, where the
packages g++-aarch64-linux-gnu and qemu-user are installed: neon_test.py"""
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILER, MACHINE = "aarch64-linux-gnu-g++", "qemu-aarch64"
FLAGS = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", f"-I{ROOT}", f"-I{ROOT}/runtime/include",
         "-idirafter", "/usr/include"]  # Highway's headers serve every machine
LINKED = ["isa", "gemm_panels", "integer_panels", "nbit_panels", "half"]
totals = {"passed": 0, "failed": 0, "skipped": 0}


def row(what, command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    totals["failed" if done.returncode else "passed"] += 1
    if done.returncode:
        print(f"{what}: {(done.stdout + done.stderr)[:3000]}")
    return done.returncode == 0


def check(folder):
    plugin = ROOT / "plugins" / "cpu"
    sources = sorted({path.stem for path in plugin.glob("*.cpp") if '"vector_targets.hpp"' in path.read_text()} | set(LINKED))
    compile_one = lambda name: row(name, [COMPILER, *FLAGS, "-c", plugin / f"{name}.cpp", "-o", folder / f"{name}.o"])
    with ThreadPoolExecutor(2) as pool:
        if not all(list(pool.map(compile_one, sources))):
            return
    program = folder / "panels"
    objects = [folder / f"{name}.o" for name in LINKED]
    if not row("panels.cpp", [COMPILER, *FLAGS, "-static", ROOT / "tests" / "neon" / "panels.cpp", *objects, "-o", program]):
        return
    if not shutil.which(MACHINE):
        print(f"skipped: kernels for NEON run: there is no {MACHINE}")
        totals["skipped"] += 1
        return
    row("panels", [MACHINE, program, "neon"])


if shutil.which(COMPILER):
    with tempfile.TemporaryDirectory() as temporary:
        check(Path(temporary))
else:
    print(f"skipped: kernels for NEON: there is no {COMPILER}")
    totals["skipped"] += 1
print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
sys.exit(totals["failed"] > 0)
