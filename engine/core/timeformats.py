"""Formats of dates and timestamps, and time zones, as a mapping names them: checked when it is loaded."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from engine.errors import nearest

__all__ = ["EPOCHS", "ISO8601", "check_format", "check_timezone", "is_zoned"]

ISO8601 = "iso8601"
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
"""Formats that count from 1970 UTC, with the microseconds of one unit."""

# strptime's directives that mean the same everywhere: names of days and months would depend on the machine's locale.
_DIRECTIVES = frozenset("YmdyHIMSfpzj%")
_REQUIRED = (("Y", "y"), ("m", "j"), ("d", "j"))


def check_format(text: str) -> str:
    """The format itself, if it may be used.

    Raises:
        ValueError: neither a name nor a strptime format that says year, month and day; says what is wrong.
    """
    if text == ISO8601 or text in EPOCHS:
        return text
    if "%" not in text:
        raise ValueError(f"no such format: {text!r}{nearest(text, [ISO8601, *EPOCHS])}")
    directives = re.findall(r"%(.?)", text, re.DOTALL)
    unknown = [directive for directive in directives if directive not in _DIRECTIVES or not directive]
    if unknown:
        allowed = " ".join(f"%{letter}" for letter in sorted(_DIRECTIVES))
        raise ValueError(f"%{unknown[0]} is not one of {allowed}")
    for letter in set(directives) - {"%"}:
        if directives.count(letter) > 1:
            raise ValueError(f"%{letter} stands twice")
    if "I" in directives and "p" not in directives:
        raise ValueError("%I needs %p")
    for names in _REQUIRED:
        if not set(names) & set(directives):
            raise ValueError(
                f"a format must say year, month and day: {' or '.join('%' + name for name in names)} is missing"
            )
    return text


def is_zoned(text: str) -> bool:
    """Whether a strptime format reads an offset."""
    return "z" in re.findall(r"%(.?)", text, re.DOTALL)


def check_timezone(name: str) -> str:
    """The name itself, if it is one of the IANA time zones.

    Raises:
        ValueError: there is no such zone.
    """
    if re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", name):
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            pass
        else:
            return name
    raise ValueError(f"no such time zone: {name!r} (as Europe/Berlin)")
