/* The page's script: names of colours and formats in the chart options become values here. */
(function () {
  "use strict";
  const run = JSON.parse(document.getElementById("run-data").textContent);
  const root = document.documentElement;
  const asked = new URLSearchParams(location.search);
  const state = {
    lang: run.charts[asked.get("lang")] ? asked.get("lang") : root.dataset.lang,
    scheme: run.palettes[asked.get("colours")] ? asked.get("colours") : root.dataset.scheme,
    day: null,
  };
  let schemeChosen = Boolean(run.palettes[asked.get("colours")]);
  if (!schemeChosen && asked.has("lang")) state.scheme = run.schemes[state.lang];
  const instances = new Map();
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  const figures = (value, digits) =>
    (Number(value.toFixed(digits)) + 0).toLocaleString("en-US", { maximumFractionDigits: digits });

  function yuan(value) {
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (state.lang === "zh") {
      return size >= 1e8 ? figures(value / 1e8, size >= 1e9 ? 0 : 1) + "亿"
        : figures(value / 1e4, 0) + "万";
    }
    if (size >= 1e12) return figures(value / 1e12, 2) + " tn";
    return size >= 1e9 ? figures(value / 1e9, size >= 1e10 ? 0 : 1) + " bn"
      : figures(value / 1e6, 0) + " mn";
  }

  function day(iso) {
    const [, month, date] = iso.split("-").map(Number);
    return state.lang === "zh" ? month + "月" + date + "日" : date + " " + months[month - 1];
  }

  const written = {
    percent: (v) => figures(v * 100, 1) + "%",
    percent0: (v) => figures(v * 100, 0) + "%",
    ratio: (v) => figures(v, 2),
    count: (v) => figures(v, 0),
    yuan,
    day,
  };
  const precise = { ...written, percent: (v) => (v * 100).toFixed(2) + "%",
    percent0: (v) => (v * 100).toFixed(1) + "%", ratio: (v) => v.toFixed(3) };

  /* One line a name: median with its band, or the value alone. */
  function tooltip(option) {
    const axes = option.yAxis || [];
    return function (items) {
      const lines = new Map();
      for (const item of items) {
        if (item.value === null || item.value === undefined) continue;
        const series = option.series[item.seriesIndex];
        const unit = axes[series.yAxisIndex || 0].axisLabel.formatter.slice(1);
        const entry = lines.get(item.seriesName) || { write: precise[unit] };
        const part = /\.(low|width)$/.exec(series.id);
        entry[part ? part[1] : "value"] = Number(item.value);
        if (!part) entry.marker = item.marker;
        lines.set(item.seriesName, entry);
      }
      const rows = [];
      for (const [name, entry] of lines) {
        if (entry.value === undefined) continue;
        const band = entry.low === undefined ? ""
          : ` <small>(${entry.write(entry.low)} … ${entry.write(entry.low + entry.width)})</small>`;
        rows.push(`${entry.marker}${name} <b>${entry.write(entry.value)}</b>${band}`);
      }
      return `${items[0].axisValue}<br>${rows.join("<br>")}`;
    };
  }

  function flow(item) {
    const plain = (name) => name.replace(/^(sell|buy):/, "");
    if (item.dataType === "node") return item.data.label.formatter.replace("\n", "  ");
    return `${label(item.data.source, plain)} → ${label(item.data.target, plain)} <b>${yuan(item.value)}</b>`;
  }

  function label(name, plain) {
    for (const id of ["flow-stocks", "flow-futures"]) {
      const days = run.charts[state.lang][id].days;
      const node = days[state.day].data.find((each) => each.name === name);
      if (node) return node.label.formatter.split("  ")[0];
    }
    return plain(name);
  }

  function resolved(value, option) {
    if (Array.isArray(value)) return value.map((each) => resolved(each, option));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, each]) => [key, resolved(each, option)]));
    }
    if (typeof value !== "string" || value[0] !== "@") return value;
    if (value === "@tooltip") return tooltip(option);
    if (value === "@flow") return flow;
    return run.palettes[state.scheme][value] || written[value.slice(1)] || value;
  }

  const isNarrow = (place) => place.clientWidth < 640;

  function breakLabel(node) {
    node.label.formatter = node.label.formatter.replace("  ", "\n");
    node.label.fontSize = 11;
  }

  function draw(place) {
    const name = place.dataset.chart;
    const { option, days } = run.charts[state.lang][name];
    let chart = instances.get(name);
    const shown = chart && chart.getOption().legend;
    if (!chart) {
      chart = echarts.init(place, null, { renderer: "svg" });
      instances.set(name, chart);
    }
    const full = resolved(option, option);
    if (days) {
      Object.assign(full.series[0], resolved(days[state.day], option));
      if (isNarrow(place)) full.series[0].data.forEach(breakLabel);
    }
    full.textStyle = { fontFamily: getComputedStyle(document.body).fontFamily };
    chart.setOption(full, { notMerge: true });
    if (shown && shown.length && state.drawn === state.lang) {
      chart.setOption({ legend: { selected: shown[0].selected } });
    }
  }

  function drawAll() {
    document.querySelectorAll("[data-chart]").forEach(draw);
    state.drawn = state.lang;
  }

  function show() {
    root.dataset.lang = root.lang = state.lang;
    root.dataset.scheme = state.scheme;
    document.title = run.title[state.lang] + " – Crowdfall";
    for (const [name, value] of Object.entries(run.palettes[state.scheme])) {
      root.style.setProperty("--" + name.slice(1), value);
    }
    for (const button of document.querySelectorAll("[data-set-lang], [data-set-scheme]")) {
      const on = button.dataset.setLang === state.lang || button.dataset.setScheme === state.scheme;
      button.setAttribute("aria-pressed", String(on));
    }
    fillDays();
    drawAll();
  }

  const flows = () => run.charts[state.lang]["flow-stocks"];
  const picker = document.getElementById("day");
  const slider = document.getElementById("day-slider");

  function fillDays() {
    const names = Object.keys(flows().days);
    state.day = state.day || busiest(names);
    picker.replaceChildren(...names.map((name) => new Option(day(name) + " " + name.slice(0, 4), name)));
    picker.value = state.day;
    slider.max = String(names.length - 1);
    slider.value = String(names.indexOf(state.day));
  }

  function busiest(names) {
    const first = JSON.stringify(flows().option.series[0].links);
    return names.find((name) => JSON.stringify(flows().days[name].links) === first) || names[0];
  }

  function choose(name) {
    if (!(name in flows().days)) return;
    state.day = name;
    fillDays();
    document.querySelectorAll("[data-chart^='flow-']").forEach(draw);
  }

  picker.addEventListener("change", () => choose(picker.value));
  slider.addEventListener("input", () => choose(Object.keys(flows().days)[Number(slider.value)]));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.step) {
      const names = Object.keys(flows().days);
      choose(names[names.indexOf(state.day) + Number(button.dataset.step)]);
      return;
    }
    if (button.dataset.setLang) {
      state.lang = button.dataset.setLang;
      if (!schemeChosen) state.scheme = run.schemes[state.lang];
      show();
    } else if (button.dataset.setScheme) {
      state.scheme = button.dataset.setScheme;
      schemeChosen = true;
      show();
    }
  });

  /* Paper has another width than the screen: drawings scale to it as a whole. */
  function scaled(on) {
    for (const svg of document.querySelectorAll("[data-chart] svg")) {
      if (on) svg.setAttribute("viewBox", `0 0 ${svg.width.baseVal.value} ${svg.height.baseVal.value}`);
      else svg.removeAttribute("viewBox");
    }
  }

  function resize() {
    scaled(false);
    instances.forEach((chart) => chart.resize());
    document.querySelectorAll("[data-chart^='flow-']").forEach(draw);
  }
  addEventListener("resize", resize);
  addEventListener("beforeprint", () => scaled(true));
  addEventListener("afterprint", () => scaled(false));
  show();
})();
