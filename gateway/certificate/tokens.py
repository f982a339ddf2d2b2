"""What a time stamp says of itself, read without trusting it (RFC 3161).

A page is made where no authority is pinned, so it may say what a token states, that it is over
this log and that the key it names signed it, and no more; whose key that is,
`acuse verify --tsa-ca` checks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import DataError
from gateway.evidence.tokens import Token
from gateway.ledger.note import decode_base64
from gateway.ledger.stamps import Stamp

if TYPE_CHECKING:
    from gateway.ledger.proof import Timestamp


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """One RFC 3161 token of a bundle."""

    #: The authority's name as the issuer's configuration has it.
    tsa: str
    #: Hex SHA-256 of the DER, by which an `x.Anchor` names it.
    sha256: str
    #: None: it cannot be read, or is over something else.
    stamp: Stamp | None
    policy: str
    #: The subject of the certificate that signed.
    subject: str
    #: Whether the issuer says so of the authority.
    qualified: bool = False


def stated(der: bytes, note_text: str) -> Stamp | None:
    """The time *der* states, if it is a token over *note_text* that its own certificate signed.

    A `StampCheck` that trusts every issuer: good for what is printed, never for a verdict.
    """
    token = _read(der, note_text)
    return None if token is None else Stamp(token.at_ms, token.accuracy_ms)


def _read(der: bytes, note_text: str) -> Token | None:
    try:
        token = Token.parse(der)
        if token.digest != hashlib.sha256(note_text.encode()).digest():
            return None
        token.check_signature()
    except DataError:
        return None
    return token


def read_timestamp(item: Timestamp) -> TokenFacts:
    """What a bundle's `timestamps` item states.

    Raises:
        DataError: the token is not base64.
    """
    der = decode_base64(item.token, what=f"the token of {item.tsa}", reason="timestamp")
    digest, token = hashlib.sha256(der).hexdigest(), _read(der, item.over)
    if token is None:
        return TokenFacts(item.tsa, digest, None, "", "")
    return TokenFacts(
        item.tsa,
        digest,
        Stamp(token.at_ms, token.accuracy_ms),
        token.policy,
        " · ".join(str(each.value) for each in token.signer.subject),
        item.qualified,
    )
