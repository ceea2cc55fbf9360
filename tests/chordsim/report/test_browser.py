"""The page in a real browser: the answer above the fold, nothing too wide, no word on another, no request, no fault that axe-core finds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chordsim.report import page

pytestmark = pytest.mark.slow
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
#: axe-core's axe.min.js (MPL-2.0, 650 kB, so not copied here): npm install axe-core, and name the file.
AXE = Path(os.environ.get("CHORDSIM_AXE") or "node_modules/axe-core/axe.min.js")
#: Wide and high, as a laptop and a phone show a page.
SCREENS = {"laptop": (1440, 900), "phone": (390, 844)}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--allow-file-access-from-files",
    "--virtual-time-budget=30000",
)
#: Runs after the page's own script: what is drawn, what sticks out, which words stand on one another, and where the answer ends.
PROBE = """<script>
const shown = [...document.querySelectorAll("svg.plot")].filter((plot) => getComputedStyle(plot).display !== "none");
const found = {};
for (const plot of shown) {
  const marks = plot.querySelectorAll(".mark, .bar, .line, image").length;
  const key = plot.closest("figure").id;
  found[key] = (found[key] ?? 0) + marks;
}
const out = [], over = [];
for (const plot of shown) {
  const frame = plot.closest("figure").getBoundingClientRect();
  const boxes = [...plot.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect(), text.classList]);
  const beyond = boxes.filter(([, box]) => box.left < frame.left || box.right > frame.right);
  out.push(...beyond.map(([words]) => plot.closest("figure").id + ": " + words));
  const some = boxes.filter(([, , kind]) => kind.contains("tick") || kind.contains("name") || kind.contains("head"));
  some.forEach(([a, one], n) => some.slice(n + 1).forEach(([b, two]) => {
    const wide = Math.min(one.right, two.right) - Math.max(one.left, two.left);
    const high = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
    if (wide > 1 && high > 4) over.push(plot.closest("figure").id + ": " + a + " / " + b);
  }));
}
const root = document.documentElement;
const told = {
  found, out, over, theme: root.dataset.theme, wide: root.scrollWidth - root.clientWidth,
  answer: document.querySelector(".cards").getBoundingClientRect().bottom, width: root.clientWidth,
  tables: [...document.querySelectorAll(".wide")].filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.ariaLabel),
};
const say = (faults) => {
  document.body.innerHTML = "<pre id=probe></pre>";
  document.getElementById("probe").textContent = JSON.stringify({ ...told, faults });
};
const serious = (result) => result.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
if (window.axe) {
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  axe.run().then((result) => say(serious(result).map((v) => [v.id, v.nodes[0].html.slice(0, 200)])));
} else say(null);
</script></body>"""


def browse(address: str, tmp_path: Path, *more: str) -> tuple[dict[str, Any], list[str]]:
    """Return what the probe found, and what the page wrote to the console."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *more, "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    found = re.search(r'<pre id="?probe"?>(.*?)</pre>', done.stdout, re.S)
    assert found, done.stderr[-2000:]
    words = found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(words), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probed(source: Path, tmp_path: Path, axe: str = "") -> Path:
    """Return a copy of a page that says what became of it."""
    target = tmp_path / "report.html"
    target.write_text(source.read_text().replace("</body>", (f"<script>{axe}</script>" if axe else "") + PROBE))
    return target


def on_screen(target: Path, screen: str, tmp_path: Path, theme: str = "light", *more: str) -> tuple[dict[str, Any], list[str]]:
    """Show a page on a screen: in an inner frame, which has the width that is asked for, while a window may not go that low."""
    wide, high = SCREENS[screen]
    frame = tmp_path / f"{screen}.html"
    waiting = (
        "const wait = setInterval(() => { const told = frame.contentDocument.getElementById('probe');"
        "if (told) { clearInterval(wait); document.body.innerHTML = told.outerHTML; } }, 50);"
    )
    frame.write_text(
        f'<body style="margin:0"><iframe id="frame" src="{target.name}#{theme}" style="border:0;width:{wide}px;height:{high}px"></iframe>'
        f"<script>{waiting}</script></body>"
    )
    return browse(frame.as_uri(), tmp_path, f"--window-size={max(wide, 600)},{high}", *more)


@pytest.fixture(scope="module")
def pages(played_run: Path, tiny_overrides: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return pages of a run, of one in sizes alone, and of a sweep."""
    from chordsim.api import run
    from chordsim.cli import main

    folder = tmp_path_factory.mktemp("pages")
    sizes = run("offline", overrides=tiny_overrides("protocol.metrics=none"), out=folder / "sizes").path
    chosen = [word for text in tiny_overrides(methods=("fp32", "uniform-2")) for word in ("--set", text)]
    assert main(["sweep", "offline", "--over", "rounds.requests_per_round=1,5", "--out", str(folder / "swept"), *chosen]) == 0
    return {"run": played_run / "report.html", "sizes": sizes / "report.html", "sweep": folder / "swept" / "sweep.html"}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("screen", list(SCREENS))
@pytest.mark.parametrize("which", ["run", "sizes", "sweep"])
def test_the_answer_is_above_the_fold_and_nothing_is_cut_or_hidden(pages: dict[str, Path], tmp_path: Path, which: str, screen: str) -> None:
    theme = "dark" if screen == "phone" else "light"
    told, console = on_screen(probed(pages[which], tmp_path), screen, tmp_path, theme)
    assert (told["width"], told["theme"]) == (SCREENS[screen][0], theme) and not console
    assert 0 < told["answer"] <= SCREENS[screen][1]
    assert told["wide"] <= 0 and told["out"] == [] and told["over"] == []
    assert screen == "laptop" or [name for name in told["tables"] if not name.startswith("Numbers of")] == []
    assert len(told["found"]) >= (3 if which == "sweep" else 10) and all(told["found"].values()), told["found"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_nothing_is_fetched(pages: dict[str, Path], tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    on_screen(probed(pages["run"], tmp_path), "laptop", tmp_path, "light", f"--log-net-log={log}")
    urls = set(re.findall(r'"url":"((?:https?|wss?)://[^"]+)"', log.read_text()))
    # Chromium itself may look for updates; the page's own requests would come with its origin.
    assert not [url for url in urls if not re.search(r"google|gstatic|chrome|gvt1", url)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm install axe-core, and set CHORDSIM_AXE to its axe.min.js")
@pytest.mark.parametrize(("which", "screen", "theme"), [("run", "laptop", "light"), ("run", "phone", "dark"), ("sweep", "phone", "light")])
def test_axe_finds_no_serious_fault(pages: dict[str, Path], tmp_path: Path, which: str, screen: str, theme: str) -> None:
    told, _ = on_screen(probed(pages[which], tmp_path, AXE.read_text()), screen, tmp_path, theme)
    assert told["faults"] == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_on_paper_no_chart_is_cut(pages: dict[str, Path], tmp_path: Path) -> None:
    """Every chart stands whole on one page: pdftotext finds the title and the last words of each on the same one."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    paper = tmp_path / "page.pdf"
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer", f"--print-to-pdf={paper}"]
    subprocess.run([*command, pages["run"].as_uri()], capture_output=True, timeout=240, check=True)
    told = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True).stdout.split("\f")
    for chart in page.charts(pages["run"].parent):
        title, last = chart.title[:9], chart.plots[-1].x.title.split(" (")[0].split()[-1]
        assert any(title in sheet and last in sheet for sheet in told), chart.key


def test_a_million_rows_take_less_than_eight_seconds_and_two_megabytes(made_run: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rounds = {m: [np.where(rng.random(50_000) < 0.9, rng.random(50_000), np.nan) for _ in range(5)] for m in "abcd"}
    run = made_run(tmp_path / "run", rounds)
    began = time.process_time()
    path = page.write(run)
    # Seconds of this process, so that what else the machine does has no say.
    assert time.process_time() - began < 8 and path.stat().st_size < 2e6
