"""The S3 and SQS that scripts/image-check has the image's worker use: real ones in so far as they are behind HTTP.

    .venv/bin/python scripts/image_aws.py FOLDER

FOLDER/in has what ``python -m bench.data`` wrote. Starts a server on this machine's loopback, fills it, puts one
message on the queue, writes the worker's environment to FOLDER/env and says ``ready``. At each line on standard input
it says whether that batch is committed whole and the queue is empty. Ends, with the server, when standard input does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from engine.adapters.aws.moto import LOCAL_AWS_ENV, REGION, Moto, moto_server

SOURCE, DESTINATION, BATCH = "client-exports", "destination", "image-check"


def main(folder: Path) -> int:
    files = sorted((folder / "in").glob("*.csv"))
    with moto_server(folder / "moto.log") as moto:
        queue = fill(moto, files)
        environment = {
            **{name: LOCAL_AWS_ENV[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
            "ENGINE_QUEUE__URL": queue,
            "ENGINE_QUEUE__ENDPOINT_URL": moto.endpoint_url,
            "ENGINE_QUEUE__WAIT_S": "2",
            "ENGINE_QUEUE__DEAD_LETTER_URL": queue + "-dead-letters",
            "ENGINE_DESTINATION__BUCKET": DESTINATION,
            "ENGINE_DESTINATION__ENDPOINT_URL": moto.endpoint_url,
            "ENGINE_SOURCE__ALLOW_ENDPOINTS": json.dumps([moto.endpoint_url]),
            "ENGINE_MAPPINGS__STORE": "/data/in/",
        }
        (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
        say("ready")
        for _ in sys.stdin:
            say(verdict(moto, queue, files))
    return 0


def fill(moto: Moto, files: list[Path]) -> str:
    """Buckets, files, a queue and one message on it; returns the queue's URL."""
    moto.make_bucket(DESTINATION)
    moto.make_bucket(SOURCE)
    s3 = moto.client("s3")
    for path in files:
        s3.put_object(Bucket=SOURCE, Key=f"day/{path.name}", Body=path.read_bytes())
    s3.close()
    moto.make_queue("work-dead-letters", MessageRetentionPeriod="1209600")
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:123456789012:work-dead-letters", "maxReceiveCount": 5}
    queue = moto.make_queue("work", visibility_s=300, RedrivePolicy=json.dumps(redrive))
    message = {
        "version": 1,
        "batch_id": BATCH,
        "mapping_id": "activity",
        "source": {
            "bucket": SOURCE,
            "endpoint_url": moto.endpoint_url,
            "credentials": {"access_key_id": "client", "secret_access_key": "made-up"},
        },
        "files": [f"day/{path.name}" for path in files],
    }
    sqs = moto.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    sqs.close()
    return queue


def verdict(moto: Moto, queue: str, files: list[Path]) -> str:
    objects = read(moto)
    manifest = objects.get(f"{BATCH}/manifest.json")
    if manifest is None:
        return f"wrong: no manifest among {sorted(objects)}"
    entries: list[dict[str, Any]] = json.loads(manifest)["files"]
    sums = {name: sum(entry[name] for entry in entries) for name in ("rows_read", "rows_written", "rows_rejected")}
    written = sum(body.count(b"\n") for key, body in objects.items() if key.startswith(f"{BATCH}/data/"))
    rejected = sum(body.count(b"\n") for key, body in objects.items() if key.startswith(f"{BATCH}/rejects/"))
    if (len(entries), sums["rows_written"], sums["rows_rejected"]) != (len(files), written, rejected):
        return f"wrong: {len(entries)} files, {written} rows and {rejected} rejects where the manifest has {sums}"
    if not written or sums["rows_read"] != written + rejected:
        return f"wrong: {sums}"
    left = waiting(moto, queue)
    return (
        f"wrong: {left} messages left" if left else f"right: {written} rows written, {rejected} rejected, queue empty"
    )


def read(moto: Moto) -> dict[str, bytes]:
    s3 = moto.client("s3")
    try:
        listed = s3.list_objects_v2(Bucket=DESTINATION).get("Contents", [])
        return {entry["Key"]: s3.get_object(Bucket=DESTINATION, Key=entry["Key"])["Body"].read() for entry in listed}
    finally:
        s3.close()


def waiting(moto: Moto, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs = moto.client("sqs")
    try:
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    finally:
        sqs.close()
    return sum(int(value) for value in found.values())


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
