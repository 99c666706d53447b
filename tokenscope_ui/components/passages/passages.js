// Text in passages of several kinds. Everything reaches the page as text nodes.

const COPIED_MS = 1500;

// A block a line, which hangs at its own indentation where it is wrapped.
function lineNodes(parts) {
  const nodes = [element("div", "row")];
  for (const [kind, text] of parts) {
    const lines = text.split("\n");
    lines.forEach((line, number) => {
      const last = number === lines.length - 1;
      if (!line && last) return;
      const node = element("span", kind);
      if (line) appendVisible(node, line, false, !last);
      if (!last) node.append("\n");
      nodes.at(-1).append(node);
      if (!last) nodes.push(element("div", "row"));
    });
  }
  for (const node of nodes) node.style.setProperty("--indent", `${indentOf(node.textContent)}ch`);
  return nodes;
}

function copyButton(text, pre) {
  const button = element("button", "", "Copy");
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Browsers refuse on an insecure address: select it, for the person to copy.
      getSelection().selectAllChildren(pre);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
  });
  return button;
}

export default function passages({ data, parentElement }) {
  const { label, parts, copy, height } = data;
  const root = element("div", "passages");
  const pre = element("pre");
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", label);
  pre.style.maxHeight = `${height}px`;
  pre.append(...lineNodes(parts));
  root.append(pre);
  if (copy !== null) root.append(copyButton(copy, pre));
  parentElement.querySelector(".passages")?.remove();
  parentElement.append(root);
}
