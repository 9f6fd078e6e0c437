"use strict";
(() => {
  const page = JSON.parse(document.getElementById("report-data").textContent);
  const narrow = matchMedia("(max-width: 640px)");
  const touch = matchMedia("(pointer: coarse)");

  // References become values: {"series": name} an array of the page, {"css": name} a colour of the theme.
  const resolve = (node, style) => {
    if (Array.isArray(node)) return node.map((item) => resolve(item, style));
    if (node === null || typeof node !== "object") return node;
    if (typeof node.series === "string") return page.series[node.series];
    if (typeof node.css === "string") return style.getPropertyValue("--" + node.css).trim();
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, resolve(item, style)]));
  };

  const put = (name, figure, style) => {
    const { data, layout } = resolve(figure, style);
    // A finger scrolls the page; a mouse selects a period.
    layout.dragmode = touch.matches ? false : "zoom";
    if (narrow.matches) layout.font.size = 11;
    Plotly.react(name, data, layout, { displayModeBar: false, responsive: true });
  };

  // Heat map of two axes of a grid. plotly reads a little HTML in what it writes.
  const plain = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const selects = Object.fromEntries(
    ["x", "y", "figure", "others"].map((name) => [name, document.getElementById("slice-" + name)])
  );

  const slice = () => {
    const [x, y, f] = ["x", "y", "figure"].map((name) => Number(selects[name].value));
    const held = selects.others.value === "0";
    const figure = page.slices.figures[f];
    const cells = page.slices.cells[Math.min(x, y) + "," + Math.max(x, y)][figure.key][held ? "held" : "mean"];
    const [across, up] = [page.slices.axes[x], page.slices.axes[y]];
    return {
      across, up, figure, held,
      others: page.slices.axes.filter((axis) => axis !== across && axis !== up),
      // Stored with a row for every value of the later axis.
      z: x < y ? cells : up.values.map((_, i) => cells.map((row) => row[i])),
    };
  };

  const sliceFigure = ({ across, up, figure, z }) => {
    const few = across.values.length * up.values.length <= (narrow.matches ? 30 : 150);
    const [xs, ys] = [across.values.map(plain), up.values.map(plain)];
    const labels = (axis) => ({ type: "category", title: { text: plain(axis.name), standoff: 10 }, showgrid: false,
      zeroline: false, linecolor: { css: "rule" }, fixedrange: true, automargin: true });
    return {
      data: [
        { type: "heatmap", x: xs, y: ys, z, xgap: 2, ygap: 2, colorscale: [[0, { css: "heat-low" }], [1, { css: "heat-high" }]],
          texttemplate: few ? `%{z:${figure.format}}` : "", showscale: !narrow.matches, hoverongaps: false,
          colorbar: { thickness: 10, outlinewidth: 0, tickformat: figure.format, nticks: 5 },
          hovertemplate: `${plain(across.name)} %{x}<br>${plain(up.name)} %{y}<br>${figure.name} %{z:${figure.format}}<extra></extra>` },
      ],
      layout: { hovermode: "closest", showlegend: false, margin: { l: 10, r: 10, t: 8, b: 10 },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: { css: "muted" } },
        hoverlabel: { bgcolor: { css: "panel" }, bordercolor: { css: "rule" }, font: { color: { css: "ink" } } },
        xaxis: labels(across), yaxis: labels(up),
        shapes: [{ type: "rect", x0: across.chosen - 0.5, x1: across.chosen + 0.5, y0: up.chosen - 0.5, y1: up.chosen + 0.5,
          line: { color: { css: "accent" }, width: 3 } }] },
    };
  };

  const drawSlice = (style) => {
    const shown = slice();
    put("slice", sliceFigure(shown), style);
    const names = shown.others.map((axis) => shown.held ? `${axis.name} ${axis.values[axis.chosen]}` : axis.name);
    const start = shown.held ? `The other axes are held at the values of point ${page.slices.point}: ` : "Averaged over the other axes: ";
    document.getElementById("slice-note").textContent = names.length ? start + names.join(", ") + "." : "";
  };

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    for (const [name, figure] of Object.entries(page.figures)) put(name, figure, style);
    if (page.slices) drawSlice(style);
  };

  draw();
  for (const [name, select] of page.slices ? Object.entries(selects) : []) {
    let before = select.value;
    select.addEventListener("change", () => {
      // The two axes change places rather than be the same.
      const other = { x: selects.y, y: selects.x }[name];
      if (other && other.value === select.value) {
        other.value = before;
        other.dispatchEvent(new Event("known"));
      }
      before = select.value;
      drawSlice(getComputedStyle(document.documentElement));
    });
    select.addEventListener("known", () => { before = select.value; });
  }

  // Sorting: numbers that are not there come last either way; equal ones stay in the page's first order.
  const table = document.getElementById("points");
  if (table) {
    const rows = [...table.tBodies[0].rows];
    const order = rows.map((_, i) => i);
    table.tHead.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const head = button.closest("th");
      const first = "rising" in button.dataset ? "ascending" : "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort") === first ? second : first;
      for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", now);
      const keys = page.keys[Number(button.dataset.column)];
      const sign = now === "ascending" ? 1 : -1;
      const sorted = [...order].sort((a, b) => {
        if (keys[a] === null || keys[b] === null) return (keys[a] === null) - (keys[b] === null) || a - b;
        return sign * (keys[a] - keys[b]) || a - b;
      });
      table.tBodies[0].replaceChildren(...sorted.map((i) => rows[i]));
    });
  }
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", draw);
  }
  narrow.addEventListener("change", draw);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
