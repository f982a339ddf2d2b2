"""What the simulated operator answers about a message it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.sim.operator import Operator
from gateway.sim.options import SimOptions
from gateway.sim.smsc import SmscSession
from gateway.smpp.consts import MessageState, Status
from gateway.smpp.pdu import (
    Bind,
    CancelSm,
    DeliverSm,
    DeliverSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.wire import Splitter, decode, encode

if TYPE_CHECKING:
    from gateway.smpp.pdu import Pdu


class Esme:
    """A bound link, and one message taken over it."""

    def __init__(self) -> None:
        options = SimOptions(receipt_delay_min_s=5.0, receipt_delay_max_s=5.0, seed=1)
        self.link = SmscSession(Operator(options), 0.0)
        self.ask(Bind("a", "b"))
        answer = self.ask(
            SubmitSm("ACME", "34600111222", short_message=b"uno", registered_delivery=1)
        )
        assert isinstance(answer, SubmitSmResp)
        self.id = answer.message_id

    def ask(self, pdu: Pdu) -> Pdu:
        self.link.receive_data(encode(pdu, 7), 1.0)
        return self.said()[0]

    def said(self) -> list[Pdu]:
        return [decode(raw) for raw in Splitter().feed(self.link.data_to_send())]

    def receipts(self) -> list[DeliverSm]:
        self.link.handle_timeout(100.0)
        found = [pdu for pdu in self.said() if isinstance(pdu, DeliverSm)]
        for pdu in found:
            self.link.receive_data(encode(DeliverSmResp(sequence=pdu.sequence)), 100.0)
        return found


def status_of(answer: Pdu) -> int:
    return int(answer.status)


def test_the_receipt_of_a_replaced_text_quotes_the_new_one() -> None:
    esme = Esme()
    assert status_of(esme.ask(ReplaceSm(esme.id, source="ACME", short_message=b"dos"))) == 0
    (receipt,) = esme.receipts()
    assert receipt.short_message.endswith(b"text:dos")
    late = esme.ask(ReplaceSm(esme.id, source="ACME", short_message=b"tres"))
    assert status_of(late) == Status.ESME_RREPLACEFAIL


def test_a_cancelled_message_has_no_receipt_and_is_deleted() -> None:
    esme = Esme()
    assert status_of(esme.ask(CancelSm(esme.id, source="ACME"))) == 0
    assert esme.receipts() == []
    assert status_of(esme.ask(CancelSm(esme.id, source="ACME"))) == Status.ESME_RCANCELFAIL
    answer = esme.ask(QuerySm(esme.id, source="ACME"))
    assert isinstance(answer, QuerySmResp)
    assert answer.message_state == MessageState.DELETED


def test_a_query_tells_the_state_of_the_latest_receipt() -> None:
    esme = Esme()
    before = esme.ask(QuerySm(esme.id, source="ACME"))
    esme.receipts()
    after = esme.ask(QuerySm(esme.id, source="ACME"))
    assert isinstance(before, QuerySmResp)
    assert isinstance(after, QuerySmResp)
    assert before.message_state == MessageState.ENROUTE
    assert after.message_state == MessageState.DELIVERED


@pytest.mark.parametrize(("message_id", "source"), [("nope", "ACME"), ("", "OTHER")])
def test_a_message_nobody_knows_is_an_error(message_id: str, source: str) -> None:
    esme = Esme()
    answer = esme.ask(QuerySm(message_id or esme.id, source=source))
    assert status_of(answer) == Status.ESME_RQUERYFAIL
