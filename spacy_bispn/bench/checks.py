"""Checks before a speed is printed: a batch has the answers and the gradients of its texts one by one."""

from __future__ import annotations

from collections.abc import Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from torch import Tensor

from spacy_bispn import annotations as on_doc
from spacy_bispn.component import BiSPN
from spacy_bispn.corpus_reader import bare
from spacy_bispn.evaluation.scoring import Pair, score_extractions
from spacy_bispn.nn.dropout import Dropout

BATCH = 8
TOLERANCE = 1e-4  # of scores
AGREEMENT = 0.9  # F1 of answers in fewer than 32 bits
EXACT, ROUGH = 1e-3, 0.05  # relative, of losses and gradients in 32 bits and of losses in fewer


def bispn_of(nlp: Language) -> BiSPN:
    """The component under measurement. Raises ValueError if there is none with an encoder of its own."""
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, BiSPN) and pipe.shim.encoder is not None:
            return pipe
    raise ValueError(
        f"the pipeline has {', '.join(nlp.pipe_names) or 'no component'}, expected a trained 'bispn' with "
        f"an encoder of its own: the bare encoder is what its speed is held against."
    )


def check_answers(nlp: Language, texts: Sequence[str], batch_size: int | None) -> None:
    """Raises ValueError unless `nlp.pipe` finds what one text at a time finds, scores within 1e-4.

    With fewer than 32 bits an answer depends on its batch: then the F1 of all answers together against
    those alone counts.
    """
    together = [on_doc.read(doc) for doc in nlp.pipe(texts, batch_size=batch_size)]
    pairs = [Pair(on_doc.read(nlp(text)), found) for text, found in zip(texts, together, strict=True)]
    trouble = differences(texts, pairs) if bispn_of(nlp).shim.exact else disagreement(pairs)
    if trouble:
        raise ValueError(
            f"in batches of {batch_size or nlp.batch_size} {trouble}: a fast path that changes the answer "
            f"has no speed worth printing."
        )


def differences(texts: Sequence[str], pairs: Sequence[Pair], tolerance: float = TOLERANCE) -> str | None:
    """The first item that was found on one side only, or with another score; None if there is none."""
    for text, (one, other, *_) in zip(texts, pairs, strict=True):
        for items, others in ((one.entities, other.entities), (one.relations, other.relations)):
            alone, together = ({item: item.score for item in found} for found in (items, others))
            for item in [*items, *others]:
                expected, score = alone.get(item), together.get(item)
                if expected is None or score is None or abs(score - expected) > tolerance:
                    return f"the text {text[:60]!r} has {score} as score of {item}, expected {expected}"
    return None


def disagreement(pairs: Sequence[Pair]) -> str | None:
    """What is wrong with answers whose F1 against others is too low; where nothing is found, all agree."""
    scores = score_extractions(pairs)
    names = {"ents_f": "entities", "rel_micro_f": "relations"}
    found = {name: [getattr(x, kind) for pair in pairs for x in pair[:2]] for name, kind in names.items()}
    low = {name: scores[name] for name, items in found.items() if any(items) and scores[name] < AGREEMENT}
    return f"the answers agree with those alone by {low}, expected F1 of {AGREEMENT}" if low else None


def check_steps(nlp: Language, docs: Sequence[Doc]) -> None:
    """Raises ValueError unless a batch has the loss and the gradients that its texts have one by one.

    That is compared without dropout and with all losses at full weight, in bf16 the total alone; the encoder
    learns, then rests.
    """
    pipe = bispn_of(nlp)
    examples = [Example(bare(nlp, doc), doc) for doc in docs[:BATCH]]
    kept = pipe.frozen_epochs, pipe.shim.epoch, pipe.objective
    rates = {module: module.p for module in pipe.shim.require().modules() if isinstance(module, Dropout)}
    # a small weight would hide its loss behind the others
    pipe.objective = pipe.objective.at_full_weight()
    for module in rates:
        module.p = 0.0
    try:
        for pipe.frozen_epochs in (0.0, float("inf")):
            together, one = gradients(pipe, examples, BATCH)
            alone, other = gradients(pipe, examples, 1)
            allowed = EXACT if pipe.shim.exact else ROUGH
            apart = max((one[name] - other[name]).norm() / (1 + other[name].norm()) for name in other)
            if abs(together - alone) > allowed * abs(alone) or (pipe.shim.exact and apart > allowed):
                raise ValueError(
                    f"a batch of {BATCH} has the loss {together:.6g}, its texts one by one {alone:.6g}, and "
                    f"a gradient differs by {apart:.2g}, expected no more than {allowed:g}: a fast path that "
                    f"changes what is learnt has no speed worth printing."
                )
    finally:
        pipe.frozen_epochs, pipe.shim.epoch, pipe.objective = kept
        for module, rate in rates.items():
            module.p = rate
        pipe.shim.freeze_encoder(False)


def gradients(pipe: BiSPN, examples: Sequence[Example], size: int) -> tuple[float, dict[str, Tensor]]:
    """The loss of all examples, so many at a time, and each weight's gradient."""
    losses: dict[str, float] = {}
    for first in range(0, len(examples), size):
        pipe.update(examples[first : first + size], sgd=False, losses=losses)
    network = pipe.shim.require()
    found = {name: x.grad.clone() for name, x in network.named_parameters() if x.grad is not None}
    network.zero_grad()
    return losses[pipe.name], found
