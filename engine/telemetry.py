"""Logs: structlog to standard error, key=value on a terminal and JSON otherwise. Cell contents and secrets stay out."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from engine.codec import encode_json
from engine.config import LogSettings
from engine.errors import InputError
from engine.redaction import hide, hide_in_text


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

_SDK = ("aiobotocore", "aiohttp", "boto3", "botocore", "urllib3")
"""Loggers of those who hold keys: below ``info`` they write signed requests, and answers with keys in them."""


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Sets up structlog, and the standard library's logging on top of it, for this process.

    Args:
        settings: ``level`` is the least that is written, ``format`` how, ``values`` whether cell contents may appear.
            Other packages' loggers start at ``warning``, or at ``level`` where that is more, and those of SDKs are
            never heard below ``info``, whoever sets them to that. Secrets are hidden whatever the settings are.
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
    shared.append(functools.partial(_hide, frozenset() if settings.values else CELL_KEYS))
    renderer = functools.partial(_rendered, _key_value if console else _json)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a test, or a process that is told later, may configure again
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_without_traceback, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(lambda record: record.levelno >= logging.INFO or not _of_an_sdk(record))
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


def _hide(also: frozenset[str], _: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    ours = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}  # structlog's own
    return {**hide(event, also), **ours}


def _rendered(render: structlog.typing.Processor, logger: Any, name: str, event: structlog.typing.EventDict) -> str:
    return hide_in_text(str(render(logger, name, event)))


def _of_an_sdk(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _SDK


def _without_traceback(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An SDK's line names the class of what went wrong. Its text is a service's, which may tell one account about
    another, and whoever made the call reports it."""
    record: logging.LogRecord = event["_record"]
    raised = event.get("exc_info")
    if _of_an_sdk(record) and isinstance(raised, tuple) and raised[0] is not None:
        event.update(exc_info=None, error=raised[0].__name__)
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
