"""Thrift's compact protocol, as far as a Parquet footer needs it: structs of integers, bytes, structs and lists.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterable
from typing import Self

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
