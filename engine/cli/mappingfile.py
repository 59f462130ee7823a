"""The mapping that a command line names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import MappingError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.core.mapping import Mapping

__all__ = ["read_mapping"]


def read_mapping(path: Path) -> Mapping:
    """Reads a mapping file, which a client may have sent: its patterns are tried elsewhere first, where need be.

    Raises:
        MappingError: it cannot be read, or is not valid.
        Unavailable: its patterns cannot be tried.
    """
    from engine.core.hazards import suspects
    from engine.core.mapping import check_patterns_size, decode_mapping, validate_mapping

    name = str(path)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=name) from None
    document = decode_mapping(text, name)
    check_patterns_size(document, name)
    found = suspects(document)
    if found:
        import asyncio

        from engine.patterntrial import try_patterns

        asyncio.run(try_patterns(found, name))
    return validate_mapping(document, name)
