"""Columns of dates and timestamps, and the formats that they are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from engine.core.inference.reading import Reading, accepts
from engine.core.overlap import differing_text
from engine.core.reference import CellFault, Format, compile_format
from engine.core.reference.times import iso_date
from engine.core.timeformats import ISO8601

__all__ = ["read_times", "time_readers"]

type Kind = Literal["date", "timestamp"]

_MOST_FORMATS = 3
_YEARS = range(1900, 2100)  # of dates without separators: eight digits may be anything

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?")
_DATE = re.compile(r"([0-9]{1,4})([-/. ])([0-9]{1,2})\2([0-9]{4}|[0-9]{1,2})(?![0-9])")
_COMPACT = re.compile(r"[12][0-9]{7}(?=\Z|[T ]|[0-9]{6}\Z)")
_TIME = re.compile(
    r"(T|, | )?([0-9]{1,2})(:?)([0-9]{2})(?:\3([0-9]{2})(?:([.,])[0-9]{1,6})?)?"
    r"( ?)([AaPp][Mm])?(?:( ?)(?:Z|[+-][0-9:]+))?"
)


def read_times(texts: Sequence[str]) -> Reading | None:
    """The reading of texts that are all dates or all times, in up to three formats; None where they are not.

    Where no text tells ``%d/%m`` from ``%m/%d``, the day comes first and a remark says so. Formats that read one
    text as two times are never proposed beside each other.
    """
    formats: list[str] = []
    kinds: set[str] = set()
    remarks: list[str] = []
    unzoned = 0
    rest = list(texts)
    while rest:
        options = _options(rest)
        if not options or len(formats) == _MOST_FORMATS:
            return None
        best = max(options, key=lambda option: len(option.read))  # the first of equals
        if any(differing_text(name, best.name, date=False) for name in formats if name != best.name):
            return None
        other = next((option for option in options if option.rivals(best)), None)
        if other is not None:
            remarks.append(f"no cell tells {best.name} from {other.name}; {best.name} is proposed")
        formats.append(best.name)
        kinds.add(best.kind)
        unzoned += best.unzoned
        rest = [text for text in rest if text not in best.read]
    if unzoned:
        how_many = "times have" if unzoned == len(texts) else "some times have"
        remarks.append(f"{how_many} no offset and are read as UTC; set timezone if they are local")
    kind = "timestamp" if "timestamp" in kinds else "date"
    return Reading(kind, tuple(dict.fromkeys(formats)), remarks=tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Option:
    """A format, and what it makes of the texts that it takes."""

    kind: Kind
    name: str
    read: dict[str, tuple[datetime, timedelta | None]]

    @property
    def unzoned(self) -> int:
        """How many of the texts are times without an offset."""
        return sum(offset is None for _, offset in self.read.values()) if self.kind == "timestamp" else 0

    def rivals(self, best: _Option) -> bool:
        """Whether this format takes as many texts as the best and reads one of them as another time."""
        return len(self.read) == len(best.read) and any(
            best.read.get(text, found) != found for text, found in self.read.items()
        )


def _options(texts: Sequence[str]) -> list[_Option]:
    """The formats that the first text may be in, less those that take fewer texts than one before them."""
    options: list[_Option] = []
    most = 0
    for kind, name, read in time_readers(texts[0]):
        found = _read_all(texts, read, len(texts) - most)
        if found is not None:
            options.append(_Option(kind, name, found))
            most = max(most, len(found))
        if name == ISO8601 and most == len(texts):  # nothing reads such a text otherwise
            break
    return options


def _read_all(texts: Sequence[str], read: Format, refusals: int) -> dict[str, tuple[datetime, timedelta | None]] | None:
    """The texts that a format takes, and what it makes of them; None where it refuses more than so many."""
    found = {}
    for text in texts:
        try:
            found[text] = read(text)
        except CellFault:
            refusals -= 1
            if refusals < 0:
                return None
    return found


def time_readers(text: str) -> Iterator[tuple[Kind, str, Format]]:
    """The formats that a text may be in, the likeliest first: what each is for, its name and its reader."""
    for kind, name in _formats(text):
        read = iso_date if (kind, name) == ("date", ISO8601) else _format(name)
        if accepts(read, text):
            yield kind, name, read


_format = lru_cache(maxsize=256)(compile_format)  # many columns have the same


def _formats(text: str) -> Iterator[tuple[Kind, str]]:
    iso = _ISO.fullmatch(text)
    if iso:
        yield "timestamp" if iso[1] else "date", ISO8601
    match = _DATE.match(text)
    if match:
        days = list(_days(match[1], match[2], match[4]))
    else:
        match = _COMPACT.match(text)
        days = ["%Y%m%d"] if match and int(text[:4]) in _YEARS else []
    if not match:
        return
    rest = text[match.end() :]
    time = _time(rest)
    if time is not None:
        for day in days:
            yield "timestamp" if rest else "date", day + time


def _days(first: str, separator: str, last: str) -> Iterator[str]:
    if len(first) == 4:
        yield f"%Y{separator}%m{separator}%d"
    elif len(first) <= 2 and len(last) in (2, 4):
        year = "%Y" if len(last) == 4 else "%y"
        yield f"%d{separator}%m{separator}{year}"
        yield f"%m{separator}%d{separator}{year}"
        if year == "%y":
            yield f"%y{separator}%m{separator}%d"


def _time(text: str) -> str | None:
    """The format of what follows a date; None where it is no time."""
    if not text:
        return ""
    match = _TIME.fullmatch(text)
    if match is None or text.endswith(" "):
        return None
    before, _, colon, _, seconds, point, space, half, gap = match.groups()
    made = f"{before or ''}%{'I' if half else 'H'}{colon}%M"
    made += f"{colon}%S" if seconds else ""
    made += f"{point}%f" if point else ""
    made += f"{space}%p" if half else space
    return made + (f"{gap}%z" if gap is not None else "")
