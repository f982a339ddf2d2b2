"""Bundles of every kind a certificate is made of, from ledgers in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.certificate.facts import Facts, read_facts
from gateway.certificate.page import page_data
from gateway.certificate.scribe import Scribe
from gateway.certificate.words import words_of
from gateway.evidence.bundle import Token
from gateway.ledger.entry import object_hash, time_text
from gateway.ledger.note import open_note
from tests.support.ledgers import ISSUER, OPERATORS, SENDER, MemoryLedger, Witness
from tests.support.stamps import authority

if TYPE_CHECKING:
    from collections.abc import Iterator

TSA = "Autoridad de Sellado de Prueba"
ISSUER_WITH_POLICY = {**ISSUER, "policy_uri": "https://mensajes.example/politica"}
LOCAL = [
    {"jurisdiction": "ES", "zone": "Europe/Madrid", "time": "2026-11-21T18:00:00+01:00"},
    {"jurisdiction": "ES-CN", "zone": "Atlantic/Canary", "time": "2026-11-21T17:00:00+00:00"},
]
VERSIONS = {"holidays": "0.109", "prefixes": "0ffd0fe55031e00a", "rules": "ab" * 32, "tzdata": "1"}

PLAIN = "ACME: su factura 2026/118 vence el 30 de noviembre. Consulte su área de cliente."
LONG = "\n".join(
    f"{number}. Le requerimos el pago de la cuota número {number}, vencida e impagada, en el plazo"
    " de diez días desde la recepción de esta comunicación, con advertencia de acciones legales."
    for number in range(1, 9)
)
TEXTS = {
    "plain": PLAIN,
    "long": LONG,
    "arabic": "شركة ACME: فاتورتك رقم 118 مستحقة في 30 نوفمبر.\nيرجى الدفع عبر https://acme.example",
    "cjk": "【ACME】您的账单118号将于11月30日到期。\nご請求は30日。\n청구서 납부 기한입니다.",
    "emoji": "ACME \U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
    " \U0001f44d\U0001f3fd \U0001f1ea\U0001f1f8\U0001f1eb\U0001f1f7 1\ufe0f\u20e3 \u2764\ufe0f"
    " \u260e\ufe0f lista \U0001f600",
    "invisible": "ACME\u200b: pague\u00a0en \u202emoc.live\u202c hoy\u200d mismo\ufeff."
    "\tGracias\r\nFin",
    "lookalike": "Visite p\u0430yp\u0430l.example y \u0430cme.example; ref. \uff11\uff12\uff13"
    " \ufb01n e\u0301l\u2215o",
    "unshown": "Sin imagen: \U00012000 \ue000 a\u064e \U0001d41a \u16a0 fin",
    "markup": '#eval("1") $x$ *b* _i_ <l> @r `raw` // c /* d */ \\ #include "x" = H',
}


def token_over(note: str, *, at_ms: int, tsa: str = TSA) -> Token:
    """A token over the note by an authority that is worthless in law."""
    text = open_note(note)[0]
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return Token(tsa, text, authority(tsa).token(sha256(text.encode()).digest(), None, at))


class Story:
    """One submission told event by event, and the bundle of it."""

    def __init__(
        self,
        text: str = PLAIN,
        *,
        to: str = "+34600111222",
        shown: str = "ACME",
        issuer: dict[str, str] | None = None,
        sender: dict[str, str] | None = None,
        code: str = "A.1",
        parts: int = 1,
        encoding: str = "gsm7",
        decision: dict[str, Any] | None = None,
        local: list[dict[str, str]] | None = None,
        category: str = "legal_notice",
        anchored: bool = False,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.ledger = MemoryLedger()
        self.mid = "01a1fd8c-6900-77e8-b4c1-391fcec73f0e"
        self.parts = parts
        self.issuer = issuer or ISSUER_WITH_POLICY
        self.sender = sender or {**SENDER, "address": "Avda. Diagonal 1, 08001 Barcelona"}
        self.tokens: list[Token] = []
        self.anchors: list[tuple[int, bytes]] = []
        self.rotations: list[tuple[int, bytes, str]] = []
        self.witnesses: list[Witness] = []
        if anchored:
            self._anchor()
        fields: dict[str, Any] = {
            "category": category,
            "brand": "acme",
            "decision": {
                "action": "release",
                "rules": ["ES-QH", "ES-CONSENT"],
                "versions": VERSIONS,
                "local": LOCAL if local is None else local,
                **(decision or {}),
            },
            "issuer": object_hash(self.issuer),
            "sender": object_hash(self.sender),
        }
        if code == "A.1":
            fields |= {"segments": parts, "encoding": encoding}
        content = {"to": to.encode(), "from": shown.encode(), "text": text.encode()}
        self.ledger.append(code, mid=self.mid, content=content, **(fields | (extra or {})))

    def _anchor(self) -> None:
        """A token, and the log's word that it has it; then two witnesses come in."""
        ledger = self.ledger
        early = token_over(ledger.checkpoint(), at_ms=ledger.now_ms + 1_000)
        ledger.now_ms += 2_000
        tokens = [sha256(early.der).hexdigest()]
        root = ledger.tree.root().hex()
        seq = ledger.append("x.Anchor", size=1, root=root, tokens=tokens, witnesses=[])
        self.tokens, self.anchors = [early], [(seq, ledger.raw[seq])]
        self.witnesses = [Witness("witness.notaria.example"), Witness("witness.colegio.example")]

    def event(self, code: str, content: dict[str, bytes] | None = None, **fields: Any) -> Story:
        """Any entry of the submission."""
        self.ledger.append(code, mid=self.mid, content=content, **fields)
        return self

    def relay(self, operator: str = "movistar") -> Story:
        """Accepted by the operator."""
        self.ledger.now_ms += 1_200
        self.ledger.relay(self.mid, operator=operator, parts=self.parts)
        return self

    def receipt(
        self, code: str, stat: str, *, operator: str = "movistar", part: int = 1, **fields: Any
    ) -> Story:
        """A receipt some seconds later."""
        self.ledger.now_ms += 7_300
        dates = "submit date:2611211800 done date:2611211800"
        text = f"id:4A{part:02d} sub:001 dlvrd:001 {dates} stat:{stat} err:000 text:"
        pdu = bytes(16) + b"\0\x01\x0134600111222\0\x05\0ACME\0\x04" + bytes(8) + text.encode()
        self.ledger.append(
            code,
            mid=self.mid,
            content={"receipt": pdu},
            operator=operator,
            bind=f"{operator}/1",
            profile=object_hash(_profile(operator)),
            part=part,
            stat=stat,
            err=fields.pop("err", "000"),
            rx=time_text(self.ledger.now_ms),
            done=fields.pop("done", time_text(self.ledger.now_ms // 60_000 * 60_000)),
            **({"assertedBy": "carrier"} if code.startswith("E.") else {}),
            **fields,
        )
        return self

    def seal(self, state: str) -> Story:
        """Closed."""
        self.ledger.seal(self.mid, state)
        return self

    def stamp(self, *, tsa: str = TSA) -> Story:
        """A checkpoint, with a token over it."""
        note = self.ledger.checkpoint()
        for witness in self.witnesses:
            note = witness.cosign(note, self.ledger.now_ms // 1000 + 2)
        self.ledger.notes[-1] = note
        self.tokens.append(token_over(note, at_ms=self.ledger.now_ms + 2_000, tsa=tsa))
        return self

    def bundle(self, **given: Any) -> bytes:
        """The bundle under the last checkpoint (made if there is none)."""
        if not self.ledger.notes:
            self.ledger.checkpoint()
        return self.ledger.bundle(
            self.mid,
            issuer=self.issuer,
            sender=self.sender,
            tokens=self.tokens,
            anchors=self.anchors,
            rotations=self.rotations,
            witnesses=[witness.vkey for witness in self.witnesses],
            operators=PROFILES,
            **given,
        )

    def facts(self, **given: Any) -> Facts:
        """What a certificate of it is made of."""
        return read_facts(self.bundle(**given))


#: What is known of the operators; of the last one nothing.
PROFILES = {**OPERATORS, "bare": {"receipt_means": "unknown", "receipt_utc_offset": ""}}


def _profile(operator: str) -> object:
    return PROFILES[operator]


def delivered(text: str = PLAIN, *, parts: int = 1, **given: Any) -> Story:
    """Accepted, relayed, delivered to the handset, closed."""
    story = Story(text, parts=parts, **given).relay()
    for part in range(2, parts + 1):
        story.receipt("x.CarrierReport", "DELIVRD", part=part)
    return story.receipt("E.1", "DELIVRD").seal("delivered")


def _long_names() -> Story:
    company = (
        "Compañía Transatlántica de Comunicaciones Fehacientes, Notificaciones Electrónicas y"
        " Servicios Postales Digitales de la Península Ibérica, Sociedad Anónima Unipersonal"
    )
    address = (
        "Paseo de la Castellana 259-D, Torre Norte, planta 42, despacho 4217-B, Complejo"
        " Empresarial Cuatro Torres, 28046 Madrid, Comunidad de Madrid, Reino de España"
    )
    party = {"legal_name": company, "tax_id": "A00000000", "address": address}
    uri = "https://mensajes.example/" + "politica-de-certificacion/" * 5
    return delivered(
        "https://acme.example/" + "x1y2z3" * 40,
        issuer={**party, "policy_uri": uri},
        sender={**party, "sender_id": "NotificaSMS"},
        shown="NotificaSMS",
    )


def _refused() -> Story:
    decision = {"action": "refuse", "reason": "consent_missing", "waivers": ["W-2026-7"]}
    story = Story(code="A.2", decision=decision, category="promotional")
    return story.seal("refused")


def _contradicted() -> Story:
    story = Story().event(
        "x.Attempt",
        operator="movistar",
        segment=1,
        status="ESME_RTHROTTLED",
        count=3,
        first="2026-11-21T17:00:01.000Z",
        last="2026-11-21T17:00:03.000Z",
    )
    story.relay().receipt("x.CarrierReport", "ENROUTE").receipt("E.2", "EXPIRED", reason="EXPIRED")
    story.seal("expired")
    sealed = story.ledger.size - 1
    story.event("x.Duplicate", of=sealed - 1).event("x.Reopened", of=sealed)
    story.receipt("E.1", "DELIVRD").seal("delivered")
    reply = {"text": "Sí, acepto 👍".encode(), "deliver": b"\0\0\0\x30 a whole deliver_sm"}
    return story.event(
        "F.3", reply, operator="movistar", bind="movistar/1", rx=time_text(story.ledger.now_ms)
    )


def _unknown() -> Story:
    story = Story().event(
        "x.OutcomeUnknown",
        {"submit": b"a whole submit_sm"},
        operator="movistar",
        bind="trx1",
        segment=1,
    )
    deadline = time_text(story.ledger.now_ms + 259_200_000)
    story.ledger.now_ms += 259_200_000
    return story.event("x.NoConfirmation", deadline=deadline).seal("unknown")


def _resolved() -> Story:
    story = Story().event("x.OutcomeUnknown", operator="movistar", bind="trx1", segment=1)
    said = {"by": "uid 1000", "as": "not-sent", "why": "el operador lo confirma por teléfono"}
    return story.event("x.Resolved", None, **said).seal("undelivered")


def _rejected() -> Story:
    story = Story(parts=2)
    sent = time_text(story.ledger.now_ms)
    return story.event(
        "F.2",
        {"submit.2": b"a submit_sm", "response.2": b"its response"},
        operator="movistar",
        bind="movistar/1",
        profile=object_hash(_profile("movistar")),
        status="ESME_RINVDSTADR",
        parts=[{"n": 1, "message_id": "4A01", "sent": sent, "answered": sent}],
    ).seal("rejected")


def _everything() -> Story:
    """What an entry may say besides, by an operator of which nothing is known."""
    waiting = {"action": "hold", "until": "2026-11-23T08:00:00Z", "reason": "quiet_hours"}
    story = Story(encoding="ucs2", decision=waiting, category="debt_claim", to="+33639980001")
    caps = [{"rule": "HOUSE-CAP", "counted": 1, "most": 3, "since": "2026-11-20T00:00:00Z"}]
    released = {"action": "release", "rules": [], "versions": {}, "local": [], "caps": caps}
    story.event("x.Released", decision=released)
    ledger, sent = story.ledger, time_text(story.ledger.now_ms)
    story.event(
        "F.1",
        {"submit.1": b"a submit_sm", "response.1": b"its response"},
        operator="bare",
        bind="bare/1",
        profile=object_hash(_profile("bare")),
        parts=[{"n": 1, "message_id": "", "sent": sent, "answered": sent}],
    )
    wrong: dict[str, Any] = {
        "operator": "bare",
        "done": "2026-11-21T15:00:07Z",
        "replaced_by": "01a1-next",
    }
    story.receipt("x.CarrierReport", "DELIVRD", **wrong).seal("delivered_to_operator")
    story.event("x.Reopened", of=ledger.size - 1, untied=[ledger.size - 2])
    story.receipt("x.CarrierReport", "UNKNOWN", operator="bare", replaces="01a1-last")
    story.event("x.Future", surprise=True)
    rotated = ledger.append("x.KeyRotate", old=ledger.vkey, new=MemoryLedger(key="new").vkey)
    story.event("x.NoConfirmation", deadline=time_text(ledger.now_ms)).seal("unconfirmed")
    answer = {"text": "p\u0430gar\u00e9".encode(), "deliver": bytes(40)}
    at = time_text(ledger.now_ms)
    story.event("F.3", answer, operator="bare", bind="bare/1", rx=at)
    note = ledger.checkpoint()
    story.rotations = [(rotated, ledger.raw[rotated], note)]
    story.tokens = [Token("Otra", open_note(note)[0], b"no token at all")]
    return story


def said(bundle: bytes, language: str = "es", *, first_page: bool = False) -> str:
    """All that a certificate says, a piece a line, without its typography."""
    scribe = Scribe(read_facts(bundle), words_of(language), hardened=False)
    data = page_data(scribe)
    return "\n".join(_texts(data["first"] if first_page else data))


def _texts(value: Any) -> Iterator[str]:
    """Runs are one text; everything else is taken apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list) and any(_is_run(each) for each in value):
        yield "".join(_flat(each) for each in value)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _is_run(value: Any) -> bool:
    return isinstance(value, dict) and bool({"b", "m", "e", "s", "dim", "o"} & set(value))


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_flat(each) for key, each in value.items() if key != "b")
    return "".join(map(_flat, value)) if isinstance(value, list) else str(value)


@cache
def stories() -> dict[str, bytes]:
    """A bundle of every kind, by name."""
    erased = delivered()
    erased.event("x.Erased", basis="RGPD art. 17")
    waiting = {"action": "hold", "until": "2026-11-23T08:00:00Z", "rules": ["ES-QH"]}
    expired = {"deadline": "2026-11-21T17:00:01.000Z"}
    made = {
        **{f"text-{name}": delivered(text).bundle() for name, text in TEXTS.items()},
        "long": delivered(LONG, parts=10).stamp().bundle(),
        "everything": _everything().bundle(),
        "anchored": delivered(anchored=True).stamp().bundle(),
        "no-zone": delivered(local=[]).bundle(),
        "names": _long_names().stamp().bundle(),
        "refused": _refused().stamp().bundle(),
        "contradicted": _contradicted().stamp().bundle(),
        "unknown": _unknown().stamp().bundle(),
        "resolved": _resolved().bundle(),
        "rejected": _rejected().bundle(),
        "erased": erased.stamp().bundle(key=None),
        "redacted": delivered().stamp().bundle(redact={"to", "text"}),
        "redacted-all": delivered().bundle(redact={"to", "from", "text"}),
        "undelivered": Story()
        .relay()
        .receipt("E.2", "UNDELIV", reason="UNDELIV", err="027")
        .seal("undelivered")
        .stamp()
        .bundle(),
        "deleted": Story().relay().receipt("E.2", "DELETED").seal("deleted").bundle(),
        "expired": Story().relay().receipt("E.2", "EXPIRED").seal("expired").bundle(),
        "rejected-later": Story().relay().receipt("E.2", "REJECTD").seal("rejected").bundle(),
        "to-operator": Story()
        .relay("relay")
        .receipt("x.CarrierReport", "DELIVRD", operator="relay")
        .seal("delivered_to_operator")
        .bundle(),
        "unconfirmed": Story()
        .relay()
        .event("x.NoConfirmation", deadline="2026-11-24T17:00:00.000Z")
        .seal("unconfirmed")
        .bundle(),
        "cancelled": Story().event("x.Cancelled", by="uid 1000").seal("cancelled").bundle(),
        "expired-here": Story().event("x.Expired", None, **expired).seal("expired").bundle(),
        "held": Story(decision=waiting).bundle(),
        "queued": Story().bundle(),
        "accepted": Story().relay().bundle(),
        "unanswered": Story()
        .event("x.OutcomeUnknown", operator="movistar", bind="trx1", segment=1)
        .bundle(),
        "ambiguous": Story().relay().receipt("E.1", "DELIVRD", fits=2).seal("delivered").bundle(),
        "no-complete": delivered().bundle(complete=None),
        "erased-open": Story().event("x.Erased", basis="RGPD art. 17").bundle(key=None),
    }
    return made
