"""What the step kernels share: texts of a column and back, work on distinct cells only, faults merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, decode_column, raw_cells, spread, true_rows
from engine.core.reference import CellFault
from engine.core.stepping.reference import Value

__all__ = ["by_reference", "from_texts", "of_distinct", "of_present", "of_text", "repaired", "texts", "with_faults"]

_PROBE = 512  # cells in which repeats are looked for
_SHARE = 2  # a column is done by its distinct cells when it has so many times more cells


def of_text(column: pa.Array, convert: Callable[[pa.Array], Converted]) -> Converted:
    """``convert`` on the text of a text or binary column; a cell that is no UTF-8 is a fault."""
    decoded = decode_column(column)
    return with_faults(convert(decoded.values), decoded.faults)


def with_faults(converted: Converted, faults: Sequence[Fault]) -> Converted:
    """Adds the faults of an earlier look at the same column; those cells are null in ``converted``."""
    return Converted(converted.values, sorted([*converted.faults, *faults])) if faults else converted


def of_present(column: pa.Array, convert: Callable[[pa.Array], Converted]) -> Converted:
    """``convert`` on the cells that are not null, each back in its row."""
    if not column.null_count:
        return convert(column)
    valid = pc.is_valid(column)
    converted = convert(column.filter(valid))
    faults = converted.faults
    if faults:
        rows = true_rows(valid)
        faults = [Fault(rows[fault.row], fault.code, fault.message) for fault in faults]
    return Converted(spread(converted.values, valid), faults)


def of_distinct(column: pa.Array, convert: Callable[[pa.Array], Converted]) -> Converted:
    """``convert`` on each distinct cell once, where a look at the first cells shows that many repeat."""
    probe = column.slice(0, _PROBE)
    if len(column) <= _PROBE or pc.count_distinct(probe).as_py() * _SHARE > _PROBE:
        return convert(column)
    encoded = pc.dictionary_encode(column)
    if len(encoded.dictionary) * _SHARE > len(column):
        return convert(column)
    converted = convert(encoded.dictionary)
    faults: list[Fault] = []
    if converted.faults:
        by_place = {fault.row: fault for fault in converted.faults}
        bad = pc.is_in(encoded.indices, value_set=pa.array(list(by_place), encoded.indices.type))
        places = encoded.indices.filter(bad)
        place_list = memoryview(places.buffers()[1]).cast("i")[places.offset : places.offset + len(places)].tolist()
        for row, place in zip(true_rows(bad), place_list, strict=True):
            faults.append(Fault(row, by_place[place].code, by_place[place].message))
    return Converted(converted.values.take(encoded.indices), faults)


def texts(column: pa.Array) -> list[str]:
    """The cells of a text column without nulls."""
    if len(column) == 0:
        return []
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(column)], column), "\0")
    found: list[str] = joined[0].as_buffer().to_pybytes().decode().split("\0")
    return found if len(found) == len(column) else [cell.decode() for cell in raw_cells(column)]


def from_texts(found: Iterable[str | None]) -> pa.Array:
    """A text column (much faster from bytes than from texts on a free-threaded build)."""
    return pa.array([None if text is None else text.encode() for text in found], pa.binary()).view(pa.string())


def by_reference(column: pa.Array, reference: Callable[[Value], Value], type_: pa.DataType) -> Converted:
    """The reference on each cell of a text column without nulls."""
    found: list[bytes | None] = []
    faults: list[Fault] = []
    for row, text in enumerate(texts(column)):
        try:
            value = reference(text)
        except CellFault as fault:
            faults.append(Fault(row, fault.code, fault.message))
            value = None
        found.append(value.encode() if isinstance(value, str) else value)
    values = pa.array(found, pa.binary())
    return Converted(values if type_ == pa.binary() else values.view(type_), faults)


def repaired(
    column: pa.Array, usual: pa.Array, convert: Callable[[pa.Array], pa.Array], reference: Callable[[Value], Value]
) -> Converted:
    """A column of which the usual cells are done together, the rest by the reference.

    Args:
        column: text.
        usual: true for the cells that ``convert`` can take.
        convert: what to do with a column of usual cells and nulls.
    """
    rest = pc.and_(pc.is_valid(column), pc.invert(pc.fill_null(usual, False)))
    values = convert(pc.if_else(rest, pa.scalar(None, column.type), column))
    rows = true_rows(rest)
    if not rows:
        return Converted(values)
    exact = by_reference(column.filter(rest), reference, values.type)
    faults = [Fault(rows[fault.row], fault.code, fault.message) for fault in exact.faults]
    return Converted(pc.replace_with_mask(values, rest, exact.values), faults)
