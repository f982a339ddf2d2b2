"""Time stamps inside a PDF: pyHanko's questions to a TSA over HTTP, and what of its answers counts.

Every token is checked when it comes: over the digest that was asked for, by an authority of the
configured file, under the configured policy, not far from our own clock. What a lying or confused
TSA says never gets into a certificate.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
from asn1crypto import algos, cms, tsp
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.timestamps.common_utils import TimestampRequestError
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext

from gateway.certificate.pemfiles import read_certificates
from gateway.errors import TryAgain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asn1crypto import crl

    from gateway.settings import Timestamp

_MAX_ANSWER_BYTES = 256 * 1024
#: What a token's time may be away from our clock. A wider gap is a clock nobody should rely on.
_MAX_SKEW = timedelta(minutes=5)
_REPLY = "application/timestamp-reply"


class StampRefused(TryAgain):
    """A TSA gave no token that counts: it does not answer, refuses, or its answer is wrong."""


class Stamper(TimeStamper):
    """One TSA, as pyHanko asks it. `close` it at the end.

    Raises, from every request:
        StampRefused: there is no token that counts.
    """

    def __init__(self, tsa: Timestamp, crls: Iterable[crl.CertificateList] = ()) -> None:
        TimeStamper.__init__(self)
        self.tsa = tsa
        self.roots = read_certificates(tsa.ca_file, "timestamp.ca_file")
        self._crls = tuple(crls)
        # Redirects are not followed: the address is configured, and nothing else is contacted.
        self._client = httpx.Client(timeout=tsa.timeout_s, follow_redirects=False)

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def request_cms(
        self, message_digest: bytes, md_algorithm: str
    ) -> tuple[int | None, tsp.TimeStampReq]:
        """The request, with the configured policy in it."""
        nonce, request = TimeStamper.request_cms(self, message_digest, md_algorithm)
        if self.tsa.policy_oid is not None:
            request["req_policy"] = self.tsa.policy_oid
        return nonce, request

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """The token over *message_digest*, checked."""
        try:
            token = await super().async_timestamp(message_digest, md_algorithm)
            await self._check(token, message_digest, md_algorithm)
        except StampRefused:
            raise
        # asn1crypto, and pyHanko through it, tell of a damaged answer by whatever breaks first.
        except (
            TimestampRequestError,
            SignatureValidationError,
            PdfError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
        ) as error:
            raise self._refused(str(error) or type(error).__name__) from None
        return token

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """The TSA's answer, not looked into."""
        try:
            with self._client.stream(
                "POST",
                self.tsa.url,
                content=req.dump(),
                headers={"Content-Type": "application/timestamp-query", "Accept": _REPLY},
            ) as answer:
                data = bytearray()
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > _MAX_ANSWER_BYTES:
                        raise self._refused("its answer is too long")
        except httpx.HTTPError as error:
            raise self._refused(str(error) or type(error).__name__) from None
        if answer.status_code != httpx.codes.OK:
            raise self._refused(f"HTTP status {answer.status_code}")
        return tsp.TimeStampResp.load(bytes(data), strict=True)

    async def _check(self, token: cms.ContentInfo, digest: bytes, md_algorithm: str) -> None:
        signed = token["content"]
        info: tsp.TSTInfo = signed["encap_content_info"]["content"].parsed
        asked = tsp.MessageImprint(
            {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": md_algorithm}),
                "hashed_message": digest,
            }
        )
        if info["message_imprint"].native != asked.native:
            raise self._refused("its token is about something else")
        if self.tsa.policy_oid not in (None, info["policy"].dotted):
            raise self._refused(f"its token is under the policy {info['policy'].dotted}")
        at: datetime = info["gen_time"].native
        if abs(at - datetime.now(UTC)) > _MAX_SKEW:
            raise self._refused(f"its clock says {at:%Y-%m-%dT%H:%M:%SZ}, ours does not")
        status = await validate_tst_signed_data(
            signed,
            ValidationContext(
                trust_roots=self.roots, crls=self._crls, allow_fetching=False, moment=at
            ),
            lambda _: digest,
        )
        if not (status["valid"] and status["intact"]):
            raise self._refused("the signature of its token does not hold")
        if status.get("trust_problem_indic") is not None or status["validation_path"] is None:
            raise self._refused(f"its certificate is not issued by one of {self.tsa.ca_file}")

    def _refused(self, why: str) -> StampRefused:
        return StampRefused(
            f"the time-stamping authority {self.tsa.name} gave no time stamp: {why}",
            hint="try again later, or configure a second [[timestamp]]",
            tsa=self.tsa.name,
        )
