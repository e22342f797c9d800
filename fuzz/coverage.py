#!/usr/bin/env python3
"""Which lines the seeds in the tree reach of those that each fuzz target is for.

    fuzz/coverage.py [--missed] [--binary BINARY] [TARGET...]
    fuzz/coverage.py --names

Replays the seeds of each target (or of those named) as the unit tests do, in a build of this package alone that counts:
the dependencies stay as they are compiled. --binary names such a build, which is made first otherwise; --missed lists the
lines that were not reached. Fails when a target reaches less than 95 %. --names only checks that src/ has what the tables here name.
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
LEAST_PERCENT = 95

# The beginnings of paths in src/ that a target is for. What has a target of its own is not for those that call it, too.
TARGETS = {
    "frame_decoder": ["frame/decoder.rs", "frame/payload.rs", "frame/mod.rs"],
    "frame_round_trip": ["frame/encoder.rs", "frame/mod.rs"],
    "json_messages": ["messages/json/", "messages/big_int.rs", "messages/codec.rs"],
    "protobuf_messages": ["messages/codec.rs", "messages/elements.rs", "messages/pair.rs"],
    "codec_agreement": [
        "messages/codec.rs", "messages/pair.rs", "messages/json/writer.rs", "messages/json/fields.rs",
        "messages/big_int.rs",
    ],
    "dialogue": ["dialogue/state.rs"],
    "part_loop": ["part/dialogue_loop.rs", "part/hook_calls.rs", "part/link.rs", "part/error.rs", "dialogue/messenger.rs"],
    "driver_loop": ["driver/dialogue_loop.rs", "driver/hook_calls.rs", "dialogue/messenger.rs"],
    "log_lines": ["logs/line.rs", "logs/profile.rs", "logs/level.rs"],
    "recordings": ["recording/"],
    "scenario_parser": ["scenario/parse/", "scenario/json.rs", "scenario/value.rs", "scenario/model.rs"],
    "host_functions": ["vm/eei/", "vm/contexts/", "vm/host/", "vm/memory.rs"],
    # Not the frames of huge functions (frames/): its unit tests have all operators, bombs have few.
    "compile_bombs": ["engine/compile_cost.rs", "engine/compile_cost/"],
    "module_files": ["engine/disk/format.rs"],
    # Not what a machine does that lacks addresses or memory (wasmer/memory.rs, unchecked_memory.rs): tests/machine_faults.
    "wasm_modules": [
        "engine/border.rs", "engine/cache.rs", "engine/tiers.rs", "engine/validation", "engine/instrument",
        "engine/wasmi_engine.rs", "engine/wasmer.rs", "engine/wasmer/access.rs", "engine/wasmer/image.rs",
        "engine/wasmer/instance.rs", "engine/wasmer/lease.rs", "engine/wasmer/linking.rs", "engine/wasmer/warm.rs",
    ],
}

# Functions of these files that are not for a fuzz target, and why.
LEFT_OUT = {
    # The choice of a format when the child starts, and what the two loops and log profiles call.
    "messages/codec.rs": ["from_marshalizer", "check", "marshalizer", "encode", "encode_json_object", "check_length"],
    # Numbers of the VM and of nodes.
    "messages/big_int.rs": ["from"],
    # Objects without an envelope: log profiles.
    "messages/json/mod.rs": ["read_object", "write_object"],
    # For stored promises, which the target host_functions writes, for reports, and for lengths, which the loops ask for.
    "messages/json/writer.rs": ["member", "bytes_member", "bytes_text", "length"],
    "messages/json/bytes_text.rs": ["base64_length"],
    # Evaluated by the compiler.
    "messages/elements.rs": ["largest"],
    "vm/eei/table.rs": ["concatenate", "imports"],
    # Reading a file: the target gets what stands in it.
    "scenario/parse/mod.rs": ["scenario", "old_tests", "read_file"],
    # What is compared after a run, not when parsed.
    "scenario/model.rs": ["allows", "fmt"],
    # Text for logs.
    "dialogue/state.rs": ["name"],
    # What tests and the process look at, and text for logs.
    "dialogue/messenger.rs": ["dialogue", "transport_mut", "has_unread_bytes", "fmt"],
    # How the process ends, and its start; and a machine that can't go on, which the target's never is.
    "part/error.rs": ["exit_code", "from", "of_machine"],
    "part/link.rs": ["with_logs"],
    # Counters, a panic of our own, and why code does not start, which is for wasm_modules.
    "vm/host/mod.rs": ["engine_counters"],
    "vm/host/host_calls.rs": ["panicked"],
    "vm/host/instance.rs": ["start_failure", "log_unusable"],
    # Bombs import nothing and have few operators: wasm_modules has all.
    "engine/compile_cost/signatures.rs": ["add_import"],
    "engine/compile_cost/function.rs": ["effect"],
    # Points in detail, for traces; a code that would take long to compile, for bombs.
    "engine/border.rs": ["detailed_points"],
    "engine/wasmer/access.rs": ["detailed_points"],
    "engine/tiers.rs": ["steady"],
    # Texts of errors that can't be, and of what wasmer and its parsers refuse.
    "engine/cache.rs": ["from"],
    "engine/instrument/error.rs": ["from"],
    "engine/validation/verdict.rs": ["detail", "from", "fmt"],
    # The store of compiled modules: the target module_files.
    "engine/wasmer.rs": ["with_disk", "load", "give_up", "has_given_up", "for_few_addresses", "idle_addresses", "waiting", "compiler_name"],
    # A machine that lacks memory.
    "engine/wasmer/warm.rs": ["make_room", "len"],
}

# Lines in shared functions that are another target's, with the blocks that they begin; or that only a payload of 4 GiB
# reaches.
OTHERS = {
    "json_messages": r"Format::Protobuf => \{",
    "protobuf_messages": "Json|json::",
    "frame_round_trip": r"Unframeable|out\.truncate",
    "compile_bombs": r"Operator::(Br|CallIndirect) \{",
}

FUNCTION = re.compile(r"( *)(?:pub(?:\(\w+\))? )?(?:const )?fn (\w+)")


def stale():
    """What the tables name and src/ does not have."""
    sources = [path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.rs")]
    for begin in sum(TARGETS.values(), []):
        if not any(path.startswith(begin) for path in sources):
            yield begin
    for path, names in LEFT_OUT.items():
        if path not in sources:
            yield path
            continue
        lines = (ROOT / "src" / path).read_text().split("\n")
        functions = {found[2] for found in map(FUNCTION.match, lines) if found}
        yield from (f"{path}: {name}" for name in names if name not in functions)


def build(*options):
    """The tests that these options of cargo choose, of this package, which counts; its dependencies as they are."""
    with tempfile.TemporaryDirectory() as folder:
        wrapper = pathlib.Path(folder, "instrumented")
        wrapper.write_text('#!/bin/sh\nexec "$@" -C instrument-coverage\n')
        wrapper.chmod(0o755)
        # Build scripts count, too.
        ours = {"RUSTC_WORKSPACE_WRAPPER": wrapper, "LLVM_PROFILE_FILE": f"{folder}/build.profraw"}
        command = ["cargo", "test", "--release", *options, "--no-run", "--message-format", "json-render-diagnostics"]
        for setting in "opt-level=1", "codegen-units=16":
            command += ["--config", f"profile.release.package.arwen.{setting}"]
        command += ["--target-dir", "target"]
        output = subprocess.run(command, cwd=ROOT, env=os.environ | ours, check=True, stdout=subprocess.PIPE).stdout
    messages = map(json.loads, output.splitlines())
    return [message["executable"] for message in messages if message.get("executable")]


def llvm(tool):
    """A tool of the LLVM that rustc is made of: that of a system does not read what it writes."""
    libraries = subprocess.run(
        ["rustc", "--print", "target-libdir"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    path = pathlib.Path(libraries.stdout.strip()).parent / "bin" / tool
    if not path.exists():
        sys.exit(f"{tool} is missing: rustup component add llvm-tools")
    return path


def measured(target, path):
    """Numbers of the lines that count: without tests, and without what is left out or another target's."""
    lines = (ROOT / "src" / path).read_text().split("\n")
    counted, end = set(), None
    for number, line in enumerate(lines, 1):
        if line == "#[cfg(test)]" and lines[number].startswith("mod tests"):
            break
        function = FUNCTION.match(line)
        is_others = target in OTHERS and re.search(OTHERS[target], line)
        if end is None and function and function[2] in LEFT_OUT.get(path, []):
            end = function[1] + "}"
        elif end is None and is_others and (function or line.endswith("=> {")):
            end = re.match(" *", line)[0] + "}"
        if end is None and not is_others:
            counted.add(number)
        if line == end:
            end = None
    return counted


def hits(binary, target):
    """Executions of each line of each file of src/ while the seeds of a target are replayed."""
    with tempfile.TemporaryDirectory() as folder:
        raw, merged = f"{folder}/raw", f"{folder}/merged"
        test = [binary, "-q", f"fuzzing::tests::{target}"]
        ours = {"LLVM_PROFILE_FILE": raw}
        replay = subprocess.run(test, cwd=ROOT, env=os.environ | ours, capture_output=True, text=True)
        if replay.returncode or " 0 passed" in replay.stdout:
            return None
        subprocess.run([llvm("llvm-profdata"), "merge", "-sparse", raw, "-o", merged], check=True)
        export = [llvm("llvm-cov"), "export", "-format=lcov", "-instr-profile", merged, binary]
        lcov = subprocess.run(export, check=True, capture_output=True, text=True).stdout
    found, lines = {}, {}
    for row in lcov.split("\n"):
        if row.startswith("SF:"):
            path = re.sub(rf"^({re.escape(str(ROOT))}/)?src/", "", row[3:])
            lines = found.setdefault(path, {})
        elif row.startswith("DA:"):
            number, count = map(int, row[3:].split(",")[:2])
            lines[number] = max(count, lines.get(number, 0))
    return found


def report(binary, target, list_missed):
    """Prints what a target reaches. Whether that is enough."""
    found = hits(binary, target)
    if found is None:
        print(f"{target:18} failed, or is not in this binary")
        return False
    reached, missed = 0, []
    for path, lines in sorted(found.items()):
        if not path.startswith(tuple(TARGETS[target])) or "tests" in path:
            continue
        counts = {number: lines[number] for number in measured(target, path) & lines.keys()}
        missed += [f"{path}:{number}" for number, count in sorted(counts.items()) if count == 0]
        reached += sum(count > 0 for count in counts.values())
    percent = 100 * reached / max(1, reached + len(missed))
    print(f"{target:18} {percent:6.2f} %  {reached} of {reached + len(missed)}")
    if list_missed:
        print("   ", *missed)
    return percent >= LEAST_PERCENT


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--names", action="store_true")
    parser.add_argument("targets", nargs="*", metavar="TARGET", default=list(TARGETS))
    arguments = parser.parse_args()
    if old := list(stale()):
        sys.exit("the tables of this program name what src/ does not have:\n" + "\n".join(old))
    if arguments.names:
        return
    binary = (arguments.binary or pathlib.Path(build("--lib")[0])).resolve()
    enough = [report(binary, target, arguments.missed) for target in arguments.targets]
    sys.exit(not all(enough))


if __name__ == "__main__":
    main()
