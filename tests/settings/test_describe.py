"""The example configuration is what the program says, loads, and documents every setting."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.resources import config_directory
from gateway.settings import describe, example, load_settings
from tests.support.authority import Authority

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_shipped_example_is_the_generated_one() -> None:
    shipped = (config_directory() / "acuse.toml").read_text(encoding="utf-8")
    assert shipped == example(), "write it anew: acuse config example > config/acuse.toml"


def _credentials(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    for name in ("movistar", "ledger-key", "ledger-key-before", "seal-key", "hsm-pin"):
        (directory / name).write_text("secret")
        (directory / name).chmod(0o600)


def test_the_example_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _credentials(tmp_path, monkeypatch)
    settings = load_settings(config_directory() / "acuse.toml")
    assert settings.origin == "sms.example.es/2026a"
    assert settings.warnings == ()


def test_every_commented_line_of_the_example_works_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _credentials(tmp_path, monkeypatch)
    path = tmp_path / "all.toml"
    lines = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in example().split("\n")
    ]
    # Two keys of one seal cannot be; and the files that it names have to be there.
    lines.remove('key = {credential = "seal-key"}')
    text = "\n".join(lines).replace('group = "acuse"', 'group = "root"')
    made = Authority.make(tmp_path / "ca", "tsa.example", datetime.now(UTC) + timedelta(days=30))
    text = re.sub(r'"/etc/acuse/[^"]+\.pem"', json.dumps(str(made.root)), text)
    text = re.sub(r'"/(etc/acuse/trusted|usr/lib)[^"]+"', json.dumps(str(made.key)), text)
    path.write_text(text, encoding="utf-8")
    settings = load_settings(path)
    raw = tomllib.loads(text)
    assert settings.brands["acme"].windows[0].close == raw["brands"]["acme"]["windows"][0]["close"]
    assert settings.gateway.confirm_within_s == raw["gateway"]["confirm_within_s"]
    assert settings.operators["movistar"].reconnect_s == (1.0, 60.0)
    assert [tsa.name for tsa in settings.timestamp] == ["tsa-example"]
    assert settings.seal.pkcs11 is not None
    assert settings.seal.pkcs11.label == "ledger-key"


def test_every_setting_is_explained() -> None:
    listed = describe()
    names = [item.setting for item in listed]
    assert len(set(names)) == len(names)
    for name in (
        "gateway.name",
        "brands.NAME.windows[].zone",
        "operators.NAME.tls",
        "operators.NAME.tls.ca_file",
        "operators.NAME.receipt_utc_offset",
        "routes[].from",
        "ledger.checkpoint_every_entries",
        "ledger.key.pkcs11.module",
        "timestamp[].policy_oid",
        "seal.pkcs11.pin",
        "retention.content_days",
        "admin.roles.operator",
    ):
        assert name in names
    for item in listed:
        assert item.doc.endswith("."), item.setting
        assert item.kind, item.setting
        assert item.required == (item.default is None and item.required), item.setting
        assert item.example, item.setting
        if item.setting.endswith("_s"):
            assert item.unit == "s", item.setting


def test_the_example_fits_a_terminal() -> None:
    assert max(map(len, example().split("\n"))) <= 100
