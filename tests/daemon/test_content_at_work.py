"""What texts must say, at work: refused with the way out, appended where asked, remembered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.content_rules import judge_by_content
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

SPAIN, FRANCE, CANADA = "+34600111222", "+33639980123", "+14165550123"
USA, PERU, GERMANY = "+13105550123", "+51900000001", "+4915100000001"
PROMO = {"category": "promotional", "text": "Hoy 20% en toda la tienda"}
DAY_MS = 86_400_000
BRAND = """\
opt_out_url = "https://acme.example/baja"
info_url = "https://acme.example/legal"
{more}
senders = ["ACME", "21234", "+33639980000", "+18005550100"]
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    judge_by_content(tmp_path, monkeypatch)
    made = World.make(tmp_path)
    configure(made)
    return made


def configure(world: World, more: str = "") -> None:
    text = world.config.read_text()
    text = re.sub(r"senders = \[.*\]\nopt_out_url = .*\n", BRAND.format(more=more), text, count=1)
    more_senders = "[senders.21234]\n[senders.'+33639980000']\n[senders.'+18005550100']\n"
    world.config.write_text(text.replace("[senders.ACME]", f"{more_senders}[senders.ACME]"))


def again(world: World, old: str, new: str) -> None:
    text = world.config.read_text()
    assert old in text
    world.config.write_text(text.replace(old, new))


async def refused(world: World, to: str, **args: Any) -> dict[str, Any]:
    async with world.running() as daemon:
        answer = await daemon.submit(to, **{**PROMO, **args})
    assert answer["state"] == "refused", answer
    decision: dict[str, Any] = answer["decision"]
    return decision


async def taken(world: World, to: str, **args: Any) -> dict[str, Any]:
    async with world.running() as daemon:
        answer = await daemon.submit(to, **{**PROMO, **args})
        assert answer["decision"]["action"] == "release", answer
        return {**answer, "record": await daemon.final(answer["submission_id"])}


# -- refused, with the way out -------------------------------------------------------------------


async def test_a_spanish_promotion_that_does_not_say_how_to_opt_out_is_told_what_to_add(
    world: World, autojump_clock: MockClock
) -> None:
    decision = await refused(world, SPAIN)
    assert (decision["reason"], decision["rules"]) == ("optout_missing", ["ES-STOP"])
    [why] = decision["why"]
    assert "https://acme.example/baja" in why
    assert "--fix" in why


async def test_letters_with_a_keyword_to_answer_are_told_that_nobody_would_hear(
    world: World, autojump_clock: MockClock
) -> None:
    text = f"{PROMO['text']}. Responde BAJA"
    decision = await refused(world, SPAIN, text=text)
    assert decision["reason"] == "optout_missing"
    assert "answer BAJA, but ACME cannot receive" in decision["why"][0]
    assert (await taken(world, SPAIN, text=text, **{"from": "21234"}))["record"]["text"] == text


async def test_a_short_code_that_is_configured_as_deaf_is_no_better(
    world: World, autojump_clock: MockClock
) -> None:
    again(world, "[senders.21234]", "[senders.21234]\nreceives = false")
    text = f"{PROMO['text']}. Responde BAJA"
    decision = await refused(world, SPAIN, text=text, **{"from": "21234"})
    assert "21234 cannot receive" in decision["why"][0]


async def test_a_link_to_opt_out_suffices(world: World, autojump_clock: MockClock) -> None:
    await taken(world, SPAIN, text=f"{PROMO['text']}. Baja: acme.example/baja/Xy1")


async def test_the_french_short_code_suffices_and_a_mobile_number_does_not_send(
    world: World, autojump_clock: MockClock
) -> None:
    await taken(world, FRANCE, text="-20% ce soir. STOP au 36111")
    decision = await refused(world, FRANCE, text="-20% ce soir. STOP 38111")
    assert decision["reason"] == "optout_missing"
    sent_by = {"from": "+33639980000", "text": "-20% ce soir. STOP 36111"}
    assert (await refused(world, FRANCE, **sent_by))["reason"] == "sender_unregistered"


async def test_canada_wants_the_companys_details_in_each_text(
    world: World, autojump_clock: MockClock
) -> None:
    text = "Today 20% off. Reply STOP to opt out"
    decision = await refused(world, CANADA, text=f"acme: {text}", **{"from": "21234"})
    assert (decision["reason"], decision["rules"]) == ("company_info_missing", ["CA-INFO"])
    decision = await refused(
        world, CANADA, text="Hi, 20%. 1 Main St, a@b.example", **{"from": "21234"}
    )
    assert decision["reason"] == "company_info_missing"
    linked = f"acme: {text}. acme.example/legal"
    await taken(world, CANADA, text=linked, **{"from": "21234"})


async def test_alcohol_goes_to_those_whose_age_was_verified(
    world: World, autojump_clock: MockClock
) -> None:
    text = "Vinos de Rioja desde 4 euros. Baja: acme.example/baja"
    decision = await refused(world, SPAIN, text=text)
    assert (decision["reason"], decision["rules"]) == ("age_gate", ["ES-ALCOHOL"])
    await taken(world, SPAIN, text=text, age_verified=True)


async def test_what_may_not_be_advertised_is_refused_and_what_may_be_something_else_warned_of(
    world: World, autojump_clock: MockClock
) -> None:
    decision = await refused(world, SPAIN, text="Machetes. Baja: acme.example/baja")
    assert decision["reason"] == "prohibited_content"
    assert "machetes" in decision["why"][0]
    answer = await taken(world, SPAIN, text="Cuchillo de acero. Baja: acme.example/baja")
    [warned] = answer["decision"]["warnings"]
    assert warned.startswith("ES-WEAPONS: ")
    answer = await taken(world, SPAIN, text="Cuchillo de cocina. Baja: acme.example/baja")
    assert answer["decision"]["warnings"] == []


async def test_an_alias_nobody_registered_is_refused_also_for_a_legal_notice(
    world: World, autojump_clock: MockClock
) -> None:
    again(world, 'registered_in = ["ES"]', "registered_in = []")
    decision = await refused(world, SPAIN, category="legal_notice", text="Su factura vence el 30")
    assert (decision["reason"], decision["rules"]) == ("sender_unregistered", ["ES-ALIAS"])
    assert "[senders.ACME]" in decision["why"][0]


async def test_third_parties_claims_are_not_carried_in_the_us(
    world: World, autojump_clock: MockClock
) -> None:
    claim = {"category": "debt_claim", "text": "acme: 20 dollars are due. Reply STOP to opt out"}
    decision = await refused(world, USA, third_party_collector=True, **claim)
    assert (decision["reason"], decision["rules"]) == ("carrier_policy", ["US-COLLECTORS"])
    await taken(world, USA, **claim)


async def test_toll_free_numbers_come_with_advice(world: World, autojump_clock: MockClock) -> None:
    answer = await taken(world, USA, **{"from": "+18005550100"}, text="Hi. Reply STOP to opt out")
    assert any("consider call forwarding" in each for each in answer["decision"]["warnings"])


async def test_a_claim_that_looks_like_a_court_is_refused_in_peru(
    world: World, autojump_clock: MockClock
) -> None:
    args = {"category": "debt_claim", "text": "acme: citación judicial, pague hoy"}
    decision = await refused(world, PERU, **args)
    assert (decision["reason"], decision["rules"]) == ("court_lookalike", ["PE-COURT"])


async def test_a_notice_that_advertises_goes_with_a_warning(
    world: World, autojump_clock: MockClock
) -> None:
    args = {"category": "legal_notice", "text": "Su factura vence. Aproveche el descuento"}
    answer = await taken(world, SPAIN, **args)
    assert any(each.startswith("looks_promotional") for each in answer["decision"]["warnings"])


async def test_what_is_told_of_a_refusal_stays_out_of_the_ledger(
    world: World, autojump_clock: MockClock
) -> None:
    async with world.running() as daemon:
        answer = await daemon.submit(SPAIN, **PROMO)
        bundle = await daemon.result(
            "bundle", submission_id=answer["submission_id"], redact=["text"]
        )
    assert answer["decision"]["why"][0] not in bundle["bundle"]
    assert "acme.example" not in bundle["bundle"]


# -- appended ------------------------------------------------------------------------------------

LINK = ". Baja: https://acme.example/baja"


async def test_fix_appends_what_is_missing_and_says_what_it_cost(
    world: World, autojump_clock: MockClock
) -> None:
    text = "x" * 140 + " hasta el lunes"
    async with world.running() as daemon:
        plan = await daemon.result("plan", to=SPAIN, fix=True, category="promotional", text=text)
        answer = await daemon.submit(SPAIN, fix=True, category="promotional", text=text, ref="r1")
        repeated = await daemon.submit(SPAIN, fix=True, category="promotional", text=text, ref="r1")
        record = await daemon.final(answer["submission_id"])
        bundle = await daemon.result("bundle", submission_id=answer["submission_id"])
    assert answer["state"] == "queued"
    for told in (plan, answer):
        assert told["fixed"] == [{"what": "optout", "text": LINK}]
        assert (told["segments_before"], told["segments"]) == (1, 2)
    assert plan["text"] == record["text"] == text + LINK
    assert record["fixed"] == answer["fixed"]
    accepted = world.operators["movistar"].accepted
    assert "".join(each.text for each in accepted) == text + LINK
    assert "acme.example/baja" in bundle["bundle"]  # the ledger commits to what was sent
    assert repeated["submission_id"] == answer["submission_id"]
    assert repeated["fixed"] == answer["fixed"]


async def test_a_ref_is_for_what_was_asked_not_for_what_was_sent(
    world: World, autojump_clock: MockClock
) -> None:
    async with world.running() as daemon:
        await daemon.submit(SPAIN, fix=True, ref="r1", **PROMO)
        other = {**PROMO, "text": PROMO["text"] + LINK}
        answer = await daemon.ask("submit", to=SPAIN, fix=True, ref="r1", **other)
    assert answer["error"]["fields"]["field"] == "ref"


async def test_a_brand_may_have_it_appended_always_in_the_language_of_the_text(
    world: World, autojump_clock: MockClock
) -> None:
    again(world, "opt_out_url", "append_opt_out = true\nopt_out_url")
    answer = await taken(world, SPAIN, **{"from": "21234"})
    assert answer["record"]["text"] == f"{PROMO['text']}. Envia BAJA para no recibir mas"
    answer = await taken(world, SPAIN, text="Only today 20% off for all of you")
    assert answer["record"]["text"].endswith(". Opt out: https://acme.example/baja")
    answer = await taken(world, SPAIN, text=f"Hoy 20%{LINK}")
    assert "fixed" not in answer
    answer = await taken(world, SPAIN, category="legal_notice", text="Su factura vence")
    assert answer["record"]["text"] == "Su factura vence"


async def test_all_that_canada_asks_for_is_appended_in_its_place(
    world: World, autojump_clock: MockClock
) -> None:
    answer = await taken(world, CANADA, fix=True, text="Today 20% off", **{"from": "21234"})
    assert answer["record"]["text"] == (
        "acme: Today 20% off. Info: https://acme.example/legal. Reply STOP to opt out"
    )
    assert [each["what"] for each in answer["fixed"]] == ["brand", "company_info", "optout"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [("Hoy 20%", "Hoy 20%. Envia BAJA"), ("Hoy será", "Hoy será. Envía BAJA")],
)
async def test_accents_that_would_make_a_text_ucs2_are_left_out_of_what_is_appended(
    world: World, autojump_clock: MockClock, text: str, sent: str
) -> None:
    again(world, "opt_out_url", 'opt_out_text = "Envía BAJA"\nopt_out_url')
    answer = await taken(world, SPAIN, fix=True, text=text, **{"from": "21234"})
    assert answer["record"]["text"] == sent


async def test_appending_and_substituting_are_both_undone_to_know_a_ref_again(
    world: World, autojump_clock: MockClock
) -> None:
    again(world, "opt_out_url", "substitute = true\nappend_opt_out = true\nopt_out_url")
    async with world.running() as daemon:
        asked = {"category": "promotional", "text": "L\u2019oferta \u2013 avui"}
        first = await daemon.submit(SPAIN, ref="r1", **asked)
        second = await daemon.submit(SPAIN, ref="r1", **asked)
        record = await daemon.final(first["submission_id"])
    assert second["submission_id"] == first["submission_id"]
    assert record["text"] == "L'oferta - avui. Baixa: https://acme.example/baja"
    assert first["encoding"] == "gsm7"


async def test_a_brand_without_a_page_to_opt_out_on_is_refused_and_told_so(
    world: World, autojump_clock: MockClock
) -> None:
    again(world, 'opt_out_url = "https://acme.example/baja"\n', "")
    decision = await refused(world, SPAIN, fix=True)
    assert "set opt_out_url" in decision["why"][0]


# -- the monthly reminder ------------------------------------------------------------------------


def reminded(answer: dict[str, Any]) -> bool:
    """Whether it is warned of that the person has not been told for a month."""
    return any(each.startswith("DEFAULT-MONTHLY") for each in answer["decision"]["warnings"])


async def test_where_a_month_suffices_one_text_tells_and_the_next_are_free_for_thirty_days(
    world: World, autojump_clock: MockClock
) -> None:
    async with world.running() as daemon:
        first = await daemon.submit(GERMANY, **PROMO)
        assert reminded(first)
        told = await daemon.submit(GERMANY, **{**PROMO, "text": PROMO["text"] + LINK})
        assert not reminded(told)
        await daemon.final(told["submission_id"])
        free = await daemon.submit(GERMANY, **PROMO)
        assert not reminded(free)
        other = await daemon.submit("+4915100000002", **PROMO)
        assert reminded(other)
    world.clock.offset_ms += 30 * DAY_MS
    async with world.running() as daemon:
        late = await daemon.submit(GERMANY, **PROMO)
        assert reminded(late)
        fixed = await daemon.submit(GERMANY, fix=True, **PROMO)
        assert [each["what"] for each in fixed["fixed"]] == ["optout"]


async def test_a_text_the_operator_refused_told_nobody_anything(
    world: World, autojump_clock: MockClock
) -> None:
    person = "+4915100000910"  # the simulated operator refuses numbers that end so
    async with world.running() as daemon:
        told = await daemon.submit(person, **{**PROMO, "text": PROMO["text"] + LINK})
        assert (await daemon.final(told["submission_id"]))["state"] == "rejected"
        after = await daemon.submit(person, **PROMO)
    assert reminded(after)


async def test_whose_month_is_about_to_end_is_listed_and_who_opted_out_is_not(
    world: World, autojump_clock: MockClock
) -> None:
    people = [f"+491510000001{number}" for number in range(3)]
    async with world.running() as daemon:
        for person in people:
            told = await daemon.submit(person, **{**PROMO, "text": PROMO["text"] + LINK})
            await daemon.final(told["submission_id"])
        await daemon.result("optout.add", to=people[0], brand="acme")
        before = "2027-01-01T00:00:00Z"
        listed = await daemon.items("optout.due", before=before)
        assert [each["to"] for each in listed] == people[1:]
        assert listed[0]["brand"] == "acme"
        assert listed[0]["due_at"] > listed[0]["instructed_at"]
        assert len(await daemon.items("optout.due", before=before, limit=1)) == 1
        assert await daemon.items("optout.due", before=before, brand="other") == []
        assert await daemon.items("optout.due", before="2026-11-01T00:00:00Z") == []
        wrong = await daemon.ask("optout.due")
        assert wrong["error"]["fields"]["field"] == "before"


async def test_what_was_told_is_known_after_a_crash(
    world: World, autojump_clock: MockClock
) -> None:
    async with world.running(crash=True) as daemon:
        told = await daemon.submit(GERMANY, **{**PROMO, "text": PROMO["text"] + LINK})
        await daemon.final(told["submission_id"])
    async with world.running() as daemon:
        assert not reminded(await daemon.submit(GERMANY, **PROMO))
