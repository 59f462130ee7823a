"""The configuration: ``config.toml``, overridden by ``ENGINE_<SECTION>__<KEY>``, overridden by flags.

Nothing is read at import; :func:`load_settings` reads once and returns frozen :class:`Settings`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.fields import FieldInfo

from engine.documents import problems
from engine.errors import ConfigError, Problem
from engine.names import ExternalId, RoleArn
from engine.origins import origin

__all__ = [
    "CONFIG_FILE",
    "ENV_PREFIX",
    "Origins",
    "Settings",
    "Values",
    "keys",
    "load_settings",
    "render_toml",
    "settings_schema",
]

CONFIG_FILE = "config.toml"
ENV_PREFIX = "ENGINE_"

type Values = dict[str, Any]
"""Sections, each a table of keys unless somebody wrote something else."""
type Origins = dict[tuple[str, str], str]
"""Where each value that is not a default came from: a file's name, an environment variable's or a flag's."""

_MIB = 1_048_576
_MAX_VISIBILITY_S = 43_200  # SQS: 12 hours


def _http(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/]\S*", text):
        raise ValueError("must be empty or a URL that starts with http:// or https://")
    return text


def _bucket(text: str) -> str:
    if not text or "://" in text:
        raise ValueError("must be the name of a bucket, without s3://")
    return text


Url = Annotated[str, AfterValidator(_http)]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolSettings(_Section):
    executor: Literal["auto", "threads", "processes"] = Field("auto", description="auto | threads | processes")
    workers: int = Field(0, ge=0, le=1024, description="0: the CPUs this container may use")
    pipelines: int = Field(4, ge=1, le=1024, description="concurrent files per worker")
    assign: Literal["round_robin", "largest_first"] = Field("round_robin", description="round_robin | largest_first")
    split_bytes: int = Field(0, ge=0, description="files over this are read by several workers; 0: never")


class QueueSettings(_Section):
    url: Url = Field("", description="the SQS queue the worker takes messages from")
    endpoint_url: Url = Field("", description="empty: AWS")
    region: Region = Field("us-east-1", description="the queue's region")
    wait_s: int = Field(20, ge=0, le=20, description="how long one poll waits for a message")
    visibility_s: int = Field(
        300, ge=1, le=_MAX_VISIBILITY_S, description="how long a message taken stays ours; extended while work goes on"
    )
    stall_s: Seconds = Field(600, description="no byte advanced for so long: give the message back")
    dead_letter_url: Url = Field("", description="where messages that can never succeed go; empty: nowhere")
    document_buckets: list[Annotated[str, AfterValidator(_bucket)]] = Field(
        [], description="ours, with documents that a message may point to when it is too long for a queue"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.url and self.url == self.dead_letter_url:
            raise ValueError("dead_letter_url: must not be the queue's own url: a message would come back for ever")
        return self


class SourceSettings(_Section):
    endpoint_url: Url = Field("", description="for s3:// URLs on the command line; empty: AWS")
    region: Region = Field("us-east-1", description="for s3:// URLs on the command line, and messages that name none")
    allow_endpoints: list[Annotated[str, AfterValidator(origin)]] = Field(
        [], description="endpoints other than AWS's that a message may name, at any address"
    )
    allow_inline_keys: bool = Field(True, description="keys in the message itself; turn off in production")
    allow_profiles: bool = Field(True, description="this machine's profiles in messages; turn off in production")
    external_ids: dict[RoleArn, ExternalId] = Field(
        {}, repr=False, description="role ARN -> external id, held here rather than in messages"
    )
    secret_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9/_+=.@:-]{0,512}$",
        description="how secrets that a message may name begin; empty: none",
    )
    read_bytes: int = Field(_MIB, ge=4096, le=64 * _MIB, description="the largest piece read at once")
    connect_timeout_s: Seconds = Field(10, description="to open a connection")
    read_timeout_s: Seconds = Field(60, description="without a byte from an open connection")
    min_bytes_per_s: int = Field(1024, ge=0, description="a source slower than this is given up; 0: never")
    attempts: int = Field(5, ge=1, le=100, description="tries per request, the first included")


class DestinationSettings(_Section):
    bucket: str = Field("", description="where results go when a message names no destination")
    prefix: str = Field("", description="before <batch_id>/ in that bucket")
    endpoint_url: Url = Field("", description="empty: AWS")
    region: Region = Field("us-east-1", description="the bucket's region")
    part_bytes: int = Field(
        8 * _MIB,
        ge=5 * _MIB,
        le=5 * 1024 * _MIB,
        description="first size of an upload's parts; it grows so that 10,000 are enough",
    )


class MappingsSettings(_Section):
    store: str = Field(
        "mappings/",
        min_length=1,
        description="a folder, s3://bucket/prefix/ or https://...; documents are <mapping_id>.json or .toml",
    )


class LimitsSettings(_Section):
    row_bytes: int = Field(16 * _MIB, ge=1, description="the longest row")
    cell_bytes: int = Field(8 * _MIB, ge=1, description="the longest cell")
    expansion_ratio: int = Field(200, ge=1, description="compressed input may grow by this factor")
    regex_timeout_s: Seconds = Field(1.0, description="one pattern on one cell")
    memory_bytes: int = Field(0, ge=0, description="0: derived from the container's limit")


class FailureSettings(_Section):
    attempts: int = Field(3, ge=1, le=100, description="per file, within one receive")
    permanent: Literal["dead_letter", "retry", "ack"] = Field(
        "dead_letter", description="dead_letter (retry where no dead_letter_url is set) | retry | ack"
    )
    backoff_s: tuple[Seconds, Seconds] = Field(
        (5, 900), description="first and longest visibility after a transient failure"
    )

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if not self.backoff_s[0] <= self.backoff_s[1] <= _MAX_VISIBILITY_S:
            raise ValueError(f"backoff_s: the first must not exceed the longest, nor that {_MAX_VISIBILITY_S}")
        return self


class ServiceSettings(_Section):
    grace_s: float = Field(25, ge=0, allow_inf_nan=False, description="from SIGTERM to the end of work in hand")


class ResultsSettings(_Section):
    queue_url: Url = Field("", description="told of every batch's outcome; empty: nobody")
    topic_arn: str = Field("", pattern=r"^(arn:[^\s]+)?$", description="the same, an SNS topic")


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug | info | warning | error")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto | json | console; auto: console on a terminal"
    )
    values: bool = Field(False, description="may cell contents appear in logs")


class HttpSettings(_Section):
    host: str = Field("127.0.0.1", min_length=1, description="address that health checks and metrics listen on")
    port: int = Field(0, ge=0, le=65_535, description="0: off")


class Settings(BaseModel):
    """The whole configuration. :func:`load_settings` reads it; constructing it directly reads nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pool: PoolSettings = PoolSettings()
    queue: QueueSettings = QueueSettings()
    source: SourceSettings = SourceSettings()
    destination: DestinationSettings = DestinationSettings()
    mappings: MappingsSettings = MappingsSettings()
    limits: LimitsSettings = LimitsSettings()
    failure: FailureSettings = FailureSettings()
    service: ServiceSettings = ServiceSettings()
    results: ResultsSettings = ResultsSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()


def load_settings(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, tuple[str, str, Any]] | None = None,
) -> tuple[Settings, Origins]:
    """Reads the configuration once.

    Args:
        file: must exist; without it ``config.toml`` of the working directory is read where there is one.
        environ: ``os.environ`` unless given.
        flags: ``{"--workers": ("pool", "workers", 2)}``; a value of None counts as not given.

    Raises:
        ConfigError: lists every problem of file, environment and flags at once.
    """
    values = _read_file(file)
    name = str(file or CONFIG_FILE)
    origins = {(section, key): name for section, table in values.items() if isinstance(table, dict) for key in table}
    found: list[Problem] = []
    environ = os.environ if environ is None else environ
    if any(name.upper().startswith(ENV_PREFIX) for name in environ):
        from engine.environment import read_environment  # pydantic-settings takes 100 ms

        from_environment, variables, found = read_environment(environ)
        for section, table in from_environment.items():
            _overlay(values, section, table)
        origins |= variables
    for flag, (section, key, value) in (flags or {}).items():
        if value is not None:
            _overlay(values, section, {key: value})
            origins[section, key] = flag
    try:
        settings = Settings.model_validate(values)
    except ValidationError as invalid:
        raise ConfigError(found + [_with_origin(problem, origins) for problem in problems(Settings, invalid)]) from None
    if found:
        raise ConfigError(found)
    return settings, origins


def _overlay(values: Values, section: str, table: dict[str, Any]) -> None:
    below = values.get(section, {})
    if isinstance(below, dict):  # anything else stays, to be reported
        values[section] = below | table


def _read_file(file: Path | None) -> Values:
    path = file or Path(CONFIG_FILE)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if file is None:
            return {}
        raise ConfigError("no such file", file=str(path)) from None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigError(f"cannot be read: {reason}", file=str(path)) from None
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", file=str(path)) from None


def _with_origin(problem: Problem, origins: Origins) -> Problem:
    """Names the variable, flag or file that a bad value came from."""
    section, _, rest = problem.where.partition(".")
    origin = origins.get((section, rest.partition("[")[0].partition(".")[0]))
    if origin is None:
        return problem
    return Problem(f"{problem.where} ({origin})", problem.what)


def keys() -> dict[str, dict[str, FieldInfo]]:
    """Every key of every section."""
    return {name: _section_type(field).model_fields for name, field in Settings.model_fields.items()}


def _section_type(field: FieldInfo) -> type[BaseModel]:
    assert isinstance(field.annotation, type)
    assert issubclass(field.annotation, BaseModel)
    return field.annotation


def render_toml(settings: Settings, origins: Origins | None = None) -> str:
    """The configuration as a ``config.toml``: every key, its value, one line on it and whence a changed value came."""
    default = Settings()
    lines: list[str] = []
    for section, fields in keys().items():
        lines.append(f"[{section}]")
        for key, field in fields.items():
            value = getattr(getattr(settings, section), key)
            changed = value != getattr(getattr(default, section), key)
            origin = (origins or {}).get((section, key)) if changed else None
            note = f"{field.description} [{origin}]" if origin else field.description
            lines.append(f"{key} = {_toml(value)}".ljust(36) + f"  # {note}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and value != 1.0 else repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"'}
    return '"' + "".join(escapes.get(c, c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") for c in text) + '"'


def settings_schema() -> dict[str, Any]:
    """JSON Schema of ``config.toml``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
