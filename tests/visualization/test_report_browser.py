"""The report in a real browser, where one is installed: nothing widens the page, tables sort, 3D views draw."""

import json
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kecor.visualization import html
from kecor.visualization.report import update_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
WATCH = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
console.error = (...words) => faults.push(words.join(" "));
</script>"""
MEASURE = """const page = document.documentElement, spare = () => page.clientWidth - page.scrollWidth;
const found = { width: innerWidth, spare: spare() };
"""
PLAY = """
const table = [...document.querySelectorAll("table")].find((t) => t.caption?.textContent === "Picks of round 0");
const header = [...table.querySelectorAll("th")].find((h) => h.textContent === "Predicted boxes");
const column = () => [...table.tBodies[0].rows].map((row) => row.cells[header.cellIndex].textContent);
const sorted = () => { header.querySelector("button").click(); return [header.ariaSort, column()]; };
found.sorts = [[header.ariaSort, column()], sorted(), sorted()];
found.idle = window.Plotly === undefined;
const figure = document.getElementById("pick-000001"), place = figure.querySelector(".view");
const button = figure.querySelector("button");
button.click();
for (let i = 0; i < 600 && !place.dataset.drawn && !place.textContent.includes("cannot"); i++)
  await new Promise((done) => setTimeout(done, 50));
found.drawn = place.dataset.drawn;
found.traces = place.data.map((trace) => [trace.name, trace.x.length]);
const image = new Image();
image.src = await Plotly.toImage(place, { format: "png", width: 500, height: 400 });
await image.decode();
const canvas = Object.assign(document.createElement("canvas"), { width: 500, height: 330 }); // without the legend
const context = canvas.getContext("2d", { willReadFrequently: true });
context.drawImage(image, 0, 0);
const rgba = context.getImageData(0, 0, 500, 330).data;
found.orange = found.blue = 0;
for (let i = 0; i < rgba.length; i += 4) {
  found.orange += rgba[i] > 190 && rgba[i + 2] < 60 && Math.abs(rgba[i + 1] - 94) < 30 && rgba[i + 3] > 200;
  found.blue += rgba[i] < 40 && rgba[i + 2] > 150 && Math.abs(rgba[i + 1] - 114) < 30 && rgba[i + 3] > 200;
}
found.spareOpen = spare();
found.expanded = button.ariaExpanded;
button.click();
found.closed = [button.ariaExpanded, place.hidden];
"""
SCRIPT = """<script>(async () => {
MEASURE PLAY
return found;
})().catch((error) => ({ error: String(error) })).then((found) =>
  fetch("ADDRESS", { method: "POST", mode: "no-cors", body: JSON.stringify({ ...found, faults }) }));</script>"""
FRAME = '<!DOCTYPE html><iframe src="watched.html" style="border: 0; height: 900px; width: WIDTHpx"></iframe>'


class Receiver(HTTPServer):
    """Waits for one message of the page."""

    timeout = 120

    def __init__(self):
        received = self.received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture(scope="module")
def report(drawn_run, tmp_path_factory):
    """The page of a run with long names."""
    folder = shutil.copytree(drawn_run, tmp_path_factory.mktemp("long") / "run")
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("made_up", "long" * 50))
    return update_report(folder).read_text()


def visit(page, width, folder, play=""):
    """What a reader with a page of that width meets; in a frame, as a window cannot be as narrow as a phone."""
    with Receiver() as receiver:
        script = SCRIPT.replace("ADDRESS", f"http://127.0.0.1:{receiver.server_port}")
        script = script.replace("MEASURE", MEASURE).replace("PLAY", play)
        watched = page.replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{script}</body>")
        (folder / "watched.html").write_text(watched)
        (folder / "frame.html").write_text(FRAME.replace("WIDTH", str(width)))
        options = "--headless --no-sandbox --enable-unsafe-swiftshader --no-first-run --window-size=1500,950"
        command = [BROWSER, *options.split(), f"--user-data-dir={folder}/profile", f"{folder}/frame.html"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            receiver.handle_request()
            browser.terminate()
    assert receiver.received, "the page has not answered"
    return receiver.received[0]


def fits(of_page, width):
    """Whether nothing sticks out of a page that wide, so that it does not scroll sideways."""
    return (of_page["width"], of_page["spare"]) == (width, 0)


@pytest.fixture(scope="module", params=[390, 1400])
def found(request, report, tmp_path_factory):
    """The width of the page and what its reader meets."""
    return request.param, visit(report, request.param, tmp_path_factory.mktemp("page"), PLAY)


def test_nothing_fails(found):
    assert found[1].get("error") is None
    assert found[1]["faults"] == []


def test_nothing_widens_the_page(found):
    width, of_page = found
    assert fits(of_page, width)
    assert of_page["spareOpen"] == 0, "with a 3D view"


LONG = "long" * 500
WIDE = {
    "a value": f'<p style="overflow-wrap: normal">{LONG}</p>',
    "a table": f"<table><tr><td>{LONG}</td></tr></table>",
    "a figure": '<div style="width: 1500px">figure</div>',
}


@pytest.mark.parametrize("width", [390, 1400])
def test_what_widens_the_page_is_found(width, tmp_path):
    plain = html.page("A page", [html.table(["Value"], [[LONG]]), html.paragraph(LONG)])
    assert fits(visit(plain, width, tmp_path), width)
    for what, element in WIDE.items():
        assert not fits(visit(plain.replace("<body>", f"<body>{element}"), width, tmp_path), width), what


def test_a_click_on_a_header_sorts(found):
    before, up, down = found[1]["sorts"]
    assert before == ["none", [str(2 + i % 7) for i in range(20)]]
    assert up == ["ascending", sorted(before[1], key=int)]
    assert down == ["descending", sorted(before[1], key=int, reverse=True)]


def test_a_click_draws_the_sweep_in_3d(found):
    _, of_page = found
    assert of_page["idle"], "the library is not loaded before it is needed"
    assert of_page["drawn"] == "yes"
    names = [name for name, _ in of_page["traces"]]
    assert names == ["points", "true boxes", "predicted boxes", "pre-labels"]
    assert of_page["traces"][0][1] == 4000
    assert of_page["orange"] > 50, of_page["blue"]
    assert of_page["blue"] > 20
    assert of_page["expanded"] == "true"
    assert of_page["closed"] == ["false", True]
