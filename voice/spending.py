"""What calls out of the house cost, and the bound on it."""

import math
from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from dialog.errors import Overloaded, PeerForbidden
from voice.settings.numbers import look_up
from voice.settings.trunks import TrunkSettings

DAY_S = 86_400.0
MINUTE_S = 60.0

FREE = Decimal(0)


@dataclass(slots=True, eq=False)
class Meter:
    """One call at `price` a minute, of which each counts that has begun; before the answer the first."""

    price: Decimal
    answered_s: float | None = None

    def cost(self, now: float) -> Decimal:
        """Until now."""
        talked_s = 0.0 if self.answered_s is None else now - self.answered_s
        return self.price * max(1, math.ceil(talked_s / MINUTE_S))


class Spending:
    """What the calls that we place through the trunk `name` cost, since the start of the node."""

    def __init__(self, name: str, settings: TrunkSettings) -> None:
        self._name = name
        self._rates = settings.rates
        self._bound = settings.spend_a_day
        self._live: set[Meter] = set()
        self._paid: deque[tuple[float, Decimal]] = deque()  # when calls ended, and what each has cost
        self._total = FREE

    def open(self, number: str, now: float) -> Meter:
        """A meter for a call to `number`, which has to be closed.

        Raises PeerForbidden for a number without a rate where there is a bound, Overloaded when that is reached: by
        what ended in the last 24 hours, and what goes on.
        """
        price = look_up(self._rates, number)
        if self._bound is not None:
            if price is None:
                raise PeerForbidden(f"{number} has no rate in sip.trunks.{self._name}.rates, and spending is bounded")
            while self._paid and self._paid[0][0] <= now - DAY_S:
                self._paid.popleft()
            if sum((cost for _, cost in self._paid), self._running(self._live, now)) >= self._bound:
                raise Overloaded("trunk_spend_a_day")
        meter = Meter(price or FREE)
        self._live.add(meter)
        return meter

    def close(self, meter: Meter, now: float) -> None:
        """The call of `meter` is over. One that was not answered has cost nothing."""
        self._live.remove(meter)
        if meter.answered_s is not None and meter.price:
            self._paid.append((now, meter.cost(now)))
            self._total += meter.cost(now)

    def spent(self, now: float) -> Decimal:
        """In all, by calls that are over and calls that were answered."""
        return self._total + self._running({meter for meter in self._live if meter.answered_s is not None}, now)

    @staticmethod
    def _running(meters: set[Meter], now: float) -> Decimal:
        return sum((meter.cost(now) for meter in meters), FREE)
