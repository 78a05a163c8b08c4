"""What a stranger installs: one import name, a command, and types that a checker sees."""

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """\
from lanekeeper.client import connect


def main() -> int:
    with connect() as plane:
        done = plane.lane("build").run(["echo", "hello"])
        output: bytes = done.output
        return len(output)


reveal_type(connect)
print(main())
"""

pytestmark = [pytest.mark.needs("packages"), pytest.mark.timeout(300)]


def run(command: Sequence[str], where: Path) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stranger")
    run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "install", str(wheel)], folder)
    return python


def test_the_wheel_holds_one_namespace_with_typed_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"lanekeeper"}
    assert "lanekeeper/__init__.py" not in names
    packages = {name.split("/")[1] for name in names if name.startswith("lanekeeper/")}
    assert {"wire", "client", "cli", "broker", "collector", "workers", "keeper"} <= packages
    assert [one for one in packages if f"lanekeeper/{one}/py.typed" not in names] == []


def test_the_command_runs_from_the_wheel(stranger: Path, tmp_path: Path) -> None:
    said = run([str(stranger.with_name("lane")), "version"], tmp_path)
    assert "0.1.0" in said


def test_the_manual_comes_with_the_command(stranger: Path) -> None:
    pages = stranger.parents[1] / "share" / "man" / "man1"
    assert (pages / "lane.1").read_text("utf-8") == (ROOT / "docs/man/lane.1").read_text("utf-8")
    assert (pages / "lane-run.1").exists()


def test_the_wheel_is_what_runs_even_in_the_checkout(stranger: Path) -> None:
    where = run(
        [str(stranger), "-c", "import lanekeeper.wire; print(lanekeeper.wire.__file__)"], ROOT
    )
    assert where.startswith(str(stranger.parents[1]))


@pytest.mark.parametrize("installation", ["wheel", "editable"])
def test_a_stranger_sees_the_types(installation: str, stranger: Path, tmp_path: Path) -> None:
    python = str(stranger) if installation == "wheel" else sys.executable
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python]
    said = run([*mypy, "--cache-dir", str(tmp_path / "cache"), "program.py"], tmp_path)
    assert "Any" not in said
    assert "Plane" in said
