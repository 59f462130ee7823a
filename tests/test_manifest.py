"""The manifest says what a committed batch holds, and reads back what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings

from engine.manifest import FileEntry, Manifest, ObjectEntry
from tests.examples import examples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBER = st.integers(0, 2**53)
OBJECTS = st.builds(ObjectEntry, key=TEXT, bytes=NUMBER, etag=TEXT)
FILES = st.builds(
    FileEntry,
    source=TEXT, version_id=st.none() | TEXT, etag=TEXT, bytes_read=NUMBER, rows_read=NUMBER, rows_written=NUMBER,
    rows_rejected=NUMBER, cells_nulled=NUMBER, errors=st.dictionaries(TEXT, NUMBER, max_size=3), output=OBJECTS,
    rejects=st.none() | OBJECTS, labels=st.lists(TEXT, max_size=3),
    more_outputs=st.lists(OBJECTS, max_size=2).map(tuple),
)  # fmt: skip
MANIFESTS = st.builds(
    Manifest,
    batch_id=TEXT, mapping_id=TEXT, mapping_sha256=TEXT, files=st.lists(FILES, max_size=4),
    correlation_id=st.none() | TEXT, attempt=TEXT,
)  # fmt: skip


@settings(max_examples=examples(300))
@given(MANIFESTS)
def test_reads_back_what_it_wrote(manifest: Manifest) -> None:
    """Any manifest comes back equal, and written again is the same bytes: one line of JSON."""
    text = manifest.to_json()
    assert Manifest.from_json(text) == manifest
    assert Manifest.from_json(text).to_json() == text
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert json.loads(text)["version"] == 1


@settings(max_examples=examples(200))
@given(MANIFESTS)
def test_totals_and_keys(manifest: Manifest) -> None:
    """The totals are those of the files; the keys are all outputs and the rejects that there are."""
    assert manifest.rows_read == sum(file.rows_read for file in manifest.files)
    assert manifest.rows_written == sum(file.rows_written for file in manifest.files)
    assert manifest.rows_rejected == sum(file.rows_rejected for file in manifest.files)
    assert manifest.bytes_read == sum(file.bytes_read for file in manifest.files)
    outputs = {file.output.key for file in manifest.files}
    outputs |= {each.key for file in manifest.files for each in file.more_outputs}
    assert manifest.keys == outputs | {file.rejects.key for file in manifest.files if file.rejects is not None}


def test_a_manifest_from_before_attempts_had_names() -> None:
    """An older manifest, without an attempt, is read; only the attempt tells two runs of the same work apart."""
    manifest = Manifest("b", "m", "s", [], attempt="a1")
    document = json.loads(manifest.to_json())
    del document["attempt"]
    older = Manifest.from_json(json.dumps(document).encode())
    assert older == replace(manifest, attempt="")
    assert older != manifest


def test_ten_thousand_files() -> None:
    """A manifest of as many files as a batch may have is written and read back whole."""
    entry = ObjectEntry("b/data/x", 1, "e")
    files = [FileEntry(f"in/{n}.csv", None, "e", 1, 3, 2, 1, 0, {"type-error": 1}, entry, None) for n in range(10_000)]
    again = Manifest.from_json(Manifest("b", "m", "s", files).to_json())
    assert (len(again.files), again.rows_read) == (10_000, 30_000)
