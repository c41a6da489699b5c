"""The coded base layer: units come back bit for bit, the second reader agrees, hostile bytes are refused."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from conftest import scene
from hypothesis import given, settings
from hypothesis import strategies as st

from neurcodec.container import BaseLayer, Gop, Substream
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import binary, temporal_units
from neurcodec.errors import DamageError
from neurcodec.media.av1 import encode_gop
from reference_decoder import Refused, decisions
from reference_decoder import temporal_units as spec_units


def chunk(data: bytes, frames: int) -> Gop:
    return Gop(tuple(range(frames)), 1, 0, 1, {Substream.BASE: data}, bytes(8), BaseLayer(1, 50))


def obu(header: int, payload: bytes) -> bytes:
    return bytes([header]) + pack_uvar(len(payload)) + payload


headers = st.integers(0, 15).map(lambda kind: kind << 3 | 2)
payloads = st.binary(max_size=40) | st.binary(min_size=126, max_size=131)
packet_bytes = st.lists(st.builds(obu, headers, payloads), min_size=1, max_size=4).map(b"".join)


def coded(row: list[bytes]) -> bytes:
    data = temporal_units.encode(row)
    assert temporal_units.decode(chunk(data, len(row))) == row
    return data


@settings(deadline=None, max_examples=25)
@given(st.lists(packet_bytes, min_size=1, max_size=5))
def test_units_come_back(row: list[bytes]) -> None:
    assert spec_units.units(coded(row), len(row)) == row


@pytest.mark.parametrize("crf", [30, 63])
def test_av1_units_take_fewer_bytes(crf: int) -> None:
    row = encode_gop(np.stack(scene(40, (128, 96))), crf)
    data = coded(row)
    assert spec_units.units(data, len(row)) == row
    assert len(data) < sum(map(len, row)) - 12 * len(row)


@pytest.mark.parametrize(
    "unit",
    [
        b"",
        b"AV1",
        obu(0x32, bytes(9))[:-1],
        obu(0x36, bytes(9)),  # with an extension
        obu(0x33, bytes(9)),  # with the reserved bit
        b"\x30" + bytes(9),  # without a size
        b"\x32\x81\x00" + b"x",  # with a size of two bytes that needs one
        obu(0x12, b"") * (temporal_units.most(2)),
    ],
)
def test_other_units_are_not_coded(unit: bytes) -> None:
    with pytest.raises(ValueError, match="plain OBUs"):
        temporal_units.encode([obu(0x32, b"frame"), unit])


def test_the_most_obus() -> None:
    coded([obu(0x12, b"") * (temporal_units.most(2) - 1), obu(0x12, b"")])


def test_too_many_obus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporal_units, "SPARE", temporal_units.SPARE + 1)
    data = temporal_units.encode([obu(0x12, b"") * temporal_units.most(1)])
    monkeypatch.undo()
    with pytest.raises(DamageError, match="too many OBUs"):
        temporal_units.decode(chunk(data, 1))


def test_hostile_bytes_are_refused_or_decode_to_what_fits() -> None:
    row = encode_gop(np.stack(scene(6, (96, 64))), 50)
    good = coded(row)
    rng = random.Random(3)
    refused = 0
    for _ in range(100):
        data = bytearray(good[: rng.choice((len(good), rng.randint(1, len(good))))])
        data[rng.randrange(min(len(data), 60))] ^= 1 << rng.randrange(8)
        try:
            found = temporal_units.decode(chunk(bytes(data), len(row)))
        except DamageError:
            refused += 1
            with pytest.raises(Refused):
                spec_units.units(bytes(data), len(row))
        else:
            assert found == spec_units.units(bytes(data), len(row))
    assert refused > 70
    for other in (good + b"x", good[:-1], b"", b"\x05abc"):
        with pytest.raises(DamageError):
            temporal_units.decode(chunk(other, len(row)))


def test_sizes_out_of_range_are_refused() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return temporal_units.MAX_PAYLOAD

    with pytest.raises(DamageError, match="size of an OBU"):
        temporal_units.Heads(temporal_units.Encoder(), 1, None).obu((0x32, Huge()))


def test_the_tables_are_the_logistic_function() -> None:
    assert list(binary.SQUASH) == [round(4096 / (1 + math.exp(8 - i / 2))) for i in range(33)] == decisions.S
    assert binary.stretched() == decisions.STRETCH
