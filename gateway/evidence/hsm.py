"""A log key that never leaves its hardware module: Ed25519 through PKCS#11 (CKM_EDDSA).

Every signature is checked before it is used: a module that signs wrongly must not put a note into
the world that nobody can verify.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, SignMixin
from pkcs11.exceptions import PinIncorrect, PKCS11Error, UserAlreadyLoggedIn

from gateway.errors import DataError, StorageError
from gateway.ledger.note import ED25519, KEY_BYTES, SignatureLine, Verifier, check_name

if TYPE_CHECKING:
    from gateway.settings import Pkcs11

#: Of a DER OCTET STRING of 32 bytes, in which PKCS#11 wraps the point; some modules leave it out.
_OCTET_STRING = b"\x04\x20"


class Pkcs11Signer:
    """A `NoteSigner` whose key is in a module; its session lasts as long as the process."""

    def __init__(
        self, session: pkcs11.Session, key: SignMixin, verifier: Verifier, said: str
    ) -> None:
        self._session = session
        self._key = key
        self._verifier = verifier
        self._said = said
        # A session does one thing at a time, and bundles are signed beside checkpoints.
        self._alone = threading.Lock()

    @classmethod
    def open(cls, settings: Pkcs11, name: str) -> Pkcs11Signer:
        """The key the settings name, as the key of the log *name*.

        Raises:
            StorageError: module, token, PIN or key are not there, or the key is no Ed25519 key.
        """
        check_name(name)
        said = f"the key {settings.label!r} of the token {settings.token!r}"
        try:
            module = pkcs11.lib(str(settings.module))
            session = _session(module.get_token(token_label=settings.token), settings)
            try:
                return cls(session, *_key(session, settings.label, name), said)
            except BaseException:
                session.close()
                raise
        except PinIncorrect:
            raise _unusable(said, "the PIN is wrong", "some modules lock after a few") from None
        except (PKCS11Error, DataError) as error:
            raise _unusable(said, str(error) or type(error).__name__) from None

    def __repr__(self) -> str:
        return f"Pkcs11Signer({self.vkey!r})"

    @property
    def name(self) -> str:
        """The key's name: the log's origin."""
        return self._verifier.name

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return self._verifier.vkey

    def sign(self, text: str) -> SignatureLine:
        """The signature line for *text*.

        Raises:
            StorageError: the module does not sign, or wrongly.
        """
        try:
            with self._alone:
                signature = self._key.sign(text.encode(), mechanism=Mechanism.EDDSA)
        except PKCS11Error as error:
            raise _unusable(self._said, str(error) or type(error).__name__) from None
        line = SignatureLine(self.name, self._verifier.key_id, bytes(signature))
        if not self._verifier.holds(text, line):
            raise _unusable(self._said, "its signature does not verify by its public key")
        return line

    def close(self) -> None:
        """End the session."""
        self._session.close()


def _session(token: pkcs11.Token, settings: Pkcs11) -> pkcs11.Session:
    try:
        return token.open(user_pin=settings.pin.reveal())
    except UserAlreadyLoggedIn:  # by another key of the same token: while the log's key changes
        return token.open()


def _key(session: pkcs11.Session, label: str, name: str) -> tuple[SignMixin, Verifier]:
    public = session.get_key(ObjectClass.PUBLIC_KEY, KeyType.EC_EDWARDS, label)
    private = session.get_key(ObjectClass.PRIVATE_KEY, KeyType.EC_EDWARDS, label)
    point = bytes(public[Attribute.EC_POINT]).removeprefix(_OCTET_STRING)
    if len(point) != KEY_BYTES:
        raise DataError("it is not an Ed25519 key")
    if not isinstance(private, SignMixin):
        raise DataError("it may not sign")
    return private, Verifier(name, ED25519, point)


def _unusable(said: str, why: str, more: str = "") -> StorageError:
    return StorageError(
        f"{said} cannot be used: {why}",
        hint="check ledger.key.pkcs11: module, token, label and pin; the token needs the private"
        f" and the public key, Ed25519, under that label{'; ' + more if more else ''}",
        setting="ledger.key",
    )
