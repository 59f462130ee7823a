"""Fixtures for the tests of the proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import fault_proxy
from tests.faults.proxied import BODY, Site
from tests.moto import Aws


@pytest.fixture
def site(aws: Aws, bucket: str) -> Iterator[Site]:
    aws.put(bucket, "a", BODY)
    with fault_proxy(aws.endpoint_url) as proxy:
        yield Site(aws, proxy, bucket)
