"""What an experiment declares before it is played: arms, contests between them, what would falsify its claim."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.suites.agenda import Group, Piece
from benchmarks.suites.sheets import MINUS

PROGRAM = "benchmarks.personal_plans"


@dataclass(frozen=True)
class Arm:
    """One method under settings of its own; one training, or another way of serving one.

    Attributes:
        name: As `--only EXPERIMENT/NAME` has it.
        method: Of the testbed.
        settings: ``key=value`` of the method's settings; a key with a dot is the scenario's.
        about: What it is, for the page.
        beside: Controls that are served from the same training.
        says: Bits of plan information that a session brings, where the experiment asks how much of it there should be.
    """

    name: str
    method: str
    settings: tuple[str, ...]
    about: str
    beside: tuple[str, ...] = ()
    says: int | None = None

    @property
    def piece(self) -> Piece:
        """What the runner plays."""
        over = tuple(text if "." in text.partition("=")[0] else f"settings.{self.method}.{text}" for text in self.settings)
        return Piece(self.name, (self.method, *self.beside), over, self.suffix, seeds=(1,))

    @property
    def suffix(self) -> str:
        """What its methods' names end with in tables."""
        return f", {self.name}"


@dataclass(frozen=True)
class Contest:
    """An arm against its rivals, of which the one with the best validation NDCG@10 of seed 1 counts.

    Attributes:
        at: What it is about, in words.
        own: Name of the arm.
        rivals: Names of the arms that it has to beat.
        seeds: Seeds of own and, once validation has chosen it, of the rival; all other arms have seed 1.
        no_more_operations: Whether own may take no more operations than the rival.
        strongest: The rival that test items of seed 1 on MovieLens 1M made the strongest, where that is not the one that validation chose:
            it is played at all seeds too, and asked for after those items were read, which can only make it harder for own.
    """

    at: str
    own: str
    rivals: tuple[str, ...]
    seeds: tuple[int, ...] = (1,)
    no_more_operations: bool = True
    strongest: str = ""


@dataclass(frozen=True)
class Experiment:
    """One experiment: a group of the suite and a family for Holm's correction.

    Attributes:
        number: In the issue that asked for it.
        name: Of its group, as `--only` has it.
        title: Of its section.
        claim: What would be so if it were true.
        rival: What it is held against, in words.
        falsifier: What would falsify it.
        overrides: What is set over the scenario in every arm.
        frozen: Settings of every arm over frozen weights, for the page, which does not repeat them.
        arms: What is played.
        contests: What is compared, and decides.
        ends: The two contests, by number, whose gains are compared where the claim is that gains grow.
        steady: Whether the contests are one under several conditions, with the same rivals in the same order, and a rival that equals own
            under all of them falsifies the claim.
        others: Pairs of arms that are compared besides, by name; a control as ``method:arm``. The first should be above the second.
        shares: Pairs of which the first should have at least a share of the second's NDCG@10.
        settles: Arms whose training should be within 1 % of its best validation after so many seconds.
        lengths: Pairs whose difference is also told by the length of users' histories.
        scenario: A shipped name or a path.
        smallest: By seeds, the smallest gain that the design can show, as a share of the rival's NDCG@10.
    """

    number: int
    name: str
    title: str
    claim: str
    rival: str
    falsifier: str
    overrides: tuple[str, ...]
    frozen: tuple[str, ...]
    arms: tuple[Arm, ...]
    contests: tuple[Contest, ...]
    smallest: dict[int, float]
    ends: tuple[int, int] | None = None
    steady: bool = False
    others: tuple[tuple[str, str], ...] = ()
    shares: tuple[tuple[str, str, float], ...] = ()
    settles: tuple[tuple[str, float], ...] = ()
    lengths: tuple[tuple[str, str], ...] = ()
    scenario: str = "repro-ml-1m"

    def arm(self, name: str) -> Arm:
        """Return an arm by its name."""
        return next(arm for arm in self.arms if arm.name == name)

    def key(self, name: str) -> str:
        """Return the key in tables of an arm, or of a control beside it as ``method:arm``."""
        method, _, arm = name.rpartition(":")
        found = self.arm(arm)
        return f"{self.name}/{method or found.method}{found.suffix}"

    def group(self, seeds: dict[str, tuple[int, ...]]) -> Group:
        """Return what the runner plays, with more seeds than the first for some arms."""
        pieces = (arm.piece for arm in self.arms)
        more = tuple(Piece(p.name, p.methods, p.overrides, p.suffix, seeds.get(p.name, p.seeds)) for p in pieces)
        return Group(self.name, self.scenario, (1,), more, self.overrides, program=PROGRAM)

    def family(self) -> tuple[tuple[str, str], ...]:
        """Return every comparison that Holm's correction is over: contests, growth of gains, others."""
        pairs = [(self.key(c.own), self.key(rival)) for c in self.contests for rival in c.rivals]
        pairs += [growth for growth, _ in self.growths()]
        pairs += [(self.key(own), self.key(other)) for own, other in (*self.others, *((own, other) for own, other, _ in self.shares))]
        return tuple(dict.fromkeys(pairs))

    def growths(self) -> list[tuple[tuple[str, str], tuple[str, str]]]:
        """Return for all rivals at both ends the gain at the second end against that at the first, and the rivals' names."""
        if self.ends is None:
            return []
        first, last = (self.contests[n] for n in self.ends)
        made = []
        for before in first.rivals:
            for after in last.rivals:
                sides = (f"{self.key(last.own)}{MINUS}{self.key(after)}", f"{self.key(first.own)}{MINUS}{self.key(before)}")
                made.append((sides, (before, after)))
        return made
