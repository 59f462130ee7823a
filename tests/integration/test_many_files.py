"""A batch of a thousand files (with ENGINE_TEST_EXAMPLES=10, of ten thousand): resumed unread, committed whole."""

from __future__ import annotations

import resource
import time

import pytest

from engine.manifest import Manifest
from tests.batches import ROOT, at_manifest, attempt, batch, fill, open_watching
from tests.examples import at_least

FILES = at_least(1_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_any_number_of_files_is_one_batch() -> None:
    """An attempt ends before its manifest is written; the next one reads no file, and its manifest lists them all, in
    order, with the figures of what lies there; nothing else is left."""
    began = time.monotonic()
    async with open_watching() as world:
        names = await fill(world.source, FILES)
        await attempt(world, batch(names), at_manifest)
        first_s = time.monotonic() - began
        committed = await world.run(batch(names))
        assert committed.resumed == FILES
        assert world.source.count("read", "piece") == 0
        body = await world.destination.get(f"{ROOT}manifest.json")
        manifest = Manifest.from_json(body)
        assert [file.source for file in manifest.files] == names
        assert (manifest.rows_read, manifest.rows_rejected) == (3 * FILES, FILES)
        await world.is_committed(names)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    resumed_s = time.monotonic() - began - first_s
    print(f"{first_s:.1f} s, resumed in {resumed_s:.1f} s, manifest of {len(body):,} bytes, peak {peak_mb:.0f} MB")
