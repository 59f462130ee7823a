"""Secrets are hidden by their key and by their looks, and what is no secret stays readable."""

from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from engine.ports import Credentials
from engine.redaction import HIDDEN, hide, hide_in_text

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfi="
HEADER = (
    "AWS4-HMAC-SHA256 Credential=ABCDEFGH/20261122/us-east-1/s3/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={SECRET}"
)
URL_SIGNED = f"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={SECRET}&X-Amz-Date=1"

TEXTS = [
    f"{URL_SIGNED}&X-Amz-Signature={SECRET}",
    f"GET {URL_SIGNED}&X-Amz-Security-Token={SECRET} failed",
    repr(URL(f"{URL_SIGNED}&X-Amz-Security-Token=IQoJ{SECRET}")),
    f"https://b.s3.amazonaws.com/k?AWSAccessKeyId={SECRET}&Signature={SECRET}&Expires=1",
    f"x-amz-security-token={SECRET}",
    f"x-amz-signature%3D{SECRET}",
    f"Authorization: {HEADER}",
    repr({"Authorization": HEADER, "X-Amz-Security-Token": SECRET}),
    repr({b"Authorization": HEADER.encode(), b"x-amz-security-token": SECRET.encode()}),
    repr(CIMultiDictProxy(CIMultiDict({"Authorization": HEADER, "X-Amz-Security-Token": SECRET}))),
    json.dumps(json.dumps({"headers": {"Authorization": HEADER, "x-amz-security-token": SECRET}})),
    repr([("Authorization", f"Basic {SECRET}")]),
    f"authorization: Bearer {SECRET}",
    f"Authorization: AWS ABCDEFGH:{SECRET}",
    json.dumps({"access_key_id": "A", "secret_access_key": SECRET, "session_token": SECRET, "external_id": SECRET}),
    json.dumps(json.dumps({"secretAccessKey": SECRET, "sessionToken": SECRET, "externalId": SECRET})),
    repr({"SecretAccessKey": SECRET, "SessionToken": SECRET}),
    f"ReadOnlyCredentials(access_key='A', secret_key='{SECRET}', token=None)",
    f"AWS_SECRET_ACCESS_KEY={SECRET}",
    f"aws_secret_access_key = {SECRET}\naws_session_token = {SECRET}",
    f"<Credentials><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{SECRET}</SessionToken></Credentials>",
    json.dumps({"SecretString": SECRET}),
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:40])
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    """Signed addresses, headers, documents, configurations and answers lose what is secret, in JSON in JSON too."""
    hidden = hide_in_text(text)
    assert SECRET not in hidden
    assert "wJalr" not in hidden
    assert HIDDEN in hidden
    assert hide_in_text(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "source.credentials.external_id: is not the one that [source] external_ids of config.toml holds for this role",
        "source.credentials.secret_access_key: must be 1 to 1024 characters, no control character",
        "cannot read s3://b/k (SignatureDoesNotMatch): check the credentials and what they allow",
        "credentials: session_token given; give access_key_id and secret_access_key, or role_arn, or profile",
        "the credentials to read s3://b/access_key_id/x.csv have expired",
        "https://s3.eu-west-1.amazonaws.com/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60",
        "not authorized: ask for authorization",
        "AKIA is how ids of keys begin",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Our own errors, which name fields of credentials, are written as they are."""
    assert hide_in_text(text) == text


def test_json_stays_json() -> None:
    """Hiding in a line of JSON leaves a line of JSON with the same keys."""
    document = {"a": 'say "x" \\ y', "secret_access_key": SECRET, "url": TEXTS[0], "list": [HEADER], "end": 1}
    hidden = json.loads(hide_in_text(json.dumps(document)))
    assert hidden.keys() == document.keys()
    assert (hidden["a"], hidden["end"], hidden["secret_access_key"]) == (document["a"], 1, HIDDEN)


def test_the_id_of_a_key_shows_its_end() -> None:
    """Four characters tell keys apart; of a short id not even those."""
    assert hide_in_text("key AKIAIOSFODNN7EXAMPLE is unknown") == "key [hidden]MPLE is unknown"
    assert hide({"access_key_id": "AKIAIOSFODNN7EXAMPLE", "accessKeyId": "short"}) == {
        "access_key_id": "[hidden]MPLE",
        "accessKeyId": HIDDEN,
    }


def test_a_secret_under_its_key_is_hidden() -> None:
    """In tables and lists of them, whatever the spelling; other values are untouched, down to the depth of a bomb."""
    for key in ("secret_access_key", "SecretAccessKey", "X-Amz-Security-Token", "aws_session_token", "externalId"):
        assert hide({"a": [{"b": ({key: SECRET}, 1)}]}) == {"a": [{"b": [{key: HIDDEN}, 1]}]}
    assert hide({"rows": [1, None, "x"], "cell": "4111"}, frozenset({"cell"})) == {
        "rows": [1, None, "x"],
        "cell": HIDDEN,
    }
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"deeper": deep}
    assert "deeper" in hide(deep)


def test_no_repr_of_credentials_shows_any() -> None:
    """The engine's own type for credentials shows which kind they are and what is no secret."""
    whole = Credentials(SECRET, SECRET, SECRET, "arn:role", SECRET, "profile", "name")
    assert repr(whole) == "Credentials(role_arn='arn:role', profile='profile', secret_id='name')"
