"""Storms of all kinds, one after another for a given time, and one table over all of them.

The first is the kill storm: one worker, a hundred kills. Then, in turn: several workers on one queue, killed, and
frozen for longer than their leases; a foul network; worker processes of the build with the GIL; all at once. Ends with
status 1 when anything was lost, repeated, half done or left over.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random, SystemRandom

from tests.moto import LOCAL_AWS_ENV, Aws, moto_server
from tests.site import Site
from tests.soak.samples import samples
from tests.soak.storm import Plan, storm
from tests.soak.tally import Tally
from tests.soak.workers import engine_of

_THREADS = (engine_of(".venv"), "threads")
_PROCESSES = (engine_of(".venv-gil"), "processes")
_STORMS = ("kill storm", "several workers", "foul network", "processes", "all at once")


def _plans(random: Random, kills: int) -> Iterator[tuple[str, Plan]]:
    """The storms, without end."""
    yield "kill storm", Plan(messages=20, kills=kills, engines=(_THREADS,))
    while True:
        several = tuple(random.choices((_THREADS, _PROCESSES), k=random.randint(2, 3)))
        yield "several workers", Plan(messages=12, kills=10, freezes=8, engines=several)
        yield "foul network", Plan(messages=8, kills=6, engines=(_THREADS,), foul=True)
        yield "processes", Plan(messages=6, kills=12, engines=(_PROCESSES,), leases="strict")
        yield "all at once", Plan(messages=10, kills=8, freezes=6, engines=(_THREADS, _THREADS), foul=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=15.0, help="no storm begins later than this; 15 unless given")
    parser.add_argument("--kills", type=int, default=100, help="of the first storm, the kill storm; 100 unless given")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="another one each time")
    parser.add_argument("--only", choices=_STORMS, help="storms of this kind alone")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    # Nothing here may reach real AWS, or take credentials from this machine.
    for name in [name for name in os.environ if name.startswith(("AWS_", "ENGINE_"))]:
        del os.environ[name]
    os.environ.update(LOCAL_AWS_ENV, AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    with tempfile.TemporaryDirectory(prefix="engine-soak-") as name, moto_server(Path(name) / "moto.log") as server:
        total = _soak(Aws(server), Path(name), options)
    print(f"\nseed {options.seed}\n{total}\n\n{'good' if total.good else 'NOT GOOD'}")
    return 0 if total.good else 1


def _soak(aws: Aws, folder: Path, options: argparse.Namespace) -> Tally:
    started, total = time.monotonic(), Tally()
    site = Site.make(aws, folder)
    files = samples(options.seed, big_rows=40_000)
    for sample in files:
        aws.put(site.source, sample.key, sample.data)
    for number, (name, plan) in zip(count(), _plans(Random(options.seed), options.kills), strict=False):
        if options.only not in (None, name):
            continue
        if total.batches and time.monotonic() - started > options.minutes * 60:
            break
        print(f"{name}: ", end="", flush=True)
        tally = storm(site, files, plan, f"{options.seed} {number}")
        total.add(tally)
        print(
            f"{tally.batches} batches, {tally.kills} kills, {tally.freezes} freezes, {tally.resumed} files"
            f" resumed, {tally.seconds:.0f} s: {'good' if tally.good else 'NOT GOOD'}",
            *tally.complaints,
            sep="\n  ",
            flush=True,
        )
    return total


if __name__ == "__main__":
    sys.exit(main())
