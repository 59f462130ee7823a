"""Files from pools: the same bytes everywhere, as many as asked for, and exactly the bad rows they say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.peers.loop import Loop
from bench.pooled import write_corpus
from bench.workloads import WORKLOADS

pytestmark = pytest.mark.one_build("gil")

_SHA256 = {
    "mixed": "73f2db1c5ebc9932cf90e7ce2df225dd97b363d26e9c7bd8514af9b63538e72b",
    "plain": "3a891b5c60d6566de4202be0f893f10063f748bb4ea4ec941255187f49172cf8",
    "hard": "689d618ce82475c8639e948a4dfc2500910aba3a7eb8d7e0aceef9a608123968",
}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_same_bytes_on_every_build(workload: str, tmp_path: Path) -> None:
    """The bytes are pinned: results of different days and machines are of the same files."""
    corpus = write_corpus(workload, 0.01, 2, 300_000, tmp_path / "in")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in corpus.files)).hexdigest()
    assert digest == _SHA256[workload]
    assert corpus.files[0].read_bytes() != corpus.files[1].read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.05])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_reference_writes_all_good_rows(workload: str, share: float, tmp_path: Path) -> None:
    """Good rows, and only they, pass the reference converters; sizes and rows are those of the files."""
    corpus = write_corpus(workload, share, 2, 200_000, tmp_path / "in")
    assert sum(Loop(workload, "jsonl").run(path, tmp_path / "out") for path in corpus.files) == corpus.good
    assert corpus.rows - corpus.good == pytest.approx(share * corpus.rows, rel=0.5)
    assert corpus.size == sum(path.stat().st_size for path in corpus.files) >= 400_000
    assert sum(path.read_bytes().count(b"\n") - 1 for path in corpus.files) == corpus.rows
