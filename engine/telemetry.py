"""Logs: structlog to standard error, key=value on a terminal and JSON otherwise. Cell contents stay out of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from engine.codec import encode_json
from engine.config import LogSettings
from engine.errors import InputError


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """A package that is not there for what is imported in the body, unless it has been imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # the import system's own sign for it
    try:
        yield
    finally:
        del sys.modules[name]


with _hidden("rich"):  # structlog would import it for tracebacks that we never print: 60 ms of each start
    import structlog

__all__ = ["CELL_KEYS", "configure_logging", "log_context"]

CELL_KEYS = frozenset({"cell", "cells", "raw", "row_text", "value", "values"})
"""Keys of a log line that hold what is in a client's files."""

_HIDDEN = "[hidden]"


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Sets up structlog, and the standard library's logging on top of it, for this process.

    Args:
        settings: ``level`` is the least that is written, ``format`` how, ``values`` whether cell contents may appear.
            Other packages' loggers start at ``warning``, or at ``level`` where that is more.
        stream: standard error unless given.
    """
    out = stream if stream is not None else sys.stderr
    console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    level = getattr(logging, settings.level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    if not settings.values:
        shared.append(_hide_cells)
    renderer = _key_value if console else _json
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a test, or a process that is told later, may configure again
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("engine").setLevel(level)


@contextmanager
def log_context(*, batch_id: str, correlation_id: str | None) -> Iterator[None]:
    """Every log line written in the body, by this task, names the batch and what it belongs to."""
    names = {"batch_id": batch_id} | ({"correlation_id": correlation_id} if correlation_id is not None else {})
    with structlog.contextvars.bound_contextvars(**names):
        yield


def _hide_cells(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in CELL_KEYS & event.keys():
        event[key] = _HIDDEN
    return event


def _ordered(event: structlog.typing.EventDict) -> dict[str, Any]:
    """Time, level and event first; keys without a value left out."""
    first = {key: event.pop(key) for key in ("time", "level", "event") if key in event}
    return first | {key: value for key, value in event.items() if value is not None}


def _json(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    ordered = _ordered(event)
    try:
        return encode_json(ordered).decode()
    except InputError:
        return encode_json({key: repr(value) for key, value in ordered.items()}).decode()


def _key_value(_: Any, __: str, event: structlog.typing.EventDict) -> str:
    ordered = _ordered(event)
    trace = ordered.pop("exception", None)
    line = " ".join(f"{key}={_text(value)}" for key, value in ordered.items())
    return f"{line}\n{trace}" if trace else line


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    plain = text and text.isprintable() and not any(char in ' "=' for char in text)
    return text if plain else encode_json(text.encode("utf-8", "replace").decode()).decode()
