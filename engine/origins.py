"""Origins: the scheme, host and port of an endpoint, in the one spelling in which endpoints are compared and used.

Two spellings of one place must not pass for two (nor make two clients), and a host must not be hidden in a spelling
that a rule about hosts does not see: user info, a number for an address, a port that is none.
"""

from __future__ import annotations

import ipaddress
import re

__all__ = ["origin"]

_SHAPE = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?/?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_NAME = 253


def origin(url: str) -> str:
    """``scheme://host`` with ``:port`` where that is not the scheme's own: in lower case, an IPv6 address as short as
    it can be.

    Raises:
        ValueError: it has anything else (user info, a path, a zone of an IPv6 address), its port is not one, or its
            host is neither a plain name nor a plainly written address. Its text says what a URL must be, and never
            repeats this one, which may hold a password.
    """
    found = _SHAPE.fullmatch(url.lower()) if url.isascii() else None
    if found is None:
        raise ValueError("must be http:// or https://, a host and perhaps a port")
    scheme, host, port = found[1], found[2], int(found[3] or _DEFAULT_PORTS[found[1]])
    if port > 65_535:
        raise ValueError("must have a port of 1 to 65535")
    host = f"[{_address(host[1:-1], 6)}]" if host.startswith("[") else _name(host)
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def _name(host: str) -> str:
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # to a resolver the whole of it is an address then
        return _address(host, 4)
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("must have a host of labels of 1 to 63 letters, digits and hyphens, without a dot at its end")
    return host


def _address(text: str, version: int) -> str:
    try:
        return str(ipaddress.IPv4Address(text) if version == 4 else ipaddress.IPv6Address(text))
    except ValueError:
        plain = "four decimal numbers" if version == 4 else "an IPv6 address in brackets"
        raise ValueError(f"must have a host that is a name or a plain address ({plain})") from None
