"""How much memory the engine needs at most, as a formula of its configuration.

With N workers, M pipelines each, and ``held`` the source text that one pipeline holds before it is converted::

    bound    = process x PROCESS + N x worker

    process  = 1 for threads; 1 + N for processes: the coordinator, and each worker has an interpreter of its own
    worker   = WORKER + CONVERT x held + M x pipeline, and for Parquet 2 x group, and where files are split 2 x range
    pipeline = 3 x read_bytes + UNPACK + WAITING x held + 4 x part, and for Parquet group
    held     = max(chunk, 2 x record) + max(read_bytes, step)
    range    = part + RANGE

``PROCESS``
    an interpreter with everything imported, the coordinator's own clients, and what the allocator keeps.
``WORKER``
    an event loop, its stack, its session and S3 clients, its compiled plans, the allocator's per-thread reserves.
``held``
    pieces are gathered until there is a chunk. A record longer than a chunk is gathered until it ends, and looked at
    again only when twice as much has come, so up to twice its length is held; the piece that completes it comes on top.
``CONVERT x held``
    what converting takes beside the text itself: columns, masks, typed values, Python's view of JSON cells, output.
    Converting never waits, so a worker does it for one pipeline at a time, and the term counts once a worker.
``WAITING x held``
    what a pipeline keeps while it waits for the network between two conversions: the text gathered, the parsed
    columns, and the output on its way into a part.
``3 x read_bytes``
    the piece just read, the next one arriving, and the connection's own buffers.
``UNPACK``
    a compressed file's window, the decompressor's own buffers and the text that it gives in one ``step``.
``4 x part``
    for the data and for the rejects, one part being filled and one on its way. ``part`` is ``part_bytes``, which holds
    for an upload's first thousand parts and doubles with each thousand after it, so that 10,000 are never reached.

``group``
    the rows of a Parquet row group, gathered until there are enough; the worker writes one at a time, beside a copy of
    its columns and the pages that they become.

``range``
    what a range of a file that is split leaves until those before it are done: its first and last bytes, of a part at
    most, and its rejects. Two files are split at a time; results of ranges wait, for each worker one more than it runs.

``record`` is what tells the figures apart: 0 for files whose rows are much shorter than a chunk, ``row_bytes`` when
every pipeline holds the longest row there may be, all at once.

``CONVERT`` and ``WAITING`` are bytes a byte of text, measured on ordinary rows. Of rows of a few bytes each, what
becomes of a row is far more than it: a kilobyte of reject record, or forty named nulls. They fit the same terms because
a chunk has no more than ``CHUNK_ROWS`` rows and ``CHUNK_CELLS`` cells.

The bound is enforced by :func:`fit`: as many files run at once as fit where every one writes Parquet. What memory is
left then is for long rows, which pipelines share (:mod:`engine.longrows`): few files have any.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.decompress import STEP_BYTES
from engine.core.limits import ROW_GROUP_BYTES
from engine.errors import ConfigError, Problem
from engine.longrows import Room
from engine.pool.build import Executor

__all__ = [
    "CONVERT",
    "PROCESS",
    "RANGE",
    "UNPACK",
    "WAITING",
    "WORKER",
    "Fit",
    "MemoryBound",
    "Sizes",
    "fit",
    "memory_bound",
]

_MIB = 1 << 20

PROCESS = 160 * _MIB  # measured: 128 MiB free-threaded, 117 MiB with the GIL, all imported and two clients open
WORKER = 48 * _MIB  # measured: 17 MiB for a second session and its S3 client; the rest is stack and allocator
CONVERT = 24  # measured: 24 bytes a byte between chunks of 1 and 4 MiB of activity data, 15 between 4 and 16 MiB
UNPACK = 12 * _MIB  # measured: 11 MiB for zstd with the largest window that is read, 8 MiB; 2 MiB for gzip
RANGE = 13 * _MIB  # by construction: the least part that S3 takes, 5 MiB, and 8 MiB of rejects
WAITING = 4  # by construction: pieces, joined text, columns, output


@dataclass(frozen=True, slots=True)
class MemoryBound:
    """In bytes of resident memory, all processes together.

    Attributes:
        usual: for files whose rows are much shorter than a chunk.
        parquet: the same where every pipeline writes Parquet.
        longest: and where every pipeline holds a row of ``row_bytes`` at the same moment.
    """

    usual: int
    parquet: int
    longest: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the bound depends on beside N and M: sizes in bytes, and whether large files are read in ranges."""

    read_bytes: int
    chunk_bytes: int
    part_bytes: int
    row_bytes: int
    split: bool = False

    def held(self, record: int) -> int:
        """The text that a pipeline holds before it is converted, where records are so long."""
        return max(self.chunk_bytes, 2 * record) + max(self.read_bytes, STEP_BYTES)


def memory_bound(executor: Executor, workers: int, pipelines: int, sizes: Sizes) -> MemoryBound:
    """The bound for N workers of M pipelines; this module's text explains every term.

    Args:
        executor: ``threads`` share one interpreter, ``processes`` have one each.
    """

    def bound(record: int, group: int) -> int:
        held = sizes.held(record)
        pipeline = 3 * sizes.read_bytes + UNPACK + WAITING * held + 4 * sizes.part_bytes + group
        worker = WORKER + CONVERT * held + 2 * group + pipelines * pipeline
        if sizes.split:
            worker += 2 * (sizes.part_bytes + RANGE)
        return _processes(executor, workers) * PROCESS + workers * worker

    return MemoryBound(bound(0, 0), bound(0, ROW_GROUP_BYTES), bound(sizes.row_bytes, ROW_GROUP_BYTES))


def _processes(executor: Executor, workers: int) -> int:
    return 1 + (workers if executor == "processes" else 0)


@dataclass(frozen=True, slots=True)
class Fit:
    """What runs in the memory there is.

    Attributes:
        workers, pipelines: N and M, as wanted or fewer.
        bound: what they need at most.
        room: for long rows, in each process that runs files; None where every pipeline may hold one at any time.
        longest: bytes of the longest row that there is room for, ``row_bytes`` at most.
        warning: what is less than was wanted, and why; None where nothing is.
    """

    workers: int
    pipelines: int
    bound: MemoryBound
    room: Room | None
    longest: int
    warning: str | None = None


def fit(limit: int, executor: Executor, workers: int, pipelines: int, sizes: Sizes, *, fewer_workers: bool) -> Fit:
    """As many pipelines as fit into so much memory, whatever format they write.

    Args:
        limit: bytes of resident memory, all processes together.
        workers, pipelines: N and M that are wanted.
        fewer_workers: whether N is ours to choose, so that it may be less than ``workers``.

    Raises:
        ConfigError: not even one file at a time on each worker would fit.
    """

    def need(n: int, m: int) -> int:
        return memory_bound(executor, n, m, sizes).parquet

    n = workers
    if fewer_workers:
        n = next((count for count in range(workers, 1, -1) if need(count, 1) <= limit), 1)
    if need(n, 1) > limit:
        most = next((count for count in range(n - 1, 0, -1) if need(count, 1) <= limit), 0)
        advice = f"set pool.workers to {most} or less" if most else "lower destination.part_bytes or source.read_bytes"
        what = f"{_mib(limit)} of memory are too few for {_count(n, 'worker')} with a file each, {_mib(need(n, 1))}"
        raise ConfigError([Problem("limits.memory_bytes", f"{what}: {advice}, or give the engine more")])
    m = next(count for count in range(pipelines, 0, -1) if need(n, count) <= limit)
    warning = None
    if (n, m) != (workers, pipelines):
        wanted = f"{_count(workers, 'worker')} with {_count(pipelines, 'file')} at once would need"
        warning = f"{wanted} {_mib(need(workers, pipelines))} of {_mib(limit)} of memory: running {n} with {m}"
    bound = memory_bound(executor, n, m, sizes)
    if bound.longest <= limit:
        return Fit(n, m, bound, None, sizes.row_bytes, warning)
    spare = (limit - bound.parquet) // (CONVERT + WAITING)
    usual = sizes.held(0)
    room = Room(
        chunk=sizes.chunk_bytes,
        piece=usual - sizes.chunk_bytes,
        row=sizes.held(sizes.row_bytes) - usual,
        total=spare // n if executor == "processes" else spare,
    )
    longest = sizes.row_bytes if room.total >= room.row else (room.chunk + room.total) // 2
    return Fit(n, m, bound, room, longest, warning)


def _mib(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
