"""Run inside a container of the image: shows that it is as confined as compose.yaml says. For scripts/image-check.

Ends with status 1, and a line for each thing that is not so.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

SHUT = ["/", "/srv/engine", "/opt/engine", "/opt/python", "/usr/local/bin", "/etc", "/var", "/sys"]


def main() -> int:
    found = list(complaints())
    for line in found:
        sys.stdout.write(f"confinement: {line}\n")
    if not found:
        sys.stdout.write(
            f"confined: user {os.getuid()}, no capability and none to gain, {len(SHUT)} places shut, "
            f"/tmp of {shutil.disk_usage('/tmp').total >> 20} MiB without programs, nothing setuid\n"  # noqa: S108
        )
    return 1 if found else 0


def complaints() -> Iterator[str]:
    yield from privileges()
    yield from places_to_write()
    yield from program_in_tmp()
    yield from setuid_files()


def privileges() -> Iterator[str]:
    if 0 in {os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()}:
        yield "it runs as root, or in its group"
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(status[name], 16):
            yield f"capabilities: {name} is {status[name].strip()}"
    if status["NoNewPrivs"].strip() != "1":
        yield "a program could gain privileges"


def places_to_write() -> Iterator[str]:
    for folder in SHUT:
        try:
            Path(folder, "probe").touch()
        except OSError as error:
            if error.errno != errno.EROFS:
                yield f"{folder} is closed by its permissions only ({error.strerror})"
        else:
            yield f"{folder} can be written to"


def program_in_tmp() -> Iterator[str]:
    """What is unpacked there cannot be started."""
    program = Path("/tmp/probe")  # noqa: S108  # the container's own
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    try:
        os.posix_spawn(program, [str(program)], {})
    except PermissionError:
        pass
    else:
        yield "a program in /tmp can be started"
    finally:
        program.unlink()


def setuid_files() -> Iterator[str]:
    for folder, folders, names in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "sys")]
        for path in (Path(folder, name) for name in names):
            if path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID):
                yield f"{path} is setuid or setgid"


if __name__ == "__main__":
    sys.exit(main())
