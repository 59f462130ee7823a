"""Imports point one way, and only one adapter knows an SDK (DESIGN section 6)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(engine.__file__).parent

# From the ground up: a module imports its own layer and those before it, never those after.
LAYERS: list[tuple[str, ...]] = [
    (
        "engine",
        "engine.errors",
        "engine.codec",
        "engine.documents",
        "engine.names",
        "engine.origins",
        "engine.redaction",
        "engine.transforms",
    ),
    ("engine.bounded", "engine.config", "engine.environment", "engine.longrows"),
    ("engine.core",),
    ("engine.patternchild",),
    ("engine.patterntrial",),
    ("engine.ports",),
    ("engine.adapters", "engine.pipeline", "engine.message", "engine.messageschema", "engine.locations"),
    ("engine.parts", "engine.ranges"),
    ("engine.pool", "engine.memory", "engine.layout", "engine.manifest"),
    ("engine.checkpoint", "engine.lease"),
    ("engine.sources",),
    ("engine.assembly",),
    ("engine.split",),
    ("engine.attempts", "engine.commit", "engine.committing"),
    ("engine.resume",),
    ("engine.batch", "engine.janitor"),
    ("engine.dead_letter", "engine.intake", "engine.outage", "engine.queue_check"),
    ("engine.disposal",),
    ("engine.service",),
    ("engine.telemetry", "engine.progress"),
    ("engine.cli", "engine.demo"),
]

# What a part may not import from outside, with the reason.
BANNED = {
    "engine.core": {"asyncio", "threading.Thread", "aiobotocore", "botocore", "aiohttp", "structlog"},
    "engine": {"aiobotocore", "awscrt", "botocore", "aiohttp"},
}
SDK_HOME = "engine.adapters.aws"


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(_modules())


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
    return found


def _layer(module: str) -> int:
    best = max(
        (
            (len(prefix), number)
            for number, layer in enumerate(LAYERS)
            for prefix in layer
            if module == prefix or (prefix != "engine" and module.startswith(prefix + "."))
        ),
        default=None,
    )
    assert best is not None, f"{module} stands in no layer: give it its place in LAYERS"
    return best[1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    """No module imports from a layer above its own."""
    above = {
        name
        for name in _imports(MODULES[module])
        if name in MODULES and name != "engine" and _layer(name) > _layer(module)
    }
    assert not above


@pytest.mark.parametrize("module", MODULES)
def test_only_the_aws_adapter_knows_the_sdk(module: str) -> None:
    """aiobotocore, botocore and aiohttp are imported below adapters/aws only, and the core imports no asyncio."""
    imports = _imports(MODULES[module])
    banned = set(BANNED["engine.core"]) if module.startswith("engine.core") else set(BANNED["engine"])
    if module.startswith(SDK_HOME):
        banned = set()
    assert not {name for name in imports if any(name == bad or name.startswith(bad + ".") for bad in banned)}
