#!/usr/bin/python3
"""The rules of the house, read from the sources: who includes whom, who names operators, who prints, which lists are whole."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = {".cpp", ".hpp", ".h", ".c"}
ROOMS = ["base", "graph", "onnx", "registry", "passes", "fuse", "plan", "vulkan", "session", "api"]  # each may include those before
results = {"passed": 0, "failed": 0, "skipped": 0}


def tracked():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


FILES = tracked()
assert FILES, "git lists no files"


def sources(*folders):
    return [f for f in FILES if f.suffix in CODE and f.relative_to(ROOT).as_posix().startswith(tuple(x + "/" for x in folders))]


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def blanked(text, strings=False):
    """The text without comments (and without strings), its lines kept."""
    def blank(match):
        part = match.group(0)
        is_comment = part.startswith(("//", "/*"))
        return re.sub(r"[^\n]", " ", part) if is_comment or strings else part
    return TOKEN.sub(blank, text)


def find(files, pattern, clean=lambda text: text):
    """(file, line, match) of each occurrence."""
    for file in files:
        text = clean(file.read_text(errors="replace"))
        for match in re.finditer(pattern, text, re.M):
            yield file, text.count("\n", 0, match.start()) + 1, match


def rule(name, violations):
    violations = list(violations)
    results["failed" if violations else "passed"] += 1
    if violations:
        print(f"FAILED: {name}")
        for file, line, what in violations:
            print(f"  {file.relative_to(ROOT)}:{line}: {what}")


INCLUDE = r'^[ \t]*#[ \t]*include[ \t]+([<"][^>"\n]+[>"])'


def includes(*folders):
    return [(f, line, m.group(1)[1:-1]) for f, line, m in find(sources(*folders), INCLUDE)]


def room_of(path):
    first = path.split("/")[0]
    return first if "/" in path and first in ROOMS else None


for index, room in enumerate(ROOMS):
    known = set(ROOMS[:index + 1]) - ({"plan"} if room == "vulkan" else set())
    rule(f"runtime/{room} includes only rooms below it",
         ((f, n, f"includes {i}") for f, n, i in includes(f"runtime/{room}") if room_of(i) and room_of(i) not in known
          or i.startswith(("ops/", "plugins/", "tools/", "files/", "text/"))
          and (room, i) != ("api", "plugins/built_in.hpp")))  # what is built in is linked in there
rule("runtime/include/heed includes only itself",
     ((f, n, f"includes {i}") for f, n, i in includes("runtime/include") if "/" in i and not i.startswith("heed/")))
for folder in ("ops", "plugins"):
    rule(f"{folder}/ includes nothing of the runtime but heed/",
         ((f, n, f"includes {i}") for f, n, i in includes(folder) if room_of(i) or i.startswith(("tools/", "runtime/"))
          or folder == "plugins" and i.startswith("ops/") or folder == "ops" and i.startswith("plugins/")))
rule("Vulkan's headers are seen by runtime/vulkan alone",
     ((f, n, f"includes {i}") for f, n, i in includes("runtime", "ops", "plugins", "tools")
      if i.startswith("vulkan/vulkan") and "runtime/vulkan" not in f.as_posix()))
rule("protobuf and ONNX's classes are seen by runtime/onnx alone",
     ((f, n, f"includes {i}") for f, n, i in includes("runtime", "ops", "plugins", "tools")
      if (i.startswith("google/") or re.match(r"onnx/onnx[-_]", i)) and "runtime/onnx" not in f.as_posix()))

OPERATORS = set()
for _, _, match in find(sources("ops"), r'(?:op_type\s*=\s*|extern const Operator \w+\s*=\s*\w+\()"(\w+)"', blanked):
    OPERATORS.add(match.group(1))
assert len(OPERATORS) > 40, f"only {len(OPERATORS)} operators were found in ops/"
# dim_text.cpp writes the functions of sizes, of which these bear names that operators bear too.
SIZE_FUNCTIONS = {"Max", "Min", "Mod"}
rule("the runtime names no operator",
     ((f, n, f"names {m.group(1)}") for f, n, m in find(sources("runtime"), r'"(\w+)"', blanked)
      if m.group(1) in OPERATORS - (SIZE_FUNCTIONS if f.name == "dim_text.cpp" else set())))
rule("the library never prints and never exits",
     ((f, n, m.group(0)) for f, n, m in find(sources("runtime", "ops", "plugins"),
      r"\bstd::(?:cout|cerr|clog)\b|(?<![\w.>])(?:std::)?(?:printf|fprintf|puts|putchar|exit|_exit|quick_exit|abort|terminate)\s*\(",
      lambda text: blanked(text, strings=True))))

# This file and the test of installing name such paths to look for them.
TEXTS = [f for f in FILES if f.suffix in CODE | {".md", ".py", ".sh", ".txt", ".cmake", ".comp", ".glsl", ".in", ""}
         and f.name != "house_test.py" and not (f.parent.name.startswith("test_data_set"))]
rule("no text names a path of one machine, or a registry",
     ((f, n, m.group(0)) for f, n, m in find(TEXTS, r"(?<![\w.}$/])/(?:work|root)/\w+|(?:files\.pythonhosted|pypi)\.org|proxy\.golang")))


def lists(folder, pattern="**/*.cpp"):
    """Sources that no CMakeLists.txt of the folder names, and names that are no file."""
    base = ROOT / folder
    list_file = base / "CMakeLists.txt"
    text = re.sub(r"#.*", "", list_file.read_text())
    listed = set(re.findall(r"[\w/]+\.cpp(?!\.)\b", text))
    there = {f.relative_to(base).as_posix() for f in sources(folder) if f.suffix == ".cpp"
             and (f.parent == base or not (f.parent / "CMakeLists.txt").exists()) and (f.parent == base or folder == "ops")}
    for name in sorted(there - listed):
        yield base / name, 1, f"stands in no list of {folder}/CMakeLists.txt"
    for name in sorted(name for name in listed if not (base / name).exists() and name != "shaders.cpp"):
        yield list_file, text[:text.index(name)].count("\n") + 1, f"{name} is no file"


for folder in [f"runtime/{room}" for room in ROOMS] + ["ops", "plugins/cpu", "tools/heed", "tools/text", "tools/files"]:
    rule(f"{folder}/CMakeLists.txt lists its sources", lists(folder))

tables = (ROOT / "tests" / "ops" / "tables" / "CMakeLists.txt").read_text()
rule("every table of cases stands in tests/ops/tables/CMakeLists.txt",
     ((f, n, "its tables are in none of its libraries") for f, n, _ in find(sources("tests"), r"^HEED_TEST_OPERATOR\(")
      if f"../{f.name}\n" not in tables + "\n" and f"../{f.name})" not in tables))

contents = (ROOT / "ops" / "ops.cpp").read_text()
handed_over = set(re.findall(r"&(\w+)", contents))
rule("every operator, control kernel and rewrite of ops/ stands in ops.cpp",
     ((f, n, f"{m.group(1)} is handed over by nobody") for f, n, m in
      find(sources("ops"), r"^extern const (?:Operator|ControlKernel|Rewrite) (\w+)\s*[={(]") if m.group(1) not in handed_over))
rule("every file of operators is named in ops.cpp",
     ((f, 1, "is not named") for f in sources("ops") if f.suffix == ".cpp" and f.parent.name == "ops" and f.name != "ops.cpp"
      and re.search(r"^extern const Operator", f.read_text(), re.M) and not re.search(rf"\b{f.name}", contents)))
rule("each file says first what it is",
     ((f, 1, "begins without a comment") for f in sources("runtime", "ops", "plugins", "tools", "tests")
      if not f.read_text().startswith(("//", "/*"))))

print("{passed} passed, {failed} failed, {skipped} skipped".format(**results))
sys.exit(1 if results["failed"] else 0)
