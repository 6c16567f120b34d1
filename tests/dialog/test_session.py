"""The keypad takes a call over from an engine that fails, once and for the whole call."""

from dialog.actions import Collect, Reply, Say
from dialog.errors import EngineError, EngineTimeout, EngineUnavailable
from dialog.ports import HungUp, NoInput, SessionOpened, UserTurn
from dialog.session import FallbackEngine

OPENED = SessionOpened("", "", "sip", recorded=True)


class Scripted:
    """Answers every turn, or raises what `error` holds at that moment."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: EngineError | None = None
        self.turns: list[tuple[str, UserTurn]] = []
        self.closed = False

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        self.turns.append((call_id, turn))
        if self.error is not None and not isinstance(turn, HungUp):
            raise self.error
        return Reply(self.name, (Say(self.name), Collect()))

    async def take_over(self, call_id: str, turn: UserTurn) -> Reply:
        self.turns.append((call_id, turn))
        return Reply(self.name, (Say("taken over"), Collect()))

    async def close(self) -> None:
        self.closed = True


def engines() -> tuple[Scripted, Scripted, FallbackEngine, list[tuple[str, str, str]]]:
    primary, stand_in = Scripted("rasa"), Scripted("keypad")
    told: list[tuple[str, str, str]] = []
    engine = FallbackEngine(primary, stand_in, lambda call, name, error: told.append((call, name, error.code)))
    return primary, stand_in, engine, told


def text(reply: Reply) -> str:
    assert isinstance(reply.actions[0], Say)
    return reply.actions[0].text


async def test_the_primary_answers_while_it_can() -> None:
    _, stand_in, engine, told = engines()
    assert engine.name == "rasa"
    assert (await engine.respond("a", OPENED)).engine == "rasa"
    assert (await engine.respond("a", NoInput())).engine == "rasa"
    assert stand_in.turns == []
    assert told == []


async def test_a_failed_turn_is_answered_by_the_stand_in_which_keeps_the_call() -> None:
    primary, stand_in, engine, told = engines()
    await engine.respond("a", OPENED)
    primary.error = EngineTimeout("slow")
    assert text(await engine.respond("a", NoInput())) == "taken over"
    primary.error = None
    assert text(await engine.respond("a", NoInput())) == "keypad"
    assert told == [("a", "rasa", "engine.timeout")]
    assert len(primary.turns) == 2
    assert len(stand_in.turns) == 2


async def test_other_calls_and_the_next_one_begin_with_the_primary() -> None:
    primary, _, engine, told = engines()
    primary.error = EngineUnavailable("down")
    assert text(await engine.respond("a", OPENED)) == "taken over"
    primary.error = None
    assert text(await engine.respond("b", OPENED)) == "rasa"
    await engine.respond("a", HungUp())
    assert text(await engine.respond("a", OPENED)) == "rasa"
    assert len(told) == 1


async def test_both_learn_that_the_caller_is_gone_and_both_are_closed() -> None:
    primary, stand_in, engine, _ = engines()
    await engine.respond("a", HungUp())
    assert primary.turns == stand_in.turns == [("a", HungUp())]
    await engine.close()
    assert primary.closed
    assert stand_in.closed
