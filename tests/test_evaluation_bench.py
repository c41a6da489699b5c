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
from neurcodec.evaluation import bench, cache, clips, compare, matched, peers, programs, report
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.clips import Clip
from neurcodec.evaluation.codecs import Setting
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
    calls: list[float] = field(default_factory=list, compare=False)

    curves = ("toy", "toy-coarse")
    ours = True
    step = 1.0
    span = (1.0, 128.0)

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
        assert not target.exists(), "our command refuses to overwrite"
        target.write_bytes(zlib.compress((frames // int(setting.value)).tobytes()))
        return target, target.stat().st_size, Cost(0.5, 0.4, 1 << 20)

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        levels = np.frombuffer(zlib.decompress(coded.read_bytes()), np.uint8).reshape(clip.frames.shape)
        step = int(setting.value)
        frames = levels * step + step // 2
        if curve == "toy-coarse":
            frames = frames // (2 * step) * (2 * step) + step
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
@pytest.mark.parametrize("scale", [1, 2])
def test_peer_round_trip(peer: peers.Peer, scale: int, source: Path, tmp_path: Path) -> None:
    """Bytes are the sum of the packets; the picture comes back at its size, and close."""
    target = tmp_path / "coded.mkv"
    setting = Setting(20, scale)
    size = peers.encode(peer, setting, source, target)
    with av.open(str(target)) as container:
        stored = [packet.size for packet in container.demux(video=0) if packet.size]
    # Matroska drops AV1's temporal delimiters (2 bytes a packet) and lengthens a start code of x264's first packet.
    rewritten = {"libsvtav1": -2 * len(stored), "libx264": 1}.get(peer.encoder, 0)
    assert sum(stored) == size + rewritten
    frames = np.stack(list(peers.decoded(target, scale, WIDTH, HEIGHT)))
    assert frames.shape == clip().frames.shape
    error = np.abs(frames.astype(int) - clip().frames).mean()
    assert error < (12 if scale > 1 else 6)


@pytest.mark.parametrize("size", [(75, 53), (64, 48), (33, 34)])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_peers_take_odd_sizes(scale: int, size: tuple[int, int]) -> None:
    width, height = size
    picture = scene(1, size)[0]
    prepared = peers.prepare(picture, scale)
    assert prepared.shape[0] % 2 == 0 and prepared.shape[1] % 2 == 0
    back = peers.restore(prepared, scale, width, height)
    assert back.shape == picture.shape
    assert np.array_equal(back, picture) or scale > 1


def test_yuv_and_back_does_not_shift_colours() -> None:
    grey = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    assert np.abs(peers.to_rgb(programs.to_yuv(grey)).astype(int) - grey).max() <= 2


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


def run(folder: Path, codecs: list[Toy | peers.Peer], jobs: int = 1, show: bool = True) -> tuple[report.Run, Cache]:
    networks = load_networks(["psnr", "flicker"], folder)
    store = Cache(folder / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matched, "RATE", 0.7)
        if not show:
            patch.setattr(bench, "show", lambda *given: None)
        results = [
            bench.run_clip(clip(name, size), codecs, networks, store, jobs, lambda text, count: None)
            for name, size in (("one", (WIDTH, HEIGHT)), ("two", (80, 72)))
        ]
    return report.Run(results, codecs, networks, "ncodec bench", jobs), store


@pytest.fixture
def small_peer(monkeypatch: pytest.MonkeyPatch) -> peers.Peer:
    monkeypatch.setattr(peers, "RATES", (0, 1000, 1000))
    return replace(peers.select(["x264"])[0], ladder=((1, (0, 14, 24, 34)), (2, (20,))))


def test_report(tmp_path: Path, small_peer: peers.Peer) -> None:
    measured, _ = run(tmp_path, [Toy(), small_peer])
    report.write(measured, tmp_path / "out")
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["type"] == "neurcodec-bench"
    first = data["clips"][0]
    ours = [point for point in first["points"] if point["curve"] == "toy"]
    for point in ours:
        size = len(zlib.compress((clip().frames // point["value"]).tobytes()))
        assert point["bytes"] == size
        assert point["bpp"] == pytest.approx(size * 8 / (COUNT * WIDTH * HEIGHT), rel=1e-5)
        assert point["encode"]["fps"] == pytest.approx(COUNT / 0.5)
    rows = [row for row in data["bd_rate"] if row["metric"] == "psnr"]
    pairs = {("toy", "x264"), ("toy-coarse", "x264"), ("toy", "toy-coarse")}
    assert {(row["test"], row["anchor"]) for row in rows} == pairs
    assert all(row["clips"]["one"] is None or row["clips"]["one"] > 0 for row in rows if row["anchor"] == "x264")
    assert data["metrics"]["psnr"]["kind"] == "fidelity"
    text = (tmp_path / "out" / "report.md").read_text()
    assert "preset=medium" in text and "What the generator is worth" in text
    for name in ("plot-psnr.png", "plot-flicker.png", "strip-one.jpg", "strip-two.jpg"):
        assert name in text
        assert 1000 < (tmp_path / "out" / name).stat().st_size < 200_000


def test_cache_keeps_what_did_not_change(tmp_path: Path, small_peer: peers.Peer) -> None:
    first, again, changed = Toy(), Toy(), Toy(note="another model")
    before, _ = run(tmp_path, [first, small_peer], show=False)
    after, _ = run(tmp_path, [again, small_peer], jobs=2, show=False)
    assert sorted(first.calls) == sorted(2 * [8, 16, 32, 64]) and again.calls == []
    assert [result.points for result in before.clips] == [result.points for result in after.clips]
    run(tmp_path, [changed], show=False)
    assert sorted(changed.calls) == sorted(first.calls)


def test_points_outside_the_window_are_counted_but_not_scored(tmp_path: Path) -> None:
    measured, _ = run(tmp_path, [Toy(steps=(8, 16, 32, 128))])
    skipped = [point for point in measured.clips[0].points if point.value == 128]
    assert len(skipped) == 2 and all(point.size > 0 and not point.metrics for point in skipped)
    assert compare.envelope(measured.clips[0], "toy", "psnr") == []  # three points are too few


def result(points: list[Point]) -> bench.ClipResult:
    return bench.ClipResult("made", "0", 10, 100, 100, Fraction(25), points)


def curve(
    name: str, sizes: Sequence[int], value: Callable[[int], float], scale: int = 1, metric: str = "lpips"
) -> list[Point]:
    cost = Cost(1, 1, 1)
    return [Point(name, i, scale, size, cost, cost, {metric: value(size)}) for i, size in enumerate(sizes)]


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
    bad_half = result(peer + ours + curve("peer", [1500, 3000], lambda size: 0.2, scale=2))
    assert compare.bd_table([bad_half], ["ours"], ["peer"])[0]["mean"] == pytest.approx(row["mean"], abs=1e-6)
    good_half = result(peer + ours + curve("peer", [1200], lambda size: 0.04, scale=2))
    assert compare.bd_table([good_half], ["ours"], ["peer"])[0]["mean"] > row["mean"] + 5


def test_mean_of_judges_is_geometric() -> None:
    """One judge at a quarter of the bytes, two at as many: the cube root of a quarter."""
    sizes = [1000, 2000, 4000, 8000]
    made = []
    for metric, share in (("vmaf-neg", 0.25), ("cvvdp", 1.0), ("lite1", 1.0)):
        sign = 1 if metric != "lite1" else -1
        made += curve("peer", sizes, lambda size, sign=sign: sign * np.log(size), metric=metric)
        smaller = [int(share * size) for size in sizes]
        made += curve("ours", smaller, lambda size, sign=sign, share=share: sign * np.log(size / share), metric=metric)
    row = compare.jury(compare.bd_table([result(made)], ["ours"], ["peer"]))[0]
    assert row["mean"] == row["clips"]["made"] == pytest.approx(100 * (0.25 ** (1 / 3) - 1), abs=0.1)
    assert compare.jury(compare.bd_table([result(made[:8])], ["ours"], ["peer"])) == []


@pytest.mark.parametrize("wanted", [150, 1000, 4096, 9000])
@pytest.mark.parametrize("rising", [False, True])
def test_seek_comes_as_near_as_steps_allow(wanted: int, rising: bool) -> None:
    asked = []

    def encode(value: float) -> int:
        asked.append(value)
        return round(100 * 2 ** (value / 8 if rising else (56 - value) / 8))

    known = {value: encode(value) for value in (0.0, 24.0, 56.0)}
    asked.clear()
    value, size = matched.seek(encode, known, wanted, (0, 56), 0.25)
    assert size == encode(value) and abs(size / wanted - 1) < matched.TOLERANCE
    assert len(asked) <= matched.TRIES + 1
    coarse = matched.seek(encode, known, wanted, (0, 56), 8)[1]
    assert abs(np.log2(coarse / wanted)) <= 0.51
    assert matched.seek(encode, known, 1e9, (0, 56), 1)[1] == max(known.values())  # the ends of the span hold


def test_seek_goes_beyond_what_is_known() -> None:
    def encode(value: float) -> int:
        return round(100 * 2 ** ((56 - value) / 8))

    known = {value: encode(value) for value in (24.0, 32.0)}
    for wanted in (600, 4000):
        assert matched.seek(encode, known, wanted, (0, 56), 0.25)[1] == pytest.approx(wanted, rel=matched.TOLERANCE)
    assert matched.seek(encode, {24.0: 1600}, 4000, (0, 56), 0.25) == (24.0, 1600)  # one file has no slope


def test_what_is_shown_has_the_same_bytes(tmp_path: Path, small_peer: peers.Peer) -> None:
    """Of the toy the file whose size is nearest to the rate, of x264 one within the tolerance; kept in the cache."""
    toy = Toy(steps=(4, 8, 16, 64))
    measured, _ = run(tmp_path, [toy, small_peer])
    shown = measured.clips[0].shown
    assert shown is not None
    assert [version.name for version in shown.versions] == ["source", "toy", "toy-coarse", "x264"]
    source, ours, coarse, peer = shown.versions
    assert source.size is None and ours.size == coarse.size
    assert peer.size is not None and ours.size is not None and abs(peer.size / ours.size - 1) < matched.TOLERANCE
    for version in shown.versions:
        assert [picture.shape for picture in version.pictures] == len(shown.frames) * [(HEIGHT, WIDTH, 3)]
    assert np.array_equal(source.pictures[0], clip().frames[shown.frames[0]])
    assert not np.array_equal(ours.pictures[0], coarse.pictures[0])
    calls = len(toy.calls)
    again, _ = run(tmp_path, [toy, small_peer])
    assert len(toy.calls) == calls
    assert again.clips[0].shown is not None and again.clips[0].shown.versions[3].size == peer.size


def test_an_earlier_report_is_not_measured_again(tmp_path: Path, small_peer: peers.Peer) -> None:
    first, again, changed = Toy(), Toy(), Toy(note="another")
    measured, _ = run(tmp_path / "one", [first, small_peer], show=False)
    report.write(measured, tmp_path / "out")
    known = cache.read_report(tmp_path / "out" / "report.json")
    for toy, calls in ((again, 0), (changed, 4)):
        folder = tmp_path / (toy.note or "two")
        Cache(folder / "cache").learn(known)
        taken, _ = run(folder, [toy, small_peer], show=False)
        assert len(toy.calls) == 2 * calls
        mine = [point for point in taken.clips[0].points if point.curve == "x264"]
        before = [point for point in measured.clips[0].points if point.curve == "x264"]
        assert [point.size for point in mine] == [point.size for point in before]
        assert mine[0].metrics["psnr"] == pytest.approx(before[0].metrics["psnr"], rel=1e-5)
    Cache(tmp_path / "old" / "cache").learn({**known, "scoring": 0})
    assert not (tmp_path / "old" / "cache").exists()
    (tmp_path / "none.json").write_text("[1]")
    with pytest.raises(InputError, match="not a report"):
        cache.read_report(tmp_path / "none.json")


def test_clips_of_the_same_name_are_refused() -> None:
    with pytest.raises(InputError, match="two clips are called 'a'"):
        bench.check_names([Path("x/a.mp4"), Path("y/a.mkv")])


def test_command_without_our_side(tmp_path: Path, ncodec: Callable[..., object]) -> None:
    source = write_clip(tmp_path / "clip.mkv", scene(4, (96, 80)))
    done = ncodec(
        "bench",
        source,
        "--out",
        tmp_path / "out",
        "--cache",
        tmp_path / "cache",
        "--qualities",
        "none",
        "--peers",
        "x264",
        "--metrics",
        "psnr,lpips",
        "--weights",
        tmp_path,
    )
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
    done = ncodec(
        "bench",
        source,
        "--out",
        tmp_path / "out",
        "--cache",
        tmp_path / "cache",
        "--qualities",
        "10,40",
        "--peers",
        "none",
        "--metrics",
        "psnr",
        "--model",
        tiny_model,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    points = json.loads((tmp_path / "out" / "report.json").read_text())["clips"][0]["points"]
    assert {(point["curve"], point["value"]) for point in points} == {
        ("ncodec", 10),
        ("ncodec", 40),
        ("ncodec-coarse", 10),
        ("ncodec-coarse", 40),
    }
    cut, coded = tmp_path / "cut.nut", tmp_path / "coded.nvc"
    loaded = clips.load(source)
    clips.write_lossless(cut, loaded.frames, loaded.rate)
    assert ncodec("encode", cut, coded, "-q", 40, "--no-audio", "--model", tiny_model).returncode == 0
    sizes = {point["bytes"] for point in points if point["value"] == 40}
    assert sizes == {coded.stat().st_size}
