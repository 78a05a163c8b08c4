"""The runtime directory: which one applies, and which are refused."""

import os
from pathlib import Path

import pytest

from lanekeeper.keeper.rundir import Rundir, RundirError, RundirMissingError, resolve


def test_order_of_resolution() -> None:
    environ = {"LANEKEEPER_DIR": "/a", "XDG_RUNTIME_DIR": "/b"}
    assert resolve("/x", environ, 7).path == Path("/x")
    assert resolve(None, environ, 7).path == Path("/a")
    assert resolve(None, {"XDG_RUNTIME_DIR": "/b"}, 7).path == Path("/b/lanekeeper")
    assert resolve(None, {}, 7).path == Path("/", "tmp", "lanekeeper-7")
    assert resolve("rel", {}, 7).path == Path.cwd() / "rel"


def test_created_directory_is_private_and_whole(tmp_path: Path) -> None:
    rundir = Rundir(tmp_path / "deep" / "plane")
    rundir.create()
    rundir.create()
    rundir.check()
    for path in (rundir.path, rundir.lanes, rundir.log):
        assert path.stat().st_mode & 0o777 == 0o700


def test_missing_directory_has_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(RundirMissingError, match="lane up"):
        Rundir(tmp_path / "none").check()


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_directory_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(RundirError, match="chmod 700"):
        Rundir(tmp_path).create()
    tmp_path.chmod(0o700)


def test_links_and_files_are_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    link, dangling, file = (tmp_path / name for name in ("link", "dangling", "file"))
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "none")
    file.touch()
    for path, what in ((link, "symbolic link"), (dangling, "symbolic link"), (file, "directory")):
        for call in (Rundir(path).check, Rundir(path).create):
            with pytest.raises(RundirError, match=what):
                call()


def test_foreign_owner_is_refused(tmp_path: Path) -> None:
    # Root gives a directory away; anybody else finds one of root's.
    foreign = Path("/")
    if os.getuid() == 0:
        os.chown(tmp_path, 12_345, -1)
        foreign = tmp_path
    with pytest.raises(RundirError, match="belongs to uid"):
        Rundir(foreign).check()


def test_path_too_long_for_its_sockets_is_refused(tmp_path: Path) -> None:
    suffix = len("/lanes/lane_0123456789abcdef.out")
    longest = tmp_path / ("x" * (107 - suffix - len(os.fsencode(tmp_path)) - 1))
    Rundir(longest).create()
    assert len(os.fsencode(Rundir(longest).lane_out("lane_0123456789abcdef"))) == 107
    with pytest.raises(RundirError, match="1 bytes too long"):
        Rundir(Path(f"{longest}x")).create()
    assert not Path(f"{longest}x").exists()


def test_relative_path_is_refused() -> None:
    with pytest.raises(RundirError, match="not absolute"):
        Rundir(Path("here")).check()
