"""The command line as such: what is imported, how errors look, which status comes back."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from engine.cli import main
from engine.cli.failures import lines, report
from engine.errors import BatchFailed, ConfigError, HeaderError, MappingError, Problem, SourceMissing, TransientError
from tests.cli.command import engine, started, write_mapping

HEAVY = ("pyarrow", "aiobotocore", "botocore", "aiohttp", "pydantic", "pydantic_settings", "structlog", "engine.core")


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["run", "--help"], ["replay", "--help"], ["worker", "--help"]],
    ids=" ".join,
)
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    """Whoever asks for help waits for neither Arrow nor an SDK nor pydantic."""
    code = (
        "import sys; from engine.cli import main; status = main(sys.argv[1:]);"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules]); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "LOADED"


def _loaded(*arguments: str | Path, cwd: Path) -> set[str]:
    """The packages, and the engine's modules, that a command had imported when it was done."""
    code = (
        "import sys; from engine.cli import main; status = main(sys.argv[1:]);"
        "print('LOADED', *sys.modules); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *_, last = done.stdout.splitlines()
    return {name if name.startswith("engine.") else name.partition(".")[0] for name in last.split()}


def test_the_version_needs_no_parser(tmp_path: Path) -> None:
    """Scripts that ask for the version pay for reading it, and for neither the parser nor the console."""
    assert not _loaded("--version", cwd=tmp_path) & {"cyclopts", "rich", "asyncio", *HEAVY}


def test_local_files_need_no_sdk(tmp_path: Path) -> None:
    """A run from folder to folder imports no AWS SDK, no HTTP client, and nothing of other commands, on any build."""
    write_mapping(tmp_path)
    (tmp_path / "a.csv").write_text("id,name\n1,Ann\n")
    loaded = _loaded("run", "people.json", "a.csv", "--output", "out", "--workers", "1", cwd=tmp_path)
    assert "pyarrow" in loaded
    unused = {"aiobotocore", "botocore", "aiohttp", "awscrt", "charset_normalizer", "prometheus_client"}
    unused |= {"engine.demo", "engine.service", "engine.core.inference", "engine.adapters.aws"}
    assert not loaded & unused


def test_version_names_the_program(tmp_path: Path) -> None:
    """--version is one line that scripts can read."""
    done = engine("--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "engine"
    assert done.stdout.count("\n") == 1


def test_help_lists_every_command(tmp_path: Path) -> None:
    """engine without arguments and engine --help show the same commands."""
    shown = engine("--help", cwd=tmp_path).stdout
    assert all(f" {name} " in shown for name in ("run", "worker", "send", "demo", "doctor", "config", "schema"))
    assert engine(cwd=tmp_path).stdout == shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nope"], '"nope"'),
        (["run"], "MAPPING"),
        (["run", "m.json", "a.csv"], "--output"),
        (["run", "m.json", "-o", "out"], "SOURCE"),
        (["run", "m.json", "a.csv", "-o", "out", "--workers", "many"], "--workers"),
        (["run", "m.json", "a.csv", "-o", "out", "--workers", "-1"], "--workers"),
        (["run", "m.json", "a.csv", "-o", "out", "--executor", "fibres"], "threads"),
        (["run", "m.json", "a.csv", "-o", "out", "--batch-id", "a/b"], "--batch-id"),
        (["run", "m.json", "a.csv", "-o", "out", "--report", "no/where.json"], "--report"),
        (["run", "m.json", "a.csv", "-o", "out"], "m.json"),
        (["worker", "--drian"], "--drain"),
        (["worker", "--once", "--drain"], "--once"),
        (["worker"], "queue.url"),
        (["send", "m.json", "--queue", "http://127.0.0.1/q"], "m.json"),
        (["schema", "maping"], "mapping"),
        (["demo", "--rows", "0"], "--rows"),
        (["demo", "--keep", "."], "--keep"),
        (["config", "--config", "missing.toml"], "missing.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_one_line_and_status_2(
    tmp_path: Path,
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every kind of wrong usage names its fault in one line on standard error, without a traceback."""
    (tmp_path / "here").touch()
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("engine: ")
    assert said.err.count("\n") == 1
    assert named in said.err


def test_the_status_is_the_processs(tmp_path: Path) -> None:
    """What main() returns is what the shell sees, and nothing else is printed."""
    done = engine("run", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_config_shows_what_is_in_force_and_why(tmp_path: Path) -> None:
    """The output is a config.toml again; a changed value names the file or variable that it came from."""
    (tmp_path / "config.toml").write_text("[pool]\nworkers = 3\n")
    done = engine("config", cwd=tmp_path, env={"ENGINE_LIMITS__ROW_BYTES": "5000000"})
    assert done.returncode == 0, done.stderr
    document = tomllib.loads(done.stdout)
    assert (document["pool"]["workers"], document["limits"]["row_bytes"]) == (3, 5_000_000)
    sources = {line.split()[0]: line for line in done.stdout.splitlines() if line.endswith("]") and "#" in line}
    assert sources["workers"].endswith("[config.toml]")
    assert sources["row_bytes"].endswith("[ENGINE_LIMITS__ROW_BYTES]")
    assert len(sources) == 2


def test_every_problem_of_the_configuration_is_a_line(tmp_path: Path) -> None:
    """File and environment are judged together before anything starts."""
    (tmp_path / "config.toml").write_text("[pool]\nwrokers = 3\n")
    done = engine("doctor", cwd=tmp_path, env={"ENGINE_LOG__LEVEL": "loud"})
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "engine: configuration: pool: unknown key 'wrokers' (did you mean 'workers'?)",
        "engine: configuration: log.level (ENGINE_LOG__LEVEL): Input should be 'debug', 'info', 'warning' or 'error'",
    ]


@pytest.mark.parametrize("document", ["mapping", "message", "config"])
def test_schemas_are_printed_as_json(tmp_path: Path, document: str) -> None:
    """engine schema prints one JSON Schema that forbids unknown keys."""
    done = engine("schema", document, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["additionalProperties"] is False


def test_a_failed_batch_is_a_line_for_each_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Every file that failed is named with its code and reason, and the status is 1."""
    failed = BatchFailed(
        "b1", [SourceMissing("no such key", file="a.csv"), HeaderError("no column 'id'", file="b.csv", row=1)]
    )
    assert report(failed) == 1
    assert capsys.readouterr().err.splitlines() == [
        "engine: batch b1 failed: a.csv: source-missing: no such key",
        "engine: batch b1 failed: b.csv: row 1: header-error: no column 'id'",
    ]


def test_every_problem_of_a_document_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Documents, their files and the places in them are named, and the status is 2."""
    assert (
        report(MappingError([Problem("fields[0].type", "is required"), Problem("", "too\nlong")], file="m.json")) == 2
    )
    assert capsys.readouterr().err.splitlines() == [
        "engine: mapping: m.json: fields[0].type: is required",
        "engine: mapping: m.json: too long",
    ]
    assert list(lines(ConfigError("no"))) == ["configuration: no"]
    assert list(lines(TransientError("gone", batch="b", file="f"))) == ["transient-error: b: f: gone"]


def test_a_bug_is_one_line_and_its_traceback_comes_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception nobody foresaw is no traceback either, unless the log level is debug."""
    logger = logging.getLogger("engine")
    for level, shown in ((logging.INFO, False), (logging.DEBUG, True)):
        monkeypatch.setattr(logger, "level", level)
        logger.manager._clear_cache()  # type: ignore[attr-defined]  # why: what setLevel does, undone by monkeypatch
        empty: dict[str, int] = {}
        with pytest.raises(KeyError) as caught:
            empty["boom\nagain"]
        assert report(caught.value) == 1
        error = capsys.readouterr().err
        assert error.startswith("engine: internal error: KeyError: 'boom\\nagain'")
        assert ("Traceback" in error) is shown
        assert ("--log-level debug" in error) is not shown


def test_a_traceback_shows_no_secret(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What an error came from may quote a signed request: at debug level its traceback is shown without that."""
    logger = logging.getLogger("engine")
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # why: as above
    error = TransientError("gone")
    error.__cause__ = OSError("https://b/k?X-Amz-Signature=s3cret")
    for each in (error, OSError("aws_secret_access_key=s3cret")):
        assert report(each) == 1
    shown = capsys.readouterr().err
    assert "OSError: https://b/k?X-Amz-Signature=[hidden]" in shown
    assert "engine: internal error: OSError: aws_secret_access_key=[hidden]" in shown
    assert "s3cret" not in shown


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    """`engine schema config | head -1` ends without a word on standard error."""
    with started("schema", "config", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
