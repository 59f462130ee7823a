"""Mappings from outside: their patterns are compiled elsewhere before they are compiled here.

``regex`` has crashed, and has taken all memory there is, while it compiled. So patterns that are not known to be
harmless (:mod:`engine.core.hazards`) go first to a process of their own, with limits of time and memory
(:mod:`engine.patternchild`), which takes some 50 ms. Each is tried once, for as long as its verdict is remembered.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from engine import patternchild
from engine.core.hazards import Suspect, suspects
from engine.core.mapping import Mapping, check_patterns_size, decode_mapping, validate_mapping
from engine.errors import MappingError, Problem, Unavailable

__all__ = ["load_foreign", "try_patterns", "validate_foreign"]

_WALL_S = 60.0
_KEPT = 4_096  # verdicts, of some 150 bytes each


async def load_foreign(text: bytes, name: str) -> Mapping:
    """Reads a mapping document that anybody may have written; ``name`` is its file's, for errors.

    Cancelling it ends the process that tries the patterns.

    Raises:
        MappingError: as :func:`~engine.core.mapping.load_mapping`; or a pattern cannot be compiled within the limits.
        Unavailable: patterns cannot be tried now.
    """
    return await validate_foreign(await asyncio.to_thread(decode_mapping, text, name), name)


async def validate_foreign(document: object, name: str) -> Mapping:
    """Checks a decoded mapping document; as :func:`load_foreign`. Other work goes on meanwhile."""
    await asyncio.to_thread(check_patterns_size, document, name)
    await try_patterns(await asyncio.to_thread(suspects, document), name)
    return await asyncio.to_thread(validate_mapping, document, name)


async def try_patterns(patterns: Sequence[Suspect], name: str) -> None:
    """Compiles patterns elsewhere, where nobody knows yet what comes of it; raises as :func:`load_foreign`."""
    unknown: list[Suspect] = []
    for suspect in patterns:
        verdict = _verdicts.get(suspect.pattern)
        if verdict:
            raise MappingError([Problem(suspect.where, verdict)], file=name)
        if verdict is None:
            unknown.append(suspect)
    if not unknown:
        return
    compiled, reason = await _trial([suspect.pattern for suspect in unknown])
    for suspect in unknown[:compiled]:
        _verdicts.put(suspect.pattern, "")
    if reason:
        _verdicts.put(unknown[compiled].pattern, reason)
        raise MappingError([Problem(unknown[compiled].where, reason)], file=name)


class _Verdicts:
    """What came of patterns that were tried: empty, or what is to be said against them. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def get(self, pattern: str) -> str | None:
        key = _key(pattern)
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key]

    def put(self, pattern: str, verdict: str) -> None:
        with self._lock:
            self._known[_key(pattern)] = verdict
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)


def _key(pattern: str) -> bytes:
    return hashlib.sha256(pattern.encode("utf-8", "surrogatepass")).digest()


_verdicts = _Verdicts()


async def _trial(patterns: Sequence[str]) -> tuple[int, str]:
    """How many of the patterns compile, one after another, and what there is to say against the next, if any."""
    child = await _start()
    try:
        async with asyncio.timeout(_WALL_S):
            told, said = await child.communicate(json.dumps(list(patterns)).encode())
    except TimeoutError:
        raise Unavailable(
            f"a mapping's patterns could not be tried within {_WALL_S:g} s: is the machine busy?"
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode is not None
    compiled = len(told) - 1
    if compiled == len(patterns):
        return compiled, ""
    reason = _reason(child.returncode)
    if compiled < 0 or reason is None:
        last = said.decode(errors="replace").strip().rpartition("\n")[2] or f"exit status {child.returncode}"
        raise Unavailable(f"a mapping's patterns cannot be tried: {last}")
    return compiled, reason


async def _start() -> asyncio.subprocess.Process:
    """Raises Unavailable: the system starts no process."""
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", patternchild.__file__, str(_folder()),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},  # nothing secret
            start_new_session=True,  # a terminal's Ctrl-C is for its parent, which ends it
        )  # fmt: skip
    except OSError as error:
        what = f"a mapping's patterns cannot be tried: no process can be started: {error.strerror}"
        raise Unavailable(what) from error


def _folder() -> Path:
    """Where the ``regex`` package lies."""
    spec = importlib.util.find_spec("regex")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.parent


def _reason(status: int) -> str | None:
    """What is to be said against the pattern at which the child ended so; None: that was not the pattern's doing."""
    if status == patternchild.MEMORY:
        return f"compiling the pattern takes more than {patternchild.BYTES >> 20} MiB; make it smaller"
    if status in (patternchild.TIME, -signal.SIGXCPU):
        return f"compiling the pattern takes longer than {patternchild.SECONDS} s; make it smaller"
    if status in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGFPE, -signal.SIGILL):
        return f"compiling the pattern crashes ({signal.Signals(-status).name}); write it another way"
    return None
