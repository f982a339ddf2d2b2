"""An ASiC-E container as people without Acuse check it: the documented commands, to the letter."""

from __future__ import annotations

import base64
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.evidence import asic, cades
from tests.support.office import Office, stamped_bundle

PAGE = Path(__file__).parent.parent.parent / "docs" / "verification.md"


def commands() -> list[str]:
    """The lines of the page for experts, continued lines joined."""
    text = PAGE.read_text().split("## For experts")[1]
    block = text.split("```")[1].replace("\\\n", " ")
    return [line.split("#")[0].strip() for line in block.strip().splitlines()]


def run(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """The directory the first documented command makes of a container."""
    with Office.open(tmp_path) as office:
        sealer = office.settings
        assert sealer.certificate is not None
        from gateway.certificate.sealkey import open_seal

        with open_seal(sealer) as key:
            container = asic.pack_proof(
                stamped_bundle(office.tsa),
                lambda data: cades.sign(data, key.signer, at=datetime.now(UTC)),
            )
        (tmp_path / "proof.asice").write_bytes(container)
        (tmp_path / "proof").mkdir()
        (tmp_path / "proof" / "seal-ca.pem").write_bytes(office.authority.ca_pem)
        (tmp_path / "proof" / "tsa-ca.pem").write_bytes(office.tsa.authority.ca_pem)
    unzip, *_ = commands()
    done = run(unzip, tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "proof"


def test_openssl_accepts_the_seal_and_refuses_it_over_anything_else(unpacked: Path) -> None:
    _, cms, *_ = commands()
    assert "-cades" in cms
    done = run(cms, unpacked)
    assert done.returncode == 0, done.stderr
    manifest = unpacked / asic.MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"text/plain", b"text/plaim", 1))
    assert run(cms, unpacked).returncode != 0


def test_the_digest_openssl_computes_is_the_manifests(unpacked: Path) -> None:
    _, _, digest, _ = commands()
    told = run(digest, unpacked).stdout.strip()
    assert len(base64.b64decode(told)) == 32
    manifest = (unpacked / asic.MANIFEST).read_text()
    wanted = re.search(rf'URI="{asic.BUNDLE}".*?<ds:DigestValue>([^<]+)<', manifest, re.DOTALL)
    assert wanted is not None
    assert wanted[1] == told


def test_openssl_accepts_the_time_stamp_of_the_checkpoint(unpacked: Path) -> None:
    *_, stamp = commands()
    done = run(stamp, unpacked)
    assert done.returncode == 0, done.stderr
    text = unpacked / "timestamp001.txt"
    text.write_bytes(text.read_bytes() + b" ")
    assert run(stamp, unpacked).returncode != 0
