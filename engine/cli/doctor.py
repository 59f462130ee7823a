"""``engine doctor``: what this installation is and how it would run."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING

from engine.cli.common import PoolFlags, configure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.config import Settings
    from engine.memory import Fit

__all__ = ["doctor"]

_PACKAGES = ("aiobotocore", "aiohttp", "msgspec", "pyarrow", "pydantic", "pydantic-core", "regex", "structlog", "yarl")


def doctor(*, flags: PoolFlags | None = None) -> int:
    """Show what build this is, whether the GIL is off and stays off, the executor, N, M, memory and versions."""
    settings, _ = configure(flags)
    for name, value in _findings(settings):
        sys.stdout.write(f"{name:<13} {value}\n")
    return 0


def _findings(settings: Settings) -> Iterator[tuple[str, str]]:
    from engine.cli.wiring import fit_of, memory_of
    from engine.codec import BACKENDS
    from engine.core.native import kernels
    from engine.core.transforms import load_transforms
    from engine.errors import ConfigError
    from engine.pool.build import build_name, choose_executor, cpus, import_all, is_free_threaded

    gil = import_all()
    choice = choose_executor(settings.pool.executor, gil)
    found = cpus()
    pool = settings.pool
    yield "engine", importlib.metadata.version("engine")
    yield "build", f"{build_name()}, {'free-threaded' if is_free_threaded() else 'with the GIL'}"
    yield "compiler", f"{sys.version.partition('[')[2].rstrip(']')}, {sys.platform}"
    change = f" (switched on by {gil.culprit})" if gil.culprit else ""
    yield "GIL", f"{_on(gil.before)} before imports, {_on(gil.after)} after {gil.modules} modules{change}"
    yield "executor", f"{choice.executor}: {choice.reason}"
    if choice.warning:
        yield "warning", choice.warning
    fit: Fit | None = None
    try:
        fit = fit_of(settings, choice)
    except ConfigError as error:
        yield "memory", f"TOO LITTLE, no command will run files: {error}"
    workers, pipelines = (fit.workers, fit.pipelines) if fit else (pool.workers or found, pool.pipelines)
    yield "workers", f"N = {workers} ({'configured' if pool.workers else 'CPUs this container may use'})"
    yield "pipelines", f"M = {pipelines} files at once on each worker"
    yield "CPUs", f"{found} usable"
    if fit:
        yield from _memory(fit, memory_of(settings), settings.limits.row_bytes)
    yield (
        "kernels",
        "in C" if kernels is not None else "not built: mapping is several times slower (see docs/design.md)",
    )
    yield "JSON", "msgspec" if "msgspec" in BACKENDS else "pydantic-core (msgspec is not installed)"
    transforms = load_transforms()
    yield "transforms", ", ".join(f"{name} ({what})" for name, what in transforms.items()) or "none registered"
    for package in _PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            yield package, "not installed"


def _memory(fit: Fit, there: int, row_bytes: int) -> Iterator[tuple[str, str]]:
    from engine.progress import size

    yield "memory", f"at most {size(fit.bound.usual)} of the {size(there)} there are"
    yield "", f"at most {size(fit.bound.parquet)} if every pipeline wrote Parquet"
    if fit.warning:
        yield "warning", fit.warning
    row = size(row_bytes)
    if fit.room is None:
        yield "", f"at most {size(fit.bound.longest)} if, besides, every pipeline held a row of {row} at once"
    elif fit.longest == row_bytes:
        yield "", f"the rest for long rows: each process holds {fit.room.total // fit.room.row} of {row} at once"
    else:
        yield "", f"the rest for long rows: those over {size(fit.longest)} fail their file, though {row} are allowed"


def _on(gil: bool) -> str:
    return "on" if gil else "off"
