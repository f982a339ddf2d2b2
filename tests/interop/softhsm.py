"""A token of SoftHSM2 in a directory of its own, with Ed25519 keys made inside it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so")
#: Run in a process of its own: a module reads its configuration once, when it is loaded.
_MAKE = """
import sys, pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.util.ec import encode_named_curve_parameters
module, label, curve = sys.argv[1:]
token = pkcs11.lib(module).get_token(token_label="acuse")
with token.open(user_pin="1234", rw=True) as session:
    kind = KeyType.EC_EDWARDS if curve == "1.3.101.112" else KeyType.EC
    how = Mechanism.EC_EDWARDS_KEY_PAIR_GEN if kind is KeyType.EC_EDWARDS else None
    parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
    group = session.create_domain_parameters(kind, parameters, local=True)
    _, private = group.generate_keypair(mechanism=how, store=True, label=label)
    print(private[Attribute.EXTRACTABLE])
"""


def softhsm_module() -> Path:
    """The library that Debian's package installs."""
    for pattern in MODULES:
        for found in Path("/").glob(pattern.removeprefix("/")):
            return found
    raise AssertionError("softhsm2 is not installed: python -m tests.interop.install")


@dataclass(frozen=True)
class SoftHsm:
    """A token with the label `acuse` and the PIN 1234."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> SoftHsm:
        """A fresh token; its PIN is in a file, too."""
        (directory / "tokens").mkdir()
        (directory / "softhsm2.conf").write_text(
            f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\n"
        )
        made = cls(directory)
        made._run(
            *("softhsm2-util", "--init-token", "--free", "--label", "acuse"),
            *("--pin", "1234", "--so-pin", "5678"),
        )
        for name, pin in (("pin", "1234"), ("wrong-pin", "4321")):
            (directory / name).write_text(pin)
            (directory / name).chmod(0o600)
        return made

    @property
    def env(self) -> dict[str, str]:
        """What tells the module where its tokens are."""
        return {"SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}

    def make_key(self, label: str, curve: str = "1.3.101.112") -> None:
        """A key that never leaves the token; by default Ed25519."""
        said = self._run(sys.executable, "-c", _MAKE, str(softhsm_module()), label, curve)
        assert said.strip() == "False", "the private key can be taken out"

    def key(self, label: str, *, token: str = "acuse", pin: str = "pin") -> str:
        """The value of `ledger.key` for that key."""
        return (
            f'{{pkcs11 = {{module = "{softhsm_module()}", token = "{token}", label = "{label}",'
            f' pin = {{file = "{self.directory / pin}"}}}}}}'
        )

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | self.env,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
