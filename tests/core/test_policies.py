"""What becomes of bad rows: rejected, written with a null, or the end of the file; and how many a file may have."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.transform import Counts
from engine.errors import BudgetExceeded, RowRefused
from tests.core.passing import pass_through

FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "int", "required": True},
    {"name": "amount", "type": "float", "min": 0},
]


def run(data: bytes, **changes: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Counts]:
    passed = pass_through(data, {"fields": FIELDS, **changes}, range(16, len(data), 16), chunk_bytes=16)
    return passed.rows, passed.rejects, passed.counts


def with_policy(policy: str) -> list[dict[str, Any]]:
    return [FIELDS[0], {**FIELDS[1], "on_error": policy}]


DATA = b"id,amount\n1,1.5\n2,x\n3,-1\n,x\n5,2\n"


def test_rejected_rows_name_all_their_errors() -> None:
    """By default a bad row is rejected, with every error of every field."""
    written, rejected, counts = run(DATA)
    assert [row["id"] for row in written] == [1, 5]
    assert [[(error["field"], error["code"]) for error in row["errors"]] for row in rejected] == [
        [("amount", "type-error")],
        [("amount", "constraint-error")],
        [("id", "missing-value"), ("amount", "type-error")],
    ]
    assert (counts.rows_read, counts.rows_written, counts.rows_rejected, counts.cells_nulled) == (5, 2, 3, 0)
    assert counts.codes == {"type-error": 2, "constraint-error": 1, "missing-value": 1}


def test_null_value_writes_the_row() -> None:
    """A field that may be null where it is bad is written so, and counted apart; another still rejects the row."""
    written, rejected, counts = run(DATA, fields=with_policy("null_value"))
    assert written == [
        {"id": 1, "amount": 1.5},
        {"id": 2, "amount": None},
        {"id": 3, "amount": None},
        {"id": 5, "amount": 2},
    ]
    assert [row["row"] for row in rejected] == [4]
    assert (counts.rows_written, counts.rows_rejected, counts.cells_nulled) == (4, 1, 2)
    assert counts.codes == {"type-error": 2, "constraint-error": 1, "missing-value": 1}


def test_fail_file_stops_at_the_first() -> None:
    """The first bad row of such a field ends the file, with its row, its line, its field and its code."""
    with pytest.raises(RowRefused, match=r"row 2: line 3: field amount: not a number") as caught:
        run(DATA, fields=with_policy("fail_file"))
    assert (caught.value.code, caught.value.row) == ("type-error", 2)


def test_fail_file_for_all_includes_ragged_rows() -> None:
    """A mapping that fails files for bad rows does so for rows that have no cells to look at, too."""
    with pytest.raises(RowRefused, match="1 cells") as caught:
        run(b"id,amount\n1,2\n7\n2,x\n", on_error="fail_file")
    assert (caught.value.code, caught.value.row) == ("missing-cell", 2)


def test_a_fields_policy_overrides_the_mappings() -> None:
    """The mapping's policy holds for the fields that have none of their own."""
    written, rejected, _ = run(b"id,amount\nx,1\n2,x\n", on_error="null_value", fields=with_policy("reject_row"))
    assert written == [{"id": None, "amount": 1}]
    assert [row["row"] for row in rejected] == [2]


def test_budget_of_rows() -> None:
    """A file may have so many rejected rows; one more fails it at once, with the reasons counted."""
    assert run(DATA, budget={"rows": 3})[2].rows_rejected == 3
    with pytest.raises(BudgetExceeded, match=r"3 rows rejected, budget\.rows allows 2; type-error: 2"):
        run(DATA, budget={"rows": 2})
    with pytest.raises(BudgetExceeded):
        run(DATA, budget={"rows": 0})


def test_budget_of_a_share() -> None:
    """A share of the rows is judged at the end of the file."""
    assert run(DATA, budget={"ratio": 0.6})[2].rows_rejected == 3
    with pytest.raises(BudgetExceeded, match=r"3 of 5 rows rejected, budget\.ratio allows 0\.59"):
        run(DATA, budget={"ratio": 0.59})
    assert run(b"id,amount\n", budget={"ratio": 0})[2] == Counts()


def test_nulled_cells_are_not_rejected_rows() -> None:
    """A budget counts rejected rows, not cells that were written as null."""
    fields = [{**FIELDS[0], "required": False}, {**FIELDS[1], "on_error": "null_value"}]
    assert run(DATA, fields=fields, budget={"rows": 0})[2].cells_nulled == 3


@pytest.mark.parametrize(
    ("rule", "good", "broken"),
    [
        ({"type": "string", "max_length": 3}, "abc", 'long "text"'),
        ({"type": "bytes", "max_length": 3}, "AAAA", "AAAAAAAAAAAA"),
        ({"type": "uuid", "enum": ["0" * 32]}, "0" * 32, "1" * 32),
        ({"type": "bool", "enum": [True]}, "yes", "no"),
        ({"type": "decimal(9,3)", "max": 5}, "1.5", "7"),
        ({"type": "date", "max": "2026-01-01"}, "2025-01-01", "2027-01-01"),
        ({"type": "timestamp", "max": "2026-01-01"}, "2025-01-01", "2027-01-01"),
    ],
    ids=lambda part: str(part)[:30],
)
@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_a_nulled_value_leaves_no_trace(rule: dict[str, Any], good: str, broken: str, output: str) -> None:
    """A value that broke a constraint is written exactly as an empty cell is, in every format and type."""
    fields = [{"name": "n", "type": "int"}, {"name": "x", **rule, "on_error": "null_value"}]

    def written(cell: str) -> bytes:
        quoted = '"' + cell.replace('"', '""') + '"'
        data = f"n,x\n1,{good}\n2,{quoted}\n3,{good}\n".encode()
        return pass_through(data, {"fields": fields, "output": {"format": output}}).written

    assert written(broken) == written("")
