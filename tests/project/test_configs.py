"""The configs hold what differs from the defaults, with the paper's hyperparameters (its table 5)."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import train as train_module
from ablation import without_effectless
from folders import PROJECT
from groups import GROUPS
from runs import study_name
from spacy.cli.init_config import fill_config
from spacy.util import dot_to_object, load_model_from_config, walk_dict
from thinc.api import Config
from train import config_of, encoder_of

from spacy_bispn.settings import SettingError, defaults

# entity and relation queries, weights of consistency and linking, epochs of the paper; of SciERC, for
# which table 5 prints no weights, those of the released code
PAPER: dict[str, tuple[int, int, float, float, int]] = {
    "ace05": (40, 35, 1e-4, 1e-3, 70),
    "biorelex": (30, 25, 1e-4, 1e-4, 75),
    "ade": (30, 25, 1e-3, 1e-4, 70),
    "text2dt": (30, 30, 1e-4, 1e-3, 80),
    "scierc": (35, 30, 1e-4, 1e-3, 70),
}
ENCODERS = {  # 4.2 and appendix B, by their names on the hub
    "ace05": "google-bert/bert-base-uncased", "biorelex": "dmis-lab/biobert-base-cased-v1.1",
    "ade": "dmis-lab/biobert-base-cased-v1.1", "text2dt": "hfl/chinese-bert-wwm-ext",
    "scierc": "allenai/scibert_scivocab_uncased",
}  # fmt: skip
# more relation queries than in the paper, for texts with more relations
MORE = {"biorelex": 48}
# what those configs differ in that have the paper's form as well
OF_A_CORPUS = {
    "nlp.lang", "nlp.tokenizer", "initialize.tokenizer", "training.max_epochs", "training.eval_frequency",
    "components.bispn.symmetric_labels", "components.bispn.model.entity_queries",
    "components.bispn.objective.alpha", "components.bispn.objective.beta",
}  # fmt: skip
SHARED = "transformer"  # what it changes is laid over the config of a corpus
NAMES = sorted({path.stem for path in (PROJECT / "configs").glob("*.cfg")})


def load(name: str) -> Any:
    """A config with everything that spaCy fills in."""
    return load_model_from_config(as_written(name), auto_fill=True).config.interpolate()


def as_written(name: str) -> Any:
    return Config().from_disk(path(name), interpolate=False)


def path(name: str) -> Path:
    return PROJECT / "configs" / f"{name}.cfg"


@pytest.mark.parametrize("name", NAMES)
def test_fill_config_makes_it_complete(name: str, tmp_path: Path) -> None:
    _, filled = fill_config(tmp_path / "filled.cfg", path(name), silent=True)
    written = Config().from_disk(tmp_path / "filled.cfg", interpolate=False)
    component = written["components"]["bispn"]
    groups = {"bispn": component, "spacy-bispn.BiSPN.v1": component["model"],
              "spacy-bispn.Objective.v1": component["objective"]}  # fmt: skip
    for function, block in groups.items():
        assert defaults(*GROUPS[function]).keys() <= block.keys()
    assert load_model_from_config(filled, auto_fill=False).pipe_names == ["bispn"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_that_would_be_filled_in_anyway(name: str) -> None:
    written = {".".join(key): value for key, value in walk_dict(as_written(name))}
    for key, value in written.items():
        if key.startswith("components.bispn.") and "@" not in key:
            block, _, setting = key.rpartition(".")
            function = {"components.bispn": "bispn", "components.bispn.model": "spacy-bispn.BiSPN.v1",
                        "components.bispn.objective": "spacy-bispn.Objective.v1"}.get(block)  # fmt: skip
            if function and setting != "factory":
                assert value != defaults(*GROUPS[function]).get(setting, "none"), key


def test_the_configs_are_short() -> None:
    files = (PROJECT / "configs").rglob("*.cfg")
    assert sum(len(file.read_text("utf8").splitlines()) for file in files) <= 700


@pytest.mark.parametrize("form", ["", "paper_"])
@pytest.mark.parametrize("corpus", PAPER)
def test_hyperparameters_of_the_paper(corpus: str, form: str) -> None:
    entities, relations, alpha, beta, epochs = PAPER[corpus]
    name = form + corpus
    component = load(name)["components"]["bispn"]
    assert component["model"]["entity_queries"] == entities
    assert component["model"]["relation_queries"] == (relations if form else MORE.get(corpus, relations))
    assert (component["objective"]["alpha"], component["objective"]["beta"]) == (alpha, beta)
    head = (PROJECT / "configs" / f"{name}.cfg").read_text("utf8").split("[paths]")[0]
    assert f"{epochs} epochs" in head.replace("\n# ", " ")


@pytest.mark.parametrize("corpus", PAPER)
def test_the_paper_s_form_and_schedule(corpus: str) -> None:
    config = load(f"paper_{corpus}")
    assert config["training"]["max_epochs"] == PAPER[corpus][-1]
    for setting in OF_A_CORPUS - {"training.max_epochs"}:
        assert dot_to_object(config, setting) == dot_to_object(load(corpus), setting), setting
    component, optimizer = config["components"]["bispn"], config["training"]["optimizer"]
    model = component["model"]
    assert (model["shared_layers"], model["entity_layers"], model["relation_layers"]) == (4, 1, 1)
    assert (model["queries"], model["query_layer"], model["pointer"]) == ("learned", 0, "additive")
    objective = component["objective"]
    assert (model["predictors"], objective["related_entities"]) == ("separate", "hard")
    assert (objective["argument_queries"], objective["reduction"]) == ("all", "mean")
    assert (optimizer["encoder_rate"], optimizer["decoder_rate"], optimizer["warmup"]) == (2e-5, 4e-5, 0.1)
    assert (component["frozen_epochs"], config["training"]["batcher"]["size"]) == (5, 8)
    assert config["paths"]["encoder"] == model["encoder"]["name"] == ENCODERS[corpus]
    wanted = {"type_threshold": None, "relation_threshold": None, "boundary_threshold": 0.0,
              "longest_span": None, "span_score": "sum", "coherence": "off",
              "surplus_gold": "skip"}  # fmt: skip
    assert {name: component[name] for name in wanted} == wanted
    own, other = (
        {".".join(path): value for path, value in walk_dict(as_written(f"paper_{name}"))}
        for name in (corpus, "biorelex")
    )
    differing = {key for key in own.keys() | other.keys() if own.get(key) != other.get(key)}
    of_a_paper = ("paths.encoder", "components.bispn.model.relation_queries", *OF_A_CORPUS)
    assert not {key for key in differing if not key.startswith(of_a_paper)}


@pytest.mark.parametrize("name", NAMES)
def test_models_are_chosen_on_a_development_set(name: str) -> None:
    config = as_written(name)
    assert config["corpora"]["dev"]["path"] == "${paths.dev}"
    assert load(name)["training"]["dev_corpus"] == "corpora.dev"


@pytest.mark.parametrize("name", [name for name in NAMES if "_" not in name])
def test_any_corpus_may_have_a_shared_transformer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("spacy_transformers")
    monkeypatch.chdir(PROJECT)
    monkeypatch.setattr(train_module, "TRAINING", tmp_path)
    file, encoder = config_of(name, f"configs/overlays/{SHARED}.cfg", "../../minilm-l6")
    assert (encoder, study_name(name, file)) == ("../../minilm-l6", f"{name}-transformer")
    nlp = load_model_from_config(Config().from_disk(file, interpolate=False), auto_fill=True)
    assert nlp.pipe_names == ["transformer", "bispn"]
    made, own = (
        {".".join(path): value for path, value in walk_dict(config)}
        for config in (nlp.config.interpolate(), load(name))
    )
    assert made["components.transformer.model.name"] == encoder_of(file), "which --vars.encoder replaces"
    changed = {key for key in made.keys() | own.keys() if made.get(key) != own.get(key)}
    of_the_transformer = (
        "components.transformer.", "components.bispn.model.@architectures", "components.bispn.model.encoder.",
        "components.bispn.model.tok2vec.", "components.bispn.model.query_layer",
        "components.bispn.model.heads", "components.bispn.model.feedforward", "paths.encoder",
        "nlp.pipeline", "training.optimizer.encoder_rate", "training.optimizer.decoder_rate",
    )  # fmt: skip
    assert not {key for key in changed if not key.startswith(of_the_transformer)}
    assert made["components.bispn.model.tok2vec.upstream"] == "*"
    assert without_effectless(file, [0, 8]) == [0], "no queries in an encoder that is not its own"


def test_a_transformer_is_not_random() -> None:
    with pytest.raises(
        SettingError,
        match=r"--vars.encoder is 'random', expected the name of a transformer: leave --vars.config out",
    ), chdir(PROJECT):  # fmt: skip
        config_of("demo", f"configs/overlays/{SHARED}.cfg", "random")
