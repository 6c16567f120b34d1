"""sipp calls the node: set-up, refusals, changes of media, and what it gets wrong; by UDP unless it says otherwise."""

from tests.e2e.flows.flow import PASSWORD, Flow
from tests.e2e.flows.script import Script, call, sdp
from tests.e2e.flows.sipp import SOCKETS, phones

VIDEO = "m=video 30000 RTP/AVP 99\na=rtpmap:99 H264/90000\n"
UNKNOWN_TAG = "To: <sip:[service]@[remote_ip]:[remote_port]>;tag=nobody"
REFUSED = Script().invite().expect(404).ack_refusal()


def flow(
    name: str,
    source: str,
    script: Script,
    dials: str = "echo",
    by: str = "UDP",
    number: int = 1,
    signed: str = "",
    leaves: bool = False,
    patient: bool = False,
) -> Flow:
    run = phones(script, dials=dials, by=by, number=number, signed=signed, leaves=leaves)
    return Flow("sipp", name, source, run, patient)


def signed() -> Script:
    """A caller who is asked who he is, and says so."""
    return Script().invite().challenged().invite(None, "[authentication]")


FLOWS = (
    # calls
    *(
        flow(f"calls and hangs up, by {by}", "RFC 3261 13, 15.1", call().pause(300).bye().expect(200), by=by, number=5)
        for by in SOCKETS
    ),
    flow("is busy", "RFC 3261 21.4.24", Script().invite().expect(486).ack_refusal(), dials="busy"),
    flow(
        "hears it ring, then the answer",
        "RFC 3261 13.3.1",
        Script().invite().expect(180, "Contact: ").dialog().ack().pause(200).bye().expect(200),
        dials="ring",
    ),
    *(
        flow(
            f"gives up while it rings, by {by}",
            "RFC 3261 9.1",
            Script().invite().expect(180).cancel().expect(200).expect(487).ack_refusal(),
            dials="ring",
            by=by,
        )
        for by in ("UDP", "TCP")
    ),
    flow(
        "hangs up while it rings",
        "RFC 3261 15.1.2",
        Script().invite().expect(180).tagged().bye().expect(200).expect(487).ack_refusal(),
        dials="ring",
    ),
    flow("dials a number nobody has", "RFC 3261 21.4.5", REFUSED, dials="nobody"),
    flow("dials a tel URI", "RFC 3966 3", call(uri="tel:+15550142").bye().expect(200)),
    flow(
        "dials a SIP URI with parameters of its user",
        "RFC 3261 19.1.1",
        call(uri="sip:echo@[remote_ip]:[remote_port];user=phone;x-a=%41").bye().expect(200),
    ),
    # offers and answers
    flow(
        "calls without an offer",
        "RFC 3264 5",
        Script()
        .invite("")
        .dialog("m=audio [0-9]+ RTP/AVP ([0-9]+ )*8 ([0-9]+ )*101")
        .ack(sdp())
        .pause(100)
        .bye()
        .expect(200),
    ),
    flow(
        "prefers PCMU",
        "RFC 3264 6.1",
        Script().invite(sdp("0 8 101")).dialog("m=audio [0-9]+ RTP/AVP 0 101").ack().bye().expect(200),
    ),
    flow(
        "numbers PCMA and the keys as it likes",
        "RFC 3264 6.1",
        Script().invite(sdp("96 97")).dialog("m=audio [0-9]+ RTP/AVP 96 97").ack().bye().expect(200),
    ),
    flow(
        "offers no keys",
        "RFC 4733 2.5",
        Script().invite(sdp("8")).dialog("m=audio [0-9]+ RTP/AVP 8[^ 0-9]").ack().bye().expect(200),
    ),
    flow("shares no codec with us", "RFC 3261 21.4.26", Script().invite(sdp("3 18")).expect(488).ack_refusal()),
    flow(
        "offers video besides",
        "RFC 3264 6",
        Script().invite(sdp(more=VIDEO)).dialog("m=video 0 RTP/AVP 99").ack().bye().expect(200),
    ),
    flow(
        "offers to send only",
        "RFC 3264 6.1",
        Script().invite(sdp(direction="sendonly")).dialog("a=recvonly").ack().bye().expect(200),
    ),
    *(
        flow(
            f"puts us on hold by {name} and comes back",
            f"RFC 3264 {section}",
            call()
            .invite(sdp(version=2, direction=direction, host=host))
            .dialog(f"a={ours}")
            .ack()
            .pause(100)
            .invite(sdp(version=3))
            .dialog("a=sendrecv")
            .ack()
            .bye()
            .expect(200),
        )
        for name, section, direction, host, ours in (
            ("sendonly", "8.4", "sendonly", "", "recvonly"),
            ("inactive", "8.4", "inactive", "", "inactive"),
            ("0.0.0.0", "8.4", "sendrecv", "0.0.0.0", "recvonly"),
        )
    ),
    flow(
        "changes the codec in the middle",
        "RFC 3264 8.3.2",
        call().invite(sdp("0 101", version=2)).dialog("RTP/AVP 0 101").ack().pause(100).bye().expect(200),
    ),
    flow(
        "moves its media",
        "RFC 3264 8.3.1",
        call().invite(sdp(version=2, port="31000")).dialog("a=sendrecv").ack().pause(100).bye().expect(200),
    ),
    flow(
        "asks for an offer in the middle",
        "RFC 3261 14.2",
        call().invite("").dialog("m=audio [1-9]").ack(sdp(version=2)).pause(100).bye().expect(200),
    ),
    flow(
        "asks in the middle for what we cannot, and the call goes on",
        "RFC 3261 14.2",
        call()
        .invite(sdp("3", version=2))
        .expect(488)
        .ack_refusal()
        .pause(100)
        .request("OPTIONS")
        .expect(200)
        .bye()
        .expect(200),
    ),
    # requests that open no call
    flow("pings", "RFC 3261 11.2", Script().request("OPTIONS").expect(200, "Allow: INVITE", "Accept: application/sdp")),
    flow("pings by TCP", "RFC 3261 11.2", Script().request("OPTIONS").expect(200, "Allow: INVITE"), by="TCP"),
    flow("pings in a call", "RFC 3261 11.2", call().request("OPTIONS").expect(200).bye().expect(200)),
    flow("pings with no hop left", "RFC 3261 8.2.2", Script().request("OPTIONS", "", "Max-Forwards: 0").expect(200)),
    flow(
        "asks by a method that is not served", "RFC 3261 8.2.1", Script().request("PUBLISH").expect(405, "Allow: INV")
    ),
    flow("asks by a method nobody knows", "RFC 3261 21.5.2", Script().request("FROBNICATE").expect(501, "Allow: INV")),
    flow(
        "asks in a call by a method nobody knows",
        "RFC 3261 12.2.2",
        call().request("FROBNICATE").expect(501).bye().expect(200),
    ),
    flow("ends a call that is not there", "RFC 3261 15.1.2", Script().request("BYE", "", UNKNOWN_TAG).expect(481)),
    flow("ends twice", "RFC 3261 15.1.2", call().bye().expect(200).bye().expect(481)),
    flow("gives up a call that is not there", "RFC 3261 9.2", Script().request("CANCEL").expect(481)),
    flow(
        "changes a call that is not there",
        "RFC 3261 12.2.2",
        Script().invite(None, UNKNOWN_TAG).expect(481).ack_refusal(),
    ),
    # what cannot be served, or is wrong
    flow(
        "requires what we have not",
        "RFC 3261 8.2.2.3",
        Script().invite(None, "Require: nothingKnown").expect(420, "Unsupported: nothingKnown").ack_refusal(),
    ),
    flow(
        "sends a body that is no SDP",
        "RFC 3261 8.2.3",
        Script().invite("hello\n", "Content-Type: text/plain").expect(415, "Accept: application/sdp").ack_refusal(),
    ),
    flow(
        "sends a body that is packed",
        "RFC 3261 8.2.3",
        Script().invite(None, "Content-Encoding: gzip").expect(415, "Accept-Encoding: identity").ack_refusal(),
    ),
    flow(
        "takes no SDP for an answer",
        "RFC 3261 21.4.7",
        Script().invite(None, "Accept: text/plain").expect(406).ack_refusal(),
    ),
    flow("sends an SDP that is none", "RFC 3261 21.4.1", Script().invite("v=1\n").expect(400).ack_refusal()),
    flow(
        "dials a scheme nobody knows",
        "RFC 4475 3.3.2",
        Script().request("OPTIONS", uri="nobodyKnowsThisScheme:totallyopaquecontent").expect(416),
    ),
    flow("speaks a later SIP", "RFC 4475 3.1.2.16", Script().request("OPTIONS", version="7.0").expect(505)),
    flow(
        "names a hop too many",
        "RFC 4475 3.1.2.4",
        Script().request("OPTIONS", "", "Max-Forwards: 300").expect(400),
    ),
    # how messages look
    flow(
        "writes short names",
        "RFC 3261 7.3.3",
        Script()
        .raw(
            "OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n"
            "v: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK[pid]-short\n"
            "f: <sip:sipp@[local_ip]>;tag=1\nt: <sip:[service]@[remote_ip]>\n"
            "i: [call_id]\nCSeq: 1 OPTIONS\nm: <sip:sipp@[local_ip]:[local_port]>\nMax-Forwards: 70\nl: 0\n\n"
        )
        .expect(200),
    ),
    flow(
        "came through others",
        "RFC 3261 8.2.6.2",
        Script()
        .request("OPTIONS", via="[local_ip]:[local_port];branch=z9hG4bK[pid]-a;rport, SIP/2.0/UDP 203.0.113.5")
        .expect(200, "203.0.113.5"),
    ),
    flow(
        "gives another address than it has",
        "RFC 3581 4",
        Script()
        .request("OPTIONS", via="10.1.2.3:5099")
        .expect(200, "received=127[.]1[.].*rport=21061|rport=21061.*received=127[.]1"),
    ),
    flow(
        "calls with a long offer",
        "RFC 3261 18.1.1",
        call(sdp(more="".join(f"a=x-{n}:{'y' * 80}\n" for n in range(12)))).bye().expect(200),
    ),
    # who it is
    flow("signs in", "RFC 3261 22.2", signed().dialog().ack().bye().expect(200), signed=PASSWORD),
    flow("guesses a password", "RFC 3261 21.4.4", signed().expect(403).ack_refusal(), signed="guess"),
    # who hangs up
    *(
        flow(f"is hung up on, by {by}", "RFC 3261 15.1.1", call().hear("BYE").reply(200, "OK"), leaves=True, by=by)
        for by in ("UDP", "TCP")
    ),
    flow("acknowledges twice", "RFC 3261 13.3.1.4", call().ack().bye().expect(200)),
    flow(
        "never acknowledges, and is hung up on",
        "RFC 3261 13.3.1.4",
        Script().invite().dialog().hear("BYE").reply(200, "OK"),
        patient=True,
    ),
)
