"""Running `acuse` in this process against a fake daemon."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.cli.main import main
from tests.support.fake_daemon import Answer, FakeDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout as the one JSON object it must be."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    def lines(self) -> list[Any]:
        """Stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Acuse:
    """Runs commands; `daemon` starts a fake one that they are pointed at."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.socket = directory / "admin.sock"
        self.running: FakeDaemon | None = None
        self._capsys = capsys

    def daemon(self, **answers: Answer | Callable[[dict[str, Any]], Answer]) -> FakeDaemon:
        """A fake daemon; `messages_list=…` answers the command `messages.list`."""
        named = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.running = FakeDaemon(self.socket, named)
        self.running.__enter__()
        return self.running

    def __call__(self, *args: str, stdin: bytes = b"", point: bool = True) -> Ran:
        self._capsys.readouterr()
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
        pointed = ["--socket", str(self.socket)] if point else []
        try:
            code = main([*args, *pointed])
        finally:
            sys.stdin = before
        out, err = self._capsys.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def acuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Acuse]:
    monkeypatch.delenv("ACUSE_CONFIG", raising=False)
    monkeypatch.delenv("ACUSE_DEBUG", raising=False)
    runner = Acuse(tmp_path, capsys)
    yield runner
    if runner.running is not None:
        runner.running.__exit__(None, None, None)
