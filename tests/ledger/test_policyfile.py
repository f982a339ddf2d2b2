"""Trust policies: what c2sp.org/tlog-policy allows, and clear errors for the rest."""

from __future__ import annotations

import pytest

from gateway.errors import DataError
from gateway.ledger.note import Signer, format_vkey
from gateway.ledger.policyfile import MAX_POLICY_BYTES, parse_policy
from tests.support.ledgers import ORIGIN, Witness, seed

LOG = Signer.from_seed(ORIGIN, seed("log")).vkey
W = [Witness(f"w{n}.example").vkey for n in range(5)]

TWO_LEVELS = f"""\
# two organisations
log {LOG} https://sms.example.es/
 witness X1 {W[0]}
witness\tX2 {W[1]} https://w1.example/
witness X3 {W[2]}
group X-witnesses 2 X1 X2 X3

witness Y1 {W[3]}
witness Y2 {W[4]}
  # preceded by space
group Y-witnesses any Y1 Y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_the_quorum_of_two_levels_is_met_by_the_right_subsets_only() -> None:
    policy = parse_policy(TWO_LEVELS.encode())
    assert [key.vkey for key in policy.logs] == [LOG]
    assert list(policy.witnesses) == ["X1", "X2", "X3", "Y1", "Y2"]
    assert policy.satisfied({"X1", "X3", "Y2"})
    assert policy.satisfied({"X1", "X2", "X3", "Y1", "Y2"})
    assert not policy.satisfied({"X1", "X2", "X3"})
    assert not policy.satisfied({"X1", "Y1", "Y2"})
    assert not policy.satisfied(set())


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_policy_without_witnesses(end: str) -> None:
    policy = parse_policy(f"log {LOG}\nquorum none{end}".encode())
    assert policy.satisfied(set())
    assert parse_policy(b"quorum none\n").logs == []


def test_a_single_witness_can_be_the_quorum() -> None:
    policy = parse_policy(f"witness one {W[0]}\nquorum one\n".encode())
    assert policy.satisfied({"one"})
    assert not policy.satisfied({"two"})


def test_names_are_octets() -> None:
    data = f"witness K {W[0]}\n".encode() + b"witness \xe2\x84\xaa " + W[1].encode()
    policy = parse_policy(data + b"\nquorum \xe2\x84\xaa\n")
    assert not policy.satisfied({"K"})
    assert policy.satisfied({"\u212a".encode().decode("latin-1")})


WITNESS = f"witness a {W[0]}\n"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "no quorum line"),
        (f"log {LOG}\n", 2, "no quorum line"),
        ("quorum none\r\n", 1, "control character"),
        ("quorum none\n\0", 2, "control character"),
        ("quorum a\n", 1, "'a' is no witness"),
        (WITNESS + "quorum none\nquorum a\n", 3, "second quorum"),
        (f"log {LOG}\nlog {LOG}\n", 2, "earlier line"),
        (WITNESS + f"witness b {W[0]}\n", 2, "earlier line"),
        (WITNESS + f"witness a {W[1]}\n", 2, "taken"),
        (f"witness none {W[0]}\n", 1, "taken"),
        (WITNESS + "group a any a\n", 2, "taken"),
        ("group g any b\n", 1, "'b' is no witness"),
        ("group g any none\n", 1, "'none' is no witness"),
        (WITNESS + "group g any a a\n", 2, "member of a group already"),
        (WITNESS + "group g any a\ngroup h any a\n", 3, "member of a group already"),
        (WITNESS + "group g 2 a\n", 2, "never be met"),
        (WITNESS + "group g 0 a\n", 2, "not any, all or a number"),
        (WITNESS + "group g most a\n", 2, "not any, all or a number"),
        (WITNESS + "group g any\n", 2, "not a line"),
        ("trust everybody\n", 1, "not a line"),
        ("log\n", 1, "not a line"),
        (f"log {W[0]}\n", 1, "a log has signature type 0x04"),
        (f"witness a {LOG}\n", 1, "a witness has signature type 0x01"),
        (f"witness a {format_vkey('pq.example', 6, bytes(1312))}\n", 1, "not supported"),
        ("log nonsense\n", 1, "NAME"),
        ("#" * (MAX_POLICY_BYTES + 1), 1, "larger"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        parse_policy(text.encode())
    assert caught.value.fields == {"field": "policy", "line": line}


def test_a_key_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(DataError, match="not UTF-8"):
        parse_policy(b"log \xff" + LOG.encode() + b"\n")
