"""The message that asks for work: the body of an SQS message (CONTRACT section 2).

The document is checked here; what a mapping inside it holds is checked by :mod:`engine.core.mapping`. Secrets stay in
:class:`~pydantic.SecretStr` until a location is made of them, and no error quotes a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SecretStr,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

from engine.codec import decode_json
from engine.documents import problems
from engine.errors import InputError, MessageError, Problem

__all__ = [
    "MAX_BYTES",
    "Destination",
    "FileRef",
    "Message",
    "Source",
    "SourceCredentials",
    "message_schema",
    "parse_message",
]

MAX_BYTES = 1_048_576
"""The longest message that SQS takes, in bytes of UTF-8."""

_KEY_BYTES = 1024  # S3's limit on a key


@dataclass(frozen=True, slots=True)
class _Matches:
    """Text that a pattern matches whole; ``what`` says so to people, the schema says it to programs."""

    pattern: str
    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "pattern": f"^(?:{self.pattern})$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"must be {self.what}")
        return text


def _key(text: str) -> str:
    if not 0 < len(text.encode("utf-8", "replace")) <= _KEY_BYTES or "\0" in text:
        raise ValueError(f"must be an object key of 1 to {_KEY_BYTES} bytes")
    return text


def _prefix(text: str) -> str:
    if len(text.encode("utf-8", "replace")) > _KEY_BYTES or "\0" in text or text.startswith("/"):
        raise ValueError(f"must be a key prefix of at most {_KEY_BYTES} bytes that does not start with '/'")
    return text


# What reaches a URL or a path is checked for its characters: a host, a folder or a bucket of somebody's choosing
# cannot be smuggled in through a region, an id or a bucket name.
Id = Annotated[str, _Matches(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}", "1 to 128 of A-Z a-z 0-9 . _ - (not '.' or '..')")]
Region = Annotated[str, _Matches(r"[a-z0-9-]{1,32}", "the name of a region, as eu-west-1")]
Bucket = Annotated[
    str,
    _Matches(
        r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}|arn:aws[a-z-]*:s3[A-Za-z0-9:/._-]+",
        "the name of a bucket or the ARN of an access point",
    ),
]
Endpoint = Annotated[str, _Matches(r"https?://[A-Za-z0-9.\[\]:-]+/?", "http:// or https://, a host and perhaps a port")]
RoleArn = Annotated[str, _Matches(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+", "the ARN of an IAM role")]
Text = Annotated[str, _Matches(r"[^\x00-\x1f\x7f]{1,256}", "1 to 256 characters, none of them a control character")]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=8192)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class SourceCredentials(_Document):
    """How to read the client's bucket: a role, a secret's name, keys, or a profile of the engine's machine."""

    role_arn: RoleArn | None = None
    external_id: Secret | None = None
    secret_id: Text | None = None
    access_key_id: Text | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    profile: Text | None = None


class Source(_Document):
    """The client's bucket."""

    bucket: Bucket
    region: Region | None = None
    endpoint_url: Endpoint | None = None
    credentials: SourceCredentials


class FileRef(_Document):
    """One file; written as its key alone, or with the version that is meant."""

    key: Annotated[str, AfterValidator(_key)]
    version_id: Text | None = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1, "maxLength": _KEY_BYTES}, dict(handler(core))]}


class Destination(_Document):
    """Where in our S3 the batch goes, if not where config.toml says."""

    bucket: Bucket
    prefix: Annotated[str, AfterValidator(_prefix)] = ""


def _as_ref(value: Any) -> Any:
    return {"key": value} if isinstance(value, str) else value


class Message(_Document):
    """One batch of files. Made by :func:`parse_message`, which also checks what spans several keys."""

    version: Literal[1]
    batch_id: Id
    mapping_id: Id | None = None
    mapping: dict[str, Any] | None = None
    source: Source
    files: Annotated[
        tuple[Annotated[FileRef, BeforeValidator(_as_ref)], ...] | None, Field(strict=False, min_length=1)
    ] = None
    prefix: Annotated[str, AfterValidator(_prefix)] | None = None
    destination: Destination | None = None
    correlation_id: Text | None = None


_NESTED: dict[type[BaseModel], dict[str, type[BaseModel]]] = {
    Message: {"source": Source, "destination": Destination},
    Source: {"credentials": SourceCredentials},
}
_OTHER_NAMES = {"clientConnection": "source", "pathToCSV": "files", "pathToCsv": "files"}
_CREDENTIALS: list[tuple[set[str], set[str]]] = [  # what must be there, what may be there with it
    ({"role_arn"}, {"external_id"}),
    ({"secret_id"}, set()),
    ({"access_key_id", "secret_access_key"}, {"session_token"}),
    ({"profile"}, set()),
]
_CREDENTIALS_TEXT = (
    "must be exactly one of role_arn (with external_id), secret_id, access_key_id with secret_access_key "
    "(and session_token), or profile"
)


def parse_message(text: str | bytes, *, name: str | None = None) -> Message:
    """Reads and checks a message.

    Keys are accepted in snake_case and camelCase, and ``clientConnection`` for ``source``, ``pathToCSV`` (one key or
    a list) for ``files``.

    Args:
        text: the body.
        name: of the file it came from, for errors.

    Raises:
        MessageError: lists every problem with its place.
    """
    size = len(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    if size > MAX_BYTES:
        raise MessageError(f"is {size} bytes long; a queue takes at most {MAX_BYTES}", file=name)
    try:
        document = decode_json(text)
    except InputError as error:
        raise MessageError(error.problems, file=name) from None
    if not isinstance(document, dict):
        raise MessageError("must be a JSON object", file=name)
    found: list[Problem] = []
    document = _canonical(document, Message, "", found)
    found += _spanning(document)
    try:
        message = Message.model_validate(document)
    except ValidationError as invalid:
        raise MessageError(found + problems(Message, invalid), file=name) from None
    if found:
        raise MessageError(found, file=name)
    return message


def _canonical(document: dict[str, Any], model: type[BaseModel], where: str, found: list[Problem]) -> dict[str, Any]:
    """The document with every key in its snake_case name; unknown keys stay as they are."""
    names = {to_camel(field): field for field in model.model_fields}
    if model is Message:
        names |= _OTHER_NAMES
    result: dict[str, Any] = {}
    for key, value in document.items():
        field = names.get(key, key)
        if field in result:
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
        if not any(must <= given_keys <= must | may for must, may in _CREDENTIALS):
            yield Problem("source.credentials", _CREDENTIALS_TEXT)
    files = document.get("files")
    keys = [item.get("key") if isinstance(item, dict) else item for item in files] if isinstance(files, list) else []
    for key, times in Counter(key for key in keys if isinstance(key, str)).items():
        if times > 1:
            yield Problem("files", f"{key!r} is named {times} times")


def message_schema() -> dict[str, Any]:
    """JSON Schema of the message, in its snake_case names."""
    schema = Message.model_json_schema()
    schema["allOf"] = [{"oneOf": [_requires("mapping_id"), _requires("mapping")]}]
    schema["allOf"] += [{"oneOf": [_requires("files"), _requires("prefix")]}]
    schema["$defs"]["SourceCredentials"]["oneOf"] = [_requires(*sorted(must)) for must, _ in _CREDENTIALS]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _requires(*keys: str) -> dict[str, Any]:
    return {"required": list(keys), "properties": {key: {"not": {"type": "null"}} for key in keys}}
