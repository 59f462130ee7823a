"""The configuration: layers, problems, and the file that documents it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine.config import Settings, load_settings, render_toml, settings_schema
from engine.errors import ConfigError

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs each test in a folder without a config.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(**arguments: Any) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_settings(**{"environ": {}, **arguments})
    return [str(problem) for problem in refused.value.problems]


def test_the_shipped_file_is_the_defaults_to_the_letter() -> None:
    """config.toml holds every key with its default and one line on it, exactly as the models have them."""
    text = (CHECKOUT / "config.toml").read_text()
    header = "".join(line for line in text.splitlines(keepends=True) if line.startswith("# "))
    assert text == f"{header}\n{render_toml(Settings())}"
    assert Settings(**tomllib.loads(text)) == Settings()
    assert all("  # " in line for line in text.splitlines() if " = " in line and not line.startswith("#"))


def test_defaults_need_no_file_and_no_environment() -> None:
    """Without a file, a variable or a flag the defaults hold and nothing claims another origin."""
    assert load_settings(environ={}) == (Settings(), {})


def test_a_flag_beats_the_environment_which_beats_the_file(empty_folder: Path) -> None:
    """Each layer overrides single keys of the one below, and every value knows where it came from."""
    (empty_folder / "config.toml").write_text("[pool]\nworkers = 1\npipelines = 11\nexecutor = 'threads'\n")
    settings, origins = load_settings(
        environ={"ENGINE_POOL__WORKERS": "2", "ENGINE_POOL__PIPELINES": "12"},
        flags={"--workers": ("pool", "workers", 3), "--executor": ("pool", "executor", None)},
    )
    assert (settings.pool.workers, settings.pool.pipelines, settings.pool.executor) == (3, 12, "threads")
    assert origins == {
        ("pool", "workers"): "--workers",
        ("pool", "pipelines"): "ENGINE_POOL__PIPELINES",
        ("pool", "executor"): "config.toml",
    }


def test_the_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable set after import counts, and constructing Settings reads none."""
    monkeypatch.setenv("ENGINE_POOL__WORKERS", "7")
    assert load_settings()[0].pool.workers == 7
    assert Settings().pool.workers == 0


def test_the_environment_speaks_json_for_lists_and_tables() -> None:
    """Lists, tables, booleans and numbers arrive as such; names are taken in any case."""
    settings, _ = load_settings(
        environ={
            "ENGINE_SOURCE__ALLOW_ENDPOINTS": '["http://minio:9000"]',
            "ENGINE_SOURCE__EXTERNAL_IDS": '{"arn:aws:iam::123456789012:role/r": "x1"}',
            "ENGINE_SOURCE__ALLOW_INLINE_KEYS": "false",
            "ENGINE_FAILURE__BACKOFF_S": "[1, 2.5]",
            "engine_queue__wait_s": "3",
            "UNRELATED": "1",
            "ENGINE_CACHE": "/somewhere",
        }
    )
    assert settings.source.allow_endpoints == ["http://minio:9000"]
    assert settings.source.external_ids == {"arn:aws:iam::123456789012:role/r": "x1"}
    assert not settings.source.allow_inline_keys
    assert list(settings.failure.backoff_s) == [1, 2.5]
    assert settings.queue.wait_s == 3


def test_every_problem_of_every_layer_is_listed_at_once(empty_folder: Path) -> None:
    """One error names all faults of file, environment and flags, each with its place, origin and nearest name."""
    file = empty_folder / "other.toml"
    file.write_text("pools = 1\n_env_prefix = 1\n[queue]\nurl = 'queue'\nwiat_s = 3\n[http]\nport = 70_000\n")
    assert problems(
        file=file,
        environ={
            "ENGINE_LOG_LEVEL": "debug",
            "ENGINE_POOL__WROKERS": "2",
            "ENGINE_SOURCE__ALLOW_ENDPOINTS": "[1",
            "ENGINE_LOG__LEVEL": "loud",
        },
        flags={"--workers": ("pool", "workers", -1)},
    ) == [
        "ENGINE_LOG_LEVEL: unknown environment variable (did you mean 'ENGINE_LOG__LEVEL'?)",
        "ENGINE_POOL__WROKERS: unknown environment variable (did you mean 'ENGINE_POOL__WORKERS'?)",
        (
            "ENGINE_SOURCE__ALLOW_ENDPOINTS: is not JSON: EOF while parsing a list at line 1 column 2 "
            "(lists and tables are written as JSON)"
        ),
        "pool.workers (--workers): Input should be greater than or equal to 0",
        f"queue.url ({file}): must be empty or a URL that starts with http:// or https://",
        "queue: unknown key 'wiat_s' (did you mean 'wait_s'?)",
        "log.level (ENGINE_LOG__LEVEL): Input should be 'debug', 'info', 'warning' or 'error'",
        f"http.port ({file}): Input should be less than or equal to 65535",
        "unknown key 'pools' (did you mean 'pool'?)",
        "unknown key '_env_prefix'",
    ]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("pool", "pipelines", 0),
        ("queue", "wait_s", 21),
        ("queue", "visibility_s", 43_201),
        ("queue", "region", "evil.example/#"),
        ("queue", "document_buckets", ["ours", "s3://ours"]),
        ("queue", "document_buckets", [""]),
        ("destination", "part_bytes", 5 * 1024 * 1024 - 1),
        ("source", "external_ids", {"arn:aws:iam::12:role/r": "acme-7"}),
        ("source", "external_ids", {"arn:aws:iam::123456789012:role/r": ""}),
        ("source", "secret_prefix", "clients*"),
        ("source", "read_timeout_s", 0),
        ("source", "read_timeout_s", float("inf")),
        ("limits", "regex_timeout_s", float("nan")),
        ("failure", "backoff_s", [900, 5]),
        ("failure", "backoff_s", [5]),
        ("mappings", "store", ""),
    ],
)
def test_values_out_of_bounds_are_refused(section: str, key: str, value: Any) -> None:
    """A value no run could work with stops the start, naming its key."""
    (problem,) = problems(flags={"flag": (section, key, value)})
    assert problem.startswith((f"{section}.{key}", f"{section}: {key}"))


def test_a_queue_is_not_its_own_dead_letter_queue() -> None:
    """What can never succeed would come back for ever; two queues that are not named are no such thing."""
    url = "https://sqs.eu-west-1.amazonaws.com/1/work"
    flags = {"--queue": ("queue", "url", url)}
    (problem,) = problems(flags=flags, environ={"ENGINE_QUEUE__DEAD_LETTER_URL": url})
    assert problem.startswith("queue: dead_letter_url: must not be the queue's own url")
    load_settings(flags=flags, environ={"ENGINE_QUEUE__DEAD_LETTER_URL": url + "-dead"})
    load_settings(environ={"ENGINE_QUEUE__URL": "", "ENGINE_QUEUE__DEAD_LETTER_URL": ""})


def test_a_section_that_is_no_table_is_a_problem_of_its_own(empty_folder: Path) -> None:
    """A wrong shape is reported like a wrong value; other layers neither trip over it nor hide it."""
    (empty_folder / "config.toml").write_text("pool = 3\n")
    (problem,) = problems(environ={"ENGINE_POOL__WORKERS": "2"}, flags={"--workers": ("pool", "workers", 3)})
    assert problem.startswith("pool: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"a = ", "is not TOML: Invalid value (at end of document)"), (b"\xff", "is not UTF-8")],
)
def test_a_named_file_must_be_readable_toml(empty_folder: Path, content: bytes | None, message: str) -> None:
    """--config FILE never falls back silently."""
    file = empty_folder / "given.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load_settings(file, environ={})
    assert str(file) in str(refused.value)
    assert message in str(refused.value)


def test_what_is_printed_reads_back_as_the_same_configuration() -> None:
    """render_toml is a faithful config.toml, whatever the values hold."""
    awkward = load_settings(
        environ={
            "ENGINE_DESTINATION__PREFIX": 'quote " backslash \\ tab \t e-acute \u00e9',
            "ENGINE_SOURCE__EXTERNAL_IDS": '{"arn:aws:iam::123456789012:role/\\"\\\\": "a=b,c"}',
            "ENGINE_SOURCE__ALLOW_ENDPOINTS": '["http://a", "https://b:1"]',
            "ENGINE_FAILURE__BACKOFF_S": "[0.5, 1e3]",
            "ENGINE_LIMITS__ROW_BYTES": "123456789",
        }
    )
    text = render_toml(*awkward)
    assert Settings(**tomllib.loads(text)) == awkward[0]
    assert "[ENGINE_LIMITS__ROW_BYTES]" in text


def test_settings_cannot_be_changed() -> None:
    """Settings are shared by threads, so they are frozen."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().pool.workers = 3  # type: ignore[misc]  # why: the assignment is what must fail


def test_the_schema_names_every_key_and_forbids_others() -> None:
    """The JSON Schema carries descriptions and refuses unknown keys, as the engine does."""
    schema = settings_schema()
    assert list(schema["properties"]) == list(tomllib.loads((CHECKOUT / "config.toml").read_text()))
    assert schema["additionalProperties"] is False
    pool = schema["$defs"]["PoolSettings"]
    assert pool["properties"]["workers"]["description"] == "0: the CPUs this container may use"
    assert pool["additionalProperties"] is False
