"""``engine run`` on one large file: all workers, and the output of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench.data import Activity, activity_mapping, write
from tests.cli.command import EXECUTORS, engine
from tests.moto import Aws

pytestmark = pytest.mark.slow

SIZE = 24_000_000
SPLIT = {"ENGINE_POOL__SPLIT_BYTES": "3000000", "ENGINE_DESTINATION__PART_BYTES": "5242880"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with quoted newlines and bad rows, its mapping, and what one worker makes of them."""
    folder = tmp_path_factory.mktemp("split")
    write(Activity(size=SIZE, corrupt=0.002, newlines=0.1, crlf=True, bom=True), folder / "big.csv")
    (folder / "activity.json").write_text(json.dumps(activity_mapping()))
    run(folder, "big.csv", "whole", "--workers", "1")
    return folder


def run(folder: Path, source: str, output: str, *flags: str, **env: str) -> dict[str, Any]:
    """One run; returns the manifest's entry of the file."""
    done = engine(
        "run", "activity.json", source, "--output", output, "--report", "report.json", *flags, cwd=folder, env=env
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((folder / "report.json").read_text())
    entry: dict[str, Any] = report["files"][0]
    return entry


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("format_name", ["jsonl", "csv"])
def test_text_is_the_same_to_the_byte(folder: Path, executor: str, format_name: str) -> None:
    """With either executor: data, rejects and the manifest's figures are those of one worker."""
    flags = ["--format", format_name, "--overwrite"]
    whole = run(folder, "big.csv", f"whole-{format_name}", "--workers", "1", *flags)
    split = run(folder, "big.csv", "split", "--workers", "3", "--executor", executor, *flags, **SPLIT)
    for path in (f"data/big.{format_name}", "rejects/big.jsonl"):
        assert (folder / "split" / path).read_bytes() == (folder / f"whole-{format_name}" / path).read_bytes()
    for entry in (whole, split):
        for name in ("output", "rejects"):
            del entry[name]["etag"]
    assert split == whole
    assert not list(folder.glob("split/.*"))


def test_parquet_is_several_files(folder: Path) -> None:
    """The manifest lists them in order, and together they hold the rows of the one file."""
    flags = ["--format", "parquet"]
    run(folder, "big.csv", "whole-parquet", "--workers", "1", *flags)
    split = run(folder, "big.csv", "split-parquet", "--workers", "2", *flags, **SPLIT)
    objects = [split["output"], *split["more_outputs"]]
    assert [entry["key"] for entry in objects] == [f"data/big.{number:05d}.parquet" for number in range(10)]
    found = pq.read_table([folder / "split-parquet" / entry["key"] for entry in objects])
    assert found.equals(pq.read_table(folder / "whole-parquet/data/big.parquet"))


def test_s3_to_s3(folder: Path, aws: Aws) -> None:
    """Ranges are read from a bucket, and the parts of one upload to another sent by all workers."""
    source, destination = aws.bucket("source"), aws.bucket("destination")
    aws.put(source, "in/big.csv", (folder / "big.csv").read_bytes())
    env = {"ENGINE_SOURCE__ENDPOINT_URL": aws.endpoint_url, "ENGINE_DESTINATION__ENDPOINT_URL": aws.endpoint_url}
    entry = run(folder, f"s3://{source}/in/big.csv", f"s3://{destination}/out", "--workers", "2", **SPLIT, **env)
    found = aws.objects(destination)
    assert set(found) == {"out/data/big.jsonl", "out/rejects/big.jsonl", "out/manifest.json"}
    assert found["out/data/big.jsonl"] == (folder / "whole/data/big.jsonl").read_bytes()
    assert int(entry["output"]["etag"].rpartition("-")[2]) > 3
    whole = (folder / "whole/rejects/big.jsonl").read_bytes()
    assert found["out/rejects/big.jsonl"] == whole.replace(b'"file":"big.csv"', b'"file":"in/big.csv"')
    assert aws.open_uploads(destination) == []
