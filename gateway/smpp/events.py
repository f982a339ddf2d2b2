"""What a session tells its owner. Each event is a fact of the link; none asks for an answer but
`Delivered`, which is acknowledged with `Session.answer` once it is durable.

Records, frozen for the type checker only, for the reason `pdu.record` gives: there is one event
per PDU received.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal, TypeAlias

from gateway.smpp.pdu import (
    BindResp,
    CancelSmResp,
    DataSm,
    DeliverSm,
    QuerySmResp,
    Record,
    record,
)

Silence: TypeAlias = Literal["bind_unanswered", "enquire_link_unanswered", "unbind_unanswered"]

#: unmatched: a response to nothing. unsupported: a command we do not serve, answered with
#: generic_nack where it wants an answer. damaged: mandatory fields not found, answered with an
#: error. not_bound: too much came before the bind was answered, refused for now. closed: came after
#: the session's end, unanswered.
Reason: TypeAlias = Literal["unmatched", "unsupported", "damaged", "not_bound", "closed"]


@record
class Bound(Record):
    """The bind was accepted; what the SMSC says of itself is in `response`."""

    response: BindResp


@record
class BindRefused(Record):
    """The bind was answered with this command_status, by bind_resp or generic_nack. CLOSED."""

    status: int


@record
class SubmitAnswered(Record):
    """An answer to one submit_sm.

    `message_id` is None where the SMSC gave none, be the status 0 or not. `late`: it came after
    SubmitTimedOut. `nack`: it was a generic_nack (section 4.3), which settles the submit just so.
    `raw` is the whole PDU as received.
    """

    token: object
    sequence: int
    status: int
    message_id: str | None
    raw: bytes = field(repr=False)
    late: bool = False
    nack: bool = False


@record
class SubmitTimedOut(Record):
    """No answer within the response timer (section 7.2): that submit's outcome is unknown.

    The link stays. An answer that still comes is a SubmitAnswered with `late`.
    """

    token: object
    sequence: int


@record
class RequestAnswered(Record):
    """An answer to a query_sm or cancel_sm; by `generic_nack` or damaged, `pdu` is None."""

    token: object
    status: int
    pdu: QuerySmResp | CancelSmResp | None
    raw: bytes = field(repr=False)


@record
class RequestTimedOut(Record):
    """No answer to a query_sm or cancel_sm within the response timer."""

    token: object


@record
class Delivered(Record):
    """A receipt or an MO. The SMSC waits for `Session.answer` and sends again without it."""

    pdu: DeliverSm | DataSm
    raw: bytes = field(repr=False)


@record
class PeerUnbound(Record):
    """The SMSC unbound; unbind_resp waits in data_to_send(). CLOSED."""


@record
class Unbound(Record):
    """Our unbind was answered. CLOSED."""


@record
class LinkDead(Record):
    """A session-level request was not answered within response_timeout_s. CLOSED."""

    reason: Silence


@record
class Ignored(Record):
    """A whole PDU that changed nothing. `raw` may be evidence all the same."""

    raw: bytes
    reason: Reason


@record
class Lost(Record):
    """Tokens that were on the session when it ended, in the order they came onto it.

    `prepared` never reached the outbound buffer and can be sent elsewhere. `transmitted` may have
    reached the SMSC: their outcome is unknown.
    """

    prepared: tuple[object, ...]
    transmitted: tuple[object, ...]
    #: Of requests without an answer (query_sm, cancel_sm).
    asked: tuple[object, ...] = ()


Event: TypeAlias = (
    Bound
    | BindRefused
    | SubmitAnswered
    | SubmitTimedOut
    | RequestAnswered
    | RequestTimedOut
    | Delivered
    | PeerUnbound
    | Unbound
    | LinkDead
    | Ignored
)
