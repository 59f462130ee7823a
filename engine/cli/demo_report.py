"""What the demo prints: what it set up, what each file became, and why rows were rejected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from engine.cli.summary import explain
from engine.pool.build import build_name, gil_enabled
from engine.progress import count, size

if TYPE_CHECKING:
    from bench.data import Corrupted
    from engine.manifest import FileEntry, Manifest

__all__ = ["Made", "print_result", "print_step", "print_title"]


@dataclass(frozen=True, slots=True)
class Made:
    """A sample file: whose it is, its key and size, the rows that were corrupted, its first two lines."""

    client: str
    key: str
    bytes: int
    corrupted: tuple[Corrupted, ...]
    head: str


def print_title(console: Console) -> None:
    """Says what is about to run, and on what."""
    title = Text.assemble(
        ("engine demo", "bold"),
        "  CSV in the clients' S3 -> typed JSON Lines in ours, a message's files all or none\n",
        (f"{build_name()}, GIL {'on' if gil_enabled() else 'off'}", "cyan"),
    )
    console.print(Panel(title, box=box.ROUNDED, expand=False))


def print_step(console: Console, name: str, text: str) -> None:
    """One thing done, aligned under its name."""
    first, *more = text.splitlines()
    console.print(Text.assemble((f"{name:>12}  ", "bold green"), first), soft_wrap=True)
    for line in more:
        console.print(Text(" " * 14 + line), soft_wrap=True)


def print_result(
    console: Console, made: Sequence[Made], manifests: Sequence[Manifest], bucket: str, folder: Path
) -> None:
    """Prints what became of each file, the rejects explained, one row before and after, and whether all is right.

    Args:
        bucket: the destination, and ``folder`` a copy of it.
    """
    console.print()
    console.print(_files(made, manifests))
    rejects = list(_rejects(manifests, folder))
    if rejects:
        console.print(_by_code(rejects))
    before_after = _before_after(made, manifests, folder)
    if before_after is not None:
        console.print(before_after)
    print_step(console, "check", _checked(made, rejects))
    for manifest in manifests:
        root = manifest.files[0].output.key.partition("/data/")[0]
        print_step(console, "result", f"s3://{bucket}/{root}/  manifest.json, data/, rejects/")


def _files(made: Sequence[Made], manifests: Sequence[Manifest]) -> Table:
    table = Table(title="What each file became", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("batch")
    table.add_column("file")
    for name in ("CSV", "rows read", "written", "rejected", "JSON Lines"):
        table.add_column(name, justify="right")
    sizes = {(file.client, file.key): file.bytes for file in made}
    for manifest in manifests:
        for place, file in enumerate(manifest.files):
            client = manifest.batch_id.partition("-")[0]
            table.add_row(
                manifest.batch_id if place == 0 else "",
                file.source.rpartition("/")[2],
                size(sizes[client, file.source]),
                count(file.rows_read),
                count(file.rows_written),
                Text(count(file.rows_rejected), style="yellow" if file.rows_rejected else ""),
                size(file.output.bytes),
                end_section=place == len(manifest.files) - 1,
            )
    sums = [sum(counts) for counts in zip(*(_counts(manifest) for manifest in manifests), strict=True)] or [0, 0, 0]
    written = sum(file.output.bytes for manifest in manifests for file in manifest.files)
    table.add_row("all", "", size(sum(sizes.values())), *map(count, sums), size(written), style="bold")
    return table


def _counts(manifest: Manifest) -> tuple[int, int, int]:
    return manifest.rows_read, manifest.rows_written, manifest.rows_rejected


def _rejects(manifests: Sequence[Manifest], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every reject record, with its client."""
    for manifest in manifests:
        for file in manifest.files:
            if file.rejects is not None:
                with (folder / file.rejects.key).open(encoding="utf-8") as lines:
                    for line in lines:
                        yield manifest.batch_id.partition("-")[0], json.loads(line)


def _by_code(rejects: Sequence[tuple[str, dict[str, Any]]]) -> Table:
    table = Table(title="Rejected rows, and why", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("code", style="yellow", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("means")
    table.add_column("for example", overflow="fold")
    times: Counter[str] = Counter()
    example: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
    for client, record in rejects:
        for error in record["errors"]:
            times[error["code"]] += 1
            example.setdefault(error["code"], (client, record, error))
    for code, number in times.most_common():
        client, record, error = example[code]
        where = f"{client} {record['file'].rpartition('/')[2]}:{record['line']}, row {count(record['row'])}"
        value = f" {_short(error['value'])}" if error["value"] else ""
        what = f"{error['field'] or 'row'}{value}: {error['message']}"
        table.add_row(code, count(number), explain(code), f"{where}\n{what}")
    return table


def _short(value: str, longest: int = 44) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= longest else f'{shown[: longest - 4]}..."'


def _before_after(made: Sequence[Made], manifests: Sequence[Manifest], folder: Path) -> Panel | None:
    """The first row of a file and what it became."""
    for manifest in manifests:
        for entry in manifest.files:
            source = next(file for file in made if (file.client, file.key) == _place(manifest, entry))
            if entry.rows_written and all(found.row != 1 for found in source.corrupted):
                with (folder / entry.output.key).open(encoding="utf-8") as lines:
                    after = json.loads(next(lines))
                before = Text(source.head.replace("\r", "").rstrip("\n"), style="bright_black")
                before.no_wrap, before.overflow = True, "ellipsis"
                shown = Syntax(
                    json.dumps(after, indent=2, ensure_ascii=False), "json", background_color="default", word_wrap=True
                )
                title = f"one row of {source.client} {source.key}: CSV in, JSON Lines out (indented here)"
                return Panel(Group(before, Text(), shown), title=title, title_align="left", box=box.ROUNDED)
    return None


def _place(manifest: Manifest, entry: FileEntry) -> tuple[str, str]:
    return manifest.batch_id.partition("-")[0], entry.source


def _checked(made: Sequence[Made], rejects: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Compares the rejects with the rows that were corrupted on purpose."""
    expected = {(file.client, file.key, found.row, found.code) for file in made for found in file.corrupted}
    actual = {
        (client, record["file"], record["row"], error["code"])
        for client, record in rejects
        for error in record["errors"]
    }
    found, missed, wrong = expected & actual, expected - actual, actual - expected
    verdict = "exactly the corrupted rows" if not missed and not wrong else "NOT what was expected"
    return (
        f"{verdict}: {count(len(found))} of {count(len(expected))} corrupted rows rejected for the right reason, "
        f"{count(len(missed))} missed, {count(len(wrong))} unexpected"
    )
