"""A destination that takes the first part of a file and refuses the next: nothing visible, nothing left, one line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.adapters.local import LocalStore
from engine.adapters.settings import StoreSettings
from engine.errors import Unavailable
from engine.ports import Upload
from tests.cli.command import engine, write_mapping
from tests.faults import Match, Refuse, Rule, fault_proxy
from tests.integration.rig import Rig, table
from tests.moto import Aws

LONG = table("x" * 1000, rows=8000)
"""Some 8 MB, which become two parts of 5 MiB at least."""


def test_a_refused_part_leaves_nothing(aws: Aws, tmp_path: Path) -> None:
    """The second part of a file is refused: for the request's sake, which is final, and for our own keys', which is
    no fault of the message: it waits, and commits when it is let."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path, proxy)
        for batch in ("invalid", "forbidden"):
            rig.put(batch)
            aws.put(rig.site.source, f"{batch}/1.csv", LONG)
        invalid = proxy.add(Rule(Match("UploadPart", key="out/invalid/data/invalid/1.jsonl"), Refuse(400), after=1))
        forbidden = Match("UploadPart", key="out/forbidden/data/forbidden/1.jsonl")
        denied = proxy.add(Rule(forbidden, Refuse(403), after=1))
        rig.send(rig.message("invalid", ["invalid/0.csv", "invalid/1.csv"]))
        with rig.worker(ENGINE_DESTINATION__PART_BYTES=str(5 << 20)) as worker:
            rig.until_empty(worker)
            (letter,) = rig.letters()
            assert letter["attributes"]["engine_file"] == "invalid/1.csv"
            assert len(worker.events("message failed")) == 1
            assert rig.site.output() == {}
            assert aws.open_uploads(rig.site.destination) == []
            keys = ["forbidden/0.csv", "forbidden/1.csv"]
            rig.send(rig.message("forbidden", keys))
            (failed, *_) = worker.wait_for("message failed", batch_id="forbidden")
            assert failed["code"] == "access-denied"
            assert "out/forbidden/data/forbidden/1.jsonl" in failed["error"]
            assert rig.site.output().keys() <= {key for key in rig.site.output() if "/checkpoints/" in key}
            proxy.remove(denied)
            rig.until_empty(worker)
            worker.stop()
        assert invalid.hits >= 1
        rig.assert_committed("forbidden", keys)
        rig.assert_clean()


@contextmanager
def small_disk(folder: Path, limits: str) -> Iterator[None]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", limits, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"may not mount a small disk here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A folder on a disk too small for the batch: exit status 1 and one line that says so; the disk is empty again."""
    (tmp_path / "0.csv").write_bytes(table("small"))
    (tmp_path / "1.csv").write_bytes(LONG)
    mapping = write_mapping(tmp_path)
    with small_disk(tmp_path / "disk", "size=3m"):
        done = engine("run", mapping, "0.csv", "1.csv", "--output", "disk/out", cwd=tmp_path)
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("engine: ")]
        assert "no space left on device" in line
        assert "Traceback" not in done.stderr
        left = [path for path in (tmp_path / "disk").rglob("*") if path.is_file()]
        assert left == []


@pytest.mark.parametrize("names", range(2, 9))
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
async def test_a_disk_without_room_for_a_name(tmp_path: Path, names: int) -> None:
    """Wherever in the making of an upload the disk is full, nothing of it stays there."""
    with small_disk(tmp_path / "disk", f"nr_inodes={names}"):
        store = LocalStore(str(tmp_path / "disk"), StoreSettings())
        uploads: list[Upload] = []

        async def fill() -> None:
            while True:
                uploads.append(await store.begin(f"data/{len(uploads)}.jsonl"))

        with pytest.raises(Unavailable):
            await fill()
        assert len([upload async for upload in store.open_uploads("")]) == len(uploads)
        for upload in uploads:
            await upload.abort()
        assert list((tmp_path / "disk").iterdir()) == []
