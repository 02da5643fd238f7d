"""Runs what stands on a page: the commands of its bash blocks and its Python, in one folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path
from traceback import format_exception
from typing import Any

from pages import Block, commands
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bispn.cli as ours

assert ours.app, "importing it puts `bispn` beside spaCy's own commands"


def run_blocks(blocks: Iterable[Block], folder: Path, names: dict[str, Any] | None = None) -> str:
    """Run bash and Python blocks in their order; returns all that the commands print.

    names: the variables of the Python blocks, to go on with them in a later call.
    """
    names = {} if names is None else names
    printed = []
    with chdir(folder):
        for block in blocks:
            if block.language == "bash":
                printed += [run_command(command) for command in commands(block.content)]
            elif block.language == "python":
                exec(compile(block.content, f"<{block.section}>", "exec"), names)
    return "".join(printed)


def run_command(command: list[str] | str) -> str:
    """Run a command where we are. Those of spaCy run in this process: starting one takes seconds."""
    if isinstance(command, str):
        done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout
    result = CliRunner().invoke(app, command)
    said = "".join(format_exception(result.exception)) if result.exception else ""
    assert result.exit_code == 0, f"spacy {' '.join(command)}\n{result.output}\n{said}"
    return result.output
