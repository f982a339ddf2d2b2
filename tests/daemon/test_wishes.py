"""What people write back counts at once, is confirmed once, and is never answered in circles."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.smpp.gsm7 import ALPHABET
from gateway.smpp.pdu import DeliverSm
from tests.support.deliveries import deliver, from_handset
from tests.support.shop import BRANDS, CODE, ME, ready, received, sent, shop, writes
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

PARIS = "+33639980123"
#: Two in the night of Sunday 2026-11-22 in Madrid.
NIGHT_MS = round(datetime(2026, 11, 22, 1, 0, tzinfo=UTC).timestamp() * 1000)
NOTICE = "Su factura vence el dia 30"
GOODBYE = (
    "TIENDA: Baja confirmada. Ya no le enviaremos publicidad por SMS."
    " Para volver a recibirla, responda ALTA."
)
WELCOME = (
    "TIENDA: Alta confirmada: vuelve a recibir nuestros SMS. Frecuencia variable. Baja: BAJA."
    " Ayuda: AYUDA."
)
HELP = "TIENDA: Contacto: ayuda@tienda.example. Para no recibir publicidad por SMS, responda BAJA."


def entries(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    reader = daemon.gateway.reader
    every = [json.loads(reader.entry(seq)) for seq in range(reader.size)]
    return [entry for entry in every if entry["ev"] == event]


async def optouts(daemon: Daemon, **args: Any) -> list[tuple[str, str | None, str]]:
    listed = await daemon.items("optout.list", **args)
    return [(each["to"], each["brand"], each["source"]) for each in listed]


async def allow(daemon: Daemon, brand: str = "tienda", number: str = ME, **args: Any) -> None:
    granted = {"purpose": "marketing", "method": "double", "source": "form 1", "text": "si"}
    await daemon.result("consent.grant", to=number, brand=brand, **{**granted, **args})


# -- opting out ------------------------------------------------------------------------------------


async def test_who_writes_stop_gets_one_confirmation_that_is_sealed_like_any_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        asked = await sent(daemon)
        await writes(daemon, "BAJA")
        await trio.sleep(60)
        listed = await daemon.items("messages.list", to=ME)
        confirmation = await daemon.final(listed[0]["submission_id"])
        assert await optouts(daemon) == [(ME, "tienda", "reply BAJA")]
        answered = await daemon.result("messages.show", submission_id=asked)
        accepted = entries(daemon, "A.1")[-1]
    assert received(world) == [(CODE, NOTICE), (CODE, GOODBYE)]
    assert confirmation["state"] == "delivered"
    assert confirmation["category"] == "transactional"
    assert confirmation["brand"] == "tienda"
    assert confirmation["seal"] is not None
    assert accepted["decision"]["rules"] == ["DEFAULT-STOP-REPLY"]
    assert accepted["decision"]["action"] == "release"
    assert answered["replies"][0]["optout"] == "BAJA"
    assert set(GOODBYE) <= ALPHABET
    assert len(listed) == 2


async def test_stop_delivered_again_by_the_operator_is_confirmed_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon)
        await writes(daemon, "STOP", times=3)
        await writes(daemon, "stop!!")
        await trio.sleep(400)
        assert len(await optouts(daemon)) == 1
    assert len(received(world)) == 2


async def test_a_crash_after_the_opt_out_neither_loses_nor_repeats_its_confirmation(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running(crash=True) as daemon:
        await sent(daemon)
        daemon.gateway.dispatcher.stopped = True  # durable, and the power goes before it leaves
        await writes(daemon, "BAJA")
    assert len(received(world)) == 1
    async with world.running() as daemon:
        await ready(daemon)
        await trio.sleep(30)
        await writes(daemon, "BAJA")  # the operator was not answered before the crash
        await trio.sleep(30)
        assert len(await optouts(daemon)) == 1
    assert received(world) == [(CODE, NOTICE), (CODE, GOODBYE)]


async def test_what_cannot_be_confirmed_within_five_minutes_is_not_confirmed_at_all(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running(crash=True) as daemon:
        await sent(daemon)
        daemon.gateway.dispatcher.stopped = True
        await writes(daemon, "BAJA")
    world.clock.offset_ms += 301_000
    async with world.running() as daemon:
        await ready(daemon)
        await trio.sleep(30)
        listed = await daemon.items("messages.list", to=ME)
        assert await optouts(daemon) == [(ME, "tienda", "reply BAJA")]
    assert listed[0]["state"] == "expired"
    assert len(received(world)) == 1


async def test_an_opt_out_is_confirmed_in_the_night_and_on_sunday(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    own_hours = '[[brands.tienda.windows]]\nopen = "09:00"\nclose = "20:00"\n'
    world = shop(tmp_path, BRANDS + own_hours)
    async with world.running() as daemon:
        await sent(daemon)
        await trio.sleep((NIGHT_MS - world.clock.wall_ms()) / 1000)
        await writes(daemon, "STOP")
        await trio.sleep(5)
    assert [text for _, text in received(world)] == [NOTICE, GOODBYE]


async def test_an_opt_out_refuses_what_is_held_and_what_is_queued(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await allow(daemon)
        await sent(daemon)
        promo = {"brand": "tienda", "from": CODE, "category": "promotional"}
        text = "TIENDA: rebajas. Responda BAJA para no recibir mas"
        held = await daemon.submit(ME, **promo, text=text, not_before="2026-11-21T12:00:00Z")
        daemon.gateway.dispatcher.stopped = True
        queued = await daemon.submit(ME, **promo, text=text)
        assert (held["state"], queued["state"]) == ("held", "queued")
        await writes(daemon, "Baja, por favor")
        daemon.gateway.dispatcher.stopped = False
        daemon.gateway.pipeline.wake()
        states = [
            (await daemon.final(each["submission_id"], timeout_s=8000))["decision"]["reason"]
            for each in (held, queued)
        ]
        after = await daemon.submit(ME, **promo, text=text)
        notice = await daemon.submit(ME, brand="tienda", **{"from": CODE})
    assert states == ["opted_out", "opted_out"]
    assert after["decision"]["reason"] == "opted_out"
    assert notice["state"] == "queued"


async def test_an_opt_out_in_parts_is_understood_when_it_is_whole(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    def part(number: int, text: bytes) -> DeliverSm:
        header = bytes((5, 0, 3, 9, 2, number))
        return DeliverSm(
            source=ME[1:], dest=CODE, short_message=header + text, data_coding=3, esm_class=0x40
        )

    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon)
        await deliver(daemon, part(2, b"TOP por favor"))
        assert await optouts(daemon) == []
        await deliver(daemon, part(1, b"S"))
        await trio.sleep(5)
        assert len(await optouts(daemon)) == 1
    assert len(received(world)) == 2


async def test_who_switched_confirmations_off_sends_none(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    silent = BRANDS.replace('prefix = "TIENDA:"', "confirm_opt_out = false")
    world = shop(tmp_path, silent)
    async with world.running() as daemon:
        await sent(daemon)
        await writes(daemon, "STOP")
        await trio.sleep(5)
        assert len(await optouts(daemon)) == 1
    assert len(received(world)) == 1


@pytest.mark.parametrize(
    ("to", "brand"), [("ACME", "acme"), ("4444", "tienda"), ("34600999000", "tienda")]
)
async def test_nothing_is_answered_from_a_sender_that_is_not_ours_or_cannot_be_answered(
    tmp_path: Path, autojump_clock: MockClock, to: str, brand: str
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon, sender="ACME" if brand == "acme" else CODE, brand=brand)
        await writes(daemon, "STOP", to=to)
        await trio.sleep(5)
        assert [each[1] for each in await optouts(daemon)] == [brand]
    assert len(received(world)) == 1


async def test_a_stranger_who_opts_out_is_heard_and_not_answered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await writes(daemon, "STOP", number="+34600222007")  # to tienda's code
        await writes(daemon, "STOP", number="+34600222008", to="9090")  # to a shared one
        await writes(daemon, "STOP", number="+34600222009", to="1111")  # to nobody's
        await deliver(daemon, from_handset("5757", "STOP", CODE))  # no telephone number
        await deliver(daemon, from_handset("Banco", "STOP", CODE))
        await trio.sleep(5)
        found = await optouts(daemon)
    assert sorted((number, brand or "") for number, brand, _ in found) == [
        ("+34600222007", "tienda"),
        ("+34600222008", "otra"),
        ("+34600222008", "tienda"),
        ("+34600222009", ""),
    ]
    assert world.operators["movistar"].stats.submits == 0


async def test_on_a_shared_code_an_opt_out_is_of_the_brand_that_wrote_last(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon, sender="9090", brand="tienda")
        await sent(daemon, sender="9090", brand="otra")
        await writes(daemon, "STOP", to="9090")
        await trio.sleep(5)
        assert [each[1] for each in await optouts(daemon)] == ["otra"]
    assert received(world)[-1][1].startswith("Otra Ejemplo SL: Baja confirmada.")


async def test_the_confirmation_speaks_the_language_of_the_word_or_of_the_country(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    people = {
        "+34600222011": ("Abmelden", "Sie sind abgemeldet"),
        "+34600222012": ("Baixa", "Baixa confirmada"),
        "+34600222013": ("STOP", "Baja confirmada"),
        "+4915123456789": ("STOP", "Sie sind abgemeldet"),
        "+351912345678": ("Sair", "Cancelamento confirmado"),
        "+393123456789": ("Basta", "Disiscrizione confermata"),
        "+447400123456": ("stop", "You are unsubscribed"),
    }
    async with world.running() as daemon:
        for number, (word, _) in people.items():
            await sent(daemon, number)
            await writes(daemon, word, number=number)
        await trio.sleep(30)
    for number, (_, begins) in people.items():
        assert received(world, number)[-1][1].startswith(f"TIENDA: {begins}"), number


async def test_an_opt_out_takes_consents_and_open_requests_with_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await allow(daemon)
        await allow(daemon, purpose="cart")
        await allow(daemon, brand="otra")
        await sent(daemon)
        await writes(daemon, "STOP")
        shown = await daemon.result("consent.show", to=ME)
    standing = [
        (row["brand"], row["purpose"]) for row in shown["consents"] if not row["withdrawn_at"]
    ]
    assert standing == [("otra", "marketing")]


async def test_alta_to_the_uruguayan_register_opts_out(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    someone = "+59899123456"
    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon, someone)
        await writes(daemon, "ALTA", number=someone, to="6622")
        assert await optouts(daemon) == [(someone, "tienda", "reply ALTA")]
        await writes(daemon, "BAJA", number=someone, to="6622")
        assert len(await optouts(daemon)) == 1
    assert len(received(world, someone)) == 1


# -- opting in again -------------------------------------------------------------------------------


async def test_alta_takes_a_keyword_opt_out_back_and_no_cart_or_double_consent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await allow(daemon)
        await allow(daemon, purpose="cart")
        await sent(daemon)
        await writes(daemon, "STOP")
        await writes(daemon, "Alta en el hospital")
        assert len(await optouts(daemon)) == 1
        await writes(daemon, "ALTA", times=2)
        await trio.sleep(5)
        assert await optouts(daemon) == []
        shown = await daemon.result("consent.show", to=ME)
        removed = [e for e in entries(daemon, "x.Consent") if e["purpose"] == "optout_removed"]
    standing = [row for row in shown["consents"] if not row["withdrawn_at"]]
    assert [(row["purpose"], row["method"], row["text"]) for row in standing] == [
        ("marketing", "single", "ALTA")
    ]
    assert standing[0]["source"].startswith("reply ALTA, entry ")
    assert len(removed) == 1
    assert [text for _, text in received(world)][2:] == [WELCOME]


async def test_alta_does_not_take_back_what_was_said_in_another_way(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon)
        await daemon.result("optout.add", to=ME, brand="tienda", source="phone")
        await writes(daemon, "ALTA")
        await trio.sleep(5)
        assert await optouts(daemon) == [(ME, "tienda", "phone")]
        shown = await daemon.result("consent.show", to=ME)
    assert shown["consents"] == []
    assert len(received(world)) == 1


async def test_a_stranger_may_sign_up_by_writing_to_a_brands_own_code(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await writes(daemon, "ALTA")
        await writes(daemon, "ALTA", to="1111", number="+34600222009")
        await trio.sleep(5)
        mine = await daemon.result("consent.show", to=ME)
        theirs = await daemon.result("consent.show", to="+34600222009")
    assert [(row["brand"], row["method"]) for row in mine["consents"]] == [("tienda", "single")]
    assert theirs["consents"] == []
    assert len(received(world)) == 1


# -- help ------------------------------------------------------------------------------------------


async def test_help_is_answered_once_a_day_with_brand_and_contact(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        for _ in range(3):
            await writes(daemon, "Ayuda?")
        assert len(received(world)) == 1
        await trio.sleep(86_400)
        await writes(daemon, "AYUDA")
        await trio.sleep(5)
    assert received(world) == [(CODE, HELP)] * 2


async def test_a_brand_may_word_its_help_itself_and_needs_a_contact_to_be_asked(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    own = BRANDS.replace('contact = "ayuda@tienda.example"', 'help_text = "TIENDA: llame al 900."')
    world = shop(tmp_path, own.replace('contact = "hola@otra.example"', ""))
    async with world.running() as daemon:
        await ready(daemon)
        await writes(daemon, "HELP")
        await sent(daemon, "+34600222002", "9090", "otra")
        await writes(daemon, "HELP", number="+34600222002", to="9090")
        await trio.sleep(5)
    assert [text for _, text in received(world)] == ["TIENDA: llame al 900."]
    assert len(received(world, "+34600222002")) == 1


async def test_who_opted_out_is_still_helped(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await daemon.result("optout.add", to=ME, source="phone")
        await ready(daemon)
        await writes(daemon, "HELP")
        await trio.sleep(5)
    assert len(received(world)) == 1


async def test_two_machines_that_answer_each_other_fall_silent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await sent(daemon)
        for _ in range(5):
            await writes(daemon, "STOP")
            await writes(daemon, "START")
        await trio.sleep(5)
        assert await optouts(daemon) == []
    assert len(received(world)) == 5  # the notice and four replies


async def test_one_of_our_own_numbers_is_never_answered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    own = BRANDS.replace('"9090"]\n[brands.otra]', f'"{ME}"]\n[brands.otra]')
    world = shop(tmp_path, f'{own}\n[senders."{ME}"]\nkind = "long_code"\n')
    async with world.running() as daemon:
        await ready(daemon)
        await writes(daemon, "HELP")
        await trio.sleep(5)
    assert received(world) == []


async def test_a_reply_that_no_route_carries_is_dropped_and_the_opt_out_counts(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, gateway=BRANDS, routes={"+33": ["movistar"]})
    async with world.running() as daemon:
        await ready(daemon)
        await writes(daemon, "HELP")
        await writes(daemon, "STOP")
        await trio.sleep(5)
        assert len(await optouts(daemon)) == 1
    assert received(world) == []


# -- what sounds like it ---------------------------------------------------------------------------


async def test_free_text_suspends_advertising_until_a_person_has_read_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    promo = {
        "brand": "tienda",
        "from": CODE,
        "category": "promotional",
        "text": "TIENDA: rebajas. Responda BAJA para no recibir mas",
    }
    async with world.running() as daemon:
        await allow(daemon)
        answered = await sent(daemon)
        await writes(daemon, "no quiero m\xe1s SMS", times=2)
        await trio.sleep(5)
        waiting = await daemon.items("optout.list", suspected=True)
        refused = await daemon.submit(ME, **promo)
        other = await daemon.submit(ME, brand="tienda", category="transactional", **{"from": CODE})
        record = await daemon.result("messages.show", submission_id=answered)
        await daemon.result("optout.resolve", to=ME, **{"as": "dismiss"})
        again = await daemon.submit(ME, **promo)
        nothing = await daemon.ask("optout.resolve", to=ME, **{"as": "dismiss"})
        told = entries(daemon, "x.OptOut")
    assert [(each["to"], each["brand"], each["text"]) for each in waiting] == [
        (ME, "tienda", "no quiero m\xe1s SMS")
    ]
    assert refused["decision"]["reason"] == "opted_out"
    assert other["state"] == "queued"
    assert again["state"] == "queued"
    assert nothing["error"]["code"] == "no"
    assert (told[0]["purpose"], told[0]["method"]) == ("advertising", "suspected")
    assert told[1]["purpose"] == "dismissed"
    assert record["replies"][0]["optout"] == "NO QUIERO MAS"
    assert len([text for _, text in received(world) if "confirmada" in text]) == 0


async def test_a_person_confirms_what_was_suspected_and_so_does_a_word(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    other = "+34600222002"
    world = shop(tmp_path)
    async with world.running() as daemon:
        for number in (ME, other):
            await sent(daemon, number)
            await writes(daemon, "deja de escribirme", number=number)
        await daemon.result("optout.resolve", to=ME, **{"as": "optout"})
        await writes(daemon, "STOP", number=other)
        await trio.sleep(5)
        left = await daemon.items("optout.list", suspected=True)
        found = await optouts(daemon)
        wrong = await daemon.ask("optout.resolve", to=ME, **{"as": "perhaps"})
    assert left == []
    assert sorted(found)[1] == (other, "tienda", "reply STOP")
    assert min(found)[2].startswith("read by ")
    assert wrong["error"]["fields"]["field"] == "as"
    assert received(world, other)[-1][1] == GOODBYE


async def test_what_is_suspected_of_all_brands_suspends_each(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = shop(tmp_path)
    async with world.running() as daemon:
        await ready(daemon)
        await allow(daemon)
        await writes(daemon, "\xa1no me molesten!", to="1111")
        await writes(daemon, "deja de escribir", to="1111")
        promo = await daemon.submit(
            ME,
            brand="tienda",
            category="promotional",
            text="TIENDA: rebajas. Responda BAJA para no recibir mas",
            **{"from": CODE},
        )
    assert promo["decision"]["reason"] == "opted_out"
