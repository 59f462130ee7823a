"""The contender on Node.js makes of the benchmark's files what the reference makes of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.agreement import check_rejects, check_rows
from bench.cells import as_cell
from bench.peers.loop import Loop
from bench.workloads import SHARES, WORKLOADS, make_files, mapping_of

_PEER = Path(__file__).parents[2] / "bench/peers/node"
_ROWS = 3_000

pytestmark = [
    pytest.mark.one_build("gil"),
    pytest.mark.skipif(
        not (_PEER / "node_modules").is_dir(), reason="no Node.js packages here: scripts/setup node installs them"
    ),
]


def _start(workload: str, output: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["node", _PEER / "main.mjs", "--workload", workload, "--output", output, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _run(workload: str, output: Path, *more: str | Path) -> dict[str, Any]:
    done = _start(workload, output, *more)
    assert (done.returncode, done.stderr) == (0, "")
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts


def _check(workload: str, source: Path, output: Path) -> None:
    """Compares what was made of a file, rejects included, with what the reference makes of it."""
    expected = output / "expected"
    Loop(workload, "jsonl").run(source, expected)
    made = output / f"{source.stem}.jsonl"
    check_rows("node", made, "jsonl", expected, mapping_of(workload, "jsonl"))
    rejects, wanted = made.with_suffix(".rejects.jsonl"), expected.with_suffix(".rejects")
    assert rejects.exists() == (wanted.stat().st_size > 0)
    if rejects.exists():
        check_rejects("node", rejects, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_rows_are_the_reference_s(workload: str, tmp_path: Path) -> None:
    """At each share of bad rows: files are spread over threads and pipelines, and none is mixed with another."""
    sources = []
    total = bad = 0
    for share, (data, spoilt) in make_files(workload, _ROWS).items():
        sources.append(tmp_path / f"{share}.csv")
        sources[-1].write_bytes(data)
        total += _ROWS
        bad += spoilt
    assert len(sources) == len(SHARES)
    counts = _run(workload, tmp_path / "out", "--threads", "2", "--pipelines", "2", *sources)
    assert counts.pop("versions").keys() == {"node", "csv-parse"}
    assert counts == {"rows_read": total, "rows_written": total - bad, "rows_rejected": bad}
    for source in sources:
        _check(workload, source, tmp_path / "out")


_GOOD = {
    "event_id": "7",
    "user_id": "4f9c2a1e-77b0-4c1d-9a55-0d1f2b3c4d5e",
    "ts": "2026-03-01T10:00:00Z",
    "amount": "1.5",
    "is_bot": "no",
    "payload": "{}",
    "token": "AAEC",
    "user_agent": "curl/8",
    "comment": "fine",
    "country": "PL",
}
_DEEP = ("[" * 64 + "]" * 64, "[" * 65 + "]" * 65, '"' + "[" * 65 + '"', "[" * 64 + '"]"' + "]" * 64)
_ODD: dict[str, Sequence[str]] = {
    "event_id": (
        *("+7", "-0", "007", "1" * 18, "1" * 19, "1" * 20, "9223372036854775807", "+9223372036854775808"),
        *(
            "-9223372036854775808",
            "-9223372036854775809",
            "0" * 30 + "5",
            "1.0",
            "1e3",
            " 1",
            "1_0",
            "\u0661",
            "-",
            "0x1",
        ),
        *("0" * 65_535 + "1", "0" * 65_536 + "1"),
    ),
    "user_id": (
        "4F9C2A1E77B04C1D9A550D1F2B3C4D5E",
        "4F9C2a1e-77b0-4c1d-9a55-0d1f2b3c4d5e",
        "4f9c2a1e77b0-4c1d9a550d1f2b3c4d5e",
    ),
    "ts": (
        *(
            "2026-03-01",
            "2026-03-01 10:00",
            "2026-03-01T10:00:00.1234567891Z",
            "2026-03-01T10:00Z",
            "2026-03-01T10:00:00.",
        ),
        *(
            "2024-02-29T23:30:00-01",
            "2023-02-29",
            "2000-02-29",
            "1900-02-29",
            "2026-03-01T00:10:00+0030",
            "2024-03-01T00:10+01",
        ),
        *("2026-12-31T23:59:59.9-23:59", "2026-01-01T00:00:00.000001+23:59", "0001-01-01T00:00:00+00:01", "0000-01-01"),
        *(
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "2026-03-01T24:00:00",
            "2026-03-01T10:60",
            "2026-03-01T10:00:60Z",
        ),
        *(
            "2026-03-01T10:00:00+24:00",
            "2026-03-01T10:00:00+01:60",
            "2026-03-01t10:00:00z",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
        ),
        *(
            "2026-03-01T10:00:00+1",
            "2026-03-01Z",
            "2026-04-31",
            "2026-03-01T10:00:00 Z",
            "2026-3-1",
            "2026-03-01T10:00:00\n",
        ),
    ),
    "amount": (
        *(
            "1.",
            ".5",
            ".",
            "+1.50",
            "-0",
            "-0.0",
            "1e-2",
            "1E+2",
            "1e400",
            "1e-400",
            "0.1e1",
            "1e",
            "inf",
            "NaN",
            "1_0",
            "0x1",
        ),
        *(
            "123456789.12345678",
            "0.30000000000000004",
            "9007199254740993",
            "1e21",
            "1e22",
            "5e-324",
            "0.0000001",
            " 1",
            "01.5",
        ),
    ),
    "is_bot": ("T", "yEs", "N", "2", "on", " true"),
    "payload": (
        *(
            "1",
            "-0",
            "-0.0",
            "[-0, 1.0, 1e2, 12.50]",
            '{"a": 12345678901234567890, "b": [1234567890123456789]}',
            "1e400",
            "1e-400",
        ),
        *(
            "[1.00000000000000000001, 123456789012345.99999, 0.1e1]",
            "NaN",
            "[1,]",
            "01",
            "'a'",
            '{"a":1,"a":2}',
            " [ 1 ] ",
            "\ufeff1",
        ),
        *(
            '"\\ud83d\\udc4d"',
            '"\\ud800"',
            '{"\\udc00": 1}',
            '"\\\\ud800"',
            '"\\u0000\\u001f\\u007f\\u2028"',
            '"\t"',
            "tru",
            "null",
        ),
        *(
            '{"__proto__": 1}',
            '{"b": 1, "2": {"a": "12.0, 1e5"}}',
            '"1e400"',
            '["x", -1e400]',
            "9" * 400,
            "9" * 400 + ".0",
            *_DEEP,
        ),
    ),
    "token": ("AA==", "AB==", "AAE=", "AAF=", "A===", "AA=", "AAECA", "AA==AA==", "AA-_", "AA EC", "=", "====", "é"),
    "user_agent": (
        "Chrome/",
        "Chrome/12 Chrome/13",
        "chrome/1",
        "Chrome/\u0661",
        "Chrome/1\u0661",
        "Chrome/" + "9" * 20,
        "Chrome/007",
    ),
    "comment": ('"', "\\", "\x00\x1f\x7f", "a\r\nb", "\u2028", "👍", "\ufeffx", "é" * 40_000, " ", "=1+1"),
    "country": ("",),
}


def test_odd_cells_are_taken_as_the_reference_takes_them(tmp_path: Path) -> None:
    """What the types' fast ways leave out: each cell makes or breaks a row of its own."""
    rows = [_GOOD | {label: text} for label, texts in _ODD.items() for text in texts]
    source = tmp_path / "odd.csv"
    source.write_bytes(
        b"\n".join([",".join(_GOOD).encode(), *(b",".join(map(as_cell, row.values())) for row in rows), b""])
    )
    counts = _run("mixed", tmp_path / "out", source)
    assert counts["rows_read"] == len(rows)
    _check("mixed", source, tmp_path / "out")


def test_paths_find_what_the_reference_finds(tmp_path: Path) -> None:
    """Absent, null and of another type; numbers keep what tells an integer from another number."""
    payloads = (
        *(
            "[]",
            "1",
            "null",
            '"ev"',
            '{"ev":null}',
            '{"ev":{"b":[1.0, 10000000000000000001]}}',
            '{"ev":[]}',
            '{"ev":"1e5","ms":1.0}',
        ),
        *(
            '{"ev":"","ms":1e2}',
            '{"ev":false,"ms":-0}',
            '{"ev":1e2,"ms":12345678901234567890}',
            '{"ev":12.0,"ms":123456789012345678}',
        ),
        *(
            '{"ev":"x","items":[]}',
            '{"ev":"x","items":{"0":{"price":1}}}',
            '{"ev":"x","items":[{"price":"1.50"}],"tags":{"a":[1.0]}}',
        ),
        *(
            '{"ev":"x","user":[],"tags":null}',
            '{"ev":"x","items":[{"price":1e400}]}',
            '{"ev":"\\ud800"}',
            '{"ev":"x","tags":"no JSON"}',
        ),
    )
    others = ("WARN [a-b.c]", "", "", "AA==", "w6k=")
    source = tmp_path / "paths.csv"
    lines = [
        b",".join(map(as_cell, (payload, *others[:1], "https://x/item/5?utm_campaign=é&b", *others[3:])))
        for payload in payloads
    ]
    source.write_bytes(b"\n".join([b"payload,log,url,token,message", *lines, b""]))
    assert _run("hard", tmp_path / "out", source)["rows_read"] == len(payloads)
    _check("hard", source, tmp_path / "out")


_LINE = ",".join(map(str, _GOOD.values())).encode()
_COLUMNS = ",".join(_GOOD).encode()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("pad", [*range(4)])
def test_bytes_that_are_no_text_reject_their_row_only(end: bytes, pad: int, tmp_path: Path) -> None:
    """Wherever a piece of the file ends, and not a U+FFFD that the file holds itself."""
    good = _LINE.replace(b"fine", "\U0001f44d".encode() * 20_000 + b"x" * pad)
    for name, bad in (("broken", b"caf\xe9"), ("written", "\ufffd".encode())):
        source = tmp_path / f"{name}.csv"
        source.write_bytes(end.join([_COLUMNS, good, _LINE.replace(b"fine", bad), good, b""]))
        counts = _run("mixed", tmp_path / "out", source)
        assert counts["rows_rejected"] == (name == "broken")
        _check("mixed", source, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"event_id,user_id\n", "no column ts"),
        (_COLUMNS + b"\n" + _LINE.replace(b"fine", b'a"b'), "Invalid Opening Quote"),
        (b"\n".join([_COLUMNS, _LINE.replace(b"fine", b"\xff\xef\xbf\xbd")]), "the parser does not tell them apart"),
        (None, "ENOENT"),
    ],
)
def test_a_file_that_cannot_be_mapped_ends_the_run(content: bytes | None, said: str, tmp_path: Path) -> None:
    """One line names the file and says why."""
    source = tmp_path / "bad.csv"
    if content is not None:
        source.write_bytes(content)
    done = _start("mixed", tmp_path / "out", source)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert str(source) in line
    assert said in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threads", "0", "a.csv"], "--threads takes"),
        (["--nonsense", "a.csv"], "--nonsense"),
        (["a.csv", "b/a.csv"], "two files"),
        ([], "no file"),
    ],
)
def test_wrong_usage_is_one_clear_line(options: list[str], said: str, tmp_path: Path) -> None:
    """Nothing is read or written then."""
    done = _start("mixed", tmp_path / "out", *options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()
