"""What texts must say: the brand, how to opt out, the company; and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy import content
from gateway.policy.appending import Addition, Wording, additions, with_additions, without_additions
from gateway.policy.facts import NO_FACTS, Facts, Identity, Message, SenderFacts
from gateway.policy.instructions import links, target_of
from gateway.policy.keywords import load_keywords
from gateway.policy.rules import CATEGORIES, ContentRule
from gateway.policy.table import Findings
from gateway.policy.vocabulary import load_vocabulary
from gateway.policy.words import read
from gateway.resources import config_directory

if TYPE_CHECKING:
    from gateway.policy.rules import Category

WORDS = load_vocabulary(Findings())
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ACME = Identity(
    name="acme",
    prefix="",
    legal_name="Acme Ibérica, S.A.",
    address="Gran Vía 1, 28013 Madrid",
    contact="info@acme.example",
    info_url="https://www.acme.example/legal",
    opt_out_url="https://baja.acme.example/b",
)
ALIAS = SenderFacts("alphanumeric", frozenset({"ES"}), receives=False)
CODE = SenderFacts("short_code")
DEAF = SenderFacts("short_code", receives=False)


def rule(**given: Any) -> ContentRule:
    return ContentRule(
        id="TEST",
        jurisdiction="ES",
        layer="law",
        profile="law",
        applies=frozenset(CATEGORIES),
        effective=date(2000, 1, 1),
        expires=None,
        cite="the law",
        url="https://law.example",
        confidence="high",
        reviewed=date(2026, 11, 21),
        on_violation="refuse",
        **given,
    )


BRAND = rule(requires="brand")
OPTOUT = rule(requires="optout")
MONTHLY = rule(requires="optout", every="month")
FRENCH = rule(requires="optout", short_codes=("36",))
COMPANY = rule(requires="company_info")


def message(
    text: str | None,
    *,
    sender: str | None = "ACME",
    known: SenderFacts | None = ALIAS,
    identity: Identity | None = ACME,
    category: Category = "promotional",
    age_verified: bool = False,
) -> Message:
    return Message(
        "+34600111222",
        category=category,
        brand="acme",
        sender=sender,
        text=text,
        identity=identity,
        sender_facts=known,
        age_verified=age_verified,
    )


def broken(asked: ContentRule, told: Message, facts: Facts = NO_FACTS) -> list[tuple[str, str]]:
    return [(why, says) for _, why, says in content.broken(WORDS, [asked], told, facts, NOW)]


def doubts(told: Message, *asked: ContentRule) -> list[str]:
    return list(content.doubts(WORDS, asked, told))


# -- how to opt out -------------------------------------------------------------------------------

ANSWERS = [
    "Envía BAJA al 21234",
    "Envia BAJA para no recibir mas",
    "Responde BAJA para darte de baja",
    "Para no recibir más publicidad contesta BAJA",
    "No+publi: responde STOP",
    "Si no quieres más mensajes responde NO MAS",
    "BAJA al 21234",
    "Reply STOP to opt out",
    "Text STOP to 21234 to end",
    "STOP to end",
    "Txt STOP 2 end",
    "Reply UNSUBSCRIBE to stop these texts",
    "Envoyez STOP au 36111",
    "Répondez STOP pour ne plus recevoir",
    "Antworten Sie STOPP zum Abmelden",
    "Sende STOP an 21234",
    "Rispondi STOP per non ricevere altri",
    "Responda SAIR para cancelar",
    "Envie PARE para sair",
    "Respon BAIXA per no rebre'n més",
]
NO_ANSWERS = [
    "Rebajas de otoño en toda la tienda",
    "La luz baja un 10% este mes",
    "Temporada baja: hoteles desde 39 euros",
    "Non-stop flights to Lima",
    "Stop by our store this weekend",
    "Últimos días, no te lo pierdas",
    "Planta baja, puerta 3",
    "Arrêt Gare de Lyon : nouvelle boutique",
]


@pytest.mark.parametrize("says", ANSWERS)
def test_a_keyword_to_answer_suffices_where_the_sender_can_be_answered(says: str) -> None:
    assert not broken(OPTOUT, message(f"Hoy 20%. {says}", sender="21234", known=CODE))
    assert not broken(OPTOUT, message(f"Hoy 20%. {says.upper()}", sender="21234", known=CODE))


@pytest.mark.parametrize("says", NO_ANSWERS)
def test_words_that_only_look_like_keywords_do_not(says: str) -> None:
    [(reason, told)] = broken(OPTOUT, message(says, sender="21234", known=CODE))
    assert reason == "optout_missing"
    assert "Reply STOP to opt out" in told


@pytest.mark.parametrize("known", [ALIAS, DEAF])
@pytest.mark.parametrize("says", ANSWERS)
def test_a_keyword_nobody_would_hear_is_a_mismatch_and_said_to_be_one(
    says: str, known: SenderFacts
) -> None:
    [(reason, told)] = broken(OPTOUT, message(f"Hoy 20%. {says}", known=known))
    assert reason == "optout_missing"
    assert "ACME cannot receive" in told


@pytest.mark.parametrize(
    "says",
    [
        "Baja: https://baja.acme.example/b/Xy12",
        "Hoy 20% baja.acme.example/b/Xy12",
        "Darse de baja en www.baja.acme.example.",
        "Opt out: HTTPS://BAJA.ACME.EXAMPLE/other",
    ],
)
@pytest.mark.parametrize("known", [ALIAS, CODE])
def test_a_link_to_the_brands_page_suffices_for_every_sender(says: str, known: SenderFacts) -> None:
    assert not broken(OPTOUT, message(says, known=known))


@pytest.mark.parametrize(
    "says",
    [
        "Compra en https://www.acme.example/tienda",
        "Baja: https://acme.example.evil.example/b",
        "Baja: https://evil.example/baja.acme.example/b",
        "Baja: info@baja.acme.example",
        "Baja: https://short.example/x",
    ],
)
def test_a_link_to_somewhere_else_does_not(says: str) -> None:
    [(reason, told)] = broken(OPTOUT, message(says))
    assert reason == "optout_missing"
    assert "https://baja.acme.example/b" in told


def test_a_shop_on_the_same_host_is_no_page_to_opt_out_on() -> None:
    shop = replace(ACME, opt_out_url="https://acme.example/b")
    assert broken(OPTOUT, message("Mira https://acme.example/tienda", identity=shop))
    assert not broken(OPTOUT, message("Mira https://acme.example/b/Xy", identity=shop))
    bare = replace(ACME, opt_out_url="https://acme.example")
    assert broken(OPTOUT, message("Mira https://acme.example/tienda", identity=bare))
    assert not broken(OPTOUT, message("Baja: https://acme.example/x", identity=bare))


def test_a_brand_without_a_page_for_it_is_told_to_register_one() -> None:
    [(_, told)] = broken(
        OPTOUT, message("Baja: https://x.example/b", identity=replace(ACME, opt_out_url=""))
    )
    assert "set opt_out_url" in told


def test_where_no_brand_is_known_any_link_beside_words_of_opting_out_counts() -> None:
    asked = message("Baja: https://x.example/b", identity=None)
    assert not broken(OPTOUT, asked)
    assert broken(OPTOUT, replace(asked, text="Tienda: https://x.example/t"))
    [(_, told)] = broken(OPTOUT, replace(asked, text="Baja hoy.Mira esto"))
    assert "https://…" in told


def test_nothing_is_held_against_a_keyword_while_the_sender_is_unknown() -> None:
    asked = message("Responde BAJA para cancelar", sender=None, known=None)
    assert not broken(OPTOUT, asked)
    assert [each.split(":")[0] for each in doubts(asked, OPTOUT)] == ["sender_not_judged"]
    assert not doubts(asked, COMPANY)


@pytest.mark.parametrize(
    ("says", "known", "fits"),
    [
        ("-20% STOP 36111", ALIAS, True),
        ("-20% STOP au 36111", ALIAS, True),
        ("-20% stop au 36111", CODE, True),
        ("-20% STOP SMS au 36111", ALIAS, True),
        ("-20% STOP 38111", ALIAS, False),
        ("-20% STOP 3611", ALIAS, False),
        ("-20% STOP 361111", ALIAS, False),
        ("-20% en magasin", ALIAS, False),
    ],
)
def test_the_french_form_counts_for_every_sender_with_the_codes_of_the_rule(
    says: str, known: SenderFacts, fits: bool
) -> None:
    found = broken(FRENCH, message(says, known=known))
    assert (not found) is fits
    if "38111" in says:
        assert "36xxx" in found[0][1]


def test_a_monthly_rule_is_content_with_an_instruction_of_the_last_thirty_days() -> None:
    asked = message("ACME: hoy 20%")
    month = timedelta(days=30)
    assert not broken(MONTHLY, asked, Facts(instructed_at=NOW - month))
    assert broken(MONTHLY, asked, Facts(instructed_at=NOW - month - timedelta(seconds=1)))
    assert broken(MONTHLY, asked)
    assert broken(OPTOUT, asked, Facts(instructed_at=NOW))


def test_whoever_answers_as_told_is_heard() -> None:
    """Every keyword a text may name is one the daemon takes as an opt-out."""
    heard = load_keywords(config_directory() / "keywords.toml")
    for language in WORDS.instructions.languages.values():
        for keyword in language.keywords:
            assert heard.classify(" ".join(keyword)).kind == "optout"


# -- who writes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ("acme: hoy 20%", True),
        ("ACME - hoy 20%", True),
        ("[ACME] hoy 20%", True),
        ("Acme Iberica, S.A.: hoy 20%", True),
        ("Hoy 20% en acme", False),
        ("acmex: hoy 20%", False),
        ("Hoy 20%: www.acme.example", True),
        ("Hoy 20%: https://acme.example/hoy", True),
        ("Hoy 20%: https://otra.example/hoy", False),
        ("", False),
    ],
)
def test_who_writes_is_shown_by_the_beginning_or_a_link(says: str, shown: bool) -> None:
    found = broken(BRAND, message(says, sender="21234", known=CODE))
    assert (not found) is shown
    if not shown:
        assert found[0][0] == "brand_missing"
        assert "“acme:”" in found[0][1]


def test_letters_as_the_sender_show_it_by_themselves() -> None:
    assert not broken(BRAND, message("Hoy 20%"))
    assert not broken(BRAND, message("Hoy 20%", known=None))
    assert broken(BRAND, message("Hoy 20%", sender=None, known=None))


def test_a_configured_beginning_is_the_one_that_counts() -> None:
    strict = replace(ACME, prefix="Acme Moda»")
    assert not broken(BRAND, message("ACME MODA» hoy", sender="2", known=CODE, identity=strict))
    [(_, told)] = broken(BRAND, message("acme: hoy", sender="2", known=CODE, identity=strict))
    assert "Acme Moda»" in told


def test_where_no_brand_is_named_any_beginning_that_names_somebody_counts() -> None:
    nobody = replace(message("Moda Sur: hoy 20%", sender="2", known=CODE, identity=None), brand="")
    assert not broken(BRAND, nobody)
    [(_, told)] = broken(BRAND, replace(nobody, text="Hoy 20% en todo"))
    assert "“NAME:”" in told
    named = replace(nobody, brand="moda")
    assert not broken(BRAND, replace(named, text="Moda: hoy"))
    assert broken(BRAND, replace(named, text="Otra: hoy"))


# -- the company ----------------------------------------------------------------------------------


def test_the_companys_details_stand_in_the_text_or_behind_its_link() -> None:
    for says in (
        "Info: acme.example/legal",
        "Acme, gran via 1, 28013 Madrid, INFO@acme.example",
    ):
        assert not broken(COMPANY, message(says))
    [(reason, told)] = broken(COMPANY, message("Gran Vía 1, 28013 Madrid"))
    assert (reason, "https://www.acme.example/legal" in told) == ("company_info_missing", True)
    assert broken(COMPANY, message("https://otra.example/x"))


def test_any_link_leads_to_them_where_none_is_configured() -> None:
    bare = Identity(name="acme")
    assert not broken(COMPANY, message("Más en https://x.example/y", identity=bare))
    assert not broken(COMPANY, message("Más en x.ca/y", identity=None))
    [(_, told)] = broken(COMPANY, message("Llega el fin.De nuevo aquí", identity=None))
    assert "neither" in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.acme.example/a?b=1.", ("acme.example", "/a?b=1", True)),
        ("acme.example:8080/x", ("acme.example", "/x", True)),
        ("fin.de", ("fin.de", "", False)),
        ("acme.com, hoy", ("acme.com", "", True)),
    ],
)
def test_links_are_read_with_and_without_a_scheme(
    text: str, expected: tuple[str, str, bool]
) -> None:
    assert [tuple(link) for link in links(read(text))] == [expected]


def test_what_is_no_link_is_none() -> None:
    for text in ("hola", "a@b.example", "3.50 euros", "v1.2.3", "..."):
        assert not list(links(read(text)))
    assert target_of("") is None
    assert target_of("https://localhost/") is None


# -- what it may not be about ---------------------------------------------------------------------


def test_a_clear_word_refuses_and_a_doubtful_one_warns() -> None:
    asked = rule(forbids="weapon_gear")
    [(reason, told)] = broken(asked, message("Machetes y puños americanos"))
    assert (reason, "“machetes”" in told) == ("prohibited_content", True)
    assert not doubts(message("Machetes y puños americanos"), asked)
    doubtful = message("Cuchillo artesano de acero")
    assert not broken(asked, doubtful)
    [warned] = doubts(doubtful, asked)
    assert warned == "TEST: “cuchillo” may be about weapon_gear (the law)"
    assert not doubts(message("Cuchillo de cocina"), asked)


def test_a_text_is_read_once_for_all_that_is_forbidden() -> None:
    both = [rule(forbids="alcohol"), rule(forbids="tobacco")]
    found = content.broken(WORDS, both, message("Vinos y tabaco"), NO_FACTS, NOW)
    assert [each.forbids for each, *_ in found if isinstance(each, ContentRule)] == [
        "alcohol",
        "tobacco",
    ]


def test_alcohol_goes_to_people_whose_age_was_verified_where_that_is_the_law() -> None:
    gated = rule(forbids="alcohol", unless_age_verified=True)
    assert broken(gated, message("Vinos de Rioja"))[0][0] == "age_gate"
    assert not broken(gated, message("Vinos de Rioja", age_verified=True))
    assert doubts(message("Visita a la bodega"), gated)
    assert not doubts(message("Visita a la bodega", age_verified=True), gated)
    never = rule(forbids="alcohol")
    asked = message("Vinos de Rioja", age_verified=True)
    assert broken(never, asked)[0][0] == "prohibited_content"


def test_a_claim_sent_as_advertising_is_told_what_it_is() -> None:
    [(reason, told)] = broken(rule(forbids="debt_collection"), message("Tiene un impago"))
    assert (reason, "debt_claim" in told) == ("prohibited_content", True)


def test_what_looks_like_a_court_is_refused_where_a_rule_says_so_and_else_warned_of() -> None:
    court = rule(forbids="court_lookalike")
    notice = message("Citación judicial: preséntese", category="legal_notice")
    assert broken(court, notice)[0][0] == "court_lookalike"
    assert not doubts(notice, court)
    [warned] = doubts(notice)
    assert warned.startswith("court_lookalike: ")
    assert not doubts(replace(notice, text="Iniciaremos acciones legales"))
    assert not doubts(replace(notice, category="otp"))


@pytest.mark.parametrize("category", ["transactional", "otp", "legal_notice"])
def test_what_informs_is_warned_of_when_it_advertises(category: Category) -> None:
    [warned] = doubts(message("Su código: 4455. Aproveche el descuento", category=category))
    assert warned.startswith("looks_promotional: ")
    assert not doubts(message("Su código: 4455", category=category))


def test_advertising_and_claims_may_say_what_they_are() -> None:
    assert not doubts(message("20% de descuento"))
    assert not doubts(message("Sin descuento", category="debt_claim"), BRAND)


# -- what is appended -----------------------------------------------------------------------------

LAW = [BRAND, COMPANY, OPTOUT]


def supplied(asked: Message, *rules: ContentRule, opt_out: str = "") -> str:
    made = additions(WORDS, rules, asked, NO_FACTS, NOW, Wording(opt_out))
    text = with_additions(asked.text or "", made)
    assert without_additions(text, made) == (asked.text or "")
    for rule_ in rules:
        if made and rule_.requires in {each.what for each in made}:
            assert not broken(rule_, replace(asked, text=text))
    return text


@pytest.mark.parametrize(
    ("says", "appended"),
    [
        ("Hoy 20% en toda la tienda", "Envia BAJA para no recibir mas"),
        ("Today 20% off for all of our customers", "Reply STOP to opt out"),
        ("Aujourd'hui -20% sur les vestes pour vous", "Repondez STOP pour ne plus recevoir"),
        ("Hoje 20% em toda a loja para voce", "Responda SAIR para cancelar"),
        ("Nur heute 20% auf das Sortiment", "Antworten Sie STOPP zum Abmelden"),
        ("Oggi 20% di sconto per tutti gli articoli", "Rispondi STOP per non ricevere altri"),
        ("Avui 20% a tots els articles de la botiga", "Respon BAIXA per no rebre'n mes"),
        ("20%", "Envia BAJA para no recibir mas"),
        ("", "Envia BAJA para no recibir mas"),
    ],
)
def test_how_to_opt_out_is_appended_in_the_language_of_the_text(says: str, appended: str) -> None:
    asked = message(says, sender="21234", known=CODE)
    assert supplied(asked, OPTOUT) == (f"{says}. {appended}" if says else f" {appended}")


@pytest.mark.parametrize(
    ("says", "between"),
    [("Hoy 20%", ". "), ("Hoy 20%!", " "), ("Hoy 20%! ", ""), ("Hoy 20%\n", "")],
)
def test_what_is_appended_is_parted_from_the_text_once(says: str, between: str) -> None:
    asked = message(says, sender="21234", known=CODE)
    assert supplied(asked, OPTOUT) == f"{says}{between}Envia BAJA para no recibir mas"


def test_a_sender_nobody_can_answer_gets_a_link() -> None:
    assert supplied(message("Hoy 20%."), OPTOUT) == "Hoy 20%. Baja: https://baja.acme.example/b"


def test_everything_that_is_missing_is_supplied_in_its_place() -> None:
    asked = message("Hoy 20%", sender="21234", known=CODE)
    assert supplied(asked, *LAW) == (
        "acme: Hoy 20%. Info: https://www.acme.example/legal. Envia BAJA para no recibir mas"
    )


def test_what_is_there_is_not_appended_again() -> None:
    text = "acme: hoy 20%, www.acme.example. Baja: baja.acme.example/b"
    assert supplied(message(text), *LAW) == text


def test_the_companys_address_stands_in_for_a_page() -> None:
    asked = message("Hoy", identity=replace(ACME, info_url=""))
    assert supplied(asked, COMPANY) == "Hoy. Gran Vía 1, 28013 Madrid, info@acme.example"


def test_the_brands_own_wording_is_used_where_it_fulfils_the_rule() -> None:
    own = supplied(message("-20%"), FRENCH, opt_out="STOP 36111")
    assert own == "-20%. STOP 36111"
    assert supplied(message("Hoy"), OPTOUT, opt_out="Responde BAJA") == "Hoy"


@pytest.mark.parametrize(
    ("asked", "asking"),
    [
        (message("Hoy", identity=replace(ACME, opt_out_url="")), OPTOUT),
        (message("Hoy", identity=Identity(name="acme")), COMPANY),
        (message(None), OPTOUT),
        (replace(message("Hoy 2", sender="2", known=CODE, identity=None), brand=""), BRAND),
    ],
)
def test_nothing_is_appended_that_would_not_help(asked: Message, asking: ContentRule) -> None:
    assert not additions(WORDS, [asking], asked, NO_FACTS, NOW, Wording())


def test_a_rule_that_is_not_yet_in_force_asks_for_nothing() -> None:
    later = replace(OPTOUT, effective=date(2030, 1, 1))
    assert not additions(WORDS, [later], message("Hoy"), NO_FACTS, NOW, Wording())


def test_what_is_appended_fulfils_the_rule_and_stays_within_gsm7_in_every_language() -> None:
    for language in WORDS.instructions.languages.values():
        for text in (language.answer, language.link, language.company):
            assert text.isascii()
        asked = message(f"20. {language.answer}", sender="21234", known=CODE)
        assert not broken(OPTOUT, asked)
        link = language.link.format(url=ACME.opt_out_url)
        assert not broken(OPTOUT, message(f"20. {link}"))


@given(st.text(max_size=80), st.lists(st.sampled_from(["brand", "optout"]), max_size=3))
def test_what_was_added_can_be_taken_away_again(text: str, what: list[Any]) -> None:
    made = [Addition(each, f"x{number} ") for number, each in enumerate(what)]
    assert without_additions(with_additions(text, made), made) == text


def test_a_released_message_is_asked_again_when_its_instruction_gets_too_old() -> None:
    told = Facts(instructed_at=NOW - timedelta(days=29))
    assert content.instruction_ends_s([MONTHLY], told, NOW) == (NOW + timedelta(days=1)).timestamp()
    for rules, facts in (
        ([OPTOUT], told),
        ([MONTHLY], NO_FACTS),
        ([MONTHLY], Facts(instructed_at=NOW - timedelta(days=31))),
    ):
        assert content.instruction_ends_s(rules, facts, NOW) == float("inf")


# -- what is not known ----------------------------------------------------------------------------


def test_a_text_nobody_gave_is_not_judged_and_that_is_said() -> None:
    asked = message(None)
    assert not broken(OPTOUT, asked)
    assert [each.split(":")[0] for each in doubts(asked, OPTOUT)] == ["content_not_judged"]
    assert not doubts(asked)


def test_no_rule_asks_nothing() -> None:
    assert not list(content.broken(WORDS, [], message("vino"), NO_FACTS, NOW))


@settings(max_examples=200)
@given(
    st.text(max_size=200),
    st.sampled_from(CATEGORIES),
    st.sampled_from(["ACME", "21234", "+34600111222", "", None]),
    st.sampled_from([ACME, Identity(), None]),
)
def test_any_text_is_judged(
    text: str, category: Category, sender: str | None, identity: Identity | None
) -> None:
    rules = [BRAND, FRENCH, MONTHLY, COMPANY, rule(forbids="alcohol")]
    asked = message(text, sender=sender, known=None, identity=identity, category=category)
    for _, why, told in content.broken(WORDS, rules, asked, NO_FACTS, NOW):
        assert why
        assert told
    list(content.doubts(WORDS, rules, asked))


@settings(max_examples=100)
@given(st.text(alphabet="abST OPBAJ.:/éñÜ36 1áû", max_size=60), st.sampled_from([ALIAS, CODE]))
def test_capitals_and_accents_make_no_difference(text: str, known: SenderFacts) -> None:
    rules = [BRAND, OPTOUT, FRENCH, COMPANY]

    def reasons(says: str) -> list[str]:
        asked = message(says, known=known)
        return [why for _, why, _ in content.broken(WORDS, rules, asked, NO_FACTS, NOW)]

    plain = text.translate(str.maketrans("éñÜáû", "enUau"))
    assert reasons(text) == reasons(text.upper()) == reasons(text.lower()) == reasons(plain)
