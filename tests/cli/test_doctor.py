"""``engine doctor`` tells the truth about the build it runs on."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from tests.cli.command import engine


def findings(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in text.splitlines()) if name}


def test_doctor_names_build_gil_executor_and_sizes(tmp_path: Path) -> None:
    """Build, GIL before and after imports, executor with its reason, N, M and the memory bound are all there."""
    done = engine("doctor", "--workers", "3", "--pipelines", "5", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = findings(done.stdout)
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    state = "on" if sys._is_gil_enabled() else "off"
    assert f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}" in found["build"]
    assert ("free-threaded" in found["build"]) is free_threaded
    assert found["GIL"].startswith(f"{state} before imports, {state} after ")
    assert found["executor"].split(":")[0] == ("threads" if state == "off" else "processes")
    assert found["workers"].startswith("N = 3 ")
    assert found["pipelines"].startswith("M = 5 ")
    assert found["memory"].startswith("at most ")
    assert found["transforms"] == "none registered"
    assert all(found[package][0].isdigit() for package in ("pyarrow", "aiobotocore", "pydantic", "structlog"))


def test_n_is_what_this_process_may_use(tmp_path: Path) -> None:
    """Without a configured number N follows the affinity of the process, not the count of the host."""
    only = min(os.sched_getaffinity(0))
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {only})
    try:
        done = engine("doctor", cwd=tmp_path)
    finally:
        os.sched_setaffinity(0, allowed)
    assert findings(done.stdout)["workers"].startswith("N = 1 ")


def test_a_configuration_that_needs_too_much_memory_is_pointed_out(tmp_path: Path) -> None:
    """The bound of the configuration is compared with the memory there is."""
    done = engine("doctor", cwd=tmp_path, env={"ENGINE_LIMITS__MEMORY_BYTES": "1000000"})
    assert "MORE THAN THE LIMIT" in findings(done.stdout)["memory"]
