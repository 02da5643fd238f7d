"""The house as drawn in docs/architecture.md: which file may import which, and how long it may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "spacy_bispn"
LONGEST = 320

# A folder named here is one room: whoever is above it may use any file in it.
FLOORS = {
    0: ["__init__", "records", "files", "bounds", "sentences"],
    1: ["scoring", "errors", "places", "safe", "nn", "demo_grammar", "tokenizer", "similar"],
    2: ["pieces", "converters", "demo", "bootstrap", "findings"],
    3: ["targets", "decode", "conventions"],
    4: ["annotations", "pretrained", "optimizers", "diagnose"],
    5: ["bridge", "scorer", "gold", "drawing", "invariants"],
    6: ["architectures", "defaults", "saved"],
    7: ["component"],
    8: ["factory", "corpora", "attention_map"],
    9: ["bench", "cli"],
    10: ["soak"],
}
NN_FLOORS = {
    0: ["shapes"],
    1: ["dropout", "pairs", "matching"],
    2: ["attention", "heads", "queries", "losses"],
    3: ["encoder", "decoder"],
    4: ["network", "objective"],
    5: ["__init__", "bipartite", "int8"],
}

FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
each_file = pytest.mark.parametrize("name", FILES)


def imported(name: str) -> set[str]:
    """Every module that a file imports, wherever in the file, by its absolute dotted name."""
    package = ["spacy_bispn", *name.split("/")[:-1]]
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            names = [f"{module}.{alias.name}" for alias in node.names]
            found.update(name if as_file(name) else module for name in names)
    return found


def neighbours(name: str) -> set[str]:
    """The files of this package that a file imports, by their names in `FILES`."""
    return {file for module in imported(name) if (file := as_file(module)) not in (None, "__init__", name)}


def as_file(module: str) -> str | None:
    """The file that a dotted name stands for; None for a name inside a file and for other packages."""
    if module.split(".")[0] != "spacy_bispn":
        return None
    path = "/".join(module.split(".")[1:])
    return next((file for file in (path, f"{path}/__init__".lstrip("/")) if file in FILES), None)


def tops(name: str) -> set[str]:
    """The top-level packages that a file imports."""
    return {module.split(".")[0] for module in imported(name)}


def floor_of(place: str, floors: dict[int, list[str]], where: str) -> int:
    for floor, places in floors.items():
        if place in places:
            return floor
    raise AssertionError(f"{where} has no floor: give {place!r} one here and in docs/architecture.md")


def floor(name: str) -> int:
    return floor_of(name.split("/")[0], FLOORS, f"spacy_bispn/{name}.py")


def nn_floor(name: str) -> int:
    return floor_of(name.split("/", 1)[1], NN_FLOORS, f"spacy_bispn/{name}.py")


def same_room(one: str, other: str) -> bool:
    return "/" in one and one.split("/")[0] == other.split("/")[0]


@each_file
def test_imports_come_from_lower_floors(name: str) -> None:
    here = floor(name)
    above = {other: floor(other) for other in neighbours(name) if not same_room(name, other)}
    wrong = {other: there for other, there in above.items() if there >= here}
    assert not wrong, f"spacy_bispn/{name}.py is on floor {here} and imports {wrong}"


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("nn/")])
def test_the_network_has_floors_of_its_own(name: str) -> None:
    here = nn_floor(name)
    wrong = {other for other in neighbours(name) if same_room(name, other) and nn_floor(other) >= here}
    assert not wrong, f"spacy_bispn/{name}.py is on floor {here} of nn and imports {wrong}"


def test_no_two_files_import_each_other() -> None:
    # Within a room the floors say nothing; a CycleError names the files.
    TopologicalSorter({name: neighbours(name) for name in FILES}).prepare()


def test_the_walk_sees_the_imports_that_are_there() -> None:
    assert {"nn/shapes", "records"} <= neighbours("decode")
    assert "thinc" in tops("optimizers")
    with pytest.raises(AssertionError, match=r"spacy_bispn/attic\.py has no floor.*'attic'"):
        floor("attic")


@each_file
def test_each_library_has_its_place(name: str) -> None:
    used = tops(name)
    if name.startswith("nn/"):
        assert not used & {"spacy", "thinc"}, "nn is pure torch"
    assert "scipy" not in used or name == "nn/matching", "scipy belongs in nn/matching"
    assert "transformers" not in used or name == "pretrained", "transformers belongs in pretrained"
    seams = ("bridge", "optimizers", "architectures")
    assert not {"thinc", "torch"} <= used or name in seams, f"thinc and torch meet only in {seams}"
    text = FILES[name].read_text(encoding="utf8")
    assert "set_extension" not in text or name == "annotations", "Doc extensions belong in annotations"


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "numpy.load", "np.load"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


@each_file
def test_nothing_that_is_read_can_be_run(name: str) -> None:
    assert not tops(name) & FORBIDDEN_MODULES
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in FORBIDDEN_CALLS, f"line {node.lineno}"
            assert "trust_remote_code" not in [x.arg for x in node.keywords], f"line {node.lineno}"


@each_file
def test_no_file_is_long(name: str) -> None:
    lines = len(FILES[name].read_text(encoding="utf8").splitlines())
    assert lines <= LONGEST, f"spacy_bispn/{name}.py has {lines} lines: make two files of it"


def imported_by(code: str, *names: str) -> set[str]:
    """Which of the packages a new Python has imported after some code."""
    code = f"import sys; {code}; print(*{set(names)} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_bare_package_is_light() -> None:
    assert not imported_by("import spacy_bispn", "torch", "transformers", "spacy")


def test_a_blank_pipeline_does_not_pay_for_the_component() -> None:
    # spacy.blank loads the factories of every installed package; thinc has torch in any case
    code = "from importlib.metadata import entry_points as eps; eps(group='spacy_factories')['bispn'].load()"
    assert not imported_by(code, "transformers", "tokenizers", "scipy", "spacy_bispn.nn")


def test_blank_pipelines_know_the_extension() -> None:
    code = "import spacy; assert spacy.blank('en')('A b.')._.relations == ()"
    assert imported_by(code, "spacy_bispn.factory") == {"spacy_bispn.factory"}
