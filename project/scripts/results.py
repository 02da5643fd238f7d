"""Write the figures in metrics/ into the tables of a Markdown page, each with its commit, date and command.

A table is between `<!-- NAME -->` and `<!-- /NAME -->`; those without figures stay as they are. The page
names its commit and machine between `<!-- measured -->` and `<!-- /measured -->`: those of the newest run.
Any other commit in a table is marked "(older)".
"""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from formatting import Rows, Table, run_in_words
from options import Corpus
from provenance import Run
from tables import make_tables
from wasabi import msg

from spacy_bispn.files import save

# tables whose rows are runs of their own: those without new figures stay
BY_ROW = ("ablation", "speed", "statistics", "systems")
TOP = "measured"
WIDTH = 104  # of lines, with space for marks
BLOCK = re.compile(r"(<!-- ([\w-]+(?: [\w-]+)?) -->\n)(.*?)(<!-- /\2 -->)", re.DOTALL)
COMMIT = re.compile(r"(commit\s+)(?:`([^`]+)`|unknown)(\s+\(older\))?", re.IGNORECASE)
NEWEST = re.compile(r"Commit (?:`([^`]+)`|unknown), last run (.{16}) UTC, on (.+)")


def main(
    document: Annotated[Path, typer.Argument(help="The Markdown file", exists=True)],
    corpus: Corpus,
) -> None:
    """Replace the tables of a corpus, and those that all corpora share."""
    text = document.read_text("utf8")
    tables = make_tables(corpus)
    present = {found[2] for found in BLOCK.finditer(text)}
    kinds = {name.split()[-1] for name in present}
    for name in tables:
        # a page that has no table of this kind for any corpus does not want it
        if name not in present and name.split()[-1] in kinds:
            msg.info(f"{name} has no table in {document.name}: add <!-- {name} --> and <!-- /{name} -->")
    # the paper's figures alone replace nothing
    filled = {found[2] for found in BLOCK.finditer(text) if "|" in found[3]}
    shown = {
        name: table
        for name, table in tables.items()
        if name in present and (table.runs or name not in filled)
    }

    def replace(found: re.Match[str]) -> str:
        start, name, old, end = found.groups()
        return f"{start}\n{fill(name, old, shown[name])}\n\n{end}" if name in shown else found[0]

    text = BLOCK.sub(replace, text)
    for name, table in shown.items():
        msg.good(f"{name}: {len(table.rows) - 2} rows")
    save(document, mark_older(text, [run for table in shown.values() for run in table.runs]))


def fill(name: str, old: str, table: Table) -> str:
    """A table in Markdown with the runs of its figures below, instead of an old one."""
    rows = keep_rows(old, table.rows) if name.endswith(BY_ROW) else table.rows
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, *(f"\n{source}" for source in sources(table.runs))])


def keep_rows(old: str, rows: Rows) -> Rows:
    """Rows in the positions of those with the same name in an old table of the same columns, others below."""
    lines = [line[2:-2].split(" | ") for line in old.splitlines() if line.startswith("|")]
    if not lines or lines[0] != list(rows[0]):
        return rows
    named = {row[0]: row for row in [*lines[2:], *rows[2:]]}
    return [*rows[:2], *named.values()]


def sources(runs: Sequence[Run]) -> list[str]:
    """A paragraph for all runs of the same commit, machine and command."""
    days: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        commit = run_in_words({"commit": run.get("commit")}).capitalize()
        others = {run_in_words(x): None for x in run.get("models", ()) if x["commit"] != run.get("commit")}
        details = [f", {run['machine']}"] if "machine" in run else []
        details += [f", model of {other}" for other in others]
        details += [f": `{run['command']}`"] if "command" in run else []
        days.setdefault((commit, "".join(details)), []).append(run.get("date", "")[:10] or "unknown date")
    return [
        textwrap.fill(
            f"{commit}, {' to '.join(sorted({min(dates), max(dates)}))}{details}", WIDTH,
            break_long_words=False, break_on_hyphens=False,
        )
        for (commit, details), dates in days.items()
    ]  # fmt: skip


def mark_older(text: str, runs: Sequence[Run]) -> str:
    """Name the newest run at the top of a page that has a line for it, and mark all other commits."""
    top = next((found for found in BLOCK.finditer(text) if found[2] == TOP), None)
    if top is None:
        return text
    named = NEWEST.search(top[3])
    candidates = [run for run in runs if run.get("date")]
    if named:  # the machine stays if it is that of the newest commit too
        candidates.insert(0, {"commit": named[1], "date": named[2], "machine": named[3]})
    if not candidates:
        return text
    newest = max(candidates, key=lambda run: run["date"])
    machine = next(run["machine"] for run in candidates if run["commit"] == newest["commit"])
    commit = run_in_words({"commit": newest["commit"]}).capitalize()
    line = f"{commit}, last run {newest['date']} UTC, on {machine}"

    def mark(found: re.Match[str]) -> str:
        older = "" if found[2] == newest["commit"] else " (older)"
        return f"{found[1]}{f'`{found[2]}`' if found[2] else 'unknown'}{older}"

    def replace(found: re.Match[str]) -> str:
        start, name, inside, end = found.groups()
        return f"{start}\n{line}\n\n{end}" if name == TOP else f"{start}{COMMIT.sub(mark, inside)}{end}"

    return BLOCK.sub(replace, text)


if __name__ == "__main__":
    typer.run(main)
