"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const TYPES = { f8: Float64Array, f4: Float32Array, u4: Uint32Array, u2: Uint16Array };
  const LD = ["r² < 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 or more"];
  const REACH = 14; // pixels from a pointer to the point that it means
  const traits = JSON.parse(document.getElementById("data").textContent);

  function values(packed) {
    const text = atob(packed.data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new TYPES[packed.type](bytes.buffer);
  }

  function make(name, attributes, ...children) {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    node.append(...children);
    return node;
  }

  function html(name, properties, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  const number = (x, digits = 4) => (Number.isFinite(x) ? String(+x.toPrecision(digits)) : "not known");
  const whole = (x) => Math.round(x).toLocaleString("en");

  function ticks(low, high, wanted) {
    if (!(high > low)) return [low];
    const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * (1 - 1e-9));
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) found.push(i * step);
    return found;
  }

  // The axis of -log10 p, in two linear parts where a few values would flatten all others.
  function strength({ top, knee }) {
    return (value) => {
      if (knee === null) return value / top;
      return value <= knee ? (0.6 * value) / knee : 0.6 + (0.4 * (value - knee)) / (top - knee);
    };
  }

  function strengthTicks({ top, knee }) {
    if (knee === null) return ticks(0, top, 5);
    const clear = knee + 0.08 * (top - knee);
    return [...ticks(0, knee, 4), ...ticks(knee, top, 4).filter((tick) => tick > clear)];
  }

  // A cloud of points: layers of them by class, and what is told of each.
  class Plot {
    constructor(place, spec) {
      this.place = place;
      this.spec = spec;
      this.tip = html("div", { className: "tip", hidden: true });
      this.svg = make("svg", { role: "img", "aria-label": place.dataset.label });
      place.replaceChildren(this.svg, this.tip, ...(spec.below ? spec.below(this) : []), this.tools());
      this.svg.addEventListener("pointermove", (event) => this.point(event));
      this.svg.addEventListener("pointerdown", (event) => this.point(event));
      this.svg.addEventListener("pointerleave", () => this.leave());
      this.svg.addEventListener("click", (event) => spec.clicked && spec.clicked(this, this.at(event)));
      this.draw();
    }

    draw() {
      const width = Math.max(this.place.clientWidth, 200);
      const height = this.spec.height(width);
      if (width === this.width && !this.changed) return;
      this.width = width;
      this.changed = false;
      this.box = { left: 44, right: width - 8, top: 14, bottom: height - 36 };
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.svg.setAttribute("height", height);
      this.svg.replaceChildren();
      const { left, right, top, bottom } = this.box;
      const view = this.spec.view(this);
      this.toX = (x) => left + ((x - view.low) / (view.high - view.low)) * (right - left);
      this.toY = (y) => bottom - view.up(y) * (bottom - top);
      this.view = view;
      const n = view.x.length;
      this.px = new Float32Array(n);
      this.py = new Float32Array(n);
      for (let i = 0; i < n; i++) {
        this.px[i] = this.toX(view.x[i]);
        this.py[i] = this.toY(view.y[i]);
      }
      this.frame(view);
      if (view.under) this.svg.append(...view.under(this));
      this.cloud(view);
      if (view.over) this.svg.append(...view.over(this));
      this.ring = make("circle", { r: 6, class: "ring", visibility: "hidden" });
      this.svg.append(this.ring);
      this.leave();
    }

    cloud(view) {
      const parts = view.classes.map(() => []);
      const { left, right } = this.box;
      for (let i = 0; i < this.px.length; i++) {
        if (this.px[i] < left - 1 || this.px[i] > right + 1) continue;
        parts[view.layer(i)].push(`M${this.px[i].toFixed(1)} ${this.py[i].toFixed(1)}h0`);
      }
      view.classes.forEach((name, at) => {
        if (parts[at].length) this.svg.append(make("path", { d: parts[at].join(""), class: `dots ${name}` }));
      });
    }

    frame(view) {
      const { left, right, top, bottom } = this.box;
      const text = (x, y, words, anchor, extra) =>
        make("text", { x, y, "text-anchor": anchor, ...extra }, words);
      const line = (x1, y1, x2, y2, name) => make("line", { x1, y1, x2, y2, class: name });
      this.svg.append(line(left, bottom, right, bottom, "axis"), line(left, top, left, bottom, "axis"));
      for (const tick of view.ticksY) {
        const y = this.toY(tick);
        this.svg.append(line(left - 4, y, left, y, "axis"), text(left - 7, y + 4, number(tick), "end"));
      }
      let free = -Infinity;
      for (const tick of view.ticksX) {
        const x = this.toX(tick.at), half = 3.4 * tick.text.length + 2;
        if (x - half < free || x + half > this.width + 4) continue;
        free = x + half;
        this.svg.append(text(x, bottom + 16, tick.text, "middle"));
        if (!tick.quiet) this.svg.append(line(x, bottom, x, bottom + 4, "axis"));
      }
      this.svg.append(
        text((left + right) / 2, bottom + 31, view.nameX, "middle"),
        text(12, (top + bottom) / 2, view.nameY, "middle", { transform: `rotate(-90 12 ${(top + bottom) / 2})` }),
      );
      for (const mark of view.lines || []) {
        const y = this.toY(mark.at);
        if (y < top || y > bottom) continue;
        this.svg.append(line(left, y, right, y, mark.kind));
        if (mark.text) this.svg.append(text(mark.kind === "knee" ? left + 4 : right - 2, y - 4, mark.text, mark.kind === "knee" ? "start" : "end"));
      }
    }

    at(event) {
      const box = this.svg.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    point(event) {
      const [x, y] = this.at(event);
      let best = REACH * REACH, found = -1;
      for (let i = 0; i < this.px.length; i++) {
        const dx = this.px[i] - x, dy = this.py[i] - y, far = dx * dx + dy * dy;
        if (far < best) { best = far; found = i; }
      }
      if (found < 0) return this.leave();
      this.ring.setAttribute("cx", this.px[found]);
      this.ring.setAttribute("cy", this.py[found]);
      this.ring.setAttribute("visibility", "visible");
      this.tip.textContent = this.view.tell(found);
      this.tip.hidden = false;
      const room = this.width - this.tip.offsetWidth;
      this.tip.style.left = `${Math.max(0, Math.min(this.px[found] + 12, room))}px`;
      const above = this.py[found] - this.tip.offsetHeight - 12;
      this.tip.style.top = `${above >= 0 ? above : this.py[found] + 14}px`;
    }

    leave() {
      this.tip.hidden = true;
      this.ring.setAttribute("visibility", "hidden");
    }

    again() {
      this.changed = true;
      this.draw();
    }

    tools() {
      return savers(() => this.svg, this.place.dataset.label);
    }
  }

  // The drawing with its colours in it, since a file of its own has no style sheet.
  function standalone(svg) {
    const clone = svg.cloneNode(true);
    const box = svg.viewBox.baseVal;
    clone.setAttribute("xmlns", SVG);
    clone.setAttribute("width", box.width);
    clone.setAttribute("height", box.height);
    const originals = svg.querySelectorAll("*");
    clone.querySelectorAll("*").forEach((node, at) => {
      const style = getComputedStyle(originals[at]);
      for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-opacity", "font-size", "font-family", "font-weight", "paint-order", "image-rendering", "visibility"]) {
        node.setAttribute(name, style.getPropertyValue(name));
      }
    });
    const paper = getComputedStyle(svg.closest(".card")).backgroundColor;
    clone.prepend(make("rect", { width: "100%", height: "100%", fill: paper }));
    return new XMLSerializer().serializeToString(clone);
  }

  function save(name, blob) {
    const link = html("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function savers(drawing, label) {
    const name = label.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 80);
    const svg = html("button", { type: "button", textContent: "Save SVG" });
    const png = html("button", { type: "button", textContent: "Save PNG" });
    svg.addEventListener("click", () => save(`${name}.svg`, new Blob([standalone(drawing())], { type: "image/svg+xml" })));
    png.addEventListener("click", () => {
      const box = drawing().viewBox.baseVal, canvas = document.createElement("canvas");
      const image = new Image();
      canvas.width = 3 * box.width;
      canvas.height = 3 * box.height;
      image.onload = () => {
        canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
        canvas.toBlob((blob) => save(`${name}.png`, blob));
      };
      image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(standalone(drawing()));
    });
    return html("div", { className: "tools" }, svg, png);
  }

  function unpacked(packed) {
    return {
      p: values(packed.p), beta: values(packed.beta), se: values(packed.se),
      frequency: values(packed.frequency), allele: values(packed.alleles.code),
      pairs: packed.alleles.pairs, id: packed.id,
    };
  }

  function told(variants, i, where, more = []) {
    return [
      variants.id[i], where,
      `effect / other allele ${variants.pairs[variants.allele[i]]}`,
      `frequency ${number(variants.frequency[i], 3)}`,
      `beta ${number(variants.beta[i])}, se ${number(variants.se[i])}`,
      `−log10 p ${number(variants.p[i])}`, ...more,
    ].join("\n");
  }

  function manhattan(place, data) {
    const variants = unpacked(data), group = values(data.group), spot = values(data.place);
    const n = group.length, x = new Float64Array(n);
    for (let i = 0; i < n; i++) x[i] = data.starts[group[i]] + spot[i] / data.length;
    const up = strength(data.axis);
    let chosen = -1;
    const menu = html("select", { ariaLabel: "Chromosome" }, html("option", { value: "-1", textContent: "whole genome" }));
    data.chromosomes.forEach((name, at) => menu.append(html("option", { value: String(at), textContent: `chromosome ${name}` })));
    const lines = [{ at: data.line, kind: "threshold", text: `p = ${data.threshold}` }];
    if (data.axis.knee !== null) lines.push({ at: data.axis.knee, kind: "knee", text: `axis compressed above ${number(data.axis.knee)}` });
    const where = (i) => {
      const at = group[i], name = data.chromosomes[at];
      return data.placed[at] ? `chromosome ${name}, ${whole(spot[i])}` : `chromosome ${name}, position not known`;
    };
    const view = () => {
      const start = chosen < 0 ? 0 : data.starts[chosen], width = chosen < 0 ? 1 : data.widths[chosen];
      const margin = 0.01 * width;
      const scale = chosen < 0 ? [] : ticks(0, width * data.length, 6).map((bp) => ({
        at: start + bp / data.length,
        text: data.placed[chosen] ? number(bp / 1e6) : whole(bp),
      }));
      return {
        x, y: variants.p, low: start - margin, high: start + width + margin, up,
        ticksY: strengthTicks(data.axis), lines, classes: ["small", "small light"],
        layer: (i) => group[i] % 2,
        ticksX: chosen < 0 ? data.chromosomes.map((name, at) => ({ at: data.starts[at] + data.widths[at] / 2, text: name, quiet: true })) : scale,
        nameX: chosen < 0 ? "chromosome" : data.placed[chosen] ? `chromosome ${data.chromosomes[chosen]}, megabases` : `chromosome ${data.chromosomes[chosen]}, variants in their order`,
        nameY: "−log10 p",
        tell: (i) => told(variants, i, where(i)),
      };
    };
    const plot = new Plot(place, {
      height: (width) => Math.round(Math.max(260, Math.min(420, 0.42 * width))),
      view,
      below: () => [html("div", { className: "tools" }, menu)],
      clicked: (self, [px, py]) => {
        if (chosen >= 0 || py < self.box.bottom) return;
        const at = data.starts.findIndex((start, i) => px >= self.toX(start) && px <= self.toX(start + data.widths[i]));
        if (at >= 0) { menu.value = String(at); menu.dispatchEvent(new Event("change")); }
      },
    });
    menu.addEventListener("change", () => { chosen = Number(menu.value); plot.again(); });
    return plot;
  }

  function qq(place, data) {
    const curves = data.qq.curves.map((c) => ({ ...c, x: values(c.x), y: values(c.y) }));
    const band = { x: values(data.qq.band.x), lower: values(data.qq.band.lower), upper: values(data.qq.band.upper) };
    const n = curves.reduce((sum, c) => sum + c.x.length, 0);
    const x = new Float64Array(n), y = new Float64Array(n), owner = new Uint8Array(n);
    let at = 0;
    // The whole is drawn last, over its parts.
    for (let c = curves.length - 1; c >= 0; c--) {
      x.set(curves[c].x, at); y.set(curves[c].y, at); owner.fill(c, at, at + curves[c].x.length);
      at += curves[c].x.length;
    }
    const most = 1.04 * band.x[0];
    const order = curves.map((_, c) => curves.length - 1 - c);
    const classes = order.map((c) => `small q${c}`);
    const legend = html("div", { className: "legend" }, ...curves.map((c, i) => html("span", {},
      make("svg", { viewBox: "0 0 12 12" }, make("path", { d: "M6 6h0", class: `dots q${i}`, "stroke-width": 8 })), c.name)));
    return new Plot(place, {
      height: (width) => Math.round(Math.max(240, Math.min(420, width))),
      below: () => [legend],
      view: () => ({
        x, y, low: 0, high: most, up: strength(data.axis), ticksY: strengthTicks(data.axis),
        ticksX: ticks(0, most, 5).map((tick) => ({ at: tick, text: number(tick) })),
        nameX: "expected −log10 p", nameY: "observed −log10 p",
        classes, layer: (i) => curves.length - 1 - owner[i],
        under: (plot) => {
          const up = Array.from(band.x, (v, i) => `${plot.toX(v).toFixed(1)} ${plot.toY(band.upper[i]).toFixed(1)}`);
          const down = Array.from(band.x, (v, i) => `${plot.toX(v).toFixed(1)} ${plot.toY(band.lower[i]).toFixed(1)}`).reverse();
          const diagonal = Array.from({ length: 101 }, (_, i) => `${plot.toX((most * i) / 100).toFixed(1)} ${plot.toY((most * i) / 100).toFixed(1)}`);
          return [make("path", { d: `M${up.join("L")}L${down.join("L")}Z`, class: "band" }), make("path", { d: `M${diagonal.join("L")}`, class: "axis" })];
        },
        tell: (i) => `${curves[owner[i]].name}\nexpected ${number(x[i])}\nobserved ${number(y[i])}`,
      }),
    });
  }

  function region(place, data) {
    const shown = data.regions[Number(place.dataset.region)];
    const variants = unpacked(shown), spot = values(shown.place), r2 = values(shown.r2);
    const layers = Uint8Array.from(r2, (value) => Math.min(4, Math.max(0, Math.floor(5 * value + 1e-6))));
    const top = 1.1 * Math.max(data.line, variants.p.reduce((a, b) => Math.max(a, b), 0));
    const legend = html("div", { className: "legend" }, ...LD.map((name, i) => html("span", {},
      make("svg", { viewBox: "0 0 12 12" }, make("path", { d: "M6 6h0", class: `dots ld${i}`, "stroke-width": 8 })), name)));
    return new Plot(place, {
      height: () => 250,
      below: () => [legend],
      view: () => ({
        x: spot, y: variants.p, low: shown.start, high: Math.max(shown.end, shown.start + 1), up: (v) => v / top,
        ticksY: ticks(0, top, 5), lines: [{ at: data.line, kind: "threshold" }],
        ticksX: ticks(shown.start, shown.end, 4).map((bp) => ({ at: bp, text: String(+(bp / 1e6).toFixed(4)) })),
        nameX: `chromosome ${shown.chromosome}, megabases`, nameY: "−log10 p",
        classes: ["ld0", "ld1", "ld2", "ld3", "ld4"], layer: (i) => layers[i],
        over: (plot) => {
          const px = plot.px[shown.lead], py = plot.py[shown.lead];
          return [make("path", { d: `M${px} ${py - 7}l7 7l-7 7l-7-7Z`, class: "lead-mark" })];
        },
        tell: (i) => told(variants, i, `chromosome ${shown.chromosome}, ${whole(spot[i])}`, [i === shown.lead ? "the lead" : `r² with the lead ${number(r2[i], 2)}`]),
      }),
    });
  }

  function components(place, data) {
    const [x, y] = [data.components[0], data.components[1] || data.components[0].map(() => 0)];
    const span = (v) => { const low = Math.min(...v), high = Math.max(...v), pad = 0.05 * (high - low || 1); return [low - pad, high + pad]; };
    const [lowX, highX] = span(x), [lowY, highY] = span(y);
    const shades = 10, n = x.length;
    return new Plot(place, {
      height: (width) => Math.round(Math.max(240, Math.min(420, width))),
      view: () => ({
        x, y, low: lowX, high: highX, up: (v) => (v - lowY) / (highY - lowY),
        ticksX: ticks(lowX, highX, 4).map((tick) => ({ at: tick, text: number(tick, 3) })), ticksY: ticks(lowY, highY, 4),
        nameX: "component 1", nameY: "component 2",
        classes: Array.from({ length: shades }, (_, i) => `shade${i}`), layer: (i) => Math.floor((shades * i) / n),
        tell: (i) => `sample ${whole(((i + 0.5) / n) * 100)} % down the order\ncomponent 1 ${number(x[i], 3)}\ncomponent 2 ${number(y[i], 3)}`,
      }),
    });
  }

  const KINDS = { manhattan, qq, region, components };
  const drawn = new Map();

  function drawIn(section) {
    for (const place of section.querySelectorAll(".draw")) {
      const data = traits[Number(place.dataset.trait)];
      if (drawn.has(place)) drawn.get(place).draw();
      else drawn.set(place, KINDS[place.dataset.plot](place, data));
    }
  }

  const sections = [...document.querySelectorAll("section.trait")];
  const buttons = [...document.querySelectorAll("[data-show]")];

  function show(at) {
    sections.forEach((section, i) => { section.hidden = i !== at; });
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === at)));
    if (sections[at]) drawIn(sections[at]);
  }

  buttons.forEach((button, at) => button.addEventListener("click", () => show(at)));
  document.querySelectorAll("svg.plot").forEach((svg) => svg.after(savers(() => svg, svg.querySelector("title").textContent)));
  document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", () => {
    const source = document.getElementById(button.dataset.copy), range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const done = () => { button.textContent = "Copied"; };
    if (navigator.clipboard) navigator.clipboard.writeText(source.textContent).then(done, () => { button.textContent = "Selected"; });
    else button.textContent = "Selected";
  }));
  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => sections.filter((s) => !s.hidden).forEach(drawIn));
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  show(0);
})();
