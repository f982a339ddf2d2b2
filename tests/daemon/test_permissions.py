"""What persons allow, while messages wait and go: withdrawals, imports, registries, roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from gateway.daemon.roles import Role
from gateway.policy.loader import load_rulebook
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from tests.support.world import Daemon

ANNA, BERTA = "+34600111222", "+34600111223"
LATER = "2026-11-21T18:00:00Z"
SHA256 = "ab" * 32

#: One place with one rule of each kind that is about persons.
PACK = """
[ruleset]
jurisdiction = "default"
name = "a place"
layer = "law"
version = "1"
[[consent]]
id = "ASKS"
applies = ["promotional"]
purpose = "marketing"
{rest}
[[consent]]
id = "ASKS-TWICE"
applies = ["cart_reminder"]
purpose = "cart"
method = "double"
{rest}
[[registry]]
id = "LISTED"
applies = ["promotional"]
registry = "rne"
max_age_days = 30
{rest}
[[optout]]
id = "LEFT"
applies = ["promotional", "cart_reminder"]
scope = "brand"
{rest}
"""
REST = """
effective = 2020-01-01
cite = "a law"
url = "https://example.org/law"
confidence = "high"
reviewed = 2026-11-21
"""


@pytest.fixture(autouse=True)
def _rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon judges by the rules above, whatever packs are shipped."""
    packs = tmp_path / "packs"
    packs.mkdir()
    (packs / "default.toml").write_text(PACK.format(rest=REST))
    book = load_rulebook([packs], "law")
    monkeypatch.setattr("gateway.daemon.gateway.load_rulebook", lambda *_, **__: book)


async def agree(daemon: Daemon, to: str = ANNA, **more: Any) -> dict[str, Any]:
    given = {"brand": "acme", "purpose": "marketing", "method": "single", **more}
    return await daemon.result("consent.grant", to=to, **given)


async def unasked(daemon: Daemon, to: str, category: str, **more: object) -> dict[str, Any]:
    """Submit without anybody having agreed to it first."""
    return await daemon.result("submit", to=to, category=category, text="Oferta", **more)


async def promote(daemon: Daemon, to: str = ANNA, **more: Any) -> dict[str, Any]:
    return await unasked(daemon, to, "promotional", **more)


def events(record: dict[str, Any]) -> list[str]:
    return [event["event"] for event in record["events"]]


# -- consent at work -------------------------------------------------------------------------------


async def test_a_promotion_goes_with_consent_and_is_refused_without(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        without = await promote(daemon)
        await agree(daemon)
        with_it = await promote(daemon)
        cart = await unasked(daemon, ANNA, "cart_reminder")
        await agree(daemon, purpose="cart")
        single = await unasked(daemon, ANNA, "cart_reminder")
        await agree(daemon, purpose="cart", method="double", source="shop")
        double = await unasked(daemon, ANNA, "cart_reminder")
        notice = await daemon.submit(BERTA, category="legal_notice")
    assert [each["decision"]["reason"] for each in (without, cart, single)] == [
        *("consent_missing", "consent_missing", "double_opt_in_required"),
    ]
    assert [each["state"] for each in (with_it, double, notice)] == ["queued"] * 3


async def test_a_withdrawal_refuses_what_is_held_at_once_and_not_when_its_hour_comes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon)
        await agree(daemon, to=BERTA)
        held = await promote(daemon, not_before=LATER)
        other = await promote(daemon, to=BERTA, not_before=LATER)
        assert (held["state"], other["state"]) == ("held", "held")
        answer = await daemon.result("consent.withdraw", to=ANNA, brand="acme", source="call")
        record = await daemon.final(held["submission_id"], timeout_s=5)
        assert (await daemon.show(other["submission_id"]))["state"] == "held"
    assert [row["purpose"] for row in answer["consents"]] == ["marketing"]
    assert (record["state"], record["decision"]["reason"]) == ("refused", "consent_missing")
    assert events(record) == ["A.1", "A.2", "S.1"]


@pytest.mark.parametrize("leaving", ["consent.withdraw", "optout.add", "optout.import"])
async def test_whoever_leaves_while_the_operator_is_down_gets_nothing_when_it_is_up(
    tmp_path: Path, autojump_clock: MockClock, leaving: str
) -> None:
    world = World.make(tmp_path)
    world.reachable = False
    async with world.running() as daemon:
        await agree(daemon)
        queued = await promote(daemon)
        notice = await daemon.submit(ANNA)
        assert queued["state"] == "queued"
        args = {"rows": [{"to": ANNA, "brand": "acme"}]} if "import" in leaving else {"to": ANNA}
        await daemon.result(leaving, **args)
        await trio.sleep(1)
        record = await daemon.show(queued["submission_id"])
        assert record["state"] == "refused"
        world.reachable = True
        sent = await daemon.final(notice["submission_id"])
    assert sent["state"] == "delivered"
    assert world.operators["movistar"].stats.submits == 1


async def test_a_held_message_refused_for_another_reason_waits_for_its_hour(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Only what a person takes back refuses at once: nothing else about them changed."""
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon)
        held = await promote(daemon, not_before=LATER)
        await daemon.result("optout.add", to=ANNA, brand="acme", source="web")
        await daemon.final(held["submission_id"], timeout_s=5)
        await agree(daemon, to=BERTA)
        other = await promote(daemon, to=BERTA, not_before=LATER)
        await agree(daemon, to=BERTA, source="again")
        await trio.sleep(5)
        assert (await daemon.show(other["submission_id"]))["state"] == "held"
        record = await daemon.final(other["submission_id"], timeout_s=80_000)
    assert record["state"] == "delivered"


async def test_a_grant_does_not_lift_an_opt_out_and_says_how_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon, purpose="cart", method="double", source="shop")
        await daemon.result("optout.add", to=ANNA, brand="acme", source="web")
        granted = await agree(daemon)
        refused = await promote(daemon)
        removed = await daemon.result("optout.remove", to=ANNA, brand="acme")
        again = await promote(daemon)
        cart = await unasked(daemon, ANNA, "cart_reminder")
    assert granted["opted_out"]["brand"] == "acme"
    assert "optout remove" in granted["opted_out"]["hint"]
    assert refused["decision"]["reason"] == "opted_out"
    assert [row["purpose"] for row in removed["withdrawn"]] == ["cart"]
    assert again["state"] == "queued"
    assert cart["decision"]["reason"] == "consent_missing"


async def test_permissions_survive_a_crash_right_after_they_were_acknowledged(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running(crash=True) as daemon:
        await agree(daemon)
        await daemon.result("optout.import", rows=[{"to": BERTA}])
        await daemon.result("consent.withdraw", to=ANNA, brand="acme")
    async with world.running() as daemon:
        refused = await promote(daemon)
        left = await promote(daemon, to=BERTA)
        shown = await daemon.result("consent.show", to=ANNA)
    assert refused["decision"]["reason"] == "consent_missing"
    assert left["decision"]["reason"] == "opted_out"
    assert shown["consents"][0]["withdrawn_at"] == "2026-11-21T10:00:00Z"


# -- long lists beside the traffic -----------------------------------------------------------------


async def test_five_thousand_opt_outs_come_in_while_messages_go(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    sent: list[dict[str, Any]] = []

    async def traffic(daemon: Daemon) -> None:
        for number in range(60):
            answer = await daemon.submit(f"+34600112{number:03d}")
            sent.append(await daemon.final(answer["submission_id"]))

    async with world.running() as daemon:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic, daemon)
            for start in range(0, 5000, 1000):
                numbers = [f"+34600{113_000 + n:06d}" for n in range(start, start + 1000)]
                rows = [{"to": number, "source": "list"} for number in numbers]
                taken = await daemon.result("optout.import", rows=rows)
                assert taken == {"added": 1000, "known": 0, "rejected": []}
                await trio.sleep(0.1)
        refused = await promote(daemon, to="+34600117999")
        listed = await daemon.items("optout.list")
        some = await daemon.items("optout.list", limit=7)
        head = await daemon.result("ledger.head")
    assert {record["state"] for record in sent} == {"delivered"}
    assert refused["decision"]["reason"] == "opted_out"
    assert (len(listed), len(some)) == (5000, 7)
    assert head["size"] < 60 * 6 + 50  # an entry for each chunk, not for each person


async def test_an_import_that_repeats_after_a_crash_adds_only_what_is_missing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    rows = [{"to": f"+34600112{number:03d}"} for number in range(200)]
    async with world.running(crash=True) as daemon:
        await daemon.result("optout.import", rows=rows[:100])
    async with world.running() as daemon:
        first = await daemon.result("optout.import", rows=rows[:100])
        second = await daemon.result("optout.import", rows=rows[100:])
        unsigned = await daemon.result("optout.show", to="+34600112007")
        await daemon.result("ledger.checkpoint")
        proof = (await daemon.result("optout.show", to="+34600112007"))["opted_out"][0]["proof"]
    assert (first["added"], first["known"]) == (0, 100)
    assert second["added"] == 100
    assert proof["list"]["count"] == 100
    assert unsigned["opted_out"][0]["proof"]["proof"] is None
    assert proof["proof"].startswith("c2sp.org/tlog-proof@v1")


# -- registries ------------------------------------------------------------------------------------


async def import_registry(daemon: Daemon, as_of: str, *numbers: str) -> dict[str, Any]:
    begun = await daemon.result("registry.begin", name="rne", as_of=as_of)
    rows = [{"to": number} for number in numbers]
    await daemon.result("registry.add", snapshot=begun["snapshot"], rows=rows)
    return await daemon.result("registry.finish", snapshot=begun["snapshot"], sha256=SHA256)


async def test_a_registry_refuses_promotions_to_whom_it_lists_and_nothing_else(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon)
        await agree(daemon, to=BERTA)
        before = await promote(daemon, to=BERTA)
        told = await import_registry(daemon, "2026-11-20T00:00:00Z", ANNA)
        refused, free = await promote(daemon), await promote(daemon, to=BERTA)
        notice = await daemon.submit(ANNA)
        listed = await daemon.items("registry.list")
        shown = await daemon.result("optout.show", to=ANNA)
    missing = "registry_missing: LISTED: rne was never imported"
    assert missing in before["decision"]["warnings"]
    assert (refused["decision"]["reason"], refused["decision"]["rules"]) == ("registry", ["LISTED"])
    assert not any("registry" in each for each in free["decision"]["warnings"])
    assert notice["state"] == "queued"
    assert (told["members"], told["sha256"]) == (1, SHA256)
    assert [(row["name"], row["as_of"]) for row in listed] == [("rne", "2026-11-20T00:00:00Z")]
    assert [row["name"] for row in shown["registries"]] == ["rne"]


async def test_an_old_snapshot_is_warned_about_whoever_is_written_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon, to=BERTA)
        await import_registry(daemon, "2026-10-01T00:00:00Z", ANNA)
        free = await promote(daemon, to=BERTA)
    (warning,) = [each for each in free["decision"]["warnings"] if "registry" in each]
    assert warning.startswith("registry_outdated: LISTED: rne: its snapshot is 51 days old")


async def test_a_newer_snapshot_takes_the_place_of_the_older_at_its_end_and_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon)
        await agree(daemon, to=BERTA)
        await import_registry(daemon, "2026-11-01T00:00:00Z", ANNA)
        begun = await daemon.result("registry.begin", name="rne", as_of="2026-11-20T00:00:00Z")
        rows = [{"to": BERTA}, {"to": "x"}, {"to": BERTA}]
        added = await daemon.result("registry.add", snapshot=begun["snapshot"], rows=rows)
        halfway = [await promote(daemon), await promote(daemon, to=BERTA)]
        await daemon.result("registry.finish", snapshot=begun["snapshot"], sha256=SHA256)
        after = [await promote(daemon), await promote(daemon, to=BERTA)]
        while (await daemon.result("registry.sweep"))["more"]:
            pass
        listed = await daemon.items("registry.list")
    assert (added["added"], added["known"], len(added["rejected"])) == (1, 1, 1)
    assert [each["state"] for each in halfway] == ["refused", "queued"]
    assert [each["state"] for each in after] == ["queued", "refused"]
    assert [row["members"] for row in listed] == [1]


async def test_an_import_that_fails_or_is_cut_off_leaves_the_older_snapshot(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    world = World.make(tmp_path)
    async with world.running(crash=True) as daemon:
        await agree(daemon)
        await import_registry(daemon, "2026-11-01T00:00:00Z", ANNA)
        empty = await daemon.result("registry.begin", name="rne", as_of="2026-11-20T00:00:00Z")
        refused = await daemon.ask("registry.finish", snapshot=empty["snapshot"], sha256=SHA256)
        cut = await daemon.result("registry.begin", name="rne", as_of="2026-11-20T00:00:00Z")
        rows = [{"to": BERTA}]
        await daemon.result("registry.add", snapshot=cut["snapshot"], rows=rows)
        given_up = await daemon.ask("registry.add", snapshot=empty["snapshot"], rows=rows)
    async with world.running() as daemon:
        still = await promote(daemon)
        gone = await daemon.result("registry.begin", name="rne", as_of="2026-11-20T00:00:00Z")
        late = await daemon.ask("registry.finish", snapshot=cut["snapshot"], sha256=SHA256)
        assert gone["snapshot"] > cut["snapshot"]
    assert refused["error"]["code"] == "data"
    assert given_up["error"]["code"] == late["error"]["code"] == "no"
    assert still["decision"]["reason"] == "registry"


async def test_a_dropped_registry_lists_nobody(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with World.make(tmp_path).running() as daemon:
        await agree(daemon)
        await import_registry(daemon, "2026-11-20T00:00:00Z", ANNA)
        await daemon.result("registry.drop", name="rne")
        free = await promote(daemon)
        again = await daemon.ask("registry.drop", name="rne")
        while (await daemon.result("registry.sweep"))["more"]:
            pass
    assert free["state"] == "queued"
    assert again["error"]["code"] == "no"


@pytest.mark.parametrize(
    ("command", "args", "field"),
    [
        ("registry.begin", {"name": "unknown", "as_of": LATER}, "name"),
        ("registry.begin", {"name": "rne"}, "as_of"),
        ("registry.begin", {"name": "rne", "as_of": "yesterday"}, "as_of"),
        ("registry.begin", {"name": "rne", "as_of": "2027-01-01T00:00:00Z"}, "as_of"),
        ("registry.begin", {"name": "rne", "as_of": "2026-10-31T00:00:00Z"}, "as_of"),
        ("registry.add", {"dry_run": True, "rows": 5}, "rows"),
        ("consent.grant", {"purpose": "cart", "method": "single"}, "to"),
        ("consent.grant", {"to": ANNA, "method": "single"}, "purpose"),
        ("consent.grant", {"to": ANNA, "brand": "x"}, "brand"),
        ("consent.grant", {"to": ANNA, "text": 5}, "text"),
        ("consent.withdraw", {"to": ANNA, "purpose": "x"}, "purpose"),
        ("consent.show", {}, "to"),
        ("consent.list", {"limit": 0}, "limit"),
        ("consent.list", {"brand": 5}, "brand"),
        ("optout.show", {"to": "person:0:0"}, "to"),
        ("optout.add", {"to": ANNA, "source": "call from +34 600 111 222"}, "source"),
        ("optout.add", {"to": ANNA, "source": "x" * 201}, "source"),
    ],
)
async def test_what_cannot_be_is_refused_by_field(
    tmp_path: Path, autojump_clock: MockClock, command: str, args: dict[str, Any], field: str
) -> None:
    async with World.make(tmp_path).running() as daemon:
        await import_registry(daemon, "2026-11-01T00:00:00Z", ANNA)
        size = (await daemon.result("ledger.head"))["size"]
        answer = await daemon.ask(command, **args)
        assert (await daemon.result("ledger.head"))["size"] == size
    assert answer["error"]["fields"]["field"] == field
    assert answer["error"]["hint"]


async def test_a_date_in_a_source_is_no_number(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with World.make(tmp_path).running() as daemon:
        await daemon.result("optout.add", to=ANNA, source="letter of 2026-11-20, form 117")


async def test_dry_runs_change_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with World.make(tmp_path).running() as daemon:
        size = (await daemon.result("ledger.head"))["size"]
        given = {"name": "rne", "as_of": "2026-11-20T00:00:00Z", "dry_run": True}
        assert (await daemon.result("registry.begin", **given))["snapshot"] is None
        rows = [{"to": ANNA}, {"to": ANNA}, {"to": "1"}]
        added = await daemon.result("registry.add", rows=rows, dry_run=True)
        assert (added["added"], added["known"], len(added["rejected"])) == (1, 1, 1)
        assert (await daemon.result("ledger.head"))["size"] == size


# -- who may ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "command", "may"),
    [
        (Role.READ, "consent.grant", False),
        (Role.SUBMIT, "consent.grant", True),
        (Role.SUBMIT, "consent.withdraw", True),
        (Role.SUBMIT, "consent.confirm", True),
        (Role.SUBMIT, "consent.import", False),
        (Role.SUBMIT, "consent.export", False),
        (Role.READ, "consent.show", True),
        (Role.READ, "consent.list", True),
        (Role.READ, "optout.show", True),
        (Role.SUBMIT, "optout.remove", False),
        (Role.SUBMIT, "optout.import", False),
        (Role.SUBMIT, "optout.export", False),
        (Role.SUBMIT, "registry.begin", False),
        (Role.READ, "registry.list", True),
        (Role.OPERATOR, "optout.export", True),
    ],
)
async def test_each_role_may_what_it_may(
    tmp_path: Path, autojump_clock: MockClock, role: Role, command: str, may: bool
) -> None:
    async with World.make(tmp_path).running() as daemon:
        daemon.role = role
        answer = await daemon.ask(command, to=ANNA)
        daemon.role = Role.OPERATOR
    code = answer.get("error", {}).get("code")
    assert (code != "not_permitted") is may


async def test_nothing_waits_to_be_confirmed_is_an_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with World.make(tmp_path).running() as daemon:
        assert (await daemon.ask("consent.confirm", to=ANNA))["error"]["code"] == "no"
        withdrawn = await daemon.ask("consent.withdraw", to=ANNA)
        shown = await daemon.result("consent.show", to=ANNA)
    assert withdrawn["error"]["code"] == "no"
    assert shown == {"to": ANNA, "consents": [], "requests": [], "opted_out": []}
