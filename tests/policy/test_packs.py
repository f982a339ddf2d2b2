"""The shipped packs: complete, cited, and right where a vector of the material says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.policy.rules import DEFAULT

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook

PACKS = ["CL", "CO", "ES", "FR", "US", DEFAULT]


def test_these_packs_are_shipped(book: Rulebook) -> None:
    assert sorted(book.packs) == PACKS


@pytest.mark.parametrize("name", PACKS)
def test_every_law_and_practice_has_an_address_and_every_rule_a_citation(
    book: Rulebook, name: str
) -> None:
    for rule in book.packs[name].rules.every():
        assert rule.cite
        assert rule.layer == "house" or rule.url.startswith("https://"), rule.id
        assert rule.id.startswith(f"{name}-".upper()), rule.id


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_blocks_commercial_messages_after_an_opt_out_in_every_profile(
    book: Rulebook, name: str
) -> None:
    blocked = {
        category
        for rule in book.packs[name].rules.optouts
        if rule.scope == "brand" and rule.profile == "law"
        for category in rule.applies
    }
    assert {"promotional", "cart_reminder"} <= blocked


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_sets_hours_for_promotions_claims_and_notices_in_the_seed_profile(
    book: Rulebook, name: str
) -> None:
    limited = {category for rule in book.packs[name].rules.windows for category in rule.applies}
    assert limited == {"promotional", "cart_reminder", "debt_claim", "legal_notice"}


def test_house_hours_count_in_the_seed_profile_only_except_where_no_law_is_on_file(
    book: Rulebook,
) -> None:
    for pack in book.packs.values():
        for rule in pack.rules.windows:
            always = rule.layer != "house" or rule.id in ("DEFAULT-QH", "DEFAULT-DEBT")
            assert (rule.profile == "law") is always, rule.id


def test_every_overseas_department_and_territory_is_ruled_by_its_country(book: Rulebook) -> None:
    for area in ("GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "FR-57", "FR-67", "FR-68"):
        assert [pack.jurisdiction for pack in book.chain(area)] == ["FR"]
        assert book.subdivision(area)
    for area in ("PR", "VI", "GU", "AS", "MP", "US-CA"):
        assert [pack.jurisdiction for pack in book.chain(area)] == ["US"]
    assert book.subdivision("FR") == ""
    assert [pack.jurisdiction for pack in book.chain("GB")] == [DEFAULT]
