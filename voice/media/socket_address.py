"""Addresses as the system's calls take them: `struct sockaddr_in` and `sockaddr_in6` (POSIX, RFC 3493)."""

import socket
from functools import lru_cache
from ipaddress import ip_address
from struct import pack, unpack_from

from voice.media.engine.layout import ADDRESS, FAMILY_AT, INET6
from voice.media.wires import Address

_NARROW, _WIDE = 16, 28
_KEPT = 1_024  # addresses in mind: to work one out takes 5 us, and each packet of a browser has one


@lru_cache(_KEPT)
def packed(address: Address) -> bytes:
    """`ADDRESS` octets. ValueError unless the host is an IP literal."""
    host = ip_address(address[0])
    family, size = (socket.AF_INET, _NARROW) if host.version == 4 else (socket.AF_INET6, _WIDE)
    head = bytes((size, family)) if FAMILY_AT else pack("=H", family)
    body = host.packed if host.version == 4 else bytes(4) + host.packed
    return (head + pack("!H", address[1]) + body).ljust(ADDRESS, b"\0")


@lru_cache(_KEPT)
def unpacked(octets: bytes) -> Address:
    """The host as a literal, and the port."""
    (port,) = unpack_from("!H", octets, 2)
    host = octets[8:24] if octets[FAMILY_AT] == INET6 else octets[4:8]
    return str(ip_address(host)), port
