"""The only seam between thinc and torch: a shim that holds the network, and its thinc model."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from spacy.tokens import Doc
from thinc.api import Model, NumpyOps, Shim, get_torch_default_device, torch2xp, xp2torch
from torch import Tensor
from torch.nn import init
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from .nn.int8 import in_int8
from .nn.network import Network
from .nn.shapes import Inputs, Outputs, Proposals
from .optimizers import AdamW, clip
from .pieces import Lengths, Piecer, Window, budget
from .pretrained import Encoder, rebuild
from .safe import Parts, pack, unpack
from .sentences import sentence_starts

NO_SPECIAL = (0, 0, 0)  # positions that are tokens have no special pieces; padding reads row 0
PRECISIONS = ("full", "bf16", "int8")
RANDOM = (init.normal_, init.uniform_, init.kaiming_uniform_, Tensor.normal_, Tensor.uniform_)
# not cuDNN, which newer GPUs prefer: it plans a kernel for every new shape, and here every batch has its own
ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
Build = Callable[["Encoder | None", int, int, int], Network]

# a forked process (`n_process=2`) inherits torch's thread pool without its threads and would wait for ever
if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class Trained(NamedTuple):
    """What a training pass delivers: what the supervised layers say, and the proposals."""

    outputs: Outputs
    proposals: Proposals | None


class State(NamedTuple):
    """What a shim holds; sizes are the width of the inputs and the numbers of entity and relation types."""

    network: Network | None
    encoder: Encoder | None
    sizes: tuple[int, ...]
    epoch: float
    seen: Lengths | None


class Precision(NamedTuple):
    """In how many bits is computed. mixed: bf16 on a GPU; on_cpu: one of `PRECISIONS`, at prediction only."""

    mixed: bool
    on_cpu: str


class Unfilled(TorchFunctionMode):
    """No random numbers are drawn for weights that are about to be loaded."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let everything pass but what fills a tensor at random."""
        kwargs = kwargs or {}
        if func in RANDOM:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class NetworkShim(Shim):  # type: ignore[misc]
    """Holds a network that is built once its labels are known.

    build: makes the network from an encoder (None where vectors come from elsewhere), the width of
    its inputs, and the numbers of entity and relation types. cut: window and overlap, in positions.
    Raises ValueError for an unknown precision.
    """

    def __init__(self, build: Build, precision: Precision, cut: tuple[int, int]) -> None:
        super().__init__(None)
        if precision.on_cpu not in PRECISIONS:
            raise ValueError(
                f"cpu_precision is {precision.on_cpu!r}, expected one of {', '.join(PRECISIONS)}: correct it."
            )
        self.build = build
        self.cut = cut
        self.precision = precision
        self.network: Network | None = None
        self.twin: Network | None = None  # in int8, made from the network when it is asked for
        self.encoder: Encoder | None = None
        self.sizes: tuple[int, ...] = (0, 0, 0)
        self.seen: Lengths | None = None
        self.epoch = 0.0
        self.since = 0.0  # the epoch at which the weights were created or loaded

    def create(self, encoder: Encoder | None, width: int, entity_types: int, relation_types: int) -> None:
        """Build the network with fresh weights (those of `encoder` are kept)."""
        self.encoder = encoder
        self.sizes = (width, entity_types, relation_types)
        self.seen = None
        self.epoch = self.since = 0.0
        self.network, self.twin = self.build(encoder, *self.sizes).to(get_torch_default_device()), None

    def piecer(self) -> Piecer:
        """What cuts texts for this network; a window never exceeds the encoder's positions."""
        window, overlap = self.cut
        if self.encoder is None:
            return Piecer(None, NO_SPECIAL, window, overlap, self.seen)
        window = min(window, self.encoder.longest)
        overlap = min(overlap, window // 2 - 1)
        return Piecer(self.encoder.tokenizer, self.encoder.special, window, overlap, self.seen)

    def windows(self, docs: Sequence[Doc], is_train: bool = False) -> list[Window]:
        """The windows of some Docs, in order. In prediction, texts longer than those of the training are
        read by sentences.
        """
        own = docs if self.encoder is None else ()  # a tokenizer makes its own pieces
        tokens = [[(token.idx, token.idx + len(token)) for token in doc] for doc in own]
        sentences = None if is_train else lambda text: sentence_starts(docs[text])
        return self.piecer().windows([doc.text for doc in docs], tokens, sentences)

    @property
    def device(self) -> torch.device:
        """Where the network is: where thinc said that torch works (`--gpu-id`, `spacy.require_gpu`) when its
        weights came, whatever it says in the thread that asks.
        """
        device: torch.device = next(self.require().parameters()).device
        return device

    def require(self) -> Network:
        """The network. Raises ValueError before `initialize` or loading."""
        if self.network is None:
            raise ValueError(
                "the component 'bispn' has no weights yet, expected an initialized or a loaded one: "
                "call nlp.initialize(get_examples) or load a trained pipeline."
            )
        return self.network

    def freeze_encoder(self, frozen: bool) -> None:
        """Let the encoder's weights rest, or learn again."""
        if self.encoder is not None:
            self.encoder.model.requires_grad_(not frozen)

    def predict(self, inputs: Inputs, entity_threshold: float, relation_threshold: float) -> Outputs:
        """Prediction without gradients: only the queries above their thresholds."""
        network = self.require().eval()
        if self.device.type == "cpu" and self.precision.on_cpu == "int8":
            self.twin = network = self.twin or in_int8(network)
        with self.computing():
            return network.predict(inputs, entity_threshold, relation_threshold)

    def begin_update(self, inputs: Inputs) -> tuple[Trained, Callable[[Tensor], Tensor | None]]:
        """A training pass, and the function that carries the loss back through it.

        The function returns the gradient of `inputs.vectors`, None where there are none. It raises
        FloatingPointError where the loss or that gradient is no finite number.
        """
        network = self.require().train()
        if inputs.vectors is not None:
            inputs = inputs._replace(vectors=inputs.vectors.detach().requires_grad_())
        with self.computing(is_train=True):
            trained = Trained(*network(inputs))

        def backprop(loss: Tensor) -> Tensor | None:
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()}, expected a finite number")
            loss.backward()
            gradient = None if inputs.vectors is None else inputs.vectors.grad
            if gradient is not None and not gradient.isfinite().all():  # it must not reach a sublayer
                raise FloatingPointError("the gradient of the vectors is not finite, expected finite numbers")
            return gradient

        return trained, backprop

    @contextmanager
    def computing(self, is_train: bool = False) -> Iterator[None]:
        """How the network computes: attention by kernels that need no plan, and in bf16 what bears it, where
        that is asked for: on a GPU, or at prediction on a CPU.
        """
        on_cpu = self.precision.on_cpu == "bf16" and not is_train
        wanted = self.mixed if self.device.type == "cuda" else on_cpu
        with torch.autocast(self.device.type, torch.bfloat16, enabled=wanted), sdpa_kernel(ATTENTION):
            yield

    @property
    def mixed(self) -> bool:
        """Whether bf16 is asked for on this GPU, and it has it: older ones would only imitate it, slowly."""
        return self.precision.mixed and torch.cuda.get_device_capability(self.device) >= (8, 0)

    @property
    def exact(self) -> bool:
        """Whether prediction computes in 32 bits, so that an answer depends on no other text's."""
        return not self.mixed if self.device.type == "cuda" else self.precision.on_cpu == "full"

    def finish_update(self, optimizer: Any) -> None:
        """One step of our own AdamW, or of any other thinc optimizer parameter by parameter.

        Raises FloatingPointError, before any weight changes, if the gradients are no finite numbers.
        """
        network = self.require()
        self.twin = None  # of weights that are about to change
        if isinstance(optimizer, AdamW):
            optimizer.step_module(self.id, network, self.epoch, self.since)
            return
        clip(network.parameters(), math.inf)
        ops = NumpyOps()
        for name, weight in network.named_parameters():
            if weight.grad is not None:
                values, gradient = ops.asarray(weight.data.cpu()), ops.asarray(weight.grad.cpu())
                updated, _ = optimizer((self.id, name), values, gradient)
                weight.data = torch.as_tensor(updated, device=weight.device)
                weight.grad = None

    def to_device(self, device_type: str, device_id: int) -> None:
        """Called by thinc when its model moves."""
        self.twin = None
        if self.network is not None:
            self.network.to(f"cuda:{device_id}" if device_type == "gpu" else device_type)

    def dump(self) -> Parts:
        """What the network is, as plain values, and its weights."""
        values: dict[str, Any] = {"sizes": self.sizes, "epoch": self.epoch, "seen": self.seen}
        if self.network is None:
            return values, {}
        values["encoder"] = self.encoder.describe() if self.encoder else None
        return values, self.network.state_dict()

    def fresh(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> State:
        """A network of its own with dumped weights; nothing here changes.

        Raises ValueError where they are not in order or do not fit this config.
        """
        try:
            sizes = tuple(map(int, values["sizes"]))
            seen = Lengths(*map(int, values["seen"])) if values["seen"] else None
            if "encoder" not in values:
                return State(None, None, sizes, float(values["epoch"]), seen)
            with Unfilled():
                encoder = rebuild(values["encoder"]) if values["encoder"] else None
                network = self.build(encoder, *sizes)
            network.load_state_dict(tensors)
        except Exception as error:  # whatever damage may cause
            raise ValueError(
                f"the saved weights do not fit the model of this config ({type(error).__name__}: {error}), "
                f"expected the tensors of the network that the config describes: load them with the config "
                f"they were saved with."
            ) from error
        return State(network, encoder, sizes, float(values["epoch"]), seen)

    def take(self, state: State) -> None:
        """Have this network from now on."""
        self.network, self.encoder, self.sizes, self.epoch, self.seen = state
        self.twin = None
        self.since = self.epoch
        if self.network is not None:
            self.network.to(get_torch_default_device())

    def to_bytes(self) -> bytes:
        """What `dump` gives, for thinc, which saves models as bytes."""
        return pack(*self.dump())

    def from_bytes(self, data: bytes) -> NetworkShim:
        """Take over what `to_bytes` wrote. Raises ValueError, and changes nothing, for anything else."""
        self.take(self.fresh(*unpack(data)))
        return self


class Reading:
    """Some Docs on their way through a model: their windows, and their vectors where a sublayer
    delivers them. Made once a batch and handed to the network, the targets and the decoder.
    """

    def __init__(self, model: Model[Any, Any], docs: Sequence[Doc], is_train: bool) -> None:
        self.docs = docs
        self.shim: NetworkShim = model.shims[0]
        self.shim.require()
        self.piecer = self.shim.piecer()
        self.windows = self.shim.windows(docs, is_train)
        self.vectors: list[Any] | None = None
        self.gradients: list[Any] = []
        self.backprop: Callable[[Any], Any] | None = None
        if self.shim.encoder is None and self.windows:  # a CNN cannot read nothing
            self.vectors, self.backprop = model.get_ref("tok2vec")(docs, is_train)
            self.gradients = [model.ops.alloc2f(*vectors.shape) for vectors in self.vectors if is_train]

    def batches(self, pieces: int) -> list[list[int]]:
        """Indices of windows by length, at most `pieces` padded positions together."""
        return budget(self.windows, pieces)

    def inputs(self, batch: Sequence[int]) -> Inputs:
        """The padded tensors of some windows, with vectors in place of ids where there are any."""
        windows = [self.windows[index] for index in batch]
        inputs: Inputs = self.piecer.batch(windows, self.shim.device)
        if self.vectors is None or inputs.ids is None:
            return inputs
        rows = [xp2torch(self.vectors[window.text], device=self.shim.device)[ids[: len(window.ids)]]
                for window, ids in zip(windows, inputs.ids, strict=True)]  # fmt: skip
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return inputs._replace(ids=None, vectors=padded)

    def predict(self, batch: Sequence[int], entity_threshold: float, relation_threshold: float) -> Outputs:
        """Outputs of some windows: only the queries above their thresholds."""
        return self.shim.predict(self.inputs(batch), entity_threshold, relation_threshold)

    def collect(self, batch: Sequence[int], gradient: Tensor | None) -> None:
        """Add the gradient of some windows' vectors to that of their Docs. Shape: (B, P, width)."""
        for row, index in enumerate(batch if gradient is not None else ()):
            window: Window = self.windows[index]
            assert gradient is not None
            self.gradients[window.text][window.ids] += torch2xp(gradient[row, : len(window.ids)].float())

    def finish(self) -> None:
        """Send the collected gradients into the sublayer."""
        if self.backprop is not None:
            self.backprop(self.gradients)
