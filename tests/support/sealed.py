"""What a ledger file holds, read by tests beside or after the daemon."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from gateway.evidence.records import LEDGER_FILE
from gateway.ledger.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def entries_of_file(data: Path) -> list[dict[str, Any]]:
    """Every committed entry of the ledger in the data directory *data*."""
    with closing(Reader(data / LEDGER_FILE)) as reader:
        return [json.loads(entry) for entry in reader.entries(0, reader.size)]


def broken_checks(report: Mapping[str, Any]) -> set[str]:
    """The names of the checks that did not hold in a report of `acuse verify --json`."""
    return {check["name"] for check in report["checks"] if not check["ok"]}
