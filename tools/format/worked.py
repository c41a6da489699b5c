"""The worked example of bitstream_spec.md (section 14.2): the first symbols of a vector, with the coder's states.

The reference decoder decodes the vector; what it does on the way is noted and written as text.
"""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from reference_decoder import Model, latent_decoder, read
from reference_decoder.planes import activation, around, blank, clamp, dot
from reference_decoder.prior import FrameDecoder
from reference_decoder.ranges import RangeDecoder, Table

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
VECTOR = VECTORS / "latents" / "intra.nvc"
SYMBOLS = 10
"""So many symbols are shown."""


class Noting(RangeDecoder):
    """Notes its state and the interval of each symbol."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.notes = [f"start                                   {self.state()}"]

    def state(self) -> str:
        """low, range, point and the bytes read."""
        return f"low {self.low:016x}  range {self.range:016x}  point {self.point:016x}  read {self.at}"

    def symbol(self, table: Table) -> int:
        """Decode one symbol."""
        s = super().symbol(table)
        low, size = table.lower[s], table.frequencies[s]
        self.notes.append(f"s = {s}  cum = {low:8}  freq = {size:8}       {self.state()}")
        return s


def example() -> str:
    """The text of the block."""
    content = read(VECTOR.read_bytes())
    (gop,) = content["gops"]
    coder = Noting(gop["substreams"][1])
    model = Model((VECTORS / "model" / "entropy.safetensors").read_bytes())
    with patch.object(latent_decoder, "RangeDecoder", lambda data: coder if data else RangeDecoder(data)):
        ((quality, _, _, classes, values),) = latent_decoder.latents(model, content, gop)
    if classes is None or values is None:
        raise ValueError("an I frame has latents")
    numbers = position(model, quality, (len(classes), len(classes[0])), classes[0][0])
    own = [plane[0][0] for plane in values]
    return "\n".join([*coder.notes[: SYMBOLS + 1], "", *numbers, f"values    {own}"])


def position(model: Model, quality: int, grid: tuple[int, int], kind: int) -> list[str]:
    """The numbers of section 6.3 at the first position of the first pass."""
    context = [blank(grid, max(0, quality - 10))]
    decoder = FrameDecoder(model, "latents_i", context, model.class_channels, 32000)
    w, seen = decoder.w, around(context, 0, 0)
    sums = zip(w["context"], w["context_bias"], w["current_bias"][0], strict=True)
    a = [dot(row, seen) + one + two for row, one, two in sums]
    f = decoder.features(0, 0, 0)
    o = [activation(dot(row, f) + bias) for row, bias in zip(w["classes"], w["classes_bias"], strict=True)]
    g = [max(0, one + more) for one, more in zip(f, w["class_embedding"][kind], strict=True)]
    v = [dot(row, g) + bias for row, bias in zip(w["values"], w["values_bias"], strict=True)]
    means = [(activation(one) + 4) // 8 for one in v[: decoder.channels]]
    scales = [clamp((activation(one) + 8) // 16 + 17, 0, 39) for one in v[decoder.channels :]]
    tables = [8 * scale + m - 8 * ((m + 4) // 8) + 4 for m, scale in zip(means, scales, strict=True)]
    table = (clamp((o[0] + 4) // 8, -32, 88) + 32) * 20 + clamp((o[1] + 8) // 16 + 12, 0, 19)
    rows = {"context": seen, "a": a, "f": f, "o": o, "table": table, "class": kind, "g": g, "v": v, "m": means,
            "scale": scales, "tables": tables}  # fmt: skip
    return [f"{name:9} {value}" for name, value in rows.items()]
