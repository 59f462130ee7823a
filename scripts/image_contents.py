"""Run inside a container of the image: prints what it consists of, as JSON that scripts/sbom.py reads."""

from __future__ import annotations

import json
import platform
import sys
from email import message_from_string
from importlib import metadata
from pathlib import Path


def main() -> None:
    stanzas = Path("/var/lib/dpkg/status").read_text(encoding="utf-8").strip().split("\n\n")
    found = [message_from_string(stanza) for stanza in stanzas]
    contents = {
        "python": Path("/opt/python/VERSION").read_text().strip(),
        "packages": {each.name: each.version for each in metadata.distributions()},
        "distribution": platform.freedesktop_os_release()["VERSION_CODENAME"],
        "debian": [
            [each["Package"], each["Version"], each["Architecture"]]
            for each in found
            if each["Status"] == "install ok installed"
        ],
    }
    json.dump(contents, sys.stdout)


if __name__ == "__main__":
    main()
