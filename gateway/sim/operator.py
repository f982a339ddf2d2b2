"""What a simulated operator knows beyond one link: ids, messages taken, receipts to come."""

from __future__ import annotations

import random
import uuid
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.sim.account import Account
from gateway.sim.behaviours import parse_behaviours
from gateway.sim.message import Accepted, Pending, accepted, date_text, receipt_pdu, wanted
from gateway.smpp.consts import Status
from gateway.smpp.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.sim.options import SimOptions
    from gateway.sim.outcomes import Outcome
    from gateway.sim.quirks.base import Quirk
    from gateway.smpp.pdu import DataSm, DeliverSm, SubmitSm

_THROTTLED: Final = int(Status.ESME_RTHROTTLED)
#: How far beyond the longest delay a receipt is held back that later ones are to overtake.
_OVERTAKEN_S: Final = 0.2
#: Answers to requests that are no receipts, the latest of which are kept.
_REPLIES: Final = 10_000


@dataclass(slots=True)
class Stats:
    """Counts since the start; `refused` includes `throttled`."""

    binds: int = 0
    binds_refused: int = 0
    links_lost: int = 0
    submits: int = 0
    accepted: int = 0
    refused: int = 0
    throttled: int = 0
    receipts_sent: int = 0
    receipts_resent: int = 0
    receipts_acknowledged: int = 0
    receipts_refused: int = 0
    nacks: int = 0


class Reply(NamedTuple):
    """What a customer answered to a request that is no receipt.

    `label` is "mo", "unbind", a command nobody knows as 0x…, or "nack" for one to no request.
    """

    label: str
    sequence: int
    raw: bytes


class Operator:
    """State shared by every link. Time is `now`, in seconds; *wall_s* is Unix time at `now` 0.

    `accepted` holds every submit_sm taken, oldest first, up to `options.remember`. *journal*, if
    given, is called with one dict for each message taken or refused and each receipt acknowledged;
    `on_finished` is called once, when `options.count` receipts are acknowledged.
    """

    def __init__(
        self,
        options: SimOptions,
        *,
        wall_s: float = 0.0,
        journal: Callable[[dict[str, object]], None] | None = None,
    ) -> None:
        self.options = options
        self.stats = Stats()
        self.accepted: deque[Accepted] = deque(maxlen=options.remember)
        self.accounts: dict[str, Account] = {}
        self.on_finished: Callable[[], None] = lambda: None
        self.replies: deque[Reply] = deque(maxlen=_REPLIES)
        chosen = parse_behaviours(options.behaviour or "")
        self._quirks = [(each.behaviour.quirk(), each.digits) for each in chosen]
        #: The habits that apply to the run.
        self.habits = tuple(quirk for quirk, digits in self._quirks if not digits)
        self._wall_s = wall_s
        self._journal = journal
        self._random = random.Random(options.seed)
        self._next_number = self._random.randrange(10**8, 9 * 10**8)
        self._refusals: dict[tuple[str, bytes], int] = {}
        self._tokens = options.max_rate
        self._tokens_at = 0.0

    def account(self, system_id: str) -> Account:
        """The account of *system_id*, new on its first bind."""
        found = self.accounts.get(system_id)
        if found is None:
            found = self.accounts[system_id] = Account(system_id)
        return found

    def duplicates(self) -> dict[tuple[str, bytes], int]:
        """(recipient, octets with header) taken more than once, and how often, as remembered."""
        counts = Counter((each.dest, each.octets) for each in self.accepted)
        return {key: number for key, number in counts.items() if number > 1}

    def report(self) -> dict[str, int]:
        """Every count, for people and programs; `duplicates` is how many were taken again."""
        return {
            **asdict(self.stats),
            "receipts_waiting": sum(map(len, self.accounts.values())),
            "duplicates": sum(number - 1 for number in self.duplicates().values()),
        }

    def quirks(self, dest: str) -> tuple[Quirk, ...]:
        """The habits that apply to a message to *dest*."""
        if not self._quirks:
            return ()
        return tuple(quirk for quirk, digits in self._quirks if dest.endswith(digits))

    def judge(self, pdu: SubmitSm, outcome: Outcome, now: float) -> int:
        """command_status of the answer: 0, or why this submit_sm is not taken."""
        status = 0
        if not self._within_rate(now) or self.chance(self.options.throttle):
            status = _THROTTLED
        elif outcome.refusal:
            status = self._refusal(pdu, outcome)
        if status:
            self.refused(pdu, status, now)
        else:
            self.stats.submits += 1
        return status

    def refused(self, pdu: SubmitSm, status: int, now: float) -> None:
        """Count a submit_sm that was answered with *status*."""
        self.stats.submits += 1
        self.stats.refused += 1
        self.stats.throttled += status == _THROTTLED
        self.note("refused", now, dest=pdu.dest, octets=pdu.message.hex(), status=status)

    def accept(self, pdu: SubmitSm, system_id: str, now: float) -> tuple[Accepted, str]:
        """Take the message: what is remembered of it, and the id that the response names."""
        quirks = tuple((quirk, quirk.turn(pdu)) for quirk in self.quirks(pdu.dest))
        in_response, in_receipt = self._new_ids(quirks)
        message = accepted(pdu, in_receipt, system_id, now)
        message.quirks, message.named = quirks, in_response
        self.accepted.append(message)
        self.stats.accepted += 1
        if self._journal is not None:
            self.note(
                "accepted",
                now,
                source=pdu.source,
                dest=pdu.dest,
                message_id=in_response,
                octets=message.octets.hex(),
                data_coding=pdu.data_coding,
                esm_class=pdu.esm_class,
                segment=message.segment,
                system_id=system_id,
            )
        return message, in_response

    def plan(
        self, message: Accepted, outcome: Outcome, account: Account, due: float, link: object
    ) -> None:
        """Schedule the receipts that were asked for, the first one at *due*; *link* brought it."""
        avoids = link if any(quirk.by_another_link() for quirk, _ in message.quirks) else None
        for report in outcome.reports:
            if wanted(report, message.registered_delivery):
                for _ in range(2 if self.chance(self.options.duplicate) else 1):
                    pending = Pending(message, report, avoids=avoids)
                    account.schedule(pending, due + report.after_s)

    def receipt_delay_s(self) -> float:
        """How long the operator takes to report on one message."""
        options = self.options
        least, most = options.receipt_delay_min_s, options.receipt_delay_max_s
        if self.chance(options.reorder):
            return most + _OVERTAKEN_S
        return least + (most - least) * self._random.random()

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return probability > 0 and self._random.random() < probability

    def receipt(self, pending: Pending, sequence: int, now: float) -> bytes:
        """The receipt as octets, counted as sent."""
        self.stats.receipts_sent += 1
        self.stats.receipts_resent += pending.sent > 0
        pending.sent += 1
        message = pending.message
        message.state = pending.report.state
        pdu: DeliverSm | DataSm = receipt_pdu(pending, self._date(now), self._date(message.at))
        for quirk, turn in message.quirks:
            pdu = quirk.receipt(pdu, pending, turn)
        octets = encode(pdu, sequence)
        for quirk, turn in message.quirks:
            octets = quirk.receipt_octets(octets, turn)
        return octets

    def acknowledged(self, pending: Pending, now: float) -> None:
        """A deliver_sm_resp with status 0 came: the receipt is done with."""
        self.stats.receipts_acknowledged += 1
        if self._journal is not None:
            message = pending.message
            self.note(
                "acknowledged",
                now,
                dest=message.dest,
                message_id=message.message_id,
                stat=pending.report.word,
            )
        if self.stats.receipts_acknowledged == self.options.count:
            self.on_finished()

    def note(self, event: str, now: float, **facts: object) -> None:
        """One line for the journal; `at_ms` is wall time."""
        if self._journal is not None:
            at_ms = round((self._wall_s + now) * 1000)
            self._journal({"event": event, "at_ms": at_ms, **facts})

    def _date(self, now: float) -> str:
        return date_text(int(self._wall_s + now + self.options.utc_offset_s) // 60)

    def _new_ids(self, quirks: tuple[tuple[Quirk, int], ...]) -> tuple[str, str]:
        """As the response names the message, and as its receipts do."""
        if quirks:
            forced = self._forced_ids(quirks)
            if forced is not None:
                return forced
        form = self.options.message_id
        if form == "uuid":
            name = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            return name, name
        number = self._next_number
        self._next_number += 1
        if form == "decimal":
            name = str(number)
            return name, name
        if form == "hex":
            name = f"{number:x}"
            return name, name
        if form == "hex_in_response":
            return f"{number:x}", f"{number:010}"
        return str(number), f"{number:010X}"

    def _forced_ids(self, quirks: tuple[tuple[Quirk, int], ...]) -> tuple[str, str] | None:
        number, forced = self._next_number, None
        for quirk, _ in quirks:
            number = quirk.number(number)
        for quirk, turn in quirks:
            forced = quirk.ids(number, turn) or forced
        self._next_number += forced is not None
        return forced

    def _refusal(self, pdu: SubmitSm, outcome: Outcome) -> int:
        """Segments count apart: each is refused as often as the number says."""
        if outcome.refusals is None:
            return outcome.refusal
        key = (pdu.dest, pdu.message)
        times = self._refusals.pop(key, 0)
        if times == outcome.refusals:
            return 0
        self._refusals[key] = times + 1
        return outcome.refusal

    def _within_rate(self, now: float) -> bool:
        """Below `max_rate`, by a bucket of one second's tokens that is full at the start."""
        rate = self.options.max_rate
        if not rate:
            return True
        burst = max(rate, 1.0)
        self._tokens = min(burst, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
