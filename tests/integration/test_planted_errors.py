"""Rows of which one in a hundred is bad in every way a row can be: each is found where it is, and nothing else is."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.core.limits import Limits
from engine.errors import BudgetExceeded, RowRefused
from engine.pool.build import is_free_threaded
from tests.cli.command import EXECUTORS, engine
from tests.core.passing import Passed, pass_through
from tests.integration.planted import CELL_BYTES, CODES, LABELS, MAPPING, Planted, plant
from tests.oracle import expect, read_jsonl, read_rejects

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# The build makes no difference to the core: all is proved on one, enough to see every code on the other.
ROWS = 100_000 if is_free_threaded() else 40_000
ENV = {"ENGINE_LIMITS__CELL_BYTES": str(CELL_BYTES)}


@cache
def planted() -> Planted:
    return plant(ROWS, 0.01, seed=3)


@cache
def expected_rows() -> list[dict[str, Any]]:
    """The good rows, by the oracle, which must see the errors exactly where they were planted."""
    expected = expect(planted().data, MAPPING, cell_bytes=CELL_BYTES)
    _same(expected.rejects, planted().rejects)
    return expected.rows


def run(data: bytes, *, seed: int = 0, chunk_bytes: int = 1_048_576, most: int = 300_000, **changes: Any) -> Passed:
    """The file through the core, in pieces of random sizes up to ``most``."""
    random = Random(seed)
    cuts = accumulate(random.randrange(most) + 1 for _ in range(3 * len(data) // most))
    return pass_through(
        data, {**MAPPING, **changes}, cuts, chunk_bytes=chunk_bytes, limits=Limits(cell_bytes=CELL_BYTES)
    )


def _same(found: Sequence[Any], wanted: Sequence[Any]) -> None:
    """Equal, told by the first difference: the difference of two long lists takes minutes to print."""
    for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            pytest.fail(f"at {place}: {str(one)[:2000]}\nis not {str(other)[:2000]}")
    assert len(found) == len(wanted)


def _check(written: bytes, rejected: bytes) -> None:
    _same(read_rejects(rejected), planted().rejects)
    _same(read_jsonl(written), expected_rows())


def test_the_file_is_what_it_says() -> None:
    """One row in a hundred is bad, with every code of the contract, some with several, at lines that are not rows."""
    errors = [reject.errors for reject in planted().rejects]
    codes = Counter(code for row in errors for _, code in row)
    assert codes.keys() == CODES
    assert min(times for code, times in codes.items() if code != "quote-error") >= ROWS // 2000
    assert 0.009 * ROWS < len(errors) < 0.011 * ROWS
    assert sum(len(row) > 2 for row in errors) > ROWS // 2000
    assert planted().rejects[-1].line > planted().rejects[-1].row + ROWS // 20
    assert len({reject.raw for reject in planted().rejects}) > ROWS // 134
    assert b"\r\n" in planted().data


@pytest.mark.parametrize(
    ("seed", "chunk_bytes", "most"),
    [(1, 1_048_576, 300_000), (2, 150_000, 3_000_000)],
    ids=["small pieces", "small chunks"],
)
def test_every_error_is_found_and_nothing_else(seed: int, chunk_bytes: int, most: int) -> None:
    """Row, line, text, fields and codes of each, in any pieces; the rows that are good have the oracle's values."""
    outcome = run(planted().data, seed=seed, chunk_bytes=chunk_bytes, most=most)
    _check(outcome.written, outcome.rejected)
    _check_cells(read_jsonl(outcome.rejected))
    counts, rejects = outcome.counts, planted().rejects
    assert (counts.rows_read, counts.rows_written, counts.rows_rejected, counts.cells_nulled) == (
        ROWS, ROWS - len(rejects), len(rejects), 0,
    )  # fmt: skip
    assert counts.codes == Counter(code for reject in rejects for _, code in reject.errors)


def _check_cells(rejects: list[dict[str, Any]]) -> None:
    """Each error of a field has its column and its cell's text, but a cell over the limit does not go along whole."""
    columns = {rule["name"]: rule.get("from", rule["name"]) for rule in MAPPING["fields"]}
    for record in rejects:
        for error in record["errors"]:
            assert error["message"]
            column, value = columns.get(error["field"]), error["value"]
            assert error["column"] == (", ".join(column) if isinstance(column, list) else column)
            if column is None or isinstance(column, list):
                assert value is None
            elif error["code"] == "too-long":
                assert value is None or len(value) < CELL_BYTES
            elif error["code"] != "missing-value":
                assert value is not None
                assert value.replace('"', '""') in record["raw"]


def test_null_value() -> None:
    """Rows with bad cells are written with just those null and counted; rows with no cells to null are rejected."""
    file = planted()
    outcome = run(file.data, on_error="null_value")
    whole = [reject for reject in file.rejects if reject.errors[0][0] == ""]
    nulled = [reject for reject in file.rejects if reject.errors[0][0] != ""]
    _same(read_rejects(outcome.rejected), whole)
    # What the good cells of the bad rows hold, the oracle says of a file of those rows alone.
    raws = [reject.raw.encode("utf-8", "surrogateescape") for reject in nulled]
    alone = expect(
        b"\n".join([",".join(LABELS).encode(), *raws]), {**MAPPING, "on_error": "null_value"}, cell_bytes=CELL_BYTES
    )
    mended = iter(alone.rows)
    good = iter(expected_rows())
    bad = {reject.row: reject for reject in file.rejects}
    wanted: list[dict[str, Any]] = []
    for row in range(1, ROWS + 1):
        reject = bad.get(row)
        if reject is None:
            wanted.append(next(good))
        elif reject.errors[0][0] != "":
            wanted.append(next(mended))
            assert {name for name, _ in reject.errors} <= {name for name, value in wanted[-1].items() if value is None}
    _same(read_jsonl(outcome.written), wanted)
    assert outcome.counts.cells_nulled == sum(len(reject.errors) for reject in nulled)
    assert outcome.counts.rows_rejected == len(whole)
    assert outcome.counts.codes == Counter(code for reject in file.rejects for _, code in reject.errors)


@pytest.mark.parametrize("field", [None, "raw", "at"])
def test_fail_file(field: str | None) -> None:
    """The file ends at the first bad row, or the first in which a field of that policy is bad, by row and line."""
    first = next(r for r in planted().rejects if field is None or field in dict(r.errors))
    fields = [{**rule, "on_error": "fail_file"} if rule["name"] == field else rule for rule in MAPPING["fields"]]
    with pytest.raises(RowRefused) as caught:
        run(planted().data, fields=fields, on_error="fail_file" if field is None else "reject_row")
    assert caught.value.row == first.row
    assert caught.value.code == (first.errors[0][1] if field is None else dict(first.errors)[field])
    assert caught.value.message.startswith(f"line {first.line}: ")


def test_budgets() -> None:
    """As many rejects as the budget has, by rows or by share, are within it; one fewer allowed is not."""
    rejected = len(planted().rejects)
    within = {"rows": rejected, "ratio": rejected / ROWS}
    assert run(planted().data, budget=within).counts.rows_rejected == rejected
    for short in ({"rows": rejected - 1}, {"ratio": (rejected - 1) / ROWS}):
        with pytest.raises(
            BudgetExceeded, match=rf"\b{rejected}\b.* rows rejected, budget\.{next(iter(short))} allows"
        ):
            run(planted().data, budget=short)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_bytes(planted().data)
    return tmp_path


def write_mapping(folder: Path, **changes: Any) -> None:
    (folder / "mapping.json").write_text(json.dumps({**MAPPING, **changes}))


@pytest.mark.parametrize("executor", EXECUTORS)
def test_through_the_command(folder: Path, executor: str) -> None:
    """``engine run`` writes the same rows and rejects, and its manifest adds up."""
    write_mapping(folder)
    done = engine("run", "mapping.json", "in.csv", "-o", "out", "--executor", executor, cwd=folder, env=ENV)
    assert (done.returncode, done.stderr) == (0, "")
    _check((folder / "out/data/in.jsonl").read_bytes(), (folder / "out/rejects/in.jsonl").read_bytes())
    (entry,) = json.loads((folder / "out/manifest.json").read_text())["files"]
    rejected = len(planted().rejects)
    assert (entry["rows_read"], entry["rows_written"], entry["rows_rejected"]) == (ROWS, ROWS - rejected, rejected)
    assert entry["bytes_read"] == len(planted().data)
    for code, times in Counter(code for reject in planted().rejects for _, code in reject.errors).items():
        assert re.search(rf"\b{times:,} +{code}\b", done.stdout), done.stdout


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"on_error": "fail_file"}, "in.csv: row {row}: {code}: line {line}: "),
        ({"budget": {"rows": 100}}, "in.csv: budget-exceeded: "),
    ],
    ids=["fail_file", "budget"],
)
def test_the_command_fails_the_file(folder: Path, changes: dict[str, Any], named: str) -> None:
    """A file that its mapping does not let pass ends with status 1, one line that says why, and no output."""
    write_mapping(folder, **changes)
    done = engine("run", "mapping.json", "in.csv", "-o", "out", cwd=folder, env=ENV)
    first = planted().rejects[0]
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert named.format(row=first.row, line=first.line, code=first.errors[0][1]) in done.stderr
    assert not [path for path in (folder / "out").rglob("*") if path.is_file()]
