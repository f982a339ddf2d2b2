"""How many witnesses it takes, and the policy that verifiers are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import ConfigError, StorageError
from gateway.evidence.quorum import Quorum
from gateway.ledger.note import Signer
from gateway.ledger.policyfile import format_policy, parse_policy
from tests.ledger.test_policyfile import TWO_LEVELS
from tests.support.ledgers import ORIGIN, Witness, seed

if TYPE_CHECKING:
    from pathlib import Path

LOG = Signer.from_seed(ORIGIN, seed("log")).vkey
W = [Witness(f"w{n}.example").vkey for n in range(5)]


def settings(names: list[str], policy_file: Path | None = None) -> Any:
    witnesses = tuple(
        SimpleNamespace(name=name, vkey=vkey) for name, vkey in zip(names, W, strict=False)
    )
    return SimpleNamespace(witness=witnesses, ledger=SimpleNamespace(policy_file=policy_file))


def test_without_a_policy_any_one_of_the_witnesses_configured_is_enough() -> None:
    assert Quorum.of(settings([])).met([])
    for names in (["a"], ["a", "b"], ["a", "witnesses", "c"]):
        quorum = Quorum.of(settings(names))
        assert not quorum.met([])
        assert not quorum.met(["somebody"])
        for name in names:
            assert quorum.met([name])


def test_the_policy_s_quorum_counts_and_goes_by_keys_not_by_names(tmp_path: Path) -> None:
    path = tmp_path / "trusted.policy"
    path.write_text(TWO_LEVELS)
    quorum = Quorum.of(settings(["one", "two", "three", "four", "five"], path))
    assert quorum.met(["one", "three", "five"])
    assert not quorum.met(["one", "two", "three"])
    assert not quorum.met(["X1", "X2", "Y1"])


def test_a_quorum_that_cannot_be_met_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "trusted.policy"
    path.write_text(TWO_LEVELS)
    with pytest.raises(ConfigError, match="never be met") as caught:
        Quorum.of(settings(["one", "two", "three"], path))
    assert caught.value.fields["setting"] == "ledger.policy_file"
    path.write_text("quorum nobody\n")
    with pytest.raises(ConfigError, match="line 1"):
        Quorum.of(settings([], path))
    path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        Quorum.of(settings([], path))


@pytest.mark.parametrize("vkey", ["nonsense", LOG])
def test_a_witness_s_key_must_be_one(vkey: str) -> None:
    given = settings(["a"])
    given.witness[0].vkey = vkey
    with pytest.raises(ConfigError) as caught:
        Quorum.of(given)
    assert caught.value.fields["setting"] == "witness[0].vkey"


def test_the_policy_printed_is_one_that_verifiers_read(tmp_path: Path) -> None:
    for names in ([], ["a"], ["a", "b", "c"]):
        text = Quorum.of(settings(names)).text([LOG])
        read = parse_policy(text)
        assert [key.vkey for key in read.logs] == [LOG]
        assert list(read.witnesses) == names
        assert read.satisfied(names[:1])
        assert read.satisfied([]) == (not names)
    path = tmp_path / "trusted.policy"
    path.write_text(TWO_LEVELS)
    quorum = Quorum.of(settings(["one", "two", "three", "four", "five"], path))
    again = parse_policy(quorum.text([LOG]))
    assert format_policy(again) == format_policy(parse_policy(TWO_LEVELS.encode()))
    assert again.groups == parse_policy(TWO_LEVELS.encode()).groups


def test_names_that_are_no_ascii_stay_the_octets_they_were() -> None:
    odd = f"witness ni\u00f1o {W[0]}\nquorum ni\u00f1o\n".encode()
    assert format_policy(parse_policy(odd)) == odd
