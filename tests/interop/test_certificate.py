"""Certificates judged by poppler and OpenSSL, and a seal whose key is in SoftHSM2.

The commands are those of docs/certificate.md.
"""

from __future__ import annotations

import json
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from pyhanko.pdf_utils.reader import PdfFileReader

from tests.interop.softhsm import SoftHsm, softhsm_module
from tests.support.office import Office, stamped_bundle
from tests.support.process import ACUSE, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Certificates the module signs are made outside of it: the public key comes out as a file.
_PUBLIC = """
import sys, pkcs11
from pkcs11 import Attribute, ObjectClass
from pkcs11.util.ec import encode_ec_public_key
token = pkcs11.lib(sys.argv[1]).get_token(token_label="acuse")
with token.open(user_pin="1234") as session:
    public = session.get_key(ObjectClass.PUBLIC_KEY, label=sys.argv[2])
    sys.stdout.buffer.write(encode_ec_public_key(public))
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Office.open(tmp_path_factory.mktemp("office")) as office:
        yield office


@pytest.fixture
def sealed(office: Office, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pdf"
    path.write_bytes(office.certificate(stamped_bundle(office.tsa)))
    return path


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_poppler_finds_the_seal_valid_and_trusted(office: Office, sealed: Path) -> None:
    here = sealed.parent
    (here / "nss").mkdir()
    for command in (
        ("certutil", "-N", "-d", "sql:nss", "--empty-password"),
        ("certutil", "-A", "-d", "sql:nss", "-n", "r", "-t", "C,C,C", "-i", str(office.files.ca)),
    ):
        assert run(*command, cwd=here).returncode == 0
    said = run("pdfsig", "-nssdir", "nss", sealed.name, cwd=here).stdout
    first, second = said.split("Signature #")[1:]
    assert "Signature is Valid." in first
    assert "Certificate is Trusted." in first
    assert "Total document signed" in second

    data = bytearray(sealed.read_bytes())
    data[len(data) // 3] ^= 1
    sealed.write_bytes(data)
    said = run("pdfsig", "-nssdir", "nss", sealed.name, cwd=here).stdout
    assert "Signature is Valid." not in said


def test_openssl_checks_the_seal_and_the_document_time_stamp(office: Office, sealed: Path) -> None:
    here = sealed.parent
    data, covered = sealed.read_bytes(), b""
    for number, signature in enumerate(PdfFileReader(BytesIO(data)).embedded_signatures):
        first, length, second, rest = (int(signature.byte_range[at]) for at in range(4))
        covered = data[first : first + length] + data[second : second + rest]
        (here / f"range{number}.bin").write_bytes(covered)
    assert run("pdfsig", "-dump", sealed.name, cwd=here).returncode == 0
    seal = run(
        *("openssl", "cms", "-verify", "-inform", "DER", "-in", "certificate.pdf.sig0"),
        *("-content", "range0.bin", "-binary", "-CAfile", str(office.files.ca)),
        *("-purpose", "any", "-out", "/dev/null"),
        cwd=here,
    )
    assert seal.returncode == 0, seal.stderr
    stamp = (
        *("openssl", "ts", "-verify", "-data", "range1.bin", "-in", "certificate.pdf.sig1"),
        *("-token_in", "-CAfile", str(office.tsa.ca_file)),
    )
    done = run(*stamp, cwd=here)
    assert "Verification: OK" in done.stdout + done.stderr
    (here / "range1.bin").write_bytes(covered[:-1] + b"x")
    assert run(*stamp, cwd=here).returncode != 0


def test_a_seal_whose_key_never_leaves_its_module(office: Office, tmp_path: Path) -> None:
    hsm = SoftHsm.make(tmp_path)
    hsm.make_key("seal", "secp256r1")
    public = subprocess.run(
        [ACUSE[0], "-c", _PUBLIC, str(softhsm_module()), "seal"],
        env=environment(**hsm.env),
        capture_output=True,
        check=True,
    ).stdout
    key = load_der_public_key(public)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    seal = office.authority.issue("Hardware", public=key)
    (tmp_path / "seal.pem").write_bytes(seal.certificate.public_bytes(Encoding.PEM))
    pdf = tmp_path / "page.pdf"
    bundle = stamped_bundle(office.tsa)
    (tmp_path / "bundle.json").write_bytes(bundle)
    # A module reads its configuration once, when it is loaded: in a process of its own.
    script = f"""
import sys
from pathlib import Path
from gateway.certificate import page
from gateway.certificate.seal import Sealer
from gateway.settings import Pkcs11, Seal, Secret, Timestamp
here = Path({str(tmp_path)!r})
seal = Seal(certificate=here / "seal.pem", chain=Path({str(office.files.chain)!r}),
    pkcs11=Pkcs11(module=Path({str(softhsm_module())!r}), token="acuse", label="seal",
        pin=Secret(sys.argv[1], source="clear")))
tsa = Timestamp(name="demo", url={office.tsa.settings.url!r},
    ca_file=Path({str(office.tsa.ca_file)!r}))
with Sealer(seal, [tsa]) as sealer:
    rendered = page.render((here / "bundle.json").read_bytes(), "es")
    (here / "page.pdf").write_bytes(sealer.seal(rendered))
"""
    env = environment(**hsm.env)
    done = subprocess.run(
        [ACUSE[0], "-c", script, "1234"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = office.verify(pdf.read_bytes(), bundle)
    assert (report.verdict, report.reason) == ("VALID", None)
    said = json.loads(json.dumps(report.as_json()))
    assert said["certificate"]["sealed_by"] == "Hardware, worthless in law"

    hsm.make_key("other", "secp256r1")
    other = script.replace('label="seal"', 'label="other"')
    unfit = subprocess.run(
        [ACUSE[0], "-c", other, "1234"], env=env, capture_output=True, text=True, check=False
    )
    assert "is not that of the seal certificate" in unfit.stderr

    wrong = subprocess.run(
        [ACUSE[0], "-c", script, "9999"], env=env, capture_output=True, text=True, check=False
    )
    assert "gives no access" in wrong.stderr
