"""Calls through a trunk that sends us elsewhere (3xx): where we go, where we do not, and that there is an end of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import pytest

from dialog.errors import CentralinoError, Overloaded, PeerForbidden, PeerTimeout
from tests.fakes.browser_call import until
from tests.fakes.carrier import calling_out
from tests.fakes.gateway import Gateway, Says
from tests.fakes.house import house
from tests.fakes.telephone import HOST
from tests.ports import FIRST, LAST
from voice.dialling import CallRefused, PlacedCall
from voice.net.rtp_port import RtpPorts
from voice.outbound import Outbound
from voice.targets import MOST, Target, Targets
from voice.trunks import Trunks

CALLED, OTHER, THIRD = "0039021234", "0039025678", "0039029999"
BUSY, ANSWERS = Says(486), Says(200)


def at(number: str, host: str, more: str = "") -> str:
    """A Contact."""
    return f"<sip:{number}@{host}>{more}"


@dataclass
class Carrier:
    """A trunk whose proxy is `proxy`, and another gateway at the same address that is not its proxy."""

    outbound: Outbound
    trunks: Trunks
    proxy: Gateway
    second: Gateway

    async def call(self) -> PlacedCall:
        return await self.outbound.call(CALLED, PlacedCall, 5.0)

    async def refused(self, contact: str) -> int:
        """The status of a call that is sent to `contact`."""
        self.proxy.says[CALLED] = Says(302, [contact])
        with pytest.raises(CallRefused) as caught:
            await self.call()
        return caught.value.status

    async def reached(self, gateway: Gateway) -> None:
        """A call that is answered there, and over again."""
        (await self.call()).hang_up()
        await until(lambda: self.trunks.load == {"carrier": 0})
        assert gateway.invites


@asynccontextmanager
async def carrier(**trunk: object) -> AsyncIterator[Carrier]:
    """It may be called by 003902 and nothing else."""
    async with house() as home, Gateway().open() as proxy, Gateway().open() as second:
        given = {"proxy": HOST, "port": proxy.port, "dial": ["003902*"], "domain": "example.net"}
        ports = RtpPorts(HOST, FIRST, LAST, Random())
        try:
            async with calling_out(home, ports, given | trunk) as (outbound, trunks):
                yield Carrier(outbound, trunks, proxy, second)
        finally:
            await home.tick(20)


async def test_a_number_in_its_own_domain_is_called_by_its_proxy() -> None:
    async with carrier() as it:
        it.proxy.says = {CALLED: Says(302, [at(OTHER, "example.net")]), OTHER: ANSWERS}
        await it.reached(it.proxy)
        assert it.proxy.dialled == [CALLED, OTHER]
        again = it.proxy.invites[1]
        assert again.line.split()[1] == f"sip:{OTHER}@example.net"
        assert again.headers["history-info"] == (
            f"<sip:{CALLED}@example.net?Reason=SIP%3Bcause%3D302>;index=1, <sip:{OTHER}@example.net>;index=2"
        )
        assert "history-info" not in it.proxy.invites[0].headers
        assert it.outbound.refused == {}


async def test_another_gateway_of_its_is_called_at_its_own_address() -> None:
    async with carrier() as it:
        it.proxy.says[CALLED] = Says(301, [at(CALLED, f"{HOST}:{it.second.port}")])
        it.second.says[CALLED] = ANSWERS
        await it.reached(it.second)
        assert it.second.invites[0].line.split()[1] == f"sip:{CALLED}@{HOST}:{it.second.port}"


async def test_those_it_likes_better_are_called_first_and_the_next_where_one_refuses() -> None:
    async with carrier() as it:
        contacts = [at(OTHER, "example.net", ";q=0.2"), at(THIRD, "example.net", ";q=0.9")]
        it.proxy.says = {CALLED: Says(300, contacts), THIRD: BUSY, OTHER: ANSWERS}
        await it.reached(it.proxy)
        assert it.proxy.dialled == [CALLED, THIRD, OTHER]


async def test_the_last_refusal_is_told() -> None:
    async with carrier() as it:
        it.proxy.says[OTHER] = BUSY
        assert await it.refused(at(OTHER, "example.net")) == 486
        assert it.trunks.load == {"carrier": 0}


async def test_who_speaks_for_all_ends_it() -> None:
    async with carrier() as it:
        it.proxy.says = {CALLED: Says(302, [at(OTHER, HOST), at(THIRD, HOST)]), OTHER: Says(603), THIRD: ANSWERS}
        with pytest.raises(CallRefused) as caught:
            await it.call()
        assert caught.value.status == 603


@pytest.mark.parametrize(
    "contact",
    [
        at("0049301234", "example.net"),  # a number that may not be dialled
        at("alice", "example.net"),
        at(OTHER, "elsewhere.example"),  # a host that the settings do not name
        at(OTHER, "192.0.2.77"),
        at(OTHER, "example.net:5099"),  # the name, but not the proxy's port
        at(OTHER, "example.net;transport=tcp"),
        f"<tel:{OTHER}>",
        f"<sips:{OTHER}@example.net>",
    ],
)
async def test_whatever_the_trunk_may_not_have_called_is_a_refusal(contact: str) -> None:
    async with carrier() as it:
        it.proxy.says[OTHER] = it.proxy.says["0049301234"] = it.proxy.says["alice"] = ANSWERS
        assert await it.refused(contact) == 302
        assert it.proxy.dialled == [CALLED]
        assert it.outbound.refused == {"peer.refused": 1}


async def test_an_address_is_the_trunks_where_its_peers_name_it() -> None:
    async with carrier(peers=["192.0.2.0/24"]) as it:
        link = it.trunks.link("carrier")
        assert link is not None
        assert link.target(OTHER, "192.0.2.7", None) == Target(
            OTHER, f"sip:{OTHER}@192.0.2.7:5060", ("192.0.2.7", 5060)
        )
        assert (it.trunks.at("192.0.2.7"), it.trunks.at("192.0.3.7")) == ("carrier", "")


async def test_a_circle_is_gone_round_once() -> None:
    async with carrier() as it:
        it.proxy.says = {CALLED: Says(302, [at(OTHER, HOST)]), OTHER: Says(302, [at(CALLED, "example.net")])}
        with pytest.raises(CallRefused) as caught:
            await it.call()
        assert caught.value.status == 302
        assert it.proxy.dialled == [CALLED, OTHER]


async def test_who_is_sent_on_and_on_gives_up() -> None:
    async with carrier() as it:
        numbers = [f"0039020{step}" for step in range(10)]
        chain = zip([CALLED, *numbers], numbers, strict=False)
        it.proxy.says = {number: Says(302, [at(following, HOST)]) for number, following in chain}
        with pytest.raises(CallRefused):
            await it.call()
        assert len(it.proxy.dialled) == MOST


@pytest.mark.parametrize(
    ("trunk", "error"),
    [
        ({"calls_a_day": 1}, Overloaded),
        ({"rates": {CALLED: 1}, "spend_a_day": 10}, PeerForbidden),
    ],
)
async def test_each_has_its_price_and_counts_for_the_day(
    trunk: dict[str, object], error: type[CentralinoError]
) -> None:
    async with carrier(**trunk) as it:
        it.proxy.says = {CALLED: Says(302, [at(OTHER, HOST)]), OTHER: ANSWERS}
        with pytest.raises(error):
            await it.call()
        assert it.proxy.dialled == [CALLED]
        assert it.trunks.load == {"carrier": 0}


async def test_to_the_trunk_it_is_one_call() -> None:
    async with carrier(calls=1, calls_per_second=1, rates={"*": 1, OTHER: 3}) as it:
        it.proxy.says = {CALLED: Says(302, [at(OTHER, HOST)]), OTHER: ANSWERS}
        await it.reached(it.proxy)
        assert it.outbound.spent == {"carrier": 3.0}


async def test_all_of_them_together_ring_no_longer_than_one() -> None:
    async with carrier() as it:
        it.proxy.says = {CALLED: Says(302, [at(OTHER, HOST)]), OTHER: Says(180)}
        with pytest.raises(PeerTimeout):
            await it.outbound.call(CALLED, PlacedCall, 0.3)


def test_nobody_is_called_twice() -> None:
    first, other = Target(CALLED, "sip:1@a"), Target(OTHER, "sip:2@a")
    targets = Targets(first)
    assert targets.refused(302, [first, other])
    assert targets.present == other
    assert not targets.refused(302, [first, other])
