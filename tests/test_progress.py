"""Progress: sums over files and batches, and the line that shows them."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from engine.core.transform import Counts
from engine.errors import BatchFailed, TransientError
from engine.pipeline import FileProgress
from engine.ports import Delivery
from engine.progress import Progress, live, size
from engine.sources import SourceFile
from tests.batches import batch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def report(index: int, rows: int, rejected: int = 0, *, done: bool = False) -> FileProgress:
    codes = Counter({"type-error": rejected}) if rejected else Counter()
    return FileProgress(index, rows * 10, Counts(rows, rows - rejected, rejected, codes=codes), done=done)


def test_reports_are_totals_not_differences() -> None:
    """A later report of a file replaces the earlier one; sums, rates and codes follow."""
    clock = Clock()
    progress = Progress(clock)
    progress.batch_started(batch("in/"), [SourceFile("a", size=1000), SourceFile("b", size=2000)])
    progress.file_progress(report(0, 50, 1))
    progress.file_progress(report(1, 10))
    progress.file_progress(report(0, 100, 3, done=True))
    clock.now += 2
    totals = progress.totals()
    assert (totals.files, totals.files_done) == (2, 1)
    assert (totals.rows_read, totals.rows_written, totals.rows_rejected) == (110, 107, 3)
    assert (totals.bytes_total, totals.bytes_read) == (3000, 1100)
    assert (totals.rows_per_s, totals.bytes_per_s) == (55, 550)
    assert totals.codes == {"type-error": 3}


def test_batches_add_up_and_failed_ones_do_not_count() -> None:
    """A second batch starts its own files at 0; one that fails is taken out again, whole."""
    progress = Progress(Clock())
    progress.batch_started(batch("in/"), [SourceFile("a")])
    progress.file_progress(report(0, 7, done=True))
    progress.batch_started(batch("in/"), [SourceFile("b"), SourceFile("c")])
    progress.file_progress(report(0, 5))
    progress.file_progress(report(1, 6, 6))
    assert (progress.totals().files, progress.totals().rows_read) == (3, 18)
    progress.message_failed(Delivery("m", "r", "{}"), BatchFailed("b", [TransientError("gone")]))
    assert (progress.totals().files, progress.totals().rows_read, progress.totals().codes) == (1, 7, {})
    progress.batch_started(batch("in/"), [SourceFile("b")])
    progress.file_progress(report(0, 2, done=True))
    assert (progress.totals().files_done, progress.totals().rows_read) == (2, 9)


def test_a_message_that_never_became_a_batch_takes_nothing_away() -> None:
    """A message that fails before its batch starts leaves the committed batches in the sums."""
    progress = Progress(Clock())
    progress.batch_started(batch("in/"), [SourceFile("a")])
    progress.file_progress(report(0, 7, done=True))
    progress.batch_committed(batch("in/"), None)  # type: ignore[arg-type]  # why: only that it ended matters here
    progress.message_failed(Delivery("m", "r", "{}"), TransientError("no mapping"))
    assert (progress.totals().files, progress.totals().rows_read) == (1, 7)


def test_nothing_has_happened_yet() -> None:
    """Before the first batch all is zero and no rate divides by it."""
    totals = Progress(Clock()).totals()
    assert (totals.files, totals.rows_per_s, totals.bytes_per_s, totals.bytes_total) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (51_600_000, "51.6 MB"),
        (999_960, "1.0 MB"),
        (3 * 10**15, "3000.0 TB"),
    ],
)
def test_sizes_are_short(number: int, text: str) -> None:
    """Sizes are in powers of a thousand, with one digit after the point."""
    assert size(number) == text


async def test_no_terminal_no_live_line() -> None:
    """Where output is captured nothing is drawn."""
    out = io.StringIO()
    async with live(Progress(), Console(file=out)):
        pass
    assert out.getvalue() == ""


def test_a_terminal_sees_the_line_and_gets_its_cursor_back(tmp_path: Path) -> None:
    """On a real pseudo-terminal the line shows files, rows and rejects, and is gone when the work is done."""
    script = tmp_path / "show.py"
    script.write_text(
        "import asyncio\n"
        "from rich.console import Console\n"
        "from engine.sources import SourceFile\n"
        "from engine.core.transform import Counts\n"
        "from engine.pipeline import FileProgress\n"
        "from engine.progress import Progress, live\n"
        "async def main():\n"
        "    progress = Progress()\n"
        "    progress.files('b-1', [SourceFile('a', size=100), SourceFile('b', size=100)])\n"
        "    progress.file_progress(FileProgress(0, 100, Counts(1234, 1233, 1), done=True))\n"
        "    shown = asyncio.Event()\n"
        "    totals = progress.totals\n"
        "    def counted():\n"
        "        asyncio.get_running_loop().call_soon(shown.set)\n"
        "        return totals()\n"
        "    Progress.totals = lambda self: counted()\n"
        "    async with live(progress, Console()):\n"
        "        await shown.wait()\n"
        "    print('after')\n"
        "asyncio.run(main())\n"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, script], stdout=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not piece:
                break
            said += piece
        assert process.wait() == 0
    os.close(ours)
    text = said.decode()
    assert "b-1 " in text
    assert "1/2 files  1,234 rows" in text
    assert "1 rejected" in text
    assert text.index("\x1b[2K") < text.index("after")
    assert "\x1b[?25h" in text
