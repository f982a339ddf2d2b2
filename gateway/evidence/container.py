"""ZIP files as proofs travel in them: written the same way every time, read without any trust.

Python's `zipfile` forgives what a signed container must not have: two files of one name, bytes
before the first or after the last one, a directory that disagrees with the files. Two programs
then see two contents under one signature. Here every byte belongs to exactly one place of the
format (PKWARE APPNOTE 6.3.3, sections 4.3.7, 4.3.9, 4.3.12 and 4.3.16), or the file is refused.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILES = 64
#: All files of a container together, unpacked.
MAX_UNPACKED_BYTES = 40 << 20

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_STORED, _DEFLATED = 0, 8
#: Of the flags only these may be set: sizes follow the data (3), the name is UTF-8 (11).
_FOLLOWING, _UTF8 = 1 << 3, 1 << 11
_COMPRESSION_LEVEL = 0b110
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,3}")
#: The first moment a ZIP file can name; what is in it has times of its own.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(files: Mapping[str, bytes], *, stored: frozenset[str]) -> bytes:
    """A ZIP file of *files* in their order; those in *stored* are not compressed.

    The same files give the same bytes.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = _STORED if name in stored else _DEFLATED
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
    return made.getvalue()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file as the central directory has it."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    offset: int


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a ZIP file, in order.

    Raises:
        DataError: not a whole ZIP file, or one that two readers could read in two ways, or larger
            than `MAX_UNPACKED_BYTES`; reason "document".
    """
    entries, directory = _directory(data)
    if sum(entry.unpacked for entry in entries) > MAX_UNPACKED_BYTES:
        raise _refuse(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    files: dict[str, bytes] = {}
    names: set[str] = set()
    at = 0
    for entry in entries:
        if entry.name.casefold() in names:
            raise _refuse(f"two files are called {entry.name}")
        names.add(entry.name.casefold())
        if entry.offset != at:
            raise _refuse(f"{entry.name} does not begin where the file before it ends")
        files[entry.name], at = _file(data, entry, directory)
    if at != directory:
        raise _refuse("bytes between its files and its directory belong to neither")
    return files


def _refuse(why: str) -> DataError:
    return DataError(f"the container is not a sound ZIP file: {why}", reason="document")


def _directory(data: bytes) -> tuple[list[_Entry], int]:
    """The entries of the central directory, and where it begins."""
    start = len(data) - _END.size
    if start < 0:
        raise _refuse("it is too short")
    mark, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, start)
    if mark != b"PK\5\6" or comment:
        raise _refuse("it does not end with its directory's end, or bytes follow it")
    if disk or first_disk or here != count or offset + size != start:
        raise _refuse("its directory does not stand right before its end")
    if not 0 < count <= MAX_FILES:
        raise _refuse(f"it has {count} files; 1 to {MAX_FILES} are expected")
    entries, at = [], offset
    for _ in range(count):
        if at + _CENTRAL.size > start:
            raise _refuse("its directory is cut")
        entry, at = _central(data, at)
        entries.append(entry)
    if at != start:
        raise _refuse("its directory has more than its files")
    return entries, offset


def _central(data: bytes, at: int) -> tuple[_Entry, int]:
    fields = _CENTRAL.unpack_from(data, at)
    mark, _, _, flags, method, _, _, crc, packed, unpacked, *rest = fields
    name_size, extra, comment, disk, _, _, offset = rest
    name = _name(data[at + _CENTRAL.size : at + _CENTRAL.size + name_size])
    # An extra field can give a file another name or other sizes, to readers that heed it.
    if mark != b"PK\1\2" or comment or disk or extra:
        raise _refuse(f"the directory's entry of {name} is not plain")
    if flags & ~(_FOLLOWING | _UTF8 | _COMPRESSION_LEVEL) or method not in (_STORED, _DEFLATED):
        raise _refuse(f"{name} is encrypted, or packed in a way no proof is")
    end = at + _CENTRAL.size + name_size
    return _Entry(name, flags, method, crc, packed, unpacked, offset), end


def _name(raw: bytes) -> str:
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError:
        raise _refuse("the name of a file is not ASCII") from None
    if not _NAME.fullmatch(name):
        raise _refuse(f"a file has the name {name[:60]!r}")
    return name


def _file(data: bytes, entry: _Entry, directory: int) -> tuple[bytes, int]:
    """The content of a file, and where the next one must begin."""
    if entry.offset + _LOCAL.size > directory:
        raise _refuse(f"{entry.name} lies outside")
    fields = _LOCAL.unpack_from(data, entry.offset)
    mark, _, flags, method, _, _, crc, packed, unpacked, name_size, extra = fields
    begin = entry.offset + _LOCAL.size + name_size
    end = begin + entry.packed
    told = (crc, packed, unpacked)
    wanted = (entry.crc, entry.packed, entry.unpacked)
    if (
        mark != b"PK\3\4"
        or (flags, method) != (entry.flags, entry.method)
        or extra
        or end > directory
    ):
        raise _refuse(f"{entry.name} is not as the directory says")
    if data[entry.offset + _LOCAL.size : begin] != entry.name.encode():
        raise _refuse(f"{entry.name} has another name where it stands")
    if told != wanted and not (flags & _FOLLOWING and told in ((0, 0, 0), wanted)):
        raise _refuse(f"{entry.name} has another size or sum where it stands")
    content = _content(memoryview(data)[begin:end], entry)
    if not flags & _FOLLOWING:
        return content, end
    descriptor = struct.pack("<3I", *wanted)
    for form in (b"PK\7\x08" + descriptor, descriptor):
        if data[end : end + len(form)] == form:
            return content, end + len(form)
    raise _refuse(f"the sizes that follow {entry.name} are not the directory's")


def _content(packed: memoryview, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        content, rest = bytes(packed), b""
    else:
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = machine.decompress(packed, entry.unpacked + 1)
        except zlib.error:
            raise _refuse(f"{entry.name} cannot be unpacked") from None
        rest = machine.unused_data or machine.unconsumed_tail
        if not machine.eof:
            raise _refuse(f"{entry.name} is cut, or unpacks to more than it says")
    if rest or len(content) != entry.unpacked or zlib.crc32(content) != entry.crc:
        raise _refuse(f"{entry.name} is not of the size and sum it says")
    return content
