#!/usr/bin/python3
"""docs/write.py HEED [--check]: writes what follows from the sources into operators.md and errors.md, HEED being the built
program; with --check it writes nothing, and fails where they are not as it would write them."""
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SOURCES = [f for folder in ("runtime", "ops", "plugins/cpu") for f in sorted((ROOT / folder).rglob("*.[ch]pp"))]
BEGIN, END = "<!-- messages of {}: written by docs/write.py -->", "<!-- end -->"

STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')


def codes():
    """The enumerators of heed::Code with their numbers: {'shape_mismatch': 3}."""
    text = (ROOT / "runtime/include/heed/result.hpp").read_text()
    return {name: int(number) for name, number in re.findall(r"^  (\w+) = (\d+),", text, re.M)}


def id_of(code):
    return code.replace("_", "-")


def argument(text, begin):
    """The text from `begin` to where its bracket closes or a comma at its depth stands."""
    depth, at = 0, begin
    while at < len(text):
        match = STRING.match(text, at)
        if match:
            at = match.end()
            continue
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            if depth == 0:
                break
            depth -= 1
        elif text[at] in ",;" and depth == 0:
            break
        at += 1
    return text[begin:at]


def template(expression):
    """'"input " + name + " is missing"' as 'input … is missing'; empty where it has no words of its own."""
    parts, at = [], 0
    for match in STRING.finditer(expression):
        between = re.sub(r"[\s+()]|std::string", "", expression[at:match.start()])
        if between:
            parts.append("…")
        parts.append(match.group(1).encode().decode("unicode_escape").encode("latin-1", "replace").decode("utf-8", "replace"))
        at = match.end()
    if re.sub(r"[\s+()]", "", expression[at:]):
        parts.append("…")
    text = re.sub(r"(… ?)+…|…+", "…", "".join(parts)).split("\n")[0].strip()
    return text if re.search(r"[a-z]{3}", text) else ""


def messages():
    """{code: {template: file}} of every place that makes an Error of words of its own."""
    found = {code: {} for code in codes()}
    for file in SOURCES:
        text = re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.M)
        places = [(m.group(1), m.end()) for m in re.finditer(r"(?<![=!]= )Code::(\w+),\s*", text)]
        for helper, code in re.findall(r"Error (\w+)\(std::string(?:_view)? \w+\) \{ return (?:Error)?\{Code::(\w+), std::move", text):
            places += [(code, m.end()) for m in re.finditer(rf"\b{helper}\(", text)]
        for code, begin in places:
            words = template(argument(text, begin))
            if words and code in found:
                found[code].setdefault(words, file.relative_to(ROOT).as_posix())
    return found


def errors(text):
    """errors.md with the lists of messages as the sources have them now."""
    sections = re.findall(r"^## ([a-z-]+)$", text, re.M)
    expected = [id_of(code) for code in codes()]
    if sections != expected:
        sys.exit(f"docs/errors.md has the sections {sections}; result.hpp has the codes {expected}")
    for name, number in codes().items():
        if f"| [{id_of(name)}](#{id_of(name)}) | {number} |" not in text:
            sys.exit(f"docs/errors.md: its table does not have {id_of(name)} with number {number}")
    for code, found in messages().items():
        lines = [f"- {words}" for words in sorted(found, key=str.lower)]
        body = "\n".join([BEGIN.format(id_of(code)), *lines, END])
        begin = text.index(BEGIN.format(id_of(code)))
        text = text[:begin] + body + text[text.index(END, begin) + len(END):]
    return text


def main():
    heed, check = sys.argv[1], sys.argv[2:] == ["--check"]
    done = subprocess.run([heed, "operators"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    stale = []
    for name, content in (("operators.md", done.stdout), ("errors.md", errors((DOCS / "errors.md").read_text()))):
        path = DOCS / name
        if path.exists() and path.read_text() == content:
            continue
        stale.append(name)
        if not check:
            path.write_text(content)
    if check:
        for name in stale:
            print(f"FAILED: docs/{name} is not current: run docs/write.py {heed}")
        print(f"{2 - len(stale)} passed, {len(stale)} failed, 0 skipped")
        sys.exit(1 if stale else 0)


main()
