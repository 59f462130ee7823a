"""The benchmark of the mapping core: contenders agree before a time counts, and the report says what it promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.agreement import check_rejects, check_rows
from bench.mapping import EXPECTED
from bench.peers.core import Core
from bench.peers.loop import Loop
from bench.workloads import SHARES, WORKLOADS, make_files, mapping_of
from engine.core.encoders.formats import Format
from engine.core.fieldtypes import parse_type
from engine.core.steps import Step

pytestmark = pytest.mark.one_build("gil")

_ROWS = 2_000
_FORMATS: tuple[Format, ...] = ("jsonl", "parquet")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command writes for a small run."""
    path = tmp_path_factory.mktemp("bench") / "report.json"
    command = [sys.executable, "-m", "bench", "mapping", "--only", "mixed", "--only", "kernels", "--parts"]
    command += ["--rows", str(_ROWS), "--rounds", "1", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


@pytest.mark.slow
def test_every_contender_has_its_figures(report: dict[str, Any]) -> None:
    """The command exits 0, so all outputs agreed, and reports each contender at each share of bad rows."""
    (mixed,) = report["mappings"]
    contenders = ("engine jsonl", "engine parquet", "duckdb jsonl", "duckdb parquet", "loop jsonl")
    assert {(each["what"], each["share"]) for each in mixed["results"]} == {
        (f"mixed {contender}", share) for contender in contenders for share in SHARES
    }
    assert all(len(each["runs"]) == 1 and each["ns_per_row"] > 0 and each["mb_s"] > 0 for each in mixed["results"])
    assert set(EXPECTED) <= {(each["what"], each["share"]) for each in mixed["ratios"]}
    assert mixed["contenders"]["duckdb jsonl"]["duckdb"]
    fields = {f"field {field.name}" for field in mapping_of("mixed", "jsonl").fields}
    parts = {each["what"] for each in mixed["parts"]}
    assert parts == fields | {"parse", "encode jsonl", "encode parquet", "rest", "total"}


@pytest.mark.slow
def test_ratios_are_those_of_the_runs(report: dict[str, Any]) -> None:
    """A ratio above one says that the engine took less time a row than the other did in the same round."""
    (mixed,) = report["mappings"]
    took = {(each["what"], each["share"]): each["cpu_ns_per_row"] for each in mixed["results"]}
    ratios = {(each["what"], each["share"]): each["cpu"] for each in mixed["ratios"]}
    engine = took["mixed engine parquet", 0.01]
    assert ratios["engine/duckdb parquet", 0.01] == pytest.approx(took["mixed duckdb parquet", 0.01] / engine)
    assert ratios["bad/clean parquet", 0.01] == pytest.approx(took["mixed engine parquet", 0.0] / engine)


@pytest.mark.slow
def test_every_type_and_step_has_its_kernel(report: dict[str, Any]) -> None:
    """No type and no step that a column goes through alone is left out."""
    names = {each["what"].split()[1] for each in report["kernels"]}
    types = {"string", "int", "float", "decimal(12,2)", "bool", "date", "timestamp", "uuid", "json", "bytes"}
    assert {parse_type(name).kind for name in types} == {parse_type(name).kind for name in names & types}
    steps = {field.alias or name for name, field in Step.model_fields.items()}
    assert steps - {"call"} <= names  # a call costs what the operator's transform costs


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_bad_rows_are_those_that_were_spoilt(workload: str, tmp_path: Path) -> None:
    """The reference loop writes all rows but the spoilt ones, and the engine agrees with it in every format."""
    files = make_files(workload, _ROWS)
    assert list(files) == list(SHARES)
    assert files[0.0][1] == 0
    for share, (data, bad) in files.items():
        assert bad == pytest.approx(share * _ROWS, rel=0.5)
        source, expected, output = (tmp_path / name for name in ("source", "expected", "output"))
        source.write_bytes(data)
        assert Loop(workload, "jsonl").run(source, expected) == _ROWS - bad
        for format_ in _FORMATS:
            assert Core(workload, format_).run(source, output) == _ROWS - bad
            check_rows("engine", output, format_, expected, mapping_of(workload, format_))
            check_rejects("engine", output.with_suffix(".rejects"), expected.with_suffix(".rejects"))


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("format_", _FORMATS)
def test_duckdb_makes_the_same(workload: str, format_: Format, tmp_path: Path) -> None:
    """The SQL of each mapping keeps the same rows with the same values, bad rows in the file or not."""
    pytest.importorskip("duckdb", reason="there is no DuckDB for this build; the command runs it on another")
    from bench.peers.duck import Duck

    source, expected, output = (tmp_path / name for name in ("source", "expected", "output"))
    for data, bad in make_files(workload, _ROWS).values():
        source.write_bytes(data)
        Loop(workload, "jsonl").run(source, expected)
        assert Duck(workload, format_).run(source, output) == _ROWS - bad
        check_rows("duckdb", output, format_, expected, mapping_of(workload, format_))


@pytest.mark.parametrize("change", [('"scroll"', '"scrol"'), ("false", "true"), (":null", ':""'), ("\n", "\n{}\n")])
@pytest.mark.parametrize("format_", _FORMATS)
def test_a_wrong_output_ends_the_run(format_: Format, change: tuple[str, str], tmp_path: Path) -> None:
    """One value or one row that differs is seen, in either format, so no wrong contender's time is printed."""
    source, expected, output = (tmp_path / name for name in ("source", "expected", "output"))
    source.write_bytes(make_files("mixed", 100)[0.2][0])
    Loop("mixed", "jsonl").run(source, expected)
    Core("mixed", format_).run(source, output)
    check_rows("engine", output, format_, expected, mapping_of("mixed", format_))
    text = expected.read_text(encoding="utf-8")
    expected.write_text(text.replace(*change, 1), encoding="utf-8")
    assert expected.read_text(encoding="utf-8") != text
    with pytest.raises(SystemExit, match="engine: row"):
        check_rows("engine", output, format_, expected, mapping_of("mixed", format_))


@pytest.mark.parametrize(
    "change", [('"row": ', '"row": 1'), ("type-error", "step-error"), ("{", '{"row": 0, "errors": []}\n{')]
)
def test_a_wrong_reject_ends_the_run(change: tuple[str, str], tmp_path: Path) -> None:
    """A reject of another row, for another reason, or one too few is seen."""
    source, expected, output = (tmp_path / name for name in ("source", "expected", "output"))
    source.write_bytes(make_files("mixed", 100)[0.2][0])
    Loop("mixed", "jsonl").run(source, expected)
    Core("mixed", "jsonl").run(source, output)
    rejects = expected.with_suffix(".rejects")
    text = rejects.read_text(encoding="utf-8")
    rejects.write_text(text.replace(*change, 1), encoding="utf-8")
    assert rejects.read_text(encoding="utf-8") != text
    with pytest.raises(SystemExit, match="engine: the reject"):
        check_rejects("engine", output.with_suffix(".rejects"), rejects)
