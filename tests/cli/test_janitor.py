"""``engine janitor`` over a real folder and a real S3 stand-in: what it removes, what it says, how it exits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.adapters.local import LocalStore
from engine.adapters.settings import StoreSettings
from engine.checkpoint import Checkpoint, checkpoint_key
from engine.cli.app import dispatch
from engine.core.transform import Counts
from engine.pipeline import FileResult
from engine.ports import ObjectInfo, Part, PendingUpload
from tests.cli.command import engine
from tests.faults import Match, Refuse, Rule, fault_proxy
from tests.moto import Aws

type Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, in an empty folder: exit status, standard output, standard error."""
    for name in [name for name in os.environ if name.startswith("ENGINE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = dispatch(["janitor", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def nobody_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visible output that was made just now counts as that of an attempt long dead."""
    monkeypatch.setattr("engine.janitor._SPARED_S", -60)


def checkpoint(upload: PendingUpload) -> bytes:
    return Checkpoint("f", "a", FileResult(0, ObjectInfo("in/a.csv", 1, "e"), 1, Counts(), upload, None)).to_json()


def leave(folder: Path, batch: str, *, committed: bool = False, age_s: float = 0) -> None:
    """A batch of one file in a folder, its output visible, its checkpoint there; and an upload that was left open."""

    async def write() -> None:
        store = LocalStore(str(folder), StoreSettings())
        upload = await store.begin(f"{batch}/data/a.jsonl")
        await upload.write(b"{}\n")
        pending = await upload.finish()
        await store.complete(pending)
        await store.put(checkpoint_key(f"{batch}/", "in/a.csv", None), checkpoint(pending))
        if committed:
            await store.put(f"{batch}/manifest.json", b"{}")
        half = await store.begin(f"{batch}/rejects/a.jsonl")
        await half.write(b"half")

    asyncio.run(write())
    for path in folder.rglob("*"):
        made = path.stat().st_mtime - age_s
        if path.is_file() and path.name != "a.jsonl":  # which its checkpoint knows by its time
            os.utime(path, (made, made))


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("nobody_lives")
def test_a_folder(run: Run, tmp_path: Path) -> None:
    """Output without a manifest goes with its checkpoint and open upload; committed output stays; both are counted."""
    out = tmp_path / "out"
    leave(out, "dead")
    leave(out, "done", committed=True)
    (out / "notes.txt").write_text("mine")
    before = files(out)
    told = "2 open uploads, 2 checkpoints\n"
    assert run(out, "--older-than", "0", "--dry-run") == (0, f"would abort and remove: {told}", "")
    assert files(out) == before
    assert run(out, "--older-than", "0") == (0, f"aborted and removed: {told}", "")
    assert files(out) == ["done/data/a.jsonl", "done/manifest.json", "notes.txt"]
    assert run(out, "--older-than", "0") == (0, "aborted and removed: 0 open uploads, 0 checkpoints\n", "")


@pytest.mark.usefixtures("nobody_lives")
@pytest.mark.parametrize(
    ("age", "hours"), [("1d", 25), ("36h", 37), ("90m", 2), ("5400s", 2), ("2d", 49), ("0", 0), ("0s", 0), ("0d", 0)]
)
def test_ages(run: Run, tmp_path: Path, age: str, hours: int) -> None:
    """What is older than asked goes; what is an hour younger than that stays, as it is resumed by its batch."""
    out = tmp_path / "out"
    leave(out, "old", age_s=hours * 3600)
    assert run(out, "--older-than", age)[1] == "aborted and removed: 1 open uploads, 1 checkpoints\n"
    assert files(out) == []
    if hours:
        leave(out, "young", age_s=(hours - 2) * 3600)
        before = files(out)
        assert run(out, "--older-than", age)[1] == "aborted and removed: 0 open uploads, 0 checkpoints\n"
        assert files(out) == before


def test_a_day_unless_told(run: Run, tmp_path: Path) -> None:
    """Without an age, nothing younger than a day is touched: no attempt takes as long."""
    for age_h, removed in ((23, 0), (25, 1)):
        out = tmp_path / f"out{age_h}"
        leave(out, "b", age_s=age_h * 3600)
        assert f"{removed} open uploads, {removed} checkpoints" in run(out)[1]


@pytest.mark.parametrize("age", ["", "1", "h", "-1h", "1.5h", "1w", "1 d", "one day", "٣d", "9" * 400 + "d", "1d1h"])
def test_what_is_no_age(run: Run, tmp_path: Path, age: str) -> None:
    """It is named, with the forms that are; nothing is removed."""
    leave(tmp_path / "out", "dead")
    before = files(tmp_path / "out")
    status, out, err = run(tmp_path / "out", f"--older-than={age}")
    assert (status, out) == (2, "")
    assert err == f"engine: command line: --older-than: {age!r} is no age: write 90s, 30m, 36h, 2d or 0\n"
    assert files(tmp_path / "out") == before


def test_no_destination(run: Run) -> None:
    """Neither named nor configured: both ways out are named."""
    status, out, err = run()
    assert (status, out) == (2, "")
    assert err == (
        "engine: configuration: destination.bucket: is not set: name a destination, or set it in config.toml\n"
    )


def test_a_folder_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """A typing error is not an empty destination."""
    status, out, err = run(tmp_path / "nowhere")
    assert (status, out) == (1, "")
    assert err.startswith("engine: source-missing: ")
    assert str(tmp_path / "nowhere") in err
    assert err.count("\n") == 1


def test_an_url_that_is_none(run: Run) -> None:
    """What was written is named as what it is here."""
    status, out, err = run("s3://")
    assert (status, out) == (2, "")
    assert err.startswith("engine: command line: DESTINATION s3://: ")


@pytest.fixture
def destination(aws: Aws, bucket: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that the command reaches; returns its name."""
    monkeypatch.setenv("ENGINE_DESTINATION__ENDPOINT_URL", aws.endpoint_url)
    return bucket


def pending(aws: Aws, bucket: str, key: str, *, complete: bool = False) -> PendingUpload:
    """A finished upload of one part as the engine makes it; completed if asked for."""
    client = aws.server.client("s3")
    try:
        begun = client.create_multipart_upload(Bucket=bucket, Key=key, Metadata={"engine-upload": "token-" + key})
        place = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
        etag = client.upload_part(**place, PartNumber=1, Body=b"{}\n")["ETag"]
        if complete:
            parts = [{"PartNumber": 1, "ETag": etag}]
            client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        return PendingUpload(key, begun["UploadId"], (Part(1, etag.strip('"'), 3),), "token-" + key)
    finally:
        client.close()


@pytest.mark.usefixtures("nobody_lives")
def test_a_bucket(run: Run, aws: Aws, destination: str) -> None:
    """On S3 below a prefix, as in a folder; other prefixes and committed output stay."""
    for name in ("dead", "done"):
        visible = pending(aws, destination, f"out/{name}/data/a.jsonl", complete=True)
        aws.put(destination, checkpoint_key(f"out/{name}/", "in/a.csv", None), checkpoint(visible))
        pending(aws, destination, f"out/{name}/rejects/a.jsonl")
    aws.put(destination, "out/done/manifest.json", b"{}")
    pending(aws, destination, "other/b/data/a.jsonl")
    where = f"s3://{destination}/out"
    before = set(aws.objects(destination))
    told = "2 open uploads, 2 checkpoints\n"
    assert run(where, "--older-than", "0", "--dry-run") == (0, f"would abort and remove: {told}", "")
    assert set(aws.objects(destination)) == before
    assert run(where, "--older-than", "0") == (0, f"aborted and removed: {told}", "")
    assert set(aws.objects(destination)) == {"out/done/data/a.jsonl", "out/done/manifest.json"}
    assert aws.open_uploads(destination) == ["other/b/data/a.jsonl"]


def test_a_young_checkpoint_in_a_bucket(run: Run, aws: Aws, destination: str) -> None:
    """Its uploads stay with it, though moto says of every upload that it was begun in 2010; another one goes."""
    kept = pending(aws, destination, "b/data/a.jsonl")
    aws.put(destination, checkpoint_key("b/", "in/a.csv", None), checkpoint(kept))
    pending(aws, destination, "b/data/b.jsonl")
    assert run(f"s3://{destination}", "--older-than", "1h")[1] == "aborted and removed: 1 open uploads, 0 checkpoints\n"
    assert aws.open_uploads(destination) == ["b/data/a.jsonl"]


def test_the_configured_destination(run: Run, aws: Aws, destination: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is named, it is that of the configuration, prefix and all."""
    monkeypatch.setenv("ENGINE_DESTINATION__BUCKET", destination)
    monkeypatch.setenv("ENGINE_DESTINATION__PREFIX", "out")
    for key in ("out/b/data/a.jsonl", "b/data/a.jsonl"):
        pending(aws, destination, key)
    assert run("--older-than", "0")[:2] == (0, "aborted and removed: 1 open uploads, 0 checkpoints\n")
    assert aws.open_uploads(destination) == ["b/data/a.jsonl"]


def test_a_bucket_that_is_not_there(run: Run, aws: Aws, destination: str) -> None:
    """One line names it."""
    status, out, err = run(f"s3://{destination}-nowhere")
    assert (status, out) == (1, "")
    assert f"{destination}-nowhere" in err
    assert err.count("\n") == 1


def test_a_bucket_that_refuses(run: Run, aws: Aws, destination: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what was refused, though several calls were in the same moment."""
    for name in ("a", "b", "c"):
        left = pending(aws, destination, f"{name}/data/a.jsonl")
        aws.put(destination, checkpoint_key(f"{name}/", "in/a.csv", None), checkpoint(left))
    with fault_proxy(aws.endpoint_url, Rule(Match("DeleteObject"), Refuse(403))) as proxy:
        monkeypatch.setenv("ENGINE_DESTINATION__ENDPOINT_URL", proxy.url)
        status, out, err = run(f"s3://{destination}", "--older-than", "0")
    assert (status, out) == (1, "")
    assert err.startswith("engine: access-denied: may not write s3://")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_the_command_itself(tmp_path: Path) -> None:
    """The installed command finds it, and its help says what is spared."""
    leave(tmp_path / "out", "dead", age_s=14 * 3600)
    leave(tmp_path / "out", "young")
    done = engine("janitor", tmp_path / "out", "--older-than", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "aborted and removed: 2 open uploads, 1 checkpoints\n"
    assert "young/data/a.jsonl" in files(tmp_path / "out")  # visible, and perhaps about to be committed
    assert "Spare what is younger" in engine("janitor", "--help", cwd=tmp_path).stdout
