"""Secrets in what is about to be written: hidden by the keys that they stand under, and by their looks in a text.

The engine writes none on purpose. This is for what others say: an SDK's warning, an exception's text, a header in a
``repr``, the address of a signed request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["HIDDEN", "hide", "hide_in_text"]

HIDDEN = "[hidden]"

_DEPTH = 6  # of tables in tables; what is deeper is shown as text, in which secrets are hidden by their looks

_KEY_IDS = frozenset({"accesskey", "accesskeyid", "awsaccesskeyid"})
_SECRETS = frozenset(
    {
        "authorization",
        "awssecretaccesskey",
        "awssessiontoken",
        "credential",
        "externalid",
        "externalids",
        "password",
        "receipt",
        "receipthandle",
        "secret",
        "secretaccesskey",
        "secretkey",
        "secretstring",
        "securitytoken",
        "sessiontoken",
        "signature",
        "token",
        "xamzcredential",
        "xamzsecuritytoken",
        "xamzsignature",
    }
)
"""Keys, in lower case and of letters alone."""

_QUOTE = r"""b?\\*["']"""
_END = r"""\s"'\\&,;<>(){}\[\]"""  # where a value without quotes ends
_NAMES = r"secret_?access_?key|secret_?key|secret_?string|session_?token|security_?token|external_?id|password"
_SHOWN_BEFORE = [
    # The address of a signed request, and the header of one.
    rf"\b(?:x-amz-)?(?:signature|credential|security-token)(?:=|%3d)(?:{_QUOTE})?+",
    rf"\bx-amz-(?:signature|credential|security-token)(?:{_QUOTE})?+\s*[:,]\s*+(?:{_QUOTE})?+",
    r"\bawsaccesskeyid=",
    # As a program, a document or a configuration writes them. An error's "external_id: is ..." is neither.
    rf"(?:{_NAMES})\s*=\s*+(?:{_QUOTE})?+",
    rf"(?:{_NAMES})(?:{_QUOTE})?+\s*:\s*{_QUOTE}",
    r"<(?:SecretAccessKey|SessionToken)>",
]
_SECRET = re.compile(rf"((?:{'|'.join(_SHOWN_BEFORE)}))[^{_END}]+", re.IGNORECASE)
_AUTHORIZATION = re.compile(
    rf"""(\bauthorization(?:{_QUOTE})?+\s*[:=,]\s*+(?:{_QUOTE})?+)(?!AWS4-|\[)[^"'\\\r\n]+""", re.IGNORECASE
)
_KEY_ID = re.compile(
    rf"((?:access_?key_?id(?:{_QUOTE})?+\s*(?:=\s*(?:{_QUOTE})?+|:\s*{_QUOTE}))|\b(?=A[KS]IA[A-Z0-9]{{16}}))([^{_END}]+)",
    re.IGNORECASE,
)


def hide(value: Any, also: frozenset[str] = frozenset(), *, depth: int = _DEPTH) -> Any:
    """``value`` with every secret in its tables and lists hidden, and whatever stands under a key of ``also``."""
    if isinstance(value, Mapping) and depth:
        return {key: _under(str(key), item, also, depth) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [hide(item, also, depth=depth - 1) for item in value]
    return value


def _under(key: str, value: Any, also: frozenset[str], depth: int) -> Any:
    name = re.sub(r"[^a-z]", "", key.lower())
    if key in also or name in _SECRETS:
        return HIDDEN
    return _last_of(str(value)) if name in _KEY_IDS else hide(value, also, depth=depth - 1)


def hide_in_text(text: str) -> str:
    """``text`` without the keys, tokens and signatures that can be told from it; JSON stays JSON."""
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", _SECRET.sub(rf"\1{HIDDEN}", text))
    return _KEY_ID.sub(lambda found: found[1] + _last_of(found[2]), text)


def _last_of(key_id: str) -> str:
    """What may be seen of the id of a key: its last four characters, where that is less than half of it."""
    if key_id.startswith(HIDDEN):
        return key_id
    return HIDDEN + key_id[-4:] if len(key_id) > 8 else HIDDEN
