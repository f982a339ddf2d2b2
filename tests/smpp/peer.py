"""A small SMSC for session tests: reads what a session sends, answers by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.smpp import wire
from gateway.smpp.pdu import Bind, BindResp, Mode, Pdu, SubmitSm
from gateway.smpp.session import Session, State

if TYPE_CHECKING:
    from gateway.smpp.events import Event

HELLO = SubmitSm("Acuse", "34600111222", b"hello", source_ton=5, dest_ton=1, dest_npi=1)


class Smsc:
    """The other end of `session`: no rules, it says what the test tells it to."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._splitter = wire.Splitter()

    def read(self) -> list[Pdu]:
        """What the session has sent since the last look."""
        octets = self.session.data_to_send()
        return [wire.decode(pdu) for pdu in self._splitter.feed(octets)]

    def say(self, *pdus: Pdu | bytes, now: float = 0.0) -> list[Event]:
        """All of it in one read, PDUs or raw octets."""
        octets = [pdu if isinstance(pdu, bytes) else wire.encode(pdu) for pdu in pdus]
        return self.session.receive_data(b"".join(octets), now)


def connected(
    mode: Mode = "transceiver", *, window: int = 10, first_sequence: int = 1, now: float = 0.0
) -> tuple[Session, Smsc]:
    """A session that has sent its bind; the SMSC has read it and not answered."""
    session = Session(
        Bind("acuse", "s3cret", mode=mode),
        window=window,
        enquire_link_s=30.0,
        response_timeout_s=10.0,
        now=now,
        first_sequence=first_sequence,
    )
    smsc = Smsc(session)
    session.start(now)
    (bind,) = smsc.read()
    assert isinstance(bind, Bind)
    return session, smsc


def bound(
    mode: Mode = "transceiver", *, window: int = 10, first_sequence: int = 1, now: float = 0.0
) -> tuple[Session, Smsc]:
    """A session whose bind was accepted."""
    session, smsc = connected(mode, window=window, first_sequence=first_sequence, now=now)
    smsc.say(BindResp("smsc", mode, 0x34, sequence=first_sequence), now=now)
    assert state_of(session) is State.BOUND
    return session, smsc


def state_of(session: Session) -> State:
    """The state as it is now; the type checker would hold an attribute to what it last was."""
    return session.state


def submit(session: Session, token: object, now: float = 0.0) -> int:
    """Prepare and transmit at once; the sequence number."""
    sequence, _ = session.prepare(HELLO, token)
    session.transmit(sequence, now)
    return sequence
