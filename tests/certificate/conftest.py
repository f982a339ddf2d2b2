"""One issuer for all tests of certificates: keys and time stamps cost time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.office import Office, stamped_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An issuer with its seal and a TSA that answers."""
    with Office.open(tmp_path_factory.mktemp("office")) as office:
        yield office


@pytest.fixture(scope="session")
def bundle(office: Office) -> bytes:
    """The stamped proof of a delivered message."""
    return stamped_bundle(office.tsa)


@pytest.fixture(scope="session")
def sealed(office: Office, bundle: bytes) -> bytes:
    """Its certificate."""
    return office.certificate(bundle)
