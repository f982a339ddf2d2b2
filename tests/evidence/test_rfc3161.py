"""Time stamps: what is asked, what is taken for an answer, and which tokens are believed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import DataError
from gateway.evidence import rfc3161
from gateway.evidence.issuers import MAX_PEM_BYTES
from gateway.evidence.rfc3161 import MAX_ANSWER_BYTES, ask, read_answer, trusting
from gateway.evidence.tokens import MAX_TOKEN_BYTES, Token
from gateway.ledger.stamps import Stamp
from gateway.sim.authority import POLICY, Behaviour, StampingAuthority
from tests.support.tokens import AT, NOTE, PSS, STAMPING, Make, Party, answer, authority, certify

if TYPE_CHECKING:
    from collections.abc import Callable

AT_MS = round(AT.timestamp() * 1000)
RIGHT = Stamp(AT_MS, 0)


@cache
def root() -> Party:
    return authority()


@cache
def unit() -> Party:
    return certify("Unit", root())


def refused(call: Callable[[], object]) -> str:
    """Why, in the words of the error."""
    with pytest.raises(DataError) as caught:
        call()
    assert caught.value.fields["reason"] == "timestamp"
    return caught.value.message


def judged(token: bytes, *pinned: Party, note: str = NOTE) -> Stamp | None:
    return trusting(b"".join(each.pem for each in pinned or (root(),)))(token, note)


# -- the request ---------------------------------------------------------------------------------


def test_a_request_is_over_the_note_text_and_asks_for_certificates() -> None:
    query = ask(NOTE, 7, "1.2.3")
    asked = tsp.TimeStampReq.load(query.der, strict=True).native
    assert asked["message_imprint"]["hashed_message"] == hashlib.sha256(NOTE.encode()).digest()
    assert (asked["nonce"], asked["req_policy"], asked["cert_req"]) == (7, "1.2.3", True)
    assert "req_policy" not in tsp.TimeStampReq.load(ask(NOTE, 7).der).native or (
        tsp.TimeStampReq.load(ask(NOTE, 7).der).native["req_policy"] is None
    )


# -- the answer ----------------------------------------------------------------------------------


def test_an_answer_gives_the_token_as_it_came() -> None:
    token = Make(unit(), stated={"nonce": 7}).der()
    for status in ("granted", "granted_with_mods"):
        assert read_answer(ask(NOTE, 7, "1.2.3"), answer(status, token)) == token


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not an RFC 3161 answer"),
        (b"<html>busy</html>", "not an RFC 3161 answer"),
        (bytes(MAX_ANSWER_BYTES + 1), "larger than"),
        (answer("granted"), "not an RFC 3161 token"),
        (answer("granted", core.Integer(1).dump()), "not an RFC 3161 token"),
        (
            answer("rejection", status_string=["no\x1b money"], fail_info={"bad_alg"}),
            "refused: no? money; bad_alg",
        ),
        (answer("waiting"), "refused: waiting"),
    ],
)
def test_what_is_no_token_is_told_in_words(data: bytes, why: str) -> None:
    assert why in refused(lambda: read_answer(ask(NOTE, 7), data))


def test_an_answer_to_another_question_is_refused() -> None:
    token = answer("granted", Make(unit(), stated={"nonce": 7}).der())
    assert "something else" in refused(lambda: read_answer(ask("other\n", 7), token))
    assert "another nonce" in refused(lambda: read_answer(ask(NOTE, 8), token))
    assert "policy 1.2.3" in refused(lambda: read_answer(ask(NOTE, 7, "1.2.4"), token))
    without = answer("granted", Make(unit()).der())
    assert "another nonce" in refused(lambda: read_answer(ask(NOTE, 7), without))


# -- tokens that are right -----------------------------------------------------------------------


def test_a_token_proves_its_time_to_who_pins_its_issuer_and_to_nobody_else() -> None:
    token = Make(unit()).der()
    assert judged(token) == RIGHT
    assert judged(token, authority("Other")) is None
    assert judged(token, authority("Other"), root()) == RIGHT
    assert judged(token, unit()) == RIGHT  # the unit itself may be pinned


def test_intermediate_authorities_may_be_in_the_token_or_pinned() -> None:
    middle = authority("Middle", root(), identified=True)
    low = authority("Low", middle, identified=True)
    party = certify("Unit", low, identified=True)
    whole = Make(party, (low, middle, root())).der()
    assert judged(whole) == judged(whole, middle) == judged(whole, low) == RIGHT
    assert judged(Make(party, (low,)).der(), middle) == RIGHT
    assert judged(Make(party, (low,)).der()) is None  # nothing leads up to the root
    assert judged(Make(party).der(), low) == RIGHT
    assert judged(whole, authority("Root", identified=True)) is None  # another one of that name


@pytest.mark.parametrize(
    "make",
    [
        lambda: Make(certify("Unit", root(), key=rsa.generate_private_key(65537, 2048))),
        lambda: Make(
            certify("Unit", root(), key=rsa.generate_private_key(65537, 2048)), algorithm=PSS
        ),
        lambda: Make(certify("Unit", root(), key=ec.generate_private_key(ec.SECP384R1()))),
        lambda: Make(certify("Unit", root(), key=ed25519.Ed25519PrivateKey.generate())),
        lambda: Make(
            certify("Unit", root(), key=rsa.generate_private_key(65537, 2048)),
            algorithm={"algorithm": "rsassa_pkcs1v15"},
        ),
        lambda: Make(certify("Unit", root(), identified=True), by_key=True),
        lambda: Make(unit(), digests=[]),
        lambda: Make(unit(), digest_name="sha512", digests=["sha512"]),
        lambda: Make(
            unit(),
            attributes={
                "signing_certificate_v2": None,
                "signing_certificate": tsp.SigningCertificate(
                    {"certs": [{"cert_hash": hashlib.sha1(unit().der).digest()}]}
                ),
            },
        ),
    ],
)
@pytest.mark.parametrize("client", [True, False])
def test_tokens_of_every_usual_make_are_believed(
    make: Callable[[], Make], client: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = trusting(root().pem)
    if not client:  # as for a token that rfc3161-client wrongly refuses
        monkeypatch.setattr(check, "_client_accepts", lambda *_: False)
    assert check(make().der(), NOTE) == RIGHT


def test_certificates_out_of_order_are_refused_by_the_client_and_believed_all_the_same() -> None:
    maker = StampingAuthority(AT)
    digest = hashlib.sha256(NOTE.encode()).digest()
    check = rfc3161.StampTrust(maker.ca_pem)
    token = maker.token(digest, None, AT, Behaviour.UNSORTED)
    assert check._client_accepts(maker.token(digest, None, AT), digest)
    assert not check._client_accepts(token, digest)
    assert check(token, NOTE) == Stamp(AT_MS, 1000)


@pytest.mark.parametrize(
    ("accuracy", "accuracy_ms"),
    [
        ({"seconds": 2}, 2000),
        ({"millis": 5, "micros": 1}, 6),
        ({"seconds": 1, "millis": 500}, 1500),
    ],
)
def test_accuracy_is_rounded_up_to_milliseconds(accuracy: dict[str, int], accuracy_ms: int) -> None:
    token = Make(unit(), stated={"accuracy": accuracy}).der()
    assert judged(token) == Stamp(AT_MS, accuracy_ms)


def test_fractions_of_the_second_count() -> None:
    token = Make(unit(), stated={"gen_time": AT + timedelta(milliseconds=250)}).der()
    assert judged(token) == Stamp(AT_MS + 250, 0)


def test_what_expired_since_was_valid_then() -> None:
    gone = certify("Unit", root(), began=AT - timedelta(days=2), ends=AT + timedelta(seconds=1))
    assert judged(Make(gone).der()) == RIGHT


# -- tokens that are not -------------------------------------------------------------------------


def usage(*purposes: x509.ObjectIdentifier, critical: bool = True) -> Any:
    return ((x509.ExtendedKeyUsage(purposes), critical),)


STAMP, CODE = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING


@pytest.mark.parametrize(
    ("party", "why"),
    [
        ({"extensions": ()}, "none for time stamps"),
        ({"extensions": usage(CODE)}, "not for time stamps alone"),
        ({"extensions": usage(STAMP, CODE)}, "not for time stamps alone"),
        ({"extensions": usage(STAMP, critical=False)}, "not for time stamps alone"),
        ({"ends": AT - timedelta(seconds=1)}, "was not valid at the time it states"),
        ({"began": AT + timedelta(seconds=1)}, "was not valid at the time it states"),
        ({"signed_by": ec.generate_private_key(ec.SECP256R1())}, "not signed by the authority"),
    ],
)
def test_a_certificate_that_may_not_stamp_is_refused(party: dict[str, Any], why: str) -> None:
    token = Make(certify("Unit", root(), **party)).der()
    assert why in refused(lambda: judged(token))
    if "signed_by" not in party:
        assert judged(token, authority("Other")) is None  # nobody knows it anyway


CERTIFY = x509.KeyUsage(*[True] + [False] * 8)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"ca": False}, "is no authority"),
        ({"path_length": 0}, "is no authority for it"),
        ({"extensions": ((CERTIFY, True),)}, "is no authority for it"),
        ({"extensions": usage(CODE)}, "none for time stamps"),
        ({"ends": AT - timedelta(seconds=1)}, "was not valid"),
        (
            {
                "extensions": (
                    (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"x"), True),
                )
            },
            "conditions that are not known",
        ),
    ],
)
def test_an_authority_that_may_not_vouch_makes_the_token_invalid(
    given: dict[str, Any], why: str
) -> None:
    top = authority("Top", **given)
    low = authority("Low", top)
    token = Make(certify("Unit", low), (low,)).der()
    assert why in refused(lambda: judged(token, top))
    middle = authority("Middle", root(), **given)
    below = authority("Below", middle)
    token = Make(certify("Unit", below), (middle, below)).der()
    assert why in refused(lambda: judged(token))


def test_authorities_for_any_purpose_or_for_this_one_may_vouch() -> None:
    for purpose in (STAMP, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
        top = authority("Top", extensions=usage(purpose))
        assert judged(Make(certify("Unit", top)).der(), top) == RIGHT


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"digest": bytes(32)}, "over something else"),
        ({"digest": b""}, "over something else"),
        (
            {
                "stated": {
                    "message_imprint": {
                        "hash_algorithm": {"algorithm": "sha512"},
                        "hashed_message": bytes(64),
                    }
                }
            },
            "not over a SHA-256 digest",
        ),
        ({"attributes": {"message_digest": bytes(32)}}, "is over something else"),
        ({"attributes": {"content_type": "data"}}, "is over something else"),
        ({"attributes": {"message_digest": None}}, "not an RFC 3161 token"),
        ({"attributes": {"signing_certificate_v2": None}}, "does not name the certificate"),
        ({"twice": "message_digest"}, "signed attribute twice"),
        ({"signers": 2}, "with one signature"),
        ({"content_type": "data"}, "with one signature"),
        ({"hold_own": False}, "does not hold the certificate"),
        ({"digest_name": "md5", "digests": ["md5"]}, "digest that is not known"),
        ({"digests": ["sha512"]}, "another digest than it is signed over"),
        ({"algorithm": {"algorithm": "sha1_ecdsa"}}, "digest that is not known"),
        ({"stated": {"accuracy": {"seconds": 3601}}}, "not accurate to the hour"),
        ({"stated": {"accuracy": {"millis": 1000}}}, "accuracy of the time stamp is none"),
        ({"stated": {"accuracy": {"seconds": -1}}}, "accuracy of the time stamp is none"),
    ],
)
def test_a_token_that_does_not_hold_together_is_refused(given: dict[str, Any], why: str) -> None:
    token = Make(unit(), **given).der()
    assert why in refused(lambda: judged(token))


@pytest.mark.parametrize(
    ("algorithm", "why"),
    [("sha512_ecdsa", "does not verify"), ("sha256_rsa", "in a way that is not known")],
)
def test_our_own_reading_takes_the_algorithm_at_its_word(algorithm: str, why: str) -> None:
    token = Token.parse(Make(unit(), algorithm={"algorithm": algorithm}).der())
    assert why in refused(token.check_signature)


def test_a_certificate_that_another_was_put_for_is_seen() -> None:
    named = {"certs": [{"cert_hash": hashlib.sha256(root().der).digest()}]}
    token = Make(unit(), attributes={"signing_certificate_v2": tsp.SigningCertificateV2(named)})
    assert "another certificate than it holds" in refused(lambda: judged(token.der()))
    odd = {"certs": [{"hash_algorithm": {"algorithm": "md5"}, "cert_hash": bytes(16)}]}
    token = Make(unit(), attributes={"signing_certificate_v2": tsp.SigningCertificateV2(odd)})
    assert "by a digest that is not known" in refused(lambda: judged(token.der()))


def test_a_certificate_altered_on_the_way_is_seen_though_no_signature_of_the_token_covers_it() -> (
    None
):
    middle = authority("Middle", root())
    forged = authority("Middle", root(), signed_by=ec.generate_private_key(ec.SECP256R1()))
    party = certify("Unit", middle)
    assert judged(Make(party, (middle,)).der(), middle, root()) == RIGHT
    why = refused(lambda: judged(Make(party, (forged,)).der(), middle, root()))
    assert "not signed by the one it names" in why
    assert judged(Make(party, (forged,)).der()) is None


def test_a_time_without_zone_is_no_time() -> None:
    token = Make(unit()).der()
    local = token.replace(b"20261121100000Z", b"20261121100000\x5a", 1)
    assert judged(local) == RIGHT
    for text in (b"2026112110+0100", b"99999999999999Z", b"20261121100000z"):
        altered = token.replace(b"20261121100000Z", text, 1)
        assert refused(partial(judged, altered))


def test_other_forms_of_certificates_are_passed_over() -> None:
    token = cms.ContentInfo.load(Make(unit(), (root(),)).der())
    held = token["content"]["certificates"]
    # [3] other: { id, anything }; the signature does not cover it.
    other = core.Sequence(contents=core.ObjectIdentifier("1.2.3").dump() + core.Null().dump())
    held.append(cms.CertificateChoices("other", cms.OtherCertificateFormat.load(other.dump())))
    assert judged(token.dump(force=True)) == RIGHT


def test_too_many_certificates_are_not_read() -> None:
    chain = tuple(authority(f"Root {n}") for n in range(17))
    assert "more than 16 certificates" in refused(lambda: judged(Make(unit(), chain).der()))


def test_a_forest_of_authorities_is_given_up() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    forest = tuple(authority("Forest", authority("Forest", key=key), key=key) for _ in range(15))
    party = certify("Unit", forest[0])
    assert judged(Make(party, forest).der()) is None  # each is looked at, none more than once


# -- what is pinned ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (bytes(MAX_PEM_BYTES + 1), "too large"),
    ],
)
def test_a_file_without_authorities_is_refused_by_name(pem: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        trusting(pem)
    assert caught.value.fields["field"] == "tsa_ca"
    assert caught.value.hint


def test_a_whole_system_s_authorities_may_be_pinned() -> None:
    system = Path(certifi.where()).read_bytes()  # one of them has no positive serial number
    assert trusting(system)(Make(unit()).der(), NOTE) is None
    assert trusting(system + root().pem)(Make(unit()).der(), NOTE) == RIGHT


def test_an_authority_pinned_twice_is_one() -> None:
    assert judged(Make(unit()).der(), root(), root()) == RIGHT


# -- hostile bytes -------------------------------------------------------------------------------


@cache
def sample() -> tuple[bytes, bytes]:
    """The pinned authority and a token with its chain, made by the demo's authority."""
    maker = StampingAuthority(AT)
    return maker.ca_pem, maker.token(hashlib.sha256(NOTE.encode()).digest(), 7, AT)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_an_altered_token_is_refused_or_proves_the_same_time(data: st.DataObject) -> None:
    pem, token = sample()
    altered = bytearray(token)
    for _ in range(data.draw(st.integers(1, 3))):
        altered[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        assert trusting(pem)(bytes(altered), NOTE) in (None, Stamp(AT_MS, 1000))


@given(st.binary(max_size=400) | st.builds(lambda cut: sample()[1][:cut], st.integers(0, 2500)))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_anything_but_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError):
        Token.parse(data)
    with pytest.raises(DataError):
        read_answer(ask(NOTE, 1), data)


def test_bytes_that_nest_without_end_are_refused_in_time() -> None:
    deep = b""
    for _ in range(12_000):
        deep = b"\x30\x80" + deep
    for data in (deep, bytes(MAX_TOKEN_BYTES + 1), b"\x30\x84\xff\xff\xff\xff"):
        assert refused(partial(Token.parse, data))


def test_the_authority_of_the_demo_says_what_it_is_worth() -> None:
    maker = StampingAuthority(datetime.now(UTC))
    (pinned,) = x509.load_pem_x509_certificates(maker.ca_pem)
    assert "worthless in law" in pinned.subject.rfc4514_string()
    query = ask(NOTE, 7)
    token = Token.parse(read_answer(query, maker.answer(query.der, AT)))
    assert token.policy == POLICY
    assert "worthless in law" in token.signer.subject.rfc4514_string()
    assert token.at == AT
    assert STAMPING in [each.value for each in token.signer.extensions]
    with pytest.raises(DataError):
        maker.answer(b"no request", AT)
    sha512 = tsp.TimeStampReq(
        {
            "version": 1,
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha512"},
                "hashed_message": bytes(64),
            },
        }
    )
    why = refused(lambda: read_answer(query, maker.answer(sha512.dump(), AT)))
    assert why == "refused: only SHA-256 is stamped here; bad_alg"


def test_verifying_without_time_stamps_does_not_load_their_libraries() -> None:
    code = "import sys, gateway.cli.main, gateway.ledger.verify; print('asn1crypto' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
