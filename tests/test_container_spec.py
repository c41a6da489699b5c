"""bitstream_spec.md against the code, the vectors against both readers, and the readers against each other."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import random
import re
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import container_samples as samples
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from neurcodec.container import Gop, Limits, Packet, Reader, tables
from neurcodec.container.schema import Field
from neurcodec.entropy import temporal_units
from neurcodec.errors import DamageError, FormatError, LimitError
from neurcodec.extensions.caption import stream as caption
from reference_decoder import Refused, read
from tools.format import make_vectors, update_spec
from tools.format.files import split
from tools.format.requirements import RULES, names

ROOT = Path(__file__).parent.parent
SPEC = (ROOT / "bitstream_spec.md").read_text(encoding="utf-8")
VECTORS = ROOT / "tests" / "vectors"
GOOD = sorted((VECTORS / "good").glob("*.nvc"))
BAD: dict[str, str] = json.loads((VECTORS / "bad" / "errors.json").read_text(encoding="utf-8"))
KINDS = {FormatError: "format", DamageError: "damage", LimitError: "limit"}


def bound(text: str) -> int:
    """The number that the specification writes as -(2^62-1), 2^31, 63."""
    assert re.fullmatch(r"[-()^0-9]+", text), text
    return int(eval(text.replace("^", "**")))


def parse(name: str) -> list[tuple[Any, ...]]:
    """The rows of one field table of the specification."""
    block = SPEC.split(f"<!-- table: {name} -->\n")[1].split("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()]
    assert rows[0] == ["Field", "Type", "Range", "Present", "Repeated", "Meaning"]
    out = []
    for field, kind, bounds, present, repeated, meaning in rows[2:]:
        low, high = map(bound, bounds.split("..")) if bounds else (None, None)
        when = present.split() or None
        out.append((field, kind, low, high, (when[0], when[1], int(when[2])) if when else None, repeated, meaning))
    return out


def expected(field: Field) -> tuple[Any, ...]:
    names = {id(rows): name for name, rows in tables.TABLES.items()}
    kind = {"bytes": f"bytes {field.low}", "rows": f"rows of {names.get(id(field.rows))}"}.get(field.kind, field.kind)
    bounded = field.kind not in ("bytes", "rows", "rest")
    low, high = (field.low, field.high) if bounded else (None, None)
    return field.name, kind, low, high, field.when, field.count, field.meaning


@pytest.mark.parametrize("name", tables.TABLES)
def test_field_tables(name: str) -> None:
    assert parse(name) == [expected(field) for field in tables.TABLES[name]]


def test_no_other_field_tables() -> None:
    assert sorted(re.findall(r"<!-- table: ([^>]+) -->", SPEC)) == sorted(tables.TABLES)


def test_limits_and_record_types() -> None:
    limits = {name: int(value) for name, value in re.findall(r"^\| ([a-z]\w+) \| (\d+) \| .* \|$", SPEC, re.MULTILINE)}
    assert limits == {field.name: field.default for field in fields(Limits)}
    types = re.findall(r"^\| ([A-Z]{4}|[a-z]{4}) \| (?:one|any|up|at)", SPEC, re.MULTILINE)
    assert {name.encode() for name in types} == tables.KNOWN_TYPES
    assert f"Version of the format: {tables.MAJOR}.{tables.MINOR}." in SPEC
    assert tables.SIGNATURE.hex(" ").upper() in SPEC


def test_the_example_is_the_file() -> None:
    block = SPEC.split("<!-- example -->\n")[1].split("<!-- end -->")[0]
    data = bytearray()
    for line in block.strip("`\n").splitlines():
        if line:
            assert int(line[:4], 16) == len(data)
            data += bytes.fromhex(line[6:53])
    assert bytes(data) == (VECTORS / "good" / "example.nvc").read_bytes()


def test_generated_parts_are_up_to_date() -> None:
    assert update_spec.updated(SPEC) == SPEC


def test_every_rule_has_vectors_and_every_bad_vector_a_rule() -> None:
    held = {rule.number: rule.files() for rule in RULES}
    assert len(held) == len(RULES) and [number for number, names in held.items() if not names] == [63]
    missing = [pattern for rule in RULES for pattern in rule.vectors.split() if not fnmatch.filter(names(), pattern)]
    assert missing == []
    assert [name for name in names() if name.startswith("bad") and not any(name in own for own in held.values())] == []
    for folder in ("bad", "bad_latents"):
        for stem, error in json.loads((VECTORS / folder / "errors.json").read_text(encoding="utf-8")).items():
            kinds = {f"{rule.kind}Error" for rule in RULES if f"{folder}/{stem}" in held[rule.number]}
            assert kinds == {error} or (stem.endswith("_high") and error == "FormatError"), stem


def test_the_dictionaries_are_those_of_the_text() -> None:
    for path in (temporal_units.DICTIONARY, caption.DICTIONARY):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in SPEC
        assert str(path.relative_to(ROOT)) in SPEC


def plain(data: bytes, *, limits: Limits | None = None) -> dict[str, Any]:
    """What the package reads from a file, in the words of the reference decoder."""
    reader = Reader(io.BytesIO(data), limits)
    items = list(reader)
    head, streams, track = reader.header, reader.streams, reader.track
    return {
        "size": (head.width, head.height, head.profile),
        "colour": (head.color_primaries, head.color_transfer, head.color_matrix, head.color_range),
        "rest": (head.chroma_location, head.bit_depth, list(head.display_matrix) if head.display_matrix else None),
        "model": (reader.model.name, reader.model.weights_hash, reader.model.entropy_hash),
        "metadata": reader.metadata,
        "track": track and (
            track.disposition, track.field_order, track.mastering_display, track.light_level, track.metadata),
        "streams": [
            (s.kind, s.codec, s.codec_tag, s.bit_rate, s.sample_rate, s.channel_layout, s.sample_format, s.frame_size,
             s.disposition, s.extradata, s.metadata) for s in streams.values()
        ],
        "gops": [
            (g.first_frame, list(g.pts), g.last_duration, g.quality, g.mini_gop, g.digest,
             g.substreams, g.base and (g.base.scale, g.base.quantiser),
             "".join(kind.name for kind in g.frame_types)) for g in items if isinstance(g, Gop)
        ],
        "packets": [
            (p.stream, p.data, p.pts, p.dts, p.duration, p.keyframe, p.discard) for p in items if isinstance(p, Packet)
        ],
    }  # fmt: skip


def plain_by_spec(data: bytes) -> dict[str, Any]:
    """The same from the reference decoder."""
    content = read(data)
    head = content["header"]
    return {
        "size": (head["width"], head["height"], head["profile"]),
        "colour": (head["primaries"], head["transfer"], head["matrix"], head["range"]),
        "rest": (head["location"], head["bit_depth"], head["display_matrix"]),
        "model": tuple(content["model"].values()),
        "metadata": content["metadata"],
        "track": content["track"] and tuple(
            tuple(value) if isinstance(value, list) else value for value in content["track"].values()),
        "streams": [
            tuple(value for key, value in s.items() if key not in ("stream", "time_base")) for s in content["streams"]
        ],
        "gops": [
            (g["first_frame"], g["pts"], g["last_duration"], g["quality"], g["mini_gop"],
             g["digest"], g["substreams"], g["base"], g["types"]) for g in content["gops"]
        ],
        "packets": [
            (p["stream"], p["data"], p["pts"], p["dts"], p["duration"], bool(p["keyframe"]), bool(p["discard"]))
            for p in content["packets"]
        ],
    }  # fmt: skip


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_vectors(path: Path) -> None:
    assert plain(path.read_bytes()) == plain_by_spec(path.read_bytes())


@pytest.mark.parametrize("name", BAD)
def test_bad_vectors(name: str) -> None:
    data = (VECTORS / "bad" / f"{name}.nvc").read_bytes()
    with pytest.raises((FormatError, DamageError, LimitError)) as caught:
        plain(data)
    assert type(caught.value).__name__ == BAD[name]
    with pytest.raises(Refused) as refused:
        read(data)
    assert refused.value.kind == KINDS[type(caught.value)]


def test_the_vectors_are_what_the_script_makes() -> None:
    bad = make_vectors.bad()
    assert make_vectors.good() == {path.stem: path.read_bytes() for path in GOOD}
    assert {name: error for name, (error, _) in bad.items()} == BAD
    for name, (_, data) in bad.items():
        assert data == (VECTORS / "bad" / f"{name}.nvc").read_bytes(), name


@given(samples.contents())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_both_readers_read_the_same(contents: Any) -> None:
    header, model, streams, items = contents
    try:
        data = samples.write(items, header, streams, model)
    except LimitError:
        assume(False)
    assert plain(data) == plain_by_spec(data)


@given(st.sampled_from(GOOD), st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=400, deadline=None)
def test_both_readers_refuse_the_same(path: Path, seed: int, changes: int) -> None:
    """Payloads are changed and the CRCs made right again, so that the rules are what refuses them."""
    chance = random.Random(seed)
    parts = split(path.read_bytes())
    preamble, records = parts[0], [(part[:4], bytearray(part[9:-4])) for part in parts[1:]]
    for _ in range(changes):
        _, payload = chance.choice(records)
        place = chance.randrange(len(payload))
        action = chance.randrange(4)
        if action == 0 and len(payload) > 1:
            del payload[place]
        elif action == 1:
            payload.insert(place, chance.choice([0, 1, 127, 128, 255]))
        elif action == 2:
            payload[place] ^= 1 << chance.randrange(8)
        else:
            payload[place] = max(0, payload[place] + chance.choice([-1, 1])) & 255
    data = samples.build(*[(kind, bytes(payload)) for kind, payload in records], preamble=preamble)
    data = data if chance.random() < 0.3 else resealed(data)
    outcomes = []
    for reading in (plain, plain_by_spec):
        try:
            outcomes.append(reading(data))
        except (FormatError, DamageError, LimitError, Refused) as error:
            outcomes.append("refused")
            assert "at byte" in str(error) or isinstance(error, Refused)
    assert outcomes[0] == outcomes[1]


def resealed(data: bytes) -> bytes:
    """The file with the chain that its records give."""
    parts = split(data)
    chain = parts[0] + b"".join(part[-4:] for part in parts[1:-1])
    payload = parts[-1][9:-4]
    fixed = payload[:12] + zlib.crc32(chain).to_bytes(4, "little") + payload[16:]
    return b"".join(parts[:-1]) + samples.build((parts[-1][:4], fixed), preamble=b"")
