"""Who issues certificates needs the seal's secrets, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli.command import Run
from gateway.cli.sealsettings import settings_with_seal
from gateway.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from gateway.settings import Settings

CONFIG = """
[gateway]
name = "sms.example.es"
data_dir = "data"
admin_socket = "admin.sock"
[operators.movistar]
host = "127.0.0.1"
system_id = "acuse"
password = {{credential = "not-here"}}
receipt_means = "handset"
[[routes]]
to = ["+34"]
operators = ["movistar"]
[seal]
certificate = "seal.pem"
{key}
"""


def read(tmp_path: Path, key: str) -> Settings:
    path = tmp_path / "acuse.toml"
    path.write_text(CONFIG.format(key=key))
    path.chmod(0o600)
    return settings_with_seal(Run(as_json=False, config=path, socket=None))


def test_a_key_is_found_as_a_file_or_among_the_units_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_file = read(tmp_path, 'key = {file = "seal.key"}').seal.key
    assert as_file is not None
    assert as_file.path == tmp_path / "seal.key"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, 'key = {credential = "seal-key"}')
    assert caught.value.fields["setting"] == "seal.key"
    assert "LoadCredential=seal-key" in caught.value.hint
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    as_credential = read(tmp_path, 'key = {credential = "seal-key"}').seal.key
    assert as_credential is not None
    assert as_credential.path == Path("/run/credentials/x/seal-key")


def test_the_pin_of_a_module_is_read_from_a_private_file(tmp_path: Path) -> None:
    module = 'pkcs11 = {module = "m.so", token = "acuse", label = "seal", pin = {file = "pin"}}'
    pin = tmp_path / "pin"
    with pytest.raises(StorageError):
        read(tmp_path, module)
    pin.touch(mode=0o600)
    pin.write_text("1234\n")
    found = read(tmp_path, module).seal.pkcs11
    assert found is not None
    assert found.pin.reveal() == "1234"
    pin.chmod(0o644)
    with pytest.raises(StorageError):
        read(tmp_path, module)
