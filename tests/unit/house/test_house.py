"""The house stands: no rule is broken in this checkout, and each rule goes red when it is."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.house import direction, shape, suppressions
from kit.house.rules import RULES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_checkout_keeps_the_rule(rule: str) -> None:
    assert list(RULES[rule](ROOT)) == []


def test_every_folder_with_code_is_type_checked() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        checked = tomllib.load(file)["tool"]["mypy"]["files"]
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."]
    made = {"build", "dist", "htmlcov"}
    coded = {path.name for path in folders if any(path.rglob("*.py"))} - made
    assert coded == set(checked)


class Checkout:
    """A small tree in which a test breaks one rule."""

    def __init__(self, root: Path) -> None:
        """Make the smallest tree that keeps all rules."""
        self.root = root
        for package in ("client/lanekeeper/wire", "workers/lanekeeper/keeper"):
            self.write(f"{package}/__init__.py", '"""A package."""\n')
            self.write(f"{package}/py.typed", "")

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def module(self, path: str, text: str) -> None:
        """Write a module with a docstring."""
        self.write(path, f'"""A module."""\n{text}')


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


WIRE = "client/lanekeeper/wire/x.py"
KEEPER = "workers/lanekeeper/keeper/x.py"
TEST = "tests/unit/test_x.py"

RED = [
    (direction.wrong_directions, WIRE, "import lanekeeper.client.session\n", "wire imports"),
    (direction.wrong_directions, WIRE, "def f():\n    from lanekeeper.cli import y\n", "cli.y"),
    (direction.wrong_directions, KEEPER, "from lanekeeper.wire import codec\n", "keeper imports"),
    (direction.wrong_directions, "soak/lanekeeper/odd/x.py", "", "no package of the table"),
    (direction.foreign_imports, KEEPER, "import psutil\n", "imports psutil"),
    (direction.impure_cores, WIRE, "import time\n", "imports time"),
    (direction.impure_cores, WIRE, "def f():\n    from os import path\n", "imports os"),
    (direction.impure_cores, WIRE, "from lanekeeper.keeper import y\n", "not a core"),
    (shape.too_long, WIRE, "\n" * 400, "401 lines"),
    (shape.too_long, TEST, "\n" * 400, "401 lines"),
    (shape.long_functions, WIRE, "def f() -> None:\n" + "    f()\n" * 40, "f has 41 lines"),
    (shape.undocumented, WIRE, "def f() -> None: ...\n", "f without a docstring"),
    (shape.undocumented, WIRE, 'class A:\n    """A."""\n    def g(self): ...\n', "g without"),
    (shape.sleeps, TEST, "import time\ntime.sleep(1)\n", "sleeps"),
    (shape.sleeps, TEST, "from time import sleep\n", "imports time.sleep"),
    (shape.sleeps, WIRE, "import asyncio\nasync def f(): await asyncio.sleep(1)\n", "sleeps"),
    (suppressions.silenced, WIRE, "x = 1  # no" + "qa: F401\n", "silences"),
    (suppressions.silenced, WIRE, "x = 1  # type" + ": ignore[attr-defined]\n", "silences"),
    (suppressions.silenced, WIRE, "x = 1  # no" + "sec\n", "silences"),
    (suppressions.silenced, TEST, "x = 1  # pragma" + ": no cover\n", "silences"),
    (suppressions.silenced, TEST, "# fmt" + ": off\n", "silences"),
    (suppressions.skipped, TEST, "import pytest\npytest.skip('later')\n", "pytest.skip"),
    (suppressions.skipped, TEST, "import pytest\n@pytest.mark.xfail\ndef f(): ...\n", "xfail"),
    (suppressions.skipped, TEST, "from pytest import importorskip\n", "importorskip"),
]


@pytest.mark.parametrize(("rule", "path", "text", "says"), RED)
def test_a_break_is_seen(
    checkout: Checkout,
    rule: Callable[[Path], list[str]],
    path: str,
    text: str,
    says: str,
) -> None:
    checkout.module("workers/lanekeeper/keeper/y.py", "")
    before = list(rule(checkout.root))
    checkout.module(path, text)
    found = [line for line in rule(checkout.root) if line not in before]
    assert len(found) == 1
    assert says in found[0]
    assert found[0].startswith(f"{path}:")


def test_a_core_that_is_gone_is_seen(checkout: Checkout) -> None:
    found = list(direction.unlisted_cores(checkout.root, ("lanekeeper.wire", "lanekeeper.gone")))
    assert found == ["lanekeeper.gone is listed as a core but there is no such module"]


def test_a_pure_module_that_is_not_listed_is_seen(checkout: Checkout) -> None:
    cores = ("lanekeeper.wire", "lanekeeper.keeper.states")
    checkout.module("workers/lanekeeper/keeper/states.py", "")
    checkout.module("workers/lanekeeper/keeper/shell.py", "import os\n")
    assert list(direction.unlisted_cores(checkout.root, cores)) == []
    checkout.module(KEEPER, "from lanekeeper.keeper import states\n")
    (found,) = direction.unlisted_cores(checkout.root, cores)
    assert "lanekeeper.keeper.x is pure" in found


def test_types_alone_do_not_make_a_core_impure(checkout: Checkout) -> None:
    checkout.module(WIRE, "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import zmq\n")
    assert list(direction.impure_cores(checkout.root)) == []


def test_a_docstring_does_not_count_as_length(checkout: Checkout) -> None:
    words = "    word\n" * 60
    checkout.module(WIRE, f'def f() -> None:\n    """F.\n\n{words}    """\n')
    assert list(shape.long_functions(checkout.root)) == []


def test_giving_up_a_turn_is_no_sleep(checkout: Checkout) -> None:
    checkout.module(TEST, "import asyncio\nasync def f(): await asyncio.sleep(0)\n")
    assert list(shape.sleeps(checkout.root)) == []


def test_a_word_in_a_text_silences_nothing(checkout: Checkout) -> None:
    checkout.module(TEST, "x = '# no" + "qa'\n")
    assert list(suppressions.silenced(checkout.root)) == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("client/lanekeeper/__init__.py", "must stay empty"),
        ("client/lanekeeper/odd.py", "only packages"),
        ("client/lanekeeper/cli/x.py", "py.typed is missing"),
    ],
)
def test_a_stray_file_in_the_namespace_is_seen(checkout: Checkout, path: str, says: str) -> None:
    assert list(shape.stray_packages(checkout.root)) == []
    checkout.write(path, "")
    assert any(says in line for line in shape.stray_packages(checkout.root))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('select = ["ALL"]', 'select = ["E"]', "select everything"),
        ("strict = true", "strict = false", "must be strict"),
        ('filterwarnings = ["error"]', 'filterwarnings = ["ignore"]', "must be errors"),
        ("fail_under = 90", "fail_under = 60", "below 90"),
        ("branch = true", 'branch = true\nomit = ["*/cli/*"]', "run.omit hides"),
        ('"tests/**" = [', '"client/**" = ["ANN"]\n"tests/**" = [', "for the product"),
        ("ignore_missing_imports = true", "ignore_errors = true", "mypy is loosened"),
    ],
)
def test_a_loosened_setting_is_seen(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new, 1), "utf-8")
    assert any(says in line for line in suppressions.loosened(tmp_path))
