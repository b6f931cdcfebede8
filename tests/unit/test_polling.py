"""Snakemake looks often enough whether jobs on a cluster have ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_slurm import Executor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from robustness.workflow.polling import look_often


@pytest.fixture
def executor() -> RemoteExecutor:
    """Slurm's executor before it has looked at its jobs."""
    made = object.__new__(Executor)
    made._next_seconds_between_status_checks = None
    made.workflow = SimpleNamespace(remote_execution_settings=SimpleNamespace(seconds_between_status_checks=7))
    return made


def test_a_pause_that_would_grow_ends_at_the_longest(executor: RemoteExecutor) -> None:
    look_often(executor, longest=10)
    executor.next_seconds_between_status_checks = 5
    assert executor.next_seconds_between_status_checks == 5
    for _ in range(20):  # as the plugin does after each look at which no job has ended
        executor.next_seconds_between_status_checks = min(executor.next_seconds_between_status_checks + 10, 180)
    assert executor.next_seconds_between_status_checks == 10


def test_snakemakes_own_pause_holds_until_the_first_look(executor: RemoteExecutor) -> None:
    look_often(executor, longest=10)
    assert executor.next_seconds_between_status_checks == 7


def test_other_executors_keep_their_pauses(executor: RemoteExecutor) -> None:
    other = object.__new__(Executor)
    look_often(executor, longest=10)
    other.next_seconds_between_status_checks = 60
    assert other.next_seconds_between_status_checks == 60


def test_an_executor_that_does_not_look_at_jobs_stays_as_it_is() -> None:
    local = SimpleNamespace()
    look_often(local)
    assert type(local) is SimpleNamespace
