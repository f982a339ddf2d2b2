"""The registry of consents: what is recorded, what stands, and what each entry proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from gateway.daemon.consents import REQUEST_MS, Consents
from gateway.daemon.lists import Lists
from gateway.daemon.optouts import Optouts
from gateway.daemon.reading import SubmissionReader
from gateway.daemon.sealer import Sealer
from gateway.errors import AnswerIsNo, DataError
from gateway.evidence.permits import PersonRecords
from gateway.evidence.vault import PERSON_KEY, Vault
from gateway.ledger import canonical
from gateway.ledger.entry import salted
from gateway.ledger.lists import verify_row
from gateway.ledger.reader import Reader
from gateway.ledger.store import Store
from gateway.policy.loader import load_rulebook
from gateway.settings.parties import Brand

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_255_200_000
ANNA, BERTA = "+34600111222", "+34600111223"
HOUR = 3_600_000


@dataclass
class Registry:
    """The parts that keep permissions, on a store of their own."""

    store: Store
    vault: Vault
    consents: Consents
    optouts: Optouts
    lists: Lists

    @classmethod
    def make(cls, directory: Path) -> Registry:
        vault = Vault(directory / "keys")
        vault.make(PERSON_KEY)
        store = Store.open(directory / "ledger.db", "sms.example.es/1", now_ms=NOW)
        sealer = Sealer(store)
        consents = Consents(store, vault, sealer)
        brands = {name: Brand(name=name) for name in ("acme", "other")}
        reader = SubmissionReader(brands, load_rulebook().numbering)
        lists = Lists(store, vault, sealer, reader)
        return cls(store, vault, consents, Optouts(store, vault, sealer, consents), lists)

    def commit(self) -> None:
        if self.store.flush():
            self.store.commit()

    def grant(self, number: str = ANNA, purpose: str = "marketing", **more: Any) -> Any:
        given: dict[str, Any] = {"text": None, "source": None, "at_ms": None, "now_ms": NOW}
        method = more.pop("method", "single")
        brand = more.pop("brand", "acme")
        return self.consents.grant(number, brand, purpose, method, **(given | more))

    def standing(self, number: str = ANNA, brand: str = "acme") -> list[tuple[str, str]]:
        found = self.consents.of(self.consents.person(number), brand)
        return [(each.purpose, each.method) for each in found if each.withdrawn_at is None]

    def records(self) -> PersonRecords:
        self.commit()
        return PersonRecords(Reader(self.store.path), self.vault)

    def entries(self, *events: str) -> list[dict[str, Any]]:
        self.commit()
        reader = Reader(self.store.path)
        found = [canonical.decode(raw) for raw in reader.entries(0, reader.size)]
        return [entry for entry in found if entry["ev"] in events]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.make(tmp_path)


def assert_discloses(proof: dict[str, Any], **values: str) -> None:
    """Each value with its salt is what the entry commits to, and there is no other."""
    commits = canonical.decode(proof["entry"].encode())["commit"]
    assert {name: each["value"] for name, each in proof["disclose"].items()} == values
    for name, each in proof["disclose"].items():
        found = salted(bytes.fromhex(each["salt"]), name, each["value"].encode())
        assert found.hex() == commits[name]


# -- granting --------------------------------------------------------------------------------------


def test_a_consent_is_an_entry_without_names_and_a_row_with_its_evidence(
    registry: Registry,
) -> None:
    row, known = registry.grant(
        text="Quiero ofertas", source="form 117", actor="ana", evidence={"locale": "es-ES"}
    )
    assert not known
    assert registry.standing() == [("marketing", "single")]
    (entry,) = registry.entries("x.Consent")
    assert {key: entry[key] for key in ("brand", "purpose", "method", "act", "by")} == {
        "brand": "acme",
        "purpose": "marketing",
        "method": "single",
        "act": "grant",
        "by": "ana",
    }
    assert set(entry["commit"]) == {"to", "text", "evidence"}
    assert "600111222" not in str(entry)
    assert "ofertas" not in str(entry)
    shown = registry.records().consent({"to": ANNA})["consents"][0]
    assert (shown["to"], shown["text"], shown["source"]) == (ANNA, "Quiero ofertas", "form 117")
    assert (shown["actor"], shown["evidence"]) == ("ana", {"locale": "es-ES"})
    assert shown["text_sha256"] == row.text_hash.hex()
    evidence = '{"locale":"es-ES","source":"form 117"}'
    assert_discloses(shown["proofs"][0], to=ANNA, text="Quiero ofertas", evidence=evidence)


def test_nothing_of_a_person_stands_in_the_file_in_clear(registry: Registry) -> None:
    registry.grant(text="Quiero ofertas", source="llamada de +34600111222")
    registry.consents.request(BERTA, "acme", "cart", text="Carritos", source="web", now_ms=NOW)
    rows = [{"to": "+34600111224", "source": "lista azul", "purpose": "cart", "method": "single"}]
    registry.lists.take_consents({"rows": [{**rows[0], "brand": "acme"}]}, "ana", NOW)
    registry.commit()
    registry.store.close()
    content = registry.store.path.read_bytes()
    for secret in ("60011122", "ofertas", "llamada", "Carritos", "lista azul"):
        assert secret.encode() not in content


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"purpose": "anything"}, "purpose"),
        ({"method": "triple"}, "method"),
        ({"at_ms": NOW + 1}, "at"),
        ({"at_ms": 946_684_799_999}, "at"),
        ({"text": "x" * 4001}, "text"),
        ({"source": "x" * 201}, "source"),
        ({"evidence": {"url": "x" * 2001}}, "url"),
        ({"evidence": {"shoe_size": "43"}}, "shoe_size"),
    ],
)
def test_what_no_consent_can_be_is_refused_by_field_and_leaves_no_trace(
    registry: Registry, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(DataError) as error:
        registry.grant(**given)
    assert error.value.fields["field"] == field
    assert error.value.hint
    assert not registry.store.flush()


def test_a_consent_of_long_ago_counts_and_the_same_again_is_known(registry: Registry) -> None:
    long_ago = 946_684_800_000
    registry.grant(at_ms=long_ago, method="double", source="paper")
    assert registry.grant(at_ms=long_ago, method="double", source="paper")[1]
    registry.commit()
    assert registry.grant(at_ms=long_ago, method="double", source="paper")[1]
    assert not registry.grant(at_ms=long_ago, method="double", source="paper", text="Sí")[1]
    assert len(registry.entries("x.Consent")) == 2


def test_a_consent_is_to_one_brand_and_one_purpose(registry: Registry) -> None:
    registry.grant(purpose="cart")
    assert registry.standing() == [("cart", "single")]
    assert registry.standing(brand="other") == []
    assert registry.standing(BERTA) == []


# -- double opt-in ---------------------------------------------------------------------------------


def test_a_request_is_no_consent_and_its_answer_makes_it_a_confirmed_one(
    registry: Registry,
) -> None:
    consents, person = registry.consents, registry.consents.person(ANNA)
    asked = consents.request(
        ANNA, "acme", "cart", text="¿Recordatorios?", source="web", now_ms=NOW, actor="ana"
    )
    assert registry.standing() == []
    assert [row.id for row in consents.pending(person, NOW)] == [asked.id]
    registry.commit()
    row = consents.confirm(person, "acme", "cart", answer="SI", now_ms=NOW + HOUR)
    assert (row.method, row.request, row.granted_ms) == ("double", asked.id, NOW + HOUR)
    assert registry.standing() == [("cart", "double")]
    assert consents.pending(person, NOW + HOUR) == []
    request, confirmation = registry.entries("x.Consent")
    assert (request["act"], confirmation["act"]) == ("request", "confirm")
    assert request["expires"] == "2026-11-22T10:00:00.000Z"
    assert confirmation["of"] == [request["seq"]]
    shown = registry.records().consent({"to": ANNA})
    assert shown["consents"][0]["answer"] == "SI"
    assert shown["consents"][0]["text"] == "¿Recordatorios?"
    assert shown["requests"][0]["closed_at"] is not None
    with pytest.raises(AnswerIsNo):
        consents.confirm(person, "acme", "cart", answer="SI", now_ms=NOW + HOUR)


def test_an_answer_counts_for_a_day_to_the_millisecond(registry: Registry) -> None:
    consents, person = registry.consents, registry.consents.person(ANNA)
    consents.request(ANNA, "acme", "marketing", text=None, source=None, now_ms=NOW)
    assert len(consents.pending(person, NOW + REQUEST_MS - 1)) == 1
    assert consents.pending(person, NOW + REQUEST_MS) == []
    with pytest.raises(AnswerIsNo, match="nothing waits"):
        consents.confirm(person, "acme", "marketing", answer="SI", now_ms=NOW + REQUEST_MS)
    with pytest.raises(AnswerIsNo):
        consents.confirm(person, "acme", "cart", answer="SI", now_ms=NOW)


def test_a_new_request_takes_the_older_one_back_but_not_that_of_another_purpose(
    registry: Registry,
) -> None:
    consents, person = registry.consents, registry.consents.person(ANNA)
    first = consents.request(ANNA, "acme", "cart", text="uno", source=None, now_ms=NOW)
    other = consents.request(ANNA, "acme", "marketing", text="dos", source=None, now_ms=NOW)
    again = consents.request(ANNA, "acme", "cart", text="tres", source=None, now_ms=NOW)
    assert [row.id for row in consents.pending(person, NOW)] == [other.id, again.id]
    assert first.closed_ms == NOW
    assert consents.opened(again) == (ANNA, {"text": "tres"})


# -- withdrawing -----------------------------------------------------------------------------------


def test_a_withdrawal_ends_every_consent_for_the_purpose_and_is_proven(registry: Registry) -> None:
    registry.grant(at_ms=NOW - HOUR)
    registry.grant(at_ms=NOW, method="double", source="call")
    registry.grant(purpose="cart")
    registry.grant(brand="other")
    registry.commit()
    rows = registry.consents.withdraw(
        ANNA, "acme", "marketing", source="letter of 21 November", now_ms=NOW + HOUR, actor="ana"
    )
    assert len(rows) == 2
    assert registry.standing() == [("cart", "single")]
    assert registry.standing(brand="other") == [("marketing", "single")]
    entry = registry.entries("x.Consent")[-1]
    assert (entry["act"], entry["method"], entry["purpose"]) == (
        *("withdraw", "withdrawn", "marketing"),
    )
    assert entry["of"] == [row.seq for row in rows]
    shown = registry.records().consent({"to": ANNA, "brand": "acme"})["consents"]
    assert [each["withdrawal"] for each in shown] == [None, "letter of 21 November", None]
    evidence = '{"source":"letter of 21 November"}'
    assert_discloses(shown[1]["proofs"][1], to=ANNA, evidence=evidence)


def test_withdrawing_all_takes_requests_back_and_nothing_twice(registry: Registry) -> None:
    registry.grant()
    registry.grant(purpose="cart", brand="other")
    registry.consents.request(ANNA, "acme", "cart", text=None, source=None, now_ms=NOW)
    registry.consents.withdraw(ANNA, "", "all", source=None, now_ms=NOW)
    assert registry.standing() == registry.standing(brand="other") == []
    assert registry.consents.pending(registry.consents.person(ANNA), NOW) == []
    concerned = [
        (entry["brand"], entry["purpose"], len(entry["of"]))
        for entry in registry.entries("x.Consent")
        if entry["act"] == "withdraw"
    ]
    assert concerned == [("acme", "cart", 0), ("acme", "marketing", 1), ("other", "cart", 1)]
    with pytest.raises(AnswerIsNo, match="no consent to withdraw"):
        registry.consents.withdraw(ANNA, "", "all", source=None, now_ms=NOW)


def test_a_consent_after_a_withdrawal_is_a_new_record(registry: Registry) -> None:
    registry.grant()
    registry.consents.withdraw(ANNA, "acme", source=None, now_ms=NOW)
    registry.grant(at_ms=NOW)
    assert registry.standing() == []  # given at the instant of a record that was withdrawn: known
    registry.grant(at_ms=NOW, now_ms=NOW, text="Otra vez")
    assert registry.standing() == [("marketing", "single")]


def test_whoever_left_and_comes_back_has_no_consent_to_reminders_of_carts(
    registry: Registry,
) -> None:
    registry.grant()
    registry.grant(purpose="cart", method="double", source="web")
    registry.optouts.add(ANNA, "acme", "reply STOP", NOW)
    assert registry.optouts.blocking(ANNA, "acme") == "acme"
    withdrawn = registry.optouts.remove(ANNA, "acme", "START", NOW)
    assert [row.purpose for row in withdrawn] == ["cart"]
    assert registry.standing() == [("marketing", "single")]
    assert registry.optouts.blocking(ANNA, "acme") is None


# -- lists -----------------------------------------------------------------------------------------


def test_a_chunk_of_opt_outs_is_one_entry_and_each_row_is_proven_alone(registry: Registry) -> None:
    rows = [{"to": f"+346001120{n:02d}", "brand": "acme", "source": f"form {n}"} for n in range(40)]
    taken = registry.lists.take_optouts({"rows": [*rows, rows[3]]}, "ana", NOW)
    assert taken == {"added": 40, "known": 1, "rejected": []}
    (entry,) = registry.entries("x.OptOut")
    assert (entry["brand"], entry["purpose"], entry["method"]) == ("acme", "all", "import")
    assert entry["list"]["count"] == 40
    shown = registry.records().optout({"to": "+34600112007"})
    assert shown["to"] == "+34600112007"
    proof = shown["opted_out"][0]["proof"]
    told = proof["disclose"]["row.7"]
    assert canonical.decode(told["value"].encode()) == {
        "to": "+34600112007",
        "source": "form 7",
        "at": "2026-11-21T10:00:00.000Z",
    }
    commitment = salted(bytes.fromhex(told["salt"]), "row.7", told["value"].encode())
    assert commitment.hex() == proof["list"]["commitment"]
    path = [bytes.fromhex(each) for each in proof["list"]["path"]]
    verify_row(commitment, 7, 40, path, bytes.fromhex(entry["list"]["root"]))


def test_a_list_is_one_entry_for_each_brand_and_kind(registry: Registry) -> None:
    registry.lists.take_optouts(
        {"rows": [{"to": ANNA}, {"to": BERTA, "brand": "acme"}, {"to": ANNA, "brand": "acme"}]},
        "",
        NOW,
    )
    assert [(entry["brand"], entry["list"]["count"]) for entry in registry.entries("x.OptOut")] == [
        *(("", 1), ("acme", 2)),
    ]
    assert registry.store.people.opted_out(registry.consents.person(ANNA)) == {"", "acme"}


def test_importing_again_adds_nothing_and_an_opt_out_given_alone_is_known(
    registry: Registry,
) -> None:
    registry.optouts.add(ANNA, "acme", "web", NOW)
    args = {"rows": [{"to": ANNA, "brand": "acme"}, {"to": BERTA, "brand": "acme"}]}
    assert registry.lists.take_optouts(args, "", NOW)["added"] == 1
    registry.commit()
    assert registry.lists.take_optouts(args, "", NOW) == {"added": 0, "known": 2, "rejected": []}
    assert registry.optouts.add(BERTA, "acme", "web", NOW + 5) == (NOW, True)
    assert not registry.store.flush()


def test_a_dry_run_says_what_would_be_and_writes_nothing(registry: Registry) -> None:
    args = {"rows": [{"to": ANNA}, {"to": "12"}], "dry_run": True}
    taken = registry.lists.take_optouts(args, "", NOW)
    assert (taken["added"], len(taken["rejected"])) == (1, 1)
    consents = {"rows": [{"to": ANNA, "brand": "acme", "purpose": "cart", "method": "single"}]}
    assert registry.lists.take_consents({**consents, "dry_run": True}, "", NOW)["added"] == 1
    assert not registry.store.flush()


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({}, "to"),
        ({"to": "hello"}, "to"),
        ({"to": ANNA, "brand": "nobody"}, "brand"),
        ({"to": ANNA, "brand": "acme", "method": "single"}, "purpose"),
        ({"to": ANNA, "brand": "acme", "purpose": "cart"}, "method"),
        ({"at": "tomorrow"}, "at"),
        ({"at": "2026-11-21T10:00:00"}, "at"),
        ({"at": "2027-01-01T00:00:00Z"}, "at"),
        ({"at": "1999-12-31T23:59:59Z"}, "at"),
        ({"at": "2026-11-01T00:00:00Z", "withdrawn_at": "2026-10-01T00:00:00Z"}, "withdrawn_at"),
        ({"source": "x" * 201}, "source"),
        ({"locale": "x" * 2001}, "locale"),
        ({"colour": "red"}, "colour"),
        ({"text": 5}, "text"),
    ],
)
def test_a_broken_row_is_told_by_field_and_the_others_go_in(
    registry: Registry, row: dict[str, Any], field: str
) -> None:
    good = {"to": ANNA, "brand": "acme", "purpose": "marketing", "method": "single"}
    if field not in ("to", "brand", "purpose", "method") and "method" not in row:
        row = good | row
    taken = registry.lists.take_consents({"rows": [row, good]}, "", NOW)
    assert taken["added"] == 1
    assert [(each["row"], each["field"]) for each in taken["rejected"]] == [(0, field)]


@pytest.mark.parametrize("rows", [None, [], "x", [{}] * 2001])
def test_a_chunk_that_is_none_is_refused(registry: Registry, rows: object) -> None:
    with pytest.raises(DataError, match="rows must be a list"):
        registry.lists.take_optouts({"rows": rows}, "", NOW)
    assert registry.lists.take_optouts({"rows": [5]}, "", NOW)["rejected"][0]["field"] == "to"


def test_imported_consents_keep_their_evidence_and_can_be_withdrawn(registry: Registry) -> None:
    row = {"to": ANNA, "brand": "acme", "purpose": "cart", "method": "double", "source": "web"}
    row |= {"at": "2025-05-01T10:00:00Z", "text": "Sí, recordadme", "url": "https://acme.example"}
    old = {**row, "to": BERTA, "withdrawn_at": "2025-06-01T10:00:00Z"}
    assert registry.lists.take_consents({"rows": [row, old]}, "ana", NOW)["added"] == 2
    assert registry.standing() == [("cart", "double")]
    assert registry.standing(BERTA) == []
    registry.commit()
    registry.consents.withdraw(ANNA, "acme", source="call", now_ms=NOW)
    shown = registry.records().consent({"to": ANNA})["consents"][0]
    assert (shown["text"], shown["source"], shown["withdrawal"]) == (
        *("Sí, recordadme", "web", "call"),
    )
    assert shown["evidence"] == {"url": "https://acme.example"}
    listed, withdrawn = shown["proofs"]
    assert listed["list"]["count"] == 2
    assert "Sí, recordadme" in listed["disclose"]["row.0"]["value"]
    assert_discloses(withdrawn, to=ANNA, evidence='{"source":"call"}')
    other = registry.records().consent({"to": BERTA})["consents"][0]
    assert '"withdrawn":"2025-06-01' in other["proofs"][0]["disclose"]["row.1"]["value"]


def test_what_is_exported_is_known_when_it_is_imported_again(registry: Registry) -> None:
    registry.grant(text="Sí", source="form", evidence={"url": "https://acme.example"}, at_ms=NOW)
    registry.grant(BERTA, "cart", method="double", source="web", at_ms=NOW - HOUR)
    registry.consents.withdraw(BERTA, "acme", source=None, now_ms=NOW)
    registry.optouts.add(ANNA, "", "call", NOW)
    registry.lists.take_optouts({"rows": [{"to": BERTA, "brand": "acme"}]}, "", NOW)
    records = registry.records()
    consents, optouts = list(records.export_consents({})), list(records.export_optouts({}))
    again = registry.lists.take_consents({"rows": consents}, "", NOW)
    assert (again["added"], again["known"], again["rejected"]) == (0, 2, [])
    again = registry.lists.take_optouts({"rows": optouts}, "", NOW)
    assert (again["added"], again["known"], again["rejected"]) == (0, 2, [])


def test_suppression_outlives_the_erasure_of_the_number(registry: Registry) -> None:
    registry.lists.take_optouts({"rows": [{"to": ANNA}, {"to": BERTA}]}, "", NOW)
    registry.optouts.add("+34600111224", "", "web", NOW)
    registry.commit()
    execute = registry.store._connection.execute
    execute("UPDATE chunks SET key=NULL, details=NULL")
    execute("UPDATE optouts SET key=NULL, number=NULL")
    person = registry.consents.person(ANNA)
    assert registry.store.people.opted_out(person) == {""}
    records = registry.records()
    shown = records.optout({"to": ANNA})
    assert shown["to"].startswith("person:")
    assert shown["opted_out"][0]["proof"]["disclose"] == {}
    assert len(records.optout({"to": shown["to"]})["opted_out"]) == 1
    exported = list(records.export_optouts({}))
    assert all(each["to"].startswith("person:") for each in exported)
    execute("DELETE FROM suppressions")
    execute("DELETE FROM optouts")
    again = registry.lists.take_optouts({"rows": exported}, "", NOW)
    assert (again["added"], again["rejected"]) == (3, [])
    assert registry.store.people.opted_out(person) == {""}
    registry.commit()
    proof = registry.records().optout({"to": ANNA})["opted_out"][0]["proof"]
    assert '"person":"' in next(iter(proof["disclose"].values()))["value"]


def test_twenty_thousand_opt_outs_take_a_hundred_and_twenty_bytes_each_at_most(
    registry: Registry,
) -> None:
    """10 million in 1.5 GiB are 161 bytes each; keyed hashes come in no order, so pages split."""
    registry.store.append("x.Genesis", NOW, {"software": "test", "format": "acuse-ledger/v1"})
    registry.commit()
    registry.store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = registry.store.path.stat().st_size
    for start in range(0, 20_000, 1000):
        rows = [{"to": f"+34600{n:06d}", "source": "lista"} for n in range(start, start + 1000)]
        assert registry.lists.take_optouts({"rows": rows}, "", NOW)["added"] == 1000
        registry.commit()
    registry.store.close()
    assert (registry.store.path.stat().st_size - before) / 20_000 < 120
