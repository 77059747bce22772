"""Rows of a test, counted, and commands that it runs."""
import subprocess
import sys

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
