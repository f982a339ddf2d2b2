"""What the operator receives of a text, whatever it wants of it, and what the record then says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.daemon.roles import Role
from gateway.smpp.text import decode_text
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from gateway.smpp.pdu import SubmitSm

TO = "+34600111222"
NOTICE = "Le notificamos que su factura del día 5 vence el próximo lunes, 30 de noviembre. "


def overhear(world: World, monkeypatch: pytest.MonkeyPatch) -> list[SubmitSm]:
    """Every submit_sm the operator takes."""
    operator = world.operators["movistar"]
    heard: list[SubmitSm] = []
    accept = operator.accept

    def spy(pdu: SubmitSm, system_id: str, now: float) -> Any:
        heard.append(pdu)
        return accept(pdu, system_id, now)

    monkeypatch.setattr(operator, "accept", spy)
    return heard


async def sent(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str
) -> tuple[list[SubmitSm], dict[str, Any]]:
    heard = overhear(world, monkeypatch)
    async with world.running() as daemon:
        answer = await daemon.submit(TO, text=text)
        record = await daemon.final(answer["submission_id"])
    assert record["state"] == "delivered"
    assert record["text"] == text
    assert (answer["encoding"], answer["segments"]) == (record["encoding"], len(heard))
    assert len(record["segments"]) == len(heard)
    return heard, record


async def test_sar_travels_in_tlvs(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path, {"movistar": 'long_message = "sar"'})
    pdus, _ = await sent(world, monkeypatch, "x" * 200)
    assert [pdu.short_message for pdu in pdus] == [b"x" * 152, b"x" * 48]
    assert [pdu.esm_class for pdu in pdus] == [0, 0]
    assert [pdu.tlv(0x020F) for pdu in pdus] == [b"\x01", b"\x02"]
    assert {pdu.tlv(0x020E) for pdu in pdus} == {b"\x02"}
    (reference,) = {pdu.tlv(0x020C) for pdu in pdus}
    assert reference is not None
    assert len(reference) == 2


async def test_a_payload_is_one_submit_sm(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path, {"movistar": 'long_message = "payload"'})
    (pdu,), record = await sent(world, monkeypatch, NOTICE * 10)
    assert pdu.short_message == b""
    assert decode_text(pdu.tlv(0x0424) or b"", pdu.data_coding) == NOTICE * 10
    assert record["encoding"] == "ucs2"


async def test_a_wide_reference_ties_the_parts_of_each_message(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path, {"movistar": 'long_message = "udh16"'})
    heard = overhear(world, monkeypatch)
    async with world.running() as daemon:
        for letter in "ab":
            answer = await daemon.submit(TO, text=letter * 200)
            await daemon.final(answer["submission_id"])
    assert {pdu.esm_class for pdu in heard} == {0x40}
    assert [pdu.short_message[:3].hex() for pdu in heard] == ["060804"] * 4
    references = [pdu.short_message[3:5] for pdu in heard]
    assert references[0] == references[1] != references[2] == references[3]


async def test_a_national_table_is_used_only_where_the_operator_has_it(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path, {"movistar": 'national_tables = ["spanish"]'})
    (pdu,), record = await sent(world, monkeypatch, NOTICE)
    assert pdu.short_message[:4] == bytes.fromhex("03240102")
    assert (pdu.data_coding, pdu.esm_class) == (0, 0x40)
    assert world.operators["movistar"].accepted[0].text == NOTICE
    assert record["encoding"] == "gsm7-spanish-single"


async def test_packed_septets_follow_their_header_after_fill_bits(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path, {"movistar": 'gsm7_packing = "packed"'})
    pdus, _ = await sent(world, monkeypatch, "Hola [" * 40)
    assert len(pdus[0].short_message) == 140
    read = [decode_text(pdu.short_message, 0, udh=True, packed=True) for pdu in pdus]
    assert "".join(read) == "Hola [" * 40


async def test_the_segments_stay_as_accepted_when_the_settings_change(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.make(tmp_path, {"movistar": 'long_message = "sar"'})
    world.reachable = False
    async with world.running() as daemon:
        answer = await daemon.submit(TO, text=NOTICE * 3)
    config = world.config.read_text().replace('"sar"', '"payload"\nnational_tables = "spanish"')
    world.config.write_text(config)
    world.reachable = True
    heard = overhear(world, monkeypatch)
    async with world.running() as daemon:
        record = await daemon.final(answer["submission_id"])
    assert len(heard) == answer["segments"] == len(record["segments"]) == 4
    assert all(pdu.tlv(0x020C) for pdu in heard)


# -- substitution ------------------------------------------------------------------------------

PLAIN = "L\u2019av\u00e8s \u2013 avui\u2026"


def asks_for_substitution(world: World) -> None:
    text = world.config.read_text()
    world.config.write_text(
        text.replace('senders = ["ACME",', 'substitute = true\nsenders = ["ACME",')
    )


async def test_a_brand_that_asks_gets_plainer_characters_and_the_record_says_which(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    asks_for_substitution(world)
    async with world.running() as daemon:
        answer = await daemon.submit(TO, text=PLAIN, ref="r1")
        record = await daemon.final(answer["submission_id"])
        again = await daemon.submit(TO, text=PLAIN, ref="r1")
        bundle = await daemon.result("bundle", submission_id=answer["submission_id"])
    assert answer["encoding"] == "gsm7"
    assert record["text"] == "L'avès - avui..."
    assert record["substituted"] == [
        {"character": "\u2019", "code": "U+2019", "by": "'", "at": [1]},
        {"character": "\u2013", "code": "U+2013", "by": "-", "at": [7]},
        {"character": "\u2026", "code": "U+2026", "by": "...", "at": [13]},
    ]
    assert world.operators["movistar"].accepted[0].text == record["text"]
    assert again["submission_id"] == answer["submission_id"]  # the same content as asked for
    assert "L'av" in bundle["bundle"]
    assert "\u2019" not in bundle["bundle"]


async def test_without_the_brand_asking_nothing_is_replaced(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        answer = await daemon.submit(TO, text=PLAIN)
        record = await daemon.show(answer["submission_id"])
    assert (record["text"], record["encoding"], record["substituted"]) == (PLAIN, "ucs2", [])


# -- what cannot be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"text": "x" * (255 * 153 + 1)}, "text", "more than 255 parts"),
        ({"text": "a\0b"}, "text", "NUL at character 2"),
        ({"to": "22011"}, "to", "short code"),
        ({"from": "TWELVELETTER"}, "from", "at most 11"),
        ({"from": "ACME!"}, "from", "letters, digits"),
        ({"from": "12"}, "from", "no short code"),
    ],
)
async def test_what_cannot_be_sent_is_said_at_submission(
    tmp_path: Path,
    autojump_clock: MockClock,
    given: dict[str, str],
    field: str,
    says: str,
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        args = {"to": TO, "brand": "acme", "text": "hola", **given}
        (answer,) = await daemon.ask_all([("submit", args)])
        assert await daemon.items("messages.list") == []
    error = answer["error"]
    assert error["fields"]["field"] == field
    assert says in error["message"]
    assert error["hint"]


# -- what would be -----------------------------------------------------------------------------


async def test_a_plan_says_what_submit_would_do_and_does_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        await trio.sleep(5)
        before = await daemon.result("ledger.head")
        plan = await daemon.result("plan", to=TO, text=NOTICE, category="legal_notice")
        assert await daemon.result("ledger.head") == before
        assert await daemon.items("messages.list") == []
        answer = await daemon.submit(TO, text=NOTICE)
    same = ("state", "decision", "encoding", "segments")
    assert {name: plan[name] for name in same} == {name: answer[name] for name in same}
    assert (plan["operator"], plan["route"]["number"]) == ("movistar", 1)
    assert [part["units"] for part in plan["parts"]] == [67, 14]
    assert [(each["code"], each["count"], each["why"]) for each in plan["characters"]] == [
        ("U+00ED", 1, "forces_ucs2"),
        ("U+00F3", 1, "forces_ucs2"),
    ]
    assert plan["without_them"] == {"encoding": "gsm7", "units": 81, "segments": 1, "on_air": 1}


async def test_a_plan_says_which_routes_and_operators_are_passed_over(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path, {"movistar": "", "vodafone": ""})
    routes = """
[[routes]]
to = ["+33"]
operators = ["movistar"]
[[routes]]
category = ["otp"]
operators = ["movistar"]
[[routes]]
from = ["OTHER"]
operators = ["movistar"]
[[routes]]
brand = ["other"]
operators = ["movistar"]
"""
    text = world.config.read_text().replace("[[routes]]", f"{routes}[[routes]]")
    world.config.write_text(f"{text}[brands.other]\n")
    world.reachable = False
    async with world.running() as daemon:
        plan = await daemon.result("plan", to=TO, text="hola", brand="acme")
    assert [passed["why"] for passed in plan["passed_over"]] == [
        "the recipient does not begin with +33",
        "the category is not otp",
        "the sender is not OTHER",
        "the brand is not other",
    ]
    assert plan["route"] == {
        "number": 5,
        "of": 5,
        "setting": "routes[4]",
        "to": ["+"],
        "from": [],
        "brand": [],
        "category": [],
        "strategy": "failover",
        "because": ["any recipient fits"],
    }
    assert plan["operator"] is None
    assert plan["why"] == "none of the route is bound: the message waits until one is"
    assert [each["bound"] for each in plan["operators"]] == [False, False]


async def test_a_plan_tells_a_refusal_a_hold_and_a_ref_that_is_known(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    asks_for_substitution(world)
    async with world.running() as daemon:
        later = await daemon.result(
            "plan", to=TO, text="hola", not_before="2026-11-24T10:00:00Z", category="otp"
        )
        answer = await daemon.submit(TO, text="hola", ref="r1")
        known = await daemon.result("plan", to=TO, text=PLAIN, ref="r1", category="legal_notice")
        night = await daemon.result(
            "plan",
            to="+573000000123",
            text="pago",
            not_before="2026-11-22T15:00:00Z",
            category="debt_claim",
        )
        await daemon.result("optout.add", to=TO)
        refused = await daemon.result("plan", to=TO, text="hola", category="transactional")
    assert (later["state"], later["due_at"]) == ("held", "2026-11-24T10:00:00Z")
    assert known["known_as"] == answer["submission_id"]
    assert (known["text"], len(known["substituted"])) == ("L'avès - avui...", 3)
    assert (night["state"], night["decision"]["action"]) == ("held", "hold")  # a Sunday in Colombia
    assert night["due_at"] == night["decision"]["until"]
    assert (refused["state"], refused["decision"]["reason"]) == ("refused", "opted_out")


async def test_whoever_may_submit_may_plan(tmp_path: Path, autojump_clock: MockClock) -> None:
    world = World.make(tmp_path)
    async with world.running() as daemon:
        daemon.role = Role.READ
        answer = await daemon.ask("plan", to=TO, text="hola")
        assert answer["error"]["code"] == "not_permitted"
        daemon.role = Role.SUBMIT
        plan = await daemon.result("plan", to=TO, text="hola", category="otp")
        assert plan["state"] == "queued"
        nowhere = await daemon.ask("plan", to="22011", text="hola")
        assert nowhere["error"]["fields"]["field"] == "to"
