"""What the simulated operator answers about a message it took: query_sm, cancel_sm, replace_sm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.smpp.consts import MessageState, Status
from gateway.smpp.pdu import (
    CancelSm,
    CancelSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
)
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from gateway.sim.account import Account
    from gateway.sim.message import Accepted
    from gateway.sim.operator import Operator


def answer_operation(
    operator: Operator, account: Account, pdu: QuerySm | CancelSm | ReplaceSm, now: float
) -> bytes:
    """The answer to *pdu*; what it asks for is done.

    Until its first receipt a message is on its way: it can be cancelled, and given another text,
    which its receipt then quotes.
    """
    message = _find(operator, account, pdu)
    if isinstance(pdu, QuerySm):
        if message is None:
            return encode(QuerySmResp(status=Status.ESME_RQUERYFAIL, sequence=pdu.sequence))
        state = MessageState.ENROUTE if message.state is None else message.state
        return encode(QuerySmResp(pdu.message_id, "", state, sequence=pdu.sequence))
    waiting = message is not None and message.state is None
    if isinstance(pdu, CancelSm):
        if message is not None and waiting:
            account.drop(message)
            message.state = MessageState.DELETED
            operator.note("cancelled", now, message_id=pdu.message_id)
        return encode(CancelSmResp(pdu.sequence, 0 if waiting else Status.ESME_RCANCELFAIL))
    if message is not None and waiting:
        message.octets = pdu.short_message
        octets = pdu.short_message.hex()
        operator.note("replaced", now, message_id=pdu.message_id, octets=octets)
    return encode(ReplaceSmResp(pdu.sequence, 0 if waiting else Status.ESME_RREPLACEFAIL))


def _find(
    operator: Operator, account: Account, pdu: QuerySm | CancelSm | ReplaceSm
) -> Accepted | None:
    """The latest message of the account with that id and source (section 4.8.1)."""
    for message in reversed(operator.accepted):
        ours = message.system_id == account.system_id and message.source == pdu.source
        if ours and message.named == pdu.message_id:
            return message
    return None
