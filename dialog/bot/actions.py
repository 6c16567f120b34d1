"""What the help desk can do: each act is a plain function of the customer base and the filled slots.

One module for two bots: Rasa calls it inside its own process (Python 3.10), the keypad bot inside the server. So:
standard library only, and nothing of this project that needs 3.11. Acts block; an event loop calls them in a thread.

Slots are strings: `account_number`, `line_number`, `order_number`, and `pay_confirmed` / `block_confirmed`, which are
"yes" only after an explicit yes word or key (`forms.py`). Acts that cost money or cut a service look at them again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dialog.bot.customers import Customers
from dialog.errors import EngineUnavailable
from dialog.numbers import amount, spell

Slots = Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of an act: sentences to say, in order, and a reason when the caller should get a person instead."""

    say: tuple[str, ...]
    person: str = ""


Act = Callable[[Customers, Slots], Outcome]

RECORDS_DOWN = Outcome(("I cannot reach our records just now.",), person="records unavailable")


def opening_hours(customers: Customers, slots: Slots) -> Outcome:
    return Outcome(("We are open Monday to Saturday.", "From eight in the morning to eight in the evening."))


def has_account(customers: Customers, number: str) -> bool:
    """Whether there is such an account; no, when the base cannot be reached."""
    try:
        return customers.account(number) is not None
    except EngineUnavailable:
        return False


def tell_balance(customers: Customers, slots: Slots) -> Outcome:
    account = customers.account(slots["account_number"])
    if account is None:
        return _unknown("account", slots["account_number"])
    return Outcome((f"Your balance is {amount(account.balance_cents)}.",))


def tell_fault(customers: Customers, slots: Slots) -> Outcome:
    line = customers.line(slots["line_number"])
    if line is None:
        return _unknown("line", slots["line_number"])
    if line.fault:
        return Outcome((f"There is {line.fault} in {line.area}.", f"It will be repaired by {line.until}."))
    ticket = customers.report_fault(line.number)
    return Outcome(("I know of no fault there.", f"I have sent an engineer. Your ticket is {spell(ticket)}."))


def explain_bill(customers: Customers, slots: Slots) -> Outcome:
    account = customers.account(slots["account_number"])
    if account is None:
        return _unknown("account", slots["account_number"])
    if account.bill is None:
        return Outcome(("There is no open bill on this account.",))
    items = " and ".join(f"{what}, {amount(cents)}" for what, cents in account.bill.items)
    return Outcome((f"Your bill is {amount(account.bill.cents)}, due on {account.bill.due}.", f"That is {items}."))


def settle_bill(customers: Customers, slots: Slots) -> Outcome:
    confirmed = slots.get("pay_confirmed")
    if confirmed == "none":
        return Outcome(("There is no open bill on this account.",))
    if confirmed != "yes":
        return Outcome(("All right, I have paid nothing.",))
    paid = customers.pay_bill(slots["account_number"])
    if paid is None:
        return Outcome(("There is no open bill on this account.",))
    return Outcome(("Thank you.", f"I have paid {amount(paid)} from your card."))


def block_sim(customers: Customers, slots: Slots) -> Outcome:
    confirmed = slots.get("block_confirmed")
    if confirmed == "none":
        return Outcome(("This SIM card is blocked already.",))
    if confirmed != "yes":
        return Outcome(("All right, your SIM card stays as it is.",))
    if not customers.block_sim(slots["account_number"]):
        return Outcome(("This SIM card is blocked already.",))
    return Outcome(("Done. Your SIM card is blocked.", "A new one will come by post."))


def follow_order(customers: Customers, slots: Slots) -> Outcome:
    order = customers.order(slots["order_number"])
    if order is None:
        return _unknown("order", slots["order_number"])
    news = {
        "taken": f"It will be packed on {order.day}.",
        "packed": f"It will be sent on {order.day}.",
        "sent": f"It is on its way and will arrive on {order.day}.",
        "delivered": f"It was delivered on {order.day}.",
    }
    return Outcome((f"Your order is for {order.item}.", news.get(order.state, f"Its state is {order.state}.")))


def _unknown(kind: str, number: str) -> Outcome:
    return Outcome((f"I cannot find {kind} {spell(number)}.",))


ACTS: Mapping[str, Act] = {
    "action_opening_hours": opening_hours,
    "action_tell_balance": tell_balance,
    "action_tell_fault": tell_fault,
    "action_settle_bill": settle_bill,
    "action_block_sim": block_sim,
    "action_follow_order": follow_order,
}
"""The acts by the name that Rasa's domain and the journal give them."""


def perform(name: str, customers: Customers, slots: Slots) -> Outcome:
    """Carry out the act `name`. A base that cannot be reached is an outcome too: the caller is offered a person."""
    try:
        return ACTS[name](customers, slots)
    except EngineUnavailable:
        return RECORDS_DOWN
