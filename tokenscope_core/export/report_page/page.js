"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const NATS_PER_BIT = Math.LN2;
  const SOURCES = { p: "prompt", s: "sampled", f: "forced" };
  const FINISHED = {
    length: "reached the number of new tokens",
    eos: "the model ended the text",
    stop: "a stop string or stop token came up",
    cancelled: "stopped before its end",
    filtered: "the engine's filter ended it",
    unknown: "the engine does not say why it ended",
  };
  const SHOWN_ON_HOVER = ["prob", "surprisal", "entropy", "rank"];
  const TOP_LEVEL = 32;
  const byName = new Map(data.metrics.map((metric) => [metric.name, metric]));
  const state = { branch: data.current, token: null, metric: "surprisal", unit: "bits" };
  let pieces = []; // of each token, one in every line it reaches into

  // Every text of the report reaches the page here, as text.
  const element = (tag, text = "", className = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    made.className = className;
    return made;
  };
  // Out of its line a token shows its spaces too.
  const alone = (word) => data.words[word][0].replaceAll(" ", "·");
  const branch = () => data.branches[state.branch];
  const trace = () => branch().trace;
  const logUnits = (metric) => ({ nats: 1, "nats²": 2 })[metric.unit] || 0;
  const inBits = (metric, value) => value / NATS_PER_BIT ** logUnits(metric);
  const onScreen = (metric, value) => (state.unit === "bits" ? inBits(metric, value) : value);
  const unitOf = (metric) =>
    ({ nats: state.unit, "nats²": `${state.unit}²`, ms: "ms" })[metric.unit] || "";
  const signed = (digits) => digits.replace("-", "−");
  const raised = (digits) => [...digits].map((one) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[one] ?? "⁻").join("");
  const power = (value) => {
    const [digits, exponent] = value.toExponential(1).split("e");
    return `${signed(digits)} × 10${raised(exponent)}`;
  };
  const number = (value) => {
    if (Number.isInteger(value)) return signed((value || 0).toLocaleString("en"));
    const size = Math.abs(value);
    return size < 0.0005 ? power(value) : signed(value.toFixed(size < 10 ? 3 : 1));
  };
  // Enough digits to tell a small probability from none, and a large one from certainty.
  const percent = (value) => {
    if (value < 1 && value >= 0.99995) return ">99.99 %";
    if (value >= 0.01) return `${(100 * value).toFixed(2)} %`;
    if (value >= 1e-6) return `${Number((100 * value).toPrecision(2))} %`;
    return value > 0 ? `${power(100 * value)} %` : "0 %";
  };
  const figure = (metric, value) => {
    if (value === null) return "not available";
    if (metric.unit === "probability") return percent(value);
    return `${number(onScreen(metric, value))} ${unitOf(metric)}`.trim();
  };

  // How strong a value is tinted, from -1 to 1; null where there is none.
  const strength = (metric, value) => {
    if (value === null || value === undefined) return null;
    const scaled = metric.unit === "rank" ? Math.log10(value) : inBits(metric, value);
    const [none, full] = metric.tint;
    const share = (scaled - none) / (full - none);
    const bent = Math.sign(share) * Math.abs(share) ** (1 / metric.root);
    return Math.min(1, Math.max(metric.signed ? -1 : 0, bent));
  };

  const paint = () => {
    const metric = byName.get(state.metric);
    const values = trace() ? trace().metrics[state.metric] : [];
    at("strip").dataset.kind = metric.signed ? "diverging" : "sequential";
    pieces.forEach((of, position) => {
      const share = strength(metric, values[position]);
      const level = Math.round((metric.signed ? (share + 1) / 2 : share) * TOP_LEVEL);
      for (const piece of of) {
        piece.classList.remove(piece.dataset.tint ?? "t0");
        piece.dataset.tint = share === null ? "missing" : `t${level}`;
        piece.classList.add(piece.dataset.tint);
      }
    });
    legend(metric);
  };

  const legend = (metric) => {
    const end = (value) => {
      if (metric.unit === "rank") return number(10 ** value);
      if (metric.unit === "probability") return `${100 * value} %`;
      const scale = state.unit === "bits" ? 1 : NATS_PER_BIT ** logUnits(metric);
      return `${number(value * scale)} ${unitOf(metric)}`.trim();
    };
    const [none, full] = metric.tint;
    at("low").textContent = end(metric.signed ? -full : none);
    at("high").textContent = end(full);
    at("ramp").className = metric.signed ? "signed" : "";
    const half = none + (full - none) * 0.5 ** metric.root;
    const said = `Half of the tint is ${end(half)}.`;
    at("meaning").textContent = `${metric.label} = ${metric.formula}. ${metric.meaning} ${said}`;
  };

  const drawTree = () => {
    const list = at("tree");
    list.replaceChildren();
    data.branches.forEach((one, index) => {
      const item = document.createElement("li");
      const button = element("button", one.name);
      button.type = "button";
      item.style.paddingLeft = `${Math.min(one.depth, 8) * 14}px`;
      button.style.setProperty("--branch", `var(--b${one.colour})`);
      button.setAttribute("aria-current", String(index === state.branch));
      if (one.note) button.append(element("small", one.note));
      if (!one.trace) button.append(element("small", "recipe only"));
      button.addEventListener("click", () => show(index));
      item.append(button);
      list.append(item);
    });
  };

  const drawStrip = () => {
    const held = trace();
    const strip = at("strip");
    strip.hidden = !held;
    at("absent").hidden = Boolean(held);
    strip.replaceChildren();
    pieces = [];
    if (held) strip.append(at(`strip${state.branch}`).content.cloneNode(true));
    for (const piece of strip.querySelectorAll(".token")) {
      const position = Number(piece.dataset.i);
      if (position in pieces) {
        pieces[position].push(piece);
        continue;
      }
      pieces[position] = [piece];
      piece.id = `t${position}`;
      piece.setAttribute("role", "option");
    }
    const parts = held
      ? [
          `${number(held.promptLength)} prompt and ` +
            `${number(held.words.length - held.promptLength)} more tokens`,
          FINISHED[held.finish],
        ]
      : [];
    if (branch().parent !== null) {
      parts.push(`grown from “${data.branches[branch().parent].name}” at ${branch().fork}`);
    }
    at("about").textContent = parts.join("; ");
    at("key").textContent = `key ${branch().key}; model fingerprint ${data.fingerprint}`;
    at("recipe").textContent = branch().recipe;
  };

  const show = (index) => {
    state.branch = index;
    const held = trace();
    if (!held || state.token >= held.words.length) state.token = null;
    drawTree();
    drawStrip();
    paint();
    select(state.token, false);
  };

  const select = (position, reveal = true) => {
    for (const piece of pieces[state.token] ?? []) piece.classList.remove("selected");
    pieces[state.token]?.[0].removeAttribute("aria-selected");
    state.token = position;
    const known = position !== null;
    at("hint").hidden = known;
    at("candidates").hidden = at("figures").hidden = !known;
    at("removed").hidden = true;
    at("strip").removeAttribute("aria-activedescendant");
    if (!known) {
      at("chosen").textContent = "No token selected";
      return;
    }
    const held = trace();
    const [first] = pieces[position];
    for (const piece of pieces[position]) piece.classList.add("selected");
    first.setAttribute("aria-selected", "true");
    at("strip").setAttribute("aria-activedescendant", first.id);
    if (reveal) first.scrollIntoView({ block: "nearest" });
    const source = SOURCES[held.sources[position]];
    at("chosen").textContent = `${alone(held.words[position])} at ${position}, ${source}`;
    at("figures").tBodies[0].replaceChildren(
      ...data.metrics.map((metric) => {
        const row = document.createElement("tr");
        const name = element("th", metric.label);
        name.title = `${metric.formula}. ${metric.meaning}`;
        row.append(name, element("td", figure(metric, held.metrics[metric.name][position]), "number"));
        return row;
      }),
    );
    drawCandidates(held, position);
  };

  const drawCandidates = (held, position) => {
    const logprob = byName.get("logprob");
    at("logprobUnit").textContent = `${logprob.label}, ${unitOf(logprob)}`;
    const rows = [];
    const add = (word, value, className, probability) => {
      const row = element("tr", "", className);
      const meter = document.createElement("meter");
      meter.value = probability;
      const share = element("td", "", "number");
      share.append(meter, element("span", percent(probability)));
      const shown = element("td", number(onScreen(logprob, value)), "number");
      row.append(element("td", alone(word), "token"), share, shown);
      rows.push(row);
    };
    const taken = held.words[position];
    // Of the token taken as its figures have it: both were rounded apart.
    const own = held.metrics.logprob[position];
    const chance = (word, value) => (word === taken && own !== null ? held.metrics.prob[position] : Math.exp(value));
    for (let i = position * held.width; i < (position + 1) * held.width; i += 1) {
      const word = held.candidates[i];
      if (word < 0) continue;
      const classes = [word === taken ? "taken" : "", held.kept[i] === "0" ? "removed" : ""];
      add(word, held.logprobs[i], classes.join(" "), chance(word, held.logprobs[i]));
    }
    if (own !== null && !rows.some((row) => row.classList.contains("taken"))) {
      add(taken, own, "taken", held.metrics.prob[position]);
    }
    if (!rows.length) {
      const row = document.createElement("tr");
      row.append(element("td", "The model gave no distribution here, or none was recorded."));
      rows.push(row);
    }
    at("candidates").tBodies[0].replaceChildren(...rows);
    at("removed").hidden = !rows.some((row) => row.classList.contains("removed"));
  };

  const positionOf = (target) => {
    const piece = target instanceof Element ? target.closest("#strip .token") : null;
    return piece ? Number(piece.dataset.i) : null;
  };

  const hover = (event) => {
    const tooltip = at("tooltip");
    const position = positionOf(event.target);
    tooltip.hidden = position === null;
    if (position === null) return;
    const held = trace();
    const names = [...new Set([state.metric, ...SHOWN_ON_HOVER])];
    const lines = names.map((name) => {
      const metric = byName.get(name);
      return `${metric.label}: ${figure(metric, held.metrics[name][position])}`;
    });
    tooltip.replaceChildren(
      element("b", alone(held.words[position])),
      `  ${position}, ${SOURCES[held.sources[position]]}\n${lines.join("\n")}`,
    );
    const box = tooltip.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, window.innerWidth - box.width - 8);
    const below = event.clientY + 18;
    const top = below + box.height > window.innerHeight ? event.clientY - box.height - 12 : below;
    tooltip.style.left = `${Math.max(8, left)}px`;
    tooltip.style.top = `${Math.max(8, top)}px`;
  };

  const step = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || !pieces.length) return;
    event.preventDefault();
    const from = state.token === null ? -1 : state.token;
    select(Math.min(pieces.length - 1, Math.max(0, from + steps[event.key])));
  };

  document.title = `${data.title} · TokenScope report`;
  at("title").textContent = data.title;
  at("facts").textContent =
    `Model “${data.model}”, vocabulary of ${number(data.vocabularySize)} tokens; ` +
    `${number(data.branches.length)} ${data.branches.length === 1 ? "run" : "branches"}`;
  for (const metric of data.metrics) {
    const option = element("option", metric.label);
    option.value = metric.name;
    at("metric").append(option);
  }
  at("metric").addEventListener("change", (event) => {
    state.metric = event.target.value;
    paint();
  });
  at("unit").addEventListener("change", (event) => {
    state.unit = event.target.value;
    paint();
    select(state.token, false);
  });
  at("strip").addEventListener("click", (event) => {
    const position = positionOf(event.target);
    if (position !== null) select(position, false);
  });
  at("strip").addEventListener("keydown", step);
  at("strip").addEventListener("mousemove", hover);
  at("strip").addEventListener("mouseleave", () => {
    at("tooltip").hidden = true;
  });
  show(state.branch);
})();
