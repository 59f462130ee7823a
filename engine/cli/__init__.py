"""The ``engine`` command: the composition root, the only place that picks adapters.

Importing this costs next to nothing, and so does building the parser: a command's module imports what it needs when it
runs. ``engine --version`` and ``engine --help`` load neither Arrow nor an SDK nor pydantic.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main", "script"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        arguments: those after the program's name; ``sys.argv[1:]`` unless given.

    Returns:
        The exit status: 0 done, 1 a batch failed, 2 wrong usage, configuration or mapping, 128 + n ended by signal n.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["--version"]:  # scripts ask often: without the parser it takes half the time
        from engine.cli.version import version

        sys.stdout.write(f"{version()}\n")
        status = 0
    else:
        from engine.cli.starting import uncollected

        with uncollected():
            from engine.cli.app import dispatch
        status = dispatch(given)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has left; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def script() -> NoReturn:
    """What a shell runs: :func:`main`, and then the end of the process.

    All that was begun has ended by then, and taking the interpreter apart would cost a tenth of a second.
    """
    if sys.argv[1:] != ["--version"]:
        from engine.cli.starting import end_when_told, keep_freed_memory

        end_when_told()
        keep_freed_memory()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # there are none here, and looking takes 0.03 s
    status = main()
    with contextlib.suppress(OSError):  # whoever read us has left
        sys.stderr.flush()
    os._exit(status)
