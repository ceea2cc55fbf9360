"""How the page looks and what it does on a click: kept as Python, since a Flower bundle carries no CSS and no JavaScript."""

from __future__ import annotations

STYLE = """\
/* The look of every page that chordsim writes: light and dark, from 360 pixels up. */
:root { --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --card: #f6f7f9; --line: #d9dce0; --link: #0060a0; }
:root[data-theme="dark"] { --ink: #e8e8ea; --soft: #a3abb5; --paper: #15181c; --card: #1e2228; --line: #3a3f47; --link: #79c0ff; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, nav, main { max-width: 1160px; margin: 0 auto; padding: 0 1rem; }
header { display: flex; gap: 1rem; align-items: center; justify-content: space-between; padding-top: 1rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0; }
p { margin: .4rem 0; max-width: 75ch; overflow-wrap: anywhere; }
a { color: var(--link); }
button { font: inherit; font-size: .85rem; white-space: nowrap; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .3rem .7rem; cursor: pointer; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding-top: .5rem; font-size: .9rem; }
section { min-width: 0; }
.lead { font-size: 1.1rem; }
.soft { color: var(--soft); font-size: .9rem; }
figure { margin: 1rem 0; padding: .9rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; min-width: 0; }
figcaption p { color: var(--soft); font-size: .9rem; }
.plot { width: 100%; overflow: hidden; }
details { margin: .4rem 0; font-size: .9rem; }
summary { cursor: pointer; color: var(--soft); }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { vertical-align: bottom; }
td.number { text-align: right; white-space: nowrap; }
table.facts td.number { text-align: left; }
table.facts td { overflow-wrap: anywhere; }
tbody td:first-child { font-weight: 600; }
table:not(.facts) td { white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dd { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .7rem; font-size: .85rem; }
@media (min-width: 1000px) {
  .pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 1rem; align-items: start; }
  .pair > figure.tall, .pair > figure:last-of-type:nth-of-type(odd):not(.tall ~ figure) { grid-column: 1 / -1; }
  .pair figcaption { min-height: 5.6rem; }
}
@media (max-width: 600px) {
  body { font-size: 15px; }
  header, nav, main { padding-left: .7rem; padding-right: .7rem; }
  figure { padding: .6rem; }
  th, td { padding: .25rem .45rem; }
  dl { grid-template-columns: 1fr; }
  table.facts thead { display: none; }
  table.facts tr { display: block; padding: .3rem 0; border-bottom: 1px solid var(--line); }
  table.facts td { display: block; border: 0; padding: 0 .2rem; }
  table.facts td:last-child { color: var(--soft); font-size: .85rem; }
}
@media print { nav, button, details { display: none; } figure { break-inside: avoid; } }
"""

SCRIPT = """\
// Draws the figures that stand in the page as JSON, in the colours of the theme and the width of the screen.
"use strict";
(() => {
  const root = document.documentElement;
  const swaps = JSON.parse(document.getElementById("swaps").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const narrow = () => root.clientWidth < 600;

  // Plotly does not break titles, and cuts off what does not fit.
  const broken = (words, room) => {
    const lines = [""];
    for (const word of words.split(" ")) {
      const last = lines.length - 1;
      if (lines[last] && (lines[last] + " " + word).length > room) lines.push(word);
      else lines[last] += (lines[last] ? " " : "") + word;
    }
    return lines.join("<br>");
  };

  const spec = (plot) => {
    let text = document.getElementById(plot.dataset.figure).textContent;
    if (root.dataset.theme === "dark") for (const [light, night] of Object.entries(swaps)) text = text.replaceAll(light, night);
    const figure = JSON.parse(text);
    const layout = figure.layout;
    const size = narrow() ? 11 : 13;
    layout.font.size = size;
    const plain = plot.clientWidth - 90, high = layout.height - 160;
    const title = (axis, room) => {
      if (!axis || !axis.title || !axis.title.text) return;
      axis.title.text = broken(axis.title.text, Math.max(16, Math.floor(room / (size * 0.56))));
      axis.title.font = { size };
    };
    title(layout.xaxis, plain);
    title(layout.yaxis, high);
    layout.hoverlabel = { font: { size } };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: layout.font.color, activecolor: layout.font.color };
    return figure;
  };

  const draw = () => {
    for (const plot of plots) {
      const { data, layout } = spec(plot);
      const modeBarButtons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
      Plotly.react(plot, data, layout, { responsive: true, displaylogo: false, displayModeBar: !narrow(), modeBarButtons });
    }
  };

  const choose = (theme) => {
    root.dataset.theme = theme;
    draw();
  };

  document.getElementById("theme").addEventListener("click", () => choose(root.dataset.theme === "dark" ? "light" : "dark"));
  dark.addEventListener("change", (event) => choose(event.matches ? "dark" : "light"));
  let width = root.clientWidth;
  window.addEventListener("resize", () => {
    if (Math.abs(root.clientWidth - width) > 40) {
      width = root.clientWidth;
      draw();
    }
  });
  // A link such as report.html#dark opens in that theme, for pictures.
  choose(location.hash === "#dark" ? "dark" : location.hash === "#light" ? "light" : dark.matches ? "dark" : "light");
  root.dataset.drawn = String(plots.length);
})();
"""
