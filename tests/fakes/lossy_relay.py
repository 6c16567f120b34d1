"""A UDP relay on loopback that loses packets: what stands between a peer that cannot lose any, and us."""

import asyncio
import random

from voice.net.udp import Address, UdpSocket


class LossyRelay:
    """Passes datagrams between `target` and whoever spoke last from elsewhere, `delay_s` later; `lost` and `passed`
    count them."""

    def __init__(self, target: Address, loss: float, seed: int = 1, delay_s: float = 0.0) -> None:
        self.lost = 0
        self.passed = 0
        self._target = target
        self._caller: Address | None = None
        self._loss = loss
        self._delay_s = delay_s
        self._chance = random.Random(seed)
        self._socket: UdpSocket | None = None

    async def start(self, host: str) -> Address:
        """Bind a free port of `host`; the address that callers use."""
        self._socket = await UdpSocket.open(host, 0, self._relay)
        return self._socket.address

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    def _relay(self, data: bytes, source: Address) -> None:
        if source == self._target:
            destination = self._caller
        else:
            destination = self._target
            self._caller = source
        if self._chance.random() < self._loss:
            self.lost += 1
        elif destination is not None and self._socket is not None:
            self.passed += 1
            if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, self._socket.send, data, destination)
            else:
                self._socket.send(data, destination)
