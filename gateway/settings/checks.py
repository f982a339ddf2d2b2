"""What only several settings together can show to be wrong, or to be probably not meant."""

from __future__ import annotations

import grp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.settings.lines import Place
    from gateway.settings.model import Admin, Gateway, Roles
    from gateway.settings.parties import Brand, Issuer, Sender, Window
    from gateway.settings.reading import Reading
    from gateway.settings.traffic import OperatorSettings, RouteSettings


def gateway(table: Gateway, place: Place, reading: Reading) -> None:
    """The data directory may be missing (`acuse serve` makes it), but must not be a file."""
    if table.data_dir.exists() and not table.data_dir.is_dir():
        reading.problem(
            (*place, "data_dir"), f"{table.data_dir} is not a directory", "name a directory"
        )


def issuer(table: Issuer, place: Place, reading: Reading) -> None:
    """Who issues proofs should have a name."""
    if not table.legal_name:
        reading.warn(
            (*place, "legal_name"),
            "is not set: proofs will not say who issued them",
            "set it before the first message; proofs cannot be changed afterwards",
        )


def brand(table: Brand, place: Place, reading: Reading) -> None:
    """What is to be appended must be there to append."""
    letters = [name for name in table.senders if kind_of_sender(name) == "alphanumeric"]
    if table.append_opt_out and letters and not (table.opt_out_url or table.opt_out_text):
        reading.warn(
            (*place, "append_opt_out"),
            f"nothing can be appended for {letters[0]}, which nobody can answer",
            "set opt_out_url to the page where recipients opt out",
        )


def window(table: Window, place: Place, reading: Reading) -> None:
    """A window opens and closes at different times."""
    if table.open == table.close:
        reading.problem(
            (*place, "close"),
            f"opens and closes at {table.open}",
            'for the whole day: open = "00:00", close = "24:00"',
        )
    elif table.close == "00:00":
        reading.problem(
            (*place, "close"),
            "00:00 is the beginning of the day on which it opens",
            'write "24:00" for the day\'s end',
        )


def kind_of_sender(name: str) -> str:
    """What a sender looks like by its name."""
    if name.startswith("+"):
        return "long_code"
    return "short_code" if name.isdigit() else "alphanumeric"


def sender(table: Sender, place: Place, reading: Reading) -> None:
    """A sender is of the kind it is declared to be, and letters cannot be answered."""
    if table.kind == "alphanumeric" and table.receives:
        reading.problem(
            (*place, "receives"),
            "nobody can answer an alphanumeric sender",
            "leave it out; recipients need a link to opt out",
        )
    looks = kind_of_sender(table.name)
    if table.kind == "toll_free" and looks == "long_code":
        return
    if table.kind != looks:
        reading.problem(
            (*place, "kind"),
            f"{table.name!r} cannot be {table.kind}",
            f"it looks like {looks}; leave kind out, or correct the name",
        )


def operator(table: OperatorSettings, place: Place, reading: Reading) -> None:
    """Settings of an operator that cannot work together, or probably are not meant."""
    for timer in ("enquire_link_s", "response_timeout_s"):
        if table.inactivity_s <= getattr(table, timer):
            reading.problem(
                (*place, "inactivity_s"),
                f"{table.inactivity_s:g} s is not longer than {timer}, "
                f"{getattr(table, timer):g} s: the link would end before its probe",
                "twice as long at least",
            )
    if table.password.source == "nowhere":
        reading.warn(
            (*place, "password"),
            "is not set: the bind goes out without one",
            'set it, or write password = "" if the operator wants none',
        )
    if table.default_alphabet != "gsm7":
        for setting, given in (
            ("national_tables", bool(table.national_tables)),
            ("gsm7_packing", table.gsm7_packing != "unpacked"),
        ):
            if given:
                reading.problem(
                    (*place, setting),
                    f"is for GSM 7-bit text, and default_alphabet is {table.default_alphabet}",
                    'leave it out, or set default_alphabet = "gsm7"',
                )
    if table.bind == "transmitter":
        reading.warn(
            (*place, "bind"),
            "a transmitter hears no receipts",
            'use "split", or a second operator table with bind = "receiver"',
        )
    if table.receipt_means is None and table.bind != "transmitter":
        reading.warn(
            (*place, "receipt_means"),
            "is not set and counts as smsc: a receipt will never prove delivery to the handset",
            'ask the operator what DELIVRD means, and set "handset" or "smsc"',
        )


def route(table: RouteSettings, place: Place, reading: Reading) -> None:
    """Weights belong to a balance, one for each operator."""
    if table.weights and table.strategy != "balance":
        reading.warn(
            (*place, "weights"),
            "count for a balance only; this route is a failover",
            'set strategy = "balance", or leave them out',
        )
    if table.weights and len(table.weights) != len(table.operators):
        reading.problem(
            (*place, "weights"),
            f"are {len(table.weights)} for {len(table.operators)} operators",
            "one weight for each of the operators, in their order",
        )


def roles(table: Roles, place: Place, reading: Reading) -> None:
    """Groups that do not exist give nobody a role."""
    for role in ("operator", "submit", "read"):
        for number, group in enumerate(getattr(table, role)):
            if not _group_exists(group):
                reading.warn(
                    (*place, role, number),
                    f"there is no group {group!r} on this machine: nobody has this role by it",
                    f"groupadd {group}, or correct the name",
                )


def admin(table: Admin, place: Place, reading: Reading) -> None:
    """The group of the socket must exist."""
    if table.group is not None and not _group_exists(table.group):
        reading.problem(
            (*place, "group"),
            f"there is no group {table.group!r} on this machine",
            f"groupadd --system {table.group}, or correct the name",
        )


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
