"""What outside vouches for, picked for one bundle: its checkpoint, its tokens, their anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.evidence.bundle import Token
from gateway.ledger.note import open_note
from gateway.ledger.outside import OutsideReader

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.evidence.quorum import Quorum
    from gateway.ledger.outside import TokenRow
    from gateway.ledger.reader import Reader


class Vouched:
    """Picks from a ledger file."""

    def __init__(self, reader: Reader, quorum: Quorum, qualified: Collection[str] = ()) -> None:
        """*qualified* are the names of the authorities that the configuration says that of."""
        self._reader = reader
        self._qualified = qualified
        self._quorum = quorum
        self._outside = OutsideReader(reader)

    def anchored(self, seq: int) -> bool:
        """Whether a checkpoint that covers entry *seq* is vouched for."""
        return self._best(seq) is not None

    def checkpoint(self, seq: int) -> tuple[int, str] | None:
        """Size and note (with cosignatures) of the checkpoint to prove entry *seq* by: the one best
        vouched for, else the latest; None: the log was never signed.
        """
        size = self._best(seq)
        if size is None:
            last = self._reader.last_checkpoint()
            if last is None:
                return None
            size = int(last["size"])
        note = self._outside.note(size)
        return None if note is None else (size, note)

    def evidence(
        self, first: int, last: int, size: int
    ) -> tuple[list[Token], list[tuple[int, bytes]]]:
        """The tokens for a bundle of entries *first* to *last* under the checkpoint of *size*, and
        the anchors (seq, exact bytes) that commit to the earlier ones.

        Those over the checkpoint; the nearest that are older than the first entry; and the oldest
        over the last one: two sides of when it happened.
        """
        earlier = self._outside.anchored_before(first)
        rows = [
            *self._outside.tokens(size),
            *(row for _, row in earlier),
            *self._outside.oldest_over(last, size),
        ]
        unique = {(row.size, row.tsa): row for row in rows}
        tokens = [token for row in unique.values() for token in self._token(row)]
        anchors = sorted({seq for seq, _ in earlier})
        return tokens, [(seq, self._reader.entry(seq)) for seq in anchors]

    def _best(self, seq: int) -> int | None:
        # What an older key signed alone proves less to those who pin the present one.
        at_least = max(seq, self._outside.last_rotation())
        return self._outside.best_over(at_least, self._quorum.met)

    def _token(self, row: TokenRow) -> list[Token]:
        note = self._outside.note(row.size)
        return [] if note is None else [self._named(row, open_note(note)[0])]

    def _named(self, row: TokenRow, over: str) -> Token:
        return Token(row.tsa, over, row.token, row.tsa in self._qualified)
