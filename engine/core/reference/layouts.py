"""A strptime format as one pattern, which ``re`` and RE2 read alike, so that reference and kernel cannot differ in it.

What a format accepts is what ``datetime.strptime`` accepts, but the same on every machine and for ASCII digits only:

- ``%Y`` takes four digits, ``%y`` and no more two (69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068), ``%m %d %H
  %I %M %S`` one or two, ``%j`` one to three, ``%f`` one to six, ``%p`` AM or PM in any case, ``%z`` an offset as
  ``Z``, ``+hhmm`` or ``+hh:mm``.
- A directive takes as much as it can and gives back only where the rest would not fit otherwise.
- Everything else stands for itself, ASCII letters in either case; white space is exactly what the format has, not any
  run of it.
- Of two directives for one part (``%Y`` and ``%y``, ``%H`` and ``%I``) the later counts; ``%j`` outweighs ``%m`` and
  ``%d``; ``%p`` without ``%I`` says nothing. Day 366 of a common year is no date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from engine.core.reference.faults import CellFault

__all__ = ["Layout", "parse_layout"]

_DIRECTIVES = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "1[0-2]|0[1-9]|[1-9]",
    "d": "3[01]|[12][0-9]|0[1-9]|[1-9]",
    "j": "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0[1-9]|[1-9]",
    "H": "2[0-3]|[01][0-9]|[0-9]",
    "I": "1[0-2]|0[1-9]|[1-9]",
    "M": "[0-5][0-9]|[0-9]",
    "S": "[0-5][0-9]|[0-9]",
    "f": "[0-9]{1,6}",
    "p": "[AaPp][Mm]",
    "z": "Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A compiled format.

    Attributes:
        pieces: the format in order: a directive's letter and ``""``, or ``""`` and a literal character.
        pattern: for a whole text, without anchors; a directive's letter names its group.
    """

    pieces: tuple[tuple[str, str], ...]
    pattern: re.Pattern[str]

    def which(self, letters: str) -> str | None:
        """The directive that counts among those for one part: the last; None where there is none."""
        found = [letter for letter, _ in self.pieces if letter and letter in letters]
        return found[-1] if found else None

    def read(self, text: str) -> tuple[datetime, timedelta | None]:
        """The date and time as written, and the offset from UTC where the format has one.

        Raises:
            CellFault: the text does not fit the format, or there is no such date.
        """
        match = self.pattern.fullmatch(text)
        if not match:
            raise CellFault("does not fit the format")
        parts = match.groupdict()
        try:
            day = self._day(parts)
        except ValueError:
            raise CellFault("no such date or time") from None
        at = datetime(  # noqa: DTZ001  # as written
            day.year, day.month, day.day, self._hour(parts), int(parts.get("M") or 0), int(parts.get("S") or 0),
            int((parts.get("f") or "").ljust(6, "0")),
        )  # fmt: skip
        return at, _offset(parts["z"]) if "z" in parts else None

    def _day(self, parts: dict[str, str]) -> date:
        letter = self.which("Yy") or "Y"
        year = int(parts[letter])
        if letter == "y":
            year += 1900 if year >= 69 else 2000
        if "j" not in parts:
            return date(year, int(parts["m"]), int(parts["d"]))
        day = date(year, 1, 1) + timedelta(int(parts["j"]) - 1) if int(parts["j"]) < 366 else date(year, 12, 31)
        if day.timetuple().tm_yday != int(parts["j"]):
            raise ValueError
        return day

    def _hour(self, parts: dict[str, str]) -> int:
        letter = self.which("HI")
        if letter is None:
            return 0
        if letter == "H":
            return int(parts["H"])
        return int(parts["I"]) % 12 + (12 if parts["p"][0] in "pP" else 0)


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    delta = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return -delta if text[0] == "-" else delta


def parse_layout(text: str) -> Layout:
    """Compiles a format that :func:`engine.core.timeformats.check_format` has passed."""
    pieces: list[tuple[str, str]] = []
    for match in re.finditer(r"%(.)|(.)", text, re.DOTALL):
        directive, literal = match.groups()
        pieces.append(("", literal or "%") if directive in (None, "%") else (directive, ""))
    pattern = "".join(f"(?P<{letter}>{_DIRECTIVES[letter]})" if letter else _literal(char) for letter, char in pieces)
    return Layout(tuple(pieces), re.compile(pattern))


def _literal(char: str) -> str:
    if not char.isascii():
        return char
    if char.isalpha():
        return f"[{char.lower()}{char.upper()}]"
    return f"\\x{ord(char):02x}"
