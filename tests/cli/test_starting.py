"""What starting a command leaves behind: nothing but its imports."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.starting import starting


@pytest.mark.parametrize("on", [True, False])
def test_starting_leaves_collections_as_they_were(on: bool) -> None:
    """No garbage is collected while a command starts, however that ends, and all is as before afterwards."""
    was = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with pytest.raises(SystemExit, match="are off"), starting():
            sys.exit(f"collections are {'on' if gc.isenabled() else 'off'}")
        assert gc.isenabled() is on
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.parametrize("given", [None, "10"])
def test_a_command_runs_with_an_allocator_that_keeps_memory(tmp_path: Path, given: str | None) -> None:
    """A free-threaded build's command sees the delay set, unless somebody set another, and gets its arguments whole."""
    (tmp_path / "engine_seen.py").write_text(
        "import os, sys\n"
        "from engine import cli\n"
        "cli.main = lambda: print(os.environ.get('MIMALLOC_PURGE_DELAY'), sys.argv[1:]) or 3\n"
        "cli.script()\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "MIMALLOC_PURGE_DELAY"}
    environ |= {"MIMALLOC_PURGE_DELAY": given} if given else {}
    command = [sys.executable, str(tmp_path / "engine_seen.py"), "run", "a b", ""]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    expected = given or ("100" if "t" in sys.abiflags else None)
    assert (done.stdout, done.returncode) == (f"{expected} ['run', 'a b', '']\n", 3)


def test_a_containers_first_process_can_be_told_to_end(tmp_path: Path) -> None:
    """SIGTERM ends a command that is process 1 while it starts: the kernel would drop what nobody handles."""
    space = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--"]
    try:
        subprocess.run([*space, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no process name spaces here")
    (tmp_path / "engine_starting.py").write_text(
        "import os, sys\n"
        "from engine import cli\n"
        "def main():\n"
        "    with open('/proc/self/stat') as file:\n"  # the machine's: its number, not the one in the name space
        "        print(os.getpid(), file.read().split()[0], flush=True)\n"
        "    return len(sys.stdin.read())\n"
        "cli.main = main\n"
        "cli.script()\n"
    )
    command = [*space, sys.executable, str(tmp_path / "engine_starting.py"), "worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            number, ours = process.stdout.readline().split()
            assert number == "1"
            os.kill(int(ours), signal.SIGTERM)
            assert process.wait(timeout=30) == 128 + signal.SIGTERM
        finally:
            process.kill()


def test_arrow_comes_without_numpy() -> None:
    """Arrow is imported without NumPy, which can be imported afterwards, also for a text that needs it."""
    code = (
        "import sys\n"
        "from engine.cli.starting import starting\n"
        "with starting():\n    import engine.core.transform\n"
        "print('pyarrow' in sys.modules, 'numpy' in sys.modules)\n"
        "from engine.core.dialect import Dialect\n"
        "from engine.core.framing import frame\n"
        "print(frame(b'a\"b\\n', Dialect(), 100).lines, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "1", "True"]
