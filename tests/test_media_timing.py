"""The room for time: the clock of all packets, the times of pictures, the frame rate."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurcodec.container import Packet
from neurcodec.media.timing import Clock, Timeline, frame_rate, nominal_step, origin

MPEG, SOUND, SUBTITLE = Fraction(1, 90000), 1, 2


def place(stamps: Sequence[int | None], step: int = 10, durations: Sequence[int] = ()) -> tuple[list[int], list[str]]:
    """Place a list of timestamps; every picture comes out once, in order."""
    line = Timeline[int](step, room=16)
    stated = durations or [0] * len(stamps)
    placed = []
    for number, (pts, duration) in enumerate(zip(stamps, stated, strict=True)):
        placed += line.place(number, pts, duration)
    placed += line.rest()
    assert [number for number, _ in placed] == list(range(len(stamps)))
    return [time for _, time in placed], line.warnings()


@pytest.mark.parametrize(
    ("stamps", "placed", "missing", "standing"),
    [
        ([0, 10, 20], [0, 10, 20], 0, 0),
        ([5, 6, 1000, 1001], [5, 6, 1000, 1001], 0, 0),
        ([None, None, None], [0, 10, 20], 3, 0),
        ([0, None, 20, None], [0, 10, 20, 30], 2, 0),
        ([None, 20, 30], [10, 20, 30], 1, 0),
        ([None, None, 5, 15], [-15, -5, 5, 15], 2, 0),
        ([0, 10, 10, 20, 30], [0, 10, 15, 20, 30], 0, 1),
        ([0, 0, 0, 1, 2, 40], [0, 1, 2, 3, 13, 40], 0, 3),
        ([0, None, 1000], [0, 10, 1000], 1, 0),
        ([0, 10, 0, 10, 20, 30, 40, 50], [0, 10, 13, 16, 20, 30, 40, 50], 0, 2),
        ([7, 7, 7], [7, 17, 27], 0, 2),
        ([-30, -20, None, 0], [-30, -20, -10, 0], 1, 0),
        ([], [], 0, 0),
    ],
)
def test_places(stamps: list[int | None], placed: list[int], missing: int, standing: int) -> None:
    result, warnings = place(stamps)
    assert result == placed
    assert [line.split()[0] for line in warnings] == [str(count) for count in (missing, standing) if count]


def test_a_stated_duration_is_used_for_the_gap() -> None:
    assert place([0, None, None], durations=[7, 3, 0])[0] == [0, 7, 10]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40))), st.integers(1, 1000))
def test_the_times_of_pictures_rise(stamps: list[int | None], step: int) -> None:
    placed, _ = place(stamps, step)
    assert all(two > one for one, two in itertools.pairwise(placed))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.sets(st.integers(0, 59)))
def test_right_times_stay_and_wrong_ones_make_no_drift(gaps: list[int], repeated: set[int]) -> None:
    right = [100 * time for time in itertools.accumulate(gaps)]
    stamps = [right[k - 1] if k in repeated and k and k - 1 not in repeated else right[k] for k in range(len(right))]
    for stamp, true, result in zip(stamps, right, place(stamps, 100)[0], strict=True):
        assert result == true or (stamp != true and stamp < result <= max(true, stamp + 100))


def test_nominal_step() -> None:
    assert nominal_step(MPEG, Fraction(30000, 1001)) == 3003
    assert nominal_step(Fraction(1, 1000), Fraction(0)) == 40
    assert nominal_step(Fraction(1, 10), Fraction(60)) == 1


@pytest.mark.parametrize(
    ("stated", "gaps", "time_base", "rate"),
    [
        ((25, 60000), [2400], Fraction(1, 60000), 25),
        ((30, 25), [40000] * 7, Fraction(1, 1200000), 30),
        ((1000, 1000), [40] * 7, Fraction(1, 1000), 25),
        ((1000, 1000), [33, 34, 33, 33, 34, 33, 34], Fraction(1, 1000), Fraction(30000, 1001)),
        ((Fraction(30000, 1001), 30), [33, 33, 34, 33], Fraction(1, 1000), Fraction(30000, 1001)),
        ((50, Fraction(10, 3)), [10, 10, 10, 2, 50], Fraction(1, 100), Fraction(10, 3)),
        ((0, 0), [1, 1], Fraction(1, 15), 15),
        ((0, 0), [3003, 90000, 1000], MPEG, Fraction(30000, 1001)),
        ((0, 24), [], MPEG, 24),
        ((0, 0), [], MPEG, 0),
    ],
)
def test_the_rate_is_the_one_that_the_pictures_bear_out(
    stated: tuple[int | Fraction, ...], gaps: list[int], time_base: Fraction, rate: Fraction
) -> None:
    assert frame_rate([Fraction(one) for one in stated], gaps, time_base) == rate


def test_where_zero_is() -> None:
    assert origin(Fraction(0), []) == origin(None, [None]) == origin(Fraction(1, 5), [Fraction(-1, 50)]) == 0
    assert origin(Fraction(50001), [Fraction(50000), None]) == 50000
    assert origin(Fraction(3), [Fraction(0)]) == 0
    assert origin(Fraction(-1, 25), [Fraction(0)]) == Fraction(-1, 25)
    assert origin(Fraction(0), [Fraction(-2)]) == -2


def clocked(*kinds: str, start: Fraction = Fraction(0), jumping: bool = True) -> Clock:
    clock = Clock(start, jumping)
    for number, kind in enumerate(kinds):
        clock.add(number, MPEG, kind)
    return clock


def sound(pts: int | None, duration: int = 1920, discard: bool = False, stream: int = SOUND) -> Packet:
    return Packet(stream, b"x", pts, pts, duration, True, discard)


def test_all_tracks_move_together() -> None:
    clock = clocked("video", "audio", "subtitle", start=Fraction(100))
    assert clock.move(0, 9003600, 9000000, 3600) == (3600, 0)
    assert [packet.pts for packet in clock.copied(SOUND, sound(8999000))] == [-1000]
    assert [packet.pts for packet in clock.copied(SUBTITLE, sound(9100000, stream=SUBTITLE))] == [100000]
    assert clock.shown(99_500, Fraction(1, 1000)) == 0
    assert clock.shown(101_000, Fraction(1, 1000)) == 1000
    assert clock.warnings() == ["the clock of the source starts at 100.000 s; here it starts at 0"]


def test_missing_times_of_sound_follow() -> None:
    clock = clocked("video", "audio")
    given_times = (0, None, None, 5800)
    assert [p.pts for time in given_times for p in clock.copied(SOUND, sound(time))] == [0, 1920, 3840, 5800]


def test_what_is_cut_away_is_left_out_but_for_what_a_decoder_starts_with() -> None:
    clock = clocked("video", "audio")
    packets = [sound(1920 * k, discard=k < 3 or k > 8) for k in range(12)]
    kept = [packet for one in packets for packet in clock.copied(SOUND, one)]
    assert [packet.pts for packet in kept] == [1920 * k for k in range(2, 9)]
    assert clock.warnings() == ["5 packets that the source marks as cut away are left out"]
    usual = clocked("video", "audio")
    assert len([p for one in packets[2:9] for p in usual.copied(SOUND, one)]) == 7
    assert not usual.warnings()


def test_one_wrong_time_does_not_part_the_tracks() -> None:
    clock = clocked("video", "audio")
    times = []
    for number in range(50):
        wrong = 90000 * 5000 if number == 20 else 0
        times.append(clock.move(0, 3600 * number + wrong, 3600 * number + wrong, 3600)[0])
        assert [packet.pts for packet in clock.copied(SOUND, sound(3600 * number))] == [3600 * number]
    assert times[:20] + times[21:] == [3600 * k for k in range(50) if k != 20]


def test_hostile_times_are_none_and_many_jumps_take_no_time() -> None:
    clock = clocked("video", "audio", start=Fraction(-(2**62)) * MPEG)
    assert clock.move(0, 2**63 - 1, 2**63 - 1, 3600) == (None, None)
    other = clocked("video", "audio")
    for number in range(20_000):
        other.move(0, -(90000 * number), -(90000 * number), 3600)
    assert other.warnings() == ["the clock of the source jumps 19999 times; what follows goes on where it had come to"]


RECORDINGS = st.lists(
    st.tuples(
        st.integers(0, 2**33 - 90000 * 60),  # where its clock starts
        st.integers(5, 25),  # pictures
        st.integers(-1800, 1800),  # how much later its sound starts
    ),
    min_size=1,
    max_size=4,
)


@given(RECORDINGS, st.integers(0, 12))
def test_sound_stays_with_the_picture_in_joined_recordings(recordings: list[tuple[int, int, int]], ahead: int) -> None:
    start, _, lead = recordings[0]
    clock = clocked("video", "audio", start=Fraction(min(start, start + lead)) * MPEG)
    shown, heard, count = [], [], 0
    for begin, pictures, later in recordings:
        packets = [(begin + 3600 * k, 0) for k in range(pictures)]
        packets += [(begin + later + 1920 * k, SOUND) for k in range(pictures * 3600 // 1920)]
        packets.sort(key=lambda one: one[0] - ahead * 1920 * one[1])  # sound may come some packets before its picture
        moved: dict[int, list[int]] = {0: [], SOUND: []}
        for time, track in packets:
            if track == SOUND:
                count += 1
                out = [packet.pts for packet in clock.copied(SOUND, sound(time))]
            else:
                out = [clock.move(0, time, time, 3600)[0]]
            moved[track] += [one - time for one in out if one is not None]
            (heard if track == SOUND else shown).extend(out)
        if moved[SOUND]:
            assert abs(moved[SOUND][-1] - moved[0][-1]) <= 1800  # 20 ms
    assert all(two >= one for one, two in itertools.pairwise(heard))
    assert all(two > one for one, two in itertools.pairwise(place(shown, 3600)[0]))
    lost = count - len(heard)
    assert any(line.startswith(f"{lost} packets overlap") for line in clock.warnings()) == (lost > 0)
