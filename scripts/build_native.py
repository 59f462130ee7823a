"""Compiles the engine's C kernels into one library beside them; as hatchling's build hook, whenever it is installed.

Where there is no compiler, or the library cannot be built, the engine is installed without it, and slower: it says so
(``engine doctor``, too). ``python scripts/build_native.py`` does it by hand, and fails where it cannot.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # by hand
    BuildHookInterface = object

FOLDER = Path(__file__).parent.parent / "engine" / "core" / "native"
LIBRARY = FOLDER / "libkernels.so.1"
FLAGS = ["-std=gnu17", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno", "-Wall", "-Wextra"]


class NativeKernels(BuildHookInterface):
    """Puts the library into the wheel, which is then for this kind of machine only, but for any Python 3."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        try:
            build()
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(f"the C kernels were not built, so mapping is several times slower: {why}")
            return
        build_data["artifacts"].append(f"/{LIBRARY.relative_to(Path(self.root))}")
        if version != "editable":
            from packaging.tags import sys_tags

            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{next(sys_tags()).platform}"


def build() -> None:
    """Raises OSError or CalledProcessError where it cannot."""
    sources = sorted(FOLDER.glob("*.c"))
    newest = max(path.stat().st_mtime_ns for path in [*sources, *FOLDER.glob("*.h"), Path(__file__)])
    if LIBRARY.exists() and LIBRARY.stat().st_mtime_ns >= newest:
        return
    compiler = shlex.split(os.environ.get("CC", "")) or [shutil.which("cc") or shutil.which("gcc") or "cc"]
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:  # others may be using, or building, the library
        made = Path(folder) / LIBRARY.name
        command = [*compiler, *FLAGS, "-o", str(made), *map(str, sources)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        made.replace(LIBRARY)


if __name__ == "__main__":
    try:
        build()
    except subprocess.CalledProcessError as failed:
        sys.exit(f"build_native: {failed.stderr}")
    except OSError as failed:
        sys.exit(f"build_native: {failed}")
