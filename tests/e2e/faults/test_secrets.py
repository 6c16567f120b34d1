"""What callers say and key in stands in the journal, and in no line of the log outside `pii`."""

import re

import pytest

from dialog.events import FinalHeard, KeysPressed, PartialHeard
from tests.e2e.faults.conversation import dial
from tests.e2e.node import Node
from voice.caller import Caller

pytestmark = pytest.mark.timeout(90)

ACCOUNT = "47110815"


def told(node: Node, call_id: str) -> set[str]:
    """Everything the caller said, in every reading and to every fifth word, and keyed."""
    found: set[str] = set()
    for record in node.journal(call_id):
        match record.event:
            case FinalHeard(readings=readings):
                found |= {reading.text for reading in readings}
            case PartialHeard(text=text):
                found.add(text)
            case KeysPressed(digits=digits):
                found.add(digits)
            case _:
                pass
    return {text for text in found if len(text) > 3}


async def test_a_callers_words_and_digits_reach_no_log_line(node: Node, caller: Caller) -> None:
    conversation = await dial(node, caller)
    await conversation.greeted()
    await conversation.ask("What is the balance of my account?", "check_balance")
    await conversation.line.press(ACCOUNT)
    await conversation.journal.awaits("the keys", lambda: bool(conversation.journal.events(KeysPressed)))
    await conversation.hang_up()
    said = {text for call_id in node.calls() for text in told(node, call_id)}
    assert ACCOUNT in said
    assert any("balance" in text.lower() for text in said)
    log = node.log
    assert [text for text in said if text in log] == []
    assert ACCOUNT not in re.sub(r"\D", "", log.rpartition("call started")[2])
    assert "sip:centralino@" not in log, "the caller's address"
    assert "pii" not in log
