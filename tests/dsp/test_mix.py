"""N-1 mixing against numpy, over rooms of every size."""

import numpy as np
import pytest

from dsp.kernel import Pcm
from dsp.mix import Mixer
from dsp.parts import Part

CAPACITY = 12
NOBODY_DEAF = np.zeros(CAPACITY, np.uint8)
PARTIES = np.full(CAPACITY, Part.PARTY, np.uint8)


def noise(seed: int, level: int) -> Pcm:
    rng = np.random.default_rng(seed)
    return rng.integers(-level, level, (CAPACITY, 320), np.int16, endpoint=True)


def mix(
    rooms: list[list[int]], said: Pcm, told: Pcm, deaf: tuple[int, ...] = (), parts: dict[int, Part] | None = None
) -> Pcm:
    flags, roles = NOBODY_DEAF.copy(), PARTIES.copy()
    flags[list(deaf)] = 1
    for row, part in (parts or {}).items():
        roles[row] = part
    heard = told.copy()
    rows = np.array([row for room in rooms for row in room], np.int32)
    Mixer(CAPACITY).process(rows, np.array([len(room) for room in rooms], np.int32), roles, flags, said, heard)
    return heard


def by_definition(rooms: list[list[int]], said: Pcm, told: Pcm) -> Pcm:
    """Each member hears all that is played in the room and all that the others say."""
    heard = told.copy()
    for room in rooms:
        for row in room:
            others = [other for other in room if other != row]
            total = told[room].sum(axis=0, dtype=np.int64) + said[others].sum(axis=0, dtype=np.int64)
            heard[row] = np.clip(total, -32_768, 32_767)
    return heard


@pytest.mark.parametrize("level", [300, 12_000, 32_767], ids=["quiet", "loud", "saturated"])
@pytest.mark.parametrize(
    "rooms",
    [[], [[4]], [[0, 1]], [[9, 2], [5, 0, 7]], [[3], [11, 1, 2, 8], [10, 6]], [list(range(CAPACITY))]],
    ids=lambda rooms: "-".join(str(len(room)) for room in rooms) or "none",
)
def test_rooms_are_mixed_as_defined_and_nobody_else_is_touched(rooms: list[list[int]], level: int) -> None:
    said, told = noise(1, level), noise(2, level)
    before = said.copy()
    np.testing.assert_array_equal(mix(rooms, said, told), by_definition(rooms, said, told))
    np.testing.assert_array_equal(said, before)


def test_sums_go_past_int16_before_they_are_cut_off() -> None:
    """Two that shout against a third: what cancels out is not cut off on the way."""
    said = np.zeros((CAPACITY, 320), np.int16)
    said[0], said[1], said[2] = 30_000, 30_000, -32_768
    heard = mix([[0, 1, 2, 3]], said, np.zeros_like(said))
    assert heard[:4, 0].tolist() == [-2_768, -2_768, 32_767, 27_232]


def test_the_deaf_are_heard_and_hear_nothing() -> None:
    said, told = noise(1, 9_000), noise(2, 9_000)
    heard = mix([[3, 4, 5]], said, told, deaf=(4,))
    expected = by_definition([[3, 4, 5]], said, told)
    np.testing.assert_array_equal(heard[[3, 5]], expected[[3, 5]])
    np.testing.assert_array_equal(heard[4], told[4])


def test_coaches_are_heard_by_the_coached_and_listeners_by_nobody() -> None:
    """Caller 0, agent 1, one who listens 2, one who whispers 3, and another 4; in the room beside it the same rows hear
    nothing of it."""
    said, told = np.zeros((2, CAPACITY, 320), np.int16)
    said[:7, 0] = 1, 10, 100, 1_000, 10_000, 7, 8
    told[0, 0] = 2  # the bot's voice, played to the caller
    parts = {1: Part.COACHED, 2: Part.LISTENER, 3: Part.COACH, 4: Part.COACH}
    heard = mix([[0, 1, 2, 3, 4], [5, 6]], said, told, parts=parts)
    assert heard[:7, 0].tolist() == [
        2 + 10,
        2 + 1 + 11_000,
        2 + 11 + 11_000,
        2 + 11 + 10_000,
        2 + 11 + 1_000,
        8,
        7,
    ]


@pytest.mark.parametrize("who", Part)
@pytest.mark.parametrize("other", Part)
def test_a_part_knows_whom_the_mixer_lets_it_hear(who: Part, other: Part) -> None:
    said = np.zeros((CAPACITY, 320), np.int16)
    said[1, 0] = 9
    heard = mix([[0, 1]], said, np.zeros_like(said), parts={0: who, 1: other})
    assert bool(heard[0, 0]) == who.hears(other)


@pytest.mark.parametrize(("rows", "sizes"), [([0, 1], [1]), ([0, 1], [3]), ([], [1])])
def test_sizes_that_do_not_add_up_are_refused(rows: list[int], sizes: list[int]) -> None:
    pcm = np.zeros((CAPACITY, 320), np.int16)
    with pytest.raises(ValueError, match="sizes must add up"):
        Mixer(CAPACITY).process(
            np.array(rows, np.int32), np.array(sizes, np.int32), PARTIES, NOBODY_DEAF, pcm, pcm.copy()
        )


def test_rows_and_shapes_are_checked() -> None:
    pcm, one, rows = np.zeros((CAPACITY, 320), np.int16), np.ones(1, np.int32), np.zeros(1, np.int32)
    mixer = Mixer(CAPACITY)
    with pytest.raises(ValueError, match="rows must be"):
        mixer.process(np.array([CAPACITY], np.int32), one, PARTIES, NOBODY_DEAF, pcm, pcm)
    with pytest.raises(ValueError, match="said must have shape"):
        mixer.process(rows, one, PARTIES, NOBODY_DEAF, pcm[:, :160], pcm)
    with pytest.raises(ValueError, match="told must have shape"):
        mixer.process(rows, one, PARTIES, NOBODY_DEAF, pcm, pcm[:3])
    with pytest.raises(ValueError, match="deaf must have shape"):
        mixer.process(rows, one, PARTIES, NOBODY_DEAF[:3], pcm, pcm)
    with pytest.raises(ValueError, match="parts must have shape"):
        mixer.process(rows, one, PARTIES[:3], NOBODY_DEAF, pcm, pcm)
