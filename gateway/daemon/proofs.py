"""Bundles for the daemon: fetch what one submission's proof needs, and have it assembled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

from gateway.daemon.vouched import Vouched
from gateway.errors import AnswerIsNo, DataError
from gateway.evidence.bundle import assemble
from gateway.evidence.vault import ContentCipher
from gateway.ledger import canonical, merkle
from gateway.ledger.checks import open_checkpoint
from gateway.ledger.entry import RECEIVED, commitment
from gateway.ledger.rotations import stored_rotations

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gateway.evidence.quorum import Quorum
    from gateway.evidence.signer import LogSigner
    from gateway.evidence.vault import Vault
    from gateway.ledger.reader import Reader


#: How what is known of a submission stands: vouched for from outside, signed by the log, neither.
ANCHORED: Final = "anchored"
SIGNED: Final = "signed"
UNSIGNED: Final = "unsigned"


class Proofs:
    """Makes bundles and tells checkpoints, from the file and the signer."""

    def __init__(
        self,
        reader: Reader,
        vault: Vault,
        signer: LogSigner,
        quorum: Quorum,
        qualified: Collection[str] = (),
    ) -> None:
        self._reader = reader
        self._vouched = Vouched(reader, quorum, qualified)
        self._witnesses = quorum.vkeys
        self._vault = vault
        self._signer = signer

    @property
    def vkey(self) -> str:
        """The verifier key of the log."""
        return self._signer.vkey

    def keys(self) -> dict[str, Any]:
        """`vkey`, and as `old_vkeys` the log's keys before it, oldest first."""
        before = [each.old for each in stored_rotations(self._reader)]
        return {"vkey": self.vkey, "old_vkeys": [each for each in before if each != self.vkey]}

    def checkpoint(self) -> dict[str, Any]:
        """The latest signed checkpoint."""
        last = self._reader.last_checkpoint()
        if last is None:
            self._unsigned()
        size = int(last["size"])
        return {"size": size, "root": self._root(size).hex(), "note": last["note"]}

    def _root(self, size: int) -> bytes:
        return merkle.root_at(size, lambda level, index: self._reader.tile(level, index, size))

    def standing(self, submission_id: str, since: Sequence[str] = ()) -> str:
        """Whether what is known of a submission is ANCHORED, SIGNED only, or not even that, by a
        checkpoint that is no smaller than those of *since*.

        Raises:
            AnswerIsNo: there is no such submission; or as of `bundle`.
            DataError: as of `bundle`.
        """
        with self._reader.snapshot():
            last_seq = self._reach(self._row(submission_id), since)
            if self._vouched.anchored(last_seq):
                return ANCHORED
            last = self._reader.last_checkpoint()
            return SIGNED if last is not None and last["size"] > last_seq else UNSIGNED

    def _row(self, submission_id: str) -> dict[str, Any]:
        row = self._reader.submission(submission_id)
        if row is None:
            raise AnswerIsNo(
                f"there is no submission {submission_id!r}",
                hint="`acuse messages list` shows the latest ones",
                submission_id=submission_id,
            )
        return row

    def bundle(
        self, submission_id: str, redact: frozenset[str], since: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The proof of one submission under the newest checkpoint that covers it and is vouched
        for from outside; where none is, under the latest.

        *since* are signed checkpoints that somebody keeps: the proof shows that the log has only
        grown since each of them.

        Raises:
            AnswerIsNo: there is no such submission, or the log does not have one of *since* in its
                past.
            DataError: a field that cannot be redacted, or one of *since* is no checkpoint of this
                log.
        """
        # One view of the file: an event between two reads would make `complete` a signed lie.
        with self._reader.snapshot():
            return self._bundle(submission_id, redact, since)

    def _bundle(
        self, submission_id: str, redact: frozenset[str], since: Sequence[str]
    ) -> dict[str, Any]:
        row = self._row(submission_id)
        size, note = self._vouched.checkpoint(self._reach(row, since)) or self._unsigned()
        entries = [e for e in self._reader.entries_of(row["last_seq"]) if e[0] < size]
        decoded = [canonical.decode(entry) for _, entry in entries]
        leaves = [merkle.leaf_hash(entry) for _, entry in entries]
        tokens, anchors = self._vouched.evidence(entries[0][0], entries[-1][0], size)
        key = (
            None
            if row["key"] is None
            else self._vault.unwrap(row["key"], submission_id, row["month"])
        )
        text = assemble(
            submission_id=submission_id,
            entries=entries,
            size=size,
            note=note,
            read_tile=lambda level, index: self._reader.tile(level, index, size),
            complete=self._signer.sign_complete(submission_id, size, leaves),
            key=key,
            contents={} if key is None else self._contents(row, decoded, key),
            vkey=self._signer.vkey,
            operators={
                entry["operator"]: self._party([entry], "profile")
                for entry in decoded
                if "profile" in entry
            },
            sender=self._party(decoded, "sender"),
            issuer=self._party(decoded, "issuer"),
            redact=redact,
            since=since,
            witnesses=self._witnesses,
            tokens=tokens,
            anchors=anchors,
            rotations=[
                (one.seq, self._reader.entry(one.seq), one.note)
                for one in stored_rotations(self._reader)
                if one.note is not None
            ],
        )
        return {"submission_id": submission_id, "bundle": text.decode()}

    def _reach(self, row: Mapping[str, Any], since: Sequence[str]) -> int:
        """The entry that the bundle's checkpoint must cover: the submission's last one, and the
        last one of each checkpoint it is proven to have grown from.
        """
        last: int = row["last_seq"]
        for note in since:
            try:
                then = open_checkpoint(note).checkpoint
            except DataError as error:
                raise DataError(
                    f"since: {error.message}",
                    hint="give a signed checkpoint, as `acuse ledger checkpoint` prints it",
                    field="since",
                ) from None
            size = self._reader.size
            if then.origin != self._reader.origin or not 0 < then.size <= size:
                raise DataError(
                    f"since: the checkpoint of {then.origin[:100]} over {then.size} entries is not"
                    f" an earlier one of {self._reader.origin} over {size}",
                    hint="give a checkpoint of this log that covers at least one entry",
                    field="since",
                )
            if self._root(then.size) != then.root:
                raise AnswerIsNo(
                    f"since: the first {then.size} entries of this log do not have the root that"
                    " the checkpoint names",
                    hint="keep that checkpoint: with this log's signature it proves two histories;"
                    " `acuse ledger verify --since FILE` tells",
                    field="since",
                )
            last = max(last, then.size - 1)
        return last

    @staticmethod
    def _unsigned() -> NoReturn:
        raise AnswerIsNo("the log was never signed", hint="`acuse ledger checkpoint` signs it")

    def _party(self, entries: list[dict[str, Any]], field: str) -> dict[str, str]:
        digest = next(entry[field] for entry in entries if field in entry)
        body = self._reader.party(digest)
        party: dict[str, str] = {} if body is None else json.loads(body)
        return party

    def _contents(
        self, row: Mapping[str, Any], entries: list[dict[str, Any]], key: bytes
    ) -> dict[int, dict[str, bytes]]:
        """What the commitments of each entry are about, by `seq` and field."""
        cipher, owner = ContentCipher(key), row["submission_id"]
        request = json.loads(cipher.open_record(owner, "request", row["request"]))
        known = {
            "to": request["to"].encode(),
            "from": request["sender"].encode(),
            "text": request["text"].encode(),
        }
        for segment in self._reader.segments(row["id"]):
            for name in ("submit", "response"):
                if segment[name] is not None:
                    field = f"{name}.{segment['number']}"
                    known[field] = cipher.open_record(owner, field, segment[name])
        receipts = {
            receipt["seq"]: cipher.open_record(owner, f"receipt.{receipt['id']}", receipt["raw"])
            for receipt in self._reader.receipts(row["id"])
            if receipt["raw"] is not None
        }
        replies = self._replies(row["id"], cipher, owner)
        contents: dict[int, dict[str, bytes]] = {}
        for entry in entries:
            seq = entry["seq"]
            fields = contents.setdefault(seq, {})
            for field in entry.get("commit", {}):
                if field == "receipt":
                    value = receipts.get(seq)
                elif field == "submit":
                    value = known.get(f"submit.{entry['segment']}")
                elif entry["ev"] == RECEIVED:
                    value = replies.get(seq, {}).get(field)
                else:
                    value = known.get(field)
                # A PDU that was sent again replaced its first form; what no longer fits the
                # commitment of an older entry stays undisclosed there.
                if value is not None and (
                    commitment(key, field, seq, value).hex() == entry["commit"][field]
                ):
                    fields[field] = value
        return contents

    def _replies(
        self, submission: int, cipher: ContentCipher, owner: str
    ) -> dict[int, dict[str, bytes]]:
        """What a handset answered, by the `seq` of its F.3: its PDUs in a row, and its text."""
        replies: dict[int, dict[str, bytes]] = {}
        for row in sorted(self._reader.replies(submission), key=lambda row: row["number"]):
            fields = replies.setdefault(row["seq"], {"deliver": b""})
            name = f"inbound.{row['id']}"
            fields["deliver"] += cipher.open_record(owner, name, row["raw"])
            if row["text"] is not None:
                fields["text"] = cipher.open_record(owner, f"reply.{row['id']}", row["text"])
        return replies
