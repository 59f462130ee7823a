"""Transforms: an operator's own functions, as steps of a mapping.

A function is decorated with :func:`transform`, which takes values, or with :func:`column_transform`, which takes Arrow
arrays, and registered as an entry point of the group ``engine.transforms`` in the metadata of its package::

    [project.entry-points."engine.transforms"]
    initials = "our_transforms:initials"

Once the package is installed beside the engine, mappings reach the function by that name and by no other way::

    {"call": {"name": "initials", "dots": true}}

The function's positional parameters are the columns, one each: one, or as many as the field is read from where the
step is the field's first; ``*columns`` takes any number. Its keyword-only parameters are the step's arguments. They are
checked when a mapping is loaded, against their names and, through pydantic in JSON mode, their annotations: a ``date``
may be asked for and is written as text. A pydantic validator in an annotation finds the labels of the columns in its
context, as ``info.context["labels"]``.

A null passes through: the function is called for rows without nulls only, and the others become null, unless it asks
for nulls. It never sees a cell that an earlier step refused. A function is called by several threads at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from inspect import Parameter
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "Transform", "Value", "column_transform", "transform"]

type Value = str | bytes | int | float | Decimal | bool | date | None
"""What a per-value function may return; a ``date`` may be a ``datetime``."""

type Column = pa.Array | tuple[pa.Array, Sequence[tuple[int, str]]]
"""What an Arrow function may return: the results, or the results and the rows it refuses, each with the reason."""

RESERVED = "name"  # in a mapping's step this is the transform's own name


@dataclass(frozen=True, slots=True)
class Transform[**P, R]:
    """A function that mappings may call. Called itself, it is the plain function, for tests.

    Attributes:
        by_column: it takes Arrow arrays, not values.
        nulls: it is called for nulls too.
        columns: the names of the columns that it takes.
        more: it takes any number of columns after those.
    """

    function: Callable[P, R]
    by_column: bool
    nulls: bool
    columns: tuple[str, ...]
    more: bool

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)


@overload
def transform[**P, R: Value](function: Callable[P, R], /) -> Transform[P, R]: ...
@overload
def transform[**P, R: Value](*, nulls: bool) -> Callable[[Callable[P, R]], Transform[P, R]]: ...
def transform[**P, R: Value](
    function: Callable[P, R] | None = None, /, *, nulls: bool = False
) -> Transform[P, R] | Callable[[Callable[P, R]], Transform[P, R]]:
    """Makes a transform of a function that takes the values of a row.

    The function gets a ``str`` for each column (bytes that an earlier step made are decoded as UTF-8) and returns text,
    bytes, a number, a bool, a date, a datetime (UTC, unless it has a zone) or None for null. Anything but bytes goes on
    as text: the text that CSV output has for it. Text and bytes must not be mixed.

    ``ValueError`` refuses the row: the cell is a ``step-error`` with the transform's name and the error's text. So is
    any other exception, with its class; but if those are all that came of a file's rows, the file fails, and so it does
    on a result of another type, at once. NaN, an infinity, a year outside 1 to 9999 and text that is not Unicode refuse
    the row, too.

    Args:
        nulls: call it for rows with nulls as well, which are None to it.

    Raises:
        TypeError: the function cannot be a transform, for a reason that is given.
    """
    return _decorate(function, by_column=False, nulls=nulls)


@overload
def column_transform[**P, R: Column](function: Callable[P, R], /) -> Transform[P, R]: ...
@overload
def column_transform[**P, R: Column](*, nulls: bool) -> Callable[[Callable[P, R]], Transform[P, R]]: ...
def column_transform[**P, R: Column](
    function: Callable[P, R] | None = None, /, *, nulls: bool = False
) -> Transform[P, R] | Callable[[Callable[P, R]], Transform[P, R]]:
    """Makes a transform of a function that takes whole columns as Arrow arrays.

    The function gets ``pa.string()`` arrays (``pa.binary()`` where an earlier step made bytes) of equal length, at
    least one row long, perhaps slices, of any number of a file's rows: each row's result must depend on that row alone.
    It returns an array as long: text, binary, numbers, bools, dates or timestamps (UTC, unless they have a zone), which
    go on as they do from :func:`transform`; or that and the rows that it refuses, a list of (row from 0, message). A
    refused row is a ``step-error`` and its result is ignored.

    After an exception the rows are tried in ever smaller slices until the bad ones are found, each of which is a
    ``step-error`` with the transform's name and the exception; if those are all that came of a file's rows, the file
    fails. So it does, at once, on a result of another length or type. The search takes many calls: a function that
    expects bad rows had better refuse them.

    Args:
        nulls: pass on rows with nulls as well.

    Raises:
        TypeError: the function cannot be a transform, for a reason that is given.
    """
    return _decorate(function, by_column=True, nulls=nulls)


def _decorate[**P, R](
    function: Callable[P, R] | None, *, by_column: bool, nulls: bool
) -> Transform[P, R] | Callable[[Callable[P, R]], Transform[P, R]]:
    def made(function: Callable[P, R]) -> Transform[P, R]:
        columns, more = _columns(function)
        return Transform(function, by_column, nulls, columns, more)

    return made if function is None else made(function)


def _columns(function: Callable[..., object]) -> tuple[tuple[str, ...], bool]:
    """The columns that a function takes, and whether it takes more."""
    if inspect.iscoroutinefunction(function):
        raise TypeError("a transform is an ordinary function, not a coroutine")
    parameters = inspect.signature(function).parameters.values()
    columns = [each for each in parameters if each.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    more = any(each.kind is Parameter.VAR_POSITIONAL for each in parameters)
    for column in columns:
        if column.default is not Parameter.empty:
            raise TypeError(
                f"{column.name}: a positional parameter is a column and has no default; arguments come after *"
            )
    if not columns and not more:
        raise TypeError("a transform has a positional parameter for each column that it takes")
    if any(each.kind is Parameter.KEYWORD_ONLY and each.name == RESERVED for each in parameters):
        raise TypeError(f"{RESERVED}: in a mapping this is the transform's own name; give the argument another")
    return tuple(column.name for column in columns), more
