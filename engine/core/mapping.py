"""The mapping document: how a client's CSV becomes typed fields (CONTRACT section 1)."""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, model_validator

from engine.documents import validate
from engine.errors import MappingError

__all__ = [
    "CsvDialect",
    "FieldRule",
    "Mapping",
    "OutputRule",
    "TypeName",
    "load_mapping",
    "mapping_schema",
    "validate_mapping",
]

TypeName = Literal["string", "int", "float", "bool", "timestamp", "uuid", "json"]


def _utf8(encoding: str) -> str:
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise ValueError("only utf-8 is read so far")
    return "utf-8"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CsvDialect(_Model):
    """How the file is written.

    ``header`` true takes the labels from the first record, false labels the columns ``"1"``, ``"2"``, ...; a list gives
    the labels of a file that has none.
    """

    delimiter: Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e]$")] = ","
    quote: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]$")] = '"'
    header: bool | Annotated[list[str], Field(min_length=1)] = True
    encoding: Annotated[str, AfterValidator(_utf8)] = "utf-8"
    null_values: list[str] = [""]

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote must differ")
        return self


class FieldRule(_Model):
    """One field of the output: where it comes from and what it must be."""

    name: Annotated[str, StringConstraints(min_length=1)]
    source: Annotated[str | None, Field(alias="from")] = None
    type: TypeName
    required: bool = False

    @property
    def label(self) -> str:
        """The header label of the column that the field is read from."""
        return self.source if self.source is not None else self.name


class OutputRule(_Model):
    format: Literal["jsonl"] = "jsonl"


class Mapping(_Model):
    """A whole mapping. :attr:`canonical` is its identity's text, :attr:`sha256` its identity."""

    version: Literal[1]
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    csv: CsvDialect = CsvDialect()
    fields: Annotated[list[FieldRule], Field(min_length=1)]
    output: OutputRule = OutputRule()

    _canonical: bytes = PrivateAttr(default=b"")

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        seen: set[str] = set()
        twice = sorted({field.name for field in self.fields if field.name in seen or seen.add(field.name)})  # type: ignore[func-returns-value]
        if twice:
            raise ValueError(f"fields named twice: {', '.join(twice)}")
        return self

    def model_post_init(self, _: Any, /) -> None:
        document = self.model_dump(by_alias=True)
        self._canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def canonical(self) -> bytes:
        """The document as JSON with every default filled in and keys sorted: equal mappings have equal text."""
        return self._canonical

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self._canonical).hexdigest()


def load_mapping(text: bytes, name: str) -> Mapping:
    """Reads a mapping document.

    Args:
        text: the document.
        name: its file name; ``.toml`` is read as TOML, everything else as JSON. Named in errors.

    Raises:
        MappingError: it is not JSON or TOML, or not a valid mapping; lists every problem.
    """
    try:
        document = tomllib.loads(text.decode()) if name.endswith(".toml") else json.loads(text)
    except ValueError as error:  # JSONDecodeError, TOMLDecodeError and UnicodeDecodeError alike
        raise MappingError(f"not {'TOML' if name.endswith('.toml') else 'JSON'}: {error}", file=name) from None
    return validate_mapping(document, name)


def validate_mapping(document: object, name: str) -> Mapping:
    """Checks a decoded mapping document; raises as :func:`load_mapping`."""
    return validate(Mapping, document, MappingError, file=name)


def mapping_schema() -> dict[str, Any]:
    """JSON Schema of the mapping document."""
    return Mapping.model_json_schema(by_alias=True)
