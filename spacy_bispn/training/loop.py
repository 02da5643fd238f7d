"""`spacy.training.loop.train` with a state that is saved at each evaluation, and from which it goes on.

spaCy's own loop does the work. To go on, it runs through the earlier steps again without learning: batches,
schedules and `before_update` get to where they were, and evaluations give what they gave. Then the weights,
the optimizer and the random generators are put back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from timeit import default_timer as timer
from typing import IO, Any

import numpy as np
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.loop import (
    DIR_MODEL_LAST,
    create_evaluation_callback,
    create_train_batches,
    train_while_improving,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import fix_random_seed, set_gpu_allocator
from thinc.util import convert_recursive
from wasabi.printer import Printer

from spacy_bispn.training.models import ModelFolders, prepare_output, publish
from spacy_bispn.training.random_states import ReplayedBatches
from spacy_bispn.training.state import FILE, Evaluation, State

LOOP = (  # the settings of `[training]` that spaCy's generator takes under the same names
    *("dropout", "accumulate_gradient", "patience", "max_steps", "eval_frequency"),
    "annotating_components",
)


class Replay:
    """A pipeline for spaCy's loop that does not learn, and knows its scores, until the replay is over."""

    def __init__(self, nlp: Language, state: State, evaluate: Any) -> None:
        self.nlp = nlp
        self._known = iter(list(state.history))
        self._evaluate = evaluate
        self.over = state.step < 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.nlp, name)

    @property
    def pipeline(self) -> list[Any]:
        """The components that take part in a step: none in the replay."""
        return list(self.nlp.pipeline) if self.over else []

    def update(self, *args: Any, **options: Any) -> Any:
        """`nlp.update`, after the replay."""
        return self.nlp.update(*args, **options) if self.over else None

    def evaluate(self) -> tuple[float, dict[str, Any]]:
        """The scores on the development set, those of the stopped training in the replay."""
        if self.over:
            score, others = self._evaluate()
            return float(score), plain(others)
        known = next(self._known)
        return known.score, known.other_scores


class Clock:
    """Counts the seconds of a training, on top of those before it was stopped."""

    def __init__(self, before: float = 0.0) -> None:
        self._start = timer() - before

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return timer() - self._start


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

    output: the folder for model-best, model-last and the state. A training that nothing stops gives the same
    models and log as `spacy train`; an exception leaves what the last evaluation wrote.
    """
    message = Printer(no_print=True)
    config = nlp.config.interpolate()
    if config["training"]["seed"] is not None:
        fix_random_seed(config["training"]["seed"])
    if use_gpu >= 0 and config["training"]["gpu_allocator"]:
        set_gpu_allocator(config["training"]["gpu_allocator"])
    prepare_output(output, state, config["training"]["logger"].get("output_file"))
    settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    optimizer, frozen = settings["optimizer"], settings["frozen_components"]
    models = ModelFolders(nlp, output, settings)
    corpora = resolve_dot_names(config, [settings["train_corpus"], settings["dev_corpus"]])
    weights = known_weights(settings["score_weights"], state)
    replay = Replay(nlp, state, create_evaluation_callback(nlp, corpora[1], weights))
    steps = create_steps(replay, corpora[0], settings, state)
    stdout.writelines(f"{message.info(line)}\n" for line in introduction(nlp, settings, state))
    with nlp.select_pipes(disable=frozen):
        log_step, finalize_logger = settings["logger"](nlp, stdout, stderr)
    clock, known = Clock(), iter(list(state.history))
    try:
        for _, info, is_best in steps:
            if is_best is None:
                log_step(None)
                continue
            if replay.over:
                losses = plain(info["losses"])
                state.history.append(Evaluation(info["score"], info["other_scores"], losses, clock.seconds))
            evaluation = state.history[-1] if replay.over else next(known)
            info |= {"losses": evaluation.losses, "seconds": int(evaluation.seconds)}
            with nlp.select_pipes(disable=frozen):
                update_meta(settings, nlp, info)
            if replay.over:
                models.write(info["step"], is_best)
            info["output_path"] = str(output / DIR_MODEL_LAST)
            log_step(info)
            if replay.over:
                state.step, state.seconds = info["step"], clock.seconds
                state.capture(nlp, optimizer, frozen)
                state.save(output / FILE)
                publish(output, state.step)
            elif info["step"] == state.step:
                state.restore(nlp, optimizer, frozen)
                replay.over, clock = True, Clock(state.seconds)
    finally:
        finalize_logger()
    if info["step"] > state.step:
        models.write(info["step"], False)
        publish(output, info["step"])
    state.finish(output / FILE, clock.seconds)
    stdout.write(message.good("Saved pipeline to output directory", output / DIR_MODEL_LAST) + "\n")


def create_steps(replay: Replay, corpus: Any, settings: Mapping[str, Any], state: State) -> Any:
    """spaCy's generator of training steps.

    corpus: the reader of the training texts. settings: the resolved block `[training]`.
    """
    before_update = settings["before_update"]
    batches = create_train_batches(replay.nlp, corpus, settings["batcher"], settings["max_epochs"])
    return train_while_improving(
        replay,
        settings["optimizer"],
        ReplayedBatches(batches, state.draws, state.step + 1),
        replay.evaluate,
        **{name: settings[name] for name in LOOP},
        exclude=settings["frozen_components"],
        before_update=before_update and (lambda _, where: before_update(replay.nlp, where)),
    )


def introduction(nlp: Language, settings: Mapping[str, Any], state: State) -> Iterator[str]:
    """What a training prints first, as spaCy's does, and where it goes on."""
    yield f"Pipeline: {nlp.pipe_names}"
    if settings["frozen_components"]:
        yield f"Frozen components: {settings['frozen_components']}"
    if settings["annotating_components"]:
        yield f"Set annotations on update for: {settings['annotating_components']}"
    yield f"Initial learn rate: {settings['optimizer'].learn_rate}"
    if state.step >= 0:
        yield f"Going on after step {state.step}, to which the first rows belong"


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
