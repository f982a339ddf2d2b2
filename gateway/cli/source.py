"""Where records come from: the daemon, or the ledger file while the daemon is down."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from gateway.cli.output import note
from gateway.errors import DaemonUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.cli.client import Client
    from gateway.cli.command import Run
    from gateway.evidence.records import OfflineReader

Filters = dict[str, object]


class Source(Protocol):
    """What can be asked about messages, whoever answers."""

    def messages(self, filters: Filters) -> Iterator[dict[str, Any]]: ...

    def receipts(self, filters: Filters) -> Iterator[dict[str, Any]]: ...

    def orphans(self, filters: Filters) -> Iterator[dict[str, Any]]: ...

    def message(self, submission_id: str) -> dict[str, Any]: ...

    def receipt(self, submission_id: str) -> dict[str, Any]: ...

    def head(self) -> dict[str, Any]: ...


class DaemonSource:
    """The daemon's answers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def messages(self, filters: Filters) -> Iterator[dict[str, Any]]:
        return self._client.stream("messages.list", filters)

    def receipts(self, filters: Filters) -> Iterator[dict[str, Any]]:
        return self._client.stream("receipts.list", filters)

    def orphans(self, filters: Filters) -> Iterator[dict[str, Any]]:
        return self._client.stream("receipts.list", {**filters, "orphans": True})

    def message(self, submission_id: str) -> dict[str, Any]:
        return self._client.call("messages.show", {"submission_id": submission_id})

    def receipt(self, submission_id: str) -> dict[str, Any]:
        return self._client.call("receipts.show", {"submission_id": submission_id})

    def head(self) -> dict[str, Any]:
        return self._client.call("ledger.head", {})


@contextlib.contextmanager
def records(run: Run) -> Iterator[Source]:
    """The daemon if it answers, else the ledger file, with a note on stderr."""
    try:
        client = run.client()
    except DaemonUnreachable as unreachable:
        reader = _open_ledger(run, unreachable)
        with contextlib.closing(reader):
            yield reader
        return
    with client:
        yield DaemonSource(client)


def _open_ledger(run: Run, unreachable: DaemonUnreachable) -> OfflineReader:
    settings = run.ledger_settings(unreachable)
    from gateway.evidence.records import open_offline

    reader = open_offline(settings)
    note("the daemon does not answer; this comes from the ledger file")
    return reader
