"""What SQS takes beside a message's body."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.message import MAX_BYTES

__all__ = ["fitted"]

_MOST = 10
_TYPE = "String"  # of every value; counts towards the size
_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that SQS refuses: those that XML 1.0 cannot say."""


def fitted(body: str, attributes: Mapping[str, str], *, limit: int = MAX_BYTES) -> dict[str, str]:
    """As much of ``attributes`` as goes beside ``body`` in one message; the first named come first.

    Names, types and values count towards the limit. A value for which there is too little room is cut short, between
    two characters; one of which nothing would be left goes, and so does what is beyond ten. Characters that SQS refuses
    become U+FFFD.

    Args:
        limit: bytes that body and attributes may have together.
    """
    room = limit - len(body.encode("utf-8", "replace"))
    taken: dict[str, str] = {}
    for name, value in attributes.items():
        frame = len(name) + len(_TYPE)
        text = _REFUSED.sub("\ufffd", value).encode()[: max(0, room - frame)].decode("utf-8", "ignore")
        if text and len(taken) < _MOST:
            taken[name] = text
            room -= frame + len(text.encode())
    return taken
