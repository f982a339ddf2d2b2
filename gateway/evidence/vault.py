"""The vault: keys that live outside the database, and content that only they open.

Every submission has 32 random bytes K. Salts are made with K, and a content key derived from it
encrypts numbers, texts and PDUs. K itself is stored in the database wrapped by a
key-encryption key (KEK) of the retention month: destroying one wrapped K erases one
submission, destroying a month's KEK erases the month, backups of the database included.

Files, each one of `keyfile`'s form and all in one directory of mode 0700:

- `kek-YYYY-MM`: the KEK of a retention month,
- `person-key`: the key under which phone numbers are hashed for look-ups,
- `log-key`: the Ed25519 seed that signs checkpoints.

Nothing here prints or represents a secret.
"""

from __future__ import annotations

import os
import re
from hmac import digest
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import StorageError
from gateway.evidence.keyfile import (
    KEY_BYTES,
    destroy_key,
    make_directory,
    read_key,
    storage_errors,
    write_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG_KEY = "log-key"
PERSON_KEY = "person-key"
NONCE_BYTES = 12
TAG_BYTES = 16

_KEK = "kek-"
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_CONTENT_INFO = b"acuse/content/v1"
_WRAP_LABEL = "acuse/wrap/v1"
_PERSON_LABEL = b"acuse/person/v1\x00"


def months_in(directory: Path) -> list[str]:
    """The months whose KEK is in a key directory, oldest first; no key is read.

    Raises:
        StorageError: the directory cannot be read.
    """
    with storage_errors(directory, "list the key directory"):
        names = sorted(os.listdir(directory))
    months = (name.removeprefix(_KEK) for name in names if name.startswith(_KEK))
    return [month for month in months if _MONTH.fullmatch(month)]


def load_seed(path: Path, *, credential: bool = False) -> bytes:
    """The 32-byte Ed25519 seed of the log key in *path*, wherever the configuration says it is.

    Raises:
        StorageError: missing, readable by others, or not a log key.
    """
    return read_key(path, LOG_KEY, credential=credential)


class ContentCipher:
    """The content key of one submission, ready to encrypt."""

    __slots__ = ("_aead", "_random")

    def __init__(self, key: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        # An HKDF object serves one derivation only.
        self._random = random
        self._aead = AESGCM(HKDF(_HASH, KEY_BYTES, None, _CONTENT_INFO).derive(key))

    def seal(self, submission_id: str, name: str, plaintext: bytes) -> bytes:
        """nonce || ciphertext || tag of one record, bound to its submission and its name."""
        nonce = self._random(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, f"{submission_id}\0{name}".encode())

    def open_record(self, submission_id: str, name: str, sealed: bytes) -> bytes:
        """What `seal` was given.

        Raises:
            StorageError: damaged, of another record, or of another submission.
        """
        try:
            return self._aead.decrypt(
                sealed[:NONCE_BYTES],
                sealed[NONCE_BYTES:],
                f"{submission_id}\0{name}".encode(),
            )
        except (InvalidTag, ValueError):
            raise StorageError(
                f"the record {name!r} of submission {submission_id} cannot be decrypted",
                hint="the ledger file is damaged there: run `acuse ledger verify`",
                submission_id=submission_id,
                name=name,
            ) from None


_HASH = SHA256()


class Vault:
    """The key files of one gateway. A key is read once and kept in memory."""

    def __init__(self, directory: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
        """Use *directory*, which is made (mode 0700) when missing.

        Raises:
            StorageError: it cannot be made, or others can enter it.
        """
        make_directory(directory)
        self.directory = directory
        self._random = random
        self._keks: dict[str, AESGCM] = {}
        self._person_key: bytes | None = None

    def __repr__(self) -> str:
        return f"Vault({str(self.directory)!r})"

    # -- the KEK of a month ------------------------------------------------------------------

    def new_key(self) -> bytes:
        """A fresh K for one submission: 32 random bytes."""
        return self._random(KEY_BYTES)

    def wrap(self, key: bytes, submission_id: str, month: str) -> bytes:
        """K encrypted under the KEK of *month* (`YYYY-MM`), which is made on first use.

        Raises:
            StorageError: the KEK is unusable, or cannot be made.
        """
        kek = self._keks.get(month) or self._load_kek(month, create=True)
        nonce = self._random(NONCE_BYTES)
        return nonce + kek.encrypt(nonce, key, _wrap_data(submission_id, month))

    def unwrap(self, wrapped: bytes, submission_id: str, month: str) -> bytes:
        """K again.

        Raises:
            StorageError: the KEK of *month* is gone, or *wrapped* is damaged or not this one's.
        """
        kek = self._keks.get(month) or self._load_kek(month, create=False)
        try:
            key = kek.decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrap_data(submission_id, month)
            )
        except (InvalidTag, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise StorageError(
                f"the key of submission {submission_id} cannot be unwrapped",
                hint=f"kek-{month} is not the one it was wrapped with, or the ledger file is"
                " damaged there",
                submission_id=submission_id,
                month=month,
            )
        return key

    def require(self, month: str) -> None:
        """Make sure that the KEK of *month* is there and usable.

        Raises:
            StorageError: it is not.
        """
        self._load_kek(month, create=False)

    def months(self) -> list[str]:
        """The months whose KEK is here, oldest first; one half destroyed included.

        Raises:
            StorageError: the directory cannot be read.
        """
        return months_in(self.directory)

    def destroy(self, month: str) -> None:
        """Make sure that nobody ever has the KEK of *month* again; done twice, it is no error.

        Whatever is wrapped with it is lost, in every copy of the database too.

        Raises:
            StorageError: the file cannot be overwritten or removed.
        """
        self._keks.pop(month, None)
        destroy_key(self.directory / f"{_KEK}{month}")

    def _load_kek(self, month: str, *, create: bool) -> AESGCM:
        if not _MONTH.fullmatch(month):
            raise StorageError(
                f"{month!r} is no retention month",
                hint="the ledger file is damaged there: run `acuse ledger verify`",
                month=month,
            )
        name = f"{_KEK}{month}"
        if not self.has(name):
            if not create:
                raise StorageError(
                    f"the key of the retention month {month} is gone",
                    hint="what was sent then cannot be read any more; if it should be, restore"
                    f" {name} to {self.directory}",
                    month=month,
                )
            self.make(name)
        kek = self._keks[month] = AESGCM(read_key(self.directory / name, name))
        return kek

    # -- the keys that are made once -----------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether the key file *name* (LOG_KEY, PERSON_KEY, `kek-YYYY-MM`) exists."""
        return os.path.lexists(self.directory / name)

    def make(self, name: str, kind: str = "") -> None:
        """Make LOG_KEY or PERSON_KEY (or a month's KEK), for a ledger that has none yet; *kind*:
        what the file says it is, where that is not its name.

        Never done in passing: a new person key would match no opt-out recorded before, a new log
        key would be another log.

        Raises:
            StorageError: there is one already, or it cannot be written.
        """
        write_key(self.directory / name, kind or name, self._random(KEY_BYTES))

    def log_seed(self) -> bytes:
        """The 32-byte Ed25519 seed of the log key kept here.

        Raises:
            StorageError: there is none, or it is unusable.
        """
        return load_seed(self.directory / LOG_KEY)

    def person(self, number: str) -> bytes:
        """A keyed hash of a phone number in E.164 form (HMAC-SHA-256): equal for equal numbers.

        Raises:
            StorageError: there is no person key, or it is unusable.
        """
        if self._person_key is None:
            self._person_key = read_key(self.directory / PERSON_KEY, PERSON_KEY)
        return digest(self._person_key, _PERSON_LABEL + number.encode(), "sha256")

    def code(self, owner: str, code: str) -> bytes:
        """A keyed hash of a short secret that *owner* was given: whoever has the file cannot guess.

        Raises:
            StorageError: there is no person key, or it is unusable.
        """
        return self.person(f"code\0{owner}\0{code}")


def _wrap_data(submission_id: str, month: str) -> bytes:
    return f"{_WRAP_LABEL}\0{submission_id}\0{month}".encode()
