"""The image's files, checked as far as that goes without building it; `scripts/image-check` runs what was built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine.cli.wiring import fit_of
from engine.config import load_settings
from engine.pool.build import ExecutorChoice

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()


def test_what_compose_sets_is_configuration() -> None:
    """Every ENGINE_ variable of compose.yaml is a key of the configuration with a value that it takes."""
    found = [match for line in COMPOSE.splitlines() if (match := re.fullmatch(r"\s+(ENGINE_\w+): '?(.*?)'?", line))]
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


def test_nothing_that_helps_an_intruder() -> None:
    """Nothing is setuid once the last package is there; what is fetched is signed (Debian's) or locked by its hash."""
    stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert stage.index("-perm /6000 -type f -exec chmod a-s") > stage.rindex("apt-get install")
    assert not re.search(r"\b(curl|wget|git)\b|^ADD\b", DOCKERFILE, re.MULTILINE)
    for command in re.findall(r"uv pip (?:.*\\\n)*.*", DOCKERFILE):
        assert "--require-hashes" in command or "--offline" in command


def worker() -> str:
    """What compose.yaml says of the engine's own service."""
    found = re.search(r"^  worker:\n((?:(?:    .*)?\n)+)", COMPOSE, re.MULTILINE)
    assert found
    return found[1]


@pytest.mark.parametrize(
    "setting",
    [
        "read_only: true",
        "cap_drop: [ALL]",
        'security_opt: ["no-new-privileges:true"]',
        r'tmpfs: \["/tmp:size=\d+m,mode=1777,noexec,nosuid,nodev"\]',
        r'limits: \{ cpus: "\d+", memory: \d+G, pids: \d+ \}',
        r'volumes: \["[^"]*:ro"\]',
    ],
)
def test_the_worker_is_confined(setting: str) -> None:
    """compose.yaml runs the worker as production should: each setting is there, and none gives it back."""
    pattern = setting if "\\" in setting else re.escape(setting)
    assert re.search(rf"^ +{pattern}(?: #.*)?$", worker(), re.MULTILINE)
    assert not re.search(r"privileged|cap_add|devices|network_mode|user:|pid:|ipc:|docker\.sock", worker())


def test_the_worker_may_take_as_long_as_it_says_to_stop() -> None:
    """compose.yaml kills no worker before service.grace_s is over and what remains was cleaned up."""
    found = re.search(r"stop_grace_period: (\d+)s", worker())
    assert found
    assert int(found[1]) >= load_settings(ROOT / "config.toml", environ={})[0].service.grace_s + 10


def test_the_worker_has_the_memory_that_it_may_need() -> None:
    """Under the limits of compose.yaml all pipelines that are configured run, on either build."""
    found = re.search(r'cpus: "(\d+)", memory: (\d+)G', worker())
    assert found
    environ = {"ENGINE_POOL__WORKERS": found[1], "ENGINE_LIMITS__MEMORY_BYTES": str(int(found[2]) << 30)}
    settings = load_settings(ROOT / "config.toml", environ=environ)[0]
    for choice in (ExecutorChoice("threads", ""), ExecutorChoice("processes", "")):
        assert fit_of(settings, choice).warning is None


@pytest.mark.parametrize("arguments", [["3.13x"], ["latest"], ["--help"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """A version that is none is said to be so, in one line, before anything is built."""
    done = subprocess.run([ROOT / "scripts/image", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("image: usage: ")
    assert done.stderr.count("\n") == 1
