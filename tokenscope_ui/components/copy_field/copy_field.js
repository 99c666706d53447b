// A read-only field and the button that copies it. The text reaches the page as a value only.

async function copy(field, status) {
  const copied = await copyText(field.value, field);
  say(status, copied ? "Copied" : "Selected: press Ctrl+C");
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
    button.addEventListener("click", () => copy(field, status));
    root.append(field, button, status);
    parentElement.append(root);
  }
  const [field, button] = root.children;
  field.value = text;
  field.setAttribute("aria-label", label);
  button.setAttribute("aria-label", `Copy: ${label}`);
}
