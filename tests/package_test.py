#!/usr/bin/python3
"""package_test.py BUILD_FOLDER: Debian packages by cpack: what they hold and need, installed and removed in a root of their own."""
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from rows import call, finish, results, row

BUILD = Path(sys.argv[1]).resolve()


def skip(reason):
    print(f"skipped: Debian packages: {reason}")
    results["skipped"] += 1
    finish()


def field(package, name):
    return call("dpkg-deb", "-f", package, name)[1].strip()


def files_in(root):
    """Without dpkg's own."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*")
                  if not path.relative_to(root).as_posix().startswith(("var", "run", "tmp")))


def main(folder):
    status, told = call("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder)
    row("cpack makes packages", status == 0, told)
    packages = {field(path, "Package"): path for path in folder.glob("*.deb")}
    row("a library, its headers, and the program", sorted(packages) == ["heed", "libheed-dev", "libheed0.1"], f"  {sorted(packages)}")
    if results["failed"]:
        finish()
    version = field(packages["heed"], "Version")
    for name in ("heed", "libheed-dev"):
        row(f"{name} needs the library of its version", f"libheed0.1 (= {version})" in field(packages[name], "Depends"), field(packages[name], "Depends"))
    for name in ("heed", "libheed0.1"):
        needed = [part.split()[0] for part in field(packages[name], "Depends").split(", ") if not part.startswith("libheed")]
        row(f"{name} needs what is linked, by name", {"libc6", "libstdc++6"} <= set(needed), f"  {needed}")
        missing = [part for part in needed if call("dpkg-query", "-W", part)[0]]
        row(f"all that {name} needs is in Debian", not missing, f"  {missing}")
    held = call("dpkg-deb", "-c", packages["libheed0.1"])[1]
    row("the library's package holds libraries alone", not re.search(r"\./usr/(bin|include|share)/\w", held) and "libheed.so.0.1.0" in held, held)

    root = folder / "root"
    for part in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/log", "etc"):
        (root / part).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    before = files_in(root)
    # Debian's own packages are not in that root.
    dpkg = ["dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", "--log=/dev/null"]
    status, told = call(*dpkg, "-i", *packages.values())
    row("they install", status == 0, told)
    status, told = call("env", f"LD_LIBRARY_PATH={root}/usr/lib", root / "usr/bin/heed", "--version")
    row("the installed program runs", status == 0 and told == f"heed {version}\n", told)
    status, told = call(*dpkg, "-r", "heed", "libheed-dev", "libheed0.1")
    row("they remove", status == 0, told)
    left = [path for path in files_in(root) if path not in before]
    row("nothing is left", not left, f"  {left}")
    status, told = call(*dpkg, "-P", "heed", "libheed-dev", "libheed0.1")
    row("nor known to dpkg", "heed" not in (root / "var/lib/dpkg/status").read_text(), told)


for tool in ("dpkg", "dpkg-deb", "dpkg-shlibdeps", "cpack"):
    if not shutil.which(tool):
        skip(f"there is no {tool}")
if os.geteuid() != 0:
    skip("dpkg installs for root alone")
with tempfile.TemporaryDirectory(prefix="heed_package_") as name:
    main(Path(name))
finish()
