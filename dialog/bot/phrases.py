"""Sentences of the help desk that belong to no topic, and the meaning of single keys. Short: callers notice delay.

Standard library only, Python 3.10 or newer: both bots speak from here.
"""

from collections.abc import Mapping

from dialog.bot.forms import CANNOT_HEAR, TO_PERSON, Prompt

MACHINE = "Hello, this is the automatic help desk."
RECORDED = "This call is recorded."
HOW_CAN_I_HELP = "How can I help you?"
ANYTHING_ELSE = "Anything else?"
THANKS = "Thank you."
WELCOME = "You are welcome."
GO_ON = "What can I do for you?"
LEFT = "All right."
BACK = "I am the automatic help desk again."
GOODBYE = "Thank you for calling. Goodbye."
SWITCHED = "I will switch to the keypad."
CAN_DO = "You can ask about your balance, a bill, a fault, your SIM card, or an order."
CAN_SAY = "You can also say repeat, slower, go back, or a person."
SORRY = "Sorry, I did not get that."
STILL_THERE = "Are you still there?"

MENU_KEYS: Mapping[str, str] = {
    "1": "check_balance",
    "2": "explain_bill",
    "3": "report_fault",
    "4": "block_sim",
    "5": "order_status",
    "6": "opening_hours",
    "0": "person",
    "*": "go_back",
    "#": "repeat",
}
"""What a single key means outside a question, as an intent."""

MENU = (
    "Press 1 for your balance, 2 for your bill, 3 for a fault.",
    "Press 4 to block your SIM card, 5 for an order, 6 for opening hours.",
    "Press 0 for a person.",
)


def fixed() -> tuple[str, ...]:
    """Every sentence that is always the same, for a voice that keeps them ready."""
    talk = (HOW_CAN_I_HELP, ANYTHING_ELSE, THANKS, WELCOME, GO_ON, LEFT, BACK, GOODBYE, CAN_DO, CAN_SAY)
    return (MACHINE, RECORDED, *talk, TO_PERSON, SWITCHED, SORRY, STILL_THERE, *MENU)


def opening(recorded: bool) -> tuple[str, ...]:
    """The notices the law asks for; they are not to be interrupted."""
    return (MACHINE, RECORDED) if recorded else (MACHINE,)


def not_understood(failures: int, *, people: bool, keypad: bool = False) -> Prompt:
    """Outside a form: help after the first failure in a row, then a person; where there are no `people`, the keys
    before that. `keypad`: the keys are the first help, too.
    """
    if failures >= (2 if people else 3):
        return Prompt(("I am sorry.", TO_PERSON), person="not understood")
    if failures == 2 or keypad:
        return Prompt(MENU)
    return Prompt((SORRY, CAN_DO))


def not_heard(failures: int, *, keypad: bool = False) -> Prompt:
    """Outside a form, when nothing was heard: a question, the keys, then the end of the call. `keypad`: the keys at
    once.
    """
    if failures >= 3:
        return CANNOT_HEAR
    if failures == 2 or keypad:
        return Prompt(MENU)
    return Prompt((STILL_THERE, CAN_DO))
