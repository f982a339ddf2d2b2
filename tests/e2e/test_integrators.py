"""docs/integrators.md, word for word: its client speaks with a real daemon, its table is whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from gateway.daemon.questions import ROLES
from tests.support.process import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = (Path(__file__).parents[2] / "docs" / "integrators.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.open({"movistar": {"seed": 1, "receipt_delay_max_s": 0.06}}) as made:
        made.serve().ready()
        yield made


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def names(site: Site) -> dict[str, Any]:
    """What the page's client defines."""
    client, _ = blocks("python")
    found: dict[str, Any] = {"SOCKET": str(site.directory / "admin.sock")}
    exec(client, found)
    return found


def test_the_client_in_python_submits_waits_and_gets_the_proof(
    names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    exec(blocks("python")[1], names)
    state, size = capsys.readouterr().out.split()
    assert state == "delivered"
    assert int(size) > 1000


def test_the_client_gets_the_items_of_a_list_and_the_words_of_an_error(
    names: dict[str, Any],
) -> None:
    ask, path = names["ask"], names["SOCKET"]
    assert isinstance(ask(path, "receipts.list"), list)
    with pytest.raises(RuntimeError, match=r"unknown command 'receipts\.forget'"):
        ask(path, "receipts.forget")


def test_the_client_is_as_short_as_it_says() -> None:
    assert len(blocks("python")[0].strip().splitlines()) <= 20


def test_every_command_stands_in_the_table_with_its_role() -> None:
    assert dict(re.findall(r"^\| `([a-z._]+)` \| (\w+) \|$", PAGE, re.MULTILINE)) == {
        name: role.name.lower() for name, role in ROLES.items()
    }
