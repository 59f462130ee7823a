"""A pattern that runs too long fails the file, whatever the machine is busy with, and never labels a row."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest
import regex

from engine.core.limits import Limits
from engine.core.stepping.compile import compile_step
from engine.core.stepping.guard import Guard
from engine.core.steps import Step
from engine.errors import PatternTimeout

EVIL = r"(?:a|a)+(?<!b)[cd]"  # doubles its time with each further a; not for RE2
SLOW = "a" * 40


@pytest.mark.parametrize("step", [{"regex": {"pattern": EVIL}}, {"replace": {"pattern": EVIL, "with": ""}}])
def test_a_slow_cell_fails_the_file(step: dict[str, object]) -> None:
    """Kernel and reference raise the contract's timeout-error; good cells beside the slow one change nothing."""
    converter = compile_step(Step.model_validate(step), Limits(regex_timeout_s=0.05))
    with pytest.raises(PatternTimeout) as caught:
        converter.kernel(pa.array(["ac", SLOW, None, "b"], pa.string()))
    assert caught.value.code == "timeout-error"
    with pytest.raises(PatternTimeout):
        converter.reference(SLOW)
    assert converter.reference("ac") is not None


def test_many_cells_that_are_slow_together_fail_the_file() -> None:
    """Cells that each stay below their limit are stopped by the chunk's."""
    converter = compile_step(Step.model_validate({"regex": {"pattern": EVIL}}), Limits(regex_timeout_s=0.05))
    cells = pa.array(["a" * 14 + str(row) for row in range(60_000)], pa.string())
    with pytest.raises(PatternTimeout, match="on a chunk"):
        converter.kernel(cells)


def test_the_time_of_other_threads_does_not_count() -> None:
    """A pattern is given the processor time of its own thread, though the package counts that of all."""
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    pattern = regex.compile(EVIL)
    guard = Guard(timeout_s=30.0, free_length=0)
    calls: list[float] = []

    def match(text: str, timeout: float) -> object:
        calls.append(timeout)
        if len(calls) == 1:  # as if the other threads had used up the first allowance
            raise TimeoutError
        return pattern.search(text, timeout=timeout)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert guard.one(match, "a" * 10) is None
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert calls == [30.0, 60.0]


def test_memory_that_runs_out_is_no_verdict_either() -> None:
    """A pattern that takes all memory fails the file as one that takes too long does."""

    def match(text: str, timeout: float = 0) -> None:
        raise MemoryError

    for free in (0, 10):
        with pytest.raises(PatternTimeout):
            list(Guard(1.0, free).many(match, ["a"]))
    with pytest.raises(PatternTimeout):
        Guard(1.0, 0).one(match, "a")


def test_results_are_in_order() -> None:
    """Every cell has its result, in order, in guarded and in free stretches."""
    texts = [("x" * (row % 7)) + str(row) for row in range(200)]
    pattern = regex.compile(r"\d+")
    for free in (0, 4, 100):
        matched = [match for matches in Guard(5.0, free).many(pattern.search, texts) for match in matches]
        found = [match and match[0] for match in matched]
        assert found == [str(row) for row in range(200)]
    assert list(Guard(5.0, 0).many(pattern.search, [])) == []
