"""Asking witnesses to cosign checkpoints: the log's end of c2sp.org/tlog-witness.

A cosignature is believed only when the configured key made it over this very checkpoint. An answer
that says the witness has seen more of the log than we have, or another root, means that the ledger
was rolled back or forked, or that the witness lies; `theirs`, the witness's own note where it gives
one, tells which.
"""

from __future__ import annotations

from contextlib import aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import httpx
import trio

from gateway.errors import DataError, TryAgain
from gateway.evidence.witness import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    OK,
    UNPROCESSABLE,
    format_add_checkpoint,
)
from gateway.ledger.note import (
    COSIGNATURE,
    MAX_NOTE_BYTES,
    Checkpoint,
    Verifier,
    cosigned_at_s,
    decode_size,
    join_note,
    open_note,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

#: How often a log's size may have moved under us before it is somebody else's turn.
_TRIES = 3
_HINTS = {
    FORBIDDEN: "give the witness the log's present verifier key (`acuse ledger head`); after"
    " `acuse ledger rotate-key` it needs the new one",
    NOT_FOUND: "tell the witness about this log: `acuse ledger head` prints the verifier key",
}


class WitnessError(TryAgain):
    """A witness gave no cosignature; `fields["witness"]` names it."""


class WitnessElsewhere(WitnessError):
    """The witness's latest checkpoint is another than the old size that was given: `size`."""

    def __init__(self, witness: str, size: int) -> None:
        super().__init__(
            f"the witness {witness} has cosigned {size} entries", witness=witness, size=size
        )
        self.size = size


class WitnessConflict(WitnessError):
    """The witness knows a larger or another tree of this log: it was rolled back or forked.

    `ours` is the note it refused, `theirs` its own one, as far as it shows it ("" if not);
    `proven`: this log's own key signed that one, and the ledger does not bear it out.
    """

    def __init__(self, witness: str, why: str, ours: str, theirs: str) -> None:
        super().__init__(
            f"the witness {witness} knows another history of this log: {why}",
            hint="keep both notes; if the ledger was restored from a backup, bring back the newer"
            " one, else compare with a checkpoint kept elsewhere (docs/witnesses.md)",
            witness=witness,
            ours=ours,
            theirs=theirs,
        )
        self.ours = ours
        self.theirs = theirs
        self.proven = False


class Asked(Protocol):
    """What is needed of `[[witness]]`."""

    @property
    def name(self) -> str:
        """What status calls it."""
        ...

    @property
    def url(self) -> str:
        """Its submission prefix."""
        ...

    @property
    def vkey(self) -> str:
        """Its verifier key."""
        ...

    @property
    def timeout_s(self) -> float:
        """How long one question to it may take."""
        ...


class _Answered(NamedTuple):
    status: int
    body: str


async def cosign(
    client: httpx.AsyncClient, witness: Asked, old_size: int, proof: list[bytes], note: str
) -> str:
    """The witness's cosignature line for the checkpoint *note*, without its newline.

    *proof* leads from the checkpoint over *old_size* entries, the last one it cosigned (0: none),
    to this one.

    Raises:
        WitnessElsewhere: it cosigned another size last, which is not beyond this checkpoint.
        WitnessConflict: it knows a tree that this checkpoint does not extend.
        WitnessError: it does not answer, refuses, or its cosignature does not hold.
    """
    text, _ = open_note(note)
    checkpoint = Checkpoint.parse(text)
    body = format_add_checkpoint(old_size, proof, note)
    answered = await _ask(client, witness, "POST", "/add-checkpoint", body)
    if answered.status == OK:
        return _checked(witness, text, answered.body)
    if answered.status == CONFLICT:
        try:
            size = decode_size(answered.body.removesuffix("\n"), what="the size of a 409")
        except DataError as error:
            raise _failed(witness, error.message) from None
        if size <= checkpoint.size and size != old_size:
            raise WitnessElsewhere(witness.name, size)
        why = "another root of this size"
        if size > checkpoint.size:
            why = f"it has cosigned {size} entries, there are {checkpoint.size}"
        raise await _conflict(client, witness, why, checkpoint, note)
    if answered.status == UNPROCESSABLE:
        why = f"its checkpoint over {old_size} entries is not in the past of this one"
        raise await _conflict(client, witness, why, checkpoint, note)
    said = " ".join(answered.body.split())[:200]
    hint = _HINTS.get(answered.status, "")
    raise _failed(witness, f"it answers {answered.status}: {said}", hint=hint)


async def cosign_from(
    client: httpx.AsyncClient,
    witness: Asked,
    known_size: int,
    prove: Callable[[int], Awaitable[list[bytes]]],
    note: str,
) -> str:
    """`cosign`, told where to begin by the witness itself if *known_size* is not the place.

    *prove* gives the consistency proof from a size to the checkpoint *note*.

    Raises:
        WitnessConflict, WitnessError: see `cosign`.
    """
    size = known_size
    for _ in range(_TRIES):
        try:
            return await cosign(client, witness, size, await prove(size), note)
        except WitnessElsewhere as elsewhere:
            size = elsewhere.size
    raise _failed(witness, "its size changes with every question")


async def _ask(
    client: httpx.AsyncClient, witness: Asked, method: str, path: str, body: bytes | None = None
) -> _Answered:
    """One bounded question: no redirect is followed, and no more read than a note may have."""
    url = witness.url.rstrip("/") + path
    received = bytearray()
    try:
        with trio.fail_after(witness.timeout_s):
            async with (
                client.stream(
                    method, url, content=body, follow_redirects=False, timeout=None
                ) as response,
                aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as pieces,
            ):
                async for data in pieces:
                    received += data
                    if len(received) > MAX_NOTE_BYTES:
                        raise _failed(witness, "its answer is too long")
    except (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError) as error:
        said = str(error) or type(error).__name__
        why = f"no answer within {witness.timeout_s:g} s"
        if not isinstance(error, trio.TooSlowError):
            why = f"it cannot be reached: {said}"
        raise _failed(witness, why, hint="it is asked again by itself") from None
    return _Answered(response.status_code, received.decode("utf-8", "replace"))


def _checked(witness: Asked, text: str, body: str) -> str:
    """The line by the pinned key; lines of other keys are passed over, as the standard says."""
    try:
        key = Verifier.from_vkey(witness.vkey)
        if key.kind != COSIGNATURE:
            raise _failed(
                witness,
                "the configured key is not a witness's",
                hint="witness.vkey is what `acuse witness` prints (signature type 0x04)",
            )
        _, lines = open_note(f"{text}\n{body}")
    except DataError as error:
        raise _failed(witness, error.message) from None
    line = next((each for each in lines if key.made(each)), None)
    if line is None:
        raise _failed(
            witness,
            "its cosignature is by another key than the configured one",
            hint="compare witness.vkey with what `acuse witness` prints",
        )
    if not key.holds(text, line):
        raise _failed(witness, "its cosignature does not verify")
    return str(line)


def cosigned_ms(line: str) -> int:
    """When the cosignature *line* says it was made, in milliseconds since the Unix epoch."""
    _, lines = open_note(join_note("-\n", ()) + line + "\n")
    return cosigned_at_s(lines[0]) * 1000


async def _conflict(
    client: httpx.AsyncClient, witness: Asked, why: str, checkpoint: Checkpoint, note: str
) -> WitnessConflict:
    """The error, with the witness's own note if it shows it at the place ours shows theirs."""
    place = f"/checkpoint/{sha256(checkpoint.origin.encode()).hexdigest()}"
    theirs = ""
    try:
        answered = await _ask(client, witness, "GET", place)
        text, _ = open_note(answered.body)
        if answered.status == OK and Checkpoint.parse(text).origin == checkpoint.origin:
            theirs = answered.body
    except (WitnessError, DataError):
        theirs = ""  # a witness need not show it; what it said is told all the same
    return WitnessConflict(witness.name, why, note, theirs)


def _failed(witness: Asked, why: str, *, hint: str = "") -> WitnessError:
    return WitnessError(f"the witness {witness.name}: {why}", hint=hint, witness=witness.name)
