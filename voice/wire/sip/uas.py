"""Requests as they come: who may send them, and the transaction, dialog or new call each belongs to.

The server side of a user agent: RFC 3261 sections 8.2, 9.2 and 12.2.2. Requests that open no call are answered without
state (section 8.2.7), so they cost nothing that could run out.
"""

from sipmessage import Request, Response

from voice.wire.sip.auth import Authenticator
from voice.wire.sip.call import Call
from voice.wire.sip.events import MAX_PASSED, PASSED_HEADERS, InviteReceived
from voice.wire.sip.guard import Received
from voice.wire.sip.incoming_call import IncomingCall
from voice.wire.sip.inspection import refuse, refuse_extensions
from voice.wire.sip.message import Address, make_response, response_address, stamp_via
from voice.wire.sip.reason import read_reasons
from voice.wire.sip.registrar import Registrar
from voice.wire.sip.replacement import find_replaced
from voice.wire.sip.stack import Stack
from voice.wire.sip.transaction import Transaction

RETRY_AFTER_S = 5
"""What a caller is told to wait when there is no room."""

_LATER = {"Retry-After": str(RETRY_AFTER_S)}


class UserAgentServer:
    """Takes the requests of one address. While `accepting` is False, or `max_calls` are held, new calls get 503."""

    def __init__(
        self,
        stack: Stack,
        max_calls: int,
        authenticator: Authenticator | None,
        pass_headers: tuple[str, ...],
        registrar: Registrar | None,
    ) -> None:
        self.accepting = True
        self._stack = stack
        self._max_calls = max_calls
        self._authenticator = authenticator
        self._registrar = registrar
        self._pass_headers = (*PASSED_HEADERS, *pass_headers)

    def receive(self, received: Received, request: Request, source: Address, now: float, listed: bool) -> None:
        """Take one request from `source`, which is on the list of peers or not."""
        transaction = self._stack.transactions.server(received)
        cancelled = self._stack.transactions.server(received, method="INVITE") if request.method == "CANCEL" else None
        call = self._stack.dialogs.get((received.call_id, received.to_tag, received.from_tag))
        stamp_via(request, received.via, source)
        if request.method == "REGISTER" and self._registrar is not None:
            self._on_register(self._registrar, received, request, source, now, transaction)
            return
        known = listed or _opened_by(source, call, transaction, cancelled)
        account = "" if known else self._account(received, request, source, now)
        if account is None:
            return
        if transaction is not None:
            transaction.receive(received, now)
            self._stack.settle_transaction(transaction, source, now)
        elif request.method == "ACK":
            if call is None:
                self._stack.dropped["unmatched ACK"] += 1
            else:
                call.on_ack(received, now)
                self._stack.settle_call(call)
        elif request.method == "CANCEL":
            self._on_cancel(received, request, source, now, cancelled)
        elif (refusal := refuse(request)) is not None:
            status, headers = refusal
            self._stack.answer(request, received.via, source, status, headers=headers)
        elif received.to_tag:
            self._on_request_in_dialog(received, request, source, now, call)
        else:
            self._on_request_outside(received, request, source, now, account)

    def _on_register(
        self,
        registrar: Registrar,
        received: Received,
        request: Request,
        source: Address,
        now: float,
        transaction: Transaction | None,
    ) -> None:
        """RFC 3261 section 10.3. Whoever registers is asked for credentials, on the list of peers or not."""
        if transaction is not None:  # a repeated one: its nonce-count is used up, its answer is not
            transaction.receive(received, now)
            self._stack.settle_transaction(transaction, source, now)
            return
        account = self._account(received, request, source, now)
        if account is None:
            return
        if (refusal := refuse_extensions(request)) is not None:
            self._stack.answer(request, received.via, source, refusal[0], headers=refusal[1])
        elif self._stack.transactions.full:
            self._stack.answer(request, received.via, source, 503, headers=_LATER)
        else:
            transaction = self._stack.transactions.open_server(received, request, source, now, None)
            self._stack.respond(transaction, registrar.register(received, request, account, source, now), now)
            self._stack.schedule.note(registrar)

    def _account(self, received: Received, request: Request, source: Address, now: float) -> str | None:
        """Whose credentials a stranger brings; None for one who was asked for some, refused, or given no answer."""
        if request.method == "ACK":
            self._stack.dropped["unmatched ACK"] += 1
        elif self._authenticator is None or received.to_tag or request.method in ("CANCEL", "BYE"):
            self._stack.dropped["unlisted"] += 1
        else:
            verdict = self._authenticator.judge(request, source[0], self._stack.token(), now)
            if not isinstance(verdict, Response):
                return verdict
            self._stack.transmit(bytes(verdict), response_address(received.via, source))
        return None

    def _on_cancel(
        self, received: Received, request: Request, source: Address, now: float, invite: Transaction | None
    ) -> None:
        """RFC 3261 section 9.2: the CANCEL is answered by itself; only an INVITE still pending is touched."""
        call = invite.user if invite else None
        if invite is None or not isinstance(call, Call) or call.dialog is None:
            self._stack.answer(request, received.via, source, 481)
            return
        self._stack.answer(request, received.via, source, 200, to_tag=call.dialog.local_tag)
        if invite.pending:
            call.on_cancel(invite, read_reasons(request), now)
            self._stack.settle_call(call)

    def _on_request_in_dialog(
        self, received: Received, request: Request, source: Address, now: float, call: Call | None
    ) -> None:
        if call is None or call.dialog is None:
            self._stack.answer(request, received.via, source, 481)  # RFC 3261 section 12.2.2
        elif self._stack.transactions.full and request.method != "BYE":  # a BYE is always taken: it makes room
            self._stack.answer(request, received.via, source, 503, headers=_LATER)
        elif not call.dialog.accepts(received.cseq.sequence):
            self._stack.answer(request, received.via, source, 500, "CSeq Out Of Order")  # RFC 3261 section 12.2.2
        else:
            transaction = self._stack.transactions.open_server(received, request, source, now, call)
            if request.method == "INVITE":
                self._stack.respond(transaction, make_response(request, 100), now)
                call.on_invite(transaction, received, source, now)
            elif request.method == "BYE":
                self._stack.respond(transaction, make_response(request, 200), now)
                call.on_bye(read_reasons(request), now)
            elif request.method == "UPDATE":
                call.on_update(transaction, received, source, now)
            elif request.method == "PRACK":
                call.on_prack(transaction, received, now)
            elif request.method not in ("REFER", "NOTIFY"):
                self._stack.respond(transaction, make_response(request, 200, headers=self._stack.identity(source)), now)
            elif call.referral is None:
                self._stack.respond(transaction, make_response(request, 481), now)  # not yet, or no more
            else:
                call.referral.on_request(transaction, received, source, now)
            self._stack.settle_call(call)

    def _on_request_outside(
        self, received: Received, request: Request, source: Address, now: float, account: str
    ) -> None:
        if request.method in ("BYE", "PRACK", "UPDATE", "NOTIFY"):  # they belong to a dialog
            self._stack.answer(request, received.via, source, 481)
        elif request.method == "REFER":
            self._stack.answer(request, received.via, source, 403)  # nobody but a party of a call may send us elsewhere
        elif not self.accepting or len(self._stack.calls) >= self._max_calls or self._stack.transactions.full:
            self._stack.answer(request, received.via, source, 503, headers=_LATER)
        elif request.method == "OPTIONS":
            self._stack.answer(request, received.via, source, 200, headers=self._stack.identity(source))
        elif self._stack.transactions.merged(request):
            self._stack.answer(request, received.via, source, 482)
        else:
            replaced = find_replaced(request, self._stack.dialogs, self._stack.ended, source, account)
            if isinstance(replaced, int):
                self._stack.answer(request, received.via, source, replaced)
            else:
                self._admit(received, request, source, now, account, replaced)

    def _admit(
        self, received: Received, request: Request, source: Address, now: float, account: str, replaced: Call | None
    ) -> None:
        ref = self._stack.new_ref()
        transaction = self._stack.transactions.open_server(received, request, source, now, None)
        call = self._stack.calls[ref] = IncomingCall(self._stack, ref, transaction, received, source)
        if call.dialog is not None:
            call.dialog.account = account
        self._stack.respond(transaction, make_response(request, 100), now)  # RFC 3261 section 17.2.1
        self._stack.emit(
            InviteReceived(
                call=ref,
                sip_call_id=received.call_id,
                from_uri=received.from_address.uri,
                from_name=received.from_address.name,
                to_uri=received.to_address.uri,
                dialled=request.uri.user or "",
                offer=request.body or None,
                source=source,
                headers=self._passed(request),
                account=account,
                replaces=replaced.ref if replaced else None,
            )
        )
        self._stack.settle_call(call)

    def _passed(self, request: Request) -> tuple[tuple[str, str], ...]:
        values = ((name, ", ".join(request.headers.getlist(name))) for name in self._pass_headers)
        return tuple((name, value) for name, value in values if 0 < len(value) <= MAX_PASSED)


def _opened_by(source: Address, call: Call | None, *transactions: Transaction | None) -> bool:
    """Whether a request belongs to a call that the host it came from has part in."""
    users = [call, *(transaction.user for transaction in transactions if transaction)]
    return any(isinstance(it, Call) and it.dialog is not None and it.dialog.is_with(source[0]) for it in users)
