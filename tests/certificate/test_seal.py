"""Sealing: what is appended to the page, by whom, and what happens when somebody is not there."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from gateway.certificate import page
from gateway.certificate.seal import Sealer
from gateway.certificate.stamping import StampRefused
from gateway.errors import ConfigError, DataError, NotPermitted, StorageError
from gateway.settings import KeySource, Seal, Timestamp
from gateway.sim.authority import Behaviour
from gateway.sim.sealauthority import SealAuthority
from tests.support.office import Tsa

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.office import Office


def test_the_sealed_file_begins_with_the_exact_page(office: Office, bundle: bytes) -> None:
    rendered = page.render(bundle, "es")
    sealed = office.certificate(bundle)
    assert sealed.startswith(rendered)
    assert len(sealed) > len(rendered)


def test_a_sealed_certificate_is_valid_to_who_trusts_issuer_tsa_and_log(
    office: Office, bundle: bytes, sealed: bytes
) -> None:
    report = office.verify(sealed, bundle)
    assert (report.verdict, report.reason) == ("VALID", None)
    assert {name for name, ok in report.checks if ok} >= {"document", "signer", "timestamp"}
    said = report.as_json()["certificate"]
    assert isinstance(said, dict)
    assert said["sealed_by"] == "Ejemplo Mensajes SL, worthless in law"
    assert (said["time_stamps"], said["language"]) == (1, "es")


def test_it_is_pades_b_lta(sealed: bytes) -> None:
    reader = PdfFileReader(BytesIO(sealed))
    seal, stamp = reader.embedded_signatures
    assert seal.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert stamp.sig_object["/SubFilter"] == "/ETSI.RFC3161"
    assert [each["type"].native for each in seal.signer_info["unsigned_attrs"]] == [
        "signature_time_stamp_token"
    ]
    store = reader.root["/DSS"]
    assert len(store["/Certs"]) >= 3  # the seal's, its authority's, the TSA's
    assert len(store["/CRLs"]) == 1
    # The last time stamp covers all of the file, validation data included.
    assert int(stamp.byte_range[2]) + int(stamp.byte_range[3]) == len(sealed)


@pytest.mark.parametrize("language", page.LANGUAGES)
def test_every_language_can_be_sealed_and_verified(
    office: Office, bundle: bytes, language: str
) -> None:
    assert office.verify(office.certificate(bundle, language), bundle).verdict == "VALID"


def test_a_renewed_certificate_stays_valid_again_and_again(
    office: Office, bundle: bytes, sealed: bytes
) -> None:
    twice = sealed
    with Sealer(office.settings, [office.tsa.settings], key=False) as sealer:
        for _ in range(2):
            twice = sealer.renew(twice)
    assert twice.startswith(sealed)
    report = office.verify(twice, bundle)
    assert report.verdict == "VALID"
    said = report.as_json()["certificate"]
    assert isinstance(said, dict)
    assert said["time_stamps"] == 3


def test_a_time_stamp_of_somebody_else_on_top_changes_nothing(
    office: Office, bundle: bytes, sealed: bytes, tmp_path: Path
) -> None:
    """Anybody may renew; a stamp whose issuer is not trusted counts as absent."""
    with (
        Tsa(tmp_path, "stranger").running() as stranger,
        Sealer(office.settings, [stranger.settings], key=False) as sealer,
    ):
        renewed = sealer.renew(sealed)
    assert office.verify(renewed, bundle).verdict == "VALID"


def test_what_is_no_pdf_cannot_be_renewed(office: Office) -> None:
    with (
        Sealer(office.settings, [office.tsa.settings], key=False) as sealer,
        pytest.raises(DataError, match="renewed"),
    ):
        sealer.renew(b"%PDF-1.7\nnothing")


# --- time stamps ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [each for each in Behaviour if each not in (Behaviour.RIGHT, Behaviour.UNSORTED, "slow")],
)
def test_no_certificate_is_sealed_with_the_word_of_a_wrong_tsa(
    office: Office, bundle: bytes, behaviour: Behaviour
) -> None:
    # A policy is asked for, so that a token under another one is an answer to something else.
    settings = replace(office.tsa.settings, policy_oid="2.999.3161.1")
    office.tsa.server.behaviour = behaviour
    try:
        with (
            Sealer(office.settings, [settings]) as sealer,
            pytest.raises(StampRefused, match="gave no time stamp"),
        ):
            sealer.seal(page.render(bundle, "es"))
    finally:
        office.tsa.server.behaviour = Behaviour.RIGHT


def test_the_second_tsa_stamps_when_the_first_does_not_and_is_asked_first_from_then_on(
    office: Office, bundle: bytes, tmp_path: Path
) -> None:
    rendered = page.render(bundle, "es")
    nowhere = replace(office.tsa.settings, name="down", url="http://127.0.0.1:9/")
    with Tsa(tmp_path, "second").running() as second:
        with Sealer(office.settings, [nowhere, second.settings]) as sealer:
            assert len(sealer.seal(rendered)) > len(rendered)
            assert len(sealer.seal(rendered)) > len(rendered)
        assert second.server.answered >= 4


def test_a_token_of_an_issuer_that_is_not_pinned_is_not_taken(
    office: Office, bundle: bytes, tmp_path: Path
) -> None:
    pinned = tmp_path / "other.pem"
    pinned.write_bytes(office.authority.ca_pem)
    with (
        Sealer(office.settings, [replace(office.tsa.settings, ca_file=pinned)]) as sealer,
        pytest.raises(StampRefused, match="not issued by"),
    ):
        sealer.seal(page.render(bundle, "es"))


# --- the key --------------------------------------------------------------------------------------


def refused(office: Office, seal: Seal, tsas: list[Timestamp] | None = None) -> Exception:
    """The error of who wants to seal with that."""
    with pytest.raises((ConfigError, NotPermitted, StorageError)) as caught:
        Sealer(seal, [office.tsa.settings] if tsas is None else tsas)
    return caught.value


def test_without_seal_or_tsa_nothing_is_sealed_and_the_way_out_is_named(office: Office) -> None:
    for error in (refused(office, Seal()), refused(office, office.settings, [])):
        assert isinstance(error, ConfigError)
        assert "--unsealed" in error.hint


def test_a_key_that_others_can_read_is_refused(office: Office, tmp_path: Path) -> None:
    key = tmp_path / "seal.key"
    key.write_bytes(office.seal.key_pem)
    key.chmod(0o640)
    error = refused(office, replace(office.settings, key=KeySource(f"file:{key}", key)))
    assert isinstance(error, StorageError)
    assert "chmod 600" in error.hint


def test_a_key_of_another_certificate_is_refused(office: Office, tmp_path: Path) -> None:
    key = tmp_path / "other.key"
    key.touch(mode=0o600)
    key.write_bytes(office.authority.issue("Another").key_pem)
    error = refused(office, replace(office.settings, key=KeySource(f"file:{key}", key)))
    assert isinstance(error, ConfigError)
    assert error.fields["setting"] == "seal.key"


def test_a_key_this_user_may_not_read_is_not_permitted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, as whom tests may run, reads everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert isinstance(refused(office, office.settings), NotPermitted)


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_told_with_the_way_to_make_one(
    office: Office, tmp_path: Path, content: bytes
) -> None:
    key = tmp_path / "seal.key"
    key.touch(mode=0o600)
    key.write_bytes(content)
    error = refused(office, replace(office.settings, key=KeySource(f"file:{key}", key)))
    assert isinstance(error, ConfigError)
    assert "openssl pkcs12" in error.hint


def test_a_seal_that_has_expired_is_refused_before_anything_is_signed(
    office: Office, tmp_path: Path
) -> None:
    old = office.authority.issue("Old", lasts=timedelta(days=-1))
    files = office.authority.write(tmp_path, old)
    seal = replace(
        office.settings,
        certificate=files.certificate,
        key=KeySource(f"file:{files.key}", files.key),
    )
    assert "valid from" in str(refused(office, seal))


def test_a_revoked_seal_seals_nothing(office: Office, tmp_path: Path) -> None:
    authority = SealAuthority(datetime.now(UTC))
    seal = authority.issue("Revoked")
    authority.revoke(seal, datetime.now(UTC) - timedelta(days=1))
    files = authority.write(tmp_path, seal)
    settings = Seal(
        certificate=files.certificate,
        key=KeySource(f"file:{files.key}", files.key),
        chain=files.chain,
        crls=files.crls,
    )
    assert "revoked" in str(refused(office, settings))


def test_without_revocation_lists_it_is_sealed_all_the_same(office: Office, bundle: bytes) -> None:
    with Sealer(replace(office.settings, crls=None), [office.tsa.settings]) as sealer:
        pdf = sealer.seal(page.render(bundle, "es"))
    assert office.verify(pdf, bundle).verdict == "VALID"


def test_files_that_are_not_what_they_should_be_are_named(office: Office, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(b"-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n")
    missing, seal = tmp_path / "missing", office.settings
    for setting, given, absent in (
        ("certificate", replace(seal, certificate=wrong), replace(seal, certificate=missing)),
        ("chain", replace(seal, chain=wrong), replace(seal, chain=missing)),
        ("crls", replace(seal, crls=wrong), replace(seal, crls=missing)),
    ):
        error = refused(office, given)
        assert isinstance(error, ConfigError)
        assert error.fields["setting"] == f"seal.{setting}"
        assert re.search("wrong.pem", str(error))
        assert isinstance(refused(office, absent), StorageError)
