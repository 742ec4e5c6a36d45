"""Tables on narrow terminals: less important columns go, words and numbers stay whole."""

import fcntl
import os
import struct
import subprocess
import sys
import termios

from support.command_line import ROOT

from gateway.cli.fitting import fit

RANKS = (0, 0, 2, 1)
ROWS = [("ID", "NAME", "GONE", "USD"), ("key-0123456789abcdef", "search and find", "12", "0.000000484")]


def test_fit_enough_room_shows_all_in_full() -> None:
    fitted = fit(RANKS, ROWS, 80)
    assert (fitted.shown, fitted.widths, fitted.total) == ([0, 1, 2, 3], [20, 15, 4, 11], 56)


def test_fit_breaks_texts_at_blanks_first() -> None:
    fitted = fit(RANKS, ROWS, 50)
    assert (fitted.shown, fitted.widths, fitted.total) == ([0, 1, 2, 3], [20, 9, 4, 11], 50)


def test_fit_leaves_out_by_rank_and_never_rank_0() -> None:
    assert fit(RANKS, ROWS, 43).shown == [0, 1, 3]
    nothing = fit(RANKS, ROWS, 5)
    assert (nothing.shown, nothing.widths) == ([0, 1], [20, 6])


def test_print_table_on_a_terminal_of_80_columns_breaks_no_id_and_tells_what_is_left_out() -> None:
    program = (
        "from gateway.cli.output import Column, print_table\n"
        "print_table([Column('ID'), Column('KEY', rank=2), Column('USD', is_number=True)],"
        " [('i' * 60, 'k' * 30, '0.25')], ('TOTAL', '', '0.25'))"
    )
    ours, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {"PATH": os.environ["PATH"], "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE
    )
    os.close(terminal)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in shown.splitlines()] == [["ID", "USD"], ["i" * 60, "0.25"], ["TOTAL", "0.25"]]
    assert done.stderr.decode() == "Left out, as the terminal is 80 wide: KEY. A pipe or --json has all.\n"
