"""Credentials that are wrong in any way: one clear error that names the field, and nobody is called."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.mappings import mapping_store
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.cli.wiring import store_settings
from engine.config import DestinationSettings, Settings, SourceSettings
from engine.errors import AccessDenied, MessageError
from engine.intake import read_message
from engine.ports import Credentials, Delivery, S3Location
from tests.adapters.conftest import allowing
from tests.listener import Listener, listener

OURS = "AKIAENGINE0000000001"
KEY, SECRET, TOKEN = "AKIACLIENT0000000001", "c1ient-s3cret", "c1ient-t0ken"
ROLE, OTHERS_ROLE = (f"arn:aws:iam::123456789012:role/{name}" for name in ("acme", "bolt"))
KEYS = {"access_key_id": KEY, "secret_access_key": SECRET}
WHOLE: dict[str, dict[str, Any]] = {
    "role_arn": {"role_arn": ROLE},
    "external_id": {"role_arn": ROLE, "external_id": "acme-external"},
    "secret_id": {"secret_id": "clients/acme"},
    "access_key_id": KEYS,
    "secret_access_key": KEYS,
    "session_token": {**KEYS, "session_token": TOKEN},
    "profile": {"profile": "acme"},
}
"""For each field, complete credentials that have it."""

BAD: dict[str, list[Any]] = {
    "role_arn": ["arn:aws:iam::12:role/x", "arn:aws:iam::123456789012:user/x", "role/x", f"{ROLE} x", ROLE[:-4]],
    "external_id": ["x", "a b", 'a"b', "\u00e4\u00e4"],
    "secret_id": ["clients/../other", "clients/..", "../clients/acme", "clients/./acme", "clients/a b", "clients/*"],
    "access_key_id": ["AKIA KEY", "AKIA/KEY", "AKIA,KEY", "\u0410KIA"],
    "secret_access_key": [" s3cret", "s3cret\u00a0", "s3cret\n"],
    "session_token": ["t0ken t0ken", "t\u00f6ken"],
    "profile": ["../acme", "/etc/passwd", "a/b", "..", ".aws", "~root", "acme]", "acme\n[default]", "acme\\x"],
}
EVERYWHERE: list[Any] = ["", " ", "\t", "\u2003", "A\x00B", "A\r\nX-Evil: 1", "A\x7f", "A" * 10_240, 7, True, ["x"], {}]

WRONG_FIELDS = [
    pytest.param({**WHOLE[field], field: value}, f"source.credentials.{field}", id=f"{field}={str(value)[:20]!r}")
    for field in WHOLE
    for value in (*BAD[field], *EVERYWHERE)
]

PARTS: dict[str, Any] = {
    "role_arn": ROLE,
    "external_id": "acme-external",
    "secret_id": "clients/acme",
    "access_key_id": KEY,
    "secret_access_key": SECRET,
    "session_token": TOKEN,
    "profile": "acme",
}
COMPLETE = [set(whole) for whole in WHOLE.values()]


def half_given() -> Iterator[dict[str, Any]]:
    """Every choice of up to three fields that is no complete kind; the others are not there, or null."""
    for count in range(4):
        for names in itertools.combinations(PARTS, count):
            if set(names) not in COMPLETE:
                yield {name: PARTS[name] for name in names}
                if count < 2:
                    yield {name: PARTS[name] if name in names else None for name in PARTS}


NOT_A_TABLE: list[Any] = [None, "", KEY, 7, True, [], [KEYS]]

SETTINGS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"secret_prefix": "clients/"}, {"secret_id": "others/acme"}, "secret_id"),
    ({"secret_prefix": "clients/"}, {"secret_id": "clients"}, "secret_id"),
    ({"secret_prefix": "clients/"}, {"secret_id": "Clients/acme"}, "secret_id"),
    ({"secret_prefix": "clients/"}, {"secret_id": "x/clients/acme"}, "secret_id"),
    ({"secret_prefix": "clients/"}, {"secret_id": "arn:aws:secretsmanager:us-east-1:1:secret:clients/a"}, "secret_id"),
    ({"secret_prefix": "clients/"}, {"secret_id": "clients/../other"}, "secret_id"),
    ({}, {"secret_id": "clients/acme"}, "secret_id"),
    ({"allow_inline_keys": False}, KEYS, "access_key_id"),
    ({"allow_profiles": False}, {"profile": "default"}, "profile"),
    ({"allow_inline_keys": False}, {**KEYS, "session_token": TOKEN}, "access_key_id"),
    ({"external_ids": {ROLE: "acme-external"}}, {"role_arn": ROLE, "external_id": "another"}, "external_id"),
    ({"external_ids": {ROLE: "acme-external"}}, {"role_arn": ROLE, "external_id": "acme-externa"}, "external_id"),
    (
        {"external_ids": {ROLE: "acme-external", OTHERS_ROLE: "bolt-external"}},
        {"role_arn": OTHERS_ROLE, "external_id": "acme-external"},
        "external_id",
    ),
    (
        {"external_ids": {ROLE: "acme-external", OTHERS_ROLE: "bolt-external"}},
        {"role_arn": OTHERS_ROLE.replace("bolt", "Bolt"), "external_id": "acme-external"},
        "external_id",
    ),
]


@pytest.fixture(autouse=True)
def engines_own_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The engine has keys of its own wherever the standard chain looks first."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OURS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    keys = f"aws_access_key_id={OURS}\naws_secret_access_key=ours\n"
    (tmp_path / "credentials").write_text(f"[default]\n{keys}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


async def read(place: Listener, credentials: Any, settings: dict[str, Any]) -> None:
    """What a worker does with a message: looks whether it may, then reads the client's bucket."""
    source = {"bucket": "acme", "endpoint_url": place.url, "credentials": credentials}
    if credentials is ...:
        del source["credentials"]
    body = {"version": 1, "batch_id": "b", "mapping": MAPPING, "source": source, "files": ["a.csv"]}
    with_all = Settings(
        source=SourceSettings(allow_endpoints=[place.url], attempts=1, **settings),
        destination=DestinationSettings(bucket="ours"),
    )
    stores = StoresFactory(store_settings(with_all))()
    try:
        mappings = mapping_store("mappings", stores, region="us-east-1", endpoint_url=None)
        batch = await read_message(Delivery("m", "r", json.dumps(body)), mappings, stores, with_all)
        await (await stores.open(batch.source)).get("a.csv")
    finally:
        await stores.aclose()


MAPPING = {"version": 1, "id": "people", "fields": [{"name": "id", "type": "int"}]}


async def refusal(credentials: Any, settings: dict[str, Any]) -> tuple[str, str]:
    """The place and the text of the one problem; nobody was called, and no value is quoted."""
    async with listener() as place:
        with pytest.raises(MessageError) as refused:
            await read(place, credentials, settings)
        assert place.heard == []
    (problem,) = refused.value.problems
    assert not any(value in str(refused.value) for value in (KEY, SECRET, TOKEN, "acme-external", "AAAA", "X-Evil"))
    return problem.where, problem.what


@pytest.mark.parametrize(("credentials", "where"), WRONG_FIELDS)
async def test_a_wrong_value_is_one_error_at_its_field(credentials: dict[str, Any], where: str) -> None:
    """Empty, blank, with control characters, far too long, of another type, not of the field's form."""
    assert (await refusal(credentials, {"secret_prefix": "clients/"}))[0] == where


@pytest.mark.parametrize(
    "credentials", list(half_given()), ids=lambda given: ",".join(f"{k}={v}"[:24] for k, v in given.items())
)
async def test_half_given_credentials_are_one_error_that_lists_them(credentials: dict[str, Any]) -> None:
    """Whatever is no complete kind is refused with the fields that it has; a null is as good as none."""
    where, what = await refusal(credentials, {"secret_prefix": "clients/"})
    given = [name for name, value in credentials.items() if value is not None]
    assert where == "source.credentials"
    assert what.endswith(f"; given is {', '.join(given) or 'nothing'}")


@pytest.mark.parametrize("credentials", [..., *NOT_A_TABLE], ids=repr)
async def test_credentials_that_are_no_table(credentials: Any) -> None:
    """Without credentials there is no batch: nothing stands in for them."""
    where, what = await refusal(credentials, {})
    assert where == "source.credentials"
    assert what == ("is required" if credentials is ... else "must be an object with keys")


@pytest.mark.parametrize(
    ("settings", "credentials", "field"), SETTINGS, ids=lambda value: str(value)[:40] if value else "-"
)
async def test_what_the_operator_does_not_allow(settings: dict[str, Any], credentials: Any, field: str) -> None:
    """Secrets beside the prefix, keys where they are turned off, an external id that is not the role's own."""
    assert (await refusal(credentials, settings))[0] == f"source.credentials.{field}"


async def test_what_is_given_arrives_and_nothing_else() -> None:
    """The listener does hear: whole keys arrive as the client's own, and nothing of the engine's does."""
    async with listener() as place:
        with pytest.raises(AccessDenied):
            await read(place, {**KEYS, "session_token": TOKEN}, {})
        (heard,) = place.heard
    assert f"Credential={KEY}/" in heard
    assert f"X-Amz-Security-Token: {TOKEN}" in heard
    assert OURS not in heard


@pytest.mark.parametrize("names", [names for n in range(3) for names in itertools.combinations(PARTS, n)], ids="+".join)
async def test_a_store_never_falls_back_on_the_engines_keys(names: tuple[str, ...]) -> None:
    """Below the messages, too: half-given, or empty where they should be whole, they are an error before any call."""
    for value in (None, "", " "):
        parts = {name: PARTS[name] if value is None else value for name in names}
        if value is None and set(names) in COMPLETE:
            continue
        async with listener() as place:
            stores = StoresFactory(allowing(place.url, StoreSettings()))()
            with pytest.raises(AccessDenied):
                await stores.open(S3Location("acme", "us-east-1", place.url, Credentials(**parts)))
            await stores.aclose()
            assert place.heard == []


@pytest.mark.parametrize("credentials", [{"profile": "acme"}, {"profile": "default"}], ids=str)
async def test_a_profile_is_what_stands_in_its_file(credentials: dict[str, Any], tmp_path: Path) -> None:
    """A profile that is not there, or holds nothing, is an error: what the environment has for us does not count."""
    (tmp_path / "credentials").write_text("[default]\nregion=us-east-1\n")
    async with listener() as place:
        with pytest.raises(AccessDenied, match=credentials["profile"]):
            await read(place, credentials, {})
        assert place.heard == []
