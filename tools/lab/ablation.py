"""What each part of the layered profile is worth: python -m tools.lab.ablation CLIP... --weights DIR

Codes the first frames of every clip with the jobs that `ncodec encode` and `decode` run, at the same qualities,
once for each of these, and prints a Markdown table of bytes, LPIPS (squeeze), its flicker tLP, and PSNR:

  base         the AV1 base, enlarged: the plain file without the generator (native: the coarse picture)
  generator    the same file with it
  filling      every other frame left out of the base and filled by our motion (--mini-gop 2)
  detail       latents on every 8th base frame (--detail 8)
  caption      the clip's text (--caption), from --captions
  sketch       edges of each chunk's first frame (--sketch)

Each of the last four is the generator's row with that one thing added, so its gain is the difference to that row. A row
that costs bytes is worth it only if the plain file at as many bytes is worse: the last column is the LPIPS that the
generator's row would have at these bytes, the logarithms interpolated between the qualities. --captions is a JSON
object of texts by clip, NAME or FOLDER-NAME without suffix, as stage captions writes it. --profile native leaves out
filling and detail.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from neurcodec.container import Profile
from neurcodec.evaluation import clips, scoring
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.lpips import FEATURES_FILE, LPIPS
from neurcodec.evaluation.metrics import default_weights, locate
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
from neurcodec.jobs.video import Video

HEAD = "| clip | quality | row | bytes | bits/pixel | LPIPS | tLP | PSNR dB | LPIPS of generator at these bytes |"


@dataclass(frozen=True)
class Row:
    """One measured file."""

    clip: str
    quality: int
    name: str
    size: int
    bpp: float
    lpips: float
    tlp: float
    psnr: float


def variants(plain: EncodeOptions, caption: str) -> dict[str, EncodeOptions]:
    """The options of every row whose file is another than the plain one."""
    found = {"sketch": replace(plain, extensions=(("sketch", True),))}
    if caption:
        found = {"caption": replace(plain, extensions=(("caption", caption),))} | found
    if plain.profile is Profile.LAYERED:
        found = {
            "filling": replace(plain, mini_gop=2),
            "detail": replace(plain, extensions=(("detail", 8),)),
        } | found
    return found


def decoded(path: Path, model: str, diffusion: bool, threads: int | None) -> Frames:
    """All frames of a file."""
    with Video(path, DecodeOptions(model=model, diffusion=diffusion, threads=threads)) as video:
        return np.stack([frame.rgb for frame in video])


def measure(clip: Clip, plain: EncodeOptions, caption: str, network: LPIPS) -> list[Row]:
    """All rows of a clip at one quality."""
    versions: dict[str, tuple[int, Frames]] = {}
    with tempfile.TemporaryDirectory(prefix="ncodec-ablation-") as folder:
        source, target = Path(folder) / "source.nut", Path(folder) / "coded.nvc"
        clips.write_lossless(source, clip.frames, clip.rate)
        size = encode_file(source, target, plain).bytes
        for name, diffusion in (("base", False), ("generator", True)):
            versions[name] = size, decoded(target, plain.model, diffusion, plain.threads)
        for name, options in variants(plain, caption).items():
            size = encode_file(source, target, options).bytes
            versions[name] = size, decoded(target, plain.model, True, plain.threads)
    pictures = [frames for _, frames in versions.values()]
    return [
        Row(
            clip.name, plain.settings.quality, name, size, clips.bits_per_pixel(size, clip),
            known(found["lpips"]), known(found["tlp"]), scoring.psnr(clip.frames, frames),
        )
        for (name, (size, frames)), found in zip(
            versions.items(), scoring.perceptual(network, clip.frames, pictures), strict=True
        )
    ]  # fmt: skip


def known(value: float | None) -> float:
    """A metric, nan where it could not be computed."""
    return float("nan") if value is None else value


def at_bytes(rows: list[Row], row: Row) -> str:
    """The LPIPS of the generator's rows of the same clip at a row's bytes; "" outside their range."""
    own = [other for other in rows if (other.clip, other.name) == (row.clip, "generator")]
    curve = sorted((np.log(other.size), np.log(other.lpips)) for other in own)
    place = np.log(row.size)
    if not curve or not curve[0][0] <= place <= curve[-1][0]:
        return ""
    sizes, values = zip(*curve, strict=True)
    return f"{np.exp(np.interp(place, sizes, values)):.4f}"


def table(rows: list[Row]) -> str:
    """The rows as Markdown, below them their means over clips and qualities."""
    lines = [HEAD, "|" + "---|" * 9]
    for row in rows:
        lines.append(
            f"| {row.clip} | {row.quality} | {row.name} | {row.size:,} | {row.bpp:.5f} | {row.lpips:.4f} | "
            f"{row.tlp:.4f} | {row.psnr:.2f} | {at_bytes(rows, row)} |"
        )
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        means = [sum(getattr(row, key) for row in own) / len(own) for key in ("size", "bpp", "lpips", "tlp", "psnr")]
        lines.append("| mean | | {} | {:,.0f} | {:.5f} | {:.4f} | {:.4f} | {:.2f} | |".format(name, *means))
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--weights", type=Path, default=default_weights(), help="folder of the LPIPS weights")
    parser.add_argument("--model", default="default")
    parser.add_argument("--profile", choices=["layered", "native"], default="layered")
    parser.add_argument("--qualities", default="8,20", help="comma-separated; the last column needs two or more")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--captions", type=Path, help="JSON: text by clip name")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, help="write the table there too")
    choices = parser.parse_args()
    texts = json.loads(choices.captions.read_text(encoding="utf-8")) if choices.captions else {}
    network = LPIPS.load(locate(choices.weights, FEATURES_FILE))
    rows: list[Row] = []
    for path in choices.clips:
        clip = clips.load(path, choices.frames)
        text = texts.get(f"{path.parent.name}-{clip.name}", texts.get(clip.name, ""))
        for quality in map(int, choices.qualities.split(",")):
            plain = EncodeOptions(
                profile=Profile[choices.profile.upper()], quality=quality, model=choices.model, audio=False,
                gop_seconds=Fraction(5), threads=choices.threads, overwrite=True,
            )  # fmt: skip
            rows += measure(clip, plain, text, network)
            sys.stderr.write(f"{clip.name}, quality {quality}: done\n")
    sys.stdout.write(table(rows))
    if choices.out:
        choices.out.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
