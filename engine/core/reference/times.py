"""``date`` and ``timestamp``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial

from engine.core.reference.faults import CellFault
from engine.core.reference.layouts import parse_layout
from engine.core.reference.numbers import to_int
from engine.core.timeformats import EPOCHS, ISO8601

__all__ = ["Format", "compile_format", "iso_date", "iso_time", "to_date", "to_timestamp"]

type Format = Callable[[str], tuple[datetime, timedelta | None]]
"""One format: the date and time as written, and its offset from UTC where the text or the format has one."""

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # UTC, as all here that is compared with it
_NO_SUCH = "no such date or time"


def iso_time(text: str) -> tuple[datetime, timedelta | None]:
    """Format ``iso8601`` of a timestamp; digits after the sixth drop."""
    match = _ISO.fullmatch(text)
    if not match:
        raise CellFault("not an ISO 8601 timestamp")
    year, month, day, hour, minute, second, digits, offset = match.groups()
    try:
        local = datetime(  # noqa: DTZ001  # as written
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((digits or "")[:6].ljust(6, "0")),
        )  # fmt: skip
        return local, _iso_offset(offset)
    except ValueError:
        raise CellFault(_NO_SUCH) from None


def _iso_offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text == "Z":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0
    if hours > 23 or minutes > 59:
        raise ValueError
    delta = timedelta(hours=hours, minutes=minutes)
    return -delta if text[0] == "-" else delta


def iso_date(text: str) -> tuple[datetime, None]:
    """Format ``iso8601`` of a date."""
    match = _ISO_DATE.fullmatch(text)
    if not match:
        raise CellFault("not an ISO 8601 date")
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3])), None  # noqa: DTZ001  # a date has no zone
    except ValueError:
        raise CellFault(_NO_SUCH) from None


@dataclass(frozen=True, slots=True)
class _Epoch:
    """Whole units since 1970 UTC: ``[+-]?[0-9]+``, ASCII, in the years 1 to 9999."""

    microseconds: int

    def __call__(self, text: str) -> tuple[datetime, timedelta | None]:
        try:
            return _EPOCH + timedelta(microseconds=to_int(text) * self.microseconds), timedelta()
        except OverflowError:
            raise CellFault(_NO_SUCH) from None


def compile_format(text: str) -> Format:
    """The reader of a format that :func:`engine.core.timeformats.check_format` has passed, for timestamps."""
    if text == ISO8601:
        return iso_time
    return _Epoch(EPOCHS[text]) if text in EPOCHS else parse_layout(text).read


def to_timestamp(text: str, formats: Sequence[Format] = (iso_time,), zone: tzinfo = UTC) -> datetime:
    """``timestamp``: UTC, by the first format that takes the text.

    Args:
        zone: where a text without an offset was written; a local time that it skips or has twice is a
            ``constraint-error``, unless a later format takes the text.
    """
    return _first(text, formats, partial(_to_utc, zone=zone))


def to_date(text: str, formats: Sequence[Format] = (iso_date,)) -> date:
    """``date``, by the first format that takes the text: the day as written, whatever time and offset are beside it."""
    return _first(text, formats, _day_of)


def _first[T](text: str, formats: Sequence[Format], finish: Callable[[datetime, timedelta | None], T]) -> T:
    faults: list[tuple[str, str]] = []  # not the exceptions: they would hold this frame, and it them
    for read in formats:
        try:
            return finish(*read(text))
        except CellFault as fault:
            faults.append((fault.message, fault.code))
    for message, code in faults:
        if code != "type-error":
            raise CellFault(message, code)
    raise CellFault(faults[0][0] if len(faults) == 1 else "fits none of the formats")


def _day_of(local: datetime, _offset: timedelta | None) -> date:
    return local.date()


def _to_utc(local: datetime, offset: timedelta | None, zone: tzinfo) -> datetime:
    try:
        if offset is None:
            offset = _zone_offset(local, zone)
        return (local - offset).replace(tzinfo=UTC)
    except OverflowError:
        raise CellFault(_NO_SUCH) from None


def _zone_offset(local: datetime, zone: tzinfo) -> timedelta:
    before, after = (local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    if before != after:  # PEP 495: across a gap the offset grows, across an overlap it shrinks
        what = (
            "a local time that the time zone skips" if before < after else "a local time that the time zone has twice"
        )
        raise CellFault(what, "constraint-error")
    return before
