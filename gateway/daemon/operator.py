"""An operator as the dispatcher sees it: its links, its window, its rate, its pauses.

Window and rate hold over all sessions of the operator. Nothing here touches a socket or the
ledger; the state dies with the process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.clock import to_datetime
from gateway.daemon.pace import Pace
from gateway.smpp.pdu import ReplaceSm, SubmitSm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.daemon.connect import TlsState
    from gateway.daemon.link import Alarm
    from gateway.daemon.work import Work
    from gateway.ledger.rows import SegmentRow
    from gateway.settings import OperatorSettings
    from gateway.smpp.dialect import Dialect
    from gateway.smpp.events import Delivered
    from gateway.smpp.pdu import Mode
    from gateway.smpp.session import Session


#: The least validity period of the rest of a message.
_REST_S = 60


class OperatorLink(Protocol):
    """One TCP connection to the operator, as far as the dispatcher needs it."""

    name: str
    mode: Mode
    session: Session | None
    state: str
    since_ms: int
    last_error: str | None
    alarm: Alarm | None
    tls: TlsState | None

    def can_submit(self) -> bool:
        """Whether it is bound and may carry a `submit_sm`."""
        ...

    def flush(self) -> None:
        """Let the connection's task write what its session has to send."""
        ...

    def answer(self, session: Session | None, delivered: Delivered) -> None:
        """Answer a `deliver_sm` that is durable now."""
        ...

    def drain(self) -> None:
        """Unbind in good order and do not come back."""
        ...

    async def run(self) -> None:
        """Keep the link bound until drained."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a session carries beside a `submit_sm`: whose it is."""

    work: Work
    segment: SegmentRow


class Operator:
    """A configured operator at run time."""

    def __init__(
        self, name: str, settings: OperatorSettings, dialect: Dialect, profile: str, now_s: float
    ) -> None:
        self.name = name
        self.settings = settings
        self.dialect = dialect
        #: Hash of what "delivered" means here; stands in every entry about this operator.
        self.profile = profile
        self.links: Sequence[OperatorLink] = ()
        self.pace = Pace(settings.rate, now_s)
        self.in_flight = 0
        self.sent = 0

    @property
    def means_handset(self) -> bool:
        """Whether DELIVRD is said of the handset here; anything else is said of the SMSC."""
        return self.settings.receipt_means == "handset"

    def bound(self) -> bool:
        """Whether some session can carry a `submit_sm` at all."""
        return any(link.can_submit() for link in self.links)

    def capacity(self, now_s: float) -> int:
        """How many `submit_sm` may leave now: window, rate and pause together."""
        room = min(self.settings.window - self.in_flight, self._free())
        return 0 if room <= 0 else min(room, self.pace.available(now_s))

    def wake_s(self, now_s: float) -> float:
        """When `capacity` may change without anything arriving: a token, or the pause's end."""
        if self.settings.window - self.in_flight <= 0 or self._free() <= 0:
            return math.inf
        return self.pace.next_s(now_s)

    def pick(self) -> tuple[OperatorLink, Session]:
        """The session with the most room; `capacity` said there is one."""
        best = max(
            (link for link in self.links if link.session is not None),
            key=lambda link: link.session.free() if link.session is not None else -1,
        )
        assert best.session is not None
        return best, best.session

    def pdu(self, work: Work, number: int, now_ms: int) -> SubmitSm | ReplaceSm:
        """What sends one segment of *work*."""
        if work.request.replaces is not None:
            return self._replace_sm(work, str(work.request.replaces["message_id"]), now_ms)
        return self.submit_sm(work, number, now_ms)

    def _replace_sm(self, work: Work, message_id: str, now_ms: int) -> ReplaceSm:
        """SMPP 3.4 section 4.10.1; times that are not given stay as they were."""
        ton, npi, source = source_of(work.request.sender)
        at_ms = work.request.not_before_ms
        later = at_ms is not None and at_ms > now_ms
        return ReplaceSm(
            message_id,
            ton,
            npi,
            source,
            schedule_delivery_time=_absolute_time(at_ms) if later and at_ms else "",
            validity_period=_relative_time(_left_s(work, now_ms)),
            registered_delivery=1,
            short_message=work.encoded().body(1)[0],
        )

    def submit_sm(self, work: Work, number: int, now_ms: int) -> SubmitSm:
        """The PDU of one segment; every segment asks for a receipt of its own (Q20).

        Its validity period is what is left of the submission's, and of the hours in which it may
        arrive: an operator must not deliver at night to a handset that was off all day.
        """
        encoded = work.encoded()
        short_message, tlvs = encoded.body(number)
        sender = work.request.sender
        source_ton, source_npi, source = source_of(sender)
        return SubmitSm(
            source_ton=source_ton,
            source_npi=source_npi,
            source=source,
            dest_ton=1,
            dest_npi=1,
            dest=work.request.to[1:],
            esm_class=encoded.esm_class,
            priority=work.request.priority,
            validity_period=_relative_time(_left_s(work, now_ms)),
            registered_delivery=1,
            data_coding=encoded.data_coding,
            short_message=short_message,
            tlvs=tlvs,
        )

    def _free(self) -> int:
        return sum(link.session.free() for link in self.links if link.session is not None)


def source_of(sender: str) -> tuple[int, int, str]:
    """TON, NPI and address of a sender (SMPP 3.4 sections 5.2.5 and 5.2.6)."""
    if sender.startswith("+"):
        return 1, 1, sender[1:]
    if sender.isdecimal():
        return 3, 0, sender  # network specific: a short code
    return 5, 0, sender  # alphanumeric


def _left_s(work: Work, now_ms: int) -> int | None:
    """How long the operator may try; None: as long as it likes."""
    until_s = work.arrive_until_s
    # The rest of a message that was begun in its hours is not left behind at their end.
    left_s = max(until_s - now_ms / 1000, _REST_S if work.begun() else 1)
    if work.row.expires_ms is not None:
        left_s = min(left_s, max(1, (work.row.expires_ms - now_ms) / 1000))
    return None if left_s == math.inf else int(left_s)


def _absolute_time(at_ms: int) -> str:
    """`YYMMDDhhmmss000+` in UTC (SMPP 3.4 section 7.1.1)."""
    return to_datetime(at_ms).strftime("%y%m%d%H%M%S") + "000+"


def _relative_time(seconds: int | None) -> str:
    """A validity period as relative time, `YYMMDDhhmmss000R` (SMPP 3.4 section 7.1.1)."""
    if seconds is None:
        return ""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, 30)
    years, month = divmod(months, 12)
    return f"{years:02d}{month:02d}{day:02d}{hour:02d}{minute:02d}{second:02d}000R"
