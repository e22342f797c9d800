#!/usr/bin/env python3
"""Writes the tables of docs/benchmarks.md from what the benches left.

    rm -rf target/criterion             # or results of earlier runs are in the tables as well
    cargo bench | tee bench.log
    python3 benches/report.py bench.log

Times are the medians that criterion keeps in target/criterion; comparisons, and what else the benches print as lines of
JSON, come from the log. Only the part between the two markers is replaced.
"""

import json
import os
import platform
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "benchmarks.md")
BEGIN, END = "<!-- made by benches/report.py -->\n", "<!-- end -->\n"


def machine():
    """What the figures were measured on."""
    with open("/proc/cpuinfo") as cpus:
        models = [line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")]
    run = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return (
        f"{len(models)} cores of {models[0] if models else platform.machine()}, "
        f"{platform.system()} {platform.release()}, {run('rustc', '--version')}, "
        f"commit {run('git', 'rev-parse', '--short', 'HEAD')}.\n"
    )


def criterion():
    """Benchmarks by group: the name, the median in nanoseconds, the bytes of an iteration or None."""
    groups = {}
    for folder, _, files in os.walk(os.path.join(ROOT, "target", "criterion")):
        if os.path.basename(folder) != "new" or "estimates.json" not in files:
            continue
        with open(os.path.join(folder, "benchmark.json")) as file:
            benchmark = json.load(file)
        with open(os.path.join(folder, "estimates.json")) as file:
            median = json.load(file)["median"]["point_estimate"]
        size = (benchmark["throughput"] or {}).get("Bytes")
        name = ", ".join(filter(None, (benchmark["function_id"], benchmark["value_str"])))
        groups.setdefault(benchmark["group_id"], []).append((name, median, size))
    return {group: sorted(rows) for group, rows in sorted(groups.items())}


def duration(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tables(log):
    for group, rows in criterion().items():
        with_bytes = any(size for _, _, size in rows)
        head = [group, "median", "GB/s" if with_bytes else "per second"]
        rate = lambda median, size: f"{size / median:.2f}" if size else f"{1e9 / median:,.0f}"
        yield table(head, [[name, duration(median), rate(median, size)] for name, median, size in rows])
    comparisons, others = [], []
    for line in log:
        if line.startswith('{"benchmark"'):
            row = json.loads(line)
            (comparisons if "ratio" in row else others).append(row)
    if comparisons:
        sides = lambda row: [f"{key[:-3].replace('_', ' ')} {row[key]} us" for key in row if key.endswith("_us")]
        rows = [[row["benchmark"], *sides(row), f"{row['ratio']:.2f}"] for row in comparisons]
        yield table(["compared in turns", "this", "that", "ratio"], rows)
    # Those with the same figures in one table.
    alike = {}
    for row in others:
        alike.setdefault(tuple(row)[1:], []).append(row)
    for keys, rows in alike.items():
        head = ["", *(key.replace("_", " ") for key in keys)]
        yield table(head, [[row["benchmark"], *(f"{row[key]:,}" for key in keys)] for row in rows])


def main():
    log = [line for path in sys.argv[1:] for line in open(path, errors="replace")]
    with open(PAGE) as file:
        before, rest = file.read().split(BEGIN)
    _, after = rest.split(END)
    page = before + BEGIN + "\n" + "\n".join([machine(), *tables(log)]) + "\n" + END + after
    with open(PAGE, "w") as file:
        file.write(page)


if __name__ == "__main__":
    main()
