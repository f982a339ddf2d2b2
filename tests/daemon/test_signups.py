"""Double opt-in: asked once, confirmed by who was asked, from the same number, within a day."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.gsm7 import ALPHABET
from tests.support.shop import BRANDS, CODE, ME, ready, received, sent, shop, writes

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

QUESTION = (
    "TIENDA: Confirme que quiere recibir ofertas y novedades por SMS (frecuencia variable):"
    " responda SI en 24 h. Para no recibir nada, responda BAJA. Ayuda: AYUDA."
)
DAY_S = 86_400


async def ask(daemon: Daemon, brand: str = "tienda", **args: Any) -> dict[str, Any]:
    answer = await daemon.result("consent.request", **{"to": ME, "brand": brand, **args})
    await trio.sleep(5)
    return answer


async def consents(daemon: Daemon, number: str = ME) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await daemon.result("consent.show", to=number))["consents"]
    return rows


def code_in(text: str) -> str:
    found = re.search(r"\b\d{6}\b", text)
    assert found is not None
    return found[0]


async def test_a_sign_up_is_asked_once_and_a_yes_makes_it_a_double_consent_with_its_evidence(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        asked = await ask(daemon)
        again = await ask(daemon)
        assert await consents(daemon) == []
        await writes(daemon, "S\xed!", times=2)
        found = await consents(daemon)
        promo = await daemon.submit(
            ME,
            brand="tienda",
            category="promotional",
            text="TIENDA: rebajas. Responda BAJA para no recibir mas",
            **{"from": CODE},
        )
        record = await daemon.result("messages.show", submission_id=asked["submission_id"])
        reader = daemon.gateway.reader
        accepted = next(
            entry
            for entry in (json.loads(reader.entry(seq)) for seq in range(reader.size))
            if entry["ev"] == "A.1"
        )
        with pytest.raises(AssertionError, match="is confirmed already"):
            await ask(daemon)
    assert received(world)[0] == (CODE, QUESTION)
    assert set(QUESTION) <= ALPHABET
    assert asked["expires_at"] == "2026-11-22T10:00:00Z"
    assert (again["known"], again["submission_id"]) == (True, asked["submission_id"])
    assert len(found) == 1
    assert (found[0]["purpose"], found[0]["method"], found[0]["text"]) == (
        "marketing",
        "double",
        QUESTION,
    )
    assert found[0]["source"] == f"sms {asked['submission_id']}"
    replied = record["replies"][0]["seq"]
    assert found[0]["answer"] == f"SI, entry {replied}"
    assert accepted["category"] == "promotional"
    assert "DEFAULT-DOUBLE-OPT-IN" in accepted["decision"]["rules"]
    assert promo["state"] == "queued"


@pytest.mark.parametrize("word", ["SI", "yes", "Sim", "OUI", "ja", "D'ACORD", "d'accordo"])
async def test_a_yes_in_any_language_confirms(
    tmp_path: Path, autojump_clock: MockClock, word: str
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        await writes(daemon, word)
        assert len(await consents(daemon)) == 1


async def test_a_yes_that_comes_after_a_day_confirms_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        first = await ask(daemon)
        await trio.sleep(DAY_S)
        await writes(daemon, "SI")
        assert await consents(daemon) == []
        second = await ask(daemon)
        await writes(daemon, "SI")
        assert len(await consents(daemon)) == 1
    assert first["submission_id"] != second["submission_id"]


@pytest.mark.parametrize("text", ["no", "si, pero otro dia", "ok", "vale", "1234", "PARA"])
async def test_anything_but_a_yes_confirms_nothing(
    tmp_path: Path, autojump_clock: MockClock, text: str
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        await writes(daemon, text)
        assert await consents(daemon) == []


async def test_a_yes_confirms_nothing_from_another_number_or_to_another_sender(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        await writes(daemon, "SI", number="+34600222002")
        await writes(daemon, "SI", to="9090")
        assert await consents(daemon) == []
        assert await consents(daemon, "+34600222002") == []


async def test_a_yes_to_another_question_of_the_same_sender_is_none_to_this_one(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        await sent(daemon, category="transactional", text="Confirma su cita del lunes? SI o NO")
        await writes(daemon, "SI")
        assert await consents(daemon) == []


async def test_who_asks_for_help_first_may_still_say_yes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        await writes(daemon, "AYUDA")
        await trio.sleep(10)
        await writes(daemon, "SI")
        assert len(await consents(daemon)) == 1
    assert len(received(world)) == 2


async def test_stop_instead_of_yes_opts_out_and_closes_the_request(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        await writes(daemon, "STOP")
        await trio.sleep(10)
        await writes(daemon, "SI")
        assert await consents(daemon) == []
        listed = await daemon.items("optout.list")
        refused = await ask(daemon)
    assert [each["source"] for each in listed] == ["reply STOP"]
    assert (refused["state"], refused["decision"]["reason"]) == ("refused", "opted_out")
    assert len(received(world)) == 2


async def test_the_request_waits_for_the_morning_and_is_never_sent_too_late_to_be_answered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    paris = "+33639980123"  # Saturday noon; from 22:00 on nothing until Monday
    world = shop(tmp_path)
    world.clock.offset_ms += 12 * 3_600_000
    async with world.running() as daemon:
        await ready(daemon)
        asked = await ask(daemon, to=paris)
        world_before = received(world, paris)
    assert (asked["state"], asked["decision"]["reason"]) == ("refused", "expired_before_window")
    assert world_before == []


async def test_a_request_that_never_arrived_may_be_sent_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    lost = "+34600222910"  # the operator refuses this number
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        first = await ask(daemon, to=lost)
        second = await ask(daemon, to=lost)
    assert "known" not in second
    assert first["submission_id"] != second["submission_id"]


async def test_a_restart_between_question_and_answer_changes_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running(crash=True) as daemon:
        await ready(daemon)
        await ask(daemon)
    async with world.running() as daemon:
        await ready(daemon)
        await writes(daemon, "SI")
        assert len(await consents(daemon)) == 1


# -- codes -----------------------------------------------------------------------------------------


async def test_where_nobody_can_answer_a_code_confirms_from_a_form(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        asked = await ask(daemon, "muda")
        text = received(world)[0][1]
        code = code_in(text)
        without = await daemon.ask("consent.confirm", to=ME)
        wrong = await daemon.ask("consent.confirm", to=ME, code=f"{(int(code) + 1) % 10**6:06}")
        right = await daemon.result("consent.confirm", to=ME, code=code)
        again = await daemon.ask("consent.confirm", to=ME, code=code)
        found = await consents(daemon)
        raw = (tmp_path / "data" / "ledger.db").read_bytes()
    assert asked["by_code"] is True
    assert text.startswith("Muda SL: ")
    assert text.endswith("Baja: https://muda.example/baja")
    assert without["error"]["fields"]["field"] == "code"
    assert wrong["error"]["code"] == "no"
    assert (right["purpose"], right["method"]) == ("marketing", "double")
    assert again["error"]["code"] == "no"
    assert len(found) == 1
    assert "{code}" in found[0]["text"]  # what was asked, without the secret
    assert code.encode() not in raw


async def test_after_five_tries_even_the_right_code_is_wrong_also_after_a_restart(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running(crash=True) as daemon:
        await ready(daemon)
        await ask(daemon, "muda")
        code = code_in(received(world)[0][1])
        wrong = f"{(int(code) + 1) % 10**6:06}"
        for _ in range(3):
            await daemon.ask("consent.confirm", to=ME, code=wrong)
    async with world.running() as daemon:
        for _ in range(2):
            await daemon.ask("consent.confirm", to=ME, code=wrong)
        late = await daemon.ask("consent.confirm", to=ME, code=code)
        assert await consents(daemon) == []
    assert late["error"]["code"] == "no"


async def test_two_purposes_are_two_requests_and_two_codes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon, "muda")
        await ask(daemon, "muda", purpose="cart", lang="en")
        cart = received(world)[1][1]
        await daemon.result("consent.confirm", to=ME, code=code_in(cart))
        found = await consents(daemon)
    assert "reminders of your cart" in cart
    assert [row["purpose"] for row in found] == ["cart"]


async def test_a_code_may_be_answered_by_sms_too(tmp_path: Path, autojump_clock: MockClock) -> None:
    said = "TIENDA: su clave es {code}. Responda BAJA para no recibir mas. {link}"
    own = f'double_opt_in_text = "{said}"\n'
    deaf = "[senders.5757]\nreceives = false"
    brands = BRANDS.replace("[brands.otra]", f"{own}[brands.otra]")
    brands = brands.replace("[senders.5757]", deaf)
    world = shop(tmp_path, brands)
    async with world.running() as daemon:
        await ready(daemon)
        await ask(daemon)
        text = received(world)[0][1]
        await writes(daemon, "SI")  # a yes without the code is none
        assert await consents(daemon) == []
        await writes(daemon, "000 000", to="9090")
        await writes(daemon, code_in(text), to="9090")
        assert len(await consents(daemon)) == 1
    link = "https://tienda.example/baja"
    words = "Responda BAJA para no recibir mas"
    assert text == f"TIENDA: su clave es {code_in(text)}. {words}. {link}"


# -- what cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"to": ""}, "to"),
        ({"to": "hola"}, "to"),
        ({"brand": "nadie"}, "brand"),
        ({"purpose": "all"}, "purpose"),
        ({"lang": "xx"}, "lang"),
        ({"from": "\xf1and\xfa"}, "from"),
        ({"from": 5}, "from"),
        ({"loud": "1"}, "loud"),
        ({"brand": "acme"}, "from"),  # letters, and no page to opt out
    ],
)
async def test_a_request_that_cannot_be_asked_names_the_field_and_writes_nothing(
    tmp_path: Path, autojump_clock: MockClock, args: dict[str, Any], field: str
) -> None:
    world = shop(tmp_path)
    text = world.config.read_text()
    world.config.write_text(text.replace('opt_out_url = "https://acme.example/b"\n', ""))
    async with world.running() as daemon:
        await ready(daemon)
        size = daemon.gateway.store.size
        answer = await daemon.ask("consent.request", **{"to": ME, "brand": "tienda", **args})
        assert answer["error"]["fields"]["field"] == field
        assert daemon.gateway.store.size == size


async def test_a_text_without_code_is_refused_where_only_a_code_can_confirm(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    own = 'double_opt_in_text = "MUDA: responda SI"\n'
    world = shop(tmp_path, BRANDS.replace("[brands.muda]\n", f"[brands.muda]\n{own}"))
    async with world.running() as daemon:
        await ready(daemon)
        answer = await daemon.ask("consent.request", to=ME, brand="muda")
    assert answer["error"]["fields"]["setting"] == "brands.muda.double_opt_in_text"


async def test_nothing_waits_for_somebody_who_was_not_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        answer = await daemon.ask("consent.confirm", to=ME, code="123456")
        await ask(daemon)
        by_word = await daemon.result("consent.confirm", to=ME, answer="SI, por telefono")
    assert answer["error"]["code"] == "no"
    assert by_word["method"] == "double"
