"""What a handset sent us: put together from its parts, tied to the message it answers, obeyed.

Every PDU is a row before it is answered. A message in parts waits in memory and in the file until
it is whole, or for a day. The reply is an F.3 of the last message that was sent to that person; a
word that opts out takes effect in the same batch, for what is queued too. Nothing is ever sent back
from here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.daemon.logs import masked
from gateway.daemon.months import month_of
from gateway.errors import DataError
from gateway.evidence.vault import ContentCipher
from gateway.ledger.entry import time_text
from gateway.ledger.rows import InboundRow, State
from gateway.smpp.concat import joined_text, part_of
from gateway.smpp.pdu import DataSm, DeliverSm
from gateway.smpp.wire import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.daemon.operator import Operator
    from gateway.daemon.optouts import Optouts
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import Work, WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store
    from gateway.policy.keywords import Keywords
    from gateway.policy.numbering import Numbering
    from gateway.smpp.concat import Part
    from gateway.smpp.events import Delivered

log = structlog.get_logger()

#: Messages that wait for their parts at most, and for how long.
_PARTIAL_MOST = 1000
_PARTIAL_MS = 24 * 3_600_000
#: A message answers what was sent to the person in this time, looked for among so many.
_ANSWERS_MS = 30 * 24 * 3_600_000
_LATEST = 8
#: States of what no reply can be about: it never left.
_NEVER_LEFT = (State.HELD, State.QUEUED, State.REFUSED, State.CANCELLED)


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
        works: WorkSet,
        sealer: Sealer,
        optouts: Optouts,
        keywords: Keywords,
        numbering: Numbering,
    ) -> None:
        self._store = store
        self._vault = vault
        self._works = works
        self._sealer = sealer
        self._optouts = optouts
        self._keywords = keywords
        self._numbering = numbering
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
        number = self._number(last.source)
        work = None if number is None else self._answered(number, last.dest, now_ms)
        for each in pieces:
            each.row.whole = last.row.id
            self._store.put(each.row)
        if work is not None:
            self._tie(work, pieces, last, text, now_ms)
        word = self._keywords.optout(text)
        if word is None:
            return
        last.row.optout = word
        if number is None:
            log.warning("optout.unreadable", operator=operator.name, reason="no such number")
            return
        brand = "" if work is None else work.row.brand
        self._optouts.add(number, brand, f"reply {word}", now_ms)
        log.info("optout.added", to=masked(number), brand=brand or None)

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

    def _number(self, source: str) -> str | None:
        """The person's number; None for a short code or a name."""
        try:
            return self._numbering.normalise(f"+{source.lstrip('+').removeprefix('00')}", "source")
        except DataError:
            return None

    def _answered(self, number: str, dest: str, now_ms: int) -> Work | None:
        """The last message sent to *number*: of the sender they wrote to, else of any."""
        latest = None
        for row_id in self._store.last_submissions_to(self._optouts.person(number), _LATEST):
            work = self._works.get_or_none(row_id)
            if work is None or work.row.state in _NEVER_LEFT:
                continue
            if work.row.submitted_ms < now_ms - _ANSWERS_MS:
                break
            if work.request.sender.lstrip("+") == dest.lstrip("+"):
                return work
            latest = latest or work
        return latest


def _owner(row: InboundRow) -> str:
    return f"inbound:{row.id}"


def _key(piece: _Piece) -> _Key:
    part = piece.part
    return (piece.row.operator, piece.source, piece.dest, part.kind, part.reference, part.total)
