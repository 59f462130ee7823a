"""Which encoder writes which format, and what its objects are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import pyarrow as pa

from engine.core.encoders.compress import COMPRESSORS, TextCompression
from engine.core.encoders.delimited import DelimitedRows
from engine.core.encoders.jsonl import JsonLinesRows
from engine.core.encoders.parquet import ParquetEncoder, parquet_schema
from engine.core.encoders.stream import TextEncoder
from engine.core.fieldtypes import FieldType

__all__ = ["Compression", "Encoder", "Format", "OutputFormat", "output_format", "output_suffix"]

type Format = Literal["jsonl", "csv", "parquet"]
type Compression = Literal["gzip", "zstd", "snappy"]

_ENDINGS: dict[TextCompression, str] = {None: "", "gzip": ".gz", "zstd": ".zst"}


class Encoder(Protocol):
    """Writes one file. Used by one thread; needs no closing when a file is given up."""

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        """Takes rows as typed columns of equal length, one a field; gives the bytes that are ready, perhaps none.

        Integers come as int64, floats as float64 (finite), decimals as decimal128 of the field's precision and scale,
        booleans as bool, dates as date32, timestamps as timestamp[us, UTC], strings, UUIDs and compact JSON as string,
        bytes as binary.
        """
        ...

    def finish(self) -> bytes:
        """Gives the rest of the file. The encoder is done."""
        ...


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """An output, compiled once a plan.

    Attributes:
        suffix: what its objects' names end in, as ``.jsonl.gz``.
        open: begins a file.
        go_on: begins what comes after other rows. The bytes of text put one after another are the text of all the rows,
            compressed or not, for gzip and zstd allow several members and frames; of Parquet each is a file.
    """

    suffix: str
    open: Callable[[], Encoder]
    go_on: Callable[[], Encoder]


def output_suffix(format: Format, compression: Compression | None) -> str:  # noqa: A002 # the mapping's word
    """What the objects' names end in, as ``.jsonl.gz``. Parquet compresses inside the file: no ending says so.

    Raises:
        ValueError: the format has no such compression.
    """
    if format == "parquet":
        return ".parquet"
    if compression == "snappy":
        raise ValueError(f"snappy is for parquet only; {format} takes gzip, zstd or none")
    return f".{format}{_ENDINGS[compression]}"


def output_format(
    format: Format,  # noqa: A002 # the mapping's word
    compression: Compression | None,
    fields: Sequence[tuple[str, FieldType]],
    *,
    mapping_id: str,
    mapping_sha256: str,
    guard_formulas: bool = False,
) -> OutputFormat:
    """Compiles an output.

    Args:
        compression: None is the format's own default: no compression for text, snappy for Parquet.
        fields: name and type of each field, in output order; at least one.
        mapping_id, mapping_sha256: kept in Parquet files' key-value metadata, as ``engine.mapping_id`` and
            ``engine.mapping_sha256``.
        guard_formulas: of CSV, whether texts that begin as formulas do get an apostrophe.

    Raises:
        ValueError: the format has no such compression.
    """
    suffix = output_suffix(format, compression)
    if format == "parquet":
        metadata = {"engine.mapping_id": mapping_id, "engine.mapping_sha256": mapping_sha256}
        file = partial(ParquetEncoder, parquet_schema(fields), compression or "snappy", metadata)
        return OutputFormat(suffix, file, file)
    assert compression != "snappy"  # refused above
    rows = JsonLinesRows(fields) if format == "jsonl" else DelimitedRows(fields, guarded=guard_formulas)
    text = partial(TextEncoder, rows, COMPRESSORS[compression])
    return OutputFormat(suffix, text, partial(text, header=False))
