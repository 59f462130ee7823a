"""Which addresses are public."""

from __future__ import annotations

import pytest

from engine.adapters.aws.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "52.218.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "169.253.255.255",
        "126.255.255.255",
        "128.0.0.1",
        "2600:1fa0::1",
        "2a05:d07a:8000::1",
        "::ffff:52.218.0.1",
        "64:ff9b::52.218.0.1",
    ],
)
def test_public(address: str) -> None:
    """Addresses of the Internet, right beside those that are not, and what leads to them from IPv6."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1"),
        *("172.31.255.255", "192.168.255.255", "100.64.0.1", "100.127.255.255", "169.254.0.1", "169.254.169.254"),
        *("169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.9", "192.0.0.192", "192.0.2.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "224.0.1.1", "239.255.255.255", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::127.0.0.1", "::7f00:1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1"),
        *("fc00::1", "fd00:ec2::254", "ff02::1", "ff0e::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1"),
        *("3fff::1", "4000::1", "2002:7f00:1::", "2002:34da:1::", "64:ff9b:1::7f00:1", "64:ff9b:1::52.218.0.1"),
        *("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:0"),
        *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "2600:1fa0::1%1"),
        *("", "localhost", "127.1", "0x7f.1", "2130706433", "127.0.0.1 ", "[::1]"),
    ],
)
def test_not_public(address: str) -> None:
    """This machine, its link, private networks, metadata, groups, what is kept for protocols or not given out, and
    IPv6 by which one of these or a relay is reached; also what is no address at all."""
    assert not is_public(address)
