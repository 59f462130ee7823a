"""``engine send``: checks a message and puts it on the queue."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import Common, configure_with_queue
from engine.errors import AccessDenied, MessageError, UsageError

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.message import DocumentRef, Message

__all__ = ["send"]

_GROUP = 128  # characters; SQS's limit


def send(message: Path, /, *, queue: str | None = None, group: str | None = None, common: Common | None = None) -> int:
    """Check a message and put it on the queue; prints the message id.

    Parameters
    ----------
    message
        The message, or a pointer to one, a JSON file; /dev/stdin reads a pipe.
    queue
        URL of the queue instead of the configured one.
    group
        Message group on a FIFO queue, whose messages are worked on one after another; the source bucket unless given.
    """
    settings = configure_with_queue(common, queue)
    _check_group(group, settings.queue.url)
    from engine.message import Pointer, parse_body

    text = _read(message)
    read = parse_body(text, name=str(message))
    if isinstance(read, Pointer):
        asyncio.run(_check_document(read.document, settings))
        bucket = read.document.bucket
    else:
        _check(read, f"{message}: mapping", settings)
        bucket = read.source.bucket
    sys.stdout.write(asyncio.run(_send(settings, text, group or bucket[:_GROUP])) + "\n")
    return 0


def _check_group(group: str | None, url: str) -> None:
    if group is None:
        return
    if not url.endswith(".fifo"):
        raise UsageError(f"--group is for FIFO queues, and {url} is none: their names end in .fifo")
    if not re.fullmatch(r"[!-~]{1,128}", group):
        raise UsageError(f"--group must be 1 to {_GROUP} letters, digits or punctuation characters of ASCII")


def _read(path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise MessageError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError:
        raise MessageError("is not UTF-8", file=str(path)) from None
    if "\ufffe" in text or "\uffff" in text:  # of what SQS refuses, all that JSON and UTF-8 let through
        raise MessageError("holds U+FFFE or U+FFFF, which SQS does not take: write \\ufffe or \\uffff", file=str(path))
    return text


def _check(message: Message, mapping: str, settings: Settings) -> None:
    """Refuses what a worker would; ``mapping`` is what errors call a mapping inside the message."""
    from engine.core.mapping import validate_mapping
    from engine.locations import destination_location, source_location

    if message.mapping is not None:
        validate_mapping(message.mapping, mapping)
    source_location(message, settings.source)
    destination_location(message, settings.destination)


async def _check_document(document: DocumentRef, settings: Settings) -> None:
    """Refuses a document that a worker would. Whoever sends may send what he may not read."""
    from engine.adapters.stores import StoresFactory
    from engine.cli.wiring import store_settings
    from engine.intake import read_document

    stores = StoresFactory(store_settings(settings))()
    try:
        message = await read_document(document, stores, settings)
    except AccessDenied:
        return
    finally:
        await stores.aclose()
    _check(message, f"{document}: mapping", settings)


async def _send(settings: Settings, text: str, group: str) -> str:
    from engine.cli.wiring import open_queue

    queue = await open_queue(settings)
    try:
        return await queue.send(text, group=group)
    finally:
        await queue.aclose()
