"""What a file holds: python -m reference_decoder FILE [--model ENTROPY]. See README.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from reference_decoder import side, temporal_units
from reference_decoder.container import read
from reference_decoder.errors import Refused
from reference_decoder.latent_decoder import Frame, latents
from reference_decoder.model import Model


def sides(head: dict[str, Any], gop: dict[str, Any]) -> list[str]:
    """What the substreams beside the latents say, decoded."""
    size, streams = (head["width"], head["height"]), gop["substreams"]
    words = []
    if 7 in streams:
        words.append(f"caption {side.caption(streams[7])!r}")
    if 8 in streams:
        words.append(f"sketch of {sum(map(sum, side.sketch(streams[8], *size)))} edge blocks")
    if 5 in streams:
        words.append(f"texture levels {side.texture_map(streams[5], *size)}")
    if 3 in streams:
        coded = temporal_units.units(streams[3], sum(kind != "S" for kind in gop["types"]))
        words.append(f"{len(coded)} AV1 temporal units of {sum(map(len, coded))} bytes")
    return words


def described(frames: list[Frame]) -> str:
    """How many latents are not zero."""
    values = (value for *_, planes in frames for plane in planes or () for row in plane for value in row)
    return f"{sum(value != 0 for value in values)} latents not zero"


def main() -> int:
    """Print it; 1 when the file is refused."""
    parser = argparse.ArgumentParser(prog="python -m reference_decoder", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--model", type=Path, help="entropy.safetensors of the model that the file names: decode latents"
    )
    options = parser.parse_args()
    try:
        content = read(options.file.read_bytes())
        model = Model(options.model.read_bytes()) if options.model else None
        for key in ("header", "model", "metadata", "streams"):
            print(key, content[key])
        for gop in content["gops"]:
            sizes = {number: len(data) for number, data in gop["substreams"].items()}
            words = [gop["types"], f"quality {gop['quality']}", f"pts {gop['pts'][0]}", f"substreams {sizes}"]
            words += sides(content["header"], gop)
            if model:
                words += [f"digest {gop['digest'].hex()}", described(latents(model, content, gop))]
            print(f"chunk at frame {gop['first_frame']}:", "; ".join(words))
    except (Refused, OSError) as error:
        print(f"reference_decoder: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
