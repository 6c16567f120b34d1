"""A caller's RTP wire that knows when sound left it and when sound came, to the packet.

The engine keeps no packet's time, so it is not given the socket: the event loop reads and writes it here.
"""

import asyncio
import socket
import struct
import time
from collections import deque

import numpy as np

from dsp.g711 import MU_LAW, decode_block
from voice.media.wires import Address
from voice.net.rtcp_port import RtcpPort
from voice.net.rtp_port import UdpWire
from voice.ports import TICK_SAMPLES, Pcm

VOICED_RMS = 200.0
"""-44 dBFS: far above G.711's idle noise, far below a word."""

_HEADER_BYTES = 12
_DEPTH = 64  # packets that may wait until there is a leg
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")


class TimedWire(UdpWire):
    """Keeps when each packet left, and when the first packet with sound came after `watch`."""

    def __init__(self, sock: socket.socket, remote: Address | None, control: RtcpPort) -> None:
        super().__init__(sock, remote, control)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.voiced_left_s = 0.0
        self.answer_came_s = 0.0
        self._inbound: deque[tuple[bytes, Address]] = deque(maxlen=_DEPTH)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    @property
    def file(self) -> int | None:
        """None of the engine's."""
        return None

    def watch(self) -> None:
        """A question begins: forget the times of the one before."""
        self.voiced_left_s = self.answer_came_s = 0.0

    def send(self, packet: bytes, remote: Address) -> None:
        self.send_aside(packet, remote)
        if voiced(packet):
            self.voiced_left_s, self.answer_came_s = time.time(), 0.0

    def receive(self) -> list[tuple[bytes, Address]]:
        packets = list(self._inbound)
        self._inbound.clear()
        return packets

    def close(self) -> None:
        self._loop.remove_reader(self.socket)
        super().close()

    def _read(self) -> None:
        while True:
            try:
                data, controls, _, source = self.socket.recvmsg(2048, 64)
            except OSError:
                break
            self._inbound.append((data, (source[0], source[1])))
            if self.voiced_left_s and not self.answer_came_s and voiced(data):
                seconds, nanoseconds = _TIMESPEC.unpack(controls[0][2])
                self.answer_came_s = seconds + nanoseconds / 1e9
        if self.arrived is not None:
            self.arrived()


def voiced(packet: bytes) -> bool:
    """Whether a PCMU packet holds sound; keys (another payload type) do not."""
    if len(packet) <= _HEADER_BYTES or packet[1] & 0x7F != 0:
        return False
    pcm = decode_block(np.frombuffer(packet, np.uint8, offset=_HEADER_BYTES), MU_LAW).astype(np.float32)
    return bool(np.sqrt(np.mean(pcm * pcm)) > VOICED_RMS)


def cut(pcm: Pcm) -> Pcm:
    """`pcm` up to its last voiced tick, so that its end is known to the packet."""
    ticks = pcm[: pcm.size // TICK_SAMPLES * TICK_SAMPLES].reshape(-1, TICK_SAMPLES).astype(np.float32)
    loud = np.flatnonzero(np.sqrt(np.mean(ticks * ticks, axis=1)) > VOICED_RMS)
    return pcm[: (int(loud[-1]) + 1) * TICK_SAMPLES]
