"""RFC 3161 time stamps: the request for one, what came back, and whether a token holds.

Pure: nonce and bytes come from the caller. A token is over the SHA-256 of a checkpoint's note TEXT,
without its signature lines, so one more signature on the note does not spoil it (LEDGER section 3).

Signatures are checked by rfc3161-client (on OpenSSL). It refuses some genuine tokens, as those
whose certificates are not in DER order; what it refuses is checked again by `tokens` and decided
there. Everything a signature does not cover is checked by us alone, for all tokens alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Final

from asn1crypto import core, tsp
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from gateway.evidence.issuers import Issuers
from gateway.evidence.tokens import MALFORMED, MAX_TOKEN_BYTES, Parsed, Token, unwarned, wrong
from gateway.ledger.stamps import Stamp

if TYPE_CHECKING:
    from gateway.ledger.stamps import StampCheck

__all__ = ["MAX_ANSWER_BYTES", "Query", "StampTrust", "ask", "read_answer", "trusting"]

#: A token and what stands around it: a status, and words about it.
MAX_ANSWER_BYTES: Final = MAX_TOKEN_BYTES + 4096
_GRANTED: Final = {"granted", "granted_with_mods"}
_WORDS_MOST: Final = 200


class _Answer(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """TimeStampResp; asn1crypto's own insists on a token, and a refusal has none."""

    _fields: ClassVar[list[Any]] = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", core.Any, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True)
class Query:
    """A TimeStampReq: what is asked, and its DER form."""

    digest: bytes
    nonce: int
    policy: str | None
    der: bytes


def ask(note_text: str, nonce: int, policy: str | None = None) -> Query:
    """The request for a token over *note_text*, with the certificates in it (certReq).

    *nonce* is a fresh random number below 2^63; *policy* the OID the maker is to follow.
    """
    digest = sha256(note_text.encode()).digest()
    asked: dict[str, Any] = {
        "version": 1,
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": digest},
        "nonce": nonce,
        "cert_req": True,
    }
    if policy is not None:
        asked["req_policy"] = policy
    return Query(digest, nonce, policy, tsp.TimeStampReq(asked).dump())


def read_answer(query: Query, data: bytes) -> bytes:
    """The DER TimeStampToken of a TimeStampResp to *query*; its signature is not checked here.

    Raises:
        DataError: damaged, refused (with the maker's words), or an answer to something else;
            `fields["reason"]` is "timestamp".
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise wrong(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    try:
        answer = _Answer.load(data, strict=True)
        status, words = answer["status"]["status"].native, _words(answer["status"])
        der: bytes = answer["time_stamp_token"].dump()
    except MALFORMED:
        raise wrong("the answer is not an RFC 3161 answer") from None
    if status not in _GRANTED:
        raise wrong(f"refused: {words or status}")
    token = Token.parse(der)
    if token.digest != query.digest:
        raise wrong("the answer stamps something else than was asked")
    if token.nonce != query.nonce:
        raise wrong("the answer has another nonce than the request")
    if query.policy is not None and token.policy != query.policy:
        raise wrong(f"the answer follows the policy {token.policy[:80]}, not the one asked for")
    return der


def _words(status: Parsed) -> str:
    """What the maker says of its refusal, in printable characters."""
    said = [str(word) for word in status["status_string"].native or ()]
    said += sorted(status["fail_info"].native or ())
    text = "; ".join(said)[:_WORDS_MOST]
    return "".join(char if char.isprintable() else "?" for char in text)


def trusting(ca_pem: bytes) -> StampCheck:
    """The check of tokens whose issuers are the certificates in *ca_pem*, and no others.

    Raises:
        DataError: *ca_pem* holds no certificates; `fields["field"]` is "tsa_ca".
    """
    return StampTrust(ca_pem)


class StampTrust:
    """A `StampCheck`: call it with a token (DER) and the note text it must be over."""

    def __init__(self, ca_pem: bytes) -> None:
        self._issuers = Issuers(ca_pem)
        self._client = VerifierBuilder(roots=list(self._issuers.certificates)).build()

    def __call__(self, token: bytes, note_text: str) -> Stamp | None:
        """The time a genuine token proves; None if its issuer is not one of ours.

        Raises:
            DataError: no token, over something else, with a signature that does not verify, by a
                certificate that is not for time stamps or was not valid then; reason "timestamp".
        """
        read = Token.parse(token)
        digest = sha256(note_text.encode()).digest()
        if read.digest != digest:
            raise wrong("the time stamp is over something else")
        if not self._issuers.vouch(read):
            return None
        if not self._client_accepts(token, digest):
            read.check_signature()
        return Stamp(read.at_ms, read.accuracy_ms)

    def _client_accepts(self, token: bytes, digest: bytes) -> bool:
        try:
            with unwarned():
                return self._client.verify(decode_timestamp_response(_granted(token)), digest)
        except (ValueError, VerificationError):
            return False


#: PKIStatusInfo { status granted(0) }
_STATUS: Final = bytes.fromhex("3003020100")


def _granted(token: bytes) -> bytes:
    """A TimeStampResp around a token, as the makers send it and rfc3161-client reads it."""
    return core.Sequence(contents=_STATUS + token).dump()  # type: ignore[no-any-return]
