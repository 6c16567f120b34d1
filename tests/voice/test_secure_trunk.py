"""Encrypted calls as a telephone sees them: which keys it gets, and what is refused without."""

import secrets

import pytest

from dialog.events import CallStarted
from tests.fakes.exchange import Exchange, exchange
from tests.fakes.telephone import Message
from voice.wire.rtp import RtpPacket
from voice.wire.sdes import Crypto, Keys, Srtp, Suite
from voice.wire.sip.events import CallRef, InviteReceived
from voice.wire.sip.flow import TCP, TLS, Flow, is_private
from voice.wire.sip.grammar import WireURI
from voice.wire.srtp import SecureStream, secured


def key(suite: Suite = Suite.CM_128_80, tag: int = 1) -> Crypto:
    return Crypto(tag, suite, secrets.token_bytes(suite.key_octets))


def sdp(it: Exchange, *offered: Crypto, profile: str = "RTP/SAVP", direction: str = "sendrecv") -> str:
    lines = "".join(f"{crypto.attribute}\r\n" for crypto in offered)
    return it.phone.sdp(direction).replace("RTP/AVP", profile) + lines


def crypto_of(answer: Message) -> list[Crypto]:
    values = [line.removeprefix("crypto:") for line in answer.media()[2] if line.startswith("crypto:")]
    return [crypto for value in values if (crypto := Crypto.parse(value)) is not None]


def stream(theirs: Crypto, ours: Crypto) -> SecureStream:
    """The telephone's side."""
    made = secured(Keys(theirs, ours), None)
    assert made is not None
    return made


def opened(it: Exchange, secure: SecureStream) -> list[RtpPacket]:
    """The sound that came and was genuine."""
    packets: list[RtpPacket] = []
    while True:
        try:
            data = it.phone.socket.recv(2_048)
        except BlockingIOError:
            return packets
        if (plain := secure.open(data)) is not None:
            packets.append(RtpPacket.parse(plain))


async def call(it: Exchange, *offered: Crypto, profile: str = "RTP/SAVP") -> tuple[Crypto, SecureStream]:
    """Call with keys; the answer's, and the telephone's side of the stream."""
    it.phone.invite(sdp(it, *offered, profile=profile))
    answer = await it.phone.answer()
    assert answer.status == 200, answer.line
    assert f"{profile} 0 101" in answer.body
    it.phone.ack()
    (ours,) = crypto_of(answer)
    theirs = next(crypto for crypto in offered if crypto.tag == ours.tag)
    await it.begun()
    return ours, stream(theirs, ours)


@pytest.mark.parametrize("suite", Suite)
@pytest.mark.parametrize("profile", ["RTP/SAVP", "RTP/AVP"])
async def test_a_caller_with_keys_is_answered_with_keys(suite: Suite, profile: str) -> None:
    async with exchange() as it:
        ours, secure = await call(it, key(suite, tag=4), key(tag=5), profile=profile)
        assert (ours.tag, ours.suite) == (4, suite)
        assert len(opened(it, secure)) >= 4


async def test_a_caller_who_offers_no_keys_is_answered_without() -> None:
    async with exchange() as it:
        await it.talking()
        assert it.phone.heard()


async def test_srtp_without_a_key_that_we_can_use_is_nothing() -> None:
    async with exchange() as it:
        weak = sdp(it, key()).replace("HMAC_SHA1_80", "HMAC_SHA1_8")
        assert (await it.refused(weak)).status == 488
        assert it.trunk.refused == {"peer.no_common_codec": 1}


async def test_where_it_is_off_keys_are_passed_over_and_srtp_refused() -> None:
    async with exchange(srtp=Srtp.OFF) as it:
        assert (await it.refused(sdp(it, key()))).status == 488
    async with exchange(srtp=Srtp.OFF) as it:
        it.phone.invite(sdp(it, key(), profile="RTP/AVP"))
        assert crypto_of(await it.phone.answer()) == []
        it.phone.ack()
        it.phone.bye()


async def test_where_it_is_demanded_there_is_no_call_without() -> None:
    async with exchange(srtp=Srtp.DEMANDED) as it:
        assert (await it.refused(it.phone.sdp())).status == 488
        assert it.trunk.refused == {"peer.not_encrypted": 1}


async def test_where_it_is_demanded_a_caller_with_keys_is_answered() -> None:
    async with exchange(srtp=Srtp.DEMANDED) as it:
        _, secure = await call(it, key())
        assert opened(it, secure)


@pytest.mark.parametrize("source", [("192.0.2.7", 5060), Flow("192.0.2.7", 5060, TCP)])
async def test_where_it_is_demanded_keys_do_not_come_in_the_clear(source: tuple[str, int]) -> None:
    async with exchange(srtp=Srtp.DEMANDED) as it:
        it.desk.source = source
        assert (await it.refused(sdp(it, key()))).status == 488
        assert it.trunk.refused == {"peer.not_encrypted": 1}
    async with exchange() as it:
        it.desk.source = source
        await call(it, key())


async def test_an_answer_to_our_offer_that_is_not_encrypted_ends_the_call() -> None:
    async with exchange(srtp=Srtp.DEMANDED) as it:
        it.phone.invite()
        assert len(crypto_of(await it.phone.answer())) == 3
        it.phone.ack(it.phone.sdp())
        await it.phone.hung_up_on()
        assert it.house.told(CallStarted) == []


async def test_an_offer_of_ours_is_answered_in_the_acknowledgement() -> None:
    async with exchange(srtp=Srtp.DEMANDED) as it:
        it.phone.invite()
        offered = {crypto.tag: crypto for crypto in crypto_of(await it.phone.answer())}
        mine = key(Suite.GCM_128, tag=2)
        it.phone.ack(sdp(it, mine))
        await it.begun()
        assert opened(it, stream(mine, offered[2]))


@pytest.mark.parametrize("policy", [Srtp.ALLOWED, Srtp.DEMANDED])
async def test_what_is_encrypted_stays_so(policy: Srtp) -> None:
    async with exchange(srtp=policy) as it:
        _, secure = await call(it, key())
        it.phone.invite(it.phone.sdp())
        assert (await it.phone.answer()).status == 488
        it.phone.ack(refused=True)
        opened(it, secure)
        await it.house.tick(100)
        assert len(opened(it, secure)) >= 4, "the call goes on as it was"
        it.phone.invite()
        assert "RTP/SAVP" in (await it.phone.answer()).body
        it.phone.ack(it.phone.sdp())
        await it.phone.hung_up_on()


async def test_a_call_may_become_encrypted() -> None:
    async with exchange() as it:
        await it.talking()
        it.phone.heard()
        mine = key()
        it.phone.invite(sdp(it, mine))
        (ours,) = crypto_of(await it.phone.answer())
        it.phone.ack()
        await it.house.tick(100)
        assert len(opened(it, stream(mine, ours))) >= 4


async def test_a_hold_changes_no_keys_and_new_keys_are_answered_with_new_ones() -> None:
    async with exchange() as it:
        mine = key()
        first, secure = await call(it, mine)
        opened(it, secure)
        it.phone.invite(sdp(it, mine, direction="recvonly"))
        (same,) = crypto_of(await it.phone.answer())
        it.phone.ack()
        assert same == first
        await it.house.tick(100)
        assert len(opened(it, secure)) >= 4, "with the count that it had"
        other = key()
        it.phone.invite(sdp(it, other))
        (new,) = crypto_of(await it.phone.answer())
        it.phone.ack()
        assert new.key != first.key
        await it.house.tick(100)
        assert len(opened(it, stream(other, new))) >= 4


@pytest.mark.parametrize(
    ("source", "private"),
    [
        (Flow("192.0.2.7", 5061, TLS), True),
        (Flow("192.0.2.7", 5060, TCP), False),
        (("192.0.2.7", 5060), False),
        (("127.0.0.1", 5060), True),
        (Flow("::1", 5060, TCP), True),
    ],
)
def test_keys_come_by_ways_that_nobody_else_reads(source: tuple[str, int] | Flow, private: bool) -> None:
    assert is_private(source) == private


async def test_who_takes_the_place_of_an_encrypted_caller_brings_keys_too() -> None:
    async with exchange() as it:
        await call(it, key())
        first, plain = it.phone, await it.another()
        plain.invite(plain.sdp(), first.replaces)
        assert (await plain.answer()).status == 488
        plain.ack(refused=True)
        it.phone = await it.another()
        theirs = key()
        it.phone.invite(sdp(it, theirs), first.replaces)
        (ours,) = crypto_of(await it.phone.answer())
        it.phone.ack()
        await first.hung_up_on()
        await it.house.tick(100)
        assert len(opened(it, stream(theirs, ours))) >= 4


async def test_where_it_is_demanded_nobody_takes_a_place_by_a_way_that_others_read() -> None:
    async with exchange(srtp=Srtp.DEMANDED) as it:
        await call(it, key())
        uri = WireURI.parse("sip:200@192.0.2.9")
        source = ("192.0.2.9", 5060)
        await it.trunk.on_event(
            InviteReceived(CallRef(99), "other", uri, "", uri, "200", None, source, (), replaces=CallRef(1))
        )
        assert it.trunk.refused == {"peer.not_encrypted": 1}
