"""What becomes of a request of ours that belongs to no call."""

import asyncio

from sipmessage import Response

from voice.wire.sip.guard import Received
from voice.wire.sip.message import Address
from voice.wire.sip.transaction import Transaction


class Answer:
    """The final response, a transaction user's; None where none came."""

    def __init__(self) -> None:
        self.final: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

    def on_passed(self, transaction: Transaction, received: Received, source: Address, now: float) -> None:
        response = received.message
        if isinstance(response, Response) and response.code >= 200 and not self.final.done():
            self.final.set_result(response)

    def on_timed_out(self, transaction: Transaction, now: float) -> None:
        if not self.final.done():
            self.final.set_result(None)
