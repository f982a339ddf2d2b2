"""The habits of operators by name: one table for `acuse simulate`, its help, the tests, the docs.

The numbers Q1 to Q32 are those of docs/operators.md. A behaviour about messages applies to every
message of the run, or, as NAME@DIGITS, to recipients whose number ends so; one about the link
always applies to the run.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.errors import UsageError
from gateway.sim.quirks import answers, ids, links, receipts

if TYPE_CHECKING:
    from gateway.sim.quirks.base import Quirk


class Behaviour(NamedTuple):
    """A habit: its name, its number, what the operator does; `of_link`: not bound to a message."""

    name: str
    number: str
    doc: str
    quirk: type[Quirk]
    of_link: bool = False


BEHAVIOURS: Final = (
    Behaviour(
        "receipt-before-response",
        "Q1",
        "sends the receipt and then the submit_sm_resp, in one segment",
        receipts.ReceiptBeforeResponse,
    ),
    Behaviour(
        "hex-in-response",
        "Q2",
        "names a message in hexadecimal in the response and in padded decimal in the receipt",
        ids.HexInResponse,
    ),
    Behaviour(
        "tlv-and-text-differ",
        "Q3",
        "writes one id in two ways in a receipt: hexadecimal in the TLV, decimal in the text",
        ids.TlvAndTextDiffer,
    ),
    Behaviour(
        "id-above-64-bit",
        "Q4",
        "gives ids of 23 digits that differ in the last one",
        ids.IdAbove64Bit,
    ),
    Behaviour(
        "opaque-ids",
        "Q5",
        "gives ids with leading zeros, letters and hyphens, and changes hyphens or case later",
        ids.OpaqueIds,
    ),
    Behaviour("id-reuse", "Q6", "gives one id to two messages that follow each other", ids.IdReuse),
    Behaviour(
        "receipt-on-other-bind",
        "Q7",
        "sends receipts by another link of the account than their message came on",
        receipts.ReceiptOnOtherBind,
    ),
    Behaviour(
        "odd-stat",
        "Q8",
        "writes FAILED, BUFFRED, ACKED, 0, DND_REJECTED or BUFFERD as state",
        receipts.OddStat,
    ),
    Behaviour(
        "missing-fields",
        "Q9",
        "leaves out, reorders or relabels the fields of the receipt's text",
        receipts.MissingFields,
    ),
    Behaviour(
        "date-forms",
        "Q10",
        "writes dates with 10, 12, 14 or 16 characters, done before submitted, or as zeros",
        receipts.DateForms,
    ),
    Behaviour(
        "tlv-only",
        "Q11",
        "sends receipts of TLVs without text, then of text without TLVs",
        receipts.TlvOnly,
    ),
    Behaviour(
        "bad-length",
        "Q12",
        "after a message sends a command_length no PDU has, or another protocol's first octets",
        links.BadLength,
    ),
    Behaviour(
        "response-shapes",
        "Q13",
        "refuses without body, with an id, with a TLV; accepts with an odd id, or with none",
        answers.ResponseShapes,
    ),
    Behaviour(
        "foreign-tlvs",
        "Q14",
        "adds vendors' TLVs and those of SMPP 5.0, one that overruns, a stray octet before them",
        receipts.ForeignTlvs,
    ),
    Behaviour(
        "lying-sm-length",
        "Q15",
        "says in sm_length more than there is, one less, or 255",
        receipts.LyingSmLength,
    ),
    Behaviour(
        "odd-sequences",
        "Q16",
        "numbers its requests 0, 0x80000000 and beyond",
        links.OddSequences,
        of_link=True,
    ),
    Behaviour(
        "drip-feed",
        "Q17",
        "sends a message before its bind_resp, and everything octet by octet with a pause of 3 s",
        links.DripFeed,
        of_link=True,
    ),
    Behaviour(
        "esm-class",
        "Q18",
        "marks receipts as such, with a user data header, twice, or not at all",
        receipts.EsmClasses,
    ),
    Behaviour(
        "forged-mo",
        "Q18",
        "sends no receipt, but a subscriber's message that looks like one",
        receipts.ForgedMo,
    ),
    Behaviour(
        "repeated-receipts",
        "Q19",
        "sends ENROUTE and DELIVRD at once and DELIVRD again; a contradiction; one after 5 days",
        receipts.RepeatedReceipts,
    ),
    Behaviour(
        "multipart-partial",
        "Q20",
        "answers the last part first; reports on one part only; refuses the second part",
        answers.MultipartPartial,
    ),
    Behaviour(
        "receipt-charset",
        "Q21",
        "writes receipts in UCS-2, in Latin-1, in GSM octets, or padded with spaces",
        receipts.ReceiptCharset,
    ),
    Behaviour(
        "throttle",
        "Q22",
        "refuses each segment once: 0x58, 0x14, 0x45, generic_nack 0x58, the vendor's 0x400",
        answers.Throttle,
    ),
    Behaviour(
        "no-response",
        "Q23",
        "takes a message and never answers; answers late; never answers and yet delivers",
        answers.NoResponse,
    ),
    Behaviour(
        "bind-trouble",
        "Q24",
        "refuses four binds (0x05, 0x0E, 0x0F, 0x0D), then lets in with a bare header",
        links.BindTrouble,
        of_link=True,
    ),
    Behaviour(
        "half-open",
        "Q25",
        "answers a message and falls silent, with the connection open",
        links.HalfOpen,
    ),
    Behaviour(
        "unbind-mid-window",
        "Q25",
        "takes a message and unbinds instead of answering",
        links.UnbindMidWindow,
    ),
    Behaviour(
        "unknown-command",
        "Q26",
        "after a message sends a request that SMPP 3.4 does not know",
        links.UnknownCommand,
    ),
    Behaviour("data-sm-receipt", "Q27", "sends receipts by data_sm", receipts.DataSmReceipt),
    Behaviour(
        "odd-deliver-resp",
        "Q28",
        "sends a receipt again unless the deliver_sm_resp has one NUL as its body",
        receipts.OddDeliverResp,
    ),
    Behaviour(
        "network-error-code",
        "Q29",
        "says why it failed in TLV 0x0423: as three digits, then as the standard has it",
        receipts.NetworkErrorCode,
    ),
    Behaviour(
        "zero-window",
        "Q30",
        "reads nothing for 8 s, and meanwhile sends a receipt 500 times",
        links.ZeroWindow,
    ),
    Behaviour(
        "unrelated-ids",
        "Q31",
        "names in the receipt another id than in the response, as after submit_multi",
        ids.UnrelatedIds,
    ),
    Behaviour(
        "generic-nack-for-submit",
        "Q32",
        "refuses a submit_sm by generic_nack: 0x03 for good, 0x64 for now",
        answers.GenericNackForSubmit,
    ),
)
_BY_NAME: Final = {behaviour.name: behaviour for behaviour in BEHAVIOURS}


class Chosen(NamedTuple):
    """A behaviour for recipients ending in `digits`; "" for all."""

    behaviour: Behaviour
    digits: str


def parse_behaviours(text: str) -> tuple[Chosen, ...]:
    """What NAME[@DIGITS][,NAME…] asks for.

    Raises:
        UsageError: a name is not in the table, or digits are none, or given for the link.
    """
    return tuple(_parse(each.strip()) for each in text.split(",") if each.strip())


def _parse(text: str) -> Chosen:
    name, at, digits = text.partition("@")
    behaviour = _BY_NAME.get(name)
    if behaviour is None:
        near = difflib.get_close_matches(name, _BY_NAME, n=1)
        raise UsageError(
            f"behaviour: {name!r} is not known",
            hint=f"did you mean {near[0]!r}?" if near else "`acuse simulate --list` names them",
            field="behaviour",
        )
    if at and not (digits.isascii() and digits.isdecimal()):
        raise UsageError(
            f"behaviour: {text!r} has no digits after the @",
            hint=f"write {name}@555 for recipients whose number ends in 555",
            field="behaviour",
        )
    if at and behaviour.of_link:
        raise UsageError(
            f"behaviour: {name} belongs to the link and not to a message",
            hint=f"write {name} without digits",
            field="behaviour",
        )
    return Chosen(behaviour, digits)


def behaviour_table() -> list[tuple[str, str, str, str]]:
    """(name, number, what the operator does, "message" or "run": what it applies to)."""
    return [
        (each.name, each.number, each.doc, "run" if each.of_link else "message")
        for each in BEHAVIOURS
    ]
