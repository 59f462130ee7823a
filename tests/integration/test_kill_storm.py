"""Workers that are killed at any moment, over and over: what comes out is what an undisturbed one would have made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.moto import Aws
from tests.site import Site
from tests.soak.samples import samples
from tests.soak.storm import Plan, storm

KILLS = 4  # `make soak` goes on for as long as it is told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_worker_killed_over_and_over_loses_and_repeats_nothing(aws: Aws, tmp_path: Path) -> None:
    """Killed in different phases of its batches, a worker commits each exactly once, equal to the oracle's; after the
    janitor nothing else is left."""
    site = Site.make(aws, tmp_path)
    files = samples(1, big_rows=18_000)
    for sample in files:
        aws.put(site.source, sample.key, sample.data)
    tally = storm(site, files, Plan(messages=4, kills=KILLS), "short")
    print(tally)
    assert tally.complaints == []
    assert tally.kills == KILLS
    assert tally.batches == tally.messages >= 4
    assert tally.good
