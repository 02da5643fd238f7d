"""Soak test, `python -m spacy_bispn.bench.soak`: predict, save, load and train at random, with checks."""

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
import typer
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed, load_model, load_model_from_config
from tqdm import tqdm
from wasabi import msg

from spacy_bispn.annotations import KEY
from spacy_bispn.bench.clock import peak_memory
from spacy_bispn.bench.figures import Output, number, write
from spacy_bispn.bench.invariants import Violation, check_bytes, check_doc, check_same
from spacy_bispn.corpus import to_doc
from spacy_bispn.corpus_reader import bare
from spacy_bispn.demo.corpus import generate
from spacy_bispn.model.optimizers import AdamW, create_adamw
from spacy_bispn.records import AnnotatedText

GROWTH = 0.05  # of resident memory after the warm-up
WARM_UP = 0.25  # of the rounds: caches and the allocator's pools fill
FEWEST = 20  # rounds
TEXTS = 200  # sentences of the demo corpus
FIRST_STEPS = 80  # of training, before the soak: enough to predict something, right or wrong
TOKENIZER = "spacy-bispn.PunctuationTokenizer.v1"
# between the words of a hostile text
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
HANDLES = Path("/dev/fd")  # Linux, macOS: an entry for each open file
BAR = "{l_bar}{bar}| {n:.0f} of {total} s, {remaining} left{postfix}"


@dataclass
class Soak:
    """A pipeline under steady use, with counts of what was done and the measurements of each round."""

    nlp: Language
    gold: Sequence[AnnotatedText]
    random: Random
    counts: Counter[str] = field(default_factory=Counter)
    resident: list[float | None] = field(default_factory=list)  # megabytes after each round
    handles: list[int | None] = field(default_factory=list)  # open files after each round

    def round(self) -> None:
        """Predict on a random batch, then update, save or load if this round is due; all Docs are checked.

        Raises Violation.
        """
        texts = [self.text() for _ in range(self.random.randint(1, 12))]
        # without a zone, spaCy's vocabulary keeps every word that it has ever seen
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
        """Predict in batches of a random size; one of the texts again alone, and once through bytes."""
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
        """A sentence of the demo corpus, or its words shuffled, with hostile characters between them."""
        sentence = self.random.choice(self.gold).text
        if self.random.random() < 0.5:
            return sentence
        words = self.random.sample(sentence.split(), self.random.randint(0, len(sentence.split())))
        return "".join(word + self.random.choice(SEAMS) for word in words * self.random.randint(1, 6))

    def replace(self, nlp: Language, texts: Sequence[str]) -> None:
        """Go on with another pipeline, if it predicts the same."""
        with self.nlp.memory_zone(), nlp.memory_zone():
            for one, other in zip(self.nlp.pipe(texts), nlp.pipe(texts), strict=True):
                check_same(one, other)
        self.nlp = nlp


def update(soak: Soak, texts: Sequence[str]) -> None:
    """One training step with a new optimizer, as after a restart."""
    learn(soak, 4, create_adamw(encoder_rate=1e-4, decoder_rate=1e-4))


def learn(soak: Soak, size: int, sgd: AdamW) -> None:
    """One training step on `size` random sentences."""
    golds = [to_doc(soak.nlp, text)[0] for text in soak.random.sample(soak.gold, size)]
    soak.nlp.update([Example(bare(soak.nlp, doc), doc) for doc in golds], sgd=sgd)


def through_disk(soak: Soak, texts: Sequence[str]) -> None:
    """Save the pipeline to a folder and load it from there."""
    with TemporaryDirectory() as folder:
        soak.nlp.to_disk(folder)
        soak.replace(load_model(folder), texts)


def through_bytes(soak: Soak, texts: Sequence[str]) -> None:
    """Make a pipeline from the same config and load the bytes of this one."""
    made = load_model_from_config(soak.nlp.config)
    soak.replace(made.from_bytes(soak.nlp.to_bytes()), texts)


WORKS: dict[str, tuple[int, Callable[[Soak, Sequence[str]], None]]] = {  # every how many rounds, and what
    "updates": (3, update),
    "through disk": (10, through_disk),
    "through bytes": (10, through_bytes),
}


def begin(seed: int) -> Soak:
    """A tiny pipeline with random weights, trained for a few steps on part of the demo corpus."""
    # oneDNN caches a CPU kernel for each shape, up to 1024: no leak, but that growth would hide one
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0")
    fix_random_seed(seed)
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": TOKENIZER}}})
    nlp.add_pipe("bispn", config=TINY)
    gold = generate(seed, {"train": TEXTS})["train"]
    docs = [to_doc(nlp, text)[0] for text in gold]
    nlp.initialize(lambda: [Example(bare(nlp, doc), doc) for doc in docs])
    soak = Soak(nlp, gold, Random(seed))
    sgd = create_adamw(encoder_rate=2e-3, decoder_rate=2e-3)
    for _ in range(FIRST_STEPS):
        learn(soak, 6, sgd)
    return soak


def resident() -> float | None:
    """Megabytes of RAM that this process uses: now on Linux, the peak on macOS; None where unknown."""
    if not STATM.exists():
        return peak_memory().get("resident")
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files() -> int | None:
    """How many file handles this process holds, that of the listing included; None where unknown."""
    return len(os.listdir(HANDLES)) if HANDLES.exists() else None


def use(soak: Soak, seconds: float) -> None:
    """Do rounds until the time is over. Raises Violation."""
    started = time.monotonic()
    with tqdm(total=round(seconds), unit=" s", disable=None, bar_format=BAR) as bar:
        while (passed := time.monotonic() - started) < seconds or soak.counts["rounds"] < FEWEST:
            soak.round()
            bar.update(min(int(passed), bar.total) - bar.n)
            bar.set_postfix(soak.counts, refresh=False)


def check_resources(soak: Soak) -> dict[str, Any]:
    """Counts of what was done; memory and open files after the warm-up and at the end, None where unknown.

    Memory is the median over a tenth of the rounds. Raises Violation if it grew, or files stayed open.
    """
    rounds = len(soak.handles)
    warm, tenth = int(WARM_UP * rounds), max(rounds // 10, 1)
    handles = {"handles first": soak.handles[warm], "handles last": soak.handles[-1]}
    if handles["handles last"] != handles["handles first"]:
        raise Violation(
            f"{handles['handles last']} files are open, expected {handles['handles first']} as after the "
            f"warm-up: something opens files and does not close them."
        )
    memory: dict[str, float | None] = {"resident first": None, "resident last": None, "growth": None}
    known = [megabytes for megabytes in soak.resident if megabytes is not None]
    if known:
        first, last = median(known[warm:][:tenth]), median(known[-tenth:])
        memory = {"resident first": first, "resident last": last, "growth": last / first - 1}
        if last > first * (1 + GROWTH):
            raise Violation(
                f"resident memory grew from {first:.1f} to {last:.1f} MB in {rounds} rounds, "
                f"expected at most {GROWTH:.0%} more: something is kept that nobody needs."
            )
    return {**soak.counts, **memory, **handles}


def main(
    minutes: Annotated[float, typer.Option(help="How long; a minute has some hundred rounds")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of the weights, the texts and their order")] = 0,
    output: Output = None,
) -> None:
    """Stress a tiny pipeline and check all its predictions; exits with 1 at the first violation."""
    soak = begin(seed)
    try:
        use(soak, 60 * minutes)
        figures = {"seed": seed, "minutes": minutes, **check_resources(soak)}
    except Violation as error:
        done = f"{soak.counts['rounds']} rounds with seed {seed}"
        msg.fail(f"Failed after {done}", str(error), exits=1)
    rows = {name: x if isinstance(x, int) else number(x, 3) for name, x in figures.items()}
    msg.table(rows, title="Soak; resident memory in MB")
    for what, name in (("memory", "growth"), ("open files", "handles last")):
        if figures[name] is None:
            msg.warn(f"This system does not tell {what} of a process: they were not checked")
    msg.good("All predictions passed the checks; what is known of memory and open files is flat")
    write(output, figures)


if __name__ == "__main__":
    typer.run(main)
