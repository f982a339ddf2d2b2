"""The shipped standalone verifier, loaded from its file, as a second opinion written apart.

In tests its signatures are checked by `cryptography` in place of the program openssl, so that
`make test` needs nothing but Python; `tests/interop` runs it as it is.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.errors import DataError
from gateway.resources import config_directory

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from gateway.ledger.policyfile import Policy
    from gateway.ledger.report import Report
    from gateway.ledger.stamps import StampCheck

VERIFIER: Final = config_directory() / "verifier" / "acuse-verify.py"


def load(path: Path = VERIFIER) -> ModuleType:
    """The verifier as a module; it is a script, and nothing of the gateway imports it."""
    spec = importlib.util.spec_from_file_location("acuse_verify", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verifier: Final[Any] = load()


class Tools:
    """What the verifier asks openssl for, by other means."""

    def __init__(self, stamp_check: StampCheck | None = None) -> None:
        self._check = stamp_check

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def stamp(self, token: bytes, data: bytes) -> tuple[int, int] | None:
        try:
            stamp = self._check(token, data.decode()) if self._check else None
        except DataError as error:
            raise verifier.Fault("timestamp", error.message) from None
        return (stamp.at_ms, stamp.accuracy_ms) if stamp else None


def policy_text(policy: Policy) -> bytes:
    """The file that *policy* stands for."""
    rows = [f"log {key.vkey}" for key in policy.logs]
    rows += [f"witness {name} {key.vkey}" for name, key in policy.witnesses.items()]
    rows += [
        f"group {name} {one.needed} {' '.join(one.members)}" for name, one in policy.groups.items()
    ]
    return "\n".join([*rows, f"quorum {policy.quorum}", ""]).encode("latin-1")


def second_opinion(
    data: bytes,
    *,
    policy: bytes | Policy | None = None,
    since: str | None = None,
    max_age_s: int | None = None,
    now_ms: int = 0,
    stamp_check: StampCheck | None = None,
) -> Any:
    """The standalone verifier's `Report`."""
    text = policy if isinstance(policy, bytes | None) else policy_text(policy)
    trust = verifier.Policy(text) if text is not None else None
    return verifier.verify(data, Tools(stamp_check), trust, since, max_age_s, now_ms)


def judge(text: str, vkey: str) -> tuple[int, str]:
    """(exit code, verdict and reason) of a bundle, with the log's key pinned; 4 without tokens."""
    try:
        report = second_opinion(text.encode(), policy=f"log {vkey}\nquorum none\n".encode())
    except (verifier.NotAProof, UnicodeEncodeError) as error:
        return 65, str(error)
    return verifier.EXIT[report.verdict], f"{report.verdict}: {report.reason}"


def agree(report: Report, data: bytes, **given: Any) -> None:
    """The standalone verifier says of *data* what *report* says, to the letter."""
    assert second_opinion(data, **given).as_json() == report.as_json()
