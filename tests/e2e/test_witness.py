"""`acuse witness` as a process: its key, its word, and that SIGKILL never makes it lie."""

from __future__ import annotations

import base64
import http.client
import json
import random
import signal
import stat
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from gateway.evidence.witness import format_add_checkpoint
from gateway.ledger.merkle import consistency_proof, root_at
from gateway.ledger.note import Checkpoint, Signer, Verifier, open_note, sign_note, verified_by
from tests.support.ledgers import ORIGIN, MemoryLedger, seed
from tests.support.process import ACUSE, Child, environment, short_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = Signer.from_seed(ORIGIN, seed("log"))
NAME = "witness.example/w1"
KILLS = 8


def history(text: str) -> MemoryLedger:
    ledger = MemoryLedger()
    while ledger.size < 400:
        ledger.accept(f"m{ledger.size}", text=text)
    return ledger


HISTORIES = {"uno": history("uno"), "dos": history("dos")}


def asks(text: str, old: int, size: int) -> bytes:
    ledger = HISTORIES[text]
    note = sign_note(Checkpoint(ORIGIN, size, root_at(size, ledger.read)).text(), LOG)
    return format_add_checkpoint(old, consistency_proof(min(old, size), size, ledger.read), note)


class Process(Child):
    """`acuse witness` on a free port."""

    def __init__(self, directory: Path, *options: str, host: str = "127.0.0.1") -> None:
        place, log = directory / "witness", directory / "witness.log"
        command = [*ACUSE, "witness", "--listen", f"{host}:0", "--dir", str(place), "--json"]
        super().__init__([*command, "--log", LOG.vkey, *options], log, env=environment())
        self.said: dict[str, Any] = self.line()

    def post(self, body: bytes) -> tuple[int, str]:
        """Status and body of an add-checkpoint."""
        request = urllib.request.Request(self.said["url"] + "/add-checkpoint", body)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def get(self, path: str) -> str:
        """The body of a page."""
        with urllib.request.urlopen(self.said["url"] + path, timeout=20) as answer:
            text: str = answer.read().decode()
            return text


@pytest.fixture
def place() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_witness_runs_cosigns_and_ends_in_good_order(place: Path, host: str) -> None:
    with Process(place, "--name", NAME, host=host) as witness:
        assert witness.said["name"] == NAME
        vkey = witness.said["vkey"]
        assert vkey in witness.get("/")
        status, line = witness.post(asks("uno", 0, 5))
        assert status == 200
        note = asks("uno", 0, 5).decode().partition("\n\n")[2]
        text, lines = open_note(note + line)
        assert verified_by(text, lines, [Verifier.from_vkey(vkey)])
        assert witness.post(asks("uno", 0, 9)) == (409, "5\n")
        assert witness.post(asks("dos", 5, 5)) == (409, "5\n")
        assert witness.post(b"nonsense")[0] == 400
        (fork,) = json.loads(witness.get("/forks"))["forks"]
        assert fork["proven"]
        assert [each["size"] for each in witness.events("witness.forked")] == [5]
        witness.send(signal.SIGTERM)
        assert witness.wait() == 0
    assert stat.S_IMODE((place / "witness" / "witness-key").stat().st_mode) == 0o600
    with Process(place) as again:
        assert again.said["vkey"] == vkey
        assert again.post(asks("uno", 0, 9)) == (409, "5\n")
        assert again.post(asks("uno", 5, 9))[0] == 200
        again.send(signal.SIGTERM)
        assert again.wait() == 0


def test_sigkill_between_memory_and_answer_never_makes_two_histories(place: Path) -> None:
    """Two logs' worth of history are offered by turns; the process dies at random instants."""
    chance = random.Random(20_261_122)
    given: dict[int, bytes] = {}  # size -> root of every cosignature that came out
    known, vkey = 0, ""
    for kill in range(KILLS):
        options = ("--name", NAME) if not kill else ()
        with ExitStack() as stack:
            witness = stack.enter_context(Process(place, *options))
            vkey = vkey or witness.said["vkey"]
            assert witness.said["vkey"] == vkey
            # This is the random instant, not a way to wait for something.
            end = threading.Timer(chance.random() * 0.4, witness.process.kill)
            stack.callback(end.join)
            end.start()
            while known < 390:
                text = "dos" if chance.random() < 0.3 else "uno"
                size = known + chance.randint(0, 3) or 1
                try:
                    status, body = witness.post(asks(text, known, size))
                except (OSError, http.client.HTTPException):
                    break  # dead; whether it had cosigned by then its memory will say
                if status == 200:
                    _, lines = open_note("-\n\n" + body)
                    note = asks(text, known, size).decode().partition("\n\n")[2]
                    assert Verifier.from_vkey(vkey).holds(open_note(note)[0], lines[0])
                    root = base64.b64decode(note.split("\n")[2])
                    assert given.setdefault(size, root) == root
                    known = size
                elif status == 409:
                    known = max(known, int(body))
    sizes = {size for size in given if size > 1}
    assert sizes, "no cosignature came out: the machine is too slow for this seed"
    belong = [
        text
        for text, ledger in HISTORIES.items()
        if all(given[size] == root_at(size, ledger.read) for size in sizes)
    ]
    assert len(belong) == 1, "cosignatures of two histories came out"


def test_a_second_witness_in_the_same_directory_does_not_start(place: Path) -> None:
    with Process(place, "--name", NAME):
        listen = ["--listen", "127.0.0.1:0", "--log", LOG.vkey]
        other = Child(
            [*ACUSE, "witness", *listen, "--dir", str(place / "witness")],
            place / "other.log",
            env=environment(),
        )
        with other:
            assert other.wait() == 75
            assert "another acuse witness" in other.log()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--listen", "nowhere"], 64, "HOST:PORT"),
        (["--listen", "127.0.0.1:70000"], 64, "HOST:PORT"),
        (["--listen", "192.0.2.7:1"], 64, "listen"),
        (["--log", "nonsense"], 65, "verifier key"),
        (["--tls-cert", "x"], 64, "belong together"),
        (["--tls-cert", "x", "--tls-key", "y"], 64, "cannot be used"),
    ],
)
def test_a_wrong_option_is_told_by_name(
    place: Path, options: list[str], code: int, says: str
) -> None:
    given = {"--listen": "127.0.0.1:0", "--log": LOG.vkey, "--name": NAME}
    given |= dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in given.items() for word in pair]
    command = [*ACUSE, "witness", "--dir", str(place / "w"), *words]
    with Child(command, place / "log", env=environment()) as child:
        assert child.wait() == code
        assert says in child.log()


def test_a_witness_without_a_log_says_what_it_needs(place: Path) -> None:
    command = [*ACUSE, "witness", "--dir", str(place / "w"), "--listen", "127.0.0.1:0"]
    with Child(command, place / "log", env=environment()) as child:
        assert child.wait() == 64
        assert "needs a log" in child.log()
