"""Real files through real workers: what the executors promise to be alike."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from bench.data import Activity, activity_mapping, build
from engine.adapters.stores import StoresFactory
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.pipeline import FileJob, FileProgress
from engine.pool.build import Executor
from engine.pool.open import open_pool
from engine.ports import LocalLocation

FILES = 6


async def outputs(executor: Executor, source: Path, destination: Path) -> dict[str, bytes]:
    """Maps every file of ``source`` on two workers and completes the uploads; the bytes by key."""
    mapping = validate_mapping(activity_mapping(), "mapping")
    open_stores = StoresFactory()
    read: Counter[int] = Counter()

    def on_progress(progress: FileProgress) -> None:
        read[progress.index] = progress.bytes_read

    async with open_pool(executor, 2, 2, open_stores) as pool:
        jobs = [
            FileJob(
                batch_id="b",
                index=index,
                source=LocalLocation(str(source)),
                key=f"{index}.csv",
                version_id=None,
                size=0,
                destination=LocalLocation(str(destination)),
                data_key=f"data/{index}.jsonl",
                rejects_key=f"rejects/{index}.jsonl",
                mapping=mapping.canonical,
                mapping_sha256=mapping.sha256,
                limits=Limits(),
            )
            for index in range(FILES)
        ]
        results = await asyncio.gather(*(pool.run(job, job.index % 2, on_progress) for job in jobs))
    assert [result.bytes_read for result in results] == [read[index] for index in range(FILES)]
    store = await open_stores().open(LocalLocation(str(destination)))
    written = {}
    for result in results:
        for upload in (result.data, result.rejects):
            assert upload is not None
            await store.complete(upload)
            written[upload.key] = await store.get(upload.key)
    return written


async def test_threads_and_processes_give_identical_bytes(tmp_path: Path) -> None:
    """The same files on threads and on processes become the same data and the same rejects, byte for byte."""
    source = tmp_path / "source"
    source.mkdir()
    for index in range(FILES):
        data, corrupted = build(Activity(rows=2_000, seed=index, corrupt=0.01))
        assert corrupted
        (source / f"{index}.csv").write_bytes(data)
    threads = await outputs("threads", source, tmp_path / "threads")
    processes = await outputs("processes", source, tmp_path / "processes")
    assert len(threads) == 2 * FILES
    assert all(threads.values())
    assert threads == processes
