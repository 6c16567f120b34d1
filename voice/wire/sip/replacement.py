"""Which of our calls an INVITE with Replaces is to take the place of, and who may do that (RFC 3891 section 3)."""

from collections.abc import Collection, Mapping

from sipmessage import Request

from dialog.errors import ProtocolError
from voice.wire.sip.call import Call
from voice.wire.sip.call_table import CallState
from voice.wire.sip.dialog import DialogKey
from voice.wire.sip.message import Address
from voice.wire.sip.replaces import Replaces


def find_replaced(
    request: Request,
    dialogs: Mapping[DialogKey, Call],
    ended: Collection[DialogKey],
    source: Address,
    account: str,
) -> Call | int | None:
    """The call whose place the INVITE is to take, None where it is a call like any other, or the status that refuses
    it.

    Only the same party may do that: whoever comes from the address that has the dialog, or is signed in to the same
    account. The three words of the header are no proof, since everybody on the way of the dialog has read them.
    """
    values = request.headers.getlist("Replaces")
    if not values:
        return None
    try:
        (value,) = values
        replaces = Replaces.parse(value)
    except (ValueError, ProtocolError):
        return 400
    call = dialogs.get(replaces.key)
    if call is None or call.dialog is None:
        return 603 if replaces.key in ended else 481
    if not call.dialog.is_with(source[0], account):
        return 403
    if call.state is CallState.LEAVING:
        return 603
    if call.state is not CallState.TALKING:
        return 481  # early, and not of our making
    return 486 if replaces.early_only else call
