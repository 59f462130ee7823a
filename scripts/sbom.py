"""Writes what the engine consists of besides itself, as a CycloneDX document (JSON), to standard output.

    .venv-gil/bin/python scripts/sbom.py >engine.cdx.json
    .venv-gil/bin/python scripts/sbom.py --image CONTENTS >engine-3.13t.cdx.json

Without an image: the Python packages that the locks name, with the hashes of every file that may be installed for one
and with who asks for whom. Licences and the latter are what the packages say of themselves, where this environment has
that release. With the contents of an image (scripts/image_contents.py): those of them that it has, its interpreter and
its Debian packages; status 1 where it has a package that no lock names, or not one that it should have. Status 2: a
lock, or the contents, cannot be read.

The same input gives the same bytes: there is neither a date nor a number drawn at random.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = {"engine": ComponentScope.REQUIRED, "msgspec": ComponentScope.OPTIONAL}  # what the Dockerfile installs

_PIN = re.compile(
    r"^([\w.-]+)==([^\s;]+)(?: ; (.*?))? \\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Pin:
    name: str
    version: str
    marker: str | None
    hashes: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes what the engine consists of as a CycloneDX document.")
    parser.add_argument("--image", type=Path, help="what scripts/image_contents.py printed in an image")
    image: Path | None = parser.parse_args().image
    try:
        contents: dict[str, Any] | None = json.loads(image.read_bytes()) if image else None
        packages = locked()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sbom: {error}\n")
        return 2
    if contents:
        has: dict[str, str] = {
            canonicalize_name(name): of for name, of in contents["packages"].items() if name != "engine"
        }
        wrong = differences(has, packages)
        if wrong:
            sys.stderr.write(f"sbom: the image and the locks differ: {'; '.join(wrong)}: build it again\n")
            return 1
        packages = {name: each for name, each in packages.items() if name in has}
    bom = describe(packages, [*system(contents)] if contents else [], image=bool(contents))
    sys.stdout.write(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n")
    return 0


def describe(packages: dict[str, Component], beside: list[Component], *, image: bool) -> Bom:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = Component(
        name=project["name"],
        version=project["version"],
        description=project["description"],
        type=ComponentType.CONTAINER if image else ComponentType.APPLICATION,
        bom_ref=project["name"],
    )
    bom = Bom(components=[*packages.values(), *beside])
    bom.metadata.component = root
    asked = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    bom.register_dependency(root, [*among(packages, asked), *beside])
    for each in packages.values():
        about = installed(each.name, each.version or "")
        bom.register_dependency(each, among(packages, about.requires or [] if about else []))
    # What the library would draw at random or read off the clock; the document may go without either.
    bom.serial_number = bom.metadata.timestamp = None  # type: ignore[assignment]  # its setters take it, its hints do not
    return bom


def locked() -> dict[str, Component]:
    return {
        pin.name: component(pin, scope)
        for name, scope in LOCKS.items()
        for pin in pins((ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8"))
    }


def differences(has: dict[str, str], packages: dict[str, Component]) -> list[str]:
    """What an image has that no lock names, or has not and should have."""
    strange = [f"{name} {of}" for name, of in has.items() if name not in packages or packages[name].version != of]
    required = [name for name, each in packages.items() if each.scope is ComponentScope.REQUIRED]
    return [f"it has {each}" for each in strange] + [f"it has no {name}" for name in required if name not in has]


def system(contents: dict[str, Any]) -> Iterator[Component]:
    """The interpreter, built from Debian's source package, and Debian's packages."""
    release = contents["python"]
    series = ".".join(release.split(".")[:2])
    url = PackageURL("deb", "debian", f"python{series}", release, {"arch": "source"})
    yield Component(
        name="CPython", version=release.split("-")[0], type=ComponentType.PLATFORM, bom_ref=str(url), purl=url
    )
    for name, version, architecture in contents["debian"]:
        qualifiers = {"arch": architecture, "distro": contents["distribution"]}
        url = PackageURL("deb", "debian", name, version, qualifiers)
        yield Component(name=name, version=version, type=ComponentType.LIBRARY, bom_ref=str(url), purl=url)


def pins(lock: str) -> Iterator[Pin]:
    """Raises ValueError where a line of a lock is none that ``scripts/lock`` writes: nothing may be left out."""
    rest = _PIN.sub("", lock)
    strange = [line for line in rest.splitlines() if line and not line.startswith("#")]
    if strange:
        raise ValueError(f"a lock has what is no pinned requirement with its hashes: {strange[0]}")
    for found in _PIN.finditer(lock):
        hashes = re.findall(r"sha256:([0-9a-f]{64})", found[4])
        yield Pin(canonicalize_name(found[1]), found[2], found[3], hashes)


def component(pin: Pin, scope: ComponentScope) -> Component:
    url = PackageURL("pypi", None, pin.name, pin.version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=value) for value in pin.hashes]
    about = installed(pin.name, pin.version)
    licence = licence_of(about) if about else None
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        scope=scope,
        bom_ref=str(url),
        purl=url,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        # The files, wherever they are served: the name of no index belongs here.
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(url)), hashes=hashes)
        ],
        properties=[Property(name="engine:marker", value=pin.marker)] if pin.marker else [],
    )


def licence_of(about: metadata.Distribution) -> str | None:
    """In SPDX's words where the package has them; never a whole text, which some have in that place."""
    said = about.metadata.get("License-Expression") or about.metadata.get("License") or ""
    if said and "\n" not in said:
        return said
    classifiers = about.metadata.get_all("Classifier") or []
    return next((each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")), None)


def installed(name: str, version: str) -> metadata.Distribution | None:
    """What a package says of itself, where this environment has the release in question."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return found if found.version == version else None


def among(packages: dict[str, Component], requirements: Iterable[str]) -> list[Component]:
    """Those of the packages that are asked for here, optional extras aside."""
    read = [Requirement(each) for each in requirements]
    asked = {canonicalize_name(each.name) for each in read if not each.marker or each.marker.evaluate({"extra": ""})}
    return [packages[name] for name in sorted(asked) if name in packages]


if __name__ == "__main__":
    sys.exit(main())
