"""Messages that are nearly right: real ones and RFC 4475's, changed at random from a fixed seed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fakes.sip_network import HERE, THERE, Network
from voice.wire.negotiation import make_offer
from voice.wire.sip.events import CallRef, InviteReceived

TORTURE = Path(__file__).parents[2] / "voice" / "wire" / "sip" / "rfc4475"

_WORDS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\r\n",
    b"\r\n\r\n",
    b"0",
    b"-1",
    b"4294967296",
    b"9" * 400,
    b"%00%ff",
    b"a" * 5_000,
    b"\xf0\x9f\x93\x9e",
    b"sip:",
    b"<>",
    b'"',
    b";;;;",
    b"@",
    b"SIP/2.0",
    b"z9hG4bK",
)


def real_messages() -> list[bytes]:
    """What two of our endpoints say to each other: INVITE, 100, 200, ACK, BYE; and INVITE, CANCEL, 487, ACK."""
    messages: list[bytes] = []
    for cancelled in (False, True):
        network = Network()
        taken: list[CallRef] = []
        ref = network.here.invite(
            f"sip:100@{THERE[0]}", make_offer(HERE[0], 40_000, 1, 1), f"sip:caller@{HERE[0]}", network.now, None
        )
        network.run(0.1)
        taken += [event.call for event in network.told[THERE] if isinstance(event, InviteReceived)]
        if not cancelled:
            network.there.answer(taken[0], make_offer(THERE[0], 40_002, 2, 1), network.now)
            network.run(0.1)
        network.here.hangup(ref, network.now)
        network.run(0.2)
        messages += [packet.data for packet in network.log]
    return messages


def mutated(count: int, seed: int) -> Iterator[bytes]:
    """`count` messages, each changed one to four times."""
    rng = random.Random(seed)
    seeds = real_messages() + [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]
    for _ in range(count):
        yield changed(rng.choice(seeds), rng)[:65_000]


def changed(message: bytes, rng: random.Random) -> bytes:
    """`message`, which has lines, changed one to four times."""
    for _ in range(rng.randint(1, 4)):
        message = rng.choice(CHANGES)(message, rng)
    return message


def _flip(message: bytes, rng: random.Random) -> bytes:
    changed = bytearray(message)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _cut(message: bytes, rng: random.Random) -> bytes:
    return message[: rng.randrange(len(message) + 1)]


def _remove(message: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(message) + 1)
    return message[:start] + message[start + rng.randint(1, 60) :]


def _insert(message: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(message) + 1)
    return message[:at] + rng.choice(_WORDS) + message[at:]


def _repeat_line(message: bytes, rng: random.Random) -> bytes:
    lines = message.split(b"\r\n")
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"\r\n".join(lines)


def _drop_line(message: bytes, rng: random.Random) -> bytes:
    lines = message.split(b"\r\n")
    del lines[rng.randrange(len(lines))]
    return b"\r\n".join(lines)


def _swap_lines(message: bytes, rng: random.Random) -> bytes:
    lines = message.split(b"\r\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def _revalue(message: bytes, rng: random.Random) -> bytes:
    lines = message.split(b"\r\n")
    at = rng.randrange(len(lines))
    name, colon, _ = lines[at].partition(b":")
    lines[at] = name + colon + b" " + rng.choice(_WORDS)
    return b"\r\n".join(lines)


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _remove,
    _insert,
    _repeat_line,
    _drop_line,
    _swap_lines,
    _revalue,
)
