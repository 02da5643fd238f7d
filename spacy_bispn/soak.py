"""Hours of use in a few minutes: `python -m spacy_bispn.soak` predicts, saves, loads and trains at random."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import spacy
import srsly
import typer
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, load_model, load_model_from_config
from tqdm import tqdm
from wasabi import msg

from .annotations import KEY
from .bench.clock import peak_memory
from .corpora import bare, to_doc
from .demo import generate
from .files import save
from .invariants import Violation, check_bytes, check_doc, check_same
from .optimizers import AdamW, create_adamw
from .records import AnnotatedText

GROWTH = 0.05  # of resident memory after the warm-up
WARM_UP = 0.25  # of the rounds: caches fill, and the allocator learns what is asked for
FEWEST = 20  # rounds
TEXTS = 200  # sentences of the demo corpus
LESSONS = 80  # steps before the soak: enough to find something, wrong as it may be
TOKENIZER = "spacy-bispn.PunctuationTokenizer.v1"
# what stands between the words of a hostile text
SEAMS = ("", " ", "  ", "\n", "\x00", "\u200b", "\u200d", "\u0301", "\u202e", "\ufeff", "“", "蛋白", "😀")
TINY = {
    "type_threshold": 0.2, "relation_threshold": 0.05, "boundary_threshold": 0.01, "batch_pieces": 128,
    "model": {
        "encoder": {"@misc": "spacy-bispn.RandomEncoder.v1", "width": 48, "layers": 2, "heads": 4},
        "heads": 4, "feedforward": 96, "shared_layers": 1, "supervised_layers": 1,
        "window": 64, "overlap": 16,
    },
}  # fmt: skip
STATM = Path("/proc/self/statm")  # Linux: sizes in pages
BAR = "{l_bar}{bar}| {n:.0f} of {total} s, {remaining} left{postfix}"


@dataclass
class Soak:
    """A pipeline under steady use, and what was done to it and measured of it."""

    nlp: Language
    gold: Sequence[AnnotatedText]
    random: Random
    counts: Counter[str] = field(default_factory=Counter)
    resident: list[float] = field(default_factory=list)  # megabytes after each round
    handles: list[int] = field(default_factory=list)  # open files after each round

    def round(self) -> None:
        """Predict on a random batch, then update, save or load where it is due; every answer is checked.

        Raises Violation.
        """
        texts = [self.text() for _ in range(self.random.randint(1, 12))]
        # spaCy keeps every word it ever saw, unless it is told where their use ends
        with self.nlp.memory_zone():
            self.predict(texts)
        for name, (every, work) in WORKS.items():
            if self.counts["rounds"] % every == 0:
                work(self, texts)
                self.counts[name] += 1
        self.counts["rounds"] += 1
        self.resident.append(resident())
        self.handles.append(open_files())

    def predict(self, texts: Sequence[str]) -> None:
        """Batches of a random size; one of the texts once more alone, and once through bytes."""
        docs = list(self.nlp.pipe(texts, batch_size=self.random.randint(1, len(texts))))
        for text, doc in zip(texts, docs, strict=True):
            check_doc(doc, self.nlp.make_doc(text))
        number = self.random.randrange(len(texts))
        check_same(docs[number], self.nlp(texts[number]))
        check_bytes(docs[number])
        self.counts["texts"] += len(texts)
        self.counts["entities"] += sum(len(doc.spans[KEY]) for doc in docs)
        self.counts["relations"] += sum(len(doc._.relations) for doc in docs)

    def text(self) -> str:
        """A sentence of the demo corpus, or its words in disorder with anything between them."""
        sentence = self.random.choice(self.gold).text
        if self.random.random() < 0.5:
            return sentence
        words = self.random.sample(sentence.split(), self.random.randint(0, len(sentence.split())))
        return "".join(word + self.random.choice(SEAMS) for word in words * self.random.randint(1, 6))

    def replace(self, nlp: Language, texts: Sequence[str]) -> None:
        """Another pipeline takes the place of this one, if it says the same."""
        with self.nlp.memory_zone(), nlp.memory_zone():
            for one, other in zip(self.nlp.pipe(texts), nlp.pipe(texts), strict=True):
                check_same(one, other)
        self.nlp = nlp


def update(soak: Soak, texts: Sequence[str]) -> None:
    """One step of training, as the first of a training that goes on."""
    learn(soak, 4, create_adamw(encoder_rate=1e-4, decoder_rate=1e-4))


def learn(soak: Soak, size: int, sgd: AdamW) -> None:
    """One step on some sentences with gold."""
    golds = [to_doc(soak.nlp, text)[0] for text in soak.random.sample(soak.gold, size)]
    soak.nlp.update([Example(bare(soak.nlp, doc), doc) for doc in golds], sgd=sgd)


def through_disk(soak: Soak, texts: Sequence[str]) -> None:
    """Save the pipeline to a folder of its own and load it from there."""
    with TemporaryDirectory() as folder:
        soak.nlp.to_disk(folder)
        soak.replace(load_model(folder), texts)


def through_bytes(soak: Soak, texts: Sequence[str]) -> None:
    """Make a pipeline from the same config, and fill it with the bytes of this one."""
    made = load_model_from_config(soak.nlp.config)
    soak.replace(made.from_bytes(soak.nlp.to_bytes()), texts)


WORKS: dict[str, tuple[int, Callable[[Soak, Sequence[str]], None]]] = {  # in which rounds, and what
    "updates": (3, update),
    "through disk": (10, through_disk),
    "through bytes": (10, through_bytes),
}


def begin(seed: int) -> Soak:
    """A tiny pipeline from random weights, hardly trained, on a part of the demo corpus."""
    # torch's CPU kernels are kept, one for each shape, up to 1024: no leak, but it would hide one
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
    fix_random_seed(seed)
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": TOKENIZER}}})
    nlp.add_pipe("bispn", config=TINY)
    gold = generate(seed, {"train": TEXTS})["train"]
    docs = [to_doc(nlp, text)[0] for text in gold]
    nlp.initialize(lambda: [Example(bare(nlp, doc), doc) for doc in docs])
    soak = Soak(nlp, gold, Random(seed))
    sgd = create_adamw(encoder_rate=2e-3, decoder_rate=2e-3)
    for _ in range(LESSONS):
        learn(soak, 6, sgd)
    return soak


def resident() -> float:
    """Megabytes of this process that are in memory now; where the system does not say, the most so far."""
    if not STATM.exists():
        return peak_memory()["resident"]
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files() -> int:
    """How many file handles this process holds, with that of the question itself."""
    return len(os.listdir("/dev/fd"))


def use(soak: Soak, seconds: float) -> None:
    """Rounds until the time is over. Raises Violation."""
    started = time.monotonic()
    with tqdm(total=round(seconds), unit=" s", disable=None, bar_format=BAR) as bar:
        while (passed := time.monotonic() - started) < seconds or soak.counts["rounds"] < FEWEST:
            soak.round()
            bar.update(min(int(passed), bar.total) - bar.n)
            bar.set_postfix(soak.counts, refresh=False)


def measure(soak: Soak) -> dict[str, Any]:
    """What was done, and memory and open files after the warm-up and at the end.

    Memory is the median of a tenth of the rounds. Raises Violation where it grew, or files stayed open.
    """
    warm, tenth = int(WARM_UP * len(soak.resident)), max(len(soak.resident) // 10, 1)
    first, last = (median(part) for part in (soak.resident[warm:][:tenth], soak.resident[-tenth:]))
    figures = {
        **soak.counts, "resident first": first, "resident last": last, "growth": last / first - 1,
        "handles first": soak.handles[warm], "handles last": soak.handles[-1],
    }  # fmt: skip
    if last > first * (1 + GROWTH):
        raise Violation(
            f"resident memory grew from {first:.1f} to {last:.1f} MB in {len(soak.resident)} rounds, "
            f"expected at most {GROWTH:.0%} more: something is kept that nobody needs."
        )
    if figures["handles last"] != figures["handles first"]:
        raise Violation(
            f"{figures['handles last']} files are open, expected {figures['handles first']} as after the "
            f"warm-up: something opens files and does not close them."
        )
    return figures


def main(
    minutes: Annotated[float, typer.Option(help="How long; a minute has some hundred rounds")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of the weights, the texts and their order")] = 0,
    output: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Use a tiny pipeline hard and check all it says; exits with 1 at the first broken promise."""
    soak = begin(seed)
    try:
        use(soak, 60 * minutes)
        figures = {"seed": seed, "minutes": minutes, **measure(soak)}
    except Violation as error:
        done = f"{soak.counts['rounds']} rounds with seed {seed}"
        msg.fail(f"A promise was broken after {done}", str(error), exits=1)
    rows = {name: f"{x:.3f}" if isinstance(x, float) else x for name, x in figures.items()}
    msg.table(rows, title="Soak; resident memory in MB")
    msg.good("Every answer held, memory is flat, no file stayed open")
    if output is not None:
        save(output, srsly.json_dumps(figures, indent=2))


if __name__ == "__main__":
    typer.run(main)
