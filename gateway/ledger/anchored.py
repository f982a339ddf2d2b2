"""Anchors of a whole ledger: each `x.Anchor` against the tokens and cosignatures stored beside the
checkpoint it names, and the entries' times against the tokens' (LEDGER section 5).

What an anchor names must be there, byte for byte: both are written in one transaction and neither
is ever lawfully erased, so what is missing or altered was tampered with.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import DataError, StorageError
from gateway.ledger.canonical import decode
from gateway.ledger.checks import OpenNote, is_hash, open_checkpoint
from gateway.ledger.entry import time_ms
from gateway.ledger.stamps import TIME_SLACK_MS

if TYPE_CHECKING:
    from gateway.ledger.report import Findings
    from gateway.ledger.stamps import Stamp, StampCheck

#: Checkpoints an anchor may name: the daemon always stamps the latest, or one signed just before.
_RECENT = 64


class Stored(Protocol):
    """Where entries, tokens and cosignatures are read from."""

    def entry(self, seq: int) -> bytes:
        """The exact bytes of one entry."""
        ...

    def tokens(self, size: int) -> list[bytes]:
        """The stored tokens (DER) over the checkpoint of that size."""
        ...

    def cosignatures(self, size: int) -> list[str]:
        """The stored cosignature lines of the checkpoint of that size."""
        ...


class Anchors:
    """The anchors met so far in one pass over a ledger."""

    def __init__(self, source: Stored, found: Findings, check: StampCheck | None) -> None:
        self._source = source
        self._found = found
        self._check = check
        self._recent: OrderedDict[int, OpenNote] = OrderedDict()
        #: `size` of the largest anchored checkpoint, and the `x.Anchor` entries at or after it.
        self._size = 0
        self._after: list[int] = []
        #: The latest time a trusted token proves.
        self.newest: Stamp | None = None
        #: The newest checkpoint with cosignatures, these among its lines.
        self.cosigned: OpenNote | None = None

    def signed(self, opened: OpenNote) -> None:
        """The next checkpoint of the log."""
        self._recent[opened.checkpoint.size] = opened
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def entry(self, seq: int, body: dict[str, Any]) -> None:
        """The next `x.Anchor` entry."""
        size = body.get("size")
        opened = self._recent.get(size) if type(size) is int and size <= seq else None
        if opened is None:
            self._found.fault("place", f"the anchor {seq} covers no checkpoint before it")
            return
        checkpoint = opened.checkpoint
        self._size = max(self._size, checkpoint.size)
        self._after = [other for other in self._after if other >= self._size] + [seq]
        if body.get("root") != checkpoint.root.hex():
            self._found.fault("place", f"the anchor {seq} names another root than was signed")
        tokens, witnesses = body.get("tokens", []), body.get("witnesses", [])
        for named in (tokens, witnesses):
            if not isinstance(named, list) or not all(is_hash(each) for each in named):
                self._found.fault("place", f"the anchor {seq} is not of the form of one")
                return
        if tokens:
            self._tokens(seq, body, tokens, opened)
        if witnesses:
            self._cosignatures(seq, witnesses, opened)

    def tail(self, size: int) -> int:
        """Of *size* entries those that no anchor covers, anchors themselves not counted."""
        return size - self._size - len(self._after)

    def finish(self) -> None:
        """The ledger was read to its end."""
        if self.newest is not None:
            self._found.took("timestamp")
        else:
            self._found.lacks("timestamp", "timestamp: no trusted time stamp covers the ledger")

    def _tokens(self, seq: int, body: dict[str, Any], named: list[str], opened: OpenNote) -> None:
        size, found = opened.checkpoint.size, self._found
        stored = {sha256(each).hexdigest(): each for each in self._source.tokens(size)}
        for digest in named:
            token = stored.get(digest)
            if token is None:
                found.fault(
                    "timestamp", f"a token that the anchor {seq} names is missing or altered"
                )
                continue
            try:
                stamp = self._check(token, opened.text) if self._check else None
            except DataError as error:
                found.refused(error, step="timestamp")
                continue
            if stamp is not None:
                self._bound(seq, body, size, stamp)

    def _bound(self, seq: int, body: dict[str, Any], size: int, stamp: Stamp) -> None:
        """Times never run backwards in a ledger, so the anchor's own and that of the last entry
        under the token speak for all after and before them."""
        slack_ms = stamp.accuracy_ms + TIME_SLACK_MS
        if time_ms(body["t"]) < stamp.at_ms - slack_ms:
            self._found.fault("time", f"entry {seq} is older than the time stamp it tells of")
        try:
            last = decode(self._source.entry(size - 1))
            newer = time_ms(str(last.get("t"))) > stamp.at_ms + slack_ms
        except (DataError, StorageError):
            newer = False  # damaged, which its own step says
        if newer:
            self._found.fault("time", f"entry {size - 1} is newer than a time stamp over it")
        if self.newest is None or stamp.at_ms > self.newest.at_ms:
            self.newest = stamp

    def _cosignatures(self, seq: int, named: list[str], opened: OpenNote) -> None:
        lines = self._source.cosignatures(opened.checkpoint.size)
        stored = {sha256(line.encode()).hexdigest() for line in lines}
        if not stored.issuperset(named):
            self._found.fault(
                "witnesses", f"a cosignature that the anchor {seq} names is missing or altered"
            )
            return
        try:
            self.cosigned = open_checkpoint(opened.note + "".join(f"{line}\n" for line in lines))
        except DataError as error:
            self._found.fault("witnesses", error.message)
