"""What operators write: the decorators, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.transforms import Transform, column_transform, transform


def test_a_decorated_function_is_still_a_function() -> None:
    """An operator's own tests call it as it was written, with or without the decorator's settings."""

    @transform
    def joined(first: str, last: str, /, *, sep: str = " ") -> str:
        return first + sep + last

    @transform(nulls=True)
    def present(*columns: str | None) -> bool:
        return None not in columns

    @column_transform
    def doubled(column: pa.Array) -> pa.Array:
        return pc.multiply(column, 2)

    assert joined("Ada", "Lovelace", sep="-") == "Ada-Lovelace"
    assert present("a", None) is False
    assert doubled(pa.array([1, None])).to_pylist() == [2, None]
    assert (joined.columns, joined.more, joined.by_column, joined.nulls) == (("first", "last"), False, False, False)
    assert (present.columns, present.more, present.by_column, present.nulls) == ((), True, False, True)
    assert (doubled.columns, doubled.more, doubled.by_column, doubled.nulls) == (("column",), False, True, False)


def no_column(*, weight: int) -> None: ...
def with_default(text: str, weight: int = 2) -> None: ...
def reserved(text: str, *, name: str) -> None: ...
async def coroutine(text: str) -> None: ...


@pytest.mark.parametrize("decorate", [transform, column_transform])
@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (no_column, "a positional parameter for each column"),
        (with_default, r"weight: a positional parameter is a column and has no default; arguments come after \*"),
        (reserved, "name: in a mapping this is the transform's own name"),
        (coroutine, "not a coroutine"),
    ],
)
def test_functions_that_cannot_be_transforms(decorate: Callable[[Any], Any], function: Any, problem: str) -> None:
    """A function whose parameters are not columns and arguments is refused where it is written."""
    with pytest.raises(TypeError, match=problem):
        decorate(function)


def test_a_column_may_have_any_name() -> None:
    """What is reserved in a mapping's step does not bind the names of columns."""

    @transform
    def kept(name: str, **arguments: object) -> str:
        return name + "".join(sorted(arguments))

    assert isinstance(kept, Transform)
    assert kept.columns == ("name",)
