"""The reference converters: what each type accepts, one plain function a type, one cell at a time.

These define the mapping language (CONTRACT section 1). The column kernels are fast ways to the same answers and are
tested against them.
"""

from engine.core.reference.documents import JSON_DEPTH, compact_json, parse_json, to_json_text
from engine.core.reference.faults import CellFault
from engine.core.reference.layouts import Layout, parse_layout
from engine.core.reference.numbers import NUMBER_CHARS, to_decimal, to_float, to_int
from engine.core.reference.octets import to_bytes
from engine.core.reference.times import Format, compile_format, to_date, to_timestamp
from engine.core.reference.words import FALSE, TRUE, to_bool, to_string, to_uuid

__all__ = [
    "FALSE",
    "JSON_DEPTH",
    "NUMBER_CHARS",
    "TRUE",
    "CellFault",
    "Format",
    "Layout",
    "compact_json",
    "compile_format",
    "parse_json",
    "parse_layout",
    "to_bool",
    "to_bytes",
    "to_date",
    "to_decimal",
    "to_float",
    "to_int",
    "to_json_text",
    "to_string",
    "to_timestamp",
    "to_uuid",
]
