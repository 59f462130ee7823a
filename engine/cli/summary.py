"""What a batch came to, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from engine.progress import Totals, count, size, terminal

if TYPE_CHECKING:
    from engine.batch import Batch
    from engine.manifest import Manifest

__all__ = ["explain", "print_summary"]

type _Line = list[tuple[str, str]]  # texts, and how each is to look

_EXPLAINED = {
    "type-error": "the text does not fit the field's type",
    "constraint-error": "the value breaks a rule of the field",
    "missing-value": "a required field is null",
    "missing-cell": "the row has fewer cells than the header",
    "extra-cell": "the row has more cells than the header",
    "blank-row": "the row is empty",
    "encoding-error": "the row's bytes are not in the file's encoding",
    "quote-error": "a quote is opened and not closed, or closed too early",
    "too-long": "a cell or row is over its limit",
    "step-error": "a step could not be applied",
}


def explain(code: str) -> str:
    """A reject's code in words."""
    return _EXPLAINED.get(code, code)


def print_summary(out: TextIO, batch: Batch, manifest: Manifest, totals: Totals) -> None:
    """Prints rows, speed, rejects by code and where everything is; in colours on a terminal."""
    where = f"{batch.destination}/{batch.root}"
    share = f" ({manifest.rows_rejected / manifest.rows_read:.2%})" if manifest.rows_rejected else ""
    speed = f"{totals.seconds:.1f} s, {count(round(totals.rows_per_s))} rows/s, {size(round(totals.bytes_per_s))}/s"
    files = "1 file" if len(manifest.files) == 1 else f"{count(len(manifest.files))} files"
    rows = (
        f"rows: {count(manifest.rows_read)} read = {count(manifest.rows_written)} written"
        f" + {count(manifest.rows_rejected)} rejected{share}"
    )
    lines: list[_Line] = [
        [("committed ", "bold green"), (f"{files}, {size(manifest.bytes_read)} in {speed}", "")],
        [(rows, "yellow" if manifest.rows_rejected else "")],
    ]
    codes: Counter[str] = Counter()
    for file in manifest.files:
        codes.update(file.errors)
    lines += [[(f"  {times:>9,}  {code}: {explain(code)}", "")] for code, times in codes.most_common()]
    lines.append([(f"output: {where.rstrip('/')}/data/", "")])
    if manifest.rows_rejected:
        lines.append([(f"rejects: {where.rstrip('/')}/rejects/", "")])
    _print(out, lines)


def _print(out: TextIO, lines: Sequence[_Line]) -> None:
    console = terminal(out)
    if console is None:
        out.writelines("".join(text for text, _ in line) + "\n" for line in lines)
        return
    from rich.text import Text

    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True, highlight=False)
