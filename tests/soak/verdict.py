"""What came of a storm's batches: compared with the oracle, with their manifests, and with nothing else being there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from tests.oracle import read_jsonl, read_rejects
from tests.soak.samples import Sample
from tests.soak.tally import Tally

__all__ = ["Destination", "is_whole", "judge", "judge_rest"]


class Destination:
    """Our bucket, looked at as those see it who read batches; for one thread."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def listed(self, prefix: str) -> dict[str, tuple[int, str]]:
        """Size and ETag of every object, by key."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        return {entry["Key"]: (entry["Size"], entry["ETag"].strip('"')) for entry in entries}

    def get(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def open_uploads(self) -> list[str]:
        return [entry["Key"] for entry in self._client.list_multipart_uploads(Bucket=self._bucket).get("Uploads", [])]

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._client.delete_object(Bucket=self._bucket, Key=key)


def is_whole(there: Destination, root: str) -> bool:
    """Whether the batch has no manifest, or one whose every object is there as it says."""
    found = there.listed(root)
    if f"{root}manifest.json" not in found:
        return True
    manifest = json.loads(there.get(f"{root}manifest.json"))
    return all(found.get(entry["key"]) == (entry["bytes"], entry["etag"]) for entry in _entries(manifest))


def judge(there: Destination, batches: Mapping[str, Sequence[Sample]], tally: Tally) -> set[str]:
    """Compares every batch with what it must be; returns the keys of all that they are made of.

    Args:
        batches: the files of each, by its id; all lie under ``out/``.
        tally: gets the figures.
    """
    found = there.listed("out/")
    keys: set[str] = set()
    for batch_id, files in batches.items():
        key = f"out/{batch_id}/manifest.json"
        if key not in found:
            tally.lost += sum(sample.expected.rows_read for sample in files)
            tally.complaints.append(f"{batch_id} has no manifest")
            continue
        manifest = json.loads(there.get(key))
        keys |= {key, *(entry["key"] for entry in _entries(manifest))}
        if not is_whole(there, f"out/{batch_id}/"):
            tally.half_visible += 1
            tally.complaints.append(f"{batch_id}: the objects are not those of its manifest")
            continue
        tally.batches += 1
        if [file["source"] for file in manifest["files"]] != [sample.key for sample in files]:
            tally.complaints.append(f"{batch_id}: its manifest names other files")
            continue
        for file, sample in zip(manifest["files"], files, strict=True):
            _judge_file(there, batch_id, file, sample, tally)
    return keys


def judge_rest(there: Destination, expected: AbstractSet[str], tally: Tally) -> None:
    """Looks at the whole bucket, when the janitor has been there: only ``expected`` may be left. Then empties it."""
    left = there.listed("")
    strays, gone = left.keys() - expected, expected - left.keys()
    tally.strays += len(strays)
    tally.complaints += [f"left over: {key}" for key in sorted(strays)[:5]]
    tally.complaints += [f"the janitor took {key}" for key in sorted(gone)[:5]]
    uploads = there.open_uploads()
    tally.open_uploads += len(uploads)
    tally.complaints += [f"an open upload of {key}" for key in uploads[:5]]
    there.remove(sorted(left))


def _judge_file(there: Destination, batch_id: str, file: Mapping[str, Any], sample: Sample, tally: Tally) -> None:
    expected, where = sample.expected, f"{batch_id}: {sample.key}"
    tally.files += 1
    tally.rows_in += file["rows_read"]
    figures = (file["rows_read"], file["rows_written"], file["rows_rejected"], file["bytes_read"])
    right = (expected.rows_read, len(expected.values), len(expected.rejects), len(sample.data))
    if figures != right:
        tally.complaints.append(f"{where}: rows read, written, rejected and bytes are {figures}, not {right}")
    output = there.get(file["output"]["key"])
    tally.rows_out += output.count(b"\n")
    if sample.output is None and read_jsonl(output) == expected.rows:
        sample.output = output
    if output != sample.output:
        tally.complaints.append(f"{where}: the output is not the oracle's")
    if sample.output is not None:
        lines, known = Counter(output.splitlines()), Counter(sample.output.splitlines())
        tally.duplicates += (lines - known).total()
        tally.lost += (known - lines).total()
    if bool(file["rejects"]) != bool(expected.rejects):
        tally.complaints.append(f"{where}: rejects {file['rejects']}, {len(expected.rejects)} are due")
    elif file["rejects"]:
        rejects = there.get(file["rejects"]["key"])
        tally.rejected += rejects.count(b"\n")
        if read_rejects(rejects) != expected.rejects:
            tally.complaints.append(f"{where}: the rejects are not the oracle's")


def _entries(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for file in manifest["files"] for entry in (file["output"], file["rejects"]) if entry]
