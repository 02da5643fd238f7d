"""What the pages say can be done: links lead somewhere, commands, options and formats exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
import srsly
import typer
from pages import DOCS, PAGES, REPOSITORY, anchors, blocks, inline, quoted, tables
from spacy.cli._util import app as spacy_app
from spacy.util import load_model_from_config
from thinc.api import Config

import spacy_bispn
from spacy_bispn.bench.__main__ import main as bench
from spacy_bispn.bench.soak import main as soak
from spacy_bispn.cli import app
from spacy_bispn.converters import all_formats
from spacy_bispn.evaluation.conventions import convention_names
from spacy_bispn.evaluation.error_analysis import ENTITY_CLASSES, RELATION_CLASSES

SPACY: Any = typer.main.get_command(spacy_app)
OURS: Any = typer.main.get_command(app)
MODULES = {"bench": typer.Typer(), "bench.soak": typer.Typer()}
MODULES["bench"].command()(bench)
MODULES["bench.soak"].command()(soak)
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


class Call(NamedTuple):
    """A command line on a page, from the name of the program on."""

    program: Any
    words: list[str]


def calls(path: Path) -> Iterator[Call]:
    """The commands of a page that are ours or spaCy's, in its bash blocks and in its lines."""
    lines = [line for block in blocks(path) if block.language in ("bash", "console")
             for line in block.content.replace("\\\n", " ").splitlines()]  # fmt: skip
    lines += [token.content for token in inline(path, "code_inline")]
    for line in lines:
        if found := re.search(r"(?:^|&& )(?:python -m )?spacy (.*)", line):
            yield Call(SPACY, shlex.split(found[1]))
        elif found := re.search(r"^python -m spacy_bispn\.([\w.]+)(.*)", line):
            yield Call(typer.main.get_command(MODULES[found[1]]), shlex.split(found[2]))
        elif (words := line.split()) and words[0] in OURS.commands:
            yield Call(OURS, words)


def resolve(call: Call) -> tuple[Any, list[str]]:
    """The command that is called, and the words behind its name. Fails for a name that there is not."""
    command, words = call
    while hasattr(command, "commands") and words and re.fullmatch(r"[a-z][a-z0-9-]*", words[0]):
        assert words[0] in command.commands, f"{' '.join(call.words)}: there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


RECORDED = "python scripts/"  # what a run of the project was started with: results.py writes it


def options(command: Any) -> dict[str, Any]:
    """The options of a command, by each of their names."""
    found = [option for option in command.params if option.param_type_name == "option"]
    return {"--help": None} | {name: x for x in found for name in (*x.opts, *x.secondary_opts)}


def all_options() -> set[str]:
    """The names of the options of all commands of ours, and of spaCy's that pages mention."""
    mentioned = [resolve(call)[0] for path in PAGES for call in calls(path)]
    found = {*OURS.commands.values(), *mentioned}
    return {name for command in found if not hasattr(command, "commands") for name in options(command)}


def overrides() -> set[str]:
    """What `--section.name` may name: settings of a config, and variables of the project."""
    path = REPOSITORY / "project" / "configs" / "paper_biorelex.cfg"
    written = Config().from_disk(path, interpolate=False)
    config = load_model_from_config(written, auto_fill=True).config

    def names(block: dict[str, Any], before: str) -> Iterator[str]:
        for key, value in block.items():
            yield f"{before}{key}"
            yield from names(value, f"{before}{key}.") if isinstance(value, dict) else ()

    project = srsly.read_yaml(REPOSITORY / "project" / "project.yml")
    random = {f"components.bispn.model.encoder.{x}" for x in ("width", "layers", "heads", "vocabulary")}
    return {*names(config, ""), *(f"vars.{name}" for name in project["vars"]), *random}


def test_there_are_pages() -> None:
    assert {"README.md", "formats.md", "commands.md", "tutorial.md"} <= {path.name for path in PAGES}
    assert len(list(calls(DOCS / "commands.md"))) > 5


@each_page
def test_commands_and_their_options_exist(path: Path) -> None:
    settings = overrides()
    for call in calls(path):
        command, words = resolve(call)
        for word in (word.partition("=")[0] for word in words if re.match("--?[a-zA-Z]", word)):
            if "." in word:
                assert command.context_settings.get("ignore_unknown_options"), f"{call.words}: {word}"
                assert word[2:] in settings, f"{' '.join(call.words)}: nothing is called {word[2:]}"
            else:
                assert word in options(command), f"{' '.join(call.words)}: there is no option {word}"


@each_page
def test_options_that_are_mentioned_alone_exist(path: Path) -> None:
    known, settings = all_options(), overrides()
    written = (token for token in inline(path, "code_inline") if not token.content.startswith(RECORDED))
    for token in written:
        for word in re.findall(r"(?:^| )(--[a-z][\w.-]*|-[a-zA-Z])(?= |$)", token.content):
            assert word in known or word[2:] in settings, f"{token.content}: there is no option {word}"


def test_a_command_or_option_that_there_is_not_is_seen() -> None:
    with pytest.raises(AssertionError, match="there is no command 'exprot'"):
        resolve(Call(SPACY, ["bispn", "exprot", "a.spacy"]))
    command, _ = resolve(Call(SPACY, ["bispn", "convert", "a", "b", "--dev", "c"]))
    assert "--dev" in options(command) and "--train" not in options(command)
    assert "training.max_epochs" in overrides() and "training.most_epochs" not in overrides()


@each_page
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    for link in inline(path, "link_open"):
        target, _, heading = str(link.attrs["href"]).partition("#")
        if target.startswith(("https:", "http:")):
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{path.name} links to {target}, which is not there"
        assert not heading or heading in anchors(there), f"{path.name}: {target} has no heading #{heading}"


@each_page
def test_python_compiles(path: Path) -> None:
    for block in blocks(path):
        if block.language == "python":
            compile(dedent(block.content), f"{path.name}, {block.section}", "exec")


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {str(link.attrs["href"]) for link in inline(REPOSITORY / "README.md", "link_open")}
    assert {path.relative_to(REPOSITORY).as_posix() for path in PAGES} <= {*linked, "README.md"}


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    results = (DOCS / "results.md").read_text("utf-8")
    rows = tables(REPOSITORY / "README.md")["Results"]
    figures = [row[column] for row in rows for column in ("entities, F1", "relations, F1")]
    assert len(figures) > 4
    assert [figure for figure in figures if f"| {figure} |" not in results] == []


@each_page
def test_files_and_tests_that_are_mentioned_exist(path: Path) -> None:
    tests = {name for file in TESTS for name in re.findall(r"def (test_\w+)", file.read_text("utf-8"))}
    for token in inline(path, "code_inline"):
        if found := re.fullmatch(
            r"((?:tests|spacy_bispn|project/(?:scripts|configs))/[\w./]+)", token.content
        ):
            assert (REPOSITORY / found[1]).exists(), f"{path.name}: there is no {found[1]}"
        elif token.content.startswith("test_") and "." not in token.content:
            assert token.content in tests, f"{path.name}: there is no test {token.content}"


def test_the_version_to_cite_is_that_of_the_package() -> None:
    assert srsly.read_yaml(REPOSITORY / "CITATION.cff")["version"] == spacy_bispn.__version__


def test_every_public_name_is_in_the_reference() -> None:
    shown = re.findall(r"^::: spacy_bispn\.(\w+)$", (DOCS / "python.md").read_text("utf-8"), re.M)
    assert sorted(shown) == sorted(set(spacy_bispn.__all__) - {"__version__"})


@each_page
def test_lines_are_short(path: Path) -> None:
    """Tables, images and generated text aside, no line is longer than 120 characters."""
    lines = enumerate(path.read_text("utf-8").splitlines(), start=1)
    long = [number for number, line in lines if len(line) > 120 and not re.match(r"\s*(\||!\[)", line)]
    assert long == []


def test_the_list_of_commands_is_whole() -> None:
    rows = tables(DOCS / "commands.md")["Commands"]
    assert {quoted(row["command"])[0] for row in rows} == OURS.commands.keys()


@pytest.mark.parametrize("name", ["extract", "render"])
def test_the_options_of_a_command_are_all_there_with_their_defaults(name: str) -> None:
    rows = tables(DOCS / "commands.md")[name]
    shown = {tuple(quoted(row["option"])): row["default"] for row in rows}
    found = {tuple(x.opts): x.default for x in options(OURS.commands[name]).values() if x}
    assert shown == {names: "" if value in (None, False) else str(value) for names, value in found.items()}


def test_the_list_of_formats_is_whole() -> None:
    rows = tables(DOCS / "formats.md")["Formats"]
    assert sorted(name for row in rows for name in quoted(row["format"])) == list(all_formats())


def test_the_conventions_and_classes_of_errors_are_all_explained() -> None:
    found = tables(DOCS / "reports.md")
    assert [quoted(row["`--convention`"]) for row in found["Conventions"]] == [
        [name] for name in convention_names()
    ]
    classes = [row[kind] for row in found["Errors"] for kind in ("entities", "relations") if kind in row]
    assert ", ".join(classes) == ", ".join((*ENTITY_CLASSES, *RELATION_CLASSES))
