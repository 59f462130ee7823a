"""Logs: their shape, their level, and what never appears in them."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from engine.config import LogSettings
from engine.telemetry import CELL_KEYS, configure_logging, log_context


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Logging as pytest had it, after each test."""
    root, ours = logging.getLogger(), logging.getLogger("engine")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    structlog.reset_defaults()


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_where_there_is_no_terminal() -> None:
    """One JSON object a line: time, level, event, then what was said; nulls are left out."""
    out = io.StringIO()
    configure_logging(LogSettings(), out)
    structlog.get_logger("engine.test").info("batch committed", rows=3, file=None, size=1.5)
    (line,) = logged(out)
    assert list(line) == ["time", "level", "event", "rows", "size"]
    assert (line["level"], line["event"], line["rows"]) == ("info", "batch committed", 3)


def test_key_value_on_a_terminal() -> None:
    """key=value, quoted only where a reader or a shell would trip."""
    out = Terminal()
    configure_logging(LogSettings(), out)
    structlog.get_logger("engine.test").warning("two words", path="a/b.csv", text='say "hi"\nnow', n=1, empty="")
    line = out.getvalue()
    assert line.count("\n") == 1
    assert line.endswith('level=warning event="two words" path=a/b.csv text="say \\"hi\\"\\nnow" n=1 empty=""\n')


@pytest.mark.parametrize(("format_name", "terminal"), [("json", True), ("console", False)])
def test_the_format_can_be_fixed(format_name: str, terminal: bool) -> None:
    """log.format overrides what the stream is."""
    out = Terminal() if terminal else io.StringIO()
    configure_logging(LogSettings.model_validate({"format": format_name}), out)
    structlog.get_logger("engine.test").info("x")
    assert out.getvalue().startswith("{") is (format_name == "json")


def test_the_level_is_a_floor_and_other_packages_start_at_warning() -> None:
    """log.level is for the engine; a chatty library is heard from warning on, in the same shape."""
    out = io.StringIO()
    configure_logging(LogSettings(level="debug"), out)
    structlog.get_logger("engine.test").debug("ours")
    logging.getLogger("engine.pool.coordinator").info("ours, from the standard library: %d", 3)
    logging.getLogger("botocore.hooks").info("not heard")
    logging.getLogger("botocore.hooks").warning("heard")
    assert [(line["level"], line["event"]) for line in logged(out)] == [
        ("debug", "ours"),
        ("info", "ours, from the standard library: 3"),
        ("warning", "heard"),
    ]
    out.truncate(0)
    out.seek(0)
    configure_logging(LogSettings(level="error"), out)
    structlog.get_logger("engine.test").warning("below the floor")
    logging.getLogger("botocore.hooks").warning("below the floor")
    assert out.getvalue() == ""


def test_lines_of_a_batch_name_it() -> None:
    """In the context every line carries batch and correlation id, from whatever module it comes; after it none does."""
    out = io.StringIO()
    configure_logging(LogSettings(), out)
    with log_context(batch_id="b1", correlation_id="c1"):
        structlog.get_logger("engine.test").info("inside")
        logging.getLogger("engine.other").info("inside too")
    with log_context(batch_id="b2", correlation_id=None):
        structlog.get_logger("engine.test").info("without a correlation")
    structlog.get_logger("engine.test").info("outside")
    assert [(line.get("batch_id"), line.get("correlation_id")) for line in logged(out)] == [
        ("b1", "c1"),
        ("b1", "c1"),
        ("b2", None),
        (None, None),
    ]


@pytest.mark.parametrize("shown", [False, True])
def test_cell_contents_stay_out_unless_allowed(shown: bool) -> None:
    """What a client's file holds is hidden under every key that could carry it, unless log.values is on."""
    out = io.StringIO()
    configure_logging(LogSettings(values=shown), out)
    structlog.get_logger("engine.test").info("row rejected", code="type-error", **dict.fromkeys(CELL_KEYS, "4111-1111"))
    (line,) = logged(out)
    assert line["code"] == "type-error"
    assert {line[key] for key in CELL_KEYS} == {"4111-1111" if shown else "[hidden]"}


def test_what_json_cannot_say_is_still_a_line() -> None:
    """A log line is never lost, and never an error, for what is in it."""
    out = io.StringIO()
    configure_logging(LogSettings(), out)
    structlog.get_logger("engine.test").info("odd", ratio=float("nan"), kind=ValueError, text="\ud800")
    (line,) = logged(out)
    assert line["ratio"] == "nan"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_traceback_is_part_of_its_line(terminal: bool) -> None:
    """log.exception carries the traceback: a JSON string, or below the line on a terminal."""
    out = Terminal() if terminal else io.StringIO()
    configure_logging(LogSettings(), out)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        structlog.get_logger("engine.test").exception("failed")
    assert "RuntimeError: boom" in out.getvalue()
    assert terminal or "Traceback" in logged(out)[0]["exception"]


def test_structlog_does_not_bring_rich_along() -> None:
    """What structlog would use for tracebacks alone is not imported for it, and not kept from others."""
    code = (
        "import sys, engine.telemetry; assert 'rich' not in sys.modules;"
        "import rich.console, structlog; assert structlog.dev.rich is None; print('kept', rich.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "kept rich\n", "")


@pytest.mark.parametrize("terminal", [False, True])
def test_no_secret_reaches_a_line(terminal: bool) -> None:
    """Under its key, in a text, in an object's repr, in a traceback, from the engine or anybody else: it is hidden, and
    the end of a key's id is not."""
    out = Terminal() if terminal else io.StringIO()
    configure_logging(LogSettings(level="debug", values=True), out)
    log = structlog.get_logger("engine.test")
    log.info(
        "a", secret_access_key="s3cret", nested={"list": [{"sessionToken": "s3cret"}]}, access_key_id="AKIA12345678"
    )
    log.info("https://b/k?X-Amz-Signature=s3cret", error=KeyError("X-Amz-Security-Token=s3cret"))
    logging.getLogger("elsewhere").warning(
        "headers: %r", {"Authorization": "AWS4-X Credential=s3cret, Signature=s3cret"}
    )
    try:
        raise RuntimeError("aws_secret_access_key=s3cret")
    except RuntimeError:
        log.exception("failed")
    assert "s3cret" not in out.getvalue()
    assert "[hidden]5678" in out.getvalue()
    assert out.getvalue().count("[hidden]") == 9


def test_sdks_are_not_heard_below_info() -> None:
    """At debug level an SDK writes requests with their signatures and answers with keys: whoever turns that on, in
    whatever logger of theirs, it does not reach our stream."""
    out = io.StringIO()
    configure_logging(LogSettings(level="debug"), out)
    loggers = [logging.getLogger(name) for name in ("aiobotocore", "botocore.auth", "aiohttp.client", "urllib3.pool")]
    try:
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
            logger.debug("signed request")
            logger.info("found keys in the environment")
    finally:
        for logger in loggers:
            logger.setLevel(logging.NOTSET)
    assert [line["event"] for line in logged(out)] == ["found keys in the environment"] * 4


def test_an_sdks_traceback_is_a_name() -> None:
    """What a service said stays out of the log: an SDK's line has the class of the exception that it brings along."""
    out = io.StringIO()
    configure_logging(LogSettings(), out)
    for name in ("aiobotocore.credentials", "elsewhere"):
        try:
            raise RuntimeError("said by a service")
        except RuntimeError:
            logging.getLogger(name).warning("no keys", exc_info=True)
    sdk, other = logged(out)
    assert (sdk["event"], sdk["error"], "exception" in sdk) == ("no keys", "RuntimeError", False)
    assert "said by a service" in other["exception"]
