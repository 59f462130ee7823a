"""The message that asks for work: the body of an SQS message, or the document that it points to (CONTRACT section 2).

The document is checked here; what a mapping inside it holds is checked by :mod:`engine.core.mapping`. Secrets stay in
:class:`~pydantic.SecretStr` until a location is made of them; no error quotes a value, and no ``repr`` shows a key.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from engine.codec import decode_json
from engine.documents import listed, problems
from engine.errors import InputError, MessageError, Problem
from engine.names import (
    KEY_BYTES,
    MAX_FILES,
    AccessKeyId,
    Bucket,
    Endpoint,
    Id,
    Key,
    Prefix,
    Profile,
    Region,
    RoleArn,
    SecretAccessKey,
    SecretExternalId,
    SecretId,
    SessionToken,
    Text,
)

__all__ = [
    "CREDENTIALS",
    "EXTENDED_CLIENT",
    "MAX_BYTES",
    "MAX_DOCUMENT_BYTES",
    "Destination",
    "DocumentRef",
    "FileRef",
    "Message",
    "Pointer",
    "Source",
    "SourceCredentials",
    "parse_body",
    "parse_message",
]

MAX_BYTES = 1_048_576
"""The longest message that SQS takes, in bytes of UTF-8."""
MAX_DOCUMENT_BYTES = 64 * 1_048_576
"""The longest document that a message may point to."""
_MOST_VALUES = 4 * MAX_FILES + 100_000
"""Of a document: a file may be an object of two values. Empty lists take 70 bytes of memory each, and 3 of text."""
_MOST_PROBLEMS = 100  # named of one message; its files may all have one, and a million would take gigabytes
_FILE = re.compile(r"files\[([0-9]+)\]")
EXTENDED_CLIENT = (
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",  # until version 1.1
)
"""What the SQS Extended Client's pointers begin with: ``[name, {"s3BucketName": ..., "s3Key": ...}]``."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class SourceCredentials(_Document):
    """How to read the client's bucket: a role, a secret's name, keys, or a profile of the engine's machine."""

    role_arn: RoleArn | None = None
    external_id: SecretExternalId | None = None
    secret_id: SecretId | None = None
    access_key_id: AccessKeyId | None = Field(None, repr=False)
    secret_access_key: SecretAccessKey | None = None
    session_token: SessionToken | None = None
    profile: Profile | None = None


class Source(_Document):
    """The client's bucket."""

    bucket: Bucket
    region: Region | None = None
    endpoint_url: Endpoint | None = None
    credentials: SourceCredentials


class FileRef(_Document):
    """One file; written as its key alone, or with the version that is meant."""

    key: Key
    version_id: Text | None = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1, "maxLength": KEY_BYTES}, dict(handler(core))]}


class Destination(_Document):
    """Where in our S3 the batch goes, if not where config.toml says."""

    bucket: Bucket
    prefix: Prefix = ""


def _as_ref(value: Any) -> Any:
    return {"key": value} if isinstance(value, str) else value


def _bounded(value: Any) -> Any:
    if isinstance(value, list) and not value:
        raise ValueError("must name at least one file")
    if isinstance(value, list) and len(value) > MAX_FILES:
        raise ValueError(f"must be at most {MAX_FILES:,} files, not {len(value):,}: split the batch")
    return value


class Message(_Document):
    """One batch of files. Made by :func:`parse_message`, which also checks what spans several keys."""

    version: Literal[1]
    batch_id: Id
    mapping_id: Id | None = None
    mapping: dict[str, Any] | None = None
    source: Source
    files: Annotated[
        tuple[Annotated[FileRef, BeforeValidator(_as_ref)], ...] | None,
        Field(strict=False, json_schema_extra={"minItems": 1, "maxItems": MAX_FILES}),
        FailFast(),  # _file_problems finds the others, as many as are told
        BeforeValidator(_bounded),
    ] = None
    prefix: Prefix | None = None
    destination: Destination | None = None
    correlation_id: Text | None = None


class DocumentRef(_Document):
    """Where a message lies that is too long for a queue: an object of a bucket that the operator allows."""

    bucket: Bucket
    key: Key
    version_id: Text | None = None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" + (f"?versionId={self.version_id}" if self.version_id else "")


class Pointer(_Document):
    """Stands for the message that the document holds."""

    version: Literal[1]
    document: DocumentRef


_NESTED: dict[type[BaseModel], dict[str, type[BaseModel]]] = {
    Message: {"source": Source, "destination": Destination},
    Source: {"credentials": SourceCredentials},
    Pointer: {"document": DocumentRef},
}
_OTHER_NAMES = {"clientConnection": "source", "pathToCSV": "files", "pathToCsv": "files"}
CREDENTIALS: list[tuple[set[str], set[str]]] = [  # what must be there, what may be there with it
    ({"role_arn"}, {"external_id"}),
    ({"secret_id"}, set()),
    ({"access_key_id", "secret_access_key"}, {"session_token"}),
    ({"profile"}, set()),
]
"""The kinds of credentials, of which a source has one."""
_CREDENTIALS_TEXT = (
    "must be exactly one of role_arn (with external_id), secret_id, access_key_id with secret_access_key "
    "(and session_token), or profile"
)


def parse_body(text: str | bytes, *, name: str | None = None) -> Message | Pointer:
    """Reads and checks the body of an SQS message: a message, or a pointer to one, ours or the SQS Extended Client's.

    Args:
        text: the body.
        name: of the file it came from, for errors.

    Raises:
        MessageError: lists every problem with its place.
    """
    size = _size(text)
    if size > MAX_BYTES:
        what = (
            f"is {size:,} bytes long and a queue takes at most {MAX_BYTES:,}: put it into a bucket that [queue]"
            ' document_buckets lists, and send {"version": 1, "document": {"bucket": "...", "key": "..."}} instead'
        )
        raise MessageError(what, file=name)
    return _parsed(text, name)


def parse_message(text: str | bytes, *, name: str | None = None) -> Message:
    """Reads and checks a message, which may be as long as a document; a pointer is none.

    Keys are accepted in snake_case and camelCase, and ``clientConnection`` for ``source``, ``pathToCSV`` (one key or
    a list) for ``files``.

    Raises:
        MessageError: lists every problem with its place.
    """
    size = _size(text)
    if size > MAX_DOCUMENT_BYTES:
        what = f"is {size:,} bytes long and a message has at most {MAX_DOCUMENT_BYTES:,}: split the batch"
        raise MessageError(what, file=name)
    read = _parsed(text, name)
    if isinstance(read, Pointer):
        raise MessageError("is a pointer to another document: a pointer must lead to the message itself", file=name)
    return read


def _size(text: str | bytes) -> int:
    return len(text.encode("utf-8", "replace") if isinstance(text, str) else text)


def _values(text: str | bytes) -> int:
    """At least as many as there are: each follows one of these."""
    if isinstance(text, str):
        return text.count(",") + text.count("[") + text.count("{")
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _parsed(text: str | bytes, name: str | None) -> Message | Pointer:
    if _values(text) > _MOST_VALUES:
        raise MessageError(f"has more values than {MAX_FILES:,} files take: split the batch", file=name)
    try:
        document = decode_json(text)
    except InputError as error:
        raise MessageError(error.problems, file=name) from None
    if isinstance(document, list) and len(document) == 2 and document[0] in EXTENDED_CLIENT:
        document = {"version": 1, "document": _from_extended_client(document[1])}
    if not isinstance(document, dict):
        raise MessageError("must be a JSON object", file=name)
    model: type[Message | Pointer] = Pointer if "document" in document else Message
    found: list[Problem] = []
    document = _canonical(document, model, "", found)
    if model is Message:
        found += islice(_spanning(document), _MOST_PROBLEMS + 1)
    try:
        read = model.model_validate(document)
    except ValidationError as invalid:
        for problem in problems(model, invalid):
            found.append(problem)
            if place := _FILE.match(problem.where):  # validation stopped at it
                found += islice(_file_problems(document["files"], int(place[1]) + 1), _MOST_PROBLEMS)
    else:
        if not found:
            return read
    more = [Problem("", "and more")] if len(found) > _MOST_PROBLEMS else []
    raise MessageError([*listed(found[:_MOST_PROBLEMS]), *more], file=name)


def _file_problems(files: list[Any], start: int) -> Iterator[Problem]:
    """What is wrong with the files from ``start`` on."""
    for index, file in enumerate(files[start:], start):
        try:
            _file_adapter().validate_python(_as_ref(file))
        except ValidationError as invalid:
            for problem in problems(FileRef, invalid):
                yield Problem(f"files[{index}]{f'.{problem.where}' if problem.where else ''}", problem.what)


@cache
def _file_adapter() -> TypeAdapter[FileRef]:
    return TypeAdapter(FileRef)


def _from_extended_client(pointer: Any) -> Any:
    names = {"s3BucketName": "bucket", "s3Key": "key"}
    return {names.get(key, key): value for key, value in pointer.items()} if isinstance(pointer, dict) else pointer


def _canonical(document: dict[str, Any], model: type[BaseModel], where: str, found: list[Problem]) -> dict[str, Any]:
    """The document with every key in its snake_case name; unknown keys stay as they are."""
    names = {to_camel(field): field for field in model.model_fields}
    if model is Message:
        names |= _OTHER_NAMES
    result: dict[str, Any] = {}
    for key, value in document.items():
        field = names.get(key, key)
        if field in result:
            if len(found) <= _MOST_PROBLEMS:
                found.append(Problem(where, f"{key!r}: {field} is given twice, under two names"))
            continue
        below = _NESTED.get(model, {}).get(field)
        if below is not None and isinstance(value, dict):
            result[field] = _canonical(value, below, f"{where}.{field}" if where else field, found)
        elif field == "files":
            result[field] = _canonical_files(value, one=key != "files", found=found)
        else:
            result[field] = value
    return result


def _canonical_files(value: Any, *, one: bool, found: list[Problem]) -> Any:
    if one and isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return value
    return [
        _canonical(item, FileRef, f"files[{index}]", found) if isinstance(item, dict) else item
        for index, item in enumerate(value)
    ]


def _spanning(document: dict[str, Any]) -> Iterator[Problem]:
    """What no single key shows: alternatives, and files named twice."""
    for one, other in (("mapping_id", "mapping"), ("files", "prefix")):
        given = [key for key in (one, other) if document.get(key) is not None]
        if len(given) != 1:
            yield Problem(
                "", f"exactly one of {one} and {other} must be given; {'both are' if given else 'neither is'}"
            )
    source = document.get("source")
    credentials = source.get("credentials") if isinstance(source, dict) else None
    if isinstance(credentials, dict):
        given_keys = {key for key, value in credentials.items() if value is not None}
        if not any(must <= given_keys <= must | may for must, may in CREDENTIALS):
            known = ", ".join(key for key in SourceCredentials.model_fields if key in given_keys) or "nothing"
            yield Problem("source.credentials", f"{_CREDENTIALS_TEXT}; given is {known}")
    files = document.get("files")
    keys = [item.get("key") if isinstance(item, dict) else item for item in files] if isinstance(files, list) else []
    for key, times in Counter(key for key in keys if isinstance(key, str)).items():
        if times > 1:
            yield Problem("files", f"{key!r} is named {times} times")
