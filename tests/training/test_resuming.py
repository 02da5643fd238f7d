"""A training that was stopped gives the same models and log as one that was not, and as spaCy's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import stops
from pipelines import CNN, LISTENER, PUNCTUATION, demo_texts, initialize, listening, tiny
from spacy.cli.train import train as spacy_train
from thinc.api import Config

from spacy_bispn.cli.train import train_config
from spacy_bispn.corpus import to_docbin
from spacy_bispn.safetensors_io import unpack
from spacy_bispn.training.state import FILE

pytestmark = pytest.mark.slow

READER = {"@readers": "spacy-bispn.Corpus.v1"}
ADAMW = {"@optimizers": "spacy-bispn.AdamW.v1", "encoder_rate": 2e-3, "decoder_rate": 2e-3, "epochs": 6}
BASE: dict[str, Any] = {
    "paths": {"train": "train.spacy", "dev": "dev.spacy"},
    "nlp": {"lang": "en", "pipeline": ["bispn"], **PUNCTUATION["nlp"]},
    "components": {"bispn": {"factory": "bispn", **tiny({"dropout": 0.1})}},
    "corpora": {"train": {**READER, "path": "${paths.train}"}, "dev": {**READER, "path": "${paths.dev}"}},
    "training": {
        "max_epochs": 3, "max_steps": 0, "patience": 0, "eval_frequency": 4, "seed": 1, "gpu_allocator": None,
        "optimizer": ADAMW,
        "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4},
        "logger": {"@loggers": "spacy.ConsoleLogger.v3", "output_file": "log.jsonl"},
        "before_update": {"@callbacks": "stops.v1"},
    },
}  # fmt: skip
NER = {"factory": "ner", "model": {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "ner",
       "extra_state_tokens": False, "hidden_width": 16, "maxout_pieces": 2, "use_upper": True,
       "tok2vec": LISTENER}}  # fmt: skip
SHARED = {  # other components draw random numbers, schedules and averages have a state, and so have batches
    "nlp": {"pipeline": ["tok2vec", "ner", "bispn"]},
    "components": {
        "tok2vec": {"factory": "tok2vec", "model": CNN},
        "ner": NER,
        "bispn": {"factory": "bispn", **listening(LISTENER)},
    },
    "training": {
        "dropout": 0.2,
        "optimizer": {
            "@optimizers": "Adam.v1", "use_averages": True, "L2": 0.01,
            "learn_rate": {
                "@schedules": "warmup_linear.v1", "warmup_steps": 3, "total_steps": 20, "initial_rate": 0.01
            },
        },
        "batcher": {
            "@batchers": "spacy.batch_by_words.v1", "discard_oversize": False, "tolerance": 0.2,
            "size": {"@schedules": "compounding.v1", "start": 60, "stop": 120, "compound": 1.1},
        },
    },
}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {
    "epochs": {},
    "patience": {"training": {"max_epochs": 0, "patience": 11, "accumulate_gradient": 2}},
    "steps": {"training": {"max_epochs": 0, "max_steps": 11, "optimizer": {
        "@optimizers": "RAdam.v1", "learn_rate": 0.001, "use_averages": False}}},
    "shared": SHARED,
    "frozen": {
        "nlp": {"pipeline": ["tok2vec", "ner", "bispn"]},
        "components": {"tok2vec": {"source": "pretrained"}, "ner": {"source": "pretrained"}},
        "training": {"frozen_components": ["tok2vec", "ner"], "annotating_components": ["tok2vec", "ner"]},
    },
    "stream": {
        **SHARED,
        "corpora": {"train": {"@readers": "shuffled.v1", "path": "${paths.train}"}},
        "training": {"max_epochs": -1, "max_steps": 14, "batcher": {
            "@batchers": "spacy.batch_by_padded.v1", "size": 150, "buffer": 7, "discard_oversize": False}},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    nlp = spacy.blank("en", config=PUNCTUATION)
    for component in ("tok2vec", "ner"):
        nlp.add_pipe(component, config={"model": SHARED["components"][component]["model"]})
    initialize(nlp, demo_texts(4))
    nlp.to_disk(folder / "pretrained")
    for name, texts in (("train", demo_texts(20)), ("dev", demo_texts(24)[20:])):
        to_docbin(nlp, texts)[0].to_disk(folder / f"{name}.spacy")
    return folder


def make_folder(folder: Path, corpus: Path, form: str) -> Path:
    """A folder with a config and a corpus, whose paths are the same as in others."""
    Config(BASE).merge(FORMS[form]).to_disk(folder / "config.cfg")
    for file in corpus.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


@pytest.fixture
def place(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Goes to such a folder of its own."""

    def go(name: str, form: str = "epochs") -> Path:
        (tmp_path / name).mkdir()
        folder = make_folder(tmp_path / name, corpus, form)
        monkeypatch.chdir(folder)
        return folder

    return go


def train(**overrides: Any) -> None:
    train_config(Path("config.cfg"), Path("training"), -1, overrides)


def contents(folder: Path) -> dict[str, bytes]:
    """All that a training leaves but its state."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != FILE]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.is_symlink()}


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(stops.Stopped):
        patch.setenv("STOP_STEP", str(step))
        train()


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_trainings_go_on(
    form: str, place: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    spacys = place("spacys", form)
    spacy_train("config.cfg", "training")
    stopped = place("stopped", form)
    for step in (0, 7, 10):
        stop_at(step, monkeypatch)
    train()
    assert contents(stopped) == contents(spacys)


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a training leaves that nothing stops."""
    folder = make_folder(tmp_path_factory.mktemp("whole"), corpus, "epochs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train()
    return contents(folder)


def command(**environ: str) -> int:
    """Train in a process of its own; its exit status."""
    words = ["bispn", "train", "config.cfg", "--output", "training", "--code", stops.__file__]
    done = subprocess.run([sys.executable, "-m", "spacy", *words], env={**os.environ, **environ}, timeout=300)
    return done.returncode


def test_a_killed_process_goes_on_in_another(whole: dict[str, bytes], place: Callable[..., Path]) -> None:
    killed = place("killed")
    assert command(KILL="step 7 1") == -signal.SIGKILL
    assert unpack(Path("training", FILE))[0]["step"] == 4
    assert command() == 0
    assert contents(killed) == whole


# the state is written once before the first step, then after the steps 0, 4, 8, 12
@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/fd is Linux's")
@pytest.mark.parametrize(
    ("kill", "step"),
    [("half training-state.safetensors.part 4", 4), ("os.rename training-state.safetensors.part 4", 4),
     ("os.rename model-last.8 1", 8), ("os.rename model-last 2", 8), ("shutil.copytree model-last.0 1", -1)],
)  # fmt: skip
def test_a_kill_while_writing_leaves_one_whole_state(
    kill: str, step: int, whole: dict[str, bytes], place: Callable[..., Path]
) -> None:
    killed = place("killed")
    assert command(KILL=kill) == -signal.SIGKILL
    assert unpack(Path("training", FILE))[0]["step"] == step
    train()
    assert contents(killed) == whole
    left = {path.name.removesuffix(".part") for path in Path("training").iterdir()}
    assert left == {"model-best", "model-last", FILE}


def test_a_finished_training_is_not_run_again(
    place: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place("finished")
    train()
    before = contents(folder)
    assert Path("training", FILE).stat().st_size < 100_000, "what was only needed to go on is gone"
    train()
    assert contents(folder) == before
    assert "This training is finished: its models are in training" in capsys.readouterr().out


def test_another_training_is_refused(
    place: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place("other")
    stop_at(2, monkeypatch)
    before = contents(Path("training"))
    Path("moved.spacy").symlink_to(Path("train.spacy").resolve())
    for changed, said in (
        ({"training.dropout": 0.3}, "training.dropout is 0.3, expected not set, with which the training in"),
        ({"paths.train": "dev.spacy"}, "corpora.train.path is 'dev.spacy' with the checksum"),
        ({"training.patience": 3, "training.seed": 7}, "was started (so do training.seed)"),
    ):
        with pytest.raises(SystemExit):
            train(**changed)
        out = " ".join(capsys.readouterr().out.split())
        assert said in out
        assert "name another --output, or remove training-state.safetensors from there to start anew" in out
    assert contents(Path("training")) == before
    train(**{"paths.train": "moved.spacy", "training.logger.output_file": "other.jsonl"})
    assert len(Path("other.jsonl").read_text().splitlines()) == 4
