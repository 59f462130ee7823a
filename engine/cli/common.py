"""Flags that every command has, and the configuration they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from engine.errors import ConfigError, Problem

if TYPE_CHECKING:
    from engine.config import Origins, Settings

__all__ = ["BatchFlags", "Common", "Overrides", "PoolFlags", "configure", "configure_with_queue"]

type LogLevel = Literal["debug", "info", "warning", "error"]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Common:
    """Flags of every command that reads the configuration."""

    config: Annotated[Path | None, Parameter(help="Configuration file; config.toml in this folder unless given.")] = (
        None
    )
    log_level: Annotated[LogLevel | None, Parameter(help="Least severe log line to write to standard error.")] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PoolFlags(Common):
    """Flags of every command that has workers."""

    workers: Annotated[int | None, Parameter(help="Threads or processes; 0 for the CPUs this container may use.")] = (
        None
    )
    pipelines: Annotated[int | None, Parameter(help="Files at once on each worker.")] = None
    executor: Annotated[
        Literal["auto", "threads", "processes"] | None,
        Parameter(help="Threads or processes; auto takes threads where the GIL is off."),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFlags(PoolFlags):
    """Flags of every command that runs one batch."""

    output: Annotated[
        str,
        Parameter(
            name=("--output", "-o"),
            help="A folder or s3://bucket/prefix; gets data/, rejects/ and, last, manifest.json.",
        ),
    ]
    batch_id: Annotated[str | None, Parameter(help="Put the output in a folder of this name below the output.")] = None
    overwrite: Annotated[bool, Parameter(help="Replace an output that is there already.")] = False
    format: Annotated[
        Literal["jsonl", "csv", "parquet"] | None, Parameter(help="Output format instead of the mapping's.")
    ] = None
    report: Annotated[Path | None, Parameter(help="Also write the manifest to this file.")] = None


type Overrides = dict[str, tuple[str, str, Any]]
"""``{"--queue": ("queue", "url", "https://...")}``; None as the value counts as not given."""


def configure(given: Common | None, overrides: Overrides | None = None) -> tuple[Settings, Origins]:
    """Reads the configuration, with the flags given on top, and sets up logging.

    Raises:
        ConfigError: lists every problem.
    """
    from engine.config import load_settings
    from engine.telemetry import configure_logging

    common = given or Common()
    flags: Overrides = {"--log-level": ("log", "level", common.log_level)}
    if isinstance(common, PoolFlags):
        flags["--workers"] = ("pool", "workers", common.workers)
        flags["--pipelines"] = ("pool", "pipelines", common.pipelines)
        flags["--executor"] = ("pool", "executor", common.executor)
    settings, origins = load_settings(common.config, flags=flags | (overrides or {}))
    configure_logging(settings.log)
    return settings, origins


def configure_with_queue(given: Common | None, queue: str | None) -> Settings:
    """:func:`configure` for a command that needs a queue; ``queue`` is the URL from the command line.

    Raises:
        ConfigError: also when no queue is named anywhere.
    """
    settings, _ = configure(given, {"--queue": ("queue", "url", queue)})
    if not settings.queue.url:
        raise ConfigError([Problem("queue.url", "is not set: name it in config.toml, ENGINE_QUEUE__URL or --queue")])
    return settings
