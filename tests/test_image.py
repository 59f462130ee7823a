"""The image's files, checked as far as that goes without building it; `scripts/image-check` runs what was built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine.config import load_settings

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_what_compose_sets_is_configuration() -> None:
    """Every ENGINE_ variable of compose.yaml is a key of the configuration with a value that it takes."""
    lines = (ROOT / "compose.yaml").read_text().splitlines()
    found = [match for line in lines if (match := re.fullmatch(r"\s+(ENGINE_\w+): '?(.*?)'?", line))]
    settings, origins = load_settings(ROOT / "config.toml", environ={match[1]: match[2] for match in found})
    assert {match[1] for match in found} == set(origins.values()) - {str(ROOT / "config.toml")}
    assert settings.queue.url.startswith(settings.queue.endpoint_url)
    assert settings.source.allow_endpoints == [settings.destination.endpoint_url]


def test_what_the_image_copies_is_there() -> None:
    """Every file that the Dockerfile copies exists and is let through by .dockerignore, and nothing else is."""
    wanted = {
        source.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for source in line.split()
    }
    allowed = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert all((ROOT / source).exists() for source in wanted | allowed)
    locks = {f"requirements/{name}" for name in re.findall(r"requirements/([a-z]+\.lock)", DOCKERFILE)}
    assert allowed == wanted - {"requirements"} | locks


def test_last_stage() -> None:
    """The image that is shipped runs as an ordinary user, starts the engine itself and is told how to look after it."""
    stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stage, re.MULTILINE)
    assert 'ENTRYPOINT ["engine"]' in stage
    assert re.search(r"^HEALTHCHECK .*CMD \[", stage, re.MULTILINE)
    assert not re.search(r"\b(gcc|make|dpkg-dev|build-essential)\b", stage)


@pytest.mark.parametrize("arguments", [["3.13x"], ["latest"], ["--help"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """A version that is none is said to be so, in one line, before anything is built."""
    done = subprocess.run([ROOT / "scripts/image", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("image: usage: ")
    assert done.stderr.count("\n") == 1
