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
