"""Facts about the interpreter and the machine: free-threaded or not, GIL on or off, CPUs and memory we may use.

Nothing here is cached: each call looks again, because an import may have switched the GIL on since.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import math
import os
import pkgutil
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Literal

import engine
from engine.core.transforms import load_transforms
from engine.errors import ConfigError, Problem, nearest

__all__ = [
    "LOCAL_BATCH",
    "Executor",
    "ExecutorChoice",
    "GilReport",
    "build_name",
    "choose_executor",
    "cpus",
    "gil_enabled",
    "import_all",
    "is_free_threaded",
    "memory_limit",
]

type Executor = Literal["threads", "processes"]

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_PROC_CGROUP = Path("/proc/self/cgroup")


def is_free_threaded() -> bool:
    """Whether this interpreter was built with ``--disable-gil``; says nothing about the GIL's state now."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def gil_enabled() -> bool:
    """Whether the GIL is on now. On a free-threaded build an import can switch it on, for good."""
    return sys._is_gil_enabled()  # noqa: SLF001  documented, and the only way to ask


def build_name() -> str:
    """What this interpreter is called: ``CPython 3.13.5t``, with ``t`` on a free-threaded build."""
    suffix = "t" if is_free_threaded() else ""
    return f"{platform.python_implementation()} {platform.python_version()}{suffix}"


@dataclass(frozen=True, slots=True)
class GilReport:
    """The GIL around a set of imports.

    Attributes:
        free_threaded: the build could run without a GIL.
        before: the GIL was on before the imports.
        after: the GIL is on after them.
        culprit: the module whose import switched it on; None when none did.
        modules: how many modules were asked for and imported.
    """

    free_threaded: bool
    before: bool
    after: bool
    culprit: str | None = None
    modules: int = 0


LOCAL_BATCH = ("engine.adapters.local", "engine.adapters.stores", "engine.batch", "engine.pool.open")
"""What a batch between local folders imports, with all that these import: not the SDK, which takes as long as all else.

Its mapping has been loaded by then, and with it the operator's transforms that it names. What is left for later is
NumPy and Arrow's Parquet writer, where they are needed: both are among what :func:`import_all` imports otherwise.
"""


def import_all(modules: Iterable[str] | None = None) -> GilReport:
    """Imports ``modules`` and says what that did to the GIL.

    Without ``modules``: every module of the engine, every distribution that the engine requires under its own name, and
    the operator's transforms, so that what would be imported only later is known now. A transform that cannot be loaded
    is no error here: it is one of the mappings that use it.

    Args:
        modules: which, and no transforms.

    Raises:
        ImportError: from a module that cannot be imported.
    """
    before = gil_enabled()
    watch = _GilWatch()
    count = 0
    sys.meta_path.insert(0, watch)
    try:
        for name in modules if modules is not None else _everything():
            importlib.import_module(name)
            watch.check()
            count += 1
        if modules is None:
            load_transforms()
            watch.check()
    finally:
        sys.meta_path.remove(watch)
    after = gil_enabled()
    culprit = watch.culprit if after and not before else None
    return GilReport(is_free_threaded(), before, after, culprit, count)


class _GilWatch(MetaPathFinder):
    """Finds no module; is asked before each one is loaded, and so sees after which one the GIL came on.

    CPython switches the GIL on while any extension module is being initialised and off again if the module allows
    it, so a sighting counts only if the GIL never goes off again.
    """

    def __init__(self) -> None:
        self.culprit: str | None = None
        self._last: str | None = None

    def find_spec(  # the import system's signature
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        self.check()
        self._last = fullname
        return None

    def check(self) -> None:
        if not gil_enabled():
            self.culprit = None
        elif self.culprit is None:
            self.culprit = self._last


def _everything() -> Iterator[str]:
    try:
        required = importlib.metadata.requires("engine") or []
    except importlib.metadata.PackageNotFoundError:
        required = []  # run from a checkout that is not installed: the engine's own imports have to do
    for requirement in required:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)
        module = name[0].replace("-", "_").lower() if name is not None else ""
        if importlib.util.find_spec(module) is not None:  # extras may be missing here
            yield module
    yield from _own_modules(engine.__path__, "engine.")


def _own_modules(path: Iterable[str], prefix: str) -> Iterator[str]:
    for info in pkgutil.iter_modules(path, prefix):
        if info.name.endswith(".__main__"):
            continue
        yield info.name
        if info.ispkg:
            yield from _own_modules(importlib.import_module(info.name).__path__, f"{info.name}.")


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """The executor to use and why; ``warning`` is set when it is not what this build was meant for."""

    executor: Executor
    reason: str
    warning: str | None = None


def choose_executor(wanted: str, gil: GilReport | None = None) -> ExecutorChoice:
    """Decides between threads and processes.

    Args:
        wanted: ``auto``, ``threads`` or ``processes``.
        gil: what the imports did to the GIL; without it :func:`import_all` finds out.

    Raises:
        ConfigError: ``wanted`` is none of the three.
    """
    if wanted not in ("auto", "threads", "processes"):
        valid = ["auto", "threads", "processes"]
        what = f"{wanted!r} is none of {', '.join(valid)}{nearest(wanted, valid)}"
        raise ConfigError([Problem("pool.executor", what)])
    if wanted == "processes":
        return ExecutorChoice("processes", "asked for")
    gil = gil if gil is not None else import_all()
    if wanted == "threads":
        if gil.after:
            return ExecutorChoice(
                "threads", "asked for", "the GIL is on, so threads take turns and N of them are as fast as one"
            )
        return ExecutorChoice("threads", "asked for")
    if not gil.free_threaded:
        return ExecutorChoice("processes", "this build has a GIL")
    if not gil.after:
        return ExecutorChoice("threads", "free-threaded build, and the GIL is off after all imports")
    if gil.before:
        what = "the GIL was on before anything was imported (PYTHON_GIL=1, -X gil=1 or an earlier import)"
    else:
        what = f"importing {gil.culprit} switched the GIL on"
    return ExecutorChoice("processes", what, f"free-threaded build, but {what}: falling back to processes")


def cpus(*, affinity: int | None = None, cgroup_root: Path = _CGROUP_ROOT, proc_cgroup: Path = _PROC_CGROUP) -> int:
    """The CPUs this process may use: the least of its affinity and every CPU quota above it, rounded up, at least 1.

    Args:
        affinity: CPUs the scheduler may put us on; found out when None.
        cgroup_root: where the cgroup file systems are mounted.
        proc_cgroup: the file that says which cgroups this process is in.
    """
    allowed = float(affinity if affinity is not None else os.process_cpu_count() or 1)
    for folder in _folders("cpu", cgroup_root, proc_cgroup):
        words = _words(folder / "cpu.max") or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        match words:
            case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period) > 0:
                allowed = min(allowed, int(quota) / int(period))
            case _:  # no such file, or "max" or -1: no quota here
                pass
    return max(1, math.ceil(allowed))


def memory_limit(
    *, physical: int | None = None, cgroup_root: Path = _CGROUP_ROOT, proc_cgroup: Path = _PROC_CGROUP
) -> int:
    """The memory this process may use, in bytes: the least of the machine's and every cgroup limit above it."""
    limit = physical if physical is not None else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for folder in _folders("memory", cgroup_root, proc_cgroup):
        for name in ("memory.max", "memory.limit_in_bytes"):
            match _words(folder / name):
                case [words] if words.isdecimal():
                    limit = min(limit, int(words))
                case _:  # no such file, or "max"
                    pass
    return limit


def _folders(controller: str, root: Path, proc_cgroup: Path) -> Iterator[Path]:
    """The cgroup folders that bind this process for ``controller``: its own and all above it, v2 and v1.

    In a container the paths of ``/proc/self/cgroup`` may be the host's and not exist here; the walk up then ends at
    the mount's root, which is the container's own cgroup.
    """
    try:
        lines = proc_cgroup.read_text().splitlines()
    except OSError:
        lines = ["0::/"]  # no /proc: look at the root of what is mounted
    for line in lines:
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            mounts = [root, root / "unified"]  # pure v2, or v2 beside v1
        elif controller in controllers.split(","):
            mounts = [root / controllers, root / controller]  # "cpu,cpuacct", usually with a link called "cpu"
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        for mount in mounts:
            for depth in range(len(parts), -1, -1):
                yield mount.joinpath(*parts[:depth])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
