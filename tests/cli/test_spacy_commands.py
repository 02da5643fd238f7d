"""spaCy's own commands over the component: one tiny training run, and what people do before and after it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import spacy
import srsly
from pipelines import PUNCTUATION, demo_texts, tiny
from thinc.api import Config

from spacy_bispn.corpus import to_docbin
from spacy_bispn.serialization import FILE

pytestmark = pytest.mark.slow

BASE = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["bispn"]

[components]

[components.bispn]
factory = "bispn"

[corpora]

[corpora.train]
@readers = "spacy-bispn.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy-bispn.Corpus.v1"
path = ${paths.dev}

[training]
max_steps = 20
eval_frequency = 10
dropout = 0.0

[training.optimizer]
@optimizers = "spacy-bispn.AdamW.v1"
encoder_rate = 0.002
decoder_rate = 0.002

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
size = 4
"""


def run(*words: object, code: int = 0) -> str:
    """A command's output; a command that fails fails the test with what it said."""
    command = [sys.executable, "-m", "spacy", *(str(word) for word in words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == code, result.stdout + result.stderr
    return re.sub("\x1b\\[[0-9;]*m", "", result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of twelve sentences and a filled config."""
    place = tmp_path_factory.mktemp("run")
    nlp = spacy.blank("en", config=PUNCTUATION)
    docbin, _ = to_docbin(nlp, demo_texts(12))
    for part in ("train", "dev"):
        docbin.to_disk(place / f"{part}.spacy")
    config = (
        Config().from_str(BASE, interpolate=False).merge({"components": {"bispn": tiny()}, **PUNCTUATION})
    )
    config.to_disk(place / "base.cfg")
    run("init", "fill-config", place / "base.cfg", place / "config.cfg")
    return place


@pytest.fixture(scope="module")
def paths(folder: Path) -> list[object]:
    return ["--paths.train", folder / "train.spacy", "--paths.dev", folder / "dev.spacy"]


@pytest.fixture(scope="module")
def model(folder: Path, paths: list[object]) -> Path:
    """What a few steps of `spacy train` leave, labels read from the file of `spacy init labels`."""
    run("init", "labels", folder / "config.cfg", folder / "labels", *paths)
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    labels = {"@readers": "spacy.read_labels.v1", "path": str(folder / "labels" / "bispn.json")}
    config["initialize"]["components"] = {"bispn": {"labels": labels}}
    config.to_disk(folder / "labelled.cfg")
    run("train", folder / "labelled.cfg", "--output", folder / "training", *paths)
    return folder / "training" / "model-best"


def test_fill_config_adds_every_setting(folder: Path) -> None:
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    filled = config["components"]["bispn"]
    assert filled["model"]["@architectures"] == "spacy-bispn.BiSPN.v1"
    assert filled["model"]["encoder"]["width"] == 48
    assert {"symmetric_labels", "batch_pieces", "objective", "scorer"} <= filled.keys()
    assert filled["objective"]["@misc"] == "spacy-bispn.Objective.v1"
    assert {"ents_f", "rel_micro_f", "bispn_coherence"} <= config["training"]["score_weights"].keys()
    run("init", "fill-config", folder / "config.cfg", folder / "again.cfg")
    assert (folder / "again.cfg").read_text() == (folder / "config.cfg").read_text(), (
        "nothing is left to fill"
    )


def test_debug_config(folder: Path, paths: list[object]) -> None:
    assert "Config is valid" in run("debug", "config", folder / "config.cfg", *paths)


def test_debug_model(folder: Path, paths: list[object]) -> None:
    said = run("debug", "model", folder / "config.cfg", "bispn", "-P0", "-P1", "-P2", "-P3", *paths)
    assert "Successfully ended analysis" in said


def test_debug_data(folder: Path, paths: list[object]) -> None:
    said = run("debug", "data", folder / "config.cfg", *paths, code=1)
    assert "12 training docs" in said and "Pipeline can be initialized with data" in said
    assert re.findall("✘ (.*)", said) == ["Low number of examples to train a new pipeline (12)", "1 error"]


def test_labels_are_written_and_used(folder: Path, model: Path) -> None:
    labels = srsly.read_json(folder / "labels" / "bispn.json")
    texts = [text.extraction for text in demo_texts(12)]
    assert labels["entity"] == sorted({x.label for text in texts for x in text.entities})
    assert labels["relation"] == sorted({x.label for text in texts for x in text.relations})
    assert spacy.load(model).get_pipe("bispn").label_data == labels


def test_train_leaves_a_pipeline_that_loads(model: Path) -> None:
    nlp = spacy.load(model)
    assert nlp.meta["performance"].keys() >= {"ents_f", "rel_micro_f", "bispn_coherence", "bispn_loss"}
    assert "bispn" in nlp(demo_texts(1)[0].text).spans


def test_evaluate_writes_the_scores(folder: Path, model: Path) -> None:
    run("evaluate", model, folder / "dev.spacy", "--output", folder / "metrics.json")
    metrics = json.loads((folder / "metrics.json").read_text("utf8"))
    assert metrics.keys() >= {"ents_f", "rel_micro_f", "bispn_coherence", "ents_per_type", "rel_per_type"}
    assert metrics["ents_f"] == pytest.approx(spacy.load(model).meta["performance"]["ents_f"], abs=0.02)


def test_find_threshold(folder: Path, model: Path) -> None:
    said = run("find-threshold", model, folder / "dev.spacy", "bispn", "type_threshold", "ents_f", "-n", 3)
    rows = [line.split() for line in said.splitlines()]
    tried = {
        float(row[0]): float(row[1]) for row in rows if len(row) == 2 and row[0] in ("0.0", "0.5", "1.0")
    }
    assert tried.keys() == {0.0, 0.5, 1.0}
    assert tried[1.0] == 0.0, "nothing is that sure"


def test_assemble_with_a_sourced_component(folder: Path, model: Path) -> None:
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    config["components"]["bispn"] = {"source": str(model)}
    config.to_disk(folder / "assemble.cfg")
    run("assemble", folder / "assemble.cfg", folder / "assembled")
    text = demo_texts(1)[0].text
    said = [spacy.load(place)(text).spans["bispn"].attrs for place in (model, folder / "assembled")]
    assert said[0] == said[1]


def test_a_frozen_component_stays_as_it_is_in_training(
    folder: Path, model: Path, paths: list[object]
) -> None:
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    config["components"]["bispn"] = {"source": str(model)}
    config["components"]["ner"] = {"factory": "ner"}
    config["nlp"]["pipeline"] = ["bispn", "ner"]
    config["training"] |= {"frozen_components": ["bispn"], "annotating_components": ["bispn"], "max_steps": 2}
    config["training"]["eval_frequency"] = 2
    config.to_disk(folder / "frozen.cfg")
    run("train", folder / "frozen.cfg", "--output", folder / "frozen", *paths)
    weights = [place / "bispn" / FILE for place in (model, folder / "frozen" / "model-last")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_package_names_what_it_needs(folder: Path, model: Path) -> None:
    (folder / "packages").mkdir()
    run("package", model, folder / "packages", "--name", "tiny", "--version", "1.2.3")
    (archive,) = folder.glob("packages/*/dist/*.tar.gz")
    with tarfile.open(archive) as content:
        (meta,) = [name for name in content.getnames() if name.count("/") == 1 and name.endswith("meta.json")]
        described = json.load(content.extractfile(meta))  # type: ignore[arg-type]
    assert any(need.startswith("spacy-bispn") for need in described["requirements"])
    assert described["components"] == ["bispn"]
