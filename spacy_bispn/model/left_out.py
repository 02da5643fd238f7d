"""What a training leaves out or changes, in the losses and on the console: loggers show the loss alone."""

from __future__ import annotations

from collections import Counter

from spacy import util

VERBS = {  # of what is learnt from all the same, the first for a later schema
    "forbidden": "never predicted",
    "widened": "learnt as whole wordpieces",
}
REASONS = {  # what was left out, and what to do
    "unplaced": (
        "gold items that lie in no window, have an unknown label or join what was not given",
        "See model.window, the labels and the entities that are given",
    ),
    "surplus": ("gold items that found no query", "Raise model.entity_queries or model.relation_queries"),
    "skipped": ("windows whose loss is NaN or infinite", "Lower the learning rates"),
    "unannotated": (
        "texts that say nothing about relations",
        "Assign doc._.relations = [] where a text has none",
    ),
    "widened": (
        "gold entities that end inside a wordpiece",
        "An encoder with smaller pieces tells them apart",
    ),
    "forbidden": ("gold relations that the schema forbids", "Add their triples to the component's schema"),
}


class LeftOut:
    """Counts of what is not learnt from, changed or never predicted, by the reasons above.

    A reason is logged when it first occurs, then once an epoch with its count. name: the component's.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._counts: Counter[str] = Counter()
        self._known: set[str] = set()
        self._epoch: int | None = None  # the one that is counted; a loaded component begins later than 0

    def count(self, losses: dict[str, float], reason: str, number: int) -> None:
        """Add to `losses` under "<name>_<reason>", and to the epoch."""
        if not number:
            return
        key = f"{self.name}_{reason}"
        losses[key] = losses.get(key, 0.0) + number
        self._counts[reason] += number
        if reason not in self._known:
            self._known.add(reason)
            self._log("first seen", reason, number)

    def finish_epoch(self, epoch: float) -> None:
        """Log the counts of an epoch that has ended. epoch: passes over the training data so far."""
        if self._epoch is not None and int(epoch) > self._epoch:
            for reason, number in self._counts.items():
                self._log(f"epoch {int(epoch)}", reason, number)
            self._counts.clear()
        self._epoch = int(epoch)

    def _log(self, when: str, reason: str, number: int) -> None:
        what, advice = REASONS[reason]
        verb = VERBS.get(reason, "not learnt from")
        util.logger.warning("[%s] %s (%s): %s, %d. %s.", self.name, verb, when, what, number, advice)
