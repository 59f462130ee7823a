"""``python -m bench``: measures this checkout on this machine, prints tables, and keeps what it is told to.

Without a name: ``compare``, ``queue`` and ``startup``, which take less than a quarter of an hour on two cores. Each
name is a module with options of its own; those given without a name go to ``compare``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from bench.compare import main as compare
from bench.flat import main as flat
from bench.mapping import main as mapping
from bench.queue import main as queue
from bench.reading import main as reading
from bench.scaling import main as scaling
from bench.startup import main as startup

_COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "compare": compare,  # whole processes against DuckDB, Polars, Node and plain Python
    "queue": queue,  # a worker that drains a queue
    "startup": startup,  # what commands cost at the least
    "scaling": scaling,  # 1 to N workers
    "mapping": mapping,  # the core alone
    "reading": reading,  # CSV alone
    "flat": flat,  # memory against file size
}
_ALL = ("compare", "queue", "startup")


def main(arguments: Sequence[str]) -> None:
    name, *rest = arguments or [""]
    if name == "--only" and rest and rest[0] in _COMMANDS:
        name, *rest = rest
    if name in _COMMANDS:
        _COMMANDS[name](rest)
    elif arguments in ([], ["--keep"]):
        for each in _ALL:
            _COMMANDS[each](arguments)
    else:
        compare(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
