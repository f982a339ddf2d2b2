"""`acuse demo`: the whole product once, in a temporary directory, on loopback only.

Two simulated operators and the daemon run as processes of their own, reached through the same
commands a user types. It ends well only if every message ended as its case says, the ledger and
the bundle verify, and the bundle with one byte changed does not.
"""

from __future__ import annotations

import tempfile
import textwrap
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from gateway.cli.client import Client
from gateway.cli.democertificate import certify
from gateway.cli.demostage import REPLIES_STOP, Stage, acuse_command
from gateway.cli.output import coloured_cell, print_json
from gateway.cli.verifiers import BY_HAND, commands_for, verifiers_for, write_by_hand
from gateway.errors import StorageError, TryAgain

#: Beginnings of fictitious numbers; it is always night, or Sunday, in one of these places.
_NIGHT = ("+167155501", "+336399811", "+121255501")
_PROMOTION = "ACME Demo SA: -20 % hasta el domingo. Baja: https://acme.example/b"
_OPTED_OUT = "+34600111333"
_PATIENCE_S = 40.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Case:
    """A message of the demo: what is asked, and how it must end."""

    name: str
    to: str
    state: str
    text: str = "Su factura 2026/117 vence el 30 de noviembre."
    category: str = "legal_notice"
    means: str = ""
    first: str = ""  # the state in which it must have been taken; "" = any


def _cases(night: str) -> list[Case]:
    long_text = (
        "Estimado cliente: desde el 1 de enero de 2027 su tarifa cambia. El precio de la"
        " energía pasa a 0,148 €/kWh; la potencia no varía. Puede rescindir el contrato sin"
        " coste antes del 31 de diciembre. Las condiciones completas están en su área de cliente."
    )
    return [
        Case("delivered", "+34600111222", "delivered", means="so the operator says of the handset"),
        Case("undelivered", "+34600111901", "undelivered", means="the operator gave up"),
        Case(
            "throttled",
            "+34600111922",
            "delivered",
            means="told twice to slow down",
        ),
        Case(
            "multi-part",
            "+33639980101",
            "delivered",
            text=long_text,
            means="one verdict from all its receipts",
        ),
        Case("unknown", "+34600111930", "unknown", means="no answer: not sent again by itself"),
        Case(
            "held",
            f"{night}23",
            "held",
            text=_PROMOTION,
            category="promotional",
            means="quiet hours at the recipient's place",
            first="held",
        ),
        Case(
            "refused",
            _OPTED_OUT,
            "refused",
            text=_PROMOTION,
            category="promotional",
            means="the person opted out",
            first="refused",
        ),
        Case(
            "stopped",
            f"{night[:-2]}{REPLIES_STOP}",
            "refused",
            text=_PROMOTION,
            category="promotional",
            means="was held; then the person wrote STOP",
            first="held",
        ),
        Case(
            "answered",
            f"{night[:-2]}{REPLIES_STOP}",
            "delivered",
            means="may come at night; answered by STOP",
        ),
    ]


def run_demo(*, directory: Path | None, keep: bool, as_json: bool) -> int:
    """Run the demo in *directory* (default: a temporary one); 0 if everything ended as it should.

    What stays: with *keep* the whole directory, else the bundle and the keys to check it with.
    """
    place = _make_place(directory)
    narrator = Narrator(quiet=as_json)
    with Stage(place) as stage:
        narrator.heading("Acuse demo: everything runs on this machine, nothing leaves it.")
        stage.start()
        narrator.step("operators", f"two simulated SMSCs on loopback: {stage.ports_text()}")
        with Client(stage.socket) as client:
            status = stage.wait_until_bound(client)
            origin = status["ledger"]["origin"]
            narrator.step("daemon", f"acuse serve, process {status['pid']}, log {origin}")
            for operator in status["operators"]:
                narrator.line(f"bound to {operator['name']} as {operator['bind']}")
            shown = _send_messages(client, narrator)
            proof = _prove(stage, client, narrator, shown)
        stage.stop()
        narrator.step("stop", "drained: unbound in good order, the log is signed")
        ledger = stage.run("ledger", "verify", *stage.trust())
        narrator.line(f"acuse ledger verify: {ledger.said['verdict']} ({ledger.meaning()})")
    ok = (
        all(each["state"] == each["expected"] for each in shown)
        and proof
        and ledger.exit_code == _VALID
    )
    if not keep:
        stage.leave_only_the_proof()
    if ok:
        for path, content in verifiers_for(stage.bundle).items():
            path.write_bytes(content)
        write_by_hand(place)
    narrator.ending(stage, ok=ok, keep=keep)
    if as_json:
        messages = [{k: each[k] for k in ("submission_id", "case", "state")} for each in shown]
        print_json(
            {
                "ok": ok,
                "dir": str(place),
                "config": str(stage.config) if keep else None,
                "messages": messages,
                "bundle": str(stage.bundle),
                "certificate": str(stage.certificate) if stage.certificate.exists() else None,
                "policy": str(stage.policy),
                "tsa_ca": str(stage.tsa_ca),
                "signer_ca": str(stage.signer_ca),
            }
        )
    return 0 if ok else 1


#: Exit codes of `acuse verify`.
_VALID = 0
_INVALID = 1


def _make_place(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="acuse-demo-"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise StorageError(
                f"{directory} is not empty", hint="give --dir a new directory", dir=str(directory)
            )
    except OSError as error:
        raise StorageError(
            f"{directory} cannot be used: {error.strerror}",
            hint="give --dir a directory that can be written",
            dir=str(directory),
        ) from None
    return directory.resolve()


def _send_messages(client: Client, narrator: Narrator) -> list[dict[str, str]]:
    night, citations = _at_night()
    cases = _cases(night)
    for case in cases:
        if case.category == "promotional":  # all of them agreed once; one of them left again
            agreed = {"brand": "acme", "purpose": "marketing", "method": "double"}
            client.call("consent.grant", {"to": case.to, "source": "web form", **agreed})
    client.call("optout.add", {"to": _OPTED_OUT, "source": "STOP"})
    narrator.step("messages", f"{len(cases)} submitted; each answer came after its fsync")
    taken = []
    for case in cases:
        request = {
            "to": case.to,
            "from": "ACME",
            "brand": "acme",
            "category": case.category,
            "text": case.text,
        }
        answer = client.call("submit", request)
        right = answer["state"] == (case.first or answer["state"])
        taken.append((case if right else replace(case, state=case.first), answer))
    shown = []
    for case, answer in taken:
        record = _await_state(client, answer["submission_id"], case.state)
        means = case.means
        if record["state"] == "held":
            until = record["decision"]["until"]
            means = f"until {until}"
        narrator.message(case, record["state"], means)
        if record["state"] == "held":
            for rule in record["decision"]["rules"]:
                narrator.cite(rule, citations[rule])
        shown.append(
            {
                "submission_id": answer["submission_id"],
                "case": case.name,
                "state": record["state"],
                "expected": case.state,
            }
        )
    return shown


def _at_night() -> tuple[str, dict[str, str]]:
    """One of the places where a promotion is in quiet hours now, and what each rule rests on."""
    from datetime import UTC, datetime

    from gateway.policy.decide import Facts, Message, decide
    from gateway.policy.loader import load_rulebook

    book = load_rulebook(profile="law")
    cites = {rule.id: rule.cite for pack in book.packs.values() for rule in pack.rules.every()}
    now, checks = datetime.now(UTC), frozenset({"windows"})
    for place in _NIGHT:
        if decide(book, Message(f"{place}23"), Facts(), now, checks).action == "hold":
            return place, cites
    return _NIGHT[0], cites


def _await_state(client: Client, submission_id: str, state: str) -> dict[str, Any]:
    """The record when it has reached *state*, or when patience is over."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        record = client.call("receipts.show", {"submission_id": submission_id})
        if record["state"] == state or time.monotonic() > deadline:
            return record
        time.sleep(_POLL_S)


def _prove(stage: Stage, client: Client, narrator: Narrator, shown: list[dict[str, str]]) -> bool:
    """Make a bundle, check it with the verifier, and show that one changed byte is noticed."""
    submission_id = next(each["submission_id"] for each in shown if each["case"] == "multi-part")
    checkpoint = client.call("ledger.checkpoint", {})
    vkey = client.call("ledger.head", {})["vkey"]
    stage.policy.write_text(f"log {vkey}\nquorum none\n")
    narrator.step("seal", f"{checkpoint['size']} entries, root {checkpoint['root'][:16]}…, signed")
    _await_stamp(client, submission_id)
    narrator.step("time", f"stamped by the demo's own authority, port {stage.tsa_port}:")
    narrator.line("worthless in law; a real one is one [[timestamp]] away")
    bundle = client.call("bundle", {"submission_id": submission_id})["bundle"]
    stage.bundle.write_text(bundle)
    good = stage.run("verify", str(stage.bundle), *stage.trust())
    narrator.step("proof", f"bundle of the multi-part message, {len(bundle):,} bytes")
    narrator.line(f"acuse verify: {good.said['verdict']} ({good.meaning()})")
    spoiled = stage.place / "spoiled.json"
    spoiled.write_text(_with_one_byte_changed(bundle))
    bad = stage.run("verify", str(spoiled), *stage.trust())
    spoiled.unlink()
    narrator.line("the same with one byte of the text changed:")
    narrator.line(f"{bad.said['verdict']}: {bad.said['reason']}")
    certified = certify(stage, submission_id)
    narrator.step("paper", f"{stage.certificate.name}: the same, to read and to hand in")
    for line in certified.lines:
        narrator.line(line)
    return good.exit_code == _VALID and bad.exit_code == _INVALID and certified.ok


def _await_stamp(client: Client, submission_id: str) -> None:
    """Wait until a time stamp covers the seal, or patience is over."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        seal = client.call("receipts.show", {"submission_id": submission_id})["seal"]
        if seal is not None and seal["anchored"]:
            return
        time.sleep(_POLL_S)


def _with_one_byte_changed(bundle: str) -> str:
    """The bundle, its disclosed text saying January 2 instead of January 1."""
    changed = bundle.replace("desde el 1 de enero", "desde el 2 de enero", 1)
    if changed == bundle:
        raise TryAgain("the bundle does not show the text", hint="this is a defect of the demo")
    return changed


class Narrator:
    """Tells a person what happens, step by step, on stdout; says nothing with --json."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._number = 0

    def heading(self, text: str) -> None:
        """The first line."""
        self._say(click.style(text, bold=True))

    def step(self, name: str, text: str) -> None:
        """A new step."""
        self._number += 1
        self._say(f"\n {self._number}  {click.style(f'{name:<10}', bold=True)} {text}")

    def line(self, text: str) -> None:
        """Something more about the step."""
        self._say(f"     {text}")

    def message(self, case: Case, state: str, means: str) -> None:
        """How one message ended."""
        right = "" if state == case.state else f"  (expected {case.state})"
        self._say(
            f"     {case.name:<11} {case.to:<13} {coloured_cell(f'{state:<11}')} {means}{right}"
        )

    def cite(self, rule: str, source: str) -> None:
        """Why: a rule and what it rests on."""
        for line in textwrap.wrap(f"{rule}: {source}", 68):
            self._say(f"{'':<11} {line}")

    def ending(self, stage: Stage, *, ok: bool, keep: bool) -> None:
        """What there is to look at now, and the commands for it."""
        if not ok:
            self._say("\nSomething did not end as it should; the lines above show what.")
            return
        self._say("\nEverything ended as it should. The proof stays here; check it with")
        for path, trust in (
            (stage.bundle, stage.trust()),
            (stage.certificate, stage.seal_trust()),
        ):
            self._say(f"  {acuse_command()} verify {path} {' '.join(trust)}")
        self._say("Change one byte of it and check again: INVALID, with the reason.")
        self._say("Without Acuse, as whoever gets the proof would check it:")
        for line in commands_for(stage.bundle, stage.trust()):
            self._say(f"  {line}")
        self._say("The signatures alone, by openssl and pdfsig:")
        self._say(f"  sh {stage.bundle.with_name(BY_HAND)}")
        if keep:
            self._say("Start the daemon again on what is kept:")
            self._say(f"  {acuse_command()} serve --config {stage.config}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            click.echo(text)
