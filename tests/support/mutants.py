"""Bundles of every verdict, and what becomes of them under random changes: food for verifiers.

All of it follows from the seed, so a failure can be repeated.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gateway.errors import DataError
from gateway.evidence.bundle import Token
from gateway.ledger.note import Checkpoint, Signer, open_note, sign_note
from tests.support.ledgers import MemoryLedger, Witness, seed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    Change = Callable[["Case", random.Random, list["Case"]], "Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """What a verifier is given, under a name that says what it should find."""

    name: str
    proof: bytes
    policy: bytes | None
    since: str | None = None
    max_age_s: int | None = None


def log_policy(ledger: MemoryLedger, *rows: str) -> bytes:
    """A policy that pins the log's key; *rows* end with the quorum."""
    return "\n".join([f"log {ledger.vkey}", *(rows or ("quorum none",)), ""]).encode()


def _ledger(outcome: str = "delivered", *, text: str = "Su pedido está listo 😀") -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.submission("before", "undelivered")
    if outcome in {"delivered", "ambiguous"}:
        ledger.accept("m0", text=text)
        ledger.relay("m0")
        several: dict[str, Any] = {} if outcome == "delivered" else {"fits": 2}
        ledger.report("m0", "E.1", stat="DELIVRD", **several)
        ledger.seal("m0", "delivered")
    else:
        ledger.submission("m0", outcome)
    ledger.submission("other", "refused")
    return ledger


def cases(stamp: Callable[[str], bytes]) -> list[Case]:
    """One case at least for each verdict that a bundle can have before anybody changes it."""

    def proof(ledger: MemoryLedger, note: str = "", **given: Any) -> bytes:
        text = open_note(note or ledger.notes[-1])[0]
        tokens = [Token("Example TSA", text, stamp(text))]
        return ledger.bundle("m0", tokens=tokens, note=note or None, **given)

    found = []
    for outcome in ("delivered", "undelivered", "delivered_to_operator", "refused", "unconfirmed"):
        ledger = _ledger(outcome)
        ledger.checkpoint()
        found.append(Case(f"VALID {outcome}", proof(ledger), log_policy(ledger)))
    for verdict, outcome in (("NOT-FINAL", "open"), ("AMBIGUOUS", "ambiguous")):
        ledger = _ledger(outcome)
        ledger.checkpoint()
        found.append(Case(verdict, proof(ledger), log_policy(ledger)))
    ledger = _ledger()
    ledger.append("x.Erased", mid="m0", basis="art. 17")
    ledger.checkpoint()
    found.append(Case("VALID-ERASED", proof(ledger, key=None), log_policy(ledger)))
    ledger = _ledger()
    early = ledger.checkpoint()
    anchor = ledger.append("x.Anchor", size=4, root="", tokens=[], witnesses=[])
    ledger.submission("late")
    late = ledger.checkpoint()
    pinned = log_policy(ledger)
    found += [
        Case("UNANCHORED no policy", proof(ledger), None),
        Case("UNANCHORED no token", ledger.bundle("m0"), pinned),
        Case("UNANCHORED unproven", proof(ledger), pinned, since=early),
        Case("VALID since", proof(ledger, since=[early]), pinned, since=early),
        Case("STALE", proof(ledger, early), pinned, since=late),
        Case("STALE old", proof(ledger), pinned, max_age_s=60),
        Case("VALID anchors", proof(ledger, anchors=[(anchor, ledger.raw[anchor])]), pinned),
    ]
    other = _ledger("undelivered")
    other.checkpoint()
    found.append(Case("FORK", proof(ledger, since=[early]), pinned, since=other.notes[-1]))
    found += [*_witnessed(proof), _rotated(proof)]
    return found


def _witnessed(proof: Callable[..., bytes]) -> Iterator[Case]:
    ledger = _ledger()
    three = [Witness(f"w{n}.example") for n in range(3)]
    rows = [f"witness {n} {witness.vkey}" for n, witness in enumerate(three)]
    policy = log_policy(ledger, *rows, "group g 2 0 1 2", "quorum g")
    note = ledger.checkpoint()
    listed = [witness.vkey for witness in three]
    for signed, witness in enumerate(three):
        note = witness.cosign(note, 1_795_280_410)
        verdict = "VALID" if signed else "UNANCHORED"
        yield Case(f"{verdict} witnesses", proof(ledger, note, witnesses=listed), policy)


def _rotated(proof: Callable[..., bytes]) -> Case:
    ledger = _ledger()
    policy, new = log_policy(ledger), Signer.from_seed(ledger.origin, seed("new"))
    at = ledger.append("x.KeyRotate", old=str(ledger.vkey), new=new.vkey)
    both = ledger.checkpoint(ledger.signer, new)
    ledger.signer = new
    ledger.submission("late")
    ledger.checkpoint()
    return Case("VALID rotated", proof(ledger, rotations=[(at, ledger.raw[at], both)]), policy)


#: The OID that stands before what a token states (RFC 3161, id-ct-TSTInfo).
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")

# --- changes ------------------------------------------------------------------------------------

_LETTERS = 'aA0Z9+/=\n "\\{}[]:,éñ😀\u2014\x00\u202e'
_FORMS: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    1.5,
    "",
    "x",
    [],
    {},
    [[]],
    {"x": {}},
    "0" * 64,
    10**18,
    "\u2014",
)


def mutants(chance: random.Random, given: list[Case], count: int) -> Iterator[Case]:
    """*count* cases, each one of *given* with one to three changes."""
    for number in range(count):
        case = chance.choice(given)
        names = []
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            change = chance.choice(_CHANGES)
            names.append(change.__name__)
            case = change(case, chance, given)
        yield replace(case, name=f"{number} {case.name}: {', '.join(names)}")


def _octet(case: Case, chance: random.Random, _given: list[Case]) -> Case:
    """Any octet of the file becomes any other."""
    at = chance.randrange(len(case.proof))
    octet = bytes([chance.randrange(256)])
    return replace(case, proof=case.proof[:at] + octet + case.proof[at + 1 :])


def _letter(case: Case, chance: random.Random, _given: list[Case]) -> Case:
    """A character of some text in the file is replaced, added, or taken away."""

    def change(text: str) -> str:
        at, length = chance.randrange(len(text) + 1), chance.choice((0, 1, 1))
        return text[:at] + chance.choice((chance.choice(_LETTERS), "")) + text[at + length :]

    return _somewhere(case, chance, lambda value: change(value) if isinstance(value, str) else 7)


def _form(case: Case, chance: random.Random, _given: list[Case]) -> Case:
    """Some part of the file becomes something of another form."""
    return _somewhere(case, chance, lambda _value: chance.choice(_FORMS))


def _order(case: Case, chance: random.Random, _given: list[Case]) -> Case:
    """Two entries change places, or one is left out, or shown twice."""

    def change(bundle: dict[str, Any]) -> None:
        rows = bundle["entries"]
        one, two = chance.randrange(len(rows)), chance.randrange(len(rows))
        kind = chance.randrange(4)
        if kind == 0:
            rows[one], rows[two] = rows[two], rows[one]
        elif kind == 1 and len(rows) > 1:
            del rows[one]
        elif kind == 2:
            rows.insert(two, rows[one])
        else:
            rows[one] = {**rows[one], "proof": rows[two]["proof"]}

    return _in_bundle(case, change)


def _transplant(case: Case, chance: random.Random, given: list[Case]) -> Case:
    """A whole part comes from another proof."""
    donor = json.loads(chance.choice(given).proof)

    def change(bundle: dict[str, Any]) -> None:
        key = chance.choice(sorted(bundle))
        if key in donor:
            bundle[key] = donor[key]
        else:
            del bundle[key]

    return _in_bundle(case, change)


def _token(case: Case, chance: random.Random, _given: list[Case]) -> Case:
    """A bit of what a time stamp states, or of the signature at its end, is another.

    What no signature covers (a certificate sent along that nobody needs) some readers pass over
    and some, as openssl, do not even parse.
    """

    def change(bundle: dict[str, Any]) -> None:
        for item in bundle.get("timestamps") or ():
            der = bytearray(base64.b64decode(item["token"]))
            stated = der.find(_TST_INFO) + len(_TST_INFO)
            start, stop = chance.choice(((stated, stated + 90), (len(der) - 200, len(der))))
            der[chance.randrange(start, stop) % len(der)] ^= 1 << chance.randrange(8)
            item["token"] = base64.b64encode(der).decode()

    return _in_bundle(case, change)


def _checkpoint(case: Case, chance: random.Random, _given: list[Case]) -> Case:
    """The log itself signs another checkpoint: a wrong size, a wrong root, another key."""

    def change(bundle: dict[str, Any]) -> None:
        note = bundle["entries"][0]["proof"].partition("\n\n")[2]
        was = Checkpoint.parse(open_note(note)[0])
        kind = chance.randrange(3)
        text = Checkpoint(
            was.origin, was.size + (kind == 0), bytes(32) if kind == 1 else was.root
        ).text()
        signer = Signer.from_seed(was.origin, seed("log" if kind < 2 else "stranger"))
        for item in bundle["entries"]:
            item["proof"] = item["proof"].replace(note, sign_note(text, signer))

    return _in_bundle(case, change)


def _question(case: Case, chance: random.Random, given: list[Case]) -> Case:
    """The verifier brings something else: another policy, another checkpoint, an age."""
    other = chance.choice(given)
    kind = chance.randrange(3)
    if kind == 0:
        return replace(case, policy=other.policy)
    if kind == 1:
        return replace(case, since=other.since)
    return replace(case, max_age_s=other.max_age_s)


_CHANGES: Sequence[Change] = (
    *(_octet, _letter, _letter, _form, _form, _order, _transplant, _token, _checkpoint),
    _question,
)


def _in_bundle(case: Case, change: Callable[[dict[str, Any]], None]) -> Case:
    try:
        bundle = json.loads(case.proof)
        change(bundle)
    except (ValueError, LookupError, TypeError, AttributeError, DataError):
        return case  # an earlier change left nothing to change
    return replace(case, proof=_text(bundle))


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _somewhere(case: Case, chance: random.Random, change: Callable[[Any], Any]) -> Case:
    """*change* is applied to one part, chosen on the way down from the whole."""

    def descend(bundle: dict[str, Any]) -> None:
        spot: Any = bundle
        while True:
            keys = sorted(spot) if isinstance(spot, dict) else range(len(spot))
            key = chance.choice(list(keys))
            inner = spot[key]
            if not isinstance(inner, dict | list) or not inner or chance.random() < 0.05:
                spot[key] = change(inner)
                return
            spot = inner

    return _in_bundle(case, descend)
