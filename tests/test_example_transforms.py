"""The example package of transforms: built, installed, tested by its own tests, and run by the engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.command import engine

pytestmark = pytest.mark.one_build("gil")

EXAMPLE = Path(__file__).parent.parent / "examples" / "transforms"
MAPPING = EXAMPLE / "mapping.json"

PAYMENTS = [
    {"id": 1, "customer": "Lovelace, Ada", "amount": 19.90, "risk": 0},
    {"id": 2, "customer": "Babbage, Charles", "amount": 2500.00, "risk": 100},
    {"id": 3, "customer": ", Alan", "amount": 1000.00, "risk": 70},
    {"id": 5, "customer": None, "amount": None, "risk": None},
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed in: its wheel, from its own build backend, unpacked."""
    folder = tmp_path_factory.mktemp("example")
    build: list[str | Path] = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=EXAMPLE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def env(site: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(site)}


def test_its_own_tests_pass(env: dict[str, str], tmp_path: Path) -> None:
    """The tests that an operator copies with the package pass against what was installed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE],
        cwd=tmp_path,
        env={**os.environ, **env, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_the_engine_runs_its_mapping(env: dict[str, str], tmp_path: Path, executor: str) -> None:
    """Files of a batch go through both transforms on every executor; what they refuse is rejected with its reason."""
    (tmp_path / "in").mkdir()
    for name in ("one", "two", "three"):
        (tmp_path / f"in/{name}.csv").write_bytes((EXAMPLE / "payments.csv").read_bytes())
    done = engine("run", MAPPING, "in", "-o", "out", "--workers", "2", "--executor", executor, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("one", "two", "three"):
        written = (tmp_path / f"out/data/{name}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in written] == PAYMENTS
        reject = json.loads((tmp_path / f"out/rejects/{name}.jsonl").read_text())
        assert (reject["row"], reject["line"]) == (4, 5)
        assert [(each["field"], each["column"], each["code"]) for each in reject["errors"]] == [
            ("amount", "amount", "type-error"),
            ("risk", "amount, country, email", "step-error"),
        ]
        assert reject["errors"][1]["message"] == "fraud_score: the amount is not a number"


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_broken_transform_fails_its_file_and_names_itself(site: Path, tmp_path: Path, executor: str) -> None:
    """The error crosses from the worker whole: which file, which transform, what happened; nothing is written."""
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (tmp_path / "broken-1.dist-info/entry_points.txt").write_text("[engine.transforms]\nbroken = broken_one:broken\n")
    (tmp_path / "broken_one.py").write_text(
        "from engine.transforms import transform\n\n\n@transform\ndef broken(text: str) -> str:\n    return text.lost\n"
    )
    fields = [{"name": "id", "type": "string", "steps": [{"call": {"name": "broken"}}]}]
    (tmp_path / "m.json").write_text(json.dumps({"version": 1, "id": "m", "fields": fields}))
    done = engine(
        "run", "m.json", EXAMPLE / "payments.csv", "-o", "out", "--workers", "1", "--executor", executor,
        cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(map(str, (site, tmp_path)))},
    )  # fmt: skip
    assert done.returncode == 1
    assert "payments.csv: transform-error: transform 'broken' failed on every row, 5 in all" in done.stderr
    assert "AttributeError at line 6 of " in done.stderr
    assert not (tmp_path / "out/manifest.json").exists()


def test_check_runs_its_tests_and_shows_the_sample(env: dict[str, str], tmp_path: Path) -> None:
    """The mapping's own tests pass, and the preview has converted values and the reason for a refusal."""
    done = engine("check", MAPPING, EXAMPLE / "payments.csv", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 fields, 3 of 3 tests passed" in done.stdout
    assert "Lovelace, Ada" in done.stdout
    assert "step-error: fraud_score: the amount is not a number" in done.stdout


def test_without_the_package_the_mapping_is_refused(tmp_path: Path) -> None:
    """Each call is a problem of the mapping at its place, before any file is read."""
    done = engine("run", MAPPING, EXAMPLE / "payments.csv", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "fields[1].steps[0].call.name: no transform 'text_template' is registered here" in done.stderr
    assert "fields[3].steps[0].call.name: no transform 'fraud_score' is registered here" in done.stderr


def test_what_does_not_fit_is_refused_at_its_place(env: dict[str, str], tmp_path: Path) -> None:
    """A template is read, and arguments are checked, when the mapping is loaded."""
    document = json.loads(MAPPING.read_text())
    document["fields"][1]["steps"][0]["call"]["template"] = "{last}, {frist.__class__}"
    score = document["fields"][3]["steps"][0]["call"]
    score |= {"high_amount": 0, "points": [1, 2], "risky_country": []}
    (tmp_path / "m.json").write_text(json.dumps(document))
    done = engine("check", "m.json", cwd=tmp_path, env=env)
    assert done.returncode == 2
    for problem in (
        "fields[1].steps[0].call.template: no column 'frist.__class__'; there are 'first', 'last'",
        "fields[3].steps[0].call.high_amount: Input should be greater than 0",
        "fields[3].steps[0].call.points[2]: is required",
        "fields[3].steps[0].call: unknown key 'risky_country' (did you mean 'risky_countries'?)",
    ):
        assert problem in done.stderr


def test_doctor_lists_what_is_registered(env: dict[str, str], tmp_path: Path) -> None:
    """One line names the transforms with the distribution and version that they come from."""
    done = engine("doctor", cwd=tmp_path, env=env)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("transforms ")]
    package = "engine-example-transforms 1.0.0"
    assert line.removeprefix("transforms").strip() == f"fraud_score ({package}), text_template ({package})"
