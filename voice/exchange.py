"""SIP at the node: trunks, phones, pages, and calls that we place, put together from the settings."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

from voice.accounts import open_authenticator
from voice.addresses import taken
from voice.calls import Calls
from voice.config import Settings
from voice.dialling import Dialling, PlacedCall
from voice.media.plane import MediaPlane
from voice.net.certificate import ensure_certificate, trusted, usable_tls
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings
from voice.observe import Metrics
from voice.outbound import Outbound
from voice.phones import Phones
from voice.sip_audio import Audios
from voice.third import Early, Headers
from voice.trunk import Trunk
from voice.trunks import Trunks
from voice.web_phones import WebPhones
from voice.wire.sip.registrar import Registrar

UNSETTLED_CALLS = 256
"""SIP calls beyond those that are taken: being refused, or waiting for the answer to their BYE."""


class Exchange:
    """Whom the node reaches by SIP. `phones` are the agents'; `outbound` places calls, once it is open. To the desk,
    which is opened before it, it is who can be called outside (voice.third.Outside)."""

    outbound: Outbound

    def __init__(self, settings: Settings, plane: MediaPlane) -> None:
        media = settings.media
        self.trunks = Trunks(settings)
        self._settings = settings
        self._plane = plane
        self._ports = RtpPorts(settings.media_host, media.first_port, media.last_port, SystemRandom())
        self._registrar = Registrar()
        self.phones = Phones(settings, settings.sip.phone_users, self._registrar, plane, self._ports)

    def check(self, number: str) -> None:
        """See `Outbound.check`."""
        self.outbound.check(number)

    async def dial(self, number: str, headers: Headers = (), *, early: Early) -> PlacedCall:
        """See `Outbound.dial`; of `headers` those go along that `sip.hand_on` names."""
        return await self.outbound.dial(number, self._settings.sip.handed_on(headers), early=early)

    async def open(
        self, folder: Path, calls: Calls, metrics: Metrics, tasks: asyncio.TaskGroup, stack: AsyncExitStack
    ) -> SipAgent:
        """Take calls; `stack` closes what is opened, `folder` keeps a certificate that has to be made. Raises
        ConfigurationError."""
        settings, sip, trunks = self._settings, self._settings.sip, self.trunks
        advertised = settings.media.advertised or sip.advertised or ""
        servers = settings.web.ice_servers_of("node")
        guard = IceGuard([IceAddress(settings.media_host, advertised)], servers=servers)
        web_phones = WebPhones(calls, self._plane, guard, tasks)
        trunk = Trunk(settings, calls, self._plane, self._ports, trunks, web_phones)
        authenticator = open_authenticator(sip)
        agent = SipAgent(
            trunk,
            trunks.allows,
            advertised=sip.advertised or "",
            told=trunks.signalling_host,
            flows=trunks.by_flow,
            streams=self._streams(folder),
            max_calls=settings.limits.calls + UNSETTLED_CALLS,
            authenticator=authenticator,
            registrar=self._registrar if authenticator is not None else None,
            registered=self.phones.registered,
            session_s=sip.session_expires_s,
            pass_headers=sip.pass_headers,
            records=sip.siprec.enabled,
        )
        trunks.reach(agent, SystemRandom().random)
        dialling = Dialling(agent)
        self.outbound = Outbound(trunks, dialling, Audios(self._plane, self._ports), calls.obstacle)
        trunk.serve(agent, dialling)
        self.phones.serve(agent)
        self._expose(metrics, agent, trunk, guard)
        if authenticator is not None:
            counts = authenticator.counts
            metrics.count("centralino_sip_strangers", "Requests that want credentials", "outcome", lambda: counts)
            metrics.gauge("centralino_sip_phones", "Phones registered", "account", lambda: self._registrar.phones)
        try:
            await agent.start(sip.host, sip.port, tasks)
        except OSError as error:
            raise taken("sip", sip.host, sip.port, error) from error
        stack.push_async_callback(agent.close)
        return agent

    def _streams(self, folder: Path) -> StreamSettings:
        sip = self._settings.sip
        streams = StreamSettings(
            sip.tcp_port, ws_port=sip.ws_port or None, origins=sip.origins, trusted=trusted(sip.authorities)
        )
        if not sip.tls_port and not sip.wss_port:
            return streams
        certificate, key = sip.certificate, sip.key
        if certificate is None:
            certificate, key = ensure_certificate(folder, self._settings.sip_advertised, "sip")
        return replace(
            streams,
            tls_port=sip.tls_port or None,
            wss_port=sip.wss_port or None,
            tls=usable_tls("sip", certificate, key),
        )

    def _expose(self, metrics: Metrics, agent: SipAgent, trunk: Trunk, guard: IceGuard) -> None:
        trunks, outbound, pages = self.trunks, self.outbound, guard.dropped

        def ice() -> dict[str, int]:
            return {str(reason): number for reason, number in pages.items()}

        count, gauge = metrics.count, metrics.gauge
        count("centralino_sip_dropped", "Datagrams at the SIP port without effect", "reason", lambda: agent.dropped)
        count("centralino_sip_cut", "SIP connections refused, cut or not opened", "reason", lambda: agent.cut)
        count("centralino_sip_ice_dropped", "Datagrams at ICE ports of pages that call by SIP", "reason", ice)
        count("centralino_sip_refused", "INVITEs refused, by the code of the error", "code", lambda: trunk.refused)
        count("centralino_outbound_refused", "Calls of ours that were not", "code", lambda: outbound.refused)
        count(
            "centralino_trunk_spent",
            "Price of calls of ours, as rates of trunks have it",
            "trunk",
            lambda: outbound.spent,
        )
        gauge("centralino_sip_connections", "SIP connections", "transport", lambda: agent.connections)
        gauge("centralino_trunk_up", "Trunks that answer and take our registration", "trunk", lambda: trunks.up)
        gauge("centralino_trunk_calls", "Calls by trunks", "trunk", lambda: trunks.load)
