// A read-only field and the button that copies it. The text reaches the page as a value only.

const COPIED_MS = 2000;

function selectAll(field) {
  field.focus();
  field.select();
}

async function copy(field, button, status) {
  try {
    await navigator.clipboard.writeText(field.value);
    status.textContent = "Copied";
  } catch {
    // Browsers give the clipboard to secure addresses only. The older way works on others, and
    // where it does not either, the text is selected for the person to copy.
    selectAll(field);
    const copied = document.execCommand("copy");
    status.textContent = copied ? "Copied" : "Selected: press Ctrl+C";
  }
  clearTimeout(button.timer);
  button.timer = setTimeout(() => (status.textContent = ""), COPIED_MS);
}

export default function copyField({ data, parentElement }) {
  const { text, label } = data;
  let root = parentElement.querySelector(".copy-field");
  if (!root) {
    root = document.createElement("div");
    root.className = "copy-field";
    const field = document.createElement("input");
    field.readOnly = true;
    field.spellcheck = false;
    field.addEventListener("focus", () => field.select());
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    const status = document.createElement("span");
    status.setAttribute("role", "status");
    button.addEventListener("click", () => copy(field, button, status));
    root.append(field, button, status);
    parentElement.append(root);
  }
  const [field, button] = root.children;
  field.value = text;
  field.setAttribute("aria-label", label);
  button.setAttribute("aria-label", `Copy: ${label}`);
}
