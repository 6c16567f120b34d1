"""Binding requests of STUN (RFC 8489): they keep a flow of SIP by UDP open, and show where it comes from at the far end
(RFC 5626 sections 3.5.2 and 8)."""

from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple

from dialog.errors import ProtocolError

TRANSACTION_OCTETS = 12

_HEADER = Struct("!HHI12s")
_ATTRIBUTE = Struct("!HH")
_COOKIE = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_XOR_MAPPED_ADDRESS = 0x0020
_OCTETS = {1: 4, 2: 16}
"""Of an address, by its family (section 14.1)."""


class Binding(NamedTuple):
    """A success response: to which request, and the address that it was seen to come from."""

    transaction: bytes
    host: str
    port: int


def is_stun(data: bytes) -> bool:
    """Whether a datagram of a SIP port is STUN: a message of SIP begins with a letter."""
    return len(data) >= _HEADER.size and data[0] < 2 and data[4:8] == _COOKIE.to_bytes(4, "big")


def make_request(transaction: bytes) -> bytes:
    """Ask where we come from; `transaction` are twelve random octets."""
    return _HEADER.pack(_REQUEST, 0, _COOKIE, transaction)


def read_response(data: bytes) -> Binding:
    """Raises ProtocolError for what is no success response, or names no address."""
    kind, length, _, transaction = _HEADER.unpack_from(data)
    if kind != _SUCCESS or length != len(data) - _HEADER.size:
        raise ProtocolError("no STUN response")
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        attribute, size = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        value = data[at : at + size]
        if attribute == _XOR_MAPPED_ADDRESS and len(value) == size >= 4 and size == 4 + _OCTETS.get(value[1], 0):
            key = data[4 : _HEADER.size]
            plain = bytes(a ^ b for a, b in zip(value[4:], key, strict=False))
            return Binding(transaction, str(ip_address(plain)), int.from_bytes(value[2:4], "big") ^ _COOKIE >> 16)
        at += (size + 3) // 4 * 4
    raise ProtocolError("a STUN response without an address")
