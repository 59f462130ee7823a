"""The message: what is accepted, what is refused and how every fault is named."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from engine.config import DestinationSettings, Settings, SourceSettings
from engine.errors import MessageError
from engine.locations import destination_location, source_location
from engine.message import FileRef, parse_message
from engine.messageschema import message_schema
from engine.names import MAX_FILES
from engine.origins import origin
from engine.ports import Credentials, S3Location

SECRET = "wJalrXUtnFEMI"
KEYS = {"access_key_id": "AKIA1", "secret_access_key": SECRET, "session_token": "tok-" + SECRET}
ROLE = "arn:aws:iam::123456789012:role/reader"

MESSAGE: dict[str, Any] = {
    "version": 1,
    "batch_id": "acme-2026-11-22",
    "mapping_id": "activity",
    "source": {"bucket": "acme-exports", "region": "eu-west-1", "endpoint_url": None, "credentials": KEYS},
    "files": ["2026-11-22/a.csv", {"key": "2026-11-22/b.csv.gz", "version_id": "v1"}],
    "destination": {"bucket": "ours", "prefix": "activity"},
    "correlation_id": "c-1",
}


def message(**changes: Any) -> dict[str, Any]:
    """The message above with some keys changed; ``...`` takes a key out."""
    document = {**copy.deepcopy(MESSAGE), **changes}
    return {key: value for key, value in document.items() if value is not ...}


def with_credentials(**credentials: Any) -> dict[str, Any]:
    return message(source={**MESSAGE["source"], "credentials": credentials})


def problems(document: object) -> list[str]:
    with pytest.raises(MessageError) as refused:
        parse_message(json.dumps(document))
    return [str(problem) for problem in refused.value.problems]


def test_the_contracts_message_is_read() -> None:
    """Every key of the contract arrives where it belongs; a file is a key or a key with a version."""
    read = parse_message(json.dumps(MESSAGE))
    assert (read.batch_id, read.mapping_id, read.mapping, read.prefix) == ("acme-2026-11-22", "activity", None, None)
    assert read.files == (FileRef(key="2026-11-22/a.csv"), FileRef(key="2026-11-22/b.csv.gz", version_id="v1"))
    assert read.correlation_id == "c-1"
    assert parse_message(json.dumps(MESSAGE).encode()) == read


def test_camel_case_says_the_same() -> None:
    """camelCase and the platform's own names give an equal message, nested keys included."""
    camel = {
        "version": 1,
        "batchId": "acme-2026-11-22",
        "mappingId": "activity",
        "clientConnection": {
            "bucket": "acme-exports",
            "region": "eu-west-1",
            "endpointUrl": None,
            "credentials": {
                "accessKeyId": KEYS["access_key_id"],
                "secretAccessKey": KEYS["secret_access_key"],
                "sessionToken": KEYS["session_token"],
            },
        },
        "pathToCSV": ["2026-11-22/a.csv", {"key": "2026-11-22/b.csv.gz", "versionId": "v1"}],
        "destination": MESSAGE["destination"],
        "correlationId": "c-1",
    }
    assert parse_message(json.dumps(camel)) == parse_message(json.dumps(MESSAGE))


def test_path_to_csv_may_be_one_key() -> None:
    """A platform that sends one path sends a text; ``files`` stays a list."""
    assert parse_message(json.dumps(message(files=..., pathToCSV="a.csv"))).files == (FileRef(key="a.csv"),)
    assert problems(message(files="a.csv")) == ["files: must be a list"]


def test_an_inline_mapping_is_kept_as_it_came() -> None:
    """What is inside the mapping is not the message's business: no key of it is renamed or refused."""
    inline = {"version": 1, "fields": [{"name": "batchId", "unknown": True}]}
    assert parse_message(json.dumps(message(mapping_id=..., mapping=inline))).mapping == inline


def test_every_problem_is_listed_with_its_place() -> None:
    """One error names unknown keys with the nearest valid one, wrong values, wrong combinations and duplicates."""
    source = {
        "bucket": "a/b",
        "regoin": "x",
        "endpoint_url": "http://user:password@host/",
        "credentials": {"access_key_id": "AK", "profile": "p", "secretAccesKey": SECRET},
    }
    found = problems(
        {
            "version": "1",
            "batch_id": "..",
            "mappingid": "activity",
            "source": source,
            "files": ["a", {"key": "a"}, {"key": 1}, {"kee": 2}, 3, ""],
            "prefix": "/x",
            "destination": 3,
            "correlationId": "",
            "correlation_id": "x",
        }
    )
    assert found == [
        "'correlation_id': correlation_id is given twice, under two names",
        "exactly one of mapping_id and mapping must be given; neither is",
        "exactly one of files and prefix must be given; both are",
        (
            "source.credentials: must be exactly one of role_arn (with external_id), secret_id, "
            "access_key_id with secret_access_key (and session_token), or profile; given is access_key_id, profile"
        ),
        "files: 'a' is named 2 times",
        "version: Input should be 1",
        "batch_id: must be 1 to 128 of A-Z a-z 0-9 . _ - (not '.' or '..')",
        "source.bucket: must be the name of a bucket or the ARN of an access point",
        "source.endpoint_url: must be http:// or https://, a host and perhaps a port",
        "source.credentials: unknown key 'secretAccesKey' (did you mean 'secret_access_key'?)",
        "source: unknown key 'regoin' (did you mean 'region'?)",
        "files[2].key: Input should be a valid string",
        "files[3].key: is required",
        "files[3]: unknown key 'kee' (did you mean 'key'?)",
        "files[4]: must be an object with keys",
        "files[5].key: must be an object key of 1 to 1024 bytes",
        "prefix: must be a key prefix of at most 1024 bytes that does not start with '/'",
        "destination: must be an object with keys",
        "correlation_id: must be 1 to 256 characters, none of them a control character",
        "unknown key 'mappingid' (did you mean 'mapping_id'?)",
    ]


@pytest.mark.parametrize(
    ("credentials", "valid"),
    [
        ({"role_arn": ROLE}, True),
        ({"role_arn": ROLE, "external_id": "acme-7"}, True),
        ({"secret_id": "clients/acme"}, True),
        ({"access_key_id": "a", "secret_access_key": "b"}, True),
        (KEYS, True),
        ({"profile": "default"}, True),
        ({"profile": "default", "role_arn": None}, True),
        ({}, False),
        ({"access_key_id": "a"}, False),
        ({"secret_access_key": "b", "session_token": "c"}, False),
        ({"external_id": "acme-7"}, False),
        ({"role_arn": ROLE, "profile": "default"}, False),
        ({"secret_id": "s", "external_id": "acme-7"}, False),
    ],
    ids=str,
)
def test_credentials_are_exactly_one_complete_kind(credentials: dict[str, Any], valid: bool) -> None:
    """A half-given or doubly given kind of credentials is refused, never guessed at; the schema agrees."""
    document = with_credentials(**credentials)
    if valid:
        parse_message(json.dumps(document))
    else:
        (problem,) = problems(document)
        assert problem.startswith("source.credentials: must be exactly one of")
    required = message_schema()["$defs"]["SourceCredentials"]["oneOf"]
    given = {key for key, value in credentials.items() if value is not None}
    matching = [option for option in required if given >= set(option["required"])]
    assert len(matching) == 1 or not valid


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"version": NaN}', b"\xff", "null"],
    ids=repr,
)
def test_what_is_not_a_json_object_is_refused(text: str | bytes) -> None:
    """A body that is no JSON object is one clear problem."""
    with pytest.raises(MessageError) as refused:
        parse_message(text)
    assert len(refused.value.problems) == 1


def test_a_message_that_is_all_wrong_is_a_short_list() -> None:
    """Ten thousand faults are a hundred lines, whatever kind they are of."""
    for bad, what in (
        (list(range(10_000)), "files[0]: must be an object with keys"),
        ([{"key": "a", "x": 1}] * 10_000, "files: 'a' is named 10000 times"),
        ([f"{number}" for number in range(5_000)] * 2, "files: '0' is named 2 times"),
        ([{"version_id": "a", "versionId": "b"}] * 10_000, "files[0]: 'versionId': version_id is given twice"),
    ):
        found = problems(message(files=bad))
        assert found[0].startswith(what)
        assert len(found) == 101
        assert found[-1] == "and more"


def test_every_bad_file_is_named() -> None:
    """Faults of files are found behind each other, good files and other faults between them."""
    bad = ["a", 7, "b", {"key": ""}, {"key": "c", "other": 1}, {}, "d"]
    assert problems(message(files=bad, version=2)) == [
        "version: Input should be 1",
        "files[1]: must be an object with keys",
        "files[3].key: must be an object key of 1 to 1024 bytes",
        "files[4]: unknown key 'other'",
        "files[5].key: is required",
    ]


def test_files_are_bounded() -> None:
    """More files than fit into memory are refused before each is looked at; as many as are allowed are read."""
    assert problems(message(files=[1] * (MAX_FILES + 1))) == [
        "files: must be at most 1,000,000 files, not 1,000,001: split the batch"
    ]
    assert problems(message(files=[])) == ["files: must name at least one file"]
    assert problems(message(mapping_id=[[]] * 4_200_000)) == [
        "has more values than 1,000,000 files take: split the batch"
    ]
    keys = [f"{number}.csv" for number in range(20_000)]
    assert [ref.key for ref in parse_message(json.dumps(message(files=keys))).files or ()] == keys


def test_no_error_and_no_repr_shows_a_secret() -> None:
    """Secrets appear neither in what is printed of a message nor in what is said about a bad one, nor do ids of keys,
    nor what the operator holds."""
    for shown in (repr(parse_message(json.dumps(MESSAGE))), str(parse_message(json.dumps(MESSAGE)).source.credentials)):
        assert not any(secret in shown for secret in KEYS.values())
    assert "held-here" not in repr(Settings(source=SourceSettings(external_ids={ROLE: "held-here"})))
    bad = with_credentials(access_key_id=["AKIA" + SECRET], secret_access_key={"x": SECRET}, session_token="")
    assert SECRET not in " ".join(problems(bad))
    location = repr(source_location(parse_message(json.dumps(MESSAGE)), SourceSettings()))
    assert not any(secret in location for secret in KEYS.values())


def test_the_source_is_the_clients_bucket_with_the_clients_credentials() -> None:
    """A location is made of the message alone, region aside, where the configuration has the default."""
    assert source_location(parse_message(json.dumps(MESSAGE)), SourceSettings()) == S3Location(
        "acme-exports", "eu-west-1", None, Credentials("AKIA1", SECRET, "tok-" + SECRET)
    )
    without = message(source={"bucket": "acme-exports", "credentials": {"profile": "p"}})
    location = source_location(parse_message(json.dumps(without)), SourceSettings(region="eu-north-1"))
    assert location == S3Location("acme-exports", "eu-north-1", None, Credentials(profile="p"))


def test_an_external_id_held_here_is_its_roles_only_one() -> None:
    """The operator's external id is used for its role, which a message may say too, but no other; for a role that the
    table does not know, a message's own counts."""
    settings = SourceSettings(external_ids={ROLE: "held"})
    for credentials, expected in [
        ({"role_arn": ROLE}, "held"),
        ({"role_arn": ROLE.upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace("ROLE/", "role/")}, "held"),
        ({"role_arn": ROLE, "external_id": "held"}, "held"),
        ({"role_arn": ROLE + "2"}, None),
        ({"role_arn": ROLE + "2", "external_id": "sent"}, "sent"),
    ]:
        location = source_location(parse_message(json.dumps(with_credentials(**credentials))), settings)
        assert location.credentials is not None
        assert location.credentials.external_id == expected


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://s3.amazonaws.com", True),
        ("https://s3.eu-west-1.amazonaws.com/", True),
        ("https://s3-fips.us-gov-west-1.amazonaws.com", True),
        ("https://s3.dualstack.ap-southeast-2.amazonaws.com", True),
        ("http://minio:9000", True),
        ("http://MINIO:9000/", True),
        ("https://minio:443", True),
        ("http://s3.eu-west-1.amazonaws.com", False),
        ("https://ec2-10-0-0-1.compute-1.amazonaws.com", False),
        ("https://s3.eu-west-1.amazonaws.com.evil.example", False),
        ("https://evils3.amazonaws.com", False),
        ("http://minio:9001", False),
        ("http://minio", False),
        ("http://169.254.169.254", False),
    ],
)
def test_only_aws_and_listed_endpoints_may_be_named(url: str, allowed: bool) -> None:
    """A message cannot send the engine's requests, or its own keys, to a host the operator has not listed."""
    document = message(source={**MESSAGE["source"], "endpoint_url": url})
    settings = SourceSettings(allow_endpoints=["http://minio:9000/", "https://minio"])
    if allowed:
        assert source_location(parse_message(json.dumps(document)), settings).endpoint_url == origin(url)
    else:
        with pytest.raises(MessageError, match="allow_endpoints"):
            source_location(parse_message(json.dumps(document)), settings)


def test_what_the_operator_forbids_is_listed_at_once() -> None:
    """Inline keys can be turned off, and are refused beside whatever else is."""
    document = message(source={**MESSAGE["source"], "endpoint_url": "http://minio:9000"})
    with pytest.raises(MessageError) as refused:
        source_location(parse_message(json.dumps(document)), SourceSettings(allow_inline_keys=False))
    places = [problem.where for problem in refused.value.problems]
    assert places == ["source.endpoint_url", "source.credentials.access_key_id"]


@pytest.mark.parametrize(
    ("named", "settings", "bucket", "root"),
    [
        ({"bucket": "b2", "prefix": "p/q/"}, {"bucket": "b1", "prefix": "x"}, "b2", "p/q/acme-2026-11-22/"),
        ({"bucket": "b2"}, {"bucket": "b1", "prefix": "x"}, "b2", "acme-2026-11-22/"),
        (None, {"bucket": "b1", "prefix": "x"}, "b1", "x/acme-2026-11-22/"),
        (None, {"bucket": "b1"}, "b1", "acme-2026-11-22/"),
    ],
)
def test_the_destination_is_the_messages_or_the_configured_one(
    named: dict[str, Any] | None, settings: dict[str, Any], bucket: str, root: str
) -> None:
    """Results go below <prefix>/<batch_id>/, in a bucket that our own credentials reach."""
    read = parse_message(json.dumps(message(destination=named)))
    location = S3Location(bucket, "eu-north-1", "http://minio:9000")
    assert destination_location(
        read, DestinationSettings(**settings, region="eu-north-1", endpoint_url="http://minio:9000")
    ) == (location, root)


def test_without_any_destination_the_message_is_refused() -> None:
    """No bucket anywhere is a fault of the message that says what is missing."""
    with pytest.raises(MessageError, match=r"\[destination\] bucket"):
        destination_location(parse_message(json.dumps(message(destination=...))), DestinationSettings())
