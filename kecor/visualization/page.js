(() => {
  "use strict";

  // Sorting: a click on a header sorts by its column, a second one the other way round. Dashes stay at the end.
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const times = [...text.matchAll(/([\d.]+) (h|min|s)\b/g)]; // durations are compared in seconds
    const seconds = times.reduce((sum, [, n, unit]) => sum + n * { h: 3600, min: 60, s: 1 }[unit], 0);
    const number = times.length ? seconds : Number.parseFloat(text.replace(/,/g, ""));
    return { text, number, missing: text === "\u2013" };
  };
  const sort = (header) => {
    const body = header.closest("table").tBodies[0];
    const column = header.cellIndex;
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const rows = [...body.rows].map((row) => ({ row, ...value(row, column) }));
    const numeric = rows.every((r) => r.missing || !Number.isNaN(r.number));
    rows.sort((a, b) => {
      if (a.missing || b.missing) return a.missing - b.missing;
      return sign * (numeric ? a.number - b.number : a.text.localeCompare(b.text, undefined, { numeric: true }));
    });
    for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...rows.map((r) => r.row));
  };
  for (const header of document.querySelectorAll("tr.sort th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(header));
    header.setAttribute("aria-sort", "none");
    header.append(button);
  }

  // 3D views: sweeps and the plotting library are kept compressed and are unpacked at the first click.
  const unpack = async (id) => {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  let library = null;
  const loadLibrary = () => {
    library ??= unpack("plotly").then((code) => {
      const script = document.createElement("script");
      script.textContent = code;
      document.head.append(script);
    });
    return library;
  };
  const EDGES = [[0, 1, 2, 3, 0, 4, 5, 6, 7, 4], [1, 5], [2, 6], [3, 7]];
  const corners = ([, x, y, z, dx, dy, dz, heading]) => {
    const [c, s] = [Math.cos(heading), Math.sin(heading)];
    return [-1, 1].flatMap((up) => [[1, 1], [1, -1], [-1, -1], [-1, 1]].map(([along, across]) => {
      const [a, b] = [(along * dx) / 2, (across * dy) / 2];
      return [x + a * c - b * s, y + a * s + b * c, z + (up * dz) / 2];
    }));
  };
  const boxTrace = (name, boxes, line) => {
    const trace = { type: "scatter3d", mode: "lines", name, line, x: [], y: [], z: [], text: [], hoverinfo: "text+name" };
    for (const box of boxes) {
      const text = box.length > 8 ? `${box[0]}, score ${box[8].toFixed(2)}` : box[0];
      const [at, front] = [corners(box), 2 + box[4] / 2];
      const [c, s] = [Math.cos(box[7]), Math.sin(box[7])];
      const heading = [[box[1], box[2], box[3]], [box[1] + c * front, box[2] + s * front, box[3]]];
      for (const path of [...EDGES.map((edge) => edge.map((i) => at[i])), heading]) {
        for (const point of [...path, [null, null, null]]) {
          ["x", "y", "z"].forEach((axis, i) => trace[axis].push(point[i]));
          trace.text.push(text);
        }
      }
    }
    return trace;
  };
  const draw = async (place, id) => {
    const [view] = await Promise.all([unpack(id).then(JSON.parse), loadLibrary()]);
    const [x, y, z] = view.points.map((axis) => axis.map((v) => v / 100));
    const ink = getComputedStyle(document.body).color;
    const marker = { size: 1.2, color: z, colorscale: "Viridis", cmin: -3, cmax: 2 };
    const traces = [
      { type: "scatter3d", mode: "markers", name: "points", x, y, z, marker, hoverinfo: "skip" },
    ];
    if (view.true) traces.push(boxTrace("true boxes", view.true, { color: "#d55e00", width: 6 })); // else not labelled
    traces.push(boxTrace("predicted boxes", view.predicted, { color: "#0072b2", width: 3 }));
    if (view.prelabels) traces.push(boxTrace("pre-labels", view.prelabels, { color: "#cc79a7", width: 3, dash: "dash" }));
    const axis = (text) => ({ title: { text }, color: ink, showbackground: false });
    const layout = {
      margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", font: { color: ink },
      modebar: { bgcolor: "rgba(0,0,0,0)" }, legend: { orientation: "h", x: 0, y: 0, itemsizing: "constant" },
      scene: {
        aspectmode: "data", xaxis: axis("x (m)"), yaxis: axis("y (m)"), zaxis: axis("z (m)"),
        camera: { eye: { x: -1.6, y: 0, z: 1.6 }, center: { x: -0.1, y: 0, z: -0.2 } },
      },
    };
    await window.Plotly.newPlot(place, traces, layout, { responsive: true, displaylogo: false });
  };
  const toggle = async (button) => {
    const figure = button.closest("figure");
    const place = figure.querySelector(".view");
    const open = figure.classList.toggle("open");
    place.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Hide 3D view" : "Show in 3D";
    if (!open) { // a browser keeps only a few drawings in 3D alive
      if (window.Plotly) window.Plotly.purge(place);
      return;
    }
    try {
      await draw(place, button.dataset.view);
      place.dataset.drawn = "yes";
    } catch (error) {
      place.textContent = `This browser cannot draw the view: ${error.message}`;
    }
  };
  for (const button of document.querySelectorAll("button[data-view]")) {
    button.addEventListener("click", () => toggle(button));
  }
})();
