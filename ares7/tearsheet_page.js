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

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    for (const [name, figure] of Object.entries(page.figures)) {
      const { data, layout } = resolve(figure, style);
      // A finger scrolls the page; a mouse selects a period.
      layout.dragmode = touch.matches ? false : "zoom";
      if (narrow.matches) layout.font.size = 11;
      Plotly.react(name, data, layout, { displayModeBar: false, responsive: true });
    }
  };

  draw();
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", draw);
  }
  narrow.addEventListener("change", draw);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
