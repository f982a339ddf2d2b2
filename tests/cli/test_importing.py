"""`import` and `export` of consents, opt-outs and registries: what is taken of a file, and how."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, cast

import pytest

from gateway.cli.table import Cells, Table
from gateway.errors import AnswerIsNo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Acuse, Ran


def taking(args: dict[str, Any]) -> dict[str, Any]:
    """A daemon that takes every number of Spain and knows the one that ends in 0."""
    rows = args["rows"]
    wrong = [
        {"row": place, "field": "to", "reason": "to: no such number"}
        for place, row in enumerate(rows)
        if not row.get("to", "").startswith("+34")
    ]
    known = sum(row.get("to", "").endswith("0") for row in rows)
    return {"added": len(rows) - len(wrong) - known, "known": known, "rejected": wrong}


def run(acuse: Acuse, content: bytes | str, *options: str, noun: str = "optout") -> Ran:
    file = acuse.directory / "list.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if acuse.running is None:
        acuse.daemon(optout_import=taking, consent_import=taking)
    return acuse(noun, "import", str(file), *options)


# -- files that can be read ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "to,brand\n+34600111222,acme\n",
        "to;brand\r\n+34600111222;acme\r\n",
        "to\tbrand\n+34600111222\tacme\n",
        b"\xef\xbb\xbfTo, BRAND\n+34600111222,acme",
        'brand,to\n"acme","+34600111222"\n\n,\n',
        "to,brand,line,field,reason\n+34600111222,acme,7,to,was broken\n",
    ],
)
def test_a_table_is_read_whatever_program_wrote_it(acuse: Acuse, content: bytes | str) -> None:
    ran = run(acuse, content, "--json")
    assert ran.code == 0
    assert {key: ran.json()[key] for key in ("lines", "added", "known", "rejected")} == {
        "lines": 1,
        "added": 1,
        "known": 0,
        "rejected": 0,
    }
    assert acuse.running is not None
    assert acuse.running.asked == [
        ("optout.import", {"rows": [{"to": "+34600111222", "brand": "acme"}]})
    ]


def test_a_text_with_separators_quotes_and_line_breaks_stays_whole(acuse: Acuse) -> None:
    text = 'Sí, quiero "ofertas";\nde vez en cuando'
    cell = '"' + text.replace('"', '""') + '"'
    content = f"to,purpose,method,text\n+34600111222,cart,single,{cell}\n"
    assert run(acuse, content, noun="consent").code == 0
    assert acuse.running is not None
    assert acuse.running.asked[0][1]["rows"][0]["text"] == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("+34600111222\n+34600111223\n", "has no header"),
        ("34600111222;acme\n", "has no header"),
        ("brand,source\nacme,web\n", "has no column 'to'"),
        ("to,brnad\n", "'brnad' is not a column"),
        ("to,to\n", "names a column twice"),
        ("to,dirección\n".encode("latin-1"), "not UTF-8"),
        ("to\n+34600111222\n".encode("utf-16"), "is UTF-16"),
        ('to,"brand\n', "broken header"),
    ],
)
def test_a_file_that_is_no_such_table_is_one_error_and_asks_nothing(
    acuse: Acuse, content: bytes | str, message: str
) -> None:
    ran = run(acuse, content, "--json")
    error = ran.json()["error"]
    assert ran.code == 65
    assert message in error["message"]
    assert error["hint"]
    assert acuse.running is not None
    assert acuse.running.asked == []


def test_a_file_that_is_not_there(acuse: Acuse) -> None:
    acuse.daemon()
    assert acuse("optout", "import", str(acuse.directory / "none.csv")).code == 65


# -- broken lines ----------------------------------------------------------------------------------


def test_broken_lines_are_told_with_number_field_and_reason_and_the_others_taken(
    acuse: Acuse,
) -> None:
    content = (
        b"to,brand\n+34600111221,acme\n+1,acme\n+34600111222,acme,x\n+34600111223,caf\xe9\n"
        b"+34600111220,acme\n"
    )
    ran = run(acuse, content, "--json")
    assert ran.code == 65
    assert (ran.json()["added"], ran.json()["known"], ran.json()["rejected"]) == (1, 1, 3)
    told = {(each["line"], each["field"]) for each in ran.json()["errors"]}
    assert told == {(3, "to"), (4, None), (5, None)}
    assert "list.csv line 3: to: no such number" in ran.err
    assert "line 4: 3 columns where the header has 2" in ran.err
    assert "line 5: not UTF-8" in ran.err


def test_rejected_lines_go_to_a_file_that_is_mended_and_imported(acuse: Acuse) -> None:
    rejects = acuse.directory / "rejects.csv"
    ran = run(acuse, "to,brand\n12,acme\n+34600111222,acme\n", "--rejects", str(rejects))
    assert ran.code == 65
    assert rejects.read_text() == ("to,brand,line,field,reason\n12,acme,2,to,to: no such number\n")
    assert rejects.stat().st_mode & 0o777 == 0o600
    mended = rejects.read_text().replace("12,acme", "+34600111223,acme")
    assert run(acuse, mended).code == 0


def test_rejects_that_cannot_be_written_stop_before_anything_is_sent(acuse: Acuse) -> None:
    ran = run(acuse, "to\n+34600111222\n", "--rejects", str(acuse.directory / "no" / "x"))
    assert ran.code == 74
    assert acuse.running is not None
    assert acuse.running.asked == []


def test_thousands_of_broken_lines_are_told_in_twenty(acuse: Acuse) -> None:
    ran = run(acuse, "to\n" + "12\n" * 3000)
    assert ran.code == 65
    assert ran.err.count("acuse: error") == 20
    assert "and 2,980 more broken lines" in ran.err
    assert "3,000 broken" in ran.out
    ran = run(acuse, "to\n" + "12\n" * 3000, "--json")
    assert len(ran.json()["errors"]) == 100


# -- chunks ----------------------------------------------------------------------------------------


def test_a_long_file_goes_in_chunks_of_a_thousand(acuse: Acuse) -> None:
    ran = run(acuse, "to\n" + "".join(f"+34{600_000_001 + 10 * n}\n" for n in range(2500)))
    assert ran.code == 0
    assert "2,500 lines: 2,500 added, 0 known already, 0 broken" in ran.out
    assert acuse.running is not None
    assert [len(args["rows"]) for _, args in acuse.running.asked] == [1000, 1000, 500]


def test_long_texts_make_smaller_chunks(acuse: Acuse) -> None:
    line = f"+34600111221,cart,single,{'x' * 4000}\n"
    assert run(acuse, "to,purpose,method,text\n" + line * 300, noun="consent").code == 0
    assert acuse.running is not None
    sizes = [len(json.dumps(args)) for _, args in acuse.running.asked]
    assert len(sizes) == 3
    assert max(sizes) < 600_000


def test_a_dry_run_asks_with_dry_run_and_says_so(acuse: Acuse) -> None:
    ran = run(acuse, "to\n+34600111222\n", "--dry-run")
    assert "1 would be added" in ran.out
    assert acuse.running is not None
    assert acuse.running.asked[0][1]["dry_run"] is True


def test_a_chunk_the_daemon_refuses_ends_the_import(acuse: Acuse) -> None:
    acuse.daemon(optout_import=AnswerIsNo("not today", hint="tomorrow"))
    assert run(acuse, "to\n+34600111222\n").code == 1


def test_a_daemon_that_goes_away_says_up_to_where_it_came(acuse: Acuse) -> None:
    answers = iter([{"added": 1000, "known": 0, "rejected": []}, None])
    acuse.daemon(optout_import=lambda _: next(answers))
    ran = run(acuse, "to\n" + "+34600111221\n" * 2500, "--json")
    assert ran.code == 69
    assert "up to line 1001 every line is taken" in ran.json()["error"]["message"]


def test_an_interrupted_import_says_up_to_where_it_came(
    acuse: Acuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def bar(*_: object) -> Iterator[Callable[[int], None]]:
        def moved(done: int) -> None:
            if done > 40_000:  # two chunks are on their way, and the first was answered
                raise KeyboardInterrupt

        yield moved

    monkeypatch.setattr("gateway.cli.importing.progress_bar", bar)
    ran = run(acuse, "to\n" + "+34600111221\n" * 3500)
    assert ran.code == 130
    assert re.search(r"interrupted: up to line [12]001 every line is taken", ran.err)


def test_half_a_million_lines_are_read_in_flat_memory() -> None:
    class Endless(io.RawIOBase):
        """A file that is never in memory."""

        left = 500_000

        def readline(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return b"" if self.left < 0 else b"to\n" if self.left == 499_999 else b"+34600111222\n"

    table = Table(cast("IO[bytes]", Endless()), "list.csv", ("to",), ("to",))
    tracemalloc.start()
    lines = sum(isinstance(row, Cells) for row in table.rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == 499_999
    assert peak < 1_000_000


# -- registries ------------------------------------------------------------------------------------


def test_a_registry_is_begun_filled_finished_with_the_hash_of_the_file_and_swept(
    acuse: Acuse,
) -> None:
    more = iter([True, False])
    daemon = acuse.daemon(
        registry_begin={"snapshot": 7, "name": "rne"},
        registry_add=taking,
        registry_finish={"name": "rne", "members": 1, "as_of": "2026-11-20T00:00:00Z"},
        registry_sweep=lambda _: {"more": next(more)},
    )
    file = acuse.directory / "rne.csv"
    file.write_text("to\n+34600111222\n12\n")
    ran = acuse("registries", "import", "rne", str(file), "--as-of", "2026-11-20", "--json")
    assert ran.code == 65
    assert (ran.json()["added"], ran.json()["members"]) == (1, 1)
    assert [command for command, _ in daemon.asked] == [
        *("registry.begin", "registry.add", "registry.finish", "registry.sweep", "registry.sweep"),
    ]
    assert daemon.asked[0][1] == {"name": "rne", "as_of": "2026-11-20T00:00:00Z"}
    digest = sha256(file.read_bytes()).hexdigest()
    assert daemon.asked[2][1] == {"snapshot": 7, "sha256": digest}


def test_a_registry_import_that_cannot_read_its_file_finishes_nothing(acuse: Acuse) -> None:
    daemon = acuse.daemon(registry_begin={"snapshot": 7, "name": "rne"})
    file = acuse.directory / "rne.csv"
    file.write_text("nothing\n")
    ran = acuse("registries", "import", "rne", str(file), "--as-of", "2026-11-20")
    assert ran.code == 65
    assert [command for command, _ in daemon.asked] == ["registry.begin"]


def test_registries_are_listed_and_dropped(acuse: Acuse) -> None:
    row = {"name": "rne", "as_of": "2026-11-20T00:00:00Z", "members": 1234, "by": "ana"}
    acuse.daemon(registry_list=[row], registry_drop=row, registry_sweep={"more": False})
    assert "1,234" in acuse("registries", "list").out
    assert acuse("registries", "list", "--json").lines() == [row]
    assert "dropped: 1,234 members" in acuse("registries", "drop", "rne").out
    assert acuse("registries", "drop", "rne", "--json").json() == row


# -- exports ---------------------------------------------------------------------------------------

OPTOUT = {"to": "+34600111222", "brand": "", "source": 'a "b", c', "at": "2026-11-21T10:00:00Z"}


def test_an_export_is_a_csv_that_import_reads(acuse: Acuse, tmp_path: Path) -> None:
    acuse.daemon(optout_export=[OPTOUT], optout_import=taking)
    text = 'to,brand,source,at\n+34600111222,,"a ""b"", c",2026-11-21T10:00:00Z\n'
    assert acuse("optout", "export").out == text
    assert acuse("optout", "export", "--brand", "acme", "--json").json() == OPTOUT
    file = tmp_path / "out.csv"
    ran = acuse("optout", "export", "-o", str(file), "--json")
    assert ran.json() == {"file": str(file), "rows": 1}
    assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o600
    assert acuse("optout", "import", str(file)).code == 0
    assert acuse.running is not None
    assert acuse.running.asked[-1][1]["rows"] == [
        {key: value for key, value in OPTOUT.items() if value}
    ]


def test_an_export_that_fails_leaves_no_file(acuse: Acuse, tmp_path: Path) -> None:
    acuse.daemon(consent_export=AnswerIsNo("no", hint=""))
    file = tmp_path / "out.csv"
    assert acuse("consent", "export", "-o", str(file)).code == 1
    assert list(tmp_path.glob("*out.csv*")) == []
    assert acuse("consent", "export", "-o", str(tmp_path / "no" / "x.csv")).code == 74
