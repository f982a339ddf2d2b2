"""The shipped rulebook, loaded once; zone rules come from the pinned package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.policy.calendar import use_pinned_zones
from gateway.policy.loader import load_rulebook

if TYPE_CHECKING:
    from gateway.policy.book import Rulebook


@pytest.fixture(scope="session", autouse=True)
def _pinned_zones() -> None:
    use_pinned_zones()


@pytest.fixture(scope="session")
def book(_pinned_zones: None) -> Rulebook:
    """The shipped packs in the seed profile."""
    return load_rulebook()


@pytest.fixture(scope="session")
def law(book: Rulebook) -> Rulebook:
    """The shipped packs in the law profile."""
    return book.under("law")
