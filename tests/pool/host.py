"""A process that runs a pool, to be killed or interrupted by a test: ``python -m tests.pool.host EXECUTOR FOLDER``.

Prints ``running`` when one blocked file on each of two workers is being read, and how it ended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

from engine.pool.build import Executor
from engine.pool.open import open_pool
from tests.pool.scripted import Scripted, file_job


async def main(executor: Executor, folder: Path) -> None:
    async with open_pool(executor, 2, 1, Scripted()) as pool:
        reading = [asyncio.Event() for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            for worker, event in enumerate(reading):
                job = file_job(folder, f"f{worker}", "block")
                group.create_task(pool.run(job, worker, lambda _, event=event: event.set()))  # type: ignore[misc]
            for event in reading:
                await event.wait()
            print("running", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(cast(Executor, sys.argv[1]), Path(sys.argv[2])))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
