"""How the experiments' claims are judged: the rival is chosen on validation, then own has to be above it by the bar, from tables alone."""

from __future__ import annotations

from benchmarks.personal_plans.declared import Contest, Experiment
from benchmarks.personal_plans.experiments import ASKED, EXPERIMENTS
from benchmarks.suites.agenda import Group
from benchmarks.suites.figures import Book
from benchmarks.suites.sheets import Line
from benchmarks.suites.verdicts import HELD, NOT_HELD, NOT_MEASURED, Claim, Judge, Judgement, above, all_of, at_most, missing, share

#: By how much of the rival's operations own may exceed them and still count as no more: the vector's are a few per cent of a narrow pass.
MORE_OPERATIONS = 0.05
#: Of Holm's p, where one of several comparisons is enough.
LEVEL = 0.05


def bar(experiment: Experiment, seeds: int) -> float:
    """Return the gain that counts: what was asked for, or what so many seeds can show where that is more."""
    known = experiment.smallest
    return max(ASKED, known.get(seeds, known[min(known)]))


def chosen(book: Book, experiment: Experiment, contest: Contest) -> str | None:
    """Return the rival with the best validation NDCG@10 of seed 1, the earlier of equals; None while one is missing."""
    scores: dict[str, float] = {}
    for name in contest.rivals:
        line = book.line(experiment.key(name), "1")
        if line is None or not line["validation_ndcg_10"]:
            return None
        scores[name] = float(line["validation_ndcg_10"])
    return max(scores, key=lambda name: scores[name])


def deciding(book: Book | None, experiment: Experiment, contest: Contest) -> tuple[str, ...]:
    """Return the rivals that all seeds are played of: validation's once it is known, and the strongest of seed 1 where it is named."""
    rival = None if book is None else chosen(book, experiment, contest)
    return tuple(dict.fromkeys(name for name in (rival, contest.strongest) if name))


def _denies(line: Line, experiment: Experiment, contest: Contest) -> bool:
    """Return whether a comparison has seed 1 alone, and an interval that ends below the bar."""
    return line["seeds"] == "1" and float(line["relative_high"] or "inf") < bar(experiment, len(contest.seeds))


def denied(book: Book, experiment: Experiment, contest: Contest) -> str | None:
    """Return the rival over which own's interval of seed 1 ends below the bar, the lowest of several; None where there is none.

    Own cannot be above the best of its rivals by the bar where it is not above this one, and five seeds would hardly change that.
    """
    lines = {rival: book.difference(experiment.key(contest.own), experiment.key(rival)) for rival in contest.rivals}
    most = {name: float(line["relative_high"]) for name, line in lines.items() if line and _denies(line, experiment, contest)}
    return min(most, key=lambda name: most[name], default=None)


def stalled(book: Book, experiment: Experiment) -> str | None:
    """Return the rival that denies a gain at the second end, where gains have to grow: what is not there has not grown."""
    return None if experiment.ends is None else denied(book, experiment, experiment.contests[experiment.ends[1]])


def asked(book: Book | None, experiment: Experiment, contest: Contest, rival: str) -> tuple[int, ...]:
    """Return the seeds that are asked of own against a rival: all of the contest where the rival decides, else the first.

    Seed 1 is enough too where a contest is `denied`; not where growth is the claim, which has to know both ends, until that is `stalled`.
    """
    if rival not in deciding(book, experiment, contest):
        return contest.seeds[:1]
    ended = book is not None and denied(book, experiment, contest) and (experiment.ends is None or stalled(book, experiment))
    return contest.seeds[:1] if ended else contest.seeds


def suite(book: Book | None, experiments: tuple[Experiment, ...] = EXPERIMENTS) -> tuple[Group, ...]:
    """Return what is played: every arm at seed 1, `deciding` rivals at the seeds `asked`, own at theirs, or all before one is known."""
    made = []
    for experiment in experiments:
        seeds: dict[str, tuple[int, ...]] = {}
        for contest in experiment.contests:
            wanted = {name: asked(book, experiment, contest, name) for name in deciding(book, experiment, contest)}
            wanted[contest.own] = max(wanted.values(), key=len, default=contest.seeds)
            for name, some in wanted.items():
                seeds[name] = max(seeds.get(name, ()), some, key=len)
        made.append(experiment.group(seeds))
    return tuple(made)


def above_rival(experiment: Experiment, contest: Contest, named: str = "") -> Judge:
    """Judge whether own is above a rival, by the bar and at no more operations where it has to be.

    Where none is named it is one that denies the contest, else the chosen one. More operations void a gain, but excuse no loss.
    """

    def judge(book: Book) -> Judgement:
        own = experiment.key(contest.own)
        rival = named or denied(book, experiment, contest) or chosen(book, experiment, contest)
        if rival is None:
            return missing(book, own, *(experiment.key(name) for name in contest.rivals))
        other = experiment.key(rival)
        line = book.difference(own, other)
        if line is None:
            return missing(book, own, other)
        made = above(own, other, least=bar(experiment, len(contest.seeds)))(book)
        made = _so_far(made, line, contest.seeds[:1] if _denies(line, experiment, contest) else contest.seeds)
        if not contest.no_more_operations:
            return made
        operations = [book.number(key, "macs") for key in (own, other)]
        if None in operations:
            return made
        mine, theirs = (float(value or 0.0) for value in operations)
        words = f"{made.measured}; {mine / 1e6:.2f} and {theirs / 1e6:.2f} million operations"
        if mine <= (1 + MORE_OPERATIONS) * theirs:
            return Judgement(made.verdict, words)
        return Judgement(NOT_MEASURED if made.verdict == HELD else made.verdict, f"{words}, which are more")

    return judge


def _so_far(made: Judgement, line: Line, seeds: tuple[int, ...]) -> Judgement:
    """Return a judgement as it is where its comparison has all declared seeds, else what they say so far, and no verdict."""
    done = len(line["seeds"].split())
    if done >= len(seeds):
        return made
    return Judgement(NOT_MEASURED, f"{made.measured}, so far: {done} of {len(seeds)} seeds")


def grows(experiment: Experiment) -> Judge:
    """Judge whether the gain over the chosen rivals is larger at the second end than at the first, with an interval above zero."""

    def judge(book: Book) -> Judgement:
        assert experiment.ends is not None
        ends = [experiment.contests[n] for n in experiment.ends]
        if stalled(book, experiment):
            made = above_rival(experiment, ends[1])(book)
            return Judgement(made.verdict, f"no gain that could have grown, {ends[1].at}: {made.measured}")
        rivals = tuple(chosen(book, experiment, contest) for contest in ends)
        keys = [experiment.key(name) for contest in ends for name in (contest.own, *contest.rivals)]
        pair = next((sides for sides, names in experiment.growths() if names == rivals), None)
        line = None if pair is None else book.difference(*pair)
        if line is None:
            return missing(book, *keys)
        last, first = (f"{float(line[side]):+.4f}" for side in ("own_mean", "other_mean"))
        words = f"{last} at {ends[1].at} over `{rivals[1]}`, {first} at {ends[0].at} over `{rivals[0]}`: {float(line['difference']):+.4f}"
        if not line["low"]:
            return Judgement(NOT_MEASURED, f"{words}; two seeds are too few for an interval")
        seeds = line["seeds"].replace(" ", ", ")
        words += f" ({float(line['low']):+.4f} to {float(line['high']):+.4f}), Holm p {float(line['p_holm']):.3g} (seeds {seeds})"
        made = Judgement(HELD if float(line["low"]) > 0 else NOT_HELD, words)
        return _so_far(made, line, min((contest.seeds for contest in ends), key=len))

    return judge


def equalled(experiment: Experiment) -> Judge:
    """Judge whether own is above each rival in one contest at least, with an interval above zero and a corrected p below 0.05."""

    def above_once(rival: int) -> Judge:
        def judge(book: Book) -> Judgement:
            pairs = [(experiment.key(contest.own), experiment.key(contest.rivals[rival])) for contest in experiment.contests]
            lines = [book.difference(*pair) for pair in pairs]
            declared = [len(asked(book, experiment, contest, contest.rivals[rival])) for contest in experiment.contests]
            known = [line for line, seeds in zip(lines, declared, strict=True) if line and len(line["seeds"].split()) >= seeds]
            if any(float(line["low"] or "nan") > 0 and float(line["p_holm"]) < LEVEL for line in known):
                verdict = HELD
            elif len(known) < len(lines):
                return missing(book, *(key for pair in pairs for key in pair))
            else:
                verdict = NOT_HELD
            gains = (
                f"{float(line['relative']):+.1%} {contest.at}" for line, contest in zip(lines, experiment.contests, strict=True) if line
            )
            return Judgement(verdict, f"over `{experiment.contests[0].rivals[rival].partition('-')[0]}` {', '.join(gains)}")

        return judge

    return all_of(*(above_once(rival) for rival in range(len(experiment.contests[0].rivals))))


def decisive(experiment: Experiment) -> tuple[Claim, ...]:
    """Return what an experiment stands or falls with: its contests, and growth or steadiness where that is what is claimed."""
    made = []
    for contest in experiment.contests:
        target = f"at least +{bar(experiment, len(contest.seeds)) * 100:.3g} % over {_seeds(contest)}, interval above zero"
        target += ", at no more operations" * contest.no_more_operations
        made.append(Claim(f"{contest.at}: `{contest.own}` above {_best_of(contest)}", target, above_rival(experiment, contest)))
        if contest.strongest:
            words = f"{contest.at}: `{contest.own}` above `{contest.strongest}`, the strongest of seed 1 on MovieLens 1M by test items"
            made.append(Claim(words, target, above_rival(experiment, contest, contest.strongest)))
    if experiment.ends is not None:
        made.append(Claim("the gain over the best rival grows (the falsifier)", "interval of the growth above zero", grows(experiment)))
    if experiment.steady:
        kinds = ", ".join(f"`{rival.partition('-')[0]}`" for rival in experiment.contests[0].rivals)
        target = f"an interval above zero with Holm p below {LEVEL} somewhere, for each"
        made.append(Claim(f"none of {kinds} equals `own` at every staleness (the falsifier)", target, equalled(experiment)))
    return tuple(made)


def controls(experiment: Experiment) -> tuple[Claim, ...]:
    """Return an experiment's other claims: controls, shares of references, and training times."""
    made = [
        Claim(f"`{own}` above {_named(experiment, other)}", "interval above zero", above(experiment.key(own), experiment.key(other)))
        for own, other in experiment.others
    ]
    made += [
        Claim(f"`{own}` against `{other}`", f"at least {least * 100:.3g} % of it", share(experiment.key(own), experiment.key(other), least))
        for own, other, least in experiment.shares
    ]
    made += [
        Claim(
            f"the training of `{name}` comes within 1 % of its best validation",
            f"in under {most / 60:.3g} minutes",
            at_most(experiment.key(name), "settled_s", most, "s"),
        )
        for name, most in experiment.settles
    ]
    return tuple(made)


def claims(experiment: Experiment) -> tuple[Claim, ...]:
    """Return all claims of an experiment, those first that decide."""
    return (*decisive(experiment), *controls(experiment))


def _best_of(contest: Contest) -> str:
    names = ", ".join(f"`{name}`" for name in contest.rivals)
    return names if len(contest.rivals) == 1 else f"the best of {names}"


def _seeds(contest: Contest) -> str:
    return "one seed" if len(contest.seeds) == 1 else f"{len(contest.seeds)} seeds"


def _named(experiment: Experiment, name: str) -> str:
    """Return an arm's name, or what a control beside it is."""
    control, _, arm = name.rpartition(":")
    if control == "chord-swapped":
        lists = any(text.endswith('swaps="list"') for text in experiment.arm(arm).settings)
        return "the plan of another session's list" if lists else "another user's plan"
    return f"`{control}` beside `{arm}`" if control else f"`{arm}`"
