"""What the simulated operator does with a message, by the last three digits of its recipient.

One table serves the behaviour, `acuse simulate --help` and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.smpp.consts import MessageState, Status

#: When the submit_sm_resp comes: at once, after the receipt, too late for the sender's timer,
#: never, or never because the link drops instead.
Answer: TypeAlias = Literal["prompt", "after_receipt", "late", "none", "drop"]
#: How a receipt is written: as both text and TLVs, as one of them, or by data_sm.
Form: TypeAlias = Literal["both", "text", "tlv", "data_sm"]


@dataclass(frozen=True, slots=True)
class Report:
    """One receipt: the word after `stat:`, the octet of TLV 0x0427, the error, and when it leaves.

    `after_s` counts from when the message's first receipt is due. A failure is what
    registered_delivery 2 asks for (SMPP 3.4 section 5.2.17). With `says` it is no receipt: the
    subscriber writes that back.
    """

    word: str
    state: int
    error: str = "000"
    after_s: float = 0.0
    form: Form = "both"
    says: str = ""

    @property
    def intermediate(self) -> bool:
        return self.state == MessageState.ENROUTE

    @property
    def failure(self) -> bool:
        return self.state not in (MessageState.DELIVERED, MessageState.ENROUTE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`refusal` is answered the first `refusals` times (None: every time), then the rest holds."""

    doc: str
    reports: tuple[Report, ...] = ()
    refusal: int = 0
    refusals: int | None = None
    answer: Answer = "prompt"
    with_id: bool = True


_DELIVRD: Final = Report("DELIVRD", MessageState.DELIVERED)
_EXPIRED: Final = Report("EXPIRED", MessageState.EXPIRED, "027")
#: What becomes of every number that is not in the table.
DELIVERED: Final = Outcome("delivered", (_DELIVRD,))
#: Seconds between the two receipts of a message that gets two different ones, and until somebody
#: who reads it writes back.
BETWEEN_RECEIPTS_S: Final = 0.2
MAX_THROTTLED: Final = 9


def _answers(text: str) -> Outcome:
    said = Report("MO", MessageState.DELIVERED, after_s=BETWEEN_RECEIPTS_S, says=text)
    return Outcome(f'delivered, and the subscriber writes back "{text}"', (_DELIVRD, said))


def _ends(doc: str, word: str, state: int, error: str) -> Outcome:
    return Outcome(doc, (Report(word, state, error),))


def _refused(status: Status, times: int | None) -> Outcome:
    how = "for good" if times is None else "once" if times == 1 else f"{times} times"
    then = "" if times is None else ", then delivered"
    return Outcome(
        f"refused {how} with 0x{status:02X} {status.name}{then}",
        (_DELIVRD,),
        refusal=status,
        refusals=times,
    )


OUTCOMES: Final[dict[str, Outcome]] = {
    "900": DELIVERED,
    "901": _ends("receipt UNDELIV", "UNDELIV", MessageState.UNDELIVERABLE, "001"),
    "902": _ends("receipt EXPIRED", "EXPIRED", MessageState.EXPIRED, "027"),
    "903": _ends("receipt DELETED", "DELETED", MessageState.DELETED, "000"),
    "904": _ends("receipt REJECTD", "REJECTD", MessageState.REJECTED, "011"),
    "905": _ends("receipt ACCEPTD and no other", "ACCEPTD", MessageState.ACCEPTED, "000"),
    "906": _ends("receipt UNKNOWN and no other", "UNKNOWN", MessageState.UNKNOWN, "000"),
    "907": Outcome(
        "receipt with a word nobody defined (FAILED), as text alone",
        (Report("FAILED", MessageState.UNDELIVERABLE, "002", form="text"),),
    ),
    "910": _refused(Status.ESME_RINVDSTADR, None),
    "911": Outcome("refused for good with the vendor's 0x411", refusal=0x411),
    "912": _refused(Status.ESME_RSUBMITFAIL, 1),
    "913": _refused(Status.ESME_RSYSERR, 1),
    "914": _refused(Status.ESME_RX_T_APPN, 1),
    **{
        f"92{times}": _refused(Status.ESME_RTHROTTLED, times)
        for times in range(1, MAX_THROTTLED + 1)
    },
    "930": Outcome("taken, no submit_sm_resp, no receipt", answer="none"),
    "931": Outcome("taken, submit_sm_resp late, delivered", (_DELIVRD,), answer="late"),
    "932": _refused(Status.ESME_RMSGQFUL, 1),
    "933": Outcome("taken, no submit_sm_resp, yet delivered", (_DELIVRD,), answer="none"),
    "940": Outcome(
        "receipt before the submit_sm_resp, delivered", (_DELIVRD,), answer="after_receipt"
    ),
    "941": Outcome("the same receipt twice, delivered", (_DELIVRD, _DELIVRD)),
    "942": Outcome("accepted, no receipt"),
    "943": Outcome(
        "receipt ENROUTE, then DELIVRD",
        (
            Report("ENROUTE", MessageState.ENROUTE),
            Report("DELIVRD", MessageState.DELIVERED, after_s=BETWEEN_RECEIPTS_S),
        ),
    ),
    "944": Outcome(
        "receipt EXPIRED, then DELIVRD: a contradiction",
        (_EXPIRED, Report("DELIVRD", MessageState.DELIVERED, after_s=BETWEEN_RECEIPTS_S)),
    ),
    "945": Outcome("taken, the link drops instead of an answer, no receipt", answer="drop"),
    "946": Outcome("accepted without a message id, delivered", (_DELIVRD,), with_id=False),
    "947": Outcome(
        "receipt as TLVs alone", (Report("DELIVRD", MessageState.DELIVERED, form="tlv"),)
    ),
    "948": Outcome(
        "receipt as text alone", (Report("DELIVRD", MessageState.DELIVERED, form="text"),)
    ),
    "949": Outcome(
        "receipt whose text says DELIVRD and whose TLV says UNDELIV",
        (Report("DELIVRD", MessageState.UNDELIVERABLE),),
    ),
    "950": Outcome(
        "receipt by data_sm", (Report("DELIVRD", MessageState.DELIVERED, form="data_sm"),)
    ),
    "960": _answers("STOP"),
    "961": _answers("SI"),
    "962": _answers("AYUDA"),
    "963": _answers("ALTA"),
    "964": _answers("no quiero m\xe1s mensajes"),
}


def outcome_of(dest: str) -> Outcome:
    """What becomes of a message to *dest*: `DELIVERED` unless its last three digits say else."""
    return OUTCOMES.get(dest[-3:], DELIVERED)


def outcome_table() -> list[tuple[str, str]]:
    """(last digits, what happens), for people; the numbers that throttle are one row."""
    rows = [("other", DELIVERED.doc)]
    for digits, outcome in OUTCOMES.items():
        if digits == "921":
            throttled = OUTCOMES["922"].doc.replace("2 times", "1 to 9 times")
            rows.append((f"921-92{MAX_THROTTLED}", throttled))
        elif not "921" < digits <= f"92{MAX_THROTTLED}":
            rows.append((digits, outcome.doc))
    return rows
