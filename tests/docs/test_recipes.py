"""The recipes of CONTRIBUTING.md, applied to a copy of the tree: what is said to follow follows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import pytest
from pages import REPOSITORY

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
EDIT = re.compile(
    r'<!-- edit: (?P<file>\S+), (?:(?P<where>before|after|replace) "(?P<anchor>.*?)"|at the end) -->\n'
    r"```\w+\n(?P<code>.*?)```\n",
    re.S,
)
COPIED = (
    "spacy_bispn", "tests", "docs", "project/configs", "pyproject.toml", "README.md", "CHANGELOG.md",
    "constraints.txt", "constraints-newest.txt", "constraints-oldest.txt",
)  # fmt: skip

# What must work behind each recipe; everything runs in the copy.
LOADS = """
import json
from pathlib import Path
import spacy
from kept import KEPT, said
for folder in sorted(KEPT.iterdir()):  # what was saved before answers as before
    kept = json.loads((folder / "said.json").read_text("utf-8"))
    answers = said(spacy.load(folder / "model"), [one["text"] for one in kept][:-1])
    for one, other in zip(kept, answers, strict=True):
        assert [x[:3] for x in one["entities"]] == [x[:3] for x in other["entities"]]
        assert [x[:3] for x in one["relations"]] == [x[:3] for x in other["relations"]]
"""
SETTING = (
    LOADS
    + """
from groups import default_block
from pipelines import demo_texts, initialize, make_nlp, tiny
from spacy.cli.init_config import fill_config
from spacy_bispn.settings import SettingError
def place(config):
    return config[BLOCK] if BLOCK else config
assert place(default_block())[NAME] == DEFAULT
def config(value):
    return tiny(**{NAME: value}) if not BLOCK else tiny(
        {NAME: value} if BLOCK == "model" else None, **({BLOCK: {NAME: value}} if BLOCK != "model" else {}))
try:
    make_nlp(config(BAD))
except SettingError as error:
    assert error.name == NAME and error.value == BAD and error.expected and error.advice
else:
    raise AssertionError("a bad value was taken")
_, filled = fill_config(Path("filled.cfg"), Path("project/configs/demo.cfg"), silent=True)
assert place(filled["components"]["bispn"])[NAME] == DEFAULT
nlp = make_nlp(config(GOOD))
nlp.update(initialize(nlp, demo_texts(2)))
nlp.to_disk("saved")
assert place(spacy.load("saved").config["components"]["bispn"])[NAME] == GOOD
assert f"| `{NAME}` | `{DEFAULT}` |" in Path("docs/configuration.md").read_text("utf-8")
"""
)
LOSS = (
    SETTING
    + """
from spacy_bispn.nn.objective import Objective
assert Objective().at_full_weight().weights["certainty"] == 1.0
assert Objective(certainty=0).at_full_weight().weights["certainty"] == 0.0
"""
)
DECODING = (
    SETTING
    + """
assert spacy.load("saved").get_pipe("bispn").decoding.shortest_entity == 3
"""
)
FORMAT = """
from pathlib import Path
from typer.testing import CliRunner
from spacy_bispn.cli import app
Path("corpus.txt").write_text("Cdc6 -BINDS-> ORC\\n", "utf-8")
for options in ([], ["--format", "arrows"]):
    result = CliRunner().invoke(app, ["convert", "corpus.txt", "corpus.spacy", *options])
    assert result.exit_code == 0, result.output
assert "`arrows`" in Path("docs/formats.md").read_text("utf-8")
assert "arrows" in CliRunner().invoke(app, ["convert", "--help"], env={"COLUMNS": "400"}).output
"""
FAMILY = """
from spacy_bispn.model.encoder_families import families_like_bert
assert "ernie" in families_like_bert()
"""
CONVENTION = """
from pathlib import Path
from spacy_bispn.evaluation.conventions import get_convention
assert get_convention("starts").about.startswith("Starts")
assert "`starts`" in Path("docs/reports.md").read_text("utf-8")
"""


def setting(block: str, name: str, default: object, good: object, bad: object, code: str = SETTING) -> str:
    """What must work with a new setting of a block."""
    return f"BLOCK, NAME, DEFAULT, GOOD, BAD = {(block, name, default, good, bad)!r}\n{code}"


CHECKS = {
    "Add a loss": setting("objective", "certainty", 0.001, 0.5, -1, LOSS),
    "Add a decoding setting": setting("", "shortest_entity", 1, 3, 0, DECODING),
    "Add a setting of the model": setting("model", "dropout_scale", 1.0, 0.5, -1),
    "Add a family of encoders": FAMILY,
    "Add a corpus format": FORMAT,
    "Add a scoring convention": CONVENTION,
}


class Edit(NamedTuple):
    """A block of code and where it goes."""

    file: str
    where: str | None
    anchor: str | None
    code: str


def recipe(title: str) -> list[Edit]:
    """The edits of a recipe."""
    section = PAGE.split(f"### {title}\n")[1].split("\n### ")[0]
    return [
        Edit(found["file"], found["where"], found["anchor"], found["code"])
        for found in EDIT.finditer(section)
    ]


def apply(edit: Edit, tree: Path) -> None:
    """Change a file as the recipe says, indented as its anchor, which is the beginning of a line."""
    file = tree / edit.file
    if edit.where is None:
        before = file.read_text("utf-8") + "\n\n" if file.exists() else ""
        file.write_text(before + edit.code, "utf-8")
        return
    lines = file.read_text("utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith(edit.anchor or ""))
    code = indent(edit.code, re.match(r" *", lines[at])[0])
    lines[at + (edit.where == "after") : at + (edit.where != "before")] = [code]
    file.write_text("".join(lines), "utf-8")


def run(tree: Path, *arguments: str) -> None:
    """Python in the copy, whose package goes before the installed one: both have the same entry points."""
    paths = os.pathsep.join(map(str, (tree, tree / "tests", tree / "docs")))
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


@pytest.mark.parametrize("title", CHECKS)
def test_a_recipe_names_at_most_three_files(title: str) -> None:
    files = {edit.file for edit in recipe(title)}
    assert len(files) <= 3 and "CHANGELOG.md" in files and any(file.startswith("tests/") for file in files)


def test_every_recipe_is_tried() -> None:
    assert re.findall(r"^### (Add .*)$", PAGE, re.M) == [*CHECKS]


@pytest.mark.slow
@pytest.mark.parametrize("title", CHECKS)
def test_what_follows_from_a_recipe(title: str, tmp_path: Path) -> None:
    for name in COPIED:
        source, target = REPOSITORY / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    edits = recipe(title)
    for edit in edits:
        apply(edit, tmp_path)
    run(tmp_path, "docs/generate.py")
    run(tmp_path, "-c", CHECKS[title])
    tests = next(edit.file for edit in edits if edit.file.startswith("tests/"))
    run(
        tmp_path,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        "tests/test_every_setting.py",
        tests,
    )
