"""SOURCE arguments: which files they name, and what their outputs are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.adapters.memory import MemoryStores
from engine.cli.sources import local_sources, resolve_sources
from engine.config import SourceSettings
from engine.errors import BatchFailed, UsageError
from engine.ports import LocalLocation, S3Location


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files on several levels, some of them hidden or set aside."""
    for name in (
        "in/x.csv",
        "in/a/x.csv",
        "in/a/b/y.csv.gz",
        "in/.hidden",
        "in/a/_tmp",
        "in/.git/z.csv",
        "other/x.csv",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("texts", "root", "expected"),
    [
        (["in"], "in", {"a/b/y.csv.gz": "a/b/y.csv.gz", "a/x.csv": "a/x.csv", "x.csv": "x.csv"}),
        (["in/"], "in", {"a/b/y.csv.gz": "a/b/y.csv.gz", "a/x.csv": "a/x.csv", "x.csv": "x.csv"}),
        (["in/a/x.csv"], "in/a", {"x.csv": "x.csv"}),
        (["in/.hidden"], "in", {".hidden": ".hidden"}),
        (["in/*.csv"], "in", {"x.csv": "x.csv"}),
        (["in/**/*.csv"], "in", {"a/x.csv": "a/x.csv", "x.csv": "x.csv"}),
        (["*/a/*.csv"], "in/a", {"x.csv": "in/a/x.csv"}),
        (["in/a/../x.csv", "./in/x.csv"], "in", {"x.csv": "x.csv"}),
        (
            ["other", "in/a"],
            "",
            {"other/x.csv": "other/x.csv", "in/a/b/y.csv.gz": "b/y.csv.gz", "in/a/x.csv": "in/a/x.csv"},
        ),
        (["in/x.csv", "other/x.csv"], "", {"in/x.csv": "in/x.csv", "other/x.csv": "other/x.csv"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_local_files_keep_their_path_below_what_was_given(
    tree: Path, texts: list[str], root: str, expected: dict[str, str]
) -> None:
    """Below the folder or the glob's fixed part; a file alone is its name; names that would clash become longer."""
    location, files = local_sources(texts, batch_id="b")
    assert location == LocalLocation(str(tree / root))
    assert {file.key: file.name for file in files} == expected
    assert all(file.size == 2 for file in files)


def test_absolute_patterns_and_literal_wildcards_work(tree: Path) -> None:
    """An absolute glob starts at its own fixed part; a file whose name holds a wildcard is that file."""
    (tree / "in" / "a*.csv").write_text("1\n")
    assert [file.name for file in local_sources([f"{tree}/in/a/*.csv"], batch_id="b")[1]] == ["x.csv"]
    assert [file.name for file in local_sources(["in/a*.csv"], batch_id="b")[1]] == ["a*.csv"]


def test_whole_keys_settle_what_longer_names_cannot(tree: Path) -> None:
    """A name made longer may meet another file's short name; then all files go by their keys."""
    (tree / "deep/in").mkdir(parents=True)
    (tree / "deep/in/x.csv").write_text("1\n")
    _, files = local_sources(["in/x.csv", "other/x.csv", "deep"], batch_id="b")
    assert sorted(file.name or "" for file in files) == ["deep/in/x.csv", "in/x.csv", "other/x.csv"]


def test_the_output_folder_is_never_a_source(tree: Path) -> None:
    """An output below the input folder is not read by the next run."""
    _, files = local_sources(["in"], batch_id="b", except_below=tree / "in" / "a")
    assert [file.key for file in files] == ["x.csv"]


def test_hidden_files_where_they_are_meant(tree: Path) -> None:
    """Asked for, a folder's files are all of them, hidden or set aside."""
    _, files = local_sources(["in"], batch_id="b", hidden=True)
    assert {file.key for file in files} == {
        "x.csv", "a/x.csv", "a/b/y.csv.gz", ".hidden", "a/_tmp", ".git/z.csv",
    }  # fmt: skip


def test_everything_that_is_missing_is_named_at_once(tree: Path) -> None:
    """No file is read when one of the arguments names none."""
    (tree / "empty").mkdir()
    with pytest.raises(BatchFailed) as failed:
        local_sources(["nope.csv", "in", "in/*.zip", "empty"], batch_id="b")
    assert [(error.file, error.code) for error in failed.value.errors] == [
        ("nope.csv", "source-missing"),
        ("in/*.zip", "source-missing"),
        ("empty", "source-missing"),
    ]


S3 = S3Location("acme", "eu-west-1", "http://minio:9000")


@pytest.fixture
async def stores() -> MemoryStores:
    made = MemoryStores()
    store = await made.open(S3)
    for key in ("d/1/a.csv", "d/1/b.csv", "d/2/a.csv", "d/2/_SUCCESS", "d/2/", "d.csv", "top"):
        await store.put(key, b"1\n")
    return made


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["s3://acme/d.csv"], {"d.csv": "d.csv"}),
        (["s3://acme/d/1/a.csv"], {"d/1/a.csv": "a.csv"}),
        (["s3://acme/d/1/"], {"d/1/a.csv": "a.csv", "d/1/b.csv": "b.csv"}),
        (["s3://acme/d/1"], {"d/1/a.csv": "a.csv", "d/1/b.csv": "b.csv"}),
        (["s3://acme/d/"], {"d/1/a.csv": "1/a.csv", "d/1/b.csv": "1/b.csv", "d/2/a.csv": "2/a.csv"}),
        (["s3://acme/d/*/a.csv"], {"d/1/a.csv": "1/a.csv", "d/2/a.csv": "2/a.csv"}),
        (["s3://acme/**/b.csv"], {"d/1/b.csv": "d/1/b.csv"}),
        (["s3://acme/*.csv"], {"d.csv": "d.csv"}),
        (["s3://acme/to"], {"top": "top"}),
        (["s3://acme/d/1/a.csv", "s3://acme/d/2/a.csv"], {"d/1/a.csv": "d/1/a.csv", "d/2/a.csv": "d/2/a.csv"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_urls_name_keys_prefixes_and_globs(
    stores: MemoryStores, texts: list[str], expected: dict[str, str]
) -> None:
    """A key, a folder, a prefix or a glob, whose star stops at a slash; markers and set-aside objects are left out."""
    settings = SourceSettings(region="eu-west-1", endpoint_url="http://minio:9000")
    location, files = await resolve_sources(texts, settings, stores, batch_id="b")
    assert location == S3
    assert {file.key: file.name for file in files} == expected


async def test_hidden_objects_where_they_are_meant(stores: MemoryStores) -> None:
    """Asked for, a prefix's objects are all of them but the markers of empty folders."""
    settings = SourceSettings(region="eu-west-1", endpoint_url="http://minio:9000")
    for text in ("s3://acme/d/2/", "s3://acme/d/2"):
        _, files = await resolve_sources([text], settings, stores, batch_id="b", hidden=True)
        assert {file.key for file in files} == {"d/2/_SUCCESS", "d/2/a.csv"}


async def test_a_missing_object_is_named(stores: MemoryStores) -> None:
    """Every URL that names nothing is listed."""
    settings = SourceSettings(region="eu-west-1", endpoint_url="http://minio:9000")
    with pytest.raises(BatchFailed) as failed:
        await resolve_sources(["s3://acme/x/", "s3://acme/d/", "s3://acme/d/*.zip"], settings, stores, batch_id="b")
    assert [error.file for error in failed.value.errors] == ["s3://acme/x/", "s3://acme/d/*.zip"]


@pytest.mark.parametrize(
    "texts",
    [["s3://acme/a", "b.csv"], ["s3://acme/a", "s3://other/a"], ["http://acme/a"], ["s3:///a"]],
    ids=" ".join,
)
async def test_one_batch_has_one_source(stores: MemoryStores, texts: list[str]) -> None:
    """Sources of different places cannot be one batch, and other schemes are not known."""
    with pytest.raises(UsageError):
        await resolve_sources(texts, SourceSettings(), stores, batch_id="b")
