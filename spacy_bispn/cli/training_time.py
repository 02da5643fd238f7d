"""How long a training will take, and in how much memory: a few of its steps are run and timed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import registry, resolve_dot_names
from thinc.api import Config
from wasabi import msg

from spacy_bispn.bench.clock import describe_device, now, peak_memory, reset_peak_memory
from spacy_bispn.cli.preparing import component_of
from spacy_bispn.component import BiSPN
from spacy_bispn.diagnosis.levels import LevelComparison
from spacy_bispn.nn.network import Network

SECONDS = 15.0  # after which nothing more is begun
STEPS = 12  # timed at most
SHARE = 0.1  # of the training texts: the size of a development corpus that is not there yet


@dataclass(frozen=True)
class TrainingTime:
    """A training in numbers. Times are in seconds, memory in megabytes.

    step: one of its steps. update: what of that changes the weights, however many texts a step has.
    steps, epochs: of the whole training, None if its config sets no end. evaluations: all of them together.
    memory: the peak, None where the system does not tell it.
    """

    device: str
    step: float
    update: float
    steps: int | None
    epochs: float | None
    evaluations: float
    memory: float | None

    @property
    def total(self) -> float | None:
        """Seconds of the whole training, None if its config sets no end."""
        return None if self.steps is None else self.steps * self.step + self.evaluations

    def __str__(self) -> str:
        memory = "" if self.memory is None else f", {self.memory / 1000:.1f} GB of memory"
        step = f"{self.step:.2g} s a step on {self.device}{memory}"
        if self.total is None:
            return f"{step}; the config sets neither epochs nor steps, so the end is not known"
        return (
            f"about {in_words(self.total)}: {self.epochs:.3g} epochs, {self.steps} steps, {step}, "
            f"and {in_words(self.evaluations)} for evaluations"
        )

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self) | {"total": self.total}

    def savings(self) -> Iterator[str]:
        """What would make the training shorter, without a look at its texts."""
        if self.total is not None and self.epochs is not None and self.epochs >= 2:
            half = round(self.epochs / 2)
            yield f"--training.max_epochs {half}: about {in_words(self.total / 2)}; scores may be lower"
        if self.update > self.step / 4:
            yield (
                f"--training.batcher.size: {self.update / self.step:.0%} of a step are the same however many "
                f"texts it has; twice as many texts a step halve that share, and the number of steps"
            )
        if "CPU" in self.device:
            yield "a GPU (--gpu-id 0)"


def show_time(config: Config, has_dev: bool, levels: LevelComparison) -> TrainingTime | None:
    """Print how long a training takes and what would make it shorter; None if no step could be taken.

    See `time_training`. levels: of the training texts.
    """
    try:
        time = time_training(config, has_dev)
    except (ValueError, RuntimeError, OSError) as error:  # RuntimeError: of torch, as where memory ends
        msg.warn("No training step could be timed", str(error))
        return None
    msg.info(f"Training: {time}")
    best = levels.recommend()
    if best is not levels.whole:
        times = levels.times(levels.whole, best)
        msg.text(f"    shorter: convert with --level {best.level}, a step then takes about 1/{times:.0f}")
    for saving in time.savings():
        msg.text(f"    shorter: {saving}")
    return time


def time_training(config: Config, has_dev: bool, seconds: float = SECONDS) -> TrainingTime:
    """Begin a training, time a few of its steps, and reckon how long all of it takes.

    config: a whole one. has_dev: whether the development corpus is there; without, one of a tenth of the
    training texts is reckoned with. seconds: after so many no further step is begun, and steps that alone
    take a large part of it are timed with fewer texts.

    Raises ValueError where the training cannot begin.
    """
    reset_peak_memory()
    nlp = init_nlp(config)
    settings = nlp.config.interpolate()
    training = registry.resolve(settings["training"], schema=ConfigSchemaTraining)
    read_train, read_dev = resolve_dot_names(settings, [training["train_corpus"], training["dev_corpus"]])
    train = list(read_train(nlp))
    random.Random(0).shuffle(train)
    batches = list(training["batcher"](train))
    trial = Trial(nlp, training)

    gradients, update = trial.time_steps(train, batches, seconds)
    reading = trial.time_evaluation(train[: len(batches[0])])
    pieces = trial.pieces(train)
    read_once = reading * (trial.pieces(list(read_dev(nlp))) if has_dev else SHARE * pieces)
    step = gradients * pieces / len(batches) + update
    steps = count_steps(training["max_epochs"], training["max_steps"], len(batches))
    evaluations = 0 if steps is None else (steps - 1) // training["eval_frequency"] + 1
    memory, device = peak_memory(), describe_device(trial.pipe.shim.device)
    return TrainingTime(
        device, step, update, steps, None if steps is None else steps / len(batches),
        evaluations * read_once, memory.get("allocated", memory.get("resident")),
    )  # fmt: skip


class Trial:
    """A training that has begun, to be timed. training: the resolved block of the config."""

    def __init__(self, nlp: Language, training: dict[str, Any]) -> None:
        self.nlp = nlp
        self.training = training
        self.pipe: BiSPN = nlp.get_pipe(component_of(nlp))
        # most steps come after those with a frozen encoder
        self.pipe.shim.epoch = max(self.pipe.shim.epoch, float(self.pipe.frozen_epochs))

    def pieces(self, examples: Sequence[Example]) -> int:
        """The length of some texts in positions of the encoder, all windows together."""
        docs = [example.reference for example in examples]
        return sum(len(window.ids) for window in self.pipe.shim.windows(docs, is_train=True))

    def learn(self, examples: Sequence[Example]) -> tuple[float, float]:
        """Take a step, as `spacy train` does; the seconds of its gradients and of its change of weights."""
        frozen = self.training["frozen_components"]
        annotating = self.training["annotating_components"]
        started = now()
        self.nlp.update(examples, sgd=False, exclude=frozen, annotates=annotating)
        between = now()
        for name, pipe in self.nlp.pipeline:
            if name not in frozen and getattr(pipe, "is_trainable", False):
                pipe.finish_update(self.training["optimizer"])
        return between - started, now() - between

    def time_steps(
        self, train: Sequence[Example], batches: Sequence[Sequence[Example]], seconds: float
    ) -> tuple[float, float]:
        """Seconds of the gradients of a piece, and of a change of the weights."""
        started = now()
        first = sum(self.learn(train[:1]))  # also what is slow only once
        size = max(min(len(batches[0]), int(seconds / 4 / first)), 1)
        if size < len(batches[0]):
            batches = [train[at : at + size] for at in range(0, len(train), size)]
        gradients, updates, pieces = 0.0, list[float](), 0
        for number, batch in enumerate(islice(batches, STEPS)):
            with all_queries(self.pipe.shim.require(), number % 2 > 0):
                learnt, changed = self.learn(batch)
            gradients, pieces = gradients + learnt, pieces + self.pieces(batch)
            updates.append(changed)
            if number % 2 and now() - started > seconds:
                break
        return gradients / max(pieces, 1), sum(updates) / len(updates)

    def time_evaluation(self, examples: Sequence[Example]) -> float:
        """Seconds of the evaluation of a piece."""
        started = now()
        self.nlp.evaluate(examples)
        return (now() - started) / max(self.pieces(examples), 1)


@contextmanager
def all_queries(network: Network, opened: bool) -> Iterator[None]:
    """Let the text propose as many queries as the limits allow, if `opened`.

    A network that has not learnt proposes nearly none, one that has learnt for an epoch proposes about as
    many as lie between that and the limits. Steps timed in turns come close to the mean of a training.
    """
    queries: Any = network.queries
    floor = getattr(queries, "floor", None)
    if opened and floor is not None:
        queries.floor = -math.inf
    try:
        yield
    finally:
        if floor is not None:
            queries.floor = floor


def count_steps(max_epochs: int, max_steps: int, each: int) -> int | None:
    """The steps of a training, which has so many each epoch; None if neither limit is set."""
    limits = [max_epochs * each if max_epochs > 0 else 0, max_steps]
    return min((limit for limit in limits if limit > 0), default=None)


def in_words(seconds: float) -> str:
    """A duration, in the unit that suits it."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
