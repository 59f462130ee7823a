"""``date`` and ``timestamp``: what each format accepts, in which zone, and which fault a refused text has."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.core.reference import CellFault, compile_format, parse_layout, to_date, to_timestamp
from engine.core.reference.times import iso_date
from engine.core.timeformats import check_format
from tests.examples import examples


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(text: str, *formats: str, zone: str = "UTC") -> datetime:
    compiled = [compile_format(check_format(name)) for name in formats or ("iso8601",)]
    return to_timestamp(text, compiled, ZoneInfo(zone))


def read_date(text: str, *formats: str) -> date:
    return to_date(text, [iso_date if name == "iso8601" else compile_format(name) for name in formats or ("iso8601",)])


def code_of(text: str, *formats: str, zone: str = "UTC") -> str:
    with pytest.raises(CellFault) as caught:
        read(text, *formats, zone=zone)
    assert len(caught.value.message) < 80
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "value"),
    {
        "2026-11-22": "2026-11-22",
        "2026-11-22T10:11": "2026-11-22T10:11",
        "2026-11-22 10:11:12.5": "2026-11-22T10:11:12.5",
        "2026-11-22T10:11:12.123456": "2026-11-22T10:11:12.123456",
        "2026-11-22T10:11:12.1234567Z": "2026-11-22T10:11:12.123456",
        "2026-11-22T10:11:12.9999999": "2026-11-22T10:11:12.999999",
        "1969-12-31T23:59:59.9999999Z": "1969-12-31T23:59:59.999999",
        "2026-11-22T10:11:12." + "1" * 5000: "2026-11-22T10:11:12.111111",
        "2026-11-22T00:30+01": "2026-11-21T23:30",
        "2026-11-22T00:30-0130": "2026-11-22T02:00",
        "2026-11-22T00:30-00:00": "2026-11-22T00:30",
        "2026-11-22T00:30+23:59": "2026-11-21T00:31",
        "2024-02-29T00:00:00+00:00": "2024-02-29",
        "2000-02-29": "2000-02-29",
        "0001-01-01": "0001-01-01",
        "0001-01-01T01:00+01:00": "0001-01-01",
        "9999-12-31T23:59:59.999999": "9999-12-31T23:59:59.999999",
        "9999-12-31T22:59:59-01:00": "9999-12-31T23:59:59",
        "2016-12-31T23:59:59Z": "2016-12-31T23:59:59",
    }.items(),
)
def test_iso8601(text: str, value: str) -> None:
    """Offset, fraction, seconds and time are optional in that order; digits after the sixth drop."""
    assert read(text) == at(value)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-22T", "2026-11-22T10", "2026-11-22T10Z", "2026-11-22T10:60", "2026-11-22T24:00",
        "2026-11-22T10:11:60",
        "2016-12-31T23:59:60Z", "2025-02-29", "1900-02-29", "2100-02-29", "2026-02-30", "2026-04-31", "2026-13-01",
        "2026-00-01",
        "2026-01-00", "0000-01-01", "0000-12-31T23:30-01:00", "26-11-22", "12026-11-22", "2026-11-22Z",
        "2026-11-22T10:11:12.",
        "2026-11-22T10:11:12,5", "2026-11-22t10:11:12z", "2026-11-22T10:11:12z", "2026-11-22T10:11:12+24:00",
        "2026-11-22T10:11:12+01:60", "2026-11-22T10:11:12+1:00", "2026-11-22T10:11:12+01:00:00",
        "0001-01-01T00:00+01:00",
        "9999-12-31T23:59-01:00", "2026-11-22T10:11:12 Z", "2026-11-22  10:11", " 2026-11-22", "2026-11-22\n",
        "2026-11-22T1:11",
        "20261122", "20261122T101112Z", "2026-W47-7", "2026-326", "2026/11/22", "\uff12026-11-22", "2026-11-2\u0662",
        "2026-11-22T10:11:12\u22120100", "1_000-01-01", "2026-11-22\0", "\ud800", "NaN", "1e400", "0x10", "-2026-11-22",
        "2026-11-22T10:11:12." + "1" * 1_000_000 + "x",
    ],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
def test_not_iso8601(text: str) -> None:
    """Everything else is a type-error."""
    assert code_of(text) == "type-error"


@pytest.mark.parametrize(
    ("text", "formats", "value"),
    [
        ("0", ["epoch_s"], "1970-01-01"),
        ("-1", ["epoch_s"], "1969-12-31T23:59:59"),
        ("+1795342272", ["epoch_s"], "2026-11-22T10:11:12"),
        ("1795342272123", ["epoch_ms"], "2026-11-22T10:11:12.123"),
        ("-1", ["epoch_ms"], "1969-12-31T23:59:59.999"),
        ("0" * 40 + "7", ["epoch_s"], "1970-01-01T00:00:07"),
        ("253402300799", ["epoch_s"], "9999-12-31T23:59:59"),
        ("-62135596800", ["epoch_s"], "0001-01-01"),
        ("253402300799999", ["epoch_ms"], "9999-12-31T23:59:59.999"),
        ("22/11/2026 10:11", ["%d/%m/%Y %H:%M"], "2026-11-22T10:11"),
        ("2/1/2026 3:4", ["%d/%m/%Y %H:%M"], "2026-01-02T03:04"),
        ("22112026", ["%d%m%Y"], "2026-11-22"),
        ("112026", ["%d%m%Y"], "2026-01-01"),
        ("11/22/2026 12:05 AM", ["%m/%d/%Y %I:%M %p"], "2026-11-22T00:05"),
        ("11/22/2026 12:05 pm", ["%m/%d/%Y %I:%M %p"], "2026-11-22T12:05"),
        ("11/22/2026 1:05 Pm", ["%m/%d/%Y %I:%M %p"], "2026-11-22T13:05"),
        ("22.11.69", ["%d.%m.%y"], "1969-11-22"),
        ("22.11.68", ["%d.%m.%y"], "2068-11-22"),
        ("2026-326", ["%Y-%j"], "2026-11-22"),
        ("2024-366", ["%Y-%j"], "2024-12-31"),
        ("2026-1", ["%Y-%j"], "2026-01-01"),
        ("2026-11-22t10.5", ["%Y-%m-%dT%H.%f"], "2026-11-22T10:00:00.5"),
        ("2026-11-22T10:11:12.000001Z", ["%Y-%m-%dT%H:%M:%S.%f%z"], "2026-11-22T10:11:12.000001"),
        ("2026-11-22T10:11:12+0530", ["%Y-%m-%dT%H:%M:%S%z"], "2026-11-22T04:41:12"),
        ("2026-11-22T10:11:12-05:30", ["%Y-%m-%dT%H:%M:%S%z"], "2026-11-22T15:41:12"),
        ("100% 22.11.2026", ["100%% %d.%m.%Y"], "2026-11-22"),
        ("22日11月2026年", ["%d日%m月%Y年"], "2026-11-22"),
        ("05/06/2026", ["%d/%m/%Y", "%m/%d/%Y"], "2026-06-05"),
        ("05/22/2026", ["%d/%m/%Y", "%m/%d/%Y"], "2026-05-22"),
        ("20261122", ["%Y%m%d", "epoch_s"], "2026-11-22"),
        ("20261122", ["epoch_s", "%Y%m%d"], "1970-08-23T12:05:22"),
        ("20261399", ["%Y%m%d", "epoch_s"], "1970-08-23T12:09:59"),
    ],
)
def test_formats(text: str, formats: list[str], value: str) -> None:
    """Epochs count from 1970, a strptime format reads what strptime reads, the first that takes the text wins."""
    assert read(text, *formats) == at(value)


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("1.5", ["epoch_s"]), ("1e3", ["epoch_s"]), ("", ["epoch_s"]), ("1_0", ["epoch_s"]), ("\u0661", ["epoch_s"]),
        ("253402300800", ["epoch_s"]), ("-62135596801", ["epoch_s"]), ("9" * 19, ["epoch_s"]), ("9" * 30, ["epoch_ms"]),
        ("9" * 1_000_000, ["epoch_ms"]), ("31/02/2026", ["%d/%m/%Y"]), ("29/02/2025", ["%d/%m/%Y"]),
        ("0/1/2026", ["%d/%m/%Y"]),
        (" 2/1/2026", ["%d/%m/%Y"]), ("22/11/2026 ", ["%d/%m/%Y"]), ("22/11/26", ["%d/%m/%Y"]),
        ("22/11/0000", ["%d/%m/%Y"]),
        ("22/11/2026  10", ["%d/%m/%Y %H"]), ("22/11/2026\t10", ["%d/%m/%Y %H"]), ("22/11/2026 24", ["%d/%m/%Y %H"]),
        ("22/11/2026 0 AM", ["%d/%m/%Y %I %p"]), ("22/11/2026 13 PM", ["%d/%m/%Y %I %p"]), ("2025-366", ["%Y-%j"]),
        ("2024-367", ["%Y-%j"]), ("2024-0", ["%Y-%j"]), ("22/11/2026 59:60", ["%d/%m/%Y %M:%S"]),
        ("2026-11-22 .1234567", ["%Y-%m-%d .%f"]), ("2026-11-22 +24:00", ["%Y-%m-%d %z"]),
        ("2026-11-22 +05", ["%Y-%m-%d %z"]),
        ("2026-11-22 z", ["%Y-%m-%d %z"]), ("2026-11-22 +05:30:15", ["%Y-%m-%d %z"]),
        ("0001-01-01 +0100", ["%Y-%m-%d %z"]),
        ("\u0662\u0662/11/2026", ["%d/%m/%Y"]), ("x", ["%d/%m/%Y", "iso8601", "epoch_s"]),
        ("22/11/2026\0", ["%d/%m/%Y"]),
        ("\ud800", ["%d/%m/%Y"]), ("2" * 1_000_000, ["%d%m%Y%H%M%S"]),
    ],
    ids=lambda part: ascii(part)[:40],
)  # fmt: skip
def test_formats_refuse(text: str, formats: list[str]) -> None:
    """What no format takes is a type-error."""
    assert code_of(text, *formats) == "type-error"


@pytest.mark.parametrize(
    ("text", "zone", "value"),
    [
        ("2026-11-22T10:11", "Europe/Berlin", "2026-11-22T09:11"),
        ("2026-07-22T10:11", "Europe/Berlin", "2026-07-22T08:11"),
        ("2026-07-22T10:11Z", "Europe/Berlin", "2026-07-22T10:11"),
        ("2026-03-29T01:59:59.999999", "Europe/Berlin", "2026-03-29T00:59:59.999999"),
        ("2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-03-29T02:30+01:00", "Europe/Berlin", "2026-03-29T01:30"),
        ("2026-10-25T01:59:59.999999", "Europe/Berlin", "2026-10-24T23:59:59.999999"),
        ("2026-10-25T03:00", "Europe/Berlin", "2026-10-25T02:00"),
        ("2050-07-22T10:11", "Europe/Berlin", "2050-07-22T08:11"),
        ("1880-01-01", "Europe/Berlin", "1879-12-31T23:06:32"),
        ("2026-04-05T02:15", "Australia/Lord_Howe", "2026-04-04T15:45"),
        ("2026-11-22", "Asia/Kathmandu", "2026-11-21T18:15"),
    ],
)
def test_local_times(text: str, zone: str, value: str) -> None:
    """A text without an offset is read in the zone, also right beside its changes; an offset outweighs the zone."""
    assert read(text, zone=zone) == at(value)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2026-03-29T02:00", "Europe/Berlin"),
        ("2026-03-29T02:30", "Europe/Berlin"),
        ("2026-03-29T02:59:59.999999", "Europe/Berlin"),
        ("2026-10-25T02:00", "Europe/Berlin"),
        ("2026-10-25T02:30", "Europe/Berlin"),
        ("2026-10-25T02:59:59.999999", "Europe/Berlin"),
        ("2026-03-08T02:30", "America/New_York"),
        ("2026-11-01T01:30", "America/New_York"),
        ("2026-04-05T01:45", "Australia/Lord_Howe"),
        ("2011-12-30T12:00", "Pacific/Apia"),
        ("2060-10-31T02:30", "Europe/Berlin"),
    ],
)
def test_local_times_that_are_not_one_instant(text: str, zone: str) -> None:
    """A local time that the zone skips or has twice is a constraint-error, in every format without an offset."""
    assert code_of(text, zone=zone) == "constraint-error"
    assert code_of(text, "epoch_s", "iso8601", "%d/%m/%Y", zone=zone) == "constraint-error"
    assert code_of(text.replace("T", " ")[:16], "%Y-%m-%d %H:%M", zone=zone) == "constraint-error"


def test_a_gap_leaves_the_text_to_later_formats() -> None:
    """A local time that one format finds skipped is taken by a later format that reads it as another time."""
    formats = ("%d/%m/%Y %H%M", "%d/%m/%Y %M%H")
    assert read("29/03/2026 0215", *formats, zone="Europe/Berlin") == at("2026-03-29T13:02")


@pytest.mark.parametrize(
    ("text", "zone"),
    [("0001-01-01", "Europe/Berlin"), ("9999-12-31T23:00", "America/New_York"), ("0001-01-01T00:30", "Asia/Tokyo")],
)
def test_out_of_the_calendar(text: str, zone: str) -> None:
    """A local time whose UTC lies outside the years 1 to 9999 is a type-error."""
    assert code_of(text, zone=zone) == "type-error"


@pytest.mark.parametrize(
    ("text", "formats", "value"),
    [
        ("2026-11-22", [], (2026, 11, 22)),
        ("2024-02-29", [], (2024, 2, 29)),
        ("0001-01-01", [], (1, 1, 1)),
        ("9999-12-31", [], (9999, 12, 31)),
        ("22/11/2026", ["%d/%m/%Y"], (2026, 11, 22)),
        ("1/2/2026", ["%m/%d/%Y"], (2026, 1, 2)),
        ("2026326", ["%Y%j"], (2026, 11, 22)),
        ("2026-11-22 23:59 -0500", ["%Y-%m-%d %H:%M %z"], (2026, 11, 22)),
        ("0001-01-01 00:00 +0500", ["%Y-%m-%d %H:%M %z"], (1, 1, 1)),
        ("13/02/2026", ["%m/%d/%Y", "%d/%m/%Y", "iso8601"], (2026, 2, 13)),
        ("2026-02-13", ["%m/%d/%Y", "%d/%m/%Y", "iso8601"], (2026, 2, 13)),
    ],
)
def test_dates(text: str, formats: list[str], value: tuple[int, int, int]) -> None:
    """A date is the day as written, whatever time and offset its format reads beside it."""
    assert read_date(text, *formats) == date(*value)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-22T00:00", "2026-11-22 ", " 2026-11-22", "2026-1-1", "26-11-22", "2026-02-30", "2025-02-29",
        "1900-02-29",
        "2026-13-01", "2026-00-10", "2026-10-00", "0000-01-01", "10000-01-01", "20261122", "2026/11/22", "22.11.2026",
        "2026-11",
        "\uff12026-11-22", "2026-11-2\u0662", "2026\u221211\u221222", "2026-11-22\0", "\ud800", "-2026-11-22", "NaN",
        "1e400",
        "1_000-01-01", "0x10", "1795342272", "2026-11-22Z", "x" * 1_000_000,
    ],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
def test_not_dates(text: str) -> None:
    """``iso8601`` of a date is ``YYYY-MM-DD`` and nothing else."""
    with pytest.raises(CellFault) as caught:
        read_date(text)
    assert caught.value.code == "type-error"


_FORMS = ["%d/%m/%Y", "%m/%d/%y %H:%M", "%d%m%Y", "%Y%j", "%Y-%m-%dT%H:%M:%S.%f", "%d.%m.%Y %I:%M %p", "%H%M%d%m%Y",
          "%Y-%m-%d %H:%M:%S%z", "%y%m%d%f"]  # fmt: skip


@settings(max_examples=examples(1000))
@given(data=st.data(), form=st.sampled_from(_FORMS))
def test_reads_what_strptime_reads(data: st.DataObject, form: str) -> None:
    """Layouts and ``datetime.strptime`` agree on texts of digits, apart from what the module names as different."""

    def part(match: re.Match[str]) -> st.SearchStrategy[str]:
        match match[1]:
            case "Y":
                return st.text("0129", min_size=4, max_size=4)
            case "p":
                return st.sampled_from(["AM", "pm", "aM", "x"])
            case "z":
                return st.sampled_from(["Z", "+0100", "-05:30", "+2400", "+01", "z"])
            case "f":
                return st.text("0123456789", max_size=7)
            case _:
                return st.text("0123456789", min_size=1, max_size=3 if match[1] == "j" else 2)

    drawn: Any = re.sub(r"%(.)", lambda match: data.draw(part(match)), form)
    assume(not ("j" in form and drawn.endswith("366")))
    try:
        expected: datetime | None = datetime.strptime(drawn, form)  # noqa: DTZ007  # %z where there is one
    except ValueError:
        expected = None
    try:
        local, offset = parse_layout(form).read(drawn)
    except CellFault:
        assert expected is None
        return
    assert expected is not None
    assert local == expected.replace(tzinfo=None)
    assert offset == (expected.utcoffset() if "%z" in form else None) or timedelta() == offset
