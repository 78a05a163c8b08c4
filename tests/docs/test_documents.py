"""Every command of the README and of the quickstarts runs, and its output is as printed there.

All blocks of one document run in order in one shell, as a reader would paste them. `console` blocks
hold commands after `$ ` (continued after `> `) and the output they give; `python` blocks run as
programs, and an `output` block after one holds what it prints. `...` stands for any text.
"""

from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from kit.document_shell import Shell, console_commands, matches

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "docs/diagnostics.md",
    *sorted(ROOT.glob("kitty-specs/*/quickstart.md")),
]

MAKE_IT = frozenset({"make demo", "make test"})
"""Commands of `sh` blocks, which other tests and the run itself stand for."""


def run_console(example: Example) -> None:
    shell: Shell = example.namespace["shell"]
    for command, wanted in console_commands(example.parsed):
        seen = shell.run(command)
        assert matches(wanted, seen), f"$ {command}\nwanted:\n{wanted}\nseen:\n{seen}"


def run_python(example: Example) -> None:
    shell: Shell = example.namespace["shell"]
    example.namespace["printed"] = shell.run_program(example.parsed)


def compare_output(example: Example) -> None:
    seen = example.namespace["printed"]
    assert matches(example.parsed, seen), f"wanted:\n{example.parsed}\nseen:\n{seen}"


def only_known_commands(example: Example) -> None:
    commands = [line.partition("#")[0].strip() for line in example.parsed.splitlines()]
    unknown = [line for line in commands if line and line not in MAKE_IT]
    assert not [line for line in unknown if not line.startswith(("git clone", "cd "))], (
        "commands that nobody runs: use a `console` block"
    )


SYBIL = Sybil(
    parsers=[
        CodeBlockParser("console", run_console),
        CodeBlockParser("python", run_python),
        CodeBlockParser("output", compare_output),
        CodeBlockParser("sh", only_known_commands),
        CodeBlockParser("bash", only_known_commands),
        CodeBlockParser("shell", only_known_commands),
    ],
    path=str(ROOT),
)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_document_says_what_happens(path: Path) -> None:
    document = SYBIL.parse(path)
    with Shell() as shell:
        document.namespace["shell"] = shell
        for example in document.examples():
            example.evaluate()


def test_the_readme_names_the_two_commands_first() -> None:
    screen = (ROOT / "README.md").read_text("utf-8").splitlines()[:40]
    assert {line.partition("#")[0].strip() for line in screen} >= MAKE_IT
