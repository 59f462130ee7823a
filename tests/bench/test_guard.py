"""The core has not become slow: a ratio of processor times within one process, never a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import guard
from bench.guard import LEAST, speed_ratio
from bench.peers.core import Core

pytestmark = pytest.mark.one_build("free-threaded")


@pytest.mark.slow
def test_the_core_is_as_much_faster_than_a_loop_over_cells_as_ever() -> None:
    """Mixed rows to JSON Lines against pyarrow by hand; measured again before it fails, as a machine may hiccup."""
    ratios = []
    for _ in range(4):
        ratios.append(speed_ratio())
        if ratios[-1] >= LEAST:
            return
    pytest.fail(f"the core is {max(ratios):.1f} times as fast as pyarrow by hand; {LEAST:.1f} is the least")


class _Slow(Core):
    """The core at an eighth of its speed."""

    def run(self, source: Path, output: Path) -> int:
        for _ in range(7):
            super().run(source, output)
        return super().run(source, output)


@pytest.mark.slow
def test_a_slow_core_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that takes eight times as long is under the bar."""
    monkeypatch.setattr(guard, "Core", _Slow)
    assert min(speed_ratio() for _ in range(3)) < LEAST
