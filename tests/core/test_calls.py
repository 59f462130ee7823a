"""Transforms in whole mappings: places in a field, shared work, policies, the file's verdict, tests and previews."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.examples import run_examples
from engine.core.limits import Limits
from engine.core.mapping import Mapping, validate_mapping
from engine.core.plan import Plan, cached_plan
from engine.core.preview import preview
from engine.core.transform import Transform
from engine.errors import EngineError, EveryRowFailed, RowRefused, TransformFailed
from tests.operators import register


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    register(monkeypatch, tmp_path)


def call(name: str, **arguments: object) -> dict[str, Any]:
    return {"call": {"name": name, **arguments}}


def field(name: str, source: str | list[str], *steps: Any, type_: str = "string", **settings: Any) -> dict[str, Any]:
    return {"name": name, "from": source, "steps": list(steps), "type": type_, **settings}


def mapping(*fields: dict[str, Any], **changes: Any) -> Mapping:
    return validate_mapping({"version": 1, "id": "m", "fields": list(fields), **changes}, "test")


def run(
    made: Mapping, data: str, chunk_bytes: int = 1 << 20, limits: Limits | None = None
) -> tuple[list[list[Any]], list[list[tuple[str, str, str]]]]:
    """The written rows as lists, and of each rejected row (field, code, message)."""
    transform = Transform(Plan.compile(made, limits or Limits()), file="f", chunk_bytes=chunk_bytes)
    outputs = [*transform.feed(data.encode()), *transform.finish()]
    written = [json.loads(line) for line in b"".join(output.data for output in outputs).splitlines()]
    rejects = [json.loads(line) for line in b"".join(output.rejects for output in outputs).splitlines()]
    return (
        [list(row.values()) for row in written],
        [[(each["field"], each["code"], each["message"]) for each in reject["errors"]] for reject in rejects],
    )


def test_a_call_stands_anywhere_among_the_steps() -> None:
    """First, between and last; over bytes; its number as a number; several columns first and other steps after."""
    made = mapping(
        field("first", "a", call("shout", times=2), "lower"),
        field("between", "a", "trim", call("shout"), {"split": {"sep": "!", "index": 0}}),
        field("bytes", "a", call("reverse_bytes"), type_="bytes"),
        field("text", "a", call("reverse_bytes"), "upper"),
        field("decoded", "b", "base64", call("lengths"), type_="int"),
        field("pair", ["a", "n"], call("pair", between="/"), call("shout"), {"replace": {"pattern": "!", "with": "."}}),
        field("total", ["n", "n"], call("total", weight=10), type_="int", max=50),
        field("defaulted", "c", call("shout"), {"default": "none"}),
        field("counted", ["a", "c"], call("count_nulls"), type_="int"),
    )
    written, rejects = run(made, "a,b,c,n\nxy,AAAA,,3\nzz,AAAA,c,9\n")
    assert written == [["xy!!", "XY", "eXg=", "YX", 3, "XY/3.", 33, "none", 1]]
    assert [(name, code) for name, code, _ in rejects[0]] == [("total", "constraint-error")]


COUNTING = """
from engine.transforms import transform
calls = []

@transform
def counted(text: str, *, times: int = 1) -> str:
    calls.append((text, times))
    return text * times
"""


def test_equal_chains_call_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two fields with the same columns, transform and arguments share its results; other arguments do not."""
    module = f"counting_{tmp_path.name}"
    register(monkeypatch, tmp_path / "counting", {"counted": f"{module}:counted"})
    (tmp_path / "counting" / f"{module}.py").write_text(COUNTING)
    made = mapping(
        field("one", "a", "trim", call("counted", times=2)),
        field("two", "a", "trim", call("counted", times=2), "upper"),
        field("three", "a", "trim", call("counted", times=3)),
    )
    assert run(made, "a\nx\ny\n")[0] == [["xx", "XX", "xxx"], ["yy", "YY", "yyy"]]
    assert importlib.import_module(module).calls == [("x", 2), ("y", 2), ("x", 3), ("y", 3)]


def test_refusals_and_exceptions_are_errors_of_the_cell() -> None:
    """Both are rejected with the transform's name, beside the row's other errors; no later default hides them."""
    made = mapping(field("a", "a", call("shout"), {"default": "x"}), field("n", "n", type_="int"))
    written, rejects = run(made, "a,n\nmute,1\nbug,x\nfine,3\n,4\n")
    assert written == [["FINE!", 3], ["x", 4]]
    assert rejects[0] == [("a", "step-error", "shout: says nothing")]
    assert rejects[1][0] == ("a", "step-error", "shout: KeyError: 'bug'")
    assert [(name, code) for name, code, _ in rejects[1]] == [("a", "step-error"), ("n", "type-error")]


def test_a_field_that_writes_nulls_writes_nulls() -> None:
    """The policies of bad cells hold for transforms as for any step."""
    data = "a\nmute\nbug\nfine\n"
    assert run(mapping(field("a", "a", call("shout"), on_error="null_value")), data) == (
        [[None], [None], ["FINE!"]],
        [],
    )
    with pytest.raises(RowRefused, match="field a: a step refused the cell") as caught:
        run(mapping(field("a", "a", call("shout")), on_error="fail_file"), data)
    assert (caught.value.code, caught.value.row) == ("step-error", 1)


@pytest.mark.parametrize(
    ("name", "source", "policy", "kind"),
    [
        ("shout", "a", "fail_file", RowRefused),
        ("broken", "a", "fail_file", RowRefused),
        ("broken", "a", "reject_row", EveryRowFailed),
        ("total", ["a", "b"], "fail_file", RowRefused),
        ("total", ["a", "b"], "reject_row", EveryRowFailed),
    ],
)
def test_no_error_of_a_file_has_a_transforms_words(
    name: str, source: str | list[str], policy: str, kind: type[EngineError]
) -> None:
    """What a transform says of a cell may quote it: that stands in reject records, never in what goes to logs and
    dead-letter queues."""
    made = mapping(field("x", source, call(name)), on_error=policy)
    with pytest.raises(kind) as refused:
        run(made, "a,b\nbug,bug\n")
    assert "bug" not in str(refused.value)


def test_cells_over_the_limit_are_never_seen() -> None:
    """A cell that is too long refuses its row before the transform, which may ask for nulls; and so does a result."""
    made = mapping(field("n", ["a", "b"], call("count_nulls"), type_="int"), field("s", "b", call("shout", times=8)))
    written, rejects = run(made, "a,b\n12345678901,x\n,x\n1,abc\n", limits=Limits(cell_bytes=10))
    assert written == [[1, "X!!!!!!!!"]]
    assert [[(name, code) for name, code, _ in row] for row in rejects] == [[("n", "too-long")], [("s", "too-long")]]
    assert rejects[1][0][2].startswith("shout: the result is longer than limits.cell_bytes")


@pytest.mark.parametrize("chunk_bytes", [1 << 20, 4])
@pytest.mark.parametrize("policy", ["reject_row", "null_value"])
def test_a_file_in_which_every_row_raised_fails(chunk_bytes: int, policy: str) -> None:
    """In one chunk or many; nulls do not count; one result or refusal among them and the file goes on."""
    made = mapping(field("a", "a", call("shout"), on_error=policy), field("id", "id"))
    bugs = "".join(f"bug,{row}\n" for row in range(9))
    with pytest.raises(
        EveryRowFailed, match="transform 'shout' failed on every row, 9 in all; on the first with KeyError"
    ):
        run(made, f"a,id\n,x\n{bugs},y\n", chunk_bytes)
    for other in ("fine", "mute"):
        for data in (f"{other},0\n{bugs}", f"{bugs}{other},0\n"):
            written, rejects = run(made, f"a,id\n{data}", chunk_bytes)
            assert len(written) + len(rejects) == 10
    assert run(made, "a,id\n,x\n", chunk_bytes) == ([[None, "x"]], [])
    assert run(made, "a,id\n", chunk_bytes) == ([], [])


def test_the_verdict_is_on_each_call_and_each_file() -> None:
    """A call that always raises fails the file though another works, and a file's failure is not the next one's."""
    both = mapping(field("a", "a", call("shout")), field("b", "a", call("broken")))
    with pytest.raises(EveryRowFailed, match="'broken'"):
        run(both, "a\nx\n")
    made = mapping(field("a", "a", call("shout")))
    plan = cached_plan(made.canonical, made.sha256, Limits())
    first, second = (Transform(plan, file=name) for name in "ab")
    list(first.feed(b"a\nbug\n"))
    list(second.feed(b"a\nfine\n"))
    assert b"FINE!" in b"".join(output.data for output in second.finish())
    with pytest.raises(EveryRowFailed):
        list(first.finish())


def test_what_cannot_be_used_fails_the_file_at_once() -> None:
    """A result of a wrong type or length names the transform."""
    for name in ("listing", "too_few"):
        with pytest.raises(TransformFailed, match=f"transform '{name}' returned"):
            run(mapping(field("a", "a", call(name))), "a\nx\ny\n")


def test_a_mappings_tests_run_transforms() -> None:
    """Each row has its own verdict there, though it is all of its file; a file's failure is the test's."""
    tests = [
        {"row": {"a": "x"}, "expect": {"a": "X!"}},
        {"row": {"a": "mute"}, "reject": {"a": "step-error"}},
        {"row": {"a": "bug"}, "reject": {"a": "step-error"}},
        {"row": {"a": "bug"}, "expect": {"a": "BUG!"}},
    ]
    (failure,) = run_examples(mapping(field("a", "a", call("shout")), tests=tests), Limits())
    assert failure == (3, "rejected: {'a': 'step-error'}")
    (failure,) = run_examples(mapping(field("a", "a", call("listing")), tests=tests[:1]), Limits())
    assert failure.place == 0
    assert failure.what.startswith("the file fails: transform-error: transform 'listing' returned builtins.list")


def test_a_preview_shows_each_rows_own_verdict() -> None:
    """Rows that all raised are shown with their errors, not as a file that failed."""
    rows = preview(b"a\nbug\nbug\nfine\n", mapping(field("a", "a", call("shout"))), Limits(), 2)
    assert [row.cells[0].error for row in rows] == ["step-error: shout: KeyError: 'bug'"] * 2


def test_a_mapping_is_told_apart_by_its_calls() -> None:
    """Arguments are part of a mapping's identity, and survive its canonical form."""
    one, two = (mapping(field("a", "a", call("shout", times=times))) for times in (1, 2))
    assert one.sha256 != two.sha256
    again = validate_mapping(json.loads(two.canonical), "test")
    assert again.sha256 == two.sha256
    assert run(again, "a\nx\n") == ([["X!!"]], [])
