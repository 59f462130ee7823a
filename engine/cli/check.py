"""``engine check``: what is wrong with a mapping, or will be, and what it makes of samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import Common, configure
from engine.cli.mappingfile import read_mapping
from engine.cli.printable import printable
from engine.errors import EngineError, SourceMissing

if TYPE_CHECKING:
    from rich.console import Console

    from engine.core.limits import Limits
    from engine.core.mapping import Mapping
    from engine.errors import Problem

__all__ = ["check"]

_HEAD_BYTES = 262_144  # of a sample, enough for the rows that are shown
_PIECE_BYTES = 1_048_576


def check(mapping: Path, /, *samples: Path, rows: int = 5, common: Common | None = None) -> int:
    """Lint a mapping, run its tests and, with samples, show what becomes of their rows.

    Parameters
    ----------
    mapping
        The mapping, a JSON or TOML file.
    samples
        CSV files that the mapping is for.
    rows
        How many rows of each sample to show.
    """
    settings, _ = configure(common)
    from rich.console import Console

    from engine.core.examples import run_examples
    from engine.core.limits import Limits
    from engine.core.lint import lint

    loaded, limits, console = read_mapping(mapping), Limits.of(settings.limits), Console()
    for problem in lint(loaded):
        _warn(problem, console)
    failures = run_examples(loaded, limits)
    for failure in failures:
        console.print(f"[red]failed[/] tests[{failure.place}]: {_plain(failure.what)}", highlight=False, soft_wrap=True)
    passed = len(loaded.tests) - len(failures)
    console.print(
        f"{mapping}: {len(loaded.fields)} fields, {passed} of {len(loaded.tests)} tests passed",
        highlight=False,
        soft_wrap=True,
    )
    unread = [not _show(sample, loaded, limits, rows, console) for sample in samples]
    return 1 if failures or any(unread) else 0


def _warn(problem: Problem, console: Console) -> None:
    console.print(
        f"[yellow]warning[/] {_plain(problem.where)}: {_plain(problem.what)}", highlight=False, soft_wrap=True
    )


def _show(sample: Path, mapping: Mapping, limits: Limits, rows: int, console: Console) -> bool:
    """Shows a sample; false when the mapping cannot read it at all."""
    from engine.core.preview import preview

    try:
        shown = preview(_head(sample, mapping, limits), mapping, limits, rows)
        console.print(f"\n[bold]{_plain(str(sample))}[/]", highlight=False, soft_wrap=True)
        for row in shown:
            console.print(
                f"row {row.row}" + (f"  [red]{_plain(row.error)}[/]" if row.error else ""),
                highlight=False,
                soft_wrap=True,
            )
            rejected = any(cell.error for cell in row.cells)
            for cell in row.cells if row.error is None else ():
                value = "" if rejected else _plain(_brief(cell.value))
                result = f"[red]{_plain(cell.error)}[/]" if cell.error else value
                console.print(
                    f"  {_plain(cell.field):<20} {_plain(_clip(cell.source)):<40} {result}",
                    highlight=False,
                    soft_wrap=True,
                )
        _totals(sample, mapping, limits, console)
    except OSError as error:
        raise SourceMissing(f"cannot be read: {error.strerror}", file=str(sample)) from None
    except EngineError as error:
        console.print(f"[red]failed[/] {_plain(str(sample))}: {error.code}: {_plain(error.message)}", soft_wrap=True)
        return False
    return True


def _totals(sample: Path, mapping: Mapping, limits: Limits, console: Console) -> None:
    from engine.core.plan import Plan
    from engine.core.samplelint import DecimalLint
    from engine.core.transform import Transform

    transform = Transform(Plan.compile(mapping, limits), file=sample.name)
    decimals = DecimalLint(mapping, limits)
    for text in _texts(sample, mapping, limits):
        decimals.feed(text)
        for _ in transform.feed(text):
            pass
    for _ in transform.finish():
        pass
    for problem in decimals.finish():
        _warn(problem, console)
    counts = transform.counts
    share = f" ({counts.rows_rejected / counts.rows_read:.2%})" if counts.rows_read else ""
    nulled = f", {counts.cells_nulled:,} cells written as null" if counts.cells_nulled else ""
    console.print(
        f"{counts.rows_read:,} rows: {counts.rows_rejected:,} rejected{share}{nulled}", highlight=False, soft_wrap=True
    )
    for code, times in counts.codes.most_common():
        console.print(f"  {times:>9,}  {code}", highlight=False, soft_wrap=True)


def _texts(sample: Path, mapping: Mapping, limits: Limits) -> Iterator[bytes]:
    """A sample's text, piece by piece, unpacked where it is compressed."""
    from engine.core.decompress import decompressor

    unpacked = decompressor(sample.name, mapping.csv.compression, limits.expansion_ratio)
    with sample.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield from unpacked.feed(piece)
    yield unpacked.finish()


def _head(sample: Path, mapping: Mapping, limits: Limits) -> bytes:
    head = b""
    for text in _texts(sample, mapping, limits):
        head += text
        if len(head) >= _HEAD_BYTES:
            break
    return head[:_HEAD_BYTES]


def _plain(text: str) -> str:
    """Somebody's text: neither the console's markup nor the terminal's."""
    from rich.markup import escape

    return escape(printable(text))


def _brief(value: object) -> str:
    import json
    from decimal import Decimal

    return _clip(str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=float))


def _clip(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:39] + "…"
