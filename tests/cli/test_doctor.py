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


def test_too_little_memory_is_pointed_out(tmp_path: Path) -> None:
    """Where no file could be run, doctor says so and what to do; the commands that run files say the same and end."""
    little = {"ENGINE_LIMITS__MEMORY_BYTES": "1000000"}
    done = engine("doctor", cwd=tmp_path, env=little)
    assert done.returncode == 0
    assert findings(done.stdout)["memory"].startswith("TOO LITTLE")
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "m.json").write_text('{"version": 1, "id": "m", "fields": [{"name": "a", "type": "int"}]}')
    done = engine("run", "m.json", "a.csv", "--output", "out", cwd=tmp_path, env=little)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "limits.memory_bytes: 1 MiB of memory are too few" in done.stderr
    assert not (tmp_path / "out").exists()


def test_fewer_pipelines_where_memory_is_less(tmp_path: Path) -> None:
    """What is run is what fits: the bound, the files at once and the rows that there is room for tell of it."""
    env = {"ENGINE_LIMITS__MEMORY_BYTES": str(1000 << 20)}
    done = engine("doctor", "--workers", "1", "--pipelines", "90", cwd=tmp_path, env=env)
    found = findings(done.stdout)
    assert "files at once would need" in found["warning"]
    assert 1 <= int(found["pipelines"].split()[2]) < 20
    assert "fail their file" in done.stdout
