"""Asking a time-stamping authority for a token over a checkpoint (RFC 3161 section 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from gateway.daemon.web import post
from gateway.errors import ConfigError, DataError
from gateway.ledger.note import open_note
from gateway.ledger.outside import TokenRow
from gateway.ledger.stamps import TIME_SLACK_MS

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    import httpx

    from gateway.daemon.anchoring import Signed
    from gateway.daemon.guard import GuardedClock
    from gateway.evidence.rfc3161 import StampTrust
    from gateway.settings import Timestamp

log = structlog.get_logger()

_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"


class StampSource:
    """One configured authority, as `Anchoring` asks it."""

    kind = "timestamp"
    table = ("tokens", "tsa")

    def __init__(
        self,
        settings: Timestamp,
        trust: StampTrust,
        clock: GuardedClock,
        random: random.Random,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._trust = trust
        self._clock = clock
        self._random = random

    async def vouch(self, client: httpx.AsyncClient, signed: Signed) -> TokenRow:
        """A token over the checkpoint, checked: only one that a verifier accepts is kept.

        Raises:
            TryAgain: no answer, or not one of this protocol.
            DataError: an answer that is refused; reason "timestamp".
        """
        from gateway.evidence.rfc3161 import MAX_ANSWER_BYTES, ask, read_answer

        settings, (text, _) = self._settings, open_note(signed.note)
        query = ask(text, self._random.getrandbits(63), settings.policy_oid)
        asked_ms = self._clock.now_ms()
        answer = await post(
            client,
            settings.url,
            query.der,
            {"content-type": _QUERY, "accept": _REPLY, "accept-encoding": "identity"},
            expect=_REPLY,
            limit_bytes=MAX_ANSWER_BYTES,
            timeout_s=settings.timeout_s,
        )
        token = read_answer(query, answer)
        stamp = self._trust(token, text)
        if stamp is None:
            raise DataError(
                "its certificate is not issued by an authority of ca_file",
                hint="ask it which authority issues its certificate now",
                reason="timestamp",
            )
        # A verifier holds the entries' times against this one: a token that is off would make the
        # ledger look forged for ever.
        slack_ms = TIME_SLACK_MS + stamp.accuracy_ms
        if not asked_ms - slack_ms <= stamp.at_ms <= self._clock.now_ms() + slack_ms:
            off_s = (stamp.at_ms - asked_ms) / 1000
            raise DataError(
                f"its clock and ours are {off_s:+.0f} s apart",
                hint="set the clock right (timedatectl, chronyc tracking), or ask the authority",
                reason="timestamp",
            )
        return TokenRow(signed.size, self.name, stamp.at_ms, stamp.accuracy_ms, token)

    def tell(self, size: int, reason: str, hint: str, wait_s: float) -> None:
        """Log that it gave nothing of use."""
        log.warning(
            "timestamp.failed",
            tsa=self.name,
            size=size,
            reason=reason,
            hint=hint,
            retry_in_s=round(wait_s),
        )


def stamp_sources(
    configured: Sequence[Timestamp], clock: GuardedClock, random: random.Random
) -> list[StampSource]:
    """A source for each `[[timestamp]]`.

    Raises:
        ConfigError: a `ca_file` cannot be read or holds no certificates.
    """
    if not configured:
        return []
    from gateway.evidence.rfc3161 import StampTrust

    sources = []
    for number, settings in enumerate(configured):
        where = f"timestamp[{number}].ca_file"
        try:
            trust = StampTrust(settings.ca_file.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"{where}: {settings.ca_file} cannot be read: {error.strerror}",
                hint="the daemon's user must be able to read it",
                setting=where,
            ) from None
        except DataError as error:
            raise ConfigError(f"{where}: {error.message}", hint=error.hint, setting=where) from None
        sources.append(StampSource(settings, trust, clock, random))
    return sources
