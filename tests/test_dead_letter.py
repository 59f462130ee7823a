"""What is said of a message on its way to the dead-letter queue."""

from __future__ import annotations

from engine.dead_letter import attributes
from engine.errors import HeaderError, MessageError, SourceMissing, TransientError
from engine.ports import Delivery

DELIVERY = Delivery("m-1", "secret-receipt", '{"secret_access_key": "hidden"}', receive_count=3)


def test_the_first_error_that_cannot_pass_is_the_reason() -> None:
    """A transient error is not what a message is given up for; the others are counted, the most frequent first."""
    errors = [
        TransientError("try again").at(file="a.csv"),
        HeaderError("no column 'id'").at(file="b.csv"),
        SourceMissing("gone").at(file="c.csv"),
        SourceMissing("gone").at(file="d.csv"),
    ]
    assert attributes(DELIVERY, "b-1", errors) == {
        "engine_code": "header-error",
        "engine_batch_id": "b-1",
        "engine_message_id": "m-1",
        "engine_receive_count": "3",
        "engine_file": "b.csv",
        "engine_reason": "no column 'id'; and 3 more: 2 source-missing, 1 transient-error",
    }


def test_a_message_that_cannot_be_read_has_no_batch_and_no_file() -> None:
    """What is not known is left out; nothing of body or receipt is repeated."""
    assert attributes(DELIVERY, None, [MessageError("is not JSON")]) == {
        "engine_code": "message-error",
        "engine_message_id": "m-1",
        "engine_receive_count": "3",
        "engine_reason": "is not JSON",
    }


def test_a_long_reason_is_cut_and_still_counts_the_others() -> None:
    """A message with 10,000 faults makes an attribute of a few kilobytes."""
    reason = attributes(DELIVERY, "b", [SourceMissing("x" * 50_000), SourceMissing("y")])["engine_reason"]
    assert reason == "x" * 2047 + "…; and 1 more: 1 source-missing"
    assert attributes(DELIVERY, "b", [SourceMissing("x" * 2048)])["engine_reason"] == "x" * 2048
