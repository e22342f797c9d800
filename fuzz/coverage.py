#!/usr/bin/env python3
"""Which lines the corpora reach of those that each fuzz target is for.

    export RUSTFLAGS="-C instrument-coverage" CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    export LLVM_PROFILE_FILE=$PWD/target/coverage/build.profraw   # build scripts are instrumented, too
    cargo test --release --lib --no-run --target-dir target/coverage   # compiles all dependencies anew
    fuzz/coverage.py target/coverage/release/deps/arwen-... [--missed] [TARGET...]

The binary is the one that cargo names at the end; without the feature `vm` (--no-default-features) it has all but
the targets of the VM. llvm-profdata and llvm-cov, of the same LLVM as rustc or later, come from PATH.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The beginnings of paths in src/ that a target is for. What has a target of its own is not for those that call it, too.
TARGETS = {
    "frame_decoder": ["frame/decoder.rs", "frame/payload.rs", "frame/mod.rs"],
    "frame_round_trip": ["frame/encoder.rs", "frame/mod.rs"],
    "json_messages": ["messages/json/", "messages/big_int.rs", "messages/codec.rs"],
    "protobuf_messages": ["messages/codec.rs", "messages/elements.rs"],
    "codec_agreement": [
        "messages/codec.rs", "messages/json/writer.rs", "messages/json/fields.rs", "messages/big_int.rs"
    ],
    "dialogue": ["dialogue/state.rs"],
    "part_loop": ["part/message_loop.rs", "part/gateway.rs", "part/link.rs", "part/error.rs", "dialogue/messenger.rs"],
    "driver_loop": ["driver/dialogue_loop.rs", "driver/repliers.rs", "dialogue/messenger.rs"],
    "log_lines": ["logs/line.rs", "logs/profile.rs", "logs/level.rs"],
    "scenario_parser": ["scenario/parse/", "scenario/json.rs", "scenario/value.rs", "scenario/model.rs"],
    "host_functions": ["vm/eei/", "vm/contexts/", "vm/host/"],
    "compile_bombs": ["engine/compile_cost.rs", "engine/compile_cost/function.rs", "engine/frames/body.rs"],
    "module_files": ["engine/disk/format.rs"],
    "wasm_modules": [
        "engine/mod.rs", "engine/cache.rs", "engine/tiers.rs", "engine/validation", "engine/instrument",
        "engine/wasm"
    ],
}

# Functions of these files that are not for a fuzz target, and why.
LEFT_OUT = {
    # The choice of a format when the child starts, and what the two loops and log profiles call.
    "messages/codec.rs": ["from_marshalizer", "check", "marshalizer", "encode", "encode_json_object"],
    # Objects without an envelope: log profiles.
    "messages/json/mod.rs": ["read_object", "write_object"],
    # For stored promises, which the target host_functions writes, and for reports.
    "messages/json/writer.rs": ["member", "bytes_member", "bytes_text"],
    # Evaluated by the compiler.
    "messages/elements.rs": ["largest"],
    "vm/eei/table.rs": ["concatenate", "imports"],
    # Reading a file: the target gets what stands in it.
    "scenario/parse/mod.rs": ["scenario", "old_tests", "read_file"],
    # What is compared after a run, not when parsed.
    "scenario/model.rs": ["allows", "fmt"],
    # Text for logs.
    "dialogue/state.rs": ["name"],
    # What tests and the process look at.
    "dialogue/messenger.rs": ["dialogue", "transport_mut", "has_unread_bytes"],
}

# Lines in shared functions that are another target's, with the blocks that they begin; or that only a payload of 4 GiB
# reaches.
OTHERS = {
    "json_messages": r"Format::Protobuf => \{|fn read_pair<P: prost",
    "protobuf_messages": "Json|json::",
    "frame_round_trip": r"Unframeable|out\.truncate",
}


def measured(target, path):
    """Numbers of the lines that count: without tests, and without what is left out or another target's."""
    lines = (ROOT / "src" / path).read_text().split("\n")
    counted, end = set(), None
    for number, line in enumerate(lines, 1):
        if line == "#[cfg(test)]" and lines[number].startswith("mod tests"):
            break
        function = re.match(r"( *)(?:pub(?:\(\w+\))? )?(?:const )?fn (\w+)", line)
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
    """Executions of each line of each file of src/ while the corpus of a target is replayed."""
    with tempfile.TemporaryDirectory() as folder:
        raw, merged = f"{folder}/raw", f"{folder}/merged"
        test = [binary, "-q", f"fuzzing::tests::{target}"]
        replay = subprocess.run(test, cwd=ROOT, env={"LLVM_PROFILE_FILE": raw}, capture_output=True, text=True)
        if replay.returncode or " 0 passed" in replay.stdout:
            return None
        subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", merged], check=True)
        export = ["llvm-cov", "export", "-format=lcov", "-instr-profile", merged, binary]
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


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--missed"]
    if not arguments:
        sys.exit(__doc__)
    binary = pathlib.Path(arguments[0]).resolve()
    for target in arguments[1:] or TARGETS:
        found = hits(binary, target)
        if found is None:
            print(f"{target:18} failed, or is not in this binary")
            continue
        reached, missed = 0, []
        for path, lines in sorted(found.items()):
            if not path.startswith(tuple(TARGETS[target])) or "tests" in path:
                continue
            counts = {number: lines[number] for number in measured(target, path) & lines.keys()}
            missed += [f"{path}:{number}" for number, count in sorted(counts.items()) if count == 0]
            reached += sum(count > 0 for count in counts.values())
        print(f"{target:18} {100 * reached / (reached + len(missed)):6.2f} %  {reached} of {reached + len(missed)}")
        if "--missed" in sys.argv:
            print("   ", *missed)


main()
