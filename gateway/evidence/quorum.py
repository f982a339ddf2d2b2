"""How many witnesses it takes: by `ledger.policy_file` (c2sp.org/tlog-policy), else any one of
those configured; and the policy that verifiers of this log are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import ConfigError, DataError, StorageError
from gateway.ledger.note import COSIGNATURE, Verifier
from gateway.ledger.policyfile import (
    MAX_POLICY_BYTES,
    NO_QUORUM,
    Group,
    Policy,
    format_policy,
    parse_policy,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gateway.settings import Settings, Witness

#: The group of all configured witnesses, where no policy says otherwise.
_ANY = "witnesses"


class Quorum:
    """The rule by which a checkpoint counts as witnessed."""

    def __init__(self, policy: Policy, configured: Sequence[Witness]) -> None:
        self.policy = policy
        #: The verifier keys of those that are asked.
        self.vkeys = [each.vkey for each in configured]
        by_key = {key.vkey: name for name, key in policy.witnesses.items()}
        self._names = {each.name: by_key.get(each.vkey) for each in configured}

    @classmethod
    def of(cls, settings: Settings) -> Quorum:
        """That of a configuration.

        Raises:
            ConfigError: a verifier key, or the policy file, cannot be used.
        """
        known: dict[str, Verifier] = {}
        for number, each in enumerate(settings.witness):
            known[each.name] = _witness_key(each.vkey, f"witness[{number}].vkey")
        path = settings.ledger.policy_file
        if path is None:
            return cls(_any_of(known), settings.witness)
        try:
            with path.open("rb") as file:
                policy = parse_policy(file.read(MAX_POLICY_BYTES + 1))
        except OSError as error:
            raise StorageError(
                f"the policy {path} cannot be read: {error.strerror}",
                hint="it must be readable for the daemon's user",
                setting="ledger.policy_file",
            ) from None
        except DataError as error:
            raise ConfigError(
                f"{path}: {error.message}",
                hint=error.hint or "it is a c2sp.org/tlog-policy file",
                setting="ledger.policy_file",
            ) from None
        asked = {key.vkey for key in known.values()}
        reachable = [name for name, key in policy.witnesses.items() if key.vkey in asked]
        if not policy.satisfied(reachable):
            raise ConfigError(
                f"the quorum of {path} can never be met by the witnesses configured",
                hint="add a [[witness]] with the verifier key of each one it takes",
                setting="ledger.policy_file",
            )
        return cls(policy, settings.witness)

    def met(self, cosigned: Collection[str]) -> bool:
        """Whether it is met when the witnesses of these configured names have cosigned."""
        return self.policy.satisfied([name for each in cosigned if (name := self._names.get(each))])

    def text(self, logs: Iterable[str]) -> bytes:
        """The policy for verifiers: the verifier keys *logs* of this log, witnesses and quorum."""
        keys = [Verifier.from_vkey(vkey) for vkey in logs]
        policy = self.policy
        return format_policy(Policy(keys, policy.witnesses, policy.groups, policy.quorum))


def _any_of(known: dict[str, Verifier]) -> Policy:
    if not known:
        return Policy(quorum=NO_QUORUM)
    if len(known) == 1:
        return Policy(witnesses=known, quorum=next(iter(known)))
    name = _ANY if _ANY not in known else f"any-of-{_ANY}"
    return Policy(witnesses=known, groups={name: Group(1, tuple(known))}, quorum=name)


def _witness_key(vkey: str, setting: str) -> Verifier:
    try:
        key = Verifier.from_vkey(vkey)
    except DataError as error:
        raise ConfigError(error.message, hint=_HINT, setting=setting) from None
    if key.kind != COSIGNATURE:
        raise ConfigError(f"the key of {key.name} is not a witness's", hint=_HINT, setting=setting)
    return key


_HINT = "copy the verifier key that `acuse witness` prints (signature type 0x04)"
