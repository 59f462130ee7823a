"""A field's type made ready to run: the column kernel and the reference converter of one rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from engine.core import kernels, reference
from engine.core.columns import Converted, decode_column
from engine.core.fieldtypes import FieldType
from engine.core.kernels import Kernel
from engine.core.timeformats import ISO8601

__all__ = ["TypeConverter", "TypeRule", "compile_type"]


class TypeRule(Protocol):
    """What a type needs to know of a field's rule."""

    @property
    def field_type(self) -> FieldType: ...
    @property
    def formats(self) -> Sequence[str] | None: ...
    @property
    def timezone(self) -> str | None: ...
    @property
    def true(self) -> Sequence[str] | None: ...
    @property
    def false(self) -> Sequence[str] | None: ...


@dataclass(frozen=True, slots=True)
class TypeConverter:
    """One type with its settings, for one thread: a kernel may remember the offsets of a zone, or the shape of JSON.

    Attributes:
        arrow_type: of the converted column.
        kernel: a text or binary column to the typed column. Bytes reaching a type of text are decoded as UTF-8 first,
            and are a ``step-error`` where they are none.
        reference: one text to the same value, or a ``CellFault``.
    """

    arrow_type: pa.DataType
    kernel: Kernel
    reference: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class _OfText:
    """A kernel of text that also takes bytes."""

    kernel: Kernel

    def __call__(self, column: pa.Array) -> Converted:
        if column.type != pa.binary():
            return self.kernel(column)
        decoded = decode_column(column)
        converted = self.kernel(decoded.values)
        if not decoded.faults:
            return converted
        return Converted(converted.values, sorted([*decoded.faults, *converted.faults]))


def compile_type(rule: TypeRule) -> TypeConverter:
    """The converter of a rule that was valid when its mapping was loaded."""
    arrow_type, kernel, convert = _COMPILERS[rule.field_type.kind](rule)
    return TypeConverter(arrow_type, kernel if rule.field_type.kind == "bytes" else _OfText(kernel), convert)


type _Parts = tuple[pa.DataType, Kernel, Callable[[str], Any]]


def _decimal(rule: TypeRule) -> _Parts:
    precision, scale = rule.field_type.precision, rule.field_type.scale
    kernel = kernels.DecimalKernel(precision, scale)
    return kernel.arrow_type, kernel, partial(reference.to_decimal, precision=precision, scale=scale)


def _bool(rule: TypeRule) -> _Parts:
    true = tuple(rule.true or reference.TRUE)
    false = tuple(rule.false or reference.FALSE)
    return pa.bool_(), kernels.BoolKernel.of(true, false), partial(reference.to_bool, true=true, false=false)


def _date(rule: TypeRule) -> _Parts:
    kernel = kernels.DateKernel.of(tuple(rule.formats or (ISO8601,)))
    return pa.date32(), kernel, kernel.convert


def _timestamp(rule: TypeRule) -> _Parts:
    kernel = kernels.TimestampKernel.of(tuple(rule.formats or (ISO8601,)), ZoneInfo(rule.timezone or "UTC"))
    return pa.timestamp("us", "UTC"), kernel, kernel.convert


def _json(_rule: TypeRule) -> _Parts:
    return pa.string(), kernels.to_json, reference.to_json_text


def _plain(arrow_type: pa.DataType, kernel: Kernel, convert: Callable[[str], Any]) -> Callable[[TypeRule], _Parts]:
    return lambda _rule: (arrow_type, kernel, convert)


_COMPILERS: dict[str, Callable[[TypeRule], _Parts]] = {
    "string": _plain(pa.string(), kernels.to_string, reference.to_string),
    "int": _plain(pa.int64(), kernels.to_int, reference.to_int),
    "float": _plain(pa.float64(), kernels.to_float, reference.to_float),
    "decimal": _decimal,
    "bool": _bool,
    "date": _date,
    "timestamp": _timestamp,
    "uuid": _plain(pa.string(), kernels.to_uuid, reference.to_uuid),
    "json": _json,
    "bytes": _plain(pa.binary(), kernels.to_bytes, reference.to_bytes),
}
