#!/usr/bin/python3
"""Every shader that the build embeds is valid SPIR-V for Vulkan 1.2: shaders_test.py BUILD_FOLDER"""
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def messages(header):
    words = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{8})", header.read_text())]
    done = subprocess.run(["spirv-val", "--target-env", "vulkan1.2", "-"], input=struct.pack(f"<{len(words)}I", *words),
                          capture_output=True)
    return (done.stdout + done.stderr).decode() if done.returncode or not words else ""


headers = sorted(Path(sys.argv[1]).glob("shaders/*.spv.h"))
with ThreadPoolExecutor() as threads:
    found = list(threads.map(messages, headers))
for header, text in zip(headers, found):
    if text:
        print(f"{header.name}: {text}")
failed = sum(bool(text) for text in found) + (not headers)
print(f"{len(headers) - sum(map(bool, found))} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)
