"""Addresses of names: kept, forgotten, and better old than none."""

import asyncio
import socket

import pytest

from tests.fakes.clock import virtual_time
from voice.net.resolver import KEPT_S, MAX_NAMES, Resolver


class Names:
    """The system's answers: `known` by name; every other name is nobody's. `asked` is what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]]) -> None:
        self.known = known
        self.asked: list[str] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._look_up, raising=False)

    async def _look_up(self, host: str, port: None, **kinds: object) -> list[tuple[object, ...]]:
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 0)) for address in self.known[host]]


@virtual_time
async def test_a_name_is_looked_up_once_in_a_while() -> None:
    with pytest.MonkeyPatch.context() as patch:
        names = Names(patch, {"sip.example.net": ["192.0.2.1", "192.0.2.2", "192.0.2.1"]})
        resolver = Resolver(socket.AF_INET)
        for _ in range(2):
            assert await resolver.find("sip.example.net") == ("192.0.2.1", "192.0.2.2")
        assert await resolver.find("192.0.2.7") == ("192.0.2.7",)
        assert names.asked == ["sip.example.net"]
        names.known["sip.example.net"] = ["192.0.2.3"]
        await asyncio.sleep(KEPT_S)
        assert await resolver.find("sip.example.net") == ("192.0.2.3",)
        names.known.clear()
        await asyncio.sleep(KEPT_S)
        assert await resolver.find("sip.example.net") == ("192.0.2.3",), "better where it was than nowhere"
        with pytest.raises(OSError, match="not known"):
            await resolver.find("other.example.net")


@virtual_time
async def test_an_address_has_the_name_by_which_it_was_found_last() -> None:
    with pytest.MonkeyPatch.context() as patch:
        Names(patch, {"a.example": ["192.0.2.1"], "b.example": ["192.0.2.1", "192.0.2.2"]})
        resolver = Resolver(socket.AF_INET)
        assert resolver.name_of("192.0.2.1") == "192.0.2.1"
        await resolver.find("a.example")
        await resolver.find("b.example")
        assert [resolver.name_of(f"192.0.2.{n}") for n in (1, 2, 3)] == ["b.example", "b.example", "192.0.2.3"]


@virtual_time
async def test_so_many_names_are_remembered() -> None:
    with pytest.MonkeyPatch.context() as patch:
        names = Names(patch, {f"n{number}.example": ["192.0.2.1"] for number in range(MAX_NAMES + 1)})
        resolver = Resolver(socket.AF_INET)
        for name in (*names.known, f"n{MAX_NAMES}.example", "n0.example"):
            await resolver.find(name)
        assert len(names.asked) == MAX_NAMES + 2


@virtual_time
async def test_a_system_that_says_nothing_is_not_waited_for_without_end() -> None:
    async def silent(*args: object, **kinds: object) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent, raising=False)
        with pytest.raises(TimeoutError):
            await Resolver(socket.AF_INET).find("sip.example.net")
