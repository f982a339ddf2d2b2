"""The states of a session and the one table that moves it (SMPP 3.4 section 2.2).

The standard's OPEN and BOUND_TX, BOUND_RX, BOUND_TRX are CONNECTED and BOUND here: which of the
three it is follows from the bind's mode and changes nothing in the table. UNBINDING is ours, for
the time between unbind and unbind_resp. CLOSED is for ever: the next link has its own session.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """Where the session stands. CONNECTED: the link is there, the bind is not answered yet."""

    CONNECTED = "connected"
    BOUND = "bound"
    UNBINDING = "unbinding"
    CLOSED = "closed"


class Step(Enum):
    """What can move a session from one state to another."""

    BIND_ACCEPTED = "accept a bind"
    BIND_REFUSED = "be refused a bind"
    UNBIND = "unbind"
    UNBIND_ANSWERED = "have its unbind answered"
    PEER_UNBIND = "be unbound by the peer"
    SILENCE = "give up on an answer"
    OUT_OF_STEP = "fall out of step"
    CLOSE = "close"


TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.CONNECTED: {
        Step.BIND_ACCEPTED: State.BOUND,
        Step.BIND_REFUSED: State.CLOSED,
        Step.PEER_UNBIND: State.CLOSED,
        Step.SILENCE: State.CLOSED,
        Step.OUT_OF_STEP: State.CLOSED,
        Step.CLOSE: State.CLOSED,
    },
    State.BOUND: {
        Step.UNBIND: State.UNBINDING,
        Step.PEER_UNBIND: State.CLOSED,
        Step.SILENCE: State.CLOSED,
        Step.OUT_OF_STEP: State.CLOSED,
        Step.CLOSE: State.CLOSED,
    },
    State.UNBINDING: {
        Step.UNBIND_ANSWERED: State.CLOSED,
        Step.PEER_UNBIND: State.CLOSED,
        Step.SILENCE: State.CLOSED,
        Step.OUT_OF_STEP: State.CLOSED,
        Step.CLOSE: State.CLOSED,
    },
    State.CLOSED: {
        Step.OUT_OF_STEP: State.CLOSED,
        Step.CLOSE: State.CLOSED,
    },
}
