"""The proof of one consent or opt-out: its entry, the way to the root, and what it discloses.

The parts are those of a bundle (LEDGER section 4): `entry` and `proof` as in `entries`, `disclose`
as there. A row of an imported list adds `list`: the way from its commitment to the list's root in
the entry (docs/ledger-additions.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import StorageError
from gateway.ledger import canonical
from gateway.ledger.entry import commitment, salt
from gateway.ledger.lists import list_path, row_field
from gateway.ledger.merkle import HASH_BYTES, inclusion_proof
from gateway.ledger.peoplereader import PeopleReader
from gateway.ledger.proof import LogProof, format_proof

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ledger.reader import Reader


class PersonProofs:
    """Puts proofs together from the ledger file, inside a snapshot of it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._people = PeopleReader(reader)

    def single(self, seq: int, key: bytes | None, content: Mapping[str, bytes]) -> dict[str, Any]:
        """The proof of an entry about one person; without *key* nothing is disclosed.

        What no longer fits its commitment is left out: it was written under another key.
        """
        if seq < 0:
            return _of_a_log_before(seq)
        entry = self._reader.entry(seq)
        commits = canonical.decode(entry).get("commit", {})
        disclose = {}
        for name, value in content.items() if key is not None else ():
            assert key is not None
            if commitment(key, name, seq, value).hex() == commits.get(name):
                disclose[name] = {"salt": salt(key, name, seq).hex(), "value": value.decode()}
        return {**self._entry(seq, entry), "disclose": disclose}

    def of_list(
        self, chunk: int, place: int, key: bytes | None, value: bytes, *, partial: bool = False
    ) -> dict[str, Any]:
        """The proof of one row of an imported list; *partial*: some of it may have been erased,
        and what no longer fits is not disclosed.

        Raises:
            StorageError: the row is not what was committed to.
        """
        seq, leaves = self._people.leaves(chunk)
        if seq < 0:
            return _of_a_log_before(seq)
        name = row_field(place)
        ours = leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES]
        entry = self._reader.entry(seq)
        disclose = {}
        fits = key is not None and commitment(key, name, seq, value) == ours
        if key is not None and (fits or not partial):
            if not fits:
                raise StorageError(
                    f"row {place} of the list in entry {seq} is not what was committed to",
                    hint="the ledger file was changed there: run `acuse ledger verify`",
                    seq=seq,
                )
            disclose[name] = {"salt": salt(key, name, seq).hex(), "value": value.decode()}
        return {
            **self._entry(seq, entry),
            "disclose": disclose,
            "list": {
                "place": place,
                "commitment": ours.hex(),
                "path": [each.hex() for each in list_path(place, leaves)],
                **canonical.decode(entry)["list"],
            },
        }

    def _entry(self, seq: int, entry: bytes) -> dict[str, Any]:
        last = self._reader.last_checkpoint()
        proof = None
        if last is not None and seq < last["size"]:
            size = int(last["size"])
            hashes = inclusion_proof(seq, size, lambda level, i: self._reader.tile(level, i, size))
            proof = format_proof(LogProof(seq, tuple(hashes), last["note"]))
        return {"seq": seq, "entry": entry.decode(), "proof": proof}


def _of_a_log_before(seq: int) -> dict[str, Any]:
    """What came along into a new epoch: its entry and its proof are in the ledger before."""
    return {"seq": seq, "entry": None, "proof": None, "disclose": {}}
