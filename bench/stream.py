"""``engine worker`` over HTTP: one large file out of a local S3 and back, its time and its peak memory.

The S3 stand-in is plain Python and shares the machine's cores: the time says little about the engine, the memory does.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.data import Activity, activity_mapping, write
from bench.run import run_once
from engine.adapters.aws.moto import LOCAL_AWS_ENV, Moto, moto_server

__all__ = ["measure_stream"]


def measure_stream(megabytes: int, workers: int) -> list[dict[str, Any]]:
    """One record: seconds, rows/s, MB/s and peak memory of a worker that streams one file of ``megabytes``."""
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        (folder / "mappings").mkdir()
        (folder / "mappings" / "activity.json").write_text(json.dumps(activity_mapping()), encoding="utf-8")
        source = folder / "big.csv"
        corrupted = write(Activity(size=megabytes * 1_000_000, corrupt=0.001), source)
        size = source.stat().st_size
        with moto_server(folder / "moto.log") as moto:
            environment = _prepare(moto, source, folder)
            engine = str(Path(sys.executable).with_name("engine"))
            command = [engine, "worker", "--drain", "--workers", str(workers)]
            seconds, peak_mb = run_once(command, env={**os.environ, **environment})
            manifest = _manifest(moto)
    (entry,) = manifest["files"]
    if (entry["bytes_read"], entry["rows_rejected"]) != (size, len(corrupted)):
        raise SystemExit(f"wrong result: {entry}")
    return [
        {
            "what": f"engine worker, 1 file through S3, {size / 1e6:.0f} MB, {workers} workers",
            "seconds": seconds,
            "rows_s": entry["rows_read"] / seconds,
            "mb_s": size / seconds / 1e6,
            "peak_mb": peak_mb,
        }
    ]


def _prepare(moto: Moto, source: Path, folder: Path) -> dict[str, str]:
    for bucket in ("client", "ours"):
        moto.make_bucket(bucket)
    queue = moto.make_queue("work", visibility_s=600)
    message = {
        "version": 1,
        "batch_id": "big",
        "mapping_id": "activity",
        "source": {
            "bucket": "client",
            "endpoint_url": moto.endpoint_url,
            "credentials": {"access_key_id": "client", "secret_access_key": "client"},
        },
        "files": ["big.csv"],
    }
    s3, sqs = moto.client("s3"), moto.client("sqs")
    with source.open("rb") as body:
        s3.put_object(Bucket="client", Key="big.csv", Body=body)
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    s3.close()
    sqs.close()
    return {
        **LOCAL_AWS_ENV,
        "ENGINE_QUEUE__URL": queue,
        "ENGINE_QUEUE__ENDPOINT_URL": moto.endpoint_url,
        "ENGINE_SOURCE__ALLOW_ENDPOINTS": json.dumps([moto.endpoint_url]),
        "ENGINE_DESTINATION__ENDPOINT_URL": moto.endpoint_url,
        "ENGINE_DESTINATION__BUCKET": "ours",
        "ENGINE_MAPPINGS__STORE": str(folder / "mappings"),
        "ENGINE_LOG__LEVEL": "warning",
    }


def _manifest(moto: Moto) -> dict[str, Any]:
    s3 = moto.client("s3")
    try:
        manifest: dict[str, Any] = json.loads(s3.get_object(Bucket="ours", Key="big/manifest.json")["Body"].read())
    finally:
        s3.close()
    return manifest
