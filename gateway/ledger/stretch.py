"""A stretch of a ledger under audit: what its entries, their neighbours and submissions show.

Steps "canonical", "place", "chain", "links", "complete" and part of "time" of LEDGER section 5
need nothing but the entries themselves. So a ledger can be cut into stretches that are examined
apart, by as many processes as there are; `audit` joins what they return and adds the tree, the
checkpoints and the anchors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import AcuseError, DataError
from gateway.ledger import entry as event
from gateway.ledger.canonical import decode
from gateway.ledger.checks import place_faults
from gateway.ledger.links import Links, Origins
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.report import Findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ledger.audit import LedgerSource

#: Entries of one stretch: whole tiles, half a second's work, about 1 MiB of leaves.
STRETCH_ENTRIES = 1 << 15
#: Events that say something of the log itself, which only the whole audit can judge.
_OF_THE_LOG = frozenset({event.ANCHOR, event.KEY_ROTATE})


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch without a fault, as far as it can be judged alone; `audit` joins it to the rest.

    Small beside its entries, and made to be sent from one process to another.
    """

    start: int
    #: `prev` of its first entry, in hex.
    previous: str
    #: The leaf hashes, 32 bytes each.
    leaves: bytes
    first_t: str
    last_t: str
    #: (seq, body) of the entries that say something of the log itself.
    events: tuple[tuple[int, dict[str, Any]], ...]
    #: A bit for each entry that another one of the stretch follows.
    followed: bytes
    #: Entries before the stretch that entries of it follow.
    follows: tuple[int, ...]
    origins: Origins

    @property
    def stop(self) -> int:
        """The first entry that is not part of it."""
        return self.start + len(self.leaves) // 32


class Stretch:
    """Checks entries one after another, from *start* on."""

    def __init__(
        self,
        source: LedgerSource,
        found: Findings,
        on_event: Callable[[int, dict[str, Any]], None],
        *,
        start: int = 0,
        previous: str = event.NO_PREVIOUS,
    ) -> None:
        """*on_event* is given (seq, body) of what concerns the log itself."""
        self.links = Links(source, found, start=start)
        #: The lowest entry whose leaf its successor's `prev` contradicts.
        self.broken: int | None = None
        #: The place of the next entry, the leaf of the last one in hex, and its time.
        self.seq = start
        self.previous = previous
        self.last_t = ""
        self._origin = source.origin
        self._found = found
        self._on_event = on_event

    def take(self, raw: bytes) -> bytes:
        """Check the next entry; returns its leaf hash."""
        seq, leaf, found = self.seq, leaf_hash(raw), self._found
        self.seq += 1
        previous, self.previous = self.previous, leaf.hex()
        try:
            body = decode(raw)
        except DataError as error:
            found.fault("canonical", f"entry {seq}: {error.message}")
            return leaf
        chained = body.get("prev") == previous
        if not chained:
            found.fault("chain", f"entry {seq} does not follow entry {seq - 1}")
            if self.broken is None and seq:
                self.broken = seq - 1
        if not (chained and self._in_place(body, seq)):
            faults = list(place_faults(body, seq, self._origin))
            for step, message in faults:
                found.fault(step, message)
            if faults:
                return leaf
        code = body["ev"]
        if (code == event.GENESIS) != (seq == 0):
            found.fault("place", f"entry {seq} is {code}; x.Genesis is the first only")
        if body["t"] < self.last_t:
            found.fault("time", f"entry {seq} is earlier than the one before it")
        self.last_t = body["t"]
        if "mid" in body:
            self.links.take(seq, self.previous, body)
        elif code in _OF_THE_LOG:
            self._on_event(seq, body)
        return leaf

    def _in_place(self, body: dict[str, Any], seq: int) -> bool:
        """Whether `place_faults`, which takes twice as long, certainly has nothing to say of an
        entry that follows the one before it.
        """
        return (
            body.get("seq") == seq != 0
            and type(body["seq"]) is int
            and body.get("v") == event.VERSION
            and type(body["v"]) is int
            and body.get("log") == self._origin
            and type(body.get("ev")) is str
            and event.is_time(body.get("t"))
        )


def examine(source: LedgerSource, start: int, stop: int) -> Part | None:
    """Check the entries from *start* up to *stop* alone; None where anything is not as it must be.

    What exactly is wrong only a pass over the whole ledger says, which knows what came before.
    """
    found = Findings()
    events: list[tuple[int, dict[str, Any]]] = []
    leaves: list[bytes] = []
    try:
        previous = leaf_hash(source.entry(start - 1)).hex() if start else event.NO_PREVIOUS
        stretch = Stretch(
            source,
            found,
            lambda seq, body: events.append((seq, body)),
            start=start,
            previous=previous,
        )
        first_t = ""
        for raw in source.entries(start, stop):
            leaves.append(stretch.take(raw))
            first_t = first_t or stretch.last_t
            if found.faults:
                return None
    except AcuseError:
        return None
    links = stretch.links
    if len(leaves) != stop - start or links.keyless:
        return None
    return Part(
        start,
        previous,
        b"".join(leaves),
        first_t,
        stretch.last_t,
        tuple(events),
        bytes(links.followed),
        tuple(links.follows),
        links.origins,
    )
