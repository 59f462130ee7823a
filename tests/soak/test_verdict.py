"""The verdict over a storm: a good batch passes, and every kind of damage is seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.moto import Aws
from tests.site import Site
from tests.soak.samples import Sample, samples
from tests.soak.tally import Tally
from tests.soak.verdict import Destination, is_whole, judge, judge_rest

pytestmark = pytest.mark.one_build("gil")

_OUTPUT = "out/b0/data/day/small.jsonl"
_REJECTS = "out/b0/rejects/day/small.jsonl"
_MANIFEST = "out/b0/manifest.json"

type Damage = Callable[[dict[str, bytes]], Mapping[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that a worker has committed, whose objects can be changed and put back."""

    site: Site
    client: Any
    files: list[Sample]
    objects: dict[str, bytes]

    def judged(self, changed: Mapping[str, bytes | None]) -> Tally:
        """The verdict, with some of the objects changed, added or (None) not there."""
        for key, body in {**self.objects, **changed}.items():
            if body is not None:
                self.client.put_object(Bucket=self.site.destination, Key=key, Body=body)
        there, tally = Destination(self.client, self.site.destination), Tally()
        judge_rest(there, judge(there, {"b0": self.files}, tally), tally)
        assert there.listed("") == {}
        return tally


@pytest.fixture(scope="module")
def committed(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Committed]:
    site = Site.make(aws, tmp_path_factory.mktemp("site"))
    files = [sample for sample in samples(1, big_rows=1) if sample.key in ("day/small.csv", "day/clean.csv.gz")]
    for sample in files:
        aws.put(site.source, sample.key, sample.data)
    site.send("b0", [sample.key for sample in files])
    assert site.worker("--drain").status == 0
    client = aws.server.client("s3")
    try:
        yield Committed(site, client, files, remade(site.output()))
    finally:
        client.close()


def remade(objects: dict[str, bytes]) -> dict[str, bytes]:
    """The objects, with a manifest that names their sizes, and the ETags that they have when each is put whole."""
    manifest = json.loads(objects[_MANIFEST])
    for file in manifest["files"]:
        for entry in filter(None, (file["output"], file["rejects"])):
            body = objects[entry["key"]]
            entry["bytes"], entry["etag"] = len(body), hashlib.md5(body).hexdigest()
    return {**objects, _MANIFEST: json.dumps(manifest).encode()}


def test_a_good_batch_passes(committed: Committed) -> None:
    """What a worker commits is good, its rows counted; nothing is left of it afterwards."""
    tally = committed.judged({})
    assert tally.complaints == []
    assert tally.good
    rows = sum(sample.expected.rows_read for sample in committed.files)
    assert (tally.batches, tally.files, tally.rows_in) == (1, len(committed.files), rows)
    assert tally.rows_out + tally.rejected == rows


def repeated(objects: dict[str, bytes]) -> dict[str, bytes]:
    body = objects[_OUTPUT]
    return remade({**objects, _OUTPUT: body + body.partition(b"\n")[0] + b"\n"})


def shortened(objects: dict[str, bytes]) -> dict[str, bytes]:
    return remade({**objects, _OUTPUT: objects[_OUTPUT].partition(b"\n")[2]})


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        pytest.param(repeated, "duplicates", id="a row twice"),
        pytest.param(shortened, "lost", id="a row less"),
        pytest.param(lambda objects: {_MANIFEST: None}, "lost", id="no manifest"),
        pytest.param(lambda objects: {_OUTPUT: None}, "half_visible", id="a missing object"),
        pytest.param(lambda objects: {_REJECTS: objects[_REJECTS] + b"\n"}, "half_visible", id="other bytes"),
        pytest.param(lambda objects: {"out/b0/data/more.jsonl": b""}, "strays", id="a stray object"),
    ],
)
def test_damage_is_seen(committed: Committed, damage: Damage, seen: str) -> None:
    """A row twice, a row or a manifest or an object that is missing, other bytes than the manifest names, an object
    too many: each is counted as what it is."""
    assert committed.judged({}).good  # knows the right bytes now
    tally = committed.judged(damage(committed.objects))
    assert not tally.good
    assert getattr(tally, seen) > 0, tally


def test_a_forgotten_upload_is_seen(committed: Committed) -> None:
    """An open upload that the janitor does not take is counted."""
    where = {"Bucket": committed.site.destination, "Key": "elsewhere"}
    begun = committed.client.create_multipart_upload(**where)
    tally = committed.judged({})
    committed.client.abort_multipart_upload(**where, UploadId=begun["UploadId"])
    assert tally.open_uploads == 1
    assert not tally.good


def test_a_manifest_before_its_objects_is_seen(committed: Committed) -> None:
    """A batch without a manifest is whole, one whose manifest names what is not there is not."""
    there = Destination(committed.client, committed.site.destination)
    assert is_whole(there, "out/b0/")
    committed.client.put_object(Bucket=committed.site.destination, Key=_MANIFEST, Body=committed.objects[_MANIFEST])
    assert not is_whole(there, "out/b0/")
    there.remove([_MANIFEST])


def test_figures_add_up() -> None:
    """Two tallies added make one with the sums; a complaint of either makes it bad."""
    one, other = Tally(kills=1, rows_in=3, rows_out=2, rejected=1), Tally(kills=2, complaints=["what"])
    one.phases["poll"] += 1
    other.phases["poll"] += 2
    assert one.good
    total = replace(one, phases=one.phases.copy(), complaints=[])
    total.add(other)
    assert (total.kills, total.phases["poll"], total.complaints) == (3, 3, ["what"])
    assert not total.good
