"""``engine replay`` as users run it: the rejects of a run, a corrected mapping, and what is still rejected."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.manifest import Manifest
from tests.cli.command import MAPPING, engine_here, write_mapping
from tests.moto import Aws

pytestmark = pytest.mark.one_build("free-threaded")

FILES = {
    "day/mixed.csv": 'id,name\n1,Ann\nx,Bob\n3,"two\nlines"\n#4,"five\nlines"\n5,a,b\n',
    "day/deep/a.csv": "name,id\nCid,#7\nDan,8\n",
    "good.csv": "id,name\n1,Ann\n",
}
CORRECTED: list[dict[str, Any]] = [
    {"name": "id", "type": "int", "required": True, "steps": [{"replace": {"pattern": "#", "with": ""}}]},
    {"name": "name", "type": "string"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files, a mapping, its corrected form, and the first run's output in ``out``."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    write_mapping(tmp_path)
    assert main(["run", "people.json", "in", "-o", "out"]) == 0
    corrected(tmp_path)
    return tmp_path


def corrected(folder: Path, **changes: Any) -> None:
    (folder / "fixed.json").write_text(json.dumps({**MAPPING, "fields": CORRECTED, **changes}))


def written(folder: Path) -> dict[str, list[Any]]:
    """Every file of an output but the manifest: names below it, and what its lines say."""
    return {
        path.relative_to(folder).as_posix(): [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted(folder.rglob("*.jsonl"))
    }


def manifest(folder: Path) -> Manifest:
    return Manifest.from_json((folder / "manifest.json").read_bytes())


def places(rejects: list[Any]) -> list[tuple[str, int, int, str]]:
    return [(each["file"], each["row"], each["line"], each["raw"]) for each in rejects]


STILL = [("day/mixed.csv", 2, 3, "x,Bob"), ("day/mixed.csv", 5, 8, "5,a,b")]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_rejects_of_a_run_through_a_corrected_mapping(folder: Path, executor: str) -> None:
    """Written and still rejected rows are those that were rejected, under the first run's names and places."""
    done = engine_here("replay", "out", "fixed.json", "-o", "again", "--report", "r.json", "--executor", executor,
                  "--workers", "2", cwd=folder)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "rows: 4 read = 2 written + 2 rejected (50.00%)" in done.stdout
    found = written(folder / "again")
    assert places(found.pop("rejects/day/mixed.jsonl")) == STILL
    assert found == {
        "data/day/deep/a.jsonl": [{"id": 7, "name": "Cid"}],
        "data/day/mixed.jsonl": [{"id": 4, "name": "five\nlines"}],
    }
    assert manifest(folder / "again").rows_read == manifest(folder / "out").rows_rejected
    assert (folder / "r.json").read_bytes() == (folder / "again/manifest.json").read_bytes()


def test_a_replay_can_be_replayed(folder: Path) -> None:
    """What was rejected twice still knows its file, row, line and header; another correction writes it."""
    assert main(["replay", "out", "fixed.json", "-o", "again"]) == 0
    corrected(folder, fields=[{"name": "id", "type": "string"}, CORRECTED[1]])
    assert main(["replay", "again/rejects", "fixed.json", "-o", "third", "--batch-id", "b"]) == 0
    found = written(folder / "third/b")
    assert found["data/day/mixed.jsonl"] == [{"id": "x", "name": "Bob"}]
    assert places(found["rejects/day/mixed.jsonl"]) == STILL[1:]
    assert main(["replay", "third/b", "fixed.json", "-o", "fourth"]) == 0
    assert written(folder / "fourth")["rejects/day/mixed.jsonl"] == found["rejects/day/mixed.jsonl"]


@pytest.mark.parametrize(
    ("rejects", "names"),
    [
        (["out/rejects"], ["day/deep/a", "day/mixed"]),
        (["out/rejects/day/mixed.jsonl"], ["mixed"]),
        (["out/rejects/day/**/*.jsonl"], ["deep/a", "mixed"]),
        (["out/rejects/day/mixed.jsonl", "out/rejects/day/deep"], ["mixed", "a"]),
        (["moved/out"], ["day/deep/a", "day/mixed"]),
    ],
    ids=" ".join,
)  # fmt: skip
def test_rejects_are_named_as_sources_are(folder: Path, rejects: list[str], names: list[str]) -> None:
    """Files, folders, globs and outputs, also moved ones; output keys have the paths below what was given."""
    shutil.copytree("out", "moved/out")
    assert main(["replay", *rejects, "fixed.json", "-o", "again", "--format", "csv"]) == 0
    found = {path.relative_to(folder / "again/data").as_posix() for path in (folder / "again/data").rglob("*.csv")}
    assert found == {f"{name}.csv" for name in names}


def test_output_names_are_the_first_runs(folder: Path) -> None:
    """A name that kept its suffix, to tell it from another, keeps it; hidden and doubly-suffixed names are no less."""
    for name in ("a", "a.csv", "_b.csv", "c.csv.csv"):
        (folder / name).write_text("id,name\n#1,x\n")
    assert main(["run", "people.json", "a", "a.csv", "_b.csv", "c.csv.csv", "-o", "first"]) == 0
    (folder / "first/rejects/a.jsonl").unlink()
    assert main(["replay", "first", "fixed.json", "-o", "again"]) == 0
    assert set(written(folder / "again")) == {"data/_b.jsonl", "data/a.csv.jsonl", "data/c.csv.jsonl"}


def test_a_header_that_nobody_tells(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a manifest the labels come from --header, and first of all from the mapping; else it is wrong usage."""
    shutil.copy("out/rejects/day/deep/a.jsonl", "alone.jsonl")
    capsys.readouterr()
    assert main(["replay", "alone.jsonl", "fixed.json", "-o", "again"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "alone.jsonl" in said
    assert "--header FILE" in said
    assert not (folder / "again").exists()
    assert main(["replay", "alone.jsonl", "fixed.json", "-o", "again", "--header", "in/day/deep/a.csv"]) == 0
    assert written(folder / "again")["data/alone.jsonl"] == [{"id": 7, "name": "Cid"}]
    corrected(folder, csv={"header": ["name", "id"]})
    assert main(["replay", "alone.jsonl", "fixed.json", "-o", "listed", "--header", "in/good.csv"]) == 0
    assert written(folder / "listed") == written(folder / "again")
    assert manifest(folder / "listed").files[0].labels == ["name", "id"]


def test_a_given_header_goes_before_the_manifests(folder: Path) -> None:
    """--header replaces what the run found, for a header that was wrong."""
    (folder / "right.csv").write_text("id,name\n")
    assert main(["replay", "out/rejects/day/deep", "fixed.json", "-o", "again", "--header", "right.csv"]) == 0
    assert [each["errors"][0]["value"] for each in written(folder / "again")["rejects/a.jsonl"]] == ["Cid"]


def test_numbered_columns(folder: Path) -> None:
    """A file without a header is as wide as the run found it, whatever width the rejects have."""
    (folder / "bare.csv").write_text("1,Ann\n2\n#3,Cid\n")
    numbered = [{**CORRECTED[0], "from": "1"}, {**CORRECTED[1], "from": "2"}]
    corrected(folder, fields=[{**numbered[0], "steps": []}, numbered[1]], csv={"header": False})
    assert main(["run", "fixed.json", "bare.csv", "-o", "first"]) == 0
    corrected(folder, fields=numbered, csv={"header": False})
    assert main(["replay", "first", "fixed.json", "-o", "again"]) == 0
    found = written(folder / "again")
    assert found["data/bare.jsonl"] == [{"id": 3, "name": "Cid"}]
    assert places(found["rejects/bare.jsonl"]) == [("bare.csv", 2, 2, "2")]


def test_the_output_that_holds_the_rejects_is_safe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Replaying an output into itself would lose the rows it has: refused, --overwrite or not, and all is as it was."""
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}
    (folder / "link").symlink_to("out")
    capsys.readouterr()
    for rejects, output in (("out", "out"), ("link/rejects", "./out"), ("out/rejects/day/*.jsonl", "link")):
        assert main(["replay", rejects, "fixed.json", "-o", output, "--overwrite"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "--output" in said
    assert {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()} == before
    assert main(["replay", "out", "fixed.json", "-o", "out/again"]) == 0
    assert main(["replay", "out", "fixed.json", "-o", "out/again"]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (["out", "-o", "x"], 2, "REJECTS"),
        (["out", "none.json", "-o", "x"], 2, "none.json"),
        (["out", "fixed.json", "-o", "x", "--header", "none.csv"], 2, "none.csv"),
        (["out", "fixed.json", "-o", "x", "--header", "empty.csv"], 2, "empty.csv"),
        (["http://out", "fixed.json", "-o", "x"], 2, "REJECTS http://out"),
        (["nowhere", "fixed.json", "-o", "x"], 1, "nowhere"),
        (["clean", "fixed.json", "-o", "x"], 1, "rejected no row"),
        (["out/rejects/day", "bad.json", "-o", "x"], 1, "header-error"),
        (["cut.jsonl", "fixed.json", "-o", "x", "--header", "in/good.csv"], 1, "line 2 is not a reject record"),
        (["in", "fixed.json", "-o", "x", "--header", "in/good.csv"], 1, "line 1 is not a reject record"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_replayed(
    folder: Path, arguments: list[str], status: int, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each failure names what and where in one line a file, has its status, and leaves no output."""
    (folder / "empty.csv").touch()
    whole, cut = (folder / "out/rejects/day/mixed.jsonl").read_bytes().splitlines()[:2]
    (folder / "cut.jsonl").write_bytes(whole + b"\n" + cut[:-20])
    (folder / "bad.json").write_text(json.dumps({**MAPPING, "fields": [{"name": "nmae", "type": "string"}]}))
    assert main(["run", "people.json", "in/good.csv", "-o", "clean"]) == 0
    capsys.readouterr()
    assert main(["replay", *arguments]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert named in said.err
    assert all(line.startswith("engine: ") for line in said.err.splitlines())
    assert not (folder / "x").exists() or not any(path.is_file() for path in (folder / "x").rglob("*"))


def test_from_bucket_to_bucket(folder: Path, aws: Aws) -> None:
    """Rejects are read as the destination is reached, where the engine wrote them, and the manifest beside them."""
    source, ours = aws.bucket("source"), aws.bucket("ours")
    aws.put(source, "d/mixed.csv", FILES["day/mixed.csv"].encode())
    source_env = {"ENGINE_SOURCE__ENDPOINT_URL": aws.endpoint_url}
    env = {"ENGINE_DESTINATION__ENDPOINT_URL": aws.endpoint_url}
    first = engine_here(
        "run", "people.json", f"s3://{source}/d/", "-o", f"s3://{ours}/a", cwd=folder, env=source_env | env
    )
    assert (first.returncode, first.stderr) == (0, "")
    for rejects in (f"s3://{ours}/a", f"s3://{ours}/a/rejects/*.jsonl"):
        done = engine_here("replay", rejects, "fixed.json", "-o", f"s3://{ours}/b", "--overwrite", cwd=folder, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        objects = aws.objects(ours, "b/")
        assert set(objects) == {"b/data/mixed.jsonl", "b/rejects/mixed.jsonl", "b/manifest.json"}
        assert [json.loads(line)["row"] for line in objects["b/rejects/mixed.jsonl"].splitlines()] == [2, 5]
    before = aws.objects(ours, "a/")
    itself = engine_here(
        "replay", f"s3://{ours}/a", "fixed.json", "-o", f"s3://{ours}/a/", "--overwrite", cwd=folder, env=env
    )
    assert (itself.returncode, "--output" in itself.stderr) == (2, True)
    assert aws.objects(ours, "a/") == before
