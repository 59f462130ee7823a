"""What a figure depends on besides the code: recorded beside every result."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["describe"]


def describe() -> dict[str, Any]:
    """Machine, build, versions and load at this moment."""
    return {
        "cpu": _cpu(),
        "cpus": os.process_cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "gil": sys._is_gil_enabled(),  # noqa: SLF001 - the documented way to ask
        "versions": {name: version(name) for name in ("pyarrow", "pydantic-core", "regex", "aiobotocore")},
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
