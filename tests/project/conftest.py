"""The scripts of project/ as modules, and small trained pipelines in a folder like the project's."""

from __future__ import annotations

from pathlib import Path

import folders  # which makes the scripts modules
import pytest
import srsly
from pipelines import demo_texts, initialize, make_nlp, tiny

from spacy_bispn.corpus import to_docbin

PARTS = ("training", "metrics")
ZERO = {"type_threshold": 0.0, "relation_threshold": 0.0, "boundary_threshold": 0.0}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the folders of a project."""
    monkeypatch.chdir(tmp_path)
    for name in ("corpus", "metrics", "training"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as after two trainings, with pipelines that predict a lot, seldom right, and test texts."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "configs").symlink_to(folders.PROJECT / "configs")
    small = {"entity_queries": 6, "relation_queries": 4}
    texts = [
        text for text in demo_texts(12)
        if len(text.extraction.entities) <= 6 and len(text.extraction.relations) <= 4
    ]  # fmt: skip
    for number, name in enumerate(("as configured", "without consistency")):
        nlp = make_nlp(tiny({"queries": "learned", **small}, **ZERO))
        initialize(nlp, texts)
        training, metrics = (folder / part / "ablation" / "demo" / str(number) for part in PARTS)
        for made in (training, metrics):
            made.mkdir(parents=True)
        nlp.to_disk(training / "model-best")
        srsly.write_json(metrics / "variant.json", {"name": name})
    docbin, _ = to_docbin(nlp, texts)
    docbin.to_disk(folder / "test.spacy")
    return folder


@pytest.fixture
def trained(models: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The two trainings as one argument of a script, in the folder where they were made."""
    monkeypatch.chdir(models)
    return ",".join(f"training/ablation/demo/{number}" for number in (0, 1))
