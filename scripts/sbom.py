"""Writes what the engine consists of besides itself, as a CycloneDX document (JSON), to standard output.

    .venv-gil/bin/python scripts/sbom.py >engine.cdx.json

The Python packages that the image has, as its locks name them, with the hashes of every file that may be installed for
one and with who asks for whom. Licences and the latter are what the packages say of themselves, where this environment
has that release. The same locks give the same bytes: there is neither a date nor a number drawn at random.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

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


def main() -> None:
    document = make_outputter(describe(), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    sys.stdout.write(document + "\n")


def describe() -> Bom:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = Component(
        name=project["name"],
        version=project["version"],
        description=project["description"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
    )
    components = {
        pin.name: component(pin, scope)
        for name, scope in LOCKS.items()
        for pin in pins((ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8"))
    }
    bom = Bom(components=components.values())
    bom.metadata.component = root
    asked = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    bom.register_dependency(root, [components[name] for name in names(asked)])
    for each in components.values():
        about = installed(each.name, each.version or "")
        wanted = names(about.requires or []) if about else []
        bom.register_dependency(each, [components[name] for name in wanted if name in components])
    # What the library would draw at random or read off the clock; the document may go without either.
    bom.serial_number = bom.metadata.timestamp = None  # type: ignore[assignment]  # its setters take it, its hints do not
    return bom


def pins(lock: str) -> Iterator[Pin]:
    """Raises ValueError where a line of a lock is none that ``scripts/lock`` writes: nothing may be left out."""
    rest = _PIN.sub("", lock)
    strange = [line for line in rest.splitlines() if line and not line.startswith("#")]
    if strange:
        raise ValueError(f"not a pinned requirement with its hashes: {strange[0]}")
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


def names(requirements: list[str]) -> list[str]:
    """Whom they ask for here, optional extras aside."""
    read = [Requirement(each) for each in requirements]
    return sorted(
        {canonicalize_name(each.name) for each in read if not each.marker or each.marker.evaluate({"extra": ""})}
    )


if __name__ == "__main__":
    main()
