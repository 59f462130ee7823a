"""What an operator's function returned, as a text or binary column of cells."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, mask_of, raw_cells, spread, true_rows
from engine.core.encoders import celltext
from engine.core.kernels.zones import FIRST, LAST
from engine.core.reference import NUMBER_CHARS
from engine.errors import TransformFailed

__all__ = ["from_column", "from_values", "one_line"]

_NOT_FINITE = "the result is not a finite number"
_NO_YEAR = "the result is outside the years 1 to 9999"
_TOO_LONG = "the result is a number of too many digits"
_SURROGATE = "the result is not Unicode text"
_MESSAGE_CHARS = 300
_COLUMN_BYTES = 2**31 - 1  # of a text column, whose offsets have 32 bits


def one_line(text: str) -> str:
    """An operator's message as it may stand in a reject: one line, not endless, sound Unicode."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return line if len(line) <= _MESSAGE_CHARS else line[: _MESSAGE_CHARS - 1] + "…"


# --- values --------------------------------------------------------------------------------------------------------


def from_values(name: str, values: Sequence[object]) -> Converted:
    """A function's results for a row each.

    Args:
        name: of the transform, for errors.

    Raises:
        TransformFailed: a result of a type that cannot be a cell, text and bytes mixed, or more than 2 GiB.
    """
    kinds = {type(value) for value in values if value is not None}
    forms = {kind: _form(name, kind) for kind in kinds}
    binary = bool(kinds) and all(issubclass(kind, bytes) for kind in kinds)
    if not binary and any(issubclass(kind, bytes) for kind in kinds):
        raise TransformFailed(f"transform {name!r} returned bytes for some rows and text for others")
    cells: list[bytes | None] = []
    faults: list[Fault] = []
    for row, value in enumerate(values):
        try:
            cells.append(None if value is None else forms[type(value)](value))
        except UnicodeEncodeError:
            cells.append(None)
            faults.append(Fault(row, "step-error", f"{name}: {_SURROGATE}"))
        except (ValueError, OverflowError) as error:  # our own, and what int and datetime say of too large ones
            cells.append(None)
            faults.append(Fault(row, "step-error", f"{name}: {error}"))
    floats = [row for row, value in enumerate(values) if isinstance(value, float) and cells[row] is not None]
    if floats:
        numbers = pa.array([float(values[row]) for row in floats], pa.float64())  # type: ignore[arg-type]  # floats, all
        for row, text in zip(floats, raw_cells(celltext.float_text(numbers)), strict=True):
            cells[row] = text
    if sum(len(cell) for cell in cells if cell is not None) > _COLUMN_BYTES:
        raise TransformFailed(f"transform {name!r} returned more than 2 GiB for {len(values):,} rows")
    made = pa.array(cells, pa.binary())
    return Converted(made if binary else made.view(pa.string()), faults)


def _form(name: str, kind: type) -> Callable[[Any], bytes]:
    for base, form in _FORMS:
        if issubclass(kind, base):
            return form
    raise TransformFailed(
        f"transform {name!r} returned {kind.__module__}.{kind.__qualname__}; it may return"
        " text, bytes, a number, a bool, a date, a datetime or None"
    )


def _int(value: int) -> bytes:
    try:
        return b"%d" % value
    except ValueError:  # Python does not write more than some thousand digits
        raise ValueError(_TOO_LONG) from None


def _float(value: float) -> bytes:
    if not math.isfinite(value):
        raise ValueError(_NOT_FINITE)
    return b""  # all floats are written together


def _decimal(value: Decimal) -> bytes:
    if not value.is_finite():
        raise ValueError(_NOT_FINITE)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # it is finite
    if abs(exponent) + len(value.as_tuple().digits) > NUMBER_CHARS:
        raise ValueError(_TOO_LONG)
    return f"{value:f}".encode()


def _datetime(value: datetime) -> bytes:
    try:
        utc = value.astimezone(UTC) if value.tzinfo is not None else value
    except OverflowError:
        raise ValueError(_NO_YEAR) from None
    return f"{utc.replace(tzinfo=None).isoformat(timespec='microseconds')}Z".encode()


# The first whose subclass a type is says how its values are written: before a base comes what is derived from it.
_FORMS: tuple[tuple[type, Callable[[Any], bytes]], ...] = (
    (str, str.encode),
    (bytes, bytes),
    (bool, lambda value: b"true" if value else b"false"),
    (int, _int),
    (float, _float),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, lambda value: value.isoformat().encode()),
)


# --- columns -------------------------------------------------------------------------------------------------------


def from_column(name: str, returned: object, rows: int) -> Converted:
    """What a function returned for ``rows`` rows: an array, or an array and the rows that it refuses.

    Args:
        name: of the transform, for errors.

    Raises:
        TransformFailed: it is not what a function may return.
    """
    values: Any = returned
    errors: Any = ()
    if isinstance(returned, tuple) and len(returned) == 2:
        values, errors = returned
    if not isinstance(values, pa.Array):
        raise TransformFailed(f"transform {name!r} returned {type(values).__name__}, not a pyarrow.Array")
    if len(values) != rows:
        raise TransformFailed(f"transform {name!r} returned {len(values):,} results for {rows:,} rows")
    faults = _refused(name, errors, rows)
    try:
        values.validate(full=True)
        converted = _text_of(_without(values, list(faults)))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TransformFailed(
            f"transform {name!r} returned an array that cannot be used: {one_line(str(error))}"
        ) from None
    if converted is None:
        raise TransformFailed(
            f"transform {name!r} returned an array of {values.type}; it may return"
            " text, binary, numbers, bools, dates or timestamps"
        )
    for row, _, message in converted.faults:
        faults[row] = f"{name}: {message}"
    made = [Fault(row, "step-error", message) for row, message in sorted(faults.items())]
    return Converted(_compact(converted.values), made)


def _refused(name: str, errors: Any, rows: int) -> dict[int, str]:
    """The message for each row that a function refuses."""
    faults: dict[int, str] = {}
    try:
        for row, message in errors:
            place = operator.index(row)
            if not 0 <= place < rows:
                raise TransformFailed(f"transform {name!r} refused row {place:,} of {rows:,}, counted from 0")
            faults.setdefault(place, one_line(f"{name}: {message}"))
    except (TypeError, ValueError):
        raise TransformFailed(f"transform {name!r} returned errors that are not pairs of a row and a message") from None
    return faults


def _text_of(values: pa.Array) -> Converted | None:
    """The text that CSV output has for the values; binary stays binary. None: not of a type that can be a cell."""
    for is_type, text_of in _TEXTS:
        if is_type(values.type):
            made: Converted = text_of(values)
            return made
    return None


def _as(type_: pa.DataType) -> Callable[[pa.Array], Converted]:
    return lambda values: Converted(pc.cast(values, type_))


def _whole(values: pa.Array) -> Converted:
    return Converted(celltext.int_text(values))


def _bools(values: pa.Array) -> Converted:
    return Converted(celltext.bool_text(values))


def _floats(values: pa.Array) -> Converted:
    if pa.types.is_float16(values.type):
        values = pc.cast(values, pa.float32())
    good, faults = _checked(values, pc.is_finite(values), _NOT_FINITE)
    return Converted(celltext.float_text(good), faults)


def _decimals(values: pa.Array) -> Converted:
    type_ = values.type
    whole = max(0, -type_.scale)  # a negative scale stands for zeros before the point
    exact = pa.decimal128(min(38, type_.precision + whole), max(0, type_.scale))
    return Converted(celltext.decimal_text(pc.cast(values, exact)))


def _dates(values: pa.Array) -> Converted:
    days = pc.cast(values, pa.date32())
    good, faults = _checked(days, _between(pc.cast(days.view(pa.int32()), pa.int64()), 86_400_000_000), _NO_YEAR)
    return Converted(celltext.date_text(good), faults)


_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def _timestamps(values: pa.Array) -> Converted:
    unit = values.type.unit
    if unit == "ns":  # every one is in range; digits that are not written are dropped
        return _instants(pc.floor_temporal(values.view(pa.timestamp("ns")), unit="microsecond"), ())
    good, faults = _checked(values, _between(values.view(pa.int64()), _MICROSECONDS[unit]), _NO_YEAR)
    return _instants(good.view(pa.timestamp(unit)), faults)


def _instants(values: pa.Array, faults: Sequence[Fault]) -> Converted:
    text = celltext.timestamp_text(pc.cast(values, pa.timestamp("us")))
    return Converted(pc.binary_replace_slice(text, 26, 26, "Z"), faults)


def _between(units: pa.Array, microseconds: int) -> pa.Array:
    """Which instants are in the years 1 to 9999."""
    return pc.and_(pc.greater_equal(units, -(-FIRST // microseconds)), pc.less_equal(units, LAST // microseconds))


# pyarrow's own questions are functions; each array type answers yes to exactly one of these.
_TEXTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Converted]], ...] = (
    (lambda kind: kind in (pa.string(), pa.large_string(), pa.string_view(), pa.null()), _as(pa.string())),
    (lambda kind: kind in (pa.binary(), pa.large_binary(), pa.binary_view()), _as(pa.binary())),
    (pa.types.is_fixed_size_binary, _as(pa.binary())),
    (pa.types.is_boolean, _bools),
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, _floats),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_date, _dates),
    (pa.types.is_timestamp, _timestamps),
)


def _checked(values: pa.Array, good: pa.Array, message: str) -> tuple[pa.Array, list[Fault]]:
    """The values without those that are not good, and their faults."""
    rows = true_rows(pc.invert(good))
    return _without(values, rows), [Fault(row, "step-error", message) for row in rows]


def _without(values: pa.Array, rows: Sequence[int]) -> pa.Array:
    if not rows:
        return values
    return pc.if_else(mask_of(rows, len(values)), pa.scalar(None, values.type), values)


def _compact(values: pa.Array) -> pa.Array:
    """The same column with no bytes beneath its nulls, which an operator's array may have."""
    return spread(values.drop_null(), pc.is_valid(values)) if values.null_count else values
