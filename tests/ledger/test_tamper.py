"""What somebody may try with a bundle, and that two verifiers written apart both see it.

Each alteration is tried at random places; hypothesis prints the example it fails with, and
`--hypothesis-seed` repeats a run.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ledger import canonical
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import open_note, sign_note
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.proof import complete_text
from gateway.ledger.verify import verify_bundle
from tests.support import standalone
from tests.support.ledgers import MemoryLedger, seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ledger.report import Report


def make(*, late: bool = False, text: str = "Su pedido está listo") -> MemoryLedger:
    """A busy log; `m1` has two segments, a duplicate after its seal, and maybe a late receipt."""
    ledger = MemoryLedger()
    for n in range(5):
        ledger.submission(f"other{n}", "undelivered")
    ledger.accept("m1", text=text, segments=2)
    ledger.submission("between")
    ledger.relay("m1", parts=2)
    ledger.report("m1", "x.CarrierReport", stat="DELIVRD")
    ledger.report("m1", "E.1", stat="DELIVRD")
    ledger.seal("m1", "delivered")
    ledger.submission("twin")
    ledger.append("x.Duplicate", mid="m1", of=1)
    if late:
        seal = next(seq for seq, _ in ledger.chains["m1"] if b'"S.1"' in ledger.raw[seq])
        ledger.append("x.Reopened", mid="m1", of=seal)
        ledger.report("m1", "E.2", stat="UNDELIV", reason="undelivered")
        ledger.seal("m1", "undelivered")
    ledger.checkpoint()
    return ledger


LEDGER = make()
BUNDLE: dict[str, Any] = json.loads(LEDGER.bundle("m1"))
TWIN: dict[str, Any] = json.loads(LEDGER.bundle("twin"))
POLICY = parse_policy(f"log {LEDGER.vkey}\nquorum none\n".encode())
COUNT = len(BUNDLE["entries"])
places = st.integers(0, COUNT - 1)


def judge(bundle: dict[str, Any]) -> Report:
    """Our report; the second verifier must come to the same conclusion."""
    text = json.dumps(bundle, ensure_ascii=False)
    report = verify_bundle(text.encode(), now_ms=LEDGER.now_ms, policy=POLICY)
    agree(text, report)
    return report


def agree(text: str, report: Report, ledger: MemoryLedger = LEDGER) -> None:
    """The standalone verifier says the same of *text*, to the letter, with the key pinned."""
    pinned = f"log {ledger.vkey}\nquorum none\n".encode()
    standalone.agree(report, text.encode(), policy=pinned, now_ms=ledger.now_ms)


def refused(bundle: dict[str, Any], *steps: str) -> Report:
    """INVALID, in both opinions, for one of these reasons."""
    report = judge(bundle)
    assert report.verdict == "INVALID"
    assert (report.reason or "").split(":")[0] in steps, report
    assert dict(report.checks)[(report.reason or "").split(":")[0]] is False
    return report


def altered(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    bundle = copy.deepcopy(BUNDLE)
    change(bundle)
    assert bundle != BUNDLE
    return bundle


def seq_of(place: int) -> int:
    return LEDGER.chains["m1"][place][0]


def test_the_bundle_itself_holds_in_both_opinions() -> None:
    for bundle in (BUNDLE, TWIN):
        assert judge(bundle).verdict == "UNANCHORED"


# -- bytes ---------------------------------------------------------------------------------------


@given(places, st.data())
@settings(deadline=None, max_examples=40)
def test_a_changed_character_of_an_entry(place: int, data: st.DataObject) -> None:
    entry = BUNDLE["entries"][place]["entry"]
    at = data.draw(st.integers(0, len(entry) - 1))
    new = data.draw(st.characters(exclude_characters=entry[at], exclude_categories=["Cs"]))
    bundle = copy.deepcopy(BUNDLE)
    bundle["entries"][place]["entry"] = entry[:at] + new + entry[at + 1 :]
    report = refused(bundle, "canonical", "inclusion")
    assert report.seq == seq_of(place)


@given(places, st.data())
@settings(deadline=None, max_examples=60)
def test_a_changed_character_of_a_proof_or_its_checkpoint(place: int, data: st.DataObject) -> None:
    proof = BUNDLE["entries"][place]["proof"]
    at = data.draw(st.integers(0, len(proof) - 1))
    new = data.draw(
        st.characters(min_codepoint=32, max_codepoint=0x2015, exclude_characters=proof[at])
    )
    bundle = copy.deepcopy(BUNDLE)
    bundle["entries"][place]["proof"] = proof[:at] + new + proof[at + 1 :]
    refused(bundle, "inclusion", "checkpoint", "place")


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_changed_character_of_the_checkpoint_in_every_proof(data: st.DataObject) -> None:
    note = LEDGER.notes[0]
    at = data.draw(st.integers(0, len(note) - 1))
    new = data.draw(
        st.characters(min_codepoint=32, max_codepoint=0x2015, exclude_characters=note[at])
    )
    changed = note[:at] + new + note[at + 1 :]
    bundle = copy.deepcopy(BUNDLE)
    for item in bundle["entries"]:
        item["proof"] = item["proof"].replace(note, changed)
    refused(bundle, "inclusion", "checkpoint", "place")


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_a_changed_character_of_the_complete_note(data: st.DataObject) -> None:
    note = BUNDLE["complete"]
    at = data.draw(st.integers(0, len(note) - 1))
    new = data.draw(
        st.characters(min_codepoint=32, max_codepoint=0x2015, exclude_characters=note[at])
    )
    refused({**BUNDLE, "complete": note[:at] + new + note[at + 1 :]}, "complete")


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_a_changed_character_of_what_is_disclosed(data: st.DataObject) -> None:
    bundle = copy.deepcopy(BUNDLE)
    seq = data.draw(st.sampled_from(sorted(bundle["disclose"])))
    name = data.draw(st.sampled_from(sorted(bundle["disclose"][seq])))
    item = bundle["disclose"][seq][name]
    key = data.draw(st.sampled_from(sorted(item)))
    at = data.draw(st.integers(0, len(item[key]) - 1))
    new = data.draw(st.characters(exclude_characters=item[key][at], exclude_categories=["Cs"]))
    item[key] = item[key][:at] + new + item[key][at + 1 :]
    report = refused(bundle, "commitments")
    assert report.seq == int(seq)


# -- what is disclosed ---------------------------------------------------------------------------

FIRST = str(seq_of(0))
SECOND = str(seq_of(1))


def swap_fields(bundle: dict[str, Any]) -> None:
    shown = bundle["disclose"][FIRST]
    shown["to"], shown["from"] = shown["from"], shown["to"]


def swap_entries(bundle: dict[str, Any]) -> None:
    shown = bundle["disclose"]
    shown[FIRST], shown[SECOND] = shown[SECOND], shown[FIRST]


def take_anothers(bundle: dict[str, Any]) -> None:
    bundle["disclose"][FIRST]["text"] = next(
        fields["text"] for fields in TWIN["disclose"].values() if "text" in fields
    )


def show_a_stranger(bundle: dict[str, Any]) -> None:
    bundle["disclose"].update(TWIN["disclose"])


def show_nowhere(bundle: dict[str, Any]) -> None:
    bundle["disclose"]["x"] = {}
    bundle["disclose"]["x"]["to"] = bundle["disclose"][FIRST]["to"]


def invent_a_field(bundle: dict[str, Any]) -> None:
    bundle["disclose"][FIRST]["note"] = {"salt": "00" * 32, "value": "pagado"}


def disclose_for_a_seal(bundle: dict[str, Any]) -> None:
    bundle["disclose"][str(seq_of(4))] = {"to": bundle["disclose"][FIRST]["to"]}


def both_forms(bundle: dict[str, Any]) -> None:
    item = bundle["disclose"][FIRST]["to"]
    item["value_hex"] = item["value"].encode().hex()


def no_form(bundle: dict[str, Any]) -> None:
    del bundle["disclose"][FIRST]["to"]["value"]


def upper_hex(bundle: dict[str, Any]) -> None:
    item = bundle["disclose"][SECOND]["submit.1"]
    item["value_hex"] = item["value_hex"].upper()


def upper_salt(bundle: dict[str, Any]) -> None:
    item = bundle["disclose"][FIRST]["to"]
    item["salt"] = item["salt"].upper()


def short_salt(bundle: dict[str, Any]) -> None:
    item = bundle["disclose"][FIRST]["to"]
    item["salt"], item["value"] = item["salt"][:-2], "x" + item["value"]


def odd_types(bundle: dict[str, Any]) -> None:
    bundle["disclose"][FIRST] = {"to": 7, "from": {"salt": 7}, "text": {"salt": "00" * 32}}


def value_no_text(bundle: dict[str, Any]) -> None:
    bundle["disclose"][FIRST]["to"]["value"] = 34600111222


def value_surrogate(bundle: dict[str, Any]) -> None:
    bundle["disclose"][FIRST]["to"]["value"] = "\ud800"


def as_hex(bundle: dict[str, Any]) -> None:
    bundle["disclose"][FIRST]["to"]["value_hex"] = "zz"
    del bundle["disclose"][FIRST]["to"]["value"]


@pytest.mark.parametrize(
    "change",
    [
        swap_fields,
        swap_entries,
        take_anothers,
        show_a_stranger,
        show_nowhere,
        invent_a_field,
        disclose_for_a_seal,
        both_forms,
        no_form,
        upper_hex,
        upper_salt,
        short_salt,
        odd_types,
        value_no_text,
        as_hex,
    ],
)
def test_disclosing_what_was_not_sealed(change: Callable[[dict[str, Any]], None]) -> None:
    refused(altered(change), "commitments")


def test_disclosing_what_has_no_utf_8_form() -> None:
    bundle = altered(value_surrogate)
    report = verify_bundle(json.dumps(bundle).encode(), now_ms=0, policy=POLICY)
    assert (report.reason or "").startswith("commitments: ")
    assert standalone.judge(json.dumps(bundle), str(LEDGER.vkey))[0] == 1


def test_even_an_empty_value_has_one_form() -> None:
    ledger = MemoryLedger()
    ledger.accept("m1", text="")
    found = json.loads(ledger.bundle("m1"))
    assert judge_at(ledger, found)[0] == "UNANCHORED"
    found["disclose"]["1"]["text"]["value_hex"] = ""
    assert (verify_bundle(json.dumps(found).encode(), now_ms=0).reason or "")[:12] == "commitments:"
    assert standalone.judge(json.dumps(found), str(ledger.vkey))[0] == 1


@given(st.data())
@settings(deadline=None, max_examples=15)
def test_leaving_out_what_could_be_disclosed_keeps_the_rest_consistent(
    data: st.DataObject,
) -> None:
    bundle = copy.deepcopy(BUNDLE)
    for fields in bundle["disclose"].values():
        for name in data.draw(st.sets(st.sampled_from(sorted(fields)))):
            del fields[name]
    assert judge(bundle).verdict == "UNANCHORED"


# -- whole entries -------------------------------------------------------------------------------


@given(places)
@settings(deadline=None, max_examples=10)
def test_an_entry_left_out(place: int) -> None:
    def leave_out(bundle: dict[str, Any]) -> None:
        seq = str(LEDGER.chains["m1"][place][0])
        del bundle["entries"][place]
        bundle["disclose"].pop(seq, None)

    refused(altered(leave_out), "links", "complete")


@given(places)
@settings(deadline=None, max_examples=10)
def test_an_entry_shown_twice(place: int) -> None:
    def twice(bundle: dict[str, Any]) -> None:
        bundle["entries"].insert(place, bundle["entries"][place])

    refused(altered(twice), "links")


@given(places, places)
@settings(deadline=None, max_examples=10)
def test_entries_in_another_order(first: int, second: int) -> None:
    if first == second:
        return

    def exchange(bundle: dict[str, Any]) -> None:
        rows = bundle["entries"]
        rows[first], rows[second] = rows[second], rows[first]

    refused(altered(exchange), "links")


@given(places, places)
@settings(deadline=None, max_examples=10)
def test_an_entry_under_the_proof_of_another(first: int, second: int) -> None:
    if first == second:
        return

    def exchange(bundle: dict[str, Any]) -> None:
        bundle["entries"][first]["proof"] = BUNDLE["entries"][second]["proof"]

    refused(altered(exchange), "inclusion")


@given(places, st.integers(0, 3))
@settings(deadline=None, max_examples=10)
def test_an_entry_of_another_submission(place: int, other: int) -> None:
    def put(bundle: dict[str, Any]) -> None:
        bundle["entries"].insert(place, TWIN["entries"][other])

    refused(altered(put), "links")


def test_another_submissions_bundle_under_this_name() -> None:
    refused({**TWIN, "submission_id": "m1"}, "links")
    refused({**BUNDLE, "submission_id": "twin"}, "links")


def test_an_entry_written_by_somebody_else() -> None:
    entry = canonical.decode(BUNDLE["entries"][3]["entry"].encode())
    forged = copy.deepcopy(BUNDLE)
    forged["entries"][3]["entry"] = canonical.encode({**entry, "stat": "UNDELIV"}).decode()
    assert refused(forged, "inclusion").seq == seq_of(3)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"v": 2}, "place"),
        ({"v": True}, "place"),
        ({"log": "other.example/1"}, "place"),
        ({"seq": 3}, "place"),
        ({"seq": None}, "place"),
        ({"ev": 7}, "place"),
        ({"prev": "00"}, "chain"),
        ({"prev": "0" * 64}, "chain"),
        ({"prev": 7}, "chain"),
        ({"t": "yesterday"}, "time"),
        ({"t": "2020-01-01T00:00:00.000Z"}, "time"),
        ({"mid": "m2"}, "links"),
        ({"mid": None}, "links"),
        ({"issuer": "00" * 32}, "envelope"),
        ({"sender": None}, "envelope"),
    ],
)
def test_a_log_that_signs_nonsense_is_not_believed(change: dict[str, Any], step: str) -> None:
    ledger = MemoryLedger()
    ledger.accept("zero")
    seq = ledger.accept("m1")
    ledger = rebuilt(ledger, seq, {**canonical.decode(ledger.raw[seq]), **change})
    policy = parse_policy(f"log {ledger.vkey}\nquorum none\n".encode())
    found = json.loads(ledger.bundle("m1", contents={}))
    if step == "time":
        found["anchors"] = json.loads(ledger.bundle("zero"))["entries"]
    report = verify_bundle(json.dumps(found).encode(), now_ms=0, policy=policy)
    assert report.verdict == "INVALID"
    assert dict(report.checks)[step] is False


def rebuilt(ledger: MemoryLedger, seq: int, body: dict[str, Any]) -> MemoryLedger:
    """The same log with another entry at *seq*; signed, though nothing follows from it."""
    again = MemoryLedger(genesis=False)
    for n, raw in enumerate(ledger.raw):
        again.raw.append(canonical.encode(body) if n == seq else raw)
        for level, index, hashes in again.tree.append(leaf_hash(again.raw[-1])):
            again.tiles[level, index] = hashes
    again.chains = {
        mid: [(at, leaf_hash(again.raw[at]).hex()) for at, _ in chain]
        for mid, chain in ledger.chains.items()
    }
    again.contents = ledger.contents
    return again


def test_neighbours_that_do_not_name_each_other() -> None:
    ledger = MemoryLedger()
    ledger.accept("m1")
    ledger.previous = "12" * 32
    ledger.relay("m1")
    policy = parse_policy(f"log {ledger.vkey}\nquorum none\n".encode())
    data = ledger.bundle("m1")
    report = verify_bundle(data, now_ms=0, policy=policy)
    assert (report.verdict, report.seq) == ("INVALID", 2)
    assert report.reason == "chain: entry 2 does not follow entry 1"
    assert standalone.judge(data.decode(), str(ledger.vkey))[0] == 1


# -- what the log keeps back ---------------------------------------------------------------------


def test_a_late_receipt_kept_back() -> None:
    late = make(late=True)
    full = json.loads(late.bundle("m1"))
    assert judge_at(late, full) == ("UNANCHORED", "undelivered")
    hidden = copy.deepcopy(full)
    del hidden["entries"][-3:]
    for seq in set(hidden["disclose"]) - {str(seq) for seq, _ in late.chains["m1"][:-3]}:
        del hidden["disclose"][seq]
    report = verify_bundle(json.dumps(hidden).encode(), now_ms=0)
    assert (report.verdict, (report.reason or "")[:9]) == ("INVALID", "complete:")
    assert standalone.judge(json.dumps(hidden), str(late.vkey))[0] == 1
    del hidden["complete"]
    report = verify_bundle(json.dumps(hidden).encode(), now_ms=0)
    assert report.state == "delivered"
    assert report.verdict == "UNANCHORED"


def judge_at(ledger: MemoryLedger, bundle: dict[str, Any]) -> tuple[str, str | None]:
    report = verify_bundle(json.dumps(bundle).encode(), now_ms=0)
    assert standalone.judge(json.dumps(bundle), str(ledger.vkey))[0] == 4
    return report.verdict, report.state


def test_a_statement_of_completeness_for_something_else() -> None:
    leaves = [bytes.fromhex(leaf) for _, leaf in LEDGER.chains["m1"]]
    size = LEDGER.size
    for text in (
        complete_text(LEDGER.origin, "twin", size, leaves),
        complete_text(LEDGER.origin, "m1", size - 1, leaves),
        complete_text(LEDGER.origin, "m1", size, leaves[:-1]),
        complete_text("other.example/1", "m1", size, leaves),
        open_note(LEDGER.notes[0])[0],
    ):
        refused({**BUNDLE, "complete": sign_note(text, LEDGER.signer)}, "complete")
    refused({**BUNDLE, "complete": TWIN["complete"]}, "complete")
    refused({**BUNDLE, "complete": "nothing is hidden"}, "complete")
    stranger = MemoryLedger(key="stranger").signer
    honest = complete_text(LEDGER.origin, "m1", size, leaves)
    refused({**BUNDLE, "complete": sign_note(honest, stranger)}, "complete")


# -- the envelope and the checkpoint -------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": {**BUNDLE["issuer"], "legal_name": "Otra SL"}},
        {"issuer": None},
        {"sender": {**BUNDLE["sender"], "extra": "x"}},
        {"sender": {**BUNDLE["sender"], "legal_name": float("inf")}},
        {"operators": {}},
        {"operators": {"movistar": {"receipt_means": "smsc", "receipt_utc_offset": "+01:00"}}},
        {"operators": {"movistar": "handset"}},
    ],
)
def test_parties_that_are_not_those_sealed(change: dict[str, Any]) -> None:
    bundle = {**BUNDLE, **change}
    text = json.dumps(bundle).replace("Infinity", "1e999")
    report = verify_bundle(text.encode(), now_ms=0, policy=POLICY)
    assert (report.verdict, (report.reason or "")[:9]) == ("INVALID", "envelope:")
    assert standalone.judge(text, str(LEDGER.vkey))[0] == 1


def test_delivered_must_mean_the_handset() -> None:
    ledger = MemoryLedger()
    ledger.accept("m1")
    ledger.relay("m1", operator="relay")
    ledger.report("m1", "E.1", stat="DELIVRD", operator="relay")
    ledger.seal("m1", "delivered")
    report = verify_bundle(ledger.bundle("m1"), now_ms=0)
    assert (report.verdict, report.seq) == ("INVALID", 3)
    assert (report.reason or "").startswith("envelope: entry 3 claims more")


def test_an_operator_event_must_say_whose() -> None:
    ledger = MemoryLedger()
    ledger.accept("m1")
    ledger.append("F.1", mid="m1", operator=7, profile=7)
    report = verify_bundle(ledger.bundle("m1"), now_ms=0)
    assert (report.reason or "").startswith("envelope: the operator of entry 2")


def test_the_checkpoint_of_another_log() -> None:
    other = MemoryLedger("other.example/1")
    other.submission("x")
    bundle = copy.deepcopy(BUNDLE)
    for item in bundle["entries"]:
        item["proof"] = item["proof"].replace(LEDGER.notes[0], other.checkpoint())
    refused(bundle, "inclusion")


def test_the_same_log_signed_by_somebody_else() -> None:
    copied = MemoryLedger(key="forger")
    for raw in LEDGER.raw[1:]:
        copied.raw.append(raw)
    note = sign_note(open_note(LEDGER.notes[0])[0], copied.signer)
    bundle = copy.deepcopy(BUNDLE)
    for item in bundle["entries"]:
        item["proof"] = item["proof"].replace(LEDGER.notes[0], note)
    refused(bundle, "checkpoint")


def test_proofs_of_different_checkpoints_of_one_log() -> None:
    ledger = make()
    early = ledger.notes[0]
    ledger.accept("later")
    late = json.loads(ledger.bundle("m1", note=ledger.checkpoint()))
    mixed = {**late, "entries": [*late["entries"][:-1], BUNDLE["entries"][-1]]}
    assert early == LEDGER.notes[0]
    refused(mixed, "checkpoint")


def test_a_seal_that_lies() -> None:
    for state, events in (("delivered", None), ("undelivered", [])):
        ledger = MemoryLedger()
        ledger.accept("m1")
        ledger.relay("m1")
        ledger.report("m1", "E.2", stat="UNDELIV")
        ledger.seal("m1", state, **({} if events is None else {"events": events}))
        report = verify_bundle(ledger.bundle("m1"), now_ms=0)
        assert (report.verdict, (report.reason or "")[:9]) == ("INVALID", "complete:")
        assert report.seq == 4


# -- anything at all -----------------------------------------------------------------------------

FORMS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 7, "", "x", [], {}, [[]], {"x": {}}, "\u2014", -1, "0" * 64]
)


@given(st.data(), FORMS)
@settings(deadline=None, max_examples=120)
def test_any_part_replaced_by_anything_never_ends_in_a_traceback(
    data: st.DataObject, form: Any
) -> None:
    bundle = copy.deepcopy(BUNDLE)
    bundle["since"] = [{"note": LEDGER.notes[0], "consistency": []}]
    bundle["timestamps"] = [
        {"tsa": "t", "over": open_note(LEDGER.notes[0])[0], "token": "", "consistency": []}
    ]
    spot: Any = bundle
    while True:
        keys = sorted(spot) if isinstance(spot, dict) else list(range(len(spot)))
        key = data.draw(st.sampled_from(keys))
        inner = spot[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            spot[key] = form
            break
        spot = inner
    text = json.dumps(bundle).encode()
    if bundle["format"] == "acuse-proof/v1":
        report = verify_bundle(text, now_ms=0, policy=POLICY)
        agree(text.decode(), report)
        assert report.verdict in {"INVALID", "UNANCHORED"}
        assert report.explain()


@given(st.data(), FORMS)
@settings(deadline=None, max_examples=80)
def test_a_log_that_signs_any_entry_at_all_never_ends_in_a_traceback(
    data: st.DataObject, form: Any
) -> None:
    ledger = make()
    place = data.draw(places)
    seq = ledger.chains["m1"][place][0]
    body = canonical.decode(ledger.raw[seq])
    body[data.draw(st.sampled_from(sorted(body)))] = form
    again = rebuilt(ledger, seq, body)
    found = again.bundle("m1", key=seed("m1"))
    report = verify_bundle(found, now_ms=0)
    standalone.agree(report, found)
    assert report.verdict in {"INVALID", "UNANCHORED"}


def test_base64_that_means_the_same_in_other_letters() -> None:
    proof = BUNDLE["entries"][0]["proof"]
    row = proof.split("\n")[2]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = row[:-2] + letters[letters.index(row[-2]) ^ 1] + "="
    assert base64.b64decode(other) == base64.b64decode(row)

    def change(bundle: dict[str, Any]) -> None:
        bundle["entries"][0]["proof"] = proof.replace(row, other)

    refused(altered(change), "inclusion")
