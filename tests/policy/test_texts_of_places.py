"""What the shipped packs ask of texts, place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.policy.explain import judge
from gateway.policy.facts import Identity, Known, SenderFacts
from gateway.policy.prose import paragraph
from tests.policy.asking import AGREED, NUMBERS

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook
    from gateway.policy.decide import Decision

KNOWN = Known(
    {
        "acme": Identity(
            "acme",
            info_url="https://acme.example/legal",
            opt_out_url="https://acme.example/baja",
        )
    },
    {"ACME": SenderFacts("alphanumeric", frozenset({"ES", "AU"}), receives=False)},
)
LINK = "Baja: https://acme.example/baja"


def decided(book: Rulebook, place: str, text: str, **more: Any) -> Decision:
    request = {
        "to": NUMBERS[place],
        "now": "2026-11-24T16:00:00Z",
        "brand": "acme",
        "from": "ACME",
        "text": text,
        "checks": ["sender", "consent", "content"],
        "consent": AGREED,
        **more,
    }
    return judge(book, request, KNOWN)


def verdict(book: Rulebook, place: str, text: str, **more: Any) -> str:
    return str(decided(book, place, text, **more).reason or "release")


@pytest.mark.parametrize("profile", ["law", "seed"])
@pytest.mark.parametrize("category", ["promotional", "cart_reminder"])
@pytest.mark.parametrize("place", ["ES", "FR", "GB", "AU"])
def test_each_text_says_how_to_opt_out_where_the_law_wants_it(
    book: Rulebook, place: str, category: str, profile: str
) -> None:
    more = {"category": category, "profile": profile}
    assert verdict(book, place, "Hoy 20%", **more) == "optout_missing"
    assert verdict(book, place, "Hoy 20%. Responde BAJA", **more) == "optout_missing"
    assert verdict(book, place, f"Hoy 20%. {LINK}", **more) == "release"
    assert verdict(book, place, "Su pedido llega hoy", **(more | {"category": "otp"})) == "release"


@pytest.mark.parametrize("place", ["CA", "NZ"])
def test_canada_and_new_zealand_want_the_companys_details_as_well(
    book: Rulebook, place: str
) -> None:
    more = {"from": "21234"}
    text = "acme: today 20% off. Reply STOP to opt out"
    assert verdict(book, place, text, **more) == "company_info_missing"
    assert verdict(book, place, f"{text}. acme.example/legal", **more) == "release"


@pytest.mark.parametrize("place", ["DE", "US-CA", "IE"])
def test_elsewhere_once_a_month_is_enough_and_the_house_warns(book: Rulebook, place: str) -> None:
    def reminded(**more: Any) -> bool:
        warnings = decided(book, place, "Today 20% off", **more).warnings
        return any(each.startswith("HOUSE-OPTOUT-TEXT") for each in warnings)

    assert verdict(book, place, "Today 20% off") == "release"
    assert reminded()
    assert not reminded(last_optout_instruction_at="2026-10-25T16:00:00Z")
    assert reminded(last_optout_instruction_at="2026-10-25T15:59:59Z")
    assert not reminded(profile="law")


def test_the_house_wants_to_see_who_writes(book: Rulebook) -> None:
    more = {"from": "21234"}
    assert verdict(book, "DE", "Heute 20%", **more) == "brand_missing"
    assert verdict(book, "DE", "acme: heute 20%", **more) == "release"
    assert verdict(book, "DE", "Heute 20%", **more, profile="law") == "release"
    claim = {**more, "category": "debt_claim"}
    assert verdict(book, "DE", "Sie schulden uns 20 Euro", **claim) == "brand_missing"


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("US-CA", "age_gate"),
        ("ES", "age_gate"),
        ("DE", "age_gate"),
        ("AU", "age_gate"),
        ("NZ", "prohibited_content"),
        ("CO", "prohibited_content"),
    ],
)
def test_alcohol_is_for_verified_adults_in_the_us_the_eu_and_australia(
    book: Rulebook, place: str, reason: str
) -> None:
    text = f"Vinos de Rioja. acme.example/legal. {LINK}"
    assert verdict(book, place, text) == reason
    verified = verdict(book, place, text, age_verified=True)
    assert verified == ("release" if reason == "age_gate" else reason)
    assert verdict(book, place, text, profile="law") == "release"


@pytest.mark.parametrize(
    "text",
    [
        "Semillas de marihuana",
        "Únete a nuestro equipo multinivel",
        "Apuestas deportivas",
        "Tiene una deuda pendiente",
        "Juguetes eróticos",
        "White power",
        "Rifles y escopetas",
        "Tabaco de liar",
        "Petardos y tracas",
        "Vapers desechables",
        "Aceite de CBD",
        "Machetes y puños americanos",
    ],
)
def test_the_house_advertises_none_of_the_prohibited_subjects(book: Rulebook, text: str) -> None:
    assert verdict(book, "ES", f"{text}. {LINK}") == "prohibited_content"


def test_kitchen_knives_are_sold_by_text(book: Rulebook) -> None:
    for text in ("Kitchen knives", "Cuchillos de cocina", "Pistola de silicona", "Bar de tapas"):
        decision = decided(book, "ES", f"{text} hoy 20%. {LINK}")
        assert decision.reason is None
        assert not decision.warnings


def test_a_claim_is_no_advertising_and_advertising_no_claim(book: Rulebook) -> None:
    text = "acme: su factura vencida es de 20 euros"
    assert verdict(book, "ES", text, category="debt_claim") == "release"
    refused = decided(book, "ES", f"{text}. {LINK}")
    assert refused.reason == "prohibited_content"
    assert any("debt_claim" in told for told in refused.told)
    assert "debt_claim" in paragraph(refused)


@pytest.mark.parametrize("place", ["PE", "CL"])
@pytest.mark.parametrize("category", ["debt_claim", "legal_notice"])
def test_nothing_looks_as_if_a_court_had_sent_it_in_peru_and_chile(
    book: Rulebook, place: str, category: str
) -> None:
    text = "acme: CITACION JUDICIAL por su deuda"
    assert verdict(book, place, text, category=category) == "court_lookalike"
    assert verdict(book, place, "acme: debe 20 soles, sin embargo", category=category) == "release"
    warned = decided(book, "ES", text, category="legal_notice").warnings
    assert any(each.startswith("court_lookalike") for each in warned)


def test_france_forbids_renovation_and_training_accounts_and_mexico_elections(
    book: Rulebook,
) -> None:
    for profile in ("law", "seed"):
        for text in ("Rénovation énergétique", "Utilisez votre CPF"):
            more = {"profile": profile}
            assert verdict(book, "FR", f"{text}. STOP 36111", **more) == "prohibited_content"
        mexico = f"Este domingo vota por el cambio. {LINK}"
        assert verdict(book, "MX", mexico, profile=profile) == "prohibited_content"
    assert verdict(book, "ES", f"Utilisez votre CPF. {LINK}") == "release"


def test_the_french_short_code_is_one_for_marketing(book: Rulebook) -> None:
    assert verdict(book, "FR", "-20% ce soir. STOP au 36111") == "release"
    assert verdict(book, "FR", "-20% ce soir. STOP 38111") == "optout_missing"
    assert verdict(book, "ES", "-20% ce soir. STOP 36111") == "optout_missing"


def test_an_alias_nobody_registered_is_refused_with_the_way_out(book: Rulebook) -> None:
    more = {"from": "OTRA", "category": "legal_notice"}
    refused = decided(book, "ES", "Su factura vence", **more)
    assert refused.reason == "sender_unregistered"
    assert "[senders.OTRA]" in paragraph(refused)


def test_what_is_not_given_is_not_judged_and_that_is_said(book: Rulebook) -> None:
    request = {"to": NUMBERS["ES"], "now": "2026-11-24T16:00:00Z", "consent": AGREED}
    kinds = {each.split(":")[0] for each in judge(book, request).warnings}
    assert kinds >= {"content_not_judged", "sender_not_judged"}
