"""What a certificate says of each outcome, and the facts it says it from."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from gateway.certificate.facts import (
    ERASED,
    MAX_CHARACTERS,
    MAX_EVENTS,
    MAX_RECEIPT_BYTES,
    SHOWN,
    WITHHELD,
    read_facts,
)
from gateway.certificate.moments import Calendar, claimed, exact, places, there, zone
from gateway.certificate.outcome import notes, outcome_of, stamped_by, withheld
from gateway.certificate.words import LANGUAGES, words_of
from gateway.errors import DataError
from gateway.evidence.bundle import Token
from gateway.ledger.entry import object_hash, time_text
from gateway.ledger.note import open_note
from tests.support.certificates import (
    LONG,
    PLAIN,
    PROFILES,
    TSA,
    Story,
    delivered,
    said,
    stories,
    token_over,
)

PENDING = ["pending"]


@pytest.mark.parametrize(
    ("name", "key", "tone", "told"),
    [
        ("text-plain", "delivered", "yes", PENDING),
        ("anchored", "delivered", "yes", []),
        ("long", "delivered", "yes", []),
        ("to-operator", "delivered_to_operator", "open", PENDING),
        ("undelivered", "undelivered", "no", []),
        ("deleted", "deleted", "no", PENDING),
        ("expired", "expired", "no", PENDING),
        ("expired-here", "expired_here", "no", PENDING),
        ("rejected", "rejected", "no", PENDING),
        ("rejected-later", "rejected_later", "no", PENDING),
        ("refused", "refused", "no", []),
        ("cancelled", "cancelled", "no", PENDING),
        ("unconfirmed", "unconfirmed", "open", PENDING),
        ("unknown", "unknown", "open", []),
        ("resolved", "resolved", "open", PENDING),
        ("contradicted", "delivered", "yes", ["contradicted"]),
        ("ambiguous", "delivered", "yes", ["ambiguous", "pending"]),
        ("erased", "delivered", "yes", ["erased"]),
        ("redacted", "delivered", "yes", ["withheld"]),
        ("no-complete", "delivered", "yes", ["incomplete", "pending"]),
        ("accepted", "accepted", "open", ["open", "pending"]),
        ("queued", "queued", "open", ["open", "pending"]),
        ("held", "held", "open", ["open", "pending"]),
        ("unanswered", "unknown", "open", ["open", "pending"]),
        ("erased-open", "erased", "open", ["open", "erased", "pending"]),
        ("text-lookalike", "delivered", "yes", ["odd", "pending"]),
        ("everything", "unconfirmed", "open", ["contradicted", "odd", "clock", "pending"]),
    ],
)
def test_the_answer_is_what_the_log_says_and_no_more(
    name: str, key: str, tone: str, told: list[str]
) -> None:
    facts = read_facts(stories()[name])
    outcome = outcome_of(facts)
    assert (outcome.key, outcome.tone) == (key, tone)
    assert notes(facts) == told
    for language in LANGUAGES:
        text = said(stories()[name], language)
        assert words_of(language)(f"outcome.{key}", "head") in text


def test_only_the_operators_word_for_the_handset_is_called_delivered() -> None:
    for name, bundle in stories().items():
        facts = read_facts(bundle)
        if outcome_of(facts).tone == "yes":
            assert facts.decisive.code == "E.1", name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_certificate_holds_everything_the_ledger_document_asks_for(language: str) -> None:
    text = said(stories()["contradicted"], language)
    for wanted in (
        *("Ejemplo Mensajes SL", "B00000000", "Calle Mayor 1", "https://mensajes.example/politica"),
        *("ACME Ibérica SA", "A00000000", "Avda. Diagonal 1, 08001 Barcelona", "ACME", "acme"),
        *("+34600111222", PLAIN, "movistar/1", "4A01", "ESME_RTHROTTLED", "ENROUTE", "EXPIRED"),
        *("DELIVRD", "000", "id:4A01 sub:001 dlvrd:001", "x.Reopened", "F.1", "E.2", "E.1"),
        *("x.Duplicate", "F.3", "S.1", "ES-QH, ES-CONSENT", "tzdata 1", "Europe/Madrid", "+01:00"),
        *("sms.example.es/2026a", TSA, "acuse verify CERTIFICATE.pdf", "acuse-proof.json"),
        *("--with-verifier", "Sí, acepto 👍"),
        words_of(language)("means", "handset"),
        words_of(language)("document", "unqualified", tsa=TSA),
    ):
        assert wanted in text, wanted
    facts = read_facts(stories()["contradicted"])
    for one in facts.events:
        assert exact(one.at_ms) in text
        assert one.leaf[:16] in text
    for row in facts.note.strip().split("\n"):
        assert row in text
    assert facts.code in text
    assert facts.digest == sha256(stories()["contradicted"]).hexdigest()
    assert facts.digest in text


def test_a_receipt_is_printed_to_the_last_octet() -> None:
    facts, text = read_facts(stories()["undelivered"]), said(stories()["undelivered"])
    (report,) = facts.of("E.2")
    raw = report.contents["receipt"].value
    dumped = [line for line in text.split("\n") if line[:4].isalnum() and line[4:6] == "  "]
    printed = "".join(line[6:54].replace(" ", "") for line in dumped)
    assert raw.hex() in printed


def test_times_have_their_source_and_none_is_more_exact_than_it_is() -> None:
    text = said(stories()["anchored"]).split("\n")
    at = text.index("Entrega, según el operador, segmento 1")
    source = "movistar (huso +01:00), al minuto"
    assert text[at + 1 : at + 5] == ["2026-11-21 17:00", "18:00", "17:00", source]
    at = text.index("No antes de")
    assert text[at + 1] == "2026-11-21 17:00:01.000"
    assert text[at + 4] == f"sello de tiempo de {TSA}"
    assert "bare (offset none declared)" in said(stories()["everything"], "en")


def test_what_is_withheld_or_destroyed_says_so_and_is_never_blank() -> None:
    facts = read_facts(stories()["redacted"])
    assert withheld(facts) == ["to", "text", "pdus"]
    assert (facts.recipient.status, facts.shown_sender.status) == (WITHHELD, SHOWN)
    text = said(stories()["redacted"])
    assert PLAIN not in text
    assert "+34600111222" not in text
    assert text.count("reservado por quien entrega esta copia") > 5
    assert "ha reservado el destinatario, el texto y los mensajes del operador" in text
    facts = read_facts(stories()["erased"])
    assert {facts.recipient.status, facts.text.status, facts.shown_sender.status} == {ERASED}
    assert facts.text.text is None
    assert "fundamento: RGPD art. 17" in said(stories()["erased"])
    alone = delivered().bundle(redact={"to"})
    assert "ha reservado el destinatario y los mensajes" in said(alone)
    refused = Story(code="A.2", decision={"action": "refuse"}).seal("refused")
    assert "ha reservado el texto." in said(refused.bundle(redact={"text"}))


def test_a_time_stamp_is_named_only_if_it_is_over_all_of_it() -> None:
    story = delivered()
    note = story.ledger.checkpoint()
    for token in (b"garbage", b""):
        story.tokens = [Token("Falsa", open_note(note)[0], token)]
        facts = story.facts()
        assert stamped_by(facts) == []
        assert "sello de tiempo pendiente" in said(story.bundle())
    assert stamped_by(delivered().stamp(tsa="Una").facts()) == ["Una"]
    story = delivered().stamp(tsa="Una")
    assert "sello de tiempo de Una." in said(story.bundle())
    story.tokens[-1] = replace(story.tokens[-1], qualified=True)
    assert "sello de tiempo de Una (cualificado, según el emisor)." in said(story.bundle())
    early = Story().stamp(tsa="Temprana")
    early.relay()
    early.ledger.checkpoint()
    assert stamped_by(early.facts()) == []


def test_a_long_text_begins_on_the_first_page_and_stands_whole_in_the_annex() -> None:
    text = said(stories()["long"])
    for line in LONG.split("\n"):
        assert line in text
    assert "Sigue en la sección 2" in text
    assert "9 \u00d7 Recibo del operador: DELIVRD" in text


def test_the_first_page_never_leaves_out_what_contradicts() -> None:
    story = Story().relay()
    for part in range(12):
        story.receipt("x.CarrierReport", "ENROUTE" if part % 2 else "ACCEPTD")
    story.receipt("E.2", "EXPIRED").seal("expired")
    story.event("x.Reopened", of=story.ledger.size - 1)
    story.receipt("E.1", "DELIVRD").seal("delivered")
    first = said(story.bundle(), first_page=True)
    failed = "Falta de entrega comunicada: EXPIRED"
    for wanted in (failed, "Reabierto", "Cerrado y sellado: caducado"):
        assert wanted in first
    assert "y 10 más, en la sección 6" in first


def test_local_times_are_those_of_the_pinned_zones() -> None:
    facts = read_facts(stories()["anchored"])
    assert places(facts) == ["Europe/Madrid", "Atlantic/Canary"]
    assert zone("../../etc/passwd") is None
    assert zone("Europe/Atlantis") is None
    calendar = Calendar(words_of("ca"), places(facts))
    at_ms = 1_791_064_800_000  # 2026-10-03T22:00:00Z: the next day in Madrid
    assert calendar.date(at_ms) == "4 d\u2019octubre de 2026"
    assert calendar.moment(at_ms).endswith("(Europe/Madrid, UTC+02:00)")
    assert there(at_ms, "Europe/Madrid") == "2026-10-04 00:00:00.000"
    assert there(at_ms, "Atlantic/Canary") == "23:00:00.000"
    assert claimed(at_ms + 7_000) == "2026-10-03 22:00:07"
    assert Calendar(words_of("en"), []).moment(at_ms) == "on 3 October 2026 at 22:00:00 (UTC)"
    assert "(UTC)" in said(stories()["no-zone"])


def test_a_bundle_of_another_zone_or_none_is_still_told() -> None:
    odd = [{"jurisdiction": "ZZ", "zone": "Moon/Base", "time": "2026-11-21T18:00:00+01:00"}]
    assert places(delivered(local=odd).facts()) == []
    assert "Moon/Base" in said(delivered(local=odd).bundle())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"category": 5}, "category of entry 1 is not text"),
        ({"segments": "many"}, "segments of entry 1 is not a whole number"),
        ({"decision": []}, "decision of entry 1 is not an object"),
        ({"decision": {"rules": [1]}}, "rules of entry 1 is not a list of texts"),
        ({"decision": {"local": [1]}}, "local of entry 1 is not a list of objects"),
        ({"decision": {"until": 3}}, "until of entry 1 is not text"),
    ],
)
def test_an_entry_of_other_types_than_ours_has_no_certificate(
    fields: dict[str, Any], message: str
) -> None:
    story = Story(extra=fields)
    with pytest.raises(DataError, match=message) as caught:
        said(story.relay().bundle())
    assert caught.value.fields["seq"] == 1


def test_a_time_that_is_none_is_an_error_that_names_it() -> None:
    story = Story().relay().receipt("E.1", "DELIVRD", done="yesterday").seal("delivered")
    with pytest.raises(DataError, match="done of entry 3 is not a time"):
        said(story.bundle())


def test_a_party_of_other_types_than_texts_has_no_certificate() -> None:
    issuer: Any = {"legal_name": ["x"]}
    with pytest.raises(DataError, match="legal_name of issuer is not text"):
        delivered(issuer=issuer).facts()


def test_parties_without_a_name_are_called_what_is_known_of_them() -> None:
    story = delivered(issuer={"policy_uri": ""}, sender={"sender_id": "ACME"})
    text = said(story.bundle())
    assert "sms.example.es/2026a hace constar que acme le encargó" in text


def test_a_late_response_is_no_receipt() -> None:
    profile = object_hash(PROFILES["movistar"])
    late = {"operator": "movistar", "bind": "movistar/1", "profile": profile, "part": 1, "err": ""}
    story = Story().relay().receipt("E.1", "DELIVRD").seal("delivered")
    at = time_text(story.ledger.now_ms)
    answer = {"stat": "ESME_ROK", "rx": at, "done": None, "message_id": "4A99"}
    story.event("x.CarrierReport", {"response.1": b"late"}, **late, **answer)
    text = said(story.bundle())
    assert "Respuesta del operador: ESME_ROK" in text
    assert "4A99" in text
    assert text.count("Llegada del recibo") == 1


def test_a_receipt_without_a_date_has_only_our_time() -> None:
    story = Story().relay().receipt("E.1", "DELIVRD", done=None).seal("delivered")
    text = said(story.bundle())
    assert "Entrega, según el operador" not in text
    assert text.count("Llegada del recibo, segmento 1") == 1


def test_a_reason_of_a_later_version_is_told_by_its_code() -> None:
    story = Story(code="A.2", decision={"action": "refuse", "reason": "moon_phase"}).seal("refused")
    assert "Motivo: otro (moon_phase)." in said(story.bundle())


def test_a_token_over_something_else_counts_for_nothing() -> None:
    story, other = delivered(), delivered("otro")
    note = open_note(story.ledger.checkpoint())[0]
    story.tokens = [Token("Cruzada", note, token_over(other.ledger.checkpoint(), at_ms=0).der)]
    assert stamped_by(story.facts()) == []
    assert "no se puede leer, o es de otra cosa" in said(story.bundle())


def test_unknown_keys_of_entries_and_envelope_are_not_printed() -> None:
    found = json.loads(stories()["text-plain"])
    found["note_to_the_reader"] = "trust me"
    assert "trust me" not in said(json.dumps(found).encode())
    assert "surprise" not in said(stories()["everything"])


def test_more_events_than_pages_can_bear_are_refused() -> None:
    story = Story().relay()
    for _ in range(MAX_EVENTS):
        story.event("x.Duplicate", of=2)
    with pytest.raises(DataError, match="202 events, too many to print") as caught:
        story.facts()
    assert caught.value.hint == "pages take 200; the bundle itself is proof enough"


def test_longer_texts_and_receipts_than_pages_can_bear_are_refused() -> None:
    with pytest.raises(DataError, match="8001 characters"):
        delivered("x" * (MAX_CHARACTERS + 1)).facts()
    assert delivered("x" * MAX_CHARACTERS).facts().text.text == "x" * MAX_CHARACTERS
    story = Story().relay()
    reply = {"text": b"x", "deliver": bytes(MAX_RECEIPT_BYTES + 1)}
    at = time_text(story.ledger.now_ms)
    with pytest.raises(DataError, match="octets of receipts, too many"):
        story.event("F.3", reply, operator="movistar", bind="x", rx=at).facts()
    with pytest.raises(DataError, match="bytes, too many"):
        read_facts(story.bundle() + b" " * (1 << 20))


def test_witnesses_are_named_only_if_their_signature_holds() -> None:
    facts = read_facts(stories()["anchored"])
    assert [one.name for one in facts.witnesses] == [
        *("witness.notaria.example", "witness.colegio.example"),
    ]
    story = delivered(anchored=True)
    story.stamp()
    del story.witnesses[0]  # it signed, but the bundle does not name its key
    assert [one.name for one in story.facts().witnesses] == ["witness.colegio.example"]


def test_the_verification_code_is_the_beginning_of_the_digest() -> None:
    facts = read_facts(stories()["text-plain"])
    code = facts.code.replace("-", "")
    assert len(code) == 25
    assert base64.b32encode(bytes.fromhex(facts.digest)).decode().startswith(code)
