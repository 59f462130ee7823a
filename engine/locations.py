"""From what a message names to places that can be opened, within what the operator allows."""

from __future__ import annotations

import re

from engine.config import DestinationSettings, Settings, SourceSettings
from engine.errors import MessageError, Problem
from engine.message import DocumentRef, Message, Source
from engine.ports import Credentials, S3Location

__all__ = ["destination_location", "document_location", "source_location"]

# S3's own endpoints and nothing else of amazonaws.com: other names there belong to whoever rents them.
_AWS_S3 = re.compile(r"https://s3(-fips)?(\.dualstack)?([.-][a-z]{2,3}(-[a-z]+)+-\d)?\.amazonaws\.com(\.cn)?")

# The SDK puts what these name before the endpoint's host, and so asks a host that nobody listed.
_AWS_ONLY = re.compile(r"arn:.*|.*--x-s3")


def source_location(message: Message, settings: SourceSettings) -> S3Location:
    """The client's bucket, with the message's credentials and never ours.

    Raises:
        MessageError: the operator does not allow the endpoint or the kind of credentials; lists every problem.
    """
    source = message.source
    found = [*_endpoint_problems(source, settings), *_credential_problems(source, settings)]
    if found:
        raise MessageError(found, batch=message.batch_id)
    return S3Location(
        bucket=source.bucket,
        region=source.region or settings.region,
        endpoint_url=source.endpoint_url,
        credentials=_credentials(source, settings),
    )


def destination_location(message: Message, settings: DestinationSettings) -> tuple[S3Location, str]:
    """Our bucket, and the key prefix of the batch in it, ending in ``/``.

    Raises:
        MessageError: neither the message nor config.toml names a bucket.
    """
    named = message.destination
    bucket, prefix = (named.bucket, named.prefix) if named else (settings.bucket, settings.prefix)
    if not bucket:
        problem = Problem("destination", "is required, because [destination] bucket of config.toml is not set")
        raise MessageError([problem], batch=message.batch_id)
    root = f"{prefix.rstrip('/')}/{message.batch_id}/" if prefix.strip("/") else f"{message.batch_id}/"
    return S3Location(bucket, settings.region, settings.endpoint_url or None), root


def document_location(document: DocumentRef, settings: Settings) -> S3Location:
    """The bucket of a message's document, reached as our own bucket is, with our own credentials.

    Raises:
        MessageError: the operator does not allow the bucket.
    """
    if document.bucket not in settings.queue.document_buckets:
        what = "is not allowed here: [queue] document_buckets of config.toml lists what is"
        raise MessageError([Problem("document.bucket", what)])
    return S3Location(document.bucket, settings.destination.region, settings.destination.endpoint_url or None)


def _endpoint_problems(source: Source, settings: SourceSettings) -> list[Problem]:
    named = source.endpoint_url  # an origin in its one spelling, as all that are listed are
    if named is None or _AWS_S3.fullmatch(named):
        return []
    if named not in settings.allow_endpoints:
        what = "is not allowed here: [source] allow_endpoints of config.toml lists what is"
        return [Problem("source.endpoint_url", what)]
    if _AWS_ONLY.fullmatch(source.bucket):
        what = "must be the plain name of a bucket where endpoint_url is not AWS's own: AWS alone has what this names"
        return [Problem("source.bucket", what)]
    return []


def _credential_problems(source: Source, settings: SourceSettings) -> list[Problem]:
    """What the operator does not allow: keys, profiles, a name that is not of a client's secret, another external id
    than the role's."""
    given = source.credentials
    if given.secret_id is not None and not (
        settings.secret_prefix and given.secret_id.startswith(settings.secret_prefix)
    ):
        what = "is not allowed here: [source] secret_prefix of config.toml says how names that are allowed begin"
        return [Problem("source.credentials.secret_id", what)]
    if given.access_key_id is not None and not settings.allow_inline_keys:
        what = "keys in a message are not allowed here ([source] allow_inline_keys of config.toml): send a role"
        return [Problem("source.credentials.access_key_id", what)]
    if given.profile is not None and not settings.allow_profiles:
        what = "profiles are not allowed here ([source] allow_profiles of config.toml): send a role"
        return [Problem("source.credentials.profile", what)]
    held = _held_external_id(source, settings)
    if held is not None and given.external_id is not None and given.external_id.get_secret_value() != held:
        what = "is not the one that [source] external_ids of config.toml holds for this role: leave it out"
        return [Problem("source.credentials.external_id", what)]
    return []


def _held_external_id(source: Source, settings: SourceSettings) -> str | None:
    """The one that the operator holds for the role, in whatever case a message names it: IAM knows no two roles that
    differ in case alone, so no spelling of a name leads around the table."""
    named = (source.credentials.role_arn or "").casefold()
    return next((held for role, held in settings.external_ids.items() if role.casefold() == named), None)


def _credentials(source: Source, settings: SourceSettings) -> Credentials:
    """An external id that the operator holds for a role counts; one that only the message gives is taken as it is."""
    given = source.credentials
    external_id = _held_external_id(source, settings)
    if external_id is None and given.external_id is not None:
        external_id = given.external_id.get_secret_value()
    return Credentials(
        access_key_id=given.access_key_id,
        secret_access_key=given.secret_access_key.get_secret_value() if given.secret_access_key else None,
        session_token=given.session_token.get_secret_value() if given.session_token else None,
        role_arn=given.role_arn,
        external_id=external_id,
        profile=given.profile,
        secret_id=given.secret_id,
    )
