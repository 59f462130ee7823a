"""Data sets that other people made, shipped in packages, come out as the oracle says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import engine
from tests.oracle import expect, read_jsonl, read_rejects

pytestmark = pytest.mark.one_build("gil")

DATA = Path(__file__).parents[2] / ".cache" / "data"

FLIGHTS = {
    "year": "int", "dep_time": "int", "dep_delay": "float", "carrier": "string", "tailnum": "string",
    "origin": "string", "air_time": "int", "distance": "int", "time_hour": "timestamp",
}  # fmt: skip
CITIES = {"lat": "float", "lon": "float", "name": "string", "admin1": "string", "cc": "string"}
AIRPORTS = {"icao": "string", "iata": "string", "name": "string", "elevation": "int", "lat": "float", "tz": "string"}
WEATHER = {"origin": "string", "temp": "float", "wind_dir": "int", "pressure": "float", "time_hour": "timestamp"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "types", "null_values"),
    [
        ("flights.csv", FLIGHTS, ["NA"]),
        ("cities.csv", CITIES, [""]),
        ("airports.csv", AIRPORTS, [""]),
        ("weather.csv", WEATHER, ["NA"]),
        ("weather.csv", WEATHER, []),
    ],
    ids=["flights", "cities", "airports", "weather", "weather with NA as text"],
)
def test_equals_the_oracle(tmp_path: Path, name: str, types: dict[str, str], null_values: list[str]) -> None:
    """Every row of the file is written or rejected as the oracle says, 25,000 to 337,000 rows a file."""
    mapping: dict[str, Any] = {
        "version": 1,
        "id": "real",
        "csv": {"null_values": null_values},
        "fields": [{"name": field, "type": kind} for field, kind in types.items()],
    }
    (tmp_path / "mapping.json").write_text(json.dumps(mapping))
    done = engine("run", "mapping.json", DATA / name, "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = expect((DATA / name).read_bytes(), mapping)
    assert expected.rows_read > 25_000
    stem = name.removesuffix(".csv")
    assert read_jsonl((tmp_path / f"out/data/{stem}.jsonl").read_bytes()) == expected.rows
    rejects = tmp_path / f"out/rejects/{stem}.jsonl"
    assert (read_rejects(rejects.read_bytes()) if rejects.exists() else []) == expected.rejects
