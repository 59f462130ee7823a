"""The C kernels under AddressSanitizer and UndefinedBehaviorSanitizer: no step outside a buffer, whatever the cells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from random import SystemRandom

import pytest

from engine.core import native
from tests.examples import at_least

pytestmark = pytest.mark.one_build("free-threaded")

SOURCES = Path(native.__file__).parent
FLAGS = ["-std=gnu17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that calls all kernels, compiled with the sanitizers."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("sanitized")
    empty = folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n", encoding="ascii")
    if subprocess.run([compiler, *FLAGS, "-o", folder / "empty", empty], capture_output=True, check=False).returncode:
        pytest.skip("the C compiler has no sanitizers")
    made = folder / "drive"
    sources = [Path(__file__).with_name("drive.c"), *SOURCES.glob("*.c")]
    subprocess.run([compiler, *FLAGS, "-I", SOURCES, "-o", made, *sources], check=True)
    return made


def test_hostile_cells(driver: Path) -> None:
    """Cut off, spoilt and right cells, in buffers that end where they do, windows and nulls."""
    columns, seed = at_least(20_000), SystemRandom().getrandbits(63)
    done = subprocess.run([driver, str(columns), str(seed)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(columns)), f"seed {seed}: {done.stderr}"
