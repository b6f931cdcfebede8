"""A plan that takes long says so, and what would make it shorter."""

from __future__ import annotations

import io

from made_study import made_study

from robustness.workflow.planning import Planning


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines_of(times: list[float], ends: float | None = None, **overlay: object) -> list[str]:
    """Return what a plan prints that is asked at these times, in seconds, and has ended at one of them."""
    clock, stream = Clock(), io.StringIO()
    planning = Planning(made_study(**overlay), stream, clock)
    for clock.now in times:
        if clock.now == ends:
            planning.ends()
        planning.goes_on()
    return stream.getvalue().splitlines()


def test_a_plan_as_of_the_scales_here_says_nothing() -> None:
    assert lines_of([0, 5, 19.9]) == []


def test_a_long_plan_says_what_it_does_and_how_large_the_study_is() -> None:
    (line,) = lines_of([5, 21], seeds=list(range(3000)), shard_images=100)
    assert "Still planning after 21 s" in line
    assert "24,000 networks, attacked in 96,000 shards" in line  # eight networks, 400 images of each
    assert "Fewer 'seeds', or more images in a shard ('shard_images')" in line


def test_a_line_is_printed_again_when_twice_the_time_has_passed() -> None:
    assert [line.split()[3] for line in lines_of([20, 21, 39, 41, 60, 81, 90, 170])] == ["20", "41", "90"]


def test_nothing_is_printed_once_the_jobs_are_known() -> None:
    assert lines_of([5, 30, 100], ends=30) == []
