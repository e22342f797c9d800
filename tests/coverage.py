#!/usr/bin/env python3
"""How much of the protocol's layers the tests without the virtual machine reach: frames, messages, dialogue and transport.

    tests/coverage.py [--missed]

Runs the unit tests and those of tests/codec, tests/allocation.rs, tests/driver and tests/spec in a build of this package that counts.
Prints for each layer the share of its regions and of its lines that were executed; a region is a piece of code without
branches, as the compiler cuts it. Tests do not count as code. --missed lists what was not reached, as file:line:column.
Fails when a layer has less than 95 % of its regions, or when a test fails.
Needs the component llvm-tools: rustup component add llvm-tools
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "fuzz"))
import coverage  # noqa: E402

LAYERS = ["frame", "messages", "dialogue", "transport"]
TESTS = ["--lib", "--test", "codec", "--test", "allocation", "--test", "driver", "--test", "spec"]
LEAST_PERCENT = 95

# Kinds of regions in what llvm-cov exports: only code is counted, not what macros expand to, gaps and branches.
CODE = 0


def run(binaries, folder):
    """Runs the tests. Each process, also each child that they start, writes a file when it ends by itself."""
    ours = {"LLVM_PROFILE_FILE": f"{folder}/%p-%m.profraw"}
    for binary in binaries:
        if subprocess.run([binary, "-q"], cwd=ROOT, env=os.environ | ours).returncode:
            sys.exit("a test failed: nothing is measured")


def export(binaries, folder):
    """What llvm-cov makes of these files. A child that is killed may leave a torn one, which is left out."""
    raw = sorted(map(str, pathlib.Path(folder).glob("*.profraw")))
    pathlib.Path(folder, "list").write_text("\n".join(raw))
    merged = f"{folder}/merged"
    merge = [coverage.llvm("llvm-profdata"), "merge", "-sparse", "-failure-mode=all", "-f", f"{folder}/list", "-o", merged]
    subprocess.run(merge, check=True)
    objects = [word for binary in binaries[1:] for word in ("-object", binary)]
    command = [coverage.llvm("llvm-cov"), "export", "-instr-profile", merged, binaries[0], *objects]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def is_counted(path, line, ends={}):
    """Whether a line of a file in src/ is code, not a test."""
    if path not in ends:
        lines = (ROOT / "src" / path).read_text().split("\n")
        begins = (n for n, text in enumerate(lines, 1) if text == "#[cfg(test)]" and lines[n].startswith("mod tests {"))
        ends[path] = next(begins, len(lines) + 1)
    return line < ends[path]


def counts(exported):
    """How often each region of the layers was executed: (file, line, column, line, column) of begin and end."""
    found = {}
    for function in exported["data"][0]["functions"]:
        names = [re.sub(rf"^({re.escape(str(ROOT))}/)?src/", "", name) for name in function["filenames"]]
        for *place, count, file, _, kind in function["regions"]:
            path = names[file]
            if kind != CODE or path.split("/")[0] not in LAYERS or "tests" in path or not is_counted(path, place[0]):
                continue
            key = (path, *place)
            found[key] = max(count, found.get(key, 0))
    return found


def lines_of(regions):
    """How often each line was executed: as often as the shortest region that covers it."""
    found = {}
    for (path, first, begin, last, end), count in regions.items():
        size = (last - first, end - begin)
        for line in range(first, last + 1):
            text = source(path)[line - 1]
            inner = text[begin - 1 if line == first else 0 : end - 1 if line == last else None]
            if re.search(r"\w", inner) and size <= found.get((path, line), (size, 0))[0]:
                found[path, line] = (size, count)
    return {key: count for key, (_, count) in found.items()}


def source(path, files={}):
    if path not in files:
        files[path] = (ROOT / "src" / path).read_text().split("\n")
    return files[path]


def report(layer, regions, lines, list_missed):
    """Prints what is reached of a layer. Whether that is enough."""
    shares = []
    for counted in (regions, lines):
        of_layer = [count for key, count in counted.items() if key[0].startswith(layer + "/")]
        reached = sum(count > 0 for count in of_layer)
        shares.append((100 * reached / max(1, len(of_layer)), reached, len(of_layer)))
    print(f"{layer:10}", *(f"{percent:8.2f} %  {reached:5} of {all_of:5}" for percent, reached, all_of in shares))
    if list_missed:
        missed = sorted(key[:3] for key, count in regions.items() if count == 0 and key[0].startswith(layer + "/"))
        print("   ", *(f"{path}:{line}:{column}" for path, line, column in missed))
    return shares[0][0] >= LEAST_PERCENT


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", action="store_true")
    arguments = parser.parse_args()
    binaries = coverage.build("--no-default-features", *TESTS)
    with tempfile.TemporaryDirectory() as folder:
        run(binaries, folder)
        regions = counts(export(binaries, folder))
    lines = lines_of(regions)
    print(f"{'layer':10} {'regions':>10} {'':16} {'lines':>10}")
    enough = [report(layer, regions, lines, arguments.missed) for layer in LAYERS]
    sys.exit(not all(enough))


if __name__ == "__main__":
    main()
