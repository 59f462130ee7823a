"""Every error of the engine, in one hierarchy.

An error says *what* went wrong (``message``), *where* (``batch``, ``file``, ``row``) and which contract code it
has (``code``). Callers tell errors apart by class, by :attr:`EngineError.code` and by :attr:`EngineError.failure`,
never by text. All of them survive pickling, because workers may be processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

__all__ = [
    "AccessDenied",
    "AlreadyCommitted",
    "BatchFailed",
    "BudgetExceeded",
    "ChecksumMismatch",
    "CompressionError",
    "ConfigError",
    "ConservationError",
    "DestinationExists",
    "DestinationMissing",
    "EngineError",
    "EveryRowFailed",
    "Failure",
    "FileError",
    "HeaderError",
    "InputError",
    "LeaseCeiling",
    "LeaseLost",
    "MappingError",
    "MemoryExceeded",
    "MessageError",
    "OwnAccessDenied",
    "PatternTimeout",
    "Problem",
    "RowRefused",
    "ShuttingDown",
    "SourceChanged",
    "SourceMissing",
    "Stalled",
    "TransformFailed",
    "TransientError",
    "Unavailable",
    "UsageError",
    "WorkerDied",
    "nearest",
    "ours",
]


class Failure(StrEnum):
    """What a failure means for the message that asked for the work (DESIGN section 5)."""

    PERMANENT = "permanent"  # trying again gives the same answer
    TRANSIENT = "transient"  # trying again may succeed
    LEASE_LOST = "lease_lost"  # somebody else may have the message: touch nothing
    SHUTDOWN = "shutdown"  # we were told to stop


class EngineError(Exception):
    """Base of all errors the engine raises on purpose.

    Args:
        message: one line: what is wrong and, where it is not obvious, what to do.
        batch: id of the batch, where known.
        file: source key or path of the file, where known.
        row: data row from 1, where known.
    """

    code: str = "internal-error"
    failure: ClassVar[Failure] = Failure.PERMANENT
    exit_status: ClassVar[int] = 1

    def __init__(
        self, message: str, *, batch: str | None = None, file: str | None = None, row: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.batch = batch
        self.file = file
        self.row = row

    def at(self, *, batch: str | None = None, file: str | None = None) -> EngineError:
        """Fills in a place that was not known where the error arose; returns the error itself."""
        self.batch = self.batch or batch
        self.file = self.file or file
        return self

    def __str__(self) -> str:
        where = ": ".join(
            part for part in (self.batch, self.file, f"row {self.row}" if self.row is not None else None) if part
        )
        return f"{where}: {self.message}" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[EngineError], args: tuple[Any, ...], state: dict[str, Any]) -> EngineError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a document: ``where`` is its path in the document, ``what`` one line about it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class InputError(EngineError):
    """A document or a command line that cannot be used; lists every problem found in it."""

    exit_status = 2
    document: ClassVar[str] = "input"

    def __init__(self, problems: Sequence[Problem] | str, *, file: str | None = None, batch: str | None = None) -> None:
        self.problems = [Problem("", problems)] if isinstance(problems, str) else list(problems)
        super().__init__("; ".join(map(str, self.problems)), file=file, batch=batch)


class UsageError(InputError):
    code = "usage-error"
    document = "command line"


class ConfigError(InputError):
    code = "config-error"
    document = "configuration"


class MappingError(InputError):
    code = "mapping-error"
    document = "mapping"


class MessageError(InputError):
    code = "message-error"
    document = "message"


class DestinationExists(UsageError):
    """The destination already holds a manifest and nobody asked to overwrite it."""

    code = "destination-exists"


class FileError(EngineError):
    """A source file that cannot be processed; trying again gives the same answer."""

    code = "file-error"


class HeaderError(FileError):
    code = "header-error"


class CompressionError(FileError):
    """A compressed file is damaged, cut short, followed by something else, or becomes more text than it may. ``offset``
    is the byte of the file, from 0, that the message speaks of."""

    code = "compression-error"

    def __init__(self, message: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class RowRefused(FileError):
    """A row is bad, and its mapping fails the whole file for it (``fail_file``). ``code`` is the row's own."""

    def __init__(self, message: str, code: str = "file-error", *, row: int | None = None) -> None:
        super().__init__(message, row=row)
        self.code = code


class BudgetExceeded(FileError):
    """More rejected rows than the mapping's budget allows."""

    code = "budget-exceeded"


class PatternTimeout(FileError):
    """A pattern of the mapping ran longer than it may, on a cell or on a chunk. Never a verdict on a row."""

    code = "timeout-error"


class MemoryExceeded(FileError):
    """A row needs more memory than ``limits.memory_bytes`` leaves for it. Here it always will."""

    code = "memory-error"


class TransformFailed(FileError):
    """An operator's transform gave what cannot be used. Its code has to change: trying again gives the same."""

    code = "transform-error"


class EveryRowFailed(TransformFailed):
    """A transform raised on every row of the file: it is broken, or not for such files."""


class SourceMissing(FileError):
    """The key, the bucket or the path does not exist."""

    code = "source-missing"


class SourceChanged(FileError):
    """The file was replaced while it was read, or since it was listed. Read again from its start it may hold still."""

    code = "source-changed"
    failure = Failure.TRANSIENT


class DestinationMissing(EngineError):
    """The bucket or folder that output goes to does not exist; never made by the engine."""

    code = "destination-missing"


class AccessDenied(EngineError):
    """Credentials are missing, refused, or do not allow the call."""

    code = "access-denied"


class OwnAccessDenied(AccessDenied):
    """The engine's own credentials are refused: an operator has to act, and no message is to blame."""


class ConservationError(EngineError):
    """Rows or bytes do not add up. Always a bug or a lying store; the batch must not commit."""

    code = "conservation-error"


class TransientError(EngineError):
    """Network, throttling, server faults: worth another try."""

    code = "transient-error"
    failure = Failure.TRANSIENT


class Unavailable(TransientError):
    """Our own side (destination, mapping store, queue) cannot be used now. Says nothing about the message in hand."""

    code = "unavailable"


class ChecksumMismatch(TransientError):
    """What was read is not what the store's checksum of the object says."""

    code = "checksum-mismatch"


class Stalled(TransientError):
    """No byte of the batch has advanced for ``queue.stall_s``."""

    code = "stalled"


class LeaseCeiling(TransientError):
    """The queue keeps a message invisible no longer than 12 hours; the batch goes on at the next receive."""

    code = "lease-ceiling"


class WorkerDied(TransientError):
    """The worker that held the file ended; the file was not finished."""

    code = "worker-died"


class LeaseLost(EngineError):
    """The message may be someone else's by now."""

    code = "lease-lost"
    failure = Failure.LEASE_LOST


class AlreadyCommitted(LeaseLost):
    """Another worker committed the batch while this one worked on it: the message and the output are its own."""

    code = "already-committed"


class ShuttingDown(EngineError):
    """The work was given up because the process was told to stop."""

    code = "shutting-down"
    failure = Failure.SHUTDOWN


class BatchFailed(EngineError):
    """A batch that did not commit: nothing of it is visible.

    Args:
        errors: what failed, one per file (or one for the whole batch); never empty.
    """

    code = "batch-failed"

    def __init__(self, batch: str, errors: Sequence[EngineError]) -> None:
        self.errors = [error.at(batch=batch) for error in errors]
        listed = "; ".join(f"{error.file or 'batch'}: {error.code}: {error.message}" for error in self.errors)
        super().__init__(f"{len(self.errors)} failed: {listed}", batch=batch)

    @property
    def kind(self) -> Failure:
        """The worst class among the failures: a lost lease, then shutdown, then permanent, then transient."""
        kinds = {error.failure for error in self.errors}
        order = (Failure.LEASE_LOST, Failure.SHUTDOWN, Failure.PERMANENT, Failure.TRANSIENT)
        return next(kind for kind in order if kind in kinds)


def ours(error: BaseException, *, configured: bool = True) -> bool:
    """Whether a failure, or one of several, lies with our own side, so that other messages would meet it too.

    Args:
        configured: the batch goes where ``config.toml`` says, not to a bucket that its message named: a bucket that
            is not there, or refuses us, is then the operator's to mend.
    """
    if isinstance(error, BatchFailed | BaseExceptionGroup):
        inner = error.errors if isinstance(error, BatchFailed) else error.exceptions
        return any(ours(each, configured=configured) for each in inner)
    kinds = (Unavailable, DestinationMissing, OwnAccessDenied) if configured else (Unavailable,)
    return isinstance(error, kinds)


def nearest(name: str, valid: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"`` for the valid name closest to ``name``, in any case; empty when none is close."""
    import difflib  # only where something is wrong

    folded = {candidate.casefold(): candidate for candidate in valid}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f" (did you mean {folded[found[0]]!r}?)" if found else ""
