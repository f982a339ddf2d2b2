"""Attempts to get VALID for something false, by somebody who has genuine pieces: tokens, anchors,
cosignatures, rotations and statements of this log and of others. Each piece is real; each is put
where it does not belong.
"""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.evidence.bundle import Token
from gateway.evidence.rfc3161 import trusting
from gateway.ledger import canonical
from gateway.ledger.audit import verify_ledger
from gateway.ledger.note import Checkpoint, Signer, open_note, sign_note
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.verify import verify_bundle
from gateway.sim.authority import Behaviour, StampingAuthority
from tests.support.ledgers import START_MS, MemoryLedger, Witness, seed
from tests.support.standalone import agree

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ledger.report import Report

BEGAN = datetime(2026, 11, 21, 17, tzinfo=UTC)
TSA = StampingAuthority(BEGAN)
STRANGER = StampingAuthority(BEGAN)
WITNESS = Witness("w.example")
NOW_MS = START_MS + 3_600_000


def stamp(text: str, after_s: int, by: StampingAuthority = TSA, **how: Any) -> bytes:
    return by.token(sha256(text.encode()).digest(), 7, BEGAN + timedelta(seconds=after_s), **how)


@dataclass
class Log:
    """A log with an anchored past, a delivered message, and a stamped, cosigned checkpoint."""

    ledger: MemoryLedger
    early: str
    early_token: bytes
    anchor: int
    note: str
    token: bytes

    def bundle(self, mid: str = "m1", **given: Any) -> dict[str, Any]:
        made = self.ledger.bundle(
            mid,
            **{
                "note": self.note,
                "tokens": [
                    Token("tsa", open_note(self.early)[0], self.early_token),
                    Token("tsa", open_note(self.note)[0], self.token),
                ],
                "anchors": [(self.anchor, self.ledger.raw[self.anchor])],
                "since": [self.early],
                "witnesses": [WITNESS.vkey],
                **given,
            },
        )
        found: dict[str, Any] = json.loads(made)
        return found


def make(*outcomes: str, **given: Any) -> Log:
    ledger = MemoryLedger(**given)
    early = ledger.checkpoint()
    early_token = stamp(open_note(early)[0], 0)
    anchor = ledger.append(
        "x.Anchor",
        size=1,
        root=Checkpoint.parse(open_note(early)[0]).root.hex(),
        tokens=[sha256(early_token).hexdigest()],
        witnesses=[],
    )
    for n, outcome in enumerate(outcomes, 1):
        ledger.submission(f"m{n}", outcome)
    note = WITNESS.cosign(ledger.checkpoint(), START_MS // 1000 + 60)
    return Log(ledger, early, early_token, anchor, note, stamp(open_note(note)[0], 60))


LOG = make("delivered", "undelivered")
OTHER = make("undelivered", "delivered", key="other")
TWIN = make("undelivered", "delivered")
POLICY = parse_policy(f"log {LOG.ledger.vkey}\nwitness w {WITNESS.vkey}\nquorum w\n".encode())


def judge(bundle: dict[str, Any], **given: Any) -> Report:
    """Our report; the standalone verifier must say the same to the letter."""
    data = json.dumps(bundle).encode()
    known = {"now_ms": NOW_MS, "policy": POLICY, "stamp_check": trusting(TSA.ca_pem), **given}
    report = verify_bundle(data, **known)
    agree(report, data, **known)
    return report


def test_the_genuine_one_is_valid() -> None:
    report = judge(LOG.bundle(), since=LOG.early)
    assert (report.verdict, report.reason) == ("VALID", None)
    assert (report.not_before_ms, report.not_after_ms) == (START_MS, START_MS + 60_000)


class Attack(NamedTuple):
    change: Callable[[dict[str, Any]], None]
    verdict: str
    step: str


def _stamps(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = bundle["timestamps"][1]
    return found


def _put_token(bundle: dict[str, Any], token: bytes) -> None:
    _stamps(bundle)["token"] = base64.b64encode(token).decode()


def token_of_before(bundle: dict[str, Any]) -> None:
    _put_token(bundle, LOG.early_token)


def token_of_another_log(bundle: dict[str, Any]) -> None:
    bundle["timestamps"] = [OTHER.bundle("m2")["timestamps"][1]]


def token_over_the_signed_note(bundle: dict[str, Any]) -> None:
    _put_token(bundle, stamp(LOG.note, 60))


def token_of_a_stranger(bundle: dict[str, Any]) -> None:
    _put_token(bundle, stamp(open_note(LOG.note)[0], 60, STRANGER))


def token_by(behaviour: Behaviour) -> Callable[[dict[str, Any]], None]:
    def change(bundle: dict[str, Any]) -> None:
        _put_token(bundle, stamp(open_note(LOG.note)[0], 60, behaviour=behaviour))

    return change


def token_from_before_it_happened(bundle: dict[str, Any]) -> None:
    _put_token(bundle, stamp(open_note(LOG.note)[0], -60))


def anchor_after_it_happened(bundle: dict[str, Any]) -> None:
    """A token of an hour later, said to be anchored before the message."""
    late = stamp(open_note(LOG.early)[0], 3600)
    bundle["timestamps"][0]["token"] = base64.b64encode(late).decode()


def token_over_a_past_the_log_never_had(bundle: dict[str, Any]) -> None:
    text = Checkpoint(LOG.ledger.origin, 1, bytes(32)).text()
    bundle["timestamps"][0]["over"] = text
    token = stamp(text, 0)
    bundle["timestamps"][0]["token"] = base64.b64encode(token).decode()


def anchor_of_another_log(bundle: dict[str, Any]) -> None:
    bundle["anchors"] = OTHER.bundle("m2")["anchors"]


def anchor_of_a_twin(bundle: dict[str, Any]) -> None:
    bundle["anchors"] = TWIN.bundle()["anchors"]


def no_stamps(bundle: dict[str, Any]) -> None:
    bundle["timestamps"] = bundle["timestamps"][:1]


def cosignature_of_before(bundle: dict[str, Any]) -> None:
    line = WITNESS.cosign(LOG.early, 5).splitlines()[-1]
    _lines(bundle, line)


def cosignature_at_another_time(bundle: dict[str, Any]) -> None:
    _, lines = open_note(LOG.note)
    body = bytearray(lines[-1].body)
    body[7] ^= 1
    blob = base64.b64encode(lines[-1].key_id + bytes(body)).decode()
    _lines(bundle, f"\u2014 {WITNESS.name} {blob}")


def a_line_by_nobody(bundle: dict[str, Any]) -> None:
    """A line of a key nobody knows, under the witness's name: passed over, and no cosignature."""
    _lines(bundle, f"\u2014 {WITNESS.name} AAAAAAAA")


def no_cosignature(bundle: dict[str, Any]) -> None:
    _lines(bundle, None)


def _lines(bundle: dict[str, Any], line: str | None) -> None:
    text, lines = open_note(LOG.note)
    note = text + "\n" + f"{lines[0]}\n" + (f"{line}\n" if line else "")
    for item in (*bundle["entries"], *bundle["anchors"]):
        item["proof"] = item["proof"].replace(LOG.note, note)


def statement_of_another_message(bundle: dict[str, Any]) -> None:
    bundle["complete"] = LOG.bundle("m2")["complete"]


def statement_of_a_twin_log(bundle: dict[str, Any]) -> None:
    bundle["complete"] = TWIN.bundle()["complete"]


def checkpoint_as_statement(bundle: dict[str, Any]) -> None:
    bundle["complete"] = LOG.note


def the_twins_word(bundle: dict[str, Any]) -> None:
    """The very same message, as a history says that the same key signed as well."""
    bundle.clear()
    bundle.update(TWIN.bundle())
    bundle["since"] = [{"note": LOG.note, "consistency": []}]


def text_of_another_message(bundle: dict[str, Any]) -> None:
    first = str(json.loads(bundle["entries"][0]["entry"])["seq"])
    theirs = LOG.bundle("m2")["disclose"]
    bundle["disclose"][first] = next(iter(theirs.values()))


def claimed_though_redacted(bundle: dict[str, Any]) -> None:
    first = str(json.loads(bundle["entries"][0]["entry"])["seq"])
    shown = bundle["disclose"][first]
    shown["text"] = {"salt": shown["to"]["salt"], "value": "Le debemos 1000 euros"}


def delivered_by_an_operator_who_cannot_know(bundle: dict[str, Any]) -> None:
    bundle["operators"]["movistar"] = bundle["operators"]["relay"]


def an_operator_by_another_name(bundle: dict[str, Any]) -> None:
    bundle["operators"]["movistar"] = {**bundle["operators"]["movistar"], "name": "Correos"}


def another_sender(bundle: dict[str, Any]) -> None:
    bundle["sender"] = bundle["issuer"]


def the_key_of_the_file(bundle: dict[str, Any]) -> None:
    bundle["log"] = OTHER.ledger.vkey


ATTACKS = {
    "an older token of the same log": Attack(token_of_before, "INVALID", "timestamp"),
    "a token of another log's checkpoint": Attack(token_of_another_log, "INVALID", "timestamp"),
    "a token over the note with its signatures": Attack(
        token_over_the_signed_note, "INVALID", "timestamp"
    ),
    "a token of an authority nobody chose": Attack(token_of_a_stranger, "UNANCHORED", "timestamp"),
    "a token of a certificate that is not for time": Attack(
        token_by(Behaviour.NO_EKU), "INVALID", "timestamp"
    ),
    "a token of an expired certificate": Attack(
        token_by(Behaviour.EXPIRED), "INVALID", "timestamp"
    ),
    "a token whose signature is another's": Attack(
        token_by(Behaviour.BAD_SIGNATURE), "INVALID", "timestamp"
    ),
    "a token from before it happened": Attack(token_from_before_it_happened, "INVALID", "time"),
    "a token no anchor names": Attack(anchor_after_it_happened, "VALID", ""),
    "a token over a past that never was": Attack(
        token_over_a_past_the_log_never_had, "INVALID", "timestamp"
    ),
    "an anchor of another log": Attack(anchor_of_another_log, "INVALID", "chain"),
    "an anchor of a second history": Attack(anchor_of_a_twin, "FORK", "since"),
    "no token over the checkpoint": Attack(no_stamps, "UNANCHORED", "timestamp"),
    "a cosignature of an older checkpoint": Attack(cosignature_of_before, "INVALID", "witnesses"),
    "a cosignature of another time": Attack(cosignature_at_another_time, "INVALID", "witnesses"),
    "a line under the witness's name": Attack(a_line_by_nobody, "UNANCHORED", "witnesses"),
    "no cosignature": Attack(no_cosignature, "UNANCHORED", "witnesses"),
    "the statement about another message": Attack(
        statement_of_another_message, "INVALID", "complete"
    ),
    "the statement of a second history": Attack(statement_of_a_twin_log, "INVALID", "complete"),
    "a checkpoint as the statement": Attack(checkpoint_as_statement, "INVALID", "complete"),
    "a second history of the same key": Attack(the_twins_word, "FORK", "since"),
    "the text of another message": Attack(text_of_another_message, "INVALID", "commitments"),
    "a text where it was redacted": Attack(claimed_though_redacted, "INVALID", "commitments"),
    "an operator that means more": Attack(
        delivered_by_an_operator_who_cannot_know, "INVALID", "envelope"
    ),
    "an operator by another name": Attack(an_operator_by_another_name, "INVALID", "envelope"),
    "another sender": Attack(another_sender, "INVALID", "envelope"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_genuine_pieces_in_the_wrong_place(name: str) -> None:
    attack = ATTACKS[name]
    bundle = LOG.bundle(redact=["text"]) if "redacted" in name else LOG.bundle()
    before = copy.deepcopy(bundle)
    attack.change(bundle)
    assert bundle != before
    report = judge(bundle)
    assert (report.verdict, (report.reason or "").split(":")[0]) == (attack.verdict, attack.step)
    if attack.verdict == "VALID":  # what it added proves nothing, and nothing is said of it
        assert report.not_before_ms is None


def test_the_key_a_file_names_does_not_count_beside_the_policys() -> None:
    bundle = LOG.bundle()
    the_key_of_the_file(bundle)
    assert judge(bundle).verdict == "VALID"
    forged = OTHER.bundle("m2")
    assert (judge(forged).reason or "").startswith("checkpoint: the checkpoint is not signed by")


# -- keys that were never introduced -------------------------------------------------------------


def rotated(ledger: MemoryLedger, new: Signer, old: str | None = None) -> int:
    return ledger.append("x.KeyRotate", old=old or ledger.vkey, new=new.vkey)


def test_a_key_introduced_in_a_log_of_ones_own_is_not_believed() -> None:
    """The thief of a database, without its key: history anew, with a key change to theirs."""
    ledger = MemoryLedger(key="thief")
    thief = ledger.signer
    real = Signer.from_seed(ledger.origin, seed("log"))
    at = rotated(ledger, thief, old=real.vkey)
    ledger.submission("m1")
    note = ledger.checkpoint(thief)
    data = json.loads(
        ledger.bundle(
            "m1",
            note=note,
            rotations=[(at, ledger.raw[at], note)],
            tokens=[Token("tsa", open_note(note)[0], stamp(open_note(note)[0], 60))],
        )
    )
    report = judge(data)
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("checkpoint: ")
    # The old key's genuine signature of another checkpoint does not help either.
    honest = make("delivered")
    data["rotations"][0]["proof"] = data["rotations"][0]["proof"].replace(note, honest.note)
    assert judge(data).verdict == "INVALID"


def test_a_key_introduced_in_a_whole_ledger_of_ones_own_is_not_believed() -> None:
    ledger = MemoryLedger(key="thief")
    rotated(ledger, ledger.signer, old=Signer.from_seed(ledger.origin, seed("log")).vkey)
    ledger.submission("m1")
    ledger.checkpoint()
    report = verify_ledger(ledger, now_ms=NOW_MS, policy=POLICY)
    assert report.verdict == "INVALID"
    assert (report.reason or "").startswith("checkpoint: ")


def test_a_checkpoint_signed_in_place_of_another_note_is_none() -> None:
    """The key signs three kinds of text; none can be taken for another."""
    leaves = [bytes.fromhex(leaf) for _, leaf in LOG.ledger.chains["m1"]]
    assert leaves
    statement = LOG.bundle()["complete"]
    bundle = LOG.bundle()
    for item in bundle["entries"]:
        item["proof"] = item["proof"].replace(LOG.note, statement)
    report = judge(bundle)
    assert (report.verdict, (report.reason or "")[:10]) == ("INVALID", "checkpoint")


def test_an_entry_that_is_two_things_to_two_readers_is_none() -> None:
    """Keys twice, numbers in two forms, escapes: one octet string, one meaning."""
    entry = LOG.bundle()["entries"][0]["entry"]
    for other in (
        entry.replace('"v":1', '"v":1.0'),
        entry.replace('"v":1', '"v":1e0'),
        entry.replace('"v":1}', '"v":1,"v":1}'),
        entry.replace('"ev"', '"\\u0065v"'),
        entry[:-1] + ',"z":-0}',
        entry + " ",
    ):
        if other != entry:
            with pytest.raises(Exception, match=r"canonical|integer|JSON"):
                canonical.decode(other.encode())


def test_a_note_signed_for_another_origin_by_the_same_key_is_not_this_logs() -> None:
    text = open_note(LOG.note)[0].replace(LOG.ledger.origin, "sms.example.es/2027a")
    foreign = sign_note(text, LOG.ledger.signer)
    bundle = LOG.bundle()
    for item in (*bundle["entries"], *bundle["anchors"]):
        item["proof"] = item["proof"].replace(LOG.note, foreign)
    report = judge(bundle)
    assert (report.verdict, (report.reason or "").split(":")[0]) == ("INVALID", "place")


# -- whole ledgers, by somebody with the disk and without the key --------------------------------


def audited(ledger: MemoryLedger) -> Report:
    return verify_ledger(ledger, now_ms=NOW_MS, policy=PINNED, stamp_check=trusting(TSA.ca_pem))


PINNED = parse_policy(f"log {LOG.ledger.vkey}\nquorum none\n".encode())
THIEF = Signer.from_seed(LOG.ledger.origin, seed("thief"))


def stamped(ledger: MemoryLedger, note: str, after_s: int) -> None:
    """An anchor of *note* with a genuine token, as anybody may buy one."""
    ledger.now_ms = START_MS + after_s * 1000
    token = stamp(open_note(note)[0], after_s)
    checkpoint = Checkpoint.parse(open_note(note)[0])
    ledger.stamps.setdefault(checkpoint.size, []).append(token)
    ledger.append(
        "x.Anchor",
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        tokens=[sha256(token).hexdigest()],
        witnesses=[],
    )


def test_a_genuine_checkpoint_in_a_forged_ledger_introduces_no_key() -> None:
    """It is signed, but not over these entries; and so it frames nobody with a fork."""
    ledger = MemoryLedger(key="thief")
    genuine = make("delivered").ledger
    rotated(ledger, THIEF, old=genuine.vkey)
    while ledger.size < genuine.size:
        ledger.append("x.Boot", software="acuse test")
    ledger.notes.append(genuine.notes[-1])
    ledger.submission("m1")
    ledger.checkpoint(THIEF)
    report = audited(ledger)
    assert (report.verdict, report.notes) == ("INVALID", ())


def test_a_key_said_to_be_an_older_one_vouches_for_nothing_that_came_later() -> None:
    """A forged end, its checkpoint signed by a key of the thief's that a forged entry calls the
    predecessor of the log's, and a genuine token over that checkpoint."""
    ledger = MemoryLedger()
    ledger.submission("m1")
    stamped(ledger, ledger.checkpoint(), 5)
    assert audited(ledger).verdict == "VALID"
    ledger.signer_state, state = None, ledger.signer_state
    ledger.append("x.KeyRotate", old=THIEF.vkey, new=LOG.ledger.vkey)
    ledger.submission("m2")
    stamped(ledger, ledger.checkpoint(THIEF), 30)
    ledger.signer_state = state
    report = audited(ledger)
    assert (report.verdict, (report.reason or "").split(":")[0]) == ("INVALID", "checkpoint")
