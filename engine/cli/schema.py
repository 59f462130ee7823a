"""``engine schema``: JSON Schemas for editors and for whoever writes messages."""

from __future__ import annotations

import json
import sys
from typing import Literal

__all__ = ["schema"]


def schema(document: Literal["mapping", "message", "config"], /) -> int:
    """Print the JSON Schema of a document.

    Parameters
    ----------
    document
        Which one.
    """
    if document == "mapping":
        from engine.core.mapping import mapping_schema as made
    elif document == "message":
        from engine.messageschema import message_schema as made
    else:
        from engine.config import settings_schema as made
    sys.stdout.write(json.dumps(made(), indent=2) + "\n")
    return 0
