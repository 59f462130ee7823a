"""Asks an advisory database what is known against the packages that the image has, at the releases the locks name.

    .venv-gil/bin/python scripts/audit.py [OPTION OF pip-audit]...

Which ones those are is read from the locks alone: nothing is resolved or installed. Status 0: nothing is known. 1:
something is, a line each. 2: a lock, or an option, that pip-audit refuses. 3: the database could not be asked, or does
not know a package, so nobody can tell; never taken for 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = [f"requirements/{name}.lock" for name in ("engine", "msgspec")]  # what the Dockerfile installs
NOTHING, KNOWN, REFUSED, UNASKED = range(4)


def main(options: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        report = Path(folder) / "report.json"
        done = pip_audit(*options, "--format", "json", "--output", str(report))
        if report.exists():
            return judge(json.loads(report.read_bytes())["dependencies"])
    # No report: the same without asking anybody tells whose fault it is.
    refused = pip_audit(*options, "--dry-run").returncode != 0
    reason = (done.stderr.strip() or "it said nothing").splitlines()[-1]
    if refused:
        say(f"pip-audit refuses {' and '.join(LOCKS)}, or its options: {reason}")
        return REFUSED
    say(f"not done: the advisory database cannot be asked from here; run it where it can be reached ({reason})")
    return UNASKED


def pip_audit(*options: str) -> subprocess.CompletedProcess[str]:
    locks = [option for lock in LOCKS for option in ("--requirement", lock)]
    command = [sys.executable, "-m", "pip_audit", *locks, "--require-hashes", "--disable-pip"]
    command += ["--progress-spinner", "off", *options]
    return subprocess.run(
        command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8"
    )


def judge(packages: list[dict[str, Any]]) -> int:
    found = [(package, advisory) for package in packages for advisory in package.get("vulns", [])]
    for package, advisory in found:
        names = " ".join([advisory["id"], *advisory.get("aliases", [])])
        fixed = " or ".join(advisory["fix_versions"]) or "no release"
        say(f"{package['name']} {package['version']}: {names}; fixed in {fixed}")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        few = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        say(
            f"not done for {len(unknown)} of {len(packages)} packages ({few}): "
            "the advisory database that can be reached from here does not know them; run it elsewhere"
        )
    if found:
        return KNOWN
    if unknown:
        return UNASKED
    say(f"nothing is known against the {len(packages)} packages of {' and '.join(LOCKS)}")
    return NOTHING


def say(line: str) -> None:
    sys.stderr.write(f"audit: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
