"""Audio of a stream to packets and back, and keys as tones."""

import numpy as np
import pytest

from dsp.g711 import MU_LAW, decode_block
from dsp.tones import dtmf_tone
from voice.wire.dtmf import KeySender
from voice.wire.rtp import RtpPacket
from voice.wire.streams.packets import EVENT_PAYLOAD_TYPE, PAYLOAD_TYPE, Depacketizer, Packetizer
from voice.wire.streams.stream import AudioFormat

WIDE = AudioFormat("L16", 16_000)


@pytest.mark.parametrize("step", [1, 159, 160, 161, 3_000])
def test_pieces_of_any_length_are_packets_of_one(step: int) -> None:
    audio = bytes(range(256)) * 5
    packetizer = Packetizer(AudioFormat("PCMU"))
    packets = [packet for at in range(0, len(audio), step) for packet in packetizer.push(audio[at : at + step])]
    parsed = [RtpPacket.parse(packet) for packet in packets]
    assert b"".join(packet.payload for packet in parsed) == audio
    assert {len(packet.payload) for packet in parsed} == {160}
    assert [packet.sequence for packet in parsed] == list(range(8))
    assert [packet.timestamp for packet in parsed] == list(range(0, 1_280, 160))


def test_the_clock_is_that_of_the_samples() -> None:
    packets = [RtpPacket.parse(packet) for packet in Packetizer(WIDE).push(bytes(1_280))]
    assert [(packet.timestamp, len(packet.payload)) for packet in packets] == [(0, 640), (320, 640)]


def test_audio_goes_out_as_it_is() -> None:
    depacketizer = Depacketizer(WIDE)
    assert depacketizer.frame(bytes(RtpPacket(PAYLOAD_TYPE, 7, 9, 1, b"abcd"))) == b"abcd"


@pytest.mark.parametrize("audio", [AudioFormat("PCMU"), AudioFormat("L16"), WIDE], ids=str)
def test_a_key_goes_out_as_its_tone(audio: AudioFormat) -> None:
    keys, depacketizer = KeySender(EVENT_PAYLOAD_TYPE), Depacketizer(audio)
    keys.press("5")
    frames: list[bytes] = []
    tick = 0
    while keys.busy:
        packet = keys.packet(tick, tick * 160, 1)
        if packet is not None:
            frames.append(depacketizer.frame(bytes(packet)))
        tick += 1
    octets = b"".join(frames)
    assert {len(frame) for frame in frames[:5]} == {audio.frame_octets}
    if audio.encoding == "L16":
        heard = np.frombuffer(octets, "<i2")
        assert np.array_equal(heard, dtmf_tone("5", 100, audio.rate_hz))
    else:
        heard = decode_block(np.frombuffer(octets, np.uint8), MU_LAW)
        assert np.abs(heard - dtmf_tone("5", 100, 8_000).astype(float)).max() < 1_100
