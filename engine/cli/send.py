"""``engine send``: checks a message and puts it on the queue."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import Common, configure_with_queue
from engine.errors import MessageError

if TYPE_CHECKING:
    from engine.config import Settings

__all__ = ["send"]


def send(message: Path, /, *, queue: str | None = None, common: Common | None = None) -> int:
    """Check a message and put it on the queue; prints the message id.

    Parameters
    ----------
    message
        The message, a JSON file; /dev/stdin reads a pipe.
    queue
        URL of the queue instead of the configured one.
    """
    settings = configure_with_queue(common, queue)
    from engine.core.mapping import validate_mapping
    from engine.locations import destination_location, source_location
    from engine.message import parse_message

    text = _read(message)
    checked = parse_message(text, name=str(message))
    if checked.mapping is not None:
        validate_mapping(checked.mapping, f"{message}: mapping")
    source_location(checked, settings.source)
    destination_location(checked, settings.destination)
    sys.stdout.write(asyncio.run(_send(settings, text)) + "\n")
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise MessageError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError:
        raise MessageError("is not UTF-8", file=str(path)) from None


async def _send(settings: Settings, text: str) -> str:
    from engine.cli.wiring import open_queue

    queue = await open_queue(settings)
    try:
        return await queue.send(text)
    finally:
        await queue.aclose()
