"""Scenarios for sipp, told step by step: what it sends, what must come, and what is looked for in it.

Each request has a branch of its own, but an ACK that refuses and a CANCEL have their INVITE's (RFC 3261 sections 9.1
and 17.1.1.3). Text in square brackets is filled in by sipp.
"""

from typing import Self
from xml.sax.saxutils import quoteattr

_ENCODINGS = {
    "0": "PCMU/8000",
    "3": "GSM/8000",
    "8": "PCMA/8000",
    "18": "G729/8000",
    "96": "PCMA/8000",
    "97": "telephone-event/8000",
    "101": "telephone-event/8000",
}
_TAG = "[pid]sipp[call_number]"
_US = "<sip:[service]@[remote_ip]:[remote_port]>"
_SIPP = "<sip:sipp@[local_ip]:[local_port]>"

_OWN = "IN IP[media_ip_type] [media_ip]"
_CONTACT = "<sip:sipp@[local_ip]:[local_port];transport=[transport]>"


def sdp(
    formats: str = "8 101",
    *,
    version: int = 1,
    direction: str = "sendrecv",
    host: str = "",
    port: str = "[auto_media_port]",
    more: str = "",
) -> str:
    """A session description of sipp's with one audio stream, heard at `host` or its own; `more` is what follows it."""
    maps = "".join(f"a=rtpmap:{number} {_ENCODINGS[number]}\n" for number in formats.split())
    return (
        f"v=0\no=sipp 1 {version} {_OWN}\ns=-\nc={f'IN IP4 {host}' if host else _OWN}\nt=0 0\n"
        f"m=audio {port} RTP/AVP {formats}\n{maps}a=ptime:20\na={direction}\n{more}"
    )


class Script:
    """One call of sipp's. Each step returns the script, so that a scenario reads from left to right."""

    def __init__(self) -> None:
        self._steps: list[str] = []
        self._sequence = 0
        self._invite = ""
        self._target = "sip:[service]@[remote_ip]:[remote_port]"
        self._to = _US
        self._from = f"{_SIPP};tag={_TAG}"
        self._reply_tag = ""
        self._variables: list[str] = []

    def __str__(self) -> str:
        # sipp takes no scenario with a variable that is set and not used
        reference = f'<Reference variables="{",".join(self._variables)}"/>\n' if self._variables else ""
        steps = "\n".join(self._steps)
        head = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="flow">\n'
        return f"{head}{steps}\n{reference}</scenario>\n"

    # what sipp sends

    def invite(self, body: str | None = None, *headers: str, uri: str = "") -> Self:
        """The call, or a change of it: `body` None is the usual offer, an empty one none."""
        self._invite = f"invite{self._sequence + 1}"
        return self.request("INVITE", sdp() if body is None else body, *headers, uri=uri, branch=self._invite)

    def request(
        self,
        method: str,
        body: str = "",
        *headers: str,
        uri: str = "",
        branch: str = "",
        sequence: int = 0,
        via: str = "[local_ip]:[local_port]",
        version: str = "2.0",
    ) -> Self:
        """Any request, the next of its dialog. A header that starts with the name of a usual one replaces that."""
        self._sequence += 1
        return self._send(
            method, body, headers, uri=uri, branch=branch, sequence=sequence or self._sequence, via=via, version=version
        )

    def ack(self, body: str = "") -> Self:
        """Of the 200 to the last INVITE."""
        return self._send("ACK", body, (), branch=f"ack{self._sequence}", sequence=self._sequence)

    def ack_refusal(self) -> Self:
        """Of a final response from 300 on: it belongs to the INVITE's transaction."""
        return self._send("ACK", "", (), branch=self._invite, sequence=self._sequence)

    def cancel(self) -> Self:
        return self._send("CANCEL", "", (), branch=self._invite, sequence=self._sequence, to=_US)

    def bye(self) -> Self:
        return self.request("BYE")

    def raw(self, text: str, *, retransmitted: bool = False) -> Self:
        """A message as it stands."""
        again = ' retrans="500"' if retransmitted else ""
        self._steps.append(f"<send{again}><![CDATA[\n{text}]]></send>")
        return self

    def reply(self, status: int, reason: str, body: str = "", *headers: str) -> Self:
        """To the request that came last. A header that starts with the name of a usual one replaces that."""
        usual = [
            "[last_Via:]",
            "[last_Record-Route:]",
            "[last_From:]",
            f"[last_To:]{self._reply_tag if status > 100 else ''}",
            "[last_Call-ID:]",
            "[last_CSeq:]",
            f"Contact: {_CONTACT}",
        ]
        lines = _lines(f"SIP/2.0 {status} {reason}", usual, headers, body)
        return self.raw(_message(lines, body), retransmitted=status == 200 and bool(body))

    # what must come

    def expect(self, status: int, *looks: str) -> Self:
        """A response; provisional ones before it are allowed. `looks` are regular expressions it must hold."""
        for provisional in (100, 180, 183):
            if provisional < status:
                self._steps.append(f'<recv response="{provisional}" optional="true"/>')
        return self._receive(f'response="{status}" rrs="true"' if status == 200 else f'response="{status}"', looks)

    def dialog(self, *looks: str) -> Self:
        """The 200 that makes the dialog, or changes it: what follows goes where its Contact and Record-Route say."""
        self.expect(200, *looks)
        self._to, self._target = f"{_US}[peer_tag_param]\n[routes]", "[next_url]"
        return self

    def challenged(self) -> Self:
        """A 401 to the last INVITE; the header `[authentication]` of the next answers it."""
        self._steps.append('<recv response="401" auth="true"/>')
        return self.ack_refusal()

    def tagged(self) -> Self:
        """What follows carries the far end's tag although there is no dialog."""
        self._to = f"{_US}[peer_tag_param]"
        return self

    def called(self, *looks: str) -> Self:
        """sipp is called: its tag goes into its replies, and what follows `asks` goes to whoever called."""
        self._reply_tag = f";tag={_TAG}"
        self.hear("INVITE", *looks)
        keep = '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/></action>'
        self._steps[-1] = self._steps[-1].replace("</action>", keep)
        self._variables.append("caller")
        return self

    def hear(self, method: str, *looks: str) -> Self:
        """A request, of a dialog but for the first."""
        if method == "ACK":
            self._reply_tag = ""
        return self._receive(f'request="{method}" rrs="true"' if method == "INVITE" else f'request="{method}"', looks)

    def overhear(self, method: str) -> Self:
        """A request that may come before the next, and needs no answer."""
        self._steps.append(f'<recv request="{method}" optional="true"/>')
        return self

    def asks(self) -> Self:
        """sipp, called until now, sends requests: From and To are those of the INVITE, the other way round."""
        self._from, self._to = f"{_US.replace('remote', 'local')};tag={_TAG}", "[$caller]\n[routes]"
        self._target = "[next_url]"
        return self

    def pause(self, milliseconds: int) -> Self:
        self._steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    # how

    def _receive(self, what: str, looks: tuple[str, ...]) -> Self:
        actions = "<action>"
        for look in looks:
            name = f"look{len(self._variables)}"
            self._variables.append(name)
            actions += f'<ereg regexp={quoteattr(look)} search_in="msg" check_it="true" assign_to="{name}"/>'
        self._steps.append(f"<recv {what}>{actions}</action></recv>")
        return self

    def _send(
        self,
        method: str,
        body: str,
        headers: tuple[str, ...],
        *,
        uri: str = "",
        branch: str = "",
        sequence: int,
        via: str = "[local_ip]:[local_port]",
        version: str = "2.0",
        to: str = "",
    ) -> Self:
        usual = [
            f"Via: SIP/2.0/[transport] {via};branch=z9hG4bK[pid]-[call_number]-{branch or self._sequence};rport",
            f"From: {self._from}",
            f"To: {to or self._to}",
            "Call-ID: [call_id]",
            f"CSeq: {sequence} {method}",
            f"Contact: {_CONTACT}",
            "Max-Forwards: 70",
        ]
        lines = _lines(f"{method} {uri or self._target} SIP/{version}", usual, headers, body)
        return self.raw(_message(lines, body), retransmitted=method != "ACK")


def _lines(start: str, usual: list[str], headers: tuple[str, ...], body: str) -> list[str]:
    """Start line and headers: of those that are usual the ones that `headers` does not replace."""
    if body:
        usual = [*usual, "Content-Type: application/sdp"]
    own = {header.partition(":")[0] for header in headers}
    return [
        start,
        *(line for line in usual if line.partition(":")[0].strip("[]").removeprefix("last_") not in own),
        *headers,
    ]


def _message(lines: list[str], body: str) -> str:
    return "\n".join([*lines, "Content-Length: [len]", "", body])


def call(body: str | None = None, *headers: str, uri: str = "") -> Script:
    """A call of sipp's that we take."""
    return Script().invite(body, *headers, uri=uri).dialog().ack()
