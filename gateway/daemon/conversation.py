"""What a person was last sent, to know which message their answer is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.ledger.rows import State

if TYPE_CHECKING:
    from gateway.daemon.work import Work, WorkSet
    from gateway.ledger.store import Store

#: A message answers what was sent to the person in this time, looked for among so many.
_ANSWERS_MS: Final = 30 * 24 * 3_600_000
_LATEST: Final = 8
#: States of what no reply can be about: it never left.
_NEVER_LEFT: Final = (State.HELD, State.QUEUED, State.REFUSED, State.CANCELLED)
#: What we write in answer to a word, after which the person still speaks of what was before.
_ASIDES: Final = ("help_reply", "optin_confirmation", "optout_confirmation")


class Conversation:
    """The latest messages to a person."""

    def __init__(self, store: Store, works: WorkSet) -> None:
        self._store = store
        self._works = works

    def last(
        self, person: bytes, dest: str, now_ms: int, *, asides: bool = True, exact: bool = False
    ) -> Work | None:
        """The last message that left to *person*: of the sender *dest*, else of any.

        *asides* False: our own answers to words are passed over. *exact*: only of that sender.
        """
        latest = None
        for row_id in self._store.last_submissions_to(person, _LATEST):
            work = self._works.get_or_none(row_id)
            if work is None or work.row.state in _NEVER_LEFT or not work.begun():
                continue
            if work.row.submitted_ms < now_ms - _ANSWERS_MS:
                break
            if not asides and work.request.service in _ASIDES:
                continue
            if same_sender(work.request.sender, dest):
                return work
            latest = latest or work
        return None if exact else latest


def same_sender(one: str, other: str) -> bool:
    """Whether two ways to write a sender mean the same: operators leave the + out."""
    return one.lstrip("+") == other.lstrip("+")
