"""A row of the engine, as the event loop has it: what it asks of it, what it reads there, and its rings."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from struct import unpack
from typing import NamedTuple

from dialog.errors import Overloaded
from dsp.arrivals import TARGET
from dsp.kernel import Pcm
from dsp.parts import Part
from dsp.progress import Progress
from dsp.reception import CONCEALED, FIRST, HIGHEST, LATE, LOST, NEVER, OVERFLOWED, RECEIVED, REPEATED, SSRC, UNIQUE
from voice.media.codecs import Coding
from voice.media.engine.arrays import Engine
from voice.media.engine.external import observe, publish
from voice.media.engine.layout import EPOCH, HEARD_TICKS, MAX_KEYS, PACKET, PLAYED, RING_PACKETS, Command
from voice.media.opus import ExpectedLoss, OpusState
from voice.media.quality import Arrivals
from voice.media.socket_address import packed, unpacked
from voice.media.wires import Address, Sealing, Wire
from voice.ports import TICK_MS
from voice.wire.dtmf import KEYS
from voice.wire.reports import Reception, Sending

Post = Callable[..., None]
"""`post(command, row, *words, done=None)`: hands a command to the engine, and calls `done` once it was obeyed. Raises
Overloaded when too many wait."""

_REFUSED = ("malformed", "foreign", "stray", "unexpected", "excess", "forged", "unsent")

_Owners = tuple[object, OpusState | None]
"""Of the SRTP sessions and of the codecs that a stream begins with."""


class Mark(NamedTuple):
    """How far a playback was after a tick of the leg."""

    tick: int
    playback: int
    samples: int
    done: bool


class Row:
    """One leg's. `chance` gives our stream its numbers, as RFC 3550 wants them random. `dtx`: Opus may pause."""

    def __init__(self, engine: Engine, number: int, post: Post, chance: Random, *, dtx: bool = False) -> None:
        self.number = number
        self.slot = 0
        self._engine = engine
        self._leg = engine.inbound.legs[number]
        self._remote = engine.inbound.remote[number]
        self._counts = engine.inbound.buffers.reception.counts[number]
        self._arrivals = engine.inbound.buffers.arrivals.state[number]
        self._jitter = engine.inbound.buffers.arrivals.jitter[number : number + 1]
        self._post = post
        self._chance = chance
        self._dtx = dtx
        self._opus: OpusState | None = None
        self._loss = ExpectedLoss()
        self._keys: object = None  # owner of the SRTP sessions
        self._marks = observe(engine.speaking.played_head, number)
        self._epoch = int(self._leg["epoch"]) + 1
        self._tones = True
        self._closed = False
        self.dropped_in = 0

    def open(
        self, slot: int, wire: Wire, coding: Coding, payload_type: int, event_payload_type: int | None,
        *, cancels_echo: bool, done: Callable[[], None],
    ) -> None:  # fmt: skip
        """Begin in `slot`."""
        self.slot = slot
        self._empty_rings()
        owners = self._stage(wire, coding, payload_type, event_payload_type)
        self._ask(Command.OPEN, slot, cancels_echo, done=partial(self._begun, owners, done))

    def move(
        self, wire: Wire, coding: Coding, payload_type: int, event_payload_type: int | None, done: Callable[[], None]
    ) -> None:
        """Go on with streams that begin anew."""
        owners = self._stage(wire, coding, payload_type, event_payload_type)
        self._ask(Command.MOVE, done=partial(self._begun, owners, done))

    def _empty_rings(self) -> None:
        """What the row's former leg left in them is nobody's; the engine is not at work in a free row."""
        came, gone, number = self._engine.inbound, self._engine.speaking, self.number
        publish(came.came_head, number, observe(came.came_tail, number))
        publish(gone.gone_tail, number, observe(gone.gone_head, number))
        publish(gone.keys_head, number, observe(gone.keys_tail, number))

    def _stage(self, wire: Wire, coding: Coding, payload_type: int, event_payload_type: int | None) -> _Owners:
        self.coding = coding
        self._events = event_payload_type is not None
        self._noise: int | None = None  # payload type of what is sent in pauses
        opus = self._opus_of(coding)
        stream = self._engine.staged[self.number]
        stream["fd"] = -1 if wire.file is None else wire.file
        stream["reachable"] = wire.remote is not None
        if wire.remote is not None:
            stream["remote"] = list(packed(wire.remote))
        stream["format"], stream["units"] = coding.number, coding.clock_hz * TICK_MS // 1000
        stream["divisible"] = coding.divisible
        stream["payload_type"] = payload_type
        stream["event_type"] = -1 if event_payload_type is None else event_payload_type
        stream["out_ssrc"] = self._chance.getrandbits(32)
        stream["out_sequence"] = self._chance.getrandbits(16)
        stream["out_start"] = self._chance.getrandbits(32)
        stream["seal"], stream["open"], stream["open_former"], keys = wire.sealing
        stream["decoder"], stream["encoder"] = _addresses(opus)
        return keys, opus

    # --- what the engine works with, and Python owns: it is kept until another is in its place ---

    def _begun(self, owners: _Owners, done: Callable[[], None]) -> None:
        self._keys, self._opus = owners
        done()

    def _keep_keys(self, keys: object) -> None:
        self._keys = keys

    def _opus_of(self, coding: Coding) -> OpusState | None:
        return OpusState(self._loss.percent, dtx=self._dtx) if coding is Coding.OPUS else None

    def _keep_opus(self, opus: OpusState | None) -> None:
        self._opus = opus

    # --- what is asked of the engine ---

    def _ask(self, command: Command, *words: int, done: Callable[[], None] | None = None) -> None:
        """Nothing of a leg that is closed: what is in its row next is another's."""
        if not self._closed:
            self._post(command, self.number, *words, done=done)

    def close(self) -> None:
        """The leg is over; whoever owns the row has the engine let go of it."""
        self._closed = True

    def released(self) -> None:
        """The row is free for another leg: what was counted stays as it was."""
        self._leg, self._remote = self._leg.copy(), self._remote.copy()
        self._counts, self._arrivals, self._jitter = self._counts.copy(), self._arrivals.copy(), self._jitter.copy()

    def direct(self, *, send: bool, receive: bool) -> None:
        self._ask(Command.DIRECT, send, receive)

    def declare(self, address: Address) -> None:
        octets = packed(address)
        self._ask(Command.DECLARE, *unpack("=4q", octets.ljust(32, b"\0")))

    def enter(self, room: int, part: Part, slot: int) -> None:
        self._ask(Command.ENTER, room, part, slot)

    def switch(self, coding: Coding, payload_type: int) -> None:
        self.coding = coding
        opus = self._opus_of(coding)
        done = partial(self._keep_opus, opus)
        self._ask(Command.SWITCH, coding.number, payload_type, *_addresses(opus), done=done)

    def packetise(self, ptime_ms: int) -> None:
        """A format that cannot be cut stays at 20 ms."""
        units = self.coding.clock_hz * ptime_ms // 1000 if self.coding.divisible else 0
        self._ask(Command.PACKETISE, units)

    def renumber_keys(self, payload_type: int) -> None:
        self._ask(Command.RENUMBER, payload_type)

    def allow_pauses(self, noise_payload_type: int | None) -> None:
        if noise_payload_type != self._noise:
            self._ask(Command.ALLOW_PAUSES, -1 if noise_payload_type is None else noise_payload_type)
            self._noise = noise_payload_type

    def expect_loss(self, share: float) -> None:
        """The encoder's settings are the line thread's to change: it may be encoding."""
        before = self._loss.percent
        self._loss.add(share)
        if self._loss.percent != before and self.coding is Coding.OPUS:
            with suppress(Overloaded):  # it is told again with the next change
                self._ask(Command.EXPECT_LOSS, self._loss.percent)

    def refuse_tones(self) -> None:
        self._tones = False
        self._ask(Command.REFUSE_TONES)

    def keep_echo(self) -> None:
        self._ask(Command.KEEP_ECHO)

    def follow(self, *, on: bool) -> None:
        self._ask(Command.FOLLOW, on)

    def secure(self, sealing: Sealing) -> None:
        *sessions, keys = sealing
        self._ask(Command.SECURE, *sessions, done=partial(self._keep_keys, keys))

    def press(self, digits: str) -> bool:
        """Keys wait to be sent; False (nothing taken) past `MAX_KEYS`, or where there is no way for them. Raises
        ValueError for what is on no keypad."""
        speaking = self._engine.speaking
        codes = [KEYS.index(digit) for digit in digits.upper()]
        if self._closed or not (self._events or self._tones):
            return False
        head = observe(speaking.keys_head, self.number)
        if head - observe(speaking.keys_tail, self.number) + len(codes) > MAX_KEYS:
            return False
        for n, code in enumerate(codes):
            speaking.keys[self.number, (head + n) % MAX_KEYS] = code
        publish(speaking.keys_head, self.number, head + len(codes))
        return True

    # --- what is read ---

    @property
    def present_slot(self) -> int:
        """Where the engine has it."""
        return self["slot"] if self["epoch"] == self._epoch else self.slot

    def __getitem__(self, name: str) -> int:
        """A column of `layout.LEG`."""
        return int(self._leg[name])

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def judged(self) -> int:
        """Ticks of the leg that were heard and judged."""
        stamp = observe(self._engine.judgement.judged, self.number)
        return stamp % EPOCH + 1 if stamp // EPOCH == self._epoch else 0

    def has(self, tick: int) -> bool:
        """Whether a tick of the leg was heard; the engine may have left it out."""
        return bool(self._engine.judgement.stamps[self.number, tick % HEARD_TICKS] == tick)

    def heard(self, first: int, last: int) -> Pcm:
        """16 kHz sound of the far end, ticks `first` to `last` of the leg, of the last `HEARD_TICKS`."""
        return self._sound(self._engine.hearing.heard, first, last)

    def for_ears(self, tick: int) -> Pcm:
        """The same, one tick, as loud as ears want it."""
        return self._sound(self._engine.hearing.for_ears, tick, tick)

    def said(self, first: int, last: int) -> Pcm:
        """What the far end was told."""
        return self._sound(self._engine.speaking.said, first, last)

    def _sound(self, ring: Pcm, first: int, last: int) -> Pcm:
        begin, count = first % HEARD_TICKS, last - first + 1
        if begin + count <= HEARD_TICKS:
            sound: Pcm = ring[self.number, begin : begin + count].copy()
            return sound.reshape(-1)
        pieces: Pcm = ring[self.number].take(range(begin, begin + count), axis=0, mode="wrap")
        return pieces.reshape(-1)

    def judgement(self, tick: int) -> tuple[float, float, str]:
        """Probability of voice, level in dBFS and the key that began, in a tick of the leg."""
        it, place = self._engine.judgement, tick % HEARD_TICKS
        digit = it.digits[self.number, place]
        return float(it.voices[self.number, place]), float(it.levels[self.number, place]), chr(digit) if digit else ""

    def step(self, tick: int) -> Progress:
        """What a tick of the leg made certain of the call's progress, where that is followed."""
        return Progress(int(self._engine.judgement.steps[self.number, tick % HEARD_TICKS]))

    def marks(self) -> list[Mark]:
        """What was played since this was asked last."""
        it = self._engine.speaking
        head = observe(it.played_head, self.number)
        first = max(self._marks, head - PLAYED // 2)
        self._marks = head
        found = [it.played[self.number, n % PLAYED] for n in range(first, head)]
        return [Mark(int(m["tick"]), int(m["playback"]), int(m["samples"]), bool(m["done"])) for m in found]

    @property
    def remote(self) -> Address | None:
        """Where the leg's packets go to."""
        if not self["reachable"]:
            return None
        return unpacked(self._remote.tobytes())

    @property
    def refused(self) -> Counter[str]:
        """Packets that were not taken, or did not leave, by reason."""
        counts = {name: self[name] for name in _REFUSED}
        rings = {"ring_out": self["dropped_out"], "ring_full": self.dropped_in}
        return Counter({**counts, **rings, "rtcp": self["strange"]})

    @property
    def sending(self) -> Sending:
        """What was sent, and the media clock of the last tick."""
        stamp = self["out_start"] + (self["last_tick"] - self["start"]) * self["units"]
        return Sending(self["out_ssrc"], stamp & 0xFFFF_FFFF, self["sent"], self["sent_octets"])

    @property
    def reception(self) -> Reception | None:
        """How the packets of the present source come; repeats count once. None when none came."""
        counts = self._counts.tolist()
        if counts[SSRC] == NEVER:
            return None
        expected = counts[HIGHEST] - counts[FIRST] + 1
        jitter = float(self._jitter[0]) * self["units"]
        return Reception(counts[SSRC], expected, min(counts[UNIQUE], expected), counts[HIGHEST], jitter)

    @property
    def arrivals(self) -> Arrivals:
        counts = self._counts.tolist()
        return Arrivals(
            counts[RECEIVED],
            counts[LOST],
            counts[LATE],
            counts[REPEATED],
            counts[OVERFLOWED],
            counts[CONCEALED],
            int(self._arrivals[TARGET]) * TICK_MS,
        )

    # --- the rings of a wire without a socket ---

    def put(self, packet: bytes, source: Address) -> None:
        """A packet came."""
        it, number = self._engine.inbound, self.number
        head = observe(it.came_head, number)
        if head - observe(it.came_tail, number) >= RING_PACKETS or len(packet) > PACKET:
            self.dropped_in += 1
            return
        place = head % RING_PACKETS
        it.came[number, place, : len(packet)] = memoryview(packet)
        it.came_sizes[number, place] = len(packet)
        it.came_from[number, place] = memoryview(packed(source))
        publish(it.came_head, number, head + 1)

    def take(self) -> list[bytes]:
        """Packets that are to leave."""
        it, number = self._engine.speaking, self.number
        head, tail = observe(it.gone_head, number), observe(it.gone_tail, number)
        places = [n % RING_PACKETS for n in range(tail, head)]
        packets = [it.gone[number, place, : it.gone_sizes[number, place]].tobytes() for place in places]
        if packets:
            publish(it.gone_tail, number, head)
        return packets


def _addresses(opus: OpusState | None) -> tuple[int, int]:
    return (0, 0) if opus is None else (opus.decoder_address, opus.encoder_address)
