"""`spacy.training.loop.train` with a state that is saved at each evaluation, and from which it goes on.

spaCy's own loop does the work. To go on, it runs through the earlier steps again without learning: batches,
schedules and `before_update` get to where they were, and evaluations give what they gave. Then the weights, the
optimizer and the random generators are put back.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from timeit import default_timer as timer
from typing import IO, Any

import numpy as np
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    clean_output_dir,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    train_while_improving,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import fix_random_seed, set_gpu_allocator
from thinc.util import convert_recursive
from wasabi import Printer

from spacy_bispn.files import replace_folder, sync_folder
from spacy_bispn.training.random_states import ReplayedBatches
from spacy_bispn.training.state import FILE, Evaluation, State

MODELS = (DIR_MODEL_LAST, DIR_MODEL_BEST)


class Replay:
    """A pipeline for spaCy's loop that does not learn, and knows its scores, until the replay is over."""

    def __init__(self, nlp: Language, state: State, evaluate: Any) -> None:
        self._nlp = nlp
        self._known = iter(list(state.history))
        self._evaluate = evaluate
        self.over = state.step < 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nlp, name)

    @property
    def pipeline(self) -> list[Any]:
        """The components that take part in a step: none in the replay."""
        return list(self._nlp.pipeline) if self.over else []

    def update(self, *args: Any, **options: Any) -> Any:
        """`nlp.update`, after the replay."""
        return self._nlp.update(*args, **options) if self.over else None

    def evaluate(self) -> tuple[float, dict[str, Any]]:
        """The scores on the development set, those of the stopped training in the replay."""
        if self.over:
            score, others = self._evaluate()
            return float(score), plain(others)
        known = next(self._known)
        return known.score, known.other_scores


def train(
    nlp: Language,
    output: Path,
    state: State,
    *,
    use_gpu: int = -1,
    stdout: IO[str] = sys.stdout,
    stderr: IO[str] = sys.stderr,
) -> None:
    """Train an initialized pipeline to the end, from the beginning or from a loaded state.

    output: the folder for model-best, model-last and the state. An unbroken training gives the same models and
    log as `spacy train`; an exception leaves what the last evaluation wrote.
    """
    message = Printer(no_print=True)
    config = nlp.config.interpolate()
    if config["training"]["seed"] is not None:
        fix_random_seed(config["training"]["seed"])
    if use_gpu >= 0 and config["training"]["gpu_allocator"]:
        set_gpu_allocator(config["training"]["gpu_allocator"])
    prepare_output(output, state, config["training"]["logger"].get("output_file"))
    settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    corpora = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
    optimizer, frozen, before_update = (
        settings[name] for name in ("optimizer", "frozen_components", "before_update")
    )
    evaluate = create_evaluation_callback(nlp, corpora[1], known_weights(settings["score_weights"], state))
    replay = Replay(nlp, state, evaluate)
    batches = create_train_batches(nlp, corpora[0], settings["batcher"], settings["max_epochs"])
    steps = train_while_improving(
        replay,
        optimizer,
        ReplayedBatches(batches, state.draws, state.step + 1),
        replay.evaluate,
        **{name: settings[name] for name in ("dropout", "accumulate_gradient", "patience", "max_steps")},
        eval_frequency=settings["eval_frequency"],
        exclude=frozen,
        annotating_components=settings["annotating_components"],
        before_update=before_update and (lambda _, where: before_update(nlp, where)),
    )
    before_to_disk = create_before_to_disk_callback(settings["before_to_disk"])

    def write_models(step: int, is_best: bool) -> None:
        last = output / f"{DIR_MODEL_LAST}.{step}"
        with nlp.use_params(optimizer.averages):
            before_to_disk(nlp).to_disk(last)
        sync_folder(last)
        if is_best:
            shutil.copytree(last, output / f"{DIR_MODEL_BEST}.{step}")
            sync_folder(output / f"{DIR_MODEL_BEST}.{step}")

    stdout.write(message.info(f"Pipeline: {nlp.pipe_names}") + "\n")
    for title, names in (
        ("Frozen components", frozen),
        ("Set annotations on update for", settings["annotating_components"]),
    ):
        if names:
            stdout.write(message.info(f"{title}: {names}") + "\n")
    stdout.write(message.info(f"Initial learn rate: {optimizer.learn_rate}") + "\n")
    if not replay.over:
        stdout.write(message.info(f"Going on after step {state.step}; the rows up to it are known") + "\n")
    with nlp.select_pipes(disable=frozen):
        log_step, finalize_logger = settings["logger"](nlp, stdout, stderr)
    started, before, evaluations = timer(), 0.0, iter(list(state.history))
    try:
        for _, info, is_best in steps:
            step, evaluated, known = info["step"], is_best is not None, not replay.over
            if evaluated:
                if known:
                    evaluation = next(evaluations)
                else:
                    seconds = before + timer() - started
                    evaluation = Evaluation(
                        info["score"], info["other_scores"], plain(info["losses"]), seconds
                    )
                    state.history.append(evaluation)
                info |= {"losses": evaluation.losses, "seconds": int(evaluation.seconds)}
                with nlp.select_pipes(disable=frozen):
                    update_meta(settings, nlp, info)
                info["output_path"] = str(output / DIR_MODEL_LAST)
                if not known:
                    write_models(step, is_best)
            log_step(info if evaluated else None)
            if known and step == state.step:
                state.restore(nlp, optimizer, frozen)
                replay.over, started, before = True, timer(), state.seconds
            elif evaluated and not known:
                state.step = step
                state.capture(nlp, optimizer, frozen)
                state.save(output / FILE)
                publish(output, step)
    finally:
        finalize_logger()
    if step > state.step:
        write_models(step, False)
        publish(output, step)
    state.finish(output / FILE)
    stdout.write(message.good("Saved pipeline to output directory", output / DIR_MODEL_LAST) + "\n")


def prepare_output(output: Path, state: State, log: str | Path | None) -> None:
    """Bring models and log to what the state says: a stop may have come before or after any of them.

    log: the file that the logger writes. It is written anew with its earlier lines, if it is of this training.
    """
    log = str(log) if log else None
    if not (output / FILE).exists():
        clean_output_dir(output)
        state.log = None if log is None or Path(log).exists() else log
        state.save(output / FILE)
    elif log is not None and log == state.log:
        Path(log).unlink(missing_ok=True)
    publish(output, state.step)
    for path in list(output.iterdir()):
        if re.fullmatch(rf"({'|'.join(MODELS)})\.(\d+|old)", path.name):
            shutil.rmtree(path)


def publish(output: Path, step: int) -> None:
    """Give the models of a step their final names."""
    for name in MODELS:
        new = output / f"{name}.{step}"
        if new.exists():
            replace_folder(new, output / name)


def known_weights(weights: Mapping[str, float | None], state: State) -> dict[str, float | None]:
    """The weights of scores, without those that an evaluation did not have: spaCy's callback forgets them."""
    return {
        name: weight
        for name, weight in weights.items()
        if all(name in evaluation.other_scores for evaluation in state.history)
    }


def plain(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores with Python's numbers in place of numpy's."""
    found: dict[str, Any] = convert_recursive(
        lambda value: isinstance(value, np.generic), lambda value: value.item(), scores
    )
    return found
