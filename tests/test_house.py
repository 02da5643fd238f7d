"""How the package is built: layers, where libraries belong, what is public, how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import grimp
import pytest

import spacy_bispn

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "spacy_bispn"
LONGEST = 320
MOST_IN_THE_ROOT = 20  # modules; the others stand in rooms

GRAPH = grimp.build_graph("spacy_bispn", include_external_packages=True, cache_dir=None)
# dotted name without "spacy_bispn." to file
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
each_file = pytest.mark.parametrize("name", FILES)


def imported(name: str) -> set[str]:
    """What a module imports, anywhere in the file: modules of this package, and other packages by name."""
    module = "spacy_bispn" if name == "__init__" else f"spacy_bispn.{name}"
    return set(GRAPH.find_modules_directly_imported_by(module))


def test_modules_import_only_from_lower_layers() -> None:
    # in a process of its own: it disables the loggers that there are
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    options = ["--config", str(REPOSITORY / "pyproject.toml"), "--no-cache"]
    result = subprocess.run([sys.executable, "-c", code, *options], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_few_modules_stand_in_the_root() -> None:
    assert sum(path.parent == PACKAGE for path in FILES.values()) <= MOST_IN_THE_ROOT


def test_every_import_is_seen() -> None:
    assert {"spacy_bispn.nn.shapes", "spacy_bispn.records"} <= imported("model.decoding")
    assert "thinc" in imported("model.optimizers") and "scipy" in imported("nn.matching")


@each_file
def test_each_library_has_its_place(name: str) -> None:
    used = imported(name)
    assert "scipy" not in used or name in ("nn.matching", "training.calibration"), "scipy belongs there"
    assert "transformers" not in used or name == "model.encoders", "transformers belongs in model.encoders"
    seams = ("model.shim", "model.optimizers", "model.architectures", "model.doc_batch", "model.lexical")
    assert not {"thinc", "torch"} <= used or name in seams, f"thinc and torch meet only in {seams}"
    text = FILES[name].read_text(encoding="utf8")
    assert "set_extension" not in text or name == "annotations", "Doc extensions belong in annotations"


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "numpy.load", "np.load"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


@each_file
def test_nothing_that_is_read_can_be_run(name: str) -> None:
    assert not imported(name) & FORBIDDEN_MODULES
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in FORBIDDEN_CALLS, f"line {node.lineno}"
            trusted = [ast.unparse(x.value) for x in node.keywords if x.arg == "trust_remote_code"]
            assert trusted in ([], ["False"]), f"line {node.lineno}"


@each_file
def test_no_file_is_long(name: str) -> None:
    lines = len(FILES[name].read_text(encoding="utf8").splitlines())
    assert lines <= LONGEST, f"{FILES[name]} has {lines} lines, expected at most {LONGEST}: split it"


def test_public_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf8"))
    (checked,) = (
        node for node in tree.body if isinstance(node, ast.If) and "not" not in ast.unparse(node.test)
    )
    seen = {
        alias.asname: (node.module or "").removeprefix("spacy_bispn.")
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == spacy_bispn._PUBLIC
    assert {"__version__", *seen} == set(spacy_bispn.__all__) <= set(dir(spacy_bispn))


@pytest.mark.parametrize("name", spacy_bispn.__all__)
def test_public_names_are_importable_and_described(name: str) -> None:
    value = getattr(spacy_bispn, name)
    assert name == "__version__" or (value.__name__ == name and value.__doc__)


def test_a_module_does_not_hide_a_public_name() -> None:
    assert not set(spacy_bispn.__all__) & FILES.keys(), "importing the module would replace the public name"


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'spacy_bispn' has no attribute 'rendre'"):
        _ = spacy_bispn.rendre  # type: ignore[attr-defined]


def imported_by(code: str, names: Iterable[str]) -> set[str]:
    """Which of some packages a new Python has imported after some code."""
    code = f"import sys; {code}; print(*{set(names)} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_bare_package_is_light() -> None:
    code = "import spacy_bispn; dir(spacy_bispn); spacy_bispn.Relation"
    assert not imported_by(code, ["torch", "transformers", "spacy", "thinc", "numpy"])


def test_other_commands_of_spacy_do_not_pay_for_ours() -> None:
    unwanted = ["transformers", "scipy", "spacy_bispn.component", "spacy_bispn.nn.network"]
    assert not imported_by("import spacy_bispn.cli", unwanted)


def test_a_blank_pipeline_does_not_pay_for_the_component() -> None:
    # spacy.blank loads the factories of every installed package; thinc has torch in any case
    code = "from importlib.metadata import entry_points as eps; eps(group='spacy_factories')['bispn'].load()"
    assert not imported_by(code, ["transformers", "tokenizers", "scipy", "spacy_bispn.nn.network"])


def test_blank_pipelines_know_the_extension() -> None:
    code = "import spacy; assert spacy.blank('en')('A b.')._.relations == ()"
    assert imported_by(code, ["spacy_bispn.factory"]) == {"spacy_bispn.factory"}


@pytest.mark.parametrize("category", [DeprecationWarning, PendingDeprecationWarning, FutureWarning])
def test_a_deprecated_call_in_the_package_is_an_error(category: type[Warning]) -> None:
    with pytest.raises(category):
        warnings.warn_explicit("old", category, "shim.py", 1, module="spacy_bispn.model.shim")
    with pytest.warns(category):  # one of another library is shown
        warnings.warn_explicit("old", category, "util.py", 1, module="spacy.util")
