"""The pipeline component: what spaCy calls, in spaCy's words."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, set_dropout_rate

from . import annotations
from .bounds import within
from .bridge import NetworkShim, Reading
from .decode import Decoding, cohere, extract, merge
from .files import save
from .gold import check_labels, check_queries, collect_labels, count, gold_of, report_losses
from .nn.objective import Objective
from .pieces import Lengths, with_gold
from .records import Extraction, Labels
from .saved import FILE, load_model, pack_component, unpack_component
from .targets import WindowGold, make_targets, place

BAD_LOSS = ("stop", "skip")
# Padded pieces at once: what a processor keeps near, and on a GPU what is worth its start.
BATCH_PIECES = {"cpu": 1024, "cuda": 8192}


class BiSPN(TrainablePipe):  # type: ignore[misc]
    """Entities and the relations between them, in one pass.

    Writes `doc.spans["bispn"]` (all entities, with scores), `doc.ents` (the best that do not overlap)
    and `doc._.relations`.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[Any, Any],
        name: str = "bispn",
        *,
        objective: Objective,
        decoding: dict[str, Any],
        scorer: Callable[..., dict[str, Any]] | None = None,
        symmetric_labels: Sequence[str] = (),
        frozen_epochs: float = 0,
        batch_pieces: int | None = None,
        bad_loss: str = "stop",
    ) -> None:
        if not within(frozen_epochs, 0):
            raise ValueError(f"frozen_epochs is {frozen_epochs!r}, expected at least 0: correct the config.")
        if batch_pieces is not None and not within(batch_pieces, 1):
            raise ValueError(
                f"batch_pieces is {batch_pieces!r}, expected at least 1, or null for what suits the device: "
                f"use null."
            )
        if bad_loss not in BAD_LOSS:
            raise ValueError(f"bad_loss is {bad_loss!r}, expected one of {', '.join(BAD_LOSS)}: correct it.")
        if not isinstance(objective, Objective):
            raise ValueError(
                f"objective is {objective!r}, expected an Objective: name one, such as "
                f'{{"@misc": "spacy-bispn.Objective.v1"}}.'
            )
        Decoding(**decoding)  # raises on impossible values
        self.vocab = vocab
        self.model = model
        self.name = name
        self.objective = objective
        self.scorer = scorer
        self.frozen_epochs = frozen_epochs
        self.batch_pieces = batch_pieces
        self.bad_loss = bad_loss
        self.configured = decoding
        # thresholds are read from here at prediction time: `spacy find-threshold` replaces it
        self.cfg: dict[str, Any] = {
            **decoding,
            "entity_labels": [],
            "relation_labels": [],
            "symmetric_labels": list(symmetric_labels),
            "train_texts": 0,
        }

    @property
    def decoding(self) -> Decoding:
        """The settings of decoding as they stand in `cfg` now."""
        return Decoding(**{field.name: self.cfg[field.name] for field in fields(Decoding)})

    @property
    def label_sets(self) -> Labels:
        """Entity, relation and symmetric labels."""
        kinds = ("entity_labels", "relation_labels", "symmetric_labels")
        return Labels(*(tuple(self.cfg[kind]) for kind in kinds))

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, entities first."""
        return (*self.cfg["entity_labels"], *self.cfg["relation_labels"])

    @property
    def label_data(self) -> dict[str, list[str]]:
        """What `spacy init labels` writes and `initialize(labels=...)` reads."""
        return {"entity": self.cfg["entity_labels"], "relation": self.cfg["relation_labels"]}

    @property
    def pieces_at_once(self) -> int:
        """Padded pieces that the network reads at once: `batch_pieces`, or what suits the device."""
        return self.batch_pieces or BATCH_PIECES.get(self.shim.device.type, BATCH_PIECES["cpu"])

    @property
    def shim(self) -> NetworkShim:
        """The holder of the network."""
        shim: NetworkShim = self.model.shims[0]
        return shim

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: dict[str, list[str]] | None = None,
    ) -> None:
        """Collect labels, build the model, and hold the training data against the number of queries.

        Raises ValueError if no text says anything about relations, if a symmetric label is unknown, or
        if a window has more gold than queries.
        """
        validate_get_examples(get_examples, "BiSPN.initialize")
        docs = [example.reference for example in get_examples()]
        if not any(annotations.has_relations(doc) for doc in docs):
            raise ValueError(
                f"none of the {len(docs)} training texts says anything about relations, expected "
                f"doc._.relations on them: convert the corpus with `spacy bispn convert` or assign "
                f"doc._.relations (an empty list where a text has none) before saving the DocBin, and read "
                f'it with @readers = "spacy-bispn.Corpus.v1".'
            )
        gold = [annotations.read(doc) for doc in docs]
        labels = collect_labels(gold) if labels is None else check_labels(labels)
        self.cfg["entity_labels"], self.cfg["relation_labels"] = labels["entity"], labels["relation"]
        unknown = sorted(set(self.cfg["symmetric_labels"]) - set(labels["relation"]))
        if unknown:
            raise ValueError(
                f"symmetric_labels has {', '.join(unknown)}, expected labels of the training data "
                f"({', '.join(labels['relation'])}): correct the component's config."
            )
        self.cfg["train_texts"] = len(docs)
        self.model.initialize(X=docs, Y=(len(labels["entity"]), len(labels["relation"])))
        windows = self.shim.windows(docs, is_train=True)
        self.shim.seen = Lengths.of(windows) if windows else None
        shares, report = place(windows, gold, self.label_sets)
        check_queries(self.model.attrs, docs, windows, shares)
        report_losses(self.name, report)
        silent = sum(not annotations.has_relations(doc) for doc in docs)
        if silent:
            util.logger.warning(
                "[%s] %d of %d training texts say nothing about relations and are not learnt from: "
                "assign doc._.relations = [] where a text has none.", self.name, silent, len(docs),
            )  # fmt: skip

    def predict(self, docs: Iterable[Doc]) -> list[Extraction]:
        """Extractions of some Docs, in their order. Windows are batched by length."""
        docs = list(docs)
        reading = Reading(self.model, docs, is_train=False)
        decoding, labels = self.decoding, self.label_sets
        found = [Extraction()] * len(reading.windows)
        for batch in reading.batches(self.pieces_at_once):
            outputs = reading.predict(batch, decoding.type_threshold, decoding.relation_threshold)
            windows = [reading.windows[index] for index in batch]
            for index, extraction in zip(batch, extract(outputs, windows, labels, decoding), strict=True):
                found[index] = extraction
        return [cohere(x, labels, decoding) for x in merge(reading.windows, found, len(docs))]

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream. Docs that raise go to the pipeline's error handler, one by one."""
        for docs in util.minibatch(stream, size=batch_size):
            yield from self._annotate(docs)

    def _annotate(self, docs: list[Doc]) -> Iterator[Doc]:
        try:
            self.set_annotations(docs, self.predict(docs))
        except Exception as error:  # a text of its own making, or too many for the memory of the device
            if len(docs) == 1:
                self.get_error_handler()(self.name, self, docs, error)
                return
        else:
            yield from docs
            return
        # not in the except block, where the error would keep what had filled the memory
        half = len(docs) // 2
        yield from self._annotate(docs[:half])
        yield from self._annotate(docs[half:])

    def set_annotations(self, docs: Iterable[Doc], extractions: Iterable[Extraction]) -> None:
        """Write the extractions on the Docs."""
        for doc, extraction in zip(docs, extractions, strict=True):
            annotations.write(doc, extraction)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Settings, labels and weights as one safetensors file; "vocab" may be excluded."""
        vocab = None if "vocab" in exclude else self.vocab.to_bytes(exclude=list(exclude))
        return pack_component(self.model, self.cfg, self.configured, vocab)

    def from_bytes(self, data: bytes | Path, *, exclude: Iterable[str] = ()) -> "BiSPN":
        """Take over what was saved, or the file that a path names. A setting of decoding that this
        component's config changes stays changed: `spacy.load(..., config=...)` overrides what was saved.

        Raises ValueError for what is not in order; the component is then as it was.
        """
        saved = unpack_component(data)
        load_model(self.model, saved)
        if saved.vocab is not None and "vocab" not in exclude:
            self.vocab.from_bytes(saved.vocab, exclude=list(exclude))
        changed = {name: x for name, x in self.configured.items() if x != saved.configured.get(name)}
        self.cfg = {**saved.cfg, **changed}
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write one file into the folder `path`, in one go: what was there before is whole until then."""
        save(Path(path) / FILE, self.to_bytes(exclude=exclude))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "BiSPN":
        """Read what `to_disk` wrote, as `from_bytes` does. Raises OSError where there is no such file."""
        return self.from_bytes(Path(path) / FILE, exclude=exclude)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Any = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """One step of training; gradients add up over calls until `finish_update`.

        `drop` reaches a thinc sublayer; the dropout of encoder and decoders is set in the config.
        Counted in `losses` is what is left out: under `<name>_unplaced` gold that no window sees or no
        label covers, under `<name>_surplus` gold beyond the number of queries, under `<name>_skipped`
        windows with a loss that is no number, where `bad_loss` does not make it a ValueError. A reference
        that says nothing about relations is not learnt from. Raises ValueError where one has another text.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "BiSPN.update")
        set_dropout_rate(self.model, drop)
        self.shim.freeze_encoder(self.shim.epoch < self.frozen_epochs)
        reading = Reading(self.model, [example.predicted for example in examples], is_train=True)
        gold = [gold_of(example) for example in examples]
        shares, report = place(reading.windows, gold, self.label_sets)
        count(losses, f"{self.name}_unplaced", report.lost)
        known = [annotations.has_relations(example.reference) for example in examples]
        for batch in reading.batches(self.pieces_at_once):
            annotated = [index for index in batch if known[reading.windows[index].text]]
            if annotated:
                self._learn(reading, shares, annotated, losses)
        reading.finish()
        self.shim.epoch += len(examples) / max(self.cfg["train_texts"], 1)
        if sgd not in (None, False):  # spaCy's way to say "not now"
            self.finish_update(sgd)
        return losses

    def _learn(
        self, reading: Reading, shares: Sequence[WindowGold], batch: Sequence[int], losses: dict[str, float]
    ) -> None:
        targets = make_targets(
            [shares[index] for index in batch], self.label_sets,
            self.model.attrs["relation_queries"], self.shim.device,
        )  # fmt: skip
        trained, backprop = self.shim.begin_update(with_gold(reading.inputs(batch), targets))
        result = self.objective(trained.outputs, trained.proposals, targets)
        try:
            reading.collect(batch, backprop(result.total))
        except FloatingPointError as error:
            texts = [reading.docs[reading.windows[index].text].text[:60] for index in batch]
            self._stop_or_skip(
                f"{error}: lower the learning rates or look at the texts of this batch, {texts}"
            )
            count(losses, f"{self.name}_skipped", len(batch))
            return
        losses[self.name] += result.total.item()
        count(losses, f"{self.name}_surplus", result.surplus)

    def finish_update(self, sgd: Any) -> None:
        """Let the optimizer change the weights. Gradients that are no numbers change nothing: they raise
        ValueError or are skipped, as `bad_loss` says.
        """
        try:
            self.model.finish_update(sgd)
        except FloatingPointError as error:
            self._stop_or_skip(str(error))
            self.shim.require().zero_grad()
            for node in self.model.walk():  # shims come first: a sublayer has not learnt from this either
                for name in node.param_names:
                    if node.has_grad(name):
                        node.set_grad(name, node.ops.alloc_f(node.get_grad(name).shape))

    def _stop_or_skip(self, trouble: str) -> None:
        if self.bad_loss == "stop":
            raise ValueError(f'{trouble}; bad_loss = "skip" leaves such batches out.')
        util.logger.warning("[%s] skipped: %s", self.name, trouble)
