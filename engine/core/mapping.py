"""The mapping document: how a client's CSV becomes typed fields (CONTRACT section 1)."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from engine.codec import decode_json
from engine.core.decompress import SourceCompression
from engine.core.dialect import Dialect
from engine.core.encodings import codec_name
from engine.core.fieldtypes import TYPE_SCHEMA, FieldType, parse_type
from engine.core.hazards import PATTERNS_SIZE, oversized
from engine.core.steps import Pattern, Step, Text
from engine.core.timeformats import check_format, check_timezone
from engine.documents import listed, validate
from engine.errors import InputError, MappingError, Problem

__all__ = [
    "Budget",
    "CsvDialect",
    "FieldRule",
    "Mapping",
    "OnError",
    "OutputRule",
    "check_patterns_size",
    "decode_mapping",
    "load_mapping",
    "mapping_schema",
    "validate_mapping",
]

type OnError = Literal["reject_row", "null_value", "fail_file"]
type Scalar = str | int | float | bool
# What structures a file: ASCII, as its bytes are looked at one by one, but no line end, and not NUL.
type _Character = Annotated[str, StringConstraints(pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x7f]$")]

# Bounds of a mapping: what it makes of a row, and compiling it, stay in proportion to what it is for.
_FIELDS, _STEPS, _FORMATS, _SOURCES, _NAME = 10_000, 100, 100, 1_000, 1_000


def _type(text: str) -> str:
    parse_type(text)
    return text


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CsvDialect(_Model):
    """How the file is written.

    ``header`` true takes the labels from the first record, false labels the columns ``"1"``, ``"2"``, ...; a list gives
    the labels of a file that has none. ``compression`` infer goes by a file's suffix, then by its first bytes. An
    ``escape`` that is the quote itself says that quotes are doubled, as they always may be. An empty ``quote`` is null,
    which TOML cannot say.
    """

    delimiter: _Character = ","
    quote: _Character | Literal[""] | None = '"'
    escape: _Character | None = None
    header: bool | Annotated[list[str], Field(min_length=1)] = True
    encoding: Annotated[str, AfterValidator(codec_name)] = "utf-8"
    compression: SourceCompression = "infer"
    skip_lines: Annotated[int, Field(ge=0)] = 0
    trim: bool = False
    null_values: list[str] = [""]
    extra_cells: Literal["error", "ignore"] = "error"
    missing_cells: Literal["error", "null"] = "error"
    blank_rows: Literal["skip", "error"] = "skip"

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote must differ")
        if self.escape == self.delimiter:
            raise ValueError("delimiter and escape must differ")
        return self

    @property
    def dialect(self) -> Dialect:
        """The same as the core reads it."""
        return Dialect(
            self.delimiter,
            self.quote or None,
            escape=self.escape if self.escape != self.quote else None,
            encoding=self.encoding,
            skip_lines=self.skip_lines,
            trim=self.trim,
            extra_cells=self.extra_cells == "ignore",
            missing_cells=self.missing_cells == "null",
            blank_rows=self.blank_rows == "error",
        )


class FieldRule(_Model):
    """One field of the output: where it comes from, what is done to it, and what it must be."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=_NAME)]
    source: Annotated[
        str | Annotated[list[str], Field(min_length=1, max_length=_SOURCES)] | None, Field(alias="from")
    ] = None
    const: Text | int | float | bool | None = None
    steps: Annotated[list[Step], Field(max_length=_STEPS)] = []
    type: Annotated[str, AfterValidator(_type), WithJsonSchema(TYPE_SCHEMA)]
    formats: (
        Annotated[list[Annotated[str, AfterValidator(check_format)]], Field(min_length=1, max_length=_FORMATS)] | None
    ) = None
    timezone: Annotated[str, AfterValidator(check_timezone)] | None = None
    true: Annotated[list[str], Field(min_length=1)] | None = None
    false: Annotated[list[str], Field(min_length=1)] | None = None
    required: bool = False
    min: Scalar | None = None
    max: Scalar | None = None
    min_length: Annotated[int, Field(ge=0)] | None = None
    max_length: Annotated[int, Field(ge=0)] | None = None
    pattern: Pattern | None = None
    enum: Annotated[list[Scalar], Field(min_length=1)] | None = None
    on_error: OnError | None = None

    @property
    def field_type(self) -> FieldType:
        return parse_type(self.type)

    @property
    def labels(self) -> tuple[str, ...]:
        """The header labels of the columns that the field is read from; none for a constant."""
        if self.const is not None:
            return ()
        if isinstance(self.source, list):
            return tuple(self.source)
        return (self.source if self.source is not None else self.name,)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        from engine.core.rules import field_problem

        problem = field_problem(self)
        if problem is not None:
            raise ValueError(problem)
        return self


class Budget(_Model):
    """Rejected rows that a file may have before it fails: so many, or such a share of its rows; null: any."""

    rows: Annotated[int, Field(ge=0)] | None = None
    ratio: Annotated[float, Field(ge=0, le=1, strict=False)] | None = None


class OutputRule(_Model):
    """What is written. ``snappy`` is for Parquet; text is compressed whole, with a suffix of its own.

    ``guard_formulas`` is for CSV that a spreadsheet opens: it alters texts that begin as formulas do.
    """

    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    compression: Literal["gzip", "zstd", "snappy"] | None = None
    guard_formulas: bool = False

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.compression == "snappy" and self.format != "parquet":
            raise ValueError("compression: snappy is for parquet")
        if self.guard_formulas and self.format != "csv":
            raise ValueError(f"guard_formulas: is for csv, which spreadsheets open; leave it out for {self.format}")
        return self


class Example(_Model):
    """A row and what must become of it: the fields named by ``expect``, or the codes of the fields in ``reject``."""

    row: dict[str, str | None]
    expect: dict[str, Any] | None = None
    reject: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.expect is None) == (self.reject is None):
            raise ValueError("a test has either expect or reject")
        return self


class Mapping(_Model):
    """A whole mapping. :attr:`canonical` is its identity's text, :attr:`sha256` its identity."""

    version: Literal[1]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    csv: CsvDialect = CsvDialect()
    fields: Annotated[list[FieldRule], Field(min_length=1, max_length=_FIELDS)]
    on_error: OnError = "reject_row"
    budget: Budget = Budget()
    output: OutputRule = OutputRule()
    tests: list[Example] = []

    _canonical: bytes = PrivateAttr(default=b"")

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        seen: set[str] = set()
        twice = sorted({field.name for field in self.fields if field.name in seen or seen.add(field.name)})  # type: ignore[func-returns-value]
        if twice:
            raise ValueError(f"fields named twice: {', '.join(twice)}")
        return self

    def model_post_init(self, _: Any, /) -> None:
        document = self.model_dump(by_alias=True, exclude={"tests"})
        self._canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def canonical(self) -> bytes:
        """The document as JSON with every default filled in and keys sorted: equal mappings have equal text."""
        return self._canonical

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self._canonical).hexdigest()


def load_mapping(text: bytes, name: str) -> Mapping:
    """Reads a mapping document of our own; others go through :mod:`engine.patterntrial`.

    Args:
        text: the document.
        name: its file name; ``.toml`` is read as TOML, everything else as JSON. Named in errors.

    Raises:
        MappingError: it is not JSON or TOML, or not a valid mapping; lists every problem.
    """
    return validate_mapping(decode_mapping(text, name), name)


def decode_mapping(text: bytes, name: str) -> object:
    """The document as it stands in its file, for :func:`validate_mapping`.

    Raises:
        MappingError: it is not JSON or TOML, or gives a key twice.
    """
    if not name.endswith(".toml"):
        try:
            return decode_json(text)
        except InputError as error:
            raise MappingError(error.problems, file=name) from None
    try:
        return _from_toml(text.decode())
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError alike
        raise MappingError(f"is not TOML: {error}", file=name) from None
    except RecursionError:
        raise MappingError("nested too deeply for a mapping", file=name) from None


def _from_toml(text: str) -> object:
    import tomllib  # most mappings are JSON

    return tomllib.loads(text)


def validate_mapping(document: object, name: str) -> Mapping:
    """Checks a decoded mapping document; raises as :func:`load_mapping`."""
    check_patterns_size(document, name)
    mapping = validate(Mapping, document, MappingError, file=name)
    found = _bound_problems(mapping)
    if found:
        raise MappingError(listed(found), file=name)
    return mapping


def check_patterns_size(document: object, name: str) -> None:
    """Raises MappingError: the patterns of a decoded document are more than anybody should look at."""
    if oversized(document):
        what = f"its patterns have more than {PATTERNS_SIZE:,} characters, all counted repeats written out"
        raise MappingError(what, file=name)


def _bound_problems(mapping: Mapping) -> list[Problem]:
    """Constants, bounds and allowed values that are no values of their field's type."""
    from engine.core.field import bound_problems

    return [
        Problem(f"fields[{place}].{setting}", what)
        for place, rule in enumerate(mapping.fields)
        for setting, what in bound_problems(rule)
    ]


def mapping_schema() -> dict[str, Any]:
    """JSON Schema of the mapping document."""
    return Mapping.model_json_schema(by_alias=True)
