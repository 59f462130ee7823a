"""What a failure can be: to the engine, and for another try. ``failures`` says which one each code is."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import (
    AccessDenied,
    EngineError,
    FileError,
    LeaseLost,
    SourceChanged,
    SourceMissing,
    TransientError,
)

__all__ = [
    "ARCHIVED",
    "BUSY",
    "CHANGED",
    "CLOCK",
    "DAMAGED",
    "DENIED",
    "ELSEWHERE",
    "ENDLESS",
    "EXPIRED",
    "GARBLED",
    "GONE",
    "INSIDE",
    "MISSING",
    "NOT_OURS",
    "NO_KEYS",
    "REDIRECTED",
    "REFUSED",
    "THROTTLED",
    "Meaning",
]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a failure is.

    Attributes:
        error: the engine's error, its text in ``text``: with the verb, the place and the code.
        again: the same request may succeed at another try.
        slow_down: the other side asks to be asked less.
        outage: on our own side it says nothing about the message in hand: :class:`~engine.errors.Unavailable`.
    """

    name: str
    error: type[EngineError]
    text: str
    again: bool = False
    slow_down: bool = False
    outage: bool = False


_NOW = "cannot {verb} {place} now ({code})"

MISSING = Meaning("missing", SourceMissing, "")  # what is missing depends on the purpose: see _missing
DENIED = Meaning("denied", AccessDenied, "may not {verb} {place} ({code}): check the credentials and what they allow")
NO_KEYS = Meaning(
    "no credentials", AccessDenied, "no credentials to {verb} {place} with ({code}): check where they come from"
)
EXPIRED = Meaning("expired", AccessDenied, "the credentials to {verb} {place} have expired ({code}): give new ones")
CLOCK = Meaning(
    "clock", TransientError, "cannot {verb} {place} ({code}): set this machine's clock", again=True, outage=True
)
CHANGED = Meaning("changed", SourceChanged, "{place} was replaced while it was read")
ARCHIVED = Meaning("archived", FileError, "{place} is archived: restore it first")
ELSEWHERE = Meaning("elsewhere", FileError, "{place} is not in the region that was named ({code}): correct the region")
REDIRECTED = Meaning(
    "redirected",
    FileError,
    "cannot {verb} {place}: its endpoint {error.host} answered {error.status}, a redirection, which is never followed: "
    "name the endpoint that has the bucket",
)
INSIDE = Meaning(
    "inside",
    AccessDenied,
    "may not {verb} {place}: its endpoint {error.host} is at {error.address}, which is not a public address: correct "
    "the endpoint, or list it in [source] allow_endpoints of config.toml",
)
ENDLESS = Meaning(
    "endless", FileError, "cannot {verb} {place}: its endpoint {error.host} answered with more than an answer can have"
)
NOT_OURS = Meaning("not ours", LeaseLost, "the message from {place} is no longer ours ({code})")
BUSY = Meaning("busy", TransientError, _NOW, again=True, outage=True)
THROTTLED = Meaning("throttled", TransientError, _NOW, again=True, slow_down=True, outage=True)
GARBLED = Meaning(
    "garbled", TransientError, "{place} answered with what is no answer ({code})", again=True, outage=True
)
DAMAGED = Meaning("damaged", TransientError, "what was sent to {place} arrived damaged ({code})", again=True)
GONE = Meaning("gone", TransientError, "the upload of {place} is gone ({code}): the file must be written again")
REFUSED = Meaning("refused", EngineError, "cannot {verb} {place} ({code})")
