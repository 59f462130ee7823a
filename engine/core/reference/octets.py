"""``bytes``."""

from __future__ import annotations

from binascii import a2b_base64

from engine.core.reference.faults import CellFault

__all__ = ["to_bytes"]


def to_bytes(text: str) -> bytes:
    """``bytes``: base64 in the standard alphabet (RFC 4648), padded, with nothing else between or around.

    Bits that the last character has to spare are ignored.
    """
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one; a text that is not ASCII raises ValueError itself
        raise CellFault("not valid base64") from None
