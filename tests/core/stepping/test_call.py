"""The ``call`` step over columns: nulls and cells refused earlier, refusals, exceptions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.stepping.call import Call, CallTally
from engine.errors import EveryRowFailed, TransformFailed
from engine.transforms import Transform, column_transform, transform
from tests import operators
from tests.core.stepping.calls import CELL_BYTES, run, shown, text
from tests.examples import examples

# --- nulls and faulty cells -------------------------------------------------------------------------------------------


def test_nulls_pass_through() -> None:
    """A function that did not ask for nulls is not called for a row that has one in any of its columns."""
    assert shown(run(operators.shout, text("a", None, "b"))) == (["A!", None, "B!"], [])
    pairs = run(operators.pair, text("a", None, "c", None), text("x", "y", None, None), between="-")
    assert shown(pairs) == (["a-x", None, None, None], [])
    assert shown(run(operators.total, text("1", None), text("2", "x"))) == (["3", None], [])
    assert shown(run(operators.shout, text(None, None))) == ([None, None], [])
    assert shown(run(operators.shout, text())) == ([], [])


def test_nulls_are_seen_where_they_are_asked_for() -> None:
    """A function that asked for nulls gets None, or an array with nulls; cells refused earlier it never gets."""
    columns = text("a", None, "c", None), text(None, None, "c", "d")
    assert shown(run(operators.count_nulls, *columns)) == (["1", "2", "0", "1"], [])
    assert shown(run(operators.count_nulls, *columns, faulty=[1, 3])) == (["1", None, "0", None], [])
    assert shown(run(operators.is_null, columns[0], faulty=[3])) == (["false", "true", "false", None], [])


def test_bytes_are_text_to_a_function_of_values() -> None:
    """A binary column is decoded, and what is no UTF-8 is refused before the function, which may ask for nulls."""
    column = pa.array(["é".encode(), b"\xff", None], pa.binary())
    refused = [(1, "step-error", "not valid UTF-8")]
    assert shown(run(operators.shout, column)) == (["É!", None, None], refused)
    assert shown(run(operators.count_nulls, column, column)) == (["0", None, "2"], refused)
    assert shown(run(operators.lengths, column)) == (["2", None, None], [(1, "step-error", "t: too short")])


def test_slices_are_what_they_show() -> None:
    """A column that is part of a longer one gives what the part alone gives."""
    column = text("mute", "a", None, "mute", "b", "bug", "c").slice(1, 5)
    expected = ["A!", None, None, "B!", None]
    faults = [(2, "step-error", "t: says nothing"), (4, "step-error", "t: KeyError: 'bug'")]
    assert shown(run(operators.shout, column)) == (expected, faults)


# --- exceptions -------------------------------------------------------------------------------------------------------


def test_value_errors_refuse_and_other_exceptions_say_their_class() -> None:
    """Both are a step-error with the transform's name; only the second kind counts as the function's failure."""
    tally = CallTally("t")
    converted = run(operators.shout, text("a", "mute", "bug", None), tally=tally)
    faults = [(1, "step-error", "t: says nothing"), (2, "step-error", "t: KeyError: 'bug'")]
    assert shown(converted) == (["A!", None, None, None], faults)
    assert (tally.tried, tally.raised) == (3, 1)
    tally.judge()


def test_a_message_is_one_short_line() -> None:
    """Whatever an exception says, the message has no line ends, no lone surrogates and no great length."""

    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raised: dict[str, Exception] = {
        "lines": ValueError("a\n b\tc"), "long": ValueError("x" * 10_000), "surrogate": KeyError("\ud800"),
        "silent": Silent(),
    }  # fmt: skip

    @transform
    def raising(text: str) -> str:
        raise raised[text]

    _, faults = shown(run(raising, text(*raised)))
    messages = [message for _, _, message in faults]
    assert messages[0] == "t: a b c"
    assert len(messages[1]) == 300
    assert messages[2] == "t: KeyError: '\\ud800'"
    assert messages[3] == "t: Silent: Silent"


def test_a_tally_fails_a_file_whose_every_row_raised() -> None:
    """Refusals and results are no exceptions; rows that were never tried do not count; cells are not quoted."""
    tally = CallTally("t")
    tally.judge()
    run(operators.broken, text("secret", None), tally=tally)
    run(operators.broken, text("more"), tally=tally)
    with pytest.raises(EveryRowFailed) as caught:
        tally.judge()
    assert caught.value.code == "transform-error"
    assert "transform 't' failed on every row, 2 in all; on the first with ZeroDivisionError at line " in str(
        caught.value
    )
    assert "operators.py" in str(caught.value)
    assert "secret" not in str(caught.value)
    run(operators.shout, text("mute"), tally=tally)
    tally.judge()


@pytest.mark.parametrize("made", [operators.shout, operators.lengths])
def test_a_lack_of_memory_is_no_verdict(made: Transform[..., Any]) -> None:
    """MemoryError leaves the step as it is, for the worker that has it."""

    def exhausted(*_: object) -> object:
        raise MemoryError

    with pytest.raises(MemoryError):
        Call("t", exhausted, made.by_column, nulls=False, cell_bytes=CELL_BYTES).run([text("a")], (), CallTally("t"))


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-9, 9).map(str) | st.sampled_from(["x", "", "1.5"]),
            st.none() | st.integers(-9, 9).map(str) | st.sampled_from(["y", "9" * 30]),
        ),
        max_size=60,
    ),
    st.integers(0, 60),
)
@settings(max_examples=examples(300))
def test_bad_rows_are_found_one_by_one(rows: list[tuple[str | None, str | None]], cut: int) -> None:
    """A function of columns that raises where a cell is bad gives, for any rows in any split, what each row gives."""
    tally = CallTally("t")
    columns = [text(*cells) for cells in zip(*rows, strict=True)] if rows else [text(), text()]
    parts = [[column.slice(0, cut) for column in columns], [column.slice(cut) for column in columns]]
    done = [shown(run(operators.total, *part, tally=tally, weight=2)) for part in parts]
    values = [value for made, _ in done for value in made]
    bad = [start + row for (_, faults), start in zip(done, (0, min(cut, len(rows))), strict=True) for row, *_ in faults]
    single = [shown(run(operators.total, text(first), text(second), weight=2)) for first, second in rows]
    assert values == [made[0] for made, _ in single]
    assert bad == [row for row, (_, faults) in enumerate(single) if faults]
    assert tally.raised == len(bad)
    assert tally.tried == sum(None not in row for row in rows)


def test_the_search_for_bad_rows_costs_what_bad_rows_cost() -> None:
    """One bad row among 4,096 takes tens of calls, not thousands."""
    calls: list[int] = []

    @column_transform
    def number(column: pa.Array) -> pa.Array:
        calls.append(len(column))
        return pc.cast(column, pa.int64())

    values, faults = shown(run(number, text(*["7"] * 3000, "x", *["7"] * 1095)))
    assert values == ["7"] * 3000 + [None] + ["7"] * 1095
    assert [(row, message.split(":")[:2]) for row, _, message in faults] == [(3000, ["t", " ArrowInvalid"])]
    assert len(calls) == 1 + 2 * 12


def test_tallies_of_parts_add_up() -> None:
    """What came of a step in the parts of a file is what came of it in the whole: rows, first exception and kind."""
    whole = CallTally("t", tried=3, raised=3, first="with KeyError")
    whole.add(CallTally("t", tried=2, raised=2, first="with ValueError", kind=pa.binary()))
    assert whole == CallTally("t", tried=5, raised=5, first="with KeyError", kind=pa.binary())
    with pytest.raises(EveryRowFailed, match="5 in all; on the first with KeyError"):
        whole.judge()
    whole.add(CallTally("t", tried=1))
    whole.judge()
    with pytest.raises(TransformFailed, match="bytes for some rows and text for others"):
        whole.add(CallTally("t", kind=pa.string()))
