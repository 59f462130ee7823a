"""JSON Schema of the message, for those who write it."""

from __future__ import annotations

from typing import Any

from engine.message import CREDENTIALS, EXTENDED_CLIENT, Message, Pointer

__all__ = ["message_schema"]


def message_schema() -> dict[str, Any]:
    """JSON Schema of a message, in its snake_case names; its ``$defs`` also have the pointers that a body may be."""
    message, pointer = Message.model_json_schema(), Pointer.model_json_schema()
    parts = message.pop("$defs") | pointer.pop("$defs")
    message["allOf"] = [{"oneOf": [_requires("mapping_id"), _requires("mapping")]}]
    message["allOf"] += [{"oneOf": [_requires("files"), _requires("prefix")]}]
    parts["SourceCredentials"]["oneOf"] = [_requires(*sorted(must)) for must, _ in CREDENTIALS]
    extended = {
        "description": "What the SQS Extended Client sends for a message that it put into a bucket.",
        "type": "array",
        "prefixItems": [
            {"enum": list(EXTENDED_CLIENT)},
            {
                "type": "object",
                "properties": {"s3BucketName": {"type": "string"}, "s3Key": {"type": "string"}},
                "required": ["s3BucketName", "s3Key"],
                "additionalProperties": False,
            },
        ],
        "minItems": 2,
        "items": False,
    }
    pointers = {"Pointer": pointer, "ExtendedClientPointer": extended}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **message, "$defs": parts | pointers}


def _requires(*keys: str) -> dict[str, Any]:
    return {"required": list(keys), "properties": {key: {"not": {"type": "null"}} for key in keys}}
