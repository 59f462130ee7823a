"""The policies in docs/iam grant what the code calls, each permission has its reason, and no more than that."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(__file__).parent.parent
IAM = ROOT / "docs" / "iam"

PERMISSIONS = {
    "get_object": {"s3:GetObject", "s3:GetObjectVersion"},
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "put_object": {"s3:PutObject"},
    "delete_object": {"s3:DeleteObject"},
    "create_multipart_upload": {"s3:PutObject"},
    "upload_part": {"s3:PutObject"},
    "complete_multipart_upload": {"s3:PutObject"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
    "list_multipart_uploads": {"s3:ListBucketMultipartUploads"},
    "list_parts": {"s3:ListMultipartUploadParts"},
    "receive_message": {"sqs:ReceiveMessage"},
    "delete_message": {"sqs:DeleteMessage"},
    "change_message_visibility": {"sqs:ChangeMessageVisibility"},
    "send_message": {"sqs:SendMessage"},
    "get_queue_url": {"sqs:GetQueueUrl"},
    "get_queue_attributes": {"sqs:GetQueueAttributes"},
    "assume_role": {"sts:AssumeRole"},
    "get_secret_value": {"secretsmanager:GetSecretValue"},
}
"""What AWS asks for an operation ("Actions, resources, and condition keys" of each service)."""

_CALL = re.compile(r'"([a-z]+(?:_[a-z0-9]+)+)"')


def operations() -> set[str]:
    """What the code asks of AWS: every operation of a client that it names."""
    from botocore import xform_name
    from botocore.session import Session

    session = Session()
    known = {
        xform_name(operation)
        for service in ("s3", "sqs", "sts", "sns", "secretsmanager")
        for operation in session.get_service_model(service).operation_names
    }
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "engine" / "adapters" / "aws").glob("*.py")]
    return {name for text in texts for name in _CALL.findall(text) if name in known}


def actions(name: str) -> set[str]:
    document: dict[str, Any] = json.loads((IAM / name).read_bytes())
    found: set[str] = set()
    for statement in document["Statement"]:
        granted = statement["Action"]
        found |= {granted} if isinstance(granted, str) else set(granted)
    return found


def test_every_call_is_known() -> None:
    """Whoever has the code call something new has to say here what that needs."""
    assert operations() == PERMISSIONS.keys()


def test_what_is_called_is_granted() -> None:
    """The engine's policy and the client's role together grant what the code calls, and nothing else."""
    needed = set().union(*PERMISSIONS.values())
    assert actions("engine.json") | actions("source-role.json") == needed
    assert actions("sender.json") <= needed


def test_a_client_grants_reading_only() -> None:
    """Nothing in a client's role can change anything."""
    assert actions("source-role.json") == {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}


@pytest.mark.parametrize("path", sorted(IAM.glob("*.json")), ids=lambda path: path.name)
def test_nothing_is_granted_on_everything(path: Path) -> None:
    """No action and no resource is a wildcard; one may only stand for what is below a prefix or in a bucket."""
    text = path.read_text(encoding="utf-8")
    for statement in json.loads(text)["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in actions(path.name):
            assert "*" not in action
        resources = statement.get("Resource", [])
        for resource in [resources] if isinstance(resources, str) else resources:
            assert re.fullmatch(r"arn:aws:(s3|sqs|iam|secretsmanager):[^*]+\*?", resource)


def test_each_permission_has_its_reason() -> None:
    """The page beside them names every permission that a policy grants."""
    page = (IAM / "README.md").read_text(encoding="utf-8")
    for path in IAM.glob("*.json"):
        for action in actions(path.name):
            assert f"`{action}`" in page
