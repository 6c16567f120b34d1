"""STUN as a keep-alive: what another implementation makes of our request, and we of its response."""

import random

import pytest
from aioice import stun

from dialog.errors import ProtocolError
from voice.wire.stun import Binding, is_stun, make_request, read_response

TRANSACTION = bytes(range(12))


def response(host: str, port: int, *before: tuple[str, object]) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, TRANSACTION)
    for name, value in (*before, ("XOR-MAPPED-ADDRESS", (host, port))):
        message.attributes[name] = value
    return bytes(message)


def test_our_request() -> None:
    parsed = stun.parse_message(make_request(TRANSACTION))
    assert (parsed.message_method, parsed.message_class) == (stun.Method.BINDING, stun.Class.REQUEST)
    assert (parsed.transaction_id, len(parsed.attributes)) == (TRANSACTION, 0)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_the_response(host: str) -> None:
    data = response(host, 40_000, ("SOFTWARE", "a name of some length"))
    assert is_stun(data)
    assert read_response(data) == Binding(TRANSACTION, host, 40_000)


@pytest.mark.parametrize("data", [b"", b"OPTIONS sip:a@b SIP/2.0\r\n", b"\r\n\r\n", bytes(20)])
def test_what_is_no_stun(data: bytes) -> None:
    assert not is_stun(data)


def test_whatever_comes_is_read_or_refused() -> None:
    chance, good = random.Random(5), response("192.0.2.7", 40_000)
    with pytest.raises(ProtocolError):
        read_response(make_request(TRANSACTION))
    refused = 0
    for _ in range(5_000):
        data = bytearray(good[: chance.choice([len(good), chance.randrange(20, len(good))])])
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read_response(bytes(data))
        except ProtocolError:
            refused += 1
    assert 0 < refused < 5_000
