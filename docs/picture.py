"""Draws docs/images/lanes.svg: what a terminal shows when the commands below really run.

Starts a plane in a private directory, runs every command through a shell, and sets the output, with
its colours, as an SVG. Called by hand when the command line looks different:
`.venv/bin/python docs/picture.py`.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

COMMANDS: Final = (
    "lane up --detach",
    "lane run build -- sh -c 'echo 42 tests, 1 failed; exit 3'; echo \"status $?\"",
    "lane run --detach agent -- python3 -q -i",
    "lane send agent 'print(6 * 7)' --enter",
    "lane send agent 'exit(5)' --enter",
    "lane wait agent",
    "lane read agent",
    "lane run --detach server -- sleep 600 > /dev/null",
    "lane ls",
)
COLOURS: Final = {
    "31": "#f07178",
    "32": "#a5d46a",
    "33": "#ffcb6b",
    "34": "#82aaff",
    "35": "#c792ea",
    "36": "#89ddff",
}
TEXT, BACK, DIM = "#d6deeb", "#0f1720", "#7a8ba0"
CELL: Final = 8.4
LINE: Final = 20
MARGIN: Final = 18
WIDTH: Final = 86
_SGR: Final = re.compile(r"\x1b\[([0-9;]*)m")


def run() -> list[str]:
    """Run the commands in a plane of their own and return the lines of the terminal."""
    with tempfile.TemporaryDirectory(prefix="lane-picture-") as base:
        environ = {name: value for name, value in os.environ.items() if "LANEKEEPER" not in name}
        environ |= {
            "LANEKEEPER_DIR": f"{base}/plane",
            "XDG_CONFIG_HOME": base,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FORCE_COLOR": "1",
            "COLUMNS": str(WIDTH),
        }
        lines: list[str] = []
        try:
            for command in COMMANDS:
                lines.append(f"\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m")
                lines += _output(command, environ, base)
        finally:
            _output("lane down --yes", environ, base)
        return lines


def draw(lines: list[str]) -> str:
    """Return an SVG of lines that may hold colours."""
    width = round(2 * MARGIN + CELL * WIDTH)
    height = 2 * MARGIN + LINE * len(lines)
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + LINE * number + 14}">{_spans(line)}</text>'
        for number, line in enumerate(lines)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    font = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14"'
    parts = [
        f'{head} aria-label="A terminal that runs the lane command">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACK}"/>',
        f'<g {font} fill="{TEXT}" xml:space="preserve">',
        *rows,
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _output(command: str, environ: dict[str, str], directory: str) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", command],
        env=environ,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.replace(directory, "/run/user/1000").splitlines()


def _spans(line: str) -> str:
    spans, style, at = [], "", 0
    for match in [*_SGR.finditer(line), None]:
        text = line[at : match.start() if match else len(line)]
        if text:
            spans.append(f"<tspan{style}>{escape(text)}</tspan>")
        if match:
            style, at = _style(match.group(1)), match.end()
    return "".join(spans)


def _style(codes: str) -> str:
    style = ""
    for code in codes.split(";"):
        if code == "1":
            style += ' font-weight="bold"'
        elif code == "2":
            style += f' fill="{DIM}"'
        elif code in COLOURS:
            style += f' fill="{COLOURS[code]}"'
    return style


if __name__ == "__main__":
    Path(__file__).with_name("images").joinpath("lanes.svg").write_text(draw(run()), "utf-8")
