"""Patterns from outside are compiled in a process of their own first: whatever they do there is said in one line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine import patterntrial
from engine.core.hazards import Suspect, suspects
from engine.core.patterns import check_bounds, compile_pattern
from engine.errors import MappingError, Unavailable
from engine.patterntrial import load_foreign, try_patterns, validate_foreign

BOMB = r"(?if)(?:[\x00-\U0010ffff]{200}){240}"  # 36 bytes that take 2 GB


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterntrial, "_verdicts", patterntrial._Verdicts())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``regex`` package that does what a pattern says, in place of the real one."""
    (tmp_path / "regex.py").write_text(
        "import os, signal, time\n"
        "class error(Exception): pass\n"
        "def compile(pattern, cache_pattern):\n"
        "    exec(pattern)\n"
    )
    monkeypatch.setattr(patterntrial, "_folder", lambda: tmp_path)
    return tmp_path


def document(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "id": "m", "fields": list(fields)}


def field(pattern: str, name: str = "a") -> dict[str, Any]:
    return {"name": name, "type": "string", "steps": [{"regex": {"pattern": pattern}}]}


async def test_a_pattern_that_takes_all_memory_is_named() -> None:
    """The pattern's place and what is wrong with it are told, and this process never compiles it."""
    rules = [field(r"\X+"), field(r"(a)\1", "b"), {"name": "c", "type": "string", "pattern": BOMB}]
    told = r"compiling the pattern takes (more than 256 MiB|longer than 2 s); make it smaller"
    with pytest.raises(MappingError, match=rf"^m\.json: fields\[2\]\.pattern: {told}$"):
        await validate_foreign(document(*rules), "m.json")


@pytest.mark.parametrize(
    ("does", "what"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashes (SIGSEGV); write it another way"),
        ("os.abort()", "crashes (SIGABRT); write it another way"),
        ("while True: pass", "takes longer than 2 s; make it smaller"),
        ("kept = [bytes([1]) * (1 << 20) for _ in range(400)]", "takes more than 256 MiB; make it smaller"),
        ("raise MemoryError", "takes more than 256 MiB; make it smaller"),
    ],
)
async def test_what_a_pattern_may_do_to_its_process(package: Path, does: str, what: str) -> None:
    """A crash, a loop and a flood of memory are each one line that names the pattern, those before it are let pass."""
    with pytest.raises(MappingError) as caught:
        await try_patterns([Suspect("one", "pass"), Suspect("two", does), Suspect("three", "pass")], "m.json")
    assert str(caught.value) == f"m.json: two: compiling the pattern {what}"
    assert not (package / "core").exists()


@pytest.mark.parametrize("does", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(9)"])
async def test_what_is_no_patterns_doing(package: Path, does: str) -> None:
    """Where the system ends the process, for want of memory perhaps, no mapping is to blame: it is tried again."""
    with pytest.raises(Unavailable, match="cannot be tried"):
        await try_patterns([Suspect("one", does)], "m.json")
    with pytest.raises(Unavailable, match="cannot be tried"):
        await try_patterns([Suspect("one", does)], "m.json")


async def test_a_process_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, or another process, nothing can be tried: that is our own side's fault, and says why."""
    monkeypatch.setattr(patterntrial, "_folder", lambda: tmp_path)
    with pytest.raises(Unavailable, match="No module named 'regex'"):
        await try_patterns([Suspect("one", r"\X")], "m.json")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(Unavailable, match="no process can be started"):
        await try_patterns([Suspect("one", r"\X")], "m.json")


async def test_a_verdict_is_remembered(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look at the same patterns starts no process, for good ones and bad ones; and only so many are kept."""
    asked = [Suspect("one", "pass"), Suspect("two", "raise MemoryError")]
    with pytest.raises(MappingError):
        await try_patterns(asked, "m.json")
    monkeypatch.setattr(sys, "executable", "/nowhere")
    await try_patterns(asked[:1], "m.json")
    with pytest.raises(MappingError, match="two: "):
        await try_patterns(asked, "m.json")
    for number in range(5_000):
        patterntrial._verdicts.put(str(number), "")
    assert len(patterntrial._verdicts._known) == 4_096
    assert patterntrial._verdicts.get("pass") is None


async def test_a_process_that_hangs_is_given_up(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes no processor time and does not end is ended; nothing is remembered of its pattern."""
    monkeypatch.setattr(patterntrial, "_WALL_S", 0.5)
    with pytest.raises(Unavailable, match="within"):
        await try_patterns([Suspect("one", "signal.pause()\nwhile True: signal.pause()")], "m.json")
    assert patterntrial._verdicts.get("signal.pause()\nwhile True: signal.pause()") is None


async def test_cancelling_ends_the_process(package: Path) -> None:
    """Whoever gives up the batch leaves no process behind."""
    fifo = package / "pid"
    os.mkfifo(fifo)
    does = f"open({str(fifo)!r}, 'w').write(str(os.getpid()))\nwhile True: signal.pause()"
    task = asyncio.ensure_future(try_patterns([Suspect("one", does)], "m.json"))
    pid = int(await asyncio.to_thread(fifo.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_nothing_of_ours_reaches_the_process(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, which may hold our credentials, and no module of the engine or of Arrow."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    out = package / "out"
    told = f"import sys; open({str(out)!r}, 'w').write(repr(dict(os.environ)) + ' '.join(sys.modules))"
    await try_patterns([Suspect("one", told)], "m.json")
    assert "AWS" not in out.read_text()
    assert not {"pyarrow", "engine", "pydantic", "asyncio", "subprocess"} & set(out.read_text().split())


@pytest.mark.parametrize(
    "pattern",
    [
        r"Chrome/(?P<major>\d+)", "(a|aa)+$", r"(?i)(?<=x)[^\W\d]+", r"^(\d{1,3}\.){3}\d{1,3}$", "|".join("abc" * 100),
        "(?:[a-z]{0,1000}){0,1000}", "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "(((((a)))))" * 20,
    ],
)  # fmt: skip
async def test_plain_patterns_start_no_process(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What most mappings have is known to be harmless, and compiled at once."""
    monkeypatch.setattr(sys, "executable", "/nowhere")
    mapping = await load_foreign(json.dumps(document(field(pattern))).encode(), "m.json")
    assert mapping.fields[0].steps[0].rule.pattern == pattern


async def test_megabytes_of_patterns_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much together is refused at once: nothing is tried, and the rest is not even read."""
    monkeypatch.setattr(sys, "executable", "/nowhere")
    rules = [field(rf"(?R)?{'(a|ab|abc)x' * 800}", f"f{number}") for number in range(2_000)]
    started = time.process_time()
    with pytest.raises(MappingError, match="more than 100,000 characters"):
        await validate_foreign(document(*rules), "m.json")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "pattern",
    [BOMB, "(?R)", r"(a)\1", "(?V1)[[a]--[b]]", "(?>a)", "a++", "(?:a){e}", "a" * 1_001, "(?:a{100}){11}", "((", "(?"],
)
def test_what_is_tried(pattern: str) -> None:
    """Whatever is not plain, or not small, or not read to its end, wherever in a mapping it stands."""
    rules: list[dict[str, Any]] = [
        {"steps": [{"regex": {"pattern": pattern}}, "trim", {"replace": {"pattern": pattern, "with": ""}}]},
        {"pattern": pattern},
    ]
    assert [found.where for found in suspects(document(*rules))] == [
        "fields[0].steps[0].regex.pattern", "fields[0].steps[2].replace.pattern",
        "fields[1].pattern",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        None, 1, "x", [], {}, {"fields": 1}, {"fields": [1, None, {"steps": [[], {"regex": 1}]}]},
        {"fields": [{"steps": {"regex": {}}, "pattern": 3}]},
    ],
)  # fmt: skip
def test_any_document_may_be_looked_at(odd: object) -> None:
    """What is no mapping at all has no patterns; validation says what is wrong with it."""
    assert suspects(odd) == []


def test_what_validation_refuses_unread_is_not_tried() -> None:
    """Bounds are checked before anything is compiled, so nothing is started for a pattern over them."""
    pattern = "(?>(?:(?:a{1000}){1000}){1000})"
    assert suspects(document(field(pattern))) == []
    with pytest.raises(ValueError, match="multiply"):
        check_bounds(pattern)


def test_no_pattern_is_harmless_by_default() -> None:
    """The real package compiles, here, what is called plain and small, at the bounds of both, in little time."""
    for pattern in (
        "()" * 500,
        "(a|ab|abc)" * 99,
        r"[\w\s]" * 160,
        "(?:a?){190}",
        "|".join(f"w{i}" for i in range(180)),
    ):
        assert not suspects(document(field(pattern)))
        assert compile_pattern(pattern) is not None
