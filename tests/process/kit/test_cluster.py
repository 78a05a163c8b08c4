"""The plane of the kit: it starts, is asked, is killed on purpose, and ends without a trace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit import places
from kit.cluster import Plane, PlaneError
from kit.waiting import wait_exit, wait_until


def test_a_plane_starts_in_a_short_private_directory_and_leaves_nothing() -> None:
    with Plane() as plane:
        assert plane.dir.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(plane.dir / "lanes" / ("lane_" + "x" * 16 + ".out"))) <= 107
        roles = [entry["role"] for entry in plane.processes()]
        assert set(roles) >= {"keeper", "nursery", "broker", "collector"}
        pids = [entry["pid"] for entry in plane.processes()]
        with plane.connect() as client:
            assert client.lanes() == []
    assert not plane.base.exists()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_the_command_line_belongs_to_the_plane_alone(plane: Plane, tmp_path: Path) -> None:
    done = plane.lane("status", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(plane.dir) in done.stdout


def test_the_environment_of_a_user_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANEKEEPER_RUN_KEEP", "9")
    plane = Plane(env={"COLUMNS": "132"})
    assert "LANEKEEPER_RUN_KEEP" not in plane.env
    assert plane.env["COLUMNS"] == "132"
    assert plane.env["LANEKEEPER_DIR"] == str(plane.dir)
    places.remove(plane.base)


def test_a_killed_broker_is_replaced(plane: Plane) -> None:
    (killed,) = plane.kill("broker")

    def replaced() -> bool:
        return [pid for pid in plane.pids("broker") if pid != killed] != []

    wait_until(replaced, 10, "new broker")


def test_a_plane_whose_keeper_was_killed_is_ended_by_the_next() -> None:
    with Plane() as plane:
        pids = [int(entry["pid"]) for entry in plane.processes()]
        plane.kill("keeper")
    for pid in pids:
        wait_exit(pid, 5)
    assert not plane.base.exists()


def test_a_plane_that_was_told_to_end_is_no_failure(plane: Plane) -> None:
    plane.keeper.send_signal(signal.SIGTERM)
    wait_exit(plane.keeper.pid, 15)


def test_what_a_plane_leaves_is_a_failure_and_is_swept() -> None:
    plane = Plane()
    plane.start()
    stray = subprocess.Popen(["sleep", "60"], env={"LANEKEEPER_DIR": str(plane.dir)})
    with pytest.raises(PlaneError, match="sleep 60"):
        plane.stop()
    assert stray.wait() == -signal.SIGKILL
    assert not plane.base.exists()


def test_a_plane_that_cannot_start_says_why() -> None:
    with pytest.raises(PlaneError, match="no-such-option"), Plane(options=["--no-such-option"]):
        pass
    assert not [place for place in places.private_directories() if (place / "keeper.out").exists()]


def test_coverage_reaches_every_process_of_a_plane(tmp_path: Path) -> None:
    # A run of its own, with the settings of this checkout: one plane, one lane, one program.
    root = Path(__file__).parents[3]
    script = tmp_path / "test_one.py"
    script.write_text(
        "def test_one(plane):\n"
        "    done = plane.lane('run', 'x', '--', 'sh', '-c', 'exit 7')\n"
        "    assert done.returncode == 7, done.stderr\n"
    )
    environ = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    plugins = ["-p", "kit.programs", "-p", "kit.fixtures", "-p", "no:cacheprovider"]
    settings = ["-c", str(root / "pyproject.toml")]
    done = subprocess.run(
        [sys.executable, "-m", "kit.measured", *settings, *plugins, str(script)],
        env=environ | {"PYTHONPATH": str(root / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    assert "% is needed" in done.stdout
    covered = {
        line.split()[0].partition("lanekeeper/")[2]: line.split()
        for line in done.stdout.splitlines()
        if "lanekeeper/" in line and line.split()[1].isdigit()
    }
    execed = ("keeper/keeper.py", "keeper/nursery.py", "broker/server.py", "collector/server.py")
    for module in (*execed, "workers/runner.py", "cli/run.py"):
        assert int(covered[module][5].rstrip("%")) > 30, module
    assert done.stdout.rstrip().splitlines()[-1].startswith("=")


def test_a_torn_data_file_of_a_killed_process_is_told_and_not_fatal(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    script = tmp_path / "test_torn.py"
    script.write_text(
        "import coverage, pathlib\n"
        "def test_torn():\n"
        "    here = coverage.Coverage.current().get_option('run:data_file')\n"
        "    pathlib.Path(here + '.vm.pid1.Xabcdefx').write_bytes(b'')\n"
        "    pathlib.Path(here + '.vm.pid2.Xabcdefx').write_bytes(b'torn')\n"
    )
    environ = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    settings = ["-c", str(root / "pyproject.toml"), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "kit.measured", *settings, str(script)],
        env=environ | {"PYTHONPATH": str(root / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout.splitlines()[-1], done.stdout + done.stderr
    assert ".coverage.vm.pid2.Xabcdefx is torn" in done.stdout
