"""The vault: keys on disk that others cannot read, content that only the right key opens."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StorageError
from gateway.evidence.vault import (
    LOG_KEY,
    PERSON_KEY,
    ContentCipher,
    Vault,
    load_seed,
    months_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = bytes(range(32))
MONTH = "2026-11"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "keys")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- files ---------------------------------------------------------------------------------------


def test_keys_are_made_for_the_owner_only(vault: Vault) -> None:
    vault.make(LOG_KEY)
    vault.make(PERSON_KEY)
    vault.wrap(KEY, "m1", MONTH)
    assert mode(vault.directory) == 0o700
    names = {"log-key", "person-key", "kek-2026-11"}
    assert {path.name for path in vault.directory.iterdir()} == names
    assert {mode(path) for path in vault.directory.iterdir()} == {0o600}
    assert all(vault.has(name) for name in names)
    assert not vault.has("kek-2026-12")


def test_a_key_file_is_the_documented_text(vault: Vault) -> None:
    vault.make(LOG_KEY)
    header, code, end = (vault.directory / LOG_KEY).read_text().split("\n")
    assert (header, end) == ("acuse-key/v1 log-key", "")
    assert base64.b64decode(code) == vault.log_seed() == load_seed(vault.directory / LOG_KEY)


def test_a_key_is_never_made_over_another(vault: Vault) -> None:
    vault.make(LOG_KEY)
    before = vault.log_seed()
    with pytest.raises(StorageError, match="exists"):
        vault.make(LOG_KEY)
    assert vault.log_seed() == before
    assert [path.name for path in vault.directory.iterdir()] == [LOG_KEY]


def test_a_start_that_was_cut_off_is_no_obstacle(vault: Vault) -> None:
    (vault.directory / ".log-key.new").write_text("half a")
    vault.make(LOG_KEY)
    assert len(vault.log_seed()) == 32
    assert [path.name for path in vault.directory.iterdir()] == [LOG_KEY]


def test_a_key_is_durable_before_it_is_used(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def spy(descriptor: int) -> None:
        synced.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    vault.make(LOG_KEY)
    assert synced == ["file", "directory"]


def _group_readable(path: Path) -> None:
    path.chmod(0o640)


def _link(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def _other_key(path: Path) -> None:
    path.write_text(path.read_text().replace("log-key", "kek-2026-11"))


def _cut(path: Path) -> None:
    path.write_text(path.read_text()[:-9])


def _empty(path: Path) -> None:
    path.write_text("")


def _long(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x" * 10_000)


def _short_key(path: Path) -> None:
    path.write_text("acuse-key/v1 log-key\nAAAA\n")


def _binary(path: Path) -> None:
    path.write_bytes(b"acuse-key/v1 log-key\n" + bytes(32) + b"\n")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "harm",
    [
        _group_readable,
        _link,
        _other_key,
        _cut,
        _empty,
        _long,
        _short_key,
        _binary,
        _directory,
        _pipe,
        _gone,
    ],
)
def test_a_key_that_cannot_be_trusted_is_refused(
    vault: Vault, harm: Callable[[Path], None]
) -> None:
    vault.make(LOG_KEY)
    secret = base64.b64encode(vault.log_seed()).decode()
    harm(vault.directory / LOG_KEY)
    with pytest.raises(StorageError) as caught:
        vault.log_seed()
    assert str(vault.directory / LOG_KEY) in caught.value.message
    assert secret not in str(caught.value.as_dict())


def pretend(monkeypatch: pytest.MonkeyPatch, *, mode: int, owner: int, group: int) -> None:
    """Files that are open look as if they were another's (no test needs root)."""
    status = (stat.S_IFREG | mode, 1, 1, 1, owner, group, 66, 0, 0, 0)
    monkeypatch.setattr(os, "fstat", lambda _descriptor: os.stat_result(status))


def test_a_key_of_another_user_is_refused(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.make(LOG_KEY)
    pretend(monkeypatch, mode=0o600, owner=12345, group=12345)
    with pytest.raises(StorageError, match="12345"):
        vault.log_seed()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert len(vault.log_seed()) == 32


def test_a_credential_of_systemd_may_show_its_access_list_as_a_group(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.make(LOG_KEY)
    path = vault.directory / LOG_KEY
    pretend(monkeypatch, mode=0o440, owner=0, group=0)
    assert len(load_seed(path, credential=True)) == 32
    with pytest.raises(StorageError, match="0440"):
        load_seed(path)
    for mode, owner, group in ((0o444, 0, 0), (0o440, 0, 100), (0o440, 1000, 0)):
        pretend(monkeypatch, mode=mode, owner=owner, group=group)
        with pytest.raises(StorageError, match=f"{mode:04o}"):
            load_seed(path, credential=True)


def test_the_directory_must_be_private(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o755)
    with pytest.raises(StorageError, match="0755") as caught:
        Vault(keys)
    assert caught.value.hint == f"chmod 700 {keys}"
    keys.chmod(0o700)
    Vault(keys)


def test_the_directory_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(StorageError, match="not a directory"):
            Vault(tmp_path / name)
    with pytest.raises(StorageError, match="cannot create"):
        Vault(tmp_path / "no" / "such" / "place")


# -- K under its KEK -----------------------------------------------------------------------------


def test_a_wrapped_key_opens_for_its_submission_and_month_only(vault: Vault) -> None:
    key = vault.new_key()
    wrapped = vault.wrap(key, "m1", MONTH)
    again = Vault(vault.directory)
    assert again.unwrap(wrapped, "m1", MONTH) == key
    assert key not in wrapped
    assert vault.wrap(key, "m1", MONTH) != wrapped
    vault.wrap(key, "m1", "2026-12")
    for submission_id, month in (("m2", MONTH), ("m1", "2026-12")):
        with pytest.raises(StorageError, match=submission_id):
            again.unwrap(wrapped, submission_id, month)


@pytest.mark.parametrize("wrapped", [b"", bytes(11), bytes(12), bytes(28), bytes(60)])
def test_a_damaged_wrapped_key_is_a_storage_error(vault: Vault, wrapped: bytes) -> None:
    vault.wrap(KEY, "m1", MONTH)
    with pytest.raises(StorageError, match="m1"):
        vault.unwrap(wrapped, "m1", MONTH)


def test_a_wrapped_key_of_the_wrong_length_is_refused(vault: Vault) -> None:
    with pytest.raises(StorageError, match="m1"):
        vault.unwrap(vault.wrap(b"short", "m1", MONTH), "m1", MONTH)


def test_what_a_destroyed_month_held_is_gone_and_says_so(vault: Vault) -> None:
    wrapped = vault.wrap(KEY, "m1", MONTH)
    (vault.directory / f"kek-{MONTH}").unlink()
    with pytest.raises(StorageError, match="2026-11") as caught:
        Vault(vault.directory).unwrap(wrapped, "m1", MONTH)
    assert caught.value.fields["month"] == MONTH


def test_a_month_is_written_as_one(vault: Vault) -> None:
    with pytest.raises(StorageError):
        vault.wrap(KEY, "m1", "../../etc")


# -- content -------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.data())
@settings(deadline=None, max_examples=60)
def test_content_opens_unchanged_and_only_as_what_it_was(
    plaintext: bytes, data: st.DataObject
) -> None:
    cipher = ContentCipher(KEY)
    sealed = cipher.seal("m1", "text", plaintext)
    assert len(sealed) == 12 + len(plaintext) + 16
    assert ContentCipher(KEY).open_record("m1", "text", sealed) == plaintext
    at = data.draw(st.integers(0, len(sealed) - 1))
    harmed = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    cases: list[tuple[ContentCipher, str, str, bytes]] = [
        (cipher, "m1", "text", harmed),
        (cipher, "m1", "text", sealed[:at]),
        (cipher, "m1", "to", sealed),
        (cipher, "m2", "text", sealed),
        (ContentCipher(bytes(32)), "m1", "text", sealed),
    ]
    for other, submission_id, name, record in cases:
        with pytest.raises(StorageError, match="cannot be decrypted"):
            other.open_record(submission_id, name, record)


def test_the_content_key_is_hkdf_of_k() -> None:
    nonce = bytes(12)
    derived = HKDF(SHA256(), 32, None, b"acuse/content/v1").derive(KEY)
    sealed = ContentCipher(KEY, random=lambda size: nonce[:size]).seal("m1", "text", b"hola")
    assert sealed == nonce + AESGCM(derived).encrypt(nonce, b"hola", b"m1\0text")


def test_no_nonce_is_used_twice(vault: Vault) -> None:
    cipher = ContentCipher(KEY)
    nonces = {cipher.seal("m1", "text", b"x")[:12] for _ in range(1000)}
    nonces |= {vault.wrap(KEY, "m1", MONTH)[:12] for _ in range(1000)}
    assert len(nonces) == 2000


def test_people_are_told_apart_by_a_key_and_not_by_their_number(tmp_path: Path) -> None:
    one, other = Vault(tmp_path / "one"), Vault(tmp_path / "other")
    with pytest.raises(StorageError, match="person-key"):
        one.person("+34600111222")
    for vault in (one, other):
        vault.make(PERSON_KEY)
    assert one.person("+34600111222") == Vault(one.directory).person("+34600111222")
    assert one.person("+34600111222") != one.person("+34600111223")
    assert one.person("+34600111222") != other.person("+34600111222")


def test_nothing_shows_a_secret(vault: Vault) -> None:
    vault.make(LOG_KEY)
    shown = repr(vault) + repr(ContentCipher(KEY)) + str(vault.__dict__.keys())
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown


# -- destroying ----------------------------------------------------------------------------------


def test_the_key_of_a_month_is_overwritten_before_its_name_goes(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = vault.wrap(KEY, "m1", MONTH)
    path = vault.directory / f"kek-{MONTH}"
    secret = path.read_bytes()
    seen: list[bytes] = []
    real = os.unlink

    def spy(path: Path) -> None:
        seen.append(path.read_bytes())
        real(path)

    monkeypatch.setattr(os, "unlink", spy)
    assert vault.months() == [MONTH]
    vault.destroy(MONTH)
    assert seen == [bytes(len(secret))]
    assert (vault.months(), list(vault.directory.iterdir())) == ([], [])
    with pytest.raises(StorageError, match="is gone"):
        vault.unwrap(wrapped, "m1", MONTH)  # not even from memory


def test_destroying_again_or_what_is_half_destroyed_is_no_error(vault: Vault) -> None:
    vault.wrap(KEY, "m1", MONTH)
    path = vault.directory / f"kek-{MONTH}"
    path.write_bytes(bytes(7))  # the power went while it was overwritten
    draft = vault.directory / f".kek-{MONTH}.new"
    os.link(path, draft)  # and once while it was made
    assert vault.months() == [MONTH]
    vault.destroy(MONTH)
    vault.destroy(MONTH)
    assert list(vault.directory.iterdir()) == []


def test_what_is_no_key_file_is_not_overwritten(vault: Vault) -> None:
    target = vault.directory / "elsewhere"
    target.write_text("something else")
    (vault.directory / f"kek-{MONTH}").symlink_to(target)
    with pytest.raises(StorageError, match="cannot destroy"):
        vault.destroy(MONTH)
    assert target.read_text() == "something else"


def test_only_months_are_months(vault: Vault) -> None:
    for name in (
        "kek-2026-13",
        "kek-",
        ".kek-2026-11.new",
        "log-key",
        "kek-2027-01",
        "kek-2026-12",
    ):
        (vault.directory / name).touch()
    assert vault.months() == ["2026-12", "2027-01"]
    with pytest.raises(StorageError, match="cannot list"):
        months_in(vault.directory / "none")
