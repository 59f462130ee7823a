"""What the interpreter and the machine allow, on made-up cgroup trees and on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.pool.build import (
    GilReport,
    build_name,
    choose_executor,
    cpus,
    gil_enabled,
    import_all,
    is_free_threaded,
    memory_limit,
)
from tests.operators import install

GIB = 1 << 30


class Tree:
    """A made-up /proc/self/cgroup and the cgroup files around it."""

    def __init__(self, folder: Path, proc: str, files: dict[str, str]) -> None:
        self.root = folder / "cgroup"
        self.proc = folder / "proc_self_cgroup"
        self.proc.write_text(proc)
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")

    def cpus(self, affinity: int = 64) -> int:
        return cpus(affinity=affinity, cgroup_root=self.root, proc_cgroup=self.proc)

    def memory(self, physical: int = 64 * GIB) -> int:
        return memory_limit(physical=physical, cgroup_root=self.root, proc_cgroup=self.proc)


@pytest.mark.parametrize(
    ("proc", "files", "affinity", "expected"),
    [
        pytest.param("0::/\n", {}, 6, 6, id="no limit: affinity"),
        pytest.param("0::/\n", {"cpu.max": "max 100000"}, 6, 6, id="v2 max: affinity"),
        pytest.param("0::/\n", {"cpu.max": "200000 100000"}, 6, 2, id="v2 in a container's own cgroup"),
        pytest.param("0::/\n", {"cpu.max": "250000 100000"}, 6, 3, id="rounded up"),
        pytest.param("0::/\n", {"cpu.max": "10000 100000"}, 6, 1, id="at least one"),
        pytest.param("0::/\n", {"cpu.max": "800000 100000"}, 2, 2, id="affinity below the quota"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 6, 3, id="v2 parent"),
        pytest.param(
            "0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "150000 50000"}, 6, 3, id="least of a chain"
        ),
        pytest.param("0::/host/path/unknown/here\n", {"cpu.max": "200000 100000"}, 6, 2, id="host path, own mount"),
        pytest.param("0::/../../pod\n", {"pod/cpu.max": "200000 100000"}, 6, 2, id="above the namespace's root"),
        pytest.param(
            "4:cpu,cpuacct:/x\n0::/x\n",
            {"cpu,cpuacct/x/cpu.cfs_quota_us": "150000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"},
            6,
            2,
            id="v1",
        ),
        pytest.param(
            "1:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 6, 6, id="v1 no quota"
        ),
        pytest.param(
            "1:cpu:/x/y\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 6, 1, id="v1 root"
        ),
        pytest.param("1:memory:/x\n", {"x/cpu.max": "100000 100000"}, 6, 6, id="another controller's path"),
        pytest.param("0::/\n", {"cpu.max": "nonsense"}, 6, 6, id="unreadable text"),
        pytest.param("1:cpu:/\n0::/x\n", {"unified/x/cpu.max": "100000 100000"}, 6, 1, id="v2 beside v1"),
    ],
)
def test_cpus(proc: str, files: dict[str, str], affinity: int, expected: int, tmp_path: Path) -> None:
    """The CPUs are the least of affinity and every quota from the process's cgroup upwards, rounded up."""
    assert Tree(tmp_path, proc, files).cpus(affinity) == expected


@pytest.mark.parametrize(
    ("proc", "files", "expected"),
    [
        pytest.param("0::/\n", {}, 64 * GIB, id="physical"),
        pytest.param("0::/\n", {"memory.max": "max"}, 64 * GIB, id="v2 max"),
        pytest.param("0::/a/b\n", {"a/b/memory.max": str(2 * GIB), "a/memory.max": str(GIB)}, GIB, id="v2 parent"),
        pytest.param("9:memory:/x\n", {"memory/x/memory.limit_in_bytes": str(3 * GIB)}, 3 * GIB, id="v1"),
        pytest.param(
            "9:memory:/x\n", {"memory/x/memory.limit_in_bytes": "9223372036854771712"}, 64 * GIB, id="v1 no limit"
        ),
    ],
)
def test_memory_limit(proc: str, files: dict[str, str], expected: int, tmp_path: Path) -> None:
    """The memory is the least of the machine's and every limit from the process's cgroup upwards."""
    assert Tree(tmp_path, proc, files).memory() == expected


def test_this_machine() -> None:
    """Without injected paths the answers are this machine's: within affinity and physical memory, and positive."""
    assert 1 <= cpus() <= (os.process_cpu_count() or 1)
    assert 0 < memory_limit() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_affinity_counts() -> None:
    """A process bound to one CPU sees one."""
    cpu = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{cpu}}}); from engine.pool.build import cpus; print(cpus())"
    assert python(code) == "1"


def test_build_name_says_what_it_is() -> None:
    """The build's name ends in t on a free-threaded build and only there."""
    assert is_free_threaded() == ("t" in sysconfig.get_config_var("ABIFLAGS"))
    assert build_name().endswith("t") == is_free_threaded()


def test_gil_stays_off_after_importing_everything() -> None:
    """A fresh interpreter imports all of the engine and its dependencies; the GIL is then as the build wants it."""
    code = "from engine.pool.build import *; r = import_all(); print(r.free_threaded, r.before, r.after, r.culprit)"
    on = not is_free_threaded()
    assert python(code) == f"{is_free_threaded()} {on} {on} None"


def test_import_all_reaches_the_engine_and_its_dependencies() -> None:
    """What workers import late is among what import_all imports."""
    code = (
        "import sys; from engine.pool.build import import_all; r = import_all();"
        "print(r.modules > 20, {'aiobotocore', 'pyarrow', 'engine.pipeline', 'engine.pool.open'} - sys.modules.keys())"
    )
    assert python(code) == "True set()"


def test_a_local_batch_finds_all_it_needs_imported() -> None:
    """What a batch between folders imports is known to the GIL's watch too, and the SDK is left out."""
    code = (
        "import sys; from engine.pool.build import *; import_all(LOCAL_BATCH); before = set(sys.modules);"
        "import engine.core.transform, engine.pool.threads;"
        "print('pyarrow' in before, set(sys.modules) - before, 'aiobotocore' in sys.modules)"
    )
    assert python(code) == "True set() False"


@pytest.mark.skipif(not is_free_threaded(), reason="only a free-threaded build can switch its GIL on")
def test_culprit_is_named(tmp_path: Path) -> None:
    """When an extension module that needs the GIL is imported, however deep, that module is named."""
    build_extension(tmp_path)
    (tmp_path / "innocent.py").write_text("import colorsys\nimport needsgil\nimport wave\n")
    code = (
        "import sys; sys.path.insert(0, '.'); from engine.pool.build import import_all, choose_executor\n"
        "r = import_all(['json', 'innocent', 'csv'])\n"
        "print(r.before, r.after, r.culprit, choose_executor('auto', r).executor)"
    )
    said = python(code, "-W", "ignore:The global interpreter lock:RuntimeWarning", cwd=tmp_path)
    assert said == "False True needsgil processes"


@pytest.mark.skipif(not is_free_threaded(), reason="only a free-threaded build can switch its GIL on")
def test_a_transform_that_needs_the_gil_is_known_at_start(tmp_path: Path) -> None:
    """What an operator registered is imported with the engine's own, so that no mapping switches the GIL on later."""
    build_extension(tmp_path)
    install(tmp_path, {"innocent": "innocent:f", "lost": "no_such_module:f"})
    (tmp_path / "innocent.py").write_text("import needsgil\n")
    code = (
        "import sys; sys.path.insert(0, '.'); from engine.pool.build import import_all, choose_executor\n"
        "r = import_all(); print(r.before, r.after, r.culprit, choose_executor('auto', r).executor)"
    )
    said = python(code, "-W", "ignore:The global interpreter lock:RuntimeWarning", cwd=tmp_path)
    assert said == "False True needsgil processes"


@pytest.mark.skipif(not is_free_threaded(), reason="only a free-threaded build can run with its GIL on or off")
def test_gil_that_was_on_from_the_start_is_no_imports_fault() -> None:
    """With -X gil=1 the fallback to processes names the option, not a module."""
    code = (
        "from engine.pool.build import *; r = import_all(['json']); c = choose_executor('auto', r)\n"
        "print(r.before, r.after, r.culprit, c.executor, c.warning)"
    )
    said = python(code, "-X", "gil=1")
    assert said.startswith("True True None processes free-threaded build, but the GIL was on before")


GIL_BUILD = GilReport(free_threaded=False, before=True, after=True)
OFF = GilReport(free_threaded=True, before=False, after=False)
SWITCHED = GilReport(free_threaded=True, before=False, after=True, culprit="old_module")


@pytest.mark.parametrize(
    ("wanted", "gil", "executor", "reason", "warning"),
    [
        ("auto", OFF, "threads", "GIL is off", None),
        ("auto", GIL_BUILD, "processes", "has a GIL", None),
        ("auto", SWITCHED, "processes", "importing old_module switched the GIL on", "falling back to processes"),
        ("threads", OFF, "threads", "asked for", None),
        ("threads", GIL_BUILD, "threads", "asked for", "take turns"),
        ("processes", OFF, "processes", "asked for", None),
        ("processes", GIL_BUILD, "processes", "asked for", None),
    ],
)
def test_choose_executor(wanted: str, gil: GilReport, executor: str, reason: str, warning: str | None) -> None:
    """Threads only where they run at once, unless asked for; a fallback is always said."""
    choice = choose_executor(wanted, gil)
    assert choice.executor == executor
    assert reason in choice.reason
    assert (choice.warning is None) == (warning is None)
    assert warning is None or warning in (choice.warning or "")


def test_choose_executor_looks_for_itself() -> None:
    """Without a report the build in hand decides."""
    assert choose_executor("auto").executor == ("processes" if gil_enabled() else "threads")


def test_unknown_executor_names_the_nearest() -> None:
    """A misspelt executor is a configuration error that names the right one."""
    with pytest.raises(ConfigError, match=r"'thread' is none of auto, threads, processes \(did you mean 'threads'"):
        choose_executor("thread")


def test_import_error_leaves_the_import_system_as_it_was() -> None:
    """A module that cannot be imported raises, and nothing stays hooked into the import system."""
    before = list(sys.meta_path)
    with pytest.raises(ImportError):
        import_all(["engine.no_such_module"])
    assert sys.meta_path == before


def python(code: str, *options: str, cwd: Path | None = None) -> str:
    """What a fresh interpreter of this build prints."""
    command = [sys.executable, *options, "-c", code]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, env=environment).stdout.strip()


def build_extension(folder: Path) -> None:
    """Compiles an extension module that does not say that it can do without the GIL."""
    source = folder / "needsgil.c"
    source.write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "needsgil", NULL, -1, NULL};\n'
        "PyMODINIT_FUNC PyInit_needsgil(void) { return PyModule_Create(&module); }\n"
    )
    target = folder / f"needsgil{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    subprocess.run(["gcc", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(target)], check=True)
