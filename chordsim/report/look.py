"""How the page looks and what it does on a press: kept as Python, since a Flower bundle carries no CSS and no JavaScript."""

from __future__ import annotations

from chordsim.report.charts.chart import DARK, LIGHT

_DARK_INK = "--ink: #e8e8ea; --soft: #a9b1bb; --paper: #15181c; --card: #1e2228; --line: #3a3f47; --link: #79c0ff; --hatch: #1e2228;"
_COLOURS = "".join(f"--c{n}: {colour};" for n, colour in enumerate(LIGHT))
_DARK_COLOURS = "".join(f"--c{n}: {colour};" for n, colour in enumerate(DARK))
_SERIES = "".join(f".s{n} {{ --c: var(--c{n}); }}\n" for n in range(len(LIGHT)))

STYLE = (
    f"""\
:root, .alone {{ --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --card: #f6f7f9; --line: #d9dce0; --link: #0060a0; --hatch: #ffffff;
  {_COLOURS} }}
@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {_DARK_INK} {_DARK_COLOURS} }} }}
@media screen {{ :root[data-theme="dark"] {{ {_DARK_INK} {_DARK_COLOURS} }} }}
{_SERIES}"""
    + """\
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main { max-width: 1160px; margin: 0 auto; padding: 0 1.25rem; }
header { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; align-items: start; padding-top: 1.4rem; }
header > div { display: contents; } header p { grid-column: 1 / -1; } header button { grid-row: 1; grid-column: 2; }
h1 { font-size: 1.15rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; color: var(--soft); }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3rem 0 .75rem; padding-top: 1rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 1.2rem 0 0; }
p { margin: .4rem 0; max-width: 72ch; overflow-wrap: anywhere; }
a { color: var(--link); }
button { font: inherit; font-size: .85rem; white-space: nowrap; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .3rem .7rem; cursor: pointer; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; margin: 1.2rem 0 0; padding: 0; font-size: .9rem; }
section { min-width: 0; }
.question { font-size: 1.05rem; margin: .15rem 0 0; }
.about, .soft { color: var(--soft); font-size: .9rem; }
.lead { font-size: 1.05rem; }
.warning { border-left: 3px solid var(--c1); padding-left: .7rem; }
#answer h2 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; margin: 0;
  padding: 0; border: 0; }
.verdict { font-size: 1.7rem; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; max-width: 46ch; margin: .9rem 0 1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .75rem; margin: 0 0 1.2rem; }
.cards > div { border-top: 3px solid var(--c0); background: var(--card); border-radius: 0 0 8px 8px; padding: .6rem .8rem .7rem; }
.cards > div:nth-child(2) { border-color: var(--c2); } .cards > div:nth-child(3) { border-color: var(--c4); }
.cards > div:nth-child(4) { border-color: var(--c1); } .cards > div:nth-child(5) { border-color: var(--c7); }
.cards dt { font-size: .8rem; font-weight: 600; color: var(--soft); }
.cards dd { color: var(--ink); font-size: .95rem; line-height: 1.4; margin: .15rem 0 0; }
figure { margin: 0 0 1rem; padding: .9rem 1rem; background: var(--card); border-radius: 8px; min-width: 0; break-inside: avoid; }
.charts { margin: 1rem 0 0; }
figcaption h3 { margin: 0; }
figcaption p { color: var(--soft); font-size: .9rem; margin-bottom: .6rem; }
.plot { display: block; width: 100%; max-width: 600px; height: auto; overflow: visible; }
.slim { display: none; }
.alone { max-width: 640px; font: 14px/1.5 system-ui, sans-serif; color: var(--ink); }
.plot text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
.plot .title, .plot .tick { fill: var(--soft); }
.plot .head { font-weight: 600; }
.plot .name { paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
.pill { fill: var(--card); fill-opacity: .92; }
.grid { stroke: var(--line); stroke-width: 1; fill: none; }
.axis { stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.whisker { fill: none; stroke: var(--c); stroke-width: 1.3; }
.mark { fill: var(--c); stroke: var(--card); stroke-width: 1; }
.mark.hollow { fill: var(--card); stroke: var(--c); stroke-width: 1.8; }
.bar { fill: var(--c); }
.hatch { stroke: var(--hatch); stroke-width: 1.3; stroke-opacity: .6; fill: none; }
.patterns { position: absolute; }
.swatch { vertical-align: -2px; margin-right: .35rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; list-style: none; margin: 0 0 .5rem; padding: 0; font-size: .85rem; }
.legend li { cursor: default; white-space: nowrap; }
.dim [data-series]:not(.on), .dim [data-part]:not(.on) { opacity: .15; }
.strip { vertical-align: middle; overflow: visible; max-width: 100%; }
#tip { position: fixed; z-index: 9; pointer-events: none; background: var(--ink); color: var(--paper); font-size: .82rem; line-height: 1.35;
  padding: .25rem .5rem; border-radius: 5px; max-width: 18rem; display: none; }
details { margin: .4rem 0; font-size: .9rem; }
summary { cursor: pointer; color: var(--soft); }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { vertical-align: bottom; font-weight: 500; color: var(--soft); border-bottom-color: var(--soft); }
tbody th { font-weight: 600; }
tbody th small { font-weight: 400; color: var(--soft); font-size: .85em; margin-left: .6rem; }
td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; }
.turned td, .turned thead th:not(:first-child) { text-align: right; overflow-wrap: anywhere; }
table.facts td.number { text-align: left; }
table.facts td { overflow-wrap: anywhere; }
table:not(.facts):not(.turned) td { white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dd { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
pre { overflow-x: auto; background: var(--card); border-radius: 8px; padding: .7rem; font-size: .85rem; }
@media screen and (min-width: 980px) {
  .charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }
  .charts > figure { margin: 0; }
  .charts > figure:last-child:nth-child(odd) { grid-column: 1 / -1; display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr);
    gap: 0 2rem; align-content: start; }
  .charts > figure:last-child:nth-child(odd) > figcaption { grid-row: 1 / span 9; }
  .charts > figure:last-child:nth-child(odd) > :not(figcaption) { grid-column: 2; }
}
@media screen and (max-width: 640px) {
  body { font-size: 15px; }
  header, main { padding-left: .8rem; padding-right: .8rem; }
  header { padding-top: .7rem; }
  h2 { margin-top: 2rem; }
  .verdict { font-size: 1.2rem; margin: .5rem 0 .6rem; }
  .question { font-size: .95rem; } .about { font-size: .8rem; }
  .cards { grid-template-columns: 1fr; gap: .35rem; margin-bottom: .8rem; }
  .cards > div { border-top: 0; border-left: 3px solid var(--c0); border-radius: 0 6px 6px 0; padding: .25rem .6rem .3rem; }
  .cards dt { font-size: .75rem; } .cards dd { font-size: .86rem; line-height: 1.3; margin: 0; }
  figure { padding: .7rem; }
  dl:not(.cards) { grid-template-columns: 1fr; }
  tbody th small { display: block; margin: 0; }
  .broad { display: none; } .slim { display: block; }
  .legend.slim { display: flex; }
}
@media (min-width: 641px) { .legend.slim { display: none; } }
@media print {
  @page { margin: 14mm; }
  body { font-size: 9.5pt; }
  header, main { max-width: none; padding: 0; }
  nav, button, #tip, details:not([open]), figure details { display: none; }
  .wide, pre { overflow: visible; white-space: pre-wrap; }
  .wide { white-space: normal; }
  figure { border: 1px solid var(--line); padding: .6rem; }
  .pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; align-items: start; }
  .pair > figure { margin: 0; }
  .charts:not(.pair) figure { max-width: 120mm; }
  .pair .broad { display: none; } .pair .slim, .pair .legend.slim { display: block; }
  .legend.slim { display: flex; }
  .cards { grid-template-columns: repeat(3, 1fr); }
  .cards > div, tr, caption { break-inside: avoid; } h2, h3, caption { break-after: avoid; }
  h2 { margin-top: 1.6rem; }
  table { font-size: 8.5pt; } th, td { padding-right: .5rem; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
    + "".join(
        f"""@media {where} {{
  {table} thead {{ position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }}
  {table}, {table} caption, {table} tbody {{ display: block; width: 100%; }}
  {table} tr {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({least}, 1fr)); gap: .15rem .7rem; padding: .45rem 0;
    border-bottom: 1px solid var(--line); }}
  {table} th[scope="row"] {{ grid-column: 1 / -1; border: 0; padding: 0; }}
  {table} td {{ display: block; border: 0; padding: 0; overflow-wrap: anywhere; }}
  {table} tr td {{ text-align: left !important; white-space: normal !important; }}
  {table} td::before {{ content: attr(data-label); display: block; font-size: .78rem; color: var(--soft); }}
  {table}.facts tr {{ grid-template-columns: 1fr; }} {table}.facts td::before {{ display: none; }}
  {table}.facts td:last-child {{ color: var(--soft); font-size: .85em; }}
}}
"""
        for where, table, least in (("screen and (max-width: 640px)", ".fold", "6.6rem"), ("print", ".fold.many", "26mm"))
    )
)

SCRIPT = """\
// Theme, what a pointer is told of a mark, and legends that dim all but one series. The page says everything without it.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // A link such as report.html#dark opens in that theme, for pictures.
  root.dataset.theme = location.hash === "#dark" ? "dark" : location.hash === "#light" ? "light" : dark.matches ? "dark" : "light";
  dark.addEventListener("change", (event) => { root.dataset.theme = event.matches ? "dark" : "light"; });
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  });

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  const tell = (event) => {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    tip.style.display = mark ? "block" : "none";
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 12, root.clientWidth - width - 4)) + "px";
    tip.style.top = Math.max(4, event.clientY - height - 10) + "px";
  };
  document.addEventListener("pointermove", tell);
  document.addEventListener("pointerdown", tell);

  for (const legend of document.querySelectorAll(".legend")) {
    const figure = legend.closest("figure");
    const only = (place) => {
      figure.classList.toggle("dim", place !== null);
      for (const part of figure.querySelectorAll("[data-series], [data-part]")) {
        part.classList.toggle("on", (part.dataset.series ?? part.dataset.part) === place);
      }
    };
    legend.addEventListener("pointerover", (event) => only(event.target.closest("li")?.dataset.for ?? null));
    legend.addEventListener("pointerleave", () => only(null));
  }
})();
"""
