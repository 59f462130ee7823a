"""How far a batch has come: totals over its files, and the line on a terminal that shows them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from engine.batch import Batch, Committed
from engine.errors import EngineError
from engine.pipeline import FileProgress
from engine.ports import Delivery
from engine.sources import SourceFile

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Progress", "Totals", "count", "live", "size"]

_REFRESH_S = 0.1


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the batches seen so far.

    Attributes:
        bytes_total: of the files whose size is known; 0 when none is.
        seconds: since the first batch started.
        codes: errors by code; a rejected row may have several.
    """

    files: int
    files_done: int
    bytes_total: int
    bytes_read: int
    rows_read: int
    rows_written: int
    rows_rejected: int
    seconds: float
    codes: Counter[str]

    @property
    def rows_per_s(self) -> float:
        return self.rows_read / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_s(self) -> float:
        return self.bytes_read / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Progress:
    """Adds up what files report. Used on one loop only: the one that runs the batches.

    A file reports totals, so a report that is replaced by a later one loses nothing; a file tried again starts anew.
    """

    clock: Callable[[], float] = time.monotonic
    name: str = ""
    _started: float | None = None
    _sizes: list[int] = field(default_factory=list)  # of every file of every batch
    _offset: int = 0  # where the current batch's files begin
    _latest: dict[int, FileProgress] = field(default_factory=dict)

    def files(self, name: str, files: Sequence[SourceFile]) -> None:
        """A batch begins; the files of those before it stay in the sums."""
        self.name = name
        self._offset = len(self._sizes)
        self._sizes += [file.size for file in files]
        if self._started is None:
            self._started = self.clock()

    def file_progress(self, progress: FileProgress) -> None:
        self._latest[self._offset + progress.index] = progress

    def batch_started(self, batch: Batch, files: Sequence[SourceFile]) -> None:
        self.files(batch.batch_id, files)

    def batch_committed(self, batch: Batch, committed: Committed) -> None:  # noqa: ARG002 # the Observer's names
        """The batch's files are in the sums for good."""
        self._offset = len(self._sizes)

    def message_failed(self, delivery: Delivery, error: EngineError) -> None:  # noqa: ARG002 # the Observer's names
        """Takes the failed batch's files out of the sums: nothing of them is kept."""
        del self._sizes[self._offset :]
        for place in [place for place in self._latest if place >= self._offset]:
            del self._latest[place]

    def totals(self) -> Totals:
        latest = self._latest.values()
        codes: Counter[str] = Counter()
        for each in latest:
            codes.update(each.counts.codes)
        return Totals(
            files=len(self._sizes),
            files_done=sum(each.done for each in latest),
            bytes_total=sum(self._sizes) if all(self._sizes) else 0,
            bytes_read=sum(each.bytes_read for each in latest),
            rows_read=sum(each.counts.rows_read for each in latest),
            rows_written=sum(each.counts.rows_written for each in latest),
            rows_rejected=sum(each.counts.rows_rejected for each in latest),
            seconds=self.clock() - self._started if self._started is not None else 0.0,
            codes=codes,
        )


def terminal(stream: TextIO) -> Console | None:
    """The terminal that a stream is; None: it is something else, and rich, which takes 25 ms, need not be imported."""
    if not (stream.isatty() or os.environ.get("FORCE_COLOR")):
        return None
    from rich.console import Console

    return Console(file=stream)


@asynccontextmanager
async def live(progress: Progress, console: Console | None) -> AsyncIterator[None]:
    """Shows the progress on a terminal until the body is left; on anything else shows nothing."""
    if console is None or not console.is_terminal:
        yield
        return
    from rich.live import Live

    # Refreshed by a task of this loop, not by rich's own thread: Progress belongs to the loop.
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as display:

        async def refresh() -> None:
            while True:
                display.update(_line(progress, console.width), refresh=True)
                await asyncio.sleep(_REFRESH_S)

        task = asyncio.create_task(refresh())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _line(progress: Progress, width: int) -> Text:
    from rich.text import Text

    totals = progress.totals()
    share = totals.files_done / totals.files if totals.files else 0.0
    if totals.bytes_total:
        share = min(1.0, totals.bytes_read / totals.bytes_total)
    cells = max(10, min(40, width - 90))
    filled = round(share * cells)
    rejects = f"{count(totals.rows_rejected)} rejected"
    return Text.assemble(
        (f"{progress.name or 'starting'} ", "bold"),
        ("━" * filled, "green"),
        ("━" * (cells - filled), "bright_black"),
        f" {totals.files_done}/{totals.files} files  {count(totals.rows_read)} rows  ",
        (f"{count(round(totals.rows_per_s))} rows/s  {totals.bytes_per_s / 1e6:.0f} MB/s  ", "cyan"),
        (rejects, "yellow" if totals.rows_rejected else "bright_black"),
        f"  {totals.seconds:.1f} s",
        no_wrap=True,
        overflow="ellipsis",
    )


def count(number: int) -> str:
    """A number with thousands apart, as ``1,234,567``."""
    return f"{number:,}"


def size(bytes_: int) -> str:
    """A size in powers of a thousand, as ``12.3 MB``."""
    scaled, unit = float(bytes_), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if scaled < 999.95 or unit == "TB":
            break
        scaled /= 1000
    return f"{scaled:.0f} {unit}" if unit == "B" else f"{scaled:.1f} {unit}"
