"""JsSIP in Chromium calls the node by WebSocket, with or without TLS; sound goes by ICE, DTLS and SRTP, in Opus."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.browser import RATE_HZ, chromium
from tests.e2e.flows.flow import HOST, NAME, PASSWORD, Flow, Place
from tests.e2e.jssip import WebPhone, served, web_phone
from tests.e2e.test_trunk_proofs import SINE_DBM0
from voice.ports import Pcm

PATIENCE_S = 20.0


def key_of(certificate: Path) -> str:
    """The hash of its public key, by which Chromium is told to trust a certificate and no other."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(octets).digest()).decode()


@asynccontextmanager
async def page(place: Place) -> AsyncIterator[WebPhone]:
    """A page with a telephone in it, in a browser of its own, which trusts the node's certificate."""
    trust = f"--ignore-certificate-errors-spki-list={key_of(place.certificate)}"
    with served() as url:
        async with chromium(flags=(trust,)) as browser:
            yield await web_phone(browser, url)


async def dial(place: Place, phone: WebPhone, number: str, by: str = "WS", password: str = PASSWORD) -> None:
    await phone.call(f"{by.lower()}://{place.node[by]}", f"sip:{number}@{HOST}", NAME, password)


async def happens(phone: WebPhone, what: str) -> None:
    """The next thing that happens to its call is this."""
    told = await phone.event()
    assert told == what, told


def measures(by: str) -> Callable[[Place], Awaitable[None]]:
    """It hears the milliwatt for a second on end."""

    async def run(place: Place) -> None:
        async with page(place) as phone:
            await dial(place, phone, "milliwatt", by)
            await happens(phone, "confirmed")
            await hears_the_milliwatt(phone)
            await phone.hang_up()
            await happens(phone, "ended local Terminated")

    return run


def holds(*, by_update: bool) -> Callable[[Place], Awaitable[None]]:
    """It holds, is sent nothing, resumes, and shows that it is there; it hears the milliwatt before and after."""

    async def run(place: Place) -> None:
        async with page(place) as phone:
            await dial(place, phone, "milliwatt")
            await happens(phone, "confirmed")
            await hears_the_milliwatt(phone)
            async with asyncio.timeout(PATIENCE_S):
                await phone.change("hold", by_update=by_update)
                await asyncio.sleep(0.5)  # what was under way has come
                before = (await phone.tab.received_audio())["packets"]
                await asyncio.sleep(0.5)
                assert (await phone.tab.received_audio())["packets"] == before
                for change in ("unhold", "renegotiate"):
                    await phone.change(change, by_update=by_update)
                    await asyncio.sleep(1.0)
                    await hears_the_milliwatt(phone)
            await phone.hang_up()
            await happens(phone, "ended local Terminated")

    return run


async def hears_the_milliwatt(phone: WebPhone) -> None:
    """For a second on end."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_milliwatt((await phone.tab.heard())[-RATE_HZ:]):
            await asyncio.sleep(0.2)


def is_milliwatt(second: Pcm) -> bool:
    """Whether it is 1 kHz, at the level that it has in G.711 (ITU-T G.711 section 4)."""
    if second.size < RATE_HZ:
        return False
    level = 20 * np.log10(np.sqrt(2 * np.mean(second.astype(np.float64) ** 2)) + 1) + SINE_DBM0["PCMU"]
    return bool(abs(level) < 0.3 and np.argmax(np.abs(np.fft.rfft(second))) == 1_000)


def fails(number: str, cause: str, password: str = PASSWORD) -> Callable[[Place], Awaitable[None]]:
    """Its call is refused, and it says why."""

    async def run(place: Place) -> None:
        async with page(place) as phone:
            await dial(place, phone, number, password=password)
            await happens(phone, f"failed remote {cause}")

    return run


async def gives_up(place: Place) -> None:
    async with page(place) as phone:
        await dial(place, phone, "ring")
        await happens(phone, "progress")
        await phone.hang_up()
        await happens(phone, "failed local Canceled")


flow = partial(Flow, "JsSIP")

FLOWS = (
    *(flow(f"signs in and measures the milliwatt, by {by}", "RFC 7118, 8827", measures(by)) for by in ("WS", "WSS")),
    *(
        flow(
            f"holds, resumes and asks again, by {'UPDATE' if by_update else 're-INVITE'}",
            source,
            holds(by_update=by_update),
        )
        for by_update, source in ((False, "RFC 3264 8.4"), (True, "RFC 3311"))
    ),
    flow("gives up while it rings", "RFC 3261 9.1", gives_up),
    flow("is busy", "RFC 3261 21.4.24", fails("busy", "Busy")),
    flow("dials a number nobody has", "RFC 3261 21.4.5", fails("nobody", "Not Found")),
    flow("guesses a password", "RFC 3261 21.4.4", fails("echo", "Rejected", "guess")),
)
