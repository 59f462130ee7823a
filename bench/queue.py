"""``python -m bench queue``: ``engine worker`` drains a queue of messages over HTTP, against a local SQS and S3.

The stand-in is plain Python and shares the machine's cores: only ratios between the engine's builds say something.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.contenders import TOOLS, absent
from bench.data import Activity, activity_mapping, write
from bench.results import new_result, save
from bench.served import ROOT
from bench.watched import Took, watch
from engine.adapters.aws.moto import LOCAL_AWS_ENV, Moto, moto_server

__all__ = ["main", "measure_queue"]

_BASE = "engine-3.13t-threads"  # what the others are compared with


def measure_queue(files: int, size: int, messages: int, rounds: int, workers: Sequence[int]) -> list[dict[str, Any]]:
    """One record a build and number of workers; its ratio is to 3.13t's threads with as many, round by round."""
    tools = [tool for tool in TOOLS if tool.key.startswith("engine-") and absent(tool) is None]
    taken: dict[tuple[str, int], list[Took]] = {}
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        (folder / "mappings").mkdir()
        (folder / "mappings" / "activity.json").write_text(json.dumps(activity_mapping()), encoding="utf-8")
        sources = [folder / f"{number}.csv" for number in range(files)]
        rejected = sum(
            len(write(Activity(size=size, corrupt=0.001, first_id=1 + number * 10**6), path))
            for number, path in enumerate(sources)
        )
        runs = [(tool, count) for tool in tools for count in workers]
        for number in range(rounds):
            for turn in range(len(runs)):
                tool, count = runs[(turn + number) % len(runs)]
                with moto_server(folder / "moto.log") as moto:  # a fresh one each: it keeps all that it is given
                    env = _prepare(moto, sources, messages, folder)
                    engine = str(ROOT / tool.python / "bin" / "engine")
                    command = [engine, "worker", "--drain", "--workers", str(count), *tool.arguments]
                    took = watch(command, cwd=folder, env=env)
                    _check(moto, messages, rejected)
                taken.setdefault((tool.key, count), []).append(took)
                sys.stderr.write(f"queue: {tool.name}, {count} workers: {took.wall:.1f} s\n")
    total = files * size * messages
    return [_report(key, count, found, taken[_BASE, count], total) for (key, count), found in taken.items()]


def _report(key: str, workers: int, runs: Sequence[Took], base: Sequence[Took], size: int) -> dict[str, Any]:
    return {
        "contender": f"{key}-{workers}",
        "workers": workers,
        "mb_s": size / statistics.median(run.wall for run in runs) / 1e6,
        "speed_ratio": statistics.median(other.wall / run.wall for run, other in zip(runs, base, strict=True)),
        "cpu_ratio": statistics.median(other.cpu / run.cpu for run, other in zip(runs, base, strict=True)),
        "peak_mb": max(run.peak_mb for run in runs),
    }


def _prepare(moto: Moto, sources: Sequence[Path], messages: int, folder: Path) -> dict[str, str]:
    for bucket in ("client", "ours"):
        moto.make_bucket(bucket)
    queue = moto.make_queue("work", visibility_s=600)
    with contextlib.closing(moto.client("s3")) as s3, contextlib.closing(moto.client("sqs")) as sqs:
        for path in sources:
            with path.open("rb") as body:
                s3.put_object(Bucket="client", Key=path.name, Body=body)
        for number in range(messages):
            message = {
                "version": 1,
                "batch_id": f"batch-{number}",
                "mapping_id": "activity",
                "source": {
                    "bucket": "client",
                    "endpoint_url": moto.endpoint_url,
                    "credentials": {"access_key_id": "client", "secret_access_key": "client"},
                },
                "files": [path.name for path in sources],
            }
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    return {
        **LOCAL_AWS_ENV,
        "ENGINE_QUEUE__URL": queue,
        "ENGINE_QUEUE__ENDPOINT_URL": moto.endpoint_url,
        "ENGINE_QUEUE__WAIT_S": "1",
        "ENGINE_SOURCE__ALLOW_ENDPOINTS": json.dumps([moto.endpoint_url]),
        "ENGINE_DESTINATION__ENDPOINT_URL": moto.endpoint_url,
        "ENGINE_DESTINATION__BUCKET": "ours",
        "ENGINE_MAPPINGS__STORE": str(folder / "mappings"),
        "ENGINE_LOG__LEVEL": "error",
    }


def _check(moto: Moto, messages: int, rejected: int) -> None:
    """Every batch is committed, with the rows rejected that were corrupted."""
    with contextlib.closing(moto.client("s3")) as s3:
        for number in range(messages):
            body = s3.get_object(Bucket="ours", Key=f"batch-{number}/manifest.json")["Body"].read()
            found = sum(entry["rows_rejected"] for entry in json.loads(body)["files"])
            if found != rejected:
                raise SystemExit(f"batch {number}: {found} rows rejected, {rejected} were corrupted")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table, and writes what ``--json`` and ``--keep`` ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench queue", description="A worker drains a queue.")
    parser.add_argument("--files", type=int, default=4, help="files of a message (default 4)")
    parser.add_argument("--mb", type=float, default=8, help="megabytes of each file (default 8)")
    parser.add_argument("--messages", type=int, default=2, help="messages on the queue (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each build; medians count (default 3)")
    parser.add_argument("--workers", type=int, action="append", help="how many workers (default 2)")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--keep", action="store_true", help="keep the result in bench/results")
    options = parser.parse_args(arguments)
    size = int(options.mb * 1_000_000)
    result = new_result("queue", files=options.files, mb=options.mb, messages=options.messages, rounds=options.rounds)
    result["results"] = measure_queue(options.files, size, options.messages, options.rounds, options.workers or [2])
    print(f"\n{'queue, through a local SQS and S3':36}{'x speed':>9}{'x CPU':>7}{'MB':>6}   (of 3.13t, threads)")
    for each in result["results"]:
        print(f"{each['contender']:36}{each['speed_ratio']:>9.2f}{each['cpu_ratio']:>7.2f}{each['peak_mb']:>6.0f}")
    save(result, keep=options.keep, path=options.json)
