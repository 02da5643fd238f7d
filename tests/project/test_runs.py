"""Several trainings of a corpus: what is run, what is not run again, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ablation
import density
import pytest
import runs
import spacy
import srsly
import typer
import variants
from pipelines import PUNCTUATION, demo_texts, tiny
from results import main as write_results
from spacy.tokens import DocBin
from thinc.api import Config

from spacy_bispn.corpus import to_docbin

SETTINGS = {"encoder": "folder/ENCODER", "config": "small.cfg"}
SMALL: dict[str, Any] = {
    "nlp": {"lang": "en", "pipeline": ["bispn"]}, "training": {"max_epochs": 3}, "system": {"seed": 7},
    "paths": {"encoder": "folder/OWN"}, "components": {"bispn": {"factory": "bispn"}},
}  # fmt: skip


@pytest.fixture
def steps(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been prepared, trained and evaluated, in order; a training leaves what spaCy's does."""
    found: list[tuple[Any, ...]] = []

    def prepare(corpus: str, corpora: Path, data: Path, fold: int, protocol: str) -> None:
        found.append(("prepare", str(data), protocol))

    def train(config: str, data: Path, encoder: str, gpu: int, output: Path, **changed: str) -> float:
        found.append(("train", str(output), changed))
        for name in ("model-best", "model-last"):
            (output / name).mkdir(parents=True, exist_ok=True)
        srsly.write_json(output / "model-best" / "meta.json", {"performance": {"ents_f": 0.5}})
        srsly.write_json(output / "run.json", {"commit": "abc1234"})
        return 1.5

    def evaluate(
        corpus: str, corpora: Path, data: Path, model: str, gpu: int, fold: int | None, metrics: Path
    ) -> None:
        found.append(("evaluate", model, fold))
        metrics.mkdir(parents=True, exist_ok=True)
        if Path("stop").exists() and Path("stop").read_text() == metrics.name:
            raise KeyboardInterrupt

    Config(SMALL).to_disk(workspace / "small.cfg")
    monkeypatch.setattr(runs, "prepare", prepare)
    monkeypatch.setattr(variants, "train", train)
    monkeypatch.setattr(variants, "evaluate", evaluate)
    return found


def start(corpus: str = "biorelex", **options: str) -> None:
    runs.main(corpus, Path("assets"), SETTINGS["config"], SETTINGS["encoder"], **options)


def test_every_seed_is_trained_on_the_same_data(steps: list[tuple[Any, ...]], workspace: Path) -> None:
    start(seeds="1,2")
    assert steps == [
        ("prepare", "corpus/biorelex", "held-out"),
        ("train", "training/runs/biorelex-small/1", {"system.seed": "1", "training.max_epochs": "3"}),
        ("evaluate", "training/runs/biorelex-small/1/model-best", 0),
        ("train", "training/runs/biorelex-small/2", {"system.seed": "2", "training.max_epochs": "3"}),
        ("evaluate", "training/runs/biorelex-small/2/model-best", 0),
    ]
    done = srsly.read_json(workspace / "metrics/runs/biorelex-small/1/variant.json")
    assert (done["name"], done["epochs"], done["development"]) == ("seed 1", 3, {"ents_f": 0.5})
    assert (done["encoder"], done["config"]) == ("ENCODER", "small.cfg")
    assert done["changed"] == {"system.seed": "1"}
    assert done["run"] == {"commit": "abc1234"}, "the run of the training, not that of its scores"
    left = {path.name for path in (workspace / "training/runs/biorelex-small/1").iterdir()}
    assert left == {"model-best", "run.json"}


def test_every_fold_has_data_of_its_own(steps: list[tuple[Any, ...]]) -> None:
    start("ade", folds="0,7")
    assert [step[1] for step in steps if step[0] == "prepare"] == ["corpus/ade/0", "corpus/ade/7"]
    assert [step[2] for step in steps if step[0] == "evaluate"] == [0, 7]


@pytest.mark.parametrize(("corpus", "count"), [("biorelex", 3), ("scierc", 3), ("text2dt", 5), ("ade", 10)])
def test_how_many_there_are_without_a_word(steps: list[tuple[Any, ...]], corpus: str, count: int) -> None:
    start(corpus)
    assert len([step for step in steps if step[0] == "train"]) == count


def test_what_is_done_is_not_run_again(
    steps: list[tuple[Any, ...]], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "stop").write_text("2")
    with pytest.raises(KeyboardInterrupt):
        start(seeds="1,2,3")
    (workspace / "stop").unlink()
    steps.clear()
    start(seeds="1,2,3")
    printed = " ".join(capsys.readouterr().out.split())
    assert "seed 1 (1 of 3) is done" in printed
    # the finished ones tell how long one takes
    assert "seed 2 (2 of 3), about 3 minutes left" in printed
    assert "seed 3 (3 of 3), about 2 minutes left" in printed
    trained = [step[1] for step in steps if step[0] == "train"]
    assert trained == ["training/runs/biorelex-small/2", "training/runs/biorelex-small/3"]
    steps.clear()
    start(seeds="1,2,3")
    assert steps == []


def test_runs_of_other_settings_are_not_taken_for_these(
    steps: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    start(seeds="1")
    steps.clear()
    monkeypatch.setitem(SETTINGS, "encoder", "OTHER")
    with pytest.raises(typer.BadParameter) as error:
        start(seeds="2,1")
    for words in (
        "biorelex-small/1/variant.json",
        "variant.json is {'encoder': 'ENCODER'}",
        "expected {'encoder': 'OTHER'}",
        "remove",
    ):
        assert words in str(error.value)
    assert steps == []  # nothing is run before all settings are checked


def test_the_released_protocol_keeps_to_itself(steps: list[tuple[Any, ...]]) -> None:
    start(seeds="1", protocol="released")
    assert steps[0] == ("prepare", "corpus/biorelex-released", "released")
    assert steps[1][1] == "training/runs/biorelex-small-released/1"


def test_numbers() -> None:
    assert runs.parse_numbers("", (4, 5)) == (4, 5)
    assert runs.parse_numbers("0,2", ()) == (0, 2)
    with pytest.raises(ValueError, match=r"a list of numbers is 'all', expected integers.*write 0,1,2"):
        runs.parse_numbers("all", ())


def test_an_ablation_changes_one_thing_at_a_time(steps: list[tuple[Any, ...]], workspace: Path) -> None:
    ablation.main("biorelex", Path("assets"), "small.cfg", "ENCODER", epochs="2", variants="0,2")
    assert [step[2] for step in steps if step[0] == "train"] == [
        {"training.max_epochs": "2"},
        {"components.bispn.objective.beta": "0.0", "training.max_epochs": "2"},
    ]
    done = srsly.read_json(workspace / "metrics/ablation/biorelex-small-2_epochs/2/variant.json")
    assert done["name"] == "without linking"
    last = len(ablation.VARIANTS) - 1
    with pytest.raises(
        typer.BadParameter, match=rf"--variants is 40, expected a number from 0 to {last}: see"
    ):
        ablation.main("biorelex", Path("assets"), "small.cfg", "ENCODER", variants="40")


def test_an_ablation_may_have_several_seeds(steps: list[tuple[Any, ...]], workspace: Path) -> None:
    ablation.main("biorelex", Path("assets"), "small.cfg", "ENCODER", variants="0,2", seeds="7,8")
    changed = [step[2].get("system.seed") for step in steps if step[0] == "train"]
    assert changed == [None, None, "8", "8"], "the config's own seed is that of a run without --seeds"
    made = sorted(path.name for path in (workspace / "metrics/ablation/biorelex-small").iterdir())
    assert made == ["0", "0-8", "2", "2-8"]


@pytest.mark.parametrize(("layers", "left"), [(3, []), (4, [9])])
def test_an_ablation_leaves_out_layers_that_the_encoder_does_not_have(
    layers: int, left: list[int], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = {"@misc": "spacy-bispn.RandomEncoder.v1", "layers": layers}
    component = {"factory": "bispn", "model": {"encoder": encoder}}
    Config({**SMALL, "components": {"bispn": component}}).to_disk(workspace / "sized.cfg")
    assert ablation.without_effectless("sized.cfg", [9]) == left
    warning = "sized.cfg has an encoder of 3 layers: without the variant 9, 'queries from encoder layer 3'"
    assert (warning in " ".join(capsys.readouterr().out.split())) == (not left)


def test_a_variant_that_changes_nothing_is_named_and_not_trained(
    steps: list[tuple[Any, ...]], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"queries": "learned", "pointer": "additive", "shared_layers": 2, "supervised_layers": 2}
    component = {"factory": "bispn", "model": model, "objective": {"beta": 0}}
    Config({**SMALL, "components": {"bispn": component}}).to_disk(workspace / "paper_biorelex.cfg")
    ablation.main("biorelex", Path("assets"), "paper_biorelex.cfg", "", variants="0,1,2,3,4,5,7")
    trained = [step[1] for step in steps if step[0] == "train"]
    # without linking; two shared blocks; learned queries; additive pointers
    assert trained == [f"training/ablation/biorelex-paper/{number}" for number in (0, 1, 3)]
    printed = " ".join(capsys.readouterr().out.split())
    assert "paper_biorelex.cfg has it already: without the variant 5, 'learned queries'" in printed


def test_an_epoch_with_a_frozen_encoder_is_a_share_of_all(
    steps: list[tuple[Any, ...]], workspace: Path
) -> None:
    Config({**SMALL, "components": {"bispn": {"frozen_epochs": 1}}}).to_disk(workspace / "small.cfg")
    start(seeds="1")
    start("ade", folds="1", epochs="6")
    short, long = (step[2] for step in steps if step[0] == "train")
    assert "components.bispn.frozen_epochs" not in short
    assert (long["training.max_epochs"], long["components.bispn.frozen_epochs"]) == ("6", "2")


def test_the_encoder_is_the_config_s_own_unless_another_is_given(
    steps: list[tuple[Any, ...]], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "encoder", "")
    start(seeds="1")
    done = srsly.read_json(workspace / "metrics/runs/biorelex-small/1/variant.json")
    assert done["encoder"] == "OWN"


def test_studies_are_named_by_corpus_and_form() -> None:
    names = {
        ("ade", ""): "ade", ("ade", "configs/ade.cfg"): "ade", ("ade", "configs/paper_ade.cfg"): "ade-paper",
        ("demo", "elsewhere/mine.cfg"): "demo-mine",
    }  # fmt: skip
    for (corpus, config), name in names.items():
        assert runs.study_name(corpus, config) == name
        assert runs.study_name(corpus, config, "released") == f"{name}-released"


def test_studies_of_other_epochs_stand_apart(steps: list[tuple[Any, ...]], workspace: Path) -> None:
    start(seeds="1")
    start(seeds="1", epochs="3")
    start(seeds="1", epochs="7")
    assert [step[1] for step in steps if step[0] == "train"] == [
        f"training/runs/biorelex-small{other}/1" for other in ("", "-7_epochs")
    ]


def test_each_density_is_trained_and_scored_on_its_own_texts(
    steps: list[tuple[Any, ...]], workspace: Path
) -> None:
    texts = demo_texts(12)
    counts = [len(text.extraction.relations) for text in texts]
    for part in ("train", "dev", "test"):
        Path("corpus/demo").mkdir(exist_ok=True)
        to_docbin(spacy.blank("en", config=PUNCTUATION), texts)[0].to_disk(
            Path("corpus/demo", f"{part}.spacy")
        )
    density.main("demo", Path("assets"), "small.cfg", "")
    assert [step[1] for step in steps if step[0] == "train"] == [
        f"training/density/demo-small/{minimum}" for minimum in (0, 1, 2)
    ]
    assert {step[2] for step in steps if step[0] == "evaluate"} == {None}, (
        "the published file has other texts"
    )
    for minimum in (0, 1, 2):
        done = srsly.read_json(workspace / f"metrics/density/demo-small/{minimum}/variant.json")
        expected = sum(count >= minimum for count in counts)
        assert done["texts"] == dict.fromkeys(("train", "dev", "test"), expected)
        kept = DocBin().from_disk(workspace / f"corpus/demo/density/{minimum}/test.spacy")
        assert len(kept) == expected
    assert 0 < expected < len(texts)


def test_a_density_without_texts_is_refused(workspace: Path) -> None:
    Path("corpus/demo").mkdir()
    to_docbin(spacy.blank("en"), demo_texts(2))[0].to_disk(Path("corpus/demo/train.spacy"))
    with pytest.raises(
        ValueError, match=r"train.spacy has no text with 99 relations, expected some: the exper"
    ):
        density.keep_dense(Path("corpus/demo/train.spacy"), Path("corpus/kept.spacy"), 99)
    assert not Path("corpus/kept.spacy").exists()


def test_another_fold_is_not_taken_for_the_one_that_was_run(steps: list[tuple[Any, ...]]) -> None:
    ablation.main("ade", Path("assets"), "small.cfg", "ENCODER", variants="0", fold=0)
    with pytest.raises(typer.BadParameter, match=r"json is \{'fold': 0\}, expected \{'fold': 1\}: repeat"):
        ablation.main("ade", Path("assets"), "small.cfg", "ENCODER", variants="0", fold=1)


def test_a_model_is_called_as_its_variant_or_its_folder(trained: str) -> None:
    assert list(variants.best_models(trained)) == ["as configured", "without consistency"]
    assert variants.name_of(Path("training/demo")) == "demo"
    assert variants.name_of(Path("elsewhere/model")) == "elsewhere/model"
    one = trained.split(",")[0]
    with pytest.raises(
        ValueError,
        match=r"expected trainings with different names, not as configured, as configured: compare",
    ):
        variants.best_models(f"{one},{one}")


@pytest.mark.slow
def test_two_seeds_are_trained_stopped_and_continued(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "prepare", lambda *words: None)  # a smaller corpus is there already
    monkeypatch.setitem(SETTINGS, "encoder", "")
    nlp = spacy.blank("en", config=PUNCTUATION)
    for part, texts in (("train", demo_texts(24)), ("dev", demo_texts(4)), ("test", demo_texts(4))):
        (workspace / "corpus/demo").mkdir(exist_ok=True)
        to_docbin(nlp, texts)[0].to_disk(workspace / f"corpus/demo/{part}.spacy")
    config = Config().from_disk(Path(__file__).parents[2] / "project/configs/demo.cfg", interpolate=False)
    config.merge({"components": {"bispn": tiny()}, "training": {"eval_frequency": 2}}).to_disk("small.cfg")
    start("demo", seeds="1", epochs="1")
    first = workspace / "metrics/runs/demo-small-1_epochs/1/variant.json"
    made = first.stat().st_mtime_ns
    start("demo", seeds="1,2", epochs="1")
    assert first.stat().st_mtime_ns == made
    (workspace / "results.md").write_text(
        "<!-- demo-small-1_epochs runs -->\n<!-- /demo-small-1_epochs runs -->\n"
    )
    write_results(workspace / "results.md", "demo")
    lines = (workspace / "results.md").read_text("utf8").splitlines()
    rows = [line.split(" | ")[0] for line in lines if "|" in line]
    assert rows == ["| run", "| ---", "| seed 1", "| seed 2", "| mean of 2", "| standard deviation"]
    # the models differ by their seeds only
    losses = [
        srsly.read_json(f"training/runs/demo-small-1_epochs/{seed}/model-best/meta.json") for seed in (1, 2)
    ]
    assert losses[0]["performance"]["bispn_loss"] != losses[1]["performance"]["bispn_loss"]
