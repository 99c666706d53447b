// What the ways of copying share.

const COPIED_MS = 2000;

// Browsers give the clipboard to secure addresses only; on others the older way works, on a field
// that holds the text. Gives whether it was copied; if not, the field's text is selected.
async function copyText(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    field.focus();
    field.select();
    return document.execCommand("copy");
  }
}

function say(status, words) {
  status.textContent = words;
  clearTimeout(status.timer);
  status.timer = setTimeout(() => (status.textContent = ""), COPIED_MS);
}
