"""The C kernels under AddressSanitizer and UndefinedBehaviorSanitizer: no step outside a buffer, whatever the cells."""

from __future__ import annotations

import shutil
import subprocess
from array import array
from pathlib import Path
from random import SystemRandom

import pytest

from engine.core import native
from engine.core.native.matcher import Program
from engine.core.stepping.program import compile_program
from tests.examples import at_least

pytestmark = pytest.mark.one_build("free-threaded")

SOURCES = Path(native.__file__).parent
FLAGS = ["-std=gnu17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Wextra"]
PATTERNS = [
    ("[0-9]+", 0), (r"(\d{4})-(\d\d)-(\d\d)", 2), (r'"a"\s*:\s*([^,}]*)', 1), (r"\b(\w+) of (.*?)\b", 2),
    (r"([^,]*)$", 1), (r"^(?:[^:]*:){2}(\d+)", 1), (r"(?<=[{,])[^:]*(?=:)", 0), ("(?:a|bc|b)+?(c+|[^a]{1,3})x?", 1),
    (r"é|\[(.)\]|\Z", 0), ("0123456789abcdef([0-9a-fA-F]+)", 1),
    (r"[a-z ]*ixteen (bytes|b)", 1), (r"(?:[a-z]+,?)*([A-Z]*)=", 1),
]  # fmt: skip

_ARRAYS = {
    "table": ("uint16_t", "H"), "ends": ("uint16_t", "H"), "landings": ("uint16_t", "H"), "moves": ("int32_t", "i"),
    "sets": ("int32_t", "i"), "needle": ("uint8_t", "B"),
}  # fmt: skip


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
    once = [compile_program(pattern, group, full=full) for pattern, group in PATTERNS for full in (False, True)]
    repeated = [compile_program(pattern, 0, full=False, repeated=True) for pattern, _ in PATTERNS]
    (folder / "programs.h").write_text(_in_c(list(filter(None, once)), list(filter(None, repeated))), encoding="ascii")
    made = folder / "drive"
    sources = [Path(__file__).with_name("drive.c"), *SOURCES.glob("*.c")]
    subprocess.run([compiler, *FLAGS, "-I", SOURCES, "-I", folder, "-o", made, *sources], check=True)
    return made


def _in_c(once: list[Program], repeated: list[Program]) -> str:
    """The programs as arrays in C, each as long as what it holds; those that replace are the last ones."""
    lines, structs = [], []
    for number, each in enumerate(once + repeated):
        fields = [f"{name}_{number}" for name in _ARRAYS]
        for (name, (type_, code)), field in zip(_ARRAYS.items(), fields, strict=True):
            numbers = list(array(code, getattr(each, name))) or [0]  # C knows no empty arrays
            lines.append(f"static const {type_} {field}[] = {{{', '.join(map(str, numbers))}}};")
        most = 2**31 - 1 if each.most is None else each.most
        rest = (each.states, each.begin, each.idle, each.jump, len(each.needle), *each.rare, each.least, most)
        pointers = [f"(const void *){field}" for field in fields]
        structs.append(f"{{{', '.join([*pointers, *map(str, rest), str(int(each.lines))])}}},")
    count = f"enum {{ FIRST_REPEATED = {len(once)}, PROGRAMS = {len(once + repeated)} }};"
    return "\n".join([*lines, "static const Program programs[] = {", *structs, "};", count, ""])


def test_hostile_cells(driver: Path) -> None:
    """Cut off, spoilt and right cells, in buffers that end where they do, windows and nulls."""
    columns, seed = at_least(20_000), SystemRandom().getrandbits(63)
    done = subprocess.run([driver, str(columns), str(seed)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(columns)), f"seed {seed}: {done.stderr}"
