#!/usr/bin/python3
"""What tools/check does once the packages are there: builds, runs every test, adds up the rows."""
import json
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODE = sys.argv[1]  # quick, default, full
DATA = Path(os.environ.get("HEED_TEST_DATA") or ROOT.parent / "shared" / "data")
LAST_LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
# Those that load no driver: Mesa's and LLVM's own leaks cannot be told from ours.
LEAK_FREE = {"base", "text", "files", "graph", "onnx", "registry", "passes", "api"}
# By default these rooms, which meet files of strangers, are tested sanitized, and only so: a build of all takes too long.
SANITIZED = ["base", "files", "graph", "onnx"]
SAMPLE_STEP = 7  # a prime: every kind of case is met
SHARDS = {"ops": 8}  # of a program's test cases, where one process after the other takes long
totals = {"passed": 0, "failed": 0, "skipped": 0}
began = time.time()
counting = threading.Lock()


def say(text):
    print(f"[{time.time() - began:5.0f} s] {text}", flush=True)


def count(passed, failed, skipped, name, output=""):
    with counting:
        totals["passed"] += passed
        totals["failed"] += failed
        totals["skipped"] += skipped
        print(output, end="")
        say(f"{name}: {passed} passed, {failed} failed, {skipped} skipped")


def build(preset, *targets):
    """Configures and builds a CMake preset; returns its folder, or None after a failure."""
    folder = ROOT / "build" / preset
    log = folder.parent / f"{preset}.log"
    folder.mkdir(parents=True, exist_ok=True)
    commands = []
    if not (folder / "build.ninja").exists():
        commands.append(["cmake", "--preset", preset])
    commands.append(["ninja", "-C", str(folder), *targets])
    with log.open("w") as out:
        for command in commands:
            if subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT).returncode:
                print(log.read_text()[-6000:])
                count(0, 1, 0, f"build {preset}")
                return None
    say(f"built {preset}")
    return folder


def run_test(name, command, env=None, timeout=7200 if MODE == "full" else 1800):
    """Runs a program whose last line counts rows; a crash or a missing line is a failure."""
    try:
        done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, errors="replace",
                              env={**os.environ, **(env or {})}, timeout=timeout)
        output, status = done.stdout + done.stderr, done.returncode
        lines = done.stdout.strip().splitlines()
    except subprocess.TimeoutExpired as late:
        output, status, lines = f"{late}", 1, []
    found = LAST_LINE.match(lines[-1]) if lines else None
    rows = [int(number) for number in found.groups()] if found else [0, 0, 0]
    if (status != 0 and rows[1] == 0) or not found:
        rows[1] += 1
    told = "".join(f"  {line}\n" for line in lines if line.startswith("skipped:"))
    count(*rows, name, told + (output[-6000:] + "\n" if rows[1] else ""))


def shards_of(name, program):
    """Lists of test cases for processes of their own: (label, arguments)."""
    if name not in SHARDS:
        return [(name, [])]
    listed = subprocess.run([program, "--list-test-names-only"], capture_output=True, text=True).stdout.splitlines()
    escaped = [re.sub(r"([\\,\[\]*])", r"\\\1", case) for case in listed[:-1]]  # the last line counts rows
    lists = [escaped[first::SHARDS[name]] for first in range(SHARDS[name])]
    return [(f"{name} {i + 1}/{len(lists)}", [",".join(cases)]) for i, cases in enumerate(lists)]


def run_tests(folder, names, label):
    """As many programs at once as there are processors, the longest first."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = []
        for name in sorted(names, key=lambda name: name not in SHARDS):
            program = next(folder.glob(f"tests/*/{name}_test"))
            leaks = "1" if name in LEAK_FREE else "0"
            environment = {"ASAN_OPTIONS": f"detect_leaks={leaks}:allocator_may_return_null=1", "HEED_VULKAN_VALIDATION": "1"}
            for shard, arguments in shards_of(name, program):
                runs.append(pool.submit(run_test, f"{label} {shard}", [program, *arguments], environment))
    for run in runs:
        run.result()


def all_tests(folder):
    listed = subprocess.run(["ctest", "--test-dir", str(folder), "-N"], capture_output=True, text=True).stdout
    return re.findall(r"Test +#\d+: (\S+)", listed)


def read_list(path):
    """Names that are expected to fail, one a line, with the reason behind."""
    return {line.split()[0] for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")}


def verify(folder, name, paths, expected=frozenset(), options=()):
    """Runs `heed verify`: a failure outside of the list fails, and so does a pass inside of it."""
    command = [folder / "tools" / "heed" / "heed", "verify", "--json", "--option", "session.fill=nan", *options, *paths]
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, errors="replace")
    passed = failed = skipped = listed = 0
    for line in done.stdout.splitlines():
        if not line.startswith("{"):
            continue
        row = json.loads(line)
        if row["status"] == "skipped":
            skipped += 1
        elif (row["status"] == "passed") == (row["case"] not in expected):
            passed += 1
            listed += row["status"] == "failed"
        else:
            failed += 1
            print(f"  {row['case']}: " + (row["reason"][:300] if row["status"] == "failed" else "passes, and stands in the list of those that do not"))
    if done.returncode not in (0, 1) or not passed + failed + skipped:
        failed += 1
        print(done.stderr[-3000:])
    count(passed, failed, skipped, name + (f" ({passed - listed} pass, {listed} fail as listed)" if listed else ""))


def unpack_suite(folder):
    archive = DATA / "onnx-1.23.2-cases.tar.xz"
    if not archive.exists():
        print(f"skipped: no {archive} (set HEED_TEST_DATA to the folder of test data)")
        count(0, 0, 1, "ONNX's suite")
        return None
    target = folder / "suite"
    if not (target / "onnx-1.23.2-cases").exists():
        target.mkdir(exist_ok=True)
        partial = target / "partial"
        partial.mkdir(exist_ok=True)
        subprocess.run(["tar", "xJf", str(archive), "-C", str(partial)], check=True)
        (partial / "onnx-1.23.2-cases").rename(target / "onnx-1.23.2-cases")
    return target / "onnx-1.23.2-cases"


def check_models(folder):
    verify(folder, "shipped models", [ROOT / "models"])
    verify(folder, "shipped models, scalar kernels", [ROOT / "models"], options=["--option", "kernel=scalar"])
    verify(folder, "shipped models on vulkan", [ROOT / "models"], options=["--device", "vulkan"])
    zoo = DATA / "real" / "onnx-zoo" / "mnist"
    if not zoo.exists():
        print(f"skipped: no {zoo}")
        return count(0, 0, 1, "real models")
    verify(folder, "mnist (opset 1)", [zoo])
    source = DATA / "real" / "stories260k"
    target = folder / "stories260k"
    done = subprocess.run([ROOT / "models" / "stories260k" / "make.py", source, target], capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr)
        return count(0, 1, 0, "stories260k")
    expected = next(line.split() for line in (source / "EXPECTED.txt").read_text().splitlines() if re.match(r"^\d+( \d+)+ *$", line))
    written = subprocess.run([folder / "tools" / "heed" / "heed", "generate", target, "--prompt", "", "--ids",
                              "--max-tokens", str(len(expected) - 1)], capture_output=True, text=True)
    met = written.stdout.strip().splitlines()[-1].split() if written.stdout.strip() else []
    if met[:len(expected)] != expected:
        print("  met     ", *met, "\n  expected", *expected, written.stderr)
    count(int(met[:len(expected)] == expected), int(met[:len(expected)] != expected), 0, "stories260k writes what it should")


def fuzz(folder, suite, name, *limit):
    """Models of the suite and the shipped ones, changed at random. What is met lies in the folder."""
    run_test(name, [folder / "tests" / "fuzz" / "heed_fuzz", suite, ROOT / "models", "--findings", folder, *limit],
             {"ASAN_OPTIONS": "allocator_may_return_null=1"})


def check_newer_lavapipe(release):
    """What a driver with cooperative matrices makes of the shaders that use them."""
    newer = [ROOT / "tools" / "newer_lavapipe", ROOT / "build" / "newer_lavapipe"]
    if subprocess.run([*newer, "true"]).returncode:
        print("skipped: the newer lavapipe cannot be fetched from apt's mirror")
        return count(0, 0, 1, "newer lavapipe")
    run_test("newer lavapipe, shaders", ["/usr/bin/python3", ROOT / "tests" / "shaders_test.py", release, *newer, "spirv-val"])
    run_test("newer lavapipe, products and attention", [*newer, release / "tests" / "ops" / "ops_test", "*MatMul*,*Attention*"],
             {"HEED_VULKAN_VALIDATION": "1"}, timeout=7200)


def together(*calls):
    """As many at once as there are processors, in this order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for run in [pool.submit(call) for call in calls]:
            run.result()


def check_suite(release, suite):
    """The longest first; what changes models at random is bound by its clock."""
    lists = ROOT / "tests" / "suite"
    expected = read_list(lists / "permanent.txt") | read_list(lists / "not_yet.txt")
    calls = [lambda: verify(release, "ONNX's suite on the CPU", [suite], expected)]
    if MODE != "quick":
        name, cases = "ONNX's suite on vulkan", [suite]
        if MODE == "default":
            name, cases = name + ", a sample", sorted(case for case in suite.glob("*/*") if case.is_dir())[::SAMPLE_STEP]
        calls = [lambda: verify(release, name, cases, expected, ["--device", "vulkan", "--no-fold"]),
                 lambda: fuzz(release, suite, "changed models, 60 s", "--seconds", "60"), *calls]
    return calls


def main():
    if MODE == "full":
        os.environ["HEED_TEST_FULL"] = "1"
    release = build("release", *(["heed", "unsanitized_tests"] if MODE == "default" else []))
    if release:
        run_tests(release, [test for test in all_tests(release) if MODE != "default" or test not in SANITIZED], "release")
        suite = unpack_suite(release)
        heed, tests = release / "tools" / "heed" / "heed", ROOT / "tests"
        full = ["--full"] if MODE == "full" else []

        def script(name, *command):
            return lambda: run_test(name, ["/usr/bin/python3", *command])
        together(script("command line", tests / "heed_test.py", heed, DATA),
                 *(check_suite(release, suite) if suite else []),
                 script("decoders in every dialect", tests / "decoders_test.py", heed, *([] if full else ["--quick"])),
                 lambda: check_models(release),
                 script("shaders", tests / "shaders_test.py", release),
                 script("house", tests / "house_test.py"),
                 script("docs", ROOT / "docs" / "write.py", heed, "--check"),
                 script("MiniLM", tests / "minilm_test.py", heed, *full),
                 script("models from PyPI", tests / "pypi_models_test.py", heed, DATA, *full))
        # These alone: they hold processes to a time, or build what others read.
        script("hostile models", tests / "hostile_test.py", heed)()
        if MODE != "quick":
            script("installed", tests / "install_test.py", release, DATA)()
            script("Debian packages", tests / "package_test.py", release)()
    if MODE == "full" and release:
        check_newer_lavapipe(release)
        run_test("NEON", ["/usr/bin/python3", ROOT / "tests" / "neon" / "neon_test.py"])
    # Every row on every lesser device, and a thousand kills, are the release build's work: sanitized, they take days.
    os.environ.pop("HEED_TEST_FULL", None)
    if MODE != "quick":
        asan = build("asan", *([] if MODE == "full" else [f"{name}_test" for name in SANITIZED]))
        if asan:
            run_tests(asan, all_tests(asan) if MODE == "full" else SANITIZED, "asan+ubsan")
    if MODE == "full" and asan:
        run_test("command line, asan+ubsan", ["/usr/bin/python3", ROOT / "tests" / "heed_test.py", asan / "tools" / "heed" / "heed", str(DATA)],
                 {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"})
        if suite:
            fuzz(asan, suite, "a million changed models, asan+ubsan", "--executions", "1000000")
    if MODE == "full":
        tsan = build("tsan", "session_test", "base_test")
        if tsan:
            run_tests(tsan, ["base", "session"], "tsan")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    sys.exit(1 if totals["failed"] or not totals["passed"] else 0)


main()
