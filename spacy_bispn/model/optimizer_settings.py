"""The settings of AdamW."""

from __future__ import annotations

from dataclasses import dataclass

from spacy_bispn.settings import SHARE, SWITCH, Settings, Values, setting

RATE = Values(least=0, most=1)
BETA = Values(above=0, below=1)


@dataclass(frozen=True)
class AdamWSettings(Settings):
    """The block `[training.optimizer]`."""

    encoder_rate: float = setting(
        RATE,
        "Highest learning rate of the encoder, or of a shared transformer; 0 leaves it as it is. 1e-4 suits "
        "small pretrained encoders and short trainings, 2e-5 large ones and long trainings.",
        default=1e-4,
    )
    decoder_rate: float = setting(
        RATE, "Highest learning rate of everything else, layers of other components included.", default=4e-4
    )
    epochs: float | str | None = setting(
        Values(above=0, choices=(None,)),
        "Epochs after which the rates have fallen to 0; give `${training.max_epochs}`. `null` keeps them "
        "constant, without `warmup`; so does that variable where spaCy makes the optimizer in Python "
        "(`nlp.initialize()`, then `nlp.update(examples)`), with a warning. No effect on a component that "
        "was trained before.",
        default=None,
    )
    warmup: float = setting(
        SHARE,
        "The share of `epochs` in which the rates rise. The encoder's begins when it is no longer frozen.",
        default=0.1,
    )
    continued_rate: float = setting(
        RATE,
        "What both rates are multiplied by for a component that was trained before: one that a config "
        "takes over with `source`, or a loaded pipeline. Higher learns more of the new texts and forgets "
        "more of the old ones ([Going on](going_on.md)). One that gets new labels learns at the full rates.",
        default=0.1,
    )
    continued_steps: int | None = setting(
        Values(least=1, whole=True, choices=(None,)),
        "Steps after which the rates of such a component have fallen to 0, as `epochs` for one that is new. "
        "`spacy bispn continue-config` sets it. `null` keeps them constant, for updates without an end.",
        default=None,
    )
    continued_warmup: int = setting(
        Values(least=0, whole=True),
        "Steps in which the rates of such a component rise, as a new optimizer knows nothing of its weights.",
        default=10,
    )
    use_averages: bool = setting(
        SWITCH,
        "Evaluate and save averages of the weights, mostly of the last tenth of the steps so far, in place "
        "of the last weights. They need the memory of a second model. Only for a `bispn` with an encoder of "
        "its own: listeners and other components keep their last weights.",
        default=True,
    )
    weight_decay: float = setting(
        RATE, "Decay of weights relative to the rate; biases and norms do not decay.", default=0.01
    )
    max_norm: float = setting(
        Values(least=0), "Largest norm of all gradients together; 0 does not clip.", default=1.0
    )
    beta1: float = setting(BETA, "As in Adam.", default=0.9)
    beta2: float = setting(BETA, "As in Adam.", default=0.999)
    # what float32 rounds to 0 would divide 0 by 0
    eps: float = setting(Values(least=1e-30, most=1), "As in Adam.", default=1e-8)
