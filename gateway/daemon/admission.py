"""A submission comes in: checked, decided, and made durable before anybody is answered.

Everything that can be wrong with it is found before the first row or entry is written, so a
submission that is not taken leaves no trace.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from gateway.clock import optional_text, to_seconds_text
from gateway.daemon.appending import append, shown_appended
from gateway.daemon.ids import submission_id
from gateway.daemon.logs import masked
from gateway.daemon.months import month_of
from gateway.daemon.replacements import fits_in_place_of
from gateway.daemon.work import Work
from gateway.errors import DataError
from gateway.evidence.people import erased_ref
from gateway.evidence.records import PERSON_BYTES
from gateway.evidence.vault import ContentCipher
from gateway.ledger import canonical
from gateway.ledger.rows import SegmentRow, State, SubmissionRow, segment_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.daemon.judging import Judging
    from gateway.daemon.parties import Parties
    from gateway.daemon.reading import Candidate, SubmissionReader
    from gateway.daemon.routing import Routing
    from gateway.daemon.sealer import Sealer
    from gateway.daemon.work import WorkSet
    from gateway.evidence.vault import Vault
    from gateway.ledger.store import Store
    from gateway.policy.decide import Decision
    from gateway.smpp.text import EncodedText


log = structlog.get_logger()


class Admission:
    """Takes submissions into the open batch."""

    def __init__(
        self,
        judging: Judging,
        store: Store,
        vault: Vault,
        sealer: Sealer,
        works: WorkSet,
        parties: Parties,
        reader: SubmissionReader,
        routing: Routing,
    ) -> None:
        self._judging = judging
        self._store = store
        self._vault = vault
        self._sealer = sealer
        self._works = works
        self._parties = parties
        self._reader = reader
        self._routing = routing
        self.submitted = 0
        self.refused = 0

    # -- deciding ------------------------------------------------------------------------------

    def decide(self, work: Work, now_ms: int, *, planned_ms: int | None = None) -> Decision:
        """What policy says of *work* at *planned_ms* (default now), with the stored facts."""
        at_ms = now_ms if planned_ms is None else planned_ms
        if work.request.replaces is not None:  # the operator waits, not we: it is delivered then
            at_ms = max(at_ms, work.request.not_before_ms or 0)
        return self._judging.decide(work, at_ms)

    def encode(self, work: Work, planned_ms: int) -> EncodedText:
        """Fix how the text of a new submission goes out at *planned_ms*.

        What the law wants is appended and characters are substituted where the brand allows it.

        Raises:
            ConfigError: no route leads to the recipient.
            DataError: the text cannot be sent.
        """
        request = work.request
        coding = self._routing.coding(self._routing.operators(work))
        substitutes = self._parties.substitutes(work.row.brand)
        if request.fix or self._parties.appends(work.row.brand):
            append(work, self._judging.lacking(work, planned_ms), coding, substitutes=substitutes)
        if substitutes:
            request.substitute(coding)
        request.keep_coding(coding)
        return work.encoded()

    # -- taking in -----------------------------------------------------------------------------

    def admit(
        self, args: Mapping[str, Any], now_ms: int, original: Work | None = None
    ) -> tuple[dict[str, Any], Work | None]:
        """Take one submission into the batch: its answer, and its `Work` if it is to be sent.

        *original*: the submission whose text it is to replace.
        """
        candidate = self._reader.read(args, now_ms)
        if candidate.ref is not None:
            known = self.known(candidate.brand, candidate.ref)
            if known is not None:
                return self._repeated(candidate, self._works.get(known.id)), None
        return self.take(candidate, now_ms, original)

    def known(self, brand: str, ref: str) -> SubmissionRow | None:
        """The submission a brand gave that reference.

        Raises:
            DataError: there was one, and its content was erased.
        """
        known = self._store.submission_by_ref(brand, ref, erased_ref(brand, ref, self._vault))
        if known is not None and known.state is State.ERASED:
            raise DataError(
                f"ref {ref!r} was used for a message whose content was erased",
                hint="whether this is the same one cannot be told any more, and a ref names one"
                " message for ever: use a new one, or none",
                field="ref",
                submission_id=known.submission_id,
            )
        return known

    def take(
        self, candidate: Candidate, now_ms: int, original: Work | None = None
    ) -> tuple[dict[str, Any], Work | None]:
        """Take a submission that was read into the batch; as `admit`.

        Raises:
            ConfigError: no route leads to the recipient; nothing was written.
            DataError: the text cannot be sent; nothing was written.
        """
        work = self._make(candidate, now_ms)
        planned_ms = max(now_ms, work.request.not_before_ms or 0)
        encoded = self.encode(work, planned_ms)
        if original is not None:
            fits_in_place_of(original, encoded)
            work.row.operator = original.row.operator
            work.request.replaces = {
                "submission_id": original.id,
                "row": original.row.id,
                "message_id": original.segments[0].message_id,
            }
        work.request.instructs = self._judging.instructs(work)
        decision = self.decide(work, now_ms, planned_ms=planned_ms)
        row = work.row
        row.encoding, row.parts = encoded.encoding, len(encoded.parts)
        self._insert(work)
        work.decided(decision)
        if decision.action == "refuse":
            self.refused += 1
            self.refuse(work, decision, now_ms)
            return answer(work, decision), None
        self.submitted += 1
        body = self._submission_body(work, decision)
        body["segments"] = row.parts
        body["encoding"] = row.encoding
        if original is not None:
            body["replaces"] = original.id
        self._sealer.event(work, "A.1", now_ms, body, self._content(work))
        if decision.action == "hold" and decision.until is not None:
            work.hold(decision, round(decision.until.timestamp() * 1000))
            log.debug("policy.held", submission_id=work.id, until=decision.until_text())
        elif planned_ms > now_ms and original is None:
            row.state = State.HELD
            row.due_ms = planned_ms
        return answer(work, decision), work

    def refuse(self, work: Work, decision: Decision, now_ms: int) -> None:
        """Policy says no, at admission or later: A.2, and the seal that closes it."""
        work.decided(decision)
        log.info(
            "policy.refused",
            submission_id=work.id,
            to=masked(work.request.to),
            reason=decision.reason,
            rules=decision.rules,
        )
        body = self._submission_body(work, decision)
        self._sealer.event(work, "A.2", now_ms, body, self._content(work))
        self._sealer.close(work, State.REFUSED, now_ms)

    def draft(self, candidate: Candidate, now_ms: int) -> Work:
        """A submission as it would be made, without id and key: nothing of it can be stored."""
        return self._work(candidate, now_ms, "", bytes(32), None)

    def _make(self, candidate: Candidate, now_ms: int) -> Work:
        public_id, key = submission_id(now_ms), self._vault.new_key()
        wrapped = self._vault.wrap(key, public_id, month_of(now_ms))
        return self._work(candidate, now_ms, public_id, key, wrapped)

    def _work(
        self, candidate: Candidate, now_ms: int, public_id: str, key: bytes, wrapped: bytes | None
    ) -> Work:
        request = candidate.request
        start_ms = max(now_ms, request.not_before_ms or 0)
        row = SubmissionRow(
            id=0,
            submission_id=public_id,
            state=State.QUEUED,
            category=candidate.category,
            brand=candidate.brand,
            ref=candidate.ref,
            person=self._vault.person(request.to)[:PERSON_BYTES],
            month=month_of(now_ms),
            key=wrapped,
            request=None,
            encoding="",
            parts=0,
            submitted_ms=now_ms,
            expires_ms=None
            if request.valid_for_s is None
            else start_ms + round(timedelta(seconds=request.valid_for_s).total_seconds() * 1000),
        )
        return Work(row, key, ContentCipher(key), request, [])

    def _insert(self, work: Work) -> None:
        row = work.row
        work.number(self._store.next_id(SubmissionRow))
        row.request = work.seal("request", work.request.to_bytes())
        self._store.put_new(row)
        for number in range(1, row.parts + 1):
            segment = SegmentRow(segment_id(row.id, number), row.id, number)
            work.segments.append(segment)
            self._store.put_new(segment)
        self._works.add(work)

    def _submission_body(self, work: Work, decision: Decision) -> dict[str, Any]:
        return {
            "category": work.row.category,
            "brand": work.row.brand,
            "decision": decision.as_entry(),
            "issuer": self._parties.issuer_hash,
            "sender": self._parties.sender_hash(work.row.brand, work.request.sender),
        }

    @staticmethod
    def _content(work: Work) -> dict[str, bytes]:
        request = work.request
        return {
            "to": request.to.encode(),
            "from": request.sender.encode(),
            "text": request.text.encode(),
        }

    def _repeated(self, candidate: Candidate, work: Work) -> dict[str, Any]:
        asked = work.request.asked()
        same = (asked, work.row.category) == (candidate.request, candidate.category)
        if not same:
            raise DataError(
                f"ref {candidate.ref!r} was already used for another content",
                hint="a ref names one message for ever: use a new one, or none",
                field="ref",
                submission_id=work.id,
            )
        # What was decided then stays decided: the answer is about that submission, as it is now.
        row = work.row
        decided = canonical.decode(self._store.entry(work.events[0][0])).get("decision", {})
        held = row.state is State.HELD
        return {
            "submission_id": work.id,
            "state": row.state.value,
            "due_at": to_seconds_text(row.due_ms) if held else None,
            "decision": {
                "action": "hold" if held else decided.get("action"),
                "until": to_seconds_text(row.due_ms) if held else decided.get("until"),
                "reason": row.reason,
                "rules": decided.get("rules", []),
                "warnings": [],
            },
            "encoding": row.encoding,
            "segments": row.parts,
            **shown_appended(work),
            "repeated": True,
        }


def answer(work: Work, decision: Decision) -> dict[str, Any]:
    """The object `acuse submit --json` prints."""
    return {
        "submission_id": work.id,
        "state": work.row.state.value,
        "due_at": optional_text(work.row.due_ms or None),
        "decision": {
            "action": decision.action,
            "until": decision.until_text(),
            "reason": decision.reason,
            "rules": decision.rules,
            "warnings": list(decision.warnings),
            **({"why": list(decision.told)} if decision.told else {}),
        },
        "encoding": work.row.encoding,
        "segments": work.row.parts,
        **shown_appended(work),
    }
