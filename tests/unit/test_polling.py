"""Snakemake looks often enough whether jobs on a cluster have ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_slurm import Executor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from robustness.workflow.polling import look_often


def made(between: int, first: int) -> RemoteExecutor:
    """Slurm's executor before it has looked at its jobs, with these options."""
    executor = object.__new__(Executor)
    executor._next_seconds_between_status_checks = None
    executor.workflow = SimpleNamespace(
        remote_execution_settings=SimpleNamespace(seconds_between_status_checks=between),
        executor_settings=SimpleNamespace(init_seconds_before_status_checks=first),
    )
    return executor


def pauses(executor: RemoteExecutor, first: int) -> list[float]:
    """The pauses of an executor that the plugin makes longer after each look at which no job has ended."""
    executor.next_seconds_between_status_checks = first
    found = [executor.next_seconds_between_status_checks]
    for _ in range(20):
        executor.next_seconds_between_status_checks = min(executor.next_seconds_between_status_checks + 10, 180)
        found.append(executor.next_seconds_between_status_checks)
    return found


@pytest.mark.parametrize(("between", "first", "longest"), [(10, 3, 10), (10, 40, 40), (60, 3, 60)])
def test_a_pause_that_would_grow_ends_at_the_longer_of_two_options(between: int, first: int, longest: int) -> None:
    executor = made(between, first)
    look_often(executor)
    found = pauses(executor, first)
    assert found[0] == first
    assert found[-1] == max(found) == longest


def test_snakemakes_own_pause_holds_until_the_first_look() -> None:
    executor = made(between=7, first=3)
    look_often(executor)
    assert executor.next_seconds_between_status_checks == 7


def test_other_executors_keep_their_pauses() -> None:
    look_often(made(between=10, first=3))
    assert max(pauses(made(between=10, first=3), first=3)) == 180


def test_an_executor_that_does_not_look_at_jobs_stays_as_it_is() -> None:
    local = SimpleNamespace()
    look_often(local)
    assert type(local) is SimpleNamespace
