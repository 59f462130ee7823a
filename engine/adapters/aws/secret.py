"""What a secret of Secrets Manager holds: the keys of a client's bucket, and nothing else."""

from __future__ import annotations

import re
from typing import Annotated, Any

from botocore.credentials import ReadOnlyCredentials
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.codec import decode_json
from engine.errors import AccessDenied, InputError
from engine.names import AccessKeyId, SecretAccessKey, SessionToken

__all__ = ["keys_of", "region_of"]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    access_key_id: Annotated[AccessKeyId, Field(repr=False)]
    secret_access_key: SecretAccessKey
    session_token: SessionToken | None = None


def keys_of(secret_id: str, answer: dict[str, Any]) -> ReadOnlyCredentials:
    """The keys in what Secrets Manager answered.

    Raises:
        AccessDenied: it is not a JSON object of the keys, whole and usable. Nothing of it is quoted, nor what is wrong
            with it.
    """
    try:
        keys = _Keys.model_validate(decode_json(answer.get("SecretString") or ""))
    except (InputError, ValidationError):
        what = "must be a JSON object of access_key_id, secret_access_key and perhaps session_token, each a text"
        raise AccessDenied(f"the secret {secret_id!r} {what}, and nothing else") from None
    token = keys.session_token.get_secret_value() if keys.session_token is not None else None
    return ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key.get_secret_value(), token)


def region_of(secret_id: str, region: str) -> str:
    """Where to look for a secret: where its ARN says, or else in ``region``."""
    arn = re.match(r"arn:[a-z-]+:secretsmanager:([a-z0-9-]{1,32}):", secret_id)
    return arn[1] if arn else region
