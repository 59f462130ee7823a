"""``engine run`` as users run it: files in, a committed folder or nothing out."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.cli.command import EXECUTORS, engine, started, write_mapping
from tests.moto import Aws

GOOD = "id,name\n1,Ann\n2,Bob\n"
MIXED = 'id,name\n1,Ann\nx,Bob\n3,"two\nlines"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a mapping and two files."""
    write_mapping(tmp_path)
    (tmp_path / "in/day").mkdir(parents=True)
    (tmp_path / "in/good.csv").write_text(GOOD)
    (tmp_path / "in/day/mixed.csv").write_text(MIXED)
    return tmp_path


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_becomes_the_contracts_layout(folder: Path) -> None:
    """Data, rejects only where there are some, the manifest, and a summary whose numbers add up."""
    done = engine("run", "people.json", "in", "--output", "out", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert everything(folder / "out") == {
        "data/good.jsonl",
        "data/day/mixed.jsonl",
        "rejects/day/mixed.jsonl",
        "manifest.json",
    }
    assert (folder / "out/data/day/mixed.jsonl").read_text() == '{"id":1,"name":"Ann"}\n{"id":3,"name":"two\\nlines"}\n'
    reject = json.loads((folder / "out/rejects/day/mixed.jsonl").read_text())
    assert (reject["file"], reject["row"], reject["line"], reject["raw"]) == ("day/mixed.csv", 2, 3, "x,Bob")
    manifest = json.loads((folder / "out/manifest.json").read_text())
    assert [file["source"] for file in manifest["files"]] == ["day/mixed.csv", "good.csv"]
    assert "rows: 5 read = 4 written + 1 rejected (20.00%)" in done.stdout
    assert "1  type-error: " in done.stdout


@pytest.mark.parametrize("executor", EXECUTORS)
def test_flags_choose_where_how_and_what_to_report(folder: Path, executor: str) -> None:
    """--batch-id makes a folder of its own, --report writes the manifest, and every executor gives the same bytes."""
    done = engine(
        "run", "people.json", "in/*.csv", "in/day/mixed.csv", "-o", "out", "--batch-id", "b-1", "--report", "r.json",
        "--workers", "2", "--pipelines", "1", "--executor", executor, cwd=folder,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert everything(folder / "out") == {
        "b-1/data/good.jsonl",
        "b-1/data/mixed.jsonl",
        "b-1/rejects/mixed.jsonl",
        "b-1/manifest.json",
    }
    assert (folder / "r.json").read_bytes() == (folder / "out/b-1/manifest.json").read_bytes()
    assert (folder / "out/b-1/data/good.jsonl").read_text() == '{"id":1,"name":"Ann"}\n{"id":2,"name":"Bob"}\n'


@pytest.mark.parametrize("executor", EXECUTORS)
def test_compressed_files_give_what_plain_ones_give(folder: Path, executor: str) -> None:
    """gzip and zstd, by suffix and by first bytes, of one part and of several, on every executor."""
    codec = pa.Codec("zstd")
    (folder / "packed").mkdir()
    for name, data in {
        "gzip.csv.gz": gzip.compress(MIXED.encode()),
        "members.csv.GZ": gzip.compress(MIXED[:20].encode()) + gzip.compress(MIXED[20:].encode()),
        "zstd.csv.zst": codec.compress(MIXED.encode(), asbytes=True),
        "untold.csv": codec.compress(MIXED[:9].encode(), asbytes=True)
        + codec.compress(MIXED[9:].encode(), asbytes=True),
    }.items():
        (folder / "packed" / name).write_bytes(data)
    done = engine("run", "people.json", "packed", "-o", "out", "--workers", "2", "--executor", executor, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("gzip", "members", "zstd", "untold"):
        text = (folder / f"out/data/{name}.jsonl").read_text()
        assert text == '{"id":1,"name":"Ann"}\n{"id":3,"name":"two\\nlines"}\n'
        assert json.loads((folder / f"out/rejects/{name}.jsonl").read_text())["raw"] == "x,Bob"
    files = json.loads((folder / "out/manifest.json").read_text())["files"]
    assert {file["source"]: file["bytes_read"] for file in files} == {
        path.name: path.stat().st_size for path in (folder / "packed").iterdir()
    }


def test_a_damaged_compressed_file_is_one_line(folder: Path) -> None:
    """A truncated file fails the batch with its name, the code and the byte; nothing is written."""
    file = gzip.compress(GOOD.encode())[:-4]
    (folder / "in/cut.csv.gz").write_bytes(file)
    done = engine("run", "people.json", "in", "-o", "out", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"cut.csv.gz: compression-error: ends at byte {len(file)}" in done.stderr
    assert not (folder / "out/data").exists()


def test_an_output_that_exists_is_left_alone_unless_told_otherwise(folder: Path) -> None:
    """A second run is wrong usage and changes nothing; --overwrite replaces all of it."""
    assert engine("run", "people.json", "in/good.csv", "-o", "out", cwd=folder).returncode == 0
    before = {name: (folder / "out" / name).read_bytes() for name in everything(folder / "out")}
    again = engine("run", "people.json", "in/day/mixed.csv", "-o", "out", cwd=folder)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "--overwrite" in again.stderr
    assert {name: (folder / "out" / name).read_bytes() for name in everything(folder / "out")} == before
    replaced = engine("run", "people.json", "in/good.csv", "-o", "out", "--overwrite", cwd=folder)
    assert replaced.returncode == 0, replaced.stderr
    assert everything(folder / "out") == set(before)


def test_an_output_inside_the_input_is_not_read_again(folder: Path) -> None:
    """The next run over the same folder sees the same files."""
    for extra in ([], ["--overwrite"]):
        done = engine("run", "people.json", "in", "-o", "in/out", *extra, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "rows: 5 read" in done.stdout


@pytest.mark.one_build("free-threaded")
def test_the_guard_against_formulas_is_for_csv(folder: Path) -> None:
    """A mapping's guard holds where a flag says csv once more, and is dropped where a flag says another format."""
    (folder / "in" / "f.csv").write_text("id,name\n-1,=1+1\n")
    write_mapping(folder, output={"format": "csv", "guard_formulas": True})
    for flags, ending, written in (
        ([], "csv", "id,name\n-1,'=1+1\n"),
        (["--format", "csv"], "csv", "id,name\n-1,'=1+1\n"),
        (["--format", "jsonl"], "jsonl", '{"id":-1,"name":"=1+1"}\n'),
    ):
        done = engine("run", "people.json", "in/f.csv", "-o", "out", "--overwrite", *flags, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert (folder / "out" / "data" / f"f.{ending}").read_text() == written


def test_a_bad_mapping_is_refused_before_anything_is_read(folder: Path) -> None:
    """All problems of the mapping are listed, the status is 2 and there is no output folder."""
    write_mapping(folder, fields=[{"name": "id", "typ": "int"}], outptu={})
    done = engine("run", "people.json", "in", "-o", "out", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(line.startswith("engine: mapping: people.json: ") for line in done.stderr.splitlines())
    assert "did you mean 'type'" in done.stderr
    assert "did you mean 'output'" in done.stderr
    assert not (folder / "out").exists()


def test_one_file_that_fails_leaves_nothing_behind(folder: Path) -> None:
    """A missing column fails the whole batch with status 1, names the file, and not even a hidden file stays."""
    (folder / "in/other.csv").write_text("identity,name\n1,Ann\n")
    done = engine("run", "people.json", "in", "-o", "out", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "other.csv: header-error: " in done.stderr
    assert not (folder / "out").exists() or not everything(folder / "out")


def test_s3_to_s3_with_the_operators_own_credentials(folder: Path, aws: Aws) -> None:
    """s3:// URLs go through [source] and [destination], signed for by the standard chain; names as for folders."""
    source, destination = aws.bucket("source"), aws.bucket("destination")
    aws.put(source, "day/1/a.csv", GOOD.encode())
    aws.put(source, "day/2/a.csv", MIXED.encode())
    env = {"ENGINE_SOURCE__ENDPOINT_URL": aws.endpoint_url, "ENGINE_DESTINATION__ENDPOINT_URL": aws.endpoint_url}
    url = f"s3://{destination}/results"
    done = engine("run", "people.json", f"s3://{source}/day/*/a.csv", "-o", url, cwd=folder, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(aws.objects(destination)) == {
        "results/data/1/a.jsonl",
        "results/data/2/a.jsonl",
        "results/rejects/2/a.jsonl",
        "results/manifest.json",
    }
    missing = engine("run", "people.json", f"s3://{source}/nothing/", "-o", url + "2", cwd=folder, env=env)
    assert missing.returncode == 1
    assert f"s3://{source}/nothing/: source-missing" in missing.stderr
    assert aws.open_uploads(destination) == []


class _StalledS3:
    """Answers HEAD and the head of a GET for one object, then stays silent: a read that is surely under way."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []  # owned by the thread until close() has joined it
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._connections.append(connection)
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    break
                request += received
            if request.startswith(b"QUIT"):
                return
            head = b'Content-Length: 1000\r\nETag: "e"\r\nAccept-Ranges: bytes\r\nConnection: close\r\n'
            if request.startswith(b"HEAD"):
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
                connection.close()
            else:
                ranged = b"Content-Range: bytes 0-999/1000\r\n"
                connection.sendall(b"HTTP/1.1 206 Partial Content\r\n" + head + ranged + b"\r\nid,name\n1,Ann\n")
                self.reading.set()

    def close(self) -> None:
        with socket.create_connection(self._listener.getsockname()) as quitting:
            quitting.sendall(b"QUIT\r\n\r\n")
            self._thread.join()
        for connection in self._connections:
            connection.close()
        self._listener.close()


@pytest.fixture
def stalled() -> Iterator[_StalledS3]:
    server = _StalledS3()
    yield server
    server.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_undoes_a_running_batch(folder: Path, stalled: _StalledS3, number: signal.Signals) -> None:
    """The first signal cancels the read in hand, nothing becomes visible, and the status says which signal it was."""
    env = {"ENGINE_SOURCE__ENDPOINT_URL": stalled.url}
    with started("run", "people.json", "s3://acme/a.csv", "-o", "out", cwd=folder, env=env) as process:
        assert stalled.reading.wait(60)
        process.send_signal(number)
        out, error = process.communicate()
    assert (process.returncode, out) == (128 + number, "")
    assert error.splitlines() == [f"engine: {number.name}: stopping (once more to exit at once)"]
    assert not (folder / "out").exists() or not everything(folder / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_second_signal_exits_at_once(tmp_path: Path) -> None:
    """Work that does not stop is left behind by the second signal; what must be ended is ended first."""
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import asyncio, os\n"
        "from engine.cli.signals import run_until_signalled\n"
        "async def work(stop):\n"
        "    print('ready', flush=True)\n"
        "    await stop.event.wait()\n"
        "    print('stopping', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        # Not print: the signal may come in the middle of the last one's write.
        "run_until_signalled(work, cancel=False, on_second=lambda: os.write(1, b'ended\\n'))\n"
    )
    import subprocess

    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "ready\n"
        host.send_signal(signal.SIGTERM)
        assert host.stdout.readline() == "stopping\n"
        host.send_signal(signal.SIGINT)
        assert host.stdout.read() == "ended\n"
        assert host.wait() == 128 + signal.SIGINT
