"""Field types of bitstream_spec.md section 2.1, and the numbers that several sections name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reference_decoder.errors import Refused, need

DICTIONARIES = Path(__file__).parent.parent / "neurcodec" / "entropy" / "dictionaries"
HASHES = {
    "captions.txt": "a416468d211e267bf64bc1e73cac8c150187eb03bde0ef10433d1cf34a29ee1b",
    "heads.bin": "0442e8ac2d3a3287cf2bde0203782623917a4f96d1929e53466ee4651b383266",
}
"""SHA-256, as in sections 6.10 and annex A."""
TIME_MAX = 2**62 - 1
INT_MAX = 2**31 - 1
U32_MAX = 2**32 - 1


class Bytes:
    """Section 2.1: field types."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def raw(self, count: int) -> bytes:
        need(count <= len(self.data), "a field does not fit")
        head, self.data = self.data[:count], self.data[count:]
        return head

    def fixed(self, count: int, low: int, high: int, signed: bool = False, beyond: str = "damage") -> int:
        return within(int.from_bytes(self.raw(count), "little", signed=signed), low, high, beyond)

    def u8(self, low: int = 0, high: int = 255, beyond: str = "damage") -> int:
        return self.fixed(1, low, high, beyond=beyond)

    def u32(self, low: int = 0) -> int:
        return self.fixed(4, low, U32_MAX)

    def uvar(self, low: int = 0, high: int = 2**63 - 1) -> int:
        value = shift = 0
        while True:
            need(shift < 63, "integer longer than 9 bytes")
            byte = self.u8()
            value += (byte % 128) << shift
            if byte < 128:
                need(byte > 0 or shift == 0, "integer not in its shortest form")
                return within(value, low, high)
            shift += 7

    def svar(self) -> int:
        value = self.uvar()
        return within(-(value + 1) // 2 if value % 2 else value // 2, -TIME_MAX, TIME_MAX)

    def blob(self, low: int, high: int) -> bytes:
        return self.raw(self.uvar(low, high))

    def text(self, low: int, high: int) -> str:
        try:
            return self.blob(low, high).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("damage", "text is not UTF-8") from None

    def ratio(self, low: int) -> tuple[int, int]:
        return self.uvar(low, INT_MAX), self.uvar(1, INT_MAX)

    def pairs(self, low: int) -> dict[str, str]:
        count = self.uvar(low, 1024)
        need(count <= len(self.data), "more pairs than bytes")
        pairs = [(self.text(1, 255), self.text(0, 65536)) for _ in range(count)]
        need(len(dict(pairs)) == count, "a key is there twice")
        return dict(pairs)

    def end(self) -> None:
        need(not self.data, "bytes behind the last field")


def within(value: int, low: int, high: int, beyond: str = "damage") -> int:
    need(value <= high, f"{value} is above {high}", beyond)
    need(value >= low, f"{value} is below {low}")
    return value


def dictionary(name: str) -> bytes:
    """One of the two files that are part of the specification."""
    path = DICTIONARIES / name
    try:
        data = path.read_bytes()
    except OSError:
        raise Refused("model", f"{path} is not there; it is needed for this file") from None
    need(hashlib.sha256(data).hexdigest() == HASHES[name], f"{path} is another one", "model")
    return data
