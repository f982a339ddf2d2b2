"""What a handset sent us: put together from its parts, tied to the message it answers, obeyed.

Every PDU is a row before it is answered. A message in parts waits in memory and in the file until
it is whole, or for a day. The reply is an F.3 of the last message that was sent to that person; a
word of theirs takes effect in the same batch, for what is queued too (`wishes`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.daemon.months import month_of
from gateway.daemon.wishes import Said
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger.entry import time_text
from gateway.ledger.rows import InboundRow
from gateway.smpp.concat import joined_text, part_of
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.wire import decode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gateway.daemon.conversation import Conversation
    from gateway.daemon.operator import Operator
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.services import Services
    from gateway.daemon.wishes import Wishes
    from gateway.daemon.work import Work
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store
    from gateway.smpp.concat import Part
    from gateway.smpp.events import Delivered

log = structlog.get_logger()

#: Messages that wait for their parts at most, and for how long.
_PARTIAL_MOST = 1000
_PARTIAL_MS = 24 * 3_600_000


class _Piece(NamedTuple):
    """One PDU of a message."""

    row: InboundRow
    raw: bytes
    part: Part
    source: str
    dest: str


_Group = dict[int, _Piece]
_Key = tuple[str, str, str, str, int, int]


class Inbound:
    """Takes messages from handsets into the open batch."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        conversation: Conversation,
        sealer: Sealer,
        wishes: Wishes,
        services: Services,
    ) -> None:
        self._store = store
        self._vault = vault
        self._conversation = conversation
        self._sealer = sealer
        self._wishes = wishes
        self._services = services
        self._partial: OrderedDict[_Key, _Group] = OrderedDict()
        self.received = 0

    def load(self, operators: Mapping[str, Operator]) -> None:
        """After a start: take up the messages whose parts have not all come."""
        for row in self._store.partial_inbound(_PARTIAL_MOST * 4):
            if row.operator in operators and row.key is not None and row.raw is not None:
                key = self._vault.unwrap(row.key, _owner(row), row.month)
                raw = ContentCipher(key).open_record(_owner(row), "deliver", row.raw)
                pdu = decode(raw)
                if isinstance(pdu, DeliverSm | DataSm):
                    piece = _Piece(row, raw, part_of(pdu), pdu.source, pdu.dest)
                    self._partial.setdefault(_key(piece), {})[piece.part.number] = piece

    def deliver(
        self, operator: Operator, bind: str, delivered: Delivered, rx_ms: int, now_ms: int
    ) -> None:
        """Take in a `deliver_sm` or `data_sm` that is no receipt."""
        self.received += 1
        pdu = delivered.pdu
        part = part_of(pdu)
        row = self._row(operator.name, bind, delivered.raw, part, rx_ms)
        piece = _Piece(row, delivered.raw, part, pdu.source, pdu.dest)
        self._give_up_old(operator, rx_ms, now_ms)
        if part.total == 1:
            self._whole(operator, [piece], now_ms)
            return
        key = _key(piece)
        group = self._partial.setdefault(key, {})
        known = group.get(part.number)
        if known is not None and known.part.octets == part.octets:
            row.whole = row.id  # the operator sent this part again: kept, and counted once
            return
        if known is not None:  # the handset uses the reference for another message
            self._finish(operator, key, now_ms)
            group = self._partial.setdefault(key, {})
        group[part.number] = piece
        if len(group) == part.total:
            self._finish(operator, key, now_ms)

    def forget(self, ids: Collection[int]) -> None:
        """The content of these rows is erased: their messages do not become whole any more."""
        for key, group in list(self._partial.items()):
            if any(piece.row.id in ids for piece in group.values()):
                del self._partial[key]

    # -- parts ---------------------------------------------------------------------------------

    def _row(self, operator: str, bind: str, raw: bytes, part: Part, rx_ms: int) -> InboundRow:
        key, month = self._vault.new_key(), month_of(rx_ms)
        row = InboundRow(
            id=self._store.next_id(InboundRow),
            operator=operator,
            bind=bind,
            received_ms=rx_ms,
            month=month,
            key=None,
            raw=None,
            number=part.number,
            total=part.total,
        )
        row.key = self._vault.wrap(key, _owner(row), month)
        row.raw = ContentCipher(key).seal(_owner(row), "deliver", raw)
        self._store.put_new(row)
        return row

    def _give_up_old(self, operator: Operator, rx_ms: int, now_ms: int) -> None:
        """A message whose parts do not come is taken for what there is of it."""
        while self._partial:
            key, group = next(iter(self._partial.items()))
            since = min((each.row.received_ms for each in group.values()), default=rx_ms)
            if len(self._partial) <= _PARTIAL_MOST and rx_ms - since < _PARTIAL_MS:
                return
            self._finish(operator, key, now_ms)

    def _finish(self, operator: Operator, key: _Key, now_ms: int) -> None:
        group = self._partial.pop(key)
        if group:
            self._whole(operator, [group[number] for number in sorted(group)], now_ms)

    # -- a whole message -----------------------------------------------------------------------

    def _whole(self, operator: Operator, pieces: Sequence[_Piece], now_ms: int) -> None:
        last = max(pieces, key=lambda each: each.row.id)
        text = joined_text(
            [each.part for each in pieces], operator.settings.default_alphabet
        ).rstrip("\0")
        number = self._services.written_from(last.source)
        work = None
        if number is not None:
            person = self._vault.person(number)[:PERSON_BYTES]
            work = self._conversation.last(person, last.dest, now_ms)
        for each in pieces:
            each.row.whole = last.row.id
            self._store.put(each.row)
        if work is not None:
            self._tie(work, pieces, last, text, now_ms)
        answer = self._wishes.classify(text, number, last.dest, now_ms)
        if answer.kind in ("optout", "suspected"):
            last.row.optout = answer.word
        if number is not None:
            reference = f"inbound {last.row.id}" if work is None else f"entry {last.row.seq}"
            said = Said(number, last.dest, text, work, reference)
            self._wishes.obey(said, answer, now_ms)
        elif answer.kind == "optout":
            log.warning("optout.unreadable", operator=operator.name, reason="no such number")

    def _tie(
        self, work: Work, pieces: Sequence[_Piece], last: _Piece, text: str, now_ms: int
    ) -> None:
        """The reply becomes an entry of the message it answers, and shares its key."""
        content = {"text": text.encode(), "deliver": b"".join(each.raw for each in pieces)}
        body = {
            "operator": last.row.operator,
            "bind": last.row.bind,
            "rx": time_text(last.row.received_ms),
        }
        seq = self._sealer.event(work, "F.3", now_ms, body, content)
        for each in pieces:
            row = each.row
            row.submission, row.seq = work.row.id, seq
            row.month, row.key = work.row.month, None
            row.raw = work.seal(f"inbound.{row.id}", each.raw)
        last.row.text = work.seal(f"reply.{last.row.id}", content["text"])
        self._store.put(work.row)


def _owner(row: InboundRow) -> str:
    return f"inbound:{row.id}"


def _key(piece: _Piece) -> _Key:
    part = piece.part
    return (piece.row.operator, piece.source, piece.dest, part.kind, part.reference, part.total)
