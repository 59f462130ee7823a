"""From a message to the batch it asks for."""

from __future__ import annotations

import asyncio

from engine.batch import Batch
from engine.config import Settings
from engine.errors import AccessDenied, EngineError, MessageError, SourceMissing, Unavailable
from engine.locations import destination_location, document_location, source_location
from engine.message import MAX_DOCUMENT_BYTES, DocumentRef, Message, Pointer, parse_body, parse_message
from engine.patterntrial import load_foreign, validate_foreign
from engine.ports import Delivery, MappingStore, ObjectStore, Stores
from engine.sources import SourceFile

__all__ = ["read_batch", "read_document", "read_message"]


async def read_message(delivery: Delivery, mappings: MappingStore, stores: Stores, settings: Settings) -> Batch:
    """Parses a delivery's body, or the document that it points to, and looks up its mapping.

    Raises:
        MessageError: that is not a message, or asks for what the operator does not allow.
        SourceMissing: the document does not exist, and its bucket does.
        AccessDenied: the mapping may not be read, and others may.
        MappingError: there is no such mapping, or it is not valid.
        OwnAccessDenied: the document, or the mapping store, may not be read: all of both is our own side.
        Unavailable: the document's bucket or the mapping store is not there, or cannot be reached; or patterns cannot
            be tried.
        TransientError: the document was replaced while it was read.
    """
    # On a thread, here and below: one with 100,000 files, or with 10,000 problems, takes a second.
    read = await asyncio.to_thread(parse_body, delivery.body)
    message = await read_document(read.document, stores, settings) if isinstance(read, Pointer) else read
    try:
        return await read_batch(message, mappings, settings)
    except EngineError as error:
        error.at(batch=message.batch_id)
        raise


async def read_document(document: DocumentRef, stores: Stores, settings: Settings) -> Message:
    """The message that a pointer leads to; raises as :func:`read_message`. Errors name the document by its URL."""
    store = await stores.open(document_location(document, settings))
    try:
        async with store.read(document.key, version_id=document.version_id) as reader:
            if reader.info.size > MAX_DOCUMENT_BYTES:
                what = f"is {reader.info.size:,} bytes long and a message has at most {MAX_DOCUMENT_BYTES:,}"
                raise MessageError(f"{what}: split the batch", file=str(document))
            body = b"".join([piece async for piece in reader])
    except SourceMissing:
        await _look_for_bucket(store, document)
        what = "the document of the message does not exist: put it there, then send the pointer again"
        raise SourceMissing(what, file=str(document)) from None
    return await asyncio.to_thread(parse_message, body, name=str(document))


async def _look_for_bucket(store: ObjectStore, document: DocumentRef) -> None:
    """Raises Unavailable where there is no bucket: the operator allows it by name, so no message is to blame."""
    try:
        await anext(store.list(document.key), None)
    except SourceMissing as error:
        raise Unavailable(f"the bucket of the message's document does not exist: s3://{document.bucket}") from error
    except AccessDenied:
        pass  # it may be read and not listed, so it is there


async def read_batch(message: Message, mappings: MappingStore, settings: Settings) -> Batch:
    """The batch that a valid message asks for; raises as :func:`read_message`."""
    destination, root = destination_location(message, settings.destination)
    source = source_location(message, settings.source)
    if message.mapping is not None:
        mapping = await validate_foreign(message.mapping, "mapping of the message")
    else:
        name, text = await mappings.get(message.mapping_id or "")
        mapping = await load_foreign(text, name)
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
