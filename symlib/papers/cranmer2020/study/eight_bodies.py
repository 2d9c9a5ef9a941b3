"""Figure 5: eight bodies, learned by each of the message models; the paper's are on springs.

The same road as a cell of the tables up to the messages, with eight bodies in place of four.
A record holds R², the spectrum of the messages, and a few hundred messages of held-out
snapshots beside the true pair's force or acceleration, so that a page can draw the figure
without a network.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symlib import discovery
from symlib.choices import MESSAGE_MODELS, known
from symlib.laws.potentials import get_law
from symlib.messages import recording
from symlib.papers.cranmer2020.study.cells import told_in_a_line
from symlib.records.study import Study
from symlib.training.presets import get_preset

DIM, BODIES = 2, 8
LAWS = ("spring", "r1", "discontinuous")  # Figure 5's, and two more
SAMPLE = 400
SPECTRUM = 15


@dataclass(frozen=True)
class EightBodies(Study):
    """One panel row of figure 5: a message model by one recipe, on one of `LAWS`."""

    model: str
    preset: str = "laptop"
    seed: int = 0
    law: str = "spring"
    recipe: str = "fast"

    kind = "eight bodies"
    stages = ("simulate", "train", "listen")

    def path(self, folder: str | Path) -> Path:
        name = f"{self.law}-{DIM}-{self.model}-{self.preset}-{self.recipe}-{self.seed}.json"
        return Path(folder) / "eight_bodies" / name

    def inputs(self) -> list:
        """The law, the sizes, the recipe and the seed."""
        return [
            get_law(self.law).fingerprint(),
            [DIM, BODIES, self.model, self.seed, SAMPLE],
            get_preset(self.preset, self.recipe).inputs(self.model),
        ]

    def command(self) -> str:
        return (
            f"symlib eight --law {self.law} --model {self.model} --preset {self.preset} "
            f"--seed {self.seed} --recipe {self.recipe}"
        )

    def check(self, engine: str = "auto") -> None:
        known("model", self.model, MESSAGE_MODELS)
        discovery.check(
            self.law, DIM, self.model, self.preset, self.seed, BODIES, engine, self.recipe
        )

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Train on eight bodies and listen to held-out snapshots."""
        law, preset = get_law(self.law), get_preset(self.preset, self.recipe)
        options = {"cache": cache, "progress": progress}
        data = discovery.prepare(law, DIM, preset, self.seed, bodies=BODIES, **options)
        trained = discovery.fit_network(law, self.model, data, preset, self.seed, **options)
        heard = recording.record_messages(trained.network, law, data.test.states)
        return {
            "dim": DIM,
            "bodies": BODIES,
            **trained.facts(),
            "systems": preset.systems,
            "share_failed": data.trajectories.share_failed,
            **recording.prediction_losses(trained.network, *data.test),
            **what_they_say(heard, self.seed),
        }


def what_they_say(heard: recording.Messages, seed: int = 0) -> dict:
    """What a record holds of the messages: R², spectrum, and a sample to draw.

    Args:
        heard: messages on held-out snapshots.
        seed: of the sample.

    Returns:
        r2; quantity, force or acceleration, whichever fits better over the kept 90%;
        coefficients of the best linear combination for each of the leading components, the
        constant last; spectrum and importance of the leading components; sample: messages and
        combinations of some edges, component by component. Numbers to four digits.
    """
    r2 = heard.r2()
    quantity = max(r2, key=lambda name: r2[name]["kept90"])
    rows = np.random.default_rng(seed).permutation(len(heard.top))[:SAMPLE]
    components = []
    for k in range(heard.dim):
        fit = recording.linear_fit(heard.top[:, k : k + 1], getattr(heard, quantity))
        components.append(
            {
                "r2": {"all": fit.r2_all, "kept90": fit.r2_kept},
                "coefficients": _rounded(fit.coefficients),
                "message": _rounded(heard.top[rows, k]),
                "combination": _rounded(fit.predicted[rows]),
            }
        )
    return {
        "r2": r2,
        "quantity": quantity,
        "components": components,
        "spectrum": _rounded(heard.spread[:SPECTRUM]),
        "importance": _rounded(heard.importance[:SPECTRUM]),
    }


def line(record: dict) -> str:
    """A record in one line."""
    name = f"{record['law']}-{DIM}, {BODIES} bodies, {record['model']} seed {record['seed']}"
    return told_in_a_line(record, f"{name}, {record['preset']}, {record['recipe']}")


def _rounded(values) -> list[float]:
    return [float(f"{value:.4g}") for value in np.ravel(values)]
