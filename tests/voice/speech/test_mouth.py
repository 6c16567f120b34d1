"""Synthesis over a port that may go away, and the prompts that do not need it."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from dialog.errors import EngineError, EngineTimeout, EngineUnavailable
from tests.fakes.speech_child import FakeChild
from voice.ports import Pcm
from voice.speech import mouth as mouth_module
from voice.speech import wire
from voice.speech.mouth import HostMouth
from voice.speech.prompts import PromptCache

SOUND = np.arange(1_000, dtype=np.int16)


@pytest.fixture
def child() -> FakeChild:
    return FakeChild()


@pytest.fixture
def mouth(tmp_path: Path, child: FakeChild) -> HostMouth:
    made = HostMouth(PromptCache(tmp_path, "voice-1"))
    made.attach(child)
    return made


async def collected(mouth: HostMouth, text: str, pace: float = 1.0) -> list[Pcm]:
    return [block async for block in mouth.speak(text, pace=pace)]


async def asked(child: FakeChild) -> wire.Speak:
    """The next request that nobody has answered."""
    for _ in range(1_000):
        if child.sent and isinstance(child.sent[-1], wire.Speak):
            return child.sent[-1]
        await asyncio.sleep(0.001)
    raise AssertionError("nothing was asked")


def answer(mouth: HostMouth, request: int) -> None:
    mouth.receive(wire.Spoken(request, SOUND.tobytes(), last=False))
    mouth.receive(wire.Spoken(request, b"", last=True))


async def test_blocks_come_as_the_child_gives_them(mouth: HostMouth, child: FakeChild) -> None:
    speaking = asyncio.create_task(collected(mouth, "Hello.", 0.8))
    request = await asked(child)
    assert (request.text, request.pace, request.ahead) == ("Hello.", 0.8, False)
    answer(mouth, request.request)
    (block,) = await speaking
    assert np.array_equal(block, SOUND)
    assert wire.Cancel(request.request) not in child.sent


async def test_closing_the_iterator_cancels(mouth: HostMouth, child: FakeChild) -> None:
    speech = mouth.speak("A long story.")
    first = asyncio.create_task(anext(speech))
    request = await asked(child)
    mouth.receive(wire.Spoken(request.request, SOUND.tobytes(), last=False))
    await first
    await speech.aclose()
    assert child.sent[-1] == wire.Cancel(request.request)
    answer(mouth, request.request)  # what was on its way is nobody's


async def test_without_a_child_it_is_unavailable(mouth: HostMouth) -> None:
    mouth.detach()
    with pytest.raises(EngineUnavailable):
        await collected(mouth, "Hello.")


async def test_a_child_that_goes_away_in_mid_sentence_is_an_error(mouth: HostMouth, child: FakeChild) -> None:
    speaking = asyncio.create_task(collected(mouth, "Hello."))
    await asked(child)
    mouth.detach()
    with pytest.raises(EngineUnavailable):
        await speaking


@pytest.mark.parametrize(("code", "error"), [("engine", EngineError), ("engine.timeout", EngineTimeout)])
async def test_a_text_that_fails_raises(
    mouth: HostMouth, child: FakeChild, code: str, error: type[EngineError]
) -> None:
    speaking = asyncio.create_task(collected(mouth, "Hello."))
    mouth.receive(wire.NotSpoken((await asked(child)).request, code, "why"))
    with pytest.raises(error, match="why"):
        await speaking


async def test_a_child_that_says_nothing_is_too_late(
    mouth: HostMouth, child: FakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mouth_module, "FIRST_BLOCK_S", 0.01)
    with pytest.raises(EngineTimeout):
        await collected(mouth, "Hello.")
    assert isinstance(child.sent[-1], wire.Cancel)


async def test_a_book_is_not_a_sentence(mouth: HostMouth, child: FakeChild) -> None:
    with pytest.raises(EngineError, match="too long"):
        await collected(mouth, "a" * (wire.MAX_TEXT_CHARS + 1))
    assert not child.sent


async def test_prepared_prompts_need_no_child(mouth: HostMouth, child: FakeChild) -> None:
    preparing = asyncio.create_task(mouth.prepare(["Welcome."]))
    request = await asked(child)
    assert request.ahead
    answer(mouth, request.request)
    assert await preparing == 1
    mouth.detach()
    assert np.array_equal(np.concatenate(await collected(mouth, "Welcome.")), SOUND)
    with pytest.raises(EngineUnavailable):
        await collected(mouth, "Welcome.", pace=0.8)


async def test_a_prompt_of_two_sentences_is_found_by_each(mouth: HostMouth, child: FakeChild) -> None:
    preparing = asyncio.create_task(mouth.prepare(["Thank you. Goodbye."]))
    for _ in range(2):
        answer(mouth, (await asked(child)).request)
        child.sent.clear()
    assert await preparing == 2
    mouth.detach()
    for phrase in ("Thank you.", "Goodbye."):
        assert np.array_equal(np.concatenate(await collected(mouth, phrase)), SOUND)


async def test_prompts_are_there_at_the_next_start(mouth: HostMouth, child: FakeChild, tmp_path: Path) -> None:
    preparing = asyncio.create_task(mouth.prepare(["Welcome."]))
    answer(mouth, (await asked(child)).request)
    await preparing
    again = HostMouth(PromptCache(tmp_path, "voice-1"))
    assert await again.prepare(["Welcome."]) == 0
    assert np.array_equal(np.concatenate(await collected(again, "Welcome.")), SOUND)
    other_voice = PromptCache(tmp_path, "voice-2")
    assert await other_voice.load("Welcome.", 1.0) is None


async def test_preparing_waits_for_a_child(mouth: HostMouth, child: FakeChild) -> None:
    mouth.detach()
    preparing = asyncio.create_task(mouth.prepare(["Welcome."]))
    await asyncio.sleep(0.01)
    mouth.attach(child)
    await asked(child)
    mouth.detach()
    await asyncio.sleep(0.01)
    second = FakeChild()
    mouth.attach(second)
    answer(mouth, (await asked(second)).request)
    assert await preparing == 1


async def test_long_prompts_come_in_blocks_of_a_second(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, "v")
    await cache.store("Long.", 1.0, np.zeros(40_000, np.int16))
    assert [block.size for block in await collected(HostMouth(cache), "Long.")] == [16_000, 16_000, 8_000]


async def test_a_damaged_prompt_is_made_anew(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, "v")
    await cache.store("Long.", 1.0, SOUND)
    (path,) = tmp_path.glob("prompts/v/*.pcm")
    path.write_bytes(b"odd")
    assert await PromptCache(tmp_path, "v").load("Long.", 1.0) is None


async def test_prompts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice.speech.prompts.MAX_BYTES", 3 * SOUND.nbytes)
    cache = PromptCache(tmp_path, "v")
    for number in range(5):
        await cache.store(str(number), 1.0, SOUND)
    assert [cache.get(str(number), 1.0) is not None for number in range(5)] == [True] * 3 + [False] * 2
    later = PromptCache(tmp_path, "v")
    for number in range(5, 8):
        await later.store(str(number), 1.0, SOUND)
    assert sum(path.stat().st_size for path in tmp_path.glob("prompts/v/*")) == 3 * SOUND.nbytes


async def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_text("in the way")
    cache = PromptCache(tmp_path, "v")
    await cache.store("Hello.", 1.0, SOUND)
    assert cache.get("Hello.", 1.0) is not None
