"""The bot as Rasa plays it: turns go to the voice channel (`dialog/bot/rasa/host/voice_channel.py`), replies come back.

The engine keeps, for each call, what Rasa need not know: the pace, the last reply (for "repeat"), and what was asked,
so that a gate can read the answer.
"""

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import httpx

from dialog.actions import Action, Collect, Expect, Handoff, Hangup, LastWord, Reply, Say, Transfer, Understood
from dialog.engines.rasa_server import RasaHost
from dialog.errors import EngineTimeout, EngineUnavailable
from dialog.gates import Gate
from dialog.http import BROKEN
from dialog.ports import HungUp, Keys, NoInput, Returned, SessionOpened, UserTurn, Utterance

LIMIT_S = 3.0
MAX_CALLS = 4_096
_CONNECTIONS = 32

_Json = dict[str, object]


@dataclass
class _Call:
    """`sender` is Rasa's name of the call: a new one each time, as a turn grows slower with the conversation."""

    sender: str = field(default_factory=lambda: secrets.token_hex(12))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    pace: float = 1.0
    last: tuple[Action, ...] = ()
    collect: Collect = field(default_factory=Collect)


class RasaEngine:
    """`DialogEngine` over Rasa. More than `MAX_CALLS` open calls: the one begun first is forgotten."""

    name = "rasa"

    def __init__(self, host: RasaHost, gate: Gate | None = None, *, limit_s: float = LIMIT_S) -> None:
        self._host = host
        self._gate = gate or Gate()
        self._limit_s = limit_s
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        self._client = httpx.AsyncClient(timeout=limit_s, limits=limits, trust_env=False)

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        """Answer one turn in at most `limit_s`; raises EngineTimeout or EngineUnavailable."""
        if isinstance(turn, HungUp):
            return await self._forget(call_id)
        call = self._calls.setdefault(call_id, _Call())
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)
        try:
            async with asyncio.timeout(self._limit_s), call.turn:
                answer = await self._request(_event(call, turn, self._gate))
        except TimeoutError:
            raise EngineTimeout(f"Rasa took longer than {self._limit_s:.0f} s") from None
        try:
            return _reply(call, answer)
        except (KeyError, TypeError, ValueError) as error:
            raise EngineUnavailable(f"Rasa's answer is malformed: {error!r}") from error

    async def close(self) -> None:
        await self._client.aclose()

    async def _forget(self, call_id: str) -> Reply:
        call = self._calls.pop(call_id, None)
        if call is not None:
            try:
                async with asyncio.timeout(self._limit_s), call.turn:
                    await self._request(_event(call, HungUp(), self._gate))
            except (TimeoutError, EngineUnavailable, EngineTimeout):
                pass  # Rasa keeps a bounded number of trackers: what could not be dropped now falls out later
        return Reply(self.name, ())

    async def _request(self, event: _Json) -> _Json:
        at = self._host.address()
        headers = {"Authorization": f"Bearer {at.token}"} if at.token else {}
        try:
            response = await self._client.post(f"{at.url}/event", json=event, headers=headers)
        except httpx.TimeoutException as error:
            raise EngineTimeout(f"Rasa took longer than {self._limit_s:.0f} s") from error
        except BROKEN as error:
            raise EngineUnavailable(f"Rasa does not answer: {error!r}") from error
        if response.status_code != 200:
            raise EngineUnavailable(f"Rasa answered {response.status_code}")
        try:
            answer = response.json()
        except ValueError as error:
            raise EngineUnavailable("Rasa answered no JSON") from error
        if not isinstance(answer, dict):
            raise EngineUnavailable("Rasa answered no object")
        return answer


def _event(call: _Call, turn: UserTurn, gate: Gate) -> _Json:
    """The channel's event for a turn; speech that no gate passes is a `no_match`."""
    match turn:
        case SessionOpened():
            return {
                "call": call.sender,
                "type": "call_opened",
                "caller": turn.caller,
                "dialled": turn.dialled,
                "recorded": turn.recorded,
                "headers": dict(turn.headers),
            }
        case Utterance():
            readings = gate.read(turn, call.collect)
            if not readings:
                return {"call": call.sender, "type": "no_match"}
            hypotheses = [{"text": reading.text, "confidence": reading.confidence} for reading in readings]
            return {"call": call.sender, "type": "utterance", "hypotheses": hypotheses}
        case Keys():
            return {"call": call.sender, "type": "keys", "digits": turn.digits}
        case NoInput():
            return {"call": call.sender, "type": "no_input"}
        case Returned():
            return {"call": call.sender, "type": "returned", "why": turn.why}
        case HungUp():
            return {"call": call.sender, "type": "hung_up"}


def _reply(call: _Call, answer: _Json) -> Reply:
    """Rasa's messages as actions. No message at all is how Rasa hides an exception in a component."""
    messages, understood = answer["messages"], answer["understood"]
    if not isinstance(messages, list) or not isinstance(understood, dict) or not messages:
        raise EngineUnavailable("Rasa answered nothing")
    said: list[Say] = []
    collect, again = Collect(), False
    end: LastWord | None = None
    for message in map(_object, messages):
        if "say" in message:
            said.append(Say(str(message["say"]), bool(message.get("interruptible", True))))
        elif "collect" in message:
            collect = _collect(_object(message["collect"]))
        elif "handoff" in message:
            end = Handoff(str(message["handoff"]), str(message.get("skill", "")))
        elif "transfer" in message:
            end = Transfer(str(message["transfer"]))
        elif "hangup" in message:
            end = Hangup(str(message["hangup"]))
        call.pace = float(str(message.get("pace", call.pace)))
        again = again or bool(message.get("repeat"))
    if again and call.last:
        # notices that cannot be interrupted are not given twice
        actions = tuple(action for action in call.last if not isinstance(action, Say) or action.interruptible)
    else:
        actions = (*said, end or collect)
    call.last = tuple(replace(action, pace=call.pace) if isinstance(action, Say) else action for action in actions)
    call.collect = next((action for action in call.last if isinstance(action, Collect)), Collect())
    return Reply(
        engine=RasaEngine.name,
        actions=call.last,
        understood=Understood(
            intent=str(understood["intent"]),
            confidence=float(understood["confidence"]),
            slots=tuple((str(name), str(value)) for name, value in understood["slots"]),
            actions=tuple(str(action) for action in understood["actions"]),
        ),
    )


def _object(value: object) -> _Json:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is no object")
    return value


def _collect(body: _Json) -> Collect:
    default = Collect()
    return Collect(
        expect=Expect(str(body.get("expect", default.expect))),
        max_digits=int(str(body.get("max_digits", default.max_digits))),
        no_input_ms=int(str(body.get("no_input_ms", default.no_input_ms))),
    )
