// What is on the page as a file, made in the browser: read, then painted or written, then saved.
// Always in light colours, on white, as the files of the charts are.

const PAPER = {
  "--st-background-color": "#ffffff",
  "--st-text-color": "#1f2328",
  "--st-border-color": "#d0d7de",
  "--st-primary-color": "#0072b2",
};

// What `frame` shows in light colours. `dress` is called while it has them, and again after.
function takePicture(frame, dress) {
  frame.classList.add("pictured");
  for (const [name, value] of Object.entries(PAPER)) frame.style.setProperty(name, value);
  try {
    dress(true);
    const { marks, origin } = new Reader(frame);
    return { width: Math.ceil(origin.width), height: Math.ceil(origin.height), marks };
  } finally {
    for (const name of Object.keys(PAPER)) frame.style.removeProperty(name);
    frame.classList.remove("pictured");
    dress(false);
  }
}

function fileStem(...parts) {
  const safe = (part) => part.replace(/[^A-Za-z0-9._]+/g, "-").replace(/^[-._]+|[-._]+$/g, "").slice(0, 60);
  return parts.map(safe).filter(Boolean).join("_");
}

async function saveAs(kind, name, picture) {
  const blob = kind === "PNG" ? await pngOf(picture) : svgOf(picture);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.${kind.toLowerCase()}`;
  link.click();
  // After the browser has taken it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Two buttons that save `frame`; `nameOf` says the beginning of the file's name.
function pictureButtons(frame, nameOf, dress = () => {}) {
  const buttons = document.createElement("div");
  buttons.className = "save";
  buttons.dataset.offPicture = "";
  for (const kind of ["PNG", "SVG"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = kind;
    button.title = `Save as ${kind}, in light colours on white`;
    button.setAttribute("aria-label", `Save as ${kind}`);
    button.addEventListener("click", () => saveAs(kind, nameOf(), takePicture(frame, dress)));
    buttons.append(button);
  }
  return buttons;
}
