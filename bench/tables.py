"""Results as Markdown: the tables of ``bench/README.md``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.contention import LEAST_GROWTH
from bench.model import ASSUMPTIONS, forecasts
from bench.startup import WANTED
from bench.targets import reached

__all__ = ["comparison", "machine_line", "model", "queue", "scaling", "startup", "targets"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in row)} |"
    yield ""


def machine_line(result: dict[str, Any]) -> str:
    """The machine and the day, in a sentence."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured on {result['date']}: {machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gb']:.0f} GB,"
        f" {machine['system']}; load {machine['load']:.1f} before and {result['load_after']:.1f} after;"
        f" driven by Python {machine['python']} with the GIL {'on' if machine['gil'] else 'off'}; {versions}."
    )


def comparison(result: dict[str, Any]) -> Iterator[str]:
    """A table each workload and format; notes say what is doubtful and what a tool cannot express."""
    options = result["options"]
    yield (
        f"{options['files']} files of {options['mb']:.0f} MB ({_parts(result)}), medians of {options['rounds']} runs;"
        " memory is the most of all runs, summed over a run's processes."
    )
    yield ""
    yield f"Versions: {_versions(result)}."
    yield ""
    for group in result["groups"]:
        notes: list[str] = []
        rows = [_row(each, notes) for each in group["results"]]
        yield f"### {group['workload']}, {_FORMATS[group['format']]}"
        yield ""
        head = ("contender", "workers", "bad rows", "MB/s", "rows/s", "CPU s/GB", "peak MB", "notes")
        yield from _table(head, rows)
        yield from (f"{number}. {note}" for number, note in enumerate(notes, 1))
        if notes:
            yield ""


_FORMATS = {"jsonl": "JSON Lines", "parquet": "Parquet"}


def _parts(result: dict[str, Any]) -> str:
    """Who was given smaller files."""
    most = max(each["bytes"] for group in result["groups"] for each in group["results"])
    parts = {
        each["name"]: round(most / each["bytes"])
        for group in result["groups"]
        for each in group["results"]
        if each["bytes"] < 0.9 * most
    }
    less = [f"{name} had {_PARTS.get(part, f'1/{part}')} of each" for name, part in parts.items()]
    return "; ".join(less) or "the same for all"


_PARTS = {2: "a half", 4: "a quarter", 8: "an eighth", 16: "a sixteenth"}


def _versions(result: dict[str, Any]) -> str:
    found: dict[str, str] = {}
    for group in result["groups"]:
        for each in group["results"]:
            found |= each["versions"]
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items())) or "as above"


def _row(each: dict[str, Any], notes: list[str]) -> tuple[str, ...]:
    said = list(each["doubts"])
    if each["limit"]:
        note = f"Cannot express all of it: {each['limit']}."
        if note not in notes:
            notes.append(note)
        said.insert(0, f"({notes.index(note) + 1})")
    figures = ("mb_s", "rows_s", "cpu_s_per_gb", "peak_mb")
    cells = [f"{each[name]:,.{1 if each[name] < 10 else 0}f}" if name in each else "-" for name in figures]
    return (each["name"], str(each["workers"]), f"{each['share']:.0%}", *cells, "; ".join(said))


def targets(result: dict[str, Any]) -> Iterator[str]:
    """What was to be reached, and what was: times as fast with 2 workers, medians of each round's ratios."""
    rows = [
        (
            f"{each.workload}, {_FORMATS[each.format]}", each.what, f"{each.least:g}", f"{each.ratio:.2f}",
            "yes" if each.met else "**no**", "; ".join(each.doubts),
        )
        for each in reached(result)
    ]  # fmt: skip
    yield from _table(("work", "times as fast as", "target", "reached", "met", "doubts"), rows)


def scaling(result: dict[str, Any]) -> Iterator[str]:
    """Throughput and memory by workers, what threads save, and what a chunk costs in k threads."""
    memory = {(each["contender"], each["workers"]): each["peak_mb"] for each in result["results"]}
    rows = []
    for each in result["results"]:
        processes = memory.get((_TWINS.get(each["contender"], ""), each["workers"]))
        share = f"{each['peak_mb'] / processes:.2f}" if processes else ""
        cells = (
            f"{each['mb_s']:.0f}",
            f"{each['speedup']:.2f}",
            f"{each['cpu_s_per_gb']:.1f}",
            f"{each['peak_mb']:.0f}",
        )
        rows.append((each["name"], str(each["workers"]), *cells, share, "; ".join(each["doubts"])))
    yield f"{result['workload']}, {_FORMATS[result['format']]}, {result['options']['files']} files."
    yield ""
    head = ("build", "workers", "MB/s", "speed-up", "CPU s/GB", "peak MB", "of the processes' memory", "doubts")
    yield from _table(head, rows)
    yield f"The core alone in k threads of one process; a chunk is to cost at most {LEAST_GROWTH:.0%} more."
    yield ""
    cells_of = [
        (str(each["threads"]), f"{each['wall_ms']:.2f}", f"{each['cpu_ms']:.2f}", f"{each['wall_growth']:+.0%}",
         f"{each['cpu_growth']:+.0%}")
        for each in result["contention"]
    ]  # fmt: skip
    yield from _table(("threads", "ms a chunk", "CPU ms a chunk", "growth", "growth of CPU"), cells_of)


_TWINS = {"engine-3.13t-threads": "engine-3.13-processes", "engine-3.14t-threads": "engine-3.14-processes"}


def startup(result: dict[str, Any]) -> Iterator[str]:
    """What commands cost at the least."""
    rows = [
        (
            each["build"], f"`engine {each['what']}`", f"{each['seconds']:.2f}", f"{WANTED[each['what']]:.2f}",
            f"{each['cpu']:.2f}", f"{each['peak_mb']:.0f}", "; ".join(each["doubts"]),
        )
        for each in result["results"]
    ]  # fmt: skip
    yield from _table(("build", "command", "seconds", "wanted", "CPU s", "peak MB", "doubts"), rows)


def queue(result: dict[str, Any]) -> Iterator[str]:
    """Ratios only."""
    options = result["options"]
    yield (
        f"{options['messages']} messages of {options['files']} files of {options['mb']:.0f} MB, through a local SQS and"
        " S3 that share the machine's cores: only ratios say something."
    )
    yield ""
    rows = [
        (each["contender"], f"{each['speed_ratio']:.2f}", f"{each['cpu_ratio']:.2f}", f"{each['peak_mb']:.0f}")
        for each in result["results"]
    ]
    yield from _table(("worker", "speed, of 3.13t's threads", "by CPU", "peak MB"), rows)


def model(result: dict[str, Any]) -> Iterator[str]:
    """What EC2 instances would do of it."""
    yield "A model from the processor time above, not a measurement. It assumes:"
    yield ""
    yield from (f"- {each}" for each in ASSUMPTIONS)
    yield ""
    rows = [
        (
            f"{each.workload}, {_FORMATS[each.format]}", each.instance.name, f"{each.mb_s:,.0f}", each.limit,
            f"{each.usd_per_tb:.2f}",
        )
        for each in forecasts(result)
    ]  # fmt: skip
    yield from _table(("work", "instance", "MB/s of CSV", "limited by", "USD a TB"), rows)
