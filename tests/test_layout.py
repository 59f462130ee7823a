"""Output keys follow the contract's layout."""

from __future__ import annotations

import pytest

from engine.errors import FileError
from engine.layout import crowded_keys, numbered, output_keys


def test_suffixes_are_dropped() -> None:
    """Compression and .csv suffixes go, in any case; everything else of the key stays."""
    names = ["2026/a.csv", "2026/b.csv.gz", "c.CSV.ZST", "d.txt", "e.gz", "2026/.csv", "f.csv.bak"]
    keys = output_keys("out/b1/", names, ".jsonl")
    assert [key.data for key in keys] == [
        "out/b1/data/2026/a.jsonl",
        "out/b1/data/2026/b.jsonl",
        "out/b1/data/c.jsonl",
        "out/b1/data/d.txt.jsonl",
        "out/b1/data/e.jsonl",
        "out/b1/data/2026/.csv.jsonl",
        "out/b1/data/f.csv.bak.jsonl",
    ]
    assert keys[1].rejects == "out/b1/rejects/2026/b.jsonl"


def test_colliding_keys_keep_their_full_names() -> None:
    """Two source keys that would give one output key keep their full names; others are untouched."""
    keys = output_keys("", ["a.csv", "a.csv.gz", "b.csv"], ".jsonl")
    assert [key.data for key in keys] == ["data/a.csv.jsonl", "data/a.csv.gz.jsonl", "data/b.jsonl"]


def test_a_full_name_never_meets_another_stem() -> None:
    """However names collide, no two files of a batch get one key."""
    names = ["a.csv", "a.csv.gz", "a.csv.csv", "a", "a.gz"]
    keys = output_keys("", names, ".jsonl")
    assert len({key.data for key in keys}) == len(names)
    assert len({key.rejects for key in keys}) == len(names)


@pytest.mark.parametrize("name", ["", "/a.csv", "a//b.csv", "../a.csv", "a/./b.csv", "a/.."])
def test_names_that_cannot_be_keys(name: str) -> None:
    """A key that would leave the batch's prefix, or that no folder can hold, is refused and named."""
    with pytest.raises(FileError) as caught:
        output_keys("x/", ["ok.csv", name], ".jsonl")
    assert caught.value.file == name


@pytest.mark.parametrize("character", [*map(chr, range(32)), "\x7f", "\ufffe", "\uffff"])
def test_keys_that_xml_cannot_say(character: str) -> None:
    """S3 answers in XML: a key with such a character would be taken, and never be spoken of in a way that can be read.
    It is refused, and named by its escapes."""
    for root, name in (("x/", f"a{character}.csv"), (f"x{character}/", "a.csv")):
        with pytest.raises(FileError, match="control character") as caught:
            output_keys(root, ["ok.csv", name], ".jsonl")
        escaped = ascii(name if character in name else root)
        assert caught.value.file == escaped
        assert escaped in caught.value.message
    assert (
        output_keys("x/", ["\u00fc \ud7ff\ue000\U0010ffff\x80.csv"], "")[0].data
        == "x/data/\u00fc \ud7ff\ue000\U0010ffff\x80"
    )


@pytest.mark.parametrize("root", ["../x/", "x/../", "./", "a/./b/"])
def test_roots_that_lead_elsewhere(root: str) -> None:
    """A destination's prefix names one place, however it is read."""
    with pytest.raises(FileError, match="cannot lie below"):
        output_keys(root, ["a.csv"], ".jsonl")


def test_keys_that_are_too_long_for_s3() -> None:
    """A key of 1,024 bytes of UTF-8 is made and one more is refused, of data and of rejects; Parquet's leave room for
    the numbers of several objects."""
    for suffix, added in ((".jsonl", len("rejects/.jsonl")), (".parquet", len("data/.parquet") + 16)):
        root = "p" * (1_023 - 2 * 400 - added) + "/"
        assert output_keys(root, ["é" * 400], suffix)
        with pytest.raises(FileError, match=r"1,025 bytes|1,009 bytes") as caught:
            output_keys(f"p{root}", ["ok.csv", "é" * 400], suffix)
        assert caught.value.file == "é" * 400


@pytest.mark.parametrize(
    "name", ["manifest.json", "checkpoints/x", "data/a.csv", "rejects/a.csv.jsonl", "data", "a/data"]
)
def test_names_of_our_own(name: str) -> None:
    """A source named as something of ours stays below data/ and rejects/, where nothing else lies."""
    (keys,) = output_keys("out/b1/", [name], ".jsonl")
    assert keys.data.startswith("out/b1/data/")
    assert keys.rejects.startswith("out/b1/rejects/")


def test_numbered_keys_follow_their_order() -> None:
    """The objects of a file sort as their rows do, those of one range after another."""
    keys = [numbered("out/data/a.b.parquet", *place) for place in ((0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (10, 0))]
    assert keys[:3] == ["out/data/a.b.00000.parquet", "out/data/a.b.00001.parquet", "out/data/a.b.00001_1.parquet"]
    assert keys == sorted(keys)


def test_crowded_keys() -> None:
    """A key whose numbered objects could be another's is told, and no other."""
    keys = ["data/a.parquet", "data/a.00001.parquet", "data/a.00001_2.parquet", "data/b.parquet", "data/b.x.parquet"]
    assert crowded_keys(keys) == {"data/a.parquet"}
    assert crowded_keys(["data/a.00001.parquet", "data/a.csv.parquet"]) == set()
