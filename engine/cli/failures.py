"""Errors as their readers see them: one line each on standard error, and an exit status."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator

from engine.cli.printable import printable
from engine.errors import BatchFailed, EngineError, InputError
from engine.redaction import hide_in_text

__all__ = ["lines", "report"]


def report(error: Exception) -> int:
    """Writes what went wrong to standard error; returns the exit status.

    An exception that is not the engine's own is a bug: one line says so, and its traceback follows only when the log
    level is debug.
    """
    debug = logging.getLogger("engine").isEnabledFor(logging.DEBUG)
    if isinstance(error, EngineError):
        for line in lines(error):
            sys.stderr.write(f"engine: {line}\n")
        status = error.exit_status
    else:
        hint = "" if debug else "; --log-level debug shows where"
        text = hide_in_text(_one_line(str(error)))
        sys.stderr.write(f"engine: internal error: {type(error).__name__}: {text}{hint}\n")
        status = 1
    if debug:
        sys.stderr.write(hide_in_text("".join(traceback.format_exception(error))))
    return status


def lines(error: EngineError) -> Iterator[str]:
    """One line for each fault: what, where and, where it is not obvious, what to do."""
    if isinstance(error, BatchFailed):
        for each in error.errors:
            place = ": ".join(part for part in (each.file, f"row {each.row}" if each.row is not None else None) if part)
            yield _one_line(f"batch {error.batch} failed: {place + ': ' if place else ''}{each.code}: {each.message}")
    elif isinstance(error, InputError):
        place = ": ".join(part for part in (error.document, error.batch, error.file) if part)
        for problem in error.problems:
            yield _one_line(f"{place}: {problem}")
    else:
        yield _one_line(f"{error.code}: {error}")


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
