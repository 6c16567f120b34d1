"""`centralino call`: a real SIP caller that prints what it heard as text and keeps the audio."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import numpy as np
import soundfile
import typer

from dialog.actions import Expect
from dialog.errors import ConfigurationError, EngineTimeout
from dsp.resample import resample
from voice.caller import OutgoingLine, facing, open_caller
from voice.config import Settings
from voice.dialling import CallRefused
from voice.net.certificate import trusted
from voice.net.rtp_port import RtpPorts
from voice.net.sip_streams import StreamSettings
from voice.outbound import Outbound
from voice.ports import RATE_HZ, Ears, EarsEvent, FinalText, Mouth, Pcm
from voice.sip_audio import Audios
from voice.speech.host import SpeechHost
from voice.speech.settings import EngineSettings
from voice.trunks import Trunks
from voice.wire.sip.auth import Login

FINAL_S = 10.0

PASSWORD = "CENTRALINO_PASSWORD"
"""The caller's, in the environment: a command line is seen by every user of the machine."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the caller does: `kind` is --say, --text or --dtmf."""

    kind: str
    value: str


def steps_in_order(argv: Sequence[str], values: Mapping[str, Iterable[str]]) -> list[Step]:
    """The steps in the order of the command line: options of one kind keep theirs, `argv` tells how they mix."""
    waiting = {kind: iter(of_kind) for kind, of_kind in values.items()}
    named = (argument.partition("=")[0] for argument in argv)
    return [Step(kind, value) for kind in named if kind in waiting and (value := next(waiting[kind], None)) is not None]


def read_audio(path: Path) -> Pcm:
    """A sound file as the house's audio; of several channels the first. Raises ConfigurationError."""
    try:
        samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    first = np.ascontiguousarray(samples[:, 0])
    return first if rate_hz == RATE_HZ else resample(first, rate_hz, RATE_HZ)


async def render(mouth: Mouth, text: str) -> Pcm:
    """`text` spoken."""
    blocks = [block async for block in mouth.speak(text)]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


async def read_back(ears: Ears, pcm: Pcm) -> str:
    """What a recogniser makes of `pcm`; "" for silence. Raises EngineTimeout."""
    done: asyncio.Future[FinalText] = asyncio.get_running_loop().create_future()

    def take(event: EarsEvent) -> None:
        if isinstance(event, FinalText) and not done.done():
            done.set_result(event)

    if not np.any(np.abs(pcm) > 200):
        return ""
    stream = ears.open(take)
    try:
        stream.begin(0, Expect.FREE)
        for start in range(0, pcm.size, RATE_HZ // 2):
            stream.push(pcm[start : start + RATE_HZ // 2])
        stream.final()
        async with asyncio.timeout(FINAL_S):
            final = await done
        return final.hypotheses[0].text if final.hypotheses else ""
    except TimeoutError as error:
        raise EngineTimeout(f"the recogniser did not read what was heard within {FINAL_S:g} s") from error
    finally:
        stream.close()


async def converse(line: OutgoingLine, steps: Sequence[Step], ears: Ears, mouth: Mouth) -> list[dict[str, str | int]]:
    """Listen, then do each step and listen again; what was heard after each, as text."""
    heard: list[dict[str, str | int]] = []

    async def listen(after: str) -> None:
        start_ms = line.now_ms
        await line.until_quiet()
        text = await read_back(ears, line.heard_between(start_ms))
        heard.append({"after": after, "at_ms": start_ms, "text": text})

    await listen("answer")
    for step in steps:
        if line.ended.done():
            break
        if step.kind == "--dtmf":
            await line.press(step.value)
        else:
            await line.say(read_audio(Path(step.value)) if step.kind == "--say" else await render(mouth, step.value))
        await listen(f"{step.kind} {step.value}")
    return heard


def check_audio(path: Path) -> None:
    """Raise ConfigurationError, before anybody is called, where no sound file of that name can be written."""
    if path.suffix.lstrip(".").upper() not in soundfile.available_formats():
        raise ConfigurationError(f"--audio {path}: name a sound file, such as heard.wav")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--audio {path}: there is no folder {path.parent}")


def read_login(user: str, environ: Mapping[str, str]) -> Login | None:
    """Who calls; None for nobody in particular. Raises ConfigurationError for a user without password."""
    if not user:
        return None
    if not environ.get(PASSWORD):
        raise ConfigurationError(f"--user {user}: no password; set {PASSWORD} in the environment")
    return Login(user, environ[PASSWORD])


Way = AbstractAsyncContextManager[OutgoingLine]
"""To whom is called: entered, the call is answered."""


@asynccontextmanager
async def by_uri(uri: str, login: Login | None = None, *, srtp: bool = False) -> AsyncIterator[OutgoingLine]:
    """Straight to a SIP URI; with `srtp` encrypted, or not at all."""
    async with open_caller(await facing(uri)) as caller:
        yield await caller.dial(uri, login=login, srtp=srtp)


@asynccontextmanager
async def by_trunk(settings: Settings, name: str, number: str) -> AsyncIterator[OutgoingLine]:
    """To a number through a trunk of the settings, within what that may dial."""
    sip, media, trunks = settings.sip, settings.media, Trunks(settings)
    trunk = sip.trunks.get(name)
    async with open_caller(
        sip.host,
        RtpPorts(settings.media_host, media.first_port, media.last_port, SystemRandom()),
        (trunk and trunk.advertised) or sip.advertised or "",
        StreamSettings(trusted=trusted(sip.authorities)),
    ) as caller:
        trunks.reach(caller.agent, SystemRandom().random)
        audios = Audios(caller.plane, caller.ports)
        yield (await Outbound(trunks, caller.dialling, audios).call(number, OutgoingLine, trunk=name)).listen()


def call(to: str, way: Way, steps: Sequence[Step], audio: Path, *, as_json: bool) -> bool:
    """Call `to` by that `way` and print the outcome; False when the call was refused."""
    check_audio(audio)
    return asyncio.run(_call(to, way, steps, audio, as_json=as_json))


async def _call(to: str, way: Way, steps: Sequence[Step], audio: Path, *, as_json: bool) -> bool:
    speech = SpeechHost(EngineSettings())
    await speech.start()
    outcome: dict[str, object] = {"uri": to}
    try:
        async with way as line:
            outcome |= {"status": 200, "heard": await converse(line, steps, speech.ears, speech.mouth)}
            line.hang_up()
            outcome |= {"cause": await line.ended, "duration_ms": line.now_ms, "audio": str(audio)}
            outcome |= {"machines": [{"at_ms": at_ms, "what": what} for at_ms, what in line.machines]}
            soundfile.write(audio, line.heard_between(0), RATE_HZ)
    except CallRefused as error:
        outcome |= {"status": error.status, "cause": str(error)}
    finally:
        await speech.close()
    if as_json:
        typer.echo(json.dumps(outcome))
    else:
        typer.echo("\n".join(lines(outcome)))
    return outcome["status"] == 200


def lines(outcome: Mapping[str, Any]) -> Iterator[str]:
    """The outcome of a call, for people."""
    for turn in outcome.get("heard", ()):
        yield f"{turn['at_ms'] / 1000:7.1f} s  after {turn['after']}: {turn['text']}"
    for machine in outcome.get("machines", ()):
        yield f"{machine['at_ms'] / 1000:7.1f} s  a machine: {machine['what'].replace('_', ' ')}"
    yield f"{outcome['status']}, ended by {outcome['cause']}"
