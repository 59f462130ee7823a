"""``make sbom``: the document lists what the locks install, whole and reproducibly."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(__file__).parent.parent
LOCKS = "".join((ROOT / f"requirements/{name}.lock").read_text() for name in ("engine", "msgspec"))


def sbom() -> str:
    command: list[str | Path] = [ROOT / ".venv-gil/bin/python", "-W", "error", ROOT / "scripts/sbom.py"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sbom())
    return found


def test_everything_locked_is_listed(document: dict[str, Any]) -> None:
    """Every pin of the locks that the image installs is a component under its package URL, with every hash."""
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    pins = re.findall(r"^([a-z0-9-]+)==([^\s;]+)", LOCKS, re.MULTILINE)
    assert {each["purl"] for each in document["components"]} == {f"pkg:pypi/{name}@{of}" for name, of in pins}
    hashes = [
        entry["content"]
        for each in document["components"]
        for reference in each["externalReferences"]
        for entry in reference["hashes"]
    ]
    assert sorted(hashes) == sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", LOCKS))


def test_who_asks_for_whom(document: dict[str, Any]) -> None:
    """The engine depends on what pyproject.toml names, and each package is there because something asks for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    graph = {each["ref"]: set(each.get("dependsOn", [])) for each in document["dependencies"]}
    direct = {re.split(r"[^a-z0-9-]", each)[0] for each in [*project["dependencies"], "msgspec"]}
    assert {ref.removeprefix("pkg:pypi/").partition("@")[0] for ref in graph["engine"]} == direct
    assert graph.keys() == {"engine"} | set().union(*graph.values())


def test_licences_are_named(document: dict[str, Any]) -> None:
    """Each component has a licence by name; none has a whole text in its place."""
    for each in document["components"]:
        (found,) = each["licenses"]
        name = found.get("expression") or found["license"].get("id") or found["license"]["name"]
        assert "\n" not in name
        assert 2 < len(name) < 80


def test_the_same_locks_give_the_same_bytes() -> None:
    """Nothing in the document is drawn at random or depends on when it is made."""
    assert sbom() == sbom()
