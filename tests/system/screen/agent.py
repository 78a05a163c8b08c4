"""A program that draws the way coding agents do, and calls nobody.

In place on the primary screen, with synchronized updates, a box with a prompt at the bottom, 24-bit
colours, a spinner, wide characters and a title; the transcript scrolls away above. Started by
test_xterm.py in a lane.
"""

import os
import termios
import tty

SPINNER = "⠋⠙⠹⠸⠼⠴"


def say(*parts: str) -> None:
    """Write at once."""
    os.write(1, "".join(parts).encode())


def box(words: str) -> None:
    """Draw the prompt, with the cursor in it."""
    cols = os.get_terminal_size(1).columns
    edge = "─" * (cols - 2)
    say(
        f"\x1b[38;2;120;120;120m╭{edge}╮\r\n│\x1b[39m > {words:<{cols - 5}}",
        f"\x1b[38;2;120;120;120m│\r\n╰{edge}╯\x1b[39m\r\n",
        "\x1b[2m? for shortcuts \x1b[22m\x1b[3m漢字 ok\x1b[23m\x1b[2A\x1b[5G",
    )


def erase() -> None:
    """Take the prompt away again."""
    say("\x1b[1A\r\x1b[J")


def answer(words: str) -> None:
    """Show some work for a request."""
    say("\x1b[?2026h")
    erase()
    say(f"\x1b[48;5;236m> {words} \x1b[49m\r\n\r\n")
    for step in range(30):
        mark = SPINNER[step % len(SPINNER)]
        say(f"\r\x1b[K\x1b[38;5;{160 + step}m{mark} Thinking… {step} s \x1b[0m")
    say("\r\x1b[K\x1b[32m●\x1b[0m \x1b[1mEdit\x1b[22m(parser.py)\r\n")
    for line in range(12):
        say(f"\x1b[4{line % 2 + 1}m {line:>3} {'+-'[line % 2]} line {line}\x1b[K\x1b[49m\r\n")
    say(f"  ⎿ {words}: \x1b[9m11\x1b[29m \x1b[4m12 tests passed\x1b[24m\r\n\r\n")
    say("\x1b]0;agent: done\x07")
    box("")
    say("\x1b[?2026l")


def main() -> None:
    """Draw until the input ends."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    say("\x1b]0;agent: ready\x07\x1b[?2004h\x1b[>1u\x1b[?1004h")
    say("\x1b[1;35m✻ Welcome\x1b[0m\r\n\r\n  What shall we build?\r\n\r\n")
    box("")
    words = ""
    while key := os.read(0, 1).decode("ascii", "replace"):
        if key == "\r":
            answer(words)
            words = ""
        elif key.isprintable():
            words += key
            say(key)
    termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    main()
