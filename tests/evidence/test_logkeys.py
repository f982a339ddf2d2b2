"""Which key signs the log: what the ledger says, whatever step a crash fell into."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import StorageError
from gateway.evidence.logkeys import (
    NEXT_LOG_KEY,
    LogKeys,
    make_next,
    open_key,
    open_log_keys,
    retire,
)
from gateway.evidence.signer import LogSigner, read_state
from gateway.evidence.vault import LOG_KEY, Vault
from gateway.ledger.merkle import consistency_proof
from gateway.ledger.note import Checkpoint, Signer, Verifier, open_note, sign_note, verified_by
from gateway.ledger.rotations import Rotation
from gateway.settings import KeySource
from tests.support.ledgers import ORIGIN, MemoryLedger, seed

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, OTHER = (Signer.from_seed(ORIGIN, seed(name)) for name in ("log", "new", "other"))
TEXT = Checkpoint(ORIGIN, 3, bytes(32)).text()
PENDING = Rotation(7, OLD.vkey, NEW.vkey, None)
DONE = Rotation(7, OLD.vkey, NEW.vkey, sign_note(TEXT, OLD, NEW))


def arranged(keys: list[Signer], last: Rotation | None, state: str | None, **given: bool) -> Any:
    found = LogKeys(keys, **{"configured": True, **given}).arrange(last, state)
    return tuple(
        None if key is None else key.vkey for key in (found.current, found.incoming, found.wanted)
    )


def test_a_log_that_never_changed_its_key_is_signed_by_the_one_it_has() -> None:
    assert arranged([OLD], None, None) == (OLD.vkey, None, None)
    assert arranged([OLD], None, sign_note(TEXT, OLD)) == (OLD.vkey, None, None)
    assert arranged([OLD], None, "nonsense") == (OLD.vkey, None, None)
    assert arranged([OLD], None, sign_note(TEXT, OTHER)) == (OLD.vkey, None, None)


def test_a_configured_key_that_follows_another_is_wanted() -> None:
    state = sign_note(TEXT, OLD)
    assert arranged([NEW, OLD], None, state) == (OLD.vkey, None, NEW.vkey)
    assert arranged([NEW, OLD], None, None) == (NEW.vkey, None, None)
    assert arranged([NEW, OLD], DONE, state) == (NEW.vkey, None, None)
    assert arranged([OTHER, NEW], DONE, state) == (NEW.vkey, None, OTHER.vkey)
    # The vault's own are never wanted: what follows there is begun by a command.
    assert arranged([OLD, NEW], None, state, configured=False) == (OLD.vkey, None, None)


def test_a_change_under_way_needs_both_keys_and_goes_on() -> None:
    for keys in ([OLD, NEW], [NEW, OLD]):
        assert arranged(keys, PENDING, None) == (OLD.vkey, NEW.vkey, None)
    for keys in ([OLD], [NEW]):
        with pytest.raises(StorageError, match="not at hand") as caught:
            arranged(keys, PENDING, None)
        assert "while the key changes" in caught.value.hint
    with pytest.raises(StorageError, match="not at hand"):
        arranged([OLD], DONE, None)


def test_the_vault_s_files_get_their_lasting_names(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    settings: Any = SimpleNamespace(key=None, old_key=None)
    first = open_log_keys(settings, vault, ORIGIN, fresh=True).arrange(None, None).current
    assert retire(vault, first.vkey) is None
    following = make_next(vault, ORIGIN)
    assert make_next(vault, ORIGIN).vkey == following.vkey  # one that was not used is taken again
    assert retire(vault, first.vkey) is None
    last = Rotation(7, first.vkey, following.vkey, "note")
    keys = open_log_keys(settings, vault, ORIGIN, fresh=False)
    assert keys.arrange(last, None).current.vkey == following.vkey
    retired = retire(vault, following.vkey)
    assert retired is not None
    assert retired.name.startswith("log-key.retired-")
    assert sorted(path.name for path in vault.directory.iterdir()) == [LOG_KEY, retired.name]
    again = open_log_keys(settings, vault, ORIGIN, fresh=False)
    assert again.arrange(last, None).current.vkey == following.vkey


def test_a_crash_between_two_renames_is_taken_up(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    settings: Any = SimpleNamespace(key=None, old_key=None)
    open_log_keys(settings, vault, ORIGIN, fresh=True)
    following = make_next(vault, ORIGIN)
    (vault.directory / LOG_KEY).rename(vault.directory / "log-key.retired-x")
    last = Rotation(7, "before", following.vkey, "note")
    keys = open_log_keys(settings, vault, ORIGIN, fresh=False)
    assert keys.arrange(last, None).current.vkey == following.vkey
    assert retire(vault, following.vkey) is None
    assert vault.has(LOG_KEY)
    assert not vault.has(NEXT_LOG_KEY)


def test_a_vault_without_a_log_key_makes_none_in_passing(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    settings: Any = SimpleNamespace(key=None, old_key=None)
    with pytest.raises(StorageError, match="log-key"):
        open_log_keys(settings, vault, ORIGIN, fresh=False)


def test_configured_keys_are_files(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    vault.make("one", LOG_KEY)
    source = KeySource(f"file:{vault.directory / 'one'}", vault.directory / "one")
    key = open_key(source, ORIGIN)
    settings: Any = SimpleNamespace(key=source, old_key=source)
    keys = open_log_keys(settings, vault, ORIGIN, fresh=True)
    assert keys.configured
    assert keys.arrange(None, None).current.vkey == key.vkey
    assert not vault.has(LOG_KEY)


def test_both_keys_sign_until_the_new_one_succeeds(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    for _ in range(3):
        ledger.accept(f"m{ledger.size}")
    path = tmp_path / "signed.note"
    signer = LogSigner(OLD, path, ledger_size=0)

    def signed_by(note: str) -> list[str]:
        text, lines = open_note(note)
        keys = [Verifier.from_vkey(each.vkey) for each in (OLD, NEW)]
        return [key.vkey for key in verified_by(text, lines, keys)]

    size, root = ledger.size, ledger.tree.root()
    assert signed_by(signer.sign(size, root, [])) == [OLD.vkey]
    signer.announce(NEW)
    assert signer.incoming is not None
    assert (signer.vkey, signer.incoming.vkey) == (OLD.vkey, NEW.vkey)
    # Even a checkpoint of the same size is remembered with both: the new key may be alone soon.
    assert signed_by(signer.sign(size, root, [])) == [OLD.vkey, NEW.vkey]
    assert signed_by(read_state(path) or "") == [OLD.vkey, NEW.vkey]
    for key, incoming in ((OLD, NEW), (NEW, None), (OLD, None)):
        assert LogSigner(key, path, ledger_size=size, incoming=incoming).last == signer.last
    signer.succeed()
    signer.succeed()
    assert signer.vkey == NEW.vkey
    ledger.accept("later")
    proof = consistency_proof(size, ledger.size, ledger.read)
    assert signed_by(signer.sign(ledger.size, ledger.tree.root(), proof)) == [NEW.vkey]
    with pytest.raises(StorageError, match="not signed by this log's key"):
        LogSigner(OLD, path, ledger_size=ledger.size)
