"""The scoreboard end to end: peers, a toy codec through the same protocol, cache, report, and the command."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("torchmetrics")
pytest.importorskip("bjontegaard")
pytest.importorskip("psutil")

from conftest import scene, write_clip

from neurcodec.errors import DependencyError, InputError, NcodecError
from neurcodec.evaluation import bench, clips, compare, peers, pictures, report
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.clips import Clip
from neurcodec.evaluation.codecs import RateWindow, Setting
from neurcodec.evaluation.metrics import load_networks
from neurcodec.evaluation.processes import Cost, run_process

COUNT, WIDTH, HEIGHT = 5, 144, 128


def clip(name: str = "scene", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Clip:
    return Clip(name, np.stack(scene(COUNT, size)), Fraction(25))


@dataclass(frozen=True)
class Toy:
    """Quantises pixels by `value` and deflates them; its 'coarse' curve decodes at twice the step."""

    name: str = "toy"
    steps: tuple[int, ...] = (8, 16, 32, 64)
    note: str = ""
    calls: list[int] = field(default_factory=list, compare=False)

    curves = ("toy", "toy-coarse")
    ours = True

    def describe(self) -> dict[str, str]:
        return {"note": self.note}

    def settings(self, width: int, height: int) -> Sequence[Setting]:
        return [Setting(step) for step in self.steps]

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        return setting.value < 100

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        self.calls.append(setting.value)
        frames = np.stack(list(clips.iterate(source)))
        target = folder / "toy.bin"
        target.write_bytes(zlib.compress((frames // setting.value).tobytes()))
        return target, target.stat().st_size, Cost(0.5, 0.4, 1 << 20)

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        levels = np.frombuffer(zlib.decompress(coded.read_bytes()), np.uint8).reshape(clip.frames.shape)
        frames = levels * setting.value + setting.value // 2
        if curve == "toy-coarse":
            frames = frames // (2 * setting.value) * (2 * setting.value) + setting.value
        target = coded.with_name(f"{curve}.nut")
        clips.write_lossless(target, np.clip(frames, 0, 255).astype(np.uint8), clip.rate)
        return target, Cost(0.25, 0.2, 2 << 20)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "scene.nut"
    clips.write_lossless(path, clip().frames, Fraction(25))
    return path


def test_lossless_cut_gives_the_same_frames_and_times(tmp_path: Path) -> None:
    original = Clip("odd", np.stack(scene(4, (75, 53))), Fraction(30000, 1001))
    clips.write_lossless(tmp_path / "cut.nut", original.frames, original.rate)
    back = clips.load(tmp_path / "cut.nut")
    assert back.hash == original.hash
    with av.open(str(tmp_path / "cut.nut")) as container:
        times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size]
    assert times == [i / original.rate for i in range(4)]


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize("half", [False, True])
def test_peer_round_trip(peer: peers.Peer, half: bool, source: Path, tmp_path: Path) -> None:
    """Bytes are the sum of the packets; the picture comes back at its size, and close."""
    target = tmp_path / "coded.mkv"
    setting = Setting(20, half)
    size = peers.encode(peer, setting, source, target)
    with av.open(str(target)) as container:
        stored = [packet.size for packet in container.demux(video=0) if packet.size]
    # Matroska drops AV1's temporal delimiters (2 bytes a packet) and lengthens a start code of x264's first packet.
    rewritten = {"libsvtav1": -2 * len(stored), "libx264": 1}.get(peer.encoder, 0)
    assert sum(stored) == size + rewritten
    frames = np.stack(list(peers.decoded(target, half, WIDTH, HEIGHT)))
    assert frames.shape == clip().frames.shape
    error = np.abs(frames.astype(int) - clip().frames).mean()
    assert error < (12 if half else 6)


@pytest.mark.parametrize("size", [(75, 53), (64, 48), (33, 34)])
@pytest.mark.parametrize("half", [False, True])
def test_peers_take_odd_sizes(half: bool, size: tuple[int, int]) -> None:
    width, height = size
    picture = scene(1, size)[0]
    prepared = peers.prepare(picture, half)
    assert prepared.shape[0] % 2 == 0 and prepared.shape[1] % 2 == 0
    back = peers.restore(prepared, half, width, height)
    assert back.shape == picture.shape
    assert np.array_equal(back, picture) or half


def test_yuv_and_back_does_not_shift_colours() -> None:
    grey = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    assert np.abs(peers.to_rgb(peers.to_yuv(grey)).astype(int) - grey).max() <= 2


def test_peer_names() -> None:
    assert [peer.name for peer in peers.select(["svtav1", "x264"])] == ["svtav1-p6", "svtav1-p4", "x264"]
    with pytest.raises(NcodecError, match="unknown peer 'vp9'"):
        peers.select(["vp9"])


def test_peer_process_is_measured(source: Path, tmp_path: Path) -> None:
    peer = peers.select(["x264"])[0]
    coded, size, cost = peer.encode(source, Setting(30), tmp_path)
    again = peers.encode(peer, Setting(30), source, tmp_path / "again.mkv")
    assert size == pytest.approx(again, rel=0.03)  # x264's first run in a process may differ by some bytes
    video, decoding = peer.decode(coded, Setting(30), clip(), "x264")
    assert len(list(clips.iterate(video))) == COUNT
    for spent in (cost, decoding):
        assert spent.cpu_seconds > 0 and 0 < spent.seconds < 60
        assert 10 << 20 < spent.peak_memory < 2 << 30


def test_failed_process_says_why() -> None:
    with pytest.raises(NcodecError, match="exit code 3: broken"):
        run_process([sys.executable, "-c", "import sys; sys.stderr.write('one\\nbroken\\n'); sys.exit(3)"])
    with pytest.raises(DependencyError, match="cannot be run"):
        run_process(["/no/such/program"])


def run(folder: Path, codecs: list[Toy | peers.Peer], jobs: int = 1) -> tuple[report.Run, Cache]:
    networks = load_networks(["psnr", "flicker"], folder)
    cache = Cache(folder / "cache")
    results = [
        bench.run_clip(clip(name, size), codecs, networks, cache, jobs, lambda text, count: None)
        for name, size in (("one", (WIDTH, HEIGHT)), ("two", (80, 72)))
    ]
    return report.Run(results, codecs, networks, "ncodec bench", jobs), cache


@pytest.fixture
def small_peer(monkeypatch: pytest.MonkeyPatch) -> peers.Peer:
    monkeypatch.setattr(peers, "WINDOW", RateWindow(0, 1000, 1000))
    return replace(peers.select(["x264"])[0], crf=(4, 14, 24, 34), half_crf=(20,))


def test_report(tmp_path: Path, small_peer: peers.Peer) -> None:
    measured, cache = run(tmp_path, [Toy(), small_peer])
    report.write(measured, tmp_path / "out", cache)
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["type"] == "neurcodec-bench"
    first = data["clips"][0]
    ours = [point for point in first["points"] if point["curve"] == "toy"]
    for point in ours:
        size = len(zlib.compress((clip().frames // point["value"]).tobytes()))
        assert point["bytes"] == size
        assert point["bpp"] == pytest.approx(size * 8 / (COUNT * WIDTH * HEIGHT))
        assert point["encode"]["fps"] == pytest.approx(COUNT / 0.5)
    rows = [row for row in data["bd_rate"] if row["metric"] == "psnr"]
    assert {(row["test"], row["anchor"]) for row in rows} == {("toy", "x264"), ("toy-coarse", "x264")}
    assert all(row["clips"]["one"] is None or row["clips"]["one"] > 0 for row in rows)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "preset=medium" in text and "with and without diffusion" in text
    for name in ("plot-psnr.png", "plot-flicker.png", "strip-one.jpg", "strip-two.jpg"):
        assert name in text
        assert 1000 < (tmp_path / "out" / name).stat().st_size < 200_000


def test_cache_keeps_what_did_not_change(tmp_path: Path, small_peer: peers.Peer) -> None:
    first, again, changed = Toy(), Toy(), Toy(note="another model")
    before, _ = run(tmp_path, [first, small_peer])
    after, _ = run(tmp_path, [again, small_peer], jobs=2)
    assert sorted(first.calls) == sorted(2 * [8, 16, 32, 64]) and again.calls == []
    assert [result.points for result in before.clips] == [result.points for result in after.clips]
    run(tmp_path, [changed])
    assert sorted(changed.calls) == sorted(first.calls)


def test_points_outside_the_window_are_counted_but_not_scored(tmp_path: Path) -> None:
    measured, _ = run(tmp_path, [Toy(steps=(8, 16, 32, 128))])
    skipped = [point for point in measured.clips[0].points if point.value == 128]
    assert len(skipped) == 2 and all(point.size > 0 and not point.metrics for point in skipped)
    assert compare.envelope(measured.clips[0], "toy", "psnr") == []  # three points are too few


def result(points: list[Point]) -> bench.ClipResult:
    return bench.ClipResult("made", "0", 10, 100, 100, Fraction(25), 0, np.zeros((100, 100, 3), np.uint8), points)


def curve(name: str, sizes: Sequence[int], value: Callable[[int], float], half: bool = False) -> list[Point]:
    cost = Cost(1, 1, 1)
    return [Point(name, i, half, size, cost, cost, {"lpips": value(size)}, "x") for i, size in enumerate(sizes)]


def test_comparison_against_known_curves() -> None:
    """A codec with 80 % of the peer's bytes at every LPIPS; the peer's half-size points only help it where better."""
    sizes = [1000, 2000, 4000, 8000]
    peer = curve("peer", sizes, lambda size: 100 / size)
    ours = curve("ours", [int(0.8 * size) for size in sizes], lambda size: 80 / size)
    made = result(peer + ours)
    row = compare.bd_table([made], ["ours"], ["peer"])[0]
    assert row["mean"] == pytest.approx(-20, abs=0.1) and row["overlapping"] == 1
    equal = [row for row in compare.equal_bytes([made], ["ours"], ["peer"]) if row["bytes"] == 1600]
    assert equal[0]["score"] == pytest.approx(0.05) and equal[0]["anchors"]["peer"] > 0.06
    bad_half = result(peer + ours + curve("peer", [1500, 3000], lambda size: 0.2, half=True))
    assert compare.bd_table([bad_half], ["ours"], ["peer"])[0]["mean"] == pytest.approx(row["mean"], abs=1e-6)
    good_half = result(peer + ours + curve("peer", [1200], lambda size: 0.04, half=True))
    assert compare.bd_table([good_half], ["ours"], ["peer"])[0]["mean"] > row["mean"] + 5


def test_strip_takes_the_peers_best_at_the_same_bytes() -> None:
    ours = curve("ours", [100, 190, 400, 900], lambda size: 0.1)
    others = curve("a", [150, 200], lambda size: 0.3) + curve("b", [210, 2000], lambda size: 0.2)
    chosen = pictures.strip_points(result(ours + others), "ours", ["a", "b"])
    assert chosen is not None
    assert (chosen[0].size, chosen[1].size) == (190, 210)


def test_clips_of_the_same_name_are_refused() -> None:
    with pytest.raises(InputError, match="two clips are called 'a'"):
        bench.check_names([Path("x/a.mp4"), Path("y/a.mkv")])


def test_command_without_our_side(tmp_path: Path, ncodec: Callable[..., object]) -> None:
    source = write_clip(tmp_path / "clip.mkv", scene(4, (96, 80)))
    done = ncodec("bench", source, "--out", tmp_path / "out", "--cache", tmp_path / "cache", "--qualities", "none",
                  "--peers", "x264", "--metrics", "psnr,lpips", "--weights", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lpips is left out" in done.stderr and done.stdout == ""
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(data["metrics"]) == ["psnr"] and "lpips" in data["missing"]
    assert {point["curve"] for point in data["clips"][0]["points"]} == {"x264"}
    wrong = ncodec("bench", source, "--out", tmp_path / "out", "--qualities", "none", "--peers", "none")
    assert wrong.returncode == 2


@pytest.mark.slow
def test_command_with_our_codec(tmp_path: Path, tiny_model: Path, ncodec: Callable[..., object]) -> None:
    """The real command on both sides; our bytes are the file's."""
    source = write_clip(tmp_path / "clip.mkv", scene(4, (64, 48)))
    done = ncodec("bench", source, "--out", tmp_path / "out", "--cache", tmp_path / "cache", "--qualities", "10,40",
                  "--peers", "none", "--metrics", "psnr", "--model", tiny_model, timeout=280)
    assert done.returncode == 0, done.stderr
    points = json.loads((tmp_path / "out" / "report.json").read_text())["clips"][0]["points"]
    assert {(point["curve"], point["value"]) for point in points} == {
        ("ncodec", 10), ("ncodec", 40), ("ncodec-coarse", 10), ("ncodec-coarse", 40)
    }
    cut, coded = tmp_path / "cut.nut", tmp_path / "coded.nvc"
    loaded = clips.load(source)
    clips.write_lossless(cut, loaded.frames, loaded.rate)
    assert ncodec("encode", cut, coded, "-q", 40, "--no-audio", "--model", tiny_model).returncode == 0
    sizes = {point["bytes"] for point in points if point["value"] == 40}
    assert sizes == {coded.stat().st_size}
