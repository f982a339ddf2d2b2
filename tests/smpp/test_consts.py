"""The numbers are the standard's: checked against smpplib, where it has them."""

from __future__ import annotations

from smpplib import command_codes
from smpplib import consts as theirs

from gateway.smpp.consts import (
    CommandId,
    DataCoding,
    MessageState,
    Npi,
    Status,
    Tag,
    Ton,
    command_name,
    status_name,
)


def smpplib_constants(prefix: str) -> dict[str, int]:
    return {
        name.removeprefix(prefix): value
        for name, value in vars(theirs).items()
        if name.startswith(prefix) and isinstance(value, int)
    }


def test_commands_are_those_of_the_standard() -> None:
    assert {one.name.lower(): int(one) for one in CommandId} == command_codes.commands


def test_statuses_are_those_of_the_standard() -> None:
    ours = {one.name.removeprefix("ESME_"): int(one) for one in Status}
    assert ours == smpplib_constants("SMPP_ESME_")


def test_tags_are_those_of_the_standard_and_one_of_smpp_5() -> None:
    ours = {one.name.lower(): int(one) for one in Tag}
    assert ours.pop("congestion_state") == 0x0428
    assert ours == theirs.OPTIONAL_PARAMS


def test_states_numbering_plans_and_codings_agree() -> None:
    states = smpplib_constants("SMPP_MESSAGE_STATE_")
    assert states.items() <= {one.name: int(one) for one in MessageState}.items()
    assert set(smpplib_constants("SMPP_TON_").values()) == set(Ton)
    assert set(smpplib_constants("SMPP_NPI_").values()) == set(Npi)
    assert set(DataCoding) <= set(smpplib_constants("SMPP_ENCODING_").values())


def test_a_person_reads_names_and_a_vendor_code_stays_a_number() -> None:
    assert status_name(0) == "ESME_ROK"
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x412) == "0x00000412"
    assert command_name(0x80000004) == "submit_sm_resp"
    assert command_name(0x10201) == "0x00010201"
