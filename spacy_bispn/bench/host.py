"""What a device waits for: operations that are called for a batch, and the work around the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from torch.profiler import ProfilerActivity, profile

from spacy_bispn.bench.checks import BATCH, bispn_of
from spacy_bispn.bench.clock import in_turns, summarize
from spacy_bispn.corpus_reader import bare
from spacy_bispn.model.optimizers import create_adamw
from spacy_bispn.model.shim import NetworkShim
from spacy_bispn.nn.shapes import Outputs


def host(nlp: Language, docs: Sequence[Doc], rounds: int) -> dict[str, Any]:
    """Tensor operations of a batch of 8, in prediction and in a training step, and the milliseconds a
    sentence that `nlp.pipe` takes by default without the network, whose outputs are recorded before.

    Views count as operations, too. The counts do not depend on what else the machine does.
    """
    texts = [doc.text for doc in docs]
    examples = [Example(bare(nlp, doc), doc) for doc in docs[:BATCH]]
    sgd = create_adamw(encoder_rate=0.0, decoder_rate=0.0)
    counts = {
        "prediction": operations(lambda: list(nlp.pipe(texts[:BATCH]))),
        "training step": operations(lambda: nlp.update(examples, sgd=sgd)),
    }
    with replayed(bispn_of(nlp).shim, lambda: list(nlp.pipe(texts))):
        seconds = in_turns({"": lambda: list(nlp.pipe(texts))}, rounds)[""]
    return {"operations": counts, "milliseconds": summarize([1e3 * x / len(texts) for x in seconds])}


def operations(work: Callable[[], object]) -> int:
    """How many tensor operations some work calls, after one round to warm up."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        work()
    return sum(event.count for event in found.key_averages() if event.key.startswith("aten::"))


@contextmanager
def replayed(shim: NetworkShim, work: Callable[[], object]) -> Iterator[None]:
    """Let the network return the outputs that it has in some work, in their order, again and again."""
    outputs: list[Outputs] = []
    infer = shim.infer

    def record(*given: Any) -> Outputs:
        outputs.append(infer(*given))
        return outputs[-1]

    try:
        shim.infer = record  # type: ignore[method-assign, assignment]
        work()
        turns = cycle(outputs)
        shim.infer = lambda *given: next(turns)  # type: ignore[method-assign]
        yield
    finally:
        del shim.infer
