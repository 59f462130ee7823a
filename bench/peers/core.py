"""The engine's core: what a pipeline does with a file, without stores, loops and threads."""

from __future__ import annotations

from pathlib import Path

from bench.workloads import plan_of
from engine.core.encoders.formats import Format
from engine.core.transform import Transform

__all__ = ["PIECE", "Core"]

PIECE = 1_048_576
"""Bytes that are read at once: ``source.read_bytes`` of the configuration."""


class Core:
    """The engine's core with a plan compiled before, as a worker has it."""

    def __init__(self, workload: str, format_: Format) -> None:
        self._plan = plan_of(workload, format_)

    def run(self, source: Path, output: Path) -> int:
        """Rejects go beside the output, under ``.rejects``."""
        transform = Transform(self._plan, file=source.name)
        with (
            source.open("rb", buffering=0) as file,
            output.open("wb", buffering=0) as data,
            output.with_suffix(".rejects").open("wb", buffering=0) as rejects,
        ):
            while piece := file.read(PIECE):
                for made in transform.feed(piece):
                    data.write(made.data)
                    rejects.write(made.rejects)
            for made in transform.finish():
                data.write(made.data)
                rejects.write(made.rejects)
        return transform.counts.rows_written
