"""What is said of a queue whose settings would hurt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.config import QueueSettings
from engine.ports import QueueFacts
from engine.queue_check import warnings

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/work"
SETTINGS = QueueSettings(url=URL, visibility_s=300)
SOUND = QueueFacts(visibility_s=300, retention_s=345_600, most_receives=5, dead_letter_retention_s=1_209_600)


def test_a_sound_queue_is_not_worth_a_word() -> None:
    """Settings as the manual asks for them give no warning, nor does a dead-letter queue that may not be looked at."""
    assert warnings(SOUND, SETTINGS) == []
    assert warnings(replace(SOUND, dead_letter_retention_s=None), SETTINGS) == []
    assert warnings(replace(SOUND, visibility_s=43_200, most_receives=3), SETTINGS) == []


@pytest.mark.parametrize(
    ("facts", "settings", "named"),
    [
        (replace(SOUND, most_receives=None, dead_letter_retention_s=None), {}, "has no redrive policy"),
        (replace(SOUND, most_receives=2), {}, "after 2 receives"),
        (replace(SOUND, dead_letter_retention_s=345_600), {}, "dead-letter queue for 345,600 s"),
        (replace(SOUND, dead_letter_retention_s=60), {}, "dead-letter queue for 60 s"),
        (replace(SOUND, visibility_s=299), {}, "visibility timeout of 299 s, less than queue.visibility_s (300)"),
        (SOUND, {"visibility_s": 29}, "queue.visibility_s is 29"),
    ],
    ids=["redrive", "receives", "same-retention", "retention", "visibility", "ours"],
)
def test_each_weak_setting_is_one_line(facts: QueueFacts, settings: dict[str, int], named: str) -> None:
    """Every setting that loses or repeats work is named with its figure, in one line that says what to do."""
    (line,) = warnings(facts, SETTINGS.model_copy(update=settings))
    assert named in line
    assert "\n" not in line
    assert "; set " in line or "; give " in line


def test_all_of_them_are_listed() -> None:
    """One weak setting does not hide another."""
    assert len(warnings(QueueFacts(10, 345_600, 1, 345_600), SETTINGS.model_copy(update={"visibility_s": 20}))) == 4


def test_a_fifo_queue_counts_a_moved_messages_age_anew() -> None:
    """The dead-letter queue of a FIFO queue may keep messages for as long as the queue itself."""
    fifo = SETTINGS.model_copy(update={"url": URL + ".fifo"})
    assert warnings(replace(SOUND, dead_letter_retention_s=345_600), fifo) == []
