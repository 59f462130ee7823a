"""How slow a peer may be, judged by the time spent waiting for it."""

from __future__ import annotations

import pytest

from engine.adapters.aws.reader import Pace


@pytest.mark.parametrize("rate", [100, 101, 5000])
def test_pace_allows_the_rate(rate: int) -> None:
    """A peer that keeps up the rate is always given more time."""
    pace = Pace(100, 10.0)
    for _ in range(1000):
        pace.add(1.0, rate)
        assert pace.left_s > 0


def test_pace_judges_windows() -> None:
    """What a window owes ends it well at once; until then every wait shortens what is left of it."""
    pace = Pace(100, 10.0, slow=True)
    pace.add(9.0, 0)
    assert (pace.left_s, pace.slow) == (1.0, True)
    pace.add(0.5, 1000)
    assert (pace.left_s, pace.slow) == (10.0, False)
    pace.add(9.5, 999)
    assert pace.left_s == 0.5
    pace.restart()
    assert pace.left_s == 10.0
    pace.add(0.0, 999)
    assert pace.left_s == 10.0
    pace.add(4.0, 0)
    assert pace.left_s == 6.0


def test_pace_owes_for_all_the_time() -> None:
    """A window that lasted longer than its time owes bytes for all of it."""
    pace = Pace(100, 10.0)
    pace.add(9.0, 10)
    pace.add(9.0, 1000)
    assert pace.left_s < 0
    pace.add(0.0, 790)
    assert pace.left_s == 10.0


def test_pace_of_zero_allows_anything() -> None:
    """Without a least rate nothing that comes is too slow, and each wait may be as long as a window."""
    pace = Pace(0, 10.0)
    for _ in range(100):
        pace.add(9.0, 1)
        assert pace.left_s == 10.0
    assert not pace.slow
