"""``engine demo``: the whole thing on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.cli.common import PoolFlags
from engine.errors import Problem, UsageError

__all__ = ["demo"]


def demo(*, rows: int = 100_000, files: int = 8, keep: Path | None = None, flags: PoolFlags | None = None) -> int:
    """Start a local SQS and S3, write sample files, send messages, work them off and show the result.

    Leaves nothing running, and nothing on disk but what --keep asks for.

    Parameters
    ----------
    rows
        Rows in all files together.
    files
        How many files; two clients share them.
    keep
        Copy the destination bucket to this folder, which must be new or empty.
    """
    problems = [
        Problem(f"--{name}", f"must be at least {least}")
        for name, value, least in (("files", files, 1), ("rows", rows, files))
        if value < least
    ]
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        problems.append(Problem("--keep", f"{keep} exists and is not an empty folder"))
    if problems:
        raise UsageError(problems)
    from engine.demo import Demo

    given = flags or PoolFlags()
    # The demo speaks for itself; --log-level info shows what a service would log beside it.
    quiet = given if given.log_level is not None else replace(given, log_level="warning")
    return Demo(rows, files, keep, quiet).run()
