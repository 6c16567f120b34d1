"""The journal of a call: the one ordered account that store, feed, metrics and ledger are told from."""

from collections.abc import Callable

from dialog.events import CallEnded, Event, Record

Listener = Callable[[Record], None]


class Journal:
    """Numbers a call's events and hands each to the listeners, in order, at once.

    A listener must not block or raise: one that needs time keeps a bounded queue of its own.
    Nothing follows `CallEnded`; a second end is dropped, so the end is told exactly once.
    """

    def __init__(self, call_id: str, listeners: tuple[Listener, ...] = ()) -> None:
        self.call_id = call_id
        self._listeners = listeners
        self._seq = 0
        self._ended = False

    @property
    def ended(self) -> bool:
        return self._ended

    def append(self, at_ms: int, event: Event) -> None:
        """Record `event` at `at_ms` of the call's audio time."""
        if self._ended:
            return
        self._ended = isinstance(event, CallEnded)
        record = Record(call_id=self.call_id, seq=self._seq, at_ms=at_ms, event=event)
        self._seq += 1
        for listener in self._listeners:
            listener(record)
