// A button a text. The texts reach the page as values only, line feeds and all.

export default function copyButtons({ data, parentElement }) {
  let root = parentElement.querySelector(".copy-field");
  if (!root) {
    root = document.createElement("div");
    root.className = "copy-field copy-texts";
    parentElement.append(root);
  }
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  const buttons = data.texts.map(([label, text, title]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.title = title;
    button.addEventListener("click", async () => {
      const field = document.createElement("textarea");
      field.value = text;
      root.append(field);
      const copied = await copyText(text, field);
      field.remove();
      button.focus();
      say(status, copied ? "Copied" : "This browser does not let it be copied");
    });
    return button;
  });
  root.replaceChildren(...buttons, status);
}
