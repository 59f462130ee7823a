"""The files that a batch reads: as named, or found under a prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.bounded import each
from engine.errors import MessageError, SourceMissing
from engine.lease import Hold
from engine.names import MAX_FILES
from engine.ports import Location, ObjectStore

__all__ = ["SourceFile", "find_sources"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a batch.

    Attributes:
        name: what output keys are derived from, by default the key.
        replay: None for a CSV file; for the reject file of one, the labels of that one's header.
    """

    key: str
    version_id: str | None = None
    size: int = 0
    name: str | None = None
    replay: tuple[str, ...] | None = None


async def find_sources(
    wanted: Sequence[SourceFile] | str, place: Location, store: ObjectStore, hold: Hold, *, sized: bool
) -> list[SourceFile]:
    """The files of a batch.

    Args:
        wanted: the files, or the key prefix under which all objects are meant.
        place: of ``store``, for errors.
        sized: their sizes are asked for, even where that takes a call a file.

    Raises:
        SourceMissing: nothing lies under the prefix.
        MessageError: more lies there than a batch may have.
    """
    if isinstance(wanted, str):
        return await _listed(wanted, place, store, hold)
    if not sized or all(file.size for file in wanted):
        return list(wanted)

    async def measured(file: SourceFile) -> SourceFile:
        info = await store.head(file.key)
        hold.advanced()
        return replace(file, size=info.size if info is not None else 0)  # a missing one is reported when it is read

    return await each(measured, wanted)


async def _listed(prefix: str, place: Location, store: ObjectStore, hold: Hold) -> list[SourceFile]:
    """Raises MessageError where there are more than a batch may have: memory is bounded, and so is time, whatever a
    bucket holds or says that it holds."""
    found: list[SourceFile] = []
    seen = 0
    async for info in store.list(prefix):
        hold.advanced()
        seen += 1
        marker = info.key.endswith("/")  # what consoles make for an empty folder
        if seen > 2 * MAX_FILES or (len(found) == MAX_FILES and not marker):
            raise MessageError(f"prefix: more than {MAX_FILES:,} objects lie under {place}/{prefix}: split the batch")
        if not marker:
            found.append(SourceFile(info.key, size=info.size))
    if not found:
        raise SourceMissing(f"no object under {place}/{prefix}: check the prefix")
    return found
