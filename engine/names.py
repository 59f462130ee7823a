"""What a message may call things: text that reaches a URL, a path or a header, checked for its characters.

A host, a folder or a bucket of somebody's choosing cannot be smuggled in through a region, an id or a bucket name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

from engine.origins import origin

__all__ = [
    "KEY_BYTES",
    "MAX_FILES",
    "AccessKeyId",
    "Bucket",
    "Endpoint",
    "ExternalId",
    "Id",
    "Key",
    "Prefix",
    "Profile",
    "Region",
    "RoleArn",
    "SecretAccessKey",
    "SecretExternalId",
    "SecretId",
    "SessionToken",
    "Text",
]

MAX_FILES = 1_000_000
"""The most files that a message may name; some 400 MiB of memory while they are checked."""

KEY_BYTES = 1024
"""S3's limit on a key."""


@dataclass(frozen=True, slots=True)
class _Matches:
    """Text that a pattern matches whole; ``what`` says so to people, the schema says it to programs."""

    pattern: str
    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "pattern": f"^(?:{self.pattern})$"}

    def _check(self, text: str | SecretStr) -> str | SecretStr:
        shown = text.get_secret_value() if isinstance(text, SecretStr) else text
        if not re.fullmatch(self.pattern, shown):
            raise ValueError(f"must be {self.what}")
        return text


def _key(text: str) -> str:
    if not 0 < len(text.encode("utf-8", "replace")) <= KEY_BYTES or "\0" in text:
        raise ValueError(f"must be an object key of 1 to {KEY_BYTES} bytes")
    return text


def _prefix(text: str) -> str:
    if len(text.encode("utf-8", "replace")) > KEY_BYTES or "\0" in text or text.startswith("/"):
        raise ValueError(f"must be a key prefix of at most {KEY_BYTES} bytes that does not start with '/'")
    return text


Id = Annotated[str, _Matches(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}", "1 to 128 of A-Z a-z 0-9 . _ - (not '.' or '..')")]
Region = Annotated[str, _Matches(r"[a-z0-9-]{1,32}", "the name of a region, as eu-west-1")]
Bucket = Annotated[
    str,
    _Matches(
        r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}|arn:aws[a-z-]*:s3[A-Za-z0-9:/._-]+",
        "the name of a bucket or the ARN of an access point",
    ),
]
Endpoint = Annotated[
    str,
    _Matches(r"https?://[A-Za-z0-9.\[\]:-]+/?", "http:// or https://, a host and perhaps a port"),
    AfterValidator(origin),
]
RoleArn = Annotated[str, _Matches(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,1024}", "the ARN of an IAM role")]
Text = Annotated[str, _Matches(r"[^\x00-\x1f\x7f]{1,256}", "1 to 256 characters, none of them a control character")]
Profile = Annotated[
    str, _Matches(r"[A-Za-z0-9_][A-Za-z0-9 _.@+:-]{0,127}", "1 to 128 of A-Z a-z 0-9 _ . @ + : - and blanks")
]
SecretId = Annotated[
    str,
    _Matches(
        r"(?!(?:.*/)?\.{1,2}(?:/|$))[A-Za-z0-9/_+=.@:-]{1,512}",
        "the name or ARN of a secret: 1 to 512 of A-Z a-z 0-9 / _ + = . @ : -, no part of it '.' or '..'",
    ),
]
# Keys and tokens go into headers: what a header cannot hold must not reach one.
AccessKeyId = Annotated[
    str, _Matches(r"[\x21-\x2b\x2d-\x2e\x30-\x7e]{1,256}", "1 to 256 of ASCII, no blanks, ',' or '/'")
]
SecretAccessKey = Annotated[
    SecretStr,
    _Matches(
        r"(?!\s)[^\x00-\x1f\x7f]{1,1024}(?<!\s)", "1 to 1024 characters, no control character, no blank at either end"
    ),
]
SessionToken = Annotated[SecretStr, _Matches(r"[\x21-\x7e]{1,8192}", "1 to 8192 of ASCII, without blanks")]
_EXTERNAL_ID = _Matches(r"[A-Za-z0-9_+=,.@:/-]{2,1224}", "2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -")
ExternalId = Annotated[str, _EXTERNAL_ID]
SecretExternalId = Annotated[SecretStr, _EXTERNAL_ID]
Key = Annotated[str, AfterValidator(_key)]
Prefix = Annotated[str, AfterValidator(_prefix)]
