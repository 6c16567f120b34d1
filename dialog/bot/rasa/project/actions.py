"""The help desk's actions as Rasa knows them: thin, all sense is in `dialog.bot`.

Rasa's executor finds every class here; the customer base is opened once, from `CENTRALINO_CUSTOMERS`.
`CENTRALINO_PEOPLE` is 1 where whoever is handed over may reach somebody.
"""

import asyncio
import os

from rasa_sdk import Action
from rasa_sdk.events import ActiveLoop, FollowupAction, SlotSet

from dialog.bot import actions, forms, phrases
from dialog.bot.customers import open_customers
from dialog.numbers import digit_runs

CUSTOMERS = open_customers(os.environ.get("CENTRALINO_CUSTOMERS", "customers.sqlite"))
PEOPLE = os.environ.get("CENTRALINO_PEOPLE") == "1"
ASKED_MORE, FORM = "_asked_more", "_form"
NO_FAILURE = {forms.FAILURES: None, forms.PROBLEM: None}


def slots_of(tracker):
    return {name: value for name, value in tracker.slots.items() if isinstance(value, str)}


def metadata_of(tracker):
    return tracker.latest_message.get("metadata") or {}


def heard_in(tracker):
    intent = (tracker.latest_message.get("intent") or {}).get("name") or ""
    keys = str(metadata_of(tracker).get("digits", "")) if intent == "keys" else ""
    text = tracker.latest_message.get("text") or ""
    return forms.Heard(
        text="" if text.startswith("/") else text,
        keys=keys,
        intent=phrases.MENU_KEYS.get(keys, "") if keys in ("*", "#", "0") else intent,
        silent=intent == "no_input",
    )


def set_slots(changes):
    return [SlotSet(name, value) for name, value in changes.items()]


def say(dispatcher, *sentences):
    for sentence in sentences:
        dispatcher.utter_message(text=sentence)


def put(dispatcher, prompt):
    """Say a question and name what is expected."""
    say(dispatcher, *prompt.say)
    if prompt.person:
        dispatcher.utter_message(json_message={"handoff": prompt.person})
    elif prompt.hangup:
        dispatcher.utter_message(json_message={"hangup": prompt.hangup})
    else:
        dispatcher.utter_message(json_message={"collect": {"expect": prompt.expect, "max_digits": prompt.digits}})


def _out_of_form():
    cleared = dict.fromkeys((*forms.CONFIRMS, FORM, forms.PARTIAL, forms.PROBLEM), None)
    return [ActiveLoop(None), SlotSet("requested_slot", None), *set_slots({**NO_FAILURE, **cleared})]


class _Named(Action):
    """An action that carries its name in `title`; the classes without one are only building blocks."""

    title = ""

    def name(self):
        return self.title


class _Validate(_Named):
    """Reads one turn for a form: Rasa calls it when the form opens and at each turn while it is open."""

    async def run(self, dispatcher, tracker, domain):
        form = self.title.removeprefix("validate_")
        slots, heard = slots_of(tracker), heard_in(tracker)
        if slots.get(FORM) != form:
            filled = await asyncio.to_thread(forms.begin, CUSTOMERS, form, heard, slots)
            return [SlotSet(FORM, form), *set_slots(filled.slots)]
        requested = tracker.get_slot("requested_slot")
        if requested not in forms.FORMS[form].slots:
            return []
        filled = await asyncio.to_thread(forms.fill, CUSTOMERS, form, requested, heard, slots)
        # no slot set: Rasa takes the form for refused, and the rules answer the turn
        return [] if filled.passed else set_slots(filled.slots)


class _Ask(_Named):
    async def run(self, dispatcher, tracker, domain):
        slots = slots_of(tracker)
        requested = self.title.removeprefix("action_ask_")
        put(dispatcher, await asyncio.to_thread(forms.ask, CUSTOMERS, slots[FORM], requested, slots))
        return []


class _Act(_Named):
    """An act of business, after which the caller is asked for more."""

    async def run(self, dispatcher, tracker, domain):
        outcome = await asyncio.to_thread(actions.perform, self.title, CUSTOMERS, slots_of(tracker))
        say(dispatcher, *outcome.say)
        if outcome.person:
            say(dispatcher, forms.TO_PERSON)
            dispatcher.utter_message(json_message={"handoff": outcome.person})
        elif tracker.active_loop_name is None:
            say(dispatcher, phrases.ANYTHING_ELSE)
        closed = dict.fromkeys((*forms.CONFIRMS, FORM, forms.TOPIC), None) if tracker.active_loop_name is None else {}
        return set_slots({**NO_FAILURE, **closed, ASKED_MORE: "yes"})


def _subclasses(kind, names):
    return {f"_{name}": type(f"_{name}", (kind,), {"title": name}) for name in names}


globals().update(_subclasses(_Validate, [f"validate_{form}" for form in forms.FORMS]))
globals().update(_subclasses(_Ask, [f"action_ask_{slot}" for slot in (*forms.NUMBERS, *sorted(forms.CONFIRMS))]))
globals().update(_subclasses(_Act, [act for act in actions.ACTS if act != "action_opening_hours"]))


class OpeningHours(_Act):
    title = "action_opening_hours"


class Open(_Named):
    title = "action_open"

    async def run(self, dispatcher, tracker, domain):
        for notice in phrases.opening(bool(metadata_of(tracker).get("recorded"))):
            dispatcher.utter_message(json_message={"say": notice, "interruptible": False})
        say(dispatcher, phrases.HOW_CAN_I_HELP)
        return []


class Returned(_Named):
    """Back from a person: what was open then is void, what is known stays."""

    title = "action_returned"

    async def run(self, dispatcher, tracker, domain):
        say(dispatcher, phrases.BACK, phrases.GO_ON)
        return _out_of_form()


class Keys(_Named):
    """Keys outside a question: a wish by its menu key, or a whole number given unasked."""

    title = "action_keys"

    async def run(self, dispatcher, tracker, domain):
        intent = phrases.MENU_KEYS.get(str(metadata_of(tracker).get("digits", "")))
        if intent in forms.TOPICS:
            return [FollowupAction(forms.TOPICS[intent])]
        action = {
            "opening_hours": OpeningHours,
            "person": Person,
            "go_back": GoBack,
            "repeat": Repeat,
            None: Inform,
        }[intent]
        return await action().run(dispatcher, tracker, domain)


class Inform(_Named):
    """A number that nobody asked for: an account number is kept, for the wish that follows."""

    title = "action_inform"

    async def run(self, dispatcher, tracker, domain):
        heard = heard_in(tracker)
        number = heard.keys or "".join(digit_runs(heard.text)[-1:])
        if len(number) == 8 and await asyncio.to_thread(actions.has_account, CUSTOMERS, number):
            say(dispatcher, phrases.THANKS, phrases.GO_ON)
            return set_slots({**NO_FAILURE, "account_number": number})
        return await NotUnderstood().run(dispatcher, tracker, domain)


class _Say(_Named):
    """Answers with fixed sentences."""

    sentences = ()

    async def run(self, dispatcher, tracker, domain):
        say(dispatcher, *self.sentences)
        return set_slots(NO_FAILURE)


class Greet(_Say):
    title = "action_greet"
    sentences = ("Hello.", phrases.HOW_CAN_I_HELP)


class Affirm(_Say):
    title = "action_affirm"
    sentences = (phrases.GO_ON,)


class Thanks(_Say):
    title = "action_thanks"
    sentences = (phrases.WELCOME, phrases.ANYTHING_ELSE)

    async def run(self, dispatcher, tracker, domain):
        say(dispatcher, *self.sentences)
        return set_slots({**NO_FAILURE, ASKED_MORE: "yes"})


class Help(_Say):
    title = "action_help"
    sentences = (phrases.CAN_DO, phrases.CAN_SAY)


class Goodbye(_Named):
    title = "action_goodbye"

    async def run(self, dispatcher, tracker, domain):
        say(dispatcher, phrases.GOODBYE)
        dispatcher.utter_message(json_message={"hangup": "goodbye"})
        return []


class Deny(_Named):
    """A "no" outside a question ends the call when the bot had asked for more."""

    title = "action_deny"

    async def run(self, dispatcher, tracker, domain):
        if tracker.get_slot(ASKED_MORE):
            return await Goodbye().run(dispatcher, tracker, domain)
        say(dispatcher, phrases.GO_ON)
        return set_slots(NO_FAILURE)


class Repeat(_Named):
    title = "action_repeat"

    async def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(json_message={"repeat": True})
        return set_slots(NO_FAILURE)


class Slower(_Named):
    title = "action_slower"

    async def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(json_message={"pace": 0.8, "repeat": True})
        return set_slots(NO_FAILURE)


class GoBack(_Named):
    """Out of the form; the numbers given so far stay known."""

    title = "action_go_back"

    async def run(self, dispatcher, tracker, domain):
        say(dispatcher, phrases.LEFT, phrases.GO_ON)
        return _out_of_form()


class Person(_Named):
    title = "action_person"

    async def run(self, dispatcher, tracker, domain):
        say(dispatcher, forms.TO_PERSON)
        dispatcher.utter_message(json_message={"handoff": "asked for a person"})
        return []


class NotUnderstood(_Named):
    title = "action_not_understood"

    async def run(self, dispatcher, tracker, domain):
        count = forms.failures(slots_of(tracker)) + 1
        put(dispatcher, phrases.not_understood(count, people=PEOPLE))
        return [SlotSet(forms.FAILURES, str(count))]


class NoInput(_Named):
    title = "action_no_input"

    async def run(self, dispatcher, tracker, domain):
        count = forms.failures(slots_of(tracker)) + 1
        put(dispatcher, phrases.not_heard(count))
        return [SlotSet(forms.FAILURES, str(count))]


class HungUp(_Named):
    title = "action_hung_up"

    async def run(self, dispatcher, tracker, domain):
        return []
