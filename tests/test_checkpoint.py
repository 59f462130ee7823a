"""A checkpoint says all that its file's place in the commit needs, and counts for the very same work only."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

import engine.checkpoint
from engine.checkpoint import Checkpoint, checkpoint_key, fingerprint
from engine.core.limits import Limits
from engine.core.transform import Counts
from engine.pipeline import FileJob, FileResult
from engine.ports import LocalLocation, ObjectInfo, Part, PendingUpload, S3Location
from tests.batches import DESTINATION, SOURCE

COUNTS = Counts(rows_read=3, rows_written=2, rows_rejected=1, cells_nulled=5)
COUNTS.codes.update({"type-error": 2, "missing-cell": 1})
RESULT = FileResult(
    index=4,
    source=ObjectInfo("in/ä \u2028.csv", 12_345, "etag", "v1", modified=1.5),
    bytes_read=12_345,
    counts=COUNTS,
    data=PendingUpload("b/data/ä", "id-1", (Part(1, "e1", 8, "crc1"), Part(2, "e2", 3)), "token-1"),
    rejects=PendingUpload("b/rejects/ä", "id-2", (Part(1, "e3", 9),), "token-2"),
    labels=("id", "näme", ""),
)
JOB = FileJob(
    batch_id="b1", index=0, source=SOURCE, key="in/a.csv", version_id=None, size=0, destination=DESTINATION,
    data_key="b/data/a", rejects_key="b/rejects/a", mapping=b"{}", mapping_sha256="sha", limits=Limits(),
)  # fmt: skip


@pytest.mark.parametrize("result", [RESULT, replace(RESULT, rejects=None, labels=())])
def test_reads_back_what_it_wrote(result: FileResult) -> None:
    """Every field survives, types included: counts that are added to, parts with their checksums, tokens."""
    checkpoint = Checkpoint("fingerprint", "attempt", result)
    again = Checkpoint.from_json(checkpoint.to_json())
    assert again == checkpoint
    assert again.result.source.modified == 1.5
    assert type(again.result.counts.codes) is type(COUNTS.codes)
    again.result.counts.codes["new"] += 1
    assert again.to_json() != checkpoint.to_json()


WRITTEN = Checkpoint("fingerprint", "attempt", RESULT).to_json()


def _without(name: str) -> bytes:
    document = json.loads(WRITTEN)
    del document["result"][name]
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"\0" * 100, WRITTEN[:-3], WRITTEN.replace(b'"index":4', b'"index":"x"'),
     _without("data"), _without("counts"), b"[" * 10_000],
)  # fmt: skip
def test_what_is_no_checkpoint_is_none(text: bytes) -> None:
    """Garbage, a text cut short, a document of another version: none of them is an error, and none counts."""
    assert Checkpoint.from_json(text) is None


def test_no_cut_of_a_checkpoint_is_one() -> None:
    """Whatever is left of a checkpoint that was cut short does not count."""
    assert {Checkpoint.from_json(WRITTEN[:cut]) for cut in range(len(WRITTEN) - 1)} == {None}


def test_its_key_is_that_of_the_source_object() -> None:
    """One key for each key and version, below the batch's root, in the form that the janitor looks for."""
    places = {
        checkpoint_key(root, key, version)
        for root in ("", "b/")
        for key in ("a", "a/b", "ä", 'a","b')
        for version in (None, "", "null", "b")
    }
    assert len(places) == 2 * 4 * 4
    assert all(place.removeprefix("b/").startswith("checkpoints/") and place.endswith(".json") for place in places)
    assert checkpoint_key("b/", "a", None) == checkpoint_key("b/", "a", None)


CHANGES: dict[str, Any] = {
    "source": LocalLocation("elsewhere"),
    "key": "in/b.csv",
    "version_id": "v1",
    "data_key": "b/data/a.csv",
    "rejects_key": "b/rejects/a.csv",
    "mapping_sha256": "other",
    "replay": ("id", "name"),
    "limits": Limits(regex_timeout_s=2.0),
}
SAME: dict[str, Any] = {
    "split_bytes": 1,
    "batch_id": "b2", "index": 1, "size": 99, "mapping": b"{ }", "destination": LocalLocation("elsewhere"),
}  # fmt: skip


def test_the_fingerprint_is_that_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever changes what a file becomes, or where, changes it; its place in the batch, say, does not. Each field of
    a job is one or the other."""
    assert CHANGES.keys() | SAME.keys() == {field.name for field in fields(FileJob)}
    seen = {fingerprint(replace(JOB, **{name: value})) for name, value in CHANGES.items()}
    assert len(seen) == len(CHANGES)
    assert fingerprint(JOB) not in seen
    assert {fingerprint(replace(JOB, **{name: value})) for name, value in SAME.items()} == {fingerprint(JOB)}
    limits = {fingerprint(replace(JOB, limits=replace(Limits(), **{field.name: 7}))) for field in fields(Limits)}
    assert len(limits) == len(fields(Limits))
    before = fingerprint(JOB)
    monkeypatch.setattr(engine.checkpoint, "OUTPUT_VERSION", 999)
    assert fingerprint(JOB) != before


def test_the_fingerprint_does_not_depend_on_credentials() -> None:
    """A role's keys change from receive to receive; the bucket that they open does not."""
    from engine.ports import Credentials

    def of(keys: Credentials | None, bucket: str = "acme") -> str:
        return fingerprint(replace(JOB, source=S3Location(bucket, "eu-west-1", None, keys)))

    assert of(None) == of(Credentials("a", "b")) == of(Credentials("c", "d"))
    assert of(None) != of(None, "other")
