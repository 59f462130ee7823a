"""What starting a command leaves behind: nothing but its imports."""

from __future__ import annotations

import gc
import subprocess
import sys

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
