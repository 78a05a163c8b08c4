"""What a `lane run` leaves behind, and what is there for one that is repeated."""

import json
import signal

from kit.cluster import Plane


def lanes_of(plane: Plane) -> list[str]:
    """Return the names of the lanes of all workspaces."""
    found = json.loads(plane.lane("ls", "--json").stdout)
    return [str(lane["name"]) for lane in found["lanes"]]


def test_rm_leaves_no_lane_in_another_workspace_either(shared_plane: Plane) -> None:
    shared_plane.lane("workspace", "create", "web")
    done = shared_plane.lane("run", "--rm", "web/job", "--", "echo", "done")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "job" not in lanes_of(shared_plane)


def test_with_a_key_the_output_of_a_fast_program_is_complete(shared_plane: Plane) -> None:
    words = ("run", "fast", "--idempotency-key", "cmd_fastfastfastfast", "--", "seq", "3000000")
    done = shared_plane.lane_bytes(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(b"%d\n" % number for number in range(1, 3_000_001))


def test_a_repeated_key_joins_a_program_that_still_runs(shared_plane: Plane) -> None:
    words = ("run", "join", "--idempotency-key", "cmd_joinjoinjoinjoin", "--stdin", "none", "--")
    command = (*words, "sh", "-c", "echo up; read line; echo $line")
    with shared_plane.start_lane(*command) as first, shared_plane.start_lane(*command) as second:
        outputs = [first.stdout, second.stdout]
        for output in outputs:
            assert output is not None
            assert output.readline() == b"up\n"
        shared_plane.lane("send", "join", "over", "--enter")
        for output in outputs:
            assert output is not None
            assert output.readline() == b"over\n"
        assert (first.wait(10), second.wait(10)) == (0, 0)


def test_a_signal_ends_a_run_whose_program_has_ended_and_whose_reader_stands_still(
    shared_plane: Plane,
) -> None:
    with shared_plane.start_lane("run", "stuck", "--", "seq", "300000") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        assert shared_plane.lane("wait", "stuck", "--timeout", "20").returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
