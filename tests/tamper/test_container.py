"""What somebody may do to an ASiC-E container, and to the ZIP file it is."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from gateway.errors import DataError
from gateway.evidence import asic, cades
from gateway.evidence.container import MAX_FILES, pack, unpack
from gateway.evidence.examine import verify_container
from gateway.ledger.note import open_note
from gateway.ledger.policyfile import parse_policy
from gateway.ledger.proof import NotABundle
from tests.support.ledgers import MemoryLedger
from tests.support.seals import SEALED_AT, make_seal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from gateway.ledger.report import Report

NOW_MS = round(SEALED_AT.timestamp() * 1000) + 60_000
DAY_MS = 86_400_000


def _ledger(outcome: str = "delivered") -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.submission("m1", outcome)
    ledger.checkpoint()
    return ledger


LEDGER = _ledger()
BUNDLE = LEDGER.bundle("m1")
SEAL = make_seal()
STRANGER = make_seal("Otro sello")
POLICY = parse_policy(f"log {LEDGER.vkey}\nquorum none\n".encode())


def sealed(bundle: bytes = BUNDLE, others: dict[str, bytes] | None = None) -> bytes:
    return asic.pack_proof(bundle, lambda data: cades.sign(data, SEAL.signer, at=SEALED_AT), others)


WHOLE = sealed()


def judge(data: bytes, **given: Any) -> Report:
    return verify_container(
        data, **{"now_ms": NOW_MS, "policy": POLICY, "signer_ca": SEAL.root_pem, **given}
    )


def failing(report: Report) -> list[str]:
    return [name for name, ok in report.checks if not ok]


def test_a_whole_container_holds_but_for_the_time_stamp() -> None:
    report = judge(WHOLE)
    assert (report.verdict, failing(report)) == ("UNANCHORED", ["timestamp"])
    assert report.submission_id == "m1"
    assert report.checks[-2:] == (("document", True), ("signer", True))


def test_the_same_bundle_makes_the_same_container_but_for_the_signature() -> None:
    files = unpack(WHOLE)
    assert next(iter(files)) == "mimetype"
    again = asic.pack_proof(BUNDLE, lambda _: files[asic.SIGNATURE])
    assert again == WHOLE
    with zipfile.ZipFile(io.BytesIO(WHOLE)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(files)


def test_its_parts_can_be_taken_out_and_are_what_the_bundle_holds() -> None:
    files = unpack(sealed(others={"verify.py": b"print('no')"}))
    assert files["checkpoint.txt"].decode() == LEDGER.notes[0]
    assert files["verify.py"] == b"print('no')"


# -- bytes ---------------------------------------------------------------------------------------


def test_a_bit_anywhere_is_told(chance: random.Random) -> None:
    """All but a few bits that say how the ZIP file was made, which nobody is shown."""
    silent = 0
    for _ in range(400):
        at, bit = chance.randrange(len(WHOLE)), chance.randrange(8)
        data = bytearray(WHOLE)
        data[at] ^= 1 << bit
        try:
            report = judge(bytes(data))
        except NotABundle:
            assert at < 70
            continue
        if report.verdict == "INVALID":
            assert (report.reason or "").split(":")[0] in ("document", "signer", "parse")
        else:
            assert unpack(bytes(data)) == unpack(WHOLE), (at, bit)
            silent += 1
    assert silent < 40


@pytest.mark.parametrize("where", ["end", "begin", "between"])
def test_bytes_of_nobody_are_told(where: str) -> None:
    extra = b"PK nothing"
    if where == "end":
        data = WHOLE + extra
    elif where == "begin":
        data = extra + WHOLE
    else:
        directory = WHOLE.index(b"PK\1\2")
        moved = bytearray(WHOLE[:directory] + extra + WHOLE[directory:])
        struct.pack_into("<I", moved, len(moved) - 6, directory + len(extra))
        data = bytes(moved)
    if where == "begin":
        with pytest.raises(NotABundle):
            judge(data)
        return
    assert (judge(data).reason or "").startswith("document: ")


# -- files ---------------------------------------------------------------------------------------


def repacked(change: Callable[[dict[str, bytes]], None]) -> bytes:
    files = unpack(WHOLE)
    change(files)
    return pack(files, stored=frozenset({"mimetype"}))


def other_bundle(files: dict[str, bytes]) -> None:
    files[asic.BUNDLE] = _ledger("undelivered").bundle("m1")


def other_bundle_and_digest(files: dict[str, bytes]) -> None:
    other = asic.pack_proof(_ledger("undelivered").bundle("m1"), lambda _: b"")
    files.update({**unpack(other), asic.SIGNATURE: files[asic.SIGNATURE]})


def one_more(files: dict[str, bytes]) -> None:
    files["read-me.txt"] = b"pay to this account"


def one_more_in_meta(files: dict[str, bytes]) -> None:
    files["META-INF/ASiCManifest002.xml"] = files[asic.MANIFEST]


def one_less(files: dict[str, bytes]) -> None:
    del files[asic.CHECKPOINT]


def no_signature(files: dict[str, bytes]) -> None:
    del files[asic.SIGNATURE]


def no_bundle(files: dict[str, bytes]) -> None:
    del files[asic.BUNDLE]


def empty_signature(files: dict[str, bytes]) -> None:
    files[asic.SIGNATURE] = b""


def long_signature(files: dict[str, bytes]) -> None:
    files[asic.SIGNATURE] += bytes(1 << 18)


def signature_of_another(files: dict[str, bytes]) -> None:
    files[asic.SIGNATURE] = cades.sign(b"something else", SEAL.signer, at=SEALED_AT)


def sealed_by_a_stranger(files: dict[str, bytes]) -> None:
    files[asic.SIGNATURE] = cades.sign(files[asic.MANIFEST], STRANGER.signer, at=SEALED_AT)


def manifest(old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        assert old in files[asic.MANIFEST]
        files[asic.MANIFEST] = files[asic.MANIFEST].replace(old, new, 1)

    return change


def other_type(files: dict[str, bytes]) -> None:
    files["mimetype"] = asic.MIMETYPE + b" "


class Case(NamedTuple):
    change: Callable[[dict[str, bytes]], None]
    step: str


CASES = {
    "another bundle": Case(other_bundle, "document"),
    "another bundle with its own manifest": Case(other_bundle_and_digest, "signer"),
    "a file more": Case(one_more, "document"),
    "a second manifest": Case(one_more_in_meta, "document"),
    "a file less": Case(one_less, "document"),
    "no signature": Case(no_signature, "document"),
    "no bundle": Case(no_bundle, "document"),
    "an empty signature": Case(empty_signature, "signer"),
    "a signature that is too long": Case(long_signature, "document"),
    "a signature of something else": Case(signature_of_another, "signer"),
    "a stranger's seal": Case(sealed_by_a_stranger, "signer"),
    "another mimetype": Case(other_type, "document"),
    "a file named twice in the manifest": Case(
        manifest(b'URI="checkpoint.txt"', b'URI="acuse-proof.json"'), "document"
    ),
    "a weak digest": Case(manifest(b"2001/04/xmlenc#sha256", b"2000/09/xmldsig#sha1"), "document"),
    "a digest that is none": Case(manifest(b"<ds:DigestValue>", b"<ds:DigestValue>!"), "document"),
    "another signature named": Case(manifest(b"signature001", b"signature002"), "document"),
    "no manifest of that kind": Case(manifest(b"02918/v1.2.1", b"02918/v1.1.1"), "document"),
    "entities": Case(manifest(b"<asic", b"<!DOCTYPE a><asic"), "document"),
    "another encoding": Case(manifest(b"UTF-8", b"UTF-7"), "document"),
    "no XML": Case(manifest(b"</asic:ASiCManifest>", b""), "document"),
    "a remark in the manifest": Case(manifest(b"  <asic:Sig", b"   <asic:Sig"), "signer"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_changed_file_is_told(name: str) -> None:
    case = CASES[name]
    report = judge(repacked(case.change))
    assert report.verdict == "INVALID"
    assert (report.reason or "").split(":")[0] == case.step


def test_a_bundle_that_is_none_or_does_not_hold_is_told_though_it_is_sealed() -> None:
    damaged = BUNDLE.replace(b"DELIVRD", b"DELIVRE", 1)
    report = judge(sealed(damaged))
    assert report.verdict == "INVALID"
    assert dict(report.checks)["document"]
    note = json.loads(BUNDLE)["entries"][0]["proof"].partition("\n\n")[2]
    assert open_note(note)
    files = {asic.BUNDLE: b"{}"}
    body = asic._manifest(files)
    made = pack(
        {
            "mimetype": asic.MIMETYPE,
            **files,
            asic.MANIFEST: body,
            asic.SIGNATURE: cades.sign(body, SEAL.signer, at=SEALED_AT),
        },
        stored=frozenset({"mimetype"}),
    )
    assert (judge(made).verdict, (judge(made).reason or "")[:6]) == ("INVALID", "parse:")


def test_a_loose_checkpoint_that_is_not_the_bundles_is_told() -> None:
    files = {asic.BUNDLE: BUNDLE, asic.CHECKPOINT: _ledger("undelivered").notes[0].encode()}
    body = asic._manifest(files)
    signature = cades.sign(body, SEAL.signer, at=SEALED_AT)
    made = pack(
        {"mimetype": asic.MIMETYPE, **files, asic.MANIFEST: body, asic.SIGNATURE: signature},
        stored=frozenset({"mimetype"}),
    )
    assert "checkpoint.txt is not what the bundle holds" in (judge(made).reason or "")


# -- the seal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "verdict", "reason"),
    [
        ({"signer_ca": None}, "UNANCHORED", "signer: no issuer given"),
        ({"signer_ca": STRANGER.root_pem}, "INVALID", "signer: no issuer you trust"),
        ({"now_ms": NOW_MS + 40 * DAY_MS}, "UNANCHORED", "signer: the seal's certificate is not"),
        ({"now_ms": NOW_MS - 40 * DAY_MS}, "INVALID", "signer: no issuer you trust"),
    ],
)
def test_who_vouches_for_the_seal(given: dict[str, Any], verdict: str, reason: str) -> None:
    report = judge(WHOLE, **given)
    assert report.verdict == verdict
    assert not dict(report.checks)["signer"]
    if verdict == "INVALID":
        assert (report.reason or "").startswith(reason)


def test_issuers_that_are_none_are_an_error() -> None:
    for nonsense in (b"", b"nonsense", SEAL.root_pem[:-100], SEAL.key_pem):
        with pytest.raises(DataError, match="certificates"):
            judge(WHOLE, signer_ca=nonsense)


# -- the ZIP file --------------------------------------------------------------------------------


def made_by_others(*files: tuple[str, bytes], **given: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            for key, value in given.items():
                setattr(info, key, value)
            with warnings.catch_warnings(action="ignore"):
                archive.writestr(info, data)
    return made.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        made_by_others(("a", b"1"), ("a", b"2")),
        made_by_others(("a", b"1"), ("A", b"2")),
        made_by_others(("../a", b"1")),
        made_by_others(("/a", b"1")),
        made_by_others(("a\\b", b"1")),
        made_by_others(("a/", b"")),
        made_by_others(("é", b"1")),
        made_by_others((".a", b"1")),
        made_by_others(("a", b"1"), extra=b"up\x01\x00\x00"),
        made_by_others(("a", b"1"), comment=b"c"),
        made_by_others(("a", b"1" * 100), compress_type=zipfile.ZIP_BZIP2),
        made_by_others(*((f"f{n}", b"") for n in range(MAX_FILES + 1))),
        made_by_others(),
        b"PK",
        b"",
    ],
)
def test_a_zip_file_that_could_be_read_in_two_ways_is_none(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        unpack(data)
    assert caught.value.fields["reason"] == "document"


def test_every_field_of_a_zip_file_that_says_something_else_is_told() -> None:
    """Each 16-bit word of a small file, changed; what still opens has the same content."""
    data = pack({"a": b"hello hello hello", "b": b"x"}, stored=frozenset({"b"}))
    files = unpack(data)
    for at in range(len(data) - 1):
        for change in (1, 0x80, 0xFF):
            other = bytearray(data)
            other[at] ^= change
            with suppress(DataError):
                assert unpack(bytes(other)) == files


def test_sizes_after_the_data_are_read_where_another_program_writes_them() -> None:
    made = io.BytesIO()

    class Unseekable(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            return made.write(data)

    with zipfile.ZipFile(Unseekable(), "w") as archive:
        archive.writestr("a", b"hello")
    assert unpack(made.getvalue()) == {"a": b"hello"}
    broken = made.getvalue().replace(struct.pack("<I", 5), struct.pack("<I", 6), 1)
    with pytest.raises(DataError):
        unpack(broken)
