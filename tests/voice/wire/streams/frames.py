"""What the platforms send, written from their documentation."""

import json

from voice.wire.streams.asterisk import AsteriskStream
from voice.wire.streams.audiosocket import AudioSocketStream, Kind, packed
from voice.wire.streams.freeswitch import FreeswitchStream
from voice.wire.streams.genesys import GenesysStream
from voice.wire.streams.stream import MediaStream, Message
from voice.wire.streams.twilio import TwilioStream


def twilio_start(**parameters: str) -> str:
    """See twilio.com/docs/voice/media-streams/websocket-messages."""
    return json.dumps(
        {
            "event": "start",
            "sequenceNumber": "1",
            "start": {
                "accountSid": "ACaa",
                "streamSid": "MZ18",
                "callSid": "CA13",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": parameters,
            },
            "streamSid": "MZ18",
        }
    )


def twilio(event: str, **content: object) -> str:
    """Any other message of Twilio's."""
    return json.dumps({"event": event, "sequenceNumber": "4", "streamSid": "MZ18", **content})


TWILIO_CONNECTED = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
TWILIO_STOP = twilio("stop", stop={"accountSid": "ACaa", "callSid": "CA13"})

ASTERISK_START = (
    "MEDIA_START connection_id:e226e283 channel:WebSocket/centralino/0x1 channel_id:pbx1-1761245643.1 "
    "format:{format} optimal_frame_size:160 ptime:20"
)
"""See docs.asterisk.org, Configuration/Channel-Drivers/WebSocket."""


def asterisk_start(**members: object) -> str:
    """The same in JSON."""
    start = {
        "event": "MEDIA_START",
        "connection_id": "e226e283",
        "channel": "WebSocket/centralino/0x1",
        "channel_id": "pbx1-1761245643.1",
        "format": "ulaw",
        "optimal_frame_size": 160,
        "ptime": 20,
        "channel_variables": {"DIALEDPEERNUMBER": "centralino/c(ulaw)"},
    }
    return json.dumps(start | members, indent=4)


SESSION = "e160e428-53e2-487c-977d-96989bf5c99d"
CONVERSATION = "090eaa2f-72fa-480a-83e0-8667ff89c0ec"


def genesys(seq: int, kind: str, **parameters: object) -> str:
    """See developer.genesys.cloud/devapps/audiohook/protocol-reference."""
    message = {"version": "2", "id": SESSION, "type": kind, "seq": seq, "serverseq": 0, "position": "PT1.5S"}
    return json.dumps({**message, "parameters": parameters})


def genesys_media(*channels: str, **others: object) -> dict[str, object]:
    """One of the formats that are offered."""
    return {"type": "audio", "format": "PCMU", "channels": channels, "rate": 8000, **others}


def genesys_open(*media: dict[str, object], conversation: str = CONVERSATION) -> str:
    """The first message of a session."""
    participant = {"id": "883efee8", "ani": "tel:+15550100", "aniName": "Ann", "dnis": "tel:100"}
    named = {"organizationId": "d7934305", "conversationId": conversation, "participant": participant}
    return genesys(1, "open", **named, media=media or (genesys_media("external"),), language="en-US")


GOOD: dict[type[MediaStream], list[Message]] = {
    TwilioStream: [
        twilio_start(caller="1"),
        twilio("media", media={"payload": "/38A"}),
        twilio("dtmf", dtmf={"digit": "1"}),
        twilio("mark", mark={"name": "farewell"}),
        twilio("stop"),
    ],
    AsteriskStream: [
        ASTERISK_START.format(format="ulaw"),
        asterisk_start(),
        "DTMF_END digit:1",
        "MEDIA_XOFF",
        "QUEUE_DRAINED",
        b"audio",
    ],
    FreeswitchStream: ['{"caller": "1"}', '{"event": "dtmf", "digit": "1"}', '{"type": "mark", "data": {}}', b"audio"],
    GenesysStream: [
        genesys_open(genesys_media("external", "internal")),
        *(genesys(2, kind, digit="1") for kind in ("ping", "dtmf", "paused", "playback_completed", "close")),
        b"audio",
    ],
    AudioSocketStream: [
        packed(Kind.UUID, bytes(16)),
        packed(Kind.AUDIO, bytes(320)),
        packed(Kind.DTMF, b"1"),
        packed(Kind.HANGUP),
        b"\x10",
    ],
}
"""Messages of each, the first of them first."""
