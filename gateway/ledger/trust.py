"""Who vouches for a checkpoint: the log's key, witnesses, and what was known before (steps
"checkpoint", "witnesses" and "since" of LEDGER section 5; `stamps` does "timestamp").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import DataError
from gateway.ledger.entry import KEY_ROTATE
from gateway.ledger.merkle import EMPTY_ROOT, verify_consistency
from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    SignatureLine,
    Verifier,
    cosigned_at_s,
    verified_by,
)
from gateway.ledger.proof import parse_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.ledger.checks import Case, OpenNote
    from gateway.ledger.policyfile import Policy
    from gateway.ledger.report import Findings


class Keys:
    """The log keys a verifier believes, and whether a policy pins them."""

    def __init__(self, keys: Iterable[Verifier], *, pinned: bool) -> None:
        self.keys = list(keys)
        self.pinned = pinned
        #: Of a whole ledger: keys before a believed one, until the checkpoint that both signed.
        self._before: list[Verifier] = []
        #: Changes of the key that no believed signature covers yet.
        self._announced: list[dict[str, Any]] = []

    @classmethod
    def of(cls, policy: Policy | None, own: str | None, origin: str, found: Findings) -> Keys:
        """Those of the policy for *origin*; without a policy that names logs, the file's own."""
        if policy is not None and policy.logs:
            found.took("policy")
            return cls([key for key in policy.logs if key.name == origin], pinned=True)
        found.lacks(
            "policy",
            "checkpoint: no policy pins the log's key"
            if policy is None
            else "checkpoint: the policy names no log",
        )
        if own is None:
            return cls([], pinned=False)
        try:
            key = Verifier.from_vkey(own)
        except DataError as error:
            found.refused(error)
            return cls([], pinned=False)
        return cls([key] if key.kind == ED25519 and key.name == origin else [], pinned=False)

    @property
    def known(self) -> bool:
        """Whether a missing signature means something: there is a key it could be by."""
        return self.pinned or bool(self.keys)

    def signed(self, text: str, lines: Sequence[SignatureLine]) -> bool:
        """Whether a believed key signed the note.

        Raises:
            DataError: a signature that claims to be by one of them does not verify.
        """
        return bool(verified_by(text, lines, self.keys))

    def check(self, opened: OpenNote, found: Findings, *, step: str) -> bool:
        """`signed`; a signature that does not verify is a fault of *step*."""
        try:
            return self.signed(opened.text, opened.lines)
        except DataError as error:
            found.fault(step, error.message)
            return False

    def rotate(self, body: dict[str, Any]) -> None:
        """Believe the new key of an `x.KeyRotate` entry whose old key is believed."""
        if any(key.vkey == body.get("old") for key in self.keys):
            key = self._named(body.get("new"))
            if key is not None:
                self.keys.append(key)

    # Of a whole ledger, whose checkpoints are met in order:

    def look_back(self, rotations: Iterable[dict[str, Any]]) -> None:
        """Know the keys that signed before the believed ones, by *rotations*, oldest first.

        Whoever pins only the new key believes it for the entries before it too: they are in the
        tree of every checkpoint it signs. A checkpoint from before then is no fault; but it
        vouches for nothing either.
        """
        believed = {key.vkey for key in self.keys}
        for body in reversed(list(rotations)):
            if body.get("new") in believed:
                key = self._named(body.get("old"))
                if key is not None and key.vkey not in believed:
                    self._before.append(key)
                    believed.add(key.vkey)

    def announce(self, body: dict[str, Any]) -> None:
        """An `x.KeyRotate` entry; it counts when a believed key has signed over it (`settle`)."""
        self._announced.append(body)

    def settle(self) -> None:
        """A believed key signed what was read so far: it is in force, and those before it are
        not, whatever a later entry calls a predecessor."""
        for body in self._announced:
            self.rotate(body)
        self._announced.clear()
        self._before.clear()

    def signed_before(self, text: str, lines: Sequence[SignatureLine]) -> bool:
        """Whether a key signed the note that was the log's before the believed ones."""
        try:
            return bool(verified_by(text, lines, self._before))
        except DataError:
            return False

    def _named(self, vkey: object) -> Verifier | None:
        """The log key that an entry names, if it is one of this log."""
        try:
            key = Verifier.from_vkey(str(vkey))
        except DataError:
            return None
        return key if key.kind == ED25519 and key.name == self.keys[0].name else None


def check_signatures(case: Case, keys: Keys) -> list[OpenNote]:
    """The log's notes in the bundle that a believed key signed; those of its proofs must be.

    Rotations come first, because each one may bring the key that signed what follows. One that
    leads from no believed key proves nothing and is no fault.
    """
    found, signed = case.found, []
    found.took("checkpoint")
    for one in case.rotations:
        if keys.check(one.opened, found, step="checkpoint"):
            # Only what is in the tree was signed: else anybody could introduce a key of theirs
            # beside a genuine checkpoint, and frame the log with a fork.
            if one.included and one.body["ev"] == KEY_ROTATE:
                keys.rotate(one.body)
            signed.append(one.opened)
    opened = {one.opened.note: one.opened for one in (*case.entries, *case.anchors)}
    if len({one.text for one in opened.values()}) > 1:
        found.fault("checkpoint", "the proofs of the bundle lead to different checkpoints")
    for note in opened.values():
        if keys.check(note, found, step="checkpoint"):
            signed.append(note)
        elif found.steps["checkpoint"]:
            whose = "a key of the policy" if keys.pinned else "the key the file names"
            found.fault("checkpoint", f"the checkpoint is not signed by {whose}")
    return signed


def check_witnesses(
    opened: OpenNote, policy: Policy | None, listed: Iterable[str], found: Findings
) -> int | None:
    """The policy's quorum; when the last witness signed (ms), None if none did.

    Cosignatures by the witnesses a bundle lists itself vouch for nothing, but must hold.
    """
    try:
        for vkey in listed:
            verified_by(opened.text, opened.lines, [_witness(vkey)])
        if policy is None:
            return None
        cosigned = {
            name: key
            for name, key in policy.witnesses.items()
            if verified_by(opened.text, opened.lines, [key])
        }
    except DataError as error:
        found.fault("witnesses", error.message)
        return None
    found.witnesses = [key.name for key in cosigned.values()]
    if policy.satisfied(cosigned):
        found.took("witnesses")
    else:
        found.lacks(
            "witnesses",
            f"witnesses: {len(cosigned)} of the policy's witnesses signed, its quorum is not met",
        )
    times_s = [
        cosigned_at_s(line) for key in cosigned.values() for line in opened.lines if key.made(line)
    ]
    return max(times_s) * 1000 if times_s else None


def _witness(vkey: str) -> Verifier:
    key = Verifier.from_vkey(vkey)
    if key.kind != COSIGNATURE:
        raise DataError(f"{key.name} is no witness")
    return key


# --- what the log said before ---------------------------------------------------------------------


class History:
    """Roots the bundle's own tree is proven to have had, by size."""

    def __init__(self, opened: OpenNote) -> None:
        self.opened = opened
        self.checkpoint = opened.checkpoint
        self._roots = {0: EMPTY_ROOT, self.checkpoint.size: self.checkpoint.root}

    def prove(self, earlier: Checkpoint, rows: Sequence[str], *, step: str) -> None:
        """Take *earlier* as part of the history; *rows* is the consistency proof.

        Raises:
            DataError: of another log, or not proven; reason *step*.
        """
        now = self.checkpoint
        if earlier.origin != now.origin:
            raise DataError("an earlier checkpoint is of another log", reason=step)
        try:
            hashes = parse_hashes(rows, reason=step)
            verify_consistency(earlier.size, earlier.root, now.size, now.root, hashes)
        except DataError as error:
            raise DataError(error.message, reason=step) from None
        self._roots[earlier.size] = earlier.root

    def agrees(self, earlier: Checkpoint) -> bool | None:
        """Whether the tree had that root at that size; None: not proven either way."""
        root = self._roots.get(earlier.size)
        return None if root is None else root == earlier.root


def check_since(case: Case, history: History, keys: Keys, signed: list[OpenNote]) -> None:
    """The bundle's earlier notes: each proven to be in the past of its checkpoint.

    Those a believed key signed are added to *signed*.
    """
    found = case.found
    for item in case.bundle.since:
        found.took("since")
        earlier = case.open(item.note)
        if earlier is None:
            continue
        if keys.check(earlier, found, step="since"):
            signed.append(earlier)
        try:
            history.prove(earlier.checkpoint, item.consistency, step="since")
        except DataError as error:
            found.refused(error)


def check_known(
    known: OpenNote, history: History, keys: Keys, signed: list[OpenNote], found: Findings
) -> None:
    """The checkpoint the verifier knew before: same log, not longer, and proven to be its past."""
    then, now = known.checkpoint, history.checkpoint
    found.took("since")
    if then.origin != now.origin:
        found.fault("since", f"the checkpoint known before is of the log {then.origin}")
        return
    if keys.check(known, found, step="since"):
        signed.append(known)
    agrees = history.agrees(then)
    if then.size > now.size:
        found.stale = f"since: {now.size} entries, {then.size} were known before"
    elif agrees is None:
        found.lacks("since", "since_unproven")
    elif not agrees:
        found.fault("since", "the log does not have the checkpoint known before in its past")


def check_forks(history: History, signed: Sequence[OpenNote], found: Findings) -> None:
    """Whether two of the log's signed notes exclude each other: two roots of one size, or one
    that the proven history of the other contradicts."""
    ours = history.opened
    sizes: dict[tuple[str, int], OpenNote] = {}
    for note in signed:
        then = note.checkpoint
        first = sizes.setdefault((then.origin, then.size), note)
        if first.checkpoint.root != then.root:
            found.fork(first.note, note.note)
        elif (
            ours in signed
            and then.origin == ours.checkpoint.origin
            and history.agrees(then) is False
        ):
            found.fork(ours.note, note.note)
