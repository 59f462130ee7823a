"""Dates and timestamps, in every format."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.faults import Bad

__all__ = ["to_date", "to_timestamp"]

_EPOCHS = {"epoch_s": timedelta(seconds=1), "epoch_ms": timedelta(milliseconds=1)}


def to_date(text: str, rule: dict[str, Any]) -> date:
    """The date that the first fitting format reads."""
    return _first(text, rule, lambda format_: _iso_date(text) if format_ == "iso8601" else _strptime(text, format_))


def to_timestamp(text: str, rule: dict[str, Any]) -> datetime:
    """The moment that the first fitting format reads, in UTC."""

    def read(format_: str) -> datetime:
        if format_ in _EPOCHS:
            return datetime(1970, 1, 1, tzinfo=UTC) + int(_match("[+-]?[0-9]+", text).group()) * _EPOCHS[format_]
        local = _iso(text) if format_ == "iso8601" else _strptime(text, format_)
        if local.tzinfo is None:
            zone = ZoneInfo(rule.get("timezone") or "UTC")
            before, after = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
            if before != after:
                raise Bad("constraint-error")  # skipped or repeated
            local = local.replace(tzinfo=zone)
        return local.astimezone(UTC)

    found = _first(text, rule, read)
    assert isinstance(found, datetime)
    return found


def _first(text: str, rule: dict[str, Any], read: Callable[[str], date]) -> date:
    if not text.isascii():
        raise Bad("type-error")
    for format_ in rule.get("formats") or ["iso8601"]:
        try:
            found = read(format_)
        except Bad:
            raise
        except (ValueError, OverflowError):
            continue
        return found.date() if rule["type"] == "date" and isinstance(found, datetime) else found
    raise Bad("type-error")


def _match(pattern: str, text: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text, re.ASCII)
    if found is None:
        raise ValueError(text)
    return found


def _strptime(text: str, format_: str) -> datetime:
    """As Python's, but a space is one space, and ``%z`` has no seconds."""
    if re.findall(r"\s", text) != re.findall(r"\s", format_):
        raise ValueError(text)
    return datetime.strptime(text, format_)  # noqa: DTZ007 - whether there is a zone is the format's to say


def _iso_date(text: str) -> date:
    return date(*map(int, _match("([0-9]{4})-([0-9]{2})-([0-9]{2})", text).groups()))


def _iso(text: str) -> datetime:
    day, hour, minute, second, digits, zone = _match(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
        r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]+))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
        text,
    ).groups()
    at = _iso_date(day)
    clock = (int(hour or 0), int(minute or 0), int(second or 0), int((digits or "0")[:6].ljust(6, "0")))
    return datetime(at.year, at.month, at.day, *clock, tzinfo=_zone(zone))


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
