"""A job that is forked behaves as one in a new Python: what it prints, how it ends, what signals do to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from robustness.runtime import forkserver
from robustness.runtime.forkserver import ADDRESS, SWITCH, ForkServer, is_wanted, modules_for
from robustness.storage import code_digest

SCRIPTS = Path(forkserver.__file__).parents[2]
START = [sys.executable, "-IS", str(SCRIPTS / "start_job.py")]
LONG = "import time\nopen('begun', 'w').close()\ntime.sleep(600)\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone")


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """A server that has imported json."""
    found = ForkServer()
    found.start(["json"])
    yield found
    found.stop()


@pytest.fixture(params=["forked", "anew"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways in which a job can start."""
    found = ForkServer()
    if request.param == "forked":
        found.start([])
    yield request.param
    found.stop()


def program(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return path


def started(path: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": path.parent}
    return subprocess.Popen([*START, str(path), *arguments], text=True, **{**pipes, **options})  # type: ignore[call-overload]


def ended(path: Path, *arguments: str, given: str = "", **options: object) -> tuple[int, str, str]:
    """Exit status, output and errors of a program."""
    process = started(path, *arguments, **options)
    output, errors = process.communicate(given, timeout=60)
    return process.returncode, output, errors


BEGUN = "import os, time\nopen('new', 'w').write(str(os.getpid()))\nos.rename('new', 'begun')\n"
"""The start of a program that writes its number into a file, which is whole once it is there."""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(process: int) -> None:
    deadline = time.monotonic() + 60
    while is_alive(process):
        assert time.monotonic() < deadline, f"process {process} does not end"
        time.sleep(0.02)


def test_a_job_has_arguments_folder_environment_and_streams_of_the_process_that_asked(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program(
        tmp_path,
        "import json, os, sys\n"
        "same = [sys.argv[1:], os.getcwd(), os.environ['MINE'], sys.stdin.read(), sys.path[0], __name__]\n"
        "print(json.dumps([*same, os.getpid()]))\n"
        "print('wrong', file=sys.stderr)\n",
    )
    monkeypatch.setenv("MINE", "caf\udce9 = 1")
    process = started(path, "--spec", '{"é": 1}')
    output, errors = process.communicate("given", timeout=60)
    folder = str(tmp_path)
    assert (process.returncode, errors) == (0, "wrong\n")
    *same, number = json.loads(output)
    assert (number != process.pid) == (way == "forked")
    assert same == [["--spec", '{"é": 1}'], folder, "caf\udce9 = 1", "given", folder, "__main__"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit('no such file')", 1, "no such file\n"),
        ("{}['key']", 1, "KeyError: 'key'"),
        ("import os; os._exit(7)", 7, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt"),
        ("this is no Python", 1, "SyntaxError"),
    ],
)
def test_a_job_ends_with_its_own_status(tmp_path: Path, way: str, text: str, code: int, words: str) -> None:
    status, output, errors = ended(program(tmp_path, text))
    assert (status, output) == (code, "")
    assert words in errors


def test_what_runs_at_the_end_of_a_process_runs(tmp_path: Path, way: str) -> None:
    path = program(
        tmp_path,
        "import atexit, threading, time\n"
        "atexit.register(print, 'at exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), print('thread'))).start()\n"
        "print('main')\n",
    )
    assert ended(path) == (0, "main\nthread\nat exit\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_the_job_which_may_save_its_state(tmp_path: Path, way: str, number: signal.Signals) -> None:
    path = program(
        tmp_path,
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: (print('saved', flush=True), sys.exit(5)))\n"
        "open('begun', 'w').close()\n"
        "time.sleep(600)\n",
    )
    process = started(path)
    wait_for(tmp_path / "begun")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (5, "saved\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_a_job_that_does_not_mind_it(tmp_path: Path, way: str, number: signal.Signals) -> None:
    process = started(program(tmp_path, LONG))
    wait_for(tmp_path / "begun")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number


def test_a_signal_that_the_process_that_asked_ignores_is_ignored_by_the_job(tmp_path: Path, way: str) -> None:
    path = program(tmp_path, "import signal\nprint(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)\n")
    assert ended(path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))[1] == "True\n"


def test_temporary_files_are_where_the_jobs_own_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "early.py").write_text("import tempfile\ntempfile.gettempdir()\n", encoding="utf-8")
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = program(tmp_path, "import tempfile\nprint(tempfile.gettempdir())\n")
    server = ForkServer()
    server.start(["early"])
    try:
        assert ended(path, env=os.environ | {"TMPDIR": str(tmp_path / "own")})[1] == f"{tmp_path / 'own'}\n"
    finally:
        server.stop()


def test_a_job_is_killed_with_the_process_that_asked(tmp_path: Path, server: ForkServer) -> None:
    path = program(tmp_path, f"{BEGUN}time.sleep(600)\n")
    process = started(path)
    wait_for(tmp_path / "begun")
    job = int((tmp_path / "begun").read_text())
    assert job != process.pid
    process.kill()
    process.communicate(timeout=60)
    wait_for_end(job)


def test_a_stopped_job_goes_on_when_it_is_told_to(tmp_path: Path, server: ForkServer) -> None:
    path = program(
        tmp_path,
        f"{BEGUN}while not os.path.exists('go'): time.sleep(0.02)\n",
    )
    process = started(path)
    wait_for(tmp_path / "begun")
    job = int((tmp_path / "begun").read_text())

    def state(number: int) -> str:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]

    process.send_signal(signal.SIGTSTP)
    deadline = time.monotonic() + 60
    while (state(process.pid), state(job)) != ("T", "T"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (tmp_path / "go").touch()
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_jobs_survive_the_server_and_later_ones_start_without_it(tmp_path: Path, server: ForkServer) -> None:
    path = program(
        tmp_path,
        "import os, time\nopen('begun', 'w').close()\n"
        "while not os.path.exists('go'): time.sleep(0.02)\n"
        "print('done')\n",
    )
    process = started(path)
    wait_for(tmp_path / "begun")
    assert server._process is not None
    server._process.kill()
    server._process.wait()
    second = tmp_path / "second"
    second.mkdir()
    assert ended(program(second, "print('without')"))[:2] == (0, "without\n")
    (tmp_path / "go").touch()
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "done\n")


def test_a_job_whose_watcher_is_killed_is_killed_too_and_counts_as_failed(tmp_path: Path, server: ForkServer) -> None:
    path = program(
        tmp_path, "import os, time\nopen('begun', 'w').write(f'{os.getpid()} {os.getppid()}')\ntime.sleep(600)\n"
    )
    process = started(path)
    wait_for(tmp_path / "begun")
    time.sleep(0.2)
    job, watcher = map(int, (tmp_path / "begun").read_text().split())
    assert watcher != os.getpid()
    os.kill(watcher, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was killed, and the job with it" in errors
    wait_for_end(job)


def test_the_server_ends_with_the_process_that_started_it_even_when_that_is_killed(tmp_path: Path) -> None:
    text = (
        f"import sys, time; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from robustness.runtime.forkserver import ForkServer\n"
        "server = ForkServer(); server.start([])\n"
        "print(server._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    server = int(process.stdout.readline())
    assert is_alive(server)
    process.kill()
    process.communicate()
    wait_for_end(server)


def test_the_server_ends_when_it_is_told_to_and_takes_its_address_along(server: ForkServer) -> None:
    assert server._process is not None
    process = server._process.pid
    address = os.environ[ADDRESS]
    assert address in Path("/proc/net/unix").read_text()
    server.stop()
    assert ADDRESS not in os.environ
    wait_for_end(process)
    assert address not in Path("/proc/net/unix").read_text()


def test_a_job_runs_the_code_that_is_there_when_it_starts(tmp_path: Path, server: ForkServer) -> None:
    path = program(tmp_path, "import helper\nprint(helper.VALUE)\n")
    for value in (1, 22):
        (tmp_path / "helper.py").write_text(f"VALUE = {value}\n", encoding="utf-8")
        assert ended(path)[1] == f"{value}\n"


def test_a_job_has_what_the_server_imported_and_none_of_the_workflow_s_own_modules(
    tmp_path: Path, server: ForkServer
) -> None:
    text = "import sys\nprint('json' in sys.modules, [name for name in sys.modules if name.startswith('robustness')])\n"
    assert ended(program(tmp_path, text))[1] == "True []\n"


def test_no_job_is_forked_from_a_process_with_a_thread(tmp_path: Path) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    server = ForkServer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        server.start(["threaded"])
    try:
        assert server._process is not None
        assert server._process.wait(timeout=60) == 0
        text = "import sys\nprint('threaded' in sys.modules)\n"
        assert ended(program(tmp_path, text))[:2] == (0, "False\n")
    finally:
        server.stop()


def test_importing_what_jobs_import_starts_no_thread_and_touches_no_gpu(tmp_path: Path) -> None:
    server = ForkServer()
    server.start(["pandas", "pyarrow.parquet", "torch", "matplotlib.figure"])
    try:
        text = "import sys, torch\nprint('pandas' in sys.modules, torch.cuda.is_initialized())\n"
        forked = ended(program(tmp_path, text))[1]
    finally:
        server.stop()
    assert forked == "True False\n"  # with a thread in the server, the job would not have been forked


def test_a_job_with_several_threads_is_not_forked(tmp_path: Path, server: ForkServer) -> None:
    path = program(tmp_path, "import os\nprint(os.getpid())\n")
    for threads, forked in (("1", True), ("2", False)):
        process = started(path, env=os.environ | {"OMP_NUM_THREADS": threads})
        output, _ = process.communicate(timeout=60)
        assert (int(output) != process.pid) == forked


def test_a_server_imports_the_packages_that_many_jobs_name(tmp_path: Path) -> None:
    shard = (SCRIPTS / "attack_shard.py",)
    figure = (SCRIPTS / "plot.py", code_digest.LIBRARY / "products" / "figures" / "bars.py")
    found = modules_for([shard] * 5 + [figure])
    assert {"torch", "numpy", "torch.nn"} <= set(found)
    assert not any(name.split(".")[0] in ("matplotlib", "robustness", "json") for name in found)
    assert any(name.startswith("matplotlib") for name in modules_for([figure] * 5))
    assert not any(name.split(".")[0] == "torch" for name in modules_for([figure] * 5))


def test_a_server_imports_what_the_module_names_that_a_program_imports_by_name(tmp_path: Path) -> None:
    starter = tmp_path / "plot.py"
    starter.write_text("import importlib\n", encoding="utf-8")
    assert modules_for([(starter,)] * 5) == []
    figure = code_digest.LIBRARY / "figures" / "bars.py"
    assert any(name.startswith("matplotlib") for name in modules_for([(starter, figure)] * 5))


def test_a_job_runs_nothing_that_the_servers_modules_left_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaving.py").write_text(
        f"import atexit\natexit.register(lambda: open({str(tmp_path / 'ends')!r}, 'a').write('x'))\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = ForkServer()
    found.start(["leaving"])
    path = program(tmp_path, "import sys\nprint('leaving' in sys.modules)\n")
    assert [ended(path) for _ in range(2)] == [(0, "True\n", "")] * 2
    assert not (tmp_path / "ends").exists()
    found.stop()
    assert (tmp_path / "ends").read_text() == "x"


def test_a_signal_while_the_server_still_imports_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(2)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = ForkServer()
    found.start(["slow"])
    process = started(program(tmp_path, LONG))
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
    found.stop()


def test_a_job_whose_standard_input_is_closed_is_killed_with_the_process_that_asked(
    tmp_path: Path, server: ForkServer
) -> None:
    path = program(tmp_path, "import os\nopen('job', 'w').write(str(os.getpid()))\n" + LONG)
    process = started(path, stdin=None, preexec_fn=lambda: os.close(0))
    wait_for(tmp_path / "begun")
    process.kill()
    process.wait(60)
    wait_for_end(int((tmp_path / "job").read_text()))


def test_without_descriptors_of_processes_jobs_start_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.delenv(SWITCH, raising=False)
    assert is_wanted(100)
    monkeypatch.delattr(os, "pidfd_open")
    assert not is_wanted(100)


def test_few_jobs_and_a_switched_off_server_start_jobs_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv(ADDRESS, raising=False)
    assert not is_wanted(forkserver.FEW)
    assert is_wanted(forkserver.FEW + 1)
    monkeypatch.setenv(SWITCH, "no")
    assert not is_wanted(100)


def test_a_run_that_was_started_with_the_address_of_a_server_starts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setenv(ADDRESS, "image-robustness-of-another")
    assert not is_wanted(100)


def test_a_server_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    text = (
        "import runpy, sys\nmodule = runpy.run_path(sys.argv[1])\nimport os\nreal = os.getuid()\n"
        "os.getuid = lambda: real + 1\nprint(module['run_in_fork'](sys.argv[2], ['program']))\n"
    )
    server = ForkServer()
    server.start([])
    try:
        command = [sys.executable, "-c", text, str(SCRIPTS / "start_job.py"), os.environ[ADDRESS]]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"
    finally:
        server.stop()
