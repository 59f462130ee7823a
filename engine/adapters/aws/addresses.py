"""Which addresses are public: those that somebody else's endpoint may have."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

__all__ = ["is_public"]

# Public by the registry, and yet inside: a cloud's own service for its machines, relays that lead anywhere, and what
# protocols keep for themselves.
_INSIDE_4 = (IPv4Network("168.63.129.16/32"), IPv4Network("192.88.99.0/24"), IPv4Network("192.0.0.0/24"))
_INSIDE_6 = IPv6Network("2001::/23")
_UNICAST = IPv6Network("2000::/3")  # all that is given out; a list of what is not would have to be kept up to date
_NAT64 = IPv6Network("64:ff9b::/96")  # the last 32 bits are the IPv4 address that is reached


def is_public(address: str) -> bool:
    """Whether ``address`` can only be somewhere on the Internet: not this machine, its link, a private network, the
    cloud's metadata or a group of many. An IPv6 address by which an IPv4 address is reached is what that one is; 6to4
    and Teredo, which lead through somebody's relay, are not public at all. False for what is no address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _public_4(found)
    if found.scope_id is not None:
        return False
    inner = _reached_by(found)
    if inner is not None:
        return _public_4(inner)
    return found.is_global and found in _UNICAST and found not in _INSIDE_6


def _public_4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in net for net in _INSIDE_4)


def _reached_by(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped
