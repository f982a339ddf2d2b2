"""Consents, opt-outs and registries as a compliance officer keeps them: the real command line."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.process import Daemon, Site, environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANNA: Final = "+34600111222"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site.open({"movistar": {"seed": 1}}) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def daemon(site: Site) -> Daemon:
    return site.serve().ready()


def write(site: Site, name: str, *lines: str) -> str:
    path: Path = site.directory / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def numbers(first: int, count: int) -> list[str]:
    return [f"+34600{number:06d}" for number in range(first, first + count)]


def proven(proof: dict[str, Any]) -> dict[str, Any]:
    """What a row of a list says, after recomputing its way to the root in the ledger entry.

    With the standard library alone, as docs/ledger-additions.md describes it.
    """
    place = proof["list"]["place"]
    told = proof["disclose"][f"row.{place}"]
    label = b"acuse/commit/v1\0" + f"row.{place}".encode() + b"\0"
    leaf = sha256(label + bytes.fromhex(told["salt"]) + told["value"].encode()).digest()
    assert leaf.hex() == proof["list"]["commitment"]
    current, index, last = sha256(b"\0" + leaf).digest(), place, proof["list"]["count"] - 1
    for sibling in map(bytes.fromhex, proof["list"]["path"]):
        if index % 2 or index == last:
            current = sha256(b"\1" + sibling + current).digest()
            while not index % 2 and index:
                index, last = index >> 1, last >> 1
        else:
            current = sha256(b"\1" + current + sibling).digest()
        index, last = index >> 1, last >> 1
    entry = json.loads(proof["entry"])
    assert current.hex() == entry["list"]["root"]
    value: dict[str, Any] = json.loads(told["value"])
    return value


def test_a_list_of_opt_outs_is_imported_refuses_and_proves_each(site: Site) -> None:
    rejects = site.directory / "rejects.csv"
    lines = [f"{number};acme;lista de marzo" for number in numbers(120_000, 2500)]
    file = write(site, "optouts.csv", "to;brand;source", *lines, "600;acme;x", f"{ANNA};nobody;x")
    ran = site.acuse("optout", "import", file, "--rejects", str(rejects), "--json")
    assert ran.code == 65
    assert (ran.json()["added"], ran.json()["known"], ran.json()["rejected"]) == (2500, 0, 2)
    assert [(each["line"], each["field"]) for each in ran.json()["errors"]] == [
        *((2502, "to"), (2503, "brand")),
    ]
    kept = list(csv.DictReader(io.StringIO(rejects.read_text("utf-8"))))
    assert [row["to"] for row in kept] == ["600", ANNA]
    again = site.acuse("optout", "import", file, "--json")
    assert (again.json()["added"], again.json()["known"]) == (0, 2500)
    them = "+34600121777"
    refused = site.acuse("submit", "--to", them, "--text", "Oferta", "--json")
    assert (refused.code, refused.json()["decision"]["reason"]) == (1, "opted_out")
    site.acuse("ledger", "checkpoint")
    shown = site.acuse("optout", "show", "--to", them, "--json").json()
    proof = shown["opted_out"][0]["proof"]
    assert proven(proof)["to"] == them
    assert proven(proof)["source"] == "lista de marzo"
    assert proof["proof"].startswith("c2sp.org/tlog-proof@v1")
    removed = site.acuse("optout", "remove", "--to", them, "--brand", "acme", "--json")
    assert removed.code == 0
    assert site.acuse("optout", "show", "--to", them, "--json").code == 1
    assert site.acuse("optout", "add", "--to", ANNA, "--source", f"call {ANNA}").code == 65


def test_consents_are_granted_shown_withdrawn_exported_and_read_back(site: Site) -> None:
    given = ("--purpose", "cart", "--method", "double", "--text", "Sí, quiero", "--json")
    granted = site.acuse("consent", "grant", "--to", ANNA, *given, "--source", "web", "--at", "1d")
    assert granted.code == 0
    assert granted.json()["text_sha256"] == sha256("Sí, quiero".encode()).hexdigest()
    shown = site.acuse("consent", "show", "--to", ANNA, "--json").json()
    disclosed = shown["consents"][0]["proofs"][0]["disclose"]
    assert disclosed["text"]["value"] == "Sí, quiero"
    file = write(
        site,
        "consents.csv",
        "to,brand,purpose,method,text,source,at",
        '+34600111223,acme,marketing,single,"Ofertas, por favor",form,2024-05-01T10:00:00Z',
        "+34600111224,acme,marketing,triple,,form,2024-05-01T10:00:00Z",
    )
    assert site.acuse("consent", "import", file, "--dry-run", "--json").json()["added"] == 1
    ran = site.acuse("consent", "import", file, "--json")
    assert (ran.code, ran.json()["added"], ran.json()["errors"][0]["field"]) == (65, 1, "method")
    withdrawn = site.acuse("consent", "withdraw", "--to", ANNA, "--source", "letter", "--json")
    assert len(withdrawn.json()["consents"]) == 1
    assert site.acuse("consent", "withdraw", "--to", ANNA, "--json").code == 1
    assert site.acuse("consent", "confirm", "--to", ANNA, "--json").code == 1
    target = str(site.directory / "export.csv")
    assert site.acuse("consent", "export", "-o", target, "--json").json()["rows"] == 2
    again = site.acuse("consent", "import", target, "--json").json()
    assert (again["added"], again["known"], again["rejected"]) == (0, 2, 0)
    listed = site.acuse("consent", "list", "--json").lines()
    assert [row["withdrawn_at"] is None for row in listed] == [True, False]


def test_a_registry_is_imported_replaced_listed_and_dropped(site: Site) -> None:
    now = datetime.now(UTC)
    days = [(now - timedelta(days=days)).strftime("%Y-%m-%d") for days in (20, 1)]
    old = write(site, "old.csv", "to", *numbers(130_000, 1500))
    new = write(site, "new.csv", "to", *numbers(131_000, 10))
    empty = write(site, "empty.csv", "to", "nobody")
    first = site.acuse("registries", "import", "robinson", old, "--as-of", days[0], "--json")
    assert (first.code, first.json()["members"]) == (0, 1500)
    failed = site.acuse("registries", "import", "robinson", empty, "--as-of", days[1], "--json")
    assert failed.code == 65
    assert site.acuse("registries", "list", "--json").json()["members"] == 1500
    second = site.acuse("registries", "import", "robinson", new, "--as-of", days[1], "--json")
    assert second.code == 0
    listed = site.acuse("registries", "list", "--json").json()
    assert (listed["members"], listed["as_of"]) == (10, f"{days[1]}T00:00:00Z")
    shown = site.acuse("optout", "show", "--to", "+34600131005", "--json").json()
    assert [row["name"] for row in shown["registries"]] == ["robinson"]
    late = site.acuse("registries", "import", "robinson", old, "--as-of", days[0], "--json")
    assert (late.code, late.json()["error"]["fields"]["field"]) == (65, "as_of")
    assert site.acuse("registries", "drop", "robinson", "--json").code == 0
    assert site.acuse("registries", "drop", "robinson", "--json").code == 1


def test_an_import_killed_halfway_leaves_whole_chunks_and_is_simply_run_again(site: Site) -> None:
    before = len(site.acuse("optout", "list", "--json").lines())
    file = write(site, "long.csv", "to", *numbers(200_000, 20_000))
    command = [sys.executable, "-m", "gateway.cli.main", "optout", "import", file]
    command += ["--config", str(site.config)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as importing:
        wait_until(
            lambda: len(site.acuse("optout", "list", "--json").lines()) > before, "a chunk is in"
        )
        importing.send_signal(signal.SIGKILL)
    taken = len(site.acuse("optout", "list", "--json").lines()) - before
    assert taken
    assert taken % 1000 == 0
    again = site.acuse("optout", "import", file, "--json").json()
    assert (again["added"], again["known"]) == (20_000 - taken, taken)
    verified = site.acuse("ledger", "verify", "--json").json()
    assert verified["verdict"] == "UNANCHORED"
