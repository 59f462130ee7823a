"""Strings that can come from nowhere else, a job that uses them in every way, and all that the engine made of it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.cli.command import ENGINE
from tests.faults import Hold, Match, Refuse, Rule, Substitute
from tests.integration.rig import Rig, Worker, until
from tests.operators import install

__all__ = ["CELL", "COMMITTED", "FAILED", "SECRETS", "found_in", "run_everything"]

KEY_ID = "AKIACANARY0000000001"
SECRETS = {
    "access_key_id": KEY_ID,
    "secret_access_key": "canary/secret+access=key",
    "session_token": "canary.session/token+x==",
    "external_id": "canary-external-id",
    "kept_secret": "canary/secret+in=a-vault",
    "kept_token": "canary.token/in+a-vault==",
}
CELL = "canarycell4111"

KEYS = {name: SECRETS[name] for name in ("access_key_id", "secret_access_key", "session_token")}
KEPT = {"access_key_id": KEY_ID, "secret_access_key": SECRETS["kept_secret"], "session_token": SECRETS["kept_token"]}
ROLE = {"role_arn": "arn:aws:iam::123456789012:role/acme", "external_id": SECRETS["external_id"]}

TRANSFORMS = """
from engine.transforms import transform

@transform
def picky(text: str) -> str:
    if text.startswith("canary"):
        raise ValueError(f"I do not like {text}")
    return text

@transform
def broken(text: str) -> str:
    raise RuntimeError(f"cannot do {text}")
"""

ECHO = f"said by a service that knows too much: {' '.join(SECRETS.values())}"

COMMITTED = {"crash", "fine", "vault"}
FAILED = {
    "fail-file": "step-error",
    "every-row": "transform-error",
    "over-budget": "budget-exceeded",
    "slow-pattern": "timeout-error",
    "denied": "access-denied",
    "role": "access-denied",
    "vault-wrong": "access-denied",
}
"""The code with which each batch fails; beside them three messages that are none."""


def mapping(*steps: Any, last_fails: bool = False, **changes: Any) -> dict[str, Any]:
    """All kinds of cells that may be bad; ``steps`` are those of the last field, which may make the file fail."""
    fields: list[dict[str, Any]] = [
        {"name": "id", "type": "int", "required": True},
        {"name": "at", "type": "timestamp"},
        {"name": "code", "type": "string", "steps": ["base64"]},
        {"name": "agent", "type": "string", "steps": [{"regex": {"pattern": "v([0-9]+)", "no_match": "error"}}]},
        {"name": "more", "type": "json"},
        {"name": "name", "type": "string", "max_length": 100, "steps": list(steps or [{"call": {"name": "picky"}}])},
    ]
    if last_fails:
        fields[-1]["on_error"] = "fail_file"
    return {"version": 1, "id": "canaries", "fields": fields, **changes}


GOOD = f'{{}},2026-11-22,YQ==,v1,"{{{{""a"": ""{CELL}""}}}}",{{}}'


def table() -> bytes:
    """Good rows, with the cell in ``data``, and a row for each column that has the cell in it and is bad for it."""
    good = GOOD.format(1, "Ann")
    bad = [good.split(",") for _ in range(6)]
    for place, row in enumerate(bad):
        row[place] = CELL if place != 5 else f"{CELL}{'a' * 40}"
    ragged = f'{CELL},1\n"{CELL}"x,1,1,1,1,1\n'
    lines = [good, *(",".join(row) for row in bad), good]
    return ("id,at,code,agent,more,name\n" + "\n".join(lines) + "\n" + ragged).encode()


def variables(rig: Rig) -> dict[str, str]:
    """A worker that may use all that there is, says all that it can, and has its own folder for temporary files."""
    (rig.site.folder / "temporary").mkdir(exist_ok=True)
    return {
        "AWS_ENDPOINT_URL_STS": rig.proxy.url,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": rig.proxy.url,
        "ENGINE_LIMITS__REGEX_TIMEOUT_S": "0.05",
        "ENGINE_LOG__LEVEL": "debug",
        "ENGINE_QUEUE__VISIBILITY_S": "3",
        "ENGINE_SOURCE__SECRET_PREFIX": "clients/",
        "PYTHONPATH": str(rig.site.folder / "operators"),
        "TMPDIR": str(rig.site.folder / "temporary"),
    }


def order(rig: Rig, batch: str, credentials: dict[str, Any], *, files: int = 1, **changes: Any) -> str:
    """Source files of a batch and the message for it, which is on the queue then."""
    names = [f"{batch}/{number}.csv" for number in range(files)]
    for name in names:
        rig.aws.put(rig.site.source, name, table())
    message = {**rig.message(batch, names), "mapping": mapping(), **changes}
    del message["mapping_id"]
    message["source"]["credentials"] = credentials
    text = json.dumps(message)
    rig.send(text)
    return text


def bad_messages(rig: Rig) -> None:
    """Cut short; with keys where they do not belong; half-given."""
    whole = {**rig.message("bad", ["a.csv"]), "source": {"bucket": "acme", "credentials": KEYS}}
    rig.send(json.dumps(whole)[:-20])
    wrong = {**KEYS, "access_key_id": [KEY_ID], "secret_access_key": {"is": SECRETS["secret_access_key"]}}
    rig.send(json.dumps({**whole, "source": {"bucket": KEY_ID + "/", "credentials": wrong}}))
    half = {"access_key_id": KEY_ID, "session_token": SECRETS["session_token"], **ROLE}
    rig.send(json.dumps({**whole, "source": {"bucket": "acme", "credentials": half}}))


def keep_secrets(rig: Rig) -> None:
    client = rig.aws.server.client("secretsmanager")
    for name, text in [("clients/good", json.dumps(KEPT)), ("clients/wrong", json.dumps([KEPT]))]:
        client.create_secret(Name=name, SecretString=text)
    client.close()


def crash(rig: Rig) -> dict[str, bytes]:
    """A worker that is killed with one file done and one being read; what could be seen of it until then."""
    order(rig, "crash", KEYS, files=2)
    held = rig.proxy.add(Rule(Match("GetObject", key="crash/1.csv"), Hold("body", 20), times=1))
    with rig.worker(command=MERGED, **variables(rig)) as worker:
        held.wait_hit()
        until(lambda: any("/checkpoints/" in key for key in rig.site.output()), "a checkpoint")
        seen = processes(worker)
        worker.process.kill()
        worker.process.wait()
    rig.proxy.remove(held)
    return seen | {f"at the crash: {key}": body for key, body in rig.site.output().items()}


MERGED = ("/bin/sh", "-c", 'exec "$@" >&2', "sh", ENGINE, "worker")


def processes(worker: Worker) -> dict[str, bytes]:
    """What anybody on the machine may read of the worker and of what it has started."""
    pids = [worker.process.pid]
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    files = [Path(f"/proc/{pid}/{name}") for pid in pids for name in ("cmdline", "environ")]
    return {str(path): path.read_bytes() for path in files}


def run_everything(rig: Rig) -> dict[str, bytes]:
    """Runs the job; gives whatever the engine wrote or sent, by where: logs, all versions of all objects, dead letters'
    attributes, temporary files, processes."""
    install(rig.site.folder / "operators", {name: f"canary_transforms:{name}" for name in ("picky", "broken")})
    (rig.site.folder / "operators" / "canary_transforms.py").write_text(TRANSFORMS)
    rig.keep_versions()
    keep_secrets(rig)
    written = crash(rig)
    sent = [
        order(rig, "fine", KEYS),
        order(rig, "vault", {"secret_id": "clients/good"}),
        order(rig, "fail-file", KEYS, mapping=mapping(last_fails=True)),
        order(rig, "every-row", KEYS, mapping=mapping({"call": {"name": "broken"}})),
        order(rig, "over-budget", KEYS, mapping=mapping(budget={"rows": 1})),
        order(rig, "slow-pattern", KEYS, mapping=mapping({"regex": {"pattern": r"(?:a|a)+(?<!b)[cd]"}})),
        order(rig, "denied", KEYS),
        order(rig, "role", ROLE),
        order(rig, "vault-wrong", {"secret_id": "clients/wrong"}),
    ]
    bad_messages(rig)
    xml = f"<Error><Code>AccessDenied</Code><Message>{ECHO}</Message></Error>".encode()
    rig.proxy.add(Rule(Match("GetObject", key="denied/*"), Substitute(403, xml, {"Content-Type": "application/xml"})))
    rig.proxy.add(Rule(Match("AssumeRole"), Refuse(403, "AccessDenied", ECHO)))
    rig.run(command=MERGED, **variables(rig))
    for number, letter in enumerate(rig.letters()):
        name = f"letter {number} of {letter['attributes'].get('engine_batch_id', 'nobody')}"
        written |= {f"{name}: {key}": value.encode() for key, value in letter["attributes"].items()}
        if letter["body"] in sent:  # the sender's own, and no more than that
            written[f"{name}: unchanged"] = b""
    return written | files(rig.site.folder) | versions(rig)


def files(folder: Path) -> dict[str, bytes]:
    """Logs, and whatever else lies in the worker's folders that the test did not put there."""
    ours = {"canary_transforms.py"}
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in ours}


def versions(rig: Rig) -> dict[str, bytes]:
    """Every version of every object that was ever in our bucket, with its metadata."""
    client = rig.aws.server.client("s3")
    found: dict[str, bytes] = {}
    for page in client.get_paginator("list_object_versions").paginate(Bucket=rig.site.destination):
        for entry in page.get("Versions", []):
            key, version = entry["Key"], entry["VersionId"]
            answer = client.get_object(Bucket=rig.site.destination, Key=key, VersionId=version)
            found[f"{key}?{version}"] = answer["Body"].read() + json.dumps(answer["Metadata"]).encode()
    client.close()
    return found


def found_in(text: bytes, canary: str) -> bool:
    """Whether it stands there: as it is, as in JSON or a URL, or in base64."""
    spelled = {canary, json.dumps(canary)[1:-1], quote(canary, safe=""), quote(canary)}
    in_base64 = {base64.b64encode(canary.encode()[skip:])[2:-4].decode() for skip in range(3)}
    return any(spelling.encode() in text for spelling in spelled | in_base64)
