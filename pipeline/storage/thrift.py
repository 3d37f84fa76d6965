"""Thrift's compact protocol, as far as Parquet needs it: structs of integers, bytes, structs and lists.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterable
from typing import Any, Self

# A struct that was read: a kind and a value for each field, in the order in which they came.
Fields = dict[int, tuple[int, Any]]

_TRUE, _FALSE, _BYTE, _I16 = 1, 2, 3, 4
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_SMALL = [bytes([number]) for number in range(0x80)]


def varint(number: int) -> bytes:
    """A whole number from 0, seven bits a byte, the lowest first."""
    if number < 0x80:
        return _SMALL[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class Struct:
    """A struct being written; its fields are given in the order of their numbers."""

    def __init__(self, fields: bytes = b"", last: int = 0) -> None:
        """Begin with fields that are written already, of which `last` is the last."""
        self._out = bytearray(fields)
        self._last = last

    def i32(self, field: int, value: int) -> Self:
        """Add an integer of 32 bits, or a member of an enumeration."""
        return self._add(field, _I32, _integer(value))

    def i64(self, field: int, value: int) -> Self:
        """Add an integer of 64 bits."""
        return self._add(field, _I64, _integer(value))

    def binary(self, field: int, value: bytes) -> Self:
        """Add bytes, or a text's UTF-8."""
        return self._add(field, _BINARY, _binary(value))

    def struct(self, field: int, value: "Struct") -> Self:
        """Add a struct."""
        return self._add(field, _STRUCT, value.whole())

    def i32s(self, field: int, values: Iterable[int]) -> Self:
        """Add a list of integers of 32 bits."""
        return self._add(field, _LIST, _list(_I32, [_integer(value) for value in values]))

    def binaries(self, field: int, values: Iterable[bytes]) -> Self:
        """Add a list of byte strings."""
        return self._add(field, _LIST, _list(_BINARY, [_binary(value) for value in values]))

    def structs(self, field: int, values: Iterable["Struct"]) -> Self:
        """Add a list of structs."""
        return self._add(field, _LIST, _list(_STRUCT, [value.whole() for value in values]))

    def fields(self) -> bytes:
        """What is written so far."""
        return b"".join([self._out])

    def whole(self) -> bytes:
        """The whole struct: its fields, and the byte that ends it."""
        return b"".join([self._out, b"\0"])

    def _add(self, field: int, kind: int, value: bytes) -> Self:
        """A field's head is its distance from the last field and its type; Parquet's are at most 14 apart."""
        self._out.append((field - self._last) << 4 | kind)
        self._out += value
        self._last = field
        return self


def _integer(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else ~value << 1 | 1)


def _binary(value: bytes) -> bytes:
    return varint(len(value)) + value


def _list(kind: int, values: list[bytes]) -> bytes:
    short = len(values) < 15
    head = bytes([len(values) << 4 | kind]) if short else bytes([0xF0 | kind]) + varint(len(values))
    return head + b"".join(values)


def read_struct(data: bytes, at: int) -> tuple[Fields, int]:
    """The struct that begins at a byte, and where it ends.

    Raises ValueError for what Parquet does not use: doubles, sets and maps.
    """
    fields: Fields = {}
    last = 0
    while head := data[at]:
        at += 1
        kind, distance = head & 0x0F, head >> 4
        if distance:
            last += distance
        else:
            last, at = _read_integer(data, at)
        value, at = (None, at) if kind in (_TRUE, _FALSE) else _read(data, at, kind)
        fields[last] = kind, value
    return fields, at + 1


def written_struct(fields: Fields) -> bytes:
    """The bytes of a struct that was read, whatever its values are by now."""
    out, last = bytearray(), 0
    for field, (kind, value) in fields.items():
        distance = field - last
        out += bytes([distance << 4 | kind]) if 0 < distance < 16 else bytes([kind]) + _integer(field)
        out += _written(kind, value)
        last = field
    return bytes(out + b"\0")


def _read(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == _BYTE:
        return data[at], at + 1
    if kind in (_I16, _I32, _I64):
        return _read_integer(data, at)
    if kind == _BINARY:
        length, at = _read_varint(data, at)
        return data[at : at + length], at + length
    if kind == _LIST:
        return _read_list(data, at)
    if kind == _STRUCT:
        return read_struct(data, at)
    raise ValueError(f"thrift's kind {kind} is not one of Parquet's")


def _read_list(data: bytes, at: int) -> tuple[tuple[int, list[Any]], int]:
    """A list: the kind of its values, and they."""
    count, kind = data[at] >> 4, data[at] & 0x0F
    at += 1
    if count == 15:
        count, at = _read_varint(data, at)
    values = []
    for _ in range(count):
        value, at = (data[at], at + 1) if kind in (_TRUE, _FALSE) else _read(data, at, kind)
        values.append(value)
    return (kind, values), at


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    number, at = _read_varint(data, at)
    return number >> 1 ^ -(number & 1), at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
        shift += 7


def _written(kind: int, value: Any) -> bytes:
    if kind in (_I16, _I32, _I64):
        return _integer(value)
    if kind == _BINARY:
        return _binary(value)
    if kind == _STRUCT:
        return written_struct(value)
    if kind == _LIST:
        of, values = value
        return _list(of, [bytes([v]) if of in (_TRUE, _FALSE, _BYTE) else _written(of, v) for v in values])
    return bytes([value]) if kind == _BYTE else b""
