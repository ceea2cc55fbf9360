"""What a run answers, before anything else: who is best, at what cost, what is not settled, who was left out, what would change it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chordsim.report.against import Against
from chordsim.report.charts import traffic
from chordsim.report.gather import Gathered, MethodFacts
from chordsim.report.html import ANSWER, Column, Grid, Markup, Section, cards, interval, named, text
from chordsim.report.svg.letters import in_bytes, plain
from chordsim.report.svg.shapes import css, marker

#: Names that a sentence lists before it counts.
_NAMED = 3
_STRIP = 130.0


def answer(g: Gathered, found: Against | None) -> Section:
    """Return the page's first section."""
    blocks: list[Any] = [text(line, css="warning") for line in doubts(g)]
    order = _order(g, found)
    if order:
        blocks += [text(_verdict(g, found, order), css="verdict"), cards(_cards(g, found, order)), _league(g, found, order)]
    return Section(ANSWER, "The answer", blocks)


def doubts(g: Gathered) -> list[str]:
    """Return what is wrong with the run, if anything is."""
    out = []
    if g.source.status != "complete":
        out.append(f"This run is {g.source.status}: the page shows the rounds that are on the disk.")
        out += [str(error) for error in g.source.manifest.get("errors", [])[:5]]
    if g.source.checked.doubt:
        out.append(g.source.checked.doubt)
    return out


def listed_names(names: Sequence[str]) -> str:
    """Return names as a sentence has them; many are counted."""
    shown = list(names) if len(names) <= _NAMED + 1 else [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def per_session(facts: MethodFacts) -> float | None:
    """Return bytes up and down of a served session, bootstraps apart."""
    session = facts.costs.per_session()
    down, up = session["down_bytes"], session["up_bytes"]
    return None if down is None or up is None else down + up


def _order(g: Gathered, found: Against | None) -> list[str]:
    """Return methods from the best: by what users saw, or by bytes where nothing was ranked; those without a value last."""
    if found is not None:
        return sorted(g.methods, key=lambda name: -(g.estimates[name]["ndcg_10_all"].mean or -1.0))
    return sorted(g.methods, key=lambda name: (g.methods[name].after() is None, g.methods[name].after() or 0.0))


def _verdict(g: Gathered, found: Against | None, order: Sequence[str]) -> str:
    if found is None:
        after = g.methods[order[0]].after()
        words = f"{order[0]} moves the fewest bytes. Nothing was ranked, so who is best is not told."
        return "Nobody was served." if after is None else words
    if not found.differences:
        return f"{found.best} was played alone: there is nothing to compare it with."
    if found.best == found.base:
        return f"No method gave users better lists than {found.base}" + (
            f"; {listed_names(found.level)} came level." if found.level else "."
        )
    d = found.differences[found.best]
    if not d.significant:
        return f"{found.best} has the highest mean, but whether it is better than {found.base} is not settled."
    base = g.estimates[found.base]["ndcg_10_all"].mean
    more = f", {100 * (d.mean or 0.0) / base:.0f} % above {found.base}" if base else f", above {found.base}"
    if found.level:
        return f"{listed_names([found.best, *found.level])} gave users the best lists{more}; which of them is best is not settled."
    return f"{found.best} gave users the best lists{more}."


def _cards(g: Gathered, found: Against | None, order: Sequence[str]) -> list[tuple[str, str]]:
    best = order[0]
    facts, estimate = g.methods[best], g.estimates[best]["ndcg_10_all"]
    out = []
    if found is not None and estimate.mean is not None:
        reach = f" ({interval(estimate.ci95)}, 95 %)" if estimate.ci95 else ""
        out.append(("Who is best?", f"{best}: NDCG@10 {estimate.mean:.4f}{reach} over all {estimate.users:,} users."))
    out.append(("At what cost?", _cost(g, best, found is not None)))
    out.append(("What is not settled?", _unsettled(g, found)))
    out.append(("Who was left out?", _left_out(g)))
    change = _change(g, best, facts)
    return [*out, ("What would change it?", change)] if change else out


def _cost(g: Gathered, best: str, ranked: bool) -> str:
    facts = g.methods[best]
    each, joules = per_session(facts), facts.costs.joules()
    if each is None:
        return f"{best} served nobody."
    words = f"{in_bytes(facts.bootstrap_once)} at a phone's first contact, {in_bytes(each)} a session"
    words += f", {plain(joules)} J a session." if joules is not None else "."
    light = min((name for name, f in g.methods.items() if f.after() is not None), key=lambda name: g.methods[name].after() or 0.0)
    if ranked and light != best:
        mean = g.estimates[light]["ndcg_10_all"].mean
        words += f" Fewest bytes: {light}" + (f", NDCG@10 {mean:.4f}." if mean is not None else ".")
    return words


def _unsettled(g: Gathered, found: Against | None) -> str:
    if found is None:
        return "Accuracy: nothing was ranked. Bytes, seconds and joules are the model's."
    level = [name for name, d in found.differences.items() if not d.significant]
    parts = [f"{listed_names(level)} against {found.base}"] if level else []
    parts += [f"{listed_names(found.level)} against {found.best}"] if found.level and found.best != found.base else []
    words = f"{'; '.join(parts)} (Holm, 5 %). " if parts else f"Within this run every difference to {found.base} is. "
    return words + f"Other seeds: this is seed {g.source.seed} alone."


def _left_out(g: Gathered) -> str:
    shares = {name: 100 * f.served / max(f.device_rounds, 1) for name, f in g.methods.items()}
    worst = min(shares, key=lambda name: shares[name])
    if shares[worst] == 100:
        return "No one: every method served every phone in every round."
    same = [name for name, share in shares.items() if abs(share - shares[worst]) < 0.05]
    what = g.methods[worst].outcomes.sum(0)
    causes = {"refused": what[1], "offline": what[2], "dropped": what[3], "late": what[4], "failed": what[5]}
    most = max(causes, key=lambda name: int(causes[name]))
    who = "Every method alike" if len(same) == len(shares) > 1 else f"{worst} most"
    return f"{who}: {100 - shares[worst]:.1f} % of device-rounds, above all {most}. All methods: {_span(shares.values())} served."


def _span(shares: Iterable[float]) -> str:
    some = sorted(shares)
    return f"{some[0]:.1f} %" if f"{some[0]:.1f}" == f"{some[-1]:.1f}" else f"{some[0]:.1f} to {some[-1]:.1f} %"


def _change(g: Gathered, best: str, facts: MethodFacts) -> str:
    parts = []
    limit, trained = int(g.source.table("training").get("max_steps") or 0), g.source.manifest.get("trained", {})
    cut = [name for name, told in trained.items() if limit and int(told.get("steps") or 0) >= limit]
    if cut:
        parts.append(f"Longer training: {len(cut)} of {len(trained)} stopped at their limit of {limit:,} steps.")
    against = traffic.reference(g)
    if against is not None and against != best:
        parts.append(f"More sessions or fewer: in bytes, {best} against {against} is {traffic.break_even(facts, g.methods[against])}.")
    share = facts.costs.energy(g.assumed)["assumed_share"]
    if share:
        parts.append(f"Other phones: {100 * share:.0f} % of its joules rest on assumed constants.")
    return " ".join(parts)


def _league(g: Gathered, found: Against | None, order: Sequence[str]) -> Grid:
    """Return one line for each method, the best first."""
    places = {name: place for place, name in enumerate(g.methods)}
    ranked = found is not None
    columns = [Column("method")]
    if found is not None:
        columns += [
            Column("NDCG@10, all users", "what every user saw, the fallback where the method did not serve"),
            Column("95 % interval", "over users; all lines have one scale"),
            Column(f"against {found.base}", "paired by user, corrected by Holm over all of them"),
        ]
    columns += [
        Column("first contact", "bytes down before a phone's first session, once"),
        Column("a session", "bytes up and down of a served session, bootstraps apart"),
        Column("J a session", "joules of computing and radio of a served session"),
        Column("served", "device-rounds that ended in time with a prescription, a model or a list in use"),
    ]
    ends = [ci for name in order for ci in (g.estimates[name]["ndcg_10_all"].ci95 or ())]
    rows = []
    for name in order:
        facts, estimate = g.methods[name], g.estimates[name]["ndcg_10_all"]
        each = per_session(facts)
        cells: list[Any] = [named(name, places[name])]
        if ranked:
            cells += [estimate.mean, strip(places[name], estimate.mean, estimate.ci95, ends), _against(found, name)]
        cells += [in_bytes(facts.bootstrap_once), None if each is None else in_bytes(each), facts.costs.joules()]
        rows.append((*cells, f"{100 * facts.served / max(facts.device_rounds, 1):.1f} %"))
    return Grid(columns, rows, "league", "Methods, the best first" if ranked else "Methods, the fewest bytes first")


def strip(place: int, mean: float | None, ci95: tuple[float, float] | None, ends: Sequence[float]) -> Markup | None:
    """Return a mean and its interval as a small picture on the scale of all intervals' ends."""
    if mean is None or ci95 is None or not ends:
        return None
    low, high = min(ends), max(ends)

    def at(value: float) -> float:
        return 6 + (_STRIP - 12) * (value - low) / ((high - low) or 1.0)

    drawn = f'<path class="whisker {css(place)}" d="M{at(ci95[0]):.1f} 8H{at(ci95[1]):.1f}"/>{marker(place, at(mean), 8)}'
    return Markup(
        f'<svg class="strip" width="{_STRIP:.0f}" height="16" viewBox="0 0 {_STRIP:.0f} 16" role="img" '
        f'aria-label="{ci95[0]:.4f} to {ci95[1]:.4f}">{drawn}</svg>'
    )


def _against(found: Against | None, name: str) -> str | None:
    if found is None:
        return None
    if name == found.base:
        return "the baseline"
    d = found.differences.get(name)
    if d is None or d.mean is None:
        return None
    how = "not settled" if not d.significant else "above" if d.mean > 0 else "below"
    return f"{d.mean:+.4f}, {how}".replace("-", "−")
