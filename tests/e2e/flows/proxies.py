"""Kamailio stands between: before the node, and before those we call.

sipp's far end is then Kamailio, and so is the node's: what one says the other hears only if Kamailio finds its way by
what both say about it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.flows.callees import answered, ended, hang_up, hung_up
from tests.e2e.flows.flow import NAME, PASSWORD, Flow, Place
from tests.e2e.flows.script import Script, call, sdp
from tests.e2e.flows.sipp import called, calls
from tests.e2e.test_sip_connections import PROXY_PORT, kamailio
from tests.e2e.test_sip_peers import SIPP_PORT
from tests.peers import absent
from voice.caller import OutgoingLine, open_caller
from voice.dialling import CallRefused
from voice.net.certificate import ensure_certificate, trusted
from voice.net.sip_streams import StreamSettings
from voice.wire.sip.auth import Login

TLS_PORT = PROXY_PORT + 1
MODULES = ("tm", "sl", "rr", "pv", "siputils", "textops", "corex")

IN_THE_WAY = """
request_route {{
    {always}
    if (is_method("CANCEL")) {{ t_relay(); exit; }}
    if (has_totag()) {{ if (loose_route() || is_method("ACK")) t_relay(); exit; }}
    record_route();
    {first}
    t_relay();
}}
{more}
"""
"""A proxy that stays in the way of a call; `first` says where it begins, `always` what is done with each request."""

SIGNING = """
    $avp(user) = "{name}"; $avp(password) = "{password}"; $avp(realm) = "centralino";
    t_on_failure("ASKED");
    """
ASKED = 'failure_route[ASKED] { if (t_check_status("401") && uac_auth()) t_relay(); }'
ASKING = """
    if (!pv_proxy_authenticate("here", "{password}", "0")) {{ proxy_challenge("here", "0"); exit; }}
    consume_credentials();
    """
PINGING = """
    if (!ds_select_dst("1", "4")) { sl_send_reply("503", "Nobody Answers"); exit; }
    """


@asynccontextmanager
async def proxy(
    place: Place,
    first: str,
    more: str = "",
    modules: tuple[str, ...] = (),
    host: str = "",
    settings: str = "",
    always: str = "",
) -> AsyncIterator[str]:
    """Kamailio at an address of the place; yields it."""
    host = host or place.host(9)
    loads = "".join(f'loadmodule "{name}.so"\n' for name in (*MODULES, *modules))
    route = IN_THE_WAY.format(first=first, more=more, always=always)
    listens = f"listen=udp:{host}:{PROXY_PORT}\nlisten=tcp:{host}:{PROXY_PORT}\ntcp_source_ipv4={host}\n"
    if "tls" in modules:
        listens += f"enable_tls=yes\nlisten=tls:{host}:{TLS_PORT}\n"
        settings += f'modparam("tls", "config", "{place.file("tls.cfg", tls(place, host))}")\n'
    place.file("kamailio.cfg", f"children=1\ntcp_children=1\n{listens}{loads}{settings}{route}")
    async with kamailio(place.folder, host):
        yield f"{host}:{PROXY_PORT}"


def tls(place: Place, host: str) -> str:
    """Kamailio's certificate, and whom it trusts: those who answer at the node's address."""
    if not any(Path("/usr/lib").glob("*/kamailio/modules/tls.so")):
        absent("Kamailio's tls.so", "Debian package kamailio-tls-modules")
    certificate, key = ensure_certificate(place.folder, host, "kamailio")
    return (
        f"[server:default]\nmethod = TLSv1.2+\ncertificate = {certificate}\nprivate_key = {key}\n"
        f"[client:default]\nmethod = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\n"
        f"ca_list = {place.certificate}\n"
    )


def to(address: str, by: str = "UDP") -> str:
    return f'$du = "sip:{address};transport={by.lower()}";'


def through(
    script: Script,
    *,
    by: str = "UDP",
    on: str = "UDP",
    dials: str = "echo",
    leaves: bool = False,
    modules: tuple[str, ...] = (),
    settings: str = "",
) -> Callable[[Place], Awaitable[None]]:
    """sipp calls Kamailio `by` one transport, which goes `on` to the node, or to the callee who leaves, by another."""

    async def run(place: Place) -> None:
        first = to((place.leaver if leaves else place.node)[on], on)
        needs = (*modules, "tls") if on == "TLS" else modules
        async with proxy(place, first, modules=needs, settings=settings) as address:
            await calls(place, script, address, dials=dials, by=by)

    return run


def before(
    script: Script, ends: Callable[[OutgoingLine], Awaitable[None]] = hang_up, *, second: Script | None = None
) -> Callable[[Place], Awaitable[None]]:
    """We call Kamailio, which goes on to sipp, or to two of them at once."""

    async def run(place: Place) -> None:
        first = f'$ru = "sip:200@{place.host(1)}:{SIPP_PORT}";'
        if second is not None:
            first += f'append_branch("sip:200@{place.host(2)}:{SIPP_PORT}");'
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(proxy(place, first))  # the first to come, and the last to go
            await stack.enter_async_context(called(place, script))
            if second is not None:
                await stack.enter_async_context(called(place, second, 2))
            await ends(await place.caller.dial(f"sip:200@{address}"))

    return run


async def takes_by_tls(place: Place) -> None:
    """We call Kamailio by TLS once we know its certificate, and not at all before; it goes on to sipp by UDP."""
    first = f'$du = "sip:{place.host(1)}:{SIPP_PORT}";'
    async with proxy(place, first, modules=("tls",)), called(place, ended()):
        uri = f"sip:200@{place.host(9)}:{TLS_PORT};transport=tls"
        async with open_caller(streams=StreamSettings()) as stranger:
            with pytest.raises(CallRefused):
                await stranger.dial(uri)
        streams = StreamSettings(trusted=trusted(place.folder / "kamailio.crt"))
        async with open_caller(streams=streams) as caller:
            await hang_up(await caller.dial(uri))


async def forks_to_us_and_another(place: Place) -> None:
    """The other answers while we ring: we are told to give up, and sipp's caller has one callee."""
    node = place.node["UDP"]
    fork = f'$ru = "sip:ring@{node}"; append_branch("sip:200@{place.host(2)}:{SIPP_PORT}");'
    async with proxy(place, fork) as address, called(place, ended(), 2):
        await calls(place, call().pause(200).bye().expect(200), address)


async def redirects(place: Place) -> None:
    first = 'append_to_reply("Contact: <sip:elsewhere@192.0.2.1>\\r\\n"); sl_send_reply("302", "Moved"); exit;'
    async with proxy(place, first) as address:
        with pytest.raises(CallRefused, match="302"):
            await place.caller.dial(f"sip:200@{address}")


def asks(password: str, status: int) -> Callable[[Place], Awaitable[None]]:
    """Kamailio verifies who we are by its own arithmetic."""

    async def run(place: Place) -> None:
        first = ASKING.format(password=PASSWORD) + to(place.node["UDP"])
        async with proxy(place, first, modules=("auth",)) as address:
            login = Login(NAME, password)
            if status == 200:
                await hang_up(await place.caller.dial(f"sip:echo@{address}", login=login))
                return
            with pytest.raises(CallRefused, match=str(status)):
                await place.caller.dial(f"sip:echo@{address}", login=login)

    return run


async def signs_in(place: Place) -> None:
    """Kamailio's address is not listed: it signs in for whoever it brings."""
    first = SIGNING.format(name=NAME, password=PASSWORD) + to(place.node["UDP"])
    settings = (
        'modparam("uac", "auth_username_avp", "$avp(user)")\nmodparam("uac", "auth_password_avp", "$avp(password)")\n'
        'modparam("uac", "auth_realm_avp", "$avp(realm)")\nmodparam("uac", "restore_mode", "none")\n'
    )
    async with proxy(place, first, ASKED, ("uac",), place.stranger, settings) as address:
        await calls(place, call().pause(200).bye().expect(200), address)


async def pings(place: Place) -> None:
    """Kamailio sends nobody to a node that has not answered its OPTIONS (RFC 3261 section 11)."""
    place.file("dispatcher.list", "1 sip:{UDP} 8\n".format(**place.node))
    settings = (
        'modparam("dispatcher", "list_file", "dispatcher.list")\nmodparam("dispatcher", "ds_ping_interval", 1)\n'
        'modparam("dispatcher", "ds_probing_mode", 1)\nmodparam("dispatcher", "ds_probing_threshold", 1)\n'
    )
    async with proxy(place, PINGING, modules=("dispatcher",), settings=settings) as address:
        for _ in range(100):
            try:
                line = await place.caller.dial(f"sip:echo@{address}")
            except CallRefused as refused:
                assert refused.status == 503
                await asyncio.sleep(0.1)
            else:
                await hang_up(line)
                return
        pytest.fail("Kamailio never found the node alive")


flow = partial(Flow, "Kamailio")
CALL = call().pause(200).bye().expect(200)
HOLD = (
    call()
    .invite(sdp(version=2, direction="sendonly"))
    .dialog("a=recvonly")
    .ack()
    .invite(sdp(version=3))
    .dialog("a=sendrecv")
    .ack()
    .bye()
    .expect(200)
)
TWIN = Script().called().reply(200, "OK", sdp()).overhear("CANCEL").hear("ACK").hear("BYE").reply(200, "OK")
"""One of two callees who answer in the same moment: the proxy may or may not have given it up by then."""
HIDING = 'modparam("topoh", "mask_key", "key")\nmodparam("topoh", "mask_ip", "10.1.1.10")\n'

FLOWS = (
    *(
        flow(f"brings a call from {by}, by {on}", "RFC 3261 16", through(CALL, by=by, on=on))
        for by in ("UDP", "TCP")
        for on in ("UDP", "TCP")
    ),
    *(
        flow(
            f"brings a call from {by}, by {on}, and we hang up",
            "RFC 3261 12.2.1.1, 16.12",
            through(call().hear("BYE").reply(200, "OK"), by=by, on=on, leaves=True),
        )
        for by, on in (("UDP", "UDP"), ("UDP", "TCP"), ("TCP", "UDP"))
    ),
    flow("brings a call from UDP, by TLS", "RFC 3261 16, 26.3.1", through(CALL, on="TLS")),
    flow(
        "brings a call from UDP, by TLS, and we hang up",
        "RFC 3261 12.2.1.1, 16.12",
        through(call().hear("BYE").reply(200, "OK"), on="TLS", leaves=True),
    ),
    flow("brings a call that is put on hold", "RFC 3261 14, 16.12", through(HOLD)),
    flow(
        "brings a call without an offer",
        "RFC 3264 5",
        through(Script().invite("").dialog().ack(sdp()).pause(200).bye().expect(200)),
    ),
    flow(
        "brings a call for nobody",
        "RFC 3261 16.7",
        through(Script().invite().expect(404).ack_refusal(), dials="nobody"),
    ),
    flow(
        "brings a call that is given up while it rings",
        "RFC 3261 9.1, 16.10",
        through(Script().invite().expect(180).cancel().expect(200).expect(487).ack_refusal(), dials="ring"),
    ),
    flow("hides the way", "RFC 3261 16", through(HOLD, modules=("topoh",), settings=HIDING)),
    flow(
        "hides the way, and we hang up",
        "RFC 3261 16",
        through(call().hear("BYE").reply(200, "OK"), leaves=True, modules=("topoh",), settings=HIDING),
    ),
    flow("calls us and another, who is quicker", "RFC 3261 16.7", forks_to_us_and_another),
    flow("signs in for a caller", "RFC 3261 22.3", signs_in),
    flow("pings, and then brings calls", "RFC 3261 11", pings),
    flow("asks us who we are", "RFC 3261 22.3", asks(PASSWORD, 200)),
    flow("asks us who we are, and we are wrong", "RFC 3261 22.3", asks("guess", 407)),
    flow("redirects us", "RFC 3261 8.3", redirects),
    flow("takes our call on, and we hang up", "RFC 3261 12.1.2", before(ended())),
    flow("takes our call by TLS, and we hang up", "RFC 3261 26.3.1", takes_by_tls),
    flow(
        "takes our call on, and the callee hangs up",
        "RFC 3261 12.2.2",
        before(answered().asks().bye().expect(200), hung_up),
    ),
    flow(
        "takes our call to two who both answer",
        "RFC 3261 13.2.2.4",
        before(TWIN, second=TWIN),
    ),
)
