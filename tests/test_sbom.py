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


PINS = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", LOCKS, re.MULTILINE))


def sbom(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ROOT / ".venv-gil/bin/python", "-W", "error", ROOT / "scripts/sbom.py", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sbom().stdout)
    return found


def of_image(folder: Path, packages: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What is made of an image with these packages beside the engine."""
    contents = folder / "contents.json"
    debian = [["libssl3t64", "3.5.9-1~deb13u1", "amd64"]]
    beside = {"python": "3.13.15-1", "distribution": "trixie", "debian": debian}
    contents.write_text(json.dumps({"packages": {"engine": "0.1.0", **packages}, **beside}))
    return sbom("--image", contents)


def test_everything_locked_is_listed(document: dict[str, Any]) -> None:
    """Every pin of the locks that the image installs is a component under its package URL, with every hash."""
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert {each["purl"] for each in document["components"]} == {f"pkg:pypi/{name}@{of}" for name, of in PINS.items()}
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
    assert sbom().stdout == sbom().stdout != ""


def test_an_image_has_an_interpreter_and_a_system_besides(tmp_path: Path) -> None:
    """Of an image the document has CPython and Debian's packages too, and of the locks what that image installed."""
    done = of_image(tmp_path, {name.replace("-", "_"): of for name, of in PINS.items() if name != "msgspec"})
    found = json.loads(done.stdout)
    urls = {each["purl"] for each in found["components"]}
    assert {
        "pkg:deb/debian/python3.13@3.13.15-1?arch=source",
        "pkg:deb/debian/libssl3t64@3.5.9-1~deb13u1?arch=amd64&distro=trixie",
        f"pkg:pypi/pydantic-core@{PINS['pydantic-core']}",
    } < urls
    assert len(urls) == len(PINS) - 1 + 2
    assert found["metadata"]["component"]["type"] == "container"


def test_an_image_that_the_locks_do_not_describe(tmp_path: Path) -> None:
    """A package of another release, one that no lock names and one that is missing are named, in one line."""
    done = of_image(tmp_path, {**PINS, "aiohttp": "3.0", "leftpad": "1.0"})
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "sbom: the image and the locks differ: it has aiohttp 3.0; it has leftpad 1.0: build it again\n"
    )
    done = of_image(tmp_path, {name: of for name, of in PINS.items() if name != "regex"})
    assert done.stderr == "sbom: the image and the locks differ: it has no regex: build it again\n"


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """Contents that are none are one line, not a traceback."""
    (tmp_path / "contents.json").write_text("{")
    for name in ("contents.json", "missing.json"):
        done = sbom("--image", tmp_path / name)
        assert done.returncode == 2
        assert done.stderr.startswith("sbom: ")
        assert done.stderr.count("\n") == 1
