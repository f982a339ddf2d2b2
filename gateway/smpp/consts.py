"""Numbers of SMPP 3.4, and the names people know them by.

Values that came with SMPP 5.0 and are met on 3.4 links are marked so. The enumerations are for
names and comparison; what is decoded from the wire stays a plain int, because a peer may send any.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

HEADER_BYTES: Final = 16
"""Octets of the PDU header: length, id, status, sequence (SMPP 3.4 section 3.2)."""

MAX_PDU_BYTES: Final = 70_000
"""Longest PDU accepted. A message_payload may hold 65,535 octets (5.3.2.32); the rest is slack."""

VERSION_3_3: Final = 0x33
INTERFACE_VERSION: Final = 0x34
VERSION_5_0: Final = 0x50
MAX_SEQUENCE: Final = 0x7FFFFFFF
"""Our sequence numbers run from 1 to this and start again at 1 (5.1.4)."""

RESPONSE_BIT: Final = 0x80000000
"""Set in the command_id of every response, generic_nack included (5.1.2.1)."""

# Longest C-octet strings in characters, the closing NUL not counted, and longest octet strings.
MAX_SYSTEM_ID: Final = 15  # 5.2.1
MAX_PASSWORD: Final = 8  # 5.2.2
MAX_SYSTEM_TYPE: Final = 12  # 5.2.3
MAX_ADDRESS_RANGE: Final = 40  # 5.2.7
MAX_SERVICE_TYPE: Final = 5  # 5.2.11
MAX_ADDRESS: Final = 20  # 5.2.8, 5.2.9
TIME_LENGTH: Final = 16  # 5.2.15, 5.2.16: empty or exactly this long (7.1.1)
MAX_MESSAGE_ID: Final = 64  # 5.2.23
MAX_SHORT_MESSAGE_BYTES: Final = 254  # 5.2.22
MAX_TLV_BYTES: Final = 0xFFFF  # 3.2.4.1: the length is two octets


class CommandId(IntEnum):
    """command_id values (section 5.1.2.1)."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER = 0x00000002
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM = 0x00000003
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    REPLACE_SM = 0x00000007
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM = 0x00000008
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = 0x80000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI = 0x00000021
    SUBMIT_MULTI_RESP = 0x80000021
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    DATA_SM_RESP = 0x80000103


class Status(IntEnum):
    """command_status values (section 5.1.3). 0x400 to 0x4FF belong to the SMSC vendor."""

    ESME_ROK = 0x00000000
    ESME_RINVMSGLEN = 0x00000001
    ESME_RINVCMDLEN = 0x00000002
    ESME_RINVCMDID = 0x00000003
    ESME_RINVBNDSTS = 0x00000004
    ESME_RALYBND = 0x00000005
    ESME_RINVPRTFLG = 0x00000006
    ESME_RINVREGDLVFLG = 0x00000007
    ESME_RSYSERR = 0x00000008
    ESME_RINVSRCADR = 0x0000000A
    ESME_RINVDSTADR = 0x0000000B
    ESME_RINVMSGID = 0x0000000C
    ESME_RBINDFAIL = 0x0000000D
    ESME_RINVPASWD = 0x0000000E
    ESME_RINVSYSID = 0x0000000F
    ESME_RCANCELFAIL = 0x00000011
    ESME_RREPLACEFAIL = 0x00000013
    ESME_RMSGQFUL = 0x00000014
    ESME_RINVSERTYP = 0x00000015
    ESME_RINVNUMDESTS = 0x00000033
    ESME_RINVDLNAME = 0x00000034
    ESME_RINVDESTFLAG = 0x00000040
    ESME_RINVSUBREP = 0x00000042
    ESME_RINVESMCLASS = 0x00000043
    ESME_RCNTSUBDL = 0x00000044
    ESME_RSUBMITFAIL = 0x00000045
    ESME_RINVSRCTON = 0x00000048
    ESME_RINVSRCNPI = 0x00000049
    ESME_RINVDSTTON = 0x00000050
    ESME_RINVDSTNPI = 0x00000051
    ESME_RINVSYSTYP = 0x00000053
    ESME_RINVREPFLAG = 0x00000054
    ESME_RINVNUMMSGS = 0x00000055
    ESME_RTHROTTLED = 0x00000058
    ESME_RINVSCHED = 0x00000061
    ESME_RINVEXPIRY = 0x00000062
    ESME_RINVDFTMSGID = 0x00000063
    ESME_RX_T_APPN = 0x00000064
    ESME_RX_P_APPN = 0x00000065
    ESME_RX_R_APPN = 0x00000066
    ESME_RQUERYFAIL = 0x00000067
    ESME_RINVOPTPARSTREAM = 0x000000C0
    ESME_ROPTPARNOTALLWD = 0x000000C1
    ESME_RINVPARLEN = 0x000000C2
    ESME_RMISSINGOPTPARAM = 0x000000C3
    ESME_RINVOPTPARAMVAL = 0x000000C4
    ESME_RDELIVERYFAILURE = 0x000000FE
    ESME_RUNKNOWNERR = 0x000000FF


class Tag(IntEnum):
    """Tags of optional parameters (section 5.3.2); a peer may send others."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    CONGESTION_STATE = 0x0428  # SMPP 5.0 section 4.8.4.18; met on 3.4 links
    USSD_SERVICE_OP = 0x0501
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


class MessageState(IntEnum):
    """message_state values (section 5.2.28)."""

    SCHEDULED = 0  # SMPP 5.0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6  # handled by customer service on the subscriber's behalf, not delivered
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9  # SMPP 5.0


class EsmClass:
    """Bits of esm_class (section 5.2.12); mask with TYPE_MASK before comparing a type."""

    DEFAULT: Final = 0x00
    TYPE_MASK: Final = 0x3C
    RECEIPT: Final = 0x04
    DELIVERY_ACK: Final = 0x08
    USER_ACK: Final = 0x10
    CONVERSATION_ABORT: Final = 0x18
    INTERMEDIATE: Final = 0x20
    UDHI: Final = 0x40
    REPLY_PATH: Final = 0x80


class RegisteredDelivery:
    """Values of registered_delivery (section 5.2.17)."""

    NONE: Final = 0x00
    RECEIPT: Final = 0x01
    RECEIPT_ON_FAILURE: Final = 0x02
    INTERMEDIATE: Final = 0x10


class DataCoding(IntEnum):
    """data_coding schemes in use for text (section 5.2.19)."""

    DEFAULT = 0x00
    IA5 = 0x01
    BINARY_2 = 0x02
    LATIN1 = 0x03
    BINARY = 0x04
    JIS = 0x05
    CYRILLIC = 0x06
    HEBREW = 0x07
    UCS2 = 0x08


class Ton(IntEnum):
    """Type of number (section 5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6


class Npi(IntEnum):
    """Numbering plan indicator (section 5.2.6)."""

    UNKNOWN = 0
    ISDN = 1
    DATA = 3
    TELEX = 4
    LAND_MOBILE = 6
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    INTERNET = 14
    WAP = 18


_STATUS_NAMES: Final = {int(status): status.name for status in Status}
_COMMAND_NAMES: Final = {int(command): command.name.lower() for command in CommandId}


def status_name(status: int) -> str:
    """`ESME_RTHROTTLED` for 0x58; eight hexadecimal digits, `0x00000412`, for one not in 5.1.3."""
    return _STATUS_NAMES.get(status) or f"0x{status:08X}"


def command_name(command_id: int) -> str:
    """`submit_sm_resp` for 0x80000004; eight hexadecimal digits for an id not in 5.1.2.1."""
    return _COMMAND_NAMES.get(command_id) or f"0x{command_id:08X}"
