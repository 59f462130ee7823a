"""From a message to the batch it asks for."""

from __future__ import annotations

from engine.batch import Batch, SourceFile
from engine.config import Settings
from engine.core.mapping import load_mapping, validate_mapping
from engine.locations import destination_location, source_location
from engine.message import Message, parse_message
from engine.ports import Delivery, MappingStore

__all__ = ["read_batch", "read_message"]


async def read_message(delivery: Delivery, mappings: MappingStore, settings: Settings) -> Batch:
    """Parses a delivery's body and looks up its mapping.

    Raises:
        MessageError: the body is not a message, or asks for what the operator does not allow.
        MappingError: there is no such mapping, or it is not valid.
        TransientError: the mapping store cannot be reached.
    """
    return await read_batch(parse_message(delivery.body), mappings, settings)


async def read_batch(message: Message, mappings: MappingStore, settings: Settings) -> Batch:
    """The batch that a valid message asks for; raises as :func:`read_message`."""
    destination, root = destination_location(message, settings.destination)
    source = source_location(message, settings.source)
    if message.mapping is not None:
        mapping = validate_mapping(message.mapping, "mapping of the message")
    else:
        name, text = await mappings.get(message.mapping_id or "")
        mapping = load_mapping(text, name)
    files = [SourceFile(ref.key, ref.version_id) for ref in message.files or ()]
    return Batch(
        batch_id=message.batch_id,
        mapping=mapping,
        source=source,
        files=message.prefix if message.prefix is not None else files,
        destination=destination,
        root=root,
        correlation_id=message.correlation_id,
    )
