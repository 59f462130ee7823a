"""Errors say what and where, survive processes, and are told apart by class and code."""

from __future__ import annotations

import pickle

import pytest

from engine import errors
from engine.errors import (
    AccessDenied,
    BatchFailed,
    DestinationMissing,
    EngineError,
    Failure,
    FileError,
    MappingError,
    OwnAccessDenied,
    Problem,
    SourceMissing,
    TransientError,
    Unavailable,
    WorkerDied,
    nearest,
    ours,
)

CLASSES = [getattr(errors, name) for name in errors.__all__]
KINDS = [cls for cls in CLASSES if isinstance(cls, type) and issubclass(cls, EngineError)]


@pytest.mark.parametrize("cls", KINDS)
def test_errors_cross_processes(cls: type[EngineError]) -> None:
    """Every error, with its place, is the same after pickling."""
    error: EngineError
    if cls is BatchFailed:
        error = BatchFailed("b", [SourceMissing("no such key", file="a.csv")])
    else:
        error = cls("went wrong")
        error.at(batch="b", file="a.csv")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)
    assert (copy.batch, copy.file, copy.row, copy.message) == (error.batch, error.file, error.row, error.message)


def test_text_says_where_and_what() -> None:
    """The text of an error is batch, file, row and message, as far as they are known."""
    assert str(FileError("broken", batch="b1", file="a.csv", row=7)) == "b1: a.csv: row 7: broken"
    assert str(FileError("broken")) == "broken"


def test_a_place_is_filled_in_but_not_replaced() -> None:
    """What is known where an error arose is not overwritten by those who pass it on."""
    error = SourceMissing("gone", file="a.csv").at(batch="b1", file="other.csv")
    assert (error.batch, error.file) == ("b1", "a.csv")


def test_a_document_lists_all_its_problems() -> None:
    """An input error shows every problem with its place in the document."""
    error = MappingError([Problem("fields[0].type", "is required"), Problem("", "too long")], file="m.json")
    assert str(error) == "m.json: fields[0].type: is required; too long"


def test_a_batch_fails_as_its_worst_failure() -> None:
    """One permanent failure makes the batch permanent; a lost lease outranks all."""
    gone, died = SourceMissing("gone", file="a"), WorkerDied("killed", file="b")
    assert BatchFailed("b", [died]).kind is Failure.TRANSIENT
    assert BatchFailed("b", [died, gone]).kind is Failure.PERMANENT
    assert BatchFailed("b", [gone, errors.LeaseLost("late")]).kind is Failure.LEASE_LOST
    assert "a: source-missing: gone" in str(BatchFailed("b", [died, gone]))


def test_nearest() -> None:
    """The nearest valid name is offered, whatever its case; nothing when nothing is near."""
    assert nearest("delimeter", ["delimiter", "quote"]) == " (did you mean 'delimiter'?)"
    assert nearest("AMOUNT", ["amount"]) == " (did you mean 'amount'?)"
    assert nearest("xyz", ["delimiter"]) == ""


@pytest.mark.parametrize(
    ("error", "configured", "elsewhere"),
    [
        (Unavailable("down"), True, True),
        (TransientError("the client's side"), False, False),
        (SourceMissing("gone"), False, False),
        (AccessDenied("to the client's bucket"), False, False),
        (DestinationMissing("no bucket"), True, False),
        (OwnAccessDenied("not ours"), True, False),
        (BatchFailed("b", [SourceMissing("gone"), Unavailable("down")]), True, True),
        (BatchFailed("b", [TransientError("reset")]), False, False),
        (ExceptionGroup("", [SourceMissing("gone"), ExceptionGroup("", [Unavailable("down")])]), True, True),
        (ExceptionGroup("", [RuntimeError("a bug")]), False, False),
    ],
)
def test_what_is_our_own(error: Exception, configured: bool, elsewhere: bool) -> None:
    """Only what any other message would meet too; a bucket that one message named is that message's own trouble."""
    assert ours(error, configured=True) is configured
    assert ours(error, configured=False) is elsewhere
