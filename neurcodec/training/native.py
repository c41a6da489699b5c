"""Native pairs: what the trained in-loop codec shows of the training clips, with its features, for the generator.

Same layout as `training.pairs`; a base entry of a native pair has `quality`, `kinds` (per frame) and `features`
(float16 file, (frames, C, height/8, width/8)) in place of `scale` and `crf`.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from neurcodec.coarse.codec import decode_chunk, encode_chunk, to_rgb
from neurcodec.coarse.model import CoarseCodec


@dataclass(frozen=True, slots=True)
class NativeConfig:
    """Settings of the stage. frames: of each clip, passes: codings of each clip, clips: how many (0 = all)."""

    frames: int = 16
    passes: int = 2
    clips: int = 0
    seed: int = 9


def make_native_pairs(
    codec: CoarseCodec, class_channels: tuple[int, ...], sources: Path, out: Path, config: NativeConfig
) -> None:
    """Code every source of the pairs in `sources` at random qualities and intervals; index and arrays go to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(config.seed)
    entries = json.loads((sources / "index.json").read_text())
    rng.shuffle(entries)
    index = []
    for entry in entries[: config.clips or len(entries)]:
        height, width = entry["height"] // 16 * 16, entry["width"] // 16 * 16
        source = np.load(sources / entry["file"], mmap_mode="r")
        kept = {"file": str(sources.resolve() / entry["file"]), "height": height, "width": width, "bases": []}
        kept["frames"] = min(config.frames, entry["frames"])
        for number in range(config.passes):
            quality, interval = rng.randint(0, 50), rng.choice((1, 2, 3, 3, 3, 4))
            clip = np.ascontiguousarray(source[: kept["frames"], :height, :width])
            latents = encode_chunk(codec, clip, quality, interval, class_channels)
            pictures, features, kinds = [], [], []
            for frame in decode_chunk(codec, latents):
                pictures.append(to_rgb(frame.picture, height, width))
                features.append(frame.features[0].to(torch.float16).cpu().numpy())
                kinds.append(int(frame.type))
            name = f"{Path(entry['file']).stem}.{number}"
            np.save(out / f"{name}.npy", np.stack(pictures))
            np.save(out / f"{name}.features.npy", np.stack(features))
            kept["bases"].append(
                {
                    "file": f"{name}.npy",
                    "features": f"{name}.features.npy",
                    "quality": quality,
                    "scale": 1,
                    "kinds": kinds,
                }
            )
        index.append(kept)
        (out / "index.json.tmp").write_text(json.dumps(index))
        (out / "index.json.tmp").replace(out / "index.json")
