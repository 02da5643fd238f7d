"""`spacy bispn continue-config`: a config with which a trained pipeline goes on learning from more texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_model
from thinc.api import Config
from wasabi import msg

from spacy_bispn.annotations import read
from spacy_bispn.cli.export import read_docs
from spacy_bispn.cli.init_config import BATCH, OPTIMIZER, READER, check_new
from spacy_bispn.cli.sources import dev_beside
from spacy_bispn.files import save
from spacy_bispn.model.gold_checks import check_annotated, collect_labels
from spacy_bispn.model.optimizer_settings import AdamWSettings
from spacy_bispn.settings import defaults

EPOCHS = 5
WARMUP = 3  # at most a third of the steps


def continue_config_command(
    output: Annotated[Path, typer.Argument(help="The config file to write")],
    model: Annotated[str, typer.Option(help="Trained pipeline that goes on learning")],
    corpus: Annotated[Path, typer.Option(help="New texts: a .spacy file, or a folder of some")],
    replay: Annotated[
        Path | None, typer.Option(help="Texts that it was trained on: a .spacy file, or a folder of some")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-F", help="Overwrite the file if it exists")] = False,
) -> None:
    """Write a complete config for going on with more texts without forgetting."""
    # `spacy` imports all commands whenever it starts; transformers can wait until one needs it
    from spacy_bispn.cli.preparing import component_of

    try:
        check_new(output, force)
        new, old = read_docs(corpus), [] if replay is None else read_docs(replay)
        nlp = load_model(model)
        name = component_of(nlp)
        check_annotated(name, new)
        config = continued(nlp, name, model, corpus, replay, len(new) + min(len(new), len(old)))
    except (ValueError, OSError) as error:
        msg.fail("The config cannot be written", str(error), exits=1)
    save(output, config.to_str())
    msg.good(f"{output}: {EPOCHS} epochs over {len(new)} new texts and {min(len(new), len(old))} old ones")
    report(nlp, name, new, old, config["training"]["frozen_components"])
    msg.text("DEV: a folder with the old development texts and some of the new kind")
    msg.text(f"python -m spacy bispn train {output} --output continued --paths.dev DEV")
    old_dev = dev_beside(replay or corpus)
    msg.text(f"python -m spacy bispn compare {model} continued/model-best {old_dev}")


def continued(nlp: Language, name: str, model: str, corpus: Path, replay: Path | None, texts: int) -> Config:
    """The pipeline's own config, with all components taken from the pipeline and all but `name` frozen.

    texts: of an epoch, old ones included.
    """
    frozen = [each for each, pipe in nlp.pipeline if each != name and getattr(pipe, "is_trainable", False)]
    heard = [each for each in frozen if name in getattr(nlp.get_pipe(each), "listening_components", ())]
    config: dict[str, Any] = nlp.config.copy()
    training = config["training"]
    annotating = [each for each in nlp.pipe_names if each in {*heard, *training["annotating_components"]}]
    optimizer = training["optimizer"] if training["optimizer"].get("@optimizers") == OPTIMIZER else {}
    rates = {key: optimizer[key] for key in ("encoder_rate", "decoder_rate") if key in optimizer}
    paths = {"train": str(corpus), "dev": None, **({} if replay is None else {"replay": str(replay)})}
    readers = {part: {"@readers": READER, "path": f"${{paths.{part}}}"} for part in ("train", "dev")}
    for part, reader in readers.items():  # what a component with given entities needs
        if (group := config["corpora"].get(part, {}).get("given_spans")) is not None:
            reader["given_spans"] = group
    if replay is not None:
        readers["train"]["replay"] = "${paths.replay}"
    logger = {key: None if key == "output_file" else x for key, x in training["logger"].items()}
    steps = math.ceil(texts / BATCH) * EPOCHS
    warmup = min(defaults(AdamWSettings)["continued_warmup"], steps // WARMUP)
    copied = {"@callbacks": "spacy.copy_from_base_model.v1", "tokenizer": model, "vocab": model}
    config.update(
        paths={**config["paths"], **paths},
        components={each: {"source": model} for each in nlp.component_names},
        corpora={**config["corpora"], **readers},
        initialize={"before_init": copied},
        training={
            **training,
            "train_corpus": "corpora.train",
            "dev_corpus": "corpora.dev",
            "max_epochs": EPOCHS,
            "max_steps": 0,
            "patience": 0,
            # slightly less than an epoch: spaCy evaluates the last step only if it is a multiple
            "eval_frequency": max((steps - 1) // EPOCHS, 1),
            "frozen_components": frozen,
            "annotating_components": annotating,
            "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": BATCH},
            "optimizer": {
                "@optimizers": OPTIMIZER,
                "continued_steps": steps,
                "continued_warmup": warmup,
                **rates,
            },
            "logger": logger,  # not into the file of the earlier training
        },
    )
    return Config(config)


def report(nlp: Language, name: str, new: Sequence[Doc], old: Sequence[Doc], frozen: Sequence[str]) -> None:
    """Print what the texts have that the component does not know, and what does not learn."""
    known = nlp.get_pipe(name).label_data
    added = unknown_labels(known, new)
    if added:
        msg.info(f"New labels: {', '.join(added)}")
        if old:
            msg.warn(
                "Old texts teach that nothing in them has a new label: annotate it where they mention it"
            )
    strange = [label for label in unknown_labels(known, old) if label not in added]
    if strange:
        msg.warn(
            f"--replay has labels that the pipeline does not know and will learn: {', '.join(strange)}. "
            "Are these the texts it was trained on?"
        )
    if not old:
        msg.warn("Without --replay, more is forgotten: give texts that the pipeline was trained on")
    if frozen:
        msg.info(f"These components stay as they are: {', '.join(frozen)}")


def unknown_labels(known: dict[str, list[str]], docs: Iterable[Doc]) -> list[str]:
    """Labels of entities and relations that are not among the known ones of their kind."""
    found = collect_labels([read(doc) for doc in docs])
    return [label for kind, labels in found.items() for label in labels if label not in known[kind]]
