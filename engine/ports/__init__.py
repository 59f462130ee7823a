"""What the engine needs from the outside, as protocols. ``adapters`` implements them; nothing else knows an SDK.

All objects here belong to one event loop: they are opened on it, used on it and closed on it. What crosses a thread
or a process (locations, pending uploads, deliveries) is plain frozen data.
"""

from engine.ports.mappings import MappingStore
from engine.ports.objects import (
    Credentials,
    LocalLocation,
    Location,
    ObjectInfo,
    ObjectReader,
    ObjectStore,
    OpenStores,
    OpenUpload,
    Part,
    PendingUpload,
    S3Location,
    SharedUpload,
    Standing,
    Stores,
    Upload,
)
from engine.ports.queues import Delivery, Queue, QueueFacts

__all__ = [
    "Credentials",
    "Delivery",
    "LocalLocation",
    "Location",
    "MappingStore",
    "ObjectInfo",
    "ObjectReader",
    "ObjectStore",
    "OpenStores",
    "OpenUpload",
    "Part",
    "PendingUpload",
    "Queue",
    "QueueFacts",
    "S3Location",
    "SharedUpload",
    "Standing",
    "Stores",
    "Upload",
]
