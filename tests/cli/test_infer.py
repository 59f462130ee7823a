"""``engine infer`` proposes a mapping that ``engine check`` and ``engine run`` take, and says what needs a look."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import engine, engine_here

pytestmark = pytest.mark.one_build("free-threaded")

DATA = Path(__file__).parents[2] / ".cache" / "data"

PEOPLE = "id;amount;at;token\n" + "".join(
    f"{row};{row}.50;{row % 28 + 1:02}/11/2026;{{}}\n".replace("{}", "NA" if row % 7 else "") for row in range(60)
)


def test_a_proposal_goes_through_check(tmp_path: Path) -> None:
    """The mapping is on standard output, the notes are on standard error, and check finds no reject in the sample."""
    (tmp_path / "people 1.csv").write_text(PEOPLE + "60;n/a;29/11/2026;x\n61;many;30/11/2026;y\n")
    done = engine_here("infer", "people 1.csv", "--format", "csv", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "version": 1,
        "id": "people-1",
        "csv": {"delimiter": ";"},
        "fields": [
            {"name": "id", "type": "int", "required": True},
            {"name": "amount", "type": "string", "required": True},
            {"name": "at", "type": "date", "formats": ["%d/%m/%Y"], "required": True},
            {"name": "token", "type": "string"},
        ],
        "output": {"format": "csv"},
    }
    assert done.stderr.splitlines() == [
        "amount: 1 of 61 cells is no decimal(12,2): row 62 'many'; proposed as string",
        "amount: 1 cell is 'n/a' (row 61); add it to csv.null_values if it is null",
        "token: 51 cells are 'NA' (row 2); add it to csv.null_values if it is null",
    ]
    (tmp_path / "m.json").write_text(done.stdout)
    checked = engine_here("check", "m.json", "people 1.csv", cwd=tmp_path)
    assert checked.returncode == 0
    assert "62 rows: 0 rejected" in checked.stdout
    assert "warning" not in checked.stdout


def test_output_and_rows(tmp_path: Path) -> None:
    """--output writes TOML where its name says so, once; --rows and --id do as they say."""
    (tmp_path / "a.csv").write_text(PEOPLE)
    (tmp_path / "b.csv").write_text(PEOPLE)
    arguments = ("infer", "a.csv", "b.csv", "--rows", "30", "--id", "acme", "--output", "m.toml")
    done = engine(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "a.csv: only the first 30 rows were looked at" in done.stderr
    document = tomllib.loads((tmp_path / "m.toml").read_text())
    assert document["id"] == "acme"
    assert document["fields"][1] == {"name": "amount", "type": "decimal(12,2)", "required": True}
    again = engine(*arguments, cwd=tmp_path)
    assert again.returncode == 2
    assert "--output: m.toml exists" in again.stderr
    assert engine_here("run", "m.toml", "a.csv", "--output", "out", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("data", "settings", "note"),
    [
        (
            "sep=;\r\nid;prénom\r\n1;Zoë\r\n2;François\r\n".encode("cp1252"),
            {"delimiter": ";", "encoding": "cp1252", "skip_lines": 1},
            "csv.encoding cp1252 is a guess",
        ),
        ("id\tprénom\r\n1\tZoë\r\n2\tFrançois\r\n".encode("utf-16"), {"delimiter": "\t", "encoding": "utf-16"}, ""),
        (
            b"Report for ACME\n\nid, name, at\n1, Ada, 2026-01-02,\n2, Bob, 2026-01-03,\n",
            {"skip_lines": 2, "trim": True, "extra_cells": "ignore"},
            "csv.skip_lines is 2",
        ),
        (
            b"id,size\n" + b"".join(b'%d,"%d inch\n' % (row, row) for row in range(9)),
            {"quote": None},
            "csv.quote is null",
        ),
    ],
)
def test_odd_files_go_through_check_and_run(tmp_path: Path, data: bytes, settings: dict[str, Any], note: str) -> None:
    """A file that is written oddly gets a mapping that reads all its rows, and each guess is a line."""
    (tmp_path / "odd.csv").write_bytes(data)
    done = engine_here("infer", "odd.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["csv"] == settings
    assert note in done.stderr
    (tmp_path / "m.json").write_text(done.stdout)
    checked = engine_here("check", "m.json", "odd.csv", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert "rows: 0 rejected" in checked.stdout
    assert "0 rows" not in checked.stdout
    assert engine_here("run", "m.json", "odd.csv", "--output", "out", cwd=tmp_path).returncode == 0


def test_no_quote_in_toml(tmp_path: Path) -> None:
    """TOML has no null: the mapping of a file without quotes says so with an empty text, and reads it."""
    (tmp_path / "a.csv").write_text("id,size\n" + "".join(f'{row},"{row} inch\n' for row in range(9)))
    assert engine_here("infer", "a.csv", "--output", "m.toml", cwd=tmp_path).returncode == 0
    assert tomllib.loads((tmp_path / "m.toml").read_text())["csv"] == {"quote": ""}
    checked = engine_here("check", "m.toml", "a.csv", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "9 rows: 0 rejected" in checked.stdout, checked.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "what"),
    [
        (["infer"], 2, "SAMPLE: is missing"),
        (["infer", "a.csv", "--rows", "0"], 2, "--rows: must be at least 1"),
        (["infer", "a.csv", "--id", "a b"], 2, "id:"),
        (["infer", "a.csv", "-o", "no/m.json"], 2, "--output: no/m.json cannot be written"),
        (["infer", "none.csv"], 1, "none.csv: cannot be read: No such file"),
        (["infer", "empty.csv"], 1, "empty.csv: there are no rows to infer anything from"),
    ],
)
def test_refusals_are_one_line(tmp_path: Path, arguments: list[str], status: int, what: str) -> None:
    """Wrong usage is exit 2, a sample that says nothing is exit 1; each is one clear line."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "empty.csv").write_text("")
    done = engine(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert what in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_compressed_sample(tmp_path: Path) -> None:
    """A compressed sample gets the mapping that its text gets; a damaged one is a line with its name and the byte."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    file = gzip.compress(PEOPLE.encode())
    (tmp_path / "people.csv.gz").write_bytes(file)
    plain, packed = (engine_here("infer", name, cwd=tmp_path) for name in ("people.csv", "people.csv.gz"))
    assert packed.returncode == 0, packed.stderr
    assert packed.stdout == plain.stdout
    (tmp_path / "people.csv.gz").write_bytes(file[:40])
    broken = engine_here("infer", "people.csv.gz", cwd=tmp_path)
    assert broken.returncode == 1
    assert "people.csv.gz: ends at byte 40" in broken.stderr
    assert broken.stderr.count("\n") == 1


FLIGHTS = {
    "year": "int", "month": "int", "day": "int", "dep_time": "int", "sched_dep_time": "int", "dep_delay": "int",
    "arr_time": "int", "sched_arr_time": "int", "arr_delay": "int", "carrier": "string", "flight": "int",
    "tailnum": "string", "origin": "string", "dest": "string", "air_time": "int", "distance": "int", "hour": "int",
    "minute": "int", "time_hour": "timestamp",
}  # fmt: skip
CITIES = {"lat": "float", "lon": "float", "name": "string", "admin1": "string", "admin2": "string", "cc": "string"}
AIRPORTS = dict.fromkeys(("icao", "iata", "name", "city", "subd", "country", "tz", "lid"), "string") | dict.fromkeys(
    ("elevation", "lat", "lon"), "float"
)
WEATHER = (
    dict.fromkeys(("year", "month", "day", "hour", "wind_dir"), "int")
    | dict.fromkeys(("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"), "float")
    | {"origin": "string", "time_hour": "timestamp"}
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "types", "null_values"),
    [
        ("flights.csv", FLIGHTS, ["", "NA"]),
        ("cities.csv", CITIES, [""]),  # where NA is Namibia
        ("airports.csv", AIRPORTS, [""]),
        ("weather.csv", WEATHER, ["", "NA"]),
    ],
)
def test_real_data(tmp_path: Path, name: str, types: dict[str, str], null_values: list[str]) -> None:
    """Files that other people made get the mapping an engineer would write, and all their rows go through it."""
    done = engine_here("infer", DATA / name, "--rows", "400000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {field["name"]: field["type"] for field in document["fields"]} == types
    assert document.get("csv", {}).get("null_values", [""]) == null_values
    assert document.keys() <= {"version", "id", "csv", "fields"}
    assert not any(field.keys() - {"name", "type", "required"} for field in document["fields"])
    (tmp_path / "m.json").write_text(done.stdout)
    assert engine_here("run", "m.json", DATA / name, "--output", "out", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "out" / "rejects").exists()
