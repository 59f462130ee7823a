"""The benchmarks of workers, of the queue and of start-up: small runs of each, whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import queue, scaling, startup
from bench.contenders import TOOLS, Tool
from bench.startup import WANTED, measure_startup

pytestmark = pytest.mark.one_build("gil")


@pytest.fixture
def tool() -> Tool:
    """The engine of the environment under test."""
    try:
        return next(tool for tool in TOOLS if tool.key in scaling.KEYS and tool.python == Path(sys.prefix).name)
    except StopIteration:
        pytest.skip("this environment is none of the checkout's")


@pytest.mark.slow
def test_workers_are_compared_with_fewer(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number of workers has its throughput and memory; speed-ups are to the fewest."""
    monkeypatch.setattr(scaling, "TOOLS", (tool,))
    one, two = scaling.measure_scaling("plain", "jsonl", [1, 2], 2, 100_000, 1)
    assert (one["workers"], one["speedup"], two["workers"]) == (1, 1.0, 2)
    assert min(one["mb_s"], two["mb_s"], two["speedup"]) > 0
    assert min(one["peak_mb"], two["peak_mb"]) > 50


@pytest.mark.slow
def test_a_queue_is_drained_and_checked(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker commits every message's batch; the base of the ratios is itself."""
    monkeypatch.setattr(queue, "TOOLS", (tool,))
    monkeypatch.setattr(queue, "_BASE", tool.key)
    (found,) = queue.measure_queue(files=2, size=50_000, messages=2, rounds=1, workers=[1])
    assert (found["speed_ratio"], found["cpu_ratio"]) == (1.0, 1.0)
    assert found["mb_s"] > 0


@pytest.mark.slow
def test_start_up_is_measured(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command has its figures, and each of those that the report knows what is wanted of it."""
    monkeypatch.setattr(startup, "_BUILDS", {"this": tool.python})
    found = {each["what"]: each for each in measure_startup(1, small_files=3)}
    assert set(WANTED) - set(found) == {"run, 500 files of 10 kB"}
    assert 0 < found["--version"]["cpu"] < found["run, 1 kB"]["cpu"]
