"""The pipeline component `bispn`: training, prediction, saving and loading."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from spacy import util
from spacy.language import Language
from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, set_dropout_rate

from spacy_bispn import annotations
from spacy_bispn.component_settings import ComponentSettings
from spacy_bispn.files import save
from spacy_bispn.model.coherence import cohere
from spacy_bispn.model.decoding import Decoding, LatestDecoding, extract, merge
from spacy_bispn.model.doc_batch import DocBatch, clear_gradients
from spacy_bispn.model.given import GivenEntities
from spacy_bispn.model.gold_checks import (
    check_annotated,
    check_kind,
    check_known,
    check_labels,
    check_schema,
    collect_labels,
    count_surplus,
    distinct_labels,
    gold_of,
    grown_lists,
    report_context,
    report_losses,
)
from spacy_bispn.model.left_out import LeftOut
from spacy_bispn.model.schema import Schema, forbidden_relations, observed_triples
from spacy_bispn.model.score_settings import forget_calibration
from spacy_bispn.model.shim import NetworkShim
from spacy_bispn.model.targets import WindowGold, assign_to_windows, make_targets
from spacy_bispn.model.windowing import WindowLengths, with_gold
from spacy_bispn.nn.objective import Objective
from spacy_bispn.records import Extraction, Labels
from spacy_bispn.serialization import FILE, load_model, pack_component, unpack_component
from spacy_bispn.settings import SettingError


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
        decoding: Decoding,
        settings: ComponentSettings,
        scorer: Callable[..., dict[str, Any]] | None = None,
    ) -> None:
        if not isinstance(objective, Objective):
            expected = 'a block such as {"@misc": "spacy-bispn.Objective.v1"}'
            raise SettingError("objective", objective, expected, "correct the component's config")
        if settings.extension != annotations.NAME:
            annotations.use_extension(settings.extension)
        self.vocab, self.model, self.name = vocab, model, name
        self.objective, self.scorer = objective, scorer
        self.frozen_epochs, self.batch_pieces = settings.frozen_epochs, settings.batch_pieces
        self.bad_loss, self.surplus_gold = settings.bad_loss, settings.surplus_gold
        self.given = GivenEntities.of_component(settings, model.attrs["settings"])
        self.given.checked(decoding)
        self.latest = LatestDecoding()
        self.shim.given_types = settings.entities != "predicted"
        self.grows = True  # unless labels are given, those of later gold are added
        self.left_out = LeftOut(name)
        self.configured = asdict(decoding)
        # thresholds are read from here at prediction time: `spacy find-threshold` replaces it
        self.cfg: dict[str, Any] = {
            **self.configured,
            "entity_labels": [],
            "relation_labels": [],
            "symmetric_labels": distinct_labels("symmetric_labels", settings.symmetric_labels),
            "train_texts": 0,
            "observed_triples": [],  # None for a loaded model of an earlier version
        }

    @property
    def decoding(self) -> Decoding:
        """The settings of decoding that `cfg` has now. Raises SettingError for what they cannot be."""
        return self.given.checked(self.latest.of(self.cfg))

    @property
    def label_sets(self) -> Labels:
        """Entity, relation and symmetric labels."""
        return Labels.of(self.cfg)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, entities first."""
        return (*self.cfg["entity_labels"], *self.cfg["relation_labels"])

    @property
    def label_data(self) -> dict[str, list[str]]:
        """What `spacy init labels` writes and `initialize(labels=...)` reads."""
        return {"entity": self.cfg["entity_labels"], "relation": self.cfg["relation_labels"]}

    @property
    def shim(self) -> NetworkShim:
        """The holder of the network."""
        return cast(NetworkShim, self.model.shims[0])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: dict[str, list[str]] | None = None,
    ) -> None:
        """Collect labels, build the model, and hold the training data against the number of queries.

        Raises ValueError if no text has its relations annotated, a setting names an unknown label, the schema
        forbids all relations, or a window has more gold than queries and `surplus_gold` is not "skip".
        """
        validate_get_examples(get_examples, "BiSPN.initialize")
        docs = [example.reference for example in get_examples()]
        check_annotated(self.name, docs)
        gold = [annotations.read(doc) for doc in docs]
        self.grows = labels is None
        labels = collect_labels(gold) if labels is None else check_labels(labels)
        self.cfg["entity_labels"], self.cfg["relation_labels"] = labels["entity"], labels["relation"]
        self.cfg["observed_triples"] = observed_triples([], gold, self.label_sets)
        check_known(self.cfg)
        check_schema(self.name, Schema.of(self.cfg), gold)
        forget_calibration(self)
        self.cfg["train_texts"] = len(docs)
        self.model.initialize(X=docs, Y=(len(labels["entity"]), len(labels["relation"])))
        windows = self.shim.windows(docs, is_train=True)
        self.shim.training_lengths = WindowLengths.of(windows) if windows else None
        shares, report = assign_to_windows(windows, gold, self.label_sets)
        report_context(self.name, self.shim.windowing.context, windows)
        limits, skips = self.given.limits(self.model.attrs["settings"]), self.surplus_gold == "skip"
        report_losses(self.name, report, count_surplus(limits, docs, windows, shares, skips))
        self.left_out = LeftOut(self.name)
        self.left_out.count({}, "unannotated", sum(not annotations.has_relations(doc) for doc in docs))

    def predict(self, docs: Iterable[Doc]) -> list[Extraction]:
        """Extractions of some Docs, in their order. Windows are batched by length."""
        docs = list(docs)
        reading = DocBatch(self.model, docs, is_train=False)
        decoding, labels, schema = self.decoding, self.label_sets, Schema.of(self.cfg)
        given = reading.given = self.given.of(docs, reading.windows, labels)
        found = [Extraction()] * len(reading.windows)
        for batch in reading.batches(self.batch_pieces):
            outputs = reading.outputs(batch, *decoding.floors)
            windows = [reading.windows[index] for index in batch]
            extractions = extract(outputs, windows, labels, decoding, schema, given.of_windows(batch))
            for index, extraction in zip(batch, extractions, strict=True):
                found[index] = extraction
        merged = zip(given.joined_by(merge(reading.windows, found, len(docs))), docs, strict=True)
        return [cohere(x, labels, given.adapt(decoding), schema, doc.text) for x, doc in merged]

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
            annotations.write(doc, extraction, given=self.given.entities != "predicted")

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
        changed = {name: x for name, x in self.configured.items() if x != saved.configured.get(name)}
        check_known(cfg := {**saved.cfg, **changed})
        Schema.of(cfg)  # raises for labels that the saved model does not have
        load_model(self.model, saved)
        if saved.vocab is not None and "vocab" not in exclude:
            self.vocab.from_bytes(saved.vocab, exclude=list(exclude))
        self.cfg = cfg
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
        New labels are added, with a warning, unless labels were given to `initialize`. What is left out or
        changed is counted in `losses`, `<name>_unplaced` and other reasons of left_out.py, and logged once
        an epoch. Raises ValueError where a reference has another text, and as `bad_loss` says.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "BiSPN.update")
        set_dropout_rate(self.model, drop)
        forget_calibration(self)
        self.shim.freeze_encoder(self.shim.epoch < self.frozen_epochs)
        reading = DocBatch(self.model, [example.predicted for example in examples], is_train=True)
        gold, known = gold_of(examples)
        if self.grows:
            self._add_labels(collect_labels(gold))
        self.cfg["observed_triples"] = observed_triples(self.cfg["observed_triples"], gold, self.label_sets)
        self.left_out.count(losses, "forbidden", forbidden_relations(Schema.of(self.cfg), gold))
        gold, reading.given = self.given.taught(reading.docs, gold, reading.windows, self.label_sets)
        shares, report = assign_to_windows(reading.windows, gold, self.label_sets)
        shares = reading.given.numbered(shares, reading.windows)
        self.left_out.count(losses, "unplaced", report.lost)
        self.left_out.count(losses, "widened", report.widened_entities)
        self.left_out.count(losses, "unannotated", known.count(False))
        for batch in reading.batches(self.batch_pieces):
            annotated = [index for index in batch if known[reading.windows[index].text]]
            if annotated:
                self._learn(reading, shares, annotated, losses)
        reading.backprop()
        self.shim.epoch += len(examples) / max(self.cfg["train_texts"], 1)
        self.left_out.finish_epoch(self.shim.epoch)
        if sgd not in (None, False):  # spaCy's way to say "not now"
            self.finish_update(sgd)
        return losses

    def add_label(self, label: str, kind: str = "") -> int:
        """Add a label of a kind, "entity" or "relation"; what is known about the others is kept.

        Returns 1 for a new label, 0 for a known one. Raises SettingError for another kind or a bad label.
        """
        if label in self.labels and not kind:
            return 0
        check_kind(label, kind)
        return self._add_labels({"entity": [], "relation": [], kind: [label]})

    def _add_labels(self, labels: Mapping[str, Sequence[str]]) -> int:
        """Make room for the labels that are new; returns how many these are."""
        before = len(self.labels)
        lists = grown_lists(self.name, self.label_data, labels)
        sizes = len(lists["entity"]), len(lists["relation"])
        if sum(sizes) > before:
            self.shim.grow(*sizes)
            self.cfg.update({f"{kind}_labels": names for kind, names in lists.items()})
        return sum(sizes) - before

    def _learn(
        self, reading: DocBatch, shares: Sequence[WindowGold], batch: Sequence[int], losses: dict[str, float]
    ) -> None:
        targets = make_targets(
            [shares[index] for index in batch], self.label_sets,
            self.model.attrs["settings"].relation_queries, self.shim.device,
        )  # fmt: skip
        trained, backprop = self.shim.begin_update(with_gold(reading.inputs(batch), targets))
        result = self.objective(trained.outputs, trained.proposals, targets)
        try:
            reading.add_gradient(batch, backprop(result.total))
        except FloatingPointError as error:
            texts = [reading.docs[reading.windows[index].text].text[:60] for index in batch]
            advice = "lower the learning rates or look at the texts of this batch"
            self._stop_or_skip(f"{error}: {advice}, {texts}")
            self.left_out.count(losses, "skipped", len(batch))
            return
        losses[self.name] += result.total.item()
        self.left_out.count(losses, "surplus", result.surplus)

    def finish_update(self, sgd: Any) -> None:
        """Let the optimizer change the weights. Gradients that are no numbers change nothing: they raise
        ValueError or are skipped, as `bad_loss` says.
        """
        try:
            self.model.finish_update(sgd)
        except FloatingPointError as error:
            self._stop_or_skip(str(error))
            clear_gradients(self.model)

    def _stop_or_skip(self, trouble: str) -> None:
        if self.bad_loss == "stop":
            raise ValueError(f'{trouble}; bad_loss = "skip" leaves such batches out.')
        util.logger.warning("[%s] skipped: %s", self.name, trouble)
